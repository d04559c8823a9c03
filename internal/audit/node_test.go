package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/store"
)

// folder is a node's folder with a study in it, over some ledger.
func (w *world) folder(t *testing.T, l theLedger, dir string, s story) Node {
	t.Helper()
	n := Node{Dir: dir, Genesis: w.Genesis, Self: w.Members[0].ID, Ledger: l}
	var err error
	if n.Docs, err = store.OpenDocs(filepath.Join(dir, "docs")); err != nil {
		t.Fatal(err)
	}
	if n.Blobs, err = store.OpenBlobs(filepath.Join(dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Docs.Close(); n.Blobs.Close() })
	name := s.id.String()[:32]
	for _, d := range []struct {
		kind, name string
		data       []byte
	}{
		{"approval", name, s.approval}, {"state", name + ".0001", s.model}, {"model", name, s.model}, {"of-a-kind-to-come", "x", []byte("anything")},
	} {
		if err := n.Docs.Put(d.kind, d.name, d.data); err != nil {
			t.Fatal(err)
		}
	}
	for _, blob := range []string{"a blob", "another", ""} {
		if _, err := n.Blobs.Put([]byte(blob)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// edit changes a file of a folder.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyNode(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		o := Options{Unsigned: true}
		n := w.folder(t, l, t.TempDir(), s)
		r, err := VerifyNode(t.Context(), n, o)
		if err != nil || *r.Stored != (Stored{Values: r.Records, Blobs: 3, Documents: 4, States: 2, Approvals: 1}) {
			t.Fatalf("%+v %v", r.Stored, err)
		}
		if words := strings.Join(r.Words(), "\n"); !strings.Contains(words, "3 blobs, 4 documents as they were written; 2 model states and 1 approval fit") {
			t.Error(words)
		}

		name := s.id.String()[:32]
		blob := croft.Sum([]byte("a blob")).String()
		for what, c := range map[string]struct {
			change func(t *testing.T, n *Node)
			says   []string
		}{
			"a byte of a blob": {func(t *testing.T, n *Node) {
				edit(t, filepath.Join(n.Dir, "blobs", blob), func(b []byte) []byte { return flip(b, 3) })
			}, []string{"blob " + blob}},
			"a longer blob": {func(t *testing.T, n *Node) {
				edit(t, filepath.Join(n.Dir, "blobs", blob), func(b []byte) []byte { return append(b, 0) })
			}, []string{"blob " + blob}},
			"a byte of a document": {func(t *testing.T, n *Node) {
				edit(t, filepath.Join(n.Dir, "docs", "of-a-kind-to-come~x"), func(b []byte) []byte { return flip(b, len(b)-1) })
			}, []string{"of-a-kind-to-come~x"}},
			"a byte of a document's checksum": {func(t *testing.T, n *Node) {
				edit(t, filepath.Join(n.Dir, "docs", "model~"+name), func(b []byte) []byte { return flip(b, 20) })
			}, []string{"model~" + name}},
			"two at once": {func(t *testing.T, n *Node) {
				edit(t, filepath.Join(n.Dir, "docs", "of-a-kind-to-come~x"), func(b []byte) []byte { return flip(b, len(b)-1) })
				edit(t, filepath.Join(n.Dir, "blobs", blob), func(b []byte) []byte { return flip(b, 3) })
			}, []string{"blob " + blob, "of-a-kind-to-come~x"}},
			"a model written anew, with its checksum": {func(t *testing.T, n *Node) {
				n.Docs.Put("model", name, []byte("a better model"))
			}, []string{"document " + filepath.Join(n.Dir, "docs", "model~"+name) + ": its hash", "the ledger has"}},
			"a state written anew": {func(t *testing.T, n *Node) {
				n.Docs.Put("state", name+".0001", []byte("another state"))
			}, []string{"state~" + name + ".0001: its hash"}},
			"an approval that nobody signed": {func(t *testing.T, n *Node) {
				n.Docs.Put("approval", name, flip(s.approval, len(s.approval)-1))
			}, []string{"approval~" + name}},
			"another owner": {func(_ *testing.T, n *Node) { n.Self = w.Members[1].ID }, []string{"approval~" + name}},
			"a state value": {func(_ *testing.T, n *Node) {
				n.Ledger = lying{theLedger: n.Ledger.(theLedger), value: func(p *ledger.Proof) {
					if p.Key == ledger.StudyKey(s.id) {
						p.Value = flip(p.Value, 9)
					}
				}}
			}, []string{"state value " + ledger.StudyKey(s.id) + ": it is not"}},
			"a hash inside the state": {func(_ *testing.T, n *Node) {
				n.Ledger = lying{theLedger: n.Ledger.(theLedger), value: func(p *ledger.Proof) { p.Bytes = flip(p.Bytes, len(p.Bytes)-1) }}
			}, []string{": a hash between it and the root is wrong", "more"}},
			"a state that cannot be read": {func(_ *testing.T, n *Node) {
				n.Ledger = lying{theLedger: n.Ledger.(theLedger), value: func(p *ledger.Proof) {
					if p.Key == ledger.NetworkKey {
						panic("corruption")
					}
				}}
			}, []string{"state value network: ", "corruption"}},
			"a block": {func(_ *testing.T, n *Node) {
				n.Ledger = lying{theLedger: n.Ledger.(theLedger), block: func(b *chain.BlockData) {
					if b.Height == 9 {
						b.Block = flip(b.Block, 90)
					}
				}}
			}, []string{"block "}},
		} {
			bad := w.folder(t, l, n.Dir, s)
			c.change(t, &bad)
			_, err := VerifyNode(t.Context(), bad, o)
			if !errors.Is(err, croft.ErrAudit) {
				t.Errorf("%s: %v", what, err)
				continue
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%s: %v, want %s", what, err, says)
				}
			}
			w.folder(t, l, n.Dir, s) // as it was
		}
	})
}

