package main

import (
	"flag"
	"html"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
)

var update = flag.Bool("update", false, "write golden files anew")

// asked is a study as a site's person sees it, with a file of its own.
func asked() studyShowResult {
	decimal := func(text string) croft.Decimal {
		d, err := croft.ParseDecimal(text)
		if err != nil {
			panic(err)
		}
		return d
	}
	party := func(name string) api.Party { return api.Party{ID: croft.MemberID(croft.Sum([]byte(name))), Name: name} }
	a, b, c, d := party("Clinic A"), party("Clinic B"), party("Clinic C"), party("Town hall")
	plan := croft.Study{
		Version: 1, Name: "anaemia", Purpose: "Which women are at risk, so that they can be called in?", LegalBasis: "research, ethics vote 12/2026", Contact: "ada@example.org",
		Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC).Unix(), Sites: []croft.MemberID{a.ID, b.ID, c.ID}, Required: []croft.MemberID{b.ID}, MinSites: 3,
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "age", Kind: croft.Number, Unit: "years", Low: decimal("0"), High: decimal("120.5"), Missing: croft.MissingValue, Fill: decimal("40")},
			{Name: "region", Kind: croft.Category, Levels: []string{"north", "south & east"}, Codes: []string{"?"}, Missing: croft.MissingDrop},
			{Name: "anaemic", Kind: croft.Category, Levels: []string{"no", "yes"}},
		}},
		HoldOut: croft.HoldOut{Percent: 25, Key: "valley"},
		Model: croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "anaemic", Positive: "yes",
			Features: []string{"age", "region"}, MaxRounds: 25},
		PerSiteMetrics: true, Use: croft.UseNetwork, Export: true, Readers: []croft.MemberID{a.ID, b.ID, c.ID, d.ID}, Patience: 600, Engine: croft.EngineVersion,
	}
	return studyShowResult{
		Study: api.Study{
			Summary: api.Summary{ID: croft.StudyID(croft.Sum([]byte("study"))), Name: plan.Name, Status: "proposed", Proposer: a, Expires: time.Unix(plan.Expires, 0).UTC(), Mine: true,
				Sites: []api.Site{{Party: a, Answer: "approved"}, {Party: b, Answer: "waiting"}, {Party: c, Answer: "waiting"}}},
			Plan: plan, PlanHash: plan.PlanHash(), Seats: []api.Party{a, b, c, d}, Threshold: 2, Quorum: 4, Readers: []api.Party{a, b, c, d},
			Leaves: api.Leaves{Rounds: 29, Numbers: 31, AllNumbers: 412, Bytes: 6120, AllBytes: 177480},
		},
		Check: &api.Check{Dataset: "visits", People: 1187, Train: 903, Test: 301, Rows: 1300, Bound: 3145728, Warnings: []string{"a level is rare"}, Used: 12, Cap: 100},
	}
}

