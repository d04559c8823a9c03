package data

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"croft"
	"croft/internal/table"
)

// Open reads a file as Read does and returns the SHA-256 of its content with the
// table: the hash is of the very bytes that the table was made from. Only regular
// files are read (a pipe could not be read again). A schema without columns reads
// the people only.
func Open(path string, schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	defer f.Close()
	hash := sha256.New()
	t, err := Read(io.TeeReader(f, hash), path, schema, limits)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	return t, croft.Hash(hash.Sum(nil)), nil
}

// openRegular opens a file to read, and nothing but a file.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // before opening, which a pipe would block
	switch {
	case err == nil && info.IsDir():
		err = errors.New("it is a folder: reading one takes a view")
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("it is not a regular file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

// unreadable says that a path cannot be read.
func unreadable(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // the sentence names the path itself
	}
	return croft.E(croft.ErrFileOpen, path, err)
}

// Fingerprints returns a keyed fingerprint of each of some people, ascending: HMAC-SHA256 under a key that never leaves the site. The owner keeps
// them to find datasets that hold the same people, which share one budget
// (protocol §7). Where a row is a person, a row that is the same in both files is
// the same person; after a change in any of its cells it is another.
func Fingerprints(key []byte, people []table.Person) []croft.Hash {
	mac := hmac.New(sha256.New, key)
	out := make([]croft.Hash, 0, len(people))
	for _, p := range people {
		mac.Reset()
		mac.Write(p[:])
		out = append(out, croft.Hash(mac.Sum(nil)))
	}
	slices.SortFunc(out, croft.Hash.Compare)
	return out
}

// Overlap counts the fingerprints that two ascending lists share.
func Overlap(a, b []croft.Hash) (shared int) {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			shared++
			a, b = a[1:], b[1:]
		}
	}
	return shared
}
