package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"croft/internal/node"
	"croft/internal/sim"
	"croft/internal/study"
)

// clinic is a CSV file: age and sex explain ill, with noise.
func clinic(seed uint64, rows int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	b.WriteString("id,age,sex,ill\n")
	for i := range rows {
		age, sex := 20+r.IntN(60), r.IntN(2)
		ill := "no"
		if float64(age-50)/15+float64(sex)+2*r.NormFloat64() > 0.5 {
			ill = "yes"
		}
		fmt.Fprintf(&b, "%d-%d,%d,%s,%s\n", seed, i, age, []string{"f", "m"}[sex], ill)
	}
	return b.String()
}

// desk is where one member's person sits.
type desk struct {
	*testing.T
	dir, files string
}

// croft runs a command in this process: its exit code, what it printed and said.
func (d desk) croft(input string, args ...string) (code int, out, errs string) {
	d.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"--dir", d.dir, "--timeout", "5m"}, args...) // whatever stalls is named
	code = execute(d.Context(), args, strings.NewReader(input), &stdout, &stderr)
	d.Logf("croft %s\n%s%s", strings.Join(args[4:], " "), &stderr, &stdout)
	for _, m := range keyed.FindAllStringSubmatch(stdout.String(), -1) {
		if !snake.MatchString(m[1]) {
			d.Errorf("croft %v: the key %s is not in snake case", args, m[1])
		}
	}
	return code, stdout.String(), stderr.String()
}

// Every key of --json is in snake case.
var (
	keyed = regexp.MustCompile(`[{,]"([^"\\]*)":`)
	snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

// must runs a command that has to succeed, and wants each of the texts in what it
// printed.
func (d desk) must(args []string, texts ...string) string {
	d.Helper()
	code, out, errs := d.croft("", args...)
	if code != 0 {
		d.Fatalf("croft %v: exit code %d: %s", args, code, errs)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			d.Errorf("croft %v does not say %q:\n%s", args, text, out)
		}
	}
	return out
}

// soon runs a command whenever the node's ledger moves, until it prints all of
// the texts: what one member did reaches the others with the next blocks.
func (d desk) soon(m *sim.Member, args []string, texts ...string) {
	d.Helper()
	moved := m.Node.Chain.Watch(d.Context())
	for {
		_, out, _ := d.croft("", args...)
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(out, text) }) {
			return
		}
		select {
		case <-moved:
		case <-d.Context().Done():
			d.Fatalf("croft %v never says %q", args, texts)
		}
	}
}

// community is a network of nodes in this process, each with a desk: its socket
// answers commands.
func community(t *testing.T, names ...string) (desks []desk, members []*sim.Member) {
	network := founded(t, names...)
	return opened(t, network), network.Members
}

