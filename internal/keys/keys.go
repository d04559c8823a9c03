// Package keys holds a member's keys in files: one folder, one text file each.
//
// A member has three keys, each for one use: the member key, with which a person
// approves and votes; the node key, which is the node's identity and signs its
// own transactions; the validator key, which belongs to CometBFT. They are made
// together, once, and never overwritten. Secrets stay inside, except where a
// library has to have one; printing a Keys shows none.
//
// The package protects against other users of the machine by owner and mode of
// the files. The member key can have a passphrase, and is encrypted then; the other
// two have none, since a node starts by itself after a power cut: the disk protects
// them from who steals it. What may leave the machine, a backup, is always sealed.
//
//	keys.go     the keys, made, loaded, used
//	seal.go     passphrases and the recovery key
//	file.go     the files
//	payment.go  the key that signs vouchers and receipts; it is the node's, and never in a backup
package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"croft"
)

// Keys are a member's keys, or those that this process needs. The zero value has
// none. Asking for a key that was not loaded is a bug in the program and panics.
type Keys struct {
	secret [croft.RoleValidator + 1]ed25519.PrivateKey // by role
}

// files names the key files of a folder by role.
var files = [...]string{croft.RoleMember: "member.pem", croft.RoleNode: "node.pem", croft.RoleValidator: "validator.pem"}

// folder is where the files lie inside a node's folder.
const folder = "keys"

// Create makes a member's keys and stores them below dir, which it makes if need
// be. All three are there, durably, or none: they are written under another name
// first. It fails with croft.ErrFolderUsed if dir holds keys already, and with
// croft.ErrFolder.
func Create(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	home := filepath.Join(dir, folder)
	if _, err := os.Lstat(home); err == nil {
		return nil, croft.E(croft.ErrFolderUsed, dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	temp, err := os.MkdirTemp(dir, folder+".new-") // mode 0700
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	defer os.RemoveAll(temp) // gone by then if all went well
	k := new(Keys)
	for role, name := range files {
		if name == "" {
			continue
		}
		var text []byte
		_, k.secret[role], err = ed25519.GenerateKey(rand.Reader)
		if err == nil {
			text, err = formatKey(k.secret[role])
		}
		if err == nil {
			err = writeText(filepath.Join(temp, name), text)
		}
		if err != nil {
			return nil, croft.E(croft.ErrFolder, dir, err)
		}
	}
	if err := writeText(filepath.Join(temp, unusedFile), nil); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	if err := syncDir(temp); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	// A rename never replaces a folder with files in it: of two Creates at once
	// one fails here.
	if err := os.Rename(temp, home); errors.Is(err, fs.ErrExist) {
		return nil, croft.E(croft.ErrFolderUsed, dir)
	} else if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	if err := syncDir(dir); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	return k, nil
}

// unusedFile is there until a validator key may have signed.
const unusedFile = "unused"

// Unused says whether the keys below dir were made there and the validator key has
// never signed. Keys that came from elsewhere, from a backup or by hand, have a
// past that the folder may not know.
func Unused(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, folder, unusedFile))
	return err == nil
}

// Use takes note that the validator key may sign from now on.
func Use(dir string) error {
	home := filepath.Join(dir, folder)
	err := os.Remove(filepath.Join(home, unusedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncDir(home)
	}
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	return nil
}

// Ask asks a person for the passphrase of a file.
type Ask func(path string) (Passphrase, error)

// Load reads all keys below dir. ask is called if the member key has a passphrase. It
// fails with croft.ErrKeyFile and the file's name, with croft.ErrPassphrase, or, if ask
// is nil and needed, with croft.ErrNoPassphrase.
func Load(dir string, ask Ask) (*Keys, error) {
	return load(dir, ask, croft.RoleMember, croft.RoleNode, croft.RoleValidator)
}

// LoadNode reads what a node's process needs: the node and the validator key. A
// node that is broken into cannot approve a study.
func LoadNode(dir string) (*Keys, error) {
	return load(dir, nil, croft.RoleNode, croft.RoleValidator)
}

// LoadMember reads what a person's command needs: the member key. ask is called if
// it has a passphrase; a wrong one is croft.ErrPassphrase.
func LoadMember(dir string, ask Ask) (*Keys, error) { return load(dir, ask, croft.RoleMember) }

// SetPassphrase encrypts the member key below dir with the passphrase that next
// returns, or not at all if that is empty. ask is called if it has one now; next once
// that was right.
//
//	Crash: the file is the old or the new one; a leftover named .new- may hold the
//	key as the new one would.
func SetPassphrase(dir string, ask Ask, next func() (Passphrase, error)) error {
	k, err := LoadMember(dir, ask)
	if err != nil {
		return err
	}
	p, err := next()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, folder, files[croft.RoleMember])
	text, err := formatKey(k.key(croft.RoleMember))
	if err == nil && len(p) > 0 {
		text, err = p.lock(text)
	}
	if err == nil {
		err = replace(path, text)
	}
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	_, err = LoadMember(dir, func(string) (Passphrase, error) { return p, nil })
	return err
}

