package chain

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

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
		if got := <-asked; got != id {
			t.Errorf("asked for %s, want %s", got, id)
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
