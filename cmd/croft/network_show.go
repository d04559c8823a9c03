package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/node"
)

func (c *cli) networkShowVerb() *verb {
	return c.verb("network.show", "show", none(c.networkShow))
}

type networkShowResult struct {
	Name     string          `json:"name"`
	Network  croft.NetworkID `json:"network"`
	Chain    string          `json:"chain"`
	Began    time.Time       `json:"began"` // this chain
	After    string          `json:"after,omitempty"`
	Height   int64           `json:"height,omitempty"`  // of the chain before, its last block
	Code     string          `json:"code,omitempty"`    // of the rescue: for members who were away
	Missing  int             `json:"missing,omitempty"` // of a rescue under way: signatures that it still needs
	Members  []api.Member    `json:"members,omitempty"` // while the node runs
	Orderers []api.Party     `json:"orderers,omitempty"`
	Needed   int             `json:"orderers_needed,omitempty"`
}

// networkShow says what the network is and who orders its blocks. It shows the code of a
// rescue, done or under way.
func (c *cli) networkShow(ctx context.Context) error {
	g, err := c.genesis()
	if err != nil {
		return err
	}
	r := networkShowResult{Name: g.Name, Network: g.Network(), Chain: g.Scope().Chain, Began: time.Unix(g.Time, 0).UTC()}
	if g.Rescue != nil {
		r.After, r.Height, r.Code = g.Rescue.Chain, g.Rescue.Height, g.RescueCode()
	}
	if next, err := node.Rescue(c.dir); err == nil {
		r.Code, r.Missing = next.RescueCode(), next.Rescue.Missing()
	} else if !errors.Is(err, croft.ErrNotFound) {
		return err
	}
	if client, err := api.Dial(c.dir); err == nil {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if r.Members, err = client.Members(ctx); err != nil {
			return err
		}
		r.Orderers, r.Needed = status.Orderers, status.Needed
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "network.show.name", r.Name, r.Network)
		tell(w, "network.show.chain", r.Chain, day(r.Began))
		if r.After != "" {
			tell(w, "network.show.after", r.After, r.Height)
		}
		if len(r.Members) > 0 {
			tell(w, "network.show.members", names(staying(r.Members)))
			tell(w, "network.show.order", names(r.Orderers), r.Needed)
		}
		if r.Missing > 0 {
			tell(w, "network.show.rescue", count(r.Missing, "signature is", "signatures are"))
		}
		if r.Code != "" {
			tell(w, "network.rescue.code")
			fmt.Fprintln(w, r.Code)
		}
	})
}
