package p2p

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/zeroconf/v2"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Members in one building find each other without being told: each host says by
// multicast DNS, to whoever asks, what its peer id and its addresses are, and asks when
// it has started or moved. What it hears is a hint. A host takes those of admitted
// peers alone, and who answers there has to prove who it is.
//
// The records are those of libp2p's mDNS specification. libp2p's own service asks every
// minute for ever, and everybody answers so that all hear it: of n nodes each receives
// n² answers a minute. But only who has come or moved needs to ask.

const (
	mdnsService = "_croft._udp" // the name under which nodes announce themselves
	mdnsDomain  = "local"
	mdnsAddr    = "dnsaddr=" // stands before each address
	mdnsPort    = 4001       // the form wants one; the addresses have their own
)

// How long a host asks that has started or moved, from four seconds to a minute apart;
// and how long it listens after the one question of each hour, which is for a network
// that did not carry multicast at the time.
const (
	lookTime   = time.Minute
	glanceTime = 3 * time.Second
	glanceRest = time.Hour
)

// announcer answers in this building, and asks.
type announcer struct {
	server *zeroconf.Server
	stop   context.CancelFunc
	asking sync.WaitGroup
}

func (a *announcer) close() {
	a.stop()
	a.server.Shutdown()
	a.asking.Wait()
}

// Moved tells the host that its machine may have other addresses now: it announces
// itself anew.
func (h *Host) Moved() {
	h.announcing.Lock()
	defer h.announcing.Unlock()
	if h.mdns != nil && h.ctx.Err() == nil {
		h.mdns.close()
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
	var ips, texts []string
	for _, a := range addrs {
		if ip, err := manet.ToIP(a); err == nil && !ip.IsLoopback() && !throughRelay(a.String()) {
			ips = append(ips, ip.String())
			texts = append(texts, mdnsAddr+a.String()+"/p2p/"+h.host.ID().String())
		}
	}
	if len(ips) == 0 {
		return
	}
	name := strings.ToLower(rand.Text()) // another one each time: it says nothing of whose node this is
	server, err := zeroconf.RegisterProxy(name, mdnsService, mdnsDomain, mdnsPort, name, ips[:1], texts, nil)
	if err != nil {
		return
	}
	ctx, stop := context.WithCancel(h.ctx)
	h.mdns = &announcer{server: server, stop: stop}
	h.mdns.asking.Go(func() {
		for listen := lookTime; ; listen = glanceTime {
			h.look(ctx, listen)
			select {
			case <-ctx.Done():
				return
			case <-time.After(glanceRest):
			}
		}
	})
}

// look asks who is in the building, and listens for so long.
func (h *Host) look(ctx context.Context, listen time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	// A machine may have only one kind of addresses.
	for _, kind := range []zeroconf.IPType{zeroconf.IPv4AndIPv6, zeroconf.IPv4, zeroconf.IPv6} {
		entries, ended := make(chan *zeroconf.ServiceEntry), make(chan struct{})
		var hearing sync.WaitGroup
		hearing.Go(func() {
			for {
				select {
				case e, more := <-entries:
					if !more {
						return
					}
					h.heard(e.Text)
				case <-ended: // it may fail before it knows of the channel
					return
				}
			}
		})
		err := zeroconf.Browse(ctx, mdnsService, mdnsDomain, entries, zeroconf.SelectIPTraffic(kind))
		close(ended)
		hearing.Wait()
		if err == nil {
			return
		}
	}
}

// heard takes note of what somebody in the building says of itself.
func (h *Host) heard(texts []string) {
	var addrs []string
	for _, text := range texts {
		if addr, ok := strings.CutPrefix(text, mdnsAddr); ok {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) > maxNear {
		return
	}
	peers, err := parseAddrs(addrs)
	if err != nil {
		return
	}
	for id, addrs := range peers {
		if id != h.host.ID() && h.allow(PeerID(id.String())) {
			h.isNear(id, addrs)
		}
	}
}

func (h *Host) isNear(id peer.ID, addrs []multiaddr.Multiaddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.EqualFunc(h.near[id], addrs, multiaddr.Multiaddr.Equal) {
		h.host.Peerstore().SetAddrs(id, h.near[id], 0) // anybody can announce anything, many times
		h.near[id] = addrs
		h.host.Peerstore().AddAddrs(id, addrs, peerstore.PermanentAddrTTL)
		h.swarm.Backoff().Clear(id)
	}
}

// maxNear bounds the addresses that a peer announces.
const maxNear = 32