// A ledger that goes on while it is checked is followed to where it stands.
func TestVerifyNodeThatGoesOn(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		reads := 0
		n := w.folder(t, l, t.TempDir(), s)
		n.Ledger = lying{l, func(*ledger.Proof) {
			if reads++; reads == 10 {
				if err := l.Submit(t.Context(), w.seal(1, &ledger.Vote{Action: ledger.Revoke, Subject: w.Members[2].ID, Sequence: 1})); err != nil {
					t.Error(err)
				}
			}
		}, nil}
		if r, err := VerifyNode(t.Context(), n, Options{Unsigned: true}); err != nil || r.End != w.claim(l) || r.Entries != 26 {
			t.Error(r, err)
		}
	})
}

// TestVerifyNodeThatNeverRests: a ledger that moves on whenever a few values are read,
// for as long as anybody looks.
func TestVerifyNodeThatNeverRests(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		reads, nonce := 0, uint64(100)
		n := w.folder(t, l, t.TempDir(), s)
		n.Ledger = lying{l, func(*ledger.Proof) {
			if reads++; reads > 1000 {
				t.Fatal("it begins again with each block")
			}
			if reads%5 == 0 {
				nonce++ // each is another vote, with or without effect
				_ = l.Submit(t.Context(), w.seal(1, &ledger.Vote{Action: ledger.Revoke, Subject: w.Members[2].ID, Sequence: nonce}))
			}
		}, nil}
		if r, err := VerifyNode(t.Context(), n, Options{Unsigned: true}); err != nil || r.Stored.Values != r.Records {
			t.Error(r, err)
		}
	})
}

// lying is a ledger whose stored bytes are not what was written.
type lying struct {
	theLedger
	value func(*ledger.Proof)
	block func(*chain.BlockData)
}

func (l lying) Get(ctx context.Context, key string) (ledger.Proof, error) {
	p, err := l.theLedger.Get(ctx, key)
	if l.value != nil {
		l.value(&p)
	}
	return p, err
}

func (l lying) Block(height int64) (chain.BlockData, error) {
	b, err := l.theLedger.Block(height)
	if l.block != nil {
		l.block(&b)
	}
	return b, err
}

// TestDiskOfARealNode: a study under real consensus, then single bytes of the
// node's databases, each found and named when the folder is opened again.
func TestDiskOfARealNode(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newWorld("Ada", "Ben", "Cleo", "Dina")
	dir := t.TempDir()
	n := onChain(t, w, dir)
	s := w.tell(t, n)
	r := w.rest(t, n)
	if r.Models != 1 || !r.Signed || r.Entries != 25 {
		t.Fatalf("%+v", r)
	}
	verify := func(l theLedger) error {
		t.Helper()
		r, err := VerifyNode(t.Context(), w.folder(t, l, dir, s), Options{Checkpoints: []Checkpoint{r.End}})
		if err == nil && (r.Matched != 1 || r.Stored.Values != r.Records) {
			t.Errorf("%+v", r)
		}
		return err
	}
	if err := verify(n); err != nil {
		t.Fatal(err)
	}

	busy := withTx(t, Chain(n, r.Blocks))[6]
	b, err := n.Block(busy)
	if err != nil {
		t.Fatal(err)
	}
	_, txs, err := b.Open()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		db   string
		find func(key, value string) int // where the byte is; -1 if not in this value
		says string
	}{
		"a transaction in a block": {"blockstore", func(key, value string) int {
			if strings.HasPrefix(key, "P:") {
				return strings.Index(value, string(txs[0]))
			}
			return -1
		}, "block "},
		"a state value": {"ledger", func(_, value string) int { return strings.Index(value, "anaemia") }, "state value plan/" + s.id.String()},
	} {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		put := flipIn(t, filepath.Join(dir, "chain", c.db+".db"), c.find)
		n = onChain(t, w, dir)
		if err := verify(n); !errors.Is(err, croft.ErrAudit) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %s", name, err, c.says)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		put()
		n = onChain(t, w, dir)
		if err := verify(n); err != nil {
			t.Errorf("%s, put back: %v", name, err)
		}
	}
}

// flipIn changes one byte of a stored value, correctly stored as far as the
// database knows, and returns what puts it back.
func flipIn(t *testing.T, path string, find func(key, value string) int) (back func()) {
	t.Helper()
	write := func(key, value []byte) {
		db, err := leveldb.OpenFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Put(key, value, nil); err != nil {
			t.Fatal(err)
		}
	}
	db, err := leveldb.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var key, value []byte
	at := -1
	for i := db.NewIterator(nil, nil); i.Next(); {
		if at = find(string(i.Key()), string(i.Value())); at >= 0 {
			key, value = append(key, i.Key()...), append(value, i.Value()...)
			i.Release()
			break
		}
	}
	db.Close()
	if at < 0 {
		t.Fatal("no such value in ", path)
	}
	write(key, flip(value, at))
	return func() { write(key, value) }
}
