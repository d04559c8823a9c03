package vdaf

import (
	"math/bits"
	"slices"
)

// Nibbles are the second circuit as our reports have it. Digits are from 0 to 15, a
// quarter as many as zeros and ones: what a report of a small vector mostly consists
// of. All wraparound tests must succeed, so no digit says whether one does, and what a
// test's digits say is linear. The circuit:
//
//	every digit d is from 0 to 15: Σ r1^i·d_i(d_i − 1)(d_i − 2) … (d_i − 15) = 0,
//	with the powers below the number of digits in a call in the gadget
//	v + u = bound²
//	each gate: product = low + its first digits, and these and its second ones add
//	up to high − low
//	each test: product = its digits − W + 1
//	joined as one number: powers of r2 weigh the linear ones
//
// Digits of a range may say up to 14 more than its largest number (span). Where that
// matters there are two of them, v and u, with a sum that is fixed: neither is negative,
// so neither is larger than that sum. A test may succeed with a product of W + 14, which
// the condition on W counts.
type nibbles[E comparable] struct {
	*norm[E]
	square, test span
	spans        []span // of each gate
	first        int    // digits before those of the tests
	sieve        []E    // d(d − 1)(d − 2) … (d − 15) in terms of d(d − 15)
}

// newNibbles needs p ≥ 74·(W + 14)², as docs/proofs.md shows.
func newNibbles[E comparable](n *norm[E], modulus uint64) (form[E], bool) {
	n.wrap = (74*n.bound+9)/10 + 1 // ⌈7.4·bound⌉ + 1
	f := n.f
	q := &nibbles[E]{norm: n, square: spanTo(n.bound * n.bound), test: spanTo(2*n.wrap - 1), sieve: []E{f.of(1)}}
	for k := range uint64(nibbleBase / 2) {
		// (d − k)(d − 15 + k) = d(d − 15) + k(15 − k)
		q.sieve = append(q.sieve, f.of(0))
		for i, c := range slices.Backward(q.sieve) {
			c = f.mul(c, f.of(k*(nibbleBase-1-k)))
			if i > 0 {
				c = f.add(c, q.sieve[i-1])
			}
			q.sieve[i] = c
		}
	}
	q.first = 2 * q.square.n
	for _, g := range n.gates {
		s := spanTo(uint64(g.High - g.Low))
		q.spans, q.first = append(q.spans, s), q.first+2*s.n
	}
	return q, squareAtMost(n.wrap+nibbleBase-2, 1, modulus/74)
}

func (q *nibbles[E]) sizes(chunk int) (early, digits, calls, joint int) {
	digits = q.first + q.tests*q.test.n
	return q.first, digits, chunks(digits, chunk), 2
}

func (q *nibbles[E]) gadget(chunk int) gadget[E] {
	return gadget[E]{count: chunk, poly: q.sieve, pair: q.f.of(nibbleBase - 1), weighed: true}
}

func (q *nibbles[E]) putNorm(digits []E, square uint64) {
	putNibbles(q.f, q.square, digits, square)
	putNibbles(q.f, q.square, digits[q.square.n:], q.bound*q.bound-square)
}

func (q *nibbles[E]) putGate(digits []E, gate int, product int64) {
	g, s, own := q.gates[gate], q.spans[gate], q.ofGate(digits, gate)
	putNibbles(q.f, s, own, uint64(product-g.Low))
	putNibbles(q.f, s, own[s.n:], uint64(g.High-product))
}

func (q *nibbles[E]) putTest(digits []E, test int, v uint64) {
	putNibbles(q.f, q.test, q.ofTest(digits, test), v)
}

// ofGate returns the digits of a gate, ofTest those of a test.
func (q *nibbles[E]) ofGate(digits []E, gate int) []E {
	rest := digits[2*q.square.n:]
	for _, s := range q.spans[:gate] {
		rest = rest[2*s.n:]
	}
	return rest[:2*q.spans[gate].n]
}

func (q *nibbles[E]) ofTest(digits []E, test int) []E {
	return digits[q.first+test*q.test.n:][:q.test.n]
}

