//go:build long

package fed

import (
	"math"
	"math/rand/v2"
	"testing"

	"croft"
)

// Three sites of 100,000 rows each: every regression finds what the rows were made
// of, within four standard errors, and the same as one site that has all rows
// would (not cox, whose risk sets are within a site).
func TestManyRows(t *testing.T) {
	const sites, each = 3, 100_000
	truth := []float64{0.8, -0.5, 0.25, 0, 0.1}
	columns := []string{"a", "b", "c", "d", "e"}
	for i, family := range []string{"logistic", "firth", "linear", "poisson", "cox"} {
		t.Run(family, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(2026, uint64(i)))
			m := croft.Model{Family: family, Goal: croft.Inference, Intercepts: croft.CommonIntercept, Label: "y", MaxRounds: 40}
			switch family {
			case "logistic", "firth":
				m.Positive = "yes"
			case "cox":
				m.Positive, m.Time, m.Intercepts = "yes", "time", croft.SiteIntercepts
			}
			dealt := make([]Site, sites)
			for s := range dealt {
				rows := &dealt[s].Train
				for range each {
					x, eta := make([]float64, len(truth)), -0.5
					for j, b := range truth {
						x[j] = 2*rng.Float64() - 1
						eta += b * x[j]
					}
					rows.X = append(rows.X, x)
					switch family {
					case "logistic", "firth":
						y := 0.0
						if rng.Float64() < 1/(1+math.Exp(-eta)) {
							y = 1
						}
						rows.Y = append(rows.Y, y)
					case "linear":
						rows.Y = append(rows.Y, min(max(eta/4+0.1*rng.NormFloat64(), -1), 1))
					case "poisson":
						n := 0.0
						for left := math.Exp(eta) + math.Log(rng.Float64()); left > 0; left += math.Log(rng.Float64()) {
							n++
						}
						rows.Y = append(rows.Y, n)
					case "cox":
						event, gone := rng.ExpFloat64()/math.Exp(eta), 3*rng.Float64()
						y := 0.0
						if event < gone {
							y = 1
						}
						rows.Y, rows.Time = append(rows.Y, y), append(rows.Time, math.Ceil(1000*min(event, gone)))
					}
				}
			}
			got := fit(t, compile(t, m, columns, false), dealt...)
			unit := 1.0
			if family == "linear" {
				unit = 0.25
			}
			for j, b := range truth {
				term := got.Terms[len(got.Terms)-len(truth)+j]
				if off := math.Abs(term.Coef-b*unit) / term.SE; off > 4 {
					t.Errorf("%s is %v ± %v, made with %v", term.Name, term.Coef, term.SE, b*unit)
				}
			}
			if family == "cox" {
				return
			}
			var one Site
			for _, s := range dealt {
				one.Train.X, one.Train.Y = append(one.Train.X, s.Train.X...), append(one.Train.Y, s.Train.Y...)
			}
			pooled, worst := fit(t, compile(t, m, columns, false), one), 0.0
			for j, term := range pooled.Terms {
				off := max(math.Abs(got.Terms[j].Coef-term.Coef), math.Abs(got.Terms[j].SE-term.SE)) / term.SE
				if worst = max(worst, off); off > 1e-7 {
					t.Errorf("%s: %g SE off", term.Name, off)
				}
			}
			t.Logf("largest difference %.1e SE, %d sums", worst, got.Rounds)
		})
	}
}
