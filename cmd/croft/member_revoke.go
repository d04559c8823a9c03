package main

import (
	"context"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) memberRevokeVerb() *verb {
	return c.verb("member.revoke", "revoke NAME", one(c.memberRevoke))
}

// memberRevoke casts this member's vote that another one, or itself, leaves the
// network.
func (c *cli) memberRevoke(ctx context.Context, ref string) error {
	p, council, err := c.voter(ctx)
	if err != nil {
		return err
	}
	who, err := c.somebody(ctx, council, ref)
	if err != nil {
		return err
	}
	for _, g := range council.Guests {
		if g.ID == who.ID {
			return c.sendAway(ctx, p, g)
		}
	}
	before := 0
	for _, v := range council.Revocations {
		if v.ID == who.ID {
			if before = len(v.Yes); votes(v.Yes, p.self) {
				return croft.E(croft.ErrConflict, say("member.voted"), "croft member ls")
			}
		}
	}
	c.progress("member.revoke.means", who.Name)
	if err := c.confirm(ctx, "member.revoke.ask", who.Name); err != nil {
		return err
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Revoke, Subject: who.ID}, before)
	if err != nil {
		return err
	}
	return c.voted(voteResult{who.ID, who.Name, missing == 0, missing}, "member.revoke.done", "member.revoke.waits")
}

// sendAway ends a guest's stay, by the word of its host.
func (c *cli) sendAway(ctx context.Context, p *person, g api.Guest) error {
	if g.Host.ID != p.self {
		return croft.E(croft.ErrUsage, say("member.revoke.host", g.Name, g.Host.Name), "croft member ls")
	}
	c.progress("member.revoke.guest")
	if err := c.confirm(ctx, "member.revoke.ask", g.Name); err != nil {
		return err
	}
	last := g.Record
	last.Version, last.Gone = last.Version+1, true
	if _, err := c.submit(ctx, p, 0, &last); err != nil {
		return err
	}
	return c.voted(voteResult{g.ID, g.Name, true, 0}, "member.revoke.done", "")
}
