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
func (h *Host) Moved() {
	h.announcing.Lock()
	defer h.announcing.Unlock()
	if h.mdns != nil && h.ctx.Err() == nil {
		h.mdns.Close()
		h.announce()
	}
}

// announce begins to look for peers in the same network, and to be found, if the
// host listens beyond this machine. A machine without multicast goes on without.
func (h *Host) announce() {
	h.mdns = nil
	addrs, err := h.swarm.InterfaceListenAddresses()
	if err != nil {
		return
	}
	for _, a := range addrs {
		if ip, err := manet.ToIP(a); err == nil && !ip.IsLoopback() {
			service := mdns.NewMdnsService(h.host, mdnsService, h)
			if service.Start() == nil {
				h.mdns = service
			}
			return
		}
	}
}

// HandlePeerFound implements mdns.Notifee.
func (h *Host) HandlePeerFound(found peer.AddrInfo) {
	if h.ctx.Err() != nil || !h.allow(PeerID(found.ID.String())) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.near[found.ID]
	if len(found.Addrs) > maxNear || slices.EqualFunc(known, found.Addrs, multiaddr.Multiaddr.Equal) {
		return
	}
	h.near[found.ID] = found.Addrs
	h.host.Peerstore().AddAddrs(found.ID, found.Addrs, peerstore.PermanentAddrTTL)
	h.swarm.Backoff().Clear(found.ID)
}

// maxNear bounds the addresses that a peer announces.
const maxNear = 32
