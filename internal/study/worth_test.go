package study

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/table"
)

// worthPlan is a study of a family on two numbers and a category, over sites a, b, c.
func worthPlan(t *testing.T, family string) croft.Study {
	t.Helper()
	label := "label = \"ill\"\npositive = \"yes\""
	extra := ""
	switch family {
	case "linear":
		label = `label = "score"`
	case "poisson":
		label = `label = "visits"`
	case "cox":
		extra = "time = \"days\""
	}
	file := `name = "worth"
purpose = "a test"
legal_basis = "none"
contact = "ada"
expires = 2027-01-31
[sites]
members = ["a", "b", "c"]
[people]
unit = "patient"
[model]
family = "` + family + `"
goal = "inference"
` + label + "\n" + extra + `
features = ["x", "z"]
[evaluation]
groups = ["sex"]
[[column]]
name = "x"
kind = "number"
low = -1
high = 1
[[column]]
name = "z"
kind = "number"
low = -1
high = 1
[[column]]
name = "sex"
kind = "category"
levels = ["f", "m"]
`
	columns := map[string]string{
		"linear": "name = \"score\"\nkind = \"number\"\nlow = -10\nhigh = 10", "poisson": "name = \"visits\"\nkind = \"number\"\nlow = 0\nhigh = 1000",
		"": "name = \"ill\"\nkind = \"category\"\nlevels = [\"no\", \"yes\"]",
	}
	column, ok := columns[family]
	if !ok {
		column = columns[""]
	}
	file += "[[column]]\n" + column + "\n"
	if family == "cox" {
		file += "[[column]]\nname = \"days\"\nkind = \"number\"\nlow = 0\nhigh = 1000\n"
	}
	f, err := Parse([]byte(file), "worth.toml")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := f.Study(croft.MemberID{1}, nil, func(name string) (croft.MemberID, bool) { return croft.MemberID(croft.Sum([]byte(name))), true })
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// worthRows simulates rows of a family whose outcome depends on x with this slope.
func worthRows(rng *rand.Rand, family string, n int, slope float64) (r fed.Rows) {
	r.Group = [][]int{nil}
	for i := range n {
		x := []float64{2*rng.Float64() - 1, 2*rng.Float64() - 1}
		eta, y := slope*x[0]-x[1], 0.0
		switch family {
		case "linear":
			y = max(min(eta/6+rng.NormFloat64()/6, 1), -1)
		case "poisson":
			y = math.Floor(-math.Log(rng.Float64()) * math.Exp(eta))
		case "cox":
			y = 1
			r.Time = append(r.Time, min(-10*math.Log(rng.Float64())*math.Exp(-eta), 1000))
		default:
			if rng.Float64() < 1/(1+math.Exp(-eta)) {
				y = 1
			}
		}
		r.X, r.Y, r.Unit, r.Group[0] = append(r.X, x), append(r.Y, y), append(r.Unit, i/2), append(r.Group[0], i%2) // two rows a person
	}
	return r
}

// A column that is constant at a site, but for values that are missing, is left out of
// the site's own model.
func TestAloneLeavesOutWhatIsConstant(t *testing.T) {
	plan := worthPlan(t, "linear")
	plan.Model.Means, plan.Model.Groups = []string{"z"}, nil
	rows := worthRows(rand.New(rand.NewPCG(3, 3)), "linear", 80, 1)
	rows.Group = nil
	for i, x := range rows.X {
		if x[1] = 0.5; i%3 == 0 {
			x[1] = math.NaN()
		}
	}
	score, ridge, err := alone(plan, fed.Site{Train: rows, Test: rows})
	if err != nil || ridge != (croft.Decimal{}) || score([]int{0, 1, 2}).Rows != 3 {
		t.Errorf("%v %v", ridge, err)
	}
}

// A small site is helped (100 people cannot show it of counts and of times), one whose people are unlike the others is hurt, and of few
// held-out people nothing is said.
func TestWorth(t *testing.T) {
	for _, family := range []string{"logistic", "firth", "linear", "poisson", "cox"} {
		t.Run(family, func(t *testing.T) {
			plan := worthPlan(t, family)
			rng := rand.New(rand.NewPCG(1, 11))
			site := func(train, test int, slope float64) fed.Site {
				return fed.Site{Train: worthRows(rng, family, train, slope), Test: worthRows(rng, family, test, slope)}
			}
			small, unlike, brief := site(12, 200, 2), site(100, 200, -2), site(100, 24, 2)
			sites := []fed.Site{site(1000, 50, 2), site(1000, 50, 2), small, unlike, brief}
			compiled, err := compile(plan)
			if err != nil {
				t.Fatal(err)
			}
			final, err := compiled.Run(sites...)
			if err != nil {
				t.Fatal(err)
			}
			gains := Helped
			if family == "poisson" || family == "cox" {
				gains = CannotTell
			}
			for _, c := range []struct {
				name    string
				site    fed.Site
				verdict string
			}{{"small", small, gains}, {"unlike", unlike, Hurt}, {"few held out", brief, CannotTell}} {
				w, err := WorthOf(plan, final, c.site)
				if err != nil {
					t.Fatal(err)
				}
				if w.Verdict != c.verdict || w.Alone == nil || w.People != len(c.site.Test.Y)/2 || !(w.Gain.Low <= w.Gain.Value && w.Gain.Value <= w.Gain.High) || (w.Why != "") != (c.verdict == CannotTell) {
					t.Errorf("%s: %s (%s), gain %+v, %d people", c.name, w.Verdict, w.Why, w.Gain, w.People)
				}
				if w.Contribution == nil || w.Network.Score.Rows != int64(len(c.site.Test.Y)) || len(w.Network.Groups[0]) != 2 {
					t.Errorf("%s: %+v", c.name, w)
				}
				if c.name == "few held out" && !strings.Contains(w.Why, "fewer than 20") {
					t.Errorf("%d people: %s", w.People, w.Why)
				}
				if again, _ := WorthOf(plan, final, c.site); !reflect.DeepEqual(again, w) {
					t.Errorf("%s: asked again, another answer", c.name)
				}
			}
		})
	}
}

// Two equal models differ by nothing, and the interval holds the truth as often as it
// says: the site's own model is right, and so is the network's.
func TestWorthIsHonest(t *testing.T) {
	plan := worthPlan(t, "logistic")
	compiled, err := compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	claimed := 0
	const runs = 20
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 12))
		site := fed.Site{Train: worthRows(rng, "logistic", 1000, 1), Test: worthRows(rng, "logistic", 100, 1)}
		other := fed.Site{Train: worthRows(rng, "logistic", 40, 1), Test: worthRows(rng, "logistic", 40, 1)}
		final, err := compiled.Run(site, other, other)
		if err != nil {
			t.Fatal(err)
		}
		w, err := WorthOf(plan, final, site)
		if err != nil {
			t.Fatal(err)
		}
		if w.Verdict != CannotTell {
			claimed++
		}
	}
	if claimed > runs/5 {
		t.Errorf("a verdict in %d of %d runs where there is nothing to find", claimed, runs)
	}
}

