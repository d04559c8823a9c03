package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"croft"
)

const (
	anyTCP  = "/ip4/127.0.0.1/tcp/0"
	anyQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
)

// A dial that fails in two ways, one of which is a silence, is told in few words: the
// first way's.
func TestWhyIsShort(t *testing.T) {
	tcp, quic := multiaddr.StringCast("/ip4/192.0.2.1/tcp/1"), multiaddr.StringCast("/ip4/192.0.2.1/udp/1/quic-v1")
	dial := &swarm.DialError{Cause: swarm.ErrAllDialsFailed, DialErrors: []swarm.TransportError{{Address: tcp, Cause: errors.New("connection refused")}, {Address: quic, Cause: context.DeadlineExceeded}}}
	if got := why(fmt.Errorf("failed to dial: %w", dial)).Error(); got != "/ip4/192.0.2.1/tcp/1: connection refused" {
		t.Error(got)
	}
	if err := why(context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	first := realHost(t, 1, all, anyTCP, anyQUIC)
	for _, addr := range first.Addrs() {
		listen, _, _ := strings.Cut(addr, "/p2p/")
		_, err := Listen(Config{Key: secret(2), Listen: []string{anyTCP, listen}, Allow: all})
		if !errors.Is(err, croft.ErrPortUsed) || !strings.Contains(listen, strings.Fields(err.Error())[1]) {
			t.Errorf("%s: %v", listen, err)
		}
	}
	for _, bad := range []string{"", "4001", "/ip4/127.0.0.1", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/192.0.2.1/tcp/0"} {
		if _, err := Listen(Config{Key: secret(2), Listen: []string{bad}}); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Listen(Config{}); err == nil {
		t.Error("a host without a key")
	}
	addrs := first.Addrs()
	first.Close()
	for _, addr := range addrs {
		listen, _, _ := strings.Cut(addr, "/p2p/")
		realHost(t, 2, all, listen).Close()
	}
}

func TestBothTransportsAtOnce(t *testing.T) {
	b := realHost(t, 2, all, anyTCP, anyQUIC)
	if len(b.Addrs()) != 2 {
		t.Fatal(b.Addrs())
	}
	b.Handle("echo/1", 10, echo)
	a := realHost(t, 1, all) // only dials
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Fatal(err)
	}
}

// Only the gate keeps strangers from a connection; calls have a check of their
// own, so this looks at connections.
func TestStrangersGetNoConnection(t *testing.T) {
	for _, listen := range []string{anyTCP, anyQUIC} {
		member, stranger := realHost(t, 1, all), realHost(t, 3, all, listen)
		b := realHost(t, 2, func(p PeerID) bool { return p == member.ID() }, listen)
		connected := make(chan PeerID, 10)
		b.swarm.Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
			connected <- PeerID(c.RemotePeer().String())
		}})
		b.Handle("echo/1", 10, echo)
		stranger.Handle("echo/1", 10, echo)
		for _, h := range []*Host{stranger, member} { // in this order
			if err := errors.Join(h.Learn(b.Addrs()...), b.Learn(stranger.Addrs()...)); err != nil {
				t.Fatal(err)
			}
			_, err := h.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
			if (err == nil) != (h == member) {
				t.Errorf("%s: %v", h.ID(), err)
			}
		}
		id, err := peer.Decode(string(stranger.ID()))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.host.Connect(t.Context(), peer.AddrInfo{ID: id}); err == nil {
			t.Error("connected to a stranger")
		}
		if first := <-connected; first != member.ID() || len(connected) > 0 {
			t.Errorf("%s: connected to %s and %d more", listen, first, len(connected))
		}
	}
}

// After a failed call libp2p does not dial that address for a while; Learn says
// that it is worth trying.
func TestLearnEndsTheBackoff(t *testing.T) {
	a, b := realHost(t, 1, all), realHost(t, 2, all, anyTCP)
	addrs := b.Addrs()
	b.Close()
	if err := a.Learn(addrs...); err != nil {
		t.Fatal(err)
	}
	_, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "while it is down", err)
	listen, _, _ := strings.Cut(addrs[0], "/p2p/")
	b = realHost(t, 2, all, listen)
	b.Handle("echo/1", 10, echo)
	_, err = a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "up again, and not tried", err)
	if err := a.Learn(addrs...); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Error(err)
	}
}

