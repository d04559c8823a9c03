package fed

import (
	"encoding/csv"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"croft"
)

// patient is a row of the lung cancer data: 226 patients with inst and ph.ecog.
type patient struct {
	inst, time, dead, age, sex, ecog float64
	karno                            float64 // NaN for one patient
	row                              int
}

func lung(t testing.TB) (out []patient) {
	t.Helper()
	data, err := os.Open(filepath.Join(repository(t), "../shared/data/lung/lung.csv"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the lung cancer data is not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	lines, err := csv.NewReader(data).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cell := func(text string) float64 {
		if text == "" || text == "NA" {
			return math.NaN()
		}
		return number(t, text)
	}
	for _, l := range lines[1:] {
		p := patient{cell(l[0]), cell(l[1]), cell(l[2]) - 1, cell(l[3]), cell(l[4]), cell(l[5]), cell(l[6]), len(out)}
		if !math.IsNaN(p.inst) && !math.IsNaN(p.ecog) {
			out = append(out, p)
		}
	}
	if len(out) != 226 {
		t.Fatalf("%d patients", len(out))
	}
	return out
}

// repository returns the folder of go.mod.
func repository(t testing.TB) string {
	t.Helper()
	root, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return root
		}
		if filepath.Dir(root) == root {
			break
		}
		root = filepath.Dir(root)
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// The columns that the references have, and the ranges that a study would declare.
var (
	lungColumns = []string{"age", "sex", "ph.ecog"}
	lungScales  = []Scale{{50, 50}, {1.5, 0.5}, {2, 2}}
	karnoScale  = Scale{50, 50}
)

// institutions deals patients to the three sites of the references.
func institutions(p patient) int {
	switch {
	case p.inst <= 3:
		return 0
	case p.inst <= 11:
		return 1
	}
	return 2
}

// deal gives patients to sites, as their rows with the label that a family wants.
func deal(patients []patient, sites int, site func(i int, p patient) int, label func(p patient) float64) []Site {
	out := make([]Site, sites)
	for i, p := range patients {
		r := &out[site(i, p)].Train
		x := []float64{p.age, p.sex, p.ecog}
		for j, c := range lungScales {
			x[j] = (x[j] - c.Mid) / c.Half
		}
		r.X, r.Y = append(r.X, x), append(r.Y, label(p))
		r.Time, r.Exposure = append(r.Time, p.time), append(r.Exposure, p.time)
		r.Weight, r.Unit = append(r.Weight, 0.5+float64(p.row%5)/4), append(r.Unit, p.row/3)
	}
	return out
}

func byInstitution(_ int, p patient) int { return institutions(p) }

// bySeventyFive keeps the three rows of a person at one site.
func bySeventyFive(_ int, p patient) int { return p.row / 75 }

func dead(p patient) float64  { return p.dead }
func karno(p patient) float64 { return (p.karno - karnoScale.Mid) / karnoScale.Half }

func withKarno(patients []patient) (out []patient) {
	for _, p := range patients {
		if !math.IsNaN(p.karno) {
			out = append(out, p)
		}
	}
	return out
}

// lungModel is a model for inference on the lung data.
func lungModel(family string, intercepts croft.Intercepts, change ...func(m *croft.Model)) croft.Model {
	m := croft.Model{Family: family, Goal: croft.Inference, Intercepts: intercepts, Label: "status", Features: lungColumns, MaxRounds: 40}
	for _, c := range change {
		c(&m)
	}
	return m
}

func weighted(m *croft.Model)  { m.Weight = "w" }
func exposed(m *croft.Model)   { m.Exposure = "time" }
func clustered(m *croft.Model) { m.Clusters = true }

// only keeps of the rows' slices those that the model names, as its callers do.
func only(m croft.Model, sites []Site) []Site {
	out := append([]Site(nil), sites...)
	for i := range out {
		r := &out[i].Train
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
	return out
}

// fitLung runs a model over sites, checking bounds and encodings on the way.
func fitLung(t testing.TB, m croft.Model, sites []Site) Result {
	t.Helper()
	p := compile(t, m, lungColumns, true)
	states, err := trace(p, only(m, sites)...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(states[len(states)-1])
	if err != nil {
		t.Fatal(err)
	}
	r = r.In(lungScales)
	if m.Family == "linear" {
		r = r.LabelIn(karnoScale)
	}
	return r
}

// rLung reads testdata/lung.csv: fit → term → what → value.
func rLung(t testing.TB) map[string]map[string]map[string]float64 {
	t.Helper()
	text, err := os.ReadFile("testdata/lung.csv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]map[string]float64{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[2:] {
		f := strings.Split(line, ",")
		if out[f[0]] == nil {
			out[f[0]] = map[string]map[string]float64{}
		}
		if out[f[0]][f[1]] == nil {
			out[f[0]][f[1]] = map[string]float64{}
		}
		out[f[0]][f[1]][f[2]] = number(t, f[3])
	}
	return out
}

// likeR compares terms, covariance, deviance, AIC and log-likelihood with a fit of R's.
func likeR(t *testing.T, r Result, want map[string]map[string]float64) {
	t.Helper()
	const tolerance = 1e-8
	if len(want) == 0 {
		t.Fatal("no such reference")
	}
	worst := 0.0
	at := map[string]int{}
	for i, term := range r.Terms {
		name := term.Name
		if name == commonIntercept {
			name = "(Intercept)"
		}
		at[name] = i
		w, ok := want[name]
		if !ok || name == meanIntercept {
			continue
		}
		unit := term.SE
		if w["se"] != 0 {
			unit = w["se"]
			near(t, "SE of "+name, term.SE, w["se"], tolerance, unit)
		}
		if coef, ok := w["coef"]; ok {
			worst = max(worst, math.Abs(term.Coef-coef)/unit)
			near(t, name, term.Coef, coef, tolerance, unit)
		}
		if p, ok := w["p"]; ok {
			near(t, "statistic of "+name, term.Statistic(), w["statistic"], tolerance*(1+math.Abs(w["statistic"])), 1)
			near(t, "p of "+name, term.P(), p, 10*tolerance*(1+math.Abs(w["statistic"])), p)
		}
		if low, ok := w["low"]; ok {
			near(t, "interval of "+name, term.Interval().Low, low, tolerance, unit)
			near(t, "interval of "+name, term.Interval().High, w["high"], tolerance, unit)
		}
	}
	if cov, ok := want["sex"]["cov.age"]; ok {
		near(t, "covariance", r.Cov[at["sex"]][at["age"]], cov, tolerance, r.Terms[at["sex"]].SE*r.Terms[at["age"]].SE)
	}
	for what, got := range map[string]float64{"deviance": r.Deviance(), "aic": r.AIC(), "loglik": r.Loglik, "r2": r.RSquared, "sigma2": r.Dispersion} {
		if value, ok := want[""][what]; ok {
			near(t, what, got, value, 1e-9, max(1, math.Abs(value)))
		}
	}
	t.Logf("largest difference %.1e SE, %d sums", worst, r.Rounds)
}

func TestLinearEqualsR(t *testing.T) {
	ref := rLung(t)
	patients := withKarno(lung(t))
	for name, m := range map[string]croft.Model{
		"linear common":   lungModel("linear", croft.CommonIntercept),
		"linear site":     lungModel("linear", croft.SiteIntercepts),
		"linear weighted": lungModel("linear", croft.CommonIntercept, weighted),
		"linear ridge 10": lungModel("linear", croft.CommonIntercept, func(m *croft.Model) {
			m.Goal, m.Ridge = croft.Prediction, croft.Decimal{Mantissa: 10}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			r := fitLung(t, m, deal(patients, 3, byInstitution, karno))
			if m.Goal == croft.Prediction {
				for i := range r.Terms { // compare in units of the errors without ridge
					r.Terms[i].SE = max(ref["linear common"][r.Terms[i].Name]["se"], 1e-9)
				}
			}
			likeR(t, r, ref[name])
		})
	}
}

func TestPoissonEqualsR(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	for name, m := range map[string]croft.Model{
		"poisson common":   lungModel("poisson", croft.CommonIntercept, exposed),
		"poisson site":     lungModel("poisson", croft.SiteIntercepts, exposed),
		"poisson weighted": lungModel("poisson", croft.CommonIntercept, exposed, weighted),
	} {
		t.Run(name, func(t *testing.T) {
			likeR(t, fitLung(t, m, deal(patients, 3, byInstitution, dead)), ref[name])
		})
	}
	t.Run("counts", func(t *testing.T) {
		tens := func(p patient) float64 { return p.karno / 10 }
		likeR(t, fitLung(t, lungModel("poisson", croft.SiteIntercepts), deal(withKarno(patients), 3, byInstitution, tens)), ref["poisson counts"])
	})
}

func TestClusterErrorsEqualVcovCL(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	likeR(t, fitLung(t, lungModel("logistic", croft.CommonIntercept, clustered), deal(patients, 4, bySeventyFive, dead)), ref["clusters logistic common"])
	likeR(t, fitLung(t, lungModel("logistic", croft.SiteIntercepts, clustered), deal(patients, 4, bySeventyFive, dead)), ref["clusters logistic site"])
	likeR(t, fitLung(t, lungModel("poisson", croft.CommonIntercept, exposed, clustered), deal(patients, 4, bySeventyFive, dead)), ref["clusters poisson"])
	likeR(t, fitLung(t, lungModel("linear", croft.CommonIntercept, clustered), deal(withKarno(patients), 4, bySeventyFive, karno)), ref["clusters linear common"])
	likeR(t, fitLung(t, lungModel("linear", croft.SiteIntercepts, clustered), deal(withKarno(patients), 4, bySeventyFive, karno)), ref["clusters linear site"])
}

// dealt is a random deal of n rows to two to nine sites, none of them empty.
func dealt(seed uint64, n int) (sites int, site func(i int, p patient) int) {
	rng := rand.New(rand.NewPCG(seed, 21))
	sites = 2 + rng.IntN(8)
	of := make([]int, n)
	for i, to := range rng.Perm(n) {
		if of[to] = i; i >= sites {
			of[to] = rng.IntN(sites)
		}
	}
	return sites, func(i int, _ patient) int { return of[i] }
}

// Any deal of the rows to two to nine sites gives the same common fit.
func TestAnyDealOfLungGivesTheSameFit(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	for _, c := range []struct {
		fit      string
		model    croft.Model
		patients []patient
		label    func(p patient) float64
	}{
		{"linear weighted", lungModel("linear", croft.CommonIntercept), withKarno(patients), karno},
		{"poisson common", lungModel("poisson", croft.CommonIntercept, exposed), patients, dead},
	} {
		if c.fit == "linear weighted" { // weights follow the row, not the deal
			c.model.Weight = "w"
		}
		worst := 0.0
		for seed := range uint64(100) {
			sites, site := dealt(seed, len(c.patients))
			r := fitLung(t, c.model, deal(c.patients, sites, site, c.label))
			for _, term := range r.Terms[1:] {
				want := ref[c.fit][term.Name]
				off := max(math.Abs(term.Coef-want["coef"]), math.Abs(term.SE-want["se"])) / want["se"]
				if worst = max(worst, off); off > 1e-8 {
					t.Errorf("%s, seed %d: %s is %g SE off", c.fit, seed, term.Name, off)
				}
			}
		}
		t.Logf("%s: largest difference %.1e SE", c.fit, worst)
	}
}