func rendered(t *testing.T, r studyShowResult) string {
	t.Helper()
	page, err := renderApproval(r, time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestApprovalPageIsAsItWas(t *testing.T) {
	got, golden := rendered(t, asked()), filepath.Join("testdata", "approval.html")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("the page is not %s: go test ./cmd/croft -run ApprovalPage -update (%v)", golden, err)
	}
}

// words is what a reader sees of a page.
func words(page string) string {
	_, page, _ = strings.Cut(page, "</head>")
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}

// All that an approval binds, and all that the sites should know besides, stands on
// the page.
func TestApprovalPageSaysAll(t *testing.T) {
	r := asked()
	text := words(rendered(t, r))
	for _, want := range []string{
		// why, until when
		"Which women are at risk, so that they can be called in?", "research, ethics vote 12/2026", "ada@example.org", "31 January 2027",
		// whose data
		"about 1200 people", "“visits”", "“patient”", "25 %", "“valley”", "age explains 0 to 120.5 years 40 is put in",
		"region explains one of: north, south & east; these mean a missing value: ? the row is left out", "anaemic is explained one of: no, yes nothing is sent until",
		"Warning: a level is rare",
		// what leaves
		"29 sealed reports", "at most 31 numbers (6120 bytes)", "412 numbers, 178 kB", "12 of the 100 totals", "own accuracy is published", "at least 3 sites", "this site's rows, rounded up, here 1300",
		// who
		"Proposed by Clinic A", "Clinic A, Clinic B, Clinic C. It starts with 3", "Not without Clinic B", "Clinic A, Clinic B, Clinic C, Town hall. They add up", "Town hall. They read the totals",
		// who would learn what
		"Fewer than 3 of these 4 seats learn nothing", "Any 3 of these seats together read every site's vector", "If all other 2 sites pool theirs", "is noticed",
		"a chance of 1 in 2100; with 1 in 10, 1 in 270; with 1 in 5, 1 in 37", "a length of 3145728", "unaudited",
		// what for, and how to stop
		"For all members of the network", "It may be saved as a file", "croft study withdraw", "croft study decline", "the ledger records the member's answer, not a person",
		// what is signed
		groups(r.PlanHash), r.ID.String(), croft.EngineVersion, "Role", "Signature",
	} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	if strings.Contains(text, "1187") || strings.Contains(text, "903") {
		t.Error("the page says exactly how many people there are")
	}
}

// A change of anything that the approval binds changes what a reader sees, beside
// the plan's hash.
func TestApprovalPageMissesNothing(t *testing.T) {
	before := asked()
	approval := before.Approval(croft.DatasetID{1}, before.Plan.Expires, 120)
	changes := map[string]func(*studyShowResult){
		"Study": func(r *studyShowResult) { r.ID[0]++ }, "Dataset": func(r *studyShowResult) { r.Check.Dataset += "2" }, "Seats": func(r *studyShowResult) { r.Seats = r.Seats[:3] },
		"Threshold": func(r *studyShowResult) { r.Threshold-- }, "Readers": func(r *studyShowResult) { r.Readers = r.Readers[:3] }, "Releases": func(r *studyShowResult) { r.Leaves.Rounds++ },
		"Expires": func(r *studyShowResult) { r.Plan.Expires += 24 * 3600 }, "Engine": func(r *studyShowResult) { r.Plan.Engine += "x" }, "Purpose": func(r *studyShowResult) { r.Plan.Purpose += "!" },
		"LegalBasis": func(r *studyShowResult) { r.Plan.LegalBasis += "!" }, "Plan": func(r *studyShowResult) { r.PlanHash[0]++ },
		"Rows": func(r *studyShowResult) { r.Check.Rows++ },
	}
	for f := range reflect.TypeOf(*approval).Fields() {
		change := changes[f.Name]
		if change == nil {
			t.Errorf("an approval binds %s: does the page say it?", f.Name)
			continue
		}
		after := asked()
		change(&after)
		if words(rendered(t, after)) == words(rendered(t, before)) {
			t.Errorf("%s changed, and the page looks the same", f.Name)
		}
	}
	for name, change := range map[string]func(*studyShowResult){
		"unchecked": func(r *studyShowResult) { r.Plan.Unchecked = true }, "unproved": func(r *studyShowResult) { r.Plan.Unproved = true }, "a use": func(r *studyShowResult) { r.Plan.Use = croft.UsePublic }, "export": func(r *studyShowResult) { r.Plan.Export = false },
		"public data": func(r *studyShowResult) { r.Check.Public = true }, "withheld": func(r *studyShowResult) { r.Check.Withheld = "19 people" }, "metrics": func(r *studyShowResult) { r.Plan.PerSiteMetrics = false },
		"the goal": func(r *studyShowResult) { r.Plan.Model.Goal = croft.Prediction }, "intercepts": func(r *studyShowResult) { r.Plan.Model.Intercepts = croft.CommonIntercept },
		"no check": func(r *studyShowResult) { r.Check, r.CheckWhy = nil, "no dataset" }, "each row a person": func(r *studyShowResult) { r.Plan.Schema.UnitColumn = "row" },
		"fewer needed": func(r *studyShowResult) { r.Plan.Required = nil }, "the positive level": func(r *studyShowResult) { r.Plan.Model.Positive = "no" },
	} {
		after := asked()
		change(&after)
		if words(rendered(t, after)) == words(rendered(t, before)) {
			t.Errorf("%s: the page looks the same", name)
		}
	}
}

// The page stands alone, can be read aloud, and no member can write into it.
func TestApprovalPageIsSafeAndAccessible(t *testing.T) {
	r := asked()
	r.Plan.Purpose = `<script>alert("x")</script> <img src=//evil.example/x>`
	r.Check = nil
	page := rendered(t, r)
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	tags := strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1), "\n")
	for _, never := range []string{"<script", "<img", "<link", "<iframe", "src=", "href=", "url(", "@import", "http", " on"} {
		if strings.Contains(tags+style, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	for _, must := range []string{`<html lang="en">`, "<title>Approval of the study anaemia</title>", `<meta charset="utf-8">`, "size: A4", "<main>"} {
		if !strings.Contains(page, must) {
			t.Errorf("the page has no %s", must)
		}
	}
	level := 0
	for _, m := range regexp.MustCompile(`<h([1-6])>([^<]*)</h`).FindAllStringSubmatch(page, -1) {
		now := int(m[1][0] - '0')
		if now > level+1 || now == 1 && level > 0 || strings.TrimSpace(m[2]) == "" {
			t.Errorf("the heading %q jumps from level %d", m[0], level)
		}
		level = now
	}
	for _, table := range strings.Split(page, "<table>")[1:] {
		if table, _, _ = strings.Cut(table, "</table>"); !strings.Contains(table, "<caption>") || strings.Count(table, "<th ") != strings.Count(table, "<th scope=") || !strings.Contains(table, "<th scope=") {
			t.Errorf("a table without caption or scopes: %s", table)
		}
	}
	for _, tag := range []string{"main", "section", "table", "tbody", "tr", "td", "th", "ul", "li", "dl", "dt", "dd", "p", "h2", "strong", "code"} {
		if open, closed := len(regexp.MustCompile(`<`+tag+`[ >]`).FindAllString(page, -1)), strings.Count(page, "</"+tag+">"); open != closed {
			t.Errorf("%d <%s> and %d </%s>", open, tag, closed, tag)
		}
	}
	r.Plan.Purpose = "yes\u202eno"
	if _, err := renderApproval(r, time.Now()); croft.CodeOf(err) != croft.ErrStudyValue {
		t.Errorf("a text that turns letters around: %v", err)
	}
}

func TestAbout(t *testing.T) {
	for n, want := range map[int]string{0: "fewer than 20", 19: "fewer than 20", 20: "about 20", 94: "about 90", 96: "about 100", 1049: "about 1000", 1050: "about 1100", 98765: "about 99000"} {
		if got := about(n); got != want {
			t.Errorf("%d people: %s, want %s", n, got, want)
		}
	}
}
