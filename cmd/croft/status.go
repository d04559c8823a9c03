package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
)

func (c *cli) statusVerb() *cobra.Command {
	return c.verb("status", "status", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.status(ctx) })
}

type statusResult struct {
	api.Status
	Nodes      []api.Peer        `json:"peers"`
	Checkpoint *audit.Checkpoint `json:"checkpoint,omitempty"` // for another member to compare; none before the first block
	Supply     []api.Supply      `json:"supply"`               // what is asked about credits
	Stop       []api.Party       `json:"stop"`                 // who wants the emergency stop
	Resume     []api.Party       `json:"resume"`               // who wants it to end
}

// status says where the node and its network stand, and what waits for a person.
func (c *cli) status(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	peers, err := client.Peers(ctx)
	if err != nil {
		return err
	}
	council, err := client.Council(ctx)
	if err != nil && !errors.Is(err, croft.ErrNoQuorum) { // a light node that has found nobody yet still says so
		return err
	}
	g, err := c.genesis()
	if err != nil {
		return err
	}
	r := statusResult{Status: s, Nodes: peers, Supply: council.Supply, Stop: council.Stop, Resume: council.Resume}
	if s.Height > 0 {
		r.Checkpoint = &audit.Checkpoint{Network: croft.NetworkID(g.Hash()), Height: s.Height, AppHash: s.AppHash}
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("status.member", s.Member.Name, s.Member.ID.Short()))
		if s.Members == 0 { // all it knows is the genesis
			fmt.Fprintln(w, say("status.new", g.Name, s.Scope.Network.Short()))
			if s.Light {
				fmt.Fprintln(w, say("status.light"))
			}
			fmt.Fprintln(w, say("status.noblock"))
			printPeers(w, peers)
			return
		}
		fmt.Fprintln(w, say("status.network", s.NetworkName, s.Scope.Network.Short(), count(s.Members, "member", "members")))
		if s.Left {
			fmt.Fprintln(w, say("status.left"))
		}
		if s.Light {
			fmt.Fprintln(w, say("status.light"))
		}
		state := say("status.current")
		switch {
		case s.Left:
			state = say("status.ended")
		case s.Stopped:
			state = say("status.stopped")
		case !s.Moves && len(s.Orderers) > 0:
			state = stands(s)
		case s.CatchingUp:
			state = say("status.catching")
		}
		fmt.Fprintln(w, say("status.ledger", s.Height, day(s.BlockTime), state))
		if r.Checkpoint != nil {
			fmt.Fprintln(w, say("status.checkpoint", r.Checkpoint))
		}
		if s.Rest != nil {
			fmt.Fprintln(w, say("status.rest", s.Rest.Span()))
		}
		order := "status.many"
		if len(s.Orderers) == 1 {
			order = "status.one"
		}
		fmt.Fprintln(w, say("status.order", names(s.Orderers), say(order)))
		printPeers(w, peers)
		if load := s.Relay; load != nil {
			fmt.Fprintln(w, say("status.relay", count(load.Circuits, "circuit", "circuits"), megabytes(load.Bytes), megabytes(load.Left)))
		}
		for _, st := range s.Studies {
			fmt.Fprintln(w, say("status.study", st.Name, standing(st), st.ID.Short()))
		}
		open := "" // the vote on the emergency stop that waits for this member
		switch {
		case !s.Stopped && len(r.Stop) > 0 && !votes(r.Stop, s.Member.ID):
			open = say("status.stop", names(r.Stop), len(r.Stop), council.Needed)
		case s.Stopped && !votes(r.Resume, s.Member.ID):
			open = say("status.resume", len(r.Resume), council.Needed)
		}
		questions := slices.DeleteFunc(slices.Clone(r.Supply), func(q api.Supply) bool { return votes(q.Yes, s.Member.ID) })
		if open != "" {
			fmt.Fprintln(w, open)
		} else if len(s.Waiting)+len(s.Newcomers)+len(questions) == 0 {
			fmt.Fprintln(w, say("status.nothing"))
		}
		for _, name := range s.Newcomers {
			fmt.Fprintln(w, say("status.newcomer", name))
		}
		for _, q := range questions {
			fmt.Fprintln(w, onSupply(q, council.Needed))
		}
		for _, st := range s.Waiting {
			fmt.Fprintln(w, say("status.waiting", st.Name, st.Proposer.Name, st.ID.Short()))
		}
	})
}

// megabytes writes an amount as limits of relays are given.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func printPeers(w io.Writer, peers []api.Peer) {
	for _, p := range peers {
		state := "status.away"
		if p.Connected {
			state = "status.connected"
		}
		if p.Relayed {
			state = "status.relayed"
		}
		fmt.Fprintln(w, say("status.peer", p.Name, say(state)))
	}
}

// standing is a study's status and, once it has begun, its round.
func standing(st api.Summary) string {
	if round := st.Current(); round > 0 {
		return say("status.round", st.Status, round)
	}
	return st.Status
}
