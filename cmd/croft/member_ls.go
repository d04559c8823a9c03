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

func (c *cli) memberLsVerb() *cobra.Command {
	return c.verb("member.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.memberLs(ctx) })
}

type memberLsResult struct {
	Members      []api.Member     `json:"members"`
	Needed       int              `json:"needed"` // votes that decide
	Applications []applicant      `json:"applications"`
	Revocations  []api.Revocation `json:"revocations"`
}

// applicant is an application with the digits to compare.
type applicant struct {
	api.Application
	Digits string `json:"digits"`
}

// memberLs lists the members, who wants to become one, and how votes stand.
func (c *cli) memberLs(ctx context.Context) error {
	g, err := c.genesis()
	if err != nil {
		return err
	}
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	members, err := client.Members(ctx)
	if err != nil {
		return err
	}
	council, err := client.Council(ctx)
	if err != nil {
		return err
	}
	r := memberLsResult{Members: members, Needed: council.Needed, Applications: []applicant{}, Revocations: council.Revocations}
	for _, a := range council.Applications {
		r.Applications = append(r.Applications, applicant{a, croft.CheckDigits(croft.NetworkID(g.Hash()), a.Newcomer)})
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("member.ls.head"))
		for _, m := range r.Members {
			fmt.Fprintln(w, say("member.ls.row", m.Name, m.ID.Short(), role(m)))
		}
		for _, a := range r.Applications {
			if a.Standing == ledger.Late.String() {
				fmt.Fprintln(w, say("member.ls.late", a.Newcomer.Name, a.By.Name))
				continue
			}
			fmt.Fprintln(w, say("member.ls.applies", a.Newcomer.Name, a.By.Name, a.Digits, len(a.Yes), r.Needed, a.Newcomer.ID.Short()))
		}
		for _, v := range r.Revocations {
			fmt.Fprintln(w, say("member.ls.revocation", v.Name, names(v.Yes), len(v.Yes), r.Needed, v.ID.Short()))
		}
	})
}

// role says what a member's node is for.
func role(m api.Member) string {
	switch {
	case m.Revoked:
		return say("member.revoked")
	case m.Self && m.Orders:
		return say("member.self.orders")
	case m.Self:
		return say("member.self")
	case m.Orders:
		return say("member.orders")
	case !m.Ready:
		return say("member.new")
	}
	return say("member.checks")
}
