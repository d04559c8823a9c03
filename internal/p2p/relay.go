package p2p

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"croft"
)

// A host that nobody can dial, behind a router or a firewall, is reached through one
// that both sides can (libp2p's circuit relay, version 2). Members relay for members
// alone. The relay carries bytes that the two ends have encrypted for each other, and
// sees who talks with whom, when and how much. Where two routers let them, the ends
// then find a direct way (libp2p's DCUtR) and new calls take that.

// Relaying bounds what a host carries for peers that cannot be dialled, so that it is
// no burden to who offers it. The zero value carries nothing.
type Relaying struct {
	// Circuits are those that it holds at once, of all peers together.
	Circuits int
	// Each is how many bytes one circuit carries, each way. Then it is cut, and the
	// ends open another.
	Each int64
	// Daily is how many bytes all circuits together carry in 24 hours. Then they are
	// cut, and there are no more until the 24 hours are over. A restart begins anew.
	Daily int64
}

// UsualRelaying is for a member whose line has room for two or three others.
var UsualRelaying = Relaying{Circuits: 64, Each: 1e9, Daily: 10e9}

const (
	maxReserved  = 64 // peers that are reached through one host
	maxOfOne     = 32 // circuits of one peer
	circuitTime  = 2 * time.Hour
	relayingTime = 24 * time.Hour
)

// limited lets calls and tunnels use connections through a relay: they are what a
// member without another way has.
const limited = "croft"

// offer makes the host a relay.
func (h *Host) offer(limits Relaying) (err error) {
	h.carrier = &carrier{Host: h.host, h: h, limits: limits}
	h.relay, err = relay.New(h.carrier, relay.WithACL(h.carrier), relay.WithResources(relay.Resources{
		Limit:                 &relay.RelayLimit{Duration: circuitTime, Data: limits.Each},
		ReservationTTL:        30 * time.Minute,
		MaxReservations:       maxReserved,
		MaxReservationsPerIP:  maxReserved, // many may be behind one router
		MaxReservationsPerASN: maxReserved,
		MaxCircuits:           min(maxOfOne, limits.Circuits),
		BufferSize:            8 << 10,
	}), relay.WithReservationAddressFilter(func(multiaddr.Multiaddr) bool { return true }))
	return err
}

// Load is what a host carries for others, and has carried.
type Load struct {
	Circuits int       `json:"circuits"` // open now
	Most     int       `json:"most"`     // that may be
	Bytes    int64     `json:"bytes"`    // since the host started
	Left     int64     `json:"left"`     // bytes until no more are carried for a while; see Relaying.Daily
	Anew     time.Time `json:"anew"`     // when the day that is counted is over
}

// Carries says what this host carries for others, if it is a relay.
func (h *Host) Carries() (load Load, relays bool) {
	if h.carrier == nil {
		return load, false
	}
	return h.carrier.load(time.Now()), true
}

// carrier is the host as libp2p's relay sees it: it counts what circuits carry, and
// has them keep to the host's pace. It is also asked who may use the relay.
type carrier struct {
	host.Host
	h      *Host
	limits Relaying

	mu    sync.Mutex // guards the rest
	open  int        // circuits
	total int64      // bytes carried
	began time.Time  // of the 24 hours that are counted
	spent int64      // bytes in them
}

var (
	errSpent = errors.New("it has carried its bytes for today")
	errFull  = errors.New("it carries as many circuits as it may")
)

func (c *carrier) load(at time.Time) Load {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(at)
	return Load{c.open, c.limits.Circuits, c.total, c.limits.Daily - c.spent, c.began.Add(relayingTime)}
}

// turn begins to count anew when 24 hours are over.
func (c *carrier) turn(at time.Time) {
	if at.Sub(c.began) >= relayingTime {
		c.began, c.spent = at, 0
	}
}

// carry takes so many bytes on the account of the day, or says that it is full.
func (c *carrier) carry(n int, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn(at); c.limits.Daily-c.spent < int64(n) {
		c.spent = c.limits.Daily // what is left is too little to be of use
		return errSpent
	}
	c.spent, c.total = c.spent+int64(n), c.total+int64(n)
	return nil
}

// AllowReserve implements relay.ACLFilter.
func (c *carrier) AllowReserve(p peer.ID, _ multiaddr.Multiaddr) bool {
	return c.load(time.Now()).Left > 0 && c.h.allow(PeerID(p.String()))
}

// AllowConnect implements relay.ACLFilter.
func (c *carrier) AllowConnect(from peer.ID, _ multiaddr.Multiaddr, to peer.ID) bool {
	return c.AllowReserve(from, nil) && c.AllowReserve(to, nil)
}

// SetStreamHandler implements host.Host: what a peer that asks for a circuit sends
// and gets is carried.
func (c *carrier) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	c.Host.SetStreamHandler(id, func(s network.Stream) { f(&half{Stream: c.h.paced(s), c: c, own: ownAnswer}) })
}

// NewStream implements host.Host: it is the other half of a circuit.
func (c *carrier) NewStream(ctx context.Context, to peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	c.mu.Lock()
	full := c.open >= c.limits.Circuits
	if !full {
		c.open++
	}
	c.mu.Unlock()
	if full {
		return nil, errFull
	}
	end := sync.OnceFunc(func() { c.mu.Lock(); c.open--; c.mu.Unlock() })
	s, err := c.Host.NewStream(ctx, to, protocols...)
	if err != nil {
		end()
		return nil, err
	}
	return &half{Stream: c.h.paced(s), c: c, end: end}, nil
}

