package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) memberLsVerb() *verb { return c.verb("member.ls", "ls", none(c.memberLs)) }

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
	members, err := c.node().Members(ctx)
	if err != nil {
		return err
	}
	council, err := c.node().Council(ctx)
	if err != nil {
		return err
	}
	r := memberLsResult{Members: members, Needed: council.Needed, Guests: council.Guests, Applications: []applicant{}, Revocations: council.Revocations, Unseated: council.Unseated}
	for _, a := range council.Applications {
		r.Applications = append(r.Applications, applicant{a, croft.CheckDigits(croft.NetworkID(g.Hash()), a.Newcomer)})
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "member.ls.head")
		for _, m := range r.Members {
			tell(w, "member.ls.row", m.Name, m.ID.Short(), role(m))
		}
		for _, g := range r.Guests {
			tell(w, "member.guest", g.Name, g.ID.Short(), g.Host.Name)
		}
		for _, a := range r.Applications {
			ref := a.Newcomer.ID.Short()
			if !slices.ContainsFunc(r.Applications, func(b applicant) bool { return b.Newcomer.Name == a.Newcomer.Name && b.Newcomer.ID != a.Newcomer.ID }) {
				ref = api.Quote(a.Newcomer.Name)
			}
			fmt.Fprintln(w, c.applies(a, r.Needed, ref))
		}
		for _, v := range r.Revocations {
			c.advise(w, "member.ls.revocation", v.Name, names(v.Yes), len(v.Yes), r.Needed, api.Quote(v.Name))
		}
		for _, v := range r.Unseated {
			c.advise(w, "member.ls.unseated", v.Name, len(v.Yes), r.Needed, api.Quote(v.Name))
		}
	})
}

// applies says how an application stands; so many votes decide. ref is what a vote calls
// the newcomer: its name, if no other has it.
func (c *cli) applies(a applicant, needed int, ref string) string {
	switch a.Standing {
	case ledger.Arrived.String():
		return say("member.ls.arrived", a.Newcomer.Name, a.By.Name)
	case ledger.Late.String():
		return say("member.ls.late", a.Newcomer.Name, a.By.Name)
	}
	if a.Guest {
		return c.here("member.ls.guest", a.Newcomer.Name, a.By.Name, a.Digits, ref)
	}
	return c.here("member.ls.applies", a.Newcomer.Name, a.By.Name, a.Digits, len(a.Yes), needed, ref)
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
