package vdaf

import (
	"fmt"
	"math/bits"
	"sort"

	"croft"
)

// A norm proves that a vector of integers has a Euclidean norm of at most bound
// (PINE §4, arXiv 2311.10237). With the vector x go digits: of v = ‖x‖² and of
// u = bound² − v, which show that v is in range, and of each wraparound test.
//
// Two circuits say that it is valid. The first has no joint randomness, so its
// proof takes no second look at the long vector:
//
//	equality   Σ x_i² = v
//	rest       every digit b is 0 or 1: Σ r1^i·b_i(b_i − 1) = 0
//	           v + u = bound²
//	           each test i that claims success, g_i = 1, has the product that its
//	           digits say: Σ r2^i·g_i·(product_i − (v_i − W + 1)) = 0
//	           all tests claim success: Σ g_i = tests
//	           joined as one number: powers of r3 weigh the four
type norm[E comparable] struct {
	f          field[E]
	length     int
	bound      uint64
	tests      int
	wrap       uint64 // W: a test succeeds with a product from −W + 1 to W
	normDigits int
	wrapDigits int

	chunk              int // products in a call of the second gadget
	equality, rest     *flp[E]
	equalities, others int // proofs of each
}

// Params are the free choices of a proof that a norm is bounded.
type Params struct {
	Length int    // of the vector
	Bound  uint64 // of its Euclidean norm
	// NormChunk is how many squares a call of the first gadget adds, Chunk how many
	// products one of the second. The proof's length is a chunk for each and four
	// times the number of calls, rounded up to a power of two.
	NormChunk, Chunk int
	// NormProofs and Proofs are how often each circuit is proved. A false proof
	// survives one of the second with a chance of 2^−52 in Field64.
	NormProofs, Proofs int
	// Tests are the wraparound tests. A vector that wraps around passes all of them
	// with a chance of 2^−Tests.
	Tests int
}

func newNorm[E comparable](f field[E], modulus uint64, p Params) (*norm[E], error) {
	n, err := digitsOf(f, modulus, p)
	if err != nil {
		return nil, err
	}
	zero, one := f.of(0), f.of(1)
	n.equality = newFLP(f, gadget[E]{p.NormChunk, []E{zero, zero, one}}, chunks(p.Length, p.NormChunk), 1, false)
	n.rest = newFLP(f, gadget[E]{count: p.Chunk}, chunks(n.digits(), p.Chunk)+chunks(p.Tests, p.Chunk), 1, false)
	return n, nil
}

// digitsOf returns a norm without its proof systems. It checks the conditions under
// which the proof is sound (PINE lemma 3.3 and figure 1): p > 3·bound² + 2,
// p ≥ 2600·W and W² ≤ 4000·p.
func digitsOf[E comparable](f field[E], modulus uint64, p Params) (*norm[E], error) {
	for _, c := range []struct {
		what       string
		is, lo, hi int
	}{
		{"the vector", p.Length, 1, maxEncoded},
		{"the chunk of the norm", p.NormChunk, 1, p.Length},
		{"the chunk", p.Chunk, 1, maxEncoded},
		{"the list of proofs of the norm", p.NormProofs, 1, 255},
		{"the list of proofs", p.Proofs, 1, 255},
		{"the list of wraparound tests", p.Tests, 1, 1 << 10},
	} {
		if c.is < c.lo || c.is > c.hi {
			return nil, croft.E(croft.ErrShape, c.what, c.is, fmt.Sprintf("%d to %d", c.lo, c.hi))
		}
	}
	n := &norm[E]{f: f, length: p.Length, bound: p.Bound, tests: p.Tests, chunk: p.Chunk, equalities: p.NormProofs, others: p.Proofs}
	if p.Bound >= 1 && p.Bound < 1<<32 {
		n.wrap = 1 << bits.Len64((87*p.Bound+9)/10) // the power of two from ⌈8.7·bound⌉ + 1
	}
	square, squares := p.Bound*p.Bound, modulus/3
	above, below := bits.Mul64(n.wrap, n.wrap)
	limit, rest := bits.Mul64(4000, modulus)
	if n.wrap == 0 || square >= squares || n.wrap > modulus/2600 || above > limit || above == limit && below > rest {
		return nil, croft.E(croft.ErrShape, "the bound of the norm", p.Bound, "a bound that the field has room for")
	}
	n.normDigits, n.wrapDigits = bits.Len64(square), bits.Len64(2*n.wrap-1)
	return n, nil
}

func chunks(length, chunk int) int { return (length + chunk - 1) / chunk }

// digits is how many elements go with the vector.
func (n *norm[E]) digits() int { return 2*n.normDigits + n.tests*(n.wrapDigits+1) }

