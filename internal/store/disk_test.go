package store

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"croft"
)

// A real process is killed in the middle of its writes and deletes, again and
// again in one folder; what it reported as done is done.
func TestKilledProcessKeepsItsWord(t *testing.T) {
	dir := t.TempDir()
	if d := os.Getenv("CROFT_STORE_CHILD"); d != "" {
		writeUntilKilled(d)
	}
	for kill := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessKeepsItsWord$")
		cmd.Env = append(os.Environ(), "CROFT_STORE_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var last int
		lines := bufio.NewScanner(out)
		for lines.Scan() && last < 20+7*kill { // some dozens of acknowledgements, then the kill
			fmt.Sscan(lines.Text(), &last)
		}
		cmd.Process.Kill()
		for lines.Scan() {
			fmt.Sscan(lines.Text(), &last) // said before it died
		}
		cmd.Wait()

		d, b := open(t, OpenDocs, dir), open(t, OpenBlobs, dir)
		got, err := d.Get("k", "counter")
		var n int
		fmt.Sscan(string(got), &n)
		if err != nil || n != last && n != last+1 {
			t.Fatalf("acknowledged %d, found %q, %v", last, got, err)
		}
		if _, err := b.Get(croft.Sum(blob(last))); err != nil {
			t.Fatalf("blob %d: %v", last, err)
		}
		if _, err := d.Get("k", fmt.Sprint("gone-", last)); !errors.Is(err, ErrAbsent) {
			t.Fatalf("deleted document %d: %v", last, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), pending) {
				t.Fatalf("%s is left after open", e.Name())
			}
		}
	}
}

// What an earlier crash left under the other name is written over; what cannot be
// written leaves the old content.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path+".new", []byte("half of a longer te"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"one", "another one", ""} {
		if err := Replace(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q, %v; want %q", got, err, content)
		}
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other name is left: %v", err)
	}
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("three"), 0o600); err == nil {
		t.Error("written where nothing can be")
	}
	if got, err := os.ReadFile(path); err != nil || len(got) > 0 {
		t.Errorf("%q, %v after a failure", got, err)
	}
}

func blob(n int) []byte { return []byte(strings.Repeat(fmt.Sprint(n, " "), 5000)) }

func writeUntilKilled(dir string) {
	d, err := OpenDocs(dir)
	if err != nil {
		panic(err)
	}
	b, err := OpenBlobs(dir)
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		gone := fmt.Sprint("gone-", n)
		_, err1 := b.Put(blob(n))
		err := errors.Join(err1, d.Put("k", gone, blob(n)), d.Delete("k", gone), b.Delete(croft.Sum(blob(n-2))), d.Put("k", "counter", fmt.Append(nil, n)))
		if err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

// What a crash leaves between two steps of write and remove is erased at open.
func TestOpenErasesLeftovers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	d := open(t, OpenDocs, dir)
	if err := d.Put("k", "n", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, pending+"LEFT")
	if err := os.WriteFile(left, []byte("half a secr"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A second name of the same file shows what the erasing wrote.
	if err := os.Link(left, filepath.Join(dir, "witness")); err != nil {
		t.Skip("no hard links here:", err)
	}
	d = open(t, OpenDocs, dir)
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the leftover is there")
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "witness")); strings.Trim(string(raw), "\x00") != "" || len(raw) != 11 {
		t.Fatalf("not overwritten: %q", raw)
	}
	if got, err := d.Get("k", "n"); err != nil || string(got) != "kept" {
		t.Fatalf("%q, %v", got, err)
	}
	if names, err := d.List("k"); err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
}

func TestDeleteOverwrites(t *testing.T) {
	dir := t.TempDir()
	b := open(t, OpenBlobs, dir)
	hash, err := b.Put([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, hash.String()), filepath.Join(dir, "witness")); err != nil {
		t.Skip("no hard links here:", err)
	}
	if err := b.Delete(hash); err != nil {
		t.Fatal(err)
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "witness")); string(raw) != "\x00\x00\x00\x00\x00\x00" {
		t.Fatalf("not overwritten: %q", raw)
	}
}

// What a document was before may have been a key.
func TestReplacingOverwrites(t *testing.T) {
	dir := t.TempDir()
	d := open(t, OpenDocs, dir)
	if err := d.Put("k", "n", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "k~n"), filepath.Join(dir, "witness")); err != nil {
		t.Skip("no hard links here:", err)
	}
	if err := d.Put("k", "n", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "witness")); len(raw) != docHead+6 || strings.Trim(string(raw), "\x00") != "" {
		t.Fatalf("not overwritten: %q", raw)
	}
	if got, err := d.Get("k", "n"); err != nil || string(got) != "another" {
		t.Fatalf("%q, %v", got, err)
	}
}

// Who reads while the same document is replaced or deleted sees an old value, a new
// one or none, never the zeros in between.
func TestReadersNeverSeeTheErasing(t *testing.T) {
	dir := t.TempDir()
	d := open(t, OpenDocs, dir)
	var wg sync.WaitGroup
	written := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				if _, err := d.Get("k", "n"); err != nil && !errors.Is(err, ErrAbsent) {
					t.Error(err)
					return
				}
				select {
				case <-written:
					return
				default:
				}
			}
		})
	}
	for n := range 40 {
		err := d.Put("k", "n", make([]byte, 1<<20+n))
		if n%4 == 3 {
			err = errors.Join(err, d.Delete("k", "n"))
		}
		if err != nil {
			t.Error(err)
		}
	}
	close(written)
	wg.Wait()
}

func TestNoLinkLeadsOut(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	text := []byte("not ours")
	if err := os.WriteFile(outside, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, OpenBlobs, dir)
	hash := croft.Sum(text)
	if err := os.Symlink(outside, filepath.Join(dir, hash.String())); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if got, err := b.Get(hash); err == nil {
		t.Fatalf("read %q through a link", got)
	}
	if err := b.Delete(hash); err != nil || b.Has(hash) {
		t.Fatalf("the link stays: %v", err)
	}
	if raw, _ := os.ReadFile(outside); string(raw) != string(text) {
		t.Fatalf("a file outside was changed: %q", raw)
	}
	open(t, OpenBlobs, dir)
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBlobs(file); !errors.Is(err, croft.ErrFolder) {
		t.Errorf("a file: %v", err)
	}
	if _, err := OpenDocs(filepath.Join(file, "below")); !errors.Is(err, croft.ErrFolder) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := Lock(filepath.Join(file, "below")); !errors.Is(err, croft.ErrFolder) {
		t.Errorf("lock: %v", err)
	}
}

func TestFullDiskHasItsOwnWords(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("other numbers there")
	}
	d := &disk{dir: "/data"}
	if err := d.fault(&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}); !errors.Is(err, croft.ErrDiskFull) {
		t.Error(err)
	}
	if err := d.fault(&fs.PathError{Op: "write", Path: "x", Err: syscall.EIO}); !errors.Is(err, croft.ErrFolder) {
		t.Error(err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, croft.ErrRunning) {
		t.Fatalf("second lock: %v", err)
	}
	if other, err := Lock(t.TempDir()); err != nil {
		t.Fatal("another folder:", err)
	} else {
		other()
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(dir)
	if err != nil {
		t.Fatal("after release:", err)
	}
	again()
}
