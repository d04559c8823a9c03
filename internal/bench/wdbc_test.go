package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/study"
	"croft/internal/table"
)

var testExpiry = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)

func TestClinicsHoldEveryPatientOnce(t *testing.T) {
	for _, seed := range []uint64{0, 1, 42, math.MaxUint64} {
		seen := map[string]string{}
		var rows, malignant []int
		for _, c := range clinicsOf(seed) {
			lines, err := csv.NewReader(bytes.NewReader(c.CSV)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if want := "patient texture smoothness symmetry fractal_dimension texture_se smoothness_se symmetry_se fractal_dimension_se diagnosis"; strings.Join(lines[0], " ") != want {
				t.Fatalf("header %v", lines[0])
			}
			m := 0
			for _, l := range lines[1:] {
				if l[9] == "malignant" {
					m++
				}
				seen[l[0]] = strings.Join(l[1:], ",")
			}
			if len(lines)-1 != c.Rows || m != c.Malignant {
				t.Errorf("%s: %d rows, %d malignant in the file, said %d, %d", c.Name, len(lines)-1, m, c.Rows, c.Malignant)
			}
			rows, malignant = append(rows, c.Rows), append(malignant, c.Malignant)
		}
		if !slices.Equal(rows, []int{260, 150, 95, 64}) || !slices.Equal(malignant, []int{74, 80, 23, 35}) {
			t.Errorf("seed %d: %v rows, %v malignant", seed, rows, malignant)
		}
		if len(seen) != 569 {
			t.Errorf("seed %d: %d patients", seed, len(seen))
		}
		// The first line of the source: 10.38, 0.1184, 0.2419, 0.07871, 0.9053, …
		if want := "10.38,0.1184,0.2419,0.07871,0.9053,0.006399,0.03003,0.006193,malignant"; seen["wdbc-001"] != want {
			t.Errorf("first patient: %s", seen["wdbc-001"])
		}
	}
}

// The counts of malignant lesions are the best whole numbers with their sum.
func TestBaseRatesAreAsNearAsTheTotalsAllow(t *testing.T) {
	want := []float64{.30, .55, .25, .55}
	off := func(of ...int) (worst float64) {
		for c, n := range of {
			worst = max(worst, math.Abs(float64(n)/float64(clinics[c].Rows)-want[c]))
		}
		return worst
	}
	best := off(74, 80, 23, 35)
	for a := range 213 {
		for b := range 151 {
			for c := range 96 {
				if d := 212 - a - b - c; d >= 0 && d <= 64 && off(a, b, c, d) < best {
					t.Fatalf("%d %d %d %d: at most %g off, less than %g", a, b, c, d, off(a, b, c, d), best)
				}
			}
		}
	}
}

func TestClinicsAreTheSameEverywhere(t *testing.T) {
	for seed, want := range map[uint64]string{
		1: "04b21ae0ba17e43ea17b88cd855ceb5d92b2c11e0feb4884a9fd421dffca2148",
		7: "eb2f975f0c29f95a31f6bffd55715931061aa0e01234c28f119e1da978d39e07",
	} {
		h := sha256.New()
		for _, c := range clinicsOf(seed) {
			h.Write(c.CSV)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("seed %d: %s", seed, got)
		}
	}
}

func TestLargeClinicsTakeLargeLesions(t *testing.T) {
	radius := map[string]float64{}
	for i, line := range wdbc() {
		r, err := strconv.ParseFloat(line[wdbcRadius], 64)
		if err != nil {
			t.Fatal(err)
		}
		radius[fmt.Sprintf("wdbc-%03d", i+1)] = r
	}
	for _, class := range []string{"malignant", "benign"} {
		var means [4]float64
		const seeds = 20
		for seed := range uint64(seeds) {
			for c, clinic := range clinicsOf(seed) {
				sum, n := 0.0, 0.0
				for line := range strings.Lines(string(clinic.CSV)) {
					if id, _, _ := strings.Cut(line, ","); strings.HasSuffix(line, class+"\n") {
						sum, n = sum+radius[id], n+1
					}
				}
				means[c] += sum / n / seeds
			}
		}
		t.Logf("%s: mean radius %.2f", class, means)
		for c := range 3 {
			if means[c] < means[c+1]+.2 {
				t.Errorf("%s: mean radius %.2f does not fall with the clinic's size", class, means)
				break
			}
		}
	}
}

// demo returns the demo's study and the rows of its sites.
func demo(t testing.TB, seed uint64) (croft.Study, []Site) {
	t.Helper()
	var names []string
	all := clinicsOf(seed)
	for _, c := range all {
		names = append(names, c.Name)
	}
	file, err := study.Parse(studyTOML(names, testExpiry), "demo.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := file.Study(croft.MemberID{9}, []croft.MemberID{{8}}, func(name string) (croft.MemberID, bool) {
		return croft.MemberID(croft.Sum([]byte(name))), slices.Contains(names, name)
	})
	if err != nil {
		t.Fatal(err)
	}
	var sites []Site
	for _, c := range all {
		rows, err := data.Read(bytes.NewReader(c.CSV), c.Name, s.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		train, test, err := table.Build(rows, s)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, Site{c.Name, fed.Site{Train: fed.Rows{X: train.X, Y: train.Y}, Test: fed.Rows{X: test.X, Y: test.Y}}})
	}
	return s, sites
}

