package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// A light member joins, sees, votes and audits like the others, and says what it
// leaves to them.
func TestLightByCommands(t *testing.T) {
	t.Parallel()
	a, b := newDesk(t), newDesk(t)
	a.must([]string{"init", "--name", "Clinic A", "--network", "the valley"})
	refused := func(d desk, code int, says string, args ...string) {
		t.Helper()
		if got, out, errs := d.croft("", args...); got != code || !strings.Contains(errs, says) {
			t.Errorf("croft %v: exit code %d: %s%s", args, got, out, errs)
		}
	}
	refused(a, 2, "light from the day it joins", "up", "--light", "--page", "none")
	refused(b, 2, "light from the day it joins", "up", "--light", "--name", "Clinic B", "--page", "none")
	a.up()
	code := regexp.MustCompile(`croft1\w+`).FindString(a.must([]string{"invite", "create", "--auto"}))
	b.must([]string{"join", code, "--name", "Clinic B", "--light", "--bandwidth", "5MB/s"}, "Clinic B is a member of the valley")
	b.must([]string{"settings", "show"}, "--bandwidth=5MB/s") // croft up comes later
	b.up()
	b.until("up to date", "status")
	b.must([]string{"status"}, "light: this node keeps no blocks", "up to date", "Checkpoint")
	b.must([]string{"member", "ls"}, "this node, light")
	a.must([]string{"member", "ls"}, "light: keeps no blocks")
	var found doctorResult
	_, out, _ := b.croft("", "doctor", "--json")
	if err := json.Unmarshal([]byte(out), &found); err != nil || !found.Health.Status.Light {
		t.Errorf("doctor does not know that it is light: %v, %s", err, out)
	}
	b.until("it keeps headers, and has what it reads proved", "doctor")
	refused(b, 6, "newcomers cannot come in through it", "invite", "create")
	refused(b, 6, "does not have the state", "network", "rescue", "--without", "Clinic A", "--yes")

	// Both vote, and the light member's vote counts.
	a.must([]string{"network", "stop", "--yes"})
	b.until("a vote to stop everything", "status")
	b.must([]string{"network", "stop", "--yes"})
	a.until("STOPPED", "status")
	b.until("STOPPED", "status")

	// Every block comes from the others, is run here, and must give what was proved.
	b.must([]string{"audit", "verify"}, "every signature and link holds")
	b.must([]string{"audit", "log"}, "stop the network", "Clinic B")
}