// Locked says whether the member key below dir has a passphrase.
func Locked(dir string) bool {
	text, err := readText(filepath.Join(dir, folder, files[croft.RoleMember]))
	_, sealed := sealedKey(text)
	return err == nil && sealed
}

// PublicOf returns the public half of the key in a key file's text; locked if it
// has a passphrase, and is not known then.
func PublicOf(text []byte) (key croft.PublicKey, locked bool, err error) {
	if _, sealed := sealedKey(text); sealed {
		return key, true, nil
	}
	secret, err := parseKey(text)
	if err != nil {
		return key, false, err
	}
	return croft.PublicKey(secret.Public().(ed25519.PublicKey)), false, nil
}

func load(dir string, ask Ask, roles ...croft.Role) (*Keys, error) {
	k, seen := new(Keys), map[croft.PublicKey]bool{}
	for _, role := range roles {
		path := filepath.Join(dir, folder, files[role])
		text, err := readText(path)
		if err != nil {
			return nil, croft.E(croft.ErrKeyFile, path, err)
		}
		if sealed, ok := sealedKey(text); ok {
			if ask == nil {
				return nil, croft.E(croft.ErrNoPassphrase, path)
			}
			p, err := ask(path)
			if err != nil {
				return nil, err
			}
			if text, err = p.Open(sealed); errors.Is(err, croft.ErrPassphrase) {
				return nil, err
			} else if err != nil {
				return nil, croft.E(croft.ErrKeyFile, path, err)
			}
		}
		key, err := parseKey(text)
		if err != nil {
			return nil, croft.E(croft.ErrKeyFile, path, err)
		}
		k.secret[role] = key
		if seen[k.Public(role)] {
			return nil, croft.E(croft.ErrKeyFile, path, "it is a copy of another key")
		}
		seen[k.Public(role)] = true
	}
	return k, nil
}

// Public returns the public half of a key.
func (k *Keys) Public(role croft.Role) croft.PublicKey {
	return croft.PublicKey(k.key(role).Public().(ed25519.PublicKey))
}

// Member returns the record of this member. A process that does not have all
// three keys finds it on the ledger instead, by its node key.
func (k *Keys) Member(name string, seat bool) croft.Member {
	member := k.Public(croft.RoleMember)
	return croft.Member{
		ID: croft.IDOf(member), Name: name, Key: member, Seat: seat,
		Node: k.Public(croft.RoleNode), Validator: k.Public(croft.RoleValidator),
	}
}

// Sign signs body in a scope under a domain tag, with the member or the node key.
// The validator key signs one thing of ours, the proof at joining that it is at
// hand, so that no message of ours can be taken for a vote.
func (k *Keys) Sign(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
	if role == croft.RoleValidator && domain != croft.JoinDomain {
		panic("keys: the validator key signs CometBFT's votes and a proof at joining only")
	}
	return croft.Signature(ed25519.Sign(k.key(role), scope.Preimage(domain, body)))
}

// NodeSecret hands the node key to libp2p, which proves the peer id with it in
// its TLS and Noise handshakes.
func (k *Keys) NodeSecret() ed25519.PrivateKey { return k.key(croft.RoleNode) }

// ValidatorSecret hands the validator key to CometBFT, which signs its votes
// itself and keeps watch that it never signs two for one height.
func (k *Keys) ValidatorSecret() ed25519.PrivateKey { return k.key(croft.RoleValidator) }

// Format prints which keys there are and nothing of them, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) {
	n := 0
	for _, key := range k.secret {
		if key != nil {
			n++
		}
	}
	fmt.Fprintf(f, "%d secret keys", n)
}

func (k *Keys) key(role croft.Role) ed25519.PrivateKey {
	if int(role) >= len(k.secret) || k.secret[role] == nil {
		panic(fmt.Sprintf("keys: no key for role %d was loaded", role))
	}
	return k.secret[role]
}
