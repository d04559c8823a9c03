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
// proof takes no second look at the long vector: Σ x_i² = v. The second is about the
// digits. It is that of PINE draft-01 (draft.go) or ours, with a quarter as many (nibbles.go).
type norm[E comparable] struct {
	f      field[E]
	length int
	bound  uint64
	tests  int
	wrap   uint64 // W: a test succeeds with a product from −W + 1 to W, or up to 14 more
	gates  []Gate
	form   form[E]

	chunk              int // digits in a call of the second gadget
	equality, rest     *flp[E]
	equalities, others int // proofs of each
}

// A form is how numbers stand in digits, and the circuit about these.
type form[E comparable] interface {
	// sizes returns how many digits there are before any randomness is drawn, and in
	// all; how many calls of a gadget of so many inputs the circuit makes; and how many
	// random numbers it takes.
	sizes(chunk int) (early, digits, calls, joint int)
	gadget(chunk int) gadget[E]
	putNorm(digits []E, square uint64)
	putGate(digits []E, gate int, product int64) // of one within its ends
	putTest(digits []E, test int, v uint64)      // of the product + W − 1
	value(digits []E) E                          // v
	checks(c claim[E], joint []E) statement[E]
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

// A Gate is a bound of a vector's product with a public direction:
// Low ≤ ⟨x, Direction⟩ ≤ High. It can demand, say, that an update does not point away
// from the last one, without showing how far it does not.
type Gate struct {
	Direction []int64
	Low, High int64 // Low < High, both below 2^62 in size
}

// A former gives a norm its form: newNibbles ours, newDraft that of PINE draft-01. It
// chooses W, and tells whether the field is large enough for that and the bound.
type former[E comparable] func(n *norm[E], modulus uint64) (form[E], bool)

func newNorm[E comparable](f field[E], modulus uint64, p Params, gates []Gate, as former[E]) (*norm[E], error) {
	n, err := digitsOf(f, modulus, p, gates, as)
	if err != nil {
		return nil, err
	}
	zero, one := f.of(0), f.of(1)
	_, _, calls, _ := n.form.sizes(p.Chunk)
	n.equality = newFLP(f, gadget[E]{count: p.NormChunk, poly: []E{zero, zero, one}}, chunks(p.Length, p.NormChunk))
	n.rest = newFLP(f, n.form.gadget(p.Chunk), calls)
	return n, nil
}

// digitsOf returns a norm without its proof systems. It checks the conditions under
// which the proof is sound: p > 3·bound² + 2 (PINE figure 1), and the form's own. For a
// gate, whose product is an integer of at most bound·‖direction‖ (Cauchy and Schwarz),
// such integers have to differ modulo p.
func digitsOf[E comparable](f field[E], modulus uint64, p Params, gates []Gate, as former[E]) (*norm[E], error) {
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
	noRoom := croft.E(croft.ErrShape, "the bound of the norm", p.Bound, "a bound that the field has room for")
	if p.Bound < 1 || p.Bound >= 1<<32 || p.Bound*p.Bound >= modulus/3 {
		return nil, noRoom
	}
	if len(gates) > maxGates {
		return nil, croft.E(croft.ErrShape, "the list of gates", len(gates), fmt.Sprintf("at most %d", maxGates))
	}
	for _, g := range gates {
		if len(g.Direction) != p.Length {
			return nil, croft.E(croft.ErrShape, "a gate's direction", len(g.Direction), p.Length)
		}
		most := min(1<<62, int64(modulus/2))
		length, ok := euclid(g.Direction)
		if over, product := bits.Mul64(p.Bound, length); !ok || over != 0 || product >= uint64(most) || g.Low >= g.High || g.Low <= -most || g.High >= most {
			return nil, croft.E(croft.ErrShape, "a gate", fmt.Sprintf("from %d to %d", g.Low, g.High), "a low end below its high end, in a field with room for its direction")
		}
		n.gates = append(n.gates, g)
	}
	var fits bool
	if n.form, fits = as(n, modulus); !fits {
		return nil, noRoom
	}
	return n, nil
}

// squareAtMost tells whether x² ≤ times·limit.
func squareAtMost(x, times, limit uint64) bool {
	above, below := bits.Mul64(x, x)
	most, rest := bits.Mul64(times, limit)
	return above < most || above == most && below <= rest
}

// Bounds of the elements of a vector, before any is allocated, and of its gates.
const (
	maxEncoded = 1 << 26
	maxGates   = 16
)

// euclid returns a vector's norm, rounded up. Not ok if its square is not below 2^63.
func euclid(x []int64) (norm uint64, ok bool) {
	square, ok := squared(x)
	if !ok || square >= 1<<63 {
		return 0, false
	}
	return uint64(sort.Search(1<<32, func(n int) bool { return uint64(n)*uint64(n) >= square })), true
}

// squared returns the square of a vector's norm. Not ok if it has more than 64 bits.
// It does not branch on the numbers.
func squared(x []int64) (sum uint64, ok bool) {
	over := uint64(0)
	for _, v := range x {
		size := uint64(v ^ v>>63 - v>>63)
		hi, lo := bits.Mul64(size, size)
		var carry uint64
		sum, carry = bits.Add64(sum, lo, 0)
		over |= hi | carry
	}
	return sum, over == 0
}

func chunks(length, chunk int) int { return (length + chunk - 1) / chunk }

// digits is how many elements go with the vector.
func (n *norm[E]) digits() int {
	_, digits, _, _ := n.form.sizes(n.chunk)
	return digits
}

// early is how many of them do not depend on any randomness.
func (n *norm[E]) early() int {
	early, _, _, _ := n.form.sizes(n.chunk)
	return early
}

// joint is how many random numbers a proof of the second circuit takes.
func (n *norm[E]) joint() int {
	_, _, _, joint := n.form.sizes(n.chunk)
	return joint
}

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
func (n *norm[E]) jointRand() int { return n.joint() * n.others }

// putNorm writes the digits of the squared norm.
func (n *norm[E]) putNorm(digits []E, x []int64) error {
	limit := n.bound * n.bound
	sum, ok := squared(x)
	if !ok || sum > limit {
		return croft.E(croft.ErrProof, fmt.Sprintf("the norm is above its bound of %d", n.bound))
	}
	n.form.putNorm(digits, sum)
	return nil
}

// putGates writes the digits of the gates from the products with their directions.
func (n *norm[E]) putGates(digits, along []E) error {
	for i, g := range n.gates {
		v := n.f.centred(along[i])
		if v < g.Low || v > g.High {
			return croft.E(croft.ErrProof, fmt.Sprintf("the product with direction %d is not from %d to %d", i+1, g.Low, g.High))
		}
		n.form.putGate(digits, i, v)
	}
	return nil
}

// along returns the products of a vector with the gates' directions.
func (n *norm[E]) along(x source[E], run Workers) []E {
	out := make([]E, len(n.gates))
	run(len(n.gates), func(i int) {
		room, direction := make([]E, wrapBlock), make([]E, wrapBlock)
		for lo := 0; lo < n.length; lo += wrapBlock {
			hi := min(lo+wrapBlock, n.length)
			n.f.residues(direction[:hi-lo], n.gates[i].Direction[lo:hi])
			out[i] = n.f.add(out[i], n.f.dot(x(lo, hi, room), direction))
		}
	})
	return out
}

// putWrap writes the digits of the wraparound tests from their products. Of an
// honest vector a product is out of range with a chance of 2·e^−54 (Hoeffding).
func (n *norm[E]) putWrap(digits []E, products []E) error {
	for i, product := range products {
		v := n.f.number(n.f.add(product, n.f.of(n.wrap-1)))
		if v > 2*n.wrap-1 {
			return croft.E(croft.ErrProof, "a wraparound test failed: seal the report again with other seeds")
		}
		n.form.putTest(digits, i, v)
	}
	return nil
}

// A claim is what the circuits are about: the vector, its digits, and its products
// in the wraparound tests and along the gates; or the same share of each. one is the
// share of 1.
type claim[E comparable] struct {
	vector   source[E]
	digits   []E
	products []E
	along    []E
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
		n.weighed(joint).prove(n.form.checks(c, joint[:n.joint()]), rand, proofs, run)
		rand, proofs, joint = rand[n.rest.proveRand():], proofs[n.rest.proofLen():], joint[n.joint():]
	}
}

