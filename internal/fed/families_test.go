package fed

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// draw returns a model of a family with its columns, and rows for it: plain ones,
// or of a shape that strains bounds.
func draw(rng *rand.Rand, family, shape string, sites int) (m croft.Model, columns []string, out []Site) {
	m = croft.Model{Family: family, Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "y", MaxRounds: 60}
	columns = names(1 + rng.IntN(4))
	common := rng.IntN(2) == 0
	switch family {
	case "linear", "poisson":
		if m.Clusters = rng.IntN(2) == 0; rng.IntN(2) == 0 {
			m.Weight = "w"
		}
		if family == "poisson" && rng.IntN(2) == 0 {
			m.Exposure = "e"
		}
	case "logistic":
		m.Clusters = rng.IntN(2) == 0
	case "cox":
		m.Time, common = "t", false
		if rng.IntN(2) == 0 {
			m.Grid = croft.Grid{Width: croft.Decimal{Mantissa: 5, Scale: 1}, Cells: 9}
		}
	case "kaplan-meier":
		m.Time, m.Features, m.Grid = "t", []string{"g"}, croft.Grid{Width: croft.Decimal{Mantissa: 5, Scale: 1}, Cells: 9}
	case "describe":
		m.Features, m.Bins, m.Classes = append(slices.Clone(columns), "g"), uint16(rng.IntN(9)), uint8(2*rng.IntN(2))
		columns = append(columns, "g=1", "g=2")
	}
	if common {
		m.Intercepts = croft.CommonIntercept
	}
	slopes := make([]float64, len(columns))
	for j := range slopes {
		slopes[j] = rng.NormFloat64()
	}
	base := 2 * rng.NormFloat64()
	for range sites {
		var site Site
		for _, r := range []*Rows{&site.Train, &site.Test} {
			shift := rng.NormFloat64()
			for range rng.IntN(80) {
				x := make([]float64, len(columns))
				eta := base + shift
				for j := range x {
					x[j] = 2*rng.Float64() - 1
					switch shape {
					case "corners":
						x[j] = math.Copysign(1, x[j])
					case "narrow":
						x[j] = 0.9 + x[j]/4096
					case "rare":
						x[j] = math.Round(0.55 * x[j] * x[j])
					}
					eta += slopes[j] * x[j]
				}
				time := -math.Log(rng.Float64()) * math.Exp(-eta/2)
				exposure := math.Exp(2 * rng.NormFloat64())
				y := 0.0
				switch family {
				case "linear":
					y = max(min(eta/8+rng.NormFloat64()/4, 1), -1)
				case "poisson":
					for mean := min(exposure*math.Exp(eta), 1e4) + math.Log(rng.Float64()); mean > 0; mean += math.Log(rng.Float64()) {
						y++
					}
				case "describe":
					y = float64(rng.IntN(2))
				default:
					if rng.Float64() < sigmoid(eta) {
						y = 1
					}
				}
				if family == "kaplan-meier" || family == "describe" { // columns of one category are 0 or 1
					first := 0
					if family == "describe" {
						first = len(columns) - 2
					}
					clear(x[first:])
					if g := rng.IntN(len(x) - first + 1); g > 0 {
						x[first+g-1] = 1
					}
				}
				r.X, r.Y = append(r.X, x), append(r.Y, y)
				r.Time, r.Unit = append(r.Time, math.Round(time*8)/8), append(r.Unit, rng.IntN(20))
				r.Exposure, r.Weight = append(r.Exposure, max(exposure, minExposure)), append(r.Weight, 0.1+rng.Float64())
			}
			if m.Time == "" {
				r.Time = nil
			}
			if m.Exposure == "" {
				r.Exposure = nil
			}
			if m.Weight == "" {
				r.Weight = nil
			}
			if !m.Clusters {
				r.Unit = nil
			}
		}
		out = append(out, site)
	}
	if family == "kaplan-meier" || family == "describe" {
		return m, columns, out
	}
	if rng.IntN(2) == 0 {
		m.Groups = []croft.Group{{Column: "sex", Levels: 2}, {Column: "place", Levels: 3}}[:1+rng.IntN(2)]
	}
	if (family == "logistic" || family == "firth") && rng.IntN(2) == 0 {
		m.Threshold = croft.Decimal{Mantissa: 1 + rng.Int64N(9), Scale: 1}
	}
	for i := range out {
		for _, r := range []*Rows{&out[i].Train, &out[i].Test} {
			for _, g := range m.Groups {
				levels, says := make([]int, len(r.X)), rng.IntN(4) > 0
				for i := range levels {
					if levels[i] = -1; says {
						levels[i] = rng.IntN(int(g.Levels))
					}
				}
				r.Group = append(r.Group, levels)
			}
		}
	}
	return m, columns, out
}

