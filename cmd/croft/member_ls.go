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
	Guests       []api.Guest      `json:"guests"`
	Applications []applicant      `json:"applications"`
	Revocations  []api.Revocation `json:"revocations"`
	Unseated     []api.Revocation `json:"unseated"`
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
	r := memberLsResult{Members: members, Needed: council.Needed, Guests: council.Guests, Applications: []applicant{}, Revocations: council.Revocations, Unseated: council.Unseated}
	for _, a := range council.Applications {
		r.Applications = append(r.Applications, applicant{a, croft.CheckDigits(croft.NetworkID(g.Hash()), a.Newcomer)})
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("member.ls.head"))
		for _, m := range r.Members {
			fmt.Fprintln(w, say("member.ls.row", m.Name, m.ID.Short(), role(m)))
		}
		for _, g := range r.Guests {
			fmt.Fprintln(w, say("member.ls.hosted", g.Name, g.ID.Short(), g.Host.Name))
		}
		for _, a := range r.Applications {
			fmt.Fprintln(w, a.line(r.Needed))
		}
		for _, v := range r.Revocations {
			fmt.Fprintln(w, say("member.ls.revocation", v.Name, names(v.Yes), len(v.Yes), r.Needed, v.ID.Short()))
		}
		for _, v := range r.Unseated {
			fmt.Fprintln(w, say("member.ls.unseated", v.Name, len(v.Yes), r.Needed, v.ID.Short()))
		}
	})
}

// line says how an application stands; so many votes decide.
func (a applicant) line(needed int) string {
	switch a.Standing {
	case ledger.Arrived.String():
		return say("member.ls.arrived", a.Newcomer.Name, a.By.Name)
	case ledger.Late.String():
		return say("member.ls.late", a.Newcomer.Name, a.By.Name)
	}
	if a.Guest {
		return say("member.ls.guest", a.Newcomer.Name, a.By.Name, a.Digits, a.Newcomer.ID.Short())
	}
	return say("member.ls.applies", a.Newcomer.Name, a.By.Name, a.Digits, len(a.Yes), needed, a.Newcomer.ID.Short())
}

// role says what a member's node is for.
func role(m api.Member) string {
	switch {
	case m.Revoked:
		return say("member.revoked")
	case m.Self && m.Orders:
		return say("member.self.orders")
	case m.Self && m.Light:
		return say("member.self.light")
	case m.Light:
		return say("member.light")
	case m.Self:
		return say("member.self")
	case m.Orders:
		return say("member.orders")
	case !m.Ready:
		return say("member.new")
	}
	return say("member.checks")
}
