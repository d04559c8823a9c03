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

func (c *cli) memberRevokeVerb() *cobra.Command {
	return c.verb("member.revoke", "revoke NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.memberRevoke(ctx, args[0]) })
}

// memberRevoke casts this member's vote that another one, or itself, leaves the
// network.
func (c *cli) memberRevoke(ctx context.Context, ref string) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	members, err := p.Members(ctx)
	if err != nil {
		return err
	}
	council, err := p.Council(ctx)
	if err != nil {
		return err
	}
	var who *api.Member
	for i, m := range members {
		if !m.Revoked && named(ref, m.Name, m.ID) && (who == nil || m.Name == ref) {
			who = &members[i]
		}
	}
	if who == nil {
		return croft.E(croft.ErrNotFound, say("member.member"), ref, "croft member ls")
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
	yes, err := c.confirm(ctx, "member.revoke.ask", who.Name)
	if err != nil {
		return err
	}
	if !yes {
		return croft.E(croft.ErrNotSigned)
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Revoke, Subject: who.ID}, before)
	if err != nil {
		return err
	}
	r := voteResult{who.ID, who.Name, missing == 0, missing}
	return c.result(r, func(w io.Writer) {
		if r.Decided {
			fmt.Fprintln(w, say("member.revoke.done", r.Name))
			return
		}
		fmt.Fprintln(w, say("member.revoke.waits", r.Name, count(missing, "vote is", "votes are")))
	})
}
