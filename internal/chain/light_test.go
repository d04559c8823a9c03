package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	comet25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// wires carries a light node's questions to the nodes of a network in this process.
// lies[i] may change what node i answers or tells.
type wires struct {
	*network
	mu   sync.Mutex
	away map[int]bool
	lies map[int]*lie
}

// lie is what a node does to its answers; nil fields leave them as they are.
type lie struct {
	answer func(q question, reply []byte, err error) ([]byte, error)
	tell   func(height int64) int64
}

func (w *wires) lie(i int, l *lie) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lies = map[int]*lie{i: l}
}

// alone has all nodes but one be away, or nobody.
func (w *wires) alone(i int, alone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for o := range w.nodes {
		w.away[o] = alone && o != i
	}
}

func (w *wires) at(m croft.Member) (node *Node, l lie) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.genesis.Members, func(o croft.Member) bool { return o.ID == m.ID })
	if w.lies[i] != nil {
		l = *w.lies[i]
	}
	if !w.away[i] {
		node = w.nodes[i]
	}
	return node, l
}

func (w *wires) Full() (out []croft.Member) {
	for _, m := range w.genesis.Members {
		if node, _ := w.at(m); node != nil {
			out = append(out, m)
		}
	}
	return out
}

func (w *wires) Ask(ctx context.Context, to croft.Member, raw []byte, most int) ([]byte, error) {
	var q question
	if len(raw) > MaxQuestion || croft.Decode(raw, &q) != nil {
		return nil, errors.New("not a question")
	}
	from := croft.MemberID{}
	if q.Kind == askTx {
		if tx, _, err := ledger.Parse(q.Tx); err == nil {
			from = tx.Member // the suite has one light node speak for several members
		}
	}
	node, l := w.at(to)
	if node == nil {
		return nil, croft.E(croft.ErrPeer, to.Name, "it is away")
	}
	reply, err := node.Answer(ctx, from, raw)
	if l.answer != nil {
		reply, err = l.answer(q, reply, err)
	}
	if len(reply) > most {
		return nil, croft.E(croft.ErrPeer, to.Name, "too large")
	}
	return reply, err
}

func (w *wires) Hear(ctx context.Context, to croft.Member, told func(int64)) error {
	node, _ := w.at(to)
	if node == nil {
		return croft.E(croft.ErrPeer, to.Name, "it is away")
	}
	return node.Tell(ctx, func(height int64) error {
		if _, l := w.at(to); l.tell != nil {
			height = l.tell(height)
		}
		told(height)
		return nil
	})
}

// newWires is a network whose last member is light; its own node does not run.
func newWires(t *testing.T, members int) *wires {
	w := &wires{network: newNetwork(t, members), away: map[int]bool{}}
	last := &w.genesis.Members[members-1]
	last.Ready, last.Light = false, true
	return w
}

