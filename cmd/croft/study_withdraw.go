package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
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
	p, st, err := c.asked(ctx, o.ref)
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
	if o.dryRun {
		return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("dry")) })
	}
	if err := c.confirm(ctx, "study.withdraw.ask", st.Name); err != nil {
		return err
	}
	tx := p.seal(now(), &ledger.Withdraw{Study: st.ID})
	if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) }); err != nil {
		return err
	}
	r.Withdrawn = true
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("study.withdraw.done", st.Name)) })
}
