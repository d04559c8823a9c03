package p2p

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// A guest is a peer that is not admitted, and may ask to be. Strangers must not
// wear out what members need, nor each other's patience: they get few connections
// together, each for a moment, and one account of calls for all.
const (
	guestConns = 8
	guestTime  = 30 * time.Second
)

var guestCalls = rates{atOnce: 4, perSecond: 16}

// Welcome is Handle for a protocol that guests may call as well as members. The
// handler must take a guest's request for what it is: a stranger's.
func (h *Host) Welcome(proto string, limit int, f Handler) {
	h.handle(func(p PeerID) bool { return h.allow(p) || h.lobby.guest(p) }, proto, limit, f)
}

// Drop closes all connections with a peer, tunnels too. One that is still admitted
// may come back at once.
func (h *Host) Drop(p PeerID) {
	if id, err := peer.Decode(string(p)); err == nil {
		_ = h.swarm.ClosePeer(id) // what fails to close was broken already
	}
}

// lobby keeps watch over the guests' connections.
type lobby struct {
	allow, guest func(PeerID) bool
	calls        *quota // one lane, named ""

	mu    sync.Mutex // guards conns: guests' connections, and when each ends
	conns map[network.Conn]*time.Timer
}

func newLobby(allow, guest func(PeerID) bool) *lobby {
	return &lobby{allow: allow, guest: guest, calls: newQuota(guestCalls), conns: map[network.Conn]*time.Timer{}}
}

// Connected implements network.Notifiee. A guest beyond the bound is sent away.
func (l *lobby) Connected(_ network.Network, c network.Conn) {
	if l.allow(PeerID(c.RemotePeer().String())) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= guestConns {
		go c.Close() // not here: the connection waits for this call to end
		return
	}
	l.conns[c] = time.AfterFunc(guestTime, func() { l.leave(c) })
}

// leave ends a guest's time, unless it is a member by now.
func (l *lobby) leave(c network.Conn) {
	l.forget(c)
	if !l.allow(PeerID(c.RemotePeer().String())) {
		c.Close()
	}
}

// Disconnected implements network.Notifiee.
func (l *lobby) Disconnected(_ network.Network, c network.Conn) { l.forget(c) }

func (l *lobby) forget(c network.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if timer := l.conns[c]; timer != nil {
		timer.Stop()
		delete(l.conns, c)
	}
}

// Listen and ListenClose implement network.Notifiee.
func (*lobby) Listen(network.Network, multiaddr.Multiaddr) {}

// ListenClose does nothing: only connections matter here.
func (*lobby) ListenClose(network.Network, multiaddr.Multiaddr) {}