// Members in one house come from one address. It may have many connections, and still
// strangers at one address cannot take all.
func TestManyBehindOneRouter(t *testing.T) {
	for _, at := range []string{"/ip4/20.0.0.%d/tcp/4001", "/ip4/20.0.0.%d/udp/4001/quic-v1", "/ip6/2a00:0:0:%d00::1/tcp/4001"} {
		limits, err := limits()
		if err != nil {
			t.Fatal(err)
		}
		defer limits.Close()
		opened := func(from int) (network.ConnManagementScope, error) {
			return limits.OpenConnection(network.DirInbound, strings.Contains(at, "tcp"), multiaddr.StringCast(fmt.Sprintf(at, from)))
		}
		for i := range 50 {
			c, err := opened(1)
			if err == nil {
				err = c.SetPeer(peer.ID(fmt.Sprint(i)))
			}
			if err != nil {
				t.Fatalf(at+": member %d: %v", 1, i+1, err)
			}
		}
		strangers := 0
		for ; strangers < 1000; strangers++ {
			if _, err := opened(2); err != nil {
				break
			}
		}
		if _, err := opened(3); err != nil || strangers == 1000 {
			t.Errorf(at+": after %d strangers at one address another gets %v", 2, strangers, err)
		}
	}
}

// That somebody is away for long says nothing of UDP or IPv6.
func TestAwayForLong(t *testing.T) {
	a := realHost(t, 1, all, anyQUIC)
	away := PeerOf(public(2))
	for i := range 120 {
		if err := a.Learn("/ip4/20.0.0.1/udp/0/quic-v1/p2p/" + string(away)); err != nil { // no port: it is not even sent
			t.Fatal(err)
		}
		if _, err := a.Call(t.Context(), away, "echo/1", nil, MaxAnswer); err == nil || strings.Contains(err.Error(), "black hole") {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
}

// TCP waits for QUIC where a peer has both, and only there.
func TestQUICFirst(t *testing.T) {
	const tcp, quic, circuit = "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/20.0.0.1/tcp/1/p2p-circuit"
	delays := func(texts ...string) map[string]time.Duration {
		var addrs []multiaddr.Multiaddr
		for _, text := range texts {
			addrs = append(addrs, multiaddr.StringCast(text))
		}
		delays := map[string]time.Duration{}
		for _, r := range quicFirst(addrs) {
			delays[r.Addr.String()] = r.Delay
		}
		return delays
	}
	if got := delays(tcp, quic, circuit); got[quic] != 0 || got[tcp] < time.Second || got[circuit] >= time.Second || len(got) != 3 {
		t.Error(got)
	}
	if got := delays(tcp, circuit); got[tcp] != 0 || got[circuit] >= time.Second {
		t.Error(got)
	}
}

// Who has to leave addresses out leaves out those that reach least far.
func TestFarAddressesFirst(t *testing.T) {
	want := []string{"/ip4/20.0.0.1/tcp/1", "/ip6/2a00::1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/172.17.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"}
	var addrs []multiaddr.Multiaddr
	for _, text := range want {
		addrs = append(addrs, multiaddr.StringCast(text))
	}
	slices.Reverse(addrs)
	slices.SortFunc(addrs, farFirst)
	for i, a := range addrs {
		if a.String() != want[i] {
			t.Errorf("%d: %s, want %s", i, a, want[i])
		}
	}
}

// What a host listens on is told as it was asked for, but for the port: the machine may
// have other addresses when it starts again.
func TestListening(t *testing.T) {
	h := realHost(t, 1, all, "/ip4/0.0.0.0/udp/0/quic-v1", anyTCP)
	got := h.Listening()
	if len(got) != 2 || !strings.HasPrefix(got[0], "/ip4/0.0.0.0/udp/") || !strings.HasPrefix(got[1], "/ip4/127.0.0.1/tcp/") || anyPort(got) {
		t.Errorf("it listens on %v", got)
	}
	h.Close()
	again := realHost(t, 1, all, got...)
	if !slices.Equal(again.Listening(), got) {
		t.Errorf("and then on %v", again.Listening())
	}
}

func anyPort(addrs []string) bool {
	return slices.ContainsFunc(addrs, func(a string) bool { return strings.Contains(a+"/", "/0/") })
}

func TestLargestMessages(t *testing.T) {
	for _, listen := range []string{anyTCP, anyQUIC} {
		a, b := realHost(t, 1, all), realHost(t, 2, all, listen)
		if err := a.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
		b.Handle("back/1", 1<<30, func(_ context.Context, _ PeerID, request []byte) ([]byte, error) { return request, nil })
		request := bytes.Repeat([]byte("0123456789abcdef"), MaxAnswer/16)
		for range 2 { // the second finds the memory of the first given back
			answer, err := a.Call(t.Context(), b.ID(), "back/1", request, MaxAnswer)
			if err != nil || !bytes.Equal(answer, request) {
				t.Fatalf("%s: %d bytes, %v", listen, len(answer), err)
			}
		}
	}
}

// A peer that does not keep to the format gets an error or nothing, costs no
// memory, and does no harm to others.
func TestHostileStreams(t *testing.T) {
	b := realHost(t, 2, all, anyTCP)
	handled := make(chan []byte, 10)
	b.Handle("echo/1", 1000, func(_ context.Context, _ PeerID, request []byte) ([]byte, error) {
		handled <- request
		return request, nil
	})
	a := realHost(t, 1, all)
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	size := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for what, c := range map[string]struct {
		send []byte
		want status
	}{
		"a length above the limit": {size(1001), tooLarge},
		"the largest length":       {size(1<<32 - 1), tooLarge},
		"half a length":            {[]byte{0, 0}, mute},
		"half a request":           {append(size(10), "half"...), mute},
		"nothing":                  {nil, mute},
	} {
		s := raw(t, a, b, "echo/1")
		if _, err := s.Write(c.send); err != nil {
			t.Fatal(err)
		}
		s.CloseWrite()
		answer, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(answer, append([]byte{byte(c.want)}, size(0)...)) {
			t.Errorf("%s: got %x, %v", what, answer, err)
		}
	}
	if len(handled) != 0 {
		t.Errorf("handled %q", <-handled)
	}
	raw(t, a, b, "echo/1").Reset()
	if _, err := a.Call(t.Context(), b.ID(), "echo/1", []byte("fine"), MaxAnswer); err != nil || string(<-handled) != "fine" {
		t.Error(err)
	}
}

// A peer that answers nonsense is unreachable, no more.
func TestHostileAnswers(t *testing.T) {
	b := realHost(t, 2, all, anyTCP)
	var answer []byte
	var mu sync.Mutex
	b.accept("bad/1", func(_ PeerID, s network.Stream) {
		mu.Lock()
		defer mu.Unlock()
		io.ReadFull(s, make([]byte, 4))
		s.Write(answer)
		s.Close()
	})
	a := realHost(t, 1, all)
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	frame := func(s status, body []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{byte(s)}, uint32(len(body))), body...)
	}
	for what, bad := range map[string][]byte{
		"nothing":           nil,
		"a status alone":    {0},
		"no such status":    frame(77, nil),
		"an endless answer": {0, 0xff, 0xff, 0xff, 0xff},
		"half an answer":    frame(answered, []byte("half"))[:7],
		"no failure":        frame(failed, []byte("x")),
		"no such code":      frame(failed, croft.Encode(failure{Code: 9999})),
		"an internal error": frame(failed, croft.Encode(failure{Code: croft.ErrInternal, Args: []string{"x"}})),
		"too many words":    frame(failed, croft.Encode(failure{Code: croft.ErrPolicy, Args: make([]string, maxArgs+1)})),
		"too long":          frame(failed, croft.Encode(failure{Code: croft.ErrPolicy, Args: []string{strings.Repeat("x", maxFailure)}})),
	} {
		mu.Lock()
		answer = bad
		mu.Unlock()
		got, err := a.Call(t.Context(), b.ID(), "bad/1", nil, MaxAnswer)
		if got != nil {
			t.Errorf("%s: %q", what, got)
		}
		wantPeerError(t, what, err)
	}
}

