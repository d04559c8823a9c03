package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"croft"
)

// A document's file is one line of text and then the document:
//
//	croft-doc/1 <SHA-256 of name, a zero byte, document; hexadecimal>
//
// The sum covers the name, so that a file under another document's name is found
// too.
const docMark = "croft-doc/1 "

// Docs holds small named documents of several kinds. Its methods may be called
// concurrently.
//
// Names have 1 to 128 of the characters a-z, 0-9, dot, underscore and hyphen,
// and do not end with a dot; kinds likewise, with at most 64. Other names are a
// caller's bug and an error without a code.
type Docs struct{ files folder }

// OpenDocs opens the documents of the folder dir, which it makes if need be. It
// fails with croft.ErrFolder.
func OpenDocs(dir string) (*Docs, error) {
	files, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	return &Docs{files}, nil
}

// NewMemoryDocs returns the documents of m.
func NewMemoryDocs(m *Memory) *Docs { return &Docs{m} }

// Put stores data under kind and name and replaces what was there, whole. When
// it returns without an error the document is durable. It fails with
// croft.ErrTooLarge, croft.ErrDiskFull or croft.ErrFolder.
func (d *Docs) Put(kind, name string, data []byte) error {
	file, err := docFile(kind, name)
	if err != nil {
		return err
	}
	if len(data) > maxBlob {
		return croft.E(croft.ErrTooLarge, len(data), maxBlob)
	}
	return d.files.write(file, sealDoc(file, data))
}

// Get returns the document. It fails with ErrAbsent, or with
// croft.ErrStoreCorrupt and the file's name.
func (d *Docs) Get(kind, name string) ([]byte, error) {
	file, err := docFile(kind, name)
	if err != nil {
		return nil, err
	}
	raw, err := d.files.read(file, int64(maxBlob+docHead))
	if err != nil {
		return nil, err
	}
	data, ok := openDoc(file, raw)
	if !ok {
		return nil, croft.E(croft.ErrStoreCorrupt, d.files.path(file), "its checksum does not fit")
	}
	return data, nil
}

// Delete removes the document, if it is there, as [Blobs.Delete] does.
func (d *Docs) Delete(kind, name string) error {
	file, err := docFile(kind, name)
	if err != nil {
		return err
	}
	return d.files.remove(file)
}

// List returns the names of all documents of a kind, sorted.
func (d *Docs) List(kind string) ([]string, error) {
	if _, err := docFile(kind, "x"); err != nil {
		return nil, err
	}
	files, err := d.files.list()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if name, ok := strings.CutPrefix(file, kind+"~"); ok && validName(name, 128) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Close lets go of the folder.
func (d *Docs) Close() error { return d.files.close() }

// docHead is the length of the first line.
const docHead = len(docMark) + 2*sha256.Size + 1

func sealDoc(file string, data []byte) []byte {
	return append([]byte(docLine(file, data)), data...)
}

func openDoc(file string, raw []byte) ([]byte, bool) {
	if len(raw) < docHead {
		return nil, false
	}
	data := raw[docHead:]
	return data, string(raw[:docHead]) == docLine(file, data)
}

func docLine(file string, data []byte) string {
	h := sha256.New()
	io.WriteString(h, file+"\x00")
	h.Write(data)
	return docMark + hex.EncodeToString(h.Sum(nil)) + "\n"
}

// docFile returns the name of a document's file: kind~name. A tilde is in
// neither, so the two never run into each other.
func docFile(kind, name string) (string, error) {
	if !validName(kind, 64) || !validName(name, 128) {
		return "", fmt.Errorf("%.80q, %.140q is not the kind and name of a document", kind, name)
	}
	return kind + "~" + name, nil
}

func validName(s string, limit int) bool {
	return s != "" && len(s) <= limit && s[len(s)-1] != '.' && // Windows drops a last dot
		!strings.ContainsFunc(s, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-", r)
		})
}