func (n *norm[E]) proofLen() int {
	return n.equalities*n.equality.proofLen() + n.others*n.rest.proofLen()
}
func (n *norm[E]) proveRand() int {
	return n.equalities*n.equality.proveRand() + n.others*n.rest.proveRand()
}
func (n *norm[E]) verifierLen() int {
	return n.equalities*n.equality.verifier() + n.others*n.rest.verifier()
}
func (n *norm[E]) points() int    { return n.equalities + n.others }
func (n *norm[E]) jointRand() int { return 3 * n.others }

// putNorm writes the digits of the squared norm, which do not depend on any
// randomness.
func (n *norm[E]) putNorm(digits []E, x []int64) error {
	limit := n.bound * n.bound
	sum, over := uint64(0), uint64(0)
	for _, v := range x {
		size := uint64(v ^ v>>63 - v>>63)
		hi, lo := bits.Mul64(size, size)
		var carry uint64
		sum, carry = bits.Add64(sum, lo, 0)
		over |= hi | carry
	}
	if over != 0 || sum > limit {
		return croft.E(croft.ErrProof, fmt.Sprintf("the norm is above its bound of %d", n.bound))
	}
	n.spread(digits[:n.normDigits], sum)
	n.spread(digits[n.normDigits:2*n.normDigits], limit-sum)
	return nil
}

func (n *norm[E]) spread(digits []E, v uint64) {
	for i := range digits {
		digits[i] = n.f.of(v >> i & 1)
	}
}

// putWrap writes the digits of the wraparound tests from their products. Of an
// honest vector a product is out of range with a chance of e^−75.
func (n *norm[E]) putWrap(digits []E, products []E) error {
	for i, product := range products {
		own := digits[2*n.normDigits+i*(n.wrapDigits+1):][:n.wrapDigits+1]
		v := n.f.number(n.f.add(product, n.f.of(n.wrap-1)))
		if v > 2*n.wrap-1 {
			return croft.E(croft.ErrProof, "a wraparound test failed: seal the report again with other seeds")
		}
		n.spread(own[:n.wrapDigits], v)
		own[n.wrapDigits] = n.f.of(1)
	}
	return nil
}

// A claim is what the circuits are about: the vector, its digits, and the products
// of the wraparound tests; or the same share of each. one is the share of 1.
type claim[E comparable] struct {
	vector   source[E]
	digits   []E
	products []E
	one      E
}

// A source gives elements lo to hi of a vector; it may use the room of buf.
type source[E comparable] func(lo, hi int, buf []E) []E

func shareOf[E comparable](x []E) source[E] {
	return func(lo, hi int, _ []E) []E { return x[lo:hi] }
}

// integers encodes a vector a piece at a time, so that it needs no second copy.
func integers[E comparable](f field[E], x []int64) source[E] {
	return func(lo, hi int, buf []E) []E {
		f.residues(buf, x[lo:hi])
		return buf[:hi-lo]
	}
}

// prove writes all proofs of a claim.
func (n *norm[E]) prove(c claim[E], rand, joint, proofs []E, run Workers) {
	first := proofs
	for i := range n.equalities {
		if i == 0 {
			n.equality.prove(n.squares(c), rand, proofs, run)
		} else {
			n.equality.proveAgain(n.squares(c), first, rand, proofs, run)
		}
		rand, proofs = rand[n.equality.proveRand():], proofs[n.equality.proofLen():]
	}
	for range n.others {
		n.rest.prove(n.checks(c, joint[:3]), rand, proofs, run)
		rand, proofs, joint = rand[n.rest.proveRand():], proofs[n.rest.proofLen():], joint[3:]
	}
}

// Fit returns parameters for vectors of so many numbers and this bound: the
// shortest proof that fails to refuse with a chance below 2^−100, online and off.
func Fit(length int, bound uint64) (Params, error) {
	p := Params{Length: length, Bound: bound, NormChunk: 1, Chunk: 1, NormProofs: 2, Proofs: 2, Tests: 100}
	n, err := digitsOf(field64{}, Modulus, p)
	if err != nil {
		return p, err
	}
	// For each length 2^log of a wire the smallest chunk that needs no longer one.
	p.NormChunk = shortest(func(chunk int) int { return chunks(length, chunk) }, length)
	p.Chunk = shortest(func(chunk int) int { return chunks(n.digits(), chunk) + chunks(p.Tests, chunk) }, n.digits())
	return p, nil
}

