package p2p

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"
	"github.com/prometheus/client_golang/prometheus"

	"croft"
)

// Config is what a Host needs.
type Config struct {
	// Key is the node key: the host's identity.
	Key ed25519.PrivateKey
	// Listen are the multiaddrs to listen on, TCP or QUIC, such as
	// /ip4/0.0.0.0/tcp/4001 and /ip4/0.0.0.0/udp/4001/quic-v1. Port 0 picks a free
	// one. With none the host only dials.
	Listen []string
	// Allow says who may connect and be dialled. It is asked at each connection
	// and again at each call and tunnel, so a member that is revoked is cut off at
	// its next one. It must be quick. nil admits nobody.
	Allow func(PeerID) bool
	// Guest says who else may connect for a moment and call the protocols of
	// Welcome, and nothing more. nil: nobody.
	Guest func(PeerID) bool
	// Relay offers admitted peers that cannot be dialled to be reached through this
	// host, within these limits; zero: it offers nothing.
	Relay Relaying
	// Rate bounds the bytes a second of calls, of tunnels and of what is carried for
	// others, each way by itself; at least MinRate, 0: any.
	Rate int
}

// Host is a node among its peers, over TCP with TLS 1.3 or Noise, and QUIC. Its
// methods may be called concurrently.
type Host struct {
	host  host.Host
	swarm *swarm.Swarm // the host's connections
	allow func(PeerID) bool
	out   *quota
	in    *quota
	talks *quota // outgoing calls with parts: they last, and must not keep others waiting
	lobby *lobby

	outward, inward pace

	sent    *metrics.BandwidthCounter
	relay   *relay.Relay // nil if it offers none
	carrier *carrier     // what the relay sees of the host

	announcing sync.Mutex // guards mdns
	mdns       *announcer // nil if it listens on this machine only

	tunnels sync.Map // the protocols of tunnels (protocol.ID)
	punch   *holepunch.Service

	mu     sync.Mutex                        // guards the two below
	places map[peer.ID]way                   // relays that hand on to this host
	near   map[peer.ID][]multiaddr.Multiaddr // what peers in the same network announced

	ctx  context.Context // ends at Close
	stop context.CancelFunc
	work tasks
}

// Listen starts a host. It fails with croft.ErrPortUsed if any address is taken,
// and with croft.ErrEncoding for one that is not a listen address.
func Listen(c Config) (*Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("p2p: node key: %w", err)
	}
	allow := c.Allow
	if allow == nil {
		allow = func(PeerID) bool { return false }
	}
	guest := c.Guest
	if guest == nil {
		guest = func(PeerID) bool { return false }
	}
	limits, err := limits()
	if err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	// What matters of libp2p's log is returned as errors; the rest is strangers
	// knocking, and they would fill a screen.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	sent := metrics.NewBandwidthCounter()
	var punch *holepunch.Service
	node, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.UserAgent("croft"), // no version: strangers see it before they are refused
		libp2p.NoListenAddrs,      // one by one below, where each can fail
		// Two nodes on one port must not share it, as reuse of ports would let them.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTime)),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.WithDialTimeout(dialTime),
		libp2p.SwarmOpts(swarm.WithDialRanker(quicFirst)),
		libp2p.ConnectionGater(gate{allow, guest}),
		libp2p.ResourceManager(limits),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}), // members stay connected
		libp2p.EnableRelay(),
		libp2p.EnableHolePunching(func(s *holepunch.Service) error { punch = s; return nil }),
		// Members who are away are tried for ever; that says nothing of UDP or IPv6.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
		libp2p.Ping(false),
		libp2p.BandwidthReporter(sent),
		withoutMetrics,
	)
	if err != nil {
		limits.Close()
		return nil, fmt.Errorf("p2p: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &Host{host: node, swarm: node.Network().(*swarm.Swarm), allow: allow, out: newQuota(outgoing), in: newQuota(incoming), talks: newQuota(outgoingTalks),
		lobby: newLobby(allow, guest), sent: sent, punch: punch, places: map[peer.ID]way{}, near: map[peer.ID][]multiaddr.Multiaddr{}, ctx: ctx, stop: stop}
	if c.Rate > 0 {
		h.outward.rate, h.inward.rate = max(c.Rate, MinRate), max(c.Rate, MinRate)
	}
	h.swarm.Notify(h.lobby)
	h.swarm.Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		if c.Stat().Limited {
			h.work.start(func() { h.straighten(c) })
		}
	}, DisconnectedF: func(_ network.Network, c network.Conn) { h.hungUp(c.RemotePeer()) }})
	for _, text := range c.Listen {
		if err := h.listen(text); err != nil {
			h.Close()
			return nil, err
		}
	}
	if c.Relay != (Relaying{}) {
		if err := h.offer(c.Relay); err != nil {
			h.Close()
			return nil, fmt.Errorf("p2p: %w", err)
		}
	}
	h.announce()
	return h, nil
}

