package ledger

import (
	"errors"
	"fmt"

	"croft"
)

// A newcomer joins in three steps. A member puts an invite on the ledger: a public
// key with its terms. Whoever has the secret half signs an application with it, of
// one member record, with a proof that its three keys are at hand. Members then
// admit that record by vote, as they admit any; an invite may cast its maker's
// vote beforehand and does nothing more. With an invite for a guest one member's vote is
// enough, and that member is its host.
//
// An application happened at the time of the next block: whether its invite had
// expired is decided at the head of that one, before anybody can vote on it.
//
// Keys: invite/KEY → Invitation · application/ID → Application ·
// arrived → applications of this block

// Invite makes an invite, once for each key.
type Invite struct {
	Key     croft.PublicKey `cbor:"1,keyasint"`
	Expires int64           `cbor:"2,keyasint"` // Unix seconds
	Uses    uint8           `cbor:"3,keyasint"` // applications it is good for, 1 to MaxUses
	Auto    bool            `cbor:"4,keyasint,omitempty"`
	Guest   bool            `cbor:"5,keyasint,omitempty"` // who applies becomes a guest
}

// MaxUses bounds the uses of one invite.
const MaxUses = 32

// Join is a newcomer's application. It is the one transaction of somebody who is
// no member: the invite's key signs it, and Proofs stand in for the member record
// that other signatures are checked against.
type Join struct {
	Invite   croft.PublicKey `cbor:"1,keyasint"`
	Newcomer croft.Member    `cbor:"2,keyasint"`
	Proofs   Proofs          `cbor:"3,keyasint"`
}

// Proofs are signatures over a newcomer's record by each of its keys, in
// croft.JoinDomain. Without them a member could bring keys of others, and a validator key
// that nobody has would stop the chain when it is counted on.
type Proofs struct {
	Member    croft.Signature `cbor:"1,keyasint"`
	Node      croft.Signature `cbor:"2,keyasint"`
	Validator croft.Signature `cbor:"3,keyasint"`
}

// SealJoin makes a newcomer's application: sign signs with the newcomer's keys,
// and with the invite's for croft.RoleInvite.
func SealJoin(scope croft.Scope, invite croft.PublicKey, newcomer croft.Member, sign Signer) []byte {
	record := croft.Encode(newcomer)
	return Seal(scope, newcomer.ID, 0, &Join{Invite: invite, Newcomer: newcomer, Proofs: Proofs{
		Member:    sign(croft.RoleMember, scope, croft.JoinDomain, record),
		Node:      sign(croft.RoleNode, scope, croft.JoinDomain, record),
		Validator: sign(croft.RoleValidator, scope, croft.JoinDomain, record),
	}}, sign)
}

// proven says whether the newcomer has the keys of its record.
func (j *Join) proven(scope croft.Scope) bool {
	record := croft.Encode(j.Newcomer)
	return scope.Verify(j.Newcomer.Key, croft.JoinDomain, record, j.Proofs.Member) &&
		scope.Verify(j.Newcomer.Node, croft.JoinDomain, record, j.Proofs.Node) &&
		scope.Verify(j.Newcomer.Validator, croft.JoinDomain, record, j.Proofs.Validator)
}

// Invitation is an invite's record.
type Invitation struct {
	By      croft.MemberID `cbor:"1,keyasint"`
	Expires int64          `cbor:"2,keyasint"`
	Uses    uint8          `cbor:"3,keyasint"`
	Used    uint8          `cbor:"4,keyasint,omitempty"`
	Auto    bool           `cbor:"5,keyasint,omitempty"`
	Guest   bool           `cbor:"6,keyasint,omitempty"`
}

// Application is a newcomer's record until it is admitted, and after.
type Application struct {
	Newcomer croft.Member    `cbor:"1,keyasint"`
	Invite   croft.PublicKey `cbor:"2,keyasint"`
	Standing Standing        `cbor:"3,keyasint"`
	Guest    bool            `cbor:"4,keyasint,omitempty"` // to be a guest
}

