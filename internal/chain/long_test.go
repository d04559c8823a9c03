//go:build long

package chain

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"croft"
)

// TestSilence: after the last transaction one proof block, then nothing for 20
// seconds; the next block is stamped with the time before them, and the one after
// it with the present (protocol §2).
func TestSilence(t *testing.T) {
	t.Parallel() // it sleeps
	n := newNetwork(t, 4)
	n.start(0, 1, 2, 3)
	n.settle()
	begun := time.Now()
	n.submit(0, "last")
	n.settle()
	silent := time.Now()
	height := n.nodes[0].Status().Height
	time.Sleep(20 * time.Second)
	if got := n.nodes[0].Status().Height; got != height {
		t.Fatalf("%d blocks without a reason", got-height)
	}
	woken := time.Now()
	n.submit(0, "next")
	n.settle()
	if got := n.nodes[0].Status().Height; got != height+2 {
		t.Errorf("%d blocks, want one and its proof block", got-height)
	}
	for i, between := range [][2]time.Time{{begun, silent}, {woken, time.Now()}} {
		block, _, err := must(n.nodes[0].Block(height + 1 + int64(i))).Open()
		if err != nil || block.Time < between[0].UnixMilli() || block.Time > between[1].UnixMilli() {
			t.Errorf("block %d is of %d, not between %d and %d: %v", block.Height, block.Time, between[0].UnixMilli(), between[1].UnixMilli(), err)
		}
	}
}

// TestManyBlocks: old states are pruned and a node goes on, restarts and proves.
func TestManyBlocks(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 1)
	n.start(0)
	n.settle()
	for i := range 2 * keepVersions {
		n.submit(0, string(rune('a'+i)))
	}
	n.settle()
	n.stop(0)
	n.start(0)
	n.submit(0, "after")
	tx, key := n.dataset(0, "a")
	if err := n.nodes[0].Submit(t.Context(), tx); err != nil {
		t.Error(err)
	}
	if p, err := n.nodes[0].Get(t.Context(), key); err != nil || p.Verify() != nil || p.Value == nil {
		t.Errorf("%v %v", err, p.Verify())
	}
	if _, err := replay(n.world, n.nodes[0], n.nodes[0].Status().Height, NewVerifier); err != nil {
		t.Error(err)
	}
}

// TestDamagedFiles: a flipped byte in any file of a closed node ends in an error
// with a name or in a node that works, never in a crash.
func TestDamagedFiles(t *testing.T) {
	n := newNetwork(t, 1)
	n.start(0)
	n.submit(0, "a")
	n.submit(0, "b")
	n.settle()
	n.stop(0)
	good := filepath.Join(n.dir, "good")
	if err := os.CopyFS(good, os.DirFS(filepath.Join(n.dir, "0"))); err != nil {
		t.Fatal(err)
	}
	var files []string
	_ = fs.WalkDir(os.DirFS(good), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && must(d.Info()).Size() > 0 {
			files = append(files, path)
		}
		return err
	})
	left := watchGoroutines(t)
	seed := time.Now().UnixNano()
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	t.Logf("seed %d, %d files", seed, len(files))
	outcome := map[string]int{}
	for i := range 80 {
		dir := filepath.Join(n.dir, fmt.Sprint("flip ", i))
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, files[i%len(files)])
		raw := must(os.ReadFile(path))
		at := rng.IntN(len(raw))
		raw[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		node, err := Open(Config{Dir: dir, Genesis: n.genesis, NodeKey: n.key(0, croft.RoleNode), ValidatorKey: n.key(0, croft.RoleValidator), Timing: LAN})
		if err != nil {
			if croft.CodeOf(err) == croft.ErrInternal {
				t.Errorf("%s, byte %d: an error without a name: %v", files[i%len(files)], at, err)
			}
			outcome["refused"]++
			continue
		}
		outcome["opened"]++
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Log(outcome)
	// What CometBFT's NewNode had started when it found the damage is out of reach:
	// the bus of its events and who waits for the application's end, two idle
	// goroutines for each Open that fails so. A process that meets it ends.
	for _, stack := range left(2) {
		if !strings.Contains(stack, "pubsub.(*Server).loop") && !strings.Contains(stack, "proxy.(*multiAppConn).killTMOnClientError") {
			t.Errorf("refusals leave goroutines:\n%s", stack)
		}
	}
}
