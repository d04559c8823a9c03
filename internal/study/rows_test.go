package study

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/table"
)

// followed is a study of how long people were followed, over a file of so many.
func followed(t *testing.T, model string, people int) (*table.Table, croft.Study) {
	t.Helper()
	text := goodFile[:strings.Index(goodFile, "[model]")] + "[model]\n" + model +
		"[[column]]\nname = \"days\"\nkind = \"number\"\nlow = 0\nhigh = 400\n[[column]]\nname = \"dead\"\nkind = \"category\"\nlevels = [\"no\", \"yes\"]\n"
	plan := parse(t, text)
	csv := "patient,days,dead\n"
	for i := range people {
		csv += fmt.Sprintf("p%d,%d,%s\n", i, 1+i*360/people, []string{"no", "yes"}[i%2])
	}
	path := filepath.Join(t.TempDir(), "followed.csv")
	if err := os.WriteFile(path, []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, _, err := data.Open(path, plan.Schema, data.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rows, plan
}

// Exact times and values of single people stay at the site, unless its owner allows
// them or the data is public.
func TestExactDetailIsRefused(t *testing.T) {
	const curves, histogram = "family = \"kaplan-meier\"\nfeatures = []\nlabel = \"dead\"\npositive = \"yes\"\ntime = \"days\"\n", "family = \"describe\"\nlabel = \"dead\"\n"
	for _, c := range []struct {
		model string
		says  string
	}{
		{curves + "grid = {width = 1, cells = 400}\n", "days over 0 to 1, censored: 1"},
		{curves + "grid = {width = 120, cells = 3}\n", ""},
		{histogram + "bins = 400\n", "days, part 2 of 400: 1"},
		{histogram + "bins = 4\n", ""},
		{histogram + "bins = 0\n", ""},
	} {
		rows, plan := followed(t, c.model, 90)
		site, err := Rows(rows, plan)
		if err != nil {
			t.Fatal(err)
		}
		policy := table.DefaultPolicy()
		warnings, err := Disclose(rows, plan, site, policy)
		if c.says == "" && (err != nil || len(warnings) > 0) {
			t.Errorf("%s: %v %v", c.model, err, warnings)
		}
		if c.says != "" && (!errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "allow_exact_detail")) {
			t.Errorf("%s: %v", c.model, err)
		}
		policy.Public = true
		if warnings, err := Disclose(rows, plan, site, policy); err != nil || (c.says != "") != (len(warnings) > 0) {
			t.Errorf("%s, public: %v %v", c.model, err, warnings)
		}
		policy.Public, policy.Exact = false, true
		if warnings, err := Disclose(rows, plan, site, policy); err != nil || len(warnings) > 0 {
			t.Errorf("%s, allowed: %v %v", c.model, err, warnings)
		}
	}
}

// The numbers that a study has published are those of the sums that it took, and
// too many for the rows of its cohort are not followed by more.
func TestPublishedNumbersAreCounted(t *testing.T) {
	plan := parse(t, goodFile)
	compiled, err := compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	const sites = 3
	all := 0
	for round := range uint32(9) {
		word := []fed.Step{fed.Count, fed.Centre, fed.Spread, fed.Newton, fed.Newton, fed.Newton, fed.Newton, fed.Newton, fed.Evaluate}[round]
		state := fed.State{Round: round, Word: word, Rows: 50}
		all += compiled.Layout(state, sites).Numbers()
		if got := published(compiled, state, sites); got != all {
			t.Errorf("round %d: %d numbers published, %d counted", round, all, got)
		}
	}
	state, policy := fed.State{Round: 8, Word: fed.Evaluate, Rows: int64(all+table.MaxDetail-1) / table.MaxDetail}, table.DefaultPolicy()
	policy.MaxRatio = 1
	if err := cohortRules(compiled, plan, state, sites, 0, policy); err != nil {
		t.Error(err)
	}
	state.Rows--
	if err := cohortRules(compiled, plan, state, sites, 0, policy); !errors.Is(err, croft.ErrWithheld) {
		t.Errorf("%d numbers of %d rows: %v", all, state.Rows, err)
	}
	policy.Exact = true
	if err := cohortRules(compiled, plan, state, sites, 0, policy); err != nil {
		t.Error(err)
	}
	state.TestRows = 8
	for held, withheld := range map[int]bool{0: false, 7: false, 8: true} {
		if err := cohortRules(compiled, plan, state, sites, held, policy); errors.Is(err, croft.ErrWithheld) != withheld {
			t.Errorf("%d held out here, 8 everywhere: %v", held, err)
		}
	}
}

// A label is what its family takes it for.
func TestLabelsOfEachFamily(t *testing.T) {
	for model, want := range map[string][]float64{
		"family = \"linear\"\ngoal = \"inference\"\nlabel = \"days\"\n":                                                                    {-0.995, -0.095},
		"family = \"poisson\"\ngoal = \"inference\"\nlabel = \"days\"\n":                                                                   {1, 181},
		"family = \"describe\"\nlabel = \"dead\"\n":                                                                                        {0, 1},
		"goal = \"inference\"\nlabel = \"dead\"\npositive = \"no\"\n":                                                                      {1, 0},
		"family = \"kaplan-meier\"\nfeatures = []\nlabel = \"dead\"\npositive = \"yes\"\ntime = \"days\"\ngrid = {width = 9, cells = 9}\n": {0, 1},
	} {
		rows, plan := followed(t, model, 2)
		plan.HoldOut = croft.HoldOut{}
		site, err := Rows(rows, plan)
		if err != nil {
			t.Fatal(err)
		}
		got := site.Train.Y
		if len(got) == 2 && got[0] != want[0] { // people have no order
			got = []float64{got[1], got[0]}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || (site.Train.Time != nil) != (plan.Model.Time != "") || len(site.Train.Unit) != 2 || site.Train.Unit[0] == site.Train.Unit[1] {
			t.Errorf("%s: %v, want %v", plan.Model.Family, got, want)
		}
	}
}

// Each family refuses what it cannot use, at the key where it stands.
func TestFamiliesRefuseWhatTheyCannotUse(t *testing.T) {
	head := goodFile[:strings.Index(goodFile, "[model]")]
	columns := "[[column]]\nname = \"age\"\nkind = \"number\"\nlow = 0\nhigh = 120\n[[column]]\nname = \"ill\"\nkind = \"category\"\nlevels = [\"no\", \"yes\"]\n"
	days := "[[column]]\nname = \"days\"\nkind = \"number\"\nlow = 1\nhigh = 900\n"
	wild := "[[column]]\nname = \"days\"\nkind = \"number\"\nlow = -1\nhigh = 900\n"
	const inference, label = "goal = \"inference\"\n", "label = \"ill\"\npositive = \"yes\"\n"
	const cox, curves, describe = "family = \"cox\"\n" + inference + label, "family = \"kaplan-meier\"\n" + label, "family = \"describe\"\nlabel = \"ill\"\n"
	for _, c := range []struct {
		model, columns string
		code           croft.Code
		says           string
	}{
		{cox + "time = \"days\"\n", columns + days, 0, ""},
		{cox, columns, croft.ErrStudyValue, "model.time: cox needs"},
		{cox + "time = \"weeks\"\n", columns, croft.ErrStudyValue, "model.time: it does not name a column of kind number"},
		{cox + "time = \"ill\"\n", columns, croft.ErrStudyValue, "model.time: it does not name a column of kind number"},
		{cox + "time = \"age\"\nfeatures = [\"age\"]\n", columns, croft.ErrStudyValue, "model.time: the column has another part"},
		{cox + "time = \"days\"\n", columns + wild, croft.ErrStudyValue, `column "days": low: its range as time`},
		{cox + "time = \"days\"\nties = \"exact\"\n", columns + days, croft.ErrStudyValue, "model.ties"},
		{cox + "time = \"days\"\nintercepts = \"common\"\n", columns + days, croft.ErrStudyValue, "model.intercepts: a Cox regression is stratified"},
		{cox + "time = \"days\"\ngrid = {cells = 4}\n", columns + days, croft.ErrStudyValue, "model.grid.width: it is missing"},
		{cox + "time = \"days\"\ngrid = {width = 0, cells = 4}\n", columns + days, croft.ErrStudyValue, "model.grid: the width"},
		{cox + "time = \"days\"\ngrid = {width = 1, cells = 70000}\n", columns + days, croft.ErrStudyFile, "line 16, column"},
		{cox + "time = \"days\"\ngrid = {width = 1, cell = 7}\n", columns + days, croft.ErrStudyFile, `line 16, column 20: unknown key "model.cell"`},
		{cox + "time = \"days\"\nclusters = true\n", columns + days, croft.ErrStudyValue, "model.clusters: cox has no use"},
		{cox + "time = \"days\"\nclusters = \"yes\"\n", columns + days, croft.ErrStudyFile, "line 16, column 12: a value of type string"},
		{inference + label + "time = \"days\"\n", columns + days, croft.ErrStudyValue, "model.time: logistic has no use"},
		{inference + label + "bins = 4\n", columns, croft.ErrStudyValue, "model.bins: logistic has no use"},
		{"family = \"firth\"\ngoal = \"prediction\"\nridge = 1\n" + label, columns, croft.ErrStudyValue, "model.ridge: firth has a penalty"},
		{"family = \"linear\"\n" + inference + "label = \"age\"\nfeatures = [\"ill\"]\n", columns, 0, ""},
		{"family = \"linear\"\n" + inference + label, columns, croft.ErrStudyValue, "model.label: it does not name a column of kind number"},
		{"family = \"linear\"\n" + inference + "label = \"age\"\npositive = \"yes\"\n", columns, croft.ErrStudyValue, "model.positive: the label is a number"},
		{"family = \"linear\"\n" + inference + "label = \"age\"\nweight = \"days\"\n", columns + wild, croft.ErrStudyValue, `column "days": low: its range as weight`},
		{"family = \"poisson\"\n" + inference + "label = \"age\"\nexposure = \"days\"\n", columns + days, 0, ""},
		{"family = \"poisson\"\n" + inference + label + "exposure = \"days\"\n", columns + days, 0, ""},
		{"family = \"poisson\"\n" + inference + "label = \"days\"\n", columns + wild, croft.ErrStudyValue, `column "days": low: the label is a count`},
		{"family = \"poisson\"\n" + inference + "label = \"age\"\nexposure = \"ill\"\nfeatures = [\"days\"]\n", columns + days, croft.ErrStudyValue, "model.exposure: it does not name"},
		{curves + "time = \"days\"\nfeatures = []\ngrid = {width = 30, cells = 9}\n", columns[strings.Index(columns, "[[column]]\nname = \"ill\""):] + days, 0, ""},
		{curves + "time = \"days\"\ngrid = {width = 30, cells = 9}\n", columns + days, croft.ErrStudyValue, `model.features: "age" is not of kind category`},
		{curves + "time = \"age\"\nfeatures = []\n", columns, croft.ErrStudyValue, "model.grid: the width"},
		{curves + "time = \"age\"\nfeatures = []\nmax_rounds = 9\ngrid = {width = 30, cells = 9}\n", columns, croft.ErrStudyValue, "model.max_rounds: kaplan-meier takes no steps"},
		{curves + "time = \"age\"\nfeatures = []\nintercepts = \"site\"\ngrid = {width = 30, cells = 9}\n", columns, croft.ErrStudyValue, "model.intercepts: kaplan-meier has none"},
		{curves + "time = \"age\"\nfeatures = []\ngoal = \"prediction\"\ngrid = {width = 30, cells = 9}\n", columns, croft.ErrStudyValue, "model.goal"},
		{curves + "time = \"age\"\nfeatures = []\ngrid = {width = 30, cells = 5000}\n", columns, croft.ErrStudyValue, "model.grid: 5000 cells"},
		{describe, columns, 0, ""},
		{"family = \"describe\"\n", columns, 0, ""},
		{describe + "positive = \"yes\"\n", columns, croft.ErrStudyValue, "model.positive: a description counts by all levels"},
		{describe + "bins = 60000\n", columns, croft.ErrStudyValue, "model.bins"},
		{"family = \"describe\"\nlabel = \"age\"\n", columns, croft.ErrStudyValue, "model.label: it does not name a column of kind category"},
		{describe + "[may_leave]\nsite_metrics = true\n", columns, croft.ErrStudyValue, "may_leave.site_metrics"},
	} {
		_, err := Parse([]byte(head+"[model]\n"+c.model+c.columns), "a.toml")
		if c.code == 0 && err == nil {
			continue
		}
		if c.code == 0 || !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s\ngot  %v\nwant %v with %q", c.model, err, c.code, c.says)
		}
	}
	text := strings.Replace(head, "[people]\n", "[people]\nhold_out = 25\n", 1) + "[model]\n" + describe + columns
	if _, err := Parse([]byte(text), "a.toml"); !errors.Is(err, croft.ErrStudyValue) || !strings.Contains(err.Error(), "people.hold_out: describe counts everybody") {
		t.Error(err)
	}
}

// Whichever rule about people holds a site back, the ledger gets the same bytes: one
// word, without a figure, a column or the name of the rule.
func TestWhatIsWithheldLooksAlike(t *testing.T) {
	var first []byte
	for _, err := range []error{
		croft.E(croft.ErrWithheld, "9 people, fewer than 10"),
		croft.E(croft.ErrWithheld, "sex over m, label yes: 3"),
		croft.E(croft.ErrWithheld, "800 exact numbers of 90 rows, which the owner does not allow (allow_exact_detail)"),
		croft.E(croft.ErrWithheld, "an earlier sum was over the same people but 2: the difference of the two would describe them"),
		croft.E(croft.ErrPolicy, "the plan has 12 parameters for 60 rows"),
		croft.E(croft.ErrNoRows, "visits.csv", 0, 1),
	} {
		reason, final := refusal(fmt.Errorf("round 3: %w", err))
		if !final {
			t.Errorf("%v may pass", err)
		}
		body := croft.Encode(ledger.Stop{Study: croft.StudyID{7}, Reason: reason})
		if first == nil {
			first = body
		}
		if !bytes.Equal(body, first) {
			t.Errorf("%v is told apart on the ledger: %s", err, reason)
		}
	}
}
