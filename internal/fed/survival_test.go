package fed

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

func timed(m *croft.Model) { m.Time = "time" }

// days is a grid on which every time of the lung data is the end of a cell.
func days(m *croft.Model) { m.Grid = croft.Grid{Width: croft.Decimal{Mantissa: 1}, Cells: 1100} }

func TestCoxEqualsR(t *testing.T) {
	ref, sites := rLung(t), deal(lung(t), 3, byInstitution, dead)
	for i, want := range []struct{ rows, deaths int }{{60, 46}, {57, 43}, {109, 74}} {
		if r := sites[i].Train; len(r.Y) != want.rows || total(r.Y) != float64(want.deaths) {
			t.Fatalf("site %d: %d rows, %g deaths", i, len(r.Y), total(r.Y))
		}
	}
	for _, ties := range []string{"efron", "breslow"} {
		t.Run(ties, func(t *testing.T) {
			tied := func(m *croft.Model) { m.Ties = ties }
			r := fitLung(t, lungModel("cox", croft.SiteIntercepts, timed, tied, days), sites)
			want := ref["cox "+ties]
			likeR(t, r, want)
			if len(r.Terms) != 3 || len(r.Proportional) != 4 {
				t.Fatalf("%+v", r)
			}
			own := fitLung(t, lungModel("cox", croft.SiteIntercepts, timed, tied), sites)
			for i, term := range []string{"age", "sex", "ph.ecog", "GLOBAL"} {
				near(t, "check of "+term, r.Proportional[i].Statistic, want[term]["zph"], 1e-7, 1)
				near(t, "own check of "+term, own.Proportional[i].Statistic, want[term]["zph.own"], 1e-7, 1)
			}
			near(t, "p of the check", r.Proportional[3].P(), want["GLOBAL"]["zph.p"], 1e-7, 1)
		})
	}
	// The figures of the issue.
	r := fitLung(t, lungModel("cox", croft.SiteIntercepts, timed, days), sites)
	for i, want := range [][2]float64{{.01050171511, .0094657}, {-.58349645494, .1710619}, {.53650531159, .1186223}} {
		near(t, "coefficient of the issue", r.Terms[i].Coef, want[0], 1e-11, 1)
		near(t, "SE of the issue", r.Terms[i].SE, want[1], 1e-7, 1)
	}
	near(t, "check of the issue", r.Proportional[3].Statistic, 2.918, 5e-4, 1)
}

