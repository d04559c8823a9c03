package privagg

import "croft/internal/vdaf"

// A field is the arithmetic that the algebra of sharing needs. The product uses
// Field64 alone; a proof by enumeration uses a prime of one digit.
type field interface {
	sub(a, b uint64) uint64
	mul(a, b uint64) uint64
	inv(a uint64) uint64 // of a ≠ 0
}

type field64 struct{}

func (field64) sub(a, b uint64) uint64 { return vdaf.Sub(a, b) }
func (field64) mul(a, b uint64) uint64 { return vdaf.Mul(a, b) }
func (field64) inv(a uint64) uint64    { return vdaf.Inv(a) }

// blockLen is how many elements are worked on at once: what a block needs stays
// in the first cache.
const blockLen = 512
