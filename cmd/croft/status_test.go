package main

import (
	"io"
	"strings"
	"testing"

	"croft"
	"croft/internal/api"
)

// Status names whom a study waits for, and nobody where a lie keeps it.
func TestStatusSaysWhyAStudyStands(t *testing.T) {
	glen := []api.Party{{Name: "glen"}}
	r := statusResult{Status: api.Status{Members: 3, Studies: []api.Summary{
		{Name: "anaemia", Status: "paused", Round: 2, Waits: glen},
		{Name: "gout", Status: "running", Round: 4, Doubt: true},
		{Name: "fever", Status: "running", Waits: glen}, // at times everybody is waited for
	}}}
	var out strings.Builder
	if err := columns(&out, func(w io.Writer) { new(cli).printStatus(w, r, "valley") }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"anaemia: paused, round 3", "it waits for glen: start their nodes", "gout: running, round 5", "one of them lies or is broken"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Count(out.String(), "glen") != 1 {
		t.Errorf("named without need:\n%s", &out)
	}
}

// Who watches a study that has not begun hears whether it still can.
func TestWhenAStudyStarts(t *testing.T) {
	for answers, want := range map[string]string{
		"waiting waiting approved waiting": "starts", "waiting consent approved waiting": "starts", "policy consent approved waiting": "cannot",
		"waiting waiting approved consent": "cannot", // which is required
	} {
		st := api.Study{Plan: croft.Study{MinSites: 3, Required: []croft.MemberID{{3}}}}
		for i, answer := range strings.Fields(answers) {
			st.Sites = append(st.Sites, api.Site{Party: api.Party{ID: croft.MemberID{byte(i)}}, Answer: answer})
		}
		if got := starts(st); got != "study.watch."+want {
			t.Errorf("%s: %s", answers, got)
		}
	}
}