func raw(t *testing.T, from, to *Host, proto string) network.Stream {
	t.Helper()
	id, err := peer.Decode(string(to.ID()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := from.host.NewStream(t.Context(), id, protocolID(proto))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A peer that ignores its own quota meets ours.
func TestOnePeerCannotTakeAll(t *testing.T) {
	b := realHost(t, 2, all, anyTCP)
	entered, leave := make(chan bool), make(chan bool)
	b.Handle("wait/1", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
		entered <- true
		<-leave
		return nil, nil
	})
	b.Handle("echo/1", 10, echo)
	greedy, modest := realHost(t, 1, all), realHost(t, 3, all)
	for _, h := range []*Host{greedy, modest} {
		if err := h.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
	}
	for range incoming.atOnce {
		if _, err := raw(t, greedy, b, "wait/1").Write(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		<-entered
	}
	s := raw(t, greedy, b, "wait/1")
	s.Write(make([]byte, 4))
	code := make([]byte, 1)
	if _, err := io.ReadFull(s, code); err != nil || status(code[0]) != busy {
		t.Errorf("call %d: status %d, %v", incoming.atOnce+1, code[0], err)
	}
	_, err := greedy.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
	wantPeerError(t, "the greedy one's next call", err)
	if _, err := modest.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
		t.Errorf("another peer: %v", err)
	}
	close(leave)
	b.Close() // also waits for the handlers
}

func TestNothingInTheDefaultRegistry(t *testing.T) {
	realHost(t, 1, all, anyTCP)
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "go_") && !strings.HasPrefix(f.GetName(), "process_") {
			t.Errorf("metric %s", f.GetName())
		}
	}
}

