package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/p2p"
)

// A node that others cannot dial is reached through members that offer to relay. Whether
// it can be dialled only others know: it asks them, and if any of them does not get
// through (those in its own building may) it keeps a place at two relays, so that one
// may go. So it does if one is away: that may be up, and neither of the two able to dial
// the other, as where one has IPv4 alone and one IPv6.

const (
	maxPlaces = 2
	lookAgain = 10 * time.Minute // less than a relay keeps a place
	lookSoon  = 5 * time.Second  // nobody could say, or no relay had a place; and then ever later
	placeTime = 10 * time.Second // for one relay's answer
)

// way is what a node knows of its way in.
type way struct {
	news   chan struct{} // something changed: look again
	mu     sync.Mutex
	relays map[p2p.PeerID]bool // members that offer to relay
}

func newWay() *way { return &way{news: make(chan struct{}, 1), relays: map[p2p.PeerID]bool{}} }

// look asks to look again.
func (w *way) look() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// offers takes note of whether a member offers to relay.
func (w *way) offers(peer p2p.PeerID, relays bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.relays[peer] != relays {
		w.relays[peer] = relays
		w.look()
	}
}

// keepWay sees to it that this node can be reached.
func (n *Node) keepWay(ctx context.Context) error {
	for soon := lookSoon; ; {
		pause := lookAgain
		if relays := n.relays(); len(relays) > 0 {
			through, tried := 0, 1
			if n.allHere(n.everybody()) {
				through, tried = n.reached(ctx)
			}
			placed := through < tried && n.takePlaces(ctx, relays)
			if tried == 0 || through == 0 && !placed {
				pause, soon = soon, min(2*soon, lookAgain)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.way.news:
			soon = lookSoon
		case <-time.After(pause):
		}
	}
}

// allHere says whether those of the members whom this node meets are connected.
func (n *Node) allHere(members []croft.Member) bool {
	connected := n.Host.Connected()
	return !slices.ContainsFunc(members, func(m croft.Member) bool {
		return n.meets(m) && !slices.Contains(connected, p2p.PeerOf(m.Node))
	})
}

// reached says how many other members' nodes get through to this one without a relay,
// of how many that tried.
func (n *Node) reached(ctx context.Context) (through, tried int) {
	if len(p2p.Direct(n.Host.Addrs())) == 0 {
		return 0, 1 // there is nothing to try
	}
	heard, _ := n.neighbours(ctx, true)
	for _, o := range heard {
		if o.Dialled {
			tried++
		}
		if len(o.Reaches) > 0 {
			through++
		}
	}
	return through, tried
}

// relays returns the members that offer to relay, sorted.
func (n *Node) relays() (relays []p2p.PeerID) {
	n.way.mu.Lock()
	defer n.way.mu.Unlock()
	for peer, offers := range n.way.relays {
		if offers && n.admits(peer) {
			relays = append(relays, peer)
		}
	}
	slices.Sort(relays)
	return relays
}

// takePlaces takes places at relays, or keeps them. It says whether there is one.
func (n *Node) takePlaces(ctx context.Context, relays []p2p.PeerID) bool {
	taken := 0
	for _, peer := range relays {
		within, cancel := context.WithTimeout(ctx, placeTime)
		_, err := n.Host.Reserve(within, peer)
		cancel()
		if err != nil {
			n.cfg.Log.Debug("relay", "peer", peer, "why", err)
			continue
		}
		n.cfg.Log.Info("relay", "peer", peer)
		if taken++; taken == maxPlaces {
			break
		}
	}
	return taken > 0
}
