package chain

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"croft"
	"croft/internal/ledger"
)

// network is real nodes in this process, connected over loopback.
type network struct {
	world
	t     testing.TB
	dir   string
	log   *slog.Logger
	admit func() []croft.PublicKey
	nodes []*Node // nil: not running
}

func newNetwork(t testing.TB, members int) *network {
	n := &network{world: newWorld(members), t: t, dir: t.TempDir(), nodes: make([]*Node, members)}
	if os.Getenv("CROFT_LOG") != "" {
		n.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	t.Cleanup(func() {
		for i := range n.nodes {
			n.stop(i)
		}
	})
	return n
}

// start opens nodes and connects them with those that run.
func (n *network) start(indices ...int) {
	n.t.Helper()
	for _, i := range indices {
		n.open(i)
		for j, other := range n.nodes {
			if other == nil || i == j {
				continue
			}
			if err := n.nodes[min(i, j)].Connect(n.genesis.Members[max(i, j)].Node, n.nodes[max(i, j)].P2PAddr()); err != nil {
				n.t.Fatal(err)
			}
		}
	}
}

func (n *network) open(i int) {
	n.t.Helper()
	node, err := Open(Config{
		Dir: filepath.Join(n.dir, fmt.Sprint(i)), Genesis: n.genesis,
		NodeKey: n.key(i, croft.RoleNode), ValidatorKey: n.key(i, croft.RoleValidator), Timing: LAN, Log: n.log, Admit: n.admit,
	})
	if err != nil {
		n.t.Fatalf("node %d: %v", i, err)
	}
	n.nodes[i] = node
}

func (n *network) stop(i int) {
	if n.nodes[i] != nil {
		if err := n.nodes[i].Close(); err != nil {
			n.t.Errorf("close node %d: %v", i, err)
		}
		n.nodes[i] = nil
	}
}

// settle waits until all running nodes are connected, have the same block, and
// no further one comes.
func (n *network) settle() {
	n.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for calm, last := 0, (Status{}); calm < 6; {
		time.Sleep(50 * time.Millisecond) // real consensus has no virtual clock
		var all []Status
		for _, node := range n.nodes {
			if node != nil {
				all = append(all, node.Status())
			}
		}
		same := all[0].Height > 0
		for _, s := range all {
			same = same && s.Height == all[0].Height && s.AppHash == all[0].AppHash && !s.CatchingUp && s.Peers == len(all)-1
		}
		if same && all[0].Height == last.Height {
			calm++
		} else {
			calm = 0
		}
		last = all[0]
		if time.Now().After(deadline) {
			n.t.Fatalf("the network does not settle: %+v", all)
		}
	}
}

func (n *network) submit(i int, name string) {
	n.t.Helper()
	tx, _ := n.dataset(i, name)
	if err := n.nodes[i].Submit(n.t.Context(), tx); err != nil {
		n.t.Fatal(err)
	}
}

// TestNetwork is the story of four nodes under real consensus.
func TestNetwork(t *testing.T) {
	t.Parallel() // it waits more than it works
	n := newNetwork(t, 4)
	began := time.Now()
	step := func(name string) {
		t.Logf("%-28s %v", name, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	n.start(0, 1, 2, 3)
	n.settle()
	step("start")
	suite(t, n.world, n.nodes[0], n.nodes[1], n.settle)
	if t.Failed() {
		return
	}

	began = time.Now()
	n.stop(3)
	n.submit(0, "three of four")
	n.submit(1, "three of four")
	n.submit(2, "three of four")
	step("go on with three of four")

	n.start(3)
	n.settle()
	step("catch up")
	n.submit(3, "caught up")
	n.settle()

	before := n.nodes[2].Status()
	n.stop(2)
	n.start(2)
	if s := n.nodes[2].Status(); s.Height != before.Height || s.AppHash != before.AppHash || !s.Time.Equal(before.Time) {
		t.Errorf("after a restart %+v, before %+v", s, before)
	}
	tx, _ := n.dataset(2, "three of four")
	if err := n.nodes[2].Submit(t.Context(), tx); err != nil { // long in a block: known without any other node
		t.Error(err)
	}
	n.settle()
	step("restart")

	height := n.nodes[0].Status().Height
	for i, node := range n.nodes {
		if got, err := replay(n.world, node, height, NewVerifier); err != nil || got != n.nodes[0].Status().AppHash {
			t.Errorf("node %d: the blocks give another state: %v", i, err)
		}
	}
	step("replay")
}

// TestLateMember: one member orders, a node that starts late fetches the blocks;
// it orders too once four say that they are ready.
func TestLateMember(t *testing.T) {
	t.Parallel() // it waits more than it works
	n := newNetwork(t, 4)
	for i := range n.genesis.Members {
		n.genesis.Members[i].Ready = i == 0
	}
	n.start(0)
	for i := range 12 {
		n.submit(0, fmt.Sprint("early ", i))
	}
	n.start(1, 2, 3)
	n.settle()
	if got := len(n.nodes[3].Status().Orderers); got != 1 {
		t.Fatalf("%d orderers, want 1", got)
	}
	orders := func(want bool) {
		t.Helper()
		for i, m := range n.genesis.Members {
			if got := n.nodes[3].Orders(m.Validator); got != (want || i == 0) {
				t.Errorf("member %d may sign the next block: %v", i, got)
			}
		}
	}
	orders(false)
	for i := 1; i < 4; i++ {
		if err := n.nodes[i].Submit(t.Context(), n.seal(i, &ledger.Ready{})); err != nil {
			t.Fatal(err)
		}
	}
	n.submit(3, "ordered by four")
	n.settle()
	s := n.nodes[3].Status()
	if len(s.Orderers) != 4 {
		t.Errorf("%d orderers, want 4", len(s.Orderers))
	}
	orders(true)
	if got, err := replay(n.world, n.nodes[3], s.Height, NewVerifier); err != nil || got != s.AppHash {
		t.Error("the blocks give another state:", err)
	}
}

// BenchmarkStep is one sequential step of the ledger: a transaction in a block of
// five validators, and the proof block behind it.
func BenchmarkStep(b *testing.B) {
	n := newNetwork(b, 5)
	n.start(0, 1, 2, 3, 4)
	n.settle()
	for i := 0; b.Loop(); i++ {
		n.submit(i%5, fmt.Sprint(i))
	}
}
