// Package store keeps a node's bytes: blobs under the hash of their content, and
// small named documents.
//
// The contract of both: what Put has acknowledged survives a crash, a crash at
// any line leaves the old value or the new one, and bytes that are not what was
// written are named (croft.ErrStoreCorrupt) and never returned. Both run on a
// folder of a disk or in a [Memory], by the same code above the files.
//
// The package does not know what it stores, keeps no history, and does not lock:
// one process uses a folder at a time, and [Lock] says which.
package store

import (
	"errors"
	"fmt"

	"croft"
)

// maxBlob is the size in bytes of the largest blob or document.
const maxBlob = 64 << 20

// ErrAbsent says that there is nothing under that hash or name.
var ErrAbsent = errors.New("not in the store")

// Blobs holds byte strings under their SHA-256. Its methods may be called
// concurrently.
type Blobs struct{ files folder }

// OpenBlobs opens the blobs of the folder dir, which it makes if need be. It
// fails with croft.ErrFolder.
func OpenBlobs(dir string) (*Blobs, error) {
	files, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	return &Blobs{files}, nil
}

// NewMemoryBlobs returns the blobs of m.
func NewMemoryBlobs(m *Memory) *Blobs { return &Blobs{m} }

// Put stores data and returns its hash. When it returns without an error the
// blob is durable. It fails with croft.ErrTooLarge, croft.ErrDiskFull or
// croft.ErrFolder.
//
// It writes even what is there already: only then does it know that the disk has
// it, and a damaged copy is healed.
func (b *Blobs) Put(data []byte) (croft.Hash, error) {
	hash := croft.Sum(data)
	if len(data) > maxBlob {
		return hash, croft.E(croft.ErrTooLarge, len(data), maxBlob)
	}
	return hash, b.files.write(hash.String(), data)
}

// Get returns the blob, checked against its hash. It fails with ErrAbsent, or
// with croft.ErrStoreCorrupt and the file's name.
func (b *Blobs) Get(hash croft.Hash) ([]byte, error) {
	data, err := b.files.read(hash.String(), maxBlob)
	if err != nil {
		return nil, err
	}
	if found := croft.Sum(data); found != hash {
		return nil, croft.E(croft.ErrStoreCorrupt, b.files.path(hash.String()), "its content has the hash "+found.Short())
	}
	return data, nil
}

// Has reports whether the blob is there. It does not read it.
func (b *Blobs) Has(hash croft.Hash) bool { return b.files.has(hash.String()) }

// Delete removes the blob, if it is there, and overwrites its bytes as far as
// the disk lets it: flash and copy-on-write file systems keep old copies, so
// whatever must not be read again is encrypted under a key that goes away.
func (b *Blobs) Delete(hash croft.Hash) error { return b.files.remove(hash.String()) }

// List returns the hashes of all blobs, sorted. Other files are passed over.
func (b *Blobs) List() ([]croft.Hash, error) {
	names, err := b.files.list()
	if err != nil {
		return nil, err
	}
	var hashes []croft.Hash
	for _, name := range names {
		if hash, err := croft.ParseID[byte](name); err == nil {
			hashes = append(hashes, hash)
		}
	}
	return hashes, nil
}

// Close lets go of the folder.
func (b *Blobs) Close() error { return b.files.close() }

// folder is a flat set of files: what blobs and documents need of a disk. Names
// are lower-case and hold no path separator.
type folder interface {
	write(name string, data []byte) error          // replaces whole; durable when it returns nil
	read(name string, limit int64) ([]byte, error) // ErrAbsent; croft.ErrStoreCorrupt above limit
	has(name string) bool
	remove(name string) error // overwrites and unlinks; absent is no error
	list() ([]string, error)  // sorted
	path(name string) string  // for people
	close() error
}

func tooLong(path string, size, limit int64) error {
	return croft.E(croft.ErrStoreCorrupt, path, fmt.Sprintf("it has %d bytes where at most %d were written", size, limit))
}
