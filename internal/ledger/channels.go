package ledger

import (
	"errors"
	"fmt"
	"slices"

	"croft"
	"croft/internal/pay"
)

// A channel locks credits of its funder for one till of a provider. The ledger sees
// its opening and its end; the calls in between are between its two ends.
//
// What is due is owed − credited (package pay). Each side shows the number that
// speaks for it: the provider the payer's highest voucher, the funder the till's
// highest receipt. Both only grow, so an old one that is shown first does no harm:
// within a window the other side, or any member that watches for it, shows a later
// one. A claim pays what is due and leaves the channel open; a close returns the
// rest and ends it. Either can begin alone; a payee that closed and a funder that
// agrees to what is due then end it at once.
//
// The window begins at the head of the block after the one that asked (protocol
// §2: a transaction does not know its own time) and its end is looked at when
// somebody asks to settle, at the head of a block again. Then so many proposers make
// one more block each that one of them is honest, so that what waits for a block is
// in, even right after a time in which there were none. A stop of the network begins
// all windows anew. What is shown late, but before it is settled, counts.
//
// Keys: channel/ID → Channel · channel-at/ID/N → ChannelID · clearing → channels to
// look at when the next block's time is known · resumed → when the last stop ended

// ChannelStatus is where a channel stands.
type ChannelStatus uint8

// The statuses.
const (
	ChannelOpen    ChannelStatus = iota + 1
	ChannelClaimed               // pays when its window has passed, and is open all the time
	ChannelClosing               // pays and ends when its window has passed
	ChannelClosed
)

// String returns the word on screens.
func (c ChannelStatus) String() string {
	words := [...]string{"unknown", "open", "claimed", "closing", "closed"}
	return words[min(int(c), len(words)-1)%len(words)]
}

// Channel is a channel's record.
type Channel struct {
	Terms     croft.Channel     `cbor:"1,keyasint"`
	Status    ChannelStatus     `cbor:"2,keyasint"`
	Owed      croft.Credits     `cbor:"3,keyasint,omitempty"` // the highest that was shown
	Credited  croft.Credits     `cbor:"4,keyasint,omitempty"` // the highest that was shown
	Paid      croft.Credits     `cbor:"5,keyasint,omitempty"` // to the payee, so far
	Until     int64             `cbor:"6,keyasint,omitempty"` // ms: end of the window; 0 while its begin is not known
	ByPayee   bool              `cbor:"7,keyasint,omitempty"` // the payee asked to close: it has shown what speaks for it
	Proposers []croft.PublicKey `cbor:"8,keyasint,omitempty"` // of blocks since somebody asked to settle
}

// Position is what somebody shows of a channel: either number, or both, or neither.
type Position struct {
	Channel croft.ChannelID      `cbor:"1,keyasint"`
	Voucher *croft.SignedVoucher `cbor:"2,keyasint,omitempty"`
	Receipt *croft.SignedReceipt `cbor:"3,keyasint,omitempty"`
	// Due is for a funder that closes after the payee: if exactly so much is due,
	// there is nothing to wait for. It names the amount because anybody can send an
	// old transaction again.
	Due *croft.Credits `cbor:"4,keyasint,omitempty"`
}

// The transactions of this file. Those with a list do for each channel what they
// would do for it alone; channels that have ended are passed over.
type (
	// Open opens a channel to a service's provider for each till that is given a
	// deposit. The payer may be anybody's key.
	Open struct {
		Service  croft.ServiceID `cbor:"1,keyasint"`
		Payer    croft.PublicKey `cbor:"2,keyasint"`
		Window   uint32          `cbor:"3,keyasint"` // seconds
		Deposits []croft.Credits `cbor:"4,keyasint"` // in order of the service's tills
	}
	// Topup raises a channel's deposit to a total, with credits of the sender; what
	// is left in the end returns to the funder.
	Topup struct {
		Channel croft.ChannelID `cbor:"1,keyasint"`
		Deposit croft.Credits   `cbor:"2,keyasint"`
	}
	// Claim is a payee's wish to be paid what is due so far.
	Claim struct {
		Positions []Position `cbor:"1,keyasint"`
	}
	// Close is the funder's or payee's wish to end a channel.
	Close struct {
		Positions []Position `cbor:"1,keyasint"`
	}
	// Post shows what somebody knows of a channel; any member or guest may.
	Post struct {
		Positions []Position `cbor:"1,keyasint"`
	}
	// Settle asks to look whether windows have passed; anybody may.
	Settle struct {
		Channels []croft.ChannelID `cbor:"1,keyasint"`
	}
)

