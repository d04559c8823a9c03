package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"croft"
)

// A write onto a disk that is really full changes nothing, and leaves nothing.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk of its own cannot be mounted here (only root may): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "docs")
	d := open(t, OpenDocs, dir)
	if err := d.Put("k", "n", []byte("before")); err != nil {
		t.Fatal(err)
	}
	if err := d.Put("k", "n", make([]byte, 2<<20)); !errors.Is(err, croft.ErrDiskFull) {
		t.Fatalf("got %v", err)
	}
	if got, err := d.Get("k", "n"); err != nil || string(got) != "before" {
		t.Fatalf("%q, %v", got, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if err := d.Put("k", "n", []byte("after")); err != nil {
		t.Fatal("the space did not come back:", err)
	}
}