func shortest(calls func(chunk int) int, most int) (best int) {
	size := func(chunk int) int { return chunk + 2<<bits.Len(uint(calls(chunk))) }
	for log := 1; log < 30; log++ {
		chunk := 1 + sort.Search(most-1, func(i int) bool { return calls(i+1) < 1<<log })
		if best == 0 || size(chunk) < size(best) {
			best = chunk
		}
	}
	return best
}

// A query is where all proofs of a norm are asked.
type query[E comparable] struct{ equality, rest []*point[E] }

// at prepares a query at these points. Not ok: draw them again.
func (n *norm[E]) at(points []E) (*query[E], bool) {
	q := new(query[E])
	for i, x := range points {
		proof, list := n.equality, &q.equality
		if i >= n.equalities {
			proof, list = n.rest, &q.rest
		}
		p, ok := proof.at(x)
		if !ok {
			return nil, false
		}
		*list = append(*list, p)
	}
	return q, true
}

// query writes the verifier share of all proofs.
func (n *norm[E]) query(c claim[E], q *query[E], joint, proofs, verifier []E, run Workers) {
	for _, at := range q.equality {
		n.equality.query(n.squares(c), at, proofs, nil, verifier[:n.equality.verifier()], run)
		proofs, verifier = proofs[n.equality.proofLen():], verifier[n.equality.verifier():]
	}
	for _, at := range q.rest {
		n.rest.query(n.checks(c, joint[:3]), at, proofs, nil, verifier[:n.rest.verifier()], run)
		proofs, verifier, joint = proofs[n.rest.proofLen():], verifier[n.rest.verifier():], joint[3:]
	}
}

// decide tells from the sum of the verifier shares whether the claim holds.
func (n *norm[E]) decide(verifier []E) bool {
	for i := range n.points() {
		proof := n.equality
		if i >= n.equalities {
			proof = n.rest
		}
		if !proof.decide(verifier[:proof.verifier()]) {
			return false
		}
		verifier = verifier[proof.verifier():]
	}
	return true
}

// squares is the first circuit.
type squares[E comparable] struct {
	*norm[E]
	claim[E]
}

func (n *norm[E]) squares(c claim[E]) squares[E] { return squares[E]{n, c} }

func (s squares[E]) inputs(k, lo, hi int, buf []E) []E {
	start := k * s.equality.g.count
	return s.vector(min(start+lo, s.length), min(start+hi, s.length), buf)
}

func (s squares[E]) outputs(gadget []E) []E {
	f := s.f
	out := number(f, s.claim.digits[:s.normDigits])
	for _, v := range gadget {
		out = f.sub(out, v)
	}
	return []E{out}
}

// checks is the second circuit. Its gadget's inputs are few: all are made at once.
type checks[E comparable] struct {
	flat   []E // the inputs of all calls, one after the other
	arity  int
	bits   int // calls for the digits, the others are for the tests
	linear E   // r3·(v + u − bound²) + r3³·(Σ g_i − tests)
	weight E   // r3²
	f      field[E]
}

func (n *norm[E]) checks(c claim[E], joint []E) checks[E] {
	f := n.f
	r1, r2, r3 := joint[0], joint[1], joint[2]
	s := checks[E]{f: f, arity: 2 * n.chunk, bits: chunks(n.digits(), n.chunk), weight: f.mul(r3, r3)}
	s.flat = make([]E, n.rest.calls*s.arity)

	in, power := s.flat, f.of(1)
	for i, b := range c.digits {
		in[2*i], in[2*i+1] = f.mul(power, b), f.sub(b, c.one)
		power = f.mul(power, r1)
	}
	in, power = s.flat[s.bits*s.arity:], f.of(1)
	offset, successes := f.mul(f.of(n.wrap-1), c.one), f.of(0)
	for i, product := range c.products {
		own := c.digits[2*n.normDigits+i*(n.wrapDigits+1):][:n.wrapDigits+1]
		v, g := number(f, own[:n.wrapDigits]), own[n.wrapDigits]
		in[2*i], in[2*i+1] = f.mul(power, f.sub(product, f.sub(v, offset))), g
		power = f.mul(power, r2)
		successes = f.add(successes, g)
	}

	v, u := number(f, c.digits[:n.normDigits]), number(f, c.digits[n.normDigits:2*n.normDigits])
	inRange := f.sub(f.add(v, u), f.mul(f.of(n.bound*n.bound), c.one))
	all := f.sub(successes, f.mul(f.of(uint64(n.tests)), c.one))
	s.linear = f.mul(r3, f.add(inRange, f.mul(s.weight, all)))
	return s
}

func (s checks[E]) inputs(k, lo, hi int, _ []E) []E { return s.flat[k*s.arity+lo : k*s.arity+hi] }

func (s checks[E]) outputs(gadget []E) []E {
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
