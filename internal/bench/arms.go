package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/energy"
	"croft/internal/fed"
	"croft/internal/study"
	"croft/internal/table"
)

// ArmsOptions say what CompareHeart reads and where its network lives.
type ArmsOptions struct {
	Dir     string // holds UCI's four files processed.*.data
	Network string // an empty folder for the nodes
	Log     *slog.Logger
	Where
}

// ArmsReport sets ways to get a model side by side: all rows in one place, each
// hospital alone, all together without moving a row. Every arm trains on the same
// rows and is tried on the same others.
type ArmsReport struct {
	Data        string            `json:"data"`
	Definitions map[string]string `json:"definitions"`
	Where
	Hospitals []HospitalRows `json:"hospitals"`
	Arms      []ArmReport    `json:"arms"`
	// Difference is the largest between a coefficient of the federated arm and the
	// central one's, which is fitted by another algorithm, in standard errors.
	Difference float64  `json:"coef_diff_in_se"`
	Fairness   []BySex  `json:"fairness_by_sex"` // of the federated arm: the network, then each hospital
	Worth      []Joined `json:"worth_joining"`
}

// Joined is what joining was worth to a hospital, as its own screen says it.
type Joined struct {
	Name    string       `json:"name"`
	People  int          `json:"people"` // held out
	Verdict string       `json:"verdict"`
	Gain    fed.Estimate `json:"logloss_gain"` // of the federated arm over local-only, on its own held-out rows
	// Contribution is how much more a held-out row of the others would lose without it.
	Contribution *float64 `json:"contribution"`
}

// ArmReport is one way: what it is worth, what it costs and who sees what.
type ArmReport struct {
	Name       string         `json:"name"`
	Mean       Measures       `json:"mean"`    // over hospitals
	Together   float64        `json:"auc_all"` // of all test rows, ranked together
	Worst      string         `json:"worst"`   // the hospital whose rows lose most
	WorstLoss  float64        `json:"worst_logloss"`
	Sites      []ArmSite      `json:"sites"`
	Bytes      int64          `json:"bytes"` // that leave the hospitals
	Wire       int64          `json:"wire"`  // all that machines send each other for it
	Seconds    float64        `json:"seconds"`
	CPUSeconds float64        `json:"cpu_seconds"`
	Energy     energy.Reading `json:"energy"`
	Breach     int            `json:"breach_radius"`
	Saw        string         `json:"who_saw_what"`
}

// ArmSite is what an arm is worth at one hospital.
type ArmSite struct {
	Name     string        `json:"name"`
	AUC      *fed.Estimate `json:"auc"` // null where the test rows have one class
	LogLoss  fed.Estimate  `json:"logloss"`
	Accuracy fed.Estimate  `json:"accuracy"`
}

// BySex is how the federated model treats women and men; null where too few of one
// are among the test rows.
type BySex struct {
	Where    string        `json:"where"`
	Women    int64         `json:"women"`
	Men      int64         `json:"men"`
	Fairness *fed.Fairness `json:"fairness"` // level 0 are women, 1 men
}

// An arm is a way to get a model for each hospital from their training rows. A new
// way, with noise or another model, is one more of these.
type arm struct {
	name string
	saw  string
	fit  func(ctx context.Context, sites []Site) (fitted, error)
}

// fitted is what an arm gives: a model for each site, in their order, and what it
// took. Seconds and CPU are measured around fit where they are 0.
type fitted struct {
	models      []linear
	bytes, wire int64
	breach      int // people whose rows one stolen disk gives away, at most
	seconds     float64
	cpu         time.Duration
}