// follow opens the light node in a folder and runs it until stop.
func (w *wires) follow(t *testing.T, dir string, log *slog.Logger) (l *Light, stop func()) {
	t.Helper()
	l, err := OpenLight(LightConfig{Dir: filepath.Join(w.dir, dir), Genesis: w.genesis, Fulls: w, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Follow(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, l.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l, stop
}

// reaches waits until the light node proves the state that the full nodes have.
func (w *wires) reaches(t *testing.T, l *Light) {
	t.Helper()
	w.settle()
	want := w.nodes[0].Status()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s := l.Status(); s.AppHash == want.AppHash && !s.CatchingUp {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the light node is at %+v, the full ones at %+v", l.Status(), want)
		}
	}
}

// TestLight: a light node is a ledger like the others; a restart goes on from its
// last header; orderers that changed are followed.
func TestLight(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 5)
	for i := range 4 {
		w.genesis.Members[i].Ready = i == 0
	}
	w.start(0, 1, 2, 3)
	w.settle()
	l, stop := w.follow(t, "light", w.log)
	w.reaches(t, l)
	suite(t, w.world, l, w.nodes[1], func() { w.reaches(t, l) })
	if t.Failed() {
		return
	}
	stop()

	for i := 1; i < 4; i++ { // the founder orders alone; from here on all four
		if err := w.nodes[i].Submit(t.Context(), w.seal(i, &ledger.Ready{})); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		w.submit(i%4, fmt.Sprint("meanwhile ", i))
	}
	l, _ = w.follow(t, "light", w.log)
	if s := l.Status(); s.Height == 0 {
		t.Error("a restart forgets the last header")
	}
	w.reaches(t, l)
	if got := len(l.Status().Orderers); got != 4 {
		t.Errorf("%d orderers, want 4", got)
	}
	if got, err := replay(w.world, l, l.Status().Height, NewVerifier); err != nil || got != l.Status().AppHash {
		t.Errorf("the blocks that it hands on give state %s, it has proved %s: %v", got, l.Status().AppHash, err)
	}
	if err := w.nodes[1].Submit(t.Context(), w.seal(4, &ledger.Ready{})); !errors.Is(err, croft.ErrTxRights) {
		t.Errorf("a light member is ready to order blocks: %v", err)
	}
}

// TestLightIsLiedTo: whatever one full member makes up, the light node has the truth
// from the others, and says whose word was not proved.
func TestLightIsLiedTo(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 5)
	w.start(0, 1, 2, 3)
	w.settle()
	const liar = 0 // the first that is asked
	name := w.genesis.Members[liar].Name
	kind := func(k uint8, f func(q question, reply []byte) ([]byte, error)) *lie {
		return &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
			if q.Kind != k || err != nil {
				return reply, err
			}
			return f(q, reply)
		}}
	}
	records := func(change func(*proved)) *lie {
		return kind(askState, func(_ question, reply []byte) ([]byte, error) {
			var batch []proved
			if err := croft.Decode(reply, &batch); err != nil {
				return nil, err
			}
			for i := range batch {
				change(&batch[i])
			}
			return croft.Encode(batch), nil
		})
	}
	headers := func(change func(*types.LightBlock)) *lie {
		return kind(askHeader, func(_ question, reply []byte) ([]byte, error) {
			lb := must(openHeader(reply))
			change(lb)
			return must(lb.ToProto()).Marshal()
		})
	}
	forge := func(lb *types.LightBlock) { lb.AppHash[0] ^= 1 }
	spoil := kind(askHeader, func(q question, reply []byte) ([]byte, error) {
		lb := must(openHeader(reply))
		for _, sig := range lb.Commit.Signatures {
			if len(sig.Signature) > 0 && q.Height == 1 { // not of one who was late
				sig.Signature[0] ^= 1
			}
		}
		return must(lb.ToProto()).Marshal()
	})
	usurp := func(lb *types.LightBlock) { resign(lb, newWorld(9).key(8, croft.RoleValidator)) }
	for i, c := range []struct {
		name  string
		lie   *lie
		why   string // said of the liar; empty: nothing can be
		alone bool   // nobody else is there until that is said
		late  bool   // the light node is there before the lie
	}{
		{name: "wrong value", lie: records(func(p *proved) {
			if len(p.Value) > 0 {
				p.Value[len(p.Value)-1] ^= 1
			}
		}), why: "does not prove"},
		{name: "wrong proof", lie: records(func(p *proved) { p.Proof[len(p.Proof)-1] ^= 1 }), why: "proof"},
		{name: "a value that nobody holds", lie: records(func(p *proved) { p.Value, p.Held = nil, true }), why: "does not prove"},
		{name: "absent", lie: records(func(p *proved) { p.Value = nil }), why: "does not prove"},
		{name: "forged first header", lie: headers(forge), why: "commit signs block", alone: true},
		{name: "first header that others signed", lie: headers(usurp), why: "orderers", alone: true},
		{name: "first header with a wrong signature", lie: spoil, why: "wrong signature", alone: true},
		{name: "forged header", lie: headers(forge), why: "commit signs block", alone: true, late: true},
		{name: "header that others signed", lie: headers(usurp), why: "next validators", alone: true, late: true},
		{name: "header as a witness", lie: headers(usurp), why: "not proved", late: true},
		{name: "stale head", lie: &lie{tell: func(int64) int64 { return 1 },
			answer: func(q question, reply []byte, err error) ([]byte, error) {
				if q.Kind == askHeader && q.Height > 1 {
					return nil, croft.E(croft.ErrNotFound, "block", q.Height, "")
				}
				return reply, err
			}}, why: "it is behind"},
		{name: "head from the future", lie: &lie{tell: func(h int64) int64 { return h + 1000 }}, why: "does not have it"},
		{name: "withheld transaction", lie: &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
			if q.Kind == askTx {
				return nil, croft.E(croft.ErrTxRights, "nobody", "made up")
			}
			return reply, err
		}}},
		{name: "made-up block of a transaction", lie: kind(askTx, func(_ question, reply []byte) ([]byte, error) {
			var p placed
			if err := croft.Decode(reply, &p); err != nil {
				return nil, err
			}
			p.Height--
			return croft.Encode(p), nil
		}), why: "is not in block", alone: true},
		{name: "made-up height of a transaction", lie: kind(askTx, func(_ question, reply []byte) ([]byte, error) {
			var p placed
			if err := croft.Decode(reply, &p); err != nil {
				return nil, err
			}
			p.Height = 0
			return croft.Encode(p), nil
		}), why: "a block that cannot be", alone: true},
		{name: "made-up result", lie: kind(askTx, func(_ question, reply []byte) ([]byte, error) {
			var p placed
			if err := croft.Decode(reply, &p); err != nil {
				return nil, err
			}
			p.Codes[0] = croft.ErrTxRights
			return croft.Encode(p), nil
		}), why: "other results", alone: true},
		{name: "a list with a hole", lie: kind(askRange, func(_ question, reply []byte) ([]byte, error) {
			var batch []proved
			if err := croft.Decode(reply, &batch); err != nil {
				return nil, err
			}
			return croft.Encode(slices.Delete(batch, 0, 1)), nil
		}), why: "not proved to be whole"},
		{name: "a list that ends early", lie: kind(askRange, func(_ question, reply []byte) ([]byte, error) {
			var batch []proved
			if err := croft.Decode(reply, &batch); err != nil {
				return nil, err
			}
			return croft.Encode(append(batch[:1], batch[len(batch)-1])), nil
		}), why: "not proved to be whole"},
		{name: "a list in pieces", lie: kind(askRange, func(_ question, reply []byte) ([]byte, error) { // no lie: it asks for the rest
			var batch []proved
			if err := croft.Decode(reply, &batch); err != nil {
				return nil, err
			}
			return croft.Encode(batch[:1]), nil
		})},
		{name: "rubbish", lie: &lie{answer: func(question, []byte, error) ([]byte, error) { return []byte{0xff}, nil }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := new(lines)
			if !c.late {
				w.lie(liar, c.lie)
				w.alone(liar, c.alone) // or an honest answer may come first
			}
			l, stop := w.follow(t, filepath.Join("light", c.name), slog.New(slog.NewTextHandler(log, nil)))
			defer stop()
			if c.late {
				w.lie(liar, nil)
				w.reaches(t, l)
				w.alone(liar, c.alone)
				w.lie(liar, c.lie)
				w.submit(1, "the lie begins "+c.name)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			tx, key := w.dataset(1, fmt.Sprint("lied to ", i))
			submitted := make(chan error, 1)
			go func() { submitted <- l.Submit(ctx, tx) }()
			if c.alone {
				log.await(t, c.why)
				w.alone(liar, false)
			}
			if err := <-submitted; err != nil {
				t.Fatal(err)
			}
			if value, err := l.Read(ctx, key); err != nil || value == nil {
				t.Errorf("after Submit its record is read as %v, %v", value, err)
			}
			if value, err := l.Read(ctx, ledger.DatasetKey(croft.DatasetID{byte(i + 1)})); err != nil || value != nil {
				t.Errorf("an absent record is read as %v, %v", value, err)
			}
			sets := 0
			if err := l.Range("dataset/", func(at string, _ []byte) {
				if sets++; at == key {
					key = ""
				}
			}); err != nil || key != "" {
				t.Errorf("a list of %d records lacks %s: %v", sets, key, err)
			}
			if c.why != "" {
				log.await(t, c.why)
				if !strings.Contains(log.String(), fmt.Sprintf("member=%q", name)) {
					t.Errorf("the liar is not named:\n%s", log)
				}
			}
		})
	}
}

