package study

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/store"
	"croft/internal/table"
)

// world is a network in memory under virtual time: the real flows, ledger, plans
// and private sums over the twin of consensus and files that survive a crash.
type world struct {
	t       *testing.T
	genesis croft.Genesis
	twin    *chain.Twin
	people  []*person
}

// person is one member: keys, a disk, and, while it runs, a node.
type person struct {
	w      *world
	id     croft.MemberID
	name   string
	keys   [3]ed25519.PrivateKey
	disk   *store.Memory
	docs   *store.Docs
	blob   *store.Blobs
	csv    string
	odd    func(csv string) string // what it makes of its file before it registers it; nil: nothing
	signed uint64                  // nonce of what it signs: one more makes another transaction of the same words

	mu    sync.Mutex
	node  *Node // nil while it is down
	stop  context.CancelFunc
	done  chan struct{}
	crash string // the line at which to die, once
	died  chan struct{}
	seen  []Event
	lost  map[croft.Hash]bool // blobs that do not reach this person
	hangs bool                // what it asks one member alone for is on its way for ever
	mute  bool                // gives nobody seeds
	rules *chain.TwinMember

	slow   time.Duration               // it takes so long before it judges others' proofs; it answers about them meanwhile
	twists func(answers []byte) []byte // what it does to its answers about proofs before they leave; nil: nothing
}

func newWorld(t *testing.T, names ...string) *world {
	return newWorldOf(t, func(string) bool { return true }, names...)
}

// newWorldOf is a world in which some are seats.
func newWorldOf(t *testing.T, seat func(name string) bool, names ...string) *world {
	w := &world{t: t, genesis: croft.Genesis{Version: 1, Name: "test", Time: time.Now().Unix()}}
	for _, name := range names {
		p := &person{w: w, name: name, disk: new(store.Memory)}
		var pub [3]croft.PublicKey
		for i := range p.keys {
			seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
			p.keys[i] = ed25519.NewKeyFromSeed(seed[:])
			copy(pub[i][:], p.keys[i].Public().(ed25519.PublicKey))
		}
		p.id = croft.IDOf(pub[0])
		p.docs, p.blob = store.NewMemoryDocs(p.disk), store.NewMemoryBlobs(new(store.Memory))
		w.people = append(w.people, p)
		w.genesis.Members = append(w.genesis.Members, croft.Member{ID: p.id, Name: name, Key: pub[0], Node: pub[1], Validator: pub[2], Seat: seat(name), Ready: true})
	}
	var err error
	if w.twin, err = chain.NewTwin(w.genesis); err != nil {
		t.Fatal(err)
	}
	for _, p := range w.people {
		p.rules = w.twin.Member()
		p.rules.Delay(100 * time.Millisecond) // virtual: so that a test can step in between
		p.start()
	}
	return w
}

// start runs the person's node on what its disk holds.
func (p *person) start() {
	ctx, stop := context.WithCancel(context.Background())
	registry, err := data.NewRegistry(p.docs)
	if err != nil {
		p.w.t.Fatal(err)
	}
	n := &Node{Self: p.id, Sign: p.sign, Scope: p.w.genesis.Scope(), Ledger: p.rules, Blobs: p.blob, Docs: p.docs, Peers: p, Data: registry,
		Log: slog.New(slog.DiscardHandler),
		Report: func(e Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.seen = append(p.seen, e)
		},
		At: func(line string) {
			if line == "verify" && p.slow > 0 {
				time.Sleep(p.slow) // virtual
			}
			p.mu.Lock()
			dies := p.crash != "" && p.crash == line && p.node != nil
			if dies {
				p.crash, p.node = "", nil
			}
			p.mu.Unlock()
			if dies { // the process is gone: not one more instruction of it runs
				stop()
				close(p.died)
				runtime.Goexit()
			}
			if ctx.Err() != nil {
				runtime.Goexit()
			}
		}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node, p.stop, p.done = n, stop, make(chan struct{})
	done := p.done
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			p.w.t.Errorf("%s: %v", p.name, err)
		}
	}()
}

// down stops the node and waits until it is gone.
func (p *person) down() {
	p.mu.Lock()
	p.node = nil
	stop, done := p.stop, p.done
	p.mu.Unlock()
	stop()
	<-done
}

// dieAt lets the node die at a line, once; died is closed when it has.
func (p *person) dieAt(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crash, p.died = line, make(chan struct{})
}