func TestWorthWithoutAModelOfItsOwn(t *testing.T) {
	plan := worthPlan(t, "logistic")
	rng := rand.New(rand.NewPCG(2, 13))
	rows := func(n int) fed.Rows { return worthRows(rng, "logistic", n, 2) }
	one, separated, constant, none := fed.Site{Train: rows(30), Test: rows(60)}, fed.Site{Train: rows(60), Test: rows(60)}, fed.Site{Train: rows(60), Test: rows(60)}, fed.Site{Train: rows(60)}
	none.Test.Group = [][]int{nil}
	for i := range one.Train.Y {
		one.Train.Y[i] = 0
	}
	for i, x := range separated.Train.X {
		if separated.Train.Y[i] = 0; x[0] > 0 {
			separated.Train.Y[i] = 1
		}
	}
	for _, x := range constant.Train.X {
		x[1] = 0.5
	}
	compiled, err := compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	final, err := compiled.Run(one, separated, constant, none)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		site  fed.Site
		why   string
		ridge croft.Decimal
	}{"one class": {one, "only one class", croft.Decimal{}}, "separated": {separated, "", separationRidge}, "a constant column": {constant, "", croft.Decimal{}}, "nobody held out": {none, "no row", croft.Decimal{}}} {
		w, err := WorthOf(plan, final, c.site)
		if err != nil || c.why != "" && (w.Verdict != CannotTell || !strings.Contains(w.Why, c.why) || w.Alone != nil) || c.why == "" && (w.Alone == nil || w.Ridge != c.ridge) {
			t.Errorf("%s: %+v %v", name, w, err)
		}
	}
	if len(table.ColumnsOf(plan)) != 2 {
		t.Error("the group became a feature")
	}
}

// A site with few held-out people of a level does not say to which level its rows
// belong, and warns its owner; of public data it does.
func TestFewOfAGroupAreWithheld(t *testing.T) {
	plan := parse(t, strings.Replace(goodFile, "[model]", "[evaluation]\ngroups = [\"region\"]\n[model]", 1))
	csv := func(west int) []byte {
		text := "patient,age,region,anaemic\n"
		for i := range 400 {
			region := []string{"north", "south"}[i%2]
			if i < west {
				region = "west"
			}
			text += fmt.Sprintf("p%d,%d,%s,%s\n", i, 20+i%60, region, []string{"no", "yes"}[i/2%2])
		}
		return []byte(text)
	}
	for _, c := range []struct {
		west   int
		public bool
		says   bool
	}{{0, false, true}, {12, false, false}, {12, true, true}, {120, false, true}} {
		rows, err := data.Read(bytes.NewReader(csv(c.west)), "visits.csv", plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := Rows(rows, plan)
		if err != nil {
			t.Fatal(err)
		}
		policy := table.DefaultPolicy()
		policy.Public = c.public
		told, warnings, err := withhold(rows, plan, site, policy)
		if err != nil {
			t.Fatal(err)
		}
		if says := !slices.Contains(told.Test.Group[0], -1); says != c.says || says == (len(warnings) > 0) || len(told.Test.Group[0]) != len(site.Test.Y) || slices.Contains(site.Test.Group[0], -1) {
			t.Errorf("%d in the west, public %v: says %v, %v", c.west, c.public, says, warnings)
		}
		if all, err := Disclose(rows, plan, site, policy); err == nil && !c.says && !slices.ContainsFunc(all, func(w string) bool { return strings.Contains(w, "not evaluated by region") }) {
			t.Errorf("the owner is not warned: %v", all)
		}
	}
}
