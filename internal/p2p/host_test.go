package p2p

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"croft"
)

// world makes hosts that can reach each other once they learned how.
type world func(t *testing.T, n byte, allow func(PeerID) bool) *Host

func everywhere(t *testing.T, suite func(t *testing.T, join world)) {
	for name, listen := range map[string]string{"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run(name, func(t *testing.T) {
			suite(t, func(t *testing.T, n byte, allow func(PeerID) bool) *Host { return realHost(t, n, allow, listen) })
		})
	}
}

func secret(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) croft.PublicKey {
	return croft.PublicKey(secret(n).Public().(ed25519.PublicKey))
}

func realHost(t *testing.T, n byte, allow func(PeerID) bool, listen ...string) *Host {
	t.Helper()
	h, err := Listen(Config{Key: secret(n), Listen: listen, Allow: allow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func all(PeerID) bool { return true }

func pair(t *testing.T, join world) (a, b *Host) {
	t.Helper()
	a, b = join(t, 1, all), join(t, 2, all)
	if err := a.Learn(b.Addrs()...); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func echo(_ context.Context, from PeerID, request []byte) ([]byte, error) {
	return append([]byte(from+":"), request...), nil
}

func wantPeerError(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, croft.ErrPeer) {
		t.Errorf("%s: got %v", what, err)
	} else {
		t.Logf("%s: %v", what, err)
	}
}

func TestCall(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		if a.ID() != PeerOf(public(1)) || !strings.HasSuffix(b.Addrs()[0], "/p2p/"+string(b.ID())) {
			t.Fatalf("id %s, addresses %s", a.ID(), b.Addrs())
		}
		b.Handle("echo/1", 1<<20, echo)
		for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 1 << 20} {
			request := bytes.Repeat([]byte{7}, n)
			answer, err := a.Call(t.Context(), b.ID(), "echo/1", request, MaxAnswer)
			if err != nil || string(answer) != string(a.ID())+":"+string(request) {
				t.Fatalf("%d bytes: got %d, %v", n, len(answer), err)
			}
		}
		if !slices.Equal(a.Connected(), []PeerID{b.ID()}) || !slices.Equal(b.Connected(), []PeerID{a.ID()}) {
			t.Errorf("connected: %v, %v", a.Connected(), b.Connected())
		}
		// The connection carries calls the other way, without an address.
		a.Handle("echo/1", 10, echo)
		if _, err := b.Call(t.Context(), a.ID(), "echo/1", nil, MaxAnswer); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsCrossAsCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		b.Handle("fail/1", 0, func(context.Context, PeerID, []byte) ([]byte, error) {
			return []byte("ignored"), fmt.Errorf("round: %w", croft.E(croft.ErrNotApproved, "clinic-b\x1b[2J", "anaemia"))
		})
		answer, err := a.Call(t.Context(), b.ID(), "fail/1", nil, MaxAnswer)
		if !errors.Is(err, croft.ErrNotApproved) || answer != nil || !strings.HasPrefix(err.Error(), "clinic-b?[2J has not approved study anaemia") {
			t.Errorf("got %q, %v", answer, err)
		}
		for what, e := range map[string]error{
			"another error":     errors.New("open /home/alice/secret.csv"),
			"an internal error": croft.E(croft.ErrInternal, "open /home/alice/secret.csv"),
		} {
			b.Handle(what, 0, func(context.Context, PeerID, []byte) ([]byte, error) { return nil, e })
			_, err := a.Call(t.Context(), b.ID(), what, nil, MaxAnswer)
			wantPeerError(t, what, err)
			if strings.Contains(err.Error(), "alice") {
				t.Errorf("%s crossed with its text: %v", what, err)
			}
		}
	})
}