// CompareHeart compares the arms on four hospitals. The federated arm is a network
// of five nodes on this machine, with its ledger, its proofs and its sealed reports,
// whose study goes the ordinary path. It fails with ErrPublicData where the data is
// not, and with the context's error.
func CompareHeart(ctx context.Context, o ArmsOptions, progress func(string)) (*ArmsReport, error) {
	played, err := heartCast(o.Dir)
	if err != nil {
		return nil, err
	}
	plan, sites, err := played.rows()
	if err != nil {
		return nil, err
	}
	r := &ArmsReport{Data: heartAttribution, Definitions: armDefinitions, Where: o.Where}
	largest, all, files := 0, 0, int64(0)
	for i, s := range sites {
		n := len(s.Train.Y) + len(s.Test.Y)
		largest, all, files = max(largest, n), all+n, files+int64(len(played.clinics[i].CSV))
		positive := 0
		for _, y := range append(s.Train.Y[:len(s.Train.Y):len(s.Train.Y)], s.Test.Y...) {
			positive += int(y)
		}
		r.Hospitals = append(r.Hospitals, HospitalRows{s.Name, n, positive, len(s.Train.Y), len(s.Test.Y)})
	}
	ridge := plan.Model.Ridge.Float()
	central := fed.Fit{}
	var over *outcome
	for _, a := range []arm{
		{"central", "whoever keeps the pool sees every row", func(_ context.Context, sites []Site) (f fitted, err error) {
			if central, err = pooledFit(sites, ridge, plan.Model.Intercepts); err != nil {
				return f, err
			}
			for g := range sites {
				f.models = append(f.models, linear{central.Intercepts[g], central.Coef})
			}
			f.bytes, f.wire, f.breach = files, files, all
			return f, nil
		}},
		{"local-only", "nobody sees anything of another hospital", func(_ context.Context, sites []Site) (f fitted, err error) {
			for _, s := range sites {
				m, _, err := localOnly(s.Train, ridge)
				if err != nil {
					return f, err
				}
				f.models = append(f.models, m)
			}
			f.breach = largest
			return f, nil
		}},
		{"federated, exact", "each hospital its own rows; all of them totals over four hospitals; seats shares that say nothing unless more than half of the seats collude", func(ctx context.Context, sites []Site) (f fitted, err error) {
			over, f, err = federate(ctx, o, played, sites, progress)
			f.breach = largest
			return f, err
		}},
	} {
		progress(a.name)
		report, err := a.run(ctx, sites)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		r.Arms = append(r.Arms, *report)
	}
	for j, se := range central.SE {
		r.Difference = max(r.Difference, math.Abs(over.result.Terms[1+j].Coef-central.Coef[j])/se)
	}
	if r.Fairness, err = over.bySex(sites); err != nil {
		return nil, err
	}
	r.Worth, err = over.worth(sites)
	return r, err
}

// run fits an arm and tries it on the rows held out.
func (a arm) run(ctx context.Context, sites []Site) (*ArmReport, error) {
	begun, before := time.Now(), energy.Process()
	of, err := a.fit(ctx, sites)
	if err != nil {
		return nil, err
	}
	if of.cpu == 0 {
		of.seconds, of.cpu = time.Since(begun).Seconds(), energy.Process()-before
	}
	r := &ArmReport{Name: a.name, Saw: a.saw, Bytes: of.bytes, Wire: of.wire, Seconds: of.seconds, CPUSeconds: of.cpu.Seconds(), Energy: energy.Modelled(of.cpu), Breach: of.breach}
	var scores []fed.Score
	var probability, label []float64
	for i, site := range sites {
		score := of.models[i].score(site.Test)
		scores = append(scores, score)
		probability, label = append(probability, of.models[i].probabilities(site.Test)...), append(label, site.Test.Y...)
		at := ArmSite{Name: site.Name, LogLoss: score.LogLoss(), Accuracy: score.Accuracy()}
		if hasPairs(score) {
			auc := score.AUC()
			at.AUC = &auc
		}
		if at.LogLoss.Value > r.WorstLoss {
			r.Worst, r.WorstLoss = site.Name, at.LogLoss.Value
		}
		r.Sites = append(r.Sites, at)
	}
	r.Mean, r.Together = measures(scores), fed.ScoreOf(probability, label).AUC().Value
	return r, nil
}

