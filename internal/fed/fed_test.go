package fed

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// trace runs a plan as Run does and returns every state. On the way it checks
// that each block of each report keeps within its public bound.
func trace(p *Plan, sites ...Site) ([]State, error) {
	s := p.Start()
	states := []State{s}
	for s.Word != Done {
		layout := p.Layout(s, len(sites))
		sum := make([]int64, layout.Elems())
		for me, site := range sites {
			report, err := p.Compute(s, me, len(sites), site.Train, site.Test)
			if err != nil {
				return states, err
			}
			if excess := beyond(p, s, len(sites), site, report); excess != "" {
				return states, errors.New(excess)
			}
			encoded, err := layout.Encode(report)
			if err != nil {
				return states, err
			}
			for i, e := range encoded {
				sum[i] += e
			}
		}
		decoded, err := layout.Decode(sum)
		if err != nil {
			return states, err
		}
		before := croft.HashOf(s)
		next, err := p.Step(s, len(sites), decoded)
		if croft.HashOf(s) != before {
			return states, errors.New("Step changed its argument")
		}
		if err != nil {
			return states, err
		}
		if back, err := p.Decode(croft.Encode(next)); err != nil || croft.HashOf(back) != croft.HashOf(next) {
			return states, fmt.Errorf("state %d does not survive its encoding: %w", next.Round, err)
		}
		s = next
		states = append(states, s)
	}
	return states, nil
}

// beyond names a block of report that exceeds its bound, or that of the site's rows,
// or "".
func beyond(p *Plan, s State, sites int, site Site, report []float64) string {
	rows := float64(len(site.Train.Y) + len(site.Test.Y))
	for _, b := range p.Layout(s, sites) {
		norm := math.Sqrt(dot(report[:b.Len], report[:b.Len]))
		if !(norm <= math.Ldexp(1, b.Exp)) {
			return fmt.Sprintf("%v: block %s has norm %g, bound 2^%d", s.Word, b.Name, norm, b.Exp)
		}
		if b.Row > 0 && !(norm <= rows*b.Row*(1+0x1p-30)) {
			return fmt.Sprintf("%v: block %s has norm %g, bound %g for each of %v rows", s.Word, b.Name, norm, b.Row, rows)
		}
		report = report[b.Len:]
	}
	if len(report) > 0 {
		return fmt.Sprintf("%v: %d numbers too many", s.Word, len(report))
	}
	return ""
}

// simulate draws n rows of a logistic model with these slopes.
func simulate(rng *rand.Rand, n int, base float64, slopes []float64) (r Rows) {
	for range n {
		x, eta := make([]float64, len(slopes)), base
		for j := range x {
			x[j] = 2*rng.Float64() - 1
			eta += slopes[j] * x[j]
		}
		y := 0.0
		if rng.Float64() < sigmoid(eta) {
			y = 1
		}
		r.X, r.Y = append(r.X, x), append(r.Y, y)
	}
	return r
}

func names(k int) (out []string) {
	for j := range k {
		out = append(out, fmt.Sprintf("x%d", j))
	}
	return out
}

