package market

import (
	"context"
	"slices"
	"sync"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
)

// till is one channel from which this node is paid.
type till struct {
	mu      sync.Mutex // guards what follows: admission is in memory, so it is held for microseconds
	channel croft.Channel
	till    *pay.Till
	working int  // calls admitted and not finished
	written bool // its terms are in the journal
}

// terms returns the channel as it stands.
func (t *till) terms() croft.Channel {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.channel
}

// line is an entry of the journal. The terms of its channel come with the first of
// a file, so that tills are recovered without the ledger.
type line struct {
	Channel  croft.ChannelID `cbor:"1,keyasint"`
	Terms    *croft.Channel  `cbor:"2,keyasint,omitempty"`
	Snapshot []byte          `cbor:"3,keyasint,omitempty"` // instead of all entries before
	Entry    []byte          `cbor:"4,keyasint,omitempty"` // of pay.Till
}

// recover makes the tills anew from the journal. A restart does at each channel what
// pay.Till asks for after a crash, in one sync for all.
//
//	Crash: done again at the next start; nothing is given back twice.
func (m *Market) recover(open func(replay func(entry []byte) error) (Journal, error)) (err error) {
	type past struct {
		terms    croft.Channel
		snapshot []byte
		entries  [][]byte
	}
	pasts := map[croft.ChannelID]*past{}
	m.journal, err = open(func(raw []byte) error {
		var l line
		if err := croft.Decode(raw, &l); err != nil {
			return err
		}
		p := pasts[l.Channel]
		if p == nil {
			p = new(past)
			pasts[l.Channel] = p
		}
		if l.Terms != nil {
			p.terms = *l.Terms
		}
		if l.Snapshot != nil {
			p.snapshot, p.entries = slices.Clone(l.Snapshot), nil
		}
		if l.Entry != nil {
			p.entries = append(p.entries, slices.Clone(l.Entry))
		}
		return nil
	})
	if err != nil {
		return err
	}
	var mark uint64
	for id, p := range pasts {
		if p.terms.ID != id {
			return croft.E(croft.ErrStoreCorrupt, "the journal of channel "+id.Short(), "its terms are missing")
		}
		t, err := pay.LoadTill(p.terms, p.snapshot, p.entries...)
		if err != nil {
			return err
		}
		if _, entry := t.Recover(); entry != nil {
			mark = m.journal.Append(croft.Encode(line{Channel: id, Entry: entry}))
		}
		m.tills[id] = &till{channel: p.terms, till: t, written: true}
	}
	m.at("recover")
	return m.journal.Sync(mark)
}

// tillOf returns the till of a channel. One that was opened a moment ago is looked
// up on the ledger, once; after that nothing is.
func (m *Market) tillOf(ctx context.Context, id croft.ChannelID) (*till, error) {
	m.mu.RLock()
	t := m.tills[id]
	m.mu.RUnlock()
	if t == nil {
		c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(id))
		if err != nil {
			return nil, err
		}
		if !found || c.Terms.Payee != m.Self || c.Terms.Till != m.Key {
			return nil, croft.E(croft.ErrTxUnknown, "channel to this till", id.Short())
		}
		t = m.adopt(c)
	}
	if t.terms().Window < m.MinWindow {
		return nil, croft.E(croft.ErrVoucher, "the channel's window is shorter than this provider serves")
	}
	return t, nil
}

// adopt begins or goes on with a till, from what the ledger says of its channel.
func (m *Market) adopt(c ledger.Channel) *till {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tills[c.Terms.ID]
	if t == nil {
		t = &till{channel: c.Terms, till: pay.NewTill(c.Terms)}
		m.tills[c.Terms.ID] = t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.channel.Deposit = max(t.channel.Deposit, c.Terms.Deposit)
	t.till.Raise(c.Terms.Deposit)
	if c.Status == ledger.ChannelClosing || c.Status == ledger.ChannelClosed {
		t.till.Close()
	}
	return t
}

// write appends an entry of a till, whose lock is held: the journal has its entries
// in the order in which the till made them.
func (m *Market) write(t *till, entry []byte) (mark uint64) {
	l := line{Channel: t.channel.ID, Entry: entry}
	if !t.written {
		t.written = true
		l.Terms = &t.channel
	}
	return m.journal.Append(croft.Encode(l))
}

// maxJournal is the size in bytes of a journal's file after which a new one begins.
const maxJournal = 64 << 20

// compact begins a new file of the journal once this one is long: with a snapshot of
// each till, for which nothing stands still.
//
//	Crash: before the old files are forgotten both are there, and replay ends with the
//	same tills.
func (m *Market) compact() error {
	if m.journal.Size() < maxJournal {
		return nil
	}
	forget, err := m.journal.Roll()
	if err != nil {
		return err
	}
	m.mu.RLock()
	tills := make([]*till, 0, len(m.tills))
	for _, t := range m.tills {
		tills = append(tills, t)
	}
	m.mu.RUnlock()
	var mark uint64
	for _, t := range tills {
		t.mu.Lock()
		mark = m.journal.Append(croft.Encode(line{Channel: t.channel.ID, Terms: &t.channel, Snapshot: t.till.Snapshot()}))
		t.mu.Unlock()
	}
	m.at("compact")
	if err := m.journal.Sync(mark); err != nil {
		return err
	}
	return forget()
}

// state answers a payer that wants to know where its channel stands: what it
// promised for calls that never came is given back. The receipt leaves only when
// that is durable.
func (m *Market) state(ctx context.Context, from croft.MemberID, a ask) (answer, error) {
	t, err := m.tillOf(ctx, a.Channel)
	if err != nil {
		return answer{}, err
	}
	if !m.Scope.Verify(t.terms().Payer, stateDomain, stateBody(a.Channel, from), a.Proof) {
		return answer{}, croft.E(croft.ErrVoucher, "only the channel's payer may ask where it stands")
	}
	t.mu.Lock()
	var mark uint64
	if _, entry := t.till.Return(); entry != nil {
		mark = m.write(t, entry)
	}
	best, credit := t.till.State()
	t.mu.Unlock()
	m.at("state")
	if err := m.journal.Sync(mark); err != nil {
		return answer{}, err
	}
	out := answer{Receipt: pay.SealReceipt(m.Scope, credit, m.Sign)}
	if best != nil {
		out.Best = croft.Encode(*best)
	}
	return out, nil
}
