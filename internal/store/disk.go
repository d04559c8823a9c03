package store

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"croft"
)

// disk is a folder of a file system. Every path goes through the os.Root, so no
// name and no symbolic link leads out of it.
type disk struct {
	dir  string
	root *os.Root

	// mu is held for writing while a name changes hands and while bytes are
	// overwritten: who reads then would find damage where there is only a change.
	mu sync.RWMutex
}

// pending marks files that are not there yet or not there any more: a crash
// leaves them, and the next open erases them. No blob or document starts so.
const pending = "~"

func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	d := &disk{dir: dir, root: root}
	if err := d.recover(); err != nil {
		root.Close()
		return nil, d.fault(err)
	}
	return d, nil
}

// recover ends what a crash interrupted: also a write whose name is there and not
// yet durable, so that nobody builds on a file that the next power cut takes away.
func (d *disk) recover() error {
	if parent, err := os.OpenRoot(filepath.Dir(d.dir)); err == nil { // the folder itself may be new
		defer parent.Close()
		if err := syncDir(parent); err != nil {
			return err
		}
	}
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, pending) {
			if err := d.shred(name); err != nil {
				return err
			}
		}
	}
	return syncDir(d.root)
}

// write puts data into a new file, makes it durable, and only then gives it the
// name: whoever reads the name sees the old file or the new one. The name is
// durable once the directory is. What the name stood for before is overwritten: it
// may have been a key. A crash before that leaves it to the disk.
func (d *disk) write(name string, data []byte) error {
	temp := pending + rand.Text()
	f, err := d.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return d.fault(err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	var former *os.File
	if err == nil {
		former, err = d.replace(temp, name)
	}
	if err != nil {
		d.root.Remove(temp) // best effort: the next open erases it
		return d.fault(err)
	}
	err = syncDir(d.root)
	if former != nil {
		if err == nil { // else the disk may still give the name to the former file
			err = d.blank(former)
		}
		err = errors.Join(err, former.Close())
	}
	return d.fault(err)
}

// replace renames temp to name and returns the file that had the name, if there
// was one: open, and nowhere to be found any more.
func (d *disk) replace(temp, name string) (former *os.File, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if info, err := d.root.Lstat(name); err == nil && info.Mode().IsRegular() {
		if former, err = d.root.OpenFile(name, os.O_WRONLY, 0); err != nil {
			return nil, err
		}
	}
	if err = d.root.Rename(temp, name); err != nil && former != nil {
		former.Close()
		former = nil
	}
	return former, err
}

func (d *disk) read(name string, limit int64) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	} else if err != nil {
		return nil, d.fault(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, d.fault(err)
	}
	if info.Size() > limit {
		return nil, tooLong(d.path(name), info.Size(), limit)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, d.fault(err)
	}
	return data, nil
}

func (d *disk) has(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}

// remove takes the name away first and overwrites then: a crash in between must
// not leave a name with zeros under it.
func (d *disk) remove(name string) error {
	trash := pending + rand.Text()
	err := d.root.Rename(name, trash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncDir(d.root)
	}
	if err == nil {
		err = d.shred(trash)
	}
	return d.fault(err)
}

// shred overwrites a file with zeros and unlinks it. A link or a pipe somebody
// put there is only unlinked.
func (d *disk) shred(name string) error {
	if info, err := d.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return d.root.Remove(name)
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(d.blank(f), f.Close()); err != nil {
		return err
	}
	return d.root.Remove(name)
}

// blank overwrites an open file with zeros, durably.
func (d *disk) blank(f *os.File) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, zeros{}, info.Size())
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (d *disk) list() ([]string, error) {
	names, err := d.names()
	if err != nil {
		return nil, d.fault(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, pending) }), nil
}

// names returns all files of the folder, sorted.
func (d *disk) names() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) close() error { return d.root.Close() }

// fault puts an error of the file system into the catalogue's words.
func (d *disk) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case diskFull(err):
		return croft.E(croft.ErrDiskFull, 1, d.dir)
	default:
		return croft.E(croft.ErrFolder, d.dir, err)
	}
}

// Replace writes a file that lies outside a store's folder: whoever reads it, also after
// a power cut, finds the old content or the new, and the new one is durable when it
// returns. Its errors are the system's.
func Replace(path string, content []byte, mode fs.FileMode) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	return syncNames(filepath.Dir(path))
}

// SyncDir makes the names in a folder durable: who renamed a file there calls it. It
// fails with croft.ErrFolder.
func SyncDir(dir string) error {
	if err := syncNames(dir); err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	return nil
}

func syncNames(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(root), root.Close())
}

// syncDir makes the names in a folder durable. Windows has no such call; there
// a rename is journalled by the file system.
func syncDir(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
