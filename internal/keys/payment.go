package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"croft"
)

// paymentFile is the key of this folder's till and purses.
const paymentFile = "payment.pem"

// Payment signs vouchers and receipts of the node in a folder.
type Payment struct{ secret ed25519.PrivateKey }

// OpenPayment reads the payment key below dir, where there are keys, or makes one. It
// is in no backup: a till whose journal is gone must not go on under its old key,
// which would forget what it gave back. It fails with croft.ErrKeyFile and
// croft.ErrFolder.
func OpenPayment(dir string) (*Payment, error) {
	path := filepath.Join(dir, folder, paymentFile)
	text, err := readText(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makePayment(dir)
	}
	if err != nil {
		return nil, croft.E(croft.ErrKeyFile, path, err)
	}
	secret, err := parseKey(text)
	if err != nil {
		return nil, croft.E(croft.ErrKeyFile, path, err)
	}
	return &Payment{secret}, nil
}

// makePayment makes the key. It is there, durably, or it is not: what a crash cut
// off has another name.
func makePayment(dir string) (*Payment, error) {
	home := filepath.Join(dir, folder)
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	text, err := formatKey(secret)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	temp := filepath.Join(home, paymentFile+".new")
	if err = os.Remove(temp); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = writeText(temp, text)
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(home, paymentFile))
	}
	if err == nil {
		err = syncDir(home)
	}
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	return &Payment{secret}, nil
}

// Public returns the key by which channels know this node.
func (p *Payment) Public() croft.PublicKey {
	return croft.PublicKey(p.secret.Public().(ed25519.PublicKey))
}

// Sign signs body in a scope under a domain tag.
func (p *Payment) Sign(scope croft.Scope, domain string, body []byte) croft.Signature {
	return croft.Signature(ed25519.Sign(p.secret, scope.Preimage(domain, body)))
}

// String keeps the secret out of logs.
func (p *Payment) String() string { return "payment key" }

// GoString does the same for %#v.
func (p *Payment) GoString() string { return p.String() }
