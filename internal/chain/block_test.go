package chain

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"croft"
	"croft/internal/ledger"
)

// TestVerifierFlips: whatever byte of a signed block or of its signatures is
// changed, the block is refused, by its height, and the good one still passes.
func TestVerifierFlips(t *testing.T) {
	t.Parallel() // it waits more than it works
	n := newNetwork(t, 4)
	n.start(0, 1, 2, 3)
	n.settle()
	n.submit(0, "a")
	n.submit(1, "b")
	n.settle()
	machine := must(ledger.New(n.genesis, ledger.NewMemoryTree()))
	v := must(NewVerifier(n.genesis, machine))
	height := n.nodes[0].Status().Height
	for h := int64(1); h <= height; h++ {
		good := must(n.nodes[0].Block(h))
		bad := func(what string, b BlockData) {
			t.Helper()
			if _, err := v.Next(b); !errors.Is(err, croft.ErrAudit) {
				t.Errorf("block %d: %s: got %v", h, what, err)
			}
		}
		for _, part := range []struct {
			name string
			of   func(*BlockData) *[]byte
		}{
			{"block", func(b *BlockData) *[]byte { return &b.Block }},
			{"commit", func(b *BlockData) *[]byte { return &b.Commit }},
		} {
			whole := *part.of(&good)
			for i := range whole {
				b := good
				*part.of(&b) = bytes.Clone(whole)
				(*part.of(&b))[i] ^= 1 << (i % 8)
				bad(part.name, b)
				if t.Failed() {
					t.Fatalf("byte %d of %d of the %s", i, len(whole), part.name)
				}
			}
			b := good
			*part.of(&b) = append(bytes.Clone(whole), 0x7a, 0) // an unknown, empty field
			bad(part.name+" with more", b)
			*part.of(&b) = nil
			bad(part.name+" missing", b)
		}
		b := good
		b.Height++
		bad("height", b)
		if h < height {
			bad("the next one", must(n.nodes[0].Block(h+1)))
			b.Height, b.Commit = h, must(n.nodes[0].Block(h+1)).Commit
			bad("another block's commit", b)
		}
		if _, err := v.Next(good); err != nil {
			t.Fatalf("the good block: %v", err)
		}
	}
	t.Logf("%d blocks", height)
	if machine.AppHash() != n.nodes[0].Status().AppHash {
		t.Error("another state")
	}
}

// TestVerifierForgery: a twin's blocks are not signed, so their maker can write
// anything that hashes correctly; it shows in what the blocks do.
func TestVerifierForgery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, twin := twin(t)
		m := twin.Member()
		for _, name := range []string{"a", "b"} {
			tx, _ := w.dataset(0, name)
			if err := m.Submit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
		height := m.Status().Height
		first := height // with transactions
		for h := height; h > 0; h-- {
			if b, _, _ := must(m.Block(h)).decode(); len(b.Txs) > 0 {
				first = h
			}
		}
		if first == height {
			t.Fatal("no block shows what the first transactions did")
		}
		forge := func(at int64, change func(*Twin, *[][]byte)) error {
			machine := must(ledger.New(w.genesis, ledger.NewMemoryTree()))
			v := must(NewTwinVerifier(w.genesis, machine))
			for h := int64(1); h <= height; h++ {
				data := must(m.Block(h))
				if h == at {
					b, _, _ := data.decode()
					txs := b.Txs.ToSliceOfBytes()
					forged := &Twin{head: v.head, made: b.Time}
					change(forged, &txs)
					data = must(newBlockData(makeBlock(forged.head, forged.made, txs), nil))
				}
				if _, err := v.Next(data); err != nil {
					return err
				}
			}
			return nil
		}
		if err := forge(first, func(*Twin, *[][]byte) {}); err != nil {
			t.Errorf("the same block, made again: %v", err)
		}
		other, _ := w.dataset(1, "forged")
		// What a block does shows in the next one; what its header says shows at once.
		for name, change := range map[string]func(*Twin, *[][]byte){
			"a forged transaction":  func(_ *Twin, txs *[][]byte) { *txs = [][]byte{other} },
			"an added transaction":  func(_ *Twin, txs *[][]byte) { *txs = append(*txs, other) },
			"a missing transaction": func(_ *Twin, txs *[][]byte) { *txs = nil },
		} {
			if err := forge(first, change); !errors.Is(err, croft.ErrAudit) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		others := must(genesisHead(newWorld(1).genesis, must(ledger.New(newWorld(1).genesis, ledger.NewMemoryTree())))).Validators
		for name, change := range map[string]func(*Twin, *[][]byte){
			"another state":        func(f *Twin, _ *[][]byte) { f.head.AppHash = slices.Repeat([]byte{1}, 32) },
			"other results":        func(f *Twin, _ *[][]byte) { f.head.LastResultsHash = slices.Repeat([]byte{1}, 32) },
			"another chain":        func(f *Twin, _ *[][]byte) { f.head.ChainID += "x" },
			"an earlier time":      func(f *Twin, _ *[][]byte) { f.made = f.head.LastBlockTime },
			"another rule version": func(f *Twin, _ *[][]byte) { f.head.Version.Consensus.App++ },
			"other parameters":     func(f *Twin, _ *[][]byte) { f.head.ConsensusParams.Block.MaxBytes++ },
			"other orderers":       func(f *Twin, _ *[][]byte) { f.head.Validators = others },
			"other next orderers":  func(f *Twin, _ *[][]byte) { f.head.NextValidators = others },
			"another block before": func(f *Twin, _ *[][]byte) { f.head.LastBlockID.PartSetHeader.Total++ },
		} {
			if err := forge(height, change); !errors.Is(err, croft.ErrAudit) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

func FuzzBlock(f *testing.F) {
	w := newWorld(4)
	twin := must(NewTwin(w.genesis))
	tx, _ := w.dataset(0, "a")
	if err := twin.Member().Submit(f.Context(), tx); err != nil {
		f.Fatal(err)
	}
	for _, b := range twin.blocks {
		f.Add(b.Block, b.Commit)
	}
	f.Add([]byte{}, []byte{0x0a, 0})
	f.Fuzz(func(t *testing.T, block, commit []byte) {
		data := BlockData{Height: 2, Block: block, Commit: commit}
		b, c, err := data.decode()
		if err != nil {
			return
		}
		if again := must(newBlockData(b, c)); !bytes.Equal(again.Block, block) || !bytes.Equal(again.Commit, commit) {
			t.Error("two encodings of one block")
		}
		if _, _, err := data.Open(); err != nil {
			t.Error(err)
		}
		v := must(NewVerifier(w.genesis, must(ledger.New(w.genesis, ledger.NewMemoryTree()))))
		v.head.LastBlockHeight = 1
		_, _ = v.Next(data) // any answer but a panic
	})
}