// Bounds of a channel.
const (
	maxTills  = 16
	maxBatch  = 16          // channels in one transaction
	minWindow = 60          // seconds; a provider may insist on more
	maxWindow = 30 * 86_400 // seconds
)

// ChannelKey holds a Channel.
func ChannelKey(id croft.ChannelID) string { return "channel/" + id.String() }

// ChannelAtKey holds the id of the n-th channel that somebody funds or is paid
// from, counted from 0; Account.Channels says how many there are.
func ChannelAtKey(id croft.MemberID, n uint32) string {
	return "channel-at/" + id.String() + "/" + number(n)
}

// ChannelIDOf returns the id of the channel that a transaction opens to the n-th
// till of a service.
func ChannelIDOf(tx croft.Hash, n int) croft.ChannelID {
	return croft.ChannelID(croft.HashOf(struct {
		_   struct{} `cbor:",toarray"`
		Tag string
		Tx  croft.Hash
		N   int
	}{Tag: "croft/channel", Tx: tx, N: n}))
}

// clearingKey holds the channels to look at, usually none; resumedKey when the last
// stop ended, in ms.
const (
	clearingKey = "clearing"
	resumedKey  = "resumed"
)

func (s *State) channel(id croft.ChannelID) (Channel, error) {
	c, known := read[Channel](s, ChannelKey(id))
	if !known {
		return c, croft.E(croft.ErrTxUnknown, "channel", id.Short())
	}
	return c, nil
}

func (s *State) keep(c Channel) { write(s, ChannelKey(c.Terms.ID), c) }

func (s *State) open(tx Tx, o *Open) error {
	for n := range min(len(o.Deposits), maxTills) {
		if _, err := s.channel(ChannelIDOf(tx.ID, n)); err == nil {
			return nil // the same transaction again
		}
	}
	service, err := s.service(o.Service)
	if err != nil {
		return err
	}
	funder := tx.Member
	switch {
	case len(o.Deposits) > len(service.Tills) || !slices.ContainsFunc(o.Deposits, func(d croft.Credits) bool { return d > 0 }):
		return croft.E(croft.ErrTxChannel, "it gives no till a deposit, or one that the service does not have")
	case service.Withdrawn:
		return croft.E(croft.ErrTxChannel, "the service was withdrawn")
	case !s.party(service.Provider):
		return croft.E(croft.ErrTxChannel, "the provider has left the network")
	case service.Provider == funder:
		return croft.E(croft.ErrTxChannel, "it would be to oneself")
	case !s.calls(funder, service):
		return croft.E(croft.ErrTxRights, funder.Short(), "the service is not for it")
	case o.Window < minWindow || o.Window > maxWindow:
		return croft.E(croft.ErrTxChannel, "its window must be from one minute to 30 days")
	case o.Payer == (croft.PublicKey{}) || slices.Contains(service.Tills, o.Payer):
		return croft.E(croft.ErrTxChannel, "its payer has no key, or that of a till")
	}
	for n, deposit := range o.Deposits {
		if deposit == 0 {
			continue
		}
		if err := s.take(funder, deposit); err != nil {
			return err
		}
		c := Channel{Status: ChannelOpen, Terms: croft.Channel{ID: ChannelIDOf(tx.ID, n), Funder: funder, Payee: service.Provider,
			Payer: o.Payer, Till: service.Tills[n], Window: o.Window, Deposit: deposit}}
		s.keep(c)
		for _, id := range []croft.MemberID{funder, service.Provider} {
			a := s.account(id)
			write(s, ChannelAtKey(id, a.Channels), c.Terms.ID)
			if a.Channels++; id == funder {
				a.Funds++
			}
			write(s, AccountKey(id), a)
		}
	}
	if s.account(funder).Funds > s.quota(funder).channels {
		return croft.E(croft.ErrTxChannel, "its funder has as many open as it may; one must end first")
	}
	return nil
}

