package vdaf

import (
	"math/bits"
	"slices"
)

// A draft is the second circuit as PINE draft-01 has it, so that our proofs can be
// held against the published vectors. Digits are zeros and ones, and with those of a
// test goes one more that claims its success:
//
//	rest       every digit b is 0 or 1: Σ r1^i·b_i(b_i − 1) = 0
//	           v + u = bound²
//	           each test i that claims success, g_i = 1, has the product that its
//	           digits say: Σ r2^i·g_i·(product_i − (v_i − W + 1)) = 0
//	           all tests claim success: Σ g_i = tests
//	           joined as one number: powers of r3 weigh them
//
// It has no gates.
type draft[E comparable] struct {
	*norm[E]
	squareBits, testBits int
}

// newDraft has PINE's own conditions: p ≥ 2600·W and W² ≤ 4000·p. They do not suffice:
// the bound 2^15 in Field32 lets 2^16 pass for nothing. So it is for its vectors only.
func newDraft[E comparable](n *norm[E], modulus uint64) (form[E], bool) {
	n.wrap = 1 << bits.Len64((87*n.bound+9)/10) // the power of two from ⌈8.7·bound⌉ + 1
	fits := n.wrap <= modulus/2600 && squareAtMost(n.wrap, 4000, modulus)
	return &draft[E]{n, bits.Len64(n.bound * n.bound), bits.Len64(2*n.wrap - 1)}, fits
}

func (d *draft[E]) sizes(chunk int) (early, digits, calls, joint int) {
	early = 2 * d.squareBits
	digits = early + d.tests*(d.testBits+1)
	return early, digits, chunks(digits, chunk) + chunks(d.tests, chunk), 3
}

func (d *draft[E]) gadget(chunk int) gadget[E] { return gadget[E]{count: chunk} }

func (d *draft[E]) putNorm(digits []E, square uint64) {
	d.spread(digits[:d.squareBits], square)
	d.spread(digits[d.squareBits:2*d.squareBits], d.bound*d.bound-square)
}

func (d *draft[E]) putGate([]E, int, int64) {}

func (d *draft[E]) putTest(digits []E, test int, v uint64) {
	own := d.of(digits, test)
	d.spread(own[:d.testBits], v)
	own[d.testBits] = d.f.of(1)
}

// of returns the digits of a test.
func (d *draft[E]) of(digits []E, test int) []E {
	return digits[2*d.squareBits+test*(d.testBits+1):][:d.testBits+1]
}

func (d *draft[E]) spread(digits []E, v uint64) {
	for i := range digits {
		digits[i] = d.f.of(v >> i & 1)
	}
}

// number returns Σ 2^i·ones[i].
func number[E comparable](f field[E], ones []E) E {
	sum := f.of(0)
	for _, bit := range slices.Backward(ones) {
		sum = f.add(f.add(sum, sum), bit)
	}
	return sum
}

func (d *draft[E]) value(digits []E) E { return number(d.f, digits[:d.squareBits]) }

// bitChecks is the circuit. Its gadget's inputs are few: all are made at once.
type bitChecks[E comparable] struct {
	flat   []E // the inputs of all calls, one after the other
	arity  int
	bits   int // calls for the digits, the others are for the tests
	linear E   // r3·(v + u − bound²) + r3³·(Σ g_i − tests)
	weight E   // r3²
	f      field[E]
}

func (d *draft[E]) checks(c claim[E], joint []E) statement[E] {
	f := d.f
	r1, r2, r3 := joint[0], joint[1], joint[2]
	s := bitChecks[E]{f: f, arity: 2 * d.chunk, bits: chunks(d.digits(), d.chunk), weight: f.mul(r3, r3)}
	s.flat = make([]E, d.rest.calls*s.arity)

	in, power := s.flat, f.of(1)
	for i, b := range c.digits {
		in[2*i], in[2*i+1] = f.mul(power, b), f.sub(b, c.one)
		power = f.mul(power, r1)
	}
	in, power = s.flat[s.bits*s.arity:], f.of(1)
	offset, successes := f.mul(f.of(d.wrap-1), c.one), f.of(0)
	for i, product := range c.products {
		own := d.of(c.digits, i)
		v, g := number(f, own[:d.testBits]), own[d.testBits]
		in[2*i], in[2*i+1] = f.mul(power, f.sub(product, f.sub(v, offset))), g
		power = f.mul(power, r2)
		successes = f.add(successes, g)
	}

	v, u := d.value(c.digits), number(f, c.digits[d.squareBits:2*d.squareBits])
	inRange := f.sub(f.add(v, u), f.mul(f.of(d.bound*d.bound), c.one))
	all := f.sub(successes, f.mul(f.of(uint64(d.tests)), c.one))
	s.linear = f.mul(r3, f.add(inRange, f.mul(s.weight, all)))
	return s
}

func (s bitChecks[E]) inputs(k, lo, hi int, _ []E) []E { return s.flat[k*s.arity+lo : k*s.arity+hi] }

func (s bitChecks[E]) outputs(gadget []E) []E {
	f := s.f
	zeroOne, products := f.of(0), f.of(0)
	for _, v := range gadget[:s.bits] {
		zeroOne = f.add(zeroOne, v)
	}
	for _, v := range gadget[s.bits:] {
		products = f.add(products, v)
	}
	return []E{f.add(f.add(zeroOne, s.linear), f.mul(s.weight, products))}
}