// dialTime bounds the attempt at one address of a peer.
const dialTime = 5 * time.Second

// quicFirst gives QUIC a second more than libp2p does before TCP is tried: from the two
// ends' connections over QUIC, to a relay, they learn where to meet each other directly.
func quicFirst(addrs []multiaddr.Multiaddr) []network.AddrDelay {
	has := func(protocol int) func(multiaddr.Multiaddr) bool {
		return func(a multiaddr.Multiaddr) bool {
			_, err := a.ValueForProtocol(protocol)
			return err == nil && !throughRelay(a.String())
		}
	}
	ranked := swarm.DefaultDialRanker(addrs)
	if slices.ContainsFunc(addrs, has(multiaddr.P_QUIC_V1)) {
		for i := range ranked {
			if has(multiaddr.P_TCP)(ranked[i].Addr) {
				ranked[i].Delay += time.Second
			}
		}
	}
	return ranked
}

// Connections that a host has at once, by who they are with. Members of a large house
// come from one address, its router's. What one address may have leaves others room: it
// is half of the handshakes under way.
const (
	maxConns      = 256
	maxConnsIn    = 192
	maxHandshakes = 128
	maxFromOne    = 64 // of an IPv4 address or an IPv6 site
)

// limits are for a device with 1 GB: libp2p's smallest set (8 connections a peer), with
// room for a hundred members, and for one call at a time with a request and an answer of
// the largest size, or many small ones. A call that finds no room is refused.
func limits() (network.ResourceManager, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base) // of identify and its pushes above all
	concrete := rcmgr.PartialLimitConfig{
		System:              rcmgr.ResourceLimits{Conns: maxConns, ConnsInbound: maxConnsIn, ConnsOutbound: maxConnsIn, FD: maxConns, Memory: 256 << 20},
		Transient:           rcmgr.ResourceLimits{Conns: maxConnsIn, ConnsInbound: maxHandshakes, FD: maxHandshakes},
		PeerDefault:         rcmgr.ResourceLimits{Memory: 192 << 20},
		ProtocolDefault:     rcmgr.ResourceLimits{Memory: 224 << 20},
		ProtocolPeerDefault: rcmgr.ResourceLimits{Memory: 192 << 20},
		Stream:              rcmgr.ResourceLimits{Memory: 2*MaxAnswer + 16<<20}, // and the window
	}.Build(base.Scale(0, 0))
	often := rate.Limit{RPS: 8, Burst: 2 * maxFromOne} // new connections of one address
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(concrete), rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet([]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: maxFromOne}}, []rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: maxFromOne}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: often}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: often}},
				GracePeriod:      time.Minute,
			},
		}))
}

// withoutMetrics also keeps libp2p's event bus from the default registry, which
// it uses when it is given none: two hosts in one process would meet there.
func withoutMetrics(c *libp2p.Config) error {
	c.DisableMetrics, c.PrometheusRegisterer = true, prometheus.NewRegistry()
	return nil
}

func (h *Host) listen(text string) error {
	addr, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		return croft.E(croft.ErrEncoding, "listen address", printable(err.Error()))
	}
	err = h.swarm.AddListenAddr(addr)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, winAddrInUse):
		return croft.E(croft.ErrPortUsed, port(addr), "the node's settings")
	default:
		return croft.E(croft.ErrEncoding, "listen address", err)
	}
}

// ID returns this node's peer id.
func (h *Host) ID() PeerID { return PeerID(h.host.ID().String()) }

// Addrs returns where others reach this node: multiaddrs with /p2p/ and the id. An
// address for all interfaces is spelled out as one for each. Those of the internet come
// first, then those of a building and of this machine, and at last those through relays.
func (h *Host) Addrs() []string {
	addrs, err := h.swarm.InterfaceListenAddresses()
	if err != nil {
		return nil
	}
	slices.SortFunc(addrs, farFirst)
	var texts []string
	for _, a := range addrs {
		if !throughRelay(a.String()) {
			texts = append(texts, a.String()+"/p2p/"+h.host.ID().String())
		}
	}
	return append(texts[:min(len(texts), maxDirect)], h.ways()...)
}

// maxDirect bounds the addresses of its own that a host tells of: a machine has one for
// each network of its containers, and nobody is reached there.
const maxDirect = 24

