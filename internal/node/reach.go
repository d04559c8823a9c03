package node

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/p2p"
)

// A node cannot see by itself whether others can dial it, or whose clock is wrong.
// So it asks the other members' nodes, when a person wants to know: each says the
// time, and dials back.

// The bounds of a question to all.
const (
	askTime      = 8 * time.Second  // for one neighbour's answers
	maxDialBack  = 8                // addresses that one asks to be dialled at
	dialBackRest = 10 * time.Second // between two requests of one member
	maxEngine    = 64               // bytes of an engine's name that are believed
	maxClock     = 1 << 43          // Unix milliseconds: the year 2248
)

// around is what a node last heard from its neighbours, and did for them.
type around struct {
	mu      sync.Mutex
	heard   []api.Neighbour
	at      time.Time                // when it asked; zero: never
	dialled map[p2p.PeerID]time.Time // when a member last asked to be dialled
}

// neighbours returns what the other members' nodes said when they were last asked,
// and when that was. Anew asks them all, at the same time, unless that was just now.
func (n *Node) neighbours(ctx context.Context, anew bool) ([]api.Neighbour, time.Time) {
	n.around.mu.Lock()
	last := n.around.at
	n.around.mu.Unlock()
	if anew && time.Since(last) >= dialBackRest {
		var heard []api.Neighbour
		for _, m := range n.everybody() {
			if n.meets(m) {
				heard = append(heard, api.Neighbour{Party: api.Party{ID: m.ID, Name: m.Name}})
			}
		}
		var all sync.WaitGroup
		for i := range heard {
			all.Go(func() { n.askNeighbour(ctx, &heard[i]) })
		}
		all.Wait()
		n.around.mu.Lock()
		n.around.heard, n.around.at = heard, time.Now()
		n.around.mu.Unlock()
	}
	n.around.mu.Lock()
	defer n.around.mu.Unlock()
	return slices.Clone(n.around.heard), n.around.at
}

// dialBack is a request to be dialled at these addresses, and the answer: at which
// of them it worked.
type dialBack struct {
	Addrs []string `json:"addrs"`
}

func (n *Node) askNeighbour(ctx context.Context, to *api.Neighbour) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	peer, _ := n.peerOf(to.ID)
	begun := time.Now()
	answer, err := n.Host.Call(ctx, peer, helloProtocol, nil, maxHello)
	took := time.Since(begun)
	var h hello
	if err == nil {
		err = json.Unmarshal(answer, &h)
	}
	if err != nil || h.Time <= 0 || h.Time > maxClock || len(h.Engine) > maxEngine {
		return
	}
	to.Answers, to.Height, to.Engine = true, h.Height, h.Engine
	to.RoundTrip, to.Ahead = took.Milliseconds(), h.Time-begun.Add(took/2).UnixMilli()

	own := p2p.Direct(n.Host.Addrs())
	request, _ := json.Marshal(dialBack{own[:min(len(own), maxDialBack)]})
	if answer, err = n.Host.Call(ctx, peer, reachProtocol, request, maxHello); err != nil {
		return // it is busy, or does not offer this
	}
	var reached dialBack
	if json.Unmarshal(answer, &reached) == nil {
		to.Dialled = true
		to.Reaches = slices.DeleteFunc(reached.Addrs, func(a string) bool { return !slices.Contains(own, a) })
	}
}

// reach answers a member that wants to know where it can be dialled.
func (n *Node) reach(ctx context.Context, from p2p.PeerID, request []byte) ([]byte, error) {
	var asked, reached dialBack
	if err := json.Unmarshal(request, &asked); err != nil {
		return nil, croft.E(croft.ErrEncoding, "request to be dialled", err)
	}
	if len(asked.Addrs) > maxDialBack {
		return nil, croft.E(croft.ErrTooLarge, len(asked.Addrs), maxDialBack)
	}
	if !n.mayAsk(from, time.Now()) {
		return nil, croft.E(croft.ErrPeer, n.Member.Name, "it dialled back a moment ago")
	}
	worked := make([]bool, len(asked.Addrs))
	var all sync.WaitGroup
	for i, addr := range asked.Addrs {
		all.Go(func() { worked[i] = n.Host.Probe(ctx, from, addr) == nil })
	}
	all.Wait()
	for i, addr := range asked.Addrs {
		if worked[i] {
			reached.Addrs = append(reached.Addrs, addr)
		}
	}
	return json.Marshal(reached)
}

// mayAsk says whether a member may have itself dialled now: each now and then, so
// that nobody has this node knock at doors all day.
func (n *Node) mayAsk(from p2p.PeerID, now time.Time) bool {
	n.around.mu.Lock()
	defer n.around.mu.Unlock()
	if n.around.dialled == nil {
		n.around.dialled = map[p2p.PeerID]time.Time{}
	}
	if last, before := n.around.dialled[from]; before && now.Sub(last) < dialBackRest {
		return false
	}
	n.around.dialled[from] = now
	return true
}

func (n *Node) peerOf(id croft.MemberID) (p2p.PeerID, bool) {
	for _, m := range n.everybody() {
		if m.ID == id {
			return p2p.PeerOf(m.Node), true
		}
	}
	return "", false
}