// weighed returns the second proof system with the weights of one statement, the powers
// of the first random number, if its gadget has any.
func (n *norm[E]) weighed(joint []E) *flp[E] {
	p := *n.rest
	if p.g.weighed {
		p.g = p.g.by(n.f, joint[0])
	}
	return &p
}

// Fit returns parameters for vectors of so many numbers and this bound: the
// shortest proof that fails to refuse with a chance below 2^−100, online and off.
func Fit(length int, bound uint64, gates ...Gate) (Params, error) {
	p := Params{Length: length, Bound: bound, NormChunk: 1, Chunk: 1, NormProofs: 2, Proofs: 2, Tests: 100}
	n, err := digitsOf(field64{}, Modulus, p, gates, newNibbles)
	if err != nil {
		return p, err
	}
	p.NormChunk = shortest(2, length, func(chunk int) int { return chunks(length, chunk) })
	p.Chunk = shortest(n.form.gadget(1).degree(), n.digits(), func(chunk int) int {
		_, _, calls, _ := n.form.sizes(chunk)
		return calls
	})
	return p, nil
}

// shortest returns the chunk, up to most, with the shortest proof: a first value for
// each of its elements, and as many as the gadget's degree for each value of a wire.
// For each length 2^log of a wire it looks at the smallest chunk that needs no longer
// one.
func shortest(degree, most int, calls func(chunk int) int) (best int) {
	size := func(chunk int) int { return chunk + degree<<bits.Len(uint(calls(chunk))) }
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
		n.equality.query(n.squares(c), at, proofs, verifier[:n.equality.verifier()], run)
		proofs, verifier = proofs[n.equality.proofLen():], verifier[n.equality.verifier():]
	}
	for _, at := range q.rest {
		n.rest.query(n.form.checks(c, joint[:n.joint()]), at, proofs, verifier[:n.rest.verifier()], run)
		proofs, verifier, joint = proofs[n.rest.proofLen():], verifier[n.rest.verifier():], joint[n.joint():]
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
	out := s.form.value(s.claim.digits)
	for _, v := range gadget {
		out = f.sub(out, v)
	}
	return []E{out}
}
