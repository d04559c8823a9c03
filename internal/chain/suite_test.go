package chain

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"croft"
	"croft/internal/ledger"
)

// world is a network's genesis with everybody's keys.
type world struct {
	genesis croft.Genesis
	keys    map[croft.MemberID][3]ed25519.PrivateKey
}

// newWorld founds a network of n members who are all ready to order blocks. Keys
// are derived from names: every run has the same.
func newWorld(n int) world {
	w := world{croft.Genesis{Version: 1, Name: "test", Time: time.Now().Add(-time.Hour).Unix()}, map[croft.MemberID][3]ed25519.PrivateKey{}}
	for i := range n {
		m := w.member(fmt.Sprintf("member %d", i))
		m.Ready = true
		w.genesis.Members = append(w.genesis.Members, m)
	}
	return w
}

func (w world) member(name string) croft.Member {
	var keys [3]ed25519.PrivateKey
	var pub [3]croft.PublicKey
	for i := range keys {
		seed := sha256.Sum256(fmt.Appendf(nil, "%s, key %d", name, i))
		keys[i] = ed25519.NewKeyFromSeed(seed[:])
		copy(pub[i][:], keys[i].Public().(ed25519.PublicKey))
	}
	m := croft.Member{ID: croft.IDOf(pub[0]), Name: name, Key: pub[0], Node: pub[1], Validator: pub[2]}
	w.keys[m.ID] = keys
	return m
}

// key is a key of the i-th founder.
func (w world) key(i int, role croft.Role) ed25519.PrivateKey {
	return w.keys[w.genesis.Members[i].ID][role-1]
}

func (w world) seal(i int, body any) []byte {
	id := w.genesis.Members[i].ID
	return ledger.Seal(w.genesis.Scope(), id, 0, body, func(role croft.Role, s croft.Scope, domain string, body []byte) (sig croft.Signature) {
		copy(sig[:], ed25519.Sign(w.keys[id][role-1], s.Preimage(domain, body)))
		return sig
	})
}

// dataset is a transaction that always holds, and the key of the record it makes.
func (w world) dataset(i int, name string) (tx []byte, key string) {
	tx = w.seal(i, &ledger.Register{Name: name, Group: croft.Sum(fmt.Append(nil, i, name)), Releases: 1})
	return tx, ledger.DatasetKey(croft.DatasetID(croft.Sum(tx)))
}

// replay checks every block of a chain from its genesis and returns the state
// hash that the blocks give.
func replay(w world, chain Blocks, height int64, verifier func(croft.Genesis, *ledger.Machine) (*Verifier, error)) (croft.Hash, error) {
	machine := must(ledger.New(w.genesis, ledger.NewMemoryTree()))
	v := must(verifier(w.genesis, machine))
	for h := int64(1); h <= height; h++ {
		b, err := chain.Block(h)
		if err != nil {
			return croft.Hash{}, err
		}
		if _, err := v.Next(b); err != nil {
			return croft.Hash{}, err
		}
	}
	return machine.AppHash(), nil
}

type ledgerWithBlocks interface {
	Ledger
	Blocks
}

