package market

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
	"croft/internal/store"
)

// purse is one channel from which this node pays.
//
// Nothing of it is durable before a voucher leaves. Where it does not know what the
// till knows (after a restart, after a call that got no receipt), it asks before it
// promises more, or, while calls are in flight, no more than it would risk with that one:
// a restart takes the same path as a lost answer.
type purse struct {
	mu      sync.Mutex // guards what follows
	channel croft.Channel
	purse   *pay.Purse
	closing bool
	stale   bool          // the till may know something else: ask it, once no call is in flight
	doubt   croft.Credits // promised for calls that were given up since it was asked
	asking  bool          // somebody does
	failed  error         // what came of asking, if the till was at fault
	caught  bool          // the till once signed falsely
	changed bool          // since it was saved
	moved   chan struct{} // closed and made anew whenever a call ends: who waits looks again
	thanks  [][]byte      // countersigned receipts for the provider, with the next call
}

// terms returns the channel as it stands.
func (p *purse) terms() croft.Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channel
}

const purseKind = "purse"

func newPurse(c croft.Channel) *purse {
	return &purse{channel: c, purse: pay.NewPurse(c), stale: true, moved: make(chan struct{})}
}

// savedPurse is the document of a purse.
type savedPurse struct {
	Version  uint8         `cbor:"1,keyasint"` // 1
	Channel  croft.Channel `cbor:"2,keyasint"`
	Snapshot []byte        `cbor:"3,keyasint"`
}

// loadPurses reads the purses as they were last saved.
func (m *Market) loadPurses() error {
	names, err := m.Docs.List(purseKind)
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := m.Docs.Get(purseKind, name)
		if err != nil {
			return err
		}
		var s savedPurse
		if err := croft.Decode(raw, &s); err != nil {
			return err
		}
		if s.Version != 1 || s.Channel.ID.String() != name {
			return croft.E(croft.ErrStoreCorrupt, "the purse of channel "+name, "it is of another channel or version")
		}
		p := newPurse(s.Channel)
		if p.purse, err = pay.LoadPurse(s.Channel, s.Snapshot); err != nil {
			return err
		}
		m.purses[s.Channel.ID] = p
	}
	return nil
}

// behind is about how long a provider's node may be behind with the ledger before a call
// fails for it.
const behind = 10 * time.Second

// acceptedKind has an empty document for each channel that this node accepted.
const acceptedKind = "accepted"

// Accept pays from a channel that somebody else funds for this node's payment key. It is
// the owner's choice: else whoever opens one could make this node prefer a channel that
// its provider does not serve. It fails with croft.ErrTxUnknown or croft.ErrChannelClosed.
func (m *Market) Accept(ctx context.Context, id croft.ChannelID) error {
	c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(id))
	switch {
	case err != nil:
		return err
	case !found || c.Terms.Payer != m.Key || c.Terms.Funder == m.Self || c.Terms.Payee == m.Self:
		return croft.E(croft.ErrTxUnknown, "channel that somebody else opened for this node's payment key", id.Short())
	case c.Status == ledger.ChannelClosing || c.Status == ledger.ChannelClosed:
		return croft.E(croft.ErrChannelClosed)
	}
	if err := m.Docs.Put(acceptedKind, id.String(), nil); err != nil {
		return err
	}
	m.mu.Lock()
	if !slices.Contains(m.accepted, id) {
		m.accepted = append(m.accepted, id)
	}
	m.mu.Unlock()
	m.fill(c)
	return nil
}

// loadAccepted reads which channels of others this node accepted.
func (m *Market) loadAccepted() error {
	names, err := m.Docs.List(acceptedKind)
	for _, name := range names {
		id, wrong := croft.ParseID[croft.Channel](name)
		err = errors.Join(err, wrong)
		m.accepted = append(m.accepted, id)
	}
	return err
}

