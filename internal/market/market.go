// Package market is the second great flow: a paid call between a caller's node
// and a provider's.
//
//	quote → open → voucher → infer → meter → countersign → settle
//
// Each end is one flat function in session.go, a line a step; docs/life-of-a-request.md
// has a heading for each, and the log the same words. A call reads and writes nothing
// on the ledger: the terms of channels and services are in memory, and what must
// survive a crash is one sync of a journal, which all calls in flight share.
//
//	session.go   a call, at its two ends
//	market.go    what a node offers, and what it needs for that
//	tills.go     the provider's channels: recovered, journalled
//	purses.go    the caller's channels: resumed from the other side's word
//	quote.go     a price for one request
//	duty.go      what the ledger is told: claims, evidence, the ends of windows
//	watch.go     what others tell it while this node is off, and this one for them
//	wire.go      a call as bytes
//	receipts.go  what both ends signed
//	desk.go      what people at this node do in the market; backend.go, what programs do
//	route.go     which of several providers is asked, and what answers are worth
package market

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
	"croft/internal/serve"
)

// Ledger is what the market needs of the network's ledger. Nothing of it is used
// during a call.
type Ledger interface {
	// Read returns one record of the last committed state; nil if there is none.
	Read(ctx context.Context, key string) ([]byte, error)
	// Watch wakes up after blocks with news.
	Watch(ctx context.Context) <-chan struct{}
}

// Journal is what a till writes before it works: see store.Journal.
type Journal interface {
	Append(entry []byte) (mark uint64)
	Last() (mark uint64)
	Sync(mark uint64) error
	Size() int64
	Roll() (forget func() error, err error)
}

// Docs keeps small named documents, durably when Put returns.
type Docs interface {
	Put(kind, name string, data []byte) error
	Get(kind, name string) ([]byte, error)
	Delete(kind, name string) error
	List(kind string) ([]string, error)
}

// Peers reaches other members' nodes: end to end encrypted to the node's key.
type Peers interface {
	// Ask sends a request and returns the answer; part is told what comes before it.
	Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error)
}

// Config is what a Market needs. All fields are set by whoever builds it.
type Config struct {
	Self  croft.MemberID
	Scope croft.Scope
	Key   croft.PublicKey // this node's payment key: its till, and its purses
	Sign  pay.Sign        // with it

	Ledger Ledger
	Docs   Docs
	Peers  Peers
	// Submit signs a transaction with the node's key, keeps it until the ledger took or
	// refused it, and returns which. The ledger takes the same body with the same nonce
	// once.
	Submit func(ctx context.Context, nonce uint64, body any) error
	Log    *slog.Logger
	// At is called at each named line; nil in the product. Tests stop there.
	At func(line string)

	// MinWindow is the shortest time, in seconds, in which a claim must be open to
	// objection for this provider to serve a channel; 0: an hour.
	MinWindow uint32
	// MaxRisk is the most that a caller has at risk with one provider; 0: what it
	// bought there so far, and at least one call.
	MaxRisk croft.Credits
}

// Market is a node's part in the market: its offers, its tills, its purses. Its
// methods may be called concurrently.
type Market struct {
	Config
	journal Journal

	mu     sync.RWMutex // guards the maps; what they hold guards itself
	offers map[croft.ServiceID]*offer
	tills  map[croft.ChannelID]*till
	purses map[croft.ChannelID]*purse
	// accepted are channels that others fund for this node.
	accepted []croft.ChannelID

	onDuty sync.Mutex               // guards ended and said: one pass at a time
	ended  map[croft.ChannelID]bool // channels that need nothing more
	said   paces

	unsynced chan struct{} // a call was finished: see flush

	watching watching
	receipts receipts

	free   counts // calls without payment that this node gave, in a day
	usedUp counts // whether there are none left for it at others, for an hour
	quotes counts // that it made and that no call followed, in a minute
	told   counts // what it was told to watch, in a minute
}

// offer is a service of this node, as the ledger has it, and the engine behind it.
type offer struct {
	service croft.Service
	terms   croft.Hash
	engine  serve.Engine
	model   []byte                    // a document that callers run at their own node; nil: none
	admit   func(croft.MemberID) bool // whom it is for; nil: whoever asks
	slots   chan struct{}             // nil: any number of calls at a time
}

// New returns the market part of a node, with the tills as they stood: journal is
// opened with replay's function first. Every call that a crash interrupted is given
// back, durably, before New returns.
func New(c Config, open func(replay func(entry []byte) error) (Journal, error)) (*Market, error) {
	if c.MinWindow == 0 {
		c.MinWindow = 3600
	}
	m := &Market{Config: c, unsynced: make(chan struct{}, 1), offers: map[croft.ServiceID]*offer{}, tills: map[croft.ChannelID]*till{},
		purses: map[croft.ChannelID]*purse{}, ended: map[croft.ChannelID]bool{}, said: paces{}, watching: watching{shown: paces{}},
		free: counts{while: 24 * time.Hour}, usedUp: counts{while: time.Hour}, quotes: counts{while: time.Minute}, told: counts{while: time.Minute}}
	if err := m.recover(open); err != nil {
		return nil, err
	}
	return m, errors.Join(m.loadPurses(), m.loadAccepted(), m.loadReceipts(), m.loadWatched())
}

