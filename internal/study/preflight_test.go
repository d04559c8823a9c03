package study

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/table"
)

// ward is a study whose columns can be wrong in every way that a preflight knows.
func ward() croft.Study {
	number := func(name, unit, low, high string) croft.Column {
		return croft.Column{Name: name, Kind: croft.Number, Unit: unit, Low: decimal(low), High: decimal(high)}
	}
	s := croft.Study{Version: 1, Name: "ward", Purpose: "a test", LegalBasis: "none needed", Contact: "test", Expires: 1 << 32, MinSites: 3,
		Sites: []croft.MemberID{{1}, {2}, {3}, {4}}, Readers: []croft.MemberID{{1}}, Use: croft.UseMembers, Patience: 60, Engine: croft.EngineVersion,
		Schema: croft.Schema{UnitColumn: table.RowUnit, Columns: []croft.Column{
			number("age", "years", "0", "120"), number("glucose", "mg/dL", "0", "400"), number("pressure", "mmHg", "0", "250"), number("bmi", "kg/m²", "10", "60"),
			{Name: "sex", Kind: croft.Category, Levels: []string{"f", "m"}},
			{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}},
		}},
		HoldOut: croft.HoldOut{Percent: 25, Key: "k"},
		Model: croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, MaxRounds: 25,
			Label: "ill", Positive: "yes", Features: []string{"age", "glucose", "pressure", "bmi", "sex"}}}
	return s
}

// patient is a row of the ward.
type patient struct {
	age, glucose, pressure, bmi float64
	sex, ill                    string
}

// patients draws so many, of a ward that has its own case mix.
func patients(rng *rand.Rand, n int) (out []patient) {
	older, sicker := 5*rng.NormFloat64(), 0.4*rng.NormFloat64()
	for range n {
		p := patient{sex: []string{"f", "m"}[rng.IntN(2)], ill: "no"}
		p.age = min(max(55+older+12*rng.NormFloat64(), 0), 120)
		p.bmi = max(26+4*rng.NormFloat64(), 12)
		p.glucose = max(110+25*rng.NormFloat64(), 30)
		p.pressure = 130 + 18*rng.NormFloat64()
		risk := sicker + 0.8*(p.age-55-older)/12 + 0.8*(p.glucose-110)/25 + 0.5*(p.bmi-26)/4
		if rng.Float64() < 1/(1+math.Exp(-risk)) {
			p.ill = "yes"
		}
		out = append(out, p)
	}
	return out
}

func wardCSV(patients []patient) string {
	var b strings.Builder
	b.WriteString("age,glucose,pressure,bmi,sex,ill\n")
	for _, p := range patients {
		fmt.Fprintf(&b, "%.0f,%.1f,%.0f,%.1f,%s,%s\n", p.age, p.glucose, p.pressure, p.bmi, p.sex, p.ill)
	}
	return b.String()
}

