package p2p

import (
	"context"
	"net"
	"strings"
	"testing"
)

// A peer that listens can be dialled anew, at each of its addresses; nobody else in
// its place, and no port that does not answer. The peer's own calls go on.
func TestProbe(t *testing.T) {
	a, b := realHost(t, 1, all, anyTCP, anyQUIC), realHost(t, 2, all, anyTCP, anyQUIC)
	a.Handle("echo/1", 10, echo)
	if err := b.Learn(a.Addrs()...); err != nil {
		t.Fatal(err)
	}
	own := "/p2p/" + string(a.ID())
	if err := b.Probe(t.Context(), a.ID(), a.Addrs()[0]); err == nil {
		t.Error("an address on this machine, of a peer that nothing shows to be here")
	}
	if _, err := b.Call(t.Context(), a.ID(), "echo/1", []byte("x"), 100); err != nil {
		t.Fatal(err)
	}
	for _, addr := range a.Addrs() {
		if err := b.Probe(t.Context(), a.ID(), addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := b.Call(t.Context(), a.ID(), "echo/1", []byte("x"), 100); err != nil {
		t.Error(err)
	}
	if n := len(b.Connected()); n != 1 {
		t.Errorf("%d peers after probes", n)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent.Close()
	_, free, _ := net.SplitHostPort(silent.Addr().String())
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context
		addr string
	}{
		"a closed port":       {t.Context(), "/ip4/127.0.0.1/tcp/" + free + own},
		"another one's port":  {t.Context(), strings.ReplaceAll(b.Addrs()[0], string(b.ID()), string(a.ID()))},
		"another one's id":    {t.Context(), b.Addrs()[0]},
		"no id":               {t.Context(), "/ip4/127.0.0.1/tcp/4001"},
		"no address":          {t.Context(), "x"},
		"no transport for it": {t.Context(), "/ip4/127.0.0.1/tcp/4001/ws" + own},
		"no time":             {ended, a.Addrs()[0]},
	} {
		if err := b.Probe(c.ctx, a.ID(), c.addr); err == nil {
			t.Errorf("%s: it was reached", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}

	closed := realHost(t, 3, func(PeerID) bool { return false })
	wantPeerError(t, "one that is not admitted", closed.Probe(t.Context(), a.ID(), a.Addrs()[0]))
}
