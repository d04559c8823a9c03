package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"croft/internal/fed"
)

// The outputs that the C++ standard gives for mt19937 (26.6.6.3.1): the first of
// the default seed is in the authors' own test, the 10000th in the standard.
func TestMersenneTwister(t *testing.T) {
	m := newMersenne(5489)
	first := m.uint32()
	for range 9998 {
		m.uint32()
	}
	if last := m.uint32(); first != 3499211612 || last != 4123659995 {
		t.Errorf("%d, …, %d", first, last)
	}
}

func TestRandomSplitKeepsTheClassesInProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 300).Draw(t, "rows")
		positive := rapid.IntRange(0, n).Draw(t, "positive")
		var rows fed.Rows
		for i := range n {
			y := 0.0
			if i < positive {
				y = 1
			}
			rows.X, rows.Y = append(rows.X, []float64{float64(i)}), append(rows.Y, y)
		}
		rng := rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)
		site := stratified(rows, rng)
		var seen []float64
		trained := 0.0
		for _, part := range []fed.Rows{site.Train, site.Test} {
			for i, x := range part.X {
				seen = append(seen, x[0])
				if part.Y[i] != rows.Y[int(x[0])] {
					t.Fatalf("row %v lost its label", x[0])
				}
			}
		}
		for _, y := range site.Train.Y {
			trained += y
		}
		slices.Sort(seen)
		if len(seen) != n || len(slices.Compact(seen)) != n {
			t.Fatalf("%d rows of %d, or some twice", len(seen), n)
		}
		if len(site.Train.Y) != int(.66*float64(n)) || math.Abs(trained-float64(len(site.Train.Y)*positive)/float64(n)) > .5 {
			t.Fatalf("%d train, %v of them positive", len(site.Train.Y), trained)
		}
	})
}

func TestLocalModelsOfAwkwardSites(t *testing.T) {
	line := fed.Rows{X: [][]float64{{-.8, .5}, {-.4, .5}, {.3, .5}, {.9, .5}}, Y: []float64{0, 0, 1, 1}}
	m, used, err := localOnly(line, 0) // separated, and the second column is constant
	if err != nil || used != separationRidge || !(m.coef[0] > 1) || m.coef[1] != 0 {
		t.Errorf("separated: %+v, λ %g, %v", m, used, err)
	}
	line.Y = []float64{0, 1, 0, 1}
	if _, used, err := localOnly(line, 0); err != nil || used != 0 {
		t.Errorf("not separated: λ %g, %v", used, err)
	}
	for name, rows := range map[string]fed.Rows{"one class": {X: line.X, Y: []float64{1, 1, 1, 1}}, "no rows": {}} {
		m, _, err := localOnly(rows, 0)
		if err != nil || m.coef != nil || m.intercept != majority(rows).intercept {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	constant := fed.Rows{X: [][]float64{{.1}, {.1}, {.1}}, Y: []float64{1, 0, 1}}
	if m, _, err := localOnly(constant, 0); err != nil || math.Abs(m.intercept-math.Ln2) > 1e-9 {
		t.Errorf("constant columns: %+v, %v", m, err)
	}
}

func TestMajorityKnowsTheBaseRateOnly(t *testing.T) {
	for _, y := range [][]float64{{1}, {0, 0, 1}, {0, 0}, {1, 1, 0, 1}} {
		rows := fed.Rows{X: make([][]float64, len(y)), Y: y}
		rate := 0.5
		for _, v := range y {
			rate += v
		}
		rate /= float64(len(y) + 1)
		got, want := majority(rows).score(rows), fed.ScoreOf(slices.Repeat([]float64{rate}, len(y)), y)
		if math.Abs(got.LogLoss().Value-want.LogLoss().Value) > 1e-9 || got.Correct != want.Correct || got.Concordant != want.Concordant {
			t.Errorf("%v: %+v, want %+v", y, got, want)
		}
	}
}

func TestMeanOfEstimates(t *testing.T) {
	one := fed.Estimate{Value: .9, Low: .7, High: .95}
	if got := meanEstimate([]fed.Estimate{one}); math.Abs(got.Low-.7)+math.Abs(got.High-.95) > 1e-12 {
		t.Errorf("of one: %+v", got)
	}
	// Symmetric intervals: the half width is that of a mean of independent values.
	got := meanEstimate([]fed.Estimate{{Value: 1, Low: 0.7, High: 1.3}, {Value: 2, Low: 1.6, High: 2.4}})
	if want := (fed.Estimate{Value: 1.5, Low: 1.25, High: 1.75}); math.Abs(got.Low-want.Low)+math.Abs(got.High-want.High) > 1e-12 || got.Value != want.Value {
		t.Errorf("of two: %+v, want %+v", got, want)
	}
}