// echoServer is a TCP program that answers when its peer has said all.
func echoServer(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				said, err := io.ReadAll(conn)
				if err == nil {
					conn.Write(append([]byte("heard "), said...))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func TestTunnelPassesHalfCloses(t *testing.T) {
	for _, listen := range []string{anyTCP, anyQUIC} {
		a, b := realHost(t, 1, all), realHost(t, 2, all, listen)
		if err := a.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
		b.Expose("comet/1", echoServer(t))
		addr, err := a.Forward(t.Context(), b.ID(), "comet/1")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				conn, said := dial(t, addr), bytes.Repeat([]byte{byte(i)}, 3<<20)
				go func() {
					conn.Write(said)
					conn.CloseWrite() // the answer comes only after this
				}()
				heard, err := io.ReadAll(conn)
				if err != nil || !bytes.Equal(heard, append([]byte("heard "), said...)) {
					t.Errorf("%s: heard %d bytes, %v", listen, len(heard), err)
				}
			})
		}
		wg.Wait()
	}
}

func TestTunnelsEnd(t *testing.T) {
	a, b := realHost(t, 1, all), realHost(t, 2, func(p PeerID) bool { return p == PeerOf(public(1)) }, anyTCP)
	stranger := realHost(t, 3, all)
	for _, h := range []*Host{a, stranger} {
		if err := h.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
	}
	b.Expose("comet/1", echoServer(t))
	b.Expose("dead/1", "127.0.0.1:1")
	ends := func(what, addr string) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return // not even a listener
		}
		defer conn.Close()
		conn.Write([]byte("hello"))
		if heard, _ := io.ReadAll(conn); len(heard) > 0 {
			t.Errorf("%s: heard %q", what, heard)
		}
	}
	forward := func(ctx context.Context, h *Host, proto string) string {
		t.Helper()
		addr, err := h.Forward(ctx, b.ID(), proto)
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	ends("no target", forward(t.Context(), a, "dead/1"))
	ends("no such tunnel", forward(t.Context(), a, "none/1"))
	ends("a stranger", forward(t.Context(), stranger, "comet/1"))

	// With the context ends the listener and what runs.
	ctx, cancel := context.WithCancel(t.Context())
	addr := forward(ctx, a, "comet/1")
	conn := dial(t, addr)
	conn.Write([]byte("hello"))
	cancel()
	if heard, err := io.ReadAll(conn); err == nil && len(heard) > 0 {
		t.Errorf("after the context: heard %q", heard)
	}
	ends("the context is over", addr)

	// And with the host at either end.
	addr = forward(t.Context(), a, "comet/1")
	conn = dial(t, addr)
	conn.Write([]byte("hello"))
	b.Close()
	if heard, err := io.ReadAll(conn); err == nil && len(heard) > 0 {
		t.Errorf("after the host: heard %q", heard)
	}
	a.Close()
	ends("the host is closed", addr)
	if _, err := a.Forward(t.Context(), b.ID(), "comet/1"); err == nil {
		t.Error("a closed host forwards")
	}
}

func TestOnePeerCannotOpenAllTunnels(t *testing.T) {
	a, b := realHost(t, 1, all), realHost(t, 2, all, anyTCP)
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // of a program that greets
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
			defer conn.Close()
			conn.Write([]byte("hi"))
		}
	}()
	b.Expose("comet/1", listener.Addr().String())
	for i := range tunnelsPerPeer + 1 {
		s := raw(t, a, b, "comet/1")
		defer s.Reset()
		s.Write([]byte("x"))
		heard := make([]byte, 2)
		if _, err := io.ReadFull(s, heard); (err == nil) != (i < tunnelsPerPeer) {
			t.Errorf("tunnel %d: heard %q, %v", i+1, heard, err)
		}
	}
}

// Close leaves nothing of ours running, whatever was under way.
func TestCloseLeavesNoGoroutines(t *testing.T) {
	a, b := realHost(t, 1, all, anyTCP, anyQUIC), realHost(t, 2, all, anyTCP, anyQUIC)
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	b.Expose("comet/1", echoServer(t))
	entered := make(chan bool)
	b.Handle("wait/1", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
		entered <- true
		<-ctx.Done()
		return nil, nil
	})
	called := make(chan error)
	go func() { _, err := a.Call(t.Context(), b.ID(), "wait/1", nil, MaxAnswer); called <- err }()
	<-entered
	addr, err := a.Forward(t.Context(), b.ID(), "comet/1")
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, addr)
	conn.Write([]byte("hello"))

	a.Close()
	b.Close()
	<-called
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, g := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(g, "p2p.(*Host)") || strings.Contains(g, "p2p.(*tasks)") || strings.Contains(g, "p2p.pipe") || strings.Contains(g, "p2p.exchange") {
			t.Errorf("still there:\n%s", g)
		}
	}
}

func TestNothingIsWrittenToDisk(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("TMPDIR", dir)
	a := realHost(t, 1, all, anyTCP, anyQUIC)
	a.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
