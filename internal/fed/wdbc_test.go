package fed

import (
	"encoding/csv"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// The eight features of the demo: names, column numbers in the file, and the
// ranges that a study would declare.
var (
	features = []string{"texture", "smoothness", "symmetry", "fractal", "se_texture", "se_smoothness", "se_symmetry", "se_fractal"}
	fields   = []int{1, 4, 8, 9, 11, 14, 18, 19}
	scales   = []Scale{{25, 25}, {.15, .15}, {.25, .25}, {.1, .1}, {5, 5}, {.05, .05}, {.05, .05}, {.025, .025}}
)

// wdbc returns the eight features of the 569 patients in raw units, with y = 1
// for malignant.
func wdbc(t testing.TB) (x [][]float64, y []float64) {
	t.Helper()
	all, y := wdbcFields(t)
	for _, row := range all {
		var eight []float64
		for _, f := range fields {
			eight = append(eight, row[f])
		}
		x = append(x, eight)
	}
	return x, y
}

// wdbcFields returns the file's 30 features.
func wdbcFields(t testing.TB) (x [][]float64, y []float64) {
	t.Helper()
	data, err := os.Open(filepath.Join(repository(t), "../shared/data/wdbc/breast_cancer.csv"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the breast cancer data is not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	r := csv.NewReader(data)
	r.FieldsPerRecord = -1
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := make([]float64, 30)
		for j := range row {
			row[j] = number(t, line[j])
		}
		x, y = append(x, row), append(y, 1-number(t, line[30]))
	}
	return x, y
}

func number(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// scaled maps raw rows to [−1, 1].
func scaled(x [][]float64) [][]float64 { return mapped(x, scales) }

// split deals rows to sites as groups says.
func split(x [][]float64, y []float64, groups []int, sites int) []Site {
	out := make([]Site, sites)
	for i, g := range groups {
		out[g].Train.X, out[g].Train.Y = append(out[g].Train.X, x[i]), append(out[g].Train.Y, y[i])
	}
	return out
}

// unlike deals rows as testdata/wdbc.R does: four sites of unlike base rates.
func unlike(y []float64) []int {
	groups := make([]int, len(y))
	for i := range y {
		k := (i*i + i/5) % 7
		groups[i] = [7]int{0, 1, 2, 3, 3, 2, 3}[k]
		if y[i] == 1 {
			groups[i] = [7]int{0, 0, 0, 1, 1, 2, 3}[k]
		}
	}
	return groups
}

func logisticModel(goal croft.Goal, intercepts croft.Intercepts, ridge string) croft.Model {
	lambda, err := croft.ParseDecimal(ridge)
	if err != nil {
		panic(err)
	}
	return croft.Model{Family: "logistic", Goal: goal, Intercepts: intercepts, Ridge: lambda, Label: "diagnosis", Positive: "malignant", MaxRounds: 25}
}

func compile(t testing.TB, m croft.Model, columns []string, perSite bool) *Plan {
	t.Helper()
	p, err := Compile(m, columns, perSite)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fit runs a plan and reads its result.
func fit(t testing.TB, p *Plan, sites ...Site) Result {
	t.Helper()
	s, err := p.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// near fails unless |got − want| ≤ tolerance·unit.
func near(t rapid.TB, what string, got, want, tolerance, unit float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*unit) {
		t.Errorf("%s: got %.17g, want %.17g (off by %.2g of %.3g)", what, got, want, math.Abs(got-want)/unit, unit)
	}
}

// reference reads testdata/wdbc.csv: fit → term → coef, se, deviance.
func reference(t testing.TB) map[string]map[string][3]float64 {
	return readR(t, "testdata/wdbc.csv")
}

func readR(t testing.TB, path string) map[string]map[string][3]float64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string][3]float64{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[2:] {
		f := strings.Split(line, ",")
		if out[f[0]] == nil {
			out[f[0]] = map[string][3]float64{}
		}
		out[f[0]][f[1]] = [3]float64{number(t, f[2]), number(t, f[3]), number(t, f[4])}
	}
	return out
}

func TestFitEqualsR(t *testing.T) {
	x, y := wdbc(t)
	groups := unlike(y)
	sites := split(scaled(x), y, groups, 4)
	r := reference(t)
	for _, c := range []struct {
		fit, ridge string
		intercepts croft.Intercepts
	}{
		{"common", "0", croft.CommonIntercept}, {"site", "0", croft.SiteIntercepts},
		{"common 0.001", "0.001", croft.CommonIntercept}, {"site 0.001", "0.001", croft.SiteIntercepts},
		{"common 1", "1", croft.CommonIntercept}, {"site 1", "1", croft.SiteIntercepts},
		{"common 10", "10", croft.CommonIntercept}, {"site 10", "10", croft.SiteIntercepts},
	} {
		t.Run(c.fit, func(t *testing.T) {
			goal := croft.Prediction
			if c.ridge == "0" {
				goal = croft.Inference
			}
			plan := compile(t, logisticModel(goal, c.intercepts, c.ridge), features, false)
			got := fit(t, plan, sites...).In(scales)
			worst := 0.0
			for j, name := range features {
				want, unit := r[c.fit][name], r[string(c.intercepts)][name][1] // the SE without ridge
				term := got.Terms[1+j]
				worst = max(worst, math.Abs(term.Coef-want[0])/unit)
				near(t, name, term.Coef, want[0], 1e-9, unit)
				near(t, "SE of "+name, term.SE, want[1], 1e-8, unit)
				near(t, "deviance", got.Deviance(), want[2], 1e-9, 1)
			}
			t.Logf("largest difference %.1e SE, condition %.3g, %d sums", worst, got.Condition, got.Rounds)
			if c.fit == "common" {
				want := r["common"]["(Intercept)"]
				near(t, "intercept", got.Terms[0].Coef, want[0], 1e-9, want[1])
				near(t, "SE of intercept", got.Terms[0].SE, want[1], 1e-8, want[1])
				near(t, "condition", got.Condition, r["common"]["condition"][0], 1e-6, 1)
				near(t, "deviance of the issue", got.Deviance(), 377.216264857, 1e-9, 1)
			}

			// The other algorithm agrees with both.
			if c.intercepts == croft.CommonIntercept {
				groups = nil
			} else {
				groups = unlike(y)
			}
			other, err := Pooled(x, y, groups, plan.ridge)
			if err != nil {
				t.Fatal(err)
			}
			for j, name := range features {
				want := r[c.fit][name]
				near(t, "pooled "+name, other.Coef[j], want[0], 1e-9, r[string(c.intercepts)][name][1])
				if c.ridge == "0" {
					near(t, "pooled SE of "+name, other.SE[j], want[1], 1e-8, want[1])
				}
			}
			for g, alpha := range other.Intercepts {
				if want, ok := r[c.fit][strconv.Itoa(g)]; ok {
					near(t, "intercept of site "+strconv.Itoa(g), alpha, want[0], 1e-9, want[1])
				}
			}
			near(t, "pooled deviance", other.Deviance, r[c.fit]["texture"][2], 1e-9, 1)
		})
	}
}

func TestSiteInterceptEqualsIndicator(t *testing.T) {
	x, y := wdbc(t)
	sites := split(scaled(x), y, unlike(y), 4)
	p := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), features, false)
	s, err := p.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(s)
	if err != nil {
		t.Fatal(err)
	}
	raw, mean, rows := r.In(scales), 0.0, 0.0
	for g, site := range sites {
		want := reference(t)["site"][strconv.Itoa(g)]
		alpha := p.Intercept(s, site.Train) // on the [−1, 1] scale
		weight := math.Exp2(math.Floor(math.Log2(float64(len(site.Train.Y)))))
		mean, rows = mean+alpha*weight, rows+weight
		for j, c := range scales {
			alpha -= raw.Terms[1+j].Coef * c.Mid
		}
		near(t, "intercept of site "+strconv.Itoa(g), alpha, want[0], 1e-8, want[1])
	}
	near(t, "mean intercept", r.Terms[0].Coef, mean/rows, 1e-9, 1)
}

// All 30 features separate the classes: no odds ratio is finite, and the study
// says so instead of publishing one.
func TestAllThirtyFeaturesSeparate(t *testing.T) {
	x, y := wdbcFields(t)
	z := make([][]float64, len(x))
	for i := range z {
		z[i] = make([]float64, 30)
	}
	for j := range 30 {
		high := 0.0
		for i := range x {
			high = max(high, x[i][j])
		}
		for i := range x {
			z[i][j] = 2*x[i][j]/high - 1
		}
	}
	for _, intercepts := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		p := compile(t, logisticModel(croft.Inference, intercepts, "0"), names(30), false)
		states, err := trace(p, split(z, y, unlike(y), 4)...)
		t.Logf("%s: %d sums: %v", intercepts, len(states)-1, err)
		if !errors.Is(err, croft.ErrSeparation) {
			t.Errorf("%s: %v", intercepts, err)
		}
		p = compile(t, logisticModel(croft.Prediction, intercepts, "1"), names(30), false)
		if states, err = trace(p, split(z, y, unlike(y), 4)...); err != nil {
			t.Errorf("%s with a ridge: %v", intercepts, err)
		}
		t.Logf("%s with a ridge: %d sums", intercepts, len(states)-1)
	}
}