// TestLightBlamesWhoTold: a member that says where a transaction is answers for what it
// says, and not for a later block that another one makes up.
func TestLightBlamesWhoTold(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 4)
	w.start(0, 1, 2)
	w.settle()
	l, err := OpenLight(LightConfig{Dir: filepath.Join(w.dir, "light"), Genesis: w.genesis, Fulls: w})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	liar, honest := w.genesis.Members[0], w.genesis.Members[1]
	tx, _ := w.dataset(1, "placed")
	var p placed
	if err := w.nodes[1].Submit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ask(t.Context(), honest, question{Kind: askTx, Tx: tx}, &p); err != nil {
		t.Fatal(err)
	}
	p.Newest = p.Height // as if the next block were not there yet
	yet := &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
		if q.Kind == askHeader && q.Height > p.Height {
			return nil, croft.E(croft.ErrNotFound, "block", q.Height, "")
		}
		return reply, err
	}}
	w.lies = map[int]*lie{0: yet, 1: yet, 2: yet}
	if err := l.advance(t.Context(), word{honest, p.Height}); err != nil {
		t.Fatal(err)
	}
	l.hear(word{honest, p.Height})
	l.hear(word{liar, p.Height + 1000})
	if err := l.holds(t.Context(), honest, tx, p); !errors.Is(err, croft.ErrNoQuorum) {
		t.Errorf("a block that is made up: %v", err)
	}
	if l.doubted(honest) || !l.doubted(liar) {
		t.Errorf("doubted: the honest one %v, the liar %v", l.doubted(honest), l.doubted(liar))
	}
	if err := l.holds(t.Context(), honest, tx, p); err != nil {
		t.Errorf("once nobody believes the liar: %v", err)
	}
}

