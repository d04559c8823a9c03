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
	fail := func(err error) (*table.Table, croft.Hash, error) {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err // the sentence names the path itself
		}
		return nil, croft.Hash{}, croft.E(croft.ErrFileOpen, path, err)
	}
	info, err := os.Stat(path) // before opening, which a pipe would block
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() {
		return fail(errors.New("it is not a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	hash := sha256.New()
	t, err := Read(io.TeeReader(f, hash), path, schema, limits)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	return t, croft.Hash(hash.Sum(nil)), nil
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
