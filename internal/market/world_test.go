package market

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/serve"
	"croft/internal/store"
)

// world is a network in memory: the real ledger under the twin of consensus, and two
// nodes' markets that reach each other by function calls and can die at any line.
type world struct {
	t        testing.TB
	genesis  croft.Genesis
	twin     *chain.Twin
	people   []*person
	caller   *person
	provider *person
	service  croft.Service
	engine   *engine
}

// person is a member: keys, disk, and, while it runs, a market.
type person struct {
	w    *world
	name string
	id   croft.MemberID
	keys [4]ed25519.PrivateKey // member, node, validator, payment
	disk *store.Memory
	log  *memoryJournal
	reads

	mu     sync.Mutex
	market *Market
	crash  string // the line at which to die, once
}

// reads counts what is asked of the ledger.
type reads struct {
	*chain.TwinMember
	mu    sync.Mutex
	count int
}

func (r *reads) Read(ctx context.Context, key string) ([]byte, error) {
	r.mu.Lock()
	r.count++
	r.mu.Unlock()
	return r.TwinMember.Read(ctx, key)
}

func newWorld(t testing.TB, price croft.Price) *world {
	w := &world{t: t, genesis: croft.Genesis{Version: 1, Name: "test", Time: time.Now().Unix()}, engine: new(engine)}
	for _, name := range []string{"Ada", "Ben", "Cleo"} {
		p := w.person(name)
		var pub [3]croft.PublicKey
		for i := range pub {
			pub[i] = croft.PublicKey(p.keys[i].Public().(ed25519.PublicKey))
		}
		w.genesis.Members = append(w.genesis.Members, croft.Member{ID: p.id, Name: name, Key: pub[0], Node: pub[1], Validator: pub[2], Ready: true})
	}
	var err error
	if w.twin, err = chain.NewTwin(w.genesis); err != nil {
		t.Fatal(err)
	}
	w.provider, w.caller = w.people[0], w.people[1]
	for _, p := range w.people {
		p.TwinMember = w.twin.Member()
		p.start()
	}
	for i, p := range w.people[:2] { // two of three decide
		p.send(&ledger.Vote{Action: ledger.Mint, Sequence: 1, Issue: &ledger.Issue{Number: 1, Account: w.caller.id, Amount: 1000 * croft.Credit}})
		_ = i
	}
	w.service = croft.Service{Provider: w.provider.id, Name: "echo", Version: 1, Task: serve.HTTP, Price: price, Use: croft.UseNetwork, Tills: []croft.PublicKey{w.provider.public()}}
	w.provider.send(&ledger.Publish{Service: w.service})
	w.provider.market.Offer(Offering{Service: w.service, Engine: w.engine})
	return w
}

// person adds somebody who does not run yet.
func (w *world) person(name string) *person {
	p := &person{w: w, name: name, disk: new(store.Memory), log: new(memoryJournal)}
	for i := range p.keys {
		seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		p.keys[i] = ed25519.NewKeyFromSeed(seed[:])
	}
	p.id = croft.IDOf(croft.PublicKey(p.keys[0].Public().(ed25519.PublicKey)))
	w.people = append(w.people, p)
	return p
}

func (p *person) public() croft.PublicKey {
	return croft.PublicKey(p.keys[3].Public().(ed25519.PublicKey))
}

func (p *person) sign(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
	return croft.Signature(ed25519.Sign(p.keys[role-1], scope.Preimage(domain, body)))
}

func (p *person) submit(ctx context.Context, nonce uint64, body any) error {
	return p.Submit(ctx, ledger.Seal(p.w.genesis.Scope(), p.id, nonce, body, p.sign))
}

func (p *person) send(body any) croft.Hash {
	p.w.t.Helper()
	raw := ledger.Seal(p.w.genesis.Scope(), p.id, 0, body, p.sign)
	if err := p.Submit(p.w.t.Context(), raw); err != nil {
		p.w.t.Fatal(err)
	}
	return croft.Sum(raw)
}

// start runs the person's market on what its disk and journal hold.
func (p *person) start() {
	p.w.t.Helper()
	m, err := New(Config{Self: p.id, Scope: p.w.genesis.Scope(), Key: p.public(), Ledger: &p.reads, Docs: store.NewMemoryDocs(p.disk), Peers: p,
		Sign: func(scope croft.Scope, domain string, body []byte) croft.Signature {
			return croft.Signature(ed25519.Sign(p.keys[3], scope.Preimage(domain, body)))
		},
		Submit: p.submit, Log: slog.New(slog.DiscardHandler), At: p.at, MinWindow: 60},
		func(replay func([]byte) error) (Journal, error) { return p.log, p.log.replay(replay) })
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.market = m
	if p == p.w.provider && p.w.service.Name != "" {
		m.Offer(Offering{Service: p.w.service, Engine: p.w.engine})
	}
}