// The partial likelihood as its definition says, at the estimate: score 0, and the
// information that the plan found. Sites of any size, ties or none.
func TestCoxMaximisesThePartialLikelihood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 31))
		ties := rapid.SampledFrom([]string{"efron", "breslow"}).Draw(t, "ties")
		rounding := rapid.SampledFrom([]float64{0, 0.1, 1}).Draw(t, "rounding")
		sites := make([]Site, rapid.IntRange(1, 9).Draw(t, "sites"))
		for g := range sites {
			for _, r := range []*Rows{&sites[g].Train, &sites[g].Test} {
				*r = simulate(rng, rng.IntN(60), 0.5, []float64{1, -1})
				for i, x := range r.X {
					time := -math.Log(rng.Float64()) * math.Exp(x[0]-x[1])
					if rounding > 0 {
						time = math.Ceil(time/rounding) * rounding
					}
					r.Time = append(r.Time, time)
					r.Y[i] = math.Round(rng.Float64() + 0.2)
				}
			}
		}
		m := croft.Model{Family: "cox", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Time: "t", Ties: ties, Label: "event", MaxRounds: 25}
		p, err := Compile(m, names(2), true)
		if err != nil {
			t.Fatal(err)
		}
		states, err := trace(p, sites...)
		if err != nil {
			if code := croft.CodeOf(err); code == croft.ErrInternal || code == croft.ErrSum || code == croft.ErrOverflow || code == croft.ErrNoConvergence {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		s := states[len(states)-1]
		r, err := p.Result(s)
		if err != nil {
			t.Fatal(err)
		}
		beta := []float64{r.Terms[0].Coef, r.Terms[1].Coef}
		score, information := make([]float64, 2), [][]float64{{0, 0}, {0, 0}}
		for _, site := range sites {
			rows := site.Train
			for i, now := range rows.Time {
				if rows.Y[i] == 0 {
					continue
				}
				deaths, before := 0.0, 0.0
				for j := range rows.Time {
					if rows.Time[j] == now && rows.Y[j] == 1 {
						deaths++
						if j < i {
							before++
						}
					}
				}
				sum, mean, square := 0.0, make([]float64, 2), [][]float64{{0, 0}, {0, 0}}
				for j, x := range rows.X {
					w := math.Exp(dot(x, beta))
					switch {
					case rows.Time[j] < now:
						continue
					case ties == "efron" && rows.Time[j] == now && rows.Y[j] == 1:
						w *= 1 - before/deaths
					}
					sum += w
					for a := range x {
						mean[a] += w * x[a]
						for b := range x {
							square[a][b] += w * x[a] * x[b]
						}
					}
				}
				for a := range mean {
					score[a] += rows.X[i][a] - mean[a]/sum
					for b := range mean {
						information[a][b] += square[a][b]/sum - mean[a]/sum*mean[b]/sum
					}
				}
			}
		}
		for a := range score {
			if math.Abs(score[a])*r.Terms[a].SE > 1e-7 {
				t.Errorf("score %g at SE %g", score[a], r.Terms[a].SE)
			}
		}
		l, _ := cholesky(information)
		for a, row := range l.inverse() {
			near(t, "variance", r.Cov[a][a], row[a], 1e-6, row[a])
		}

		// Every pair of which it is known who had the event first.
		want := Score{}
		for _, site := range sites {
			rows, pairs := site.Test, int64(0)
			for i := range rows.Time {
				want.Rows++
				want.Positive += int64(rows.Y[i])
				for j := range rows.Time {
					if rows.Y[i] == 1 && (rows.Time[i] < rows.Time[j] || rows.Time[i] == rows.Time[j] && rows.Y[j] == 0) {
						pairs++
						switch a, b := r.Predict(rows.X[i]), r.Predict(rows.X[j]); {
						case math.Abs(a-b) < 1e-12*a:
							want.Concordant++
						case a > b:
							want.Concordant += 2
						}
					}
				}
			}
			want.Pairs += pairs
			want.PairRows += pairs * int64(len(rows.Time))
		}
		if r.Score != want {
			t.Errorf("score %+v, want %+v", r.Score, want)
		}
	})
}

func TestConcordanceEqualsR(t *testing.T) {
	m := lungModel("cox", croft.SiteIntercepts, timed)
	sites := only(m, deal(lung(t), 3, byInstitution, dead))
	for i := range sites {
		sites[i].Test = sites[i].Train
	}
	r := fit(t, compile(t, m, lungColumns, false), sites...)
	near(t, "concordance", float64(r.Score.Concordant)/float64(2*r.Score.Pairs), rLung(t)["cox efron"][""]["concordance"], 1e-12, 1)
}

func TestLogRankEqualsR(t *testing.T) {
	patients := lung(t)
	for _, c := range []struct {
		name    string
		columns []string
		level   func(p patient) int
	}{
		{"sex", []string{"sex=2"}, func(p patient) int { return int(p.sex) - 1 }},
		{"ph.ecog", []string{"ph.ecog=1", "ph.ecog=2", "ph.ecog=3"}, func(p patient) int { return int(p.ecog) }},
	} {
		r := curves(t, patients, c.name, c.columns, c.level, 30)
		want := rLung(t)["log-rank "+c.name][""]["chi2"]
		if r.LogRank == nil || r.LogRank.DF != len(c.columns) {
			t.Fatalf("%+v", r.LogRank)
		}
		near(t, "log-rank by "+c.name, r.LogRank.Statistic, want, 1e-9, 1)
	}
}

