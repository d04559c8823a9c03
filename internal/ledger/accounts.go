package ledger

import (
	"errors"
	"fmt"

	"croft"
)

// Credits are the community's own unit: issued and taken back by vote, moved by
// whoever has them, locked in channels, and for nothing else. No transaction costs
// any. What is free and what is locked always adds up to what was issued.
//
// A guest has an account and no vote: one member lets it in and answers for it. It
// may move credits, offer services and use channels, within quotas of its own. A guest
// that a member names signs everything with one key; one that joined with an invite has
// a node, with a key of its own as a member's.
//
// Keys: supply → Supply · account/ID → Account · guest/ID → Guest

// Account is what a member or guest has free, and counts of what else it keeps
// everybody busy with.
type Account struct {
	Free     croft.Credits `cbor:"1,keyasint"`
	Sequence uint64        `cbor:"2,keyasint,omitempty"` // of its last transfer
	Funds    uint32        `cbor:"3,keyasint,omitempty"` // channels with its credits that have not ended
	Offers   uint32        `cbor:"4,keyasint,omitempty"` // services
	Hosts    uint32        `cbor:"5,keyasint,omitempty"` // guests
	Channels uint32        `cbor:"6,keyasint,omitempty"` // that it ever funded or is paid from: see ChannelAtKey
}

// Supply is how many credits there are.
type Supply struct {
	Issued    croft.Credits `cbor:"1,keyasint"`
	Decisions uint64        `cbor:"2,keyasint"` // votes on it that were decided
}

// Guest is somebody whom one member lets use the market.
type Guest struct {
	ID      croft.MemberID  `cbor:"1,keyasint"` // hash of its key
	Name    string          `cbor:"2,keyasint"`
	Key     croft.PublicKey `cbor:"3,keyasint"`
	Host    croft.MemberID  `cbor:"4,keyasint"`
	Version uint32          `cbor:"5,keyasint"` // counts what was said of it, from 1
	Gone    bool            `cbor:"6,keyasint,omitempty"`
	// Node is the key of its node, which then signs what nodes sign; none if it has
	// only the one key.
	Node croft.PublicKey `cbor:"7,keyasint,omitzero"`
}

// The transactions of this file.
type (
	// Issue is what a vote to mint or burn is about. Its number keeps a late vote on
	// an old question from counting for a new one.
	Issue struct {
		Number  uint64         `cbor:"1,keyasint"` // 1 more than Supply.Decisions
		Account croft.MemberID `cbor:"2,keyasint"`
		Amount  croft.Credits  `cbor:"3,keyasint"`
	}
	// Transfer moves free credits to a member or guest. To itself it only uses the
	// number up, which makes a refused transfer with the same number void for good.
	Transfer struct {
		To       croft.MemberID `cbor:"1,keyasint"`
		Amount   croft.Credits  `cbor:"2,keyasint"`
		Sequence uint64         `cbor:"3,keyasint"` // 1 more than this account's last
	}
	// Host lets a guest in, changes its name, or sends it away.
	Host struct {
		Key     croft.PublicKey `cbor:"1,keyasint"`
		Name    string          `cbor:"2,keyasint"`
		Version uint32          `cbor:"3,keyasint"` // 1 more than the record's
		Gone    bool            `cbor:"4,keyasint,omitempty"`
	}
)

// SupplyKey holds the Supply.
const SupplyKey = "supply"

// AccountKey holds the Account of a member or guest.
func AccountKey(id croft.MemberID) string { return "account/" + id.String() }

// GuestKey holds a Guest.
func GuestKey(id croft.MemberID) string { return "guest/" + id.String() }

// quota is what one account may keep everybody busy with at a time.
type quota struct{ channels, services, guests uint32 }

var (
	memberQuota = quota{channels: 1024, services: 64, guests: 32}
	guestQuota  = quota{channels: 16, services: 4}
)

func (s *State) quota(id croft.MemberID) quota {
	if _, member := s.member(id); member {
		return memberQuota
	}
	return guestQuota
}

func (s *State) account(id croft.MemberID) Account {
	a, _ := read[Account](s, AccountKey(id))
	return a
}

