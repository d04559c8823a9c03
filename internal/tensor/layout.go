// Package tensor holds the fixed-point form of vectors: the one currency between
// plans, which think in real numbers, and private sums, which add integers.
//
// A plan declares its vector as blocks, each with a public bound on its length;
// a layout turns real numbers into integers below 2^26 in Euclidean norm and a
// sum of such integers back into real numbers. Everything here is exact or
// rounds the same way on every machine.
package tensor

import (
	"math"

	"croft"
)

// NormBits bounds every encoded vector: its Euclidean norm is below 2^NormBits.
// It is the largest of which a report can prove that it is kept (docs/proofs.md).
const NormBits = 26

// lowBits is the width of each limb but the first: what is left of a number after
// rounding it to those before, again as an integer.
const lowBits = 15

// Block is a named run of numbers with one public bound.
type Block struct {
	Name string
	Len  int
	// Exp bounds the block at every site: its Euclidean norm is at most 2^Exp.
	// It follows from public facts only (rows, declared ranges).
	Exp int
	// Limbs is 3 for exact plans (53 bits and more survive) and 1 for plans with noise.
	Limbs int
	// Row bounds what one row adds to the norm, so that a site with few rows has a
	// smaller bound. 0: it follows from no row, and Exp is all that is known.
	Row float64
}

// Layout is the order of blocks in a vector.
type Layout []Block

// Numbers returns how many real numbers the layout holds.
func (l Layout) Numbers() (n int) {
	for _, b := range l {
		n += b.Len
	}
	return n
}

// Elems returns how many integers encode them.
func (l Layout) Elems() (n int) {
	for _, b := range l {
		n += b.Len * b.Limbs
	}
	return n
}

// frac returns f, the fraction bits of a block's first limb: all blocks together
// stay below half the norm bound, the other limbs below the other half.
func (l Layout) frac(b Block) int {
	share := 0 // ⌈½·log2(blocks)⌉: an equal share of the squared norm for each block
	for 1<<(2*share) < len(l) {
		share++
	}
	return NormBits - 1 - share - b.Exp
}

// Norm bounds the Euclidean norm of what Encode makes of the numbers of a site with
// so many rows. All limbs but the first can have any value, so it never falls below what
// they need. Every machine computes the same.
func (l Layout) Norm(rows int) float64 {
	squares := 0.0
	for _, b := range l {
		most := math.Ldexp(1, b.Exp)
		if b.Row > 0 {
			most = min(most, float64(float64(rows)*b.Row))
		}
		rounding := math.Sqrt(float64(b.Len)) / 2 // of each number, half a unit
		hi := math.Ldexp(most, l.frac(b)) + rounding
		squares += float64(hi * hi)
		lo := math.Ldexp(rounding, lowBits)
		squares += float64(float64(b.Limbs-1) * float64(lo*lo))
	}
	return math.Sqrt(squares)
}

// Encode turns the layout's numbers into integers: first limbs hi = round(v·2^f),
// then as further limbs what rounding left, times 2^15, rounded. It refuses NaN,
// infinities and whatever exceeds the bound: an exact plan never clips.
func (l Layout) Encode(values []float64) ([]int64, error) {
	if len(values) != l.Numbers() {
		return nil, croft.E(croft.ErrShape, "the vector", len(values), l.Numbers())
	}
	out := make([]int64, 0, l.Elems())
	norm := 0.0
	for _, b := range l {
		f := l.frac(b)
		block := values[:b.Len]
		values = values[b.Len:]
		limbs := make([]int64, b.Len*b.Limbs) // all first ones, then all second ones
		for i, v := range block {
			rest := math.Ldexp(v, f)
			if !(math.Abs(rest) < 1<<NormBits) {
				return nil, croft.E(croft.ErrOverflow, b.Name, i, v, math.Ldexp(1, b.Exp))
			}
			for ; i < len(limbs); i += b.Len {
				limb := math.RoundToEven(rest)
				norm += float64(limb * limb)
				limbs[i] = int64(limb)
				rest = math.Ldexp(rest-limb, lowBits)
			}
		}
		out = append(out, limbs...)
		if norm >= 1<<(2*NormBits) {
			return nil, croft.E(croft.ErrOverflow, b.Name, b.Len-1, "the vector", math.Ldexp(1, b.Exp))
		}
	}
	return out, nil
}

// Decode turns a sum of encoded vectors back into numbers. The limbs are joined
// as integers first, so that the result is the correctly rounded sum.
func (l Layout) Decode(sum []int64) ([]float64, error) {
	if len(sum) != l.Elems() {
		return nil, croft.E(croft.ErrShape, "the sum", len(sum), l.Elems())
	}
	const most = 3 << 31 // more than 128 sites have, 2^25 each; keeps the join below 2^63
	out := make([]float64, 0, l.Numbers())
	for _, b := range l {
		f := l.frac(b)
		limbs := sum[:b.Len*b.Limbs]
		sum = sum[len(limbs):]
		for i, joined := range limbs[:b.Len] {
			if joined >= most || joined <= -most {
				return nil, croft.E(croft.ErrOverflow, b.Name, i, joined, "3·2^31")
			}
			bits := f
			for i += b.Len; i < len(limbs); i += b.Len {
				joined, bits = joined<<lowBits+limbs[i], bits+lowBits
			}
			out = append(out, math.Ldexp(float64(joined), -bits))
		}
	}
	return out, nil
}
