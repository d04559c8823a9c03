package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// relayed makes a host that relays within limits, one that nobody can dial and that is
// reached through it, and one more member who knows the way.
func relayed(t *testing.T, allow func(PeerID) bool, limits Relaying, rate int) (relay, hidden, visitor *Host) {
	t.Helper()
	var err error
	if relay, err = Listen(Config{Key: secret(1), Listen: []string{anyTCP, anyQUIC}, Allow: allow, Relay: limits, Rate: rate}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	hidden, visitor = realHost(t, 2, all), realHost(t, 3, all) // neither listens
	if err := hidden.Learn(relay.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if len(hidden.Addrs()) != 0 {
		t.Fatalf("before it has a place it is at %v", hidden.Addrs())
	}
	until, err := hidden.Reserve(t.Context(), relay.ID())
	if err != nil || time.Until(until) < 10*time.Minute {
		t.Fatal(until, err)
	}
	ways := hidden.Addrs()
	if len(ways) != 2 || !strings.HasSuffix(ways[0], "/p2p/"+string(relay.ID())+"/p2p-circuit/p2p/"+string(hidden.ID())) || len(Direct(ways)) != 0 {
		t.Fatalf("it is reached at %v", ways)
	}
	if err := visitor.Learn(ways...); err != nil {
		t.Fatal(err)
	}
	return relay, hidden, visitor
}

// A member with outbound connections only takes part: calls and tunnels both ways,
// and again after the relay has hung up.
func TestThroughARelay(t *testing.T) {
	relay, hidden, visitor := relayed(t, all, UsualRelaying, 0)
	hidden.Handle("echo/1", 1<<20, echo)
	visitor.Handle("echo/1", 1<<20, echo)
	large := make([]byte, 1<<20)
	for range 2 {
		if answer, err := visitor.Call(t.Context(), hidden.ID(), "echo/1", large, MaxAnswer); err != nil || len(answer) <= len(large) {
			t.Fatal(err)
		}
		if _, err := hidden.Call(t.Context(), visitor.ID(), "echo/1", nil, MaxAnswer); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(visitor.Relayed(), []PeerID{hidden.ID()}) || !slices.Contains(hidden.Connected(), visitor.ID()) || len(relay.Relayed()) != 0 {
			t.Errorf("through a relay: %v; connected: %v", visitor.Relayed(), hidden.Connected())
		}
		if answers := visitor.Poll(t.Context(), hidden.ID(), "echo/1", MaxAnswer); len(answers) != 1 {
			t.Errorf("%d answers to a poll", len(answers))
		}
		visitor.Drop(relay.ID())
		visitor.Drop(hidden.ID())
	}

	// A tunnel, as CometBFT's connections take it, of the one who is dialled.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("hello\n"))
			conn.Close()
		}
	}()
	for _, ends := range [][2]*Host{{hidden, visitor}, {visitor, hidden}} {
		ends[0].Expose("comet/1", listener.Addr().String())
		addr, err := ends[1].Forward(t.Context(), ends[0].ID(), "comet/1")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
			t.Errorf("a tunnel through the relay: %q %v", line, err)
		}
		conn.Close()
	}
}

// A relay works for members, and only a host that offers it does.
func TestRelaysAreForMembers(t *testing.T) {
	var out atomic.Pointer[PeerID] // who is no member
	member := func(p PeerID) bool { stranger := out.Load(); return stranger == nil || p != *stranger }
	relay, hidden, visitor := relayed(t, member, UsualRelaying, 0)
	visitorID, hiddenID := visitor.ID(), hidden.ID()
	other := realHost(t, 4, all, anyTCP)
	if err := hidden.Learn(other.Addrs()...); err != nil {
		t.Fatal(err)
	}
	_, err := hidden.Reserve(t.Context(), other.ID())
	wantPeerError(t, "a place at a host that offers none", err)
	out.Store(&visitorID)
	hidden.Handle("echo/1", 10, echo)
	_, err = visitor.Call(t.Context(), hidden.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "through a relay that does not know one", err)
	out.Store(&hiddenID)
	_, err = hidden.Reserve(t.Context(), relay.ID())
	wantPeerError(t, "a place for one who was revoked", err)
	if len(hidden.Addrs()) != 0 {
		t.Errorf("without a place it is at %v", hidden.Addrs())
	}
	// Over a connection that was open before, too.
	if m := relay.carrier; m.AllowConnect(peerOf(t, visitor), nil, peerOf(t, hidden)) || m.AllowReserve(peerOf(t, hidden), nil) || !m.AllowReserve(peerOf(t, visitor), nil) {
		t.Error("the relay asks somebody else who its members are")
	}
	_, err = hidden.Reserve(t.Context(), "nobody")
	wantPeerError(t, "a place at nobody's", err)
}