func (p *person) sign(role croft.Role, scope croft.Scope, domain string, body []byte) (sig croft.Signature) {
	copy(sig[:], ed25519.Sign(p.keys[role-1], scope.Preimage(domain, body)))
	return sig
}

func (p *person) running() *Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node
}

// Fetch and Call reach the others as p2p would: only while they run.
func (p *person) Fetch(ctx context.Context, hash croft.Hash, _ int, from ...croft.MemberID) ([]byte, error) {
	if p.hangs && len(from) == 1 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	lost := p.lost[hash]
	p.mu.Unlock()
	for _, other := range p.w.people {
		if has(from, other.id) && other.running() != nil && !lost {
			if blob, err := other.blob.Get(hash); err == nil {
				return blob, nil
			}
		}
	}
	return nil, croft.E(croft.ErrBlob, hash.Short())
}

func (p *person) Call(ctx context.Context, to croft.MemberID, protocol string, request []byte) ([]byte, error) {
	for _, other := range p.w.people {
		if n := other.running(); other.id == to && n != nil {
			if protocol == SeedsProtocol && other.mute {
				break
			} else if protocol == SeedsProtocol {
				return n.GiveSeeds(ctx, p.id, request)
			}
			if other.twists == nil { // who lies is quicker, so that each has heard it when it decides
				time.Sleep(time.Millisecond) // virtual
			}
			answer, err := n.GiveAnswers(ctx, p.id, request)
			if other.running() != n { // it died meanwhile: nothing leaves it any more
				break
			}
			if other.twists != nil && err == nil {
				answer = other.twists(answer)
			}
			return answer, err
		}
	}
	return nil, croft.E(croft.ErrPeer, to.Short(), "down")
}

func (p *person) tx(body any) ([]byte, croft.Hash) {
	raw := ledger.Seal(p.w.genesis.Scope(), p.id, p.signed, body, p.sign)
	return raw, croft.Sum(raw)
}

// send is a person's own transaction, through its node.
func (p *person) send(body any) (croft.Hash, error) {
	raw, id := p.tx(body)
	return id, p.running().Send(p.w.t.Context(), raw)
}

func (p *person) must(body any) croft.Hash {
	p.w.t.Helper()
	id, err := p.send(body)
	if err != nil {
		p.w.t.Fatalf("%s: %T: %v", p.name, body, err)
	}
	return id
}

// register writes a file of visits and registers it.
func (p *person) register(rows int, seed uint64, releases uint32) croft.DatasetID {
	p.w.t.Helper()
	p.csv = filepath.Join(p.w.t.TempDir(), p.name+".csv")
	rng := rand.New(rand.NewPCG(seed, 1))
	text := "patient,age,bmi,ill\n"
	for i := range rows {
		age, bmi := 20+60*rng.Float64(), 15+20*rng.Float64()
		ill := "no"
		if rng.Float64() < 1/(1+math.Exp(-(age-50)/15-(bmi-25)/6)) {
			ill = "yes"
		}
		text += fmt.Sprintf("%d-%d,%.1f,%.1f,%s\n", seed, i, age, bmi, ill)
	}
	if p.odd != nil {
		text = p.odd(text)
	}
	if err := os.WriteFile(p.csv, []byte(text), 0o600); err != nil {
		p.w.t.Fatal(err)
	}
	d, err := p.running().Data.Prepare(p.csv, "visits", data.Options{Unit: "patient", Releases: releases, Policy: table.DefaultPolicy()})
	if err != nil {
		p.w.t.Fatal(err)
	}
	raw, id := p.tx(&ledger.Register{Name: d.Name, Commitment: d.Commitment, Group: d.Group, Releases: releases})
	if err := p.running().Data.Add(croft.DatasetID(id), d); err != nil {
		p.w.t.Fatal(err)
	}
	if err := p.running().Send(p.w.t.Context(), raw); err != nil {
		p.w.t.Fatal(err)
	}
	return croft.DatasetID(id)
}

func decimal(text string) croft.Decimal { d, _ := croft.ParseDecimal(text); return d }

