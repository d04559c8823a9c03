package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
)

func (c *cli) modelShowVerb() *cobra.Command {
	return c.verb("model.show", "show MODEL", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.modelShow(ctx, args[0]) })
}

type modelShowResult struct {
	api.Result
	Purpose    string      `json:"purpose"`
	LegalBasis string      `json:"legal_basis"`
	Contact    string      `json:"contact"`
	Cohort     []api.Party `json:"cohort"`
	Plan       croft.Hash  `json:"plan_hash"`
	Export     bool        `json:"export"`
}

// modelShow shows a model's card: what it is for, who may use it, what it came
// from, what it is worth.
func (c *cli) modelShow(ctx context.Context, ref string) error {
	client, st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	result, err := client.Result(ctx, st.ID.String())
	if err != nil {
		return err
	}
	r := modelShowResult{result, st.Plan.Purpose, st.Plan.LegalBasis, st.Plan.Contact, st.Cohort, st.PlanHash, st.Plan.Export}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("study.purpose", r.Purpose))
		fmt.Fprintln(w, say("study.basis", r.LegalBasis))
		fmt.Fprintln(w, say("study.contact", r.Contact))
		export := "study.noexport"
		if r.Export {
			export = "study.export"
		}
		fmt.Fprintln(w, say("study.use", uses(r.Use), say(export)))
		fmt.Fprintln(w, say("model.show.from", names(r.Cohort), r.Study.Short(), r.State))
		printResult(w, r.Result)
	})
}