// Whatever the data: reports keep within the bounds, states survive their
// encoding, and a fit that is reached equals the pooled one.
func TestEveryRunKeepsItsBoundsAndIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		k := rapid.IntRange(1, 5).Draw(t, "columns")
		sites := rapid.IntRange(1, 9).Draw(t, "sites")
		intercepts := rapid.SampledFrom([]croft.Intercepts{croft.SiteIntercepts, croft.CommonIntercept}).Draw(t, "intercepts")
		ridge := rapid.SampledFrom([]string{"0", "0.001", "1", "100"}).Draw(t, "ridge")
		shape := rapid.SampledFrom([]string{"plain", "corners", "narrow", "rare"}).Draw(t, "shape")
		base := rapid.Float64Range(-6, 3).Draw(t, "base")
		p, err := Compile(logisticModel(croft.Prediction, intercepts, ridge), names(k), rapid.Bool().Draw(t, "per site"))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		slopes := make([]float64, k)
		for j := range slopes {
			slopes[j] = 2 * rng.NormFloat64()
		}
		var all Rows
		var groups []int
		parts := make([]Site, sites)
		for g := range parts {
			for _, rows := range []*Rows{&parts[g].Train, &parts[g].Test} {
				*rows = simulate(rng, rng.IntN(1+rng.IntN(200)), base+rng.NormFloat64(), slopes)
				for _, x := range rows.X {
					for j := range x {
						switch shape {
						case "corners":
							x[j] = math.Copysign(1, x[j])
						case "narrow": // a declared range far too wide
							x[j] = 0.9 + x[j]/4096
						case "rare":
							x[j] = math.Round(0.55 * x[j] * x[j])
						}
					}
				}
			}
			all.X, all.Y = append(all.X, parts[g].Train.X...), append(all.Y, parts[g].Train.Y...)
			for range parts[g].Train.Y {
				groups = append(groups, g)
			}
		}
		unit := 1.0 // of the pooled fit's columns: unscaled, "narrow" would be too hard for it
		if shape == "narrow" {
			unit = 4096
			for i, x := range all.X {
				all.X[i] = slices.Clone(x)
				for j := range x {
					all.X[i][j] = (x[j] - 0.9) * unit
				}
			}
		}
		states, err := trace(p, parts...)
		if err != nil {
			if croft.CodeOf(err) == croft.ErrInternal || errors.Is(err, croft.ErrSum) || errors.Is(err, croft.ErrOverflow) {
				t.Fatal(err)
			}
			t.Logf("%s, %d rows: %v", shape, len(all.Y), err)
			if errors.Is(err, croft.ErrNoConvergence) {
				t.Fatalf("after %d sums: %v", len(states)-1, err)
			}
			if errors.Is(err, croft.ErrSeparation) {
				if ridge != "0" {
					t.Fatal("separation under a ridge")
				}
				if intercepts == croft.CommonIntercept {
					groups = nil
				}
				if fit, err := Pooled(all.X, all.Y, groups, 0); err == nil {
					t.Fatalf("a finite fit exists: %+v", fit)
				}
			}
			return
		}
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		if intercepts == croft.CommonIntercept {
			groups = nil
		}
		want, err := Pooled(all.X, all.Y, groups, p.ridge)
		if err != nil {
			t.Fatalf("the plan fits, the pooled fit does not: %v", err)
		}
		tolerance := 1e-7
		if ridge != "0" && shape == "narrow" { // SD, to which the ridge is relative, is rounded to 2^-40
			tolerance = 1e-6
		}
		for j := range k {
			if diff := math.Abs(r.Terms[1+j].Coef/unit-want.Coef[j]) / want.SE[j]; !(diff <= tolerance) {
				t.Fatalf("coefficient %d: %g, pooled %g: %g SE", j, r.Terms[1+j].Coef/unit, want.Coef[j], diff)
			}
		}
	})
}

// Bounds hold at any point that a state can name, not only on a run's way.
func TestBoundsHoldAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		k := rapid.IntRange(1, 4).Draw(t, "columns")
		p, err := Compile(logisticModel(croft.Inference, rapid.SampledFrom([]croft.Intercepts{croft.SiteIntercepts, croft.CommonIntercept}).Draw(t, "intercepts"), "0"), names(k), true)
		if err != nil {
			t.Fatal(err)
		}
		site := Site{simulate(rng, 2+rng.IntN(60), 0, make([]float64, k)), simulate(rng, rng.IntN(60), 0, make([]float64, k))}
		for i := range site.Train.X { // heavy tails: most rows alike, few far away
			if rng.IntN(8) > 0 {
				site.Train.X[i] = slices.Repeat([]float64{-1}, k)
			}
		}
		site.Train.Y[0], site.Train.Y[1] = 0, 1
		states, err := trace(p, site)
		if len(states) < 4 {
			t.Skip(err)
		}
		s := states[3]
		size := math.Exp(rapid.Float64Range(-3, 7).Draw(t, "log size"))
		for j := range s.Beta {
			s.Beta[j] = Fixed(math.Ldexp(size*rng.NormFloat64(), fixedBits))
		}
		for _, s.Word = range []Step{Newton, Evaluate} {
			report, err := p.Compute(s, 0, 1, site.Train, site.Test)
			if err != nil {
				t.Fatal(err)
			}
			if excess := beyond(p, s, 1, site, report); excess != "" {
				t.Fatal(excess)
			}
		}
	})
}

func TestOneClassSiteAddsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	a := Site{Train: simulate(rng, 80, 0, []float64{1, -1})}
	b := Site{Train: simulate(rng, 50, 1, []float64{1, -1})}
	c := Site{Train: simulate(rng, 60, 1, []float64{1, -1})}
	lone := Site{Train: simulate(rng, 30, 0, []float64{1, -1})}
	for i := range lone.Train.Y {
		lone.Train.Y[i] = 1
	}
	if !OneClass(lone.Train.Y) || OneClass(a.Train.Y) {
		t.Fatal("OneClass is wrong")
	}
	p := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(2), false)
	states, err := trace(p, a, lone, b, c)
	if err != nil {
		t.Fatal(err)
	}
	report, err := p.Compute(states[4], 1, 4, lone.Train, lone.Test)
	if err != nil || slices.ContainsFunc(report, func(v float64) bool { return v != 0 }) {
		t.Fatalf("the one-class site reports %v, %v", report, err)
	}
	with, without := fit(t, p, a, lone, b, c), fit(t, p, a, b, c)
	for j := range 2 {
		near(t, "coefficient", with.Terms[1+j].Coef, without.Terms[1+j].Coef, 1e-9, with.Terms[1+j].SE)
	}
	near(t, "mean intercept", with.Terms[0].Coef, without.Terms[0].Coef, 1e-9, 1)
	if with.Rows != 220 {
		t.Errorf("%d rows", with.Rows)
	}
	// Nor do the sums show a lone site's rows, or those of the two that are not alone:
	// 64 and 32 and 32 of 190, where 30 more are.
	report, err = p.Compute(states[len(states)-2], 0, 4, a.Train, a.Test)
	if err != nil || report[len(report)-1] != 64 {
		t.Errorf("a site of 80 rows weighs %v, %v", report[len(report)-1], err)
	}
	if _, err := p.Run(a, lone, b); !errors.Is(err, croft.ErrFewTell) {
		t.Errorf("the sums of two sites were taken: %v", err)
	}
}

func TestTellsWhyItCannotGoOn(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	rows := func(n int, change func(i int, x []float64, y *float64)) Site {
		r := simulate(rng, n, 0, []float64{1, -1, 0.5})
		for i := range r.X {
			change(i, r.X[i], &r.Y[i])
		}
		return Site{Train: r}
	}
	plain := rows(60, func(int, []float64, *float64) {})
	for _, c := range []struct {
		name       string
		intercepts croft.Intercepts
		ridge      string
		sites      []Site
		code       croft.Code
		arg        string
	}{
		{"one class", "common", "0", []Site{rows(30, func(_ int, _ []float64, y *float64) { *y = 0 })}, croft.ErrOneClass, "diagnosis"},
		{"a class a site", "site", "0", []Site{
			rows(30, func(_ int, _ []float64, y *float64) { *y = 0 }), rows(30, func(_ int, _ []float64, y *float64) { *y = 1 }),
		}, croft.ErrNoContrast, "diagnosis"},
		{"too few rows", "site", "0", []Site{rows(1, func(int, []float64, *float64) {}), rows(2, func(int, []float64, *float64) {})}, croft.ErrNoRows, "the network"},
		{"no rows", "site", "1", []Site{{}, {}}, croft.ErrNoRows, "the network"},
		{"constant column", "site", "0", []Site{rows(40, func(_ int, x []float64, _ *float64) { x[1] = 0.1 })}, croft.ErrConstant, "x1"},
		{"collinear columns", "common", "0", []Site{rows(40, func(_ int, x []float64, _ *float64) { x[2] = (x[0] - x[1]) / 2 })}, croft.ErrCollinear, "x2"},
		{"almost collinear columns", "common", "0", []Site{rows(40, func(i int, x []float64, _ *float64) { x[2] = (x[0]-x[1])/2.1 + 1e-6*float64(i%5) })}, croft.ErrCollinear, "x2"},
		{"constant within each site", "site", "0", []Site{
			rows(40, func(_ int, x []float64, _ *float64) { x[1] = 0.1 }), rows(40, func(_ int, x []float64, _ *float64) { x[1] = 0.2 }),
		}, croft.ErrCollinear, "x1"},
		{"complete separation", "common", "0", []Site{rows(60, func(_ int, x []float64, y *float64) {
			*y = 0
			if x[1] > 0.3 {
				*y = 1
			}
		})}, croft.ErrSeparation, "x1"},
		{"complete separation under a ridge", "common", "0.01", []Site{rows(60, func(_ int, x []float64, y *float64) {
			*y = 0
			if x[1] > 0.3 {
				*y = 1
			}
		})}, 0, ""},
		{"quasi-separation by a level", "site", "0", []Site{plain, rows(60, func(i int, x []float64, y *float64) {
			if x[2] = -1; i < 9 {
				x[2], *y = 1, 1
			}
		}), rows(50, func(_ int, x []float64, _ *float64) { x[2] = -1 })}, 0, ""}, // not separated: plain has other values
		{"quasi-separation at all sites", "site", "0", []Site{rows(60, func(i int, x []float64, y *float64) {
			if x[2] = -1; i < 9 {
				x[2], *y = 1, 1
			}
		}), rows(50, func(_ int, x []float64, _ *float64) { x[2] = -1 })}, croft.ErrSeparation, "x2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, logisticModel(croft.Prediction, c.intercepts, c.ridge), names(3), false)
			states, err := trace(p, c.sites...)
			t.Logf("%d sums: %v", len(states)-1, err)
			if c.code == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *croft.Error
			if !errors.Is(err, c.code) || !errors.As(err, &e) || e.Args[0] != c.arg {
				t.Fatalf("got %v, want %v of %q", err, c.code, c.arg)
			}
		})
	}
}

