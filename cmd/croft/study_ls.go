package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"croft"
	"croft/internal/api"
)

func (c *cli) studyLsVerb() *verb { return c.verb("study.ls", "ls", none(c.studyLs)) }

// studyLs lists all studies of the network, oldest first.
func (c *cli) studyLs(ctx context.Context) error {
	list, err := c.node().Studies(ctx)
	if err != nil {
		return err
	}
	return c.result(list, func(w io.Writer) {
		if len(list) == 0 {
			c.advise(w, "study.ls.none")
			return
		}
		tell(w, "study.ls.head")
		for _, st := range list {
			tell(w, "study.ls.row", st.Name, st.ID.Short(), status(st), st.Proposer.Name, answers(st))
		}
		var said []string
		for _, st := range list { // the words that end studies, explained once each
			if st.Reason != "" && !slices.Contains(said, st.Reason) {
				said = append(said, st.Reason)
				tell(w, "study.why", st.Reason, because(st.Reason, "…"))
			}
		}
	})
}

// status is a study's status with the reason where it ended.
func status(st api.Summary) string {
	if st.Reason != "" {
		return say("study.status.why", st.Status, st.Reason)
	}
	return st.Status
}

// because explains the word with which a study was stopped, and what to do: one of
// the ledger's closed list, or the code of a plan that could not go on. Of such a
// plan's particulars only the label is known from the ledger.
func because(reason, label string) string {
	if sentence, known := sentences["because."+reason]; known {
		return sentence
	}
	var code uint16
	if n, err := fmt.Sscanf(reason, "CROFT-%04d", &code); n == 1 && err == nil && croft.Code(code).Kind() != 0 {
		particular := "…"
		if code := croft.Code(code); code == croft.ErrOneClass || code == croft.ErrNoContrast {
			particular = label
		}
		e := croft.E(croft.Code(code), particular, "…", "…", "…")
		return say("because.plan", e.Error(), e.Next())
	}
	return say("because.unknown")
}

// answers says who answered what.
func answers(st api.Summary) string {
	var out []string
	for _, site := range st.Sites {
		answer := site.Answer
		switch {
		case site.Missing:
			answer = say("study.missing")
		case answer != "approved" && answer != "waiting":
			answer = say("study.declined", answer)
		}
		out = append(out, say("study.answer", site.Name, answer))
	}
	return strings.Join(out, ", ")
}
