package vdaf

import (
	"encoding/binary"
	"math/bits"
)

// A field is the integers modulo a prime p with 2^s dividing p − 1 for a large
// s, so that polynomials of power-of-two size can be transformed (VDAF §6.1).
// Reports are in Field64; the published vectors are in Field32 and Field128 too, which
// stand beside their tests. Its elements are numbers below p. What runs once for each element of a long
// vector is a method on whole vectors: calls through this interface are not
// inlined, so they must not be one for each element.
type field[E comparable] interface {
	size() int         // bytes of an encoded element; little endian
	of(v uint64) E     // v below p
	number(v E) uint64 // the lower 64 bits
	root(log int) E    // of unity, of order 2^log
	add(a, b E) E
	sub(a, b E) E
	mul(a, b E) E
	inv(a E) E // 0 for 0

	addTo(dst, src []E)           // dst += src
	subFrom(dst, src []E)         // dst −= src
	mulTo(dst, a, b []E)          // dst = a·b, element by element
	dot(a, b []E) E               // Σ a·b; b may be longer
	decode(out []E, b []byte) int // those numbers in b that are below p; returns how many
	encode(b []byte, v []E)
	residues(out []E, x []int64) // |x| < p/2
	centred(v E) int64           // the other way
	dif(x, roots []E)            // transforms: ntt.go
	dit(x, roots []E)
	tossed(tests int) tossed[E] // wraparound tests: wrap.go
	sums(n int) sums[E]
}

// sums are n sums of products, reduced modulo p once at the end.
type sums[E comparable] interface {
	add(c E, x []E)       // sum k += c·x[k]; x may be shorter
	addProducts(x, y []E) // sum k += x[k]·y[k]
	values(out []E)       // the sums modulo p
}

// pow returns a^e for a public exponent.
func pow[E comparable](f field[E], a E, e uint64) E {
	r := f.of(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			r = f.mul(r, a)
		}
		a = f.mul(a, a)
	}
	return r
}

// rootOf returns a root of unity of order 2^log, given one of order 2^order.
func rootOf[E comparable](f field[E], generator E, order, log int) E {
	for range order - log {
		generator = f.mul(generator, generator)
	}
	return generator
}

// Modulus is the prime of Field64: 2^64 − 2^32 + 1.
const Modulus = 1<<64 - 1<<32 + 1

const epsilon = 1<<32 - 1 // 2^64 ≡ 2^32 − 1, hence 2^96 ≡ −1 and 2^128 ≡ −2^32 (mod p)

// field64 is Field64. No operation branches on an element, but for decode.
type field64 struct{}

func (field64) size() int              { return 8 }
func (field64) of(v uint64) uint64     { return v }
func (field64) number(v uint64) uint64 { return v }
func (f field64) root(log int) uint64 {
	return rootOf[uint64](f, 0x185629dcda58878c, 32, log) // 7^((p−1)/2^32)
}
func (field64) add(a, b uint64) uint64 { return Add(a, b) }
func (field64) sub(a, b uint64) uint64 { return Sub(a, b) }
func (field64) mul(a, b uint64) uint64 { return Mul(a, b) }
func (field64) inv(a uint64) uint64    { return Inv(a) }

// Add returns a + b in Field64. Arguments of all these functions are below
// Modulus, and so are results.
func Add(a, b uint64) uint64 { return Sub(a, Modulus-b) }

// Sub returns a − b in Field64.
func Sub(a, b uint64) uint64 {
	d, borrow := bits.Sub64(a, b, 0)
	return d - -borrow&epsilon // a borrow added 2^64; p = 2^64 − ε was meant
}

// Mul returns a·b in Field64.
func Mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reduce(hi, lo)
}

// Inv returns 1/a in Field64, a ≠ 0: a^(p−2) by Fermat.
func Inv(a uint64) uint64 { return pow[uint64](field64{}, a, Modulus-2) }