func TestWhatCannotBeReached(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		b.Handle("small/1", 10, echo)
		b.Handle("large/1", 10, func(context.Context, PeerID, []byte) ([]byte, error) { return make([]byte, MaxAnswer+1), nil })
		call := func(to PeerID, proto string, n int) error {
			answer, err := a.Call(t.Context(), to, proto, make([]byte, n), MaxAnswer)
			if answer != nil {
				t.Errorf("%s: an answer of %d bytes", proto, len(answer))
			}
			return err
		}
		wantPeerError(t, "no such protocol", call(b.ID(), "none/1", 0))
		wantPeerError(t, "request above the limit", call(b.ID(), "small/1", 11))
		wantPeerError(t, "request far above the limit", call(b.ID(), "small/1", 8<<20))
		wantPeerError(t, "answer above the limit", call(b.ID(), "large/1", 0))
		_, err := a.Call(t.Context(), b.ID(), "small/1", make([]byte, 10), len(a.ID())+10) // "ID:" and the request
		wantPeerError(t, "answer one byte above what the caller takes", err)
		wantPeerError(t, "no address", call(PeerOf(public(9)), "small/1", 0))
		wantPeerError(t, "not an id", call("nobody\x1b", "small/1", 0))
		wantPeerError(t, "itself", call(a.ID(), "small/1", 0))
		if err := call(b.ID(), "small/1", MaxAnswer+1); !errors.Is(err, croft.ErrTooLarge) {
			t.Errorf("request above every limit: %v", err)
		}
		gone := join(t, 3, all)
		addrs := gone.Addrs()
		gone.Close()
		if err := a.Learn(addrs...); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(addrs[0], "quic") { // where silence is all there is, for the whole dial time
			wantPeerError(t, "a host that closed", call(gone.ID(), "small/1", 0))
		}
		if _, err := a.Call(t.Context(), b.ID(), "small/1", nil, MaxAnswer); err != nil {
			t.Errorf("after all that: %v", err)
		}
		a.Close()
		wantPeerError(t, "from a host that closed", call(b.ID(), "small/1", 0))
	})
}

func TestLearnRefuses(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := join(t, 1, all), join(t, 2, all)
		b.Handle("echo/1", 0, echo)
		for _, bad := range []string{"", "x", "/ip4/127.0.0.1/tcp/1", "/p2p/" + string(b.ID()), "/ip4/1.2.3.4/tcp/1/p2p/QmBad", "/" + strings.Repeat("a", 1000)} {
			if err := a.Learn(b.Addrs()[0], bad); !errors.Is(err, croft.ErrEncoding) {
				t.Errorf("%.40q: %v", bad, err)
			}
		}
		if err := a.Learn(slices.Repeat(b.Addrs(), maxAddrs+1)...); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("too many: %v", err)
		}
		if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err == nil {
			t.Error("an address was taken from a list that was refused")
		}
		// A new address replaces the old.
		if err := a.Learn(b.Addrs()...); err != nil {
			t.Fatal(err)
		}
		if err := a.Learn("/ip4/127.0.0.1/tcp/1/p2p/" + string(b.ID())); err != nil {
			t.Fatal(err)
		}
		_, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "at a wrong address", err)
		if err := errors.Join(a.Learn(b.Addrs()...), a.Learn(a.Addrs()...)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyMembersAreAdmitted(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		var members sync.Map
		member := func(p PeerID) bool { _, ok := members.Load(p); return ok }
		a, b, stranger := join(t, 1, all), join(t, 2, member), join(t, 3, all)
		var calls atomic.Int32
		b.Handle("echo/1", 10, func(ctx context.Context, from PeerID, request []byte) ([]byte, error) {
			calls.Add(1)
			return echo(ctx, from, request)
		})
		a.Handle("echo/1", 10, echo)
		for _, h := range []*Host{a, stranger} {
			if err := h.Learn(b.Addrs()...); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Learn(append(a.Addrs(), stranger.Addrs()...)...); err != nil {
			t.Fatal(err)
		}
		members.Store(a.ID(), true)
		if _, err := a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer); err != nil {
			t.Fatal(err)
		}
		_, err := stranger.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "a stranger calls", err)
		_, err = b.Call(t.Context(), stranger.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "a stranger is called", err)
		if slices.Contains(b.Connected(), stranger.ID()) {
			t.Error("connected to a stranger")
		}
		// A member that is revoked has a connection; it does not help.
		members.Delete(a.ID())
		_, err = a.Call(t.Context(), b.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "a revoked member calls", err)
		_, err = b.Call(t.Context(), a.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "a revoked member is called", err)
		if calls.Load() != 1 {
			t.Errorf("%d calls were handled", calls.Load())
		}
		nobody := join(t, 4, nil)
		if err := errors.Join(a.Learn(nobody.Addrs()...)); err != nil {
			t.Fatal(err)
		}
		_, err = a.Call(t.Context(), nobody.ID(), "echo/1", nil, MaxAnswer)
		wantPeerError(t, "a host that admits nobody", err)
	})
}

