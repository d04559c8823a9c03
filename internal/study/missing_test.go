package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/table"
)

// sitesOf reads files under a study, one a site.
func sitesOf(t *testing.T, plan croft.Study, files ...string) (sites []fed.Site) {
	t.Helper()
	for _, text := range files {
		tab, err := data.Read(strings.NewReader(text), "a.csv", plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := Rows(tab, plan)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site)
	}
	return sites
}

func fit(t *testing.T, plan croft.Study, files ...string) fed.Result {
	t.Helper()
	if err := Validate(plan); err != nil {
		t.Fatal(err)
	}
	compiled, err := compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	state, err := compiled.Run(sitesOf(t, plan, files...)...)
	if err != nil {
		t.Fatal(err)
	}
	result, err := compiled.Result(state)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// The mean of all sites, put in by their private sum, gives what a person gets who puts
// in that number; so with each family of regressions that takes such a study.
func TestMissingMeanIsThePooledMean(t *testing.T) {
	for _, family := range []string{"logistic", "firth", "linear", "poisson"} {
		rng := rand.New(rand.NewPCG(11, 2))
		plan := ward()
		plan.HoldOut = croft.HoldOut{}
		plan.Model.Family, plan.Model.MaxRounds = family, 60
		switch family {
		case "linear":
			plan.Model.Label, plan.Model.Positive, plan.Model.Features = "bmi", "", []string{"age", "glucose", "pressure", "sex", "ill"}
		case "poisson":
			plan.Model.Intercepts = croft.CommonIntercept
		}
		var gaps, filled []string
		var sum, n float64
		var wards [3][]patient
		lacks := map[[2]int]bool{}
		for s := range wards {
			wards[s] = patients(rng, 80+30*s)
			for i := range wards[s] {
				wards[s][i].glucose = math.Round(10*wards[s][i].glucose) / 10
				if lacks[[2]int{s, i}] = rng.IntN(4) == 0; !lacks[[2]int{s, i}] {
					sum, n = sum+wards[s][i].glucose, n+1
				}
			}
		}
		for s := range wards {
			gap, full := strings.Split(wardCSV(wards[s]), "\n"), strings.Split(wardCSV(wards[s]), "\n")
			for i := range wards[s] {
				if lacks[[2]int{s, i}] {
					cells := strings.Split(gap[i+1], ",")
					cells[1] = ""
					gap[i+1] = strings.Join(cells, ",")
					cells[1] = strconv.FormatFloat(sum/n, 'f', -1, 64)
					full[i+1] = strings.Join(cells, ",")
				}
			}
			gaps, filled = append(gaps, strings.Join(gap, "\n")), append(filled, strings.Join(full, "\n"))
		}
		want := fit(t, plan, filled...)
		plan.Schema.Columns[1].Missing, plan.Model.Means = croft.MissingMean, []string{"glucose"}
		got := fit(t, plan, gaps...)
		worst := 0.0
		for i, term := range got.Terms {
			if term.SE > 0 {
				worst = max(worst, math.Abs(term.Coef-want.Terms[i].Coef)/term.SE, math.Abs(term.SE/want.Terms[i].SE-1))
			}
		}
		if t.Logf("%s: at most %.1e standard errors from the fit with the mean put in", family, worst); worst > 1e-7 || len(got.Terms) != len(want.Terms) {
			t.Errorf("%s: %.2g standard errors", family, worst)
		}
		x := []float64{0, math.NaN(), 0, 0, 0}[:len(got.Mean)]
		y := append([]float64{}, x...)
		y[1] = got.Mean[1]
		if a, b := got.Predict(x), got.Predict(y); a != b || math.IsNaN(a) {
			t.Errorf("%s predicts %v without a value, %v at the mean", family, a, b)
		}
	}
}

// A column for what is missing has the coefficient that a person gets who adds it by hand.
func TestMissingIndicatorIsAColumn(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	plan := ward()
	plan.HoldOut = croft.HoldOut{}
	var gaps, hand []string
	for s := range 3 {
		p := patients(rng, 150)
		gap, by := strings.Split(wardCSV(p), "\n"), strings.Split(wardCSV(p), "\n")
		by[0] += ",no glucose,no sex"
		for i := range p {
			cells := strings.Split(gap[i+1], ",")
			also := [2]string{"n", "n"}
			if rng.IntN(5) == 0 || i < 12 && s == 0 {
				cells[1], also[0] = "", "y"
			}
			if rng.IntN(5) == 0 {
				cells[4], also[1] = "?", "y"
			}
			gap[i+1] = strings.Join(cells, ",")
			if also[0] == "y" {
				cells[1] = "200" // the middle of 0 to 400
			}
			if also[1] == "y" {
				cells[4] = "f"
			}
			by[i+1] = strings.Join(cells, ",") + "," + also[0] + "," + also[1]
		}
		gaps, hand = append(gaps, strings.Join(gap, "\n")), append(hand, strings.Join(by, "\n"))
	}
	a := plan
	a.Schema.Columns = append([]croft.Column{}, plan.Schema.Columns...)
	a.Schema.Columns[1].Missing, a.Schema.Columns[4].Missing, a.Schema.Columns[4].Codes = croft.MissingIndicator, croft.MissingIndicator, []string{"?"}
	a.Model.Features = []string{"age", "glucose", "sex"}
	a.Schema.Columns = []croft.Column{a.Schema.Columns[0], a.Schema.Columns[1], a.Schema.Columns[4], a.Schema.Columns[5]}
	b := plan
	b.Schema.Columns = []croft.Column{plan.Schema.Columns[0], plan.Schema.Columns[1], plan.Schema.Columns[4], plan.Schema.Columns[5],
		{Name: "no glucose", Kind: croft.Category, Levels: []string{"n", "y"}}, {Name: "no sex", Kind: croft.Category, Levels: []string{"n", "y"}}}
	b.Model.Features = []string{"age", "glucose", "no glucose", "sex", "no sex"}
	got, want := fit(t, a, gaps...), fit(t, b, hand...)
	if names := fmt.Sprint(table.ColumnsOf(a)); names != "[age glucose glucose=missing sex=m sex=missing]" {
		t.Fatal(names)
	}
	for i := range got.Terms {
		if g, w := got.Terms[i], want.Terms[i]; math.Abs(g.Coef-w.Coef) > 1e-9*w.SE+1e-12 || math.Abs(g.SE-w.SE) > 1e-9*w.SE {
			t.Errorf("%+v, by hand %+v", g, w)
		}
	}
}

// Few people without a value are a small cell where a column says who they are.
func TestFewMissingAreWithheld(t *testing.T) {
	plan := ward()
	plan.HoldOut = croft.HoldOut{}
	plan.Schema.Columns[1].Missing = croft.MissingIndicator
	text := strings.Split(wardCSV(patients(rand.New(rand.NewPCG(1, 1)), 100)), "\n")
	for i := range 4 {
		cells := strings.Split(text[i+1], ",")
		cells[1] = ""
		text[i+1] = strings.Join(cells, ",")
	}
	tab, err := data.Read(strings.NewReader(strings.Join(text, "\n")), "a.csv", plan.Schema, data.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Disclose(tab, plan, table.DefaultPolicy()); croft.CodeOf(err) != croft.ErrWithheld || !strings.Contains(err.Error(), "glucose missing: 4 people") {
		t.Error(err)
	}
}

func TestMissingRulesAreRefused(t *testing.T) {
	for says, change := range map[string]func(*croft.Study){
		"model.means": func(s *croft.Study) { s.Schema.Columns[1].Missing = croft.MissingMean },
		"column \"sex\": missing": func(s *croft.Study) {
			s.Schema.Columns[4].Missing, s.Model.Means = croft.MissingMean, []string{"sex"}
		},
		"column \"ill\": missing": func(s *croft.Study) { s.Schema.Columns[5].Missing = croft.MissingIndicator },
		"column \"age\": missing": func(s *croft.Study) {
			s.Schema.Columns[0].Missing, s.Model.Family = croft.MissingIndicator, "describe"
			s.HoldOut, s.Model.Intercepts, s.Model.MaxRounds = croft.HoldOut{}, "", 0
		},
	} {
		s := ward()
		change(&s)
		if err := Validate(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %s, got %v", says, err)
		}
	}
}
