package store

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"croft"
)

// DocFiles returns the files of the documents of some kinds below the folder dir,
// as they are, by name, each checked. It changes nothing, so that it may read what
// another process writes: each file is the old or the new one. No folder is no
// documents. It fails with croft.ErrFolder and croft.ErrStoreCorrupt.
func DocFiles(dir string, kinds ...string) (map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	d := &disk{dir: dir, root: root}
	defer d.close()
	names, err := d.list()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if kind, _, _ := strings.Cut(name, "~"); !slices.Contains(kinds, kind) {
			continue
		}
		raw, err := d.stable(name)
		if errors.Is(err, ErrAbsent) { // erased just now
			continue
		} else if err != nil {
			return nil, err
		}
		files[name] = raw
	}
	return files, nil
}

// stable reads a document's file that may be replaced, and the old one overwritten
// with zeros, at this moment.
func (d *disk) stable(name string) (raw []byte, err error) {
	for range 5 {
		if raw, err = d.read(name, int64(maxBlob+docHead)); err != nil || CheckDocFile(name, raw) {
			return raw, err
		}
	}
	return nil, croft.E(croft.ErrStoreCorrupt, d.path(name), "its checksum does not fit")
}

// CheckDocFile says whether raw is a whole document's file of that name.
func CheckDocFile(name string, raw []byte) bool {
	kind, rest, found := strings.Cut(name, "~")
	if file, err := docFile(kind, rest); !found || err != nil || file != name {
		return false
	}
	_, ok := openDoc(name, raw)
	return ok
}
