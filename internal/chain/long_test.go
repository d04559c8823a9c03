//go:build long

package chain

import (
	"testing"
	"time"
)

// TestSilence: after the last transaction one proof block, then nothing for 20
// seconds; the next block is stamped with the time before them, and the one after
// it with the present, to 2 seconds (protocol §2).
func TestSilence(t *testing.T) {
	n := newNetwork(t, 4)
	n.start(0, 1, 2, 3)
	n.settle()
	n.submit(0, "last")
	before := time.Now()
	n.settle()
	height := n.nodes[0].Status().Height
	time.Sleep(20 * time.Second)
	if got := n.nodes[0].Status().Height; got != height {
		t.Fatalf("%d blocks without a reason", got-height)
	}
	n.submit(0, "next")
	now := time.Now()
	n.settle()
	if got := n.nodes[0].Status().Height; got != height+2 {
		t.Errorf("%d blocks, want one and its proof block", got-height)
	}
	for i, want := range []time.Time{before, now} {
		block, _, err := must(n.nodes[0].Block(height + 1 + int64(i))).Open()
		if off := block.Time - want.UnixMilli(); err != nil || off < -2000 || off > 2000 {
			t.Errorf("block %d is %d ms off: %v", block.Height, off, err)
		}
	}
}

// TestManyBlocks: old states are pruned and a node goes on, restarts and proves.
func TestManyBlocks(t *testing.T) {
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
	replay(t, n.world, n.nodes[0], n.nodes[0].Status().Height, NewVerifier)
}