// farFirst orders addresses by how many can reach them. Who has to leave some out
// leaves out the last.
func farFirst(a, b multiaddr.Multiaddr) int {
	near := func(a multiaddr.Multiaddr) int {
		switch {
		case manet.IsPublicAddr(a):
			return 0
		case manet.IsIPLoopback(a):
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(near(a), near(b)), strings.Compare(a.String(), b.String()))
}

// Listening returns the addresses that the host was told to listen on, with the port
// that it got.
func (h *Host) Listening() (addrs []string) {
	for _, a := range h.swarm.ListenAddresses() {
		if !throughRelay(a.String()) {
			addrs = append(addrs, a.String())
		}
	}
	slices.Sort(addrs)
	return addrs
}

// Dialled returns the addresses at which this host reached a peer that is connected now,
// without a relay: they work, whatever the peer knows of them.
func (h *Host) Dialled(p PeerID) (addrs []string) {
	if id, err := peer.Decode(string(p)); err == nil {
		for _, a := range h.dialled(id) {
			addrs = append(addrs, a.String()+"/p2p/"+string(p))
		}
	}
	return addrs
}

func (h *Host) dialled(id peer.ID) (addrs []multiaddr.Multiaddr) {
	for _, c := range h.swarm.ConnsToPeer(id) {
		if s := c.Stat(); s.Direction == network.DirOutbound && !s.Limited {
			addrs = append(addrs, c.RemoteMultiaddr())
		}
	}
	return addrs
}

// Learn takes note of where peers are, all addresses of a peer at once: those that
// it was told before are forgotten, but for what the peer announced in this network. A
// peer that did not answer lately is not dialled again for a while; Learn ends that. It
// fails with croft.ErrEncoding, and then nothing has changed.
func (h *Host) Learn(addrs ...string) error {
	peers, err := parseAddrs(addrs)
	if err != nil {
		return err
	}
	for id, addrs := range peers {
		if id == h.host.ID() {
			continue
		}
		h.host.Peerstore().ClearAddrs(id)
		h.mu.Lock()
		addrs = append(addrs, h.near[id]...)
		h.mu.Unlock()
		h.host.Peerstore().AddAddrs(id, addrs, peerstore.PermanentAddrTTL)
		h.swarm.Backoff().Clear(id)
	}
	return nil
}

// Connected returns the peers with a live connection, sorted.
func (h *Host) Connected() []PeerID {
	var peers []PeerID
	for _, id := range h.swarm.Peers() {
		peers = append(peers, PeerID(id.String()))
	}
	slices.Sort(peers)
	return peers
}

// Close ends all connections and tunnels and waits until no handler runs.
func (h *Host) Close() error {
	h.stop()
	h.announcing.Lock()
	if h.mdns != nil {
		h.mdns.close()
	}
	h.announcing.Unlock()
	if h.relay != nil {
		h.relay.Close()
	}
	err := h.host.Close()
	h.work.close()
	return err
}

// Sent returns the bytes that this host has sent on its streams, tunnels included.
func (h *Host) Sent() int64 { return h.sent.GetBandwidthTotals().TotalOut }

// Call sends a request to a peer and returns its answer, which may have at most so
// many bytes. It connects if need be, and waits while too many calls to that peer
// are under way. It fails with croft.ErrPeer, which wraps ctx's error if that was the
// reason, with croft.ErrTooLarge, or with the croft.Error of the peer's handler. The
// request may have been answered even if Call fails.
func (h *Host) Call(ctx context.Context, to PeerID, proto string, request []byte, most int) ([]byte, error) {
	s, end, err := h.begin(ctx, h.out, to, proto, request)
	if err != nil {
		return nil, err
	}
	defer end()
	body, code, err := exchange(s, request, min(most, MaxAnswer))
	if err != nil {
		return nil, croft.E(croft.ErrPeer, to, why(cmp.Or(ctx.Err(), err)))
	}
	return unpackAnswer(to, code, body)
}

// exchange writes the request and reads the answer, side by side, and ends the
// stream. A peer may answer before it has read all, to say that it will not.
func exchange(s network.Stream, request []byte, most int) ([]byte, status, error) {
	s.SetReadDeadline(time.Time{}) // the handler may take its time; ctx bounds it
	wrote := make(chan error, 1)
	go func() {
		err := writeFrame(s, nil, request)
		if err != nil {
			s.SetReadDeadline(time.Now().Add(stall)) // for an answer that is under way
		}
		wrote <- err
	}()
	var code [1]byte
	_, err := io.ReadFull(s, code[:])
	var body []byte
	if err == nil {
		if status(code[0]) != answered {
			most = maxFailure
		}
		body, err = readFrame(s, most, reserve(s))
	}
	select {
	case failed := <-wrote:
		if err != nil {
			s.Reset()
			return nil, 0, cmp.Or(failed, err)
		}
		s.Close()
	default: // broken, or refused half-way
		s.Reset()
		<-wrote
	}
	return body, status(code[0]), err
}

// Handle answers calls of a protocol, such as "blob/1", with f. Requests above limit
// bytes are refused unread. A protocol has one handler; a second is a bug and panics.
func (h *Host) Handle(proto string, limit int, f Handler) { h.handle(h.allow, proto, limit, f) }

// handle answers calls of a protocol by those who may.
func (h *Host) handle(may func(PeerID) bool, proto string, limit int, f Handler) {
	h.acceptFrom(may, proto, func(from PeerID, s network.Stream) {
		code, answer := h.serve(from, s, limit, f)
		if reserve(s)(len(answer)) != nil {
			code, answer = busy, nil
		}
		if writeFrame(s, []byte{byte(code)}, answer) != nil {
			s.Reset()
			return
		}
		s.Close() // and never Reset after it: that would take the answer back
	})
}

// serve reads one request and runs its handler, on the account of its peer.
func (h *Host) serve(from PeerID, s network.Stream, limit int, f Handler) (status, []byte) {
	release, ok := h.admit(from)
	if !ok {
		return busy, nil
	}
	defer release()
	return h.serveAs(from, s, limit, f)
}

// serveAs does so as long as the caller waits.
func (h *Host) serveAs(from PeerID, s network.Stream, limit int, f Handler) (status, []byte) {
	request, err := readFrame(s, min(limit, MaxAnswer), reserve(s))
	if errors.Is(err, errTooLarge) {
		return tooLarge, nil
	} else if err != nil {
		return mute, nil
	}
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	gone := make(chan struct{})
	s.SetReadDeadline(time.Time{}) // here, not in the goroutine: a quick handler sets the deadline below first
	go func() {                    // ends at the latest with that deadline
		defer close(gone)
		s.Read(make([]byte, 1))
		cancel()
	}()
	code, answer := run(ctx, f, from, request)
	s.SetReadDeadline(time.Unix(1, 0))
	<-gone
	return code, answer
}

// run calls a handler and turns what it returns into an answer.
func run(ctx context.Context, h Handler, from PeerID, request []byte) (status, []byte) {
	answer, err := h(ctx, from, request)
	if err != nil {
		return packError(err)
	}
	if len(answer) > MaxAnswer {
		return mute, nil
	}
	return answered, answer
}

// reserve asks the limits of a stream, its peer and the whole host for memory. It
// is given back when the stream ends.
func reserve(s network.Stream) func(n int) error {
	return func(n int) error { return s.Scope().ReserveMemory(n, network.ReservationPriorityAlways) }
}

// admit takes a call on the account of its peer. All guests share one.
func (h *Host) admit(from PeerID) (release func(), ok bool) {
	if !h.allow(from) {
		return h.lobby.calls.try("")
	}
	return h.in.try(from)
}

// accept runs f for each incoming stream of an admitted peer.
func (h *Host) accept(proto string, f func(from PeerID, s network.Stream)) {
	h.acceptFrom(h.allow, proto, f)
}

// acceptFrom runs f for each incoming stream of a peer that may, and cuts off one
// that may not, or may no longer.
func (h *Host) acceptFrom(may func(PeerID) bool, proto string, f func(from PeerID, s network.Stream)) {
	id := protocolID(proto)
	if slices.Contains(h.host.Mux().Protocols(), id) {
		panic("p2p: two handlers for " + proto)
	}
	h.host.SetStreamHandler(id, func(s network.Stream) {
		from := PeerID(s.Conn().RemotePeer().String())
		if !may(from) {
			s.Reset()
			s.Conn().Close()
			return
		}
		if !h.work.run(func() { f(from, h.paced(s)) }) {
			s.Reset()
		}
	})
}

// begin opens a stream for a request, once the quota has room for another call to
// that peer. The stream is reset if ctx ends before end is called.
func (h *Host) begin(ctx context.Context, q *quota, to PeerID, proto string, request []byte) (s network.Stream, end func(), err error) {
	if len(request) > MaxAnswer {
		return nil, nil, croft.E(croft.ErrTooLarge, len(request), MaxAnswer)
	}
	if !h.allow(to) {
		return nil, nil, croft.E(croft.ErrPeer, printable(string(to)), errStranger)
	}
	release, err := q.wait(ctx, to)
	if err != nil {
		return nil, nil, croft.E(croft.ErrPeer, to, err)
	}
	if s, err = h.open(ctx, to, proto); err != nil {
		release()
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	return s, func() { stop(); release() }, nil
}

// open opens a stream to a peer. It fails with croft.ErrPeer.
func (h *Host) open(ctx context.Context, to PeerID, proto string) (network.Stream, error) {
	id, err := peer.Decode(string(to))
	if err != nil {
		return nil, croft.E(croft.ErrPeer, printable(string(to)), errNoID)
	}
	if !h.allow(to) {
		return nil, croft.E(croft.ErrPeer, to, errStranger)
	}
	s, err := h.host.NewStream(network.WithAllowLimitedConn(ctx, limited), id, protocolID(proto))
	if err != nil {
		return nil, croft.E(croft.ErrPeer, to, why(cmp.Or(ctx.Err(), err)))
	}
	return h.paced(s), nil
}

func protocolID(proto string) protocol.ID { return protocol.ID("/croft/" + proto) }

// Reasons not to reach a peer, in words for people.
var (
	errNoID     = errors.New("this is not a peer id")
	errStranger = errors.New("it is not a member")
	errUnknown  = errors.New("no address of it is known")
	errDead     = errors.New("no address of it answers")
	errSilent   = errors.New("it did not answer a moment ago")
	errProtocol = errors.New("it does not offer this")
	errSelf     = errors.New("it is this node")
	errClosed   = errors.New("this node is stopping")
	errBroken   = errors.New("the connection broke")
	errAnswer   = errors.New("its answer is larger than it may be")
)

// why puts an error of libp2p into few words.
func why(err error) error {
	if e, ok := errors.AsType[multistream.ErrNotSupported[protocol.ID]](err); ok {
		return fmt.Errorf("%w: %s", errProtocol, printable(fmt.Sprint(e.Protos)))
	}
	for _, m := range []struct{ is, say error }{
		{swarm.ErrGaterDisallowedConnection, errStranger},
		{swarm.ErrDialBackoff, errSilent},
		{swarm.ErrNoAddresses, errUnknown},
		{swarm.ErrDialToSelf, errSelf},
		{swarm.ErrSwarmClosed, errClosed},
		{network.ErrReset, errBroken},
		{errTooLarge, errAnswer},
	} {
		if errors.Is(err, m.is) {
			return m.say
		}
	}
	if e, ok := errors.AsType[*swarm.DialError](err); ok && len(e.DialErrors) > 0 {
		first := e.DialErrors[0]
		return errors.New(printable(fmt.Sprintf("%s: %v", first.Address, first.Cause)))
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, swarm.ErrAllDialsFailed) {
		return errDead
	}
	return errors.New(printable(err.Error()))
}

// gate admits the peers of a network to connections, both ways: an outgoing one
// before it is dialled, an incoming one, which may also be a guest's, as soon as
// the peer has proved its id.
type gate struct{ allow, guest func(PeerID) bool }

func (g gate) InterceptPeerDial(p peer.ID) bool { return g.allow(PeerID(p.String())) }
func (g gate) InterceptSecured(d network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	id := PeerID(p.String())
	return g.allow(id) || d == network.DirInbound && g.guest(id)
}
func (gate) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return true }
func (gate) InterceptAccept(network.ConnMultiaddrs) bool         { return true }
func (gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return true, 0
}

// winAddrInUse is WSAEADDRINUSE, which the syscall package does not translate.
const winAddrInUse = syscall.Errno(10048)

func port(addr multiaddr.Multiaddr) string {
	for _, p := range []int{multiaddr.P_TCP, multiaddr.P_UDP} {
		if text, err := addr.ValueForProtocol(p); err == nil {
			return text
		}
	}
	return strings.TrimPrefix(addr.String(), "/")
}

// tasks counts what runs for a host, so that Close can wait for it.
type tasks struct {
	mu     sync.Mutex // guards closed: nothing is added to all after it is set
	closed bool
	all    sync.WaitGroup
}

// run runs f here, start beside; both report false after close and do nothing.
func (t *tasks) run(f func()) bool {
	if !t.begin() {
		return false
	}
	defer t.all.Done()
	f()
	return true
}

func (t *tasks) start(f func()) bool {
	if !t.begin() {
		return false
	}
	go func() {
		defer t.all.Done()
		f()
	}()
	return true
}

func (t *tasks) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.all.Add(1)
	}
	return !t.closed
}

// close waits for all that runs.
func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.all.Wait()
}