func TestStudyFileSaysWhatTheDemoNeeds(t *testing.T) {
	s, _ := demo(t, 1)
	if s.MinSites != 3 || len(s.Sites) != 4 || s.HoldOut.Percent != 25 || s.Schema.UnitColumn != "patient" || s.Patience != 60 ||
		!s.PerSiteMetrics || s.Use != croft.UseMembers || s.Model.Goal != croft.Inference || s.Model.Intercepts != croft.SiteIntercepts ||
		len(s.Model.Features) != 8 || len(s.Readers) != 5 {
		t.Errorf("%+v", s)
	}
	if want := time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC).Unix(); s.Expires != want {
		t.Errorf("expires %d, want %d", s.Expires, want)
	}
}

func finish(t testing.TB, s croft.Study, sites []Site) fed.State {
	t.Helper()
	plan, err := fed.Compile(s.Model, table.ColumnsOf(s), s.PerSiteMetrics)
	if err != nil {
		t.Fatal(err)
	}
	var rows []fed.Site
	for _, site := range sites {
		rows = append(rows, site.Site)
	}
	final, err := plan.Run(rows...)
	if err != nil {
		t.Fatal(err)
	}
	return final
}

func TestCompareFindsTheFederatedFitEqualToThePooled(t *testing.T) {
	plain := func(*croft.Study) {}
	common := func(s *croft.Study) { s.Model.Intercepts = croft.CommonIntercept }
	ridge := func(s *croft.Study) { s.Model.Goal, s.Model.Ridge = croft.Prediction, croft.Decimal{Mantissa: 1} }
	for _, c := range []struct {
		name  string
		seed  uint64
		alter func(*croft.Study)
		coefs int
	}{
		{"as the demo", 1, plain, 8}, {"seed 2", 2, plain, 8}, {"seed 3", 3, plain, 8},
		{"common intercept", 1, common, 9}, {"prediction", 1, ridge, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, sites := demo(t, c.seed)
			c.alter(&s)
			final := finish(t, s, sites)
			got, err := compare(s, final, sites)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.1e SE, condition %.1f", got.CoefDiffInSE, got.ConditionNumber)
			if !(got.CoefDiffInSE < 1e-6) || got.CoefDiffInSE == 0 {
				t.Errorf("coefficients differ by %g SE", got.CoefDiffInSE)
			}
			if len(got.Coef) != c.coefs || got.Coef[len(got.Coef)-1].Name != "fractal_dimension_se" {
				t.Errorf("coefficients %+v", got.Coef)
			}
			for i, site := range got.Sites {
				if site.Rows != clinics[i].Rows || site.TrainRows != len(sites[i].Train.Y) || site.TestRows != len(sites[i].Test.Y) {
					t.Errorf("%s: %d rows, %d to train, %d to test", site.Name, site.Rows, site.TrainRows, site.TestRows)
				}
				for name, m := range map[string]Models{"auc": site.AUC, "logloss": site.LogLoss, "accuracy": site.Accuracy} {
					if d := math.Abs(m.Federated.Value - m.Pooled.Value); d > 1e-6 {
						t.Errorf("%s, %s: federated and pooled differ by %g", site.Name, name, d)
					}
					if math.Abs(m.Federated.Value-m.LocalOnly.Value) == 0 && name == "logloss" {
						t.Errorf("%s: local-only is the federated model", site.Name)
					}
				}
				for _, pair := range [][2]fed.Estimate{ // the sum's own evaluation gave the same
					{site.AUC.Federated, final.Scores[1+i].AUC()},
					{site.LogLoss.Federated, final.Scores[1+i].LogLoss()},
					{site.Accuracy.Federated, final.Scores[1+i].Accuracy()},
				} {
					if got, want := pair[0], pair[1]; math.Abs(got.Value-want.Value)+math.Abs(got.Low-want.Low)+math.Abs(got.High-want.High) > 1e-9 {
						t.Errorf("%s: %v, the sum said %v", site.Name, got, want)
					}
				}
			}
			mean := (got.Sites[0].AUC.Federated.Value + got.Sites[1].AUC.Federated.Value + got.Sites[2].AUC.Federated.Value + got.Sites[3].AUC.Federated.Value) / 4
			if math.Abs(got.Mean.AUC.Federated.Value-mean) > 1e-12 {
				t.Errorf("mean AUC %g, want %g", got.Mean.AUC.Federated.Value, mean)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range []string{`"sites":[{"name":"harbour","rows":260,`, `"auc":{"federated":{"value":`, `"logloss":`, `"accuracy":`, `"bytes_out":`, `"mean":{"auc":`, `"coef":[{"name":`, `"estimate":`, `"coef_diff_in_se":`, `"condition_number":`} {
				if !bytes.Contains(text, []byte(field)) {
					t.Errorf("no %s in %s", field, text)
				}
			}
		})
	}
}