// suite is what every Ledger keeps. a and b are two nodes of one network in which
// nothing has happened yet; settle waits until nothing moves.
func suite(t *testing.T, w world, a, b ledgerWithBlocks, settle func()) {
	ctx := t.Context()
	present := func(l Ledger, key string) {
		t.Helper()
		news := l.Watch(ctx)
		for {
			value, err := l.Read(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if value != nil {
				return
			}
			select {
			case <-news:
			case <-time.After(5 * time.Minute):
				t.Fatalf("%s does not arrive", key)
			}
		}
	}

	step := func(name string, f func()) {
		t.Helper()
		if t.Failed() {
			return
		}
		began := time.Now()
		f()
		t.Logf("%-28s %v", name, time.Since(began).Round(time.Millisecond))
	}

	step("submit", func() {
		tx, key := w.dataset(0, "visits")
		if err := a.Submit(ctx, tx); err != nil {
			t.Fatal(err)
		}
		present(a, key)
		present(b, key)
	})
	step("prove presence and absence", func() {
		_, key := w.dataset(0, "visits")
		p, err := b.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		d, found, err := ledger.Decode[croft.Dataset](p.Value)
		if !found || err != nil || d.Name != "visits" || p.Verify() != nil {
			t.Errorf("presence: %v %v %v %v", d, found, err, p.Verify())
		}
		p.Value = append([]byte{}, p.Value...)
		p.Value[len(p.Value)-1] ^= 1
		if p.Verify() == nil {
			t.Error("a changed value is proved")
		}
		p, err = b.Get(ctx, ledger.DatasetKey(croft.DatasetID{1}))
		if err != nil || p.Value != nil || p.Verify() != nil {
			t.Errorf("absence: %v %v %v", p.Value, err, p.Verify())
		}
	})
	step("refuse by the rules", func() {
		if err := a.Submit(ctx, w.seal(1, &ledger.Vote{Action: ledger.StopAll, Sequence: 7})); !errors.Is(err, croft.ErrTxOrder) {
			t.Errorf("got %v, want ErrTxOrder", err)
		}
	})
	step("refuse at the door", func() {
		settle()
		height := a.Status().Height
		tx, _ := w.dataset(0, "forged")
		tx[len(tx)-1] ^= 1
		if err := a.Submit(ctx, tx); !errors.Is(err, croft.ErrTxSignature) {
			t.Errorf("signature: got %v", err)
		}
		if err := a.Submit(ctx, make([]byte, ledger.MaxTx+1)); !errors.Is(err, croft.ErrTxTooLarge) {
			t.Errorf("size: got %v", err)
		}
		if err := a.Submit(ctx, []byte("rubbish")); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("form: got %v", err)
		}
		settle()
		if now := a.Status().Height; now != height {
			t.Errorf("height went from %d to %d", height, now)
		}
	})
	step("same bytes, same transaction", func() {
		tx := w.seal(2, &ledger.Vote{Action: ledger.StopAll, Sequence: 1})
		var wg sync.WaitGroup
		for i := range 6 {
			l := []Ledger{a, b}[i%2]
			wg.Go(func() {
				if err := l.Submit(ctx, tx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		settle() // until both have the block
		for _, l := range []Ledger{a, b} {
			if err := l.Submit(ctx, tx); err != nil {
				t.Error("again:", err)
			}
		}
	})
	step("watch", func() {
		settle()
		short, cancel := context.WithCancel(ctx)
		news, none := b.Watch(ctx), b.Watch(short)
		cancel()
		for len(news) > 0 {
			<-news
		}
		tx, _ := w.dataset(1, "watched")
		if err := a.Submit(ctx, tx); err != nil {
			t.Fatal(err)
		}
		select {
		case <-news:
		case <-time.After(5 * time.Minute):
			t.Error("no wake-up")
		}
		if len(none) > 0 {
			t.Error("woken after its context ended")
		}
	})
	step("end of a wait", func() {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		tx, key := w.dataset(1, "later")
		err := a.Submit(ended, tx)
		if err != nil && (!errors.Is(err, croft.ErrNoQuorum) || !errors.Is(err, context.Canceled)) {
			t.Errorf("got %v", err)
		}
		if err := b.Submit(ctx, tx); err != nil { // whoever submits again gets the result
			t.Error(err)
		}
		present(a, key)
	})
	step("time", func() {
		settle()
		began := time.Now()
		tx, _ := w.dataset(2, "timed")
		if err := a.Submit(ctx, tx); err != nil {
			t.Fatal(err)
		}
		settle()
		ended, last := time.Now(), b.Status().Height
		blocks := [2]ledger.Block{}
		for i := range blocks {
			data, err := b.Block(last - 1 + int64(i))
			if err != nil {
				t.Fatal(err)
			}
			if blocks[i], _, err = data.Open(); err != nil {
				t.Fatal(err)
			}
		}
		if _, txs, _ := must(b.Block(last - 1)).Open(); len(txs) != 1 {
			t.Fatalf("the last block but one has %d transactions: more than one proof block", len(txs))
		}
		if blocks[0].Time >= began.UnixMilli() {
			t.Errorf("the block's own time %d is not before the submission at %d", blocks[0].Time, began.UnixMilli())
		}
		if at := blocks[1].Time; at < began.UnixMilli() || at > ended.UnixMilli() {
			t.Errorf("the next block's time %d is not when it happened, %d to %d", at, began.UnixMilli(), ended.UnixMilli())
		}
	})
	step("range", func() {
		settle()
		var at [2]map[string]string
		for i, l := range []Blocks{a, b} {
			at[i] = map[string]string{}
			if err := l.Range("", func(key string, value []byte) { at[i][key] = string(value) }); err != nil {
				t.Error(err)
			}
		}
		_, key := w.dataset(0, "visits")
		if at[0][key] == "" || !maps.Equal(at[0], at[1]) {
			t.Errorf("%d and %d keys", len(at[0]), len(at[1]))
		}
	})
	step("no such block", func() {
		for _, h := range []int64{-1, 0, 1 << 40} {
			if _, err := a.Block(h); !errors.Is(err, croft.ErrNotFound) {
				t.Errorf("block %d: %v", h, err)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
