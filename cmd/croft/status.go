package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
	"croft/internal/ledger"
)

func (c *cli) statusVerb() *cobra.Command {
	return c.verb("status", "status", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.status(ctx) })
}

type statusResult struct {
	api.Status
	Nodes      []api.Peer        `json:"peers"`
	Checkpoint *audit.Checkpoint `json:"checkpoint,omitempty"` // for another member to compare; none before the first block
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
	g, err := c.genesis()
	if err != nil {
		return err
	}
	r := statusResult{Status: s, Nodes: peers}
	if s.Height > 0 {
		r.Checkpoint = &audit.Checkpoint{Network: croft.NetworkID(g.Hash()), Height: s.Height, AppHash: s.AppHash}
	}
	return c.result(r, func(w io.Writer) { c.printStatus(w, r, g.Name) })
}

// printStatus says it to a person.
func (c *cli) printStatus(w io.Writer, r statusResult, network string) {
	fmt.Fprintln(w, say("status.member", r.Member.Name, r.Member.ID.Short()))
	if r.Members == 0 { // all it knows is the genesis
		fmt.Fprintln(w, say("status.new", network, r.Scope.Network.Short()))
		if r.Light {
			fmt.Fprintln(w, say("status.light"))
		}
		fmt.Fprintln(w, say("status.noblock"))
		printPeers(w, r.Nodes)
		return
	}
	fmt.Fprintln(w, say("status.network", r.NetworkName, r.Scope.Network.Short(), count(r.Members, "member", "members")))
	if r.Left {
		fmt.Fprintln(w, c.here("status.left"))
	}
	if r.Light {
		fmt.Fprintln(w, say("status.light"))
	}
	fmt.Fprintln(w, say("status.ledger", r.Height, day(r.BlockTime), r.ledger()))
	if r.Checkpoint != nil {
		fmt.Fprintln(w, say("status.checkpoint", r.Checkpoint))
	}
	if r.Rest != nil {
		fmt.Fprintln(w, say("status.rest", r.Rest.Span()))
	}
	order := "status.many"
	if len(r.Orderers) == 1 {
		order = "status.one"
	}
	fmt.Fprintln(w, say("status.order", names(r.Orderers), say(order)))
	printPeers(w, r.Nodes)
	if load := r.Relay; load != nil {
		fmt.Fprintln(w, say("status.relay", count(load.Circuits, "circuit", "circuits"), megabytes(load.Bytes), megabytes(load.Left)))
	}
	for _, st := range r.Studies {
		fmt.Fprintln(w, say("status.study", st.Name, standing(st), st.ID.Short()))
		switch {
		case st.Doubt:
			fmt.Fprintln(w, say("study.because", say("study.doubt")))
		case st.Status == ledger.Paused.String():
			fmt.Fprintln(w, say("study.because", say("study.paused", names(st.Waits))))
		}
	}
	for _, q := range r.Votes {
		fmt.Fprintln(w, say("status.vote", q.Says, c.pointed(q.Next)))
	}
	for _, st := range r.Waiting {
		fmt.Fprintln(w, c.here("status.waiting", st.Name, st.Proposer.Name, st.ID.Short()))
	}
	if len(r.Votes)+len(r.Waiting) == 0 {
		fmt.Fprintln(w, say("status.nothing"))
	}
}

// ledger says whether the ledger moves, and why it does not.
func (r statusResult) ledger() string {
	switch {
	case r.Left:
		return say("status.ended")
	case r.Stopped:
		return say("status.stopped")
	case !r.Moves && len(r.Orderers) > 0:
		return stands(r.Status)
	case r.CatchingUp:
		return say("status.catching")
	}
	return say("status.current")
}

// megabytes writes an amount as limits of relays are given.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func printPeers(w io.Writer, peers []api.Peer) {
	for _, p := range peers {
		state := "status.away"
		switch {
		case p.Relayed:
			state = "status.relayed"
		case p.Connected:
			state = "status.connected"
		case p.Unmet:
			state = "status.unmet"
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
