package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"

	"croft"
)

// What is sealed is a file of age (age-encryption.org/v1): whoever has the
// passphrase or the recovery key can open it with age's own program too, without
// this one. A cut or changed file does not open; there is no wrong content.

// Passphrase is what a person remembers. Sealing with it takes about a second and
// 256 MB (scrypt), and so does each guess.
type Passphrase []byte

// scryptWork is the binary logarithm of scrypt's cost. Files that ask for more are
// refused: they would cost memory before anything is known of them.
var scryptWork = 18

// Seal encrypts plain. check opens what was stored of it.
func (p Passphrase) Seal(plain []byte) (sealed []byte, check func([]byte) ([]byte, error), err error) {
	to, err := age.NewScryptRecipient(string(p))
	if err != nil {
		return nil, nil, err
	}
	to.SetWorkFactor(scryptWork)
	sealed, err = encrypt(plain, to)
	return sealed, p.Open, err
}

// Open decrypts what Seal returned. It fails with croft.ErrPassphrase if the
// passphrase is another one, else the file is damaged.
func (p Passphrase) Open(sealed []byte) ([]byte, error) {
	id, err := age.NewScryptIdentity(string(p))
	if err != nil {
		return nil, croft.E(croft.ErrPassphrase)
	}
	id.SetMaxWorkFactor(scryptWork)
	plain, err := decrypt(sealed, id)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, croft.E(croft.ErrPassphrase)
	}
	return plain, err
}

// lock returns a key's text encrypted, in age's armor.
func (p Passphrase) lock(text []byte) ([]byte, error) {
	sealed, _, err := p.Seal(text)
	return pem.EncodeToMemory(&pem.Block{Type: sealedBlock, Bytes: sealed}), err
}

// HasPassphrase says whether a passphrase opens these sealed bytes; else a
// recovery key does.
func HasPassphrase(sealed []byte) bool {
	return bytes.HasPrefix(sealed, []byte("age-encryption.org/v1\n-> scrypt "))
}

// Recovery is a recovery key: the secret half, which a person keeps on paper.
type Recovery struct{ secret *age.HybridIdentity }

// recoveryMark is what age begins a key of this kind with. The 58 characters after
// it are 52 of the key, in base 32, and 6 of a checksum (BIP-173).
const recoveryMark = "AGE-SECRET-KEY-PQ-1"

// NewRecovery makes a recovery key: X25519 and ML-KEM-768, since what is sealed now
// is worth reading in twenty years.
func NewRecovery() (Recovery, error) {
	secret, err := age.GenerateHybridIdentity()
	return Recovery{secret}, err
}

// ParseRecovery reads a recovery key as people type it: white space, hyphens and
// small letters do not count, and the mark may be left out. A slip is found by the
// checksum. It fails with croft.ErrRecoveryKey.
func ParseRecovery(text string) (Recovery, error) {
	if len(text) > 1<<10 {
		return Recovery{}, croft.E(croft.ErrRecoveryKey, "it is too long")
	}
	text = strings.ToUpper(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '-' || strings.ContainsRune(" \t\r\n", r) }), ""))
	text = strings.TrimPrefix(text, strings.ReplaceAll(recoveryMark, "-", ""))
	if len(text) != 58 {
		return Recovery{}, croft.E(croft.ErrRecoveryKey, "it has 58 characters, in groups of four")
	}
	secret, err := age.ParseHybridIdentity(recoveryMark + text)
	if err != nil {
		return Recovery{}, croft.E(croft.ErrRecoveryKey, "a character is wrong")
	}
	return Recovery{secret}, nil
}

// Groups returns the key for paper: 58 characters in groups of four.
func (r Recovery) Groups() (groups []string) {
	text := strings.TrimPrefix(r.secret.String(), recoveryMark)
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return append(groups, text)
}

// Open decrypts what was sealed to the key. It fails with croft.ErrRecoveryKey if
// the key is another one, else the file is damaged.
func (r Recovery) Open(sealed []byte) ([]byte, error) {
	plain, err := decrypt(sealed, r.secret)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, croft.E(croft.ErrRecoveryKey, "this was not sealed to it")
	}
	return plain, err
}

// Format prints what it is and nothing of it, whatever the verb.
func (r Recovery) Format(f fmt.State, _ rune) { io.WriteString(f, "a recovery key") }

// RecoveryLock is the public half of a recovery key, which stays in the folder: a
// backup can be made by whoever runs the node, and opened with the paper alone.
type RecoveryLock struct{ public *age.HybridRecipient }

// Seal encrypts plain to the recovery key. check opens what was stored of it, by a
// second key that is forgotten with it.
func (l RecoveryLock) Seal(plain []byte) (sealed []byte, check func([]byte) ([]byte, error), err error) {
	once, err := NewRecovery()
	if err != nil {
		return nil, nil, err
	}
	sealed, err = encrypt(plain, l.public, once.secret.Recipient())
	return sealed, once.Open, err
}

const recoveryFile = "recovery.pub"

// SetRecovery makes r the key to which backups of dir are sealed from now on.
func SetRecovery(dir string, r Recovery) error {
	if err := replace(filepath.Join(dir, folder, recoveryFile), []byte(r.secret.Recipient().String()+"\n")); err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	return nil
}

// RecoveryOf returns the lock to which backups of dir are sealed; false if none was
// set. It fails with croft.ErrKeyFile.
func RecoveryOf(dir string) (lock RecoveryLock, found bool, err error) {
	path := filepath.Join(dir, folder, recoveryFile)
	text, err := readText(path)
	if errors.Is(err, os.ErrNotExist) {
		return lock, false, nil
	}
	if err == nil {
		lock.public, err = age.ParseHybridRecipient(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return lock, false, croft.E(croft.ErrKeyFile, path, err)
	}
	return lock, true, nil
}

func encrypt(plain []byte, to ...age.Recipient) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	return sealed.Bytes(), err
}

func decrypt(sealed []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// replace writes a file of a folder of keys: a reader sees the old content or the
// new, and of the old no bytes stay where the disk lets them be overwritten.
func replace(path string, content []byte) error {
	temp := path + ".new-" + rand.Text()
	if err := writeText(temp, content); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	var old *os.File               // none: nothing to overwrite
	if runtime.GOOS != "windows" { // where an open file is not replaced
		old, _ = os.OpenFile(path, os.O_WRONLY, 0)
	}
	err := os.Rename(temp, path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if old != nil {
		if info, fault := old.Stat(); err == nil && fault == nil {
			_, err = old.Write(make([]byte, info.Size()))
			err = errors.Join(err, old.Sync())
		}
		err = errors.Join(err, old.Close())
	}
	return err
}
