package vdaf

import (
	"fmt"
	"math/bits"

	"croft"
)

// A kind is a type of measurement of Prio3 (VDAF §7.4): how it is encoded, what
// circuit says that it is valid, and what its sum means. M is what a client
// measures and R the sum.
type kind[M, R any, E comparable] struct {
	id      uint32 // VDAF §10
	measLen int    // elements of an encoded measurement
	outLen  int    // of what is added up
	joint   int    // elements of joint randomness
	proof   prio3Proof[E]
	proofs  int

	encode   func(M) ([]E, error)
	state    func(meas, joint []E, one E) statement[E]
	truncate func(meas []E) []E
	decode   func(sum []E) R
}

// Count counts those who say yes.
func countKind() *kind[bool, uint64, uint64] {
	f := field64{}
	return &kind[bool, uint64, uint64]{
		id: 1, measLen: 1, outLen: 1, proofs: 1,
		proof: prio3Proof[uint64]{newFLP[uint64](f, gadget[uint64]{count: 1}, 1), 1, true},
		encode: func(yes bool) ([]uint64, error) {
			if yes {
				return []uint64{1}, nil
			}
			return []uint64{0}, nil
		},
		state:    func(meas, _ []uint64, _ uint64) statement[uint64] { return oneBit{meas[0]} },
		truncate: func(meas []uint64) []uint64 { return meas },
		decode:   func(sum []uint64) uint64 { return sum[0] },
	}
}

// oneBit checks x·x − x = 0.
type oneBit struct{ x uint64 }

func (b oneBit) inputs(_, lo, hi int, buf []uint64) []uint64 {
	for i := range hi - lo {
		buf[i] = b.x
	}
	return buf
}

func (b oneBit) outputs(gadget []uint64) []uint64 { return []uint64{Sub(gadget[0], b.x)} }

// sumKind sums numbers from 0 to largest.
func sumKind(largest uint64) (*kind[uint64, uint64, uint64], error) {
	f := field64{}
	if largest < 1 || bits.Len64(largest) > 63 {
		return nil, croft.E(croft.ErrShape, "the largest number of a sum", largest, "1 to 2^63 − 1")
	}
	b := bitsUpTo(largest)
	return &kind[uint64, uint64, uint64]{
		id: 2, measLen: b.n, outLen: 1, proofs: 1,
		proof: prio3Proof[uint64]{newFLP[uint64](f, gadget[uint64]{count: 1, poly: []uint64{0, Modulus - 1, 1}}, b.n), b.n, true},
		encode: func(v uint64) ([]uint64, error) {
			meas := make([]uint64, b.n)
			return meas, putBits[uint64](f, b, meas, v)
		},
		state:    func(meas, _ []uint64, _ uint64) statement[uint64] { return zeroes[uint64](meas) },
		truncate: func(meas []uint64) []uint64 { return []uint64{getBits[uint64](f, b, meas)} },
		decode:   func(sum []uint64) uint64 { return sum[0] },
	}, nil
}

// zeroes checks that the gadget's polynomial is zero at each element.
type zeroes[E comparable] []E

func (z zeroes[E]) inputs(k, lo, hi int, _ []E) []E { return z[k : k+hi-lo] }
func (z zeroes[E]) outputs(gadget []E) []E          { return gadget }

// digits are a number's in base two, but that the last one weighs less:
// what it takes so that all ones are the largest number. So every choice of digits
// is in range, and zeros and ones are all that needs to be proved (VDAF §7.4.2).
type digits struct {
	n    int
	last uint64
}

func bitsUpTo(largest uint64) digits {
	n := bits.Len64(largest)
	return digits{n, largest - (1<<(n-1) - 1)}
}

// putBits writes the digits of v without branching on it.
func putBits[E comparable](f field[E], b digits, out []E, v uint64) error {
	small := uint64(1)<<(b.n-1) - 1
	if v > small+b.last {
		return croft.E(croft.ErrShape, "a measurement", v, fmt.Sprintf("0 to %d", small+b.last))
	}
	_, top := bits.Sub64(small, v, 0)
	v -= top * b.last
	for i := range b.n - 1 {
		out[i] = f.of(v >> i & 1)
	}
	out[b.n-1] = f.of(top)
	return nil
}

// getBits returns the number with these digits, or a share of it.
func getBits[E comparable](f field[E], b digits, ones []E) E {
	return f.add(number(f, ones[:b.n-1]), f.mul(f.of(b.last), ones[b.n-1]))
}

// sumVecKind sums vectors of numbers from 0 to largest.
func sumVecKind[E comparable](f field[E], id uint32, proofs, length int, largest uint64, chunk int) (*kind[[]uint64, []uint64, E], error) {
	if err := checkChunk(length, chunk); err != nil {
		return nil, err
	}
	if largest < 1 || bits.Len64(largest) > 63 {
		return nil, croft.E(croft.ErrShape, "the largest number of a sum", largest, "1 to 2^63 − 1")
	}
	b := bitsUpTo(largest)
	calls := (length*b.n + chunk - 1) / chunk
	return &kind[[]uint64, []uint64, E]{
		id: id, measLen: length * b.n, outLen: length, joint: calls, proofs: proofs,
		proof: prio3Proof[E]{newFLP(f, gadget[E]{count: chunk}, calls), 1, true},
		encode: func(values []uint64) ([]E, error) {
			if len(values) != length {
				return nil, croft.E(croft.ErrShape, "the vector", len(values), length)
			}
			meas := make([]E, length*b.n)
			for i, v := range values {
				if err := putBits(f, b, meas[i*b.n:], v); err != nil {
					return nil, err
				}
			}
			return meas, nil
		},
		state: func(meas, joint []E, one E) statement[E] { return zeroOne[E]{f, meas, joint, one, chunk, nil} },
		truncate: func(meas []E) []E {
			out := make([]E, length)
			for i := range out {
				out[i] = getBits(f, b, meas[i*b.n:])
			}
			return out
		},
		decode: func(sum []E) []uint64 { return numbers(f, sum) },
	}, nil
}

