package main

import (
	"context"
	"io"
	"slices"

	"croft"
	"croft/internal/ledger"
	"croft/internal/market"
)

func (c *cli) serviceStopVerb() *verb {
	return c.verb("service.stop", "stop NAME", one(c.serviceStop))
}

type serviceStopResult struct {
	Name string `json:"name"`
}

// serviceStop withdraws a service of this member, and serves it no longer. Channels
// stay until they are closed: what was earned is paid.
func (c *cli) serviceStop(ctx context.Context, name string) error {
	offered, err := c.node().Offered(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(offered.Local, name) {
		at := slices.IndexFunc(offered.Services, func(l market.Listing) bool { return l.Mine && l.Name == name })
		if at < 0 {
			return croft.E(croft.ErrNotFound, say("service.noun"), name, "croft service ls")
		}
		if err := c.withdraw(ctx, offered.Services[at].Service); err != nil {
			return err
		}
	}
	if err := c.node().StopServing(ctx, name); err != nil {
		return err
	}
	return c.result(serviceStopResult{name}, func(w io.Writer) { tell(w, "service.stop.done", name) })
}

// withdraw puts on the ledger that a service of this member is offered no longer.
func (c *cli) withdraw(ctx context.Context, v croft.Service) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	next, err := p.ToPublish(ctx, v.Name, croft.StudyID{})
	if err != nil {
		return err
	}
	v.Version, v.Tills, v.Withdrawn = next.Version, []croft.PublicKey{next.Till}, true // a listing has no tills
	_, err = c.submit(ctx, p, 0, &ledger.Publish{Service: v})
	return err
}
