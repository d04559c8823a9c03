package main

import (
	"context"
	"errors"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/table"
)

// answerFlags are those with which one command is a site's whole answer to a study:
// it registers the file on the way, and stays for the result. The study says which
// column tells people apart, so a person need not.
func answerFlags(cmd *verb, o *dataAddOptions, wait *bool) {
	flags := cmd.Flags()
	flags.BoolVar(wait, "wait", false, say("study.flag.wait"))
	flags.StringVar(&o.file, "data", "", say("study.flag.data"))
	flags.Uint32Var(&o.releases, "releases", 0, say("data.add.flag.releases"))
	flags.BoolVar(&o.public, "public", false, say("data.add.flag.public"))
	cmd.MarkFlagsMutuallyExclusive("data", "dataset")
	cmd.MarkFlagsMutuallyExclusive("data", "dry-run") // nothing can be checked that is not registered
	cmd.MarkFlagsMutuallyExclusive("wait", "dry-run")
}

// asked returns who is at the keyboard, and a study that asks them. It fails with
// croft.ErrNotSite if it does not.
func (c *cli) asked(ctx context.Context, ref string) (p *person, st api.Study, err error) {
	if p, err = c.sign(ctx); err != nil {
		return nil, st, err
	}
	if st, err = c.arrived(ctx, p, ref); err == nil && !st.Mine {
		err = croft.E(croft.ErrNotSite, st.Name, st.ID.Short())
	}
	return p, st, err
}

// arrived returns a study. The node of a member that has just joined may not have
// fetched its block yet, and is waited for.
func (c *cli) arrived(ctx context.Context, p *person, ref string) (st api.Study, err error) {
	for said := false; ; said = true {
		if st, err = p.Study(ctx, ref); !errors.Is(err, croft.ErrNotFound) {
			return st, err
		}
		if s, trouble := p.Status(ctx); trouble != nil || !s.CatchingUp {
			return st, err
		}
		if !said {
			c.progress("fetching")
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return st, err
		}
	}
}

// await follows a study until it has ended, and shows what it says.
func (c *cli) await(ctx context.Context, id croft.StudyID) error {
	if err := c.studyWatch(ctx, id.String()); err != nil {
		return err
	}
	return c.studyResult(ctx, id.String(), studyResultOptions{})
}

// registerFor registers a file as croft data add does, and returns the dataset's
// name.
func (c *cli) registerFor(ctx context.Context, p *person, plan croft.Study, o dataAddOptions) (name string, err error) {
	path, err := absolute(o.file)
	if err != nil {
		return "", err
	}
	policy := table.DefaultPolicy()
	o.name, o.unit, o.minRows, o.minCell = nameOf(path), plan.Schema.UnitColumn, policy.MinRows, policy.MinCell
	r, err := c.register(ctx, p, path, o)
	if err != nil {
		return "", err
	}
	c.progress("study.registered", path, r.Name, count(r.People, "person", "people"), r.Releases)
	return r.Name, nil
}
