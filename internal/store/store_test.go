package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// place is where a store lies: it can be opened again and damaged behind its back.
type place struct {
	blobs  func() *Blobs
	docs   func() *Docs
	damage func(file string, edit func([]byte) []byte)
}

// everywhere runs one suite on a disk and in memory.
func everywhere(t *testing.T, suite func(t *testing.T, p place)) {
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		suite(t, place{
			blobs: func() *Blobs { return open(t, OpenBlobs, dir) },
			docs:  func() *Docs { return open(t, OpenDocs, dir) },
			damage: func(file string, edit func([]byte) []byte) {
				raw, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), edit(raw), 0o600); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
	t.Run("memory", func(t *testing.T) {
		var m Memory
		suite(t, place{
			blobs: func() *Blobs { return NewMemoryBlobs(&m) },
			docs:  func() *Docs { return NewMemoryDocs(&m) },
			damage: func(file string, edit func([]byte) []byte) {
				if !m.Edit(file, edit) {
					t.Fatal("no file " + file)
				}
			},
		})
	})
}

func open[T io.Closer](t *testing.T, open func(string) (T, error), dir string) T {
	t.Helper()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestBlobs(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		b := p.blobs()
		var want []croft.Hash
		for _, text := range []string{"", "a", strings.Repeat("long ", 100_000)} {
			hash, err := b.Put([]byte(text))
			if err != nil || hash != croft.Sum([]byte(text)) {
				t.Fatalf("put: %v, %v", hash, err)
			}
			want = append(want, hash)
			for _, s := range []*Blobs{b, p.blobs()} {
				if data, err := s.Get(hash); err != nil || string(data) != text || !s.Has(hash) {
					t.Fatalf("get %d bytes: got %d, %v", len(text), len(data), err)
				}
			}
		}
		if again, err := b.Put([]byte("a")); err != nil || again != want[1] {
			t.Fatalf("put again: %v", err)
		}
		slices.SortFunc(want, croft.Hash.Compare)
		if got, err := b.List(); err != nil || !slices.Equal(got, want) {
			t.Fatalf("list: %v, %v", got, err)
		}
		gone := want[1]
		for range 2 { // the second finds nothing, which is no error
			if err := b.Delete(gone); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Get(gone); !errors.Is(err, ErrAbsent) || b.Has(gone) {
			t.Fatalf("deleted blob: %v", err)
		}
		if got, _ := p.blobs().List(); len(got) != 2 {
			t.Fatalf("%d blobs after delete", len(got))
		}
		if _, err := b.Put(make([]byte, maxBlob+1)); !errors.Is(err, croft.ErrTooLarge) {
			t.Fatalf("blob above the limit: %v", err)
		}
	})
}

func TestBlobsHandOutCopies(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		b, data := p.blobs(), []byte("mine")
		hash, _ := b.Put(data)
		data[0] = 'f'
		got, err := b.Get(hash)
		if err != nil {
			t.Fatal(err)
		}
		got[0] = 'd'
		if again, err := b.Get(hash); err != nil || string(again) != "mine" {
			t.Fatalf("%q, %v", again, err)
		}
	})
}

