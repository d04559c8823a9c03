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

func (c *cli) networkStopVerb() *cobra.Command {
	return c.verb("network.stop", "stop", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return c.emergency(ctx, "network.stop.", ledger.StopAll, func(n api.Council) []api.Party { return n.Stop })
	})
}

// emergencyResult is what a vote on the emergency stop did.
type emergencyResult struct {
	Stopped bool `json:"stopped"` // as far as this node knows now
	Missing int  `json:"missing"` // votes that are still needed
}

// emergency casts this member's vote that the whole network stops, or that it goes
// on. It shows first what that means, in the words under key.
func (c *cli) emergency(ctx context.Context, key string, action ledger.Action, yes func(api.Council) []api.Party) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	status, err := p.Status(ctx)
	if err != nil {
		return err
	}
	if status.Stopped == (action == ledger.StopAll) {
		return croft.E(croft.ErrConflict, say(key+"already"), "croft status")
	}
	council, err := p.Council(ctx)
	if err != nil {
		return err
	}
	voted := yes(council)
	if votes(voted, p.self) {
		return croft.E(croft.ErrConflict, say("member.voted"), "croft status")
	}
	c.progress(key + "means")
	if err := c.confirm(ctx, key+"ask", status.NetworkName); err != nil {
		return err
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: action}, len(voted))
	if err != nil {
		return err
	}
	if status, err = p.Status(ctx); err != nil {
		return err
	}
	return c.result(emergencyResult{status.Stopped, missing}, func(w io.Writer) {
		if missing > 0 {
			fmt.Fprintln(w, say(key+"waits", count(missing, "vote is", "votes are")))
			return
		}
		fmt.Fprintln(w, c.here(key+"done", status.NetworkName))
	})
}
