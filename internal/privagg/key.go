package privagg

import (
	"crypto/hpke"
	"fmt"

	"croft"
)

// PublicKeySize is the length in bytes of a receiver's public key.
const PublicKeySize = 1216

// PublicKey is a receiver's key: MLKEM768-X25519, which stays safe if either the
// lattice or the curve falls.
type PublicKey [PublicKeySize]byte

// PrivateKey opens pipes. A seat has one for each study and erases it with it.
type PrivateKey struct{ key hpke.PrivateKey }

func kem() hpke.KEM { return hpke.MLKEM768X25519() }

// GenerateKey makes a key pair from the system's randomness, which the standard
// library draws itself.
func GenerateKey() (*PrivateKey, error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate a seat key: %w", err)
	}
	return &PrivateKey{key}, nil
}

// ParsePrivateKey reads what Bytes wrote: 32 bytes.
func ParsePrivateKey(data []byte) (*PrivateKey, error) {
	key, err := kem().NewPrivateKey(data)
	if err != nil {
		return nil, croft.E(croft.ErrEncoding, "seat key", err)
	}
	return &PrivateKey{key}, nil
}

// Bytes returns the key's 32 bytes. They are a secret.
func (k *PrivateKey) Bytes() ([]byte, error) { return k.key.Bytes() }

// Public returns the public half.
func (k *PrivateKey) Public() PublicKey { return PublicKey(k.key.PublicKey().Bytes()) }
