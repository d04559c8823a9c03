package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every key that the program says has a sentence, and every sentence is said.
func TestSentencesAreUsedAndExist(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	quoted := map[string]bool{}
	var code strings.Builder
	for _, file := range files {
		if strings.HasPrefix(file, "say") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
		for _, m := range regexp.MustCompile(`"([a-z][a-z.]*)"`).FindAllStringSubmatch(string(text), -1) {
			quoted[m[1]] = true
		}
	}
	for key := range sentences {
		used := quoted[key]
		for _, part := range []string{".short", ".long", ".example"} {
			if verb, is := strings.CutSuffix(key, part); is {
				used = used || quoted[verb]
			}
		}
		for prefix := range quoted { // a key that is put together: "demo." and a stage
			used = used || strings.HasSuffix(prefix, ".") && strings.HasPrefix(key, prefix)
		}
		if !used {
			t.Errorf("nobody says %s", key)
		}
	}
	for _, m := range regexp.MustCompile(`(?:say|here|tell|advise|progress|ask|confirm)\((?:ctx, |[a-z.]+, )?"([^"]+)"[,)]`).FindAllStringSubmatch(code.String(), -1) {
		if _, ok := sentences[m[1]]; !ok {
			t.Errorf("there is no sentence %s", m[1])
		}
	}
}

// Every command explains itself: a line, a page, an example that it would accept.
func TestEveryCommandTeaches(t *testing.T) {
	c := &cli{in: strings.NewReader(""), out: io.Discard, errs: io.Discard}
	root := c.root()
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || !cmd.HasSubCommands() && cmd.Example == "" {
			t.Errorf("%s does not explain itself", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			words := strings.Fields(strings.NewReplacer(`"Clinic A"`, "A", `"Valley clinics"`, "V").Replace(line))
			found, rest, err := root.Find(words[1:])
			if err != nil || found != cmd || found.ParseFlags(rest) != nil || found.ValidateArgs(found.Flags().Args()) != nil {
				t.Errorf("the example of %s is not one: %s", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

// A command that a person is to copy reaches the node that this one spoke of.
func TestAdviceNamesTheFolder(t *testing.T) {
	for dir, want := range map[string]string{
		defaultDir(): "Next: croft study watch ab. To end it: croft study withdraw ab",
		"/srv/a b":   "Next: croft --dir '/srv/a b' study watch ab. To end it: croft --dir '/srv/a b' study withdraw ab",
	} {
		if got := (&cli{dir: dir}).here("study.approve.next", "ab"); got != want {
			t.Errorf("in %s: %s", dir, got)
		}
	}
	for advice, want := range map[string]string{
		"start it: croft up": "start it: croft --dir /x up",
		"see what there is: croft data ls; add one: croft data add F":    "see what there is: croft --dir /x data ls; add one: croft --dir /x data add F",
		"ask the owner: croft data add F; then croft study approve ab":   "ask the owner: croft data add F; then croft --dir /x study approve ab",
		"keep this copy, and ask another for theirs: croft audit export": "",
		"tell its keeper: croft doctor there says how":                   "",
		"on the one that has not: croft network rescue CODE":             "",
		"compare the versions: croft version":                            "",
		"croft study show --help":                                        "",
		"croft is a program":                                             "",
		"croft down, then croft up --detach":                             "croft --dir /x down, then croft --dir /x up --detach",
	} {
		if want == "" {
			want = advice
		}
		if got := (&cli{dir: "/x"}).pointed(advice); got != want {
			t.Errorf("%s: %s", advice, got)
		}
		if got := (&cli{dir: defaultDir()}).pointed(advice); got != advice {
			t.Errorf("%s in the usual folder: %s", advice, got)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b(?:say\(|tell\([a-z.]+, )"([a-z.]+)"`).FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(sentences[m[1]], "Next: ") && !strings.HasPrefix(m[1], "demo.") { // whose folders it names itself
				t.Errorf("%s: what %s advises may be for another node", file, m[1])
			}
		}
	}
}

// What other members wrote cannot leave its line or steer the terminal.
func TestSayIsSafe(t *testing.T) {
	for in, want := range map[string]string{"a\nb": "a b", "\x1b[2J": "?[2J", "naïve – ✓": "naïve – ✓", "a\u202eb": "a?b", "{1}": "{1}"} {
		if got := say("study.answer", in, "x"); got != want+": x" {
			t.Errorf("%q became %q", in, got)
		}
	}
}
