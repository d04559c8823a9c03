package study

import (
	"crypto/rand"
	"encoding/binary"

	"croft"
	"croft/internal/fed"
	"croft/internal/tensor"
)

// The ledger shows every member a hash of each sum and of each state. The first
// sum is four counts: whoever does not read it could try counts until the hash
// fits. So every site ends its vector with a few random numbers. Their total comes
// with the sum, to its readers and to nobody else, not even to t seats that do not
// read, and salts both hashes (docs/decisions/salted-hashes.md).

// saltLen numbers of saltBits bits each: 192 bits that no other site knows, and
// too small to be felt in the bound on a vector's norm, also of a small site's.
const saltLen, saltBits = 16, 12

// Elems returns how many integers a site's vector of this layout has in a report.
func Elems(layout tensor.Layout) int { return layout.Elems() + saltLen }

// encode is layout.Encode, salted.
func encode(layout tensor.Layout, vector []float64) ([]int64, error) {
	out, err := layout.Encode(vector)
	if err != nil {
		return nil, err
	}
	var random [4 * saltLen]byte
	rand.Read(random[:]) // never fails
	for i := range saltLen {
		out = append(out, int64(binary.LittleEndian.Uint32(random[4*i:])>>(32-saltBits)))
	}
	return out, nil
}

// decode splits an opened sum into the layout's numbers and the salt.
func decode(layout tensor.Layout, sum []int64) (numbers []float64, salt croft.Hash, err error) {
	if len(sum) != Elems(layout) {
		return nil, salt, croft.E(croft.ErrShape, "the sum", len(sum), Elems(layout))
	}
	numbers, err = layout.Decode(sum[:layout.Elems()])
	return numbers, croft.HashOf(sum[layout.Elems():]), err
}

// salted is a state as it lies in a document, and as a hash on the ledger names it.
type salted struct {
	Salt  croft.Hash `cbor:"1,keyasint"` // of the sum that led to it
	State []byte     `cbor:"2,keyasint"` // fed.State
}

func openState(plan *fed.Plan, document []byte) (fed.State, error) {
	var s salted
	if err := croft.Decode(document, &s); err != nil {
		return fed.State{}, err
	}
	return plan.Decode(s.State)
}