func (s *State) topup(by croft.MemberID, t *Topup) error {
	c, err := s.channel(t.Channel)
	if err != nil {
		return err
	}
	if t.Deposit <= c.Terms.Deposit {
		return nil
	}
	if c.Status == ChannelClosing || c.Status == ChannelClosed {
		return croft.E(croft.ErrTxChannel, "it is closing or closed")
	}
	if err := s.take(by, t.Deposit-c.Terms.Deposit); err != nil {
		return err
	}
	c.Terms.Deposit = t.Deposit
	s.keep(c)
	return nil
}

// shown is a transaction that shows positions.
type shown interface{ positions() []Position }

func (p *Claim) positions() []Position { return p.Positions }
func (p *Close) positions() []Position { return p.Positions }
func (p *Post) positions() []Position  { return p.Positions }

// genuine checks the signatures of what is shown: it is part of reading a
// transaction, so that a forged one does not even wait for a block. A channel goes on
// when a chain succeeds another, and so do its vouchers: none fits another channel.
func (s *State) genuine(scope croft.Scope, p shown) error {
	scopes := s.scopes(scope)
	if n := len(p.positions()); n == 0 || n > maxBatch {
		return croft.E(croft.ErrTxChannel, fmt.Sprintf("a transaction is about 1 to %d channels", maxBatch))
	}
	for _, at := range p.positions() {
		c, err := s.channel(at.Channel)
		if err != nil {
			return err
		}
		if !at.Genuine(c.Terms, scopes) {
			return croft.E(croft.ErrTxChannel, "a voucher or receipt of it is not signed by its payer or till, for it and for this chain")
		}
	}
	return nil
}

// Genuine says whether what is shown of a channel is signed by its payer and till, each
// in one of the scopes.
func (at Position) Genuine(c croft.Channel, scopes []croft.Scope) bool {
	voucher := func(scope croft.Scope) bool { return pay.VerifyVoucher(scope, c, *at.Voucher) }
	receipt := func(scope croft.Scope) bool { return pay.VerifyReceipt(scope, c, *at.Receipt) }
	return (at.Voucher == nil || slices.ContainsFunc(scopes, voucher)) && (at.Receipt == nil || slices.ContainsFunc(scopes, receipt))
}

// learn takes note of what is shown.
func (c *Channel) learn(at Position) {
	if at.Voucher != nil {
		c.Owed = max(c.Owed, at.Voucher.Voucher.Owed)
	}
	if at.Receipt != nil {
		c.Credited = max(c.Credited, at.Receipt.Receipt.Credited)
	}
}

func (s *State) claim(by croft.MemberID, p *Claim) error {
	for _, at := range p.Positions {
		c, err := s.channel(at.Channel)
		if err != nil {
			return err
		}
		if c.Terms.Payee != by {
			return croft.E(croft.ErrTxRights, by.Short(), "it is not paid from the channel")
		}
		if c.Status == ChannelClosed {
			continue
		}
		c.learn(at)
		if c.Status == ChannelOpen && pay.Due(c.Terms.Deposit, c.Owed, c.Credited, c.Paid) > c.Paid {
			s.begin(&c, ChannelClaimed)
		}
		s.keep(c)
	}
	return nil
}

func (s *State) close(by croft.MemberID, p *Close) error {
	for _, at := range p.Positions {
		c, err := s.channel(at.Channel)
		if err != nil {
			return err
		}
		// Of two parties that have both left, somebody has to let the credits go.
		deserted := !s.party(c.Terms.Funder) && !s.party(c.Terms.Payee)
		if c.Terms.Funder != by && c.Terms.Payee != by && !deserted {
			return croft.E(croft.ErrTxRights, by.Short(), "it neither funds the channel nor is paid from it")
		}
		if c.Status == ChannelClosed {
			continue
		}
		c.learn(at)
		if c.Status != ChannelClosing {
			s.begin(&c, ChannelClosing)
		}
		c.ByPayee = c.ByPayee || c.Terms.Payee == by
		if c.ByPayee && c.Terms.Funder == by && at.Due != nil && *at.Due == pay.Due(c.Terms.Deposit, c.Owed, c.Credited, c.Paid) {
			s.payOut(&c)
		}
		s.keep(c)
	}
	return nil
}