// curves runs kaplan-meier over the three sites, on a grid of so many days.
func curves(t *testing.T, patients []patient, name string, columns []string, level func(p patient) int, width int64) Result {
	t.Helper()
	m := croft.Model{Family: "kaplan-meier", Goal: croft.Inference, Label: "status", Time: "time",
		Grid: croft.Grid{Width: croft.Decimal{Mantissa: width}, Cells: uint16((1050 + width - 1) / width)}}
	if name != "" {
		m.Features = []string{name}
	}
	sites := only(m, deal(patients, 3, byInstitution, dead))
	at := make([]int, 3)
	for _, p := range patients {
		g := institutions(p)
		x := make([]float64, len(columns))
		if l := level(p); l > 0 {
			x[l-1] = 1
		}
		sites[g].Train.X[at[g]] = x
		at[g]++
	}
	for i := range sites { // nobody is held out, whatever the study says
		r := sites[i].Train
		sites[i].Test = Rows{X: r.X[:9], Y: r.Y[:9], Time: r.Time[:9]}
		sites[i].Train = Rows{X: r.X[9:], Y: r.Y[9:], Time: r.Time[9:]}
	}
	p := compile(t, m, columns, false)
	states, err := trace(p, sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(states[len(states)-1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCurvesEqualR(t *testing.T) {
	ref, compared := rLung(t), 0
	r := curves(t, lung(t), "sex", []string{"sex=2"}, func(p patient) int { return int(p.sex) - 1 }, 30)
	for i, group := range []string{"men", "women"} {
		c := r.Curves[i]
		for _, step := range c.Points {
			want, ok := ref[group][fmt.Sprintf("month %g", step.Time/30)]
			if !ok { // R lists the months with times only
				if step.Events+step.Censored > 0 {
					t.Errorf("%s, day %g: %+v", group, step.Time, step)
				}
				continue
			}
			compared++
			near(t, "at risk", float64(step.AtRisk), want["risk"], 0, 1)
			near(t, "survival", step.Survival.Value, want["survival"], 1e-12, 1)
			if want["survival"] > 0 {
				near(t, "SE", step.SE, want["se"], 1e-12, 1)
				near(t, "low", step.Survival.Low, want["low"], 1e-12, 1)
				near(t, "high", step.Survival.High, want["high"], 1e-12, 1)
			}
		}
		median, ok := c.Median()
		if !ok || median != ref[group][""]["median"] {
			t.Errorf("median of %s: %g", group, median)
		}
	}
	if compared < 30 {
		t.Errorf("only %d points compared", compared)
	}
	if one := curves(t, lung(t), "", nil, func(patient) int { return 0 }, 365); len(one.Curves) != 1 || one.LogRank != nil || len(one.Curves[0].Points) != 3 {
		t.Errorf("%+v", one)
	}
}

// Any deal of the rows gives the same counts, so the same curves and the same description.
func TestAnyDealCountsTheSame(t *testing.T) {
	patients := lung(t)
	for _, m := range []croft.Model{
		{Family: "kaplan-meier", Goal: croft.Inference, Label: "status", Time: "time", Grid: croft.Grid{Width: croft.Decimal{Mantissa: 30}, Cells: 35}},
		{Family: "describe", Goal: croft.Inference, Features: []string{"age", "sex", "ph.ecog"}, Label: "status", Bins: 10, Classes: 2},
	} {
		p := compile(t, m, m.Features, false)
		var first Result
		for seed := range uint64(100) {
			sites, site := dealt(seed, len(patients))
			rows := only(m, deal(patients, sites, site, dead))
			for i := range rows {
				if len(m.Features) == 0 {
					clear(rows[i].Train.X)
				}
			}
			states, err := trace(p, rows...)
			if err != nil {
				t.Fatalf("%s, seed %d: %v", m.Family, seed, err)
			}
			r, err := p.Result(states[len(states)-1])
			if err != nil {
				t.Fatal(err)
			}
			if seed == 0 {
				first = r
			}
			for i, n := range r.Numbers {
				near(t, "mean", n.Mean, first.Numbers[i].Mean, 1e-9, 1)
				near(t, "SD", n.SD, first.Numbers[i].SD, 1e-9, 1)
				if !slices.Equal(n.Histogram, first.Numbers[i].Histogram) {
					t.Errorf("histogram %v, %v", n.Histogram, first.Numbers[i].Histogram)
				}
			}
			for i, c := range r.Curves {
				if !slices.Equal(c.Points, first.Curves[i].Points) {
					t.Errorf("curve %v, %v", c.Points, first.Curves[i].Points)
				}
			}
			if len(r.Numbers)+len(r.Curves) == 0 {
				t.Fatalf("%s: nothing to compare", m.Family)
			}
			if t.Failed() {
				t.Fatalf("%s, seed %d, %d sites", m.Family, seed, sites)
			}
		}
	}
}

func TestCellsOfDecimalTimes(t *testing.T) {
	for width := int64(1); width < 100; width++ { // hundredths
		m := croft.Model{Family: "kaplan-meier", Goal: croft.Inference, Time: "t", Grid: croft.Grid{Width: croft.Decimal{Mantissa: width, Scale: 2}, Cells: 50}}
		p := compile(t, m, nil, false)
		for i := range 50 {
			end := float64(int64(i+1)*width) / 100
			if got := p.cell(end); got != i {
				t.Fatalf("%g is in cell %d of %g, want %d", end, got, float64(width)/100, i)
			}
			if got := p.cell(end + 1e-6); got != i+1 {
				t.Fatalf("just after %g is cell %d of %g", end, got, float64(width)/100)
			}
		}
		if p.cell(0) != 0 || p.cell(1e12) != 50 {
			t.Error("the ends")
		}
	}
}

func TestDescriptionEqualsR(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	m := croft.Model{Family: "describe", Goal: croft.Inference, Features: []string{"age", "ph.ecog"}, Label: "status", Bins: 10, Classes: 2}
	columns := []string{"age", "ph.ecog=1", "ph.ecog=2", "ph.ecog=3"}
	sites := make([]Site, 3)
	for _, p := range patients {
		x := []float64{(p.age - 50) / 50, 0, 0, 0}
		if p.ecog > 0 {
			x[int(p.ecog)] = 1
		}
		r := &sites[institutions(p)].Train
		if p.row%5 == 0 {
			r = &sites[institutions(p)].Test
		}
		r.X, r.Y = append(r.X, x), append(r.Y, p.dead)
	}
	p := compile(t, m, columns, false)
	states, err := trace(p, sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(states[len(states)-1])
	if err != nil {
		t.Fatal(err)
	}
	r = r.In([]Scale{{50, 50}, {0, 1}, {0, 1}, {0, 1}})
	want := ref["describe"]["age"]
	age := r.Numbers[0]
	near(t, "mean", age.Mean, want["mean"], 1e-10, 1)
	near(t, "SD", age.SD, want["sd"], 1e-10, 1)
	for i, n := range age.Histogram {
		near(t, "bin", float64(n), want[fmt.Sprintf("bin %d", i+1)], 0, 1)
	}
	for _, q := range []float64{0.1, 0.25, 0.5, 0.9} {
		e := age.Quantile(q)
		exact := want[fmt.Sprintf("quantile %g", q)]
		if !(e.Low <= exact && exact <= e.High && e.Low <= e.Value && e.Value <= e.High && math.Abs(e.High-e.Low-10) < 1e-9) {
			t.Errorf("quantile %g is %g, stated as %+v", q, exact, e)
		}
	}
	table := r.Tables[0]
	near(t, "χ²", table.Test.Statistic, ref["describe"]["ph.ecog"]["chi2"], 1e-10, 1)
	near(t, "p", table.Test.P(), ref["describe"]["ph.ecog"]["p"], 1e-10, 1)
	if table.Test.DF != 3 || len(table.Counts) != 4 || table.Counts[0][0]+table.Counts[0][1] == 0 {
		t.Errorf("%+v", table)
	}
}

// The stated error holds for any rows and any bins.
func TestQuantilesLieWhereTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1, 1), 2, 60).Draw(t, "values")
		m := croft.Model{Family: "describe", Goal: croft.Inference, Features: []string{"x"}, Bins: uint16(rapid.IntRange(1, 40).Draw(t, "bins"))}
		p, err := Compile(m, []string{"x"}, false)
		if err != nil {
			t.Fatal(err)
		}
		rows := Rows{Y: make([]float64, len(values))}
		for _, v := range values {
			rows.X = append(rows.X, []float64{v})
		}
		states, err := trace(p, Site{Train: rows})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(values)
		q := rapid.Float64Range(0.001, 0.999).Draw(t, "q")
		exact := values[int(math.Ceil(q*float64(len(values))))-1]
		if e := r.Numbers[0].Quantile(q); !(e.Low-1e-9 <= exact && exact <= e.High+1e-9 && e.Low <= e.Value && e.Value <= e.High+1e-12) {
			t.Errorf("%g is %g, stated as %+v", q, exact, e)
		}
	})
}

