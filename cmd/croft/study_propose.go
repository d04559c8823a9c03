package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/table"
)

type studyProposeOptions struct {
	dataset      string
	data         dataAddOptions // a file to register, and to approve the study for
	dryRun, wait bool
	preflight    bool // propose the study's preflight in its place
	again        bool // even if the last one is done
}

func (c *cli) studyProposeVerb() *verb {
	var o studyProposeOptions
	cmd := c.verb("study.propose", "propose FILE.toml", one(func(ctx context.Context, file string) error { return c.studyPropose(ctx, file, o) }))
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, say("study.propose.flag.dry"))
	cmd.Flags().StringVar(&o.dataset, "dataset", "", say("study.propose.flag.dataset"))
	answerFlags(cmd, &o.data, &o.wait)
	return cmd
}

// verb is the command that these are the options of.
func (o studyProposeOptions) verb() string {
	if o.preflight {
		return "preflight"
	}
	return "propose"
}

type studyProposeResult struct {
	ID       croft.StudyID `json:"id,omitzero"` // none in a dry run
	Plan     croft.Study   `json:"plan"`
	Proposed bool          `json:"proposed"` // false: a dry run, or it was there already
	Unknown  []string      `json:"unknown_members,omitempty"`
	Check    *api.Check    `json:"check,omitempty"`
}

// studyPropose puts a study file on the ledger, where its sites find it. A dry
// run puts nothing there: it says what would leave a site and computes the
// result of this site's rows alone.
func (c *cli) studyPropose(ctx context.Context, path string, o studyProposeOptions) error {
	if o.dataset != "" && !o.dryRun {
		return croft.E(croft.ErrUsage, say("study.propose.dataset"), "croft study "+o.verb()+" "+api.Quote(path)+" --dry-run --dataset "+api.Quote(o.dataset))
	}
	file, err := readStudy(path)
	if err != nil {
		return err
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	members, err := p.Members(ctx)
	if err != nil {
		return err
	}
	var r studyProposeResult
	r.Plan, r.Unknown, err = resolve(file, p.self, members, o.dryRun)
	if err != nil {
		return err
	}
	of := r.Plan
	if o.preflight {
		r.Plan = study.PreflightOf(of, 1)
	}
	if r.Plan.Expires <= time.Now().Unix() {
		return croft.E(croft.ErrStudyValue, path, "expires", say("study.propose.past"))
	}
	if o.dryRun {
		return c.dryRun(ctx, p, path, o, r)
	}
	tx, err := p.proposal(ctx, r.Plan)
	if err != nil {
		return err
	}
	r.ID, r.Proposed = croft.StudyID(croft.Sum(tx)), true
	known, err := p.Study(ctx, r.ID.String())
	for times := 2; o.again && err == nil && known.Status == ledger.Done.String(); times++ {
		r.Plan = study.PreflightOf(of, times)
		if tx, err = p.proposal(ctx, r.Plan); err != nil {
			return err
		}
		r.ID = croft.StudyID(croft.Sum(tx))
		known, err = p.Study(ctx, r.ID.String())
	}
	if err == nil {
		r.Proposed = false
		err = c.result(r, func(w io.Writer) {
			tell(w, "study.propose.known", known.Name, known.ID.Short(), known.Status)
			if o.preflight {
				c.advise(w, "study.watch.compare", known.ID.Short())
			}
			switch {
			case known.Status != ledger.Done.String():
			case o.preflight:
				c.advise(w, "study.preflight.anew", api.Quote(path))
			default:
				tell(w, "study.propose.anew")
			}
		})
	} else {
		if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) }); err != nil {
			return err
		}
		err = c.result(r, func(w io.Writer) {
			tell(w, "study.propose.done", r.Plan.Name, r.ID.Short())
			if o.data.file == "" && slices.Contains(r.Plan.Sites, p.self) {
				c.advise(w, "study.propose.approve", r.ID.Short())
			}
			c.advise(w, "study.propose.next", r.ID.Short())
		})
	}
	if err == nil && o.data.file != "" {
		err = c.studyApprove(ctx, r.ID.String(), studyApproveOptions{data: o.data})
	}
	if err == nil && o.wait {
		err = c.await(ctx, r.ID)
	}
	return err
}

