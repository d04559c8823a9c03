package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
)

// TestStuck: a part that does not stop is named in time, and keeps no other from
// being closed.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := &Node{cfg: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		release := make(chan struct{})
		waits := func(ctx context.Context) error { <-ctx.Done(); return nil }
		hangs := func(context.Context) error { <-release; return nil }
		full := func(context.Context) error { return croft.E(croft.ErrDiskFull, 256, "here") }

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		if err := n.together(ctx, []part{{"a", waits}, {"b", waits}}); err != nil {
			t.Errorf("all stop when asked: %v", err)
		}
		if err := n.together(t.Context(), []part{{"a", waits}, {"b", full}}); !errors.Is(err, croft.ErrDiskFull) {
			t.Errorf("one fails, the others stop: %v", err)
		}
		for what, parts := range map[string][]part{"asked": {{"a", waits}, {"hung", hangs}}, "failed": {{"hung", hangs}, {"b", full}}} {
			log.Reset()
			begun := time.Now()
			err := n.together(ctx, parts)
			if took := time.Since(begun); !errors.Is(err, croft.ErrStuck) || !strings.Contains(err.Error(), "hung") || took != stopTime {
				t.Errorf("%s: %v after %v", what, err, took)
			}
			if !strings.Contains(log.String(), "part=hung") || !strings.Contains(log.String(), "node.TestStuck") {
				t.Errorf("%s: log %.200q", what, log.String())
			}
		}
		if err := n.together(t.Context(), []part{{"hung", hangs}, {"b", full}}); !errors.Is(err, croft.ErrDiskFull) || !errors.Is(err, croft.ErrStuck) {
			t.Errorf("why it had to stop is lost: %v", err)
		}

		var closed []string
		closes := func(name string) closer {
			return closer{name, func() error { closed = append(closed, name); return nil }}
		}
		n.close = []closer{closes("first"), {"chain", func() error { return hangs(ctx) }}, closes("last")}
		begun := time.Now()
		if err := n.Close(); !errors.Is(err, croft.ErrStuck) || !strings.Contains(err.Error(), "chain") || time.Since(begun) != stopTime {
			t.Errorf("close: %v after %v", err, time.Since(begun))
		}
		if !slices.Equal(closed, []string{"last", "first"}) {
			t.Errorf("closed: %v", closed)
		}
		if err := n.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
		close(release)
	})
}

// TestCloseWaitsForRun: whoever closes a node that runs, or is about to, closes nothing
// under the hands of its parts.
func TestCloseWaitsForRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{}
		closed := make(chan struct{})
		n.close = []closer{{"documents", func() error { close(closed); return nil }}}
		lastWord := func(ctx context.Context) error { // a part that writes on while it ends
			<-ctx.Done()
			time.Sleep(stopTime / 2)
			select {
			case <-closed:
				return errors.New("documents: file already closed")
			default:
				return nil
			}
		}
		ran := make(chan error)
		go func() { ran <- n.together(t.Context(), []part{{"studies", lastWord}}) }()
		synctest.Wait()
		go func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		<-closed
		if err := n.together(t.Context(), []part{{"late", func(context.Context) error { t.Error("it runs"); return nil }}}); err != nil {
			t.Errorf("run after its end: %v", err)
		}
	})
}
