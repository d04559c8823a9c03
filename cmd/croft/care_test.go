package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/api"
)

// A proposal before anybody has answered: what its people read, compare, copy, and
// what they do when something does not work.
func TestCareByCommands(t *testing.T) {
	t.Parallel()
	desks, members := community(t, "harbour", "glen", "moor", "town hall")
	a := desks[0]
	a.must([]string{"data", "add", a.file("visits.csv", clinic(1, 200)), "--unit", "id", "--yes"})
	file := a.file("anaemia.toml", `name = "anaemia"
purpose = "who falls ill"
legal_basis = "research"
contact = "a@example.org"
expires = 2099-12-31
sites.members = ["harbour", "glen", "moor"]
people.unit = "id"
model = {goal = "inference", label = "ill", positive = "yes"}
may_leave.readers = ["sites", "seats"]
column = [{name = "age", kind = "number", low = 0, high = 120}, {name = "sex", kind = "category", levels = ["f", "m"]}, {name = "ill", kind = "category", levels = ["no", "yes"]}]
`)
	a.must([]string{"study", "propose", file})
	for i, d := range desks {
		d.soon(members[i], []string{"study", "ls"}, "anaemia")
	}

	// The page to sign.
	page := filepath.Join(a.files, "page.html")
	a.must([]string{"study", "show", "anaemia", "--print", "--out", page}, "✓")
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var shown api.Study
	if err := json.Unmarshal([]byte(a.must([]string{"study", "show", "anaemia", "--json"})), &shown); err != nil {
		t.Fatal(err)
	}
	text := words(string(raw))
	for _, want := range []string{groups(shown.PlanHash), "about 200 people", "who falls ill", "Any 3 of these seats together read every site's vector", "glen, harbour, moor, town hall"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	a.must([]string{"study", "show", "anaemia"}, groups(shown.PlanHash))
	if code, _, _ := a.croft("", "study", "show", "anaemia", "--print", "--out", page); code != 1 {
		t.Errorf("over an old page: %d", code)
	}
	if code, _, _ := a.croft("", "study", "show", "anaemia", "--out", page); code != 2 {
		t.Errorf("--out without --print: %d", code)
	}
	desks[3].must([]string{"study", "show", "anaemia", "--print", "--out", "-"}, "not looked at, because it is\nnot asked for rows")

	// The same again, and with a change.
	again := filepath.Join(a.files, "again.toml")
	desks[1].must([]string{"study", "clone", "anaemia", "--out", again}, "proposes the same again", "study propose")
	desks[1].must([]string{"study", "diff", "anaemia", again}, "They propose the same: plan "+groups(shown.PlanHash))
	clone, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	other := a.file("other.toml", strings.NewReplacer("high = 120", "high = 110", `"who falls ill"`, `"who stays well"`).Replace(string(clone)))
	a.must([]string{"study", "diff", "anaemia", other}, "age: range  0 to 120       0 to 110", "Purpose     who falls ill  who stays well")
	nowhere := desk{t, t.TempDir(), a.files}
	nowhere.must([]string{"study", "diff", again, other}, "age: range")
	if code, _, _ := nowhere.croft("", "study", "diff", "anaemia", other); code != 3 {
		t.Errorf("a study without a node: %d", code)
	}

	// The doctor asks the others: each says the time and dials back.
	a.must([]string{"doctor"}, "✓ clock", "within 30s of glen, moor, town hall", "✓ reach", "glen, moor, town hall can dial this node", "! studies", "anaemia waits for your answer",
		"anaemia waits for the answer of glen, moor", "! backup", " key recovery", "1 more may go away", "3 of 3 other members' nodes answer")
	a.must([]string{"net", "test"}, "glen", "direct", " ms", "nothing", "TCP 127.0.0.1:", "✓ reach")
	a.must([]string{"net", "peers"}, "moor", "direct", "TCP 127.0.0.1:", "Asked ")
	var found doctorResult
	if err := json.Unmarshal([]byte(a.must([]string{"doctor", "--json"})), &found); err != nil || len(found.Health.Neighbours) != 3 {
		t.Fatalf("%+v %v", found, err)
	}
	for _, n := range found.Health.Neighbours {
		if !n.Dialled || len(n.Reaches) != 2 || n.Engine != croft.EngineVersion || !n.Answers {
			t.Errorf("what %s said: %+v", n.Name, n)
		}
	}
	if err := os.Chmod(filepath.Join(a.dir, "keys", "node.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := a.croft("", "doctor"); code != 4 || !strings.Contains(out, "✗ folder") || !strings.Contains(out, "chmod -R go=") || !strings.Contains(errs, "has to be mended, in 1 of its checks") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if err := os.Chmod(filepath.Join(a.dir, "keys", "node.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A report holds no cell, no key, and no name; a search that finds them in the log
// and in a report with names finds none in it.
func TestReportTellsNothing(t *testing.T) {
	t.Parallel()
	desks, _ := community(t, "harbour", "glen", "moor", "town hall")
	d := desks[0]
	d.must([]string{"data", "add", d.file("visits.csv", "id,age,sex,ill\n"+strings.Repeat("4711-x,183,f,no\n", 30)), "--unit", "row", "--yes"})
	key, err := os.ReadFile(filepath.Join(d.dir, "keys", "member.pem"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(key), "\n")[1]

	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: coded}))
	logger.Warn("wait", "study", "7c1f", "why", croft.E(croft.ErrValueRange, "visits.csv", 7, "age", `"183 round=183 height=183"`, 0, 120))
	logger.Info("report", "study", "7c1f", "round", 3, "bytes", 9876, "text", "newton at harbour, loss 0.3")
	logger.Warn("meet", "peer", "glen", "why", os.ErrPermission)
	log.WriteString("panic: runtime error: index out of range [183] with length 3\n\ngoroutine 7 [running]:\ncroft/internal/study.(*Node).Run(0xc000183, {0x4711})\n\t/home/harbour/study.go:183 +0x1d\n" +
		"Opening /home/harbour/croft …\n4711-x,183,f,no\n" + secret + "\nround=183 is no line of a log\n")
	if err := os.WriteFile(filepath.Join(d.dir, logName), log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	private := regexp.MustCompile(`183|4711|column|visits\.csv|` + regexp.QuoteMeta(secret))
	names := regexp.MustCompile(`harbour|glen|moor|town hall|valley|127\.0\.0\.1|12D3Koo|` + regexp.QuoteMeta(d.dir))
	if private.FindAllString(log.String(), -1) == nil || names.FindString(log.String()) == "" {
		t.Fatal("the searches find nothing where there is something")
	}
	out := filepath.Join(d.files, "report.txt")
	d.must([]string{"report", "--out", out}, "read it, then send it")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	named := d.must([]string{"report", "--out", "-", "--names"}, "Node of harbour in valley", "Node of glen")
	if names.FindString(named) == "" {
		t.Error("--names has no names")
	}
	for _, report := range []string{string(text), named, d.must([]string{"report", "--out", "-", "--json"})} {
		if found := private.FindAllString(report, -1); found != nil {
			t.Errorf("a report holds %q:\n%s", found, report)
		}
		for _, want := range []string{"why=CROFT-2007", "round=3 bytes=9876", "panic: runtime error: index out of range", "goroutine 7 [running]:", "croft/internal/study.(*Node).Run", "clock", "backup"} {
			if !strings.Contains(report, want) {
				t.Errorf("a report has no %q:\n%s", want, report)
			}
		}
	}
	if found := names.FindAllString(string(text), -1); found != nil {
		t.Errorf("without --names it says %q:\n%s", found, text)
	}
	for _, want := range []string{"Node of this member in the network: 4 members", "Node of member 1", "TCP on this machine"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if code, _, _ := d.croft("", "report", "--out", out); code != 1 {
		t.Errorf("over an old report: %d", code)
	}
}

// Whatever stands in a log, only words of the known kinds leave.
func FuzzHarmless(f *testing.F) {
	for _, line := range []string{`time=2026-11-23T12:00:00.000Z level=INFO msg=report round=3 text="a b=c"`, `time=x level=`, `time="a`, `panic: runtime error: x`, `time=1 why="CROFT-2007 \"183\""`} {
		f.Add(line)
	}
	word := regexp.MustCompile(`^(time=[\dT:.+Z-]+|level=[A-Z]+|msg=[a-z]+|(round|bytes|height)=\d+|why=CROFT-\d{4})$`)
	f.Fuzz(func(t *testing.T, line string) {
		out := harmless(line)
		if !strings.HasPrefix(line, "time=") {
			if out != "" && !crashLine.MatchString(line) {
				t.Fatalf("%q", out)
			}
			return
		}
		if i := slices.IndexFunc(strings.Fields(out), func(w string) bool { return !word.MatchString(w) }); i >= 0 {
			t.Fatalf("%q of %q", out, line)
		}
	})
}
