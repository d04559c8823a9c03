package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"croft"
)

// A mempool that is full refuses at once: the node asks again after a while, and hands
// the transaction to others as often, and no more.
func TestInsist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*patience-1)
		defer cancel()
		asked, handed := 0, 0
		err := insist(ctx, func(context.Context) error {
			if asked++; asked > 100 {
				t.Fatal("it does not wait")
			}
			return croft.E(croft.ErrNoQuorum, "the mempool is full")
		}, func() { handed++ })
		if croft.CodeOf(err) != croft.ErrNoQuorum || asked != 10 || handed != 9 {
			t.Errorf("asked %d times, handed over %d times: %v", asked, handed, err)
		}
		asked = 0
		if err := insist(t.Context(), func(context.Context) error { asked++; return nil }, nil); err != nil || asked != 1 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}

// A machine that slept, or whose clock was set, has looked away for long by the clock
// on the wall; one that is busy has not.
func TestWakefulness(t *testing.T) {
	var w wakefulness
	at := time.Unix(1e9, 0)
	for i, c := range []struct {
		gap   time.Duration
		slept bool
	}{{0, false}, {time.Second, false}, {longestLook, false}, {longestLook + 1, true}, {time.Second, false}, {8 * time.Hour, true}, {-time.Second, false}, {-time.Hour, true}} {
		at = at.Add(c.gap)
		if w.slept(at) != c.slept {
			t.Errorf("%d: after %s: slept %v", i, c.gap, !c.slept)
		}
	}
}