// at kills the person at a line: not one more instruction of this goroutine runs.
func (p *person) at(line string) {
	p.mu.Lock()
	dies := p.crash == line
	if dies {
		p.crash, p.market = "", nil
	}
	p.mu.Unlock()
	if dies {
		runtime.Goexit()
	}
}

func (p *person) up() *Market {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.market
}

var errAway = errors.New("nobody answers")

// Ask calls the other node; if that dies, nobody answers.
func (p *person) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	at := slices.IndexFunc(p.w.people, func(q *person) bool { return q.id == to })
	m := p.w.people[at].up()
	if m == nil {
		return nil, errAway
	}
	var out []byte
	err := errAway
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = m.Serve(ctx, p.id, request, part)
	}()
	<-done
	return out, err
}

// call makes a call; alive is false if the caller died of it.
func (w *world) call(body string) (done Done, alive bool, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done, err = w.caller.up().Call(w.t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte(body)}})
		alive = true
	}()
	<-ended
	return
}

// open opens a channel and lets both ends see it.
func (w *world) open(deposit croft.Credits) croft.ChannelID {
	w.t.Helper()
	tx := w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: w.caller.public(), Window: 60, Deposits: []croft.Credits{deposit}})
	w.look()
	return ledger.ChannelIDOf(tx, 0)
}

// look does both ends' duties once.
func (w *world) look() {
	w.t.Helper()
	for _, p := range w.people {
		if err := p.up().duties(w.t.Context(), time.Now(), false); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) onLedger(id croft.ChannelID) ledger.Channel {
	w.t.Helper()
	c, _, err := read[ledger.Channel](w.t.Context(), w.caller.up(), ledger.ChannelKey(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) credits(p *person) croft.Credits {
	a, _, err := read[ledger.Account](w.t.Context(), w.caller.up(), ledger.AccountKey(p.id))
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Free
}

// engine answers with what it was asked, and counts. A stream comes in halves.
type engine struct {
	mu    sync.Mutex
	calls map[string]int
	fail  error
	wait  chan struct{}
	meter croft.Meter
	begin func() // called when work begins
}

func (e *engine) Infer(ctx context.Context, r serve.Request, part func([]byte) error) (serve.Answer, error) {
	e.mu.Lock()
	if e.calls == nil {
		e.calls = map[string]int{}
	}
	e.calls[string(r.Body)]++
	fail, wait, meter := e.fail, e.wait, e.meter
	e.mu.Unlock()
	if e.begin != nil {
		e.begin()
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return serve.Answer{}, ctx.Err()
		}
	}
	if r.Stream {
		half := len(r.Body) / 2
		if err := part(r.Body[:half]); err != nil {
			return serve.Answer{}, err
		}
		if fail != nil {
			return serve.Answer{Meter: meter, Partial: fail}, nil
		}
		return serve.Answer{Meter: meter}, part(r.Body[half:])
	}
	if fail != nil {
		return serve.Answer{}, fail
	}
	return serve.Answer{Body: r.Body, Meter: meter}, nil
}

// memoryJournal is a journal of which a crash keeps what was synced, and of the rest
// as much as somebody says.
type memoryJournal struct {
	mu      sync.Mutex
	entries [][]byte
	synced  int
	syncs   int
	fail    error
}

func (j *memoryJournal) Append(e []byte) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, slices.Clone(e))
	return uint64(len(j.entries))
}

func (j *memoryJournal) Last() uint64 { return uint64(len(j.entries)) }

func (j *memoryJournal) Sync(mark uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	if int(mark) > j.synced {
		j.synced = len(j.entries)
		j.syncs++
	}
	return nil
}

func (j *memoryJournal) Size() int64 { return 0 }

func (j *memoryJournal) Roll() (func() error, error) { return func() error { return nil }, nil }

func (j *memoryJournal) replay(replay func([]byte) error) error {
	for _, e := range j.entries {
		if err := replay(e); err != nil {
			return err
		}
	}
	return nil
}

// cut forgets what was not synced, but for some entries of it.
func (j *memoryJournal) cut(rng *rand.Rand) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = j.entries[:j.synced+rng.IntN(len(j.entries)-j.synced+1)]
	j.synced = len(j.entries)
}