// TestLightWithAClockThatIsBehind: a light member whose clock is an hour behind that of
// the orderers follows them as others do, and says of none that it lies.
func TestLightWithAClockThatIsBehind(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 4)
	for i := range 3 {
		w.genesis.Members[i].Ready = i == 0
	}
	w.start(0, 1, 2)
	w.submit(0, "the day")
	w.settle()
	w.lie(0, &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
		if q.Kind != askHeader || q.Height == 1 || err != nil {
			return reply, err
		}
		lb := must(openHeader(reply))
		lb.Time = lb.Time.Add(time.Hour)
		resign(lb, w.key(0, croft.RoleValidator))
		return must(lb.ToProto()).Marshal()
	}})
	w.alone(0, true)
	l, err := OpenLight(LightConfig{Dir: filepath.Join(w.dir, "light"), Genesis: w.genesis, Fulls: w})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	from := w.genesis.Members[0]
	if err := l.advance(t.Context(), word{from, w.nodes[0].Status().Height}); err != nil || l.doubted(from) {
		t.Errorf("%v, doubted: %v", err, l.doubted(from))
	}
}

// TestLightSeesAFork: the one who orders blocks signs two, and shows the light node
// one of them. It follows neither, as long as a full member knows the other, and says
// who gave which.
func TestLightSeesAFork(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 4)
	for i := range 3 {
		w.genesis.Members[i].Ready = i == 0
	}
	w.start(0, 1, 2)
	w.settle()
	log := new(lines)
	l, _ := w.follow(t, "light", slog.New(slog.NewTextHandler(log, nil)))
	w.reaches(t, l)
	before, begin := l.Status().AppHash, w.nodes[0].Status().Height // both sides have what was before
	w.lie(0, &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
		if q.Kind != askHeader || q.Height <= begin || err != nil {
			return reply, err
		}
		lb := must(openHeader(reply))
		lb.AppHash[0] ^= 1
		resign(lb, w.key(0, croft.RoleValidator))
		return must(lb.ToProto()).Marshal()
	}})
	w.submit(1, "on one side")
	log.await(t, "are signed")
	for _, m := range w.genesis.Members[:2] {
		if !strings.Contains(log.String(), fmt.Sprintf("member=%q", m.Name)) {
			t.Errorf("%s is not named:\n%s", m.Name, log)
		}
	}
	w.settle()
	if s := l.Status(); s.AppHash != before {
		t.Errorf("the light node went on to %+v", s)
	}
	w.lie(0, nil)
	w.reaches(t, l)
}

