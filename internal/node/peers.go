package node

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/p2p"
	"croft/internal/store"
	"croft/internal/study"
)

// Nodes find each other by the addresses that they told each other before; the
// book of them is a document, so that a restart needs nobody's help. CometBFT's
// connections run through the same host as everything else.

// The protocols of a node.
const (
	helloProtocol = "hello/1" // where are you, and where are others?
	cometProtocol = "comet/1" // carries CometBFT's own connections
	txProtocol    = "tx/1"    // a transaction that waits too long for a block
	reachProtocol = "reach/1" // can you dial me?
)

const (
	addressKind = "address" // where a peer was last reached, by peer id
	listenName  = "listen"
)

// hello is what two nodes tell each other when they meet.
type hello struct {
	Addrs  []string `json:"addrs,omitempty"`  // where to reach the sender
	Others []string `json:"others,omitempty"` // in an answer: where to reach other members
	Run    string   `json:"run"`              // another one in each process
	Chain  string   `json:"chain"`            // of the sender's ledger
	Relay  bool     `json:"relay,omitempty"`  // the sender hands on connections to members that cannot be dialled
	Height int64    `json:"height"`           // of the sender's ledger
	Time   int64    `json:"time"`             // by the sender's clock, Unix milliseconds
	Engine string   `json:"engine"`           // the plan engine that it has
}

// hello is this node's greeting.
func (n *Node) hello() hello {
	load, _ := n.Host.Carries()
	return hello{Addrs: n.Host.Addrs(), Relay: load.Left > 0, Run: n.run, Chain: n.genesis.Scope().Chain, Height: n.Chain.Status().Height, Time: time.Now().UnixMilli(), Engine: croft.EngineVersion}
}

// maxHello bounds a greeting, maxSeeds the answer to a seat that asks for seeds.
const (
	maxHello = 32 << 10
	maxSeeds = 64 << 10
)

// serve answers what other members may ask. The host admits members only, and
// strangers to joining alone.
func (n *Node) serve() {
	n.Host.Handle(helloProtocol, maxHello, func(ctx context.Context, from p2p.PeerID, request []byte) ([]byte, error) {
		var h hello
		if len(request) == 0 { // it only asks who answers here
			return json.Marshal(n.hello())
		}
		if err := json.Unmarshal(request, &h); err != nil {
			return nil, croft.E(croft.ErrEncoding, "greeting", err)
		}
		if err := n.greeted(ctx, from, h); err != nil {
			return nil, err
		}
		n.learn(from, h.Addrs)
		n.way.offers(from, h.Relay)
		select {
		case n.knocked <- from: // it is here: greet it too
		default:
		}
		answer := n.hello()
		answer.Others = n.others(from)
		return json.Marshal(answer)
	})
	n.Host.Handle(study.SeedsProtocol, maxHello, func(ctx context.Context, from p2p.PeerID, request []byte) ([]byte, error) {
		m, err := n.insider(from)
		if err != nil {
			return nil, err
		}
		return n.Study.GiveSeeds(ctx, m.ID, request)
	})
	n.Host.Handle(study.AnswersProtocol, maxHello, func(ctx context.Context, from p2p.PeerID, request []byte) ([]byte, error) {
		m, err := n.insider(from)
		if err != nil {
			return nil, err
		}
		return n.Study.GiveAnswers(ctx, m.ID, request)
	})
	n.Host.Handle(reachProtocol, maxHello, n.reach)
	n.serveBlobs()
	if n.light != nil {
		return
	}
	n.Host.Handle(txProtocol, ledger.MaxTx, func(ctx context.Context, _ p2p.PeerID, tx []byte) ([]byte, error) {
		ended, end := context.WithCancel(ctx)
		end() // hand it in without waiting; its sender waits
		if err := n.Chain.Submit(ended, tx); !errors.Is(err, croft.ErrNoQuorum) {
			return nil, err
		}
		return nil, nil
	})
	n.Host.Welcome(joinProtocol, maxKnock, n.welcome)
	n.Host.Expose(cometProtocol, n.full.P2PAddr())
	n.answerLight()
}

// serveBlobs gives members the blobs of studies.
func (n *Node) serveBlobs() {
	p2p.ServeBlobs(n.Host, func(from p2p.PeerID, hash croft.Hash) ([]byte, error) {
		if _, err := n.insider(from); err != nil {
			return nil, err
		}
		return n.Blobs.Get(hash)
	})
}

// friend is a member as the node meets it.
type friend struct {
	croft.Member
	unlink func()    // ends what carries CometBFT's connection to it; nil: nothing does
	again  time.Time // when to greet it again
	misses int       // greetings in a row that were not answered
	left   time.Time // when it ceased to be a member: it still gets the block that says so
}

