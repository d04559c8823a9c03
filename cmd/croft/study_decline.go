package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/ledger"
)

type studyDeclineOptions struct{ ref, reason string }

func (c *cli) studyDeclineVerb() *cobra.Command {
	var o studyDeclineOptions
	cmd := c.verb("study.decline", "decline STUDY --reason REASON", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.studyDecline(ctx, o)
	})
	cmd.Flags().StringVar(&o.reason, "reason", "", say("study.decline.flag.reason"))
	return cmd
}

type studyDeclineResult struct {
	Study  croft.StudyID `json:"study"`
	Name   string        `json:"name"`
	Reason string        `json:"reason"`
}

// studyDecline signs the person's no. Of the reason the ledger gets one word of a
// closed list, and nothing else.
func (c *cli) studyDecline(ctx context.Context, o studyDeclineOptions) error {
	var refusal croft.Refusal
	var words []string
	for r := croft.RefusedPolicy; r <= croft.RefusedUnavailable; r++ {
		words = append(words, r.String())
		if r.String() == o.reason {
			refusal = r
		}
	}
	if refusal == 0 {
		return croft.E(croft.ErrUsage, say("study.decline.noreason", strings.Join(words, ", ")), "croft study decline "+o.ref+" --reason policy")
	}
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
	r := studyDeclineResult{Study: st.ID, Name: st.Name, Reason: o.reason}
	if _, err := p.Submit(ctx, p.seal(now(), &ledger.Refuse{Study: st.ID, Reason: refusal})); err != nil {
		return c.sent(err)
	}
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("study.decline.done", st.Name, r.Reason)) })
}
