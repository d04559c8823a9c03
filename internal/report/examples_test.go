package report

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/study"
	"croft/internal/table"
)

var update = flag.Bool("update", false, "write the examples and golden pages anew")

const examples = "../../examples"

var clinics = []string{"clinic-a", "clinic-b", "clinic-c"}

// patients makes up a clinic's file: age, sex and therapy bear on relapse, age and
// bmi on pressure; whoever has the allergy reacts.
func patients(clinic string, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 5))
	pick := func(p float64, yes, no string) string {
		if rng.Float64() < p {
			return yes
		}
		return no
	}
	var b strings.Builder
	b.WriteString("patient,age,sex,bmi,therapy,pressure,visits,years,allergy,reaction,days,relapse\n")
	for i := range 400 + 50*int(seed) {
		age := min(max(54+14*rng.NormFloat64(), 20), 88)
		bmi := min(max(27+6*rng.NormFloat64(), 14), 46)
		sex, therapy := pick(0.5, "m", "f"), pick(0.5, "new", "standard")
		male, new := 0.0, 0.0
		if sex == "m" {
			male = 1
		}
		if therapy == "new" {
			new = 1
		}
		pressure := min(max(88+0.5*age+0.9*bmi+3*male+float64(seed)+12*rng.NormFloat64(), 75), 240)
		years := math.Round(10*(0.5+6*rng.Float64())) / 10
		visits, mean := 0, years*math.Exp(-1.2+0.012*age+0.2*male)
		for left := mean + math.Log(rng.Float64()); left > 0 && visits < 60; left += math.Log(rng.Float64()) {
			visits++
		}
		allergy := pick(0.04, "yes", "no")
		reaction := pick(0.06, "yes", "no")
		if allergy == "yes" {
			reaction = "yes"
		}
		hazard := math.Exp(-6.6+0.015*(age-54)+0.25*male-0.6*new) * 1.2
		relapsed, gone := math.Ceil(-math.Log(rng.Float64())/hazard), math.Ceil(60+720*rng.Float64())
		days, relapse := min(relapsed, gone, 720), "no"
		if relapsed == days {
			relapse = "yes"
		}
		fmt.Fprintf(&b, "%s-%d,%.0f,%s,%.1f,%s,%.0f,%d,%.1f,%s,%s,%.0f,%s\n", strings.ToUpper(clinic[7:]), i+1, age, sex, bmi, therapy, pressure, visits, years, allergy, reaction, days, relapse)
	}
	return b.String()
}

func TestExamplesAreTheMadeUpPatients(t *testing.T) {
	for i, clinic := range clinics {
		path, want := filepath.Join(examples, clinic+".csv"), patients(clinic, uint64(i+1))
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the test makes up (%v): go test ./internal/report -update", path, err)
		}
	}
}

