package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"croft"
)

// Three clinics, as processes: the founder's disk burns, the two others rescue the
// network by commands.
func TestRescueByCommands(t *testing.T) {
	t.Parallel()
	root, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	run := func(at string, args ...string) (code int, out, errs string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "croft", append(slices.Clip(args), "--dir", filepath.Join(root, at), "--timeout", "5m")...)
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		t.Logf("%s: croft %.200s\n%s%s", at, strings.Join(args, " "), &stderr, &stdout)
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	must := func(at string, args ...string) string {
		t.Helper()
		code, out, errs := run(at, args...)
		if code != 0 {
			t.Fatalf("%s: croft %v: exit code %d: %s", at, args, code, errs)
		}
		return out
	}
	wants := func(code int, at, says string, args ...string) {
		t.Helper()
		if got, out, errs := run(at, args...); got != code || !strings.Contains(out+errs, says) {
			t.Errorf("%s: croft %v: exit code %d, want %d, and %q in: %s", at, args, got, code, says, errs)
		}
	}
	up := []string{"--detach", "--lan", "--page", "none"}
	for _, at := range []string{"b", "c"} {
		t.Cleanup(func() { exec.Command("croft", "down", "--dir", filepath.Join(root, at)).Run() })
	}

	must("a", append(slices.Clip(up), "up", "--name", "A", "--network", "valley")...)
	founded := must("a", "network", "show")
	joins := func(at, name string, voters ...string) {
		t.Helper()
		var invite struct{ Code string }
		if err := json.Unmarshal([]byte(must("a", "invite", "create", "--json")), &invite); err != nil {
			t.Fatal(err)
		}
		joined := make(chan int, 1)
		go func() {
			code, _, _ := run(at, append(slices.Clip(up), "join", invite.Code, "--name", name)...)
			joined <- code
		}()
		for _, voter := range voters {
			for code := 3; code != 0; { // until the application is in
				select {
				case code := <-joined:
					t.Fatalf("%s ends with %d before it is voted for", name, code)
				default:
				}
				if code, _, _ = run(voter, "member", "approve", name, "--yes"); code != 0 && code != 3 {
					t.Fatalf("%s does not approve %s", voter, name)
				}
			}
		}
		if code := <-joined; code != 0 {
			t.Fatalf("%s does not join", name)
		}
	}
	joins("b", "B", "a")
	visits := filepath.Join(root, "visits.csv")
	if err := os.WriteFile(visits, []byte(clinic(1, 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	must("b", "data", "add", visits, "--unit", "id", "--yes")
	joins("c", "C", "a", "b")
	must("c", "data", "add", visits, "--unit", "id", "--yes") // waits until its node has all blocks

	wants(6, "b", "is connected", "network", "rescue", "--without", "A", "--yes")
	wants(2, "b", "--without", "network", "rescue")
	wants(3, "b", "called D", "network", "rescue", "--without", "D", "--yes")
	wants(2, "b", "this member is not lost", "network", "rescue", "--without", "B", "--yes")
	must("a", "down")
	if err := os.RemoveAll(filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}

	wants(2, "b", "the input ended", "network", "rescue", "--without", "A") // and nothing was signed
	paper := filepath.Join(root, "rescue.txt")
	first := must("b", "network", "rescue", "--without", "A", "--yes")
	if err := os.WriteFile(paper, []byte("Dear C,\n\n"+first), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(4, "c", "wrong or missing", "network", "rescue", "rescue1.AAAA", "--yes")
	if !strings.Contains(first, "1 signature is still needed") || !strings.Contains(must("b", "network", "show"), "under way") {
		t.Errorf("after the first signature: %s", first)
	}
	g, err := croft.ParseRescue(first)
	if err != nil {
		t.Fatal(err)
	}
	g.Members = g.Members[:1]
	wants(6, "c", "the others have given it up", "network", "rescue", g.RescueCode(), "--yes")
	g.Previous[0] ^= 1
	wants(6, "c", "another network", "network", "rescue", g.RescueCode(), "--yes")
	must("c", "status")
	second := must("c", "network", "rescue", paper, "--yes")
	code := regexp.MustCompile(`rescue1\.\S+`).FindString(second)
	if !strings.Contains(second, "Complete") || code == "" {
		t.Fatalf("after the second signature: %s", second)
	}
	wants(8, "c", "no node is running", "status")
	must("c", append(slices.Clip(up), "up")...)
	must("b", "network", "rescue", code, "--yes")
	must("b", append(slices.Clip(up), "up")...)
	wants(1, "b", "on the successor chain already", "network", "rescue", code, "--yes")

	must("b", "data", "ls")
	must("c", "data", "add", visits, "--unit", "id", "--name", "again", "--yes") // the ledger moves
	shown := must("b", "network", "show")
	id := regexp.MustCompile(`valley \([0-9a-f]{64}\)`)
	if id.FindString(shown) != id.FindString(founded) || !strings.Contains(shown, "which ended with block") || !strings.Contains(shown, code) {
		t.Errorf("before: %s\nafter: %s", founded, shown)
	}
	if list := must("c", "member", "ls"); !regexp.MustCompile(`A +[0-9a-f]{8} +left`).MatchString(list) {
		t.Errorf("A has not left: %s", list)
	}
	must("b", "audit", "verify")
	must("b", "audit", "log")
	export := filepath.Join(root, "valley.croft")
	must("c", "audit", "export", export)
	must("c", "audit", "verify", export)
}