// founded is a network whose nodes do not run yet.
func founded(t *testing.T, names ...string) *sim.Network {
	root, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	network, err := sim.Found(root, "valley", time.Now(), names...)
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// opened runs a network's nodes until the end of the test.
func opened(t *testing.T, network *sim.Network) (desks []desk) {
	t.Cleanup(func() {
		if err := network.Stop(); err != nil {
			t.Error(err)
		}
	})
	events, log := map[croft.MemberID]*api.Events{}, slog.New(slog.DiscardHandler)
	for _, m := range network.Members {
		events[m.ID] = api.NewEvents()
	}
	if err := network.Start(t.Context(), log, func(id croft.MemberID, e study.Event) { events[id].Add(e) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	for _, m := range network.Members {
		served := make(chan error, 1)
		services := m.Node.Services()
		services.Events, services.Stop = events[m.ID], nil
		go func() { served <- api.Serve(ctx, m.Dir, services) }()
		t.Cleanup(func() {
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		if _, up, err := answering(ctx, m.Dir, served); !up {
			t.Fatal(err)
		}
		desks = append(desks, desk{t, m.Dir, t.TempDir()})
	}
	return desks
}

// file writes a file at the desk and returns its path.
func (d desk) file(name, text string) string {
	d.Helper()
	path := filepath.Join(d.files, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
	return path
}

// A community's study with nothing but the commands, over real consensus: four
// members, three of them sites.
func TestAStudyByCommands(t *testing.T) {
	t.Parallel()
	desks, members := community(t, "a", "b", "c", "d")
	a, d := desks[0], desks[3]

	for i, p := range desks[:3] {
		p.must([]string{"data", "add", p.file("visits.csv", clinic(uint64(i), 200)), "--unit", "id", "--yes"}, "200 rows, 4 columns, 200 people by column id", "100 sums")
	}
	draft := filepath.Join(a.files, "anaemia.toml")
	a.must([]string{"study", "new", "--from", filepath.Join(a.files, "visits.csv"), "--out", draft}, "study propose")
	text, err := os.ReadFile(draft)
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer(`name = "visits"`, `name = "anaemia"`, `purpose = ""`, `purpose = "who falls ill"`, `legal_basis = ""`, `legal_basis = "research"`,
		`contact = ""`, `contact = "a@example.org"`, `expires = ""`, `expires = 2099-12-31`, "\nmembers = []", "\nmembers = [\"a\", \"b\", \"c\"]",
		`label = ""`, `label = "ill"`, `positive = ""`, `positive = "yes"`, `readers = ["sites", "proposer"]`, `readers = ["sites", "seats"]`, "export = false", "export = true",
		"name = \"age\"\nkind = \"number\"\nunit = \"\"  # of measurement\nlow = 20\nhigh = 79", "name = \"age\"\nkind = \"number\"\nlow = 0\nhigh = 120")
	if err := os.WriteFile(draft, []byte(fill.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must([]string{"study", "propose", draft, "--dry-run"}, "3 sites", "Yours alone", "at most 29 sealed reports", "exact totals: about 0.", "A dry run")
	a.must([]string{"study", "ls"}, "No study yet")
	a.must([]string{"study", "propose", draft}, "Proposed anaemia")
	a.must([]string{"study", "propose", draft}, "on the ledger already")
	for i, p := range desks {
		p.soon(members[i], []string{"study", "ls"}, "anaemia", "a: waiting, b: waiting, c: waiting")
	}
	a.must([]string{"status"}, "anaemia, proposed by a", "valley", "they order together")
	a.must([]string{"study", "show", "anaemia"}, "who falls ill", "Yours alone", " study approve")

	// Nothing happens without a yes; what leaves is said before the question.
	code, out, errs := a.croft("n\n", "study", "approve", "anaemia")
	if code != 5 || !strings.Contains(errs, "nothing was signed") || !strings.Contains(errs, "Approve anaemia? [y/N]") {
		t.Errorf("a no: %d %s", code, errs)
	}
	code, cut, errs := a.croft("y", "study", "approve", "anaemia", "--json") // a line that was cut off
	if code != 2 || !strings.Contains(errs, "rows stay on your machine") || !strings.Contains(cut, "the input ended") {
		t.Errorf("an answer without its end: %d %s %s", code, cut, errs)
	}
	for _, promise := range []string{"rows stay on your machine", "one sealed report a round", "unless 3 of these 4 collude", "a, b, c, d read the totals", "its sites and its proposer",
		"who falls ill", "research", "2100-01-01", "at most 29 sealed reports, each of at most", "totals can still say something about people"} {
		if !strings.Contains(out, promise) {
			t.Errorf("the screen of an approval does not say %q:\n%s", promise, out)
		}
	}
	if code, _, errs = d.croft("", "study", "approve", "anaemia", "--yes"); code != 6 {
		t.Errorf("a member that is no site: %d %s", code, errs)
	}
	if code, _, _ := a.croft("", "study", "decline", "anaemia"); code != 2 {
		t.Errorf("a no without a reason: %d", code)
	}
	a.must([]string{"study", "decline", "anaemia", "--reason", "policy"}, "Declined anaemia: policy", "Nothing of your rows has left")
	d.soon(members[3], []string{"study", "ls"}, "a: declined (policy)")
	a.must([]string{"study", "approve", "anaemia", "--yes", "--until", "2098-01-01", "--quiet"}, "until 2098-01-02", "✓ Approved")
	b, c := desks[1], desks[2]
	if code, _, errs := b.croft("y\n", "study", "approve", "anaemia"); code != 0 {
		t.Fatal(errs)
	}
	c.must([]string{"study", "approve", "anaemia", "--json", "--yes"}, `"approved":true`, `"legal_basis":"research"`)

	a.must([]string{"study", "watch", "anaemia"}, "report  count", "newton", "publish")
	b.must([]string{"study", "watch", "anaemia"})
	a.must([]string{"study", "show", "anaemia"}, "done", "Round 1", "commit", "Model")
	a.must([]string{"study", "worth", "anaemia"}, "anaemia", "the network's model", "a model of your rows alone", "You alone see this")
	a.must([]string{"study", "result", "anaemia"}, "age", "sex=m", "(mean intercept)", "all sites", "<0.001")
	var result api.Result
	if err := json.Unmarshal([]byte(a.must([]string{"study", "result", "anaemia", "--json"})), &result); err != nil || result.Rows+result.TestRows != 600 {
		t.Errorf("%+v %v", result, err)
	}
	page, figures := filepath.Join(a.files, "anaemia.html"), filepath.Join(a.files, "anaemia.csv")
	a.must([]string{"study", "result", "anaemia", "--html", page, "--csv", figures}, "✓ "+page, "✓ "+figures)
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<li>One standard deviation more of age goes with") {
		t.Errorf("%v %s", err, text)
	}
	if text, err := os.ReadFile(figures); err != nil || !strings.HasPrefix(string(text), "term,estimate,se,low,high,statistic,p,cov (mean intercept),cov age,cov sex=m\n") {
		t.Errorf("%v %s", err, text)
	}
	a.must([]string{"model", "show", "anaemia"}, "who falls ill", "a, b, c", "deviance")
	patients, risks := filepath.Join(a.files, "patients.csv"), filepath.Join(a.files, "risks.csv")
	if err := os.WriteFile(patients, []byte("age,sex,note\n25,f,x\n75,m,y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must([]string{"model", "predict", "anaemia", patients, "--out", risks}, "2 rows")
	if table, err := os.ReadFile(risks); err != nil || !strings.HasPrefix(string(table), "row,probability\n1,0.") || strings.Count(string(table), "\n") != 3 {
		t.Errorf("%s %v", table, err)
	}
	saved, card := filepath.Join(a.files, "anaemia.onnx"), filepath.Join(a.files, "README.md")
	a.must([]string{"model", "export", "anaemia", "-o", saved, "--card", card, "--intended-use", "to try croft"}, "✓ "+saved, "✓ "+card)
	if text, err := os.ReadFile(card); err != nil || !strings.Contains(string(text), "**Intended use.** to try croft") || strings.Contains(string(text), strings.Repeat("0", 64)) {
		t.Errorf("%v %s", err, text)
	}
	if text, err := os.ReadFile(saved); err != nil || !strings.Contains(string(text), "to try croft") {
		t.Error(err)
	}
	var printed bytes.Buffer // not for the log
	code = execute(a.Context(), []string{"--dir", a.dir, "model", "export", "anaemia", "-o", "-", "--format", "onnx", "--card", card + "2", "--intended-use", "to try croft"}, nil, &printed, io.Discard)
	if text, err := os.ReadFile(saved); code != 0 || err != nil || !bytes.Equal(printed.Bytes(), text) {
		t.Error("standard output is another file than --out:", code, err)
	}
	if _, err := os.Stat(card + "2"); err != nil {
		t.Error(err)
	}
	a.must([]string{"model", "export", "anaemia", "--format", "json", "-o", "-"}, `"family": "logistic"`, `"intended_use": "Research use; not a medical device."`)
	a.must([]string{"model", "serve", saved}, "anaemia answers at")
	for name, f := range map[string]struct {
		d    desk
		args []string
		code int
	}{
		"a file that is no model":    {a, []string{"model", "serve", a.file("no.onnx", "age,sex\n")}, 4},
		"a use that is not allowed":  {d, []string{"model", "predict", "anaemia", patients}, 6},
		"a file of such a use":       {d, []string{"model", "export", "anaemia", "-o", "-", "--format", "onnx"}, 6},
		"a file of no format":        {a, []string{"model", "export", "anaemia", "-o", "anaemia.pkl"}, 2},
		"two files at once":          {a, []string{"study", "result", "anaemia", "--csv", "-", "--html", "-"}, 2},
		"nothing to write":           {a, []string{"model", "export", "anaemia"}, 2},
		"over an old file":           {a, []string{"model", "predict", "anaemia", patients, "--out", risks}, 1},
		"a file without the columns": {a, []string{"model", "predict", "anaemia", draft}, 4},
		"to take part too late":      {a, []string{"study", "approve", "anaemia", "--yes"}, 1},
		"to decline too late":        {a, []string{"study", "decline", "anaemia", "--reason", "policy"}, 1},
		"to leave what has ended":    {a, []string{"study", "withdraw", "anaemia", "--yes"}, 1},
		"a model that is not there":  {a, []string{"model", "show", "gout"}, 3},
		"an unknown study":           {a, []string{"study", "watch", "gout"}, 3},
	} {
		if code, _, errs := f.d.croft("", f.args...); code != f.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, f.code, errs)
		}
	}

	// For programs: each prints JSON, in one case.
	for _, args := range [][]string{
		{"status"}, {"member", "ls"}, {"invite", "create"}, {"invite", "ls"}, {"data", "ls"}, {"data", "card", "visits"}, {"study", "ls"}, {"study", "show", "anaemia"},
		{"study", "propose", draft}, {"study", "propose", draft, "--dry-run"}, {"study", "watch", "anaemia"}, {"model", "show", "anaemia"}, {"model", "predict", "anaemia", patients},
		{"audit", "log"}, {"audit", "verify"}, {"version"},
	} {
		out := a.must(append(args, "--json"))
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("croft %v --json: %s", args, line)
			}
		}
		if strings.Contains(strings.Join(args, " "), "--dry-run") && strings.Contains(out, strings.Repeat("0", 64)) {
			t.Errorf("croft %v says an id of zeros: %s", args, out)
		}
	}

	// A second one, from which a site withdraws.
	second := filepath.Join(a.files, "second.toml")
	if err := os.WriteFile(second, []byte(strings.Replace(fill.Replace(string(text)), `"anaemia"`, `"second"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	a.must([]string{"study", "propose", second})
	a.must([]string{"study", "withdraw", "second", "--yes"}, "Withdrawn from second")
	d.soon(members[3], []string{"study", "ls"}, "a: declined (consent)")
	a.must([]string{"audit", "log", "--study", "anaemia", "--member", "a"}, "propose", "approve", "report")
	a.must([]string{"audit", "verify"}, "every signature and link holds", "2 studies", "1 model")
	export := filepath.Join(a.files, "valley.croft")
	a.must([]string{"audit", "export", export}, "Checkpoint")
	a.must([]string{"audit", "verify", export}, "every signature and link holds")
	spoiled, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	spoiled[len(spoiled)/2] ^= 1
	if err := os.WriteFile(export, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := a.croft("", "audit", "verify", export); code != 1 || !strings.Contains(errs, "block") {
		t.Errorf("a spoiled export: %d %s", code, errs)
	}

	// Its preflight, and another for when files were corrected.
	first := []string{"study", "preflight", draft}
	again := append(slices.Clone(first), "--again")
	a.must(again, "Proposed anaemia preflight ") // none is done yet: it is the first
	for i, p := range desks[:3] {
		p.soon(members[i], []string{"study", "ls"}, "anaemia preflight")
		p.must([]string{"study", "approve", "anaemia preflight", "--yes"})
	}
	a.must([]string{"study", "watch", "anaemia preflight"})
	a.must([]string{"study", "preflight", "anaemia preflight"}, "Nothing in your rows looks wrong")
	a.must(first, "on the ledger already", "--again")
	a.must(again, "Proposed anaemia preflight 2 ")
	a.must(again, "anaemia preflight 2 ", "on the ledger already")
}

// What a person stops, and what takes too long, ends in words and leaves the node
// as it was.
func TestStoppingACommand(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(croft.E(croft.ErrInterrupted))
	blocked, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	c := &cli{in: blocked, out: io.Discard, errs: io.Discard}
	if _, err := c.ask(ctx, "study.approve.ask", "x"); croft.CodeOf(err) != croft.ErrInterrupted {
		t.Error(err)
	}
}

// A member that was found to lie as a seat is one again when more than half of the
// members say so; the network of the test begins where its seats found that.
func TestASeatIsGivenBack(t *testing.T) {
	t.Parallel()
	network := founded(t, "a", "b", "c")
	network.Genesis.Members[2].Unseated = true
	for _, m := range network.Members {
		if err := errors.Join(os.Remove(filepath.Join(m.Dir, "genesis.cbor")), node.Found(m.Dir, network.Genesis)); err != nil {
			t.Fatal(err)
		}
	}
	desks := opened(t, network)
	a, b := desks[0], desks[1]
	a.soon(network.Members[0], []string{"member", "ls"}, "c lied as a seat of a study", "0 of 2 votes", " member approve c")
	if code, _, errs := a.croft("n\n", "member", "approve", "c"); code != 5 || !strings.Contains(errs, "that it may be one again?") {
		t.Errorf("a no: exit code %d: %s", code, errs)
	}
	a.must([]string{"member", "approve", "c", "--yes"}, "1 vote is still needed")
	if code, _, errs := a.croft("", "member", "approve", "c", "--yes"); code != 1 || !strings.Contains(errs, "voted for this already") {
		t.Errorf("a second vote: exit code %d: %s", code, errs)
	}
	b.soon(network.Members[1], []string{"member", "ls"}, "1 of 2 votes")
	b.must([]string{"member", "approve", "c", "--yes"}, "c can be a seat of new studies again")
	if out := b.must([]string{"member", "ls"}); strings.Contains(out, "lied") {
		t.Errorf("it got its seat back:\n%s", out)
	}
	if code, _, errs := b.croft("", "member", "approve", "c", "--yes"); code != 3 {
		t.Errorf("there is nothing to vote on: exit code %d: %s", code, errs)
	}
}