var update = flag.Bool("update", false, "write testdata/demo.csv; then run testdata/demo.R again")

// R's glm, given the demo's training rows and an indicator for each clinic, finds
// the same coefficients. The rows are told apart here by the rule as documented,
// not by package table.
func TestDemoEqualsR(t *testing.T) {
	const seed = 1
	var rows strings.Builder
	for c, clinic := range clinicsOf(seed) {
		for i, line := range slices.Collect(strings.Lines(string(clinic.CSV))) {
			patient, _, _ := strings.Cut(line, ",")
			person := sha256.Sum256([]byte(patient))
			mac := hmac.New(sha256.New, []byte("wdbc-demo"))
			mac.Write(person[:])
			switch held := binary.BigEndian.Uint64(mac.Sum(nil))%100 < 25; {
			case i == 0 && c == 0:
				rows.WriteString("clinic," + line)
			case i > 0 && !held:
				rows.WriteString(clinic.Name + "," + line)
			}
		}
	}
	if *update {
		if err := os.WriteFile("testdata/demo.csv", []byte(rows.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/demo.csv")
	if err != nil {
		t.Fatal(err)
	}
	if rows.String() != string(golden) {
		t.Fatal("the training rows changed: run the test with -update, then demo.R")
	}
	reference, err := os.ReadFile("testdata/demo.out")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]float64{}
	for line := range strings.Lines(string(reference)) {
		var name string
		var v [2]float64
		if _, err := fmt.Sscan(line, &name, &v[0], &v[1]); err == nil {
			want[name] = v
		}
	}

	s, sites := demo(t, seed)
	final := finish(t, s, sites)
	got, err := compare(s, final, sites)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for _, c := range got.Coef {
		coef, se := want[c.Name][0], want[c.Name][1]
		worst = max(worst, math.Abs(c.Coef-coef)/se)
		if !(math.Abs(c.Coef-coef) < 1e-6*se) || !(math.Abs(c.SE-se) < 1e-6*se) {
			t.Errorf("%s: %.12g ± %.12g, R %.12g ± %.12g", c.Name, c.Coef, c.SE, coef, se)
		}
	}
	if d := -2*final.Loglik.Float() - want["deviance"][0]; !(math.Abs(d) < 1e-8) {
		t.Errorf("deviance %g off", d)
	}
	t.Logf("largest difference from R: %.1e SE", worst)
}
