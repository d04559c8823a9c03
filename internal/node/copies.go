package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
	runs    map[p2p.PeerID]string        // the process that was greeted last
	heights map[p2p.PeerID]int64         // of their ledgers when they were greeted
	ahead   map[p2p.PeerID]time.Duration // this machine's clock of theirs, then
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
	said, last := time.UnixMilli(h.Time), n.Chain.Status().Time
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	if n.copies.runs == nil {
		n.copies.runs, n.copies.heights, n.copies.ahead = map[p2p.PeerID]string{}, map[p2p.PeerID]int64{}, map[p2p.PeerID]time.Duration{}
	}
	n.copies.runs[peer], n.copies.heights[peer] = h.Run, h.Height
	if delete(n.copies.ahead, peer); h.Time <= maxClock && said.After(last) { // else its own clock is wrong
		n.copies.ahead[peer] = time.Since(said)
	}
	return nil
}

// farAhead is how far this machine's clock may be before those of all others.
const farAhead = time.Hour

// clock keeps this node from ordering blocks by a clock that runs ahead: the ledger's
// time never goes back, and whoever orders alone makes it, so that a year too much would
// end every study, invite and window for good. A few may lie about theirs: two at least
// were greeted, and not one is near.
func (n *Node) clock() error {
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	least := time.Duration(math.MaxInt64)
	for _, ahead := range n.copies.ahead {
		least = min(least, ahead)
	}
	if len(n.copies.ahead) < 2 || least < farAhead {
		return nil
	}
	return fmt.Errorf("this machine's clock is %s ahead of those of all other members: no block is made before it is set", least.Round(time.Minute))
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
