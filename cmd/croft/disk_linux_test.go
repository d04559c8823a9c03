package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"croft"
	"croft/internal/store"
)

// mount puts a file system of its own at a new folder, with these options of
// tmpfs. Only root may, so elsewhere the test is skipped.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small disk of its own cannot be mounted here (only root may): %v", err)
	}
	t.Cleanup(func() {
		// A node in the background frees its folder a moment before its process ends,
		// and with it the log that is open on this disk.
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			err := syscall.Unmount(dir, 0)
			if err == nil {
				return
			}
			if !errors.Is(err, syscall.EBUSY) || time.Now().After(end) {
				t.Errorf("unmount %s: %v", dir, err)
				return
			}
		}
	})
	return dir
}

// remount changes a mounted disk: its size, or whether it can be written to.
func remount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

// used is how many bytes a disk holds.
func used(t *testing.T, dir string) uint64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return (s.Blocks - s.Bfree) * uint64(s.Bsize)
}

// files lists all files below a folder with their sizes.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			info, err := e.Info()
			if err != nil {
				return err
			}
			fmt.Fprintln(&list, path, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

// ran runs the program; it wants this exit code, and says what it said and the
// most memory that it had, in bytes.
func ran(t *testing.T, code int, args ...string) (said string, memory int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "croft", args...)
	out, err := cmd.CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed || cmd.ProcessState.ExitCode() != code {
		t.Errorf("croft %v: want exit code %d, got %v %v\n%s", args, code, err, exit, out)
	}
	t.Logf("croft %s\n%s", strings.Join(args, " "), out)
	return string(out), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// full wants the sentence about a full disk, with its cure, and an exit code.
func full(t *testing.T, args ...string) {
	t.Helper()
	said, _ := ran(t, 8, args...)
	if !strings.Contains(said, "MB are free on the disk of") || !strings.Contains(said, "→ free some space") || strings.Contains(said, "panic") {
		t.Errorf("croft %v on a full disk says:\n%s", args, said)
	}
}

// On a full disk every command says so, and leaves what was there as it was.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk, home := mount(t, "size=1g"), t.TempDir() // the size is a limit: it takes no memory
	dir := filepath.Join(disk, "a")
	csv := filepath.Join(home, "visits.csv")
	if err := os.WriteFile(csv, []byte(clinic(1, 160)), 0o600); err != nil {
		t.Fatal(err)
	}
	ran(t, 0, "init", "--name", "A", "--dir", dir)
	ran(t, 0, "up", "--detach", "--lan", "--page", "none", "--dir", dir)
	ran(t, 0, "data", "add", csv, "--unit", "id", "--yes", "--dir", dir)

	// 100 MB are left: no node starts. (One that runs ends cleanly, when it looks
	// next; the long tests wait for that.)
	ran(t, 0, "down", "--dir", dir)
	remount(t, disk, 0, fmt.Sprint("size=", used(t, disk)+100<<20))
	full(t, "up", "--page", "none", "--dir", dir)
	full(t, "up", "--page", "none", "--detach", "--dir", dir)
	full(t, "up", "--page", "none", "--name", "B", "--dir", filepath.Join(disk, "b"))

	// Less is left than a running node needs for what it is asked.
	for said := ""; !strings.Contains(said, "MB are free on the disk of") && !t.Failed(); { // a slow machine's node has looked, and ended, before it is asked
		remount(t, disk, 0, "size=1g")
		ran(t, 0, "up", "--detach", "--lan", "--page", "none", "--dir", dir)
		remount(t, disk, 0, fmt.Sprint("size=", used(t, disk)+8<<10))
		said, _ = ran(t, 8, "data", "add", csv, "--unit", "id", "--name", "more", "--yes", "--dir", dir)
	}
	_ = exec.Command("croft", "down", "--dir", dir).Run() // it may have ended by itself
	for release, err := store.Lock(dir); ; release, err = store.Lock(dir) {
		if err == nil {
			err = release()
		}
		if !errors.Is(err, croft.ErrRunning) {
			break
		}
	}

	// Nothing is left at all: no file is half-written.
	fill, err := os.Create(filepath.Join(disk, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write(make([]byte, 4<<10))
	}
	fill.Close()
	info, err := os.Stat(fill.Name())
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, disk)
	full(t, "init", "--name", "C", "--dir", filepath.Join(disk, "c"))
	full(t, "study", "new", "--from", csv, "--out", filepath.Join(disk, "visits.toml"))
	full(t, "demo", "--dir", filepath.Join(disk, "demo"))
	if err := os.Remove(fill.Name()); err != nil {
		t.Fatal(err)
	}
	before = strings.Replace(before, fmt.Sprintln(fill.Name(), info.Size()), "", 1)
	if after := files(t, disk); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	// With room again all goes on.
	remount(t, disk, 0, "size=1g")
	ran(t, 0, "up", "--detach", "--lan", "--page", "none", "--dir", dir)
	ran(t, 0, "data", "add", csv, "--unit", "id", "--name", "more", "--yes", "--dir", dir)
	export, half := filepath.Join(disk, "a.croft"), filepath.Join(disk, "half.croft")
	ran(t, 0, "audit", "export", export, "--dir", dir)
	if info, err = os.Stat(export); err != nil {
		t.Fatal(err)
	}
	remount(t, disk, 0, fmt.Sprint("size=", used(t, disk)+uint64(info.Size())/2))
	full(t, "audit", "export", half, "--dir", dir)
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half an export is left: %v", err)
	}
	remount(t, disk, 0, "size=1g")
	ran(t, 0, "audit", "verify", "--dir", dir)
	ran(t, 0, "down", "--dir", dir)
	ran(t, 0, "audit", "verify", "--dir", dir)
}

