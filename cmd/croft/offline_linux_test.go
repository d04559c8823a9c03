package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"croft"
)

// A machine without any network, not even its own loopback, has a node that runs; what
// needs another machine says in a sentence that there is none.
func TestNoNetworkAtAll(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "--net", "true").Run(); err != nil {
		t.Skip("this needs a network namespace, and so root: ", err)
	}
	d := newDesk(t)
	alone := func(code int, says string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--net", "croft"}, append(args, "--dir", d.dir)...)...)
		out, _ := cmd.CombinedOutput() // the exit code says more
		if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), says) {
			t.Errorf("croft %v: exit code %d, want %d and %q:\n%s", args, got, code, says, out)
		}
		return string(out)
	}
	addr, ok := croft.ParseAddr("/ip4/192.0.2.1/tcp/7421")
	code, err := croft.Invite{Node: croft.PublicKey{1}, Expires: 1 << 31, Addrs: []croft.Addr{addr}}.Code()
	if !ok || err != nil {
		t.Fatal(err)
	}
	if said := alone(8, "cannot reach", "join", code, "--name", "Clinic B"); strings.Count(said, "→ ") != 1 {
		t.Errorf("no advice, or much of it:\n%s", said)
	}
	d.dir = filepath.Join(d.dir, "own")
	alone(0, "runs in the background", "up", "--name", "Clinic A", "--detach", "--lan", "--page", "none")
	defer alone(0, "has stopped", "down")
	alone(0, "Clinic A", "status")
	alone(0, "on this machine only", "doctor")
}
