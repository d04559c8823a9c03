//go:build long

package bench

import (
	"log/slog"
	"testing"
)

// The third arm is a network with its ledger, its proofs and its sealed reports: it
// gives the central arm's coefficients and predictions.
func TestCompareHeart(t *testing.T) {
	r, err := CompareHeart(t.Context(), ArmsOptions{Dir: heartDir(t), Network: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	central, exact := r.Arms[0], r.Arms[2]
	if r.Difference > 1e-6 || exact.Breach >= central.Breach || exact.Bytes == 0 || exact.Wire < exact.Bytes || exact.Seconds == 0 {
		t.Errorf("differs by %g SE; central %+v, federated %+v", r.Difference, central, exact)
	}
	for i, s := range exact.Sites {
		if d := s.LogLoss.Value - central.Sites[i].LogLoss.Value; d > 1e-3 || d < -1e-3 {
			t.Errorf("%s: log-loss %g, central %g", s.Name, s.LogLoss.Value, central.Sites[i].LogLoss.Value)
		}
	}
}