// pooledFit fits all sites' training rows, with an intercept for each or one.
func pooledFit(sites []Site, ridge float64, intercepts croft.Intercepts) (fed.Fit, error) {
	var all fed.Rows
	var groups []int
	for g, s := range sites {
		if intercepts == croft.CommonIntercept {
			g = 0
		}
		all.X, all.Y = append(all.X, s.Train.X...), append(all.Y, s.Train.Y...)
		for range s.Train.Y {
			groups = append(groups, g)
		}
	}
	return fed.Pooled(all.X, all.Y, groups, ridge)
}

// outcome is the end of a federated study.
type outcome struct {
	*played
	result fed.Result
}

// federate runs the study over a network on this machine.
func federate(ctx context.Context, o ArmsOptions, k cast, sites []Site, progress func(string)) (*outcome, fitted, error) {
	var f fitted
	var begun time.Time
	var cpu time.Duration
	report, over, err := perform(ctx, DemoConfig{Dir: o.Network, Log: o.Log, Progress: func(s DemoStep) {
		switch s.Stage { // the network stands before the first, the model after the last
		case "propose":
			begun, cpu = time.Now(), energy.Process()
		case "audit":
			f.seconds, f.cpu = time.Since(begun).Seconds(), energy.Process()-cpu
		}
		if s.Stage != "round" {
			progress(strings.TrimSpace(s.Stage + " " + s.Who))
		}
	}}, k)
	if err != nil {
		return nil, f, err
	}
	result, err := over.compiled.Result(over.final)
	if err != nil {
		return nil, f, err
	}
	for i, s := range sites {
		f.models = append(f.models, federated(over.compiled, over.final, result, s.Train))
		f.bytes += report.Sites[i].BytesOut
	}
	f.wire = report.Bytes.Wire
	return &outcome{over, result}, f, nil
}

// bySex compares women and men over the network, and at each hospital that has
// enough of both among its test rows.
func (o *outcome) bySex(sites []Site) (out []BySex, err error) {
	add := func(where string, levels []fed.Score) {
		out = append(out, BySex{where, levels[0].Rows, levels[1].Rows, fed.FairnessOf(levels, int64(table.DefaultPolicy().MinCell))})
	}
	add("all", o.result.Groups[0])
	for _, s := range sites {
		own, err := o.compiled.Own(o.final, s.Train, s.Test)
		if err != nil {
			return nil, err
		}
		add(s.Name, own.Groups[0])
	}
	return out, nil
}

// worth asks each hospital's node whether joining was worth it.
func (o *outcome) worth(sites []Site) (out []Joined, err error) {
	for _, s := range sites {
		w, err := study.WorthOf(o.plan, o.final, s.Site)
		if err != nil {
			return nil, err
		}
		out = append(out, Joined{s.Name, w.People, w.Verdict, w.Gain, w.Contribution})
	}
	return out, nil
}

// rows reads what the study's sites compute on.
func (k cast) rows() (plan croft.Study, sites []Site, err error) {
	file, err := study.Parse(k.study(k.names(), time.Unix(1<<31, 0)), "compare.toml")
	if err != nil {
		return plan, nil, err
	}
	plan, err = file.Study(croft.MemberID{1}, nil, func(name string) (croft.MemberID, bool) { return croft.MemberID(croft.Sum([]byte(name))), true })
	if err != nil {
		return plan, nil, err
	}
	for _, c := range k.clinics {
		t, err := data.Read(bytes.NewReader(c.CSV), c.Name, plan.Schema, data.Limits{})
		if err != nil {
			return plan, nil, err
		}
		site, err := study.Rows(t, plan)
		if err != nil {
			return plan, nil, err
		}
		sites = append(sites, Site{c.Name, site})
	}
	return plan, sites, nil
}

