package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/ledger"
)

type studyWithdrawOptions struct {
	ref    string
	dryRun bool
}

func (c *cli) studyWithdrawVerb() *cobra.Command {
	var o studyWithdrawOptions
	cmd := c.verb("study.withdraw", "withdraw STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.studyWithdraw(ctx, o)
	})
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, say("flag.dry"))
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
func (c *cli) studyWithdraw(ctx context.Context, o studyWithdrawOptions) error {
	p, err := c.sign()
	if err != nil {
		return err
	}
	st, err := p.Study(ctx, o.ref)
	if err != nil {
		return err
	}
	if !st.Mine {
		return croft.E(croft.ErrTxRights, say("you"), say("study.approve.notsite", st.Name))
	}
	if st.Status == ledger.Done.String() || st.Status == ledger.Stopped.String() {
		return croft.E(croft.ErrTxOrder, say("study.withdraw.ended", st.Name, st.Status))
	}
	r := studyWithdrawResult{Study: st.ID, Name: st.Name}
	for _, round := range st.Rounds {
		if round.Phase == croft.PhaseCommit.String() {
			r.Rounds++
		}
	}
	c.progress("study.withdraw.means", st.Name, count(r.Rounds, "sum", "sums"))
	if o.dryRun {
		return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("dry")) })
	}
	yes, err := c.confirm(ctx, "study.withdraw.ask", st.Name)
	if err != nil {
		return err
	}
	if !yes {
		return croft.E(croft.ErrInterrupted)
	}
	if _, err := p.Submit(ctx, p.seal(now(), &ledger.Withdraw{Study: st.ID})); err != nil {
		return c.sent(err)
	}
	r.Withdrawn = true
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("study.withdraw.done", st.Name)) })
}