// A narrow overlap of the classes: Newton's method walks for many rounds as if
// they were separated, but a finite estimate exists and is found.
func TestNarrowOverlapIsNotSeparation(t *testing.T) {
	for _, overlap := range []float64{0.1, 0.01, 0.001} {
		rows := Rows{X: [][]float64{{-1}, {-0.5}, {overlap}, {-overlap}, {0.5}, {1}}, Y: []float64{0, 0, 0, 1, 1, 1}}
		m := logisticModel(croft.Inference, croft.CommonIntercept, "0")
		m.MaxRounds = 60
		p := compile(t, m, names(1), false)
		states, err := trace(p, Site{Train: rows})
		if err != nil {
			t.Fatalf("overlap %g, %d sums: %v", overlap, len(states)-1, err)
		}
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		want, err := Pooled(rows.X, rows.Y, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("overlap %g: %.6g ± %.3g, %d sums", overlap, r.Terms[1].Coef, r.Terms[1].SE, r.Rounds)
		near(t, "coefficient", r.Terms[1].Coef, want.Coef[0], 1e-7, want.SE[0])
	}
}

func TestInterceptMaximisesTheLikelihood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "rows")
		spread := rapid.SampledFrom([]float64{0, 1, 30, 700}).Draw(t, "spread")
		eta, y := make([]float64, n), make([]float64, n)
		for i := range eta {
			eta[i] = rapid.Float64Range(-spread-1, spread+1).Draw(t, "eta")
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		alpha := solveIntercept(eta, y)
		slope, size := 0.0, 0.0
		for i, e := range eta {
			slope += y[i] - sigmoid(alpha+e)
			size += sigmoid(alpha+e) * sigmoid(-alpha-e)
		}
		if OneClass(y) {
			mean := total(eta) / float64(n)
			slope += 0.5 - sigmoid(alpha+mean)
			size += sigmoid(alpha+mean) * sigmoid(-alpha-mean)
		}
		// Flat stretches have no sharper root than rounding of the sum allows.
		if math.Abs(slope) > 1e-13*float64(n)+1e-13*size*math.Abs(alpha) {
			t.Fatalf("alpha %g: slope %g, curvature %g", alpha, slope, size)
		}
	})
	if got := solveIntercept(nil, nil); got != 0 {
		t.Errorf("without rows: %g", got)
	}
}

func TestRoundLimit(t *testing.T) {
	m := logisticModel(croft.Inference, croft.CommonIntercept, "0")
	m.MaxRounds = 3
	p := compile(t, m, names(2), false)
	site := Site{Train: simulate(rand.New(rand.NewPCG(5, 5)), 100, -1, []float64{3, -3})}
	if _, err := p.Run(site); !errors.Is(err, croft.ErrNoConvergence) {
		t.Fatal(err)
	}
}

