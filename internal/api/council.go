package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/ledger"
)

// Council is what a person needs to invite, to vote, and to see how votes stand.
type Council struct {
	Next         uint64          `json:"next"`   // the number of this member's next vote
	Needed       int             `json:"needed"` // votes that decide a question
	Voter        bool            `json:"voter"`  // this node's owner has one: guests and who was revoked do not
	Node         croft.PublicKey `json:"node"`   // this node's key: an invite names it
	Addrs        []string        `json:"addrs"`  // where others reach this node
	Applications []Application   `json:"applications"`
	Revocations  []Revocation    `json:"revocations"`
	Unseated     []Revocation    `json:"unseated"` // who lost its seat, and who would give it back
	Guests       []Guest         `json:"guests"`
	Invites      []Invite        `json:"invites"`
	Supply       []Supply        `json:"supply"` // what is asked about credits
	Stop         []Party         `json:"stop"`   // who wants the emergency stop
	Resume       []Party         `json:"resume"` // who wants it to end
}

// Application is a newcomer who is not admitted yet.
type Application struct {
	Newcomer croft.Member `json:"newcomer"`        // exactly what a vote admits
	Standing string       `json:"standing"`        // arrived, pending, late
	By       Party        `json:"by"`              // who invited
	Invite   string       `json:"invite"`          // by which key
	Guest    bool         `json:"guest,omitempty"` // one vote lets it in, and no vote is its own
	Yes      []Party      `json:"yes"`
}

// Revocation is a member whom somebody wants to leave, or one that lost its seat and
// whom somebody wants to have it again.
type Revocation struct {
	Party
	Yes []Party `json:"yes"`
}

// Supply is an open question on how many credits there are.
type Supply struct {
	Burn    bool          `json:"burn"` // they go; else they come
	Account Party         `json:"account"`
	Amount  croft.Credits `json:"amount"`
	Yes     []Party       `json:"yes"`
}

// Guest is somebody whom one member lets use the market.
type Guest struct {
	Party
	Host   Party       `json:"host"`
	Record ledger.Host `json:"record"` // what its host said of it last
}

// Invite is an invite as the ledger holds it.
type Invite struct {
	Key     string    `json:"key"`
	By      Party     `json:"by"`
	Expires time.Time `json:"expires"`
	Uses    uint8     `json:"uses"`
	Used    uint8     `json:"used"`
	Auto    bool      `json:"auto"` // it casts its maker's vote
	Guest   bool      `json:"guest,omitempty"`
}

// Question is what the members decide by vote, and this one has not voted for.
type Question struct {
	Says string `json:"says"`
	Next string `json:"next"` // the command that votes, or shows more
}

// questions returns what waits for a vote of this node's owner.
func (c Council) questions(self Party, stopped bool) []Question {
	out := []Question{}
	if !c.Voter {
		return out
	}
	vote := func(on string, yes []Party, next string) {
		if slices.Contains(yes, self) {
			return
		}
		by := ""
		if len(yes) > 0 {
			by = ", by " + parties(yes)
		}
		out = append(out, Question{fmt.Sprintf("a vote %s%s, %d of %d", on, by, len(yes), c.Needed), next})
	}
	if stopped {
		vote("to go on after the stop", c.Resume, "croft network resume")
	} else if len(c.Stop) > 0 {
		vote("to stop everything", c.Stop, "croft network stop")
	}
	for _, a := range c.Applications {
		if a.Standing != ledger.Pending.String() || slices.Contains(a.Yes, self) {
			continue
		}
		as := " wants to become a member"
		if a.Guest {
			as = " wants to become a guest"
		}
		out = append(out, Question{a.Newcomer.Name + as, "croft member ls"})
	}
	for _, r := range c.Revocations {
		vote("that "+r.Name+" leaves", r.Yes, "croft member revoke "+Quote(r.Name))
	}
	for _, r := range c.Unseated {
		if len(r.Yes) > 0 {
			vote("that "+r.Name+", which lied as a seat, may be one again", r.Yes, "croft member approve "+Quote(r.Name))
		}
	}
	for _, q := range c.Supply {
		on, verb := "on new credits for %s (%v)", "mint"
		if q.Burn {
			on, verb = "to take credits of %s back (%v)", "burn"
		}
		vote(fmt.Sprintf(on, q.Account.Name, q.Amount), q.Yes, fmt.Sprintf("croft wallet %s %s --amount %v", verb, Quote(q.Account.Name), q.Amount))
	}
	return out
}

