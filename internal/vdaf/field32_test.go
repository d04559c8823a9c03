package vdaf

import "encoding/binary"

// modulus32 is the prime of PINE's Field32: 2^32 − 2^20 + 1. Half the bytes of
// Field64, for short norms.
const modulus32 = 1<<32 - 1<<20 + 1

type field32 struct{}

func (field32) size() int              { return 4 }
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

func dif[E comparable](f field[E], x, roots []E) {
	for half := len(x) / 2; half > 0; half /= 2 {
		w := roots[half : 2*half]
		for s := 0; s < len(x); s += 2 * half {
			a, b := x[s:s+half], x[s+half:s+2*half]
			for j := range a {
				u, v := a[j], b[j]
				a[j], b[j] = f.add(u, v), f.mul(f.sub(u, v), w[j])
			}
		}
	}
}

func dit[E comparable](f field[E], x, roots []E) {
	for half := 1; half < len(x); half *= 2 {
		w := roots[half : 2*half]
		for s := 0; s < len(x); s += 2 * half {
			a, b := x[s:s+half], x[s+half:s+2*half]
			for j := range a {
				u, v := a[j], f.mul(b[j], w[j])
				a[j], b[j] = f.add(u, v), f.sub(u, v)
			}
		}
	}
}

// simpleTosses adds up coin by coin.
type simpleTosses[E comparable] struct {
	f    field[E]
	sums []E
}

func (s *simpleTosses[E]) add(x []E, coins []coinRow) {
	for i := range s.sums {
		for k, v := range x {
			switch coins[i][k/4] >> (2 * (k % 4)) & 3 {
			case 0:
				s.sums[i] = s.f.sub(s.sums[i], v)
			case 3:
				s.sums[i] = s.f.add(s.sums[i], v)
			}
		}
	}
}

func (s *simpleTosses[E]) values(out []E) { copy(out, s.sums) }

// NewPine32 returns Pine32HmacSha256Aes128: half the bytes, for bounds below 2^15.
func NewPine32(aggregators int, p Params) (VDAF[[]int64, []int64], error) {
	return newPine(field32{}, modulus32, 0xffff1005, aggregators, p)
}