var allFamilies = []string{"logistic", "linear", "poisson", "firth", "cox", "kaplan-meier", "describe"}

// Whatever the data: reports keep within their bounds, states survive their
// encoding, failures have a name, and what is fitted is what least squares on
// explicit indicators of the sites give.
func TestEveryFamilyKeepsItsBounds(t *testing.T) {
	finished, slow := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 41))
		family := rapid.SampledFrom(allFamilies).Draw(t, "family")
		shape := rapid.SampledFrom([]string{"plain", "corners", "narrow", "rare"}).Draw(t, "shape")
		m, columns, sites := draw(rng, family, shape, 1+rng.IntN(9))
		p, err := Compile(m, columns, rng.IntN(2) == 0)
		if err != nil {
			t.Fatal(err)
		}
		states, err := trace(p, sites...)
		if err != nil {
			if errors.Is(err, croft.ErrNoConvergence) && family == "firth" {
				slow++ // a handful of rows in a level
				return
			}
			switch croft.CodeOf(err) {
			case croft.ErrInternal, croft.ErrSum, croft.ErrOverflow, croft.ErrNoConvergence:
				t.Fatalf("%s, %s, %d sums: %v", family, shape, len(states)-1, err)
			}
			return
		}
		finished[family]++
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		if family != "linear" && family != "poisson" || shape == "narrow" {
			return
		}
		coef, se := pooledLeastSquares(p, sites)
		for j := range columns {
			term := r.Terms[1+j]
			if m.Clusters {
				term.SE = se[j]
			}
			near(t, "SE of "+term.Name, term.SE, se[j], 1e-6, se[j])
			near(t, term.Name, term.Coef, coef[j], 1e-6, se[j])
		}
	})
	if slow > finished["firth"]/4 {
		t.Errorf("%d runs of firth did not converge, %d did", slow, finished["firth"])
	}
	for _, family := range allFamilies {
		if finished[family] == 0 {
			t.Errorf("no run of %s came to its end", family)
		}
	}
}

// pooledLeastSquares fits a linear or a Poisson model on rows in one place by
// reweighted least squares with an indicator for each site, by Householder's QR.
func pooledLeastSquares(p *Plan, sites []Site) (coef, se []float64) {
	k := len(p.columns)
	width := k + 1
	at := make([]int, len(sites)) // column of the site's indicator; −1: no rows, or no events
	for g, site := range sites {
		if at[g] = k; !p.common {
			if at[g] = -1; p.model.Family == "linear" && len(site.Train.Y) > 0 || p.model.Family == "poisson" && total(site.Train.Y) > 0 {
				at[g] = width - 1
				width++
			}
		}
	}
	if !p.common {
		width--
	}
	b := make([]float64, width)
	residuals, n := 0.0, 0.0
	for round := range 200 {
		var a [][]float64
		residuals, n = 0, 0
		for g, site := range sites {
			for i, x := range site.Train.X {
				if at[g] < 0 {
					continue
				}
				row := append(slices.Clone(x), make([]float64, width+1-k)...)
				row[at[g]] = 1
				eta := dot(row[:width], b)
				mean, slope := eta, 1.0
				if p.model.Family == "poisson" {
					if round == 0 { // starts from the rows themselves
						eta = math.Log(site.Train.Y[i]+0.1) - site.Train.offset(i)
					}
					mean = math.Exp(eta + site.Train.offset(i))
					slope = mean
				}
				root := math.Sqrt(site.Train.weight(i) * slope)
				working := eta + (site.Train.Y[i]-mean)/slope
				for j := range width {
					row[j] *= root
				}
				row[width] = root * working
				a = append(a, row)
				residuals += site.Train.weight(i) * (site.Train.Y[i] - eta) * (site.Train.Y[i] - eta)
				n++
			}
		}
		was := b
		if b, se = leastSquares(a); round > 0 && slices.EqualFunc(b, was, func(v, u float64) bool { return math.Abs(v-u) < 1e-11*(1+math.Abs(v)) }) {
			break
		}
	}
	if p.model.Family == "linear" {
		for j := range se {
			se[j] *= math.Sqrt(residuals / (n - float64(width)))
		}
	}
	return b[:k], se[:k]
}