// A rare class: the start by log-odds saves the walk there.
func TestExtremeImbalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for _, intercepts := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		rows := simulate(rng, 40000, -8, []float64{1, 0})
		groups := make([]int, len(rows.Y))
		for i := range groups {
			groups[i] = i % 3
		}
		p := compile(t, logisticModel(croft.Inference, intercepts, "0"), names(2), false)
		states, err := trace(p, split(rows.X, rows.Y, groups, 3)...)
		if err != nil {
			t.Fatal(err)
		}
		s := states[len(states)-1]
		t.Logf("%s: %d of %d positive, %d sums", intercepts, s.Positive, s.Rows, s.Round)
		if intercepts == croft.CommonIntercept {
			groups = nil
		}
		want, err := Pooled(rows.X, rows.Y, groups, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Result(s)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			near(t, "coefficient", r.Terms[1+j].Coef, want.Coef[j], 1e-8, want.SE[j])
			near(t, "SE", r.Terms[1+j].SE, want.SE[j], 1e-7, want.SE[j])
		}
		if s.Round > 16 {
			t.Errorf("%d sums", s.Round)
		}
	}
}

// A level that few rows have, with many positives among them where positives are
// rare: seen from the start these rows weigh almost nothing, and Newton's full
// step overshoots by hundreds of log-odds.
func TestStepHalving(t *testing.T) {
	for _, intercepts := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		rng := rand.New(rand.NewPCG(7, 7))
		rows := simulate(rng, 9000, -7, []float64{1, 0})
		groups := make([]int, len(rows.Y))
		for i := range rows.X {
			groups[i] = i % 3
			if rows.X[i][1] = -1; i < 30 {
				rows.X[i][1], rows.Y[i] = 1, float64(i/3%2)
			}
		}
		p := compile(t, logisticModel(croft.Inference, intercepts, "0"), names(2), false)
		states, err := trace(p, split(rows.X, rows.Y, groups, 3)...)
		if err != nil {
			t.Fatal(err)
		}
		halved, best := 0, math.Inf(-1)
		for _, s := range states {
			if s.Halvings > 0 {
				halved++
			}
			if s.Word == Newton && len(s.Base) > 0 {
				if s.Loglik.Float() < best-1e-9 {
					t.Errorf("log-likelihood fell from %g to %g", best, s.Loglik.Float())
				}
				best = s.Loglik.Float()
			}
		}
		t.Logf("%s: %d steps halved, %d sums", intercepts, halved, len(states)-1)
		if halved == 0 {
			t.Error("no step was halved: this test shows nothing")
		}
		if intercepts == croft.CommonIntercept {
			groups = nil
		}
		want, err := Pooled(rows.X, rows.Y, groups, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			near(t, "coefficient", r.Terms[1+j].Coef, want.Coef[j], 1e-8, want.SE[j])
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	good := logisticModel(croft.Inference, croft.SiteIntercepts, "0")
	for name, change := range map[string]func(m *croft.Model, columns *[]string){
		"family":     func(m *croft.Model, _ *[]string) { m.Family = "probit" },
		"goal":       func(m *croft.Model, _ *[]string) { m.Goal = "" },
		"intercepts": func(m *croft.Model, _ *[]string) { m.Intercepts = "none" },
		"ridge":      func(m *croft.Model, _ *[]string) { m.Ridge = croft.Decimal{Mantissa: 1} },
		"max_rounds": func(m *croft.Model, _ *[]string) { m.MaxRounds = 0 },
		"features":   func(_ *croft.Model, c *[]string) { *c = nil },
	} {
		m, columns := good, names(2)
		change(&m, &columns)
		var e *croft.Error
		if _, err := Compile(m, columns, false); !errors.As(err, &e) || e.Code != croft.ErrStudyValue || e.Args[1] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := logisticModel(croft.Prediction, croft.SiteIntercepts, "0")
	m.Ridge = croft.Decimal{Mantissa: -1}
	if _, err := Compile(m, names(1), false); !errors.Is(err, croft.ErrStudyValue) {
		t.Error(err)
	}
}

func TestComputeRefusesWhatItsBoundsDoNotCover(t *testing.T) {
	p := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(2), false)
	for name, rows := range map[string]Rows{
		"out of range": {X: [][]float64{{0, 1.0000001}}, Y: []float64{1}},
		"not a number": {X: [][]float64{{math.NaN(), 0}}, Y: []float64{1}},
		"label":        {X: [][]float64{{0, 0}}, Y: []float64{2}},
		"row":          {X: [][]float64{{0}}, Y: []float64{1}},
		"rows":         {X: [][]float64{{0, 0}}, Y: nil},
	} {
		if _, err := p.Compute(p.Start(), 0, 1, rows, Rows{}); !errors.Is(err, croft.ErrOverflow) && !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Compute(p.Start(), 0, 1, Rows{}, rows); err == nil {
			t.Errorf("%s in the held-out rows is accepted", name)
		}
	}
	if _, err := p.Compute(p.Start(), 1, 1, Rows{}, Rows{}); !errors.Is(err, croft.ErrShape) {
		t.Error(err)
	}
}

// A sum from a wrong report never makes Step panic, loop or leave the plan's states.
func FuzzStep(f *testing.F) {
	p, err := Compile(logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(2), true)
	if err != nil {
		f.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	states, err := trace(p, Site{simulate(rng, 40, 0, []float64{1, 1}), simulate(rng, 20, 0, []float64{1, 1})})
	if err != nil {
		f.Fatal(err)
	}
	for i := range states {
		f.Add(uint8(i), uint8(0), 1e300)
		f.Add(uint8(i), uint8(2), -1.0)
		f.Add(uint8(i), uint8(5), math.Inf(1))
		f.Add(uint8(i), uint8(1), math.NaN())
	}
	f.Fuzz(func(t *testing.T, round, at uint8, value float64) {
		s := states[int(round)%len(states)]
		sum := make([]float64, p.Layout(s, 1).Numbers())
		for i := range sum {
			sum[i] = float64(i%7) * 3
		}
		if len(sum) > 0 {
			sum[int(at)%len(sum)] = value
		}
		next, err := p.Step(s, 1, sum)
		if err != nil {
			return
		}
		if _, err := p.Decode(croft.Encode(next)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 9))
	p, err := Compile(logisticModel(croft.Prediction, croft.CommonIntercept, "1"), names(2), true)
	if err != nil {
		f.Fatal(err)
	}
	site := Site{simulate(rng, 40, 0, []float64{1, 1}), simulate(rng, 20, 0, []float64{1, 1})}
	states, err := trace(p, site)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range states {
		f.Add(croft.Encode(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := p.Decode(data)
		if err != nil {
			return
		}
		report, err := p.Compute(s, 0, 1, site.Train, site.Test)
		if err != nil {
			t.Fatal(err)
		}
		layout := p.Layout(s, 1)
		if len(report) != layout.Numbers() {
			t.Fatalf("%v: %d numbers, the layout has %d", s.Word, len(report), layout.Numbers())
		}
		for _, b := range layout {
			if b.Exp > 200 {
				t.Fatalf("bound 2^%d", b.Exp)
			}
		}
		if s.Word == Done {
			if _, err := p.Result(s); err != nil && !errors.Is(err, croft.ErrCollinear) {
				t.Fatal(err)
			}
			return
		}
		_, _ = p.Step(s, 1, report)
	})
}

func TestDecodeRefusesStatesOfOtherPlans(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	p := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(2), false)
	other := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(3), false)
	states, err := trace(p, Site{Train: simulate(rng, 40, 0, []float64{1, 1})})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states[2:] {
		if _, err := other.Decode(croft.Encode(s)); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("%v: %v", s.Word, err)
		}
	}
	if _, err := p.Decode(make([]byte, maxState+1)); !errors.Is(err, croft.ErrEncoding) {
		t.Error(err)
	}
	for _, bad := range []func(s *State){
		func(s *State) { s.SD[0] = 0 }, func(s *State) { s.Positive = s.Rows + 1 }, func(s *State) { s.Rows = -1 },
		func(s *State) { s.Beta[1] = math.MaxInt64 }, func(s *State) { s.Word = 9 }, func(s *State) { s.Rows = math.MaxInt64; s.TestRows = math.MaxInt64 },
	} {
		s := states[len(states)-2]
		s.SD, s.Beta = slices.Clone(s.SD), slices.Clone(s.Beta)
		bad(&s)
		if _, err := p.Decode(croft.Encode(s)); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("accepted %+v", s)
		}
	}
}