func (s *State) post(p *Post) error {
	for _, at := range p.Positions {
		c, err := s.channel(at.Channel)
		if err != nil {
			return err
		}
		if c.Status != ChannelClosed {
			c.learn(at)
			s.keep(c)
		}
	}
	return nil
}

func (s *State) settle(p *Settle) error {
	if len(p.Channels) == 0 || len(p.Channels) > maxBatch {
		return croft.E(croft.ErrTxChannel, fmt.Sprintf("a transaction is about 1 to %d channels", maxBatch))
	}
	for _, id := range p.Channels {
		c, err := s.channel(id)
		if err != nil {
			return err
		}
		if c.Status == ChannelClaimed || c.Status == ChannelClosing {
			s.lookAt(id)
		}
	}
	return nil
}

// begin begins a window; when, is decided at the head of the next block.
func (s *State) begin(c *Channel, status ChannelStatus) {
	c.Status, c.Until, c.Proposers = status, 0, nil
	s.lookAt(c.Terms.ID)
}

func (s *State) lookAt(id croft.ChannelID) {
	list, _ := read[[]croft.ChannelID](s, clearingKey)
	if !has(list, id) {
		write(s, clearingKey, append(list, id))
	}
}

// restart makes all windows begin anew: during a stop nobody could show anything.
// The zero id at the head of the list asks for the time.
func (s *State) restart() {
	list, _ := read[[]croft.ChannelID](s, clearingKey)
	write(s, clearingKey, slices.Insert(slices.Clone(list), 0, croft.ChannelID{}))
}

// clear is every rule about time here: it runs at the head of a block.
func (s *State) clear(b Block) {
	list, _ := read[[]croft.ChannelID](s, clearingKey)
	if len(list) == 0 {
		return
	}
	write(s, clearingKey, []croft.ChannelID{})
	for _, id := range list {
		if id.IsZero() {
			write(s, resumedKey, b.Time)
			continue
		}
		c, _ := s.channel(id)
		if c.Status != ChannelClaimed && c.Status != ChannelClosing {
			continue
		}
		window := int64(c.Terms.Window) * 1000
		since, _ := read[int64](s, resumedKey)
		switch {
		case c.Until == 0:
			c.Until = b.Time + window
		case b.Time < max(c.Until, since+window): // asked too early, or a stop came between
			c.Until, c.Proposers = max(c.Until, since+window), nil // nobody asks again before that
		case len(c.Proposers) <= s.faulty():
			// What this block brings counts still: it is run after its head.
			if !has(c.Proposers, b.Proposer) {
				c.Proposers = append(c.Proposers, b.Proposer)
			}
			s.lookAt(id)
		default:
			s.payOut(&c)
		}
		s.keep(c)
	}
}

// payOut pays what is due and, at the end of a channel, returns the rest.
func (s *State) payOut(c *Channel) {
	due := pay.Due(c.Terms.Deposit, c.Owed, c.Credited, c.Paid)
	s.add(c.Terms.Payee, due-c.Paid)
	c.Paid, c.Until, c.Proposers = due, 0, nil
	if c.Status == ChannelClaimed {
		c.Status = ChannelOpen
		return
	}
	c.Status = ChannelClosed
	a := s.account(c.Terms.Funder)
	a.Free += c.Terms.Deposit - due
	a.Funds--
	write(s, AccountKey(c.Terms.Funder), a)
}

// checkChannel is the part of CheckInvariants about one channel.
func (s *State) checkChannel(key string, c Channel) error {
	var faults []error
	if key != ChannelKey(c.Terms.ID) || c.Status < ChannelOpen || c.Status > ChannelClosed || c.Terms.Funder == c.Terms.Payee {
		faults = append(faults, errors.New("key, status or parties do not agree"))
	}
	if c.Paid > c.Terms.Deposit || c.Terms.Deposit > croft.MaxCredits {
		faults = append(faults, fmt.Errorf("%s paid from a deposit of %s", c.Paid, c.Terms.Deposit))
	}
	list, _ := read[[]croft.ChannelID](s, clearingKey)
	window := c.Status == ChannelClaimed || c.Status == ChannelClosing
	if window && c.Until == 0 && !has(list, c.Terms.ID) || !window && (c.Until != 0 || len(c.Proposers) > 0) {
		faults = append(faults, errors.New("its window does not fit its status"))
	}
	return errors.Join(faults...)
}
