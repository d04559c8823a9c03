package main

import (
	"context"
	"fmt"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
	"croft/internal/ledger"
)

func (c *cli) statusVerb() *verb { return c.verb("status", "status", none(c.status)) }

type statusResult struct {
	api.Status
	Nodes      []api.Peer        `json:"peers"`
	Checkpoint *audit.Checkpoint `json:"checkpoint,omitempty"` // for another member to compare; none before the first block
}

// status says where the node and its network stand, and what waits for a person.
func (c *cli) status(ctx context.Context) error {
	s, err := c.node().Status(ctx)
	if err != nil {
		return err
	}
	peers, err := c.node().Peers(ctx)
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
	tell(w, "status.member", r.Member.Name, r.Member.ID.Short())
	if r.Members == 0 { // all it knows is the genesis
		tell(w, "status.new", network, r.Scope.Network.Short())
		if r.Light {
			tell(w, "status.light")
		}
		tell(w, "status.noblock")
		printPeers(w, r.Nodes)
		return
	}
	tell(w, "status.network", r.NetworkName, r.Scope.Network.Short(), count(r.Members, "member", "members"))
	if r.Left {
		c.advise(w, "status.left")
	}
	if r.Light {
		tell(w, "status.light")
	}
	tell(w, "status.ledger", r.Height, day(r.BlockTime), r.ledger())
	if r.Checkpoint != nil {
		tell(w, "status.checkpoint", r.Checkpoint)
	}
	if r.Rest != nil {
		tell(w, "status.rest", r.Rest.Span())
	}
	order := "status.many"
	if len(r.Orderers) == 1 {
		order = "status.one"
	}
	tell(w, "status.order", names(r.Orderers), say(order))
	printPeers(w, r.Nodes)
	if load := r.Relay; load != nil {
		tell(w, "status.relay", count(load.Circuits, "circuit", "circuits"), megabytes(load.Bytes), megabytes(load.Left))
	}
	for _, st := range r.Studies {
		tell(w, "status.study", st.Name, standing(st), st.ID.Short())
		switch {
		case st.Doubt:
			tell(w, "study.because", say("study.doubt"))
		case st.Status == ledger.Paused.String():
			tell(w, "study.because", say("study.paused", names(st.Waits)))
		}
	}
	for _, q := range r.Votes {
		tell(w, "status.vote", q.Says, c.pointed(q.Next))
	}
	for _, st := range r.Waiting {
		c.advise(w, "status.waiting", st.Name, st.Proposer.Name, st.ID.Short())
	}
	if len(r.Votes)+len(r.Waiting) == 0 {
		tell(w, "status.nothing")
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
		tell(w, "status.peer", p.Name, say(state))
	}
}

// standing is a study's status and, once it has begun, its round.
func standing(st api.Summary) string {
	if round := st.Current(); round > 0 {
		return say("status.round", st.Status, round)
	}
	return st.Status
}
