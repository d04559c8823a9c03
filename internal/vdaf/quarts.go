package vdaf

import (
	"math/bits"
	"slices"
)

// Quarts are the second circuit as our reports have it. Digits are from 0 to 3, half
// as many as zeros and ones: what a report of a small vector mostly consists of. All
// wraparound tests must succeed, so no digit says whether one does, and what a test's
// digits say is linear. The circuit:
//
//	every digit d is 0, 1, 2 or 3: Σ r1^i·d_i(d_i − 1)(d_i − 2)(d_i − 3) = 0
//	v + u = bound²
//	each gate: product = low + its first digits, and these and its second ones add
//	up to high − low
//	each test: product = its digits − W + 1
//	joined as one number: powers of r2 weigh the linear ones
//
// Digits of a range may say up to two more than its largest number (span). Where that
// matters there are two of them, v and u, with a sum that is fixed: neither is negative,
// so neither is larger than that sum.
type quarts[E comparable] struct {
	*norm[E]
	square, test span
	spans        []span // of each gate
	first        int    // digits before those of the tests
	sieve        []E    // d(d − 1)(d − 2)(d − 3), divided by d
}

func newQuarts[E comparable](n *norm[E]) *quarts[E] {
	f := n.f
	q := &quarts[E]{norm: n, square: spanTo(n.bound * n.bound), test: spanTo(2*n.wrap - 1),
		sieve: []E{neg(f, f.of(6)), f.of(11), neg(f, f.of(6)), f.of(1)}}
	q.first = 2 * q.square.n
	for _, g := range n.gates {
		s := spanTo(uint64(g.High - g.Low))
		q.spans, q.first = append(q.spans, s), q.first+2*s.n
	}
	return q
}

func (q *quarts[E]) sizes(chunk int) (early, digits, calls, joint int) {
	digits = q.first + q.tests*q.test.n
	return q.first, digits, chunks(digits, chunk), 2
}

func (q *quarts[E]) gadget(chunk int) gadget[E] {
	return gadget[E]{count: chunk, poly: q.sieve, weighed: true}
}

func (q *quarts[E]) putNorm(digits []E, square uint64) {
	putQuarts(q.f, q.square, digits, square)
	putQuarts(q.f, q.square, digits[q.square.n:], q.bound*q.bound-square)
}

func (q *quarts[E]) putGate(digits []E, gate int, product int64) {
	g, s, own := q.gates[gate], q.spans[gate], q.ofGate(digits, gate)
	putQuarts(q.f, s, own, uint64(product-g.Low))
	putQuarts(q.f, s, own[s.n:], uint64(g.High-product))
}

func (q *quarts[E]) putTest(digits []E, test int, v uint64) {
	putQuarts(q.f, q.test, q.ofTest(digits, test), v)
}

// ofGate returns the digits of a gate, ofTest those of a test.
func (q *quarts[E]) ofGate(digits []E, gate int) []E {
	rest := digits[2*q.square.n:]
	for _, s := range q.spans[:gate] {
		rest = rest[2*s.n:]
	}
	return rest[:2*q.spans[gate].n]
}

func (q *quarts[E]) ofTest(digits []E, test int) []E {
	return digits[q.first+test*q.test.n:][:q.test.n]
}

func (q *quarts[E]) value(digits []E) E { return getQuarts(q.f, q.square, digits) }

// quartChecks is the circuit. Its gadget's inputs are few: all are made at once.
type quartChecks[E comparable] struct {
	f      field[E]
	flat   []E // the inputs of all calls, one after the other
	arity  int
	linear E
}

func (q *quarts[E]) checks(c claim[E], joint []E) statement[E] {
	f := q.f
	s := quartChecks[E]{f: f, arity: 2 * q.chunk, flat: make([]E, 2*q.chunk*q.rest.calls)}
	power := f.of(1)
	for i, d := range c.digits {
		s.flat[2*i], s.flat[2*i+1] = f.mul(power, d), d
		power = f.mul(power, joint[0])
	}
	for _, zero := range slices.Backward(q.linear(c)) { // Horner's rule
		s.linear = f.mul(f.add(s.linear, zero), joint[1])
	}
	return s
}

// linear returns what must be zero and takes no gadget.
func (q *quarts[E]) linear(c claim[E]) []E {
	f, ends := q.f, make([]E, 2)
	v, u := q.value(c.digits), getQuarts(f, q.square, c.digits[q.square.n:])
	out := []E{f.sub(f.add(v, u), f.mul(f.of(q.bound*q.bound), c.one))}
	for i, g := range q.gates {
		f.residues(ends, []int64{g.Low, g.High})
		own := q.ofGate(c.digits, i)
		above, below := getQuarts(f, q.spans[i], own), getQuarts(f, q.spans[i], own[q.spans[i].n:])
		out = append(out, f.sub(c.along[i], f.add(f.mul(ends[0], c.one), above)), f.sub(f.add(above, below), f.mul(f.sub(ends[1], ends[0]), c.one)))
	}
	offset := f.mul(f.of(q.wrap-1), c.one)
	for i, product := range c.products {
		out = append(out, f.sub(f.add(product, offset), getQuarts(f, q.test, q.ofTest(c.digits, i))))
	}
	return out
}

func (s quartChecks[E]) inputs(k, lo, hi int, _ []E) []E {
	return s.flat[k*s.arity+lo : k*s.arity+hi]
}

func (s quartChecks[E]) outputs(gadget []E) []E {
	sum := s.linear
	for _, v := range gadget {
		sum = s.f.add(sum, v)
	}
	return []E{sum}
}

// A span is how numbers from 0 to some largest stand in digits from 0 to 3: in base
// four, but that the last digit weighs less, so that all threes are the largest number
// or one or two more.
type span struct {
	n    int
	last uint64
}

func spanTo(largest uint64) span {
	n := (bits.Len64(largest) + 1) / 2
	return span{n, (largest - (1<<(2*(n-1)) - 1) + 2) / 3}
}

// putQuarts writes the digits of v, which is in the span, without branching on it.
func putQuarts[E comparable](f field[E], s span, out []E, v uint64) {
	small, top := uint64(1)<<(2*(s.n-1))-1, uint64(0)
	for range 3 {
		_, more := bits.Sub64(small, v, 0)
		v -= more * s.last
		top += more
	}
	for i := range s.n - 1 {
		out[i] = f.of(v >> (2 * i) & 3)
	}
	out[s.n-1] = f.of(top)
}

// getQuarts returns the number with these digits, or a share of it.
func getQuarts[E comparable](f field[E], s span, digits []E) E {
	sum := f.of(0)
	for _, d := range slices.Backward(digits[:s.n-1]) {
		sum = f.add(sum, sum)
		sum = f.add(f.add(sum, sum), d)
	}
	return f.add(sum, f.mul(f.of(s.last), digits[s.n-1]))
}
