package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
)

// folder is one in whose path there is room for a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "croft")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// answered is the client of a node that answers as a test wants.
func answered(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	dir := folder(t)
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	client, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A call says of a node that does not run what Dial says of it.
func TestNobodyAnswers(t *testing.T) {
	for want, keys := range map[croft.Code]bool{croft.ErrNoNode: false, croft.ErrNodeDown: true} {
		dir := folder(t)
		if keys {
			if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		_, dialled := Dial(dir)
		_, called := At(dir).Status(t.Context())
		if croft.CodeOf(dialled) != want || croft.CodeOf(called) != want {
			t.Errorf("want %v, not %v and %v", want, dialled, called)
		}
	}
}

// A node of another version is not one that is down.
func TestAnotherVersionsAnswer(t *testing.T) {
	for _, text := range []string{`{"height": "tall"}`, `{"app_hash": "none"}`, `{"height": 1`, ``} {
		client := answered(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) })
		if _, err := client.Status(t.Context()); croft.CodeOf(err) != croft.ErrEncoding {
			t.Errorf("%s: %v", text, err)
		}
	}
	cut := answered(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"height": 1`))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, err := cut.Status(t.Context()); croft.CodeOf(err) != croft.ErrNodeDown {
		t.Error(err)
	}
}

// Who stops reading the chain hears that it stopped, not that the chain is damaged.
func TestBlocksEndWithTheirReader(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	block := croft.Encode(chain.BlockData{Height: 1})
	client := answered(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(append([]byte{0, 0, 0, byte(len(block))}, block...))
		w.Write([]byte{0, 0}) // of the next
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	blocks := 0
	for _, err := range client.Blocks(ctx) {
		if blocks++; blocks == 1 && err == nil {
			stop(croft.E(croft.ErrInterrupted))
		} else if croft.CodeOf(err) != croft.ErrInterrupted {
			t.Error(err)
		}
	}
	if blocks != 2 {
		t.Errorf("%d blocks", blocks)
	}
}

// stopping is a ledger of three blocks, of a node that stops at the second.
type stopping struct {
	chain.Ledger
	chain.Blocks
	stop func()
}

func (stopping) Status() chain.Status { return chain.Status{Height: 3} }

func (s stopping) Block(height int64) (chain.BlockData, error) {
	if height == 2 {
		s.stop()
	}
	return chain.BlockData{Height: height}, nil
}

// A chain of which a stopping node sent a part is not taken for the whole.
func TestBlocksAreCutWhereTheNodeStops(t *testing.T) {
	dir := folder(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, dir, Services{Ledger: stopping{stop: stop}, Log: slog.New(slog.DiscardHandler)})
	}()
	var client *Client
	for client == nil {
		client, _ = Dial(dir)
	}
	var last error
	for _, last = range client.Blocks(t.Context()) {
	}
	if last == nil {
		t.Error("the chain seems to end there")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A guest whose stay has ended is told so; it would wait for ever to be let in.
func TestAGuestThatWasSentAway(t *testing.T) {
	a := community(t, 3)[0]
	guest := ledger.Host{Key: croft.PublicKey{7}, Name: "Lab", Version: 1}
	there := a.s
	there.Self, there.Name = croft.IDOf(guest.Key), guest.Name
	for _, gone := range []bool{false, true, false} {
		guest.Gone = gone
		if _, err := a.client.Submit(t.Context(), a.seal(&guest)); err != nil {
			t.Fatal(err)
		}
		if s, err := there.status(httptest.NewRequest("GET", "/v1/status", nil)); err != nil || s.Left != gone {
			t.Errorf("sent away %t: left %t, %v", gone, s.Left, err)
		}
		guest.Version++
	}
}