// add and take move credits into and out of what an account has free. Whoever calls
// one calls the other, or locks and unlocks a deposit.
func (s *State) add(id croft.MemberID, amount croft.Credits) {
	a := s.account(id)
	a.Free += amount
	write(s, AccountKey(id), a)
}

func (s *State) take(id croft.MemberID, amount croft.Credits) error {
	a := s.account(id)
	if amount > a.Free {
		return croft.E(croft.ErrTxCredits, s.names([]croft.MemberID{id}), a.Free, amount)
	}
	a.Free -= amount
	write(s, AccountKey(id), a)
	return nil
}

// guest returns a guest that may act: its host is a member and lets it stay.
func (s *State) guest(id croft.MemberID) (Guest, bool) {
	g, known := read[Guest](s, GuestKey(id))
	if _, member := s.member(id); !known || g.Gone || member {
		return g, false
	}
	host, _ := s.member(g.Host)
	return g, !host.Revoked
}

// party says whether somebody may have dealings: a member or guest.
func (s *State) party(id croft.MemberID) bool {
	if m, known := s.member(id); known {
		return !m.Revoked
	}
	_, is := s.guest(id)
	return is
}

// forGuests says whether guests may send a transaction.
func forGuests(body any) bool {
	switch body.(type) {
	case *Transfer, *Publish, *Open, *Topup, *Claim, *Close, *Post, *Settle:
		return true
	}
	return false
}

// issuable says whether a vote on the supply can be counted.
func (s *State) issuable(action Action, v *Issue) error {
	supply, _ := read[Supply](s, SupplyKey)
	switch {
	case v == nil || v.Amount == 0:
		return croft.E(croft.ErrTxRights, "a vote", "it names no amount")
	case v.Number != supply.Decisions+1:
		return croft.E(croft.ErrTxOrder, "this question on the supply was decided, or is not the next one")
	case action == Mint && !s.party(v.Account):
		return croft.E(croft.ErrTxUnknown, "member or guest", v.Account.Short())
	case action == Mint && v.Amount > croft.MaxCredits-supply.Issued:
		return croft.E(croft.ErrTxCredits, "the network", croft.MaxCredits-supply.Issued, v.Amount)
	case action == Burn && v.Amount > s.account(v.Account).Free:
		return croft.E(croft.ErrTxCredits, s.names([]croft.MemberID{v.Account}), s.account(v.Account).Free, v.Amount)
	}
	return nil
}

// issue does what was voted.
func (s *State) issue(action Action, v *Issue) error {
	supply, _ := read[Supply](s, SupplyKey)
	supply.Decisions++
	if action == Mint {
		supply.Issued += v.Amount
		s.add(v.Account, v.Amount)
	} else if err := s.take(v.Account, v.Amount); err != nil {
		return err
	} else {
		supply.Issued -= v.Amount
	}
	write(s, SupplyKey, supply)
	return nil
}

func (s *State) transfer(from croft.MemberID, t *Transfer) error {
	a := s.account(from)
	if t.Sequence != a.Sequence+1 {
		return croft.E(croft.ErrTxOrder, "this transfer's number does not follow the account's last transfer")
	}
	if !s.party(t.To) {
		return croft.E(croft.ErrTxUnknown, "member or guest", t.To.Short())
	}
	a.Sequence = t.Sequence
	write(s, AccountKey(from), a)
	if err := s.take(from, t.Amount); err != nil {
		return err
	}
	s.add(t.To, t.Amount)
	return nil
}