func (q *nibbles[E]) value(digits []E) E { return getNibbles(q.f, q.square, digits) }

// nibbleChecks is the circuit.
type nibbleChecks[E comparable] struct {
	f      field[E]
	digits []E
	chunk  int
	r, one E // what powers weigh the digits, and the share of 1
	linear E
}

func (q *nibbles[E]) checks(c claim[E], joint []E) statement[E] {
	f := q.f
	s := nibbleChecks[E]{f: f, digits: c.digits, chunk: q.chunk, r: joint[0], one: c.one}
	for _, zero := range slices.Backward(q.linear(c)) { // Horner's rule
		s.linear = f.mul(f.add(s.linear, zero), joint[1])
	}
	return s
}

// linear returns what must be zero and takes no gadget.
func (q *nibbles[E]) linear(c claim[E]) []E {
	f, ends := q.f, make([]E, 2)
	v, u := q.value(c.digits), getNibbles(f, q.square, c.digits[q.square.n:])
	out := []E{f.sub(f.add(v, u), f.mul(f.of(q.bound*q.bound), c.one))}
	for i, g := range q.gates {
		f.residues(ends, []int64{g.Low, g.High})
		own := q.ofGate(c.digits, i)
		above, below := getNibbles(f, q.spans[i], own), getNibbles(f, q.spans[i], own[q.spans[i].n:])
		out = append(out, f.sub(c.along[i], f.add(f.mul(ends[0], c.one), above)), f.sub(f.add(above, below), f.mul(f.sub(ends[1], ends[0]), c.one)))
	}
	offset := f.mul(f.of(q.wrap-1), c.one)
	for i, product := range c.products {
		out = append(out, f.sub(f.add(product, offset), getNibbles(f, q.test, q.ofTest(c.digits, i))))
	}
	return out
}

func (s nibbleChecks[E]) inputs(k, lo, hi int, _ []E) []E {
	start := k * s.chunk
	return s.digits[min(start+lo, len(s.digits)):min(start+hi, len(s.digits))]
}

func (s nibbleChecks[E]) outputs(gadget []E) []E {
	sum, step := s.f.of(0), pow(s.f, s.r, uint64(s.chunk))
	for _, v := range slices.Backward(gadget) {
		sum = s.f.add(s.f.mul(sum, step), v)
	}
	return []E{s.f.add(sum, s.linear), s.f.mul(s.r, s.one)}
}

const (
	nibbleBits = 4
	nibbleBase = 1 << nibbleBits
)

// A span is how numbers from 0 to some largest stand in digits from 0 to 15: in base
// sixteen, but that the last digit weighs less, so that the largest digits are the
// largest number or up to 14 more.
type span struct {
	n    int
	last uint64
}

func spanTo(largest uint64) span {
	s := span{n: (bits.Len64(largest) + nibbleBits - 1) / nibbleBits}
	s.last = (largest - s.small() + nibbleBase - 2) / (nibbleBase - 1)
	return s
}

// small is the largest number without the last digit.
func (s span) small() uint64 { return 1<<(nibbleBits*(s.n-1)) - 1 }

// putNibbles writes the digits of v, which is in the span, without branching on it.
func putNibbles[E comparable](f field[E], s span, out []E, v uint64) {
	top := uint64(0)
	for range nibbleBase - 1 {
		_, more := bits.Sub64(s.small(), v, 0)
		v -= more * s.last
		top += more
	}
	for i := range s.n - 1 {
		out[i] = f.of(v >> (nibbleBits * i) & (nibbleBase - 1))
	}
	out[s.n-1] = f.of(top)
}

// getNibbles returns the number with these digits, or a share of it.
func getNibbles[E comparable](f field[E], s span, digits []E) E {
	sum, base := f.of(0), f.of(nibbleBase)
	for _, d := range slices.Backward(digits[:s.n-1]) {
		sum = f.add(f.mul(sum, base), d)
	}
	return f.add(sum, f.mul(f.of(s.last), digits[s.n-1]))
}
