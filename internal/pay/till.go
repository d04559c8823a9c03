package pay

import (
	"slices"

	"croft"
)

// Till is a provider's side of one channel. Its state is in memory and no look at
// the ledger is needed: the channel's terms were read when it was opened, and the
// deposit cannot shrink.
//
// What must survive a crash are the entries that Admit, Finish, Return and Recover
// hand out, in their order. Admit's is durable before work begins, Return's and
// Recover's before their receipts leave; Finish's need not be waited for. After a
// crash the till is made anew from what is left, and all calls that have no receipt
// there fail at once (Recover): that gives back at least what the lost receipts
// gave back, so no credit that the payer ever saw is revoked, and no call is charged
// twice.
type Till struct {
	channel croft.Channel
	closing bool
	till
}

// till is what a snapshot holds.
type till struct {
	Version  uint8                 `cbor:"1,keyasint"`
	Best     *croft.SignedVoucher  `cbor:"2,keyasint,omitempty"` // the highest owed: what the ledger would be shown
	Spent    croft.Credits         `cbor:"3,keyasint"`           // promised for admitted calls; at most owed
	Credited croft.Credits         `cbor:"4,keyasint"`           // given back; at most spent
	High     uint64                `cbor:"5,keyasint"`           // the highest number of a call
	Calls    map[uint64]calledTill `cbor:"6,keyasint,omitempty"`
}

type calledTill struct {
	Request croft.Hash     `cbor:"1,keyasint"`
	Price   croft.Credits  `cbor:"2,keyasint"`
	Receipt *croft.Receipt `cbor:"3,keyasint,omitempty"` // nil: being worked on
}

// entry is one line of a till's journal: what it took, or what it said. Its own
// receipts need no signature there: signing them again gives the same bytes.
type entry struct {
	Voucher  *croft.SignedVoucher `cbor:"1,keyasint,omitempty"`
	Receipts []croft.Receipt      `cbor:"2,keyasint,omitempty"`
}

// A till remembers so many of the latest calls, and takes so many at a time. A call
// whose number is older is refused: it may have been made.
const (
	memory  = 1024
	maxOpen = 1024
)

const stateVersion = 1

// NewTill returns the till of a channel before its first call.
func NewTill(c croft.Channel) *Till {
	return &Till{channel: c, till: till{Version: stateVersion, Calls: map[uint64]calledTill{}}}
}

// Admission is what Admit decided.
type Admission struct {
	// Entry must be durable before work begins. Nil: the call was admitted before;
	// it is not to be worked on again.
	Entry []byte
	// Receipt is set when the call was finished before: the answer is the same.
	Receipt *croft.Receipt
}

// Admit takes a call on. want is the call as this side understands it, its price
// the least that the voucher must promise. It fails with ErrVoucher, ErrCallNumber,
// ErrOwed, ErrChannelEmpty, ErrChannelClosed or ErrTillBusy of package croft, and
// then nothing has changed.
func (t *Till) Admit(v Voucher, want Call) (Admission, error) {
	b := v.signed.Voucher
	if b.Channel != t.channel.ID || b.Service != want.Service || b.Terms != want.Terms || b.Request != want.Request {
		return Admission{}, croft.E(croft.ErrVoucher, "it is for another channel, service, price or request")
	}
	if old, known := t.Calls[b.Number]; known {
		if old.Request != b.Request || old.Price != b.Price {
			return Admission{}, croft.E(croft.ErrCallNumber, b.Number, "another request has this number")
		}
		return Admission{Receipt: old.Receipt}, nil
	}
	owed := max(t.owed(), b.Owed)
	switch {
	case t.closing:
		return Admission{}, croft.E(croft.ErrChannelClosed)
	case b.Price < want.Price:
		return Admission{}, croft.E(croft.ErrVoucher, "it promises "+b.Price.String()+" credits, the call may cost "+want.Price.String())
	case b.Number == 0 || t.forgotten(b.Number):
		return Admission{}, croft.E(croft.ErrCallNumber, b.Number, "too many calls were made since, so it may have been made")
	case owed-t.Credited > t.channel.Deposit:
		return Admission{}, croft.E(croft.ErrChannelEmpty, t.channel.Deposit-min(t.owed()-t.Credited, t.channel.Deposit), b.Price)
	case b.Price > owed-t.Spent:
		return Admission{}, croft.E(croft.ErrOwed, owed, t.Spent+b.Price)
	case len(t.Calls) >= memory+maxOpen:
		return Admission{}, croft.E(croft.ErrTillBusy, len(t.unfinished()))
	}
	t.admit(v.signed)
	return Admission{Entry: croft.Encode(entry{Voucher: &v.signed})}, nil
}