func TestGivingUpEndsTheHandler(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		started, ended := make(chan bool), make(chan error, 1)
		b.Handle("wait/1", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
			started <- true
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { _, err := a.Call(ctx, b.ID(), "wait/1", nil, MaxAnswer); failed <- err }()
		<-started
		cancel()
		if err := <-failed; !errors.Is(err, croft.ErrPeer) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-ended // the handler noticed
		if _, err := a.Call(ctx, b.ID(), "wait/1", nil, MaxAnswer); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestCloseEndsCallsAndHandlers(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		for _, closer := range []string{"caller", "callee"} {
			a, b := join(t, 1, all), join(t, 2, all)
			if err := a.Learn(b.Addrs()...); err != nil {
				t.Fatal(err)
			}
			started, ended := make(chan bool), false
			b.Handle("wait/1", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
				started <- true
				<-ctx.Done()
				ended = true // Close waits, so there is no race
				return nil, ctx.Err()
			})
			failed := make(chan error)
			go func() { _, err := a.Call(t.Context(), b.ID(), "wait/1", nil, MaxAnswer); failed <- err }()
			<-started
			if closer == "caller" {
				a.Close()
			} else {
				b.Close()
			}
			wantPeerError(t, closer+" closes", <-failed)
			a.Close()
			b.Close()
			if !ended {
				t.Errorf("%s closes: a handler outlived its host", closer)
			}
			if len(a.Connected()) != 0 {
				t.Errorf("%s closes: still connected to %v", closer, a.Connected())
			}
		}
	})
}

// Honest peers make as many calls at once as they like: they wait, and none is
// refused.
func TestManyCallsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		var now, most atomic.Int32
		b.Handle("echo/1", 100, func(ctx context.Context, from PeerID, request []byte) ([]byte, error) {
			for n := now.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			defer now.Add(-1)
			runtime.Gosched()
			return request, nil
		})
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				request := fmt.Append(nil, i)
				if answer, err := a.Call(t.Context(), b.ID(), "echo/1", request, MaxAnswer); err != nil || !bytes.Equal(answer, request) {
					t.Errorf("call %d: %q, %v", i, answer, err)
				}
			})
		}
		wg.Wait()
		if m := int(most.Load()); m > incoming.atOnce {
			t.Errorf("%d handlers at once", m)
		}
	})
}

func TestHandlersOwnTheirBytes(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		kept := []byte("kept")
		b.Handle("own/1", 10, func(_ context.Context, _ PeerID, request []byte) ([]byte, error) {
			clear(request)
			return kept, nil
		})
		request := []byte("request")
		answer, err := a.Call(t.Context(), b.ID(), "own/1", request, MaxAnswer)
		if err != nil {
			t.Fatal(err)
		}
		clear(answer)
		if string(request) != "request" || string(kept) != "kept" {
			t.Errorf("bytes are shared: %q, %q", request, kept)
		}
	})
}

func TestOneHandlerEach(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a := join(t, 1, all)
		a.Handle("x/1", 0, echo)
		defer func() {
			if recover() == nil {
				t.Error("a second handler was taken")
			}
		}()
		a.Handle("x/1", 0, echo)
	})
}