// The pauses between two greetings of one member.
const (
	greetAgain = 5 * time.Minute  // one that is connected, so that both know where the other is
	longestTry = 10 * time.Second // one that is not: what has gone must be found soon after it came back
)

// meets says whether this node keeps connected with a member's. Two light ones have
// little to say to each other, and call when they do; n of them would else keep n²
// connections, through a relay if they are not reached.
func (n *Node) meets(m croft.Member) bool {
	return m.ID != n.Self && (n.light == nil || !m.Light)
}

// meet greets every member again and again, and at once: those that are new, those
// that greeted this node, and all when it may have moved, or has slept: then a
// connection can be dead without anybody having said so. Of two nodes the one with
// the smaller id dials for CometBFT.
func (n *Node) meet(ctx context.Context) error {
	friends := map[p2p.PeerID]*friend{}
	moved := n.Chain.Watch(ctx)
	var awake wakefulness
	told := n.Host.Addrs()
	for {
		here := n.Host.Addrs()
		doubtful := awake.slept(time.Now()) || !slices.Equal(p2p.Direct(here), p2p.Direct(told)) // of connections
		news := doubtful || !slices.Equal(here, told)                                            // for the others
		if doubtful {
			n.Host.Moved()
		}
		if news {
			told = here
			n.way.look()
		}
		n.partFrom(friends)
		connected := n.Host.Connected()
		var due []*friend
		for _, m := range n.everybody() {
			if !n.meets(m) {
				continue
			}
			peer := p2p.PeerOf(m.Node)
			f := friends[peer]
			if f == nil {
				f = &friend{}
				friends[peer] = f
			}
			f.Member = m
			gone := f.misses == 0 && !slices.Contains(connected, peer) // it was connected when it was last greeted
			if news || gone || !time.Now().Before(f.again) {
				due = append(due, f)
			}
		}
		failures := make([]error, len(due))
		var all sync.WaitGroup
		for i, f := range due {
			all.Go(func() { failures[i] = n.greet(ctx, f, doubtful) })
		}
		all.Wait()
		for i, f := range due {
			if err := n.turnedAway(failures[i]); err != nil {
				return err
			}
			n.greetedBack(ctx, f, failures[i])
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case peer := <-n.knocked:
			if f := friends[peer]; f != nil && f.misses > 0 { // it is back, and there is a connection
				f.again = time.Time{}
			}
		case <-time.After(time.Second):
		}
	}
}

// partFrom lets go of those who are no members any more.
func (n *Node) partFrom(friends map[p2p.PeerID]*friend) {
	for peer, f := range friends {
		switch {
		case n.admits(peer):
		case f.left.IsZero():
			f.left = time.Now().Add(farewell)
		case n.full != nil && n.full.Orders(f.Validator): // what it orders last is not here yet
		case time.Now().After(f.left):
			if n.full != nil {
				n.full.Disconnect(f.Node)
			}
			if f.unlink != nil {
				f.unlink()
			}
			n.Host.Drop(peer)
			delete(friends, peer)
		}
	}
}

// greet greets a member. If connections are doubtful, those over which it does not
// answer are closed: the next call dials anew.
func (n *Node) greet(ctx context.Context, f *friend, doubtful bool) error {
	peer := p2p.PeerOf(f.Node)
	if addrs := n.places(peer, f.misses); len(addrs) > 0 && !slices.Contains(n.Host.Connected(), peer) {
		_ = n.Host.Learn(addrs...) // a damaged book entry is overwritten at the next greeting
	}
	greeting, _ := json.Marshal(n.hello())
	within, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	answer, err := n.Host.Call(within, peer, helloProtocol, greeting, maxHello)
	var h hello
	if err == nil && json.Unmarshal(answer, &h) != nil {
		err = croft.E(croft.ErrEncoding, "greeting", f.Name)
	}
	if err == nil {
		err = n.greeted(ctx, peer, h)
	}
	if err != nil {
		if doubtful && within.Err() != nil && ctx.Err() == nil {
			n.Host.Drop(peer)
		}
		return err
	}
	n.learn(peer, h.Addrs)
	n.hear(h.Others)
	n.way.offers(peer, h.Relay)
	if h.Relay && f.misses > 0 { // it was away: there may be a place now
		n.way.look()
	}
	return nil
}

// greetTime is how long a member may take to answer a greeting.
const greetTime = 5 * time.Second

