package study

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
)

var update = flag.Bool("update", false, "write golden files anew")

// goodFile is a file as a person may write it: with what is required, no more.
const goodFile = `name = "anaemia"
purpose = "Which women are at risk?"
legal_basis = "research"
contact = "ada@example.org"
expires = 2027-01-31
[sites]
members = ["b", "a", "c"]
[people]
unit = "patient"
[model]
goal = "inference"
label = "anaemic"
positive = "yes"
[[column]]
name = "age"
kind = "number"
unit = "years"
low = 0
high = 120.50
[[column]]
name = "region"
kind = "category"
levels = ["north", "south", "west"]
missing = "drop"
missing_codes = ["?"]
[[column]]
name = "anaemic"
kind = "category"
levels = ["no", "yes"]
`

func member(name string) (croft.MemberID, bool) {
	return croft.MemberID(croft.Sum([]byte(name))), len(name) == 1
}

func parse(t *testing.T, text string) croft.Study {
	t.Helper()
	f, err := Parse([]byte(text), "a.toml")
	if err != nil {
		t.Fatal(err)
	}
	proposer, _ := member("p")
	s, err := f.Study(proposer, []croft.MemberID{{1}, {2}}, member)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFileBecomesAStudy(t *testing.T) {
	got := parse(t, goodFile)
	id := func(name string) croft.MemberID { m, _ := member(name); return m }
	sorted := func(ids ...croft.MemberID) []croft.MemberID {
		slices.SortFunc(ids, croft.MemberID.Compare)
		return ids
	}
	want := croft.Study{
		Version: 1, Name: "anaemia", Purpose: "Which women are at risk?", LegalBasis: "research", Contact: "ada@example.org",
		Expires: 1801440000, // 2027-02-01T00:00:00Z: the last day has passed everywhere that counts in UTC
		Sites:   sorted(id("a"), id("b"), id("c")), MinSites: 3,
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "age", Kind: croft.Number, Unit: "years", High: croft.Decimal{Mantissa: 1205, Scale: 1}},
			{Name: "region", Kind: croft.Category, Levels: []string{"north", "south", "west"}, Missing: croft.MissingDrop, Codes: []string{"?"}},
			{Name: "anaemic", Kind: croft.Category, Levels: []string{"no", "yes"}},
		}},
		HoldOut: croft.HoldOut{Percent: 25, Key: "croft"},
		Model: croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "anaemic", Positive: "yes",
			Features: []string{"age", "region"}, MaxRounds: 25},
		Use: croft.UseMembers, Readers: sorted(id("a"), id("b"), id("c"), id("p")), Patience: 600, Engine: croft.EngineVersion,
	}
	if !bytes.Equal(croft.Encode(got), croft.Encode(want)) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	if err := Validate(got); err != nil {
		t.Fatal(err)
	}
}

func TestOrderOfMembersDoesNotChangeTheHash(t *testing.T) {
	a := parse(t, goodFile)
	b := parse(t, strings.Replace(goodFile, `["b", "a", "c"]`, `["c", "b", "a"]`, 1))
	if a.PlanHash() != b.PlanHash() {
		t.Fatal("two plans")
	}
}

func TestReadersAndChoices(t *testing.T) {
	s := parse(t, goodFile+`
[may_leave]
readers = ["seats", "z", "seats"]
site_metrics = true
[result]
use = "public"
export = true
[sums]
profile = "strict"
checked = false
proof = false
patience = "90s"
`)
	z, _ := member("z")
	if len(s.Readers) != 3 || !slices.Contains(s.Readers, z) || !slices.Contains(s.Readers, croft.MemberID{2}) ||
		!s.PerSiteMetrics || s.Use != croft.UsePublic || !s.Export || !s.Strict || !s.Unchecked || !s.Unproved || s.Patience != 90 {
		t.Fatalf("%+v", s)
	}
}

func TestFillAndRidge(t *testing.T) {
	s := parse(t, strings.NewReplacer("high = 120.50", "high = 120.50\nfill = 45.0", `"inference"`, "\"prediction\"\nridge = 0.10").Replace(goodFile))
	if c := s.Schema.Columns[0]; c.Missing != croft.MissingValue || c.Fill != (croft.Decimal{Mantissa: 45}) {
		t.Errorf("%+v", c)
	}
	if s.Model.Ridge != (croft.Decimal{Mantissa: 1, Scale: 1}) {
		t.Errorf("ridge %v", s.Model.Ridge)
	}
}

