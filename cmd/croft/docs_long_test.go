//go:build long

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What the README shows of the demo is what the demo prints. It is one machine's
// output with its first seed; what differs from run to run stands there as "…".
func TestReadmeShowsTheDemo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "<!-- demo output -->\n```text\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatal("README.md shows no output of the demo")
	}
	cmd := exec.CommandContext(t.Context(), "croft", "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(block) {
		for part := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "…") {
			if part = strings.TrimRight(part, " "); !strings.Contains(string(out), part) {
				t.Errorf("the demo does not print %q", part)
			}
		}
	}
}
