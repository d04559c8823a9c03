package privagg

import "math/bits"

// Field64 of the VDAF draft: the integers modulo p = 2^64 − 2^32 + 1. An element
// is a uint64 below p; on the wire it is 8 bytes, little endian.
const (
	modulus = 1<<64 - 1<<32 + 1
	epsilon = 1<<32 - 1 // 2^64 ≡ 2^32 − 1, hence 2^96 ≡ −1 and 2^128 ≡ −2^32 (mod p)
)

// A field is the arithmetic that the algebra of sharing needs. The product uses
// field64 alone; a proof by enumeration uses a prime of one digit.
type field interface {
	add(a, b uint64) uint64
	sub(a, b uint64) uint64
	mul(a, b uint64) uint64
	inv(a uint64) uint64 // of a ≠ 0
}

type field64 struct{}

func (field64) add(a, b uint64) uint64 { return add(a, b) }
func (field64) sub(a, b uint64) uint64 { return sub(a, b) }
func (field64) mul(a, b uint64) uint64 { return mul(a, b) }
func (field64) inv(a uint64) uint64 { // a^(p−2), Fermat; the exponent is public
	r := uint64(1)
	for e := uint64(modulus - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			r = mul(r, a)
		}
		a = mul(a, a)
	}
	return r
}

func add(a, b uint64) uint64 { return sub(a, modulus-b) }

func sub(a, b uint64) uint64 {
	d, borrow := bits.Sub64(a, b, 0)
	return d - borrow*epsilon // a borrow added 2^64; p = 2^64 − ε was meant
}

func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reduce(hi, lo)
}

// reduce returns hi·2^64 + lo modulo p. With hi = a·2^32 + b that is lo − a + b·ε.
func reduce(hi, lo uint64) uint64 {
	r, borrow := bits.Sub64(lo, hi>>32, 0)
	r -= borrow * epsilon
	r, carry := bits.Add64(r, hi&epsilon*epsilon, 0)
	r += carry * epsilon
	s, below := bits.Sub64(r, modulus, 0)
	return s + below*modulus
}

// residue returns the field element of a signed integer, |v| < p/2.
func residue(v int64) uint64 { return uint64(v) - uint64(v)>>63*epsilon }

// centred returns the signed integer of smallest size with this residue.
func centred(v uint64) int64 {
	if v > modulus/2 {
		return -int64(modulus - v)
	}
	return int64(v)
}

// blockLen is how many elements are worked on at once: what a block needs stays
// in the first cache.
const blockLen = 512

// wide adds up products of a block without reducing each: three words an
// element, enough for 2^64 products.
type wide struct{ lo, hi, top [blockLen]uint64 }

// mulAdd adds c·x[k] to element k.
func (w *wide) mulAdd(c uint64, x []uint64) {
	lo, hi, top := w.lo[:len(x)], w.hi[:len(x)], w.top[:len(x)]
	for k, v := range x {
		h, l := bits.Mul64(c, v)
		var carry uint64
		lo[k], carry = bits.Add64(lo[k], l, 0)
		hi[k], carry = bits.Add64(hi[k], h, carry)
		top[k] += carry
	}
}

// reduce writes the sums modulo p and clears w. A sum has fewer than 2^31
// products here, so top·2^32 needs no reduction of its own.
func (w *wide) reduce(out []uint64) {
	for k := range out {
		out[k] = sub(reduce(w.hi[k], w.lo[k]), w.top[k]<<32)
	}
	*w = wide{}
}
