package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/tensor"
)

type studyApproveOptions struct {
	dataset, until string
	data           dataAddOptions // a file to register first
	dryRun, wait   bool
}

func (c *cli) studyApproveVerb() *verb {
	var o studyApproveOptions
	cmd := c.verb("study.approve", "approve STUDY", one(func(ctx context.Context, ref string) error { return c.studyApprove(ctx, ref, o) }))
	cmd.Flags().StringVar(&o.dataset, "dataset", "", say("study.approve.flag.dataset"))
	cmd.Flags().StringVar(&o.until, "until", "", say("study.approve.flag.until"))
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, say("flag.dry"))
	answerFlags(cmd, &o.data, &o.wait)
	return cmd
}

type studyApproveResult struct {
	Study    croft.StudyID  `json:"study"`
	Name     string         `json:"name"`
	Approval croft.Approval `json:"approval"`
	Check    api.Check      `json:"check"`
	Approved bool           `json:"approved"`
}

// studyApprove shows what would leave, asks, and signs the person's yes. The
// approval binds what was on the screen, field by field; the node obeys its own
// copy of it.
func (c *cli) studyApprove(ctx context.Context, ref string, o studyApproveOptions) error {
	p, st, err := c.asked(ctx, ref)
	if err != nil {
		return err
	}
	if st.Status != ledger.Proposed.String() {
		late := "study.approve.late"
		if takesPart(st, p.self) {
			late = "study.approve.before" // a yes of which the person never heard that it arrived
		}
		return croft.E(croft.ErrConflict, say(late, st.Name, st.Status), say("study.ended.fix", st.ID.Short()))
	}
	if err := study.Validate(st.Plan); err != nil { // somebody put it on the ledger without this program
		return err
	}
	if st.Plan.Engine != croft.EngineVersion {
		return croft.E(croft.ErrEngine, st.Plan.Engine, croft.EngineVersion)
	}
	until := st.Plan.Expires
	if o.until != "" {
		last, err := time.Parse(time.DateOnly, o.until)
		if err != nil {
			return croft.E(croft.ErrUsage, say("study.approve.badday", fmt.Sprintf("%.40q", o.until)), "--until 2027-01-31")
		}
		until = min(until, last.AddDate(0, 0, 1).Unix())
	}
	if o.data.file != "" {
		if o.dataset, err = c.registerFor(ctx, p, st.Plan, o.data); err != nil {
			return err
		}
	}
	check, err := p.Check(ctx, st.ID.String(), o.dataset)
	if err != nil {
		return err
	}
	if check.Withheld != "" {
		return croft.E(croft.ErrWithheld, check.Withheld)
	}
	dataset, err := c.datasetOf(ctx, check.Dataset)
	if err != nil {
		return err
	}
	r := studyApproveResult{Study: st.ID, Name: st.Name, Approval: *st.Approval(dataset.ID, until, check.Rows), Check: check}
	described := func(w io.Writer) {
		printStudy(w, st)
		printCheck(w, check)
		tell(w, "study.approve.binds", day(time.Unix(until, 0)), r.Approval.Releases)
		tell(w, "study.approve.rows", r.Approval.Rows)
		if check.Bound > 0 {
			tell(w, "study.approve.bound", check.Bound, 1<<tensor.NormBits)
		}
		tell(w, "promise")
	}
	switch {
	case !c.json:
		err = columns(c.out, described)
	case !c.yes && !o.dryRun: // nobody is asked about what was not shown
		err = columns(c.errs, described)
	}
	if err != nil {
		return err
	}
	if o.dryRun {
		return c.result(r, func(w io.Writer) { tell(w, "dry") })
	}
	if err := c.confirm(ctx, "study.approve.ask", st.Name); err != nil {
		return err
	}
	tx := p.seal(now(), &r.Approval)
	if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Approve(ctx, tx) }); err != nil {
		return err
	}
	r.Approved = true
	err = c.result(r, func(w io.Writer) {
		tell(w, "study.approve.done", st.Name)
		c.advise(w, "study.approve.next", st.ID.Short())
	})
	if err == nil && o.wait {
		err = c.await(ctx, st.ID)
	}
	return err
}