// savePurses saves those that changed. What is not saved is asked for again.
func (m *Market) savePurses() error {
	m.mu.RLock()
	purses := make([]*purse, 0, len(m.purses))
	for _, p := range m.purses {
		purses = append(purses, p)
	}
	m.mu.RUnlock()
	var errs error
	for _, p := range purses {
		p.mu.Lock()
		var raw []byte
		if p.changed {
			raw, p.changed = croft.Encode(savedPurse{1, p.channel, p.purse.Snapshot()}), false
		}
		p.mu.Unlock()
		if raw == nil {
			continue
		}
		if err := m.Docs.Put(purseKind, p.channel.ID.String(), raw); err != nil {
			p.mu.Lock()
			p.changed = true
			p.mu.Unlock()
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// fill begins or goes on with a purse, from what the ledger says of its channel.
func (m *Market) fill(c ledger.Channel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.purses[c.Terms.ID]
	if p == nil {
		p = newPurse(c.Terms)
		m.purses[c.Terms.ID] = p
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channel.Deposit = max(p.channel.Deposit, c.Terms.Deposit)
	p.purse.Raise(c.Terms.Deposit)
	p.closing = c.Status == ledger.ChannelClosing || c.Status == ledger.ChannelClosed
}

// purseFor returns the purse to pay a provider from: of those to its tills the one
// with the most left. It fails with croft.ErrNoChannel.
func (m *Market) purseFor(ctx context.Context, s croft.Service, price croft.Credits) (*purse, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var best *purse
	var most croft.Credits
	for _, p := range m.purses {
		if p.channel.Payee != s.Provider || !slices.Contains(s.Tills, p.channel.Till) {
			continue
		}
		p.mu.Lock()
		left, closing := p.purse.Left(), p.closing
		p.mu.Unlock()
		if !closing && left >= price && (best == nil || left > most || left == most && p.channel.ID.Compare(best.channel.ID) < 0) {
			best, most = p, left
		}
	}
	if best == nil {
		return nil, croft.E(croft.ErrNoChannel, m.nameOf(ctx, s.Provider), price, s.Name)
	}
	return best, nil
}

// promise returns the signed voucher of a call, as soon as the purse may risk it:
// it waits for receipts of other calls, and asks the till where they stand if it
// must. It fails with croft.ErrChannelEmpty, croft.ErrChannelClosed, or with what
// came of asking.
func (m *Market) promise(ctx context.Context, p *purse, c pay.Call) (number uint64, signed []byte, thanks [][]byte, err error) {
	p.mu.Lock()
	for {
		if p.closing {
			p.mu.Unlock()
			return 0, nil, nil, croft.E(croft.ErrChannelClosed)
		}
		if p.stale && !p.asking && p.purse.Waiting() == 0 {
			if err := m.resume(ctx, p); err != nil {
				p.mu.Unlock()
				return 0, nil, nil, err
			}
		}
		if !p.asking { // while others are in flight, one that was given up is at risk like them
			var v croft.Voucher
			most := m.risk(p, c.Price)
			if v, err = p.purse.Pay(c, most-min(p.doubt, most)); err == nil {
				p.changed = true
				thanks, p.thanks = p.thanks, nil
				p.mu.Unlock()
				return v.Number, pay.SealVoucher(m.Scope, v, m.Sign), thanks, nil
			}
			if !p.stale && !errors.Is(err, croft.ErrInFlight) && !errors.Is(err, croft.ErrTillBusy) || p.purse.Waiting() == 0 {
				p.mu.Unlock()
				return 0, nil, nil, err
			}
		}
		asked, moved := p.asking, p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, nil, nil, context.Cause(ctx)
		}
		p.mu.Lock()
		if asked && p.failed != nil { // all who waited are told, else each would ask in turn
			err = p.failed
			p.mu.Unlock()
			return 0, nil, nil, err
		}
	}
}

// risk is how much may be in flight: as much as this provider has earned of this
// node already, and at least one call. So a stranger begins with one call at a time.
func (m *Market) risk(p *purse, price croft.Credits) croft.Credits {
	if m.MaxRisk > 0 {
		return max(m.MaxRisk, price)
	}
	bought, _ := p.purse.Spent()
	return max(price, bought)
}

// resume asks the till where the channel stands; p.mu is held, and let go of
// meanwhile.
func (m *Market) resume(ctx context.Context, p *purse) error {
	p.asking, p.failed = true, nil
	channel := p.channel
	p.mu.Unlock()
	credit, best, err := m.askState(ctx, channel)
	// A channel was opened a moment ago, and its provider's node is a block behind. Who asks
	// waits for that, not who is asked: anybody can name channels that there are not.
	for wait := 100 * time.Millisecond; errors.Is(err, croft.ErrTxUnknown) && wait < behind && ctx.Err() == nil; wait *= 2 {
		select {
		case <-time.After(wait):
			credit, best, err = m.askState(ctx, channel)
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	p.asking = false
	if err == nil {
		var lost croft.Credits
		if lost, err = p.purse.Resume(best, credit); err == nil {
			p.stale, p.doubt, p.changed = false, 0, true
			if lost > 0 {
				m.Log.Info("resume", "channel", channel.ID.Short(), "promised and not remembered", lost)
			}
		}
	}
	if ctx.Err() == nil { // who went away asked for itself
		p.failed = err
	}
	p.wake()
	return err
}

// askState asks a channel's till for its highest voucher and its credit.
func (m *Market) askState(ctx context.Context, c croft.Channel) (credit pay.Receipt, best *pay.Voucher, err error) {
	raw, err := m.Peers.Ask(ctx, c.Payee, croft.Encode(ask{Kind: askState, Channel: c.ID,
		Proof: m.Sign(m.Scope, stateDomain, stateBody(c.ID, m.Self))}), nil)
	if err != nil {
		return credit, nil, err
	}
	a, err := readAnswer(raw)
	if err == nil {
		err = a.trouble()
	}
	if err != nil {
		return credit, nil, err
	}
	if a.Best != nil {
		v, err := pay.CheckVoucher(m.Scope, c, a.Best)
		if err != nil { // it may be older than this chain: only then is the ledger asked
			scopes, e := m.scopes(ctx)
			if e != nil {
				return credit, nil, e
			}
			for _, scope := range slices.Backward(scopes) {
				if v, err = pay.CheckVoucher(scope, c, a.Best); err == nil {
					break
				}
			}
		}
		if err != nil {
			return credit, nil, err
		}
		best = &v
	}
	credit, err = pay.CheckReceipt(m.Scope, c, a.Receipt)
	return credit, best, err
}

// settle puts a call's receipt into the purse. A signature takes long to check: one that
// is worth nothing to this end is checked when nobody waits (sayThanks), and at once as
// soon as one was found to be false.
func (p *purse) settle(scope croft.Scope, raw []byte, said croft.Receipt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caught || !p.purse.Concede(said) {
		channel := p.channel
		p.mu.Unlock()
		r, err := pay.CheckReceipt(scope, channel, raw)
		p.mu.Lock()
		if err == nil {
			_, err = p.purse.Take(r)
		}
		if err != nil {
			return err
		}
	}
	p.changed = true
	p.wake()
	return nil
}

// lose gives up a call that got no receipt. It is asked about before the next one.
func (p *purse) lose(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubt += p.purse.Drop(number)
	p.stale, p.changed = true, true
	p.wake()
}

// wake tells those who wait for this purse to look again; p.mu is held.
func (p *purse) wake() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// newID returns the random id of a call.
func newID() (id [16]byte) {
	rand.Read(id[:]) // never fails
	return id
}

// absent says that there is no such document.
func absent(err error) bool { return errors.Is(err, store.ErrAbsent) }