// However the rows are dealt to sites, a common intercept gives one answer; with
// site intercepts it is the one of indicators.
func TestAnyDealGivesThePooledFit(t *testing.T) {
	x, y := wdbc(t)
	z := scaled(x)
	whole, err := Pooled(x, y, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	common := compile(t, logisticModel(croft.Inference, croft.CommonIntercept, "0"), features, false)
	bySite := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), features, true)
	worst := 0.0
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		sites := 2 + rng.IntN(8)
		groups := make([]int, len(y))
		for i := range groups { // squared: sites from a handful of rows to most of them
			u := rng.Float64()
			groups[i] = int(u * u * float64(sites))
		}
		dealt := split(z, y, groups, sites)
		compare := func(got Result, want Fit) {
			for j, name := range features {
				diff := math.Abs(got.Terms[1+j].Coef-want.Coef[j]) / want.SE[j]
				if worst = max(worst, diff); diff > 1e-7 {
					t.Errorf("seed %d, %d sites, %s: %g SE off", seed, sites, name, diff)
				}
				if seDiff := math.Abs(got.Terms[1+j].SE/want.SE[j] - 1); seDiff > 1e-7 {
					t.Errorf("seed %d, %d sites, %s: SE off by %g", seed, sites, name, seDiff)
				}
			}
			near(t, "deviance", got.Deviance(), want.Deviance, 1e-8, 1)
		}
		compare(fit(t, common, dealt...).In(scales), whole)
		if seed%5 == 0 {
			want, err := Pooled(x, y, groups, 0)
			if err != nil {
				t.Fatal(err)
			}
			compare(fit(t, bySite, dealt...).In(scales), want)
		}
	}
	t.Logf("largest difference %.1e SE", worst)
}
