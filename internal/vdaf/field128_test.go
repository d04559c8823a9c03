package vdaf

import (
	"encoding/binary"
	"math/bits"
)

// An e128 is an element of Field128: lo + hi·2^64, below p = 2^128 − 28·2^64 + 1.
// Prio3's vectors use it: large enough for one proof with joint randomness.
type e128 struct{ lo, hi uint64 }

var modulus128 = e128{1, 1<<64 - 28}

type field128 struct{}

func (field128) size() int            { return 16 }
func (field128) of(v uint64) e128     { return e128{lo: v} }
func (field128) number(v e128) uint64 { return v.lo }
func (f field128) root(log int) e128 {
	return rootOf[e128](f, e128{0x1f9b2759c5109f06, 0x6d278fbf4f60228b}, 66, log) // 7^((p−1)/2^66)
}

func (f field128) add(a, b e128) e128 { return f.sub(a, f.sub(e128{}, b)) }

func (field128) sub(a, b e128) e128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, borrow := bits.Sub64(a.hi, b.hi, borrow)
	// A borrow added 2^128 where p was meant: take off 2^128 − p = 28·2^64 − 1.
	lo, carry := bits.Add64(lo, borrow, 0)
	return e128{lo, hi + carry - 28*borrow}
}

// mul folds the product's upper half H down with 2^128 ≡ 28·2^64 − 1: the excess
// over 128 bits is at most 128, 69, 10, then 1 bit long.
func (f field128) mul(a, b e128) e128 {
	h, w0 := bits.Mul64(a.lo, b.lo)
	m1, m0 := bits.Mul64(a.lo, b.hi)
	n1, n0 := bits.Mul64(a.hi, b.lo)
	w3, w2 := bits.Mul64(a.hi, b.hi)
	w1, c := bits.Add64(h, m0, 0)
	w2, c = bits.Add64(w2, m1, c)
	w3 += c
	w1, c = bits.Add64(w1, n0, 0)
	w2, c = bits.Add64(w2, n1, c)
	w3 += c
	for range 4 {
		// (w1,w0) + 28·2^64·(w3,w2) − (w3,w2)
		t1, t0 := bits.Mul64(28, w2)
		t2, t := bits.Mul64(28, w3)
		t1, c = bits.Add64(t1, t, 0)
		t2 += c
		var borrow, r0, r1, r2 uint64
		r0, borrow = bits.Sub64(w0, w2, 0)
		r1, borrow = bits.Sub64(w1, w3, borrow)
		r2 = -borrow
		r3 := -borrow
		r1, c = bits.Add64(r1, t0, 0)
		r2, c = bits.Add64(r2, t1, c)
		r3 += t2 + c
		w0, w1, w2, w3 = r0, r1, r2, r3
	}
	return f.sub(e128{w0, w1}, modulus128)
}

func (f field128) inv(a e128) e128 { // a^(p−2); p − 2 = (2^64 − 29)·2^64 + (2^64 − 1)
	upper := pow[e128](f, a, 1<<64-29)
	for range 64 {
		upper = f.mul(upper, upper)
	}
	return f.mul(upper, pow[e128](f, a, 1<<64-1))
}

func (f field128) addTo(dst, src []e128) {
	for k, v := range src[:len(dst)] {
		dst[k] = f.add(dst[k], v)
	}
}

func (f field128) subFrom(dst, src []e128) {
	for k, v := range src[:len(dst)] {
		dst[k] = f.sub(dst[k], v)
	}
}

func (f field128) mulTo(dst, a, b []e128) {
	for k := range dst {
		dst[k] = f.mul(a[k], b[k])
	}
}

func (f field128) dot(a, b []e128) (sum e128) {
	for k, v := range a {
		sum = f.add(sum, f.mul(v, b[k]))
	}
	return sum
}

func (f field128) decode(out []e128, b []byte) (n int) {
	for ; len(b) >= 16 && n < len(out); b = b[16:] {
		v := e128{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		_, borrow := bits.Sub64(v.lo, modulus128.lo, 0)
		if _, borrow = bits.Sub64(v.hi, modulus128.hi, borrow); borrow == 1 {
			out[n] = v
			n++
		}
	}
	return n
}

func (f field128) residues(out []e128, x []int64) {
	for k, v := range x {
		out[k] = f.sub(e128{lo: uint64(v &^ (v >> 63))}, e128{lo: uint64(-v & (v >> 63))})
	}
}

func (f field128) centred(v e128) int64 {
	if f.sub(e128{}, v).hi == 0 {
		return -int64(f.sub(e128{}, v).lo)
	}
	return int64(v.lo)
}

func (f field128) encode(b []byte, v []e128) {
	for k, x := range v {
		binary.LittleEndian.PutUint64(b[16*k:], x.lo)
		binary.LittleEndian.PutUint64(b[16*k+8:], x.hi)
	}
}

func (f field128) dif(x, roots []e128)           { dif[e128](f, x, roots) }
func (f field128) dit(x, roots []e128)           { dit[e128](f, x, roots) }
func (f field128) tossed(tests int) tossed[e128] { return &simpleTosses[e128]{f, make([]e128, tests)} }
func (field128) sums(n int) sums[e128]           { return make(sums128, n) }

type sums128 []e128

func (s sums128) add(c e128, x []e128) {
	for k, v := range x {
		s[k] = field128{}.add(s[k], field128{}.mul(c, v))
	}
}

func (s sums128) addProducts(x, y []e128) {
	for k, v := range x {
		s[k] = field128{}.add(s[k], field128{}.mul(v, y[k]))
	}
}

func (s sums128) values(out []e128) { copy(out, s) }