// A disk that only can be read is named as such, and nothing else happens.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	disk, home := mount(t, "size=1g"), t.TempDir()
	dir := filepath.Join(disk, "a")
	csv := filepath.Join(disk, "visits.csv")
	if err := os.WriteFile(csv, []byte(clinic(1, 160)), 0o600); err != nil {
		t.Fatal(err)
	}
	ran(t, 0, "init", "--name", "A", "--dir", dir)
	remount(t, disk, syscall.MS_RDONLY, "")
	for _, args := range [][]string{
		{"init", "--name", "B", "--dir", filepath.Join(disk, "b")},
		{"up", "--page", "none", "--dir", dir},
		{"up", "--page", "none", "--detach", "--dir", dir},
		{"study", "new", "--from", csv, "--out", filepath.Join(disk, "v.toml")},
		{"demo", "--dir", filepath.Join(disk, "demo")},
	} {
		if said, _ := ran(t, 4, args...); !strings.Contains(said, "read-only file system (CROFT-") || !strings.Contains(said, "→ ") {
			t.Errorf("croft %v on a disk that can only be read says:\n%s", args, said)
		}
	}
	ran(t, 0, "study", "new", "--from", csv, "--out", filepath.Join(home, "v.toml")) // to read is enough for this
}

// However long a line is, and however large a file, memory is bounded: the file
// here has eight gigabytes without an end of line.
func TestEndlessLineIsBounded(t *testing.T) {
	// Not beside other tests: the kernel counts what this process had when it started the command.
	const most = 512 << 20                 // of 8 GB
	home, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	csv, dir := filepath.Join(home, "endless.csv"), filepath.Join(home, "a")
	if err := os.WriteFile(csv, []byte("id,age,sex,ill\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(csv, 8<<30); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	wants := func(code int, text string, args ...string) {
		t.Helper()
		said, memory := ran(t, code, args...)
		if !strings.Contains(said, text) || memory > most {
			t.Errorf("croft %v took %d MB and says:\n%s", args, memory>>20, said)
		}
		t.Logf("%d MB", memory>>20)
	}
	wants(4, "line 2: longer than", "study", "new", "--from", csv)
	wants(4, "line 2: longer than", "data", "add", csv, "--dir", dir)
	wants(4, "study file", "study", "propose", csv, "--dir", dir)

	// At the node, which reads what is added.
	ran(t, 0, "init", "--name", "A", "--dir", dir)
	up := exec.Command("croft", "up", "--lan", "--page", "none", "--dir", dir)
	var log bytes.Buffer
	up.Stderr = &log
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4<<10); ; {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, &log)
		}
		if strings.Contains(string(buf[:n]), "Ledger") {
			break
		}
	}
	wants(4, "line 2: longer than", "data", "add", csv, "--unit", "id", "--yes", "--dir", dir)
	ran(t, 0, "down", "--dir", dir)
	if err := up.Wait(); err != nil {
		t.Error(err)
	}
	if memory := up.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10; memory > 2*most {
		t.Errorf("the node took %d MB", memory>>20)
	} else {
		t.Logf("the node took %d MB", memory>>20)
	}
}
