package main

import (
	"context"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) networkStopVerb() *verb {
	return c.verb("network.stop", "stop", none(func(ctx context.Context) error {
		return c.emergency(ctx, "network.stop.", ledger.StopAll, func(n api.Council) []api.Party { return n.Stop })
	}))
}

func (c *cli) networkResumeVerb() *verb {
	return c.verb("network.resume", "resume", none(func(ctx context.Context) error {
		return c.emergency(ctx, "network.resume.", ledger.Resume, func(n api.Council) []api.Party { return n.Resume })
	}))
}

// emergencyResult is what a vote on the emergency stop did.
type emergencyResult struct {
	Stopped bool `json:"stopped"` // as far as this node knows now
	Missing int  `json:"missing"` // votes that are still needed
}

// emergency casts this member's vote that the whole network stops, or that it goes
// on. It shows first what that means, in the words under key.
func (c *cli) emergency(ctx context.Context, key string, action ledger.Action, yes func(api.Council) []api.Party) error {
	p, council, err := c.voter(ctx)
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
			tell(w, key+"waits", count(missing, "vote is", "votes are"))
			return
		}
		c.advise(w, key+"done", status.NetworkName)
	})
}
