package chain

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"croft"
)

func twin(t *testing.T) (world, *Twin) {
	w := newWorld(4)
	twin, err := NewTwin(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	return w, twin
}

func TestTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, twin := twin(t)
		a, b := twin.Member(), twin.Member()
		suite(t, w, a, b, func() { time.Sleep(time.Second); synctest.Wait() })

		s := a.Status()
		if got, err := replay(w, b, s.Height, NewTwinVerifier); err != nil || got != s.AppHash {
			t.Errorf("the blocks give state %s, the ledger says %s: %v", got, s.AppHash, err)
		}
		if len(s.Orderers) != 4 {
			t.Errorf("%d orderers", len(s.Orderers))
		}
	})
}

// TestTwinIdle: after hours without a transaction a block is stamped with the
// time before them, and the one after it with the present (protocol §2).
func TestTwinIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, twin := twin(t)
		m := twin.Member()
		first, _ := w.dataset(0, "first")
		if err := m.Submit(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		before, height := time.Now(), m.Status().Height
		time.Sleep(12 * time.Hour)
		if m.Status().Height != height {
			t.Fatal("an idle ledger made a block")
		}
		tx, _ := w.dataset(0, "second")
		if err := m.Submit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Time{before, time.Now()} {
			b, txs, err := must(m.Block(height + 1 + int64(i))).Open()
			if lag := want.UnixMilli() - b.Time; err != nil || lag < -10 || lag > 10 || len(txs) != 1-i {
				t.Errorf("block %d: %d transactions, %d ms off, %v", b.Height, len(txs), lag, err)
			}
		}
		if got := m.Status().Height; got != height+2 {
			t.Errorf("height %d, want %d: one block and its proof block", got, height+2)
		}
	})
}

func TestTwinFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, twin := twin(t)
		m, other := twin.Member(), twin.Member()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()

		tx, key := w.dataset(0, "cut")
		m.Cut(true)
		if _, err := m.Get(ctx, key); !errors.Is(err, croft.ErrNoQuorum) {
			t.Errorf("get while cut: %v", err)
		}
		result := make(chan error)
		go func() { result <- m.Submit(ctx, tx) }()
		synctest.Wait()
		if v, err := other.Read(ctx, key); v != nil || err != nil {
			t.Errorf("it got through the cut: %v %v", v, err)
		}
		m.Cut(false)
		if err := <-result; err != nil {
			t.Error(err)
		}

		tx, key = w.dataset(0, "dropped")
		m.Drop(1)
		if err := m.Submit(ctx, tx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, croft.ErrNoQuorum) {
			t.Errorf("dropped: %v", err)
		}
		if v, _ := other.Read(t.Context(), key); v != nil {
			t.Error("a dropped transaction arrived")
		}
		m.Delay(time.Hour)
		began := time.Now()
		if err := m.Submit(t.Context(), tx); err != nil || time.Since(began) != time.Hour {
			t.Errorf("delayed: %v after %v", err, time.Since(began))
		}
	})
}

// TestTwinProposers: the blocks' proposers take turns, as the rules that wait for
// several different ones need.
func TestTwinProposers(t *testing.T) {
	w, twin := twin(t)
	m := twin.Member()
	seen := map[string]bool{}
	for i := range 4 {
		tx, _ := w.dataset(0, string(rune('a'+i)))
		if err := m.Submit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	for _, data := range twin.blocks {
		b, _, err := data.decode()
		if err != nil {
			t.Fatal(err)
		}
		seen[b.ProposerAddress.String()] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different proposers in %d blocks", len(seen), len(twin.blocks))
	}
}