// preflight runs the preflight of a study over files and returns what each site is told.
func preflight(t *testing.T, of croft.Study, policy table.Policy, files ...string) (found [][]table.Finding) {
	t.Helper()
	plan := PreflightOf(of, 1)
	if err := Validate(plan); err != nil {
		t.Fatal(err)
	}
	compiled, err := compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	var exact [][]float64
	var sites []fed.Site
	for _, text := range files {
		tab, err := data.Read(strings.NewReader(text), "a.csv", plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := Rows(tab, plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Disclose(tab, plan, site, policy); err != nil {
			t.Fatal(err)
		}
		exact = append(exact, site.Train.Tally)
		site.Train.Tally = policy.Coarse(site.Train.Tally)
		sites = append(sites, site)
	}
	state, err := compiled.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		result, err := compiled.Result(state)
		if err != nil {
			t.Fatal(err)
		}
		others := result.Tally
		for j, v := range sites[i].Train.Tally {
			others[j] -= v
		}
		found = append(found, table.Preflight(plan, exact[i], others, float64(policy.MinCell), len(files)-1))
	}
	return found
}

func short(found []table.Finding) (out []string) {
	for _, f := range found {
		out = append(out, strings.TrimSpace(f.Column+" "+string(f.Kind)+" "+f.Level))
	}
	return out
}

// Three faults in three columns, at one site or at three, are found there, and nothing
// is where there is none.
func TestPreflightFindsPlantedFaults(t *testing.T) {
	unit := func(p []patient) {
		for i := range p {
			p[i].glucose /= 18.016 // mmol/L
		}
	}
	swapped := func(p []patient) {
		for i := range p {
			p[i].ill = map[string]string{"no": "yes", "yes": "no"}[p[i].ill]
		}
	}
	zeros := func(p []patient) {
		for i := range p {
			if i%5 < 2 {
				p[i].pressure = 0
			}
		}
	}
	clean, together, apart, seeds := 0, 0, 0, 60
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		var wards [4][]patient
		for i := range wards {
			wards[i] = patients(rng, 120+40*i)
		}
		run := func() (out []string) {
			var files []string
			for _, w := range wards {
				files = append(files, wardCSV(w))
			}
			for i, found := range preflight(t, ward(), table.DefaultPolicy(), files...) {
				for _, f := range short(found) {
					out = append(out, fmt.Sprint(i, " ", f))
				}
			}
			return out
		}
		check := func(what string, right *int, want ...string) {
			if got := run(); slices.Equal(got, want) {
				*right++
			} else {
				t.Logf("seed %d, %s: %q", seed, what, got)
			}
		}
		check("clean", &clean)
		unit(wards[0])
		swapped(wards[0])
		zeros(wards[0])
		check("one site", &together, "0 glucose unit", "0 pressure zeros", "0 ill swapped")
		swapped(wards[0]) // back
		swapped(wards[2])
		for i := range wards[0] {
			wards[0][i].pressure = 130 + 18*rng.NormFloat64()
		}
		zeros(wards[3])
		check("three sites", &apart, "0 glucose unit", "2 ill swapped", "3 pressure zeros")
	}
	t.Logf("of %d seeds: no fault, nothing found %d; all of one site's three, and no more, %d; one at each of three sites %d", seeds, clean, together, apart)
	if least := seeds * 9 / 10; clean < least || together < least || apart < least { // wards that draw like patients by chance are among them
		t.Error("too rarely right")
	}
}

func TestPreflightFindsOtherFaults(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var wards [4][]patient
	for i := range wards {
		wards[i] = patients(rng, 150)
	}
	for i := range wards[0] {
		wards[0][i].sex = "m"
		wards[1][i].bmi *= 10 // beyond the declared range
		wards[2][i].ill = "no"
	}
	files := []string{}
	for _, w := range wards {
		files = append(files, wardCSV(w))
	}
	files[3] = strings.ReplaceAll(files[3], ",f,", ",F,")
	lines := strings.SplitAfter(files[3], "\n")
	for i := range lines {
		if _, rest, ok := strings.Cut(lines[i], ","); ok && i%2 == 1 {
			lines[i] = "," + rest // no age
		}
	}
	files[3] = strings.Join(lines, "")
	var got []string
	for i, found := range preflight(t, ward(), table.DefaultPolicy(), files...) {
		for _, f := range short(found) {
			got = append(got, fmt.Sprint(i, " ", f))
		}
	}
	for _, want := range []string{"0 sex absent f", "1 bmi outside", "2 ill absent yes", "3 sex outside", "3 age missing"} {
		if !slices.Contains(got, want) {
			t.Errorf("not found: %s\nin %q", want, got)
		}
	}
}

// A label that is written otherwise is told, and so is what is wrong beside it; and after
// the correction there is another preflight, of another name.
func TestPreflightSeesPastTheLabel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var files []string
	for i := range 4 {
		w := patients(rng, 150)
		for j := range w {
			if i == 0 {
				w[j].ill = map[string]string{"no": "0", "yes": "1"}[w[j].ill]
				w[j].glucose /= 18.016
				w[j].bmi *= 10
			}
		}
		files = append(files, wardCSV(w))
	}
	found := preflight(t, ward(), table.DefaultPolicy(), files...)
	if got := short(found[0]); !slices.Equal(got, []string{"glucose unit", "bmi outside", "ill outside"}) {
		t.Errorf("told %q", got)
	}
	if others := slices.Concat(found[1:]...); len(others) > 0 {
		t.Errorf("the others are told %v", others)
	}
	names := map[string]bool{}
	for times := 1; times <= 11; times++ {
		of := ward()
		of.Name = strings.Repeat("é", 32)
		plan := PreflightOf(of, times)
		if err := Validate(plan); err != nil || names[plan.Name] {
			t.Errorf("%q: %v", plan.Name, err)
		}
		names[plan.Name] = true
	}
	if name := PreflightOf(ward(), 2).Name; name != "ward preflight 2" {
		t.Error(name)
	}
}