// plan is a study of the first sites of the world.
func (w *world) plan(sites int) croft.Study {
	s := croft.Study{Version: 1, Name: "illness", Purpose: "a test", LegalBasis: "none needed", Contact: "test", Expires: time.Now().Add(24 * time.Hour).Unix(),
		MinSites: 3, Use: croft.UseMembers, Patience: 60, Engine: croft.EngineVersion,
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "age", Kind: croft.Number, Low: decimal("20"), High: decimal("80")},
			{Name: "bmi", Kind: croft.Number, Low: decimal("15"), High: decimal("35")},
			{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}}}},
		HoldOut: croft.HoldOut{Percent: 25, Key: "k"},
		Model:   croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "ill", Positive: "yes", Features: []string{"age", "bmi"}, MaxRounds: 25}}
	for _, p := range w.people[:sites] {
		s.Sites = append(s.Sites, p.id)
	}
	sortIDs(s.Sites)
	for _, p := range w.people {
		s.Readers = append(s.Readers, p.id)
	}
	sortIDs(s.Readers)
	return s
}

// propose opens a study in which the first sites register and approve.
func (w *world) propose(s croft.Study, releases uint32) croft.StudyID {
	w.t.Helper()
	var sets []croft.DatasetID
	for i, p := range w.people[:len(s.Sites)] {
		sets = append(sets, p.register(90+20*i, uint64(i+1), releases))
	}
	id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: s}))
	for i, p := range w.people[:len(s.Sites)] {
		p.approve(id, sets[i], nil)
	}
	return id
}

func (p *person) approve(id croft.StudyID, set croft.DatasetID, change func(*croft.Approval)) {
	p.w.t.Helper()
	if err := p.tryApprove(id, set, change); err != nil {
		p.w.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *person) tryApprove(id croft.StudyID, set croft.DatasetID, change func(*croft.Approval)) error {
	st, plan, err := (&follower{Node: p.running(), id: id}).study(p.w.t.Context())
	if err != nil {
		return err
	}
	a := ApprovalOf(st, plan, set, 60, RowsAllowed(200))
	if change != nil {
		change(&a)
	}
	raw, _ := p.tx(&a)
	return p.running().Approve(p.w.t.Context(), raw)
}

// approvals returns the names of the approvals of a study that the person's node keeps.
func (p *person) approvals(id croft.StudyID) (of []string) {
	names, err := p.docs.List(ApprovalKind)
	if err != nil {
		p.w.t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, (&follower{id: id}).name()) {
			of = append(of, name)
		}
	}
	return of
}

func (w *world) study(id croft.StudyID) ledger.Study {
	w.t.Helper()
	raw, err := w.twin.Member().Read(w.t.Context(), ledger.StudyKey(id))
	if err != nil {
		w.t.Fatal(err)
	}
	st, _, err := ledger.Decode[ledger.Study](raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) round(id croft.StudyID, n uint32) ledger.Round {
	raw, _ := w.twin.Member().Read(w.t.Context(), ledger.RoundKey(id, n))
	r, _, _ := ledger.Decode[ledger.Round](raw)
	return r
}

// until waits, in virtual time, for the study to be as wanted.
func (w *world) until(id croft.StudyID, within time.Duration, want func(ledger.Study) bool) ledger.Study {
	w.t.Helper()
	deadline := time.Now().Add(within)
	for {
		st := w.study(id)
		if want(st) {
			return st
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v: %v, round %d, waits for %d, %q", within, st.Status, st.Round, len(st.Missing), st.Reason)
		}
		time.Sleep(50 * time.Millisecond) // virtual
	}
}

func ended(st ledger.Study) bool { return st.Status == ledger.Done || st.Status == ledger.Stopped }

// model waits until the person's node has published the model and returns its hash,
// without the salt that makes the ledger's another in each run.
func (p *person) model(id croft.StudyID) croft.Hash {
	p.w.t.Helper()
	for range 2000 {
		if n := p.running(); n != nil {
			_, plan, err := (&follower{Node: n, id: id}).study(p.w.t.Context())
			if err != nil {
				p.w.t.Fatal(err)
			}
			_, state, err := n.Model(p.w.t.Context(), plan, id)
			if err == nil {
				return croft.HashOf(state)
			}
			if !errors.Is(err, store.ErrAbsent) {
				p.w.t.Fatal(err)
			}
		}
		time.Sleep(50 * time.Millisecond) // virtual
	}
	p.w.t.Fatalf("%s has no model", p.name)
	return croft.Hash{}
}

// close stops everybody; a test in a bubble must leave nothing running.
func (w *world) close() {
	for _, p := range w.people {
		if p.running() != nil {
			p.down()
		}
	}
}

func (p *person) events(word string) (out []Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.seen {
		if e.Word == word {
			out = append(out, e)
		}
	}
	return out
}