// run is a study over the three clinics' files, as their nodes compute it, under
// each site's usual rules.
func run(t *testing.T, family string) (croft.Study, api.Result) {
	t.Helper()
	name := filepath.Join(examples, family+".toml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := study.Parse(text, name)
	if err != nil {
		t.Fatal(err)
	}
	var cohort []api.Party
	plan, err := file.Study(croft.MemberID{1}, nil, func(name string) (croft.MemberID, bool) {
		id := croft.MemberID(croft.Sum([]byte(name)))
		cohort = append(cohort, api.Party{ID: id, Name: name})
		return id, true
	})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Model.Family != family {
		t.Fatalf("%s is a study of the family %s", name, plan.Model.Family)
	}
	var sites []fed.Site
	for _, clinic := range clinics {
		rows, _, err := data.Open(filepath.Join(examples, clinic+".csv"), plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := study.Rows(rows, plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := study.Disclose(rows, plan, site, table.DefaultPolicy()); err != nil {
			t.Errorf("%s would send nothing: %v", clinic, err)
		}
		sites = append(sites, site)
	}
	compiled, err := fed.Compile(plan.Model, table.ColumnsOf(plan), plan.PerSiteMetrics)
	if err != nil {
		t.Fatal(err)
	}
	state, err := compiled.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	of, err := compiled.Result(state)
	if err != nil {
		t.Fatal(err)
	}
	r := api.ResultOf(plan, of)
	r.Cohort = cohort
	return plan, r
}

// What the tests of a Cox regression find is said in words, and of no pairs nothing is.
func TestWordsOfTests(t *testing.T) {
	_, r := run(t, "cox")
	says := func(what string) bool { return strings.Contains(strings.Join(words(r), " "), what) }
	const drift = "hazards do not look proportional"
	last := &r.Proportional[len(r.Proportional)-1]
	for p, want := range map[float64]bool{0.2: false, 0.01: true} {
		if last.P = p; says(drift) != want {
			t.Errorf("p %g of %s: %v", p, last.Name, words(r))
		}
	}
	_, r = run(t, "logistic")
	const ranks = "ranks the right one higher"
	if !says(ranks) {
		t.Error("the AUC is not said")
	}
	if r.Score.AUC = (fed.Score{Rows: 9}).AUC(); says(ranks) {
		t.Error("an AUC of no pairs is said")
	}
}

// What the patients were made up to show is found, and each page says it in words.
func TestExamplesRun(t *testing.T) {
	for family, says := range map[string][]string{
		"logistic": {"odds of relapse = yes", "therapy=new, compared with the first level, goes with", "AUC within sites",
			"Can its probabilities be believed?", "how many false alarms", "By its probabilities", "By sex: share found", "equal opportunity", "sex = m"},
		"firth":        {"allergy=yes, compared with the first level, goes with", "odds of reaction = yes"},
		"linear":       {"One more of age goes with", "mmHg more of pressure", "Root mean squared error mmHg", "R²"},
		"poisson":      {"the rate of visits", "rate ratio", "Deviance of a row"},
		"cox":          {"therapy=new, compared with the first level, goes with", "the hazard of relapse = yes", "Concordance within sites", "Are hazards proportional?"},
		"kaplan-meier": {"The curves differ by more than chance explains", "at risk", "therapy = new"},
		"describe":     {"age is 5", "therapy and relapse go together", "How many rows have which age", "smallest expected count"},
	} {
		t.Run(family, func(t *testing.T) {
			_, r := run(t, family)
			page, err := HTML(r, time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			text := regexp.MustCompile(`\s+`).ReplaceAllString(string(page), " ")
			for _, want := range append(says, "Clinic A, Clinic B, Clinic C", "<title>Result of the study "+family+"-example") {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			wellFormed(t, page)
			checkCSV(t, r)
			golden := filepath.Join("testdata", family+".html")
			if *update {
				if err := os.WriteFile(golden, page, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || !slices.Equal(page, want) {
				t.Errorf("the page is not %s (%v); look at it, then: go test ./internal/report -update", golden, err)
			}
		})
	}
	if files, _ := filepath.Glob(filepath.Join(examples, "*.toml")); len(files) != len(study.Families()) {
		t.Errorf("%d examples for %d families", len(files), len(study.Families()))
	}
}

// wellFormed holds a page to what every browser and reader of screens needs: tags
// that close, one main heading, captions, drawings with names, nothing fetched.
func wellFormed(t *testing.T, page []byte) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(string(page), "<!doctype html>\n")))
	d.Entity = xml.HTMLEntity
	count := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
			for _, a := range e.Attr {
				if a.Name.Local == "src" || a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("<%s %s>", e.Name.Local, a.Name.Local)
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
				}
			}
			if e.Name.Local == "svg" && !slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == "aria-label" && a.Value != "" }) {
				t.Error("a drawing without a name")
			}
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["table"] == 0 || count["table"] != count["caption"] || count["svg"] == 0 || count["script"] != 0 {
		t.Errorf("%v", count)
	}
}

func checkCSV(t *testing.T, r api.Result) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(CSV(r))), "\n")
	width := strings.Count(lines[0], ",")
	if r.Terms != nil && (len(lines) <= 1+len(r.Terms) || !strings.HasPrefix(lines[1+len(r.Terms)], "held out: rows,") || width != 6+len(r.Terms)) {
		t.Errorf("%d lines of %d cells for %d terms", len(lines), width+1, len(r.Terms))
	}
	if r.Curves != nil && len(lines) != 1+len(r.Curves)*len(r.Curves[0].Points) {
		t.Errorf("%d lines of curves", len(lines))
	}
	for _, l := range lines {
		if strings.Count(l, ",") != width {
			t.Errorf("%q is not as wide as %q", l, lines[0])
		}
	}
}

// Names come from other members: none of them can become markup.
func TestNamesAreNotMarkup(t *testing.T) {
	_, r := run(t, "logistic")
	const evil = `<script>alert("x")</script>&`
	r.Name, r.Purpose, r.Label, r.Cohort[0].Name = evil, evil, evil, evil
	for i, term := range r.Terms {
		r.Terms[i].Name = strings.Replace(term.Name, "age", evil, 1)
	}
	r.Features[0] = evil
	r.Sites = []api.SiteScore{{Party: api.Party{Name: evil}, Score: r.Score}}
	r.Groups[0].Column, r.Groups[0].Levels[0].Level, r.Groups[0].Fairness.Odds.Most, r.PositiveLevel = evil, evil, evil, evil
	page, err := HTML(r, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "<script") {
		t.Error("a name became markup")
	}
	wellFormed(t, page)
}