// The four hospitals as they are: one has 0 for every cholesterol, another for many.
func TestPreflightOfRealHospitals(t *testing.T) {
	s := ward()
	s.Schema.Columns, s.Model.Features = nil, nil
	add := func(name, low, high string, levels ...string) {
		c := croft.Column{Name: name, Kind: croft.Category, Levels: levels, Codes: []string{"?"}}
		if levels == nil {
			c.Kind, c.Low, c.High = croft.Number, decimal(low), decimal(high)
		}
		s.Schema.Columns = append(s.Schema.Columns, c)
		if name != "num" {
			s.Model.Features = append(s.Model.Features, name)
		}
	}
	add("age", "0", "120")
	add("sex", "", "", "0", "1")
	add("cp", "", "", "1", "2", "3", "4")
	add("trestbps", "0", "300")
	add("chol", "0", "800")
	add("fbs", "", "", "0", "1")
	add("thalach", "0", "250")
	add("exang", "", "", "0", "1")
	add("oldpeak", "-10", "10")
	add("num", "", "", "0", "1", "2", "3", "4")
	s.Model.Label, s.Model.Positive = "num", "0"
	var files []string
	for _, h := range []string{"cleveland", "hungarian", "switzerland", "va"} {
		f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "heart", "processed."+h+".data"))
		if err != nil {
			t.Skipf("the heart disease data is not here (UCI, doi:10.24432/C52P4X): %v", err)
		}
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num\n"+string(text))
	}
	found := preflight(t, s, table.DefaultPolicy(), files...)
	for i, of := range found {
		t.Logf("%d: %q", i, short(of))
	}
	if !slices.Contains(short(found[2]), "chol zeros") {
		t.Errorf("Switzerland's cholesterol: %q", short(found[2]))
	}
	for i, of := range found {
		if slices.ContainsFunc(of, func(f table.Finding) bool { return f.Kind == table.FindSwapped || f.Kind == table.FindUnit }) {
			t.Errorf("hospital %d: %q", i, short(of))
		}
	}
}

