//go:build long

package bench

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"
)

// The demo's study and the hospitals', over five real nodes, with proofs and without:
// the same result, bit by bit. It prints what proofs cost.
func TestProofsChangeNoCoefficient(t *testing.T) {
	heart, err := heartCast(heartDir(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]cast{"demo": {clinicsOf(1), "lesions", studyTOML}, "heart": heart} {
		var results []string
		for _, unproved := range []bool{true, false} {
			var begun, ended time.Time
			var bytes, largest atomic.Int64
			_, over, err := perform(context.Background(), DemoConfig{Dir: t.TempDir(), Seed: 1, Unproved: unproved, Log: slog.New(slog.DiscardHandler), Progress: func(s DemoStep) {
				switch {
				case s.Stage == "propose":
					begun = time.Now()
				case s.Stage == "audit":
					ended = time.Now()
				case s.Event.Word == "report":
					n := int64(s.Event.Bytes)
					bytes.Add(n)
					for old := largest.Load(); n > old && !largest.CompareAndSwap(old, n); old = largest.Load() {
					}
				}
			}}, k)
			if err != nil {
				t.Fatal(err)
			}
			result, err := over.compiled.Result(over.final)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, fmt.Sprint(result.Terms, result.Cov, result.Mean, result.Loglik)) // the sites stand in another order in each network
			t.Logf("%s, unproved %v: %.1f s from the proposal to the model, %d bytes of reports, the largest %d", name, unproved, ended.Sub(begun).Seconds(), bytes.Load(), largest.Load())
		}
		for _, r := range results[1:] {
			if r != results[0] {
				t.Errorf("%s: proofs change the result from\n%s to\n%s", name, results[0], r)
			}
		}
	}
}