// Bounds hold at any point that a state can name.
func TestEveryFamilysBoundsHoldAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 42))
		family := rapid.SampledFrom(allFamilies[:5]).Draw(t, "family")
		m, columns, sites := draw(rng, family, rapid.SampledFrom([]string{"plain", "corners", "rare"}).Draw(t, "shape"), 1+rng.IntN(3))
		p, err := Compile(m, columns, true)
		if err != nil {
			t.Fatal(err)
		}
		states, err := trace(p, sites...)
		if err != nil {
			return
		}
		size := math.Exp(rapid.Float64Range(-3, 6).Draw(t, "log size"))
		for _, s := range states {
			if s.Word != Newton {
				continue
			}
			s.Beta = slices.Clone(s.Beta)
			for j := range s.Beta {
				s.Beta[j] += Fixed(math.Ldexp(size*rng.NormFloat64(), fixedBits))
			}
			for me, site := range sites {
				report, err := p.Compute(s, me, len(sites), site.Train, site.Test)
				if err != nil {
					t.Fatal(err)
				}
				if excess := beyond(p, s, len(sites), site, report); excess != "" {
					t.Fatalf("%s at %v: %s", family, floats(s.Beta), excess)
				}
			}
		}
	})
}

// A level that few rows have, with many events among them: Newton's first step is
// far too long, and the sites say no more than that.
func TestPoissonOvershoots(t *testing.T) {
	for _, intercepts := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		silenced := 0
		for _, columns := range []int{1, 2} {
			rows := Rows{}
			for i := range 3000 {
				x, y := 0.0, float64(min(i%100, 1)^1)
				if i < 3 {
					x, y = 1, 400
				}
				rows.X, rows.Y = append(rows.X, []float64{x, math.Sin(float64(i))}[:columns]), append(rows.Y, y)
			}
			m := croft.Model{Family: "poisson", Goal: croft.Inference, Intercepts: intercepts, Label: "y", MaxRounds: 60}
			p := compile(t, m, names(columns), false)
			sites := []Site{{Train: Rows{X: rows.X[:1500], Y: rows.Y[:1500]}}, {Train: Rows{X: rows.X[1500:], Y: rows.Y[1500:]}}}
			states, err := trace(p, sites...)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range states {
				if s.Word != Newton {
					continue
				}
				report, err := p.Compute(s, 0, 2, sites[0].Train, sites[0].Test)
				if err != nil {
					t.Fatal(err)
				}
				if report[0] == 0 && report[len(report)-1] < 0 {
					silenced++
				}
			}
			r, err := p.Result(states[len(states)-1])
			if err != nil {
				t.Fatal(err)
			}
			coef, se := pooledLeastSquares(p, sites)
			for j := range coef {
				near(t, "coefficient", r.Terms[1+j].Coef, coef[j], 1e-6, se[j])
			}
			t.Logf("%s, %d columns: %d sums, %d silenced", intercepts, columns, r.Rounds, silenced)
		}
		if intercepts == croft.CommonIntercept && silenced == 0 {
			t.Error("no step was too long: this test shows nothing")
		}
	}
}