// reduce returns hi·2^64 + lo modulo p. With hi = a·2^32 + b that is lo − a + b·ε.
func reduce(hi, lo uint64) uint64 {
	r, borrow := bits.Sub64(lo, hi>>32, 0)
	r -= -borrow & epsilon
	r, carry := bits.Add64(r, hi&epsilon*epsilon, 0)
	r += -carry & epsilon
	s, below := bits.Sub64(r, Modulus, 0)
	return s + -below&Modulus
}

// Residue returns the element of Field64 for a signed integer, |v| < p/2.
func Residue(v int64) uint64 { return uint64(v) - uint64(v)>>63*epsilon }

// Centred returns the signed integer of smallest size with this residue.
func Centred(v uint64) int64 {
	_, above := bits.Sub64(Modulus/2, v, 0)
	return int64(v + above*epsilon)
}

func (field64) addTo(dst, src []uint64) {
	for k, v := range src[:len(dst)] {
		dst[k] = Add(dst[k], v)
	}
}

func (field64) subFrom(dst, src []uint64) {
	for k, v := range src[:len(dst)] {
		dst[k] = Sub(dst[k], v)
	}
}

func (field64) mulTo(dst, a, b []uint64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for k := range dst {
		dst[k] = Mul(a[k], b[k])
	}
}

func (field64) dot(a, b []uint64) uint64 {
	var lo, hi, top, carry uint64
	b = b[:len(a)]
	for k, v := range a {
		h, l := bits.Mul64(v, b[k])
		lo, carry = bits.Add64(lo, l, 0)
		hi, carry = bits.Add64(hi, h, carry)
		top += carry
	}
	return Sub(reduce(hi, lo), top<<32)
}

func (field64) decode(out []uint64, b []byte) (n int) {
	for ; len(b) >= 8 && n < len(out); b = b[8:] {
		if v := binary.LittleEndian.Uint64(b); v < Modulus {
			out[n] = v
			n++
		}
	}
	return n
}

func (field64) residues(out []uint64, x []int64) {
	for k, v := range x {
		out[k] = Residue(v)
	}
}

func (field64) centred(v uint64) int64 { return Centred(v) }

func (field64) encode(b []byte, v []uint64) {
	for k, x := range v {
		binary.LittleEndian.PutUint64(b[8*k:], x)
	}
}

// Wide adds up products in Field64 without reducing each: three words a sum,
// enough for 2^31 products.
type Wide struct{ lo, hi, top []uint64 }

// NewWide returns n sums, all zero.
func NewWide(n int) *Wide {
	words := make([]uint64, 3*n)
	return &Wide{words[:n:n], words[n : 2*n : 2*n], words[2*n:]}
}

func (field64) sums(n int) sums[uint64] { return wide64{NewWide(n)} }

// MulAdd adds c·x[k] to sum k.
func (w *Wide) MulAdd(c uint64, x []uint64) {
	lo, hi, top := w.lo[:len(x)], w.hi[:len(x)], w.top[:len(x)]
	for k, v := range x {
		h, l := bits.Mul64(c, v)
		var carry uint64
		lo[k], carry = bits.Add64(lo[k], l, 0)
		hi[k], carry = bits.Add64(hi[k], h, carry)
		top[k] += carry
	}
}

// Reduce writes the sums modulo p and starts again from zero. top is below 2^31,
// so top·2^32 is an element.
func (w *Wide) Reduce(out []uint64) {
	for k := range out {
		out[k] = Sub(reduce(w.hi[k], w.lo[k]), w.top[k]<<32)
	}
	clear(w.lo[:len(out)])
	clear(w.hi[:len(out)])
	clear(w.top[:len(out)])
}

type wide64 struct{ *Wide }

func (w wide64) add(c uint64, x []uint64) { w.MulAdd(c, x) }
func (w wide64) values(out []uint64)      { w.Reduce(out) }

func (w wide64) addProducts(x, y []uint64) {
	n := len(x)
	y, lo, hi, top := y[:n], w.lo[:n], w.hi[:n], w.top[:n]
	for k, v := range x {
		h, l := bits.Mul64(v, y[k])
		var carry uint64
		lo[k], carry = bits.Add64(lo[k], l, 0)
		hi[k], carry = bits.Add64(hi[k], h, carry)
		top[k] += carry
	}
}
