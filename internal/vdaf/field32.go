package vdaf

import "encoding/binary"

// modulus32 is the prime of PINE's Field32: 2^32 − 2^20 + 1. Half the bytes of
// Field64, for short norms.
const modulus32 = 1<<32 - 1<<20 + 1

type field32 struct{}

func (field32) size() int              { return 4 }
func (field32) put(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }
func (field32) get(b []byte) (uint32, bool) {
	v := binary.LittleEndian.Uint32(b)
	return v, v < modulus32
}
func (field32) of(v uint64) uint32     { return uint32(v) }
func (field32) number(v uint32) uint64 { return uint64(v) }
func (f field32) root(log int) uint32  { return rootOf[uint32](f, 3925978153, 20, log) }
func (field32) add(a, b uint32) uint32 { return uint32((uint64(a) + uint64(b)) % modulus32) }
func (field32) sub(a, b uint32) uint32 {
	return uint32((uint64(a) + modulus32 - uint64(b)) % modulus32)
}
func (field32) mul(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) % modulus32) }
func (f field32) inv(a uint32) uint32  { return pow[uint32](f, a, modulus32-2) }

func (f field32) addTo(dst, src []uint32) {
	for k, v := range src[:len(dst)] {
		dst[k] = f.add(dst[k], v)
	}
}

func (f field32) subFrom(dst, src []uint32) {
	for k, v := range src[:len(dst)] {
		dst[k] = f.sub(dst[k], v)
	}
}

func (f field32) mulTo(dst, a, b []uint32) {
	for k := range dst {
		dst[k] = f.mul(a[k], b[k])
	}
}

func (f field32) dot(a, b []uint32) (sum uint32) {
	for k, v := range a {
		sum = f.add(sum, f.mul(v, b[k]))
	}
	return sum
}

func (field32) decode(out []uint32, b []byte) (n int) {
	for ; len(b) >= 4 && n < len(out); b = b[4:] {
		if v := binary.LittleEndian.Uint32(b); v < modulus32 {
			out[n] = v
			n++
		}
	}
	return n
}

func (field32) residues(out []uint32, x []int64) {
	for k, v := range x {
		out[k] = uint32(v + v>>63&modulus32)
	}
}

func (field32) centred(v uint32) int64 {
	return int64(v) - (modulus32/2-int64(v))>>63&modulus32
}

func (field32) encode(b []byte, v []uint32) {
	for k, x := range v {
		binary.LittleEndian.PutUint32(b[4*k:], x)
	}
}

func (f field32) dif(x, roots []uint32) { dif[uint32](f, x, roots) }
func (f field32) dit(x, roots []uint32) { dit[uint32](f, x, roots) }
func (f field32) tossed(tests int) tossed[uint32] {
	return &simpleTosses[uint32]{f, make([]uint32, tests)}
}
func (field32) sums(n int) sums[uint32] { return make(sums32, n) }

// sums32 holds each sum below p: a sum and a product are below 2^64.
type sums32 []uint64

func (s sums32) add(c uint32, x []uint32) {
	for k, v := range x {
		s[k] = (s[k] + uint64(c)*uint64(v)) % modulus32
	}
}

func (s sums32) addProducts(x, y []uint32) {
	for k, v := range x {
		s[k] = (s[k] + uint64(v)*uint64(y[k])) % modulus32
	}
}

func (s sums32) values(out []uint32) {
	for k := range out {
		out[k] = uint32(s[k])
	}
}