// A column all of whose few rows are without events has no finite coefficient.
func TestUnboundedCoefficientsAreNamed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 43))
	for _, family := range []string{"poisson", "cox"} {
		m := croft.Model{Family: family, Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "y", MaxRounds: 30}
		site := Site{Train: simulate(rng, 90, 0, []float64{1, 0})}
		for i, x := range site.Train.X {
			if x[1] = 0; i < 9 {
				x[1], site.Train.Y[i] = 1, 0
			}
			if family == "cox" {
				m.Time = "t"
				site.Train.Time = append(site.Train.Time, 1+rng.Float64())
			}
		}
		p := compile(t, m, names(2), false)
		states, err := trace(p, site)
		if e := new(croft.Error); !errors.As(err, &e) || e.Code != croft.ErrUnbounded || e.Args[0] != "x1" {
			t.Errorf("%s, %d sums: %v", family, len(states)-1, err)
		}
		m.Goal, m.Ridge = croft.Prediction, croft.Decimal{Mantissa: 1}
		if _, err := trace(compile(t, m, names(2), false), site); err != nil {
			t.Errorf("%s with a ridge: %v", family, err)
		}
	}
}

func TestFamiliesTellWhyTheyCannotGoOn(t *testing.T) {
	rows := func(y func(i int) float64) Site {
		r := simulate(rand.New(rand.NewPCG(2, 44)), 30, 0, []float64{1, 1})
		for i := range r.Y {
			r.Y[i] = y(i)
			r.Time = append(r.Time, float64(i%7))
		}
		return Site{Train: r}
	}
	one, none := rows(func(int) float64 { return 0.5 }), rows(func(int) float64 { return 0 })
	exact := rows(func(int) float64 { return 0 })
	for i, x := range exact.Train.X {
		exact.Train.Y[i] = (x[0] - x[1]) / 3
	}
	for _, c := range []struct {
		name string
		m    croft.Model
		site Site
		code croft.Code
	}{
		{"a constant label", croft.Model{Family: "linear", Intercepts: croft.CommonIntercept}, one, croft.ErrConstant},
		{"a label without an error", croft.Model{Family: "linear", Intercepts: croft.SiteIntercepts}, exact, croft.ErrCollinear},
		{"no counts", croft.Model{Family: "poisson", Intercepts: croft.CommonIntercept}, none, croft.ErrOneClass},
		{"counts too large", croft.Model{Family: "poisson", Intercepts: croft.CommonIntercept}, rows(func(int) float64 { return maxCount / 8 }), croft.ErrTotal},
		{"no events", croft.Model{Family: "cox", Intercepts: croft.SiteIntercepts, Time: "t"}, none, croft.ErrOneClass},
		{"no deaths", croft.Model{Family: "kaplan-meier", Time: "t", Grid: croft.Grid{Width: croft.Decimal{Mantissa: 1}, Cells: 3}}, none, croft.ErrOneClass},
		{"no rows to describe", croft.Model{Family: "describe", Features: names(2)}, Site{}, croft.ErrNoRows},
	} {
		c.m.Goal, c.m.Label, c.m.MaxRounds = croft.Inference, "y", 25
		columns := names(2)
		if c.m.Family == "kaplan-meier" {
			columns = nil
			for i := range c.site.Train.X {
				c.site.Train.X[i] = nil
			}
		}
		if _, err := trace(compile(t, c.m, columns, false), c.site); !errors.Is(err, c.code) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestFamiliesRefuseModels(t *testing.T) {
	base := map[string]croft.Model{
		"logistic": {Intercepts: croft.SiteIntercepts}, "linear": {Intercepts: croft.SiteIntercepts}, "poisson": {Intercepts: croft.SiteIntercepts},
		"firth": {Intercepts: croft.CommonIntercept}, "cox": {Intercepts: croft.SiteIntercepts, Time: "t"},
		"kaplan-meier": {Time: "t", Grid: croft.Grid{Width: croft.Decimal{Mantissa: 1}, Cells: 3}}, "describe": {Features: names(2), Bins: 4},
	}
	changes := map[string]func(m *croft.Model){
		"time": func(m *croft.Model) { m.Time = "x" }, "ties": func(m *croft.Model) { m.Ties = "efron" }, "exposure": func(m *croft.Model) { m.Exposure = "x" },
		"weight": func(m *croft.Model) { m.Weight = "x" }, "clusters": func(m *croft.Model) { m.Clusters = true },
		"grid": func(m *croft.Model) { m.Grid = croft.Grid{Width: croft.Decimal{Mantissa: 2}, Cells: 4} },
		"bins": func(m *croft.Model) { m.Bins = 8 }, "label_levels": func(m *croft.Model) { m.Classes = 3 },
		"threshold": func(m *croft.Model) { m.Threshold = croft.Decimal{Mantissa: 3, Scale: 1} },
		"groups":    func(m *croft.Model) { m.Groups = []croft.Group{{Column: "sex", Levels: 2}} },
	}
	allowed := map[string][]string{
		"logistic": {"clusters", "threshold", "groups"}, "linear": {"weight", "clusters", "groups"},
		"poisson": {"exposure", "weight", "clusters", "groups"}, "firth": {"threshold", "groups"}, "cox": {"time", "ties", "grid", "groups"},
		"kaplan-meier": {"time", "grid"}, "describe": {"bins", "label_levels"},
	}
	refused := func(what string, m croft.Model, columns []string, key string) {
		t.Helper()
		var e *croft.Error
		if _, err := Compile(m, columns, false); !errors.As(err, &e) || e.Code != croft.ErrStudyValue || e.Args[1] != key {
			t.Errorf("%s: %v", what, err)
		}
	}
	for family, m := range base {
		m.Family, m.Goal, m.Label, m.MaxRounds = family, croft.Inference, "y", 25
		columns := names(2)
		if _, err := Compile(m, columns, false); err != nil {
			t.Fatalf("%s: %v", family, err)
		}
		for key, change := range changes {
			changed := m
			change(&changed)
			if slices.Contains(allowed[family], key) {
				if _, err := Compile(changed, columns, false); err != nil {
					t.Errorf("%s with %s: %v", family, key, err)
				}
				continue
			}
			refused(family+" with "+key, changed, columns, key)
		}
		ridge := m
		ridge.Ridge = croft.Decimal{Mantissa: 1}
		refused(family+" with a ridge", ridge, columns, "ridge")
	}
	cox := base["cox"]
	cox.Family, cox.Goal, cox.MaxRounds = "cox", croft.Inference, 25
	for key, change := range map[string]func(m *croft.Model){
		"time": func(m *croft.Model) { m.Time = "" }, "ties": func(m *croft.Model) { m.Ties = "exact" },
		"intercepts": func(m *croft.Model) { m.Intercepts = croft.CommonIntercept }, "grid": func(m *croft.Model) { m.Grid.Cells = 5 },
	} {
		m := cox
		change(&m)
		refused("cox", m, names(2), key)
	}
}

func TestFamiliesRefuseRowsThatTheirBoundsDoNotCover(t *testing.T) {
	for name, c := range map[string]struct {
		m    croft.Model
		rows Rows
	}{
		"label beyond its range": {croft.Model{Family: "linear"}, Rows{Y: []float64{1.01}}},
		"half an event":          {croft.Model{Family: "poisson"}, Rows{Y: []float64{0.5}}},
		"a count of −1":          {croft.Model{Family: "poisson"}, Rows{Y: []float64{-1}}},
		"no exposure":            {croft.Model{Family: "poisson", Exposure: "e"}, Rows{Y: []float64{1}, Exposure: []float64{0}}},
		"exposures missing":      {croft.Model{Family: "poisson", Exposure: "e"}, Rows{Y: []float64{1}}},
		"a weight of 0":          {croft.Model{Family: "linear", Weight: "w"}, Rows{Y: []float64{1}, Weight: []float64{0}}},
		"a weight not a number":  {croft.Model{Family: "linear", Weight: "w"}, Rows{Y: []float64{1}, Weight: []float64{math.NaN()}}},
		"units missing":          {croft.Model{Family: "linear", Clusters: true}, Rows{Y: []float64{1}}},
		"a time below 0":         {croft.Model{Family: "cox", Time: "t"}, Rows{Y: []float64{1}, Time: []float64{-1}}},
		"a time without end":     {croft.Model{Family: "cox", Time: "t"}, Rows{Y: []float64{1}, Time: []float64{math.Inf(1)}}},
		"times missing":          {croft.Model{Family: "cox", Time: "t"}, Rows{Y: []float64{1}}},
		"not a level": {croft.Model{Family: "kaplan-meier", Time: "t", Grid: croft.Grid{Width: croft.Decimal{Mantissa: 1}, Cells: 3}},
			Rows{X: [][]float64{{0.5}}, Y: []float64{1}, Time: []float64{1}}},
		"groups missing":      {croft.Model{Family: "logistic", Groups: []croft.Group{{Column: "sex", Levels: 2}}}, Rows{Y: []float64{1}}},
		"no such group":       {croft.Model{Family: "logistic", Groups: []croft.Group{{Column: "sex", Levels: 2}}}, Rows{Y: []float64{1}, Group: [][]int{{2}}}},
		"a group too few":     {croft.Model{Family: "logistic", Groups: []croft.Group{{Column: "sex", Levels: 2}}}, Rows{Y: []float64{1}, Group: [][]int{{}}}},
		"no such label level": {croft.Model{Family: "describe", Features: names(1), Classes: 2}, Rows{Y: []float64{2}}},
	} {
		c.m.Goal, c.m.Intercepts, c.m.MaxRounds = croft.Inference, croft.SiteIntercepts, 25
		p := compile(t, c.m, names(1), false)
		if c.rows.X == nil {
			c.rows.X = [][]float64{{0}}
		}
		if _, err := p.Compute(p.Start(), 0, 1, c.rows, Rows{}); !errors.Is(err, croft.ErrOverflow) && !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// finishedRuns returns a plan of each family and its states on simulated rows.
func finishedRuns(t testing.TB) (plans []*Plan, sites [][]Site, states [][]State) {
	t.Helper()
	for _, family := range allFamilies {
		for seed := uint64(0); ; seed++ {
			m, columns, rows := draw(rand.New(rand.NewPCG(seed, 45)), family, "plain", 3)
			p, err := Compile(m, columns, true)
			if err != nil {
				t.Fatal(err)
			}
			run, err := trace(p, rows...)
			if err == nil {
				plans, sites, states = append(plans, p), append(sites, rows), append(states, run)
				break
			}
			if seed > 20 {
				t.Fatalf("%s: %v", family, err)
			}
		}
	}
	return plans, sites, states
}

// A sum from a wrong report never makes a step panic or leave the plan's states.
func FuzzFamilyStep(f *testing.F) {
	plans, _, states := finishedRuns(f)
	for i := range plans {
		for j := range states[i] {
			f.Add(uint8(i), uint8(j), uint8(3), 1e300)
			f.Add(uint8(i), uint8(j), uint8(0), -1.0)
			f.Add(uint8(i), uint8(j), uint8(1), math.NaN())
		}
	}
	f.Fuzz(func(t *testing.T, plan, round, at uint8, value float64) {
		p := plans[int(plan)%len(plans)]
		run := states[int(plan)%len(plans)]
		s := run[int(round)%len(run)]
		sum := make([]float64, p.Layout(s, 3).Numbers())
		for i := range sum {
			sum[i] = float64(i%7) * 3
		}
		if len(sum) > 0 {
			sum[int(at)%len(sum)] = value
		}
		next, err := p.Step(s, 3, sum)
		if err != nil {
			return
		}
		if _, err := p.Decode(croft.Encode(next)); err != nil {
			t.Fatal(err)
		}
	})
}

// Bytes that a plan takes for a state lead to reports of its layout, to a step or
// to a result, and never to a panic.
func FuzzDecodeFamilyState(f *testing.F) {
	plans, sites, states := finishedRuns(f)
	for i := range plans {
		for _, s := range states[i] {
			f.Add(uint8(i), croft.Encode(s))
			if len(s.SD) > 0 { // lengths that do not fit each other
				s.SD = s.SD[1:]
				f.Add(uint8(i), croft.Encode(s))
			}
		}
	}
	f.Fuzz(func(t *testing.T, plan uint8, data []byte) {
		p, site := plans[int(plan)%len(plans)], sites[int(plan)%len(plans)][0]
		s, err := p.Decode(data)
		if err != nil {
			return
		}
		report, err := p.Compute(s, 0, 3, site.Train, site.Test)
		if err != nil {
			t.Fatal(err)
		}
		layout := p.Layout(s, 3)
		if len(report) != layout.Numbers() {
			t.Fatalf("%v: %d numbers, the layout has %d", s.Word, len(report), layout.Numbers())
		}
		for _, b := range layout {
			if b.Exp > 300 {
				t.Fatalf("bound 2^%d of %s", b.Exp, b.Name)
			}
		}
		if s.Word == Done {
			if r, err := p.Result(s); err == nil {
				r.PerSD()
			}
			return
		}
		_, _ = p.Step(s, 3, report)
	})
}

// What each family's steps make of these sums, bit by bit, on every machine.
func TestGoldenFamilySteps(t *testing.T) {
	const file = "testdata/families.json"
	type golden struct {
		Model   croft.Model
		Columns []string
		Sums    [][]int64
		Hashes  []string
	}
	if *update {
		var runs []golden
		plans, sites, states := finishedRuns(t)
		for i, p := range plans {
			run := golden{Model: p.model, Columns: p.columns}
			for j, s := range states[i][1:] {
				before := states[i][j]
				layout := p.Layout(before, 3)
				sum := make([]int64, layout.Elems())
				for me, site := range sites[i] {
					report, err := p.Compute(before, me, 3, site.Train, site.Test)
					if err != nil {
						t.Fatal(err)
					}
					encoded, err := layout.Encode(report)
					if err != nil {
						t.Fatal(err)
					}
					for k, e := range encoded {
						sum[k] += e
					}
				}
				run.Sums, run.Hashes = append(run.Sums, sum), append(run.Hashes, croft.HashOf(s).String())
			}
			runs = append(runs, run)
		}
		data, err := json.Marshal(runs)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []golden
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != len(allFamilies) {
		t.Fatalf("%d runs", len(runs))
	}
	steps := 0
	for _, run := range runs {
		p := compile(t, run.Model, run.Columns, true)
		s := p.Start()
		for i, sum := range run.Sums {
			values, err := p.Layout(s, 3).Decode(sum)
			if err != nil {
				t.Fatalf("%s, sum %d: %v", run.Model.Family, i, err)
			}
			if s, err = p.Step(s, 3, values); err != nil {
				t.Fatalf("%s, sum %d: %v", run.Model.Family, i, err)
			}
			if got := croft.HashOf(s).String(); got != run.Hashes[i] {
				t.Fatalf("%s: after sum %d the state is %s, want %s", run.Model.Family, i, got, run.Hashes[i])
			}
			steps++
		}
		if s.Word != Done {
			t.Errorf("%s ends at %v", run.Model.Family, s.Word)
		}
	}
	t.Logf("%d steps of %d families", steps, len(runs))
}

// Before a study begins people are told how many numbers leave, step by step: the
// layouts of states that know only their step have the lengths of the real ones.
func TestWordsHaveTheirLayouts(t *testing.T) {
	plans, _, states := finishedRuns(t)
	for i, p := range plans {
		var seen []Step
		for _, s := range states[i][:len(states[i])-1] {
			if got, want := p.Layout(State{Word: s.Word}, 3).Elems(), p.Layout(s, 3).Elems(); got != want || got == 0 {
				t.Errorf("%s, %v: %d elements, in a run %d", p.model.Family, s.Word, got, want)
			}
			if !slices.Contains(seen, s.Word) {
				seen = append(seen, s.Word)
			}
		}
		if !slices.Equal(seen, p.Words()) {
			t.Errorf("%s takes the steps %v, says %v", p.model.Family, seen, p.Words())
		}
	}
}