// Each case changes one thing in the good file and must be refused where it
// stands, in these words.
func TestFileRefusals(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("the good file has no %q", old)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	add := func(text string) func(string) string { return func(s string) string { return s + text } }
	for name, c := range map[string]struct {
		change func(string) string
		code   croft.Code
		says   string
	}{
		"unknown key":         {replace("unit = \"patient\"", "unit = \"patient\"\nunits = 3"), croft.ErrStudyFile, "line 10, column 1: unknown key \"people.units\""},
		"unknown table":       {add("[modell]\n"), croft.ErrStudyFile, "line 30, column 2: unknown key \"modell\""},
		"duplicate key":       {replace("contact =", "name = \"x\"\ncontact ="), croft.ErrStudyFile, "line 4, column 1: key name is already defined"},
		"duplicate table":     {add("[model]\n"), croft.ErrStudyFile, "line 30, column 2: table model already exists"},
		"duplicate by case":   {replace("contact =", "Name = \"x\"\ncontact ="), croft.ErrStudyFile, "line 4, column 1: unknown key \"Name\""},
		"upper case table":    {add("[Sums]\n"), croft.ErrStudyFile, "line 30, column 2: unknown key \"Sums\""},
		"inline upper case":   {add("sums = {Profile = \"strict\"}\n"), croft.ErrStudyFile, "unknown key \"Profile\""},
		"escape in a key":     {add("\"\\u001b\" = 1\n\"\\u001b\" = 1\n"), croft.ErrStudyFile, "line 31, column 1: key"},
		"endless key":         {add(strings.Repeat("a.", 20000) + "a = 1\n"), croft.ErrStudyFile, "unknown key \"column.a.a"},
		"not TOML":            {replace("kind =", "kind"), croft.ErrStudyFile, "line 16, column 6: expected '='"},
		"wrong type":          {replace("low = 0", "low = 0\nlevels = 3"), croft.ErrStudyFile, "column 10: a value of type integer cannot stand here"},
		"date in quotes":      {replace("2027-01-31", `"soon"`), croft.ErrStudyFile, "line 5, column 11"},
		"no such day":         {replace("2027-01-31", `2027-02-31`), croft.ErrStudyFile, "line 5"},
		"date is a time":      {replace("2027-01-31", `2027-01-31T10:00:00Z`), croft.ErrStudyFile, "line 5, column 11"},
		"no date":             {replace("expires = 2027-01-31\n", ""), croft.ErrStudyValue, "expires"},
		"no name":             {replace(`name = "anaemia"`, ""), croft.ErrStudyValue, "name: it is empty"},
		"blank purpose":       {replace("Which women are at risk?", ""), croft.ErrStudyValue, "purpose: it is empty"},
		"newline in purpose":  {replace("Which women", `Which\nwomen`), croft.ErrStudyValue, "purpose"},
		"bidi in name":        {replace(`"anaemia"`, `"an\u202eaemia"`), croft.ErrStudyValue, "name"},
		"long name":           {replace(`"anaemia"`, `"`+strings.Repeat("a", 65)+`"`), croft.ErrStudyValue, "name: it has 65 bytes"},
		"two sites":           {replace(`["b", "a", "c"]`, `["b", "a"]`), croft.ErrStudyValue, "sites.members"},
		"a site twice":        {replace(`["b", "a", "c"]`, `["b", "a", "b"]`), croft.ErrStudyValue, "sites.members"},
		"min 2":               {replace(`"c"]`, "\"c\"]\nmin = 2"), croft.ErrStudyValue, "sites.min: 2;"},
		"min 4 of 3":          {replace(`"c"]`, "\"c\"]\nmin = 4"), croft.ErrStudyValue, "sites.min: 4;"},
		"min 300":             {replace(`"c"]`, "\"c\"]\nmin = 300"), croft.ErrStudyFile, "line 8, column 7: integer value 300"},
		"required stranger":   {replace(`"c"]`, "\"c\"]\nrequired = [\"z\"]"), croft.ErrStudyValue, "sites.required"},
		"no unit":             {replace(`"patient"`, `""`), croft.ErrStudyValue, "people.unit: it is empty"},
		"unit is a feature":   {replace(`"patient"`, `"age"`), croft.ErrStudyValue, `column "age": name`},
		"hold-out":            {replace(`"patient"`, "\"patient\"\nhold_out = 51"), croft.ErrStudyValue, "people.hold_out: 51"},
		"column twice":        {replace(`name = "region"`, `name = "age"`), croft.ErrStudyValue, `column "age": name: it is there twice`},
		"kind":                {replace(`kind = "number"`, `kind = "integer"`), croft.ErrStudyValue, `column "age"`},
		"empty range":         {replace("high = 120.50", "high = 0.0"), croft.ErrStudyValue, `column "age": low: 0 is not below high, 0`},
		"no low":              {replace("low = 0\n", ""), croft.ErrStudyValue, `column "age": low: it is missing`},
		"NaN":                 {replace("low = 0", "low = nan"), croft.ErrStudyValue, `column "age": low`},
		"exponent":            {replace("120.50", "1e5"), croft.ErrStudyValue, `column "age": high`},
		"too exact":           {replace("120.50", "1.2345678901234567890123"), croft.ErrStudyValue, `column "age": high`},
		"range of levels":     {replace(`"south", "west"]`, "\"south\"]\nlow = 1"), croft.ErrStudyValue, `column "region": kind`},
		"levels of a number":  {replace("low = 0", "low = 0\nlevels = [\"a\", \"b\"]"), croft.ErrStudyValue, `column "age": levels`},
		"one level":           {replace(`["no", "yes"]`, `["yes"]`), croft.ErrStudyValue, `column "anaemic": levels: there are 1`},
		"level twice":         {replace(`"south", "west"`, `"south", "north"`), croft.ErrStudyValue, `"north" is there twice`},
		"level with space":    {replace(`"south"`, `"south "`), croft.ErrStudyValue, `begins or ends with a space`},
		"code is a level":     {replace(`["?"]`, `["west"]`), croft.ErrStudyValue, `missing_codes: "west"`},
		"code twice by value": {replace(`["?"]`, `["-9", "-9.0"]`), croft.ErrStudyValue, `missing_codes: "-9.0"`},
		"missing rule":        {replace(`"drop"`, `"guess"`), croft.ErrStudyValue, `column "region": missing`},
		"value without one":   {replace(`"drop"`, `"value"`), croft.ErrStudyValue, `column "region": missing`},
		"fill outside":        {replace("low = 0", "low = 0\nfill = 121"), croft.ErrStudyValue, `fill: 121 is outside`},
		"fill and drop":       {replace("low = 0", "low = 0\nfill = 21\nmissing = \"drop\""), croft.ErrStudyValue, `column "age": fill`},
		"unused column":       {replace("goal =", "features = [\"age\"]\ngoal ="), croft.ErrStudyValue, `column "region": name: it is neither`},
		"no such feature":     {replace("goal =", "features = [\"age\", \"region\", \"bmi\"]\ngoal ="), croft.ErrStudyValue, `there is no column "bmi"`},
		"label as feature":    {replace("goal =", "features = [\"age\", \"region\", \"anaemic\"]\ngoal ="), croft.ErrStudyValue, `the label cannot`},
		"feature twice":       {replace("goal =", "features = [\"age\", \"region\", \"age\"]\ngoal ="), croft.ErrStudyValue, `"age" is there twice`},
		"no features":         {replace("goal =", "features = []\ngoal ="), croft.ErrStudyValue, "feature"},
		"colliding columns":   {replace(`name = "age"`, `name = "region=south"`), croft.ErrStudyValue, `"region=south" would name two`},
		"numeric label":       {replace(`label = "anaemic"`, `label = "age"`), croft.ErrStudyValue, "model.label"},
		"positive":            {replace(`positive = "yes"`, `positive = "ja"`), croft.ErrStudyValue, "model.positive"},
		"goal":                {replace(`"inference"`, `"both"`), croft.ErrStudyValue, "model.goal"},
		"ridged inference":    {replace("goal =", "ridge = 0.1\ngoal ="), croft.ErrStudyValue, "model.ridge: inference"},
		"negative ridge":      {replace(`goal = "inference"`, "ridge = -1\ngoal = \"prediction\""), croft.ErrStudyValue, "model.ridge"},
		"family":              {replace("goal =", "family = \"probit\"\ngoal ="), croft.ErrStudyValue, "model.family"},
		"no rounds":           {replace("goal =", "max_rounds = 0\ngoal ="), croft.ErrStudyValue, "model.max_rounds"},
		"intercepts":          {replace("goal =", "intercepts = \"none\"\ngoal ="), croft.ErrStudyValue, "model.intercepts"},
		"threshold":           {add("[evaluation]\nthreshold = 1\n"), croft.ErrStudyValue, "evaluation.threshold"},
		"group of numbers":    {add("[evaluation]\ngroups = [\"age\"]\n"), croft.ErrStudyValue, `evaluation.groups: "age" does not name`},
		"label as group":      {add("[evaluation]\ngroups = [\"anaemic\"]\n"), croft.ErrStudyValue, "evaluation.groups: the label"},
		"group of no level": {func(s string) string {
			return add("[evaluation]\ngroups = [\"region\"]\n")(replace(`"drop"`, `"indicator"`)(s))
		}, croft.ErrStudyValue, `"region" keeps rows without a value`},
		"group twice": {add("[evaluation]\ngroups = [\"region\", \"region\"]\n"), croft.ErrStudyValue, `"region" is there twice`},
		"nobody held out": {func(s string) string {
			return add("[evaluation]\ngroups = [\"region\"]\n")(replace("[people]", "[people]\nhold_out = 0")(s))
		}, croft.ErrStudyValue, "nobody is held out"},
		"use":              {add("[result]\nuse = \"anything\"\n"), croft.ErrStudyValue, "result.use"},
		"no readers":       {add("[may_leave]\nreaders = []\n"), croft.ErrStudyValue, "may_leave.readers"},
		"profile":          {add("[sums]\nprofile = \"weak\"\n"), croft.ErrStudyValue, "sums.profile"},
		"patience":         {add("[sums]\npatience = \"1ms\"\n"), croft.ErrStudyValue, "sums.patience"},
		"half seconds":     {add("[sums]\npatience = \"1500ms\"\n"), croft.ErrStudyValue, "sums.patience"},
		"no patience":      {add("[sums]\npatience = \"0s\"\n"), croft.ErrStudyValue, "sums.patience"},
		"endless patience": {add("[sums]\npatience = \"721h\"\n"), croft.ErrStudyValue, "sums.patience"},
		"large file":       {add("#" + strings.Repeat("x", maxFile)), croft.ErrStudyValue, "at most 65536"},
		"large study": {func(s string) string {
			return longTexts.Replace(s) + categories(3, 64) + numbers(30)
		}, croft.ErrStudyValue, "its canonical form has"},
		"wide model": {func(s string) string { return s + categories(5, 2) }, croft.ErrStudyValue, "model columns; at most 128"},
		"65 columns": {func(s string) string { return s + numbers(63) }, croft.ErrStudyValue, "there are 66 columns"},
		"not UTF-8":  {replace("anaemia", "an\xe4mia"), croft.ErrStudyFile, "line 1"},
		"empty":      {func(string) string { return "" }, croft.ErrStudyValue, "name: it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.change(goodFile)), "a.toml")
			if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "a.toml") || len(err.Error()) > 300 || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v\nwant %v with %q", err, c.code, c.says)
			}
		})
	}
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[column]]\nname = \"n%d\"\nkind = \"number\"\nlow = 0\nhigh = 1\n", i)
	}
	return b.String()
}

