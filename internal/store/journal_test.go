package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"croft"
)

// journal opens a journal and returns what it replayed.
func journal(t testing.TB, dir string) (*Journal, []string) {
	t.Helper()
	var entries []string
	j, err := OpenJournal(dir, func(entry []byte) error { entries = append(entries, string(entry)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, entries
}

// What somebody was told is durable is there again, in order, and nothing twice.
func TestJournalKeepsWhatWasSynced(t *testing.T) {
	dir := t.TempDir()
	j, old := journal(t, dir)
	if len(old) != 0 {
		t.Fatal(old)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := range 20 {
				if err := j.Sync(j.Append(fmt.Appendf(nil, "%d.%02d", i, k))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	j.Append([]byte("nobody waits"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, got := journal(t, dir)
	if len(got) != 320 {
		t.Fatalf("%d entries", len(got))
	}
	last := map[string]string{}
	for _, e := range got { // of each writer in its order
		writer, n, _ := strings.Cut(e, ".")
		if n <= last[writer] {
			t.Fatalf("%s after %s", e, last[writer])
		}
		last[writer] = n
	}
}

// A write that a crash cut off anywhere, also with only its later sectors on the
// disk, costs only itself; damage before it is named.
func TestJournalCutAndDamaged(t *testing.T) {
	dir := t.TempDir()
	j, _ := journal(t, dir)
	third := strings.Repeat("z", 1500)
	for _, e := range []string{"first", strings.Repeat("x", 700), third} {
		if err := j.Sync(j.Append([]byte(e))); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, j.files[0])
	j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replay := func(raw []byte) ([]string, error) {
		there := t.TempDir()
		if err := os.WriteFile(filepath.Join(there, filepath.Base(path)), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var entries []string
		j, err := OpenJournal(there, func(e []byte) error { entries = append(entries, string(e)); return nil })
		if err == nil {
			if err := errors.Join(j.Sync(j.Append([]byte("next"))), j.Close()); err != nil {
				t.Fatal(err)
			}
			var again []string
			j, err = OpenJournal(there, func(e []byte) error { again = append(again, string(e)); return nil })
			if err != nil || !slices.Equal(again, append(slices.Clone(entries), "next")) {
				t.Fatalf("after going on: %d entries, %v", len(again), err)
			}
			j.Close()
		}
		return entries, err
	}
	head := len(whole) - batchHead - 4 - len(third)
	for n := head; n < len(whole); n += 1 + (n-head)/20*50 {
		if got, err := replay(whole[:n]); err != nil || len(got) != 2 {
			t.Fatalf("cut to %d: %d entries, %v", n, len(got), err)
		}
	}
	// Of a file that was given its length before, any sectors may not have been written.
	var sectors [][2]int
	for from := head; from < len(whole); {
		to := min(from/sector*sector+sector, len(whole))
		sectors = append(sectors, [2]int{from, to})
		from = to
	}
	for missing := 1; missing < 1<<len(sectors); missing++ {
		for _, room := range []int{0, 1000} {
			torn := append(bytes.Clone(whole), make([]byte, room)...)
			for i, s := range sectors {
				if missing>>i&1 == 1 {
					clear(torn[s[0]:s[1]])
				}
			}
			if got, err := replay(torn); err != nil || len(got) != 2 {
				t.Fatalf("sectors %b missing, %d zeros behind: %d entries, %v", missing, room, len(got), err)
			}
		}
	}
	for at := 0; at < head; at += 7 {
		for _, room := range []int{0, 1000} {
			bad := append(bytes.Clone(whole), make([]byte, room)...)
			bad[at] ^= 4
			if _, err := replay(bad); !errors.Is(err, croft.ErrStoreCorrupt) {
				t.Fatalf("damage at %d: %v", at, err)
			}
		}
	}
}

func TestJournalRolls(t *testing.T) {
	dir := t.TempDir()
	j, _ := journal(t, dir)
	put := func(text string) {
		if err := j.Sync(j.Append([]byte(text))); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	forget, err := j.Roll()
	if err != nil {
		t.Fatal(err)
	}
	if err := forget(); err != nil { // nothing stands for it yet
		t.Fatal(err)
	}
	put("snapshot")
	put("new")
	before := t.TempDir() // as a crash here would leave it
	if err := os.CopyFS(before, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, got := journal(t, before); !slices.Equal(got, []string{"old", "snapshot", "new"}) {
		t.Fatal(got)
	}
	if err := forget(); err != nil {
		t.Fatal(err)
	}
	put("newer")
	j.Close()
	if _, got := journal(t, dir); !slices.Equal(got, []string{"snapshot", "new", "newer"}) {
		t.Fatal(got)
	}
}

// After a write failed nothing is believed any more.
func TestJournalStaysBroken(t *testing.T) {
	j, _ := journal(t, t.TempDir())
	if err := j.Sync(j.Append([]byte("a"))); err != nil {
		t.Fatal(err)
	}
	j.file.Close()
	mark := j.Append([]byte("b"))
	for range 2 {
		if err := j.Sync(mark); !errors.Is(err, croft.ErrFolder) {
			t.Fatal(err)
		}
	}
	if err := j.Sync(1); err != nil {
		t.Fatal("what was durable is: ", err)
	}
}

func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	j, _ := journal(f, dir)
	j.Sync(j.Append([]byte("seed")))
	raw, _ := os.ReadFile(filepath.Join(dir, j.files[0]))
	f.Add(raw)
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, raw []byte) {
		there := t.TempDir()
		if err := os.WriteFile(filepath.Join(there, "journal~000000000001"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := OpenJournal(there, func([]byte) error { return nil }); err == nil {
			j.Close()
		} else if !errors.Is(err, croft.ErrStoreCorrupt) {
			t.Fatal(err)
		}
	})
}

func BenchmarkJournal(b *testing.B) {
	for _, at := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(at), func(b *testing.B) {
			j, _ := journal(b, b.TempDir())
			entry := make([]byte, 400)
			b.SetParallelism(at)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := j.Sync(j.Append(entry)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
