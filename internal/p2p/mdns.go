package p2p

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Members in one building find each other without being told: each host says by
// multicast DNS what its peer id and its addresses are, and looks for others. What it
// hears is a hint. A host takes those of admitted peers alone, and who answers there
// has to prove who it is.

// mdnsService is the name under which nodes announce themselves.
const mdnsService = "_croft._udp"

// Moved tells the host that its machine may have other addresses now: it announces
// itself anew.
func (l *Host) Moved() {
	l.announcing.Lock()
	defer l.announcing.Unlock()
	if l.mdns != nil && l.ctx.Err() == nil {
		l.mdns.Close()
		l.announce()
	}
}

// announce begins to look for peers in the same network, and to be found, if the
// host listens beyond this machine. A machine without multicast goes on without.
func (l *Host) announce() {
	l.mdns = nil
	addrs, err := l.swarm.InterfaceListenAddresses()
	if err != nil {
		return
	}
	for _, a := range addrs {
		if ip, err := manet.ToIP(a); err == nil && !ip.IsLoopback() {
			service := mdns.NewMdnsService(l.host, mdnsService, l)
			if service.Start() == nil {
				l.mdns = service
			}
			return
		}
	}
}

// HandlePeerFound implements mdns.Notifee.
func (l *Host) HandlePeerFound(found peer.AddrInfo) {
	if l.ctx.Err() != nil || !l.allow(PeerID(found.ID.String())) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.near[found.ID]
	if len(found.Addrs) > maxNear || slices.EqualFunc(known, found.Addrs, multiaddr.Multiaddr.Equal) {
		return
	}
	l.near[found.ID] = found.Addrs
	l.host.Peerstore().AddAddrs(found.ID, found.Addrs, peerstore.PermanentAddrTTL)
	l.swarm.Backoff().Clear(found.ID)
}

// maxNear bounds the addresses that a peer announces.
const maxNear = 32