// A value at the edge of two bins is in the upper one, though its place between −1 and 1
// is rounded.
func TestValuesAtEdgesOfBins(t *testing.T) {
	for _, of := range []struct{ low, width, bins int }{{0, 10, 20}, {0, 5, 24}, {20, 5, 15}, {-7, 3, 30}, {0, 1, 130}} {
		p := compile(t, croft.Model{Family: "describe", Goal: croft.Inference, Features: []string{"x"}, Bins: uint16(of.bins)}, []string{"x"}, false)
		high := of.low + of.width*of.bins
		scale := Scale{float64(of.low+high) / 2, float64(high-of.low) / 2}
		for v := of.low; v <= high; v++ {
			want := min((v-of.low)/of.width, of.bins-1)
			if got := p.countedIn(p.features()[0], []float64{(float64(v) - scale.Mid) / scale.Half}, 0); got != want {
				t.Errorf("%d of %+v is in bin %d, not %d", v, of, got, want)
			}
		}
	}
}

// Where one of n is gone at each time, half are gone after n/2, however the product of
// shares is rounded.
func TestMedianIsWhereHalfAreGone(t *testing.T) {
	for n := 2; n <= 60; n += 2 {
		m := croft.Model{Family: "kaplan-meier", Goal: croft.Inference, Time: "t", Label: "event", Grid: croft.Grid{Width: croft.Decimal{Mantissa: 1}, Cells: 60}}
		p := compile(t, m, nil, false)
		var rows Rows
		for i := range n {
			rows.X, rows.Y, rows.Time = append(rows.X, nil), append(rows.Y, 1), append(rows.Time, float64(i+1))
		}
		s, err := p.Run(Site{Train: rows})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Result(s)
		if err != nil {
			t.Fatal(err)
		}
		if at, reached := r.Curves[0].Median(); !reached || at != float64(n/2) {
			t.Errorf("of %d, half are gone at %g", n, at)
		}
	}
}

