package market

import (
	"sync"
	"time"

	"croft"
	"croft/internal/pay"
)

// Receipt is the record of a call at one of its ends.
type Receipt struct {
	Service  croft.ServiceID     `cbor:"1,keyasint"`
	Provider bool                `cbor:"2,keyasint,omitempty"` // of the two ends, this one
	At       time.Time           `cbor:"-"`
	Unix     int64               `cbor:"3,keyasint"` // At, in seconds
	Signed   croft.SignedReceipt `cbor:"4,keyasint"` // by the till; at the till itself the signature may be missing
	Payer    *croft.Signature    `cbor:"5,keyasint,omitempty"`
}

// keptReceipts is how many of the latest calls a node remembers for people.
const keptReceipts = 1024

// receipts are the latest calls at both ends. Signing and checking that the payer is
// content costs more than a call may wait for, so it is done later, for as many as
// are kept: a busy node countersigns a sample of its calls.
type receipts struct {
	mu      sync.Mutex
	latest  []Receipt // a ring
	next    int
	unsaid  []unsaid // to be countersigned
	unheard []unheard
	changed bool
}

type unsaid struct {
	purse   *purse
	raw     []byte // the till's receipt, not checked
	service croft.ServiceID
}

type unheard struct {
	channel croft.Channel
	raw     []byte
}

func (r *receipts) add(x Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.Unix, r.changed = x.At.Unix(), true
	if len(r.latest) < keptReceipts {
		r.latest = append(r.latest, x)
		return
	}
	r.latest[r.next] = x
	r.next = (r.next + 1) % keptReceipts
}

// thank takes note of a call that got its answer.
func (m *Market) thank(p *purse, raw []byte, service croft.ServiceID) {
	m.receipts.mu.Lock()
	defer m.receipts.mu.Unlock()
	if len(m.receipts.unsaid) < keptReceipts {
		m.receipts.unsaid = append(m.receipts.unsaid, unsaid{p, raw, service})
	}
}

// heard keeps what a payer countersigned until there is time to check it.
func (r *receipts) heard(c croft.Channel, thanks [][]byte) {
	if len(thanks) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, raw := range thanks {
		if len(r.unheard) < keptReceipts {
			r.unheard = append(r.unheard, unheard{c, raw})
		}
	}
}

// Receipts returns the latest calls of this node, oldest first.
func (m *Market) Receipts() []Receipt {
	r := &m.receipts
	m.sayThanks()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := append(append([]Receipt{}, r.latest[r.next:]...), r.latest[:r.next]...)
	for i := range out {
		out[i].At = time.Unix(out[i].Unix, 0).UTC()
	}
	return out
}

// sayThanks signs and checks what waits for it.
func (m *Market) sayThanks() {
	r := &m.receipts
	r.mu.Lock()
	said, heard := r.unsaid, r.unheard
	r.unsaid, r.unheard = nil, nil
	r.mu.Unlock()
	for _, x := range said {
		channel := x.purse.terms()
		receipt, err := pay.CheckReceipt(m.Scope, channel, x.raw)
		if err != nil {
			m.Log.Warn("countersign", "channel", channel.ID.Short(), "why", err)
			x.purse.mu.Lock()
			x.purse.caught = true
			x.purse.mu.Unlock()
			continue
		}
		body := receipt.Body()
		c := croft.Countersigned{Receipt: body}
		kept := Receipt{Service: x.service, At: time.Now(), Signed: croft.SignedReceipt{Receipt: body}}
		if body.Outcome == croft.Answered {
			c = pay.Countersign(m.Scope, receipt, m.Sign)
			kept.Payer = &c.Payer
			x.purse.mu.Lock()
			if len(x.purse.thanks) < maxThanks {
				x.purse.thanks = append(x.purse.thanks, croft.Encode(c))
			}
			x.purse.mu.Unlock()
		}
		kept.Signed.Signature = c.Till
		r.add(kept)
	}
	for _, x := range heard {
		var c croft.Countersigned
		if croft.Decode(x.raw, &c) != nil || !pay.VerifyCountersigned(m.Scope, x.channel, c) {
			continue // it harms nobody
		}
		r.mu.Lock()
		for i := range r.latest {
			if k := &r.latest[i]; k.Provider && k.Signed.Receipt == c.Receipt {
				k.Signed.Signature, k.Payer, r.changed = c.Till, &c.Payer, true
			}
		}
		r.mu.Unlock()
	}
}

const receiptsKind, receiptsName = "receipts", "latest"

// saveReceipts keeps the latest calls for the next start. What a crash forgets of
// them changes no purse.
func (m *Market) saveReceipts() error {
	m.sayThanks()
	m.receipts.mu.Lock()
	changed := m.receipts.changed
	m.receipts.changed = false
	m.receipts.mu.Unlock()
	if !changed {
		return nil
	}
	return m.Docs.Put(receiptsKind, receiptsName, croft.Encode(m.Receipts()))
}

func (m *Market) loadReceipts() error {
	raw, err := m.Docs.Get(receiptsKind, receiptsName)
	if absent(err) {
		return nil
	} else if err != nil {
		return err
	}
	return croft.Decode(raw, &m.receipts.latest)
}
