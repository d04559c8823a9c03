//go:build long

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A model is sold with nothing but the commands, over real consensus: four members,
// three of them sites, and the fourth buys.
func TestAModelIsSoldByCommands(t *testing.T) {
	t.Parallel()
	desks, members := community(t, "a", "b", "c", "d")
	a, d := desks[0], desks[3]
	for i, p := range desks[:3] {
		p.must([]string{"data", "add", p.file("visits.csv", clinic(uint64(i), 200)), "--unit", "id", "--yes"})
	}
	draft := filepath.Join(a.files, "draft.toml")
	a.must([]string{"study", "new", "--from", filepath.Join(a.files, "visits.csv"), "--out", draft})
	text, err := os.ReadFile(draft)
	if err != nil {
		t.Fatal(err)
	}
	run := func(name, use string) {
		fill := strings.NewReplacer(`name = "visits"`, `name = "`+name+`"`, `purpose = ""`, `purpose = "who falls ill"`, `legal_basis = ""`, `legal_basis = "research"`,
			`contact = ""`, `contact = "a@example.org"`, `expires = ""`, `expires = 2099-12-31`, "\nmembers = []", "\nmembers = [\"a\", \"b\", \"c\"]",
			`label = ""`, `label = "ill"`, `positive = ""`, `positive = "yes"`, `readers = ["sites", "proposer"]`, `readers = ["sites", "seats"]`)
		plan := regexp.MustCompile(`(?m)^use = "\w+"`).ReplaceAllString(fill.Replace(string(text)), `use = "`+use+`"`)
		a.must([]string{"study", "propose", a.file(name+".toml", plan)})
		for i, p := range desks[:3] {
			p.soon(members[i], []string{"study", "ls"}, name)
			p.must([]string{"study", "approve", name, "--yes"})
		}
		a.must([]string{"study", "watch", name}, "publish")
	}
	run("ours", "members")
	code, _, errs := a.croft("", "service", "publish", "ours", "--model", "ours", "--price", "1")
	if code != 6 || !strings.Contains(errs, "a, b, c") {
		t.Errorf("a model for its sites alone: exit code %d: %s", code, errs)
	}
	run("anaemia", "network")
	code, _, errs = a.croft("", "service", "publish", "heart", "--model", "anaemia", "--use", "market", "--price", "1")
	if code != 6 || !strings.Contains(errs, "a, b, c") {
		t.Errorf("a model for the network, for guests too: exit code %d: %s", code, errs)
	}
	a.must([]string{"service", "publish", "heart", "--model", "anaemia", "--price", "1"}, "heart is on the ledger", "1 credit a call")
	for i, p := range desks[:3] {
		if i == 1 { // who is asked finds the question where it looks
			p.soon(members[i], []string{"status"}, "a vote on new credits for d (100), by a, 1 of 3")
		}
		p.must([]string{"wallet", "mint", "d", "--amount", "100", "--yes"})
	}
	d.soon(members[3], []string{"service", "ls"}, "heart")
	d.soon(members[3], []string{"wallet", "show"}, "Free 100")
	patients := d.file("patients.csv", "age,sex,note\n25,f,x\n75,m,y\n")
	if code, _, errs := d.croft("", "service", "call", "heart", patients); code == 0 || !strings.Contains(errs, "wallet open heart") {
		t.Errorf("without a channel: %d %s", code, errs)
	}
	d.must([]string{"wallet", "open", "heart", "--deposit", "10", "--window", "1h"}, "10 credits are set aside for a")
	d.soon(members[3], []string{"wallet", "show"}, "left 10")

	code, here, errs := d.croft("", "service", "call", "heart", patients)
	if code != 0 || !strings.HasPrefix(here, "row,probability\n1,0.") || !strings.Contains(errs, "nothing of the request was sent") || !strings.Contains(errs, "Paid 1 credit to a") || strings.Contains(errs, "Sending") {
		t.Errorf("here: %d %s%s", code, here, errs)
	}
	code, there, errs := d.croft("", "service", "call", "heart", patients, "--remote")
	if code != 0 || there != here || !strings.Contains(errs, "Sending to a, whose node will read it: 2 rows with age, sex") || !strings.Contains(errs, "Paid 1 credit to a") {
		t.Errorf("there: %d %s%s", code, there, errs)
	}
	if code, _, errs = desks[1].croft("", "service", "call", "heart", filepath.Join(desks[1].files, "visits.csv"), "--remote"); code != 6 || !strings.Contains(errs, "--registered") {
		t.Errorf("columns of a registered dataset: %d %s", code, errs)
	}
	code, _, errs = d.croft("", "service", "call", "heart", d.file("odd.csv", "age,sex\n900,f\n"))
	if code != 4 {
		t.Errorf("a row that does not fit: %d %s", code, errs)
	}
	known := d.file("known.json", `{"outputs":[{"name":"probability","shape":[2],"datatype":"FP64","data":[0.001,0.002]}]}`)
	if code, out, errs := d.croft("", "service", "check", "heart", patients, "--want", known); code != 4 || !strings.Contains(out, "a says something else") {
		t.Errorf("an answer that differs: %d %s%s", code, out, errs)
	}
	d.must([]string{"wallet", "show"}, "spent 3, left 7")
	a.must([]string{"wallet", "show"}, "earned 3")
	d.must([]string{"wallet", "receipts"}, "a/heart", "answered")

	// A third member pays for its calls.
	key := regexp.MustCompile(`--payer ([0-9a-f]{64})`).FindStringSubmatch(d.must([]string{"wallet", "accept"}))
	for _, p := range desks[:3] {
		p.must([]string{"wallet", "mint", "c", "--amount", "20", "--yes"})
	}
	c := desks[2]
	c.soon(members[2], []string{"wallet", "show"}, "Free 20")
	given := regexp.MustCompile(`croft wallet accept ([0-9a-f]{64})`).FindStringSubmatch(c.must([]string{"wallet", "open", "heart", "--deposit", "20", "--window", "1h", "--payer", key[1]}))
	d.soon(members[3], []string{"wallet", "accept", given[1]}, "Calls of a are paid from 20 credits that c set aside")
	d.must([]string{"service", "call", "heart", patients})
	d.must([]string{"wallet", "show"}, "pays, set aside by c", "spent 1, left 19")

	channel := regexp.MustCompile(`(?m)^([0-9a-f]{8})\s+pays\s+a`).FindStringSubmatch(d.must([]string{"wallet", "show"}))
	if channel == nil {
		t.Fatal("wallet show names no channel")
	}
	d.must([]string{"wallet", "close", channel[1]})
	a.soon(members[0], []string{"wallet", "show"}, "Free 3")
	d.soon(members[3], []string{"wallet", "show"}, "Free 97")
}
