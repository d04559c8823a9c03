package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"croft"
	"croft/internal/p2p"
)

// Two running copies of one node would answer for it by turns and vote twice. A
// node that is greeted by a copy of one that it knows asks over every connection to
// that key who is there: if the old one answers, the new one is turned away, and
// stops. Only an answer counts, since the old one may have lost its power a second
// ago.

// copies is what a node knows of the others' processes.
type copies struct {
	mu      sync.Mutex
	runs    map[p2p.PeerID]string // the process that was greeted last
	heights map[p2p.PeerID]int64  // of their ledgers when they were greeted
}

// greeted takes note of a greeting. It fails with croft.ErrCopyRuns if another
// process with the same key still answers, and with croft.ErrChain if the network was
// rescued and one of the two has not changed over.
func (n *Node) greeted(ctx context.Context, peer p2p.PeerID, h hello) error {
	if here := n.genesis.Scope().Chain; h.Chain != "" && h.Chain != here {
		return croft.E(croft.ErrChain, n.Member.Name, here, fmt.Sprintf("%.50q", h.Chain))
	}
	n.copies.mu.Lock()
	before := n.copies.runs[peer]
	n.copies.mu.Unlock()
	if before != "" && before != h.Run {
		within, cancel := context.WithTimeout(ctx, probe)
		defer cancel()
		for _, answer := range n.Host.Poll(within, peer, helloProtocol, maxHello) {
			var other hello
			if json.Unmarshal(answer, &other) == nil && other.Run == before {
				return croft.E(croft.ErrCopyRuns, n.Member.Name)
			}
		}
	}
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	if n.copies.runs == nil {
		n.copies.runs, n.copies.heights = map[p2p.PeerID]string{}, map[p2p.PeerID]int64{}
	}
	n.copies.runs[peer], n.copies.heights[peer] = h.Run, h.Height
	return nil
}

// probe is how long a process that may be gone is waited for.
const probe = 2 * time.Second

// turnedAway is the error of a node that a peer turned away as a copy. One that was
// restored believes any; another one only if nobody has
// taken it in before, or one liar could stop it.
func (n *Node) turnedAway(err error) error {
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	if errors.Is(err, croft.ErrCopyRuns) && (n.cfg.observe || len(n.copies.heights) == 0) {
		return err
	}
	return nil
}