var longTexts = strings.NewReplacer("research", strings.Repeat("x", maxText), "Which women are at risk?", strings.Repeat("x", maxText), "ada@example.org", strings.Repeat("x", maxText))

// categories makes n columns of 32 levels of that many bytes.
func categories(n, size int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[column]]\nname = \"c%d\"\nkind = \"category\"\nlevels = [", i)
		for l := range 32 {
			fmt.Fprintf(&b, "\"%0*d\",", size, l)
		}
		b.WriteString("]\n")
	}
	return b.String()
}

func TestUnknownMemberIsNamed(t *testing.T) {
	f, err := Parse([]byte(strings.Replace(goodFile, `"c"`, `"clinic"`, 1)), "a.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Study(croft.MemberID{1}, nil, member)
	if !errors.Is(err, croft.ErrStudyValue) || !strings.Contains(err.Error(), `sites.members: there is no member called "clinic"`) {
		t.Fatal(err)
	}
}

// What the ledger may hold is wider than what a file can say.
func TestValidateRefusesWhatNoFileSays(t *testing.T) {
	good := parse(t, goodFile)
	for name, change := range map[string]func(*croft.Study){
		"version":      func(s *croft.Study) { s.Version = 2 },
		"zero id":      func(s *croft.Study) { s.Sites[0] = croft.MemberID{} },
		"reader twice": func(s *croft.Study) { s.Readers = append(s.Readers, s.Readers[0]) },
		"33 readers": func(s *croft.Study) {
			for i := range 33 {
				s.Readers = append(s.Readers, croft.MemberID{31: byte(i + 1)})
			}
		},
		"two ways of one decimal": func(s *croft.Study) { s.Schema.Columns[0].High = croft.Decimal{Mantissa: 1000, Scale: 1} },
		"two ways of a ridge": func(s *croft.Study) {
			s.Model.Goal, s.Model.Ridge = croft.Prediction, croft.Decimal{Mantissa: 10, Scale: 1}
		},
		"scale 255":            func(s *croft.Study) { s.Schema.Columns[0].High.Scale = 255 },
		"huge mantissa":        func(s *croft.Study) { s.Schema.Columns[0].Low.Mantissa = -1 << 63 },
		"fill without rule":    func(s *croft.Study) { s.Schema.Columns[0].Fill = croft.Decimal{Mantissa: 1} },
		"filled category":      func(s *croft.Study) { s.Schema.Columns[1].Missing = croft.MissingValue },
		"range of a category":  func(s *croft.Study) { s.Schema.Columns[1].High = croft.Decimal{Mantissa: 1} },
		"hold-out without key": func(s *croft.Study) { s.HoldOut.Key = "" },
		"no patience":          func(s *croft.Study) { s.Patience = 0 },
		"no engine":            func(s *croft.Study) { s.Engine = "" },
		"no expiry":            func(s *croft.Study) { s.Expires = 0 },
		"use":                  func(s *croft.Study) { s.Use = "" },
		"unit with escape":     func(s *croft.Study) { s.Schema.Columns[0].Unit = "\x1b[2J" },
		"endless text":         func(s *croft.Study) { s.Contact = strings.Repeat("x", 3000) },
	} {
		var s croft.Study
		if err := croft.Decode(croft.Encode(good), &s); err != nil {
			t.Fatal(err)
		}
		if change(&s); !errors.Is(Validate(s), croft.ErrStudyValue) {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := Validate(croft.Study{}); !errors.Is(err, croft.ErrStudyValue) {
		t.Error(err)
	}
}

// A draft is refused until a person has filled in what is required, and then
// becomes a study with the guessed schema.
func TestDraftParsesOnceItIsFilledIn(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("\"patient id\",age,\"he said \"\"hi\"\"\",grade,birth date,odd\\col,outcome\n")
	for i := range 60 {
		fmt.Fprintf(&csv, "%d,%d,%s,%d,1970-01-%02d,%.1f,%s\n", 1000+i*7, 30+i*7%50, []string{"a", "b", "?"}[i%3], i%4, i%28+1, float64(i)/7, []string{"no", "yes"}[i%2])
	}
	path := filepath.Join(t.TempDir(), "my data.csv")
	if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	guess, err := data.Source{Path: path}.Guess()
	if err != nil {
		t.Fatal(err)
	}
	text := Draft("/home/x/my data.csv", guess, "logistic")
	golden := "testdata/draft.toml"
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(text, want) {
		t.Errorf("the draft differs from %s (%v):\n%s", golden, err, text)
	}
	if _, err := Parse(text, "draft"); !errors.Is(err, croft.ErrStudyValue) || !strings.Contains(err.Error(), "purpose, legal_basis, contact, expires, sites.members, model.label, model.positive") {
		t.Errorf("all that is still blank is not said at once: %v", err)
	}
	filled := strings.NewReplacer(
		`purpose = ""`, `purpose = "x"`, `legal_basis = ""`, `legal_basis = "x"`, `contact = ""`, `contact = "x"`,
		`expires = ""`, `expires = 2027-01-31`, `members = []`, `members = ["a", "b", "c"]`,
		`label = ""`, `label = "outcome"`, `positive = ""`, `positive = "yes"`).Replace(string(text))
	s := parse(t, strings.ReplaceAll(filled, "unit = \"\"  # of measurement", ""))
	if parse(t, filled).PlanHash() != s.PlanHash() {
		t.Error("an empty unit of measurement is not left out")
	}
	if got := fmt.Sprint(s.Schema.UnitColumn, s.Model.Features); got != `patient id[age he said "hi" grade odd\col]` {
		t.Error(got)
	}
	// A draft of another family wants no more than its own keys.
	for family, fill := range map[string]*strings.Replacer{
		"firth": strings.NewReplacer(`label = ""`, `label = "outcome"`, `positive = ""`, `positive = "yes"`), "describe": strings.NewReplacer(`bins = 8`, `bins = 4`),
		"linear": strings.NewReplacer(`label = "" `, `label = "age" `), "poisson": strings.NewReplacer(`label = "" `, `label = "age" `),
		"cox":          strings.NewReplacer(`time = ""`, `time = "age"`, `label = ""`, `label = "outcome"`, `positive = ""`, `positive = "yes"`),
		"kaplan-meier": strings.NewReplacer(`time = ""`, `time = "age"`, `label = ""`, `label = "outcome"`, `positive = ""`, `positive = "yes"`, `{width = 0, cells = 0}`, `{width = 5, cells = 20}`),
	} {
		text := string(Draft("my data.csv", guess, family))
		if _, err := Parse([]byte(text), family); err == nil {
			t.Errorf("%s: accepted with blanks", family)
		}
		text = fill.Replace(strings.NewReplacer(`purpose = ""`, `purpose = "x"`, `legal_basis = ""`, `legal_basis = "x"`, `contact = ""`, `contact = "x"`,
			`expires = ""`, `expires = 2027-01-31`, `members = []`, `members = ["a", "b", "c"]`).Replace(text))
		if family == "kaplan-meier" { // its columns are for a person to choose
			var kept []string
			for part := range strings.SplitSeq(text, "\n[[column]]") {
				if len(kept) == 0 || strings.Contains(part, `name = "age"`) || strings.Contains(part, `name = "outcome"`) {
					kept = append(kept, part)
				}
			}
			text = strings.Join(kept, "\n[[column]]")
		}
		if s := parse(t, text); s.Model.Family != family {
			t.Errorf("%s became %s", family, s.Model.Family)
		}
	}
	// Every value that the draft spells out outside of columns is the default.
	short := filled[strings.Index(filled, "\n[[column]]"):]
	short = "name = \"my-data\"\npurpose = \"x\"\nlegal_basis = \"x\"\ncontact = \"x\"\nexpires = 2027-01-31\nsites.members = [\"a\", \"b\", \"c\"]\n" +
		"people.unit = \"patient id\"\nmodel = {goal = \"inference\", label = \"outcome\", positive = \"yes\"}\n" + short
	if parse(t, short).PlanHash() != s.PlanHash() {
		t.Error("the draft spells out another default than the parser has")
	}
}

// Whatever a file and its columns are called, the draft is TOML.
func TestDraftOfOddNames(t *testing.T) {
	for _, name := range []string{"", ".csv", "\x00\x1b\n[x]", strings.Repeat("ü", 100) + ".csv", "a\xffb", `"""\\'''.csv`} {
		text := Draft(name, data.Draft{LeftOut: []data.LeftOut{{Name: name + "\n[x]", Reason: "odd"}}}, "logistic")
		_, err := Parse(bytes.Replace(text, []byte(`expires = ""`), []byte("expires = 2027-01-31"), 1), "a.toml")
		if !errors.Is(err, croft.ErrStudyValue) || !strings.Contains(err.Error(), "column") && !strings.Contains(err.Error(), "purpose") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(goodFile))
	if draft, err := os.ReadFile("testdata/draft.toml"); err == nil {
		f.Add(draft)
	}
	f.Add([]byte("sums = {Profile = [[[{a.b = 1}]]]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text, "f")
		if err != nil {
			if !errors.Is(err, croft.ErrStudyFile) && !errors.Is(err, croft.ErrStudyValue) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		s, err := file.Study(croft.MemberID{1}, nil, func(name string) (croft.MemberID, bool) {
			return croft.MemberID(croft.Sum([]byte(name))), true
		})
		if err != nil { // no seats: readers = ["seats"] is nobody
			return
		}
		if err := Validate(s); err != nil {
			t.Fatal(err)
		}
		var back croft.Study
		if err := croft.Decode(croft.Encode(s), &back); err != nil || back.PlanHash() != s.PlanHash() {
			t.Fatal(err)
		}
	})
}
