package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/api"
)

func (c *cli) netPeersVerb() *verb {
	return c.verb("net.peers", "peers", none(func(ctx context.Context) error { return c.net(ctx, false) }))
}

func (c *cli) netTestVerb() *verb {
	return c.verb("net.test", "test", none(func(ctx context.Context) error { return c.net(ctx, true) }))
}

// line is the connection to one other node, as both ends see it.
type line struct {
	api.Peer
	Heard  *api.Neighbour `json:"heard,omitempty"` // what it said when it was last asked; nil: it was not
	Behind int64          `json:"behind"`          // blocks that it lacked then, of those here
}

type netResult struct {
	Asked    time.Time     `json:"asked,omitzero"` // when the others were; zero: not since the node started
	Lines    []line        `json:"lines"`
	Findings []api.Finding `json:"findings,omitempty"` // of a test: whether others reach this node
}

// net shows the connections to the other nodes. Anew it asks each of them first, which
// answers and tries to dial back.
func (c *cli) net(ctx context.Context, anew bool) error {
	peers, err := c.node().Peers(ctx)
	if err != nil {
		return err
	}
	if anew {
		c.progress("doctor.asking")
	}
	health, err := c.node().Health(ctx, anew)
	if err != nil {
		return err
	}
	r := netResult{Asked: health.Asked, Lines: []line{}}
	for _, p := range peers {
		l := line{Peer: p}
		if at := slices.IndexFunc(health.Neighbours, func(n api.Neighbour) bool { return n.ID == p.Member }); at >= 0 {
			if l.Heard = &health.Neighbours[at]; l.Heard.Answers {
				l.Behind = max(0, health.Status.Height-l.Heard.Height)
			}
		}
		r.Lines = append(r.Lines, l)
	}
	if anew {
		r.Findings = slices.DeleteFunc(c.findings(health), func(f api.Finding) bool { return f.Check != "members" && f.Check != "reach" })
	}
	if err := c.result(r, func(w io.Writer) { c.printLines(w, r) }); err != nil {
		return err
	}
	return api.Unwell(r.Findings)
}

func (c *cli) printLines(w io.Writer, r netResult) {
	if len(r.Lines) == 0 {
		c.advise(w, "net.alone")
		return
	}
	tell(w, "net.head")
	for _, l := range r.Lines {
		way, answers, behind, reaches := "status.away", "–", "–", "–"
		switch {
		case l.Relayed:
			way = "status.relayed"
		case l.Connected:
			way = "net.direct"
		case l.Unmet:
			way = "net.unmet"
		}
		if n := l.Heard; n != nil && n.Answers {
			answers = say("net.ms", n.RoundTrip)
			if behind = say("net.level"); l.Behind > 1 { // one is on its way
				behind = count(int(l.Behind), "block", "blocks")
			}
			switch {
			case len(n.Reaches) > 0:
				reaches = strings.Join(ways(n.Reaches), ", ")
			case n.Dialled:
				reaches = say("net.unreached")
			}
		} else if n != nil {
			answers = say("net.silent")
		}
		tell(w, "net.row", l.Name, say(way), answers, behind, reaches)
	}
	if r.Asked.IsZero() {
		c.advise(w, "net.unasked")
	} else {
		tell(w, "net.asked", day(r.Asked))
	}
	printFindings(w, r.Findings)
}

// ways writes multiaddrs as people do: TCP 192.0.2.7:7421.
func ways(addrs []string) (out []string) {
	for _, text := range addrs {
		if a, ok := croft.ParseAddr(text); !ok {
			out = append(out, text)
		} else if a.QUIC {
			out = append(out, "QUIC "+a.AddrPort.String())
		} else {
			out = append(out, "TCP "+a.AddrPort.String())
		}
	}
	return out
}