// greetedBack says when a member is greeted next, and links one that answered.
func (n *Node) greetedBack(ctx context.Context, f *friend, err error) {
	if err != nil {
		f.again = time.Now().Add(min(time.Second<<min(f.misses, 8), longestTry))
		if f.misses++; errors.Is(err, croft.ErrChain) && f.misses == 1 {
			n.cfg.Log.Warn("meet", "peer", f.Name, "why", err)
		} else if f.misses == 2 { // perhaps it can reach this node, if no other way then through a relay
			n.way.look()
		}
		n.cfg.Log.Debug("meet", "peer", f.Name, "why", err)
		return
	}
	f.again, f.misses = time.Now().Add(greetAgain), 0
	peer := p2p.PeerOf(f.Node)
	if f.unlink != nil || n.Host.ID() > peer || n.light != nil || f.Light {
		return
	}
	link, unlink := context.WithCancel(ctx)
	addr, err := n.Host.Forward(link, peer, cometProtocol)
	if err == nil {
		err = n.full.Connect(f.Node, addr)
	}
	if err != nil {
		unlink()
		n.cfg.Log.Warn("meet", "peer", f.Name, "why", err)
		f.again = time.Time{}
		return
	}
	f.unlink = unlink
}

// wakefulness notices that the machine has slept: much more time has passed between
// two looks than this process was awake to see, by the clock on the wall, since the
// other one stands still in sleep.
type wakefulness struct{ last time.Time }

// longestLook is more than passes between two looks while the machine is awake.
const longestLook = 30 * time.Second

func (w *wakefulness) slept(now time.Time) bool {
	now = now.Round(0) // the clock on the wall
	gap := now.Sub(w.last)
	first := w.last.IsZero()
	w.last = now
	return !first && (gap > longestLook || gap < -longestLook)
}

// farewell is how long a revoked member's connections stay. It can call nobody any
// more, only hear why.
const farewell = 2 * time.Second

// learn takes note of a peer's addresses, now and for the next start.
func (n *Node) learn(peer p2p.PeerID, addrs []string) {
	addrs = slices.DeleteFunc(addrs, func(a string) bool { return !strings.HasSuffix(a, "/p2p/"+string(peer)) })
	addrs = addrs[:min(len(addrs), maxAddrs)]
	if len(addrs) == 0 || n.Host.Learn(addrs...) != nil {
		return
	}
	if slices.Equal(n.book(peer), addrs) {
		return
	}
	book, _ := json.Marshal(addrs)
	if err := n.Docs.Put(addressKind, strings.ToLower(croft.Sum([]byte(peer)).String()), book); err != nil {
		n.cfg.Log.Warn("address", "why", err)
	}
}

// maxAddrs bounds the addresses of one node that are believed.
const maxAddrs = 32

// maxOthers bounds what one member tells of the addresses of others at once.
const maxOthers = 64

// others returns where other members are, for one who is new or was away for long: as
// they say themselves, and where this node got through to them, which can be a router's
// address that they do not know of. Of a large network it is another part each time.
func (n *Node) others(caller p2p.PeerID) (addrs []string) {
	for _, m := range n.everybody() {
		if peer := p2p.PeerOf(m.Node); peer != caller && m.ID != n.Self {
			addrs = append(addrs, n.book(peer)...)
			addrs = append(addrs, n.Host.Dialled(peer)...)
		}
	}
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs[:min(len(addrs), maxOthers)]
}

// hear takes note of members' addresses that another member told. The book keeps what
// a peer said of itself; but it may have moved since, and this node too, so that neither
// finds the other: what others say is tried beside the book. Whoever answers there
// proves that it is that peer.
func (n *Node) hear(addrs []string) {
	told := map[p2p.PeerID][]string{}
	for _, a := range addrs[:min(len(addrs), maxOthers)] {
		peer := peerIn(a)
		told[peer] = append(told[peer], a)
	}
	for peer, addrs := range told {
		if peer == n.Host.ID() || !n.admits(peer) {
			continue
		}
		if len(n.book(peer)) == 0 {
			n.learn(peer, addrs)
		}
		if n.Host.Learn(append(n.book(peer), addrs...)...) != nil {
			continue // they are no addresses
		}
		n.hearsay.mu.Lock()
		older := slices.DeleteFunc(n.hearsay.of[peer], func(a string) bool { return slices.Contains(addrs, a) })
		addrs = append(addrs, older...) // the latest first: what is told can be wrong
		n.hearsay.of[peer] = addrs[:min(len(addrs), maxAddrs)]
		n.hearsay.mu.Unlock()
	}
}

// hearsay is where others say that members are.
type hearsay struct {
	mu sync.Mutex
	of map[p2p.PeerID][]string
}

