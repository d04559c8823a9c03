package p2p

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"croft"
)

// inn is a host with a member, 1, that welcomes guests while open.
func inn(t *testing.T, listen string, open *atomic.Bool) *Host {
	t.Helper()
	member := PeerOf(public(1))
	h, err := Listen(Config{Key: secret(2), Listen: []string{listen}, Allow: func(p PeerID) bool { return p == member },
		Guest: func(PeerID) bool { return open.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.Welcome("join/1", 100, echo)
	h.Handle("secret/1", 100, echo)
	ServeBlobs(h, func(PeerID, croft.Hash) ([]byte, error) { return []byte("blob"), nil })
	h.Expose("comet/1", "127.0.0.1:1")
	return h
}

// A guest may call what welcomes it, and nothing else: trying costs it the
// connection.
func TestGuests(t *testing.T) {
	for _, listen := range []string{anyTCP, anyQUIC} {
		var open atomic.Bool
		open.Store(true)
		b := inn(t, listen, &open)
		member, guest := realHost(t, 1, all), realHost(t, 3, all)
		call := func(h *Host, proto string) error {
			if err := h.Learn(b.Addrs()...); err != nil {
				t.Fatal(err)
			}
			for h == guest && proto == "join/1" && slices.Contains(h.Connected(), b.ID()) {
				runtime.Gosched() // it has not heard yet that it lost the connection
			}
			_, err := h.Call(t.Context(), b.ID(), proto, make([]byte, 32), MaxAnswer)
			return err
		}
		for range 3 {
			if err := call(guest, "join/1"); err != nil {
				t.Errorf("%s: a guest at the door: %v", listen, err)
			}
			for _, proto := range []string{"secret/1", blobProto, "comet/1"} {
				wantPeerError(t, "a guest calls "+proto, call(guest, proto))
			}
		}
		for _, proto := range []string{"join/1", "secret/1", blobProto} {
			if err := call(member, proto); err != nil {
				t.Errorf("a member calls %s: %v", proto, err)
			}
		}
		wantPeerError(t, "the host calls a guest", func() error {
			if err := call(guest, "join/1"); err != nil {
				t.Fatal(err)
			}
			_, err := b.Call(t.Context(), guest.ID(), "join/1", nil, MaxAnswer)
			return err
		}())
		open.Store(false)
		b.Drop(guest.ID())
		wantPeerError(t, "a guest when the door is closed", call(guest, "join/1"))
		if slices.Contains(b.Connected(), guest.ID()) {
			t.Error("a stranger is connected")
		}
	}
}

// Strangers together get few connections, so members always find one.
func TestGuestsAreFew(t *testing.T) {
	var open atomic.Bool
	open.Store(true)
	b := inn(t, anyTCP, &open)
	connected := make(chan struct{}, 100)
	b.swarm.Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { connected <- struct{}{} }})
	let := 0
	for n := range byte(guestConns + 3) {
		guest := realHost(t, 10+n, all)
		if err := guest.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
		if _, err := guest.Call(t.Context(), b.ID(), "join/1", nil, MaxAnswer); err == nil {
			let++
		}
	}
	if let < guestConns { // one too many may get a word in while it is sent away
		t.Errorf("%d guests were let in, %d may be", let, guestConns)
	}
	member := realHost(t, 1, all)
	if err := member.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if _, err := member.Call(t.Context(), b.ID(), "secret/1", nil, MaxAnswer); err != nil {
		t.Errorf("a member beside many strangers: %v", err)
	}
	b.lobby.mu.Lock()
	conns := make([]network.Conn, 0, len(b.lobby.conns))
	for c := range b.lobby.conns {
		conns = append(conns, c)
	}
	b.lobby.mu.Unlock()
	if len(conns) != guestConns {
		t.Errorf("%d guests stay, %d may", len(conns), guestConns)
	}
	for range 3 { // those who were one too many
		<-connected
	}
	for _, c := range conns { // what the clock does after guestTime
		b.lobby.leave(c)
	}
	for range conns {
		<-connected
	}
	if got := b.Connected(); len(got) != 1 || got[0] != member.ID() {
		t.Errorf("after the guests' time these are connected: %v", got)
	}
}

// All guests share one account of calls.
func TestGuestsShareTheirCalls(t *testing.T) {
	var open atomic.Bool
	open.Store(true)
	b := inn(t, anyTCP, &open)
	block, blocked := make(chan struct{}), make(chan struct{}, 100)
	b.Welcome("slow/1", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
		blocked <- struct{}{}
		<-block
		return nil, nil
	})
	ended := make(chan error, guestCalls.atOnce)
	for n := range byte(guestCalls.atOnce) {
		guest := realHost(t, 10+n, all)
		if err := guest.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := guest.Call(t.Context(), b.ID(), "slow/1", nil, MaxAnswer)
			ended <- err
		}()
		<-blocked
	}
	another := realHost(t, 30, all)
	if err := another.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	if _, err := another.Call(t.Context(), b.ID(), "slow/1", nil, MaxAnswer); !errors.Is(err, croft.ErrPeer) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("one guest more: %v", err)
	}
	close(block)
	for range guestCalls.atOnce {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
