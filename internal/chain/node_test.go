package chain

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	comet25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"croft"
)

// TestRestart: a node that is closed lets go of everything, five times over.
func TestRestart(t *testing.T) {
	n := newNetwork(t, 1)
	goroutines := func() int {
		for range 100 { // CometBFT's goroutines notice the end within a few sleeps
			runtime.Gosched()
			if comet := cometGoroutines(); comet == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		return cometGoroutines()
	}
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
		if left := goroutines(); left > 0 {
			var dump bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&dump, 1)
			t.Fatalf("restart %d leaves %d goroutines:\n%s", i, left, dump.String())
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

func cometGoroutines() int {
	var dump bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&dump, 2)
	count := 0
	for stack := range strings.SplitSeq(dump.String(), "\n\n") {
		if strings.Contains(stack, "cometbft/libs/autofile.OpenAutoFile") {
			continue // see Close
		}
		if strings.Contains(stack, "cometbft") || strings.Contains(stack, "goleveldb") {
			count++
		}
	}
	return count
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
	dir := filepath.Join(n.dir, "0")
	n.start(0)
	n.submit(0, "a")
	config := Config{Dir: dir, Genesis: n.genesis, ValidatorKey: n.keys[n.genesis.Members[0].ID][croft.RoleValidator-1], Timing: LAN}
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
	config.Listen = busy.Addr().String()
	refused("port in use", croft.ErrPortUsed)
	config.Listen = ""

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

	n.start(0) // none of that did harm
	n.submit(0, "b")

	config.Dir = record
	refused("a file for a folder", croft.ErrFolder)
}

// TestAdmit: only members' nodes become peers.
func TestAdmit(t *testing.T) {
	n := newNetwork(t, 2)
	asked := make(chan string, 100)
	n.admit = func(id string) bool { asked <- id; return false }
	n.start(0)
	n.admit = nil
	n.start(1)
	id := n.nodes[1].NodeID()
	for range 2 { // the second question comes after the first was answered and obeyed
		select {
		case got := <-asked:
			if got != id {
				t.Errorf("asked for %s, want %s", got, id)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("not asked again: the peer was let in")
		}
	}
	if peers := n.nodes[0].Status().Peers; peers != 0 {
		t.Errorf("%d peers", peers)
	}
}

func TestConnect(t *testing.T) {
	n := newNetwork(t, 2)
	n.start(0, 1)
	n.settle()
	for _, bad := range [][2]string{{"", n.nodes[1].P2PAddr()}, {n.nodes[1].NodeID(), "nowhere"}, {"xyz", "127.0.0.1:1"}} {
		if err := n.nodes[0].Connect(bad[0], bad[1]); !errors.Is(err, croft.ErrPeer) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	from, to := n.nodes[0], n.nodes[1]
	if to.NodeID() < from.NodeID() {
		from, to = to, from
	}
	from.Disconnect(to.NodeID())
	if peers := from.Status().Peers; peers != 0 {
		t.Errorf("%d peers after Disconnect", peers)
	}
	if err := from.Connect(to.NodeID(), "127.0.0.1:1"); err != nil { // nobody there
		t.Error(err)
	}
	if err := from.Connect(to.NodeID(), to.P2PAddr()); err != nil { // moved
		t.Error(err)
	}
	n.settle()
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
	dbs := &databases{t.TempDir(), map[string]*database{}}
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