func TestFetch(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a := join(t, 1, all)
		blob := bytes.Repeat([]byte("model "), 1_000_000)
		hash := croft.Sum(blob)
		var peers []PeerID
		add := func(n byte, get func(croft.Hash) ([]byte, error)) {
			h := join(t, n, all)
			if get != nil {
				ServeBlobs(h, func(_ PeerID, hash croft.Hash) ([]byte, error) { return get(hash) })
			}
			if err := a.Learn(h.Addrs()...); err != nil {
				t.Fatal(err)
			}
			peers = append(peers, h.ID())
		}
		add(2, nil)
		add(3, func(croft.Hash) ([]byte, error) { return nil, errors.New("disk on fire in /home/alice") })
		add(4, func(croft.Hash) ([]byte, error) { return []byte("a lie"), nil })
		if _, err := Fetch(t.Context(), a, hash, len(blob), peers...); !errors.Is(err, croft.ErrBlob) {
			t.Errorf("nobody has it: %v", err)
		}
		add(5, func(h croft.Hash) ([]byte, error) {
			if h != hash {
				return nil, errors.New("absent")
			}
			return blob, nil
		})
		add(6, func(croft.Hash) ([]byte, error) { return nil, croft.E(croft.ErrTxRights, "b", "it is a guest") })
		for i, want := range map[int]croft.Code{1: croft.ErrBlob, 4: croft.ErrTxRights} {
			if _, err := a.Call(t.Context(), peers[i], blobProto, hash[:], len(blob)); !errors.Is(err, want) || strings.Contains(err.Error(), "alice") {
				t.Errorf("%s is asked: %v, want %v", peers[i], err, want)
			}
		}
		if got, err := Fetch(t.Context(), a, hash, len(blob), peers...); err != nil || !bytes.Equal(got, blob) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		if _, err := Fetch(t.Context(), a, croft.Sum(nil), 0, peers...); !errors.Is(err, croft.ErrBlob) {
			t.Errorf("another blob: %v", err)
		}
		for _, request := range []string{"", "short", strings.Repeat("long", 100)} {
			if _, err := a.Call(t.Context(), peers[3], blobProto, []byte(request), MaxAnswer); err == nil {
				t.Errorf("request %q was answered", request)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Fetch(ctx, a, hash, len(blob), peers...); !errors.Is(err, croft.ErrBlob) || !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}

// TestFetchTakesNoMore: a peer that has more to say than was asked for is cut off
// at the length it announces, and the next one is asked.
func TestFetchTakesNoMore(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, liar, honest := join(t, 1, all), join(t, 2, all), join(t, 3, all)
		if err := errors.Join(a.Learn(liar.Addrs()...), a.Learn(honest.Addrs()...)); err != nil {
			t.Fatal(err)
		}
		blob := []byte("the blob")
		ServeBlobs(honest, func(PeerID, croft.Hash) ([]byte, error) { return blob, nil })
		sent := make(chan error, 1)
		liar.acceptFrom(all, blobProto, func(_ PeerID, s network.Stream) {
			_, err := s.Write([]byte{byte(answered), 0, 0, 0, byte(len(blob) + 1)}) // and nothing that was announced
			_, gone := s.Read(make([]byte, 100))
			for gone == nil {
				_, gone = s.Read(make([]byte, 100))
			}
			sent <- errors.Join(err, gone)
		})
		if got, err := Fetch(t.Context(), a, croft.Sum(blob), len(blob), liar.ID(), honest.ID()); err != nil || !bytes.Equal(got, blob) {
			t.Errorf("got %q, %v", got, err)
		}
		t.Log(<-sent)
		if _, err := Fetch(t.Context(), a, croft.Sum(blob), len(blob)-1, honest.ID()); !errors.Is(err, croft.ErrBlob) {
			t.Errorf("one byte less: %v", err)
		}
	})
}

// TestBlobsAreReadInTurn: however many ask, few blobs are in memory unsent.
func TestBlobsAreReadInTurn(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		blob := []byte("the blob")
		proceed := make(chan bool)
		var now, most atomic.Int32
		ServeBlobs(b, func(PeerID, croft.Hash) ([]byte, error) {
			defer now.Add(-1)
			for n := now.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			<-proceed
			return blob, nil
		})
		const asking = readsAtOnce + 3
		var wg sync.WaitGroup
		for range asking {
			wg.Go(func() {
				if _, err := Fetch(t.Context(), a, croft.Sum(blob), 100, b.ID()); err != nil {
					t.Error(err)
				}
			})
		}
		for len(b.in.lane(a.ID()).slots) < asking || now.Load() < readsAtOnce {
			runtime.Gosched() // until all have asked
		}
		close(proceed)
		wg.Wait()
		if m := most.Load(); m != readsAtOnce {
			t.Errorf("%d at once", m)
		}
	})
}

func TestPeerOf(t *testing.T) {
	// The well-known id of the key whose seed is 32 bytes of 1.
	key := public(1)
	if got, want := PeerOf(key), PeerID("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