// resign replaces who may sign a header, and signs it so.
func resign(lb *types.LightBlock, key ed25519.PrivateKey) {
	private := comet25519.PrivKey(key)
	lb.ValidatorSet = types.NewValidatorSet([]*types.Validator{types.NewValidator(private.PubKey(), votingPower)})
	lb.ValidatorsHash = lb.ValidatorSet.Hash()
	commit := lb.Commit
	commit.BlockID.Hash = lb.Header.Hash()
	sig := types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: private.PubKey().Address(), Timestamp: lb.Time}
	commit.Signatures = []types.CommitSig{sig}
	commit.Signatures[0].Signature = must(private.Sign(commit.VoteSignBytes(lb.ChainID, 0)))
}

// lines is a log to wait for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(l.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q:\n%s", text, l)
		}
	}
}

// TestLightGetsNoValueTwice: in a new state a record that did not change is proved, and
// its value is not sent again; the proofs that the light node hands on are whole.
func TestLightGetsNoValueTwice(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 2)
	w.start(0)
	l, _ := w.follow(t, "light", nil)
	w.reaches(t, l)
	key := ledger.MemberKey(w.genesis.Members[0].ID)
	held := must(l.Read(t.Context(), key))
	var proofs, values atomic.Int32
	w.lie(0, &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
		var batch []proved
		if q.Kind == askState && croft.Decode(reply, &batch) == nil {
			for _, r := range batch {
				proofs.Add(1)
				if len(r.Value) > 0 || bytes.Contains(r.Proof, held) {
					values.Add(1)
				}
			}
		}
		return reply, err
	}})
	w.submit(0, "a new state")
	w.reaches(t, l)
	if proofs.Load() < 3 || values.Load() > 0 { // the network and two members
		t.Errorf("%d proofs, %d values", proofs.Load(), values.Load())
	}
	p := must(l.Get(t.Context(), key))
	if full := must(w.nodes[0].proveAt(p.Height, key)); !bytes.Equal(p.Bytes, full.Bytes) || !bytes.Equal(p.Value, held) {
		t.Error("it hands on another proof than the full node's")
	}
	w.lie(0, nil)
}

// TestLightAsksForAListOnce: in each state, that is, and a new state has a new list.
func TestLightAsksForAListOnce(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWires(t, 2)
	w.start(0)
	l, _ := w.follow(t, "light", nil)
	var asked atomic.Int32
	w.lie(0, &lie{answer: func(q question, reply []byte, err error) ([]byte, error) {
		if q.Kind == askRange {
			asked.Add(1)
		}
		return reply, err
	}})
	for n := range int32(3) {
		w.reaches(t, l)
		for range 4 {
			sets := int32(0)
			if err := l.Range("dataset/", func(string, []byte) { sets++ }); err != nil || sets != n {
				t.Fatalf("%d of %d datasets: %v", sets, n, err)
			}
		}
		if asked.Load() != n+1 {
			t.Errorf("%d states: asked %d times", n+1, asked.Load())
		}
		w.submit(0, fmt.Sprint(n))
	}
}