// Standing is where an application stands.
type Standing uint8

// The standings.
const (
	Arrived  Standing = iota + 1 // its time is not known yet
	Pending                      // in time: members vote
	Late                         // after the invite's end; the newcomer may apply again
	Admitted                     // a member, or one that was revoked since
	AsGuest                      // a guest, or one that was sent away since
)

// String returns the word on screens.
func (s Standing) String() string {
	words := [...]string{"unknown", "arrived", "pending", "late", "admitted", "guest"}
	return words[min(int(s), len(words)-1)%len(words)]
}

// InviteKey holds the Invitation of an invite's public key.
func InviteKey(key croft.PublicKey) string { return "invite/" + croft.Hash(key).String() }

// ApplicationKey holds the Application of a newcomer.
func ApplicationKey(id croft.MemberID) string { return "application/" + id.String() }

// arrivedKey holds the newcomers who applied in the last block. It is usually empty.
const arrivedKey = "arrived"

func (s *State) invite(by croft.MemberID, v *Invite) error {
	if v.Uses == 0 || v.Uses > MaxUses || v.Expires <= 0 || v.Expires >= 1<<32 || v.Key == (croft.PublicKey{}) {
		return croft.E(croft.ErrInvite, "it needs a key, an expiry, and from 1 to 32 uses")
	}
	terms := Invitation{By: by, Expires: v.Expires, Uses: v.Uses, Auto: v.Auto, Guest: v.Guest}
	if old, known := read[Invitation](s, InviteKey(v.Key)); known {
		if terms.Used = old.Used; terms == old {
			return nil
		}
		return croft.E(croft.ErrTxDuplicate, "an invite of this key")
	}
	write(s, InviteKey(v.Key), terms)
	return nil
}

// invitation returns the terms of an invite, if its maker is still a member.
func (s *State) invitation(key croft.PublicKey) (Invitation, error) {
	v, known := read[Invitation](s, InviteKey(key))
	if !known {
		return v, croft.E(croft.ErrInvite, "the ledger does not know it")
	}
	if by, _ := s.member(v.By); by.Revoked {
		return v, croft.E(croft.ErrInvite, "the member who made it has left the network")
	}
	return v, nil
}

// newcomer puts an application on the ledger and takes one use of the invite. The
// same record again is the same application; a late one may be made anew.
func (s *State) newcomer(id croft.MemberID, j *Join) error {
	old, known := read[Application](s, ApplicationKey(id))
	again := known && old.Standing != Late && (old.Standing != AsGuest || old.Invite == j.Invite) // a guest may want to be a member
	if again && old.Newcomer == j.Newcomer {
		return nil
	}
	if id != j.Newcomer.ID || j.Newcomer.Ready || j.Newcomer.Revoked || j.Newcomer.Unseated || again {
		return croft.E(croft.ErrTxDuplicate, "an application of this member, or it is not for itself")
	}
	if err := s.eligible(j.Newcomer); err != nil {
		return err
	}
	v, err := s.invitation(j.Invite)
	if err != nil {
		return err
	}
	if v.Used >= v.Uses {
		return croft.E(croft.ErrInvite, "it has been used")
	}
	v.Used++
	write(s, InviteKey(j.Invite), v)
	write(s, ApplicationKey(id), Application{j.Newcomer, j.Invite, Arrived, v.Guest})
	arrived, _ := read[[]croft.MemberID](s, arrivedKey)
	write(s, arrivedKey, append(arrived, id))
	return nil
}

// eligible says whether a record can become a member's beside those there are.
func (s *State) eligible(m croft.Member) error {
	if err := checkMember(m); err != nil {
		return err
	}
	if _, known := s.member(m.ID); known {
		return croft.E(croft.ErrTxDuplicate, "member "+m.Name)
	}
	if _, taken := read[croft.MemberID](s, nameKey(m.Name)); taken {
		return croft.E(croft.ErrTxDuplicate, "the name "+m.Name)
	}
	if sharesKey(m, s.all()) {
		return croft.E(croft.ErrTxDuplicate, "a key of "+m.Name)
	}
	return nil
}

