package chain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	comet25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"croft"
)

// TestRestart: a node that is closed lets go of everything, five times over.
func TestRestart(t *testing.T) {
	n := newNetwork(t, 1)
	left := watchGoroutines(t)
	var last Status
	for i := range 5 {
		n.start(0)
		if s := n.nodes[0].Status(); i > 0 && (s.Height != last.Height || s.AppHash != last.AppHash) {
			t.Fatalf("restart %d: %+v, before %+v", i, s, last)
		}
		n.submit(0, string(rune('a'+i)))
		n.settle()
		last = n.nodes[0].Status()
		node := n.nodes[0]
		n.stop(0)
		if err := node.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
		if i < 4 {
			continue
		}
		if stacks := left(0); len(stacks) > 0 {
			t.Fatalf("five starts leave goroutines:\n%s", strings.Join(stacks, "\n\n"))
		}
		tx, _ := n.dataset(0, "after the end")
		if err := node.Submit(t.Context(), tx); !errors.Is(err, croft.ErrNodeDown) {
			t.Errorf("submit to a closed node: %v", err)
		}
		if _, err := node.Read(t.Context(), "network"); !errors.Is(err, croft.ErrNodeDown) {
			t.Errorf("read from a closed node: %v", err)
		}
		if s := node.Status(); s.Height != 0 {
			t.Errorf("status of a closed node: %+v", s)
		}
	}
	if _, err := os.Stat(filepath.Join(n.dir, "0", "tx_index.db")); err == nil {
		t.Error("CometBFT opened its transaction index")
	}
}