func (s *State) host(by croft.MemberID, h *Host) error {
	id := croft.IDOf(h.Key)
	old, known := read[Guest](s, GuestKey(id))
	now := Guest{ID: id, Name: h.Name, Key: h.Key, Host: by, Version: h.Version, Gone: h.Gone, Node: old.Node}
	if known && old == now {
		return nil
	}
	if err := CheckName(h.Name); err != nil {
		return err
	}
	_, member := s.member(id)
	_, taken := read[croft.MemberID](s, nameKey(h.Name))
	_, stays := s.guest(id)
	switch {
	case !h.Gone && (member || s.keyTaken(h.Key)):
		return croft.E(croft.ErrTxDuplicate, "a key of the guest")
	case !h.Gone && taken:
		return croft.E(croft.ErrTxDuplicate, "the name "+h.Name)
	case h.Version != old.Version+1:
		return croft.E(croft.ErrTxOrder, "this does not follow what was last said of the guest")
	case stays && old.Host != by:
		return croft.E(croft.ErrTxRights, by.Short(), "another member answers for this guest")
	case !known && h.Gone:
		return croft.E(croft.ErrTxUnknown, "guest", id.Short())
	}
	if known && !old.Gone {
		s.hosts(old.Host, -1)
	}
	if !h.Gone {
		if s.account(by).Hosts >= memberQuota.guests {
			return croft.E(croft.ErrTxRights, by.Short(), fmt.Sprintf("it answers for %d guests already", memberQuota.guests))
		}
		s.hosts(by, 1)
	}
	write(s, GuestKey(id), now)
	return nil
}

// welcome makes a guest of somebody who applied and has proved its keys.
func (s *State) welcome(by croft.MemberID, m croft.Member) error {
	old, _ := read[Guest](s, GuestKey(m.ID))
	if err := s.host(by, &Host{Key: m.Key, Name: m.Name, Version: old.Version + 1}); err != nil {
		return err
	}
	g, _ := read[Guest](s, GuestKey(m.ID))
	g.Node = m.Node
	write(s, GuestKey(m.ID), g)
	return nil
}

func (s *State) hosts(id croft.MemberID, change int32) {
	a := s.account(id)
	a.Hosts += uint32(change)
	write(s, AccountKey(id), a)
}

// keyTaken says whether some member has this key in any role: a guest with a node's
// key would speak with two voices.
func (s *State) keyTaken(key croft.PublicKey) bool {
	return sharesKey(croft.Member{Key: key, Node: key, Validator: key}, s.all())
}

// checkMoney is the part of CheckInvariants about credits: what is free and what is
// locked adds up to what was issued, and every count is of what is there.
func (s *State) checkMoney(t *Tree) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	supply, _ := read[Supply](s, SupplyKey)
	var sum croft.Credits
	counted := map[croft.MemberID]Account{}
	count := func(id croft.MemberID, what func(*Account)) {
		a := counted[id]
		what(&a)
		counted[id] = a
	}
	t.Range("channel/", func(key string, raw []byte) {
		c, _ := decodeRecord[Channel](raw)
		if err := s.checkChannel(key, c); err != nil {
			fault("%s: %w", key, err)
		}
		for _, id := range []croft.MemberID{c.Terms.Funder, c.Terms.Payee} {
			count(id, func(a *Account) { a.Channels++ })
		}
		if c.Status != ChannelClosed {
			sum += c.Terms.Deposit - c.Paid
			count(c.Terms.Funder, func(a *Account) { a.Funds++ })
		}
	})
	t.Range("service/", func(key string, raw []byte) {
		v, _ := decodeRecord[croft.Service](raw)
		if err := s.checkService(v); err != nil || key != ServiceKey(v.ID()) {
			fault("%s: %w", key, err)
		}
		if !v.Withdrawn {
			count(v.Provider, func(a *Account) { a.Offers++ })
		}
	})
	t.Range("guest/", func(key string, raw []byte) {
		g, _ := decodeRecord[Guest](raw)
		if key != GuestKey(g.ID) || g.ID != croft.IDOf(g.Key) || g.Version == 0 {
			fault("%s: key and record do not agree", key)
		}
		if !g.Gone {
			count(g.Host, func(a *Account) { a.Hosts++ })
		}
	})
	t.Range("account/", func(key string, raw []byte) {
		a, _ := decodeRecord[Account](raw)
		id, _ := croft.ParseID[croft.Member](key[len("account/"):])
		sum += a.Free
		want := counted[id]
		if delete(counted, id); a.Funds != want.Funds || a.Offers != want.Offers || a.Hosts != want.Hosts || a.Channels != want.Channels {
			fault("%s: %+v, counted were %+v", key, a, want)
		}
	})
	if len(counted) > 0 {
		fault("%d accounts are missing", len(counted))
	}
	if sum != supply.Issued || sum > croft.MaxCredits {
		fault("%s credits are free or locked, %s were issued", sum, supply.Issued)
	}
	return errors.Join(faults...)
}
