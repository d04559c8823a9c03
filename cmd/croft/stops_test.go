package main

import (
	"fmt"
	"strings"
	"testing"
)

// questions is a study file over files that clinic makes.
const questions = `name = "NAME"
purpose = "who falls ill"
legal_basis = "research"
contact = "a@example.org"
expires = 2099-12-31
[sites]
members = ["a", "b", "c"]
[people]
unit = "id"
[model]
goal = "inference"
label = "ill"
positive = "yes"
INTERCEPTS
[[column]]
name = "age"
kind = "number"
low = 0
high = 120
[[column]]
name = "sex"
kind = "category"
levels = ["f", "m"]
[[column]]
name = "ill"
kind = "category"
levels = ["no", "yes"]
`

// What brings a study, or a whole network, to a halt is said in a sentence with
// the cure, by every command that meets it.
func TestWhatStopsAStudy(t *testing.T) {
	t.Parallel()
	desks, members := community(t, "a", "b", "c", "d")
	a, b, c, d := desks[0], desks[1], desks[2], desks[3]

	// Nobody is ill, at any site: no site can see it for the others, so the first
	// sum finds it.
	for i, p := range desks[:3] {
		p.must([]string{"data", "add", p.file("healthy.csv", strings.ReplaceAll(clinic(uint64(i), 120), ",yes\n", ",no\n")), "--unit", "id", "--yes"}, "120 rows")
	}
	plan := a.file("healthy.toml", strings.NewReplacer("NAME", "healthy", "INTERCEPTS", "").Replace(questions))
	a.must([]string{"study", "propose", plan, "--dry-run"}, "no result: your rows have only one class of the label ill")
	a.must([]string{"study", "propose", plan}, "Proposed healthy")
	for i, p := range desks[:3] {
		p.soon(members[i], []string{"study", "ls"}, "healthy")
		p.must([]string{"study", "approve", "healthy", "--yes"}, "Approved healthy")
	}
	const why, cure = "the whole network has only one class of the label ill", "check the label and its positive level in the study file"
	code, _, errs := a.croft("", "study", "watch", "healthy")
	if code != 6 || !strings.Contains(errs, why) || !strings.Contains(errs, cure) {
		t.Errorf("the end of a study with one class: exit code %d: %s", code, errs)
	}
	a.must([]string{"study", "show", "healthy"}, "stopped (CROFT-3007)", why, cure)
	b.soon(members[1], []string{"study", "ls"}, "stopped (CROFT-3007)")
	b.must([]string{"study", "ls"}, "only one class of the label", cure)
	for _, verb := range [][]string{{"study", "result"}, {"model", "show"}} {
		if code, _, errs := b.croft("", append(verb, "healthy")...); code != 6 || !strings.Contains(errs, why) || !strings.Contains(errs, cure) {
			t.Errorf("%v of a study that was stopped: exit code %d: %s", verb, code, errs)
		}
	}
	if code, _, errs := b.croft("", "study", "decline", "healthy", "--reason", "policy"); code != 1 || !strings.Contains(errs, "nothing more leaves") {
		t.Errorf("to decline a study that was stopped: exit code %d: %s", code, errs)
	}

	// The emergency stop: three of four.
	if code, _, errs := a.croft("n\n", "network", "stop"); code != 5 || !strings.Contains(errs, "every study of every member stands still") {
		t.Errorf("a no: exit code %d: %s", code, errs)
	}
	if code, _, errs := a.croft("", "network", "resume", "--yes"); code != 1 || !strings.Contains(errs, "not stopped") {
		t.Errorf("to resume what goes on: exit code %d: %s", code, errs)
	}
	a.must([]string{"network", "stop", "--yes"}, "2 votes are still needed")
	if code, _, errs := a.croft("", "network", "stop", "--yes"); code != 1 || !strings.Contains(errs, "voted for this already") {
		t.Errorf("a second vote: exit code %d: %s", code, errs)
	}
	b.soon(members[1], []string{"status"}, "a vote to stop everything, by a, 1 of 3: croft", " network stop")
	b.must([]string{"network", "stop", "--yes"}, "1 vote is still needed")
	c.soon(members[2], []string{"status"}, "by a, b, 2 of 3")
	c.must([]string{"network", "stop", "--yes", "--json"}, `"stopped":true,"missing":0`)
	d.soon(members[3], []string{"status"}, "STOPPED by vote", "a vote to go on after the stop, 0 of 3: croft", " network resume")
	late := d.file("late.toml", strings.NewReplacer("NAME", "late", "INTERCEPTS", "").Replace(questions))
	if code, _, errs := d.croft("", "study", "propose", late); code != 6 || !strings.Contains(errs, " network resume") || !strings.Contains(errs, "is kept") {
		t.Errorf("a proposal to a stopped network: exit code %d: %s", code, errs)
	}
	for i, p := range desks[:3] {
		p.soon(members[i], []string{"status"}, "STOPPED by vote", "after the stop, "+[]string{"", "by a, ", "by a, b, "}[i]+fmt.Sprintf("%d of 3: croft", i), " network resume")
		p.must([]string{"network", "resume", "--yes"})
	}
	a.soon(members[0], []string{"status"}, "up to date")
	a.must([]string{"audit", "log", "--member", "a"}, "stop the network", "resume the network")
	a.must([]string{"audit", "verify"}, "every signature and link holds")
}