// watchGoroutines returns a function that says what still runs of all that was
// started since, here or by what was started here, and not by other tests:
// goroutines inherit the labels of their maker. It gives CometBFT's goroutines a
// while to notice the end, until at most so many stacks are left.
func watchGoroutines(t *testing.T) (left func(enough int) []string) {
	before := t.Context()
	pprof.SetGoroutineLabels(pprof.WithLabels(before, pprof.Labels("watched", t.Name())))
	t.Cleanup(func() { pprof.SetGoroutineLabels(before) })
	running := func() (stacks []string) {
		var dump bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&dump, 1)
		for stack := range strings.SplitSeq(dump.String(), "\n\n") {
			if strings.Contains(stack, fmt.Sprintf("%q:%q", "watched", t.Name())) && !strings.Contains(stack, "testing.tRunner") &&
				!strings.Contains(stack, "os/signal.loop") && !strings.Contains(stack, "cometbft/libs/autofile.") { // see Close
				stacks = append(stacks, stack)
			}
		}
		return stacks
	}
	return func(enough int) (stacks []string) {
		for range 2000 { // a loaded machine takes its time
			if stacks = running(); len(stacks) <= enough {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		return stacks
	}
}

// TestFailure: when consensus dies, whoever runs the node and whoever waits for a
// block get to know.
func TestFailure(t *testing.T) {
	n := newNetwork(t, 1)
	n.start(0)
	n.settle()
	if err := n.nodes[0].dbs.open["ledger"].Close(); err != nil { // as if the disk had gone
		t.Fatal(err)
	}
	tx, _ := n.dataset(0, "lost")
	if err := n.nodes[0].Submit(t.Context(), tx); !errors.Is(err, croft.ErrNodeDown) {
		t.Errorf("submit: %v", err)
	}
	if err := <-n.nodes[0].Failed(); !strings.Contains(err.Error(), errClosed.Error()) {
		t.Errorf("failed: %v", err)
	}
	n.stop(0)

	n.start(0) // and nothing is broken
	if err := n.nodes[0].Submit(t.Context(), tx); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	n := newNetwork(t, 1)
	left := watchGoroutines(t)
	dir := filepath.Join(n.dir, "0")
	n.start(0)
	n.submit(0, "a")
	config := Config{Dir: dir, Genesis: n.genesis, NodeKey: n.key(0, croft.RoleNode), ValidatorKey: n.key(0, croft.RoleValidator), Timing: LAN}
	refused := func(what string, code croft.Code) {
		t.Helper()
		node, err := Open(config)
		if err == nil {
			node.Close()
		}
		if !errors.Is(err, code) {
			t.Errorf("%s: got %v, want %v", what, err, code)
		}
	}
	refused("folder in use", croft.ErrStoreCorrupt)
	n.stop(0)

	busy := must(net.Listen("tcp", "127.0.0.1:0"))
	defer busy.Close()
	if _, err := open(config, busy.Addr().String()); !errors.Is(err, croft.ErrPortUsed) {
		t.Errorf("port in use: %v", err)
	}

	record := filepath.Join(dir, "signed.json")
	raw := must(os.ReadFile(record))
	if err := os.WriteFile(record, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	refused("signing record damaged", croft.ErrStoreCorrupt)
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	refused("signing record lost", croft.ErrStoreCorrupt)
	if err := os.WriteFile(record, raw, 0o600); err != nil {
		t.Fatal(err)
	}

	config.Genesis.Name = "another"
	refused("another network's folder", croft.ErrFolder)
	config.Genesis = n.genesis
	config.Genesis.Time = time.Now().Add(time.Hour).Unix()
	refused("a clock that is behind", croft.ErrClock)
	config.Genesis = n.genesis

	n.start(0) // none of that did harm
	n.submit(0, "b")

	config.Dir = record
	refused("a file for a folder", croft.ErrFolder)
	config.Dir = dir

	n.stop(0)
	if stacks := left(0); len(stacks) > 0 {
		t.Errorf("refusals leave goroutines:\n%s", strings.Join(stacks, "\n\n"))
	}

	// CometBFT may forget one idle goroutine that it started just before this refusal.
	wal := filepath.Join(dir, "wal")
	if err := errors.Join(os.RemoveAll(wal), os.WriteFile(wal, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	refused("a file for the folder of the log of votes", croft.ErrStoreCorrupt)
}

// TestAdmit: only members' nodes become peers, each in its own place.
func TestAdmit(t *testing.T) {
	n := newNetwork(t, 3)
	asked := make(chan struct{}, 100)
	var admitted atomic.Pointer[[]croft.PublicKey]
	admitted.Store(&[]croft.PublicKey{n.genesis.Members[2].Node})
	n.admit = func() []croft.PublicKey { asked <- struct{}{}; return *admitted.Load() }
	n.start(0)
	n.admit = nil
	n.start(1)
	for range 2 { // the second question comes after the first was answered and obeyed
		select {
		case <-asked:
		case <-time.After(5 * time.Minute):
			t.Fatal("not asked again: the peer was let in")
		}
	}
	if peers := n.nodes[0].Status().Peers; peers != 0 {
		t.Errorf("%d peers", peers)
	}
	admitted.Store(&[]croft.PublicKey{n.genesis.Members[1].Node})
	n.settle() // now it is let in
}

// TestImpostor: one who leads connections for itself to another's node, or for
// another to itself, gets neither; the other's own link is as it was.
func TestImpostor(t *testing.T) {
	n := newNetwork(t, 3)
	honest, liar := n.genesis.Members[1].Node, n.genesis.Members[2].Node
	for i := range n.nodes {
		n.open(i)
	}
	dialled := make(chan string, 100)
	peers := func() (ids []string) {
		n.nodes[0].comet.Switch().Peers().ForEach(func(p p2p.Peer) { ids = append(ids, string(p.ID())) })
		return ids
	}
	if err := n.nodes[0].Connect(liar, relay(t, n.nodes[1].P2PAddr(), dialled)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each attempt ends before the next one dials
		<-dialled
	}
	if ids := peers(); len(ids) > 0 {
		t.Errorf("the liar was taken for the honest one: %v", ids)
	}
	if err := n.nodes[0].Connect(honest, n.nodes[1].P2PAddr()); err != nil {
		t.Fatal(err)
	}
	for len(peers()) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for range 2 {
		<-dialled
	}
	if ids := peers(); !slices.Equal(ids, []string{string(nodeID(honest))}) {
		t.Errorf("the honest one's link did not survive the liar: %v", ids)
	}
}

// relay passes connections on to addr and says so, as a liar's tunnel may.
func relay(t *testing.T, addr string, dialled chan<- string) string {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			dialled <- addr
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				return
			}
			go func() { io.Copy(in, out); in.Close() }()
			go func() { io.Copy(out, in); out.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestConnect(t *testing.T) {
	n := newNetwork(t, 2)
	n.start(0, 1)
	n.settle()
	from, to, peer := n.nodes[0], n.nodes[1], n.genesis.Members[1].Node
	for _, bad := range []string{"", "nowhere", "127.0.0.1"} {
		if err := from.Connect(peer, bad); !errors.Is(err, croft.ErrPeer) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	from.Disconnect(peer)
	if peers := from.Status().Peers; peers != 0 {
		t.Errorf("%d peers after Disconnect", peers)
	}
	if err := from.Connect(peer, "127.0.0.1:1"); err != nil { // nobody there
		t.Error(err)
	}
	if err := from.Connect(peer, to.P2PAddr()); err != nil { // moved
		t.Error(err)
	}
	n.settle()
}

// TestStopped: the disk of a node that was stopped says what the node said, and
// reading it changes nothing.
func TestStopped(t *testing.T) {
	n := newNetwork(t, 1)
	dir := filepath.Join(n.dir, "0")
	if _, err := OpenStopped(dir, n.genesis, nil); !errors.Is(err, croft.ErrNoQuorum) {
		t.Errorf("a node that never ran: %v", err)
	}
	n.start(0)
	n.submit(0, "a")
	n.settle()
	want := n.nodes[0].Status()
	want.Peers, want.CatchingUp = 0, false
	if _, err := OpenStopped(dir, n.genesis, nil); !errors.Is(err, croft.ErrStoreCorrupt) {
		t.Errorf("a node that runs: %v", err)
	}
	n.stop(0)
	before := files(t, dir)

	s := must(OpenStopped(dir, n.genesis, nil))
	if got := s.Status(); !reflect.DeepEqual(got, want) {
		t.Errorf("status %+v, want %+v", got, want)
	}
	if hash, err := replay(n.world, s, want.Height, NewVerifier); err != nil || hash != want.AppHash {
		t.Errorf("its blocks give %s (%v), want %s", hash, err, want.AppHash)
	}
	_, key := n.dataset(0, "a")
	if p, err := s.Get(t.Context(), key); err != nil || p.Verify() != nil || p.Value == nil || p.Root != want.AppHash {
		t.Errorf("%v %+v", err, p)
	}
	values := 0
	if err := s.Range("", func(string, []byte) { values++ }); err != nil || values == 0 {
		t.Errorf("%d values: %v", values, err)
	}
	if err := s.dbs.open["ledger"].Set([]byte("k"), nil); err == nil {
		t.Error("it can be written to")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if after := files(t, dir); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	n.start(0) // and the node goes on
	n.submit(0, "b")
}

// files returns the hash of each file below dir.
func files(t *testing.T, dir string) map[string]croft.Hash {
	hashes := map[string]croft.Hash{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			hashes[path] = croft.Sum(must(os.ReadFile(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

func TestCheckDisk(t *testing.T) {
	if err := CheckDisk(t.TempDir()); err != nil {
		t.Skip(err)
	}
	if err := CheckDisk(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, croft.ErrFolder) {
		t.Error(err)
	}
}

// TestClosedDatabase: CometBFT's readers outlive it and must not notice.
func TestClosedDatabase(t *testing.T) {
	dbs := &databases{dir: t.TempDir(), open: map[string]*database{}}
	db := must(dbs.get("x"))
	if err := db.Set([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), dbs.close()); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get([]byte("k")); v != nil || err != nil {
		t.Errorf("get: %v %v", v, err)
	}
	if ok, err := db.Has([]byte("k")); ok || err != nil {
		t.Errorf("has: %v %v", ok, err)
	}
	for name, err := range map[string]error{"set": db.SetSync([]byte("k"), nil), "delete": db.Delete([]byte("k"))} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLostRecord: a new folder with an old key does not sign right away.
func TestLostRecord(t *testing.T) {
	w := newWorld(1)
	key := comet25519.PrivKey(w.keys[w.genesis.Members[0].ID][croft.RoleValidator-1])
	open := func() *signer { return must(openSigner(t.TempDir(), key)) }
	vote := func(s *signer, height int64) error {
		return s.SignVote("chain", &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: height})
	}
	signed := &types.Commit{Signatures: []types.CommitSig{{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: key.PubKey().Address()}}}
	without := &types.Commit{Signatures: []types.CommitSig{{BlockIDFlag: types.BlockIDFlagAbsent}}}

	s := open()
	s.blocks = commits{}
	if err := vote(s, 1); err != nil {
		t.Errorf("a new network's first vote: %v", err)
	}
	s.blocks = commits{signed}
	if err := vote(s, 2); err != nil {
		t.Errorf("its second, with its own signature in the block before: %v", err)
	}
	s = open()
	s.blocks = commits{without, signed, without}
	if err := vote(s, 4); err == nil {
		t.Error("it signed with a lost record")
	}
	s.blocks = append(commits{signed}, slices.Repeat(commits{without}, doubtBlocks)...)
	if err := vote(s, doubtBlocks+2); err != nil {
		t.Errorf("enough blocks were made without it: %v", err)
	}
	late := errors.New("the clock is wrong")
	s.may = func() error { return late }
	if err := vote(s, doubtBlocks+3); err != late {
		t.Errorf("its owner does not want it to sign: %v", err)
	}
	if err := s.SignProposal("chain", &cmtproto.Proposal{Height: doubtBlocks + 3}); err != late {
		t.Errorf("nor to propose: %v", err)
	}
}

// commits are the commits of the blocks 1, 2, 3, …
type commits []*types.Commit

func (c commits) Height() int64                         { return int64(len(c)) }
func (c commits) LoadSeenCommit(h int64) *types.Commit  { return c[h-1] }
func (c commits) LoadBlockCommit(h int64) *types.Commit { return nil }

// TestDamagedBlocks: a flipped byte anywhere in the stored blocks is an error of
// Block or is found by the verifier, by its height.
func TestDamagedBlocks(t *testing.T) {
	n := newNetwork(t, 1)
	n.start(0)
	n.submit(0, "a")
	n.settle()
	node := n.nodes[0]
	height := node.Status().Height
	blocks := node.dbs.open["blockstore"]
	all := map[string][]byte{}
	it := must(blocks.Iterator(nil, nil))
	for ; it.Valid(); it.Next() {
		all[string(it.Key())] = bytes.Clone(it.Value())
	}
	it.Close()
	found := 0
	for key, value := range all {
		kind, at, _ := strings.Cut(key, ":")
		if kind == "BH" || key == "C:0" || kind == "SC" && !strings.HasPrefix(at, fmt.Sprint(height)) || !strings.Contains("P H C SC", kind) {
			continue // an index by hash; the empty commit before block 1; a commit that the next block has too; the store's own height
		}
		for i := range value {
			bad := bytes.Clone(value)
			bad[i] ^= 1 << (i % 8)
			if err := blocks.Set([]byte(key), bad); err != nil {
				t.Fatal(err)
			}
			if _, err := replay(n.world, node, height, NewVerifier); err == nil {
				t.Errorf("%s: byte %d of %d", key, i, len(value))
			}
			found++
		}
		if err := blocks.Set([]byte(key), value); err != nil {
			t.Fatal(err)
		}
	}
	n.stop(0) // CometBFT keeps what it decoded
	n.start(0)
	if _, err := replay(n.world, n.nodes[0], height, NewVerifier); err != nil || found == 0 {
		t.Errorf("%d flips; afterwards %v", found, err)
	}
}
