package main

import (
	"context"
	"io"

	"croft"
	"croft/internal/api"
)

func (c *cli) modelShowVerb() *verb {
	return c.verb("model.show", "show MODEL", one(c.modelShow))
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
	st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	result, err := c.node().Result(ctx, st.ID.String())
	if err != nil {
		return err
	}
	r := modelShowResult{result, st.Plan.Purpose, st.Plan.LegalBasis, st.Plan.Contact, st.Cohort, st.PlanHash, st.Plan.Export}
	return c.result(r, func(w io.Writer) {
		tell(w, "study.purpose", r.Purpose)
		tell(w, "study.basis", r.LegalBasis)
		tell(w, "study.contact", r.Contact)
		export := "study.noexport"
		if r.Export {
			export = "study.export"
		}
		tell(w, "study.use", uses(r.Use), say(export))
		tell(w, "model.show.from", names(r.Cohort), r.Study.Short(), r.State)
		printResult(w, r.Result)
	})
}
