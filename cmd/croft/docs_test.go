package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of two documents run as they stand there, one after the other, in a
// shell: those under "Clinic B" at its desk, all others at Clinic A's. What only
// the reader can know is filled in: CODE, and the number of a port that is free.
func TestDocumentsRun(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh to run the documents' commands with")
	}
	for name, c := range map[string]struct {
		document, from, to string // what runs stands between these headings
		says               []string
	}{
		"two clinics": {"docs/start/two-clinics.md", "## Clinic A", "## And then", []string{
			"Network founded", "croft1", "Check digits: ", "Clinic B wants to join", "Clinic B is a member", "runs in the background", "60 rows", "Member      Clinic B", "every signature and link holds"}},
		"your own data": {"README.md", "## Your own data", "A study needs three sites", []string{"Network founded", "60 rows", "what says REQUIRED", "Clinic B is not a member yet", "at most 29 sealed reports"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(c.document)))
			if err != nil {
				t.Fatal(err)
			}
			_, part, found := strings.Cut(string(text), c.from)
			part, _, ended := strings.Cut(part, c.to)
			if !found || !ended {
				t.Fatalf("%s has no part from %q to %q", c.document, c.from, c.to)
			}
			out := clinics(t, c.from+part)
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("%s never says %q:\n%s", c.document, want, out)
				}
			}
		})
	}
}

// clinics runs the commands of a part of a document, and returns what they print.
func clinics(t *testing.T, part string) string {
	var said strings.Builder
	desks := map[string]string{}
	joined := make(chan string, 1)
	code := ""
	sit := func(at string) {
		if desks[at] != "" {
			return
		}
		dir, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
		if err != nil {
			t.Fatal(err)
		}
		desks[at] = dir
		t.Cleanup(func() {
			if out, err := exec.Command("croft", "down", "--dir", filepath.Join(dir, "node")).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", at, err, out)
			}
			os.RemoveAll(dir)
		})
		rows := strings.Replace(clinic(uint64(at[len(at)-1]), 60), "id,", "patient,", 1)
		if err := os.WriteFile(filepath.Join(dir, "visits.csv"), []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell := func(at, line string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = desks[at], append(os.Environ(), "CROFT_DIR="+filepath.Join(desks[at], "node"))
		cmd.Stdin = strings.NewReader("\n")
		if strings.Contains(line, " approve ") {
			cmd.Stdin = strings.NewReader("y\n")
		}
		out, err := cmd.CombinedOutput()
		t.Logf("%s: %s\n%s", at, line, out)
		if err != nil {
			t.Errorf("%s: %s: %v\n%s", at, line, err, out)
		}
		return string(out)
	}
	here := strings.NewReplacer("./croft ", "croft ", "go build -o croft ./cmd/croft", "true", // it is built
		"--listen 0.0.0.0:7421", "--listen 127.0.0.1:0", "--detach", "--detach --page none --lan") // two nodes share this machine

	at := "Clinic A"
	for i, block := range strings.Split(part, "```") {
		if headings := regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(block, -1); i%2 == 0 && len(headings) > 0 {
			if at = "Clinic A"; strings.HasPrefix(headings[len(headings)-1][1], "Clinic B") {
				at = "Clinic B"
			}
		}
		commands, isShell := strings.CutPrefix(block, "sh\n")
		if i%2 == 0 || !isShell {
			continue
		}
		sit(at)
		for line := range strings.Lines(commands) {
			line = here.Replace(strings.TrimSpace(line))
			switch {
			case strings.Contains(line, "croft join"): // it waits for what Clinic A does next
				line = strings.Replace(line, "CODE", code, 1)
				desk := at
				go func() { joined <- shell(desk, line) }()
				continue
			case strings.Contains(line, "member ls"):
				for out := ""; !strings.Contains(out, "wants to join"); {
					out = shell(at, line)
				}
			case strings.Contains(line, "study propose"): // the reader has filled in the draft
				path := filepath.Join(desks[at], "visits.toml")
				draft, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(filled.Replace(string(draft))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out := shell(at, line)
			if found := regexp.MustCompile(`(?m)^croft1\S+$`).FindString(out); found != "" {
				code = found
			}
			if said.WriteString(out); strings.Contains(line, "member approve") {
				said.WriteString(<-joined)
			}
		}
	}
	return said.String()
}

// filled is what a person writes into a draft over such files.
var filled = strings.NewReplacer(`name = "visits"`, `name = "anaemia"`, `purpose = ""`, `purpose = "who falls ill"`, `legal_basis = ""`, `legal_basis = "research"`,
	`contact = ""`, `contact = "a@example.org"`, `expires = ""`, `expires = 2099-12-31`, "\nmembers = []", "\nmembers = [\"Clinic A\", \"Clinic B\", \"Clinic C\"]",
	`label = ""`, `label = "ill"`, `positive = ""`, `positive = "yes"`)