// What leaves a site says nothing of fewer people than min_cell, and one more person
// changes at most one step of each number.
func TestPreflightIsCoarse(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	p := patients(rng, 104)
	for i := range p {
		p[i].age = 50
		if i < 4 {
			p[i].glucose, p[i].ill, p[i].sex = 0, "yes", "f"
		}
	}
	plan := PreflightOf(ward(), 1)
	of := func(p []patient) []float64 {
		tab, err := data.Read(strings.NewReader(wardCSV(p)), "a.csv", plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := Rows(tab, plan)
		if err != nil {
			t.Fatal(err)
		}
		return table.DefaultPolicy().Coarse(site.Train.Tally)
	}
	all, fewer := of(p), of(p[4:])
	for i := range all {
		if math.Mod(all[i], 5) != 0 || math.Abs(all[i]-fewer[i]) > 5 {
			t.Errorf("number %d: %v with four people, %v without", i, all[i], fewer[i])
		}
	}
	for _, s := range table.Shapes(plan, all) {
		if s.Column == "glucose" && s.Zeros != 0 {
			t.Errorf("%v zeros", s.Zeros)
		}
	}
	public := table.Policy{Public: true}
	if got := public.Coarse([]float64{3.25}); got[0] != 3.25 {
		t.Errorf("public: %v", got)
	}
}

// Nor of one person with many rows, who counts once.
func TestPreflightCountsPeople(t *testing.T) {
	p := patients(rand.New(rand.NewPCG(5, 6)), 160)
	for i := range 60 {
		p[i].glucose, p[i].ill, p[i].sex = 0, "yes", "f"
	}
	plan := PreflightOf(ward(), 1)
	plan.Schema.UnitColumn = "id"
	of := func(from int) []float64 {
		lines := strings.Split(strings.TrimSpace(wardCSV(p[from:])), "\n")
		for i := range lines {
			id := "id"
			if i > 0 {
				id = fmt.Sprint(max(from+i, 60)) // the first 60 rows are one person's
			}
			lines[i] = id + "," + lines[i]
		}
		tab, err := data.Read(strings.NewReader(strings.Join(lines, "\n")), "a.csv", plan.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := Rows(tab, plan)
		if err != nil {
			t.Fatal(err)
		}
		return table.DefaultPolicy().Coarse(site.Train.Tally)
	}
	all, fewer := of(0), of(60)
	for i := range all {
		if math.Abs(all[i]-fewer[i]) > 5 {
			t.Errorf("number %d: %v with one person, %v without", i, all[i], fewer[i])
		}
	}
	for _, s := range table.Shapes(plan, all) {
		if s.Column == "glucose" && s.Zeros != 0 || s.Rows > 101 {
			t.Errorf("%s: %v rows, %v zeros", s.Column, s.Rows, s.Zeros)
		}
	}
}

func TestPreflightIsAStudy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d")
		defer w.close()
		w.people[1].odd = func(csv string) string {
			return strings.NewReplacer(",no\n", ",yes\n", ",yes\n", ",no\n").Replace(csv)
		}
		s := PreflightOf(w.plan(4), 1)
		id := w.propose(s, 60)
		if st := w.until(id, 1<<40, ended); st.Status != ledger.Done {
			t.Fatalf("%v %q", st.Status, st.Reason)
		}
		for i, p := range w.people {
			p.model(id)
			n := p.running()
			_, state, err := n.Model(t.Context(), s, id)
			if err != nil {
				t.Fatal(err)
			}
			found, err := n.Preflight(t.Context(), s, id, state)
			if err != nil {
				t.Fatal(err)
			}
			if got := short(found); slices.Contains(got, "ill swapped") != (i == 1) {
				t.Errorf("%s is told %q", p.name, got)
			}
			if state.Rows != 90+110+130+150 || int(state.Round) != 2 {
				t.Errorf("%d rows, %d sums", state.Rows, state.Round)
			}
		}
	})
}

// A preflight can be written to a file and read again, as clones are.
func TestPreflightAsAFile(t *testing.T) {
	s := PreflightOf(ward(), 1)
	name := func(id croft.MemberID) string { return fmt.Sprintf("m%d", id[0]) }
	text := Text(s, "a copy", name)
	file, err := Parse(text, "a.toml")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, err := file.Study(croft.MemberID{1}, nil, func(name string) (croft.MemberID, bool) { return croft.MemberID{name[1] - '0'}, true })
	again.Expires, again.Readers = s.Expires, s.Readers
	if err != nil || again.PlanHash() != s.PlanHash() {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestPreflightRefuses(t *testing.T) {
	for name, change := range map[string]func(*croft.Study){
		"model.cells":             func(s *croft.Study) { s.Model.Cells++ },
		"column \"age\": missing": func(s *croft.Study) { s.Schema.Columns[0].Missing = "" },
		"model.positive":          func(s *croft.Study) { s.Model.Positive = "perhaps" },
		"people.hold_out":         func(s *croft.Study) { s.HoldOut = croft.HoldOut{Percent: 5, Key: "k"} },
		"model.bins":              func(s *croft.Study) { s.Model.Bins = 4 },
		"model.features": func(s *croft.Study) {
			s.Model.Features = append(s.Model.Features, "age")
			s.Model.Cells = uint16(table.Cells(*s))
		},
	} {
		s := PreflightOf(ward(), 1)
		change(&s)
		if err := Validate(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := ward()
	s.Schema.Columns[0].Missing = croft.MissingCount
	if err := Validate(s); err == nil {
		t.Error("a study that is no preflight counts what is missing")
	}
}