// proposal signs the study. The same file is the same study, however often it is
// proposed; one that was stopped may be proposed anew.
func (p *person) proposal(ctx context.Context, plan croft.Study) ([]byte, error) {
	for nonce := uint64(0); ; nonce++ {
		tx := p.seal(nonce, &ledger.Propose{Plan: plan})
		known, err := p.Study(ctx, croft.Sum(tx).String())
		if errors.Is(err, croft.ErrNotFound) {
			return tx, nil
		}
		if err != nil || known.Status != ledger.Stopped.String() {
			return tx, err
		}
	}
}

// resolve turns members' names into ids. A dry run may name members that are not
// there yet; it says which.
func resolve(file *study.File, self croft.MemberID, members []api.Member, dryRun bool) (plan croft.Study, unknown []string, err error) {
	members = slices.DeleteFunc(slices.Clone(members), func(m api.Member) bool { return m.Revoked })
	var seats []croft.MemberID
	for _, m := range members {
		if m.Seat {
			seats = append(seats, m.ID)
		}
	}
	plan, err = file.Study(self, seats, func(name string) (croft.MemberID, bool) {
		for _, m := range members {
			if m.Name == name {
				return m.ID, true
			}
		}
		if dryRun && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
		return croft.MemberID(croft.Sum([]byte(name))), dryRun
	})
	return plan, unknown, err
}

// dryRun says what a proposal would mean for this site.
func (c *cli) dryRun(ctx context.Context, p *person, path string, o studyProposeOptions, r studyProposeResult) (err error) {
	if filepath.Ext(o.dataset) != "" { // a file that is not registered
		if o.dataset, err = absolute(o.dataset); err != nil {
			return err
		}
	}
	check, err := p.CheckDraft(ctx, r.Plan, o.dataset)
	if err != nil {
		return err
	}
	r.Check = &check
	return c.result(r, func(w io.Writer) {
		tell(w, "study.propose.title", r.Plan.Name, len(r.Plan.Model.Features), len(r.Plan.Sites), r.Plan.MinSites)
		for _, name := range r.Unknown {
			tell(w, "study.propose.unknown", name)
		}
		printCheck(w, check)
		tell(w, "dry")
		if len(r.Unknown) == 0 {
			c.advise(w, "study.propose.ready", o.verb(), api.Quote(path))
		}
	})
}

func readStudy(path string) (*study.File, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	return study.Parse(text, path)
}

// maxStudyFile is more than study.Parse takes: it says what is wrong.
const maxStudyFile = 1 << 20

// readSmall reads a file without trusting its size.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unread(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxStudyFile))
	if err != nil {
		return nil, croft.E(croft.ErrFileOpen, path, reason(err))
	}
	return text, nil
}

// printCheck says what a study would find at this site and what would leave it.
func printCheck(w io.Writer, check api.Check) {
	tell(w, "check.rows", check.Dataset, check.Train, check.Test)
	for _, d := range check.Dropped {
		tell(w, "check.dropped", d)
	}
	printLeaves(w, check.Leaves)
	tell(w, "check.exact", check.Leaves.AllNumbers, short(check.Exact), table.MaxDetail)
	if check.Cap > 0 {
		tell(w, "check.budget", check.Used, check.Cap)
	}
	if check.Public {
		tell(w, "data.public")
	}
	for _, warning := range check.Warnings {
		tell(w, "check.warning", warning)
	}
	if check.Withheld != "" {
		tell(w, "check.withheld", check.Withheld)
	}
	if check.Local != nil {
		tell(w, "check.local", worth(*check.Local))
	} else if check.LocalWhy != "" {
		tell(w, "check.nolocal", check.LocalWhy)
	}
}

// worth says what a model of a site's own rows is worth.
func worth(s api.Score) string {
	switch {
	case s.RMSE > 0:
		return say("check.rmse", short(s.RMSE), s.Rows)
	case s.RowDeviance > 0:
		return say("check.deviance", short(s.RowDeviance), s.Rows)
	case s.Concordance > 0:
		return say("check.pairs", short(s.Concordance), s.Rows)
	}
	return say("check.auc", estimate(s.AUC), estimate(s.LogLoss), s.Rows)
}

func printLeaves(w io.Writer, l api.Leaves) {
	tell(w, "leaves", l.Rounds, l.Numbers, size(l.Bytes), size(l.AllBytes))
}