// Where events tell nothing of time (all in one cell, or beyond the grid) there is no
// test of proportional hazards: not one of rounding, and not 0 through 0.
func TestNoTestWhereTimeTellsNothing(t *testing.T) {
	patients := lung(t)
	for name, grid := range map[string]croft.Grid{"one cell": {Width: croft.Decimal{Mantissa: 2000}, Cells: 1}, "beyond": {Width: croft.Decimal{Mantissa: 1}, Cells: 4}} {
		r := fitLung(t, lungModel("cox", croft.SiteIntercepts, timed, func(m *croft.Model) { m.Grid = grid }), deal(patients, 3, byInstitution, dead))
		if len(r.Proportional) > 0 {
			t.Errorf("%s: %+v", name, r.Proportional)
		}
	}
}

func TestTailsEqualR(t *testing.T) {
	ref, compared := rLung(t), 0
	for df, values := range ref["t"] {
		for at, want := range values {
			compared++
			if at == "quantile" {
				near(t, "t quantile", studentQuantile(number(t, df)), want, 1e-10, want)
				continue
			}
			near(t, "t tail "+df+" "+at, studentTail(number(t, at), number(t, df)), want, 1e-10, want)
		}
	}
	for df, values := range ref["chi2"] {
		for at, want := range values {
			compared++
			near(t, "χ² tail "+df+" "+at, chiSquaredTail(number(t, at), number(t, df)), want, 1e-10, max(want, 1e-300))
		}
	}
	if compared < 40 {
		t.Errorf("only %d compared", compared)
	}
}