// histogramKind counts which of so many buckets clients are in.
func histogramKind(length, chunk int) (*kind[int, []uint64, e128], error) {
	f := field128{}
	if err := checkChunk(length, chunk); err != nil {
		return nil, err
	}
	calls := (length + chunk - 1) / chunk
	return &kind[int, []uint64, e128]{
		id: 4, measLen: length, outLen: length, joint: calls, proofs: 1,
		proof: prio3Proof[e128]{newFLP[e128](f, gadget[e128]{count: chunk}, calls), 2, true},
		encode: func(bucket int) ([]e128, error) {
			if bucket < 0 || bucket >= length {
				return nil, croft.E(croft.ErrShape, "the bucket's number", bucket, fmt.Sprintf("0 to %d", length-1))
			}
			meas := make([]e128, length)
			meas[bucket] = f.of(1)
			return meas, nil
		},
		state: func(meas, joint []e128, one e128) statement[e128] {
			return zeroOne[e128]{f, meas, joint, one, chunk, func() e128 {
				sum := neg[e128](f, one)
				for _, v := range meas {
					sum = f.add(sum, v)
				}
				return sum
			}}
		},
		truncate: func(meas []e128) []e128 { return meas },
		decode:   func(sum []e128) []uint64 { return numbers[e128](f, sum) },
	}, nil
}

// multihotKind counts yes to each of length questions, of which a client says yes
// to at most weight.
func multihotKind(length int, weight uint64, chunk int) (*kind[[]bool, []uint64, e128], error) {
	f := field128{}
	if err := checkChunk(length, chunk); err != nil {
		return nil, err
	}
	if weight < 1 || weight > uint64(length) {
		return nil, croft.E(croft.ErrShape, "the largest number of yeses", weight, fmt.Sprintf("1 to %d", length))
	}
	b := bitsUpTo(weight)
	calls := (length + b.n + chunk - 1) / chunk
	return &kind[[]bool, []uint64, e128]{
		id: 5, measLen: length + b.n, outLen: length, joint: calls, proofs: 1,
		proof: prio3Proof[e128]{newFLP[e128](f, gadget[e128]{count: chunk}, calls), 2, true},
		encode: func(yes []bool) ([]e128, error) {
			if len(yes) != length {
				return nil, croft.E(croft.ErrShape, "the vector", len(yes), length)
			}
			meas, n := make([]e128, length+b.n), uint64(0)
			for i, y := range yes {
				if y {
					meas[i] = f.of(1)
					n++
				}
			}
			return meas, putBits[e128](f, b, meas[length:], n)
		},
		state: func(meas, joint []e128, one e128) statement[e128] {
			return zeroOne[e128]{f, meas, joint, one, chunk, func() e128 {
				sum := neg[e128](f, getBits[e128](f, b, meas[length:]))
				for _, v := range meas[:length] {
					sum = f.add(sum, v)
				}
				return sum
			}}
		},
		truncate: func(meas []e128) []e128 { return meas[:length] },
		decode:   func(sum []e128) []uint64 { return numbers[e128](f, sum) },
	}, nil
}

func checkChunk(length, chunk int) error {
	if length < 1 || length > maxEncoded/64 || chunk < 1 || chunk > length*64 {
		return croft.E(croft.ErrShape, "a vector in chunks", fmt.Sprintf("%d in chunks of %d", length, chunk), fmt.Sprintf("1 to %d", maxEncoded/64))
	}
	return nil
}

func numbers[E comparable](f field[E], sum []E) []uint64 {
	out := make([]uint64, len(sum))
	for i, v := range sum {
		out[i] = f.number(v)
	}
	return out
}

// zeroOne checks that each element is zero or one: Σ r_k^(j+1)·x·(x − 1) over the
// elements x at place j of chunk k is zero for random r only if each term is. A
// second output, if there is one, is linear.
type zeroOne[E comparable] struct {
	f     field[E]
	meas  []E
	joint []E // r_k
	one   E   // the share of 1
	chunk int
	extra func() E
}

func (z zeroOne[E]) inputs(k, lo, hi int, buf []E) []E {
	f := z.f
	power := pow(f, z.joint[k], uint64(lo/2+1))
	for w := lo; w < hi; w++ {
		x := f.of(0)
		if i := k*z.chunk + w/2; i < len(z.meas) {
			x = z.meas[i]
		}
		if w%2 == 0 {
			buf[w-lo] = f.mul(power, x)
		} else {
			buf[w-lo] = f.sub(x, z.one)
			power = f.mul(power, z.joint[k])
		}
	}
	return buf[:hi-lo]
}

func (z zeroOne[E]) outputs(gadget []E) []E {
	sum := z.f.of(0)
	for _, v := range gadget {
		sum = z.f.add(sum, v)
	}
	if z.extra == nil {
		return []E{sum}
	}
	return []E{sum, z.extra()}
}

// neg returns −a.
func neg[E comparable](f field[E], a E) E { return f.sub(f.of(0), a) }