func (s Services) council(r *http.Request) (Council, error) {
	ctx := r.Context()
	last, _, err := record[uint64](ctx, s, ledger.SequenceKey(s.Self))
	if err != nil {
		return Council{}, err
	}
	members, err := s.members(r)
	if err != nil {
		return Council{}, err
	}
	out := Council{Next: last + 1, Node: s.Node, Applications: []Application{}, Revocations: []Revocation{}, Unseated: []Revocation{}, Supply: []Supply{}, Guests: []Guest{}, Invites: []Invite{}}
	if s.Addrs != nil {
		out.Addrs = s.Addrs()
	}
	voters := map[croft.MemberID]bool{}
	for _, m := range members {
		voters[m.ID] = !m.Revoked
		if !m.Revoked {
			out.Needed++
		}
	}
	out.Needed, out.Voter = ledger.Majority(out.Needed), voters[s.Self]
	var unread error // the first ballot that could not be read
	yes := func(v ledger.Vote) []Party {
		ballot, _, err := record[ledger.Ballot](ctx, s, ledger.BallotKey(v))
		if err != nil && unread == nil {
			unread = err
		}
		voted := slices.DeleteFunc(ballot.Yes, func(id croft.MemberID) bool { return !voters[id] })
		return s.parties(ctx, voted)
	}
	for _, m := range members {
		if m.Revoked { // in a rescue, say, and a vote on it was open
			continue
		}
		if against := yes(ledger.Vote{Action: ledger.Revoke, Subject: m.ID}); len(against) > 0 {
			out.Revocations = append(out.Revocations, Revocation{m.Party, against})
		}
		if m.Unseated {
			out.Unseated = append(out.Unseated, Revocation{m.Party, yes(ledger.Vote{Action: ledger.Seat, Subject: m.ID})})
		}
	}
	out.Stop, out.Resume = yes(ledger.Vote{Action: ledger.StopAll}), yes(ledger.Vote{Action: ledger.Resume})
	supply, _, err := record[ledger.Supply](ctx, s, ledger.SupplyKey)
	if err != nil {
		return Council{}, err
	}
	ballots, err := all[ledger.Ballot](s, "ballot/")
	if err != nil {
		return Council{}, err
	}
	for _, b := range ballots {
		if q := b.record.Supply; q != nil && q.Issue.Number == supply.Decisions+1 {
			out.Supply = append(out.Supply, Supply{q.Action == ledger.Burn, s.party(ctx, q.Issue.Account), q.Issue.Amount, yes(ledger.Vote{Action: q.Action, Issue: &q.Issue})})
		}
	}
	guests, err := all[ledger.Guest](s, "guest/")
	if err != nil {
		return Council{}, err
	}
	for _, g := range guests {
		if g := g.record; !g.Gone {
			out.Guests = append(out.Guests, Guest{Party{g.ID, g.Name}, s.party(ctx, g.Host), ledger.Host{Key: g.Key, Name: g.Name, Version: g.Version}})
		}
	}
	invites, err := all[ledger.Invitation](s, "invite/")
	if err != nil {
		return Council{}, err
	}
	by := map[string]croft.MemberID{}
	for _, v := range invites {
		by[v.key] = v.record.By
		out.Invites = append(out.Invites, Invite{Key: v.name, By: s.party(ctx, v.record.By), Expires: time.Unix(v.record.Expires, 0).UTC(),
			Uses: v.record.Uses, Used: v.record.Used, Auto: v.record.Auto, Guest: v.record.Guest})
	}
	applications, err := all[ledger.Application](s, "application/")
	if err != nil {
		return Council{}, err
	}
	for _, a := range applications {
		if a.record.Standing < ledger.Admitted {
			out.Applications = append(out.Applications, Application{Newcomer: a.record.Newcomer, Standing: a.record.Standing.String(),
				By: s.party(ctx, by[ledger.InviteKey(a.record.Invite)]), Invite: croft.Hash(a.record.Invite).String(), Guest: a.record.Guest,
				Yes: yes(ledger.Vote{Action: ledger.Admit, Newcomer: &a.record.Newcomer})})
		}
	}
	if unread != nil {
		return Council{}, unread
	}
	return out, nil
}

// entry is a record with its key, and what follows the prefix.
type entry[T any] struct {
	key, name string
	record    T
}

// all reads every record under a prefix, in order of keys.
func all[T any](s Services, prefix string) (out []entry[T], err error) {
	trouble := s.Ledger.Range(prefix, func(key string, raw []byte) {
		record, _, wrong := ledger.Decode[T](raw)
		if wrong != nil {
			err = wrong
		}
		out = append(out, entry[T]{key, strings.TrimPrefix(key, prefix), record})
	})
	if trouble != nil {
		return nil, trouble
	}
	return out, err
}

// Council returns what this member may vote on, and the network's invites.
func (c *Client) Council(ctx context.Context) (Council, error) {
	return ask[Council](ctx, c, "council")
}
