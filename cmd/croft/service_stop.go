package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) serviceStopVerb() *cobra.Command {
	return c.verb("service.stop", "stop NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.serviceStop(ctx, args[0]) })
}

type serviceStopResult struct {
	Name string `json:"name"`
}

// serviceStop withdraws a service of this member, and serves it no longer. Channels
// stay until they are closed: what was earned is paid.
func (c *cli) serviceStop(ctx context.Context, name string) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	offered, err := p.Offered(ctx)
	if err != nil {
		return err
	}
	r := serviceStopResult{name}
	done := func(w io.Writer) { fmt.Fprintln(w, say("service.stop.done", name)) }
	for _, local := range offered.Local {
		if local == name {
			return errors.Join(p.StopServing(ctx, name), c.result(r, done))
		}
	}
	for _, l := range offered.Services {
		if !l.Mine || l.Name != name {
			continue
		}
		at, err := p.ToPublish(ctx, name, croft.StudyID{})
		if err != nil {
			return err
		}
		v := l.Service
		v.Version, v.Tills, v.Withdrawn = at.Version, []croft.PublicKey{at.Till}, true // a listing has no tills
		tx := p.seal(0, &ledger.Publish{Service: v})
		if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) }); err != nil {
			return err
		}
		if err := p.StopServing(ctx, name); err != nil {
			return err
		}
		return c.result(r, done)
	}
	return croft.E(croft.ErrNotFound, say("service.noun"), name, "croft service ls")
}
