package p2p

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"croft"
)

// Parts arrive in order, before the answer; both ends can end it; failures cross.
func TestCallParts(t *testing.T) {
	everywhere(t, func(t *testing.T, join world) {
		a, b := pair(t, join)
		arrived, gone := make(chan struct{}), make(chan error, 1)
		b.HandleParts("count/1", 100, func(ctx context.Context, from PeerID, request []byte, part func([]byte) error) ([]byte, error) {
			switch string(request) {
			case "fail":
				if err := part([]byte("one")); err != nil {
					return nil, err
				}
				return nil, croft.E(croft.ErrNotFound, "number", "two", "three")
			case "wait":
				part([]byte("one"))
				<-ctx.Done()
				gone <- part([]byte("two"))
				return nil, nil
			}
			for _, p := range []string{"one", "two"} {
				if err := part([]byte(p)); err != nil {
					return nil, err
				}
				<-arrived // the caller has it before the next is made
			}
			return []byte("rest"), nil
		})
		var got []string
		collect := func(p []byte) error { got = append(got, string(p)); return nil }
		answer, err := a.CallParts(t.Context(), b.ID(), "count/1", []byte("go"), 100, func(p []byte) error { arrived <- struct{}{}; return collect(p) })
		if err != nil || string(answer) != "rest" || !slices.Equal(got, []string{"one", "two"}) {
			t.Fatalf("%q, %v, %v", answer, got, err)
		}
		if _, err := a.CallParts(t.Context(), b.ID(), "count/1", []byte("fail"), 100, collect); !errors.Is(err, croft.ErrNotFound) {
			t.Fatal(err)
		}
		if _, err := a.CallParts(t.Context(), b.ID(), "count/1", []byte(strings.Repeat("x", 101)), 100, collect); !errors.Is(err, croft.ErrPeer) {
			t.Fatal(err)
		}
		if _, err := a.CallParts(t.Context(), b.ID(), "count/1", []byte("fail"), 2, collect); !errors.Is(err, croft.ErrPeer) {
			t.Fatal("more than the caller wants: ", err)
		}
		stop := errors.New("enough")
		if _, err := a.CallParts(t.Context(), b.ID(), "count/1", []byte("wait"), 100, func([]byte) error { return stop }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if err := <-gone; err == nil {
			t.Fatal("the handler was not told that the caller went")
		}
	})
}
