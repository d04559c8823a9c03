package croft

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ID is a 32-byte identifier of a T. The type parameter is never instantiated:
// it only keeps a study's id from being passed where a member's is wanted.
type ID[T any] [32]byte

// The identifiers in use.
type (
	// Hash is the SHA-256 of some bytes: a blob's address, a state's name.
	Hash = ID[byte]
	// MemberID is the hash of a member's public key. It is the same in every
	// network.
	MemberID = ID[Member]
	// NetworkID is the hash of a network's first genesis.
	NetworkID = ID[Genesis]
	// StudyID is the hash of the transaction that proposed the study.
	StudyID = ID[Study]
	// DatasetID is the hash of the transaction that registered a dataset version.
	DatasetID = ID[Dataset]
	// ChannelID is the hash of the transaction that opened a channel, and its place
	// in it.
	ChannelID = ID[Channel]
	// ServiceID is the hash of a service's provider and name.
	ServiceID = ID[Service]
)

// Sum returns the SHA-256 of data.
func Sum(data []byte) Hash { return sha256.Sum256(data) }

// HashOf returns the hash of v's canonical encoding.
func HashOf(v any) Hash { return Sum(Encode(v)) }

// IsZero reports whether the identifier is unset.
func (id ID[T]) IsZero() bool { return id == ID[T]{} }

// String returns 64 lower-case hexadecimal digits.
func (id ID[T]) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 hexadecimal digits, for people.
func (id ID[T]) Short() string { return hex.EncodeToString(id[:4]) }

// Compare orders identifiers by their bytes.
func (id ID[T]) Compare(other ID[T]) int {
	for i := range id {
		if id[i] != other[i] {
			return int(id[i]) - int(other[i])
		}
	}
	return 0
}

// MarshalText gives the form of JSON and of files.
func (id ID[T]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText accepts exactly 64 lower-case hexadecimal digits.
func (id *ID[T]) UnmarshalText(text []byte) error {
	var parsed ID[T]
	n, err := hex.Decode(parsed[:], text[:min(len(text), 64)])
	if err != nil || n != 32 || len(text) != 64 || parsed.String() != string(text) {
		return fmt.Errorf("identifier %.80q is not 64 lower-case hexadecimal digits", text)
	}
	*id = parsed
	return nil
}

// ParseID reads the form that String writes.
func ParseID[T any](text string) (ID[T], error) {
	var id ID[T]
	err := id.UnmarshalText([]byte(text))
	return id, err
}
