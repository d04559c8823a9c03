package node

import (
	"testing"
	"time"
)

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