// half is one half of a circuit: a stream to one of its ends.
type half struct {
	network.Stream
	c   *carrier
	own int    // bytes that may still be the relay's own answer, a refusal say: they are not counted
	end func() // of the circuit; nil: the other half says it
}

// ownAnswer is the most that libp2p's relay says itself.
const ownAnswer = 4 << 10

func (s *half) Write(data []byte) (int, error) {
	counted := max(0, len(data)-s.own)
	s.own -= len(data) - counted
	if err := s.c.carry(counted, time.Now()); counted > 0 && err != nil {
		return 0, err
	}
	return s.Stream.Write(data)
}

func (s *half) Close() error {
	s.ended()
	return s.Stream.Close()
}

func (s *half) Reset() error {
	s.ended()
	return s.Stream.Reset()
}

func (s *half) ended() {
	if s.end != nil {
		s.end()
	}
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
	var addrs []string
	if err == nil {
		addrs = h.through(id, place.Addrs)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && h.swarm.Connectedness(id) != network.Connected {
		err = errBroken
	}
	if err != nil {
		delete(h.places, id)
		if no, refused := errors.AsType[client.ReservationError](err); refused && no.Unwrap() == nil {
			err = errNoPlace
		}
		return until, croft.E(croft.ErrPeer, at, why(err))
	}
	h.places[id] = way{place.Expiration, addrs}
	return place.Expiration, nil
}

// hungUp gives up the place at a relay with the last connection to it, as the relay does:
// another connection does not bring it back.
func (h *Host) hungUp(id peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.swarm.Connectedness(id) != network.Connected {
		delete(h.places, id)
	}
}

// way is a place at a relay.
type way struct {
	until time.Time
	addrs []string // at which this host is reached through it
}

// maxWay bounds the addresses through one relay that a host tells of. Who knows the
// relay needs none of its addresses.
const maxWay = 4

// through returns the addresses through a relay: at those where this host reached it,
// which is proof that they work, and then at those that it says it has.
func (h *Host) through(id peer.ID, said []multiaddr.Multiaddr) (addrs []string) {
	slices.SortFunc(said, farFirst)
	for _, at := range append(h.dialled(id), said...) {
		at, named := peer.SplitAddr(at)
		if named != "" && named != id || at == nil || throughRelay(at.String()) {
			continue
		}
		if _, err := manet.ToIP(at); err != nil {
			continue
		}
		if addr := at.String() + "/p2p/" + id.String() + circuit + "/p2p/" + h.host.ID().String(); len(addrs) < maxWay && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

var errNoPlace = errors.New("it has no place at its relay for this node")

// ways returns the addresses at which this host is reached through relays.
func (h *Host) ways() (addrs []string) {
	h.mu.Lock()
	places := maps.Clone(h.places)
	h.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(places)) {
		if p := places[id]; time.Now().Before(p.until) {
			addrs = append(addrs, p.addrs...)
		}
	}
	return addrs
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

// A connection through a relay is a detour: it has bounds, and costs the relay. Two
// hosts may have one although one of them can dial the other, since who cannot was
// faster. Of itself libp2p looks for a direct way (DCUtR) once, at the beginning of a
// circuit, if it knows by then how its router translates; and it leaves the circuit open
// when it has found one.

// How long a host waits until it looks for a direct way again: at first, and at most.
const (
	directSoon  = 15 * time.Second
	directAgain = 5 * time.Minute
)

// straighten looks for a direct way to the peer of a connection through a relay, and
// closes that once there is one and nothing but tunnels is on it: what speaks through
// them connects anew.
func (h *Host) straighten(c network.Conn) {
	id, next, wait := c.RemotePeer(), time.Now(), directSoon
	if h.punches() {
		next = next.Add(wait) // libp2p does it
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for direct := 0; !c.IsClosed(); {
		if h.swarm.Connectedness(id) != network.Connected {
			if direct = 0; !time.Now().Before(next) {
				h.tryDirect(c)
				next, wait = time.Now().Add(wait), min(4*wait, directAgain)
			}
		} else if direct++; direct > 2 && !slices.ContainsFunc(c.GetStreams(), h.isCall) { // the peer knows of it too
			c.Close()
		}
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// punches says whether the host can open a way through its router: whether it knows of
// an address of its own in the internet.
func (h *Host) punches() bool {
	return slices.Contains(h.host.Mux().Protocols(), holepunch.Protocol)
}

// tryDirect tries to connect directly to the peer of a connection through a relay.
// There may be no such way.
func (h *Host) tryDirect(c network.Conn) {
	if h.punches() && c.Stat().Direction == network.DirInbound { // who was dialled begins
		ended := make(chan struct{})
		go func() { // ends with libp2p's host, which knows no context
			defer close(ended)
			_ = h.punch.DirectConnect(c.RemotePeer())
		}()
		select {
		case <-ended:
		case <-h.ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(network.WithForceDirectDial(h.ctx, limited), 2*dialTime)
	defer cancel()
	_, _ = h.swarm.DialPeer(ctx, c.RemotePeer()) // the one that there is by now, if there is
}

// isCall says whether a stream is anything but a tunnel.
func (h *Host) isCall(s network.Stream) bool {
	_, tunnel := h.tunnels.Load(s.Protocol())
	return !tunnel
}
