package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) studyDeclineVerb() *verb {
	var reason string
	cmd := c.verb("study.decline", "decline STUDY --reason REASON", one(func(ctx context.Context, ref string) error { return c.studyDecline(ctx, ref, reason) }))
	cmd.Flags().StringVar(&reason, "reason", "", say("study.decline.flag.reason"))
	return cmd
}

type studyDeclineResult struct {
	Study  croft.StudyID `json:"study"`
	Name   string        `json:"name"`
	Reason string        `json:"reason"`
}

// studyDecline signs the person's no. Of the reason the ledger gets one word of a
// closed list, and nothing else.
func (c *cli) studyDecline(ctx context.Context, ref, reason string) error {
	var refusal croft.Refusal
	var words []string
	for r := croft.RefusedPolicy; r <= croft.RefusedUnavailable; r++ {
		words = append(words, r.String())
		if r.String() == reason {
			refusal = r
		}
	}
	if refusal == 0 {
		return croft.E(croft.ErrUsage, say("study.decline.noreason", strings.Join(words, ", ")), "croft study decline "+api.Quote(ref)+" --reason policy")
	}
	p, st, err := c.asked(ctx, ref)
	if err != nil {
		return err
	}
	if err := tooLate(st, p.self); err != nil {
		return err
	}
	r := studyDeclineResult{Study: st.ID, Name: st.Name, Reason: reason}
	if _, err := c.submit(ctx, p, now(), &ledger.Decline{Study: st.ID, Reason: refusal}); err != nil {
		return err
	}
	if st, err = p.Study(ctx, st.ID.String()); err != nil {
		return err
	}
	if !answered(st, p.self, reason) { // it ended at this very moment, and a no to it says nothing
		return tooLate(st, p.self)
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "study.decline.done", st.Name, r.Reason)
		if len(st.Rounds) == 0 { // else it began at this very moment
			tell(w, "study.decline.nothing")
		}
	})
}

// answered says whether the ledger has this answer of a site.
func answered(st api.Study, self croft.MemberID, answer string) bool {
	return slices.ContainsFunc(st.Sites, func(s api.Site) bool { return s.ID == self && s.Answer == answer })
}

// tooLate says why a study cannot be declined any more.
func tooLate(st api.Study, self croft.MemberID) error {
	switch st.Status {
	case ledger.Proposed.String():
		return nil
	case ledger.Done.String(), ledger.Stopped.String():
		return croft.E(croft.ErrConflict, say("study.withdraw.ended", st.Name, st.Status), say("study.ended.fix", st.ID.Short()))
	}
	if !takesPart(st, self) {
		return croft.E(croft.ErrConflict, say("study.decline.without", st.Name, st.Status), say("study.ended.fix", st.ID.Short()))
	}
	return croft.E(croft.ErrConflict, say("study.decline.late", st.Name, st.Status, count(st.SumsWith(self), "sum", "sums")), "croft study withdraw "+st.ID.Short())
}

// takesPart says whether a running study counts on a site.
func takesPart(st api.Study, self croft.MemberID) bool {
	if len(st.Cohort) > 0 {
		return votes(st.Cohort, self)
	}
	return answered(st, self, "approved")
}