func peerOf(t *testing.T, h *Host) peer.ID {
	id, err := peer.Decode(string(h.ID()))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A relay carries so many circuits, and so many bytes in a day, and no more; others that
// wait for a place are told that it has none.
func TestRelaysHaveLimits(t *testing.T) {
	relay, hidden, visitor := relayed(t, all, Relaying{Circuits: 1, Each: 1e9, Daily: 1e6}, 0)
	hidden.Handle("echo/1", 1<<20, echo)
	if _, err := visitor.Call(t.Context(), hidden.ID(), "echo/1", make([]byte, 100_000), MaxAnswer); err != nil {
		t.Fatal(err)
	}
	load, relays := relay.Carries()
	if load.Circuits != 1 || load.Bytes < 200_000 || load.Bytes > 300_000 || load.Left != 1e6-load.Bytes || !relays {
		t.Errorf("100 kB there and back are %+v, %t", load, relays)
	}
	if load, relays := visitor.Carries(); relays || load != (Load{}) {
		t.Errorf("who relays nothing carries %+v", load)
	}
	// Another two have a place, and no circuit is left for them.
	another, caller := realHost(t, 4, all), realHost(t, 5, all)
	another.Handle("echo/1", 10, echo)
	if err := another.Learn(relay.Addrs()...); err != nil {
		t.Fatal(err)
	}
	_, err := another.Reserve(t.Context(), relay.ID())
	if err = errors.Join(err, caller.Learn(another.Addrs()...)); err != nil {
		t.Fatal(err)
	}
	_, err = caller.Call(t.Context(), another.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "a second circuit of one", err)

	// The day's bytes end in the middle of an answer, and with them the circuit.
	_, err = visitor.Call(t.Context(), hidden.ID(), "echo/1", make([]byte, 600_000), MaxAnswer)
	wantPeerError(t, "more than a day's bytes", err)
	eventually(t, "the circuit is cut", func() bool { load, _ = relay.Carries(); return load.Circuits == 0 })
	if load.Bytes > 1e6 || load.Left != 0 {
		t.Errorf("a million bytes were allowed: %+v", load)
	}
	_, err = hidden.Reserve(t.Context(), relay.ID())
	wantPeerError(t, "a place at one that is done for the day", err)

	// A day later it goes on.
	relay.carrier.mu.Lock()
	relay.carrier.began = time.Now().Add(-relayingTime)
	relay.carrier.mu.Unlock()
	if _, err := hidden.Reserve(t.Context(), relay.ID()); err != nil {
		t.Error(err)
	}
	visitor.Drop(hidden.ID())
	if err := visitor.Learn(hidden.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if _, err := visitor.Call(t.Context(), hidden.ID(), "echo/1", make([]byte, 100_000), MaxAnswer); err != nil {
		t.Error(err)
	}
	if load, _ := relay.Carries(); load.Left < 500_000 || load.Left > 1e6-200_000 {
		t.Errorf("on the second day: %+v", load)
	}
}

// Who cannot be dialled dials whom it can, also when the other was faster and came
// through the relay.
func TestADirectWayIsTaken(t *testing.T) {
	_, hidden, _ := relayed(t, all, UsualRelaying, 0)
	hidden.Handle("echo/1", 10, echo)
	listens := realHost(t, 4, all, anyTCP)
	if err := errors.Join(hidden.Learn(listens.Addrs()...), listens.Learn(hidden.Addrs()...)); err != nil {
		t.Fatal(err)
	}
	if _, err := listens.Call(t.Context(), hidden.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a direct way", func() bool { return len(listens.Relayed()) == 0 && len(hidden.Relayed()) == 0 })
}

// Once there is a direct way the one through the relay is given up: calls on it are
// waited for, tunnels are cut and come again directly.
func TestDetoursEnd(t *testing.T) {
	relay, hidden, visitor := relayed(t, all, UsualRelaying, 0)
	entered, leave := make(chan bool), make(chan bool)
	hidden.Handle("wait/1", 10, func(context.Context, PeerID, []byte) ([]byte, error) {
		entered <- true
		<-leave
		return []byte("done"), nil
	})
	hidden.Expose("comet/1", echoServer(t))
	addr, err := visitor.Forward(t.Context(), hidden.ID(), "comet/1")
	if err != nil {
		t.Fatal(err)
	}
	tunnel := dial(t, addr)
	if _, err := tunnel.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() {
		got, err := visitor.Call(t.Context(), hidden.ID(), "wait/1", nil, MaxAnswer)
		if string(got) != "done" {
			err = errors.Join(err, fmt.Errorf("answer %q", got))
		}
		answer <- err
	}()
	<-entered
	for _, h := range []*Host{hidden, visitor} {
		eventually(t, "a call and a tunnel, and which is which", func() bool {
			for _, c := range h.swarm.Conns() {
				streams := c.GetStreams()
				if tunnels := slices.DeleteFunc(slices.Clone(streams), h.isCall); len(tunnels) == 1 && len(streams) > 1 {
					return c.Stat().Limited
				}
			}
			return false
		})
	}

	// Now they can dial each other.
	if err := visitor.listen(anyTCP); err != nil {
		t.Fatal(err)
	}
	if err := hidden.Learn(visitor.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if _, err := hidden.swarm.DialPeer(network.WithForceDirectDial(t.Context(), "test"), peerOf(t, visitor)); err != nil {
		t.Fatal(err)
	}
	close(leave)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if heard, _ := io.ReadAll(tunnel); len(heard) > 0 {
		t.Errorf("a tunnel through the relay ended with %q", heard)
	}
	eventually(t, "no circuit", func() bool { load, _ := relay.Carries(); return load.Circuits == 0 })
	tunnel = dial(t, addr)
	tunnel.Write([]byte("hello"))
	tunnel.CloseWrite()
	if heard, err := io.ReadAll(tunnel); string(heard) != "heard hello" {
		t.Errorf("a direct tunnel: %q %v", heard, err)
	}
}

// A host tells at most so many addresses through one relay: first where it reached it,
// and of what the relay says only what can be one.
func TestWaysThroughARelay(t *testing.T) {
	relay, hidden, _ := relayed(t, all, UsualRelaying, 0)
	id, other := peerOf(t, relay), PeerOf(public(9))
	reached := hidden.dialled(id)[0].String()
	var said []multiaddr.Multiaddr
	for _, text := range []string{
		"/ip4/192.168.1.1/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/20.0.0.1/tcp/1/p2p/" + string(relay.ID()), "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/1",
		"/dns4/example.org/tcp/1", "/ip4/20.0.0.2/tcp/1/p2p/" + string(other), "/ip4/20.0.0.3/tcp/1/p2p/" + string(other) + "/p2p-circuit", reached,
	} {
		said = append(said, multiaddr.StringCast(text))
	}
	var want []string
	for _, at := range []string{reached, "/ip4/20.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.2/tcp/1"} {
		want = append(want, at+"/p2p/"+string(relay.ID())+"/p2p-circuit/p2p/"+string(hidden.ID()))
	}
	if got := hidden.through(id, said); !slices.Equal(got, want) {
		t.Errorf("it is reached at\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := hidden.Dialled(relay.ID()); len(got) == 0 || got[0] != reached+"/p2p/"+string(relay.ID()) || len(relay.Dialled(hidden.ID())) != 0 {
		t.Errorf("dialled %v, and back %v", got, relay.Dialled(hidden.ID()))
	}
}

// A relay forgets who has hung up, or what was before it started anew: the way through it
// is told of again when it has been asked again, not as soon as there is a connection.
func TestPlacesEndWithTheConnection(t *testing.T) {
	relay, hidden, visitor := relayed(t, all, UsualRelaying, 0)
	hidden.Handle("echo/1", 10, echo)
	relay.Drop(hidden.ID())
	eventually(t, "it is told of nowhere", func() bool { return len(hidden.Addrs()) == 0 })
	if _, err := hidden.swarm.DialPeer(t.Context(), peerOf(t, relay)); err != nil {
		t.Fatal(err)
	}
	if addrs := hidden.Addrs(); len(addrs) != 0 {
		t.Errorf("it is told of at %v", addrs)
	}
	_, err := visitor.Call(t.Context(), hidden.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "through a relay that has no place for it", err)
	if _, err := hidden.Reserve(t.Context(), relay.ID()); err != nil || len(hidden.Addrs()) != 2 {
		t.Errorf("it is told of at %v: %v", hidden.Addrs(), err)
	}
}

// What is carried for others keeps to the host's own pace.
func TestRelaysKeepTheirPace(t *testing.T) {
	relay, hidden, visitor := relayed(t, all, UsualRelaying, 1e6)
	hidden.Handle("echo/1", 1<<20, echo)
	begun := time.Now()
	if _, err := visitor.Call(t.Context(), hidden.ID(), "echo/1", make([]byte, 400_000), MaxAnswer); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*pace{&relay.outward, &relay.inward} { // both halves, at a megabyte a second
		p.mu.Lock()
		if used := p.free.Sub(begun); used < 800*time.Millisecond-slack {
			t.Errorf("800 kB that it carried are %v of its time", used)
		}
		p.mu.Unlock()
	}
}

// eventually waits for what happens at another host.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.After(5 * time.Minute); !is(); {
		select {
		case <-end:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// What is heard in the building is a hint about members, and outlives what is learned
// from elsewhere.
func TestPeersInTheBuilding(t *testing.T) {
	a, b := realHost(t, 1, func(p PeerID) bool { return p == PeerOf(public(2)) }), realHost(t, 2, all, anyTCP)
	stranger := realHost(t, 3, all, anyTCP)
	b.Handle("echo/1", 10, echo)
	says := func(h *Host) (texts []string) {
		for _, addr := range h.Addrs() {
			texts = append(texts, mdnsAddr+addr)
		}
		return texts
	}
	many := slices.Repeat(says(b), maxNear+1)
	for _, texts := range [][]string{nil, says(stranger), many, b.Addrs(), {mdnsAddr}, {mdnsAddr + "\xff"}} {
		if a.heard(texts); len(a.near) != 0 {
			t.Errorf("of %.80q it remembers %v", texts, a.near)
		}
	}
	for i := range 1000 { // somebody else can say it, too
		a.heard([]string{fmt.Sprintf("%s/ip4/127.0.0.1/tcp/%d/p2p/%s", mdnsAddr, i+1, b.ID())})
	}
	if known := a.host.Peerstore().Addrs(peerOf(t, b)); len(known) != 1 {
		t.Errorf("it remembers %d addresses that were announced one after the other", len(known))
	}
	a.heard(says(b))
	if err := a.Learn("/ip4/127.0.0.1/tcp/1/p2p/" + string(b.ID())); err != nil { // an old address
		t.Fatal(err)
	}
	if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Error(err)
	}
	if a.mdns != nil || b.mdns != nil {
		t.Error("a host on loopback announces itself")
	}
}

// multicasts says whether this machine hears what it sends to a group of neighbours.
func multicasts() bool {
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353} // of multicast DNS, which lets such words pass by
	in, err := net.ListenMulticastUDP("udp4", nil, group)
	if err != nil {
		return false
	}
	defer in.Close()
	out, err := net.DialUDP("udp4", nil, group)
	if err != nil {
		return false
	}
	defer out.Close()
	if _, err := out.Write([]byte("anybody?")); err != nil {
		return false
	}
	_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = in.Read(make([]byte, 16))
	return err == nil
}

// Two hosts on this machine's networks find each other by multicast, where there is one.
func TestAnnouncing(t *testing.T) {
	a, b := realHost(t, 1, all, "/ip4/0.0.0.0/tcp/0"), realHost(t, 2, all, "/ip4/0.0.0.0/tcp/0")
	if a.mdns == nil || b.mdns == nil {
		t.Skip("no network beside loopback")
	}
	if !multicasts() {
		t.Skip("multicast does not work on this machine")
	}
	for end := time.After(5 * time.Minute); ; {
		a.mu.Lock()
		found := len(a.near[b.host.ID()])
		a.mu.Unlock()
		if found > 0 {
			break
		}
		select {
		case <-end:
			t.Fatal("multicast works here, and they do not find each other")
		case <-time.After(50 * time.Millisecond):
		}
	}
	b.Handle("echo/1", 10, echo)
	if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Error(err)
	}
	if a.swarm.Connectedness(b.host.ID()) != network.Connected {
		t.Error("not connected")
	}
}
