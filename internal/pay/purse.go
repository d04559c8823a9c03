package pay

import (
	"croft"
)

// Purse is a payer's side of one channel: it numbers calls, adds up what it
// promised, and knows at any moment what it would lose if the provider kept all and
// said no more.
//
// Nothing of it must be durable before a voucher leaves. A payer that lost its
// latest state asks the till where they stand (Till.State) and resumes from its own
// highest voucher, which nobody else can have made; a till that shows an older one
// gets less.
type Purse struct {
	channel croft.Channel
	// unseen is what was promised for calls that were given up and that the till did not
	// know of when it was last asked: what refused calls promised pays for later ones,
	// and none of it is promised twice. Not in snapshots: Resume finds it again.
	unseen croft.Credits
	purse
}

// purse is what a snapshot holds.
//
// What is at risk is owed less what was bought, less what came back or was given up
// already. Refunds are the part of the credit that belongs to calls with a receipt;
// the rest of it came back for calls that were given up. Credited is at most Owed.
type purse struct {
	Version  uint8                  `cbor:"1,keyasint"`
	Number   uint64                 `cbor:"2,keyasint"` // of the last voucher
	Owed     croft.Credits          `cbor:"3,keyasint"`
	Credited croft.Credits          `cbor:"4,keyasint"` // the highest that the till signed
	Bought   croft.Credits          `cbor:"5,keyasint"` // Σ prices of calls with a receipt
	Refunds  croft.Credits          `cbor:"6,keyasint"` // Σ promised − price of the same calls; at most Credited
	Lost     croft.Credits          `cbor:"7,keyasint"` // Σ promised of calls that were given up
	Best     *croft.SignedReceipt   `cbor:"8,keyasint,omitempty"`
	Calls    map[uint64]calledPurse `cbor:"9,keyasint,omitempty"` // that wait for a receipt
}

type calledPurse struct {
	Request croft.Hash    `cbor:"1,keyasint"`
	Price   croft.Credits `cbor:"2,keyasint"`
}

// NewPurse returns the purse of a channel before its first call.
func NewPurse(c croft.Channel) *Purse {
	return &Purse{channel: c, purse: purse{Version: stateVersion, Calls: map[uint64]calledPurse{}}}
}

// Pay promises the price of a call and returns the voucher to sign. It promises
// only as long as no more than most is at risk with it. It fails with ErrInFlight,
// ErrChannelEmpty or ErrTillBusy of package croft.
func (p *Purse) Pay(c Call, most croft.Credits) (v croft.Voucher, err error) {
	risk, left := p.AtRisk(), p.Left()
	switch {
	case c.Price > left:
		return v, croft.E(croft.ErrChannelEmpty, left, c.Price)
	case risk > most || c.Price > most-risk:
		return v, croft.E(croft.ErrInFlight, risk, most)
	case len(p.Calls) >= maxOpen:
		return v, croft.E(croft.ErrTillBusy, len(p.Calls))
	}
	again := min(c.Price, p.unseen)
	p.unseen -= again
	p.Lost -= again
	v = croft.Voucher{Channel: p.channel.ID, Service: c.Service, Terms: c.Terms, Number: p.Number + 1,
		Request: c.Request, Price: c.Price, Owed: p.Owed + c.Price - again}
	p.Number, p.Owed = v.Number, v.Owed
	p.Calls[v.Number] = calledPurse{v.Request, v.Price}
	return v, nil
}

// Take puts a receipt in and says whether it ends a call that waited for one. The
// till may say the same again, and after a crash of its own say that a call failed
// which it answered: that only gives back more. It fails with croft.ErrReceipt.
func (p *Purse) Take(r Receipt) (ends bool, err error) {
	b := r.signed.Receipt
	c, waits := p.Calls[b.Number]
	credited := max(p.Credited, b.Credited)
	switch {
	case b.Channel != p.channel.ID:
		return false, croft.E(croft.ErrReceipt, "it is of another channel")
	case b.Credited > p.Owed:
		return false, croft.E(croft.ErrReceipt, "it gives back more than was ever promised")
	case waits && b.Request != c.Request:
		return false, croft.E(croft.ErrReceipt, "it is of another request")
	case waits && b.Price > c.Price:
		return false, croft.E(croft.ErrReceipt, "it asks for "+b.Price.String()+" credits, promised were "+c.Price.String())
	case waits && p.Refunds+c.Price-b.Price > credited:
		return false, croft.E(croft.ErrReceipt, "it gives back less than its receipts add up to")
	}
	if b.Credited > p.Credited {
		p.Best, p.Credited = &r.signed, b.Credited
	}
	if waits {
		p.Bought += b.Price
		p.Refunds += c.Price - b.Price
		delete(p.Calls, b.Number)
	}
	return waits, nil
}

