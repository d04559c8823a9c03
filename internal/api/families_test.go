package api

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/table"
)

// lungRow is a row of the lung cancer data with what the references made of it.
type lungRow struct {
	row, site int
	cells     map[string]string
}

// lung reads the 226 patients with inst and ph.ecog. The institutions are three
// sites: up to 3, 4 to 11, from 12.
func lung(t *testing.T) (rows []lungRow) {
	t.Helper()
	f, err := os.Open("../../../shared/data/lung/lung.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the lung cancer data is not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		if l[0] == "" || l[0] == "NA" || l[5] == "" || l[5] == "NA" {
			continue
		}
		n := len(rows)
		inst, err := strconv.Atoi(l[0])
		if err != nil {
			t.Fatal(err)
		}
		r := lungRow{row: n, cells: map[string]string{"id": fmt.Sprint("row ", n), "person": fmt.Sprint("person ", n/3), "time": l[1], "status": l[2],
			"age": l[3], "sex": l[4], "ph.ecog": l[5], "ph.karno": strings.Trim(l[6], "NA"), "w": fmt.Sprint(0.5 + float64(n%5)/4), "rare": "0", "died": l[2]}}
		switch {
		case inst > 11:
			r.site = 2
		case inst > 3:
			r.site = 1
		}
		if n%23 == 0 { // the trait of the reference with separated classes
			r.cells["rare"], r.cells["died"] = "1", "2"
		}
		rows = append(rows, r)
	}
	if len(rows) != 226 {
		t.Fatalf("%d patients", len(rows))
	}
	return rows
}

// fromR reads what R says: fit → term → what → value.
func fromR(t *testing.T) map[string]map[string]map[string]float64 {
	t.Helper()
	text, err := os.ReadFile("../fed/testdata/lung.csv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]map[string]float64{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 4 || f[3] == "value" {
			continue
		}
		if out[f[0]] == nil {
			out[f[0]] = map[string]map[string]float64{}
		}
		if out[f[0]][f[1]] == nil {
			out[f[0]][f[1]] = map[string]float64{}
		}
		value, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[f[0]][f[1]][f[2]] = value
	}
	return out
}

// The columns of the lung data, as a study file declares them.
var lungColumns = map[string]string{
	"time": number("days", 0, 1100), "status": category("1", "2"), "died": category("1", "2"), "age": number("years", 0, 100), "sex": number("", 1, 2),
	"man or woman": category("1", "2"), "ph.ecog": number("", 0, 4), "ecog": category("0", "1", "2", "3"), "ph.karno": number("points", 0, 100) + "missing = \"drop\"\n",
	"w": number("", 0.5, 2), "rare": number("", 0, 1), "days": number("days", 1, 1100),
}

func number(unit string, low, high float64) string {
	return fmt.Sprintf("kind = \"number\"\nunit = %q\nlow = %v\nhigh = %v\n", unit, low, high)
}

func category(levels ...string) string {
	return fmt.Sprintf("kind = \"category\"\nlevels = [\"%s\"]\n", strings.Join(levels, `", "`))
}