func (t *Till) admit(v croft.SignedVoucher) {
	b := v.Voucher
	if t.Best == nil || b.Owed > t.owed() || b.Owed == t.owed() && b.Number > t.Best.Voucher.Number {
		t.Best = &v
	}
	t.Spent += b.Price
	t.Calls[b.Number] = calledTill{Request: b.Request, Price: b.Price}
	if b.Number <= t.High {
		return
	}
	// The window moves up; calls that are being worked on stay until they are done.
	before := t.High
	t.High = b.Number
	for n := before - min(before, memory); n <= before && t.forgotten(n); n++ {
		if t.Calls[n].Receipt != nil {
			delete(t.Calls, n)
		}
	}
}

// forgotten says whether a call's number is below the window.
func (t *Till) forgotten(number uint64) bool { return t.High >= memory && number <= t.High-memory }

func (t *Till) owed() croft.Credits {
	if t.Best == nil {
		return 0
	}
	return t.Best.Voucher.Owed
}

// Finish ends a call that was admitted: what it used, what it costs, which is at
// most what was promised, and the hash of the answer. It returns the receipt to
// sign and the entry to keep. Finishing again returns the first receipt and no
// entry. It fails with ErrCallNumber or ErrReceipt.
func (t *Till) Finish(number uint64, outcome croft.Outcome, result croft.Hash, used croft.Meter, price croft.Credits) (croft.Receipt, []byte, error) {
	c, known := t.Calls[number]
	switch {
	case !known:
		return croft.Receipt{}, nil, croft.E(croft.ErrCallNumber, number, "it was not admitted")
	case c.Receipt != nil:
		return *c.Receipt, nil, nil
	case price > c.Price:
		return croft.Receipt{}, nil, croft.E(croft.ErrReceipt, "it asks for "+price.String()+" credits, promised were "+c.Price.String())
	}
	r := croft.Receipt{Channel: t.channel.ID, Number: number, Request: c.Request, Result: result, Outcome: outcome,
		Meter: used, Price: price, Credited: t.Credited + c.Price - price}
	t.finish(r)
	return r, croft.Encode(entry{Receipts: []croft.Receipt{r}}), nil
}

func (t *Till) finish(r croft.Receipt) {
	t.Credited = r.Credited
	if r.Number == 0 {
		return
	}
	c := t.Calls[r.Number]
	c.Receipt = &r
	t.Calls[r.Number] = c
	if t.forgotten(r.Number) {
		delete(t.Calls, r.Number)
	}
}

// Return gives back what was promised for calls that never came. One that comes
// later is refused (ErrOwed) until its payer promises more. Without such a promise
// there is no entry.
func (t *Till) Return() (croft.Receipt, []byte) {
	r := croft.Receipt{Channel: t.channel.ID, Credited: t.Credited + t.owed() - t.Spent}
	if r.Credited == t.Credited {
		return r, nil
	}
	t.Spent = t.owed()
	t.finish(r)
	return r, croft.Encode(entry{Receipts: []croft.Receipt{r}})
}

// Recover fails all calls that have no receipt: what a crash interrupted. It is the
// first thing that a till does after LoadTill. All receipts state the same credit,
// and one entry holds them: had they followed each other, the first would give back
// less than a lost one may have, and a second crash between them would do so twice.
// The entry is nil if there is nothing to fail.
func (t *Till) Recover() (failed []croft.Receipt, journal []byte) {
	credited := t.Credited
	for _, n := range t.unfinished() {
		c := t.Calls[n]
		credited += c.Price
		failed = append(failed, croft.Receipt{Channel: t.channel.ID, Number: n, Request: c.Request, Outcome: croft.Failed})
	}
	for i := range failed {
		failed[i].Credited = credited
		t.finish(failed[i])
	}
	if failed != nil {
		journal = croft.Encode(entry{Receipts: failed})
	}
	return failed, journal
}

