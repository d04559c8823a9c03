package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) memberApproveVerb() *verb {
	return c.verb("member.approve", "approve NAME", one(c.memberApprove))
}

// voteResult is what a vote did.
type voteResult struct {
	Member  croft.MemberID `json:"member"`
	Name    string         `json:"name"`
	Decided bool           `json:"decided"`
	Missing int            `json:"missing"` // votes that are still needed
}

// memberApprove casts this member's vote for a newcomer, whose record is signed as
// it is; the digits are computed here, from what is signed.
func (c *cli) memberApprove(ctx context.Context, ref string) error {
	p, council, err := c.voter(ctx)
	if err != nil {
		return err
	}
	var found []api.Application
	for _, a := range council.Applications {
		if a.Standing == ledger.Pending.String() && named(ref, a.Newcomer.Name, a.Newcomer.ID) {
			found = append(found, a)
		}
	}
	for _, m := range council.Unseated {
		if len(found) == 0 && named(ref, m.Name, m.ID) {
			return c.memberReseat(ctx, p, council, m)
		}
	}
	switch {
	case len(found) == 0:
		return croft.E(croft.ErrNotFound, say("member.applicant"), ref, "croft member ls")
	case len(found) > 1:
		return croft.E(croft.ErrUsage, say("member.approve.several", ref), "croft member ls")
	}
	a := found[0]
	if votes(a.Yes, p.self) {
		return croft.E(croft.ErrConflict, say("member.voted"), "croft member ls")
	}
	c.progress("member.approve.shows", a.Newcomer.Name, a.By.Name, croft.CheckDigits(p.genesis, a.Newcomer))
	question, done := "member.approve.ask", "member.approve.done"
	if a.Guest {
		question, done, council.Needed = "member.approve.guest.ask", "member.approve.guest.done", 1
	}
	if err := c.confirm(ctx, question, a.Newcomer.Name); err != nil {
		return err
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Admit, Newcomer: &a.Newcomer}, len(a.Yes))
	if err != nil {
		return err
	}
	return c.voted(voteResult{a.Newcomer.ID, a.Newcomer.Name, missing == 0, missing}, done, "member.approve.waits")
}

// voted says what a vote did, in the words under one of two keys.
func (c *cli) voted(r voteResult, done, waits string) error {
	return c.result(r, func(w io.Writer) {
		if r.Decided {
			tell(w, done, r.Name)
			return
		}
		tell(w, waits, r.Name, count(r.Missing, "vote is", "votes are"))
	})
}

// memberReseat casts this member's vote that one that lied as a seat may be one again.
func (c *cli) memberReseat(ctx context.Context, p *person, council api.Council, m api.Revocation) error {
	if votes(m.Yes, p.self) {
		return croft.E(croft.ErrConflict, say("member.voted"), "croft member ls")
	}
	if err := c.confirm(ctx, "member.reseat.ask", m.Name); err != nil {
		return err
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Seat, Subject: m.ID}, len(m.Yes))
	if err != nil {
		return err
	}
	return c.voted(voteResult{m.ID, m.Name, missing == 0, missing}, "member.reseat.done", "member.approve.waits")
}

// vote signs a vote and hands it in. It returns how many more are needed, given
// those that there were.
func (c *cli) vote(ctx context.Context, p *person, council api.Council, v *ledger.Vote, before int) (missing int, err error) {
	v.Sequence = council.Next
	if _, err := c.submit(ctx, p, 0, v); err != nil {
		return 0, err
	}
	return max(0, council.Needed-before-1), nil
}

// named says whether a person means this member: by name, or by the beginning of
// its id.
func named(ref, name string, id croft.MemberID) bool {
	return ref == name || len(ref) >= 4 && strings.HasPrefix(id.String(), ref)
}

func votes(yes []api.Party, id croft.MemberID) bool {
	return slices.ContainsFunc(yes, func(p api.Party) bool { return p.ID == id })
}