// lungStudy is a study of the first three people, on these columns.
func lungStudy(t *testing.T, people []*person, name, unit, model string, columns ...string) croft.Study {
	t.Helper()
	text := fmt.Sprintf("name = %q\npurpose = \"a comparison with R\"\nlegal_basis = \"published data\"\ncontact = \"a@example.org\"\nexpires = 2099-12-31\n"+
		"[sites]\nmembers = [\"clinic-a\", \"clinic-b\", \"clinic-c\"]\n[people]\nunit = %q\n", name, unit)
	if !strings.Contains(model, "kaplan") && !strings.Contains(model, "describe") {
		text += "hold_out = 0\n"
	}
	if strings.Contains(model, "firth") || strings.Contains(model, "cox") { // many rounds or columns: proofs would take most of the test's time
		text += "[sums]\nproof = false\n"
	}
	text += "[model]\n" + model + "\n"
	for _, c := range columns {
		text += fmt.Sprintf("[[column]]\nname = %q\n%s", c, lungColumns[c])
	}
	f, err := study.Parse([]byte(text), name+".toml")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	plan, err := f.Study(people[0].ID, nil, func(name string) (croft.MemberID, bool) {
		at := slices.IndexFunc(people, func(p *person) bool { return p.Name == name })
		return people[max(at, 0)].ID, at >= 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// addLung writes and registers each site's rows.
func addLung(t *testing.T, people []*person, name, unit string, site func(lungRow) int) map[croft.MemberID]croft.DatasetID {
	t.Helper()
	columns := []string{"id", "person", "time", "status", "died", "age", "sex", "ph.ecog", "ph.karno", "w", "rare"}
	text := make([]string, 3)
	for i := range text {
		text[i] = strings.Join(columns, ",") + ",man or woman,ecog,days\n"
	}
	for _, r := range lung(t) {
		var cells []string
		for _, c := range columns {
			cells = append(cells, r.cells[c])
		}
		text[site(r)] += strings.Join(append(cells, r.cells["sex"], r.cells["ph.ecog"], r.cells["time"]), ",") + "\n"
	}
	sets := map[croft.MemberID]croft.DatasetID{}
	for i, p := range people[:3] {
		path := filepath.Join(p.dir, name+".csv")
		if err := os.WriteFile(path, []byte(text[i]), 0o600); err != nil {
			t.Fatal(err)
		}
		policy := table.DefaultPolicy()
		policy.Public = true
		sets[p.ID] = p.add(t, Add{Path: path, Name: name, Options: data.Options{Unit: unit, Releases: 1000, Policy: policy}})
	}
	return sets
}

// add registers a file.
func (p *person) add(t *testing.T, add Add) croft.DatasetID {
	t.Helper()
	prepared, err := p.client.Prepare(t.Context(), add)
	if err != nil {
		t.Fatal(err)
	}
	body := prepared.Register()
	add.Tx = p.seal(&body)
	out, err := p.client.Add(t.Context(), add)
	if err != nil {
		t.Fatal(err)
	}
	return croft.DatasetID(out.ID)
}

// answer runs a study over the first three people and returns what it says; word is
// how it is to end.
func answer(t *testing.T, people []*person, plan croft.Study, sets map[croft.MemberID]croft.DatasetID, word string) Result {
	t.Helper()
	proposed, err := people[0].client.Submit(t.Context(), people[0].seal(&ledger.Propose{Plan: plan}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people[:3] {
		if _, err := p.client.Approve(t.Context(), p.seal(p.approval(t, proposed.ID.String(), sets[p.ID]))); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range people[0].client.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Study != croft.StudyID(proposed.ID) {
			continue
		}
		if e.Word == word {
			break
		}
		if e.Word == "stop" || e.Word == "fail" || e.Word == "publish" {
			t.Fatalf("%s: %+v", plan.Name, e)
		}
	}
	if word != "publish" {
		return Result{}
	}
	r, err := people[0].client.Result(t.Context(), proposed.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each family, from its study file over three nodes and their sockets to the result
// as people read it, equals R on all rows in one place.
func TestFamiliesEqualROverThreeNodes(t *testing.T) {
	people := community(t, 3)
	sets := addLung(t, people, "lung", "id", func(r lungRow) int { return r.site })
	persons := addLung(t, people, "visits", "person", func(r lungRow) int { return min(r.row/75, 2) })
	ref := fromR(t)
	const covariates = "goal = \"inference\"\nfeatures = [\"age\", \"sex\", \"ph.ecog\"]\n"
	for name, c := range map[string]struct {
		model   string
		columns []string
		sets    map[croft.MemberID]croft.DatasetID
	}{
		"linear site":              {"family = \"linear\"\nlabel = \"ph.karno\"\n" + covariates, []string{"age", "sex", "ph.ecog", "ph.karno"}, sets},
		"linear weighted":          {"family = \"linear\"\nintercepts = \"common\"\nlabel = \"ph.karno\"\nweight = \"w\"\n" + covariates, []string{"age", "sex", "ph.ecog", "ph.karno", "w"}, sets},
		"clusters linear common":   {"family = \"linear\"\nintercepts = \"common\"\nclusters = true\nlabel = \"ph.karno\"\n" + covariates, []string{"age", "sex", "ph.ecog", "ph.karno"}, persons},
		"clusters logistic common": {"intercepts = \"common\"\nclusters = true\nlabel = \"status\"\npositive = \"2\"\n" + covariates, []string{"age", "sex", "ph.ecog", "status"}, persons},
		"poisson site":             {"family = \"poisson\"\nlabel = \"status\"\npositive = \"2\"\nexposure = \"days\"\n" + covariates, []string{"age", "sex", "ph.ecog", "status", "days"}, sets},
		"firth site":               {"family = \"firth\"\nlabel = \"died\"\npositive = \"2\"\ngoal = \"inference\"\nmax_rounds = 60\n", []string{"age", "sex", "rare", "died"}, sets},
		"cox efron":                {"family = \"cox\"\nlabel = \"status\"\npositive = \"2\"\ntime = \"time\"\ngrid = {width = 1, cells = 1100}\n" + covariates, []string{"age", "sex", "ph.ecog", "status", "time"}, sets},
		"cox breslow":              {"family = \"cox\"\nlabel = \"status\"\npositive = \"2\"\ntime = \"time\"\nties = \"breslow\"\n" + covariates, []string{"age", "sex", "ph.ecog", "status", "time"}, sets},
	} {
		t.Run(name, func(t *testing.T) {
			unit := "id"
			if strings.HasPrefix(name, "clusters") {
				unit = "person"
			}
			r := answer(t, people, lungStudy(t, people, name, unit, c.model, c.columns...), c.sets, "publish")
			want := ref[name]
			if len(want) == 0 || len(r.Terms) < 3 || len(r.Covariance) != len(r.Terms) {
				t.Fatalf("%d references, %d terms", len(want), len(r.Terms))
			}
			for i, term := range r.Terms {
				what, ok := want[strings.NewReplacer("(intercept)", "(Intercept)").Replace(term.Name)]
				if !ok || term.SE == nil {
					continue
				}
				if coef, ok := what["coef"]; ok && math.Abs(term.Estimate-coef) > 1e-6*what["se"] {
					t.Errorf("%s: %v, R says %v", term.Name, term.Estimate, coef)
				}
				if math.Abs(*term.SE-what["se"]) > 1e-6*what["se"] || math.Abs(r.Covariance[i][i]-what["se"]*what["se"]) > 1e-5*what["se"]*what["se"] {
					t.Errorf("%s: SE %v, R says %v", term.Name, *term.SE, what["se"])
				}
				if p, ok := what["p"]; ok && math.Abs(*term.P-p) > 1e-5*p {
					t.Errorf("%s: p %v, R says %v", term.Name, *term.P, p)
				}
			}
			for what, got := range map[string]*float64{"aic": r.AIC, "r2": r.RSquared, "deviance": &r.Deviance, "loglik": &r.LogLikelihood, "sigma2": &r.ErrorVariance} {
				if value, ok := want[""][what]; ok && (got == nil || math.Abs(*got-value) > 1e-6*(1+math.Abs(value))) {
					t.Errorf("%s: %v, R says %v", what, got, value)
				}
			}
			if global, ok := want["GLOBAL"]; ok {
				check := r.Proportional[len(r.Proportional)-1]
				figure, expected := "zph.own", global["zph.own"]
				if strings.Contains(c.model, "grid") {
					figure, expected = "zph", global["zph"]
				}
				if math.Abs(check.Statistic-expected) > 1e-6 || check.DF != 3 {
					t.Errorf("%s: %+v, R says %v", figure, check, expected)
				}
			}
		})
	}

	t.Run("several rows a person", func(t *testing.T) {
		for clusters, warned := range map[bool]bool{true: false, false: true} {
			plan := lungStudy(t, people, "several", "person", fmt.Sprintf("clusters = %v\nlabel = \"status\"\npositive = \"2\"\n", clusters)+covariates, "age", "sex", "ph.ecog", "status")
			check, err := people[0].client.CheckDraft(t.Context(), plan, "visits")
			if err != nil || slices.ContainsFunc(check.Warnings, func(w string) bool { return strings.Contains(w, "75 rows are of 25 people") }) != warned {
				t.Errorf("clusters %v: %q %v", clusters, check.Warnings, err)
			}
		}
	})

	t.Run("kaplan-meier", func(t *testing.T) {
		plan := lungStudy(t, people, "curves", "id", "family = \"kaplan-meier\"\nlabel = \"status\"\npositive = \"2\"\ntime = \"time\"\ngrid = {width = 30, cells = 36}\n", "man or woman", "status", "time")
		r := answer(t, people, plan, sets, "publish")
		if math.Abs(r.LogRank.Statistic-ref["log-rank sex"][""]["chi2"]) > 1e-6 || len(r.Curves) != 2 || r.Rounds != 2 {
			t.Fatalf("%+v", r.LogRank)
		}
		for i, group := range []string{"men", "women"} {
			if want := fmt.Sprint("man or woman = ", i+1); r.Curves[i].Name != want {
				t.Errorf("%q, want %q", r.Curves[i].Name, want)
			}
			for _, p := range r.Curves[i].Points {
				want, ok := ref[group][fmt.Sprint("month ", p.Time/30)]
				if !ok { // nothing happened
					continue
				}
				if float64(p.AtRisk) != want["risk"] || math.Abs(p.Survival.Value-want["survival"]) > 1e-9 || math.Abs(p.Survival.Low-want["low"]) > 1e-9 {
					t.Errorf("%s at %v: %+v, R says %v", group, p.Time, p, want)
				}
			}
			if median, _ := r.Curves[i].Median(); median != ref[group][""]["median"] {
				t.Errorf("%s: median %v, R says %v", group, median, ref[group][""]["median"])
			}
		}
	})

	t.Run("preflight", func(t *testing.T) {
		plan := study.PreflightOf(lungStudy(t, people, "before", "id", "family = \"describe\"\nlabel = \"status\"\n", "age", "ecog", "ph.karno", "status"), 1)
		r := answer(t, people, plan, sets, "publish")
		want := ref["describe"]["age"]
		if age := r.Shape[0]; age.Column != "age" || age.Rows != 226 || age.Outside != 0 || math.Abs(age.Mean-want["mean"]) > 1e-9 || math.Abs(age.SD-want["sd"]*math.Sqrt(225.0/226)) > 1e-6 {
			t.Errorf("%+v, R says %v", age, want)
		}
		told, err := people[0].client.Preflight(t.Context(), r.Study.String())
		if err != nil || len(told.Shape) != 4 || len(told.Found) != 0 {
			t.Errorf("%+v %v", told, err)
		}
		if karno := told.Shape[2]; karno.Column != "ph.karno" || karno.Missing != 1 {
			t.Errorf("%+v", karno)
		}
	})

	t.Run("describe", func(t *testing.T) {
		plan := lungStudy(t, people, "description", "id", "family = \"describe\"\nlabel = \"status\"\nbins = 10\n", "age", "ecog", "status")
		r := answer(t, people, plan, sets, "publish")
		age, want := r.Numbers[0], ref["describe"]["age"]
		if math.Abs(age.Mean-want["mean"]) > 1e-9 || math.Abs(age.SD-want["sd"]) > 1e-9 || age.High != 100 || age.Unit != "years" {
			t.Errorf("%+v, R says %v", age, want)
		}
		for i, n := range age.Histogram {
			if float64(n) != want[fmt.Sprint("bin ", i+1)] {
				t.Errorf("bin %d: %d, R says %v", i+1, n, want[fmt.Sprint("bin ", i+1)])
			}
		}
		if median := age.Quartiles[1]; !(median.Low <= want["quantile 0.5"] && want["quantile 0.5"] <= median.High) {
			t.Errorf("median in %+v, R says %v", median, want["quantile 0.5"])
		}
		ecog := r.Tables[0]
		if math.Abs(ecog.Test.Statistic-ref["describe"]["ph.ecog"]["chi2"]) > 1e-9 || math.Abs(ecog.Test.P-ref["describe"]["ph.ecog"]["p"]) > 1e-9 || !slices.Equal(ecog.Levels, []string{"0", "1", "2", "3"}) {
			t.Errorf("%+v", ecog)
		}
	})
}