// heartCast is the four hospitals, each with a file as a clinic would have it.
func heartCast(dir string) (cast, error) {
	k := cast{dataset: "heart", study: heartTOML}
	for _, h := range hospitals {
		path := filepath.Join(dir, h.file)
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return k, croft.E(croft.ErrPublicData, path, "the four processed.*.data files", heartSource)
		} else if err != nil {
			return k, croft.E(croft.ErrFileOpen, path, err)
		}
		lines, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
		if err != nil {
			return k, croft.E(croft.ErrFileOpen, path, err)
		}
		clinic := Clinic{Name: h.name, Rows: len(lines)}
		var b bytes.Buffer
		b.WriteString("patient,age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,disease\n")
		for i, l := range lines {
			for j, cell := range l { // 1.0 and 1 are one level
				if v, err := strconv.ParseFloat(cell, 64); err == nil {
					l[j] = strconv.FormatFloat(v, 'f', -1, 64)
				}
			}
			sex, disease := map[string]string{"0": "f", "1": "m"}[l[1]], "yes"
			if l[len(l)-1] == "0" {
				disease = "no"
			}
			fmt.Fprintf(&b, "%s-%03d,%s,%s,%s,%s\n", h.name, i+1, l[0], sex, strings.Join(l[2:10], ","), disease)
		}
		clinic.CSV = b.Bytes()
		k.clinics = append(k.clinics, clinic)
	}
	return k, nil
}

// heartTOML is the study over the hospitals: FLamby's columns, the columns that
// hardly any hospital has left out, with λ = 1 as in Heart's random splits.
func heartTOML(sites []string, expires time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `name = "heart"
purpose = "What do four hospitals' records say about heart disease? A comparison on published data."
legal_basis = "published research data under CC BY 4.0, without anything that identifies a person"
contact = "the operator of this comparison"
expires = %s

[sites]
members = ["%s"]
min = 3

[people]
unit = "patient"
hold_out = 40
hold_out_key = "compare-heart"

[model]
family = "logistic"
goal = "prediction"
intercepts = "site"
ridge = %s
label = "disease"
positive = "yes"

[evaluation]
groups = ["sex"]

[may_leave]
site_metrics = true  # for the table

[sums]
patience = "60s"
`, expires.UTC().Format(time.DateOnly), strings.Join(sites, `", "`), fixedLambda)
	for _, c := range []struct{ name, low, high string }{{"age", "0", "120"}, {"trestbps", "0", "300"}, {"chol", "0", "800"}, {"thalach", "0", "250"}, {"oldpeak", "-10", "10"}} {
		fmt.Fprintf(&b, "\n[[column]]\nname = %q\nkind = \"number\"\nlow = %s\nhigh = %s\nmissing_codes = [\"?\"]\nmissing = \"drop\"\n", c.name, c.low, c.high)
	}
	for _, c := range []struct{ name, levels string }{{"sex", `"f", "m"`}, {"cp", `"1", "2", "3", "4"`}, {"fbs", `"0", "1"`}, {"restecg", `"0", "1", "2"`}, {"exang", `"0", "1"`}, {"disease", `"no", "yes"`}} {
		fmt.Fprintf(&b, "\n[[column]]\nname = %q\nkind = \"category\"\nlevels = [%s]\nmissing_codes = [\"?\"]\nmissing = \"drop\"\n", c.name, c.levels)
	}
	return b.Bytes()
}

// armDefinitions explain the report's words.
var armDefinitions = map[string]string{
	"rows":          "all arms train on the same rows and are tested on the same others: 40 % of the patients, by the hash of their id",
	"model":         "logistic regression on 13 columns, an intercept for each hospital, ridge λ = 1",
	"auc":           definitions["auc"],
	"auc_all":       "all hospitals' test rows ranked together: a model that only knows each hospital's base rate has more than 0.5",
	"worst":         "the hospital with the highest log-loss",
	"bytes":         "that leave the hospitals: central, the files once; federated, the sealed reports of all rounds",
	"wire":          "all bytes between the machines; federated, with consensus, greetings and proofs of all five nodes",
	"seconds":       "of the fit; federated, from the proposal to the model on every node, on one machine, approvals included",
	"cpu_seconds":   "of this process; federated, all five nodes",
	"breach_radius": "patients whose rows are on the disk that gives away most, if it is stolen: the files, not the totals",
	"fairness":      "by sex at probability 0.5; null where a class of either sex has fewer than 5 test rows",
}
