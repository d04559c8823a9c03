package main

import (
	"context"
	"io"

	"croft"
	"croft/internal/ledger"
)

func (c *cli) studyWithdrawVerb() *verb {
	var dryRun bool
	cmd := c.verb("study.withdraw", "withdraw STUDY", one(func(ctx context.Context, ref string) error { return c.studyWithdraw(ctx, ref, dryRun) }))
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, say("flag.dry"))
	return cmd
}

type studyWithdrawResult struct {
	Study     croft.StudyID `json:"study"`
	Name      string        `json:"name"`
	Rounds    int           `json:"rounds"` // sums that this site is in and stays in
	Withdrawn bool          `json:"withdrawn"`
}

// studyWithdraw takes this site out of a study: no further round of it. It says
// first what cannot be undone.
func (c *cli) studyWithdraw(ctx context.Context, ref string, dryRun bool) error {
	p, st, err := c.asked(ctx, ref)
	if err != nil {
		return err
	}
	if st.Status == ledger.Done.String() || st.Status == ledger.Stopped.String() {
		return croft.E(croft.ErrConflict, say("study.withdraw.ended", st.Name, st.Status), say("study.ended.fix", st.ID.Short()))
	}
	r := studyWithdrawResult{Study: st.ID, Name: st.Name, Rounds: st.SumsWith(p.self)}
	if st.Status == ledger.Proposed.String() {
		c.progress("study.withdraw.early", st.Name)
	} else {
		c.progress("study.withdraw.means", st.Name, count(r.Rounds, "sum", "sums"))
	}
	if dryRun {
		return c.result(r, func(w io.Writer) { tell(w, "dry") })
	}
	if err := c.confirm(ctx, "study.withdraw.ask", st.Name); err != nil {
		return err
	}
	if _, err := c.submit(ctx, p, now(), &ledger.Withdraw{Study: st.ID}); err != nil {
		return err
	}
	r.Withdrawn = true
	return c.result(r, func(w io.Writer) { tell(w, "study.withdraw.done", st.Name) })
}
