package node

import (
	"context"
	"slices"

	"croft"
	"croft/internal/ledger"
	"croft/internal/p2p"
)

// Who takes part, as the ledger has it: asked at each connection and each call, so
// that one who was sent away is cut off at the next.

// roll is everybody, as of a state of the ledger. It does not change.
type roll struct {
	state   croft.Hash
	all     []croft.Member
	guests  map[croft.MemberID]bool
	at      map[p2p.PeerID]croft.Member
	open    int64               // until when the door is, for strangers: see invited
	applied map[p2p.PeerID]bool // who may come after that
}

// roll returns the members and guests. A ledger that does not know this node's own
// is young, or its old blocks are still being fetched: the founders count then, and
// whom the inviter's node named, and for one that was restored whomever it knew.
func (n *Node) roll() *roll {
	state := n.state() // before all else: what follows is of this state, or of one to come
	if r := n.called.Load(); r != nil && r.state == state {
		return r
	}
	r := &roll{state: state, all: n.members(), guests: map[croft.MemberID]bool{}, at: map[p2p.PeerID]croft.Member{}}
	for _, g := range n.guests() {
		r.all, r.guests[g.ID] = append(r.all, g), true
	}
	r.open, r.applied = n.invited()
	settled := !n.cfg.observe && slices.ContainsFunc(r.all, func(m croft.Member) bool { return m.ID == n.Self })
	if !settled {
		known := n.introduced()
		if n.cfg.observe {
			known = append(known, n.acquaintances()...)
		}
		for _, m := range known {
			if !slices.ContainsFunc(r.all, func(o croft.Member) bool { return o.Node == m.Node }) {
				r.all = append(r.all, m)
			}
		}
	}
	for _, m := range r.all {
		r.at[p2p.PeerOf(m.Node)] = m
	}
	if settled {
		n.called.Store(r)
	}
	return r
}

// state is the hash of the ledger's state as this node has it. A light ledger is asked
// for no more: its Status asks who is connected, which asks the roll.
func (n *Node) state() croft.Hash {
	if n.light != nil {
		return n.light.State()
	}
	return n.Chain.Status().AppHash
}

// everybody returns the members and guests; nobody may change it.
func (n *Node) everybody() []croft.Member { return n.roll().all }

// memberOf returns the member or guest whose node a peer is.
func (n *Node) memberOf(peer p2p.PeerID) (croft.Member, bool) {
	m, known := n.roll().at[peer]
	return m, known
}

// admits says whether a peer is the node of a member or guest.
func (n *Node) admits(peer p2p.PeerID) bool {
	_, known := n.memberOf(peer)
	return known
}

// insider returns the member whose node a peer is, and croft.ErrTxRights for a guest's:
// studies are no business of theirs.
func (n *Node) insider(peer p2p.PeerID) (croft.Member, error) {
	r := n.roll()
	m, known := r.at[peer]
	switch {
	case !known:
		return m, croft.E(croft.ErrTxRights, string(peer), "it is not a member")
	case r.guests[m.ID]:
		return m, croft.E(croft.ErrTxRights, m.Name, "it is a guest, and this is of studies")
	}
	return m, nil
}

// members returns the members that the ledger knows, revoked ones left out.
func (n *Node) members() []croft.Member {
	raw, _ := n.known(ledger.NetworkKey)
	network, _, _ := ledger.Decode[ledger.Network](raw)
	var out []croft.Member
	for _, id := range network.Members {
		raw, _ := n.known(ledger.MemberKey(id))
		if m, found, err := ledger.Decode[croft.Member](raw); found && err == nil && !m.Revoked {
			out = append(out, m)
		}
	}
	return out
}

// guests returns the guests that have a node, as members that are nothing else.
func (n *Node) guests() (out []croft.Member) {
	if n.light != nil {
		return nil // it would have to ask for them; guests call full members' services
	}
	var hosts []croft.MemberID
	_ = n.Chain.Range("guest/", func(_ string, raw []byte) { // a closed node has none
		if g, _, err := ledger.Decode[ledger.Guest](raw); err == nil && !g.Gone && g.Node != (croft.PublicKey{}) {
			out, hosts = append(out, croft.Member{ID: g.ID, Name: g.Name, Key: g.Key, Node: g.Node}), append(hosts, g.Host)
		}
	})
	kept := out[:0]
	for i, g := range out {
		host, known, _ := read[croft.Member](context.Background(), n, ledger.MemberKey(hosts[i]))
		_, member, _ := read[croft.Member](context.Background(), n, ledger.MemberKey(g.ID)) // also one that was revoked since
		if known && !host.Revoked && !member {
			kept = append(kept, g)
		}
	}
	return kept
}

// introduced returns the members of whom this node knows without its ledger: those
// in the genesis, and those whom the inviter's node named, if it was to this chain.
func (n *Node) introduced() []croft.Member {
	if n.joined.Network != croft.NetworkID(n.genesis.Hash()) {
		return slices.Clone(n.genesis.Members)
	}
	return slices.Concat(n.genesis.Members, n.joined.Members)
}
