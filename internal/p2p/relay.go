package p2p

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"croft"
)

// A host that nobody can dial, behind a router or a firewall, is reached through one
// that both sides can (libp2p's circuit relay, version 2). Members relay for members
// alone. The relay carries bytes that the two ends have encrypted for each other, and
// sees who talks with whom, when and how much. Where two routers let them, the ends
// then find a direct way (libp2p's DCUtR) and new calls take that.

// What one relay does for others, so that it is not a burden to who offers it. A
// circuit that has reached a limit is cut, and the ends open another.
var relayLimits = relay.Resources{
	Limit:                 &relay.RelayLimit{Duration: 2 * time.Hour, Data: 1 << 30}, // bytes each way
	ReservationTTL:        30 * time.Minute,
	MaxReservations:       64, // members that are reached through it
	MaxReservationsPerIP:  64, // many may be behind one router
	MaxReservationsPerASN: 64,
	MaxCircuits:           32, // of one member
	BufferSize:            8 << 10,
}

// limited lets calls and tunnels use connections through a relay: they are what a
// member without another way has.
const limited = "croft"

// offer makes the host a relay.
func (h *Host) offer() (err error) {
	h.relay, err = relay.New(h.host, relay.WithResources(relayLimits), relay.WithACL(members(h.allow)),
		relay.WithReservationAddressFilter(func(multiaddr.Multiaddr) bool { return true }))
	return err
}

// members says who may use a relay.
type members func(PeerID) bool

// AllowReserve implements relay.ACLFilter.
func (m members) AllowReserve(p peer.ID, _ multiaddr.Multiaddr) bool { return m(PeerID(p.String())) }

// AllowConnect implements relay.ACLFilter.
func (m members) AllowConnect(from peer.ID, _ multiaddr.Multiaddr, to peer.ID) bool {
	return m(PeerID(from.String())) && m(PeerID(to.String()))
}

// Reserve asks a peer that relays to hand on connections to this host, and returns
// until when it does; asked again before, it goes on. From then on the way through it
// is among Addrs. It fails with croft.ErrPeer.
func (h *Host) Reserve(ctx context.Context, at PeerID) (until time.Time, err error) {
	id, err := peer.Decode(string(at))
	if err != nil || !h.allow(at) {
		return until, croft.E(croft.ErrPeer, printable(string(at)), errStranger)
	}
	place, err := client.Reserve(ctx, h.host, peer.AddrInfo{ID: id})
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		delete(h.places, id)
		if no, refused := errors.AsType[client.ReservationError](err); refused && no.Unwrap() == nil {
			err = errNoPlace
		}
		return until, croft.E(croft.ErrPeer, at, why(err))
	}
	h.places[id] = place.Expiration
	return place.Expiration, nil
}

var errNoPlace = errors.New("it has no place at its relay for this node")

// maxWays bounds the addresses through relays that a host tells of.
const maxWays = 8

// ways returns the addresses at which this host is reached through relays.
func (h *Host) ways() (addrs []string) {
	h.mu.Lock()
	places := maps.Clone(h.places)
	h.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(places)) {
		if places[id].Before(time.Now()) || h.swarm.Connectedness(id) != network.Connected {
			continue // a relay forgets who has hung up
		}
		for _, a := range h.host.Peerstore().Addrs(id) {
			if _, err := manet.ToIP(a); err == nil && !throughRelay(a.String()) {
				addrs = append(addrs, a.String()+"/p2p/"+id.String()+circuit+"/p2p/"+h.host.ID().String())
			}
		}
	}
	slices.Sort(addrs)
	return addrs[:min(len(addrs), maxWays)]
}

const circuit = "/p2p-circuit"

func throughRelay(addr string) bool { return strings.Contains(addr, circuit) }

// Direct returns those of a host's addresses that lead to it without a relay.
func Direct(addrs []string) []string {
	return slices.DeleteFunc(slices.Clone(addrs), throughRelay)
}

// Relayed returns the connected peers to which there is no direct way, sorted.
func (h *Host) Relayed() (peers []PeerID) {
	for _, id := range h.swarm.Peers() {
		if h.swarm.Connectedness(id) == network.Limited {
			peers = append(peers, PeerID(id.String()))
		}
	}
	slices.Sort(peers)
	return peers
}