// at names a line for tests.
func (m *Market) at(line string) {
	if m.At != nil {
		m.At(line)
	}
}

// Offering is what a node serves a service with.
type Offering struct {
	Service croft.Service // as the ledger has it
	Engine  serve.Engine
	Model   []byte                    // a document that callers may run at their own node; nil: none
	Admit   func(croft.MemberID) bool // whom it is for; nil: whoever asks
}

// Offer serves a service from now on, in place of what it was served with.
func (m *Market) Offer(f Offering) {
	service := f.Service
	o := &offer{service: service, terms: service.Terms(), engine: f.Engine, model: f.Model, admit: f.Admit}
	if n := service.Limits.InFlight; n > 0 {
		o.slots = make(chan struct{}, n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.offers[service.ID()]; old != nil && old.slots != nil && o.slots != nil && cap(old.slots) == cap(o.slots) {
		o.slots = old.slots // calls in hand count on
	}
	m.offers[service.ID()] = o
}

// stop serves a service no longer; calls in hand are finished.
func (m *Market) stop(id croft.ServiceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.offers, id)
}

// offer returns an offer of this node. It fails with croft.ErrNotServed.
func (m *Market) offer(id croft.ServiceID) (*offer, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if o := m.offers[id]; o != nil {
		return o, nil
	}
	return nil, croft.E(croft.ErrNotServed, id.Short(), "it has no engine for it")
}

// serving says whether this node answers calls of a service.
func (m *Market) serving(id croft.ServiceID) bool { _, err := m.offer(id); return err == nil }

// take counts a call in, as far as the service takes so many at a time.
func (o *offer) take() (release func(), err error) {
	if o.slots == nil {
		return func() {}, nil
	}
	select {
	case o.slots <- struct{}{}:
		return func() { <-o.slots }, nil
	default:
		return nil, croft.E(croft.ErrBusy, o.service.Name)
	}
}

// Balance is one channel of this node as it stands between its two ends.
type Balance struct {
	Channel  croft.Channel
	Earned   croft.Credits // as provider: what finished calls cost
	Claim    croft.Credits // as provider: what the ledger would pay, of which some may be paid already
	Bought   croft.Credits // as caller: what calls cost
	Lost     croft.Credits // as caller: promised for calls that got no answer, and not given back
	Left     croft.Credits // what can still be promised
	Waiting  int           // calls in flight
	Provider bool          // of the two ends, this one
}

// Balances returns the channels that this node has a part in, by id.
func (m *Market) Balances() (all []Balance) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, t := range m.tills {
		t.mu.Lock()
		claim := t.till.Claimable()
		all = append(all, Balance{Channel: t.channel, Earned: t.till.Earned(), Claim: claim, Left: t.channel.Deposit - claim,
			Waiting: t.working, Provider: true})
		t.mu.Unlock()
	}
	for _, p := range m.purses {
		p.mu.Lock()
		b := Balance{Channel: p.channel, Left: p.purse.Left(), Waiting: p.purse.Waiting()}
		b.Bought, b.Lost = p.purse.Spent()
		all = append(all, b)
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Balance) int { return a.Channel.ID.Compare(b.Channel.ID) })
	return all
}

// read reads one record of the ledger.
func read[T any](ctx context.Context, m *Market, key string) (record T, found bool, err error) {
	raw, err := m.Ledger.Read(ctx, key)
	if err != nil {
		return record, false, err
	}
	return ledger.Decode[T](raw)
}

// scopes returns the scopes in which what is shown of a channel may be signed: it goes on
// when a chain succeeds another.
func (m *Market) scopes(ctx context.Context) ([]croft.Scope, error) {
	network, _, err := read[ledger.Network](ctx, m, ledger.NetworkKey)
	return network.Scopes(m.Scope), err
}

// counts are of what others did in a while: a day, a minute. They are in memory: a restart
// begins the while anew.
type counts struct {
	while time.Duration
	mu    sync.Mutex
	since int64 // in whiles
	of    map[counted]int
}

type counted struct {
	service croft.ServiceID // zero: what is counted is of none
	member  croft.MemberID
}

// add counts n more and returns how many there were in this while.
func (c *counts) add(what counted, n int, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := now.UnixNano() / int64(c.while); c.of == nil || c.since != since {
		c.since, c.of = since, map[counted]int{}
	}
	c.of[what] += n
	return c.of[what]
}