// Concede ends a call by a receipt that charges all that was promised for it and gives
// nothing back, and says whether this is one. It needs no signature: nobody but this
// payer could dispute what it says, and there is nothing in it to show the ledger.
func (p *Purse) Concede(r croft.Receipt) bool {
	c, waits := p.Calls[r.Number]
	if !waits || r.Channel != p.channel.ID || r.Request != c.Request || r.Price != c.Price || r.Credited > p.Credited {
		return false
	}
	p.Bought += c.Price
	delete(p.Calls, r.Number)
	return true
}

// Drop gives a call up: it no longer counts as at risk but as lost, unless the till
// gives it back. The till may still claim it. It returns what was promised.
func (p *Purse) Drop(number uint64) croft.Credits {
	price := p.Calls[number].Price
	p.Lost += price
	delete(p.Calls, number)
	return price
}

// Resume goes on from what the till says of the channel (Till.State), after this
// side lost entries: best is this payer's own voucher, checked like anybody's; nil
// if the till has none. What was promised in between and has no receipt is given
// up; the amount is returned. It is within what was allowed to be at risk when the
// vouchers were made.
func (p *Purse) Resume(best *Voucher, credit Receipt) (lost croft.Credits, err error) {
	seen := croft.Credits(0)
	if best != nil {
		b := best.signed.Voucher
		if b.Channel != p.channel.ID {
			return 0, croft.E(croft.ErrVoucher, "it is for another channel, service, price or request")
		}
		lost = max(p.Owed, b.Owed) - p.Owed
		p.Owed += lost
		p.Lost += lost
		p.Number = max(p.Number, b.Number)
		seen = b.Owed
	}
	if _, err = p.Take(credit); err != nil {
		return lost, err
	}
	if p.unseen = 0; len(p.Calls) == 0 {
		p.unseen = min(p.Lost, p.Owed-seen)
	}
	return lost, nil
}

// AtRisk returns what this payer would lose if the provider claimed everything and
// answered nothing more, beyond what was given up already.
func (p *Purse) AtRisk() croft.Credits {
	back := max(p.Lost, p.Credited-p.Refunds)
	return p.Owed - min(p.Owed, p.Bought+p.Refunds+back)
}

// Left returns what can still be promised on the channel.
func (p *Purse) Left() croft.Credits {
	return min(p.channel.Deposit, p.channel.Deposit-Due(p.channel.Deposit, p.Owed, p.Credited, 0)+p.unseen)
}

// Spent returns what the calls with a receipt cost, and what was given up and neither
// came back nor is there for later calls.
func (p *Purse) Spent() (bought, lost croft.Credits) {
	return p.purse.Bought, p.purse.Lost - min(p.purse.Lost, p.Credited-p.Refunds+p.unseen)
}

// Waiting returns how many calls wait for a receipt.
func (p *Purse) Waiting() int { return len(p.Calls) }

// Evidence returns the receipt that the ledger is to be shown in the end; nil if
// nothing was ever given back.
func (p *Purse) Evidence() *croft.SignedReceipt { return p.Best }

// Raise tells the purse that the deposit is now so high.
func (p *Purse) Raise(deposit croft.Credits) { p.channel.Deposit = max(p.channel.Deposit, deposit) }

// Snapshot returns the state. A purse saves it when it likes: see Resume.
func (p *Purse) Snapshot() []byte { return croft.Encode(p.purse) }

// LoadPurse makes a purse from a snapshot. It fails with croft.ErrEncoding or
// croft.ErrStoreCorrupt.
func LoadPurse(c croft.Channel, snapshot []byte) (*Purse, error) {
	p := &Purse{channel: c}
	if err := croft.Decode(snapshot, &p.purse); err != nil {
		return nil, err
	}
	if p.Version != stateVersion || p.Refunds > p.Credited || p.Credited > p.Owed {
		return nil, croft.E(croft.ErrStoreCorrupt, "the purse of channel "+c.ID.Short(), "its numbers do not fit each other")
	}
	if p.Calls == nil {
		p.Calls = map[uint64]calledPurse{}
	}
	return p, nil
}
