package keys

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds a file of the folder of keys; a key has about 120 bytes, with a
// passphrase 500, and a recovery key's public half 2,000.
const maxFile = 4096

// The PEM blocks of a key file: the key itself, or age's armor (which is PEM) around
// the whole of that text.
const (
	plainBlock  = "PRIVATE KEY"
	sealedBlock = "AGE ENCRYPTED FILE"
)

// formatKey returns a key's text: PKCS #8 (RFC 8410 for Ed25519) in PEM.
func formatKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: plainBlock, Bytes: der}), err
}

// writeText writes a new file and makes its content durable.
func writeText(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readText reads a file that only this user can have written or read. It looks
// before it opens, since opening a pipe would wait, and looks again at what it
// opened.
func readText(path string) ([]byte, error) {
	root, name, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	before, err := root.Lstat(name)
	if err != nil {
		return nil, reason(err)
	}
	if !before.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	if !os.SameFile(before, info) {
		return nil, errors.New("it changed while it was opened")
	}
	if err := private(info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return text, nil
}

// sealedKey returns what is inside age's armor, if a key's text is that.
func sealedKey(text []byte) (sealed []byte, ok bool) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != sealedBlock || len(rest) > 0 {
		return nil, false
	}
	return block.Bytes, true
}

// parseKey reads exactly one PEM block with one Ed25519 key, as formatKey writes it.
func parseKey(text []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != plainBlock || len(rest) > 0 {
		return nil, errors.New("it does not hold one PEM block PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it does not hold a PKCS #8 key")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("it does not hold an Ed25519 key")
	}
	return key, nil
}

// openFolder opens the folder of a key file, which must be this user's alone.
func openFolder(path string) (root *os.Root, name string, err error) {
	dir, name := filepath.Split(path)
	before, err := os.Lstat(filepath.Clean(dir)) // a last slash would follow a link
	if err != nil {
		return nil, "", reason(err)
	}
	if !before.IsDir() {
		return nil, "", errors.New("its folder is not a folder")
	}
	root, err = os.OpenRoot(dir)
	if err != nil {
		return nil, "", reason(err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = private(info)
	}
	if err != nil {
		root.Close()
		return nil, "", fmt.Errorf("its folder: %w", err)
	}
	return root, name, nil
}

// private checks that a file or folder is this user's and closed to all others.
// Windows has neither owners nor modes of this kind; there the profile folder's
// access list protects the files.
func private(info os.FileInfo) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("mode %04o lets other users in", mode)
	}
	if !mine(info) {
		return errors.New("it belongs to another user")
	}
	return nil
}

// reason drops the path from an error of the file system: the message has it.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// syncDir makes the names in a folder durable. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