// unfinished returns the numbers of the calls that have no receipt, ascending.
func (t *Till) unfinished() []uint64 {
	return slices.Sorted(func(yield func(uint64) bool) {
		for n, c := range t.Calls {
			if c.Receipt == nil && !yield(n) {
				return
			}
		}
	})
}

// State is what the till tells a payer that lost its own: the payer's highest
// voucher, and a receipt, still to be signed, of the credit. A till that shows an
// older one harms only itself. The voucher is also what the ledger is to be shown
// in the end.
func (t *Till) State() (best *croft.SignedVoucher, credit croft.Receipt) {
	return t.Best, croft.Receipt{Channel: t.channel.ID, Credited: t.Credited}
}

// Earned returns what the finished calls cost; Claimable what the ledger would pay
// now, at most, if nothing was paid out before: it includes what calls that are not
// finished promise.
func (t *Till) Earned() croft.Credits {
	rest := t.Spent - t.Credited
	for _, c := range t.Calls {
		if c.Receipt == nil {
			rest -= c.Price
		}
	}
	return rest
}

// covered says whether the calls that are not finished are part of what was spent.
func (t *Till) covered() bool {
	rest := t.Spent - t.Credited
	for _, c := range t.Calls {
		if c.Receipt == nil {
			if c.Price > rest {
				return false
			}
			rest -= c.Price
		}
	}
	return true
}

// Claimable is described at Earned.
func (t *Till) Claimable() croft.Credits { return Due(t.channel.Deposit, t.owed(), t.Credited, 0) }

// Raise tells the till that the deposit is now so high.
func (t *Till) Raise(deposit croft.Credits) { t.channel.Deposit = max(t.channel.Deposit, deposit) }

// Close tells the till that the channel closes: no further call is admitted, those
// that were are finished.
func (t *Till) Close() { t.closing = true }

// Snapshot returns the state: it stands for all entries handed out so far.
func (t *Till) Snapshot() []byte { return croft.Encode(t.till) }

// LoadTill makes a till from a snapshot (nil: there is none) and the entries that
// came after it. They are this side's own and no signature is checked again. It
// fails with croft.ErrEncoding or croft.ErrStoreCorrupt.
func LoadTill(c croft.Channel, snapshot []byte, entries ...[]byte) (*Till, error) {
	t := NewTill(c)
	if snapshot != nil {
		t.till = till{}
		if err := croft.Decode(snapshot, &t.till); err != nil {
			return nil, err
		}
		if t.Version != stateVersion || t.Spent > t.owed() || t.Credited > t.Spent || !t.covered() {
			return nil, croft.E(croft.ErrStoreCorrupt, "the till of channel "+c.ID.Short(), "its numbers do not fit each other")
		}
		if t.Calls == nil {
			t.Calls = map[uint64]calledTill{}
		}
	}
	for _, raw := range entries {
		var e entry
		if err := croft.Decode(raw, &e); err != nil {
			return nil, err
		}
		if !t.replay(e) {
			return nil, croft.E(croft.ErrStoreCorrupt, "the journal of channel "+c.ID.Short(), "its entries do not follow each other")
		}
	}
	if !t.covered() {
		return nil, croft.E(croft.ErrStoreCorrupt, "the journal of channel "+c.ID.Short(), "it gives back more than was promised")
	}
	return t, nil
}

// replay runs an entry again and says whether it can have come next.
func (t *Till) replay(e entry) bool {
	switch {
	case e.Voucher != nil:
		b := e.Voucher.Voucher
		if _, known := t.Calls[b.Number]; known || b.Channel != t.channel.ID || b.Price > max(t.owed(), b.Owed)-t.Spent {
			return false
		}
		t.admit(*e.Voucher)
	case e.Receipts != nil:
		for _, r := range e.Receipts {
			c, known := t.Calls[r.Number]
			if r.Channel != t.channel.ID || r.Credited < t.Credited || r.Number != 0 && (!known || c.Receipt != nil) {
				return false
			}
			if r.Number == 0 {
				t.Spent += r.Credited - t.Credited
			}
			if r.Credited > t.Spent || t.Spent > t.owed() {
				return false
			}
			t.finish(r)
		}
	default:
		return false
	}
	return true
}