func TestDocs(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		d := p.docs()
		for _, text := range []string{"first", "", "croft-doc/1 looks like one"} {
			if err := d.Put("outbox", "r1", []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := p.docs().Get("outbox", "r1"); err != nil || string(got) != text {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		if err := d.Put("out", "box.r1_2", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := d.Put("outbox", "r0", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if names, err := d.List("outbox"); err != nil || !slices.Equal(names, []string{"r0", "r1"}) {
			t.Fatalf("list: %v, %v", names, err)
		}
		if names, err := d.List("none"); err != nil || len(names) != 0 {
			t.Fatalf("list of nothing: %v, %v", names, err)
		}
		for range 2 {
			if err := d.Delete("outbox", "r1"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Get("outbox", "r1"); !errors.Is(err, ErrAbsent) {
			t.Fatalf("deleted: %v", err)
		}
		if err := d.Put("outbox", "r2", make([]byte, maxBlob+1)); !errors.Is(err, croft.ErrTooLarge) {
			t.Fatalf("too large: %v", err)
		}
		long := strings.Repeat("n", 128)
		for kind, name := range map[string]string{
			"": "a", "A": "a", "a/b": "a", "..": "a", "a~b": "c", strings.Repeat("k", 65): "a",
			"k1": "", "k2": "..", "k3": "../../etc/passwd", "k4": "a\x00", "k5": "é", "k6": "con.", "k7": long + "n", "k8": `a\b`,
		} {
			if err := d.Put(kind, name, nil); err == nil {
				t.Errorf("put %q %q: accepted", kind, name)
			}
			if _, err := d.Get(kind, name); err == nil || errors.Is(err, ErrAbsent) {
				t.Errorf("get %q %q: %v", kind, name, err)
			}
		}
		if err := d.Put(strings.Repeat("k", 64), long, []byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// Damage of every kind is named, with the file, and never returned.
func TestDamageIsNamed(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		b, d := p.blobs(), p.docs()
		text := []byte("the sum of round 3")
		hash, err := b.Put(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Put("study", "s", text), d.Put("study", "other", []byte("another"))); err != nil {
			t.Fatal(err)
		}
		var original, other []byte
		p.damage("study~other", func(raw []byte) []byte { other = raw; return raw })
		for file, get := range map[string]func() ([]byte, error){
			hash.String(): func() ([]byte, error) { return b.Get(hash) },
			"study~s":     func() ([]byte, error) { return d.Get("study", "s") },
		} {
			p.damage(file, func(raw []byte) []byte { original = raw; return raw })
			check := func(what string, raw []byte) {
				t.Helper()
				p.damage(file, func([]byte) []byte { return raw })
				got, err := get()
				if !errors.Is(err, croft.ErrStoreCorrupt) || got != nil || !strings.Contains(err.Error(), file) || what == "enormous" && !strings.Contains(err.Error(), "at most") {
					t.Errorf("%s, %s: got %q, %v", file, what, got, err)
				}
			}
			for n := range original { // every torn write
				check("torn", original[:n])
			}
			for bit := range 8 * len(original) {
				flipped := bytes.Clone(original)
				flipped[bit/8] ^= 1 << (bit % 8)
				check("flipped", flipped)
			}
			check("longer", append(bytes.Clone(original), 0))
			check("another file's content", other)
			check("enormous", make([]byte, maxBlob+docHead+1))
			p.damage(file, func([]byte) []byte { return original })
			if got, err := get(); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: whole again, but %q, %v", file, got, err)
			}
		}
		p.damage(hash.String(), func([]byte) []byte { return []byte("rot") })
		if _, err := b.Put(text); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Get(hash); err != nil {
			t.Errorf("put does not heal: %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		b, d := p.blobs(), p.docs()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 20 {
					text := bytes.Repeat([]byte{byte(i)}, 1000)
					hash, err := b.Put([]byte("shared"))
					if _, got := b.Get(hash); err != nil || got != nil {
						t.Error(err, got)
					}
					if err := d.Put("k", "n", text); err != nil {
						t.Error(err)
					}
					if got, err := d.Get("k", "n"); err != nil || len(got) != 1000 || got[0] != got[999] {
						t.Error("torn document", err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// A process that dies at any operation finds every document afterwards as it was
// or as it was to be, and everything acknowledged.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	errCrash := errors.New("crash")
	rapid.Check(t, func(t *rapid.T) {
		var m Memory
		acked, tried := map[string]string{}, map[string]string{}
		left, kept := rapid.IntRange(0, 12).Draw(t, "operations before the crash"), rapid.Bool().Draw(t, "the last one reached the disk")
		m.Fail = func(string, string) (bool, error) {
			switch left--; {
			case left == -1:
				return kept, errCrash
			case left < -1:
				return false, errCrash
			}
			return true, nil
		}
		d := NewMemoryDocs(&m)
		for range 12 {
			name, text := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.String().Draw(t, "text")
			if err := d.Put("k", name, []byte(text)); err != nil {
				tried[name] = text
				break
			}
			acked[name] = text
		}
		m.Fail = nil
		d = NewMemoryDocs(&m)
		for _, name := range []string{"a", "b", "c"} {
			got, err := d.Get("k", name)
			want, ok := acked[name]
			if text, interrupted := tried[name]; interrupted && kept {
				want, ok = text, true
			}
			if ok != (err == nil) || string(got) != want {
				t.Fatalf("%s: got %q, %v; want %q, %v", name, got, err, want, ok)
			}
		}
	})
}

func TestMemoryFailsAsTold(t *testing.T) {
	wrong := errors.New("input/output error")
	for _, c := range []struct {
		done bool
		err  error
		has  bool
	}{{true, nil, true}, {true, wrong, true}, {false, wrong, false}, {false, nil, false}} {
		m := Memory{Fail: func(op, file string) (bool, error) {
			if op == "put" && file == "k~n" {
				return c.done, c.err
			}
			return true, nil
		}}
		d := NewMemoryDocs(&m)
		if err := d.Put("k", "n", nil); err != c.err {
			t.Errorf("%+v: put: %v", c, err)
		}
		if _, err := d.Get("k", "n"); (err == nil) != c.has {
			t.Errorf("%+v: get: %v", c, err)
		}
	}
}

func FuzzOpenDoc(f *testing.F) {
	f.Add("k~n", sealDoc("k~n", []byte("text")))
	f.Add("k~n", []byte(docMark))
	f.Fuzz(func(t *testing.T, file string, raw []byte) {
		if data, ok := openDoc(file, raw); ok && !bytes.Equal(sealDoc(file, data), raw) {
			t.Fatal("two files of one document")
		}
	})
}