// places returns where to look for a peer: as it said itself, and every other time also
// as others say. Whoever wants to keep two members apart could tell of so many places that
// the right one is never reached in time.
func (n *Node) places(peer p2p.PeerID, misses int) []string {
	addrs := n.book(peer)
	if len(addrs) > 0 && misses%2 == 0 {
		return addrs
	}
	n.hearsay.mu.Lock()
	defer n.hearsay.mu.Unlock()
	return append(addrs, n.hearsay.of[peer]...)
}

func (n *Node) book(peer p2p.PeerID) (addrs []string) {
	book, err := n.Docs.Get(addressKind, croft.Sum([]byte(peer)).String())
	if err != nil || json.Unmarshal(book, &addrs) != nil {
		return nil
	}
	return addrs
}

// Meet tells this node where another one is.
func (n *Node) Meet(addrs []string) {
	if len(addrs) > 0 {
		n.learn(peerIn(addrs[0]), addrs)
	}
}

// NoListen in place of an address says that the node only dials.
const NoListen = "none"

// lastListen returns where this node listened last, so that its peers find it.
func (n *Node) lastListen() (listen []string) {
	saved, err := n.Docs.Get(addressKind, listenName)
	if errors.Is(err, store.ErrAbsent) || err != nil || json.Unmarshal(saved, &listen) != nil {
		return []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	}
	return listen
}

func (n *Node) rememberListen() error {
	saved, _ := json.Marshal(n.Host.Listening())
	return n.Docs.Put(addressKind, listenName, saved)
}

// Peers says who is connected, for screens.
func (n *Node) Peers() []api.Peer {
	connected, relayed := n.Host.Connected(), n.Host.Relayed()
	var out []api.Peer
	for _, m := range n.everybody() {
		if peer := p2p.PeerOf(m.Node); m.ID != n.Self {
			out = append(out, api.Peer{Name: m.Name, Member: m.ID, PeerID: string(peer), Connected: slices.Contains(connected, peer), Relayed: slices.Contains(relayed, peer), Unmet: !n.meets(m), Addrs: n.book(peer)})
		}
	}
	return out
}

// submitter is the ledger for the flows.
func (n *Node) submitter() study.Ledger {
	if n.light != nil {
		return n.light
	}
	return persistent{n.full, n}
}

// persistent is a full node's ledger for the flows: a transaction that is not in a block
// after a while is handed to every connected member. CometBFT gossips it once, and
// a node that is fetching old blocks at that moment drops it for good; where blocks
// are made on demand nobody might then ever make one.
type persistent struct {
	*chain.Node
	n *Node
}

// patience is how long a transaction is left to CometBFT alone.
const patience = 2 * time.Second

func (p persistent) Submit(ctx context.Context, tx []byte) error {
	return insist(ctx, func(within context.Context) error { return p.Node.Submit(within, tx) }, func() {
		for _, peer := range p.n.Host.Connected() {
			within, cancel := context.WithTimeout(ctx, patience)
			_, _ = p.n.Host.Call(within, peer, txProtocol, tx, 0) // who is away gets it from the others
			cancel()
		}
	})
}

// insist submits until there is an answer, or ctx ends, and hands over each time that
// there is none: after a while, also where the mempool is full and says so at once.
func insist(ctx context.Context, submit func(context.Context) error, handOver func()) error {
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		err := submit(within)
		open := errors.Is(err, croft.ErrNoQuorum)
		if open {
			<-within.Done()
		}
		if cancel(); !open || ctx.Err() != nil {
			return err
		}
		handOver()
	}
}

// peers reaches members for the study's flows.
type peers struct{ n *Node }

func (p peers) Fetch(ctx context.Context, hash croft.Hash, most int, from ...croft.MemberID) ([]byte, error) {
	members := p.n.everybody()
	var holders []p2p.PeerID
	for _, id := range from { // in the caller's order
		if at := slices.IndexFunc(members, func(m croft.Member) bool { return m.ID == id && p.n.meets(m) }); at >= 0 { // full ones carry enough
			holders = append(holders, p2p.PeerOf(members[at].Node))
		}
	}
	return p2p.Fetch(ctx, p.n.Host, hash, most, holders...)
}

func (p peers) Call(ctx context.Context, to croft.MemberID, protocol string, request []byte) ([]byte, error) {
	for _, m := range p.n.everybody() {
		if m.ID == to {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			most := maxSeeds
			if protocol == study.AnswersProtocol {
				most = study.MaxAnswers
			}
			answer, err := p.n.Host.Call(ctx, p2p.PeerOf(m.Node), protocol, request, most)
			if err != nil { // a peer chooses its words, not what they make of us
				return nil, croft.E(croft.ErrPeer, m.Name, err.Error())
			}
			return answer, nil
		}
	}
	return nil, croft.E(croft.ErrPeer, to.Short(), "it is not a member")
}