// receive decides at the head of a block which applications of the block before
// came in time, and casts the votes that their invites bring along.
func (s *State) receive(b Block) {
	arrived, _ := read[[]croft.MemberID](s, arrivedKey)
	if len(arrived) == 0 {
		return
	}
	write(s, arrivedKey, []croft.MemberID{})
	for _, id := range arrived {
		a, _ := read[Application](s, ApplicationKey(id))
		v, err := s.invitation(a.Invite)
		if a.Standing = Pending; v.Expires*1000 <= b.Time || err != nil {
			a.Standing = Late
		}
		write(s, ApplicationKey(id), a)
		if v.Auto && a.Standing == Pending {
			sub := s.branch() // two newcomers of one name: the second waits for people
			if sub.ballot(v.By, &Vote{Action: Admit, Newcomer: &a.Newcomer}) == nil {
				sub.merge()
			}
		}
	}
}

// votable returns the application that a vote for admission is about. Only what
// was applied for, with proofs and in time, can be voted for: exactly that record.
func (s *State) votable(newcomer *croft.Member) (Application, error) {
	if newcomer == nil {
		return Application{}, croft.E(croft.ErrTxRights, "nobody", "the vote names no newcomer")
	}
	a, known := read[Application](s, ApplicationKey(newcomer.ID))
	switch {
	case !known || a.Newcomer != *newcomer:
		return a, croft.E(croft.ErrTxUnknown, "application of", newcomer.Name)
	case a.Standing == Arrived || a.Standing == Late:
		return a, croft.E(croft.ErrTxOrder, "the application has not been received, or came after its invite's end")
	}
	return a, s.eligible(a.Newcomer) // somebody else may have got its name since
}

// checkInvites is the part of CheckInvariants about joining.
func (s *State) checkInvites(t *Tree) error {
	var faults []error
	used := map[string]uint8{}
	t.Range("application/", func(key string, raw []byte) {
		a, _ := decodeRecord[Application](raw)
		m, member := s.member(a.Newcomer.ID)
		m.Ready, m.Revoked, m.Unseated = false, false, false // what a member becomes after
		used[InviteKey(a.Invite)]++
		if key != ApplicationKey(a.Newcomer.ID) || a.Standing < Arrived || a.Standing > AsGuest || a.Standing == AsGuest && !a.Guest || a.Standing == Admitted && a.Guest {
			faults = append(faults, fmt.Errorf("%s: key or standing do not agree", key))
		}
		if member != (a.Standing == Admitted) || member && m != a.Newcomer {
			faults = append(faults, fmt.Errorf("%s: the member's record is not what was applied for", key))
		}
		if g, known := read[Guest](s, GuestKey(a.Newcomer.ID)); a.Standing == AsGuest && (!known || g.Node != a.Newcomer.Node) {
			faults = append(faults, fmt.Errorf("%s: the guest's record is not what was applied for", key))
		}
		if _, invited := read[Invitation](s, InviteKey(a.Invite)); !invited {
			faults = append(faults, fmt.Errorf("%s: without an invite", key))
		}
	})
	t.Range("invite/", func(key string, raw []byte) {
		// A late newcomer who applied again left its first invite used.
		if v, _ := decodeRecord[Invitation](raw); v.Used > v.Uses || v.Used < used[key] {
			faults = append(faults, fmt.Errorf("%s: used %d times of %d, by %d applications", key, v.Used, v.Uses, used[key]))
		}
	})
	founders := true
	for _, m := range s.all() {
		_, applied := read[Application](s, ApplicationKey(m.ID))
		if founders = founders && !applied; !founders && !applied {
			faults = append(faults, fmt.Errorf("member %s: admitted without an application", m.Name))
		}
	}
	return errors.Join(faults...)
}