// TestLightInheritsOnce: a light member of a network that was rescued asks for the state
// that the chain began with, which may be long, until it has a header, and then no more.
func TestLightInheritsOnce(t *testing.T) {
	w := newWorld(3)
	old := must(ledger.New(w.genesis, ledger.NewMemoryTree()))
	old.Execute(ledger.Block{Height: 1}, nil)
	if err := old.Commit(); err != nil {
		t.Fatal(err)
	}
	var state []byte
	keep := func(piece []byte) (croft.Hash, error) {
		state = bytes.Clone(piece)
		return croft.Sum(piece), nil
	}
	pieces := must(ledger.Export(func(yield func(string, []byte)) error { return walk(old, yield) }, keep))
	asked := 0
	inherited := func(croft.Hash) ([]byte, error) {
		asked++
		return state, nil
	}
	g := must(ledger.Succeed(w.genesis, ledger.End{Height: 1, State: pieces}, inherited, []croft.MemberID{w.genesis.Members[0].ID}))
	for _, m := range g.Members {
		g = ledger.Endorse(g, m.ID, func(role croft.Role, s croft.Scope, domain string, body []byte) croft.Signature {
			return croft.Signature(ed25519.Sign(w.keys[m.ID][role-1], s.Preimage(domain, body)))
		})
	}
	config := LightConfig{Dir: t.TempDir(), Genesis: g, Inherited: inherited}
	l := must(OpenLight(config))
	block := makeBlock(l.root, l.root.LastBlockTime, nil)
	first := &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &block.Header, Commit: &types.Commit{Height: 1, BlockID: must(blockID(block))}}}
	resign(first, w.keys[g.Members[0].ID][croft.RoleValidator-1])
	if err := errors.Join(l.headers.SaveLightBlock(first), l.Close()); err != nil {
		t.Fatal(err)
	}
	asked = 0
	if l = must(OpenLight(config)); asked > 0 || l.head.Height != 1 {
		t.Errorf("asked %d times; at height %d", asked, l.head.Height)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// walk yields the records of a state, in order.
func walk(m *ledger.Machine, yield func(key string, value []byte)) error {
	return ledger.Walk("", "", m.Prove, func(_ ledger.Proof, key string, value []byte) error {
		if key != "" {
			yield(key, value)
		}
		return nil
	})
}

// FuzzLight: whatever a full member's node answers, and a light one asks, is refused
// or read, and costs no more than its size.
func FuzzLight(f *testing.F) {
	w := newWorld(1)
	tx, key := w.dataset(0, "seed")
	machine := must(ledger.New(w.genesis, ledger.NewMemoryTree()))
	head := must(genesisHead(w.genesis, machine))
	block := makeBlock(head, head.LastBlockTime, [][]byte{tx})
	lb := &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &block.Header, Commit: &types.Commit{Height: 1}}, ValidatorSet: head.Validators}
	f.Add(must(must(lb.ToProto()).Marshal()))
	proof := block.Txs.Proof(0).ToProto()
	f.Add(must(proof.Marshal()))
	f.Add(croft.Encode(question{Kind: askState, Height: 1, Keys: []string{key}}))
	f.Add(croft.Encode([]proved{{Proof: []byte{1}}, {Proof: []byte{1}, Held: true}}))
	f.Add(croft.Encode(placed{Height: 1, Proof: must(proof.Marshal()), Codes: []croft.Code{0}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if lb, err := openHeader(raw); err == nil {
			_ = lb.ValidateBasic(head.ChainID)
		}
		if proof, err := openProof(raw); err == nil {
			_ = proof.Validate(block.DataHash)
		}
		for _, form := range []any{new(question), new([]proved), new(placed)} {
			if croft.Decode(raw, form) == nil && !bytes.Equal(croft.Encode(form), raw) {
				t.Errorf("%T has two forms", form)
			}
		}
		p := ledger.Proof{Key: key, Bytes: raw}
		if check(&p) == nil {
			t.Error("a made-up proof is believed")
		}
		p.Next()
	})
}
