package vdaf

import (
	"math/bits"
	"slices"
)

// A fully linear proof (Boneh, Boyle, Corrigan-Gibbs, Gilboa and Ishai, CRYPTO
// 2019, theorem 4.3; VDAF §7.3). A circuit says of a measurement whether it is
// valid. All it does that is not linear are the calls of one gadget. The proof is
// one polynomial: the gadget applied to the polynomials through its inputs, wire
// by wire. A verifier that holds linear shares of measurement and proof computes
// the same linear function of both as all others: at a random point the wires, the
// gadget's polynomial, and the circuit's output. Their sums decide.
type flp[E comparable] struct {
	f     field[E]
	g     gadget[E]
	calls int // of the gadget

	log           int // of the length of a wire: 2^log > calls
	n             int // points at which the gadget's polynomial is worked out, a power of two
	inverse, root []E // roots for wires
	cosets        [][]E
}

// A gadget adds up the same small polynomial over count inputs: the product of
// two wires, or poly of one wire. It may weigh the inputs by the powers of a public
// number, another one for each statement: its second output. That goes along with the
// verifier message, as whoever decides does not know the statement.
type gadget[E comparable] struct {
	count   int
	poly    []E // coefficients; nil: the product of two
	pair    E   // not 0: poly is of x(x − pair) instead of x, half as long
	weighed bool
	weights []E // nil: not weighed, or not by which number yet
}

// by returns the gadget that weighs by the powers of r.
func (g gadget[E]) by(f field[E], r E) gadget[E] {
	g.weights = powers(f, f.of(1), r, g.count)
	return g
}

func (g gadget[E]) weight(f field[E], input int) E {
	if g.weights == nil {
		return f.of(1)
	}
	return g.weights[input]
}

func (g gadget[E]) degree() int {
	switch {
	case g.poly == nil:
		return 2
	case g.pair != *new(E):
		return 2 * (len(g.poly) - 1)
	}
	return len(g.poly) - 1
}

func (g gadget[E]) each() int { // wires of an input
	if g.poly == nil {
		return 2
	}
	return 1
}

func (g gadget[E]) arity() int { return g.each() * g.count }

// A statement is a circuit about one measurement, or one share of it.
type statement[E comparable] interface {
	// inputs returns inputs lo to hi of call k, or the first of them, the rest being
	// zero. It may use the room of buf, hi−lo elements. Calls at the same time are
	// safe.
	inputs(k, lo, hi int, buf []E) []E
	// outputs returns the circuit's output from those of the gadget: zero for a valid
	// measurement; and after it the number by whose powers the gadget weighs, if it does.
	outputs(gadget []E) []E
}

// Workers runs task(0) to task(n−1), in any order and if it likes at the same
// time, and returns when all are done. A task may call it again. No result depends
// on how. Serial is the
// one that starts nothing; this package has no goroutines of its own.
type Workers func(n int, task func(i int))

// Serial runs one task after the other.
func Serial(n int, task func(i int)) {
	for i := range n {
		task(i)
	}
}

func newFLP[E comparable](f field[E], g gadget[E], calls int) *flp[E] {
	p := &flp[E]{f: f, g: g, calls: calls, log: bits.Len(uint(calls))}
	p.n = 1 << bits.Len(uint(g.degree()*(p.wire()-1)))
	p.inverse, p.root = roots(f, p.log, true), roots(f, p.log, false)
	// Coset r holds the points r, r + n/P, r + 2n/P … of the n: those of a wire
	// times the r-th power of the n-th root. The division by P of the way back from
	// values to coefficients is done here too.
	shift, part := f.of(1), f.inv(f.of(uint64(p.wire())))
	for range p.n / p.wire() {
		c := powers(f, part, shift, p.wire())
		reverse(c)
		p.cosets = append(p.cosets, c)
		shift = f.mul(shift, f.root(bits.Len(uint(p.n))-1))
	}
	return p
}

func (p *flp[E]) wire() int      { return 1 << p.log } // values of a wire
func (p *flp[E]) polyLen() int   { return p.g.degree()*(p.wire()-1) + 1 }
func (p *flp[E]) proveRand() int { return p.g.arity() }
func (p *flp[E]) proofLen() int  { return p.g.arity() + p.polyLen() }
func (p *flp[E]) verifier() int {
	if p.g.weighed {
		return 1 + p.g.arity() + 2
	}
	return 1 + p.g.arity() + 1
}

// proveAgain writes another proof of the same statement, given one, for a gadget
// that squares. Only the wires' first values differ, by δ_j, so a wire becomes
// W_j + δ_j·L with L the polynomial that is 1 at the first root and 0 at the
// others, and the gadget's polynomial G becomes G + 2L·Σ δ_j·W_j + L²·Σ δ_j²:
// one product for an element of the measurement instead of two transforms.
func (p *flp[E]) proveAgain(s statement[E], first, rand, proof []E, run Workers) {
	f, arity, wire := p.f, p.g.arity(), p.wire()
	delta := slices.Clone(rand[:arity])
	f.subFrom(delta, first[:arity])
	sum, one := make([]E, wire), make([]E, wire) // Σ δ_j·W_j and L at the roots
	sum[0], one[0] = f.dot(delta, first), f.of(1)
	tasks := min(stripes, p.calls)
	run(tasks, func(task int) {
		buf := make([]E, arity)
		for k := p.calls * task / tasks; k < p.calls*(task+1)/tasks; k++ {
			in := s.inputs(k, 0, arity, buf)
			sum[k+1] = f.dot(in, delta)
		}
	})
	square := f.dot(delta, delta)

	poly := make([]E, p.n)
	for r, coset := range p.cosets {
		x, l := sum, one
		if r > 0 {
			x, l = make([]E, wire), make([]E, wire)
			f.mulTo(x, sum, coset)
			f.mulTo(l, one, coset)
			f.dit(x, p.root)
			f.dit(l, p.root)
		}
		for k := range wire {
			v := f.add(f.add(x[k], x[k]), f.mul(square, l[k]))
			poly[k*len(p.cosets)+r] = f.mul(l[k], v)
		}
		if r == 0 {
			f.dif(sum, p.inverse)
			f.dif(one, p.inverse)
		}
	}
	copy(proof, rand[:arity])
	copy(proof[arity:], p.form(poly))
	f.addTo(proof[arity:p.proofLen()], first[arity:p.proofLen()])
}

// rowsAtOnce is how many inputs of the gadget the prover takes through their
// transforms together: their rows stay in the second cache, whatever the length
// of the measurement.
const rowsAtOnce = 8

// prove writes the proof of a statement: the wires' first values, from the
// prover's randomness, then the gadget's polynomial.
func (p *flp[E]) prove(s statement[E], rand, proof []E, run Workers) {
	f, arity, wire := p.f, p.g.arity(), p.wire()
	copy(proof, rand[:arity])

	// Tasks take a stripe of wires each and add up the gadget over it, coset by
	// coset. The sum of their sums is exact in any order.
	step := rowsAtOnce * p.g.each()
	batches := (arity + step - 1) / step
	tasks := min(stripes, batches)
	totals := make([][]E, tasks)
	run(tasks, func(task int) {
		acc := make([]sums[E], len(p.cosets))
		for r := range acc {
			acc[r] = f.sums(wire)
		}
		rows, moved := make([]E, step*wire), make([]E, step*wire)
		buf := make([]E, step)
		for batch := batches * task / tasks; batch < batches*(task+1)/tasks; batch++ {
			lo := batch * step
			hi := min(lo+step, arity)
			clear(rows)
			for j := range hi - lo {
				rows[j*wire] = rand[lo+j]
			}
			for k := range p.calls {
				for j, v := range s.inputs(k, lo, hi, buf[:hi-lo]) {
					rows[j*wire+k+1] = v
				}
			}
			p.g.accumulate(f, acc[0], lo, rows[:(hi-lo)*wire], wire)
			for j := 0; j < hi-lo; j++ {
				f.dif(rows[j*wire:(j+1)*wire], p.inverse)
			}
			for r := 1; r < len(p.cosets); r++ {
				for j := 0; j < hi-lo; j++ {
					row := moved[j*wire : (j+1)*wire]
					f.mulTo(row, rows[j*wire:(j+1)*wire], p.cosets[r])
					f.dit(row, p.root)
				}
				p.g.accumulate(f, acc[r], lo, moved[:(hi-lo)*wire], wire)
			}
		}
		total, coset := make([]E, p.n), make([]E, wire)
		for r := range acc {
			acc[r].values(coset)
			for k, v := range coset {
				total[k*len(acc)+r] = v
			}
		}
		totals[task] = total
	})
	poly := totals[0]
	for _, t := range totals[1:] {
		f.addTo(poly, t)
	}
	copy(proof[arity:], p.form(poly))
}

// form turns a polynomial's values at all n points into the coefficients that a proof
// holds.
func (p *flp[E]) form(poly []E) []E {
	f := p.f
	f.dif(poly, roots(f, bits.Len(uint(p.n))-1, true))
	reverse(poly)
	scale := f.inv(f.of(uint64(p.n)))
	for k, v := range poly {
		poly[k] = f.mul(v, scale)
	}
	return poly[:p.polyLen()]
}

// stripes is how many tasks a long computation is cut into: enough for the
// processors of a small machine to end together.
const stripes = 8

// accumulate adds the gadget's values over some of its inputs, given in rows from the
// first of these wires on.
func (g gadget[E]) accumulate(f field[E], acc sums[E], first int, rows []E, wire int) {
	switch {
	case g.poly == nil:
		for ; len(rows) > 0; rows = rows[2*wire:] {
			acc.addProducts(rows[:wire], rows[wire:2*wire])
		}
	case g.square(f):
		for ; len(rows) > 0; rows = rows[wire:] {
			acc.addProducts(rows[:wire], rows[:wire])
		}
	default:
		for values := g.values(f, rows); len(values) > 0; values = values[wire:] {
			acc.add(g.weight(f, first), values[:wire])
			first++
		}
	}
}

func (g gadget[E]) square(f field[E]) bool {
	return slices.Equal(g.poly, []E{f.of(0), f.of(0), f.of(1)})
}

// values returns the polynomial at each x by Horner's rule.
func (g gadget[E]) values(f field[E], x []E) []E {
	if g.pair != f.of(0) {
		folded := slices.Clone(x)
		f.subFrom(folded, slices.Repeat([]E{g.pair}, len(x)))
		f.mulTo(folded, folded, x)
		x = folded
	}
	top := len(g.poly) - 1
	out, same := slices.Repeat(g.poly[top:], len(x)), make([]E, len(x))
	for _, c := range slices.Backward(g.poly[:top]) {
		for k := range same {
			same[k] = c
		}
		f.mulTo(out, out, x)
		f.addTo(out, same)
	}
	return out
}

// call returns the gadget's value.
func (g gadget[E]) call(f field[E], in []E) E {
	sum := f.of(0)
	if g.poly == nil {
		for ; len(in) > 0; in = in[2:] {
			sum = f.add(sum, f.mul(in[0], in[1]))
		}
		return sum
	}
	for i, y := range g.values(f, in) {
		sum = f.add(sum, f.mul(g.weight(f, i), y))
	}
	return sum
}

// A point is where a proof is queried: the coefficients with which values become
// those at the point. One serves all reports that are queried there.
type point[E comparable] struct {
	wire []E // of the values of a wire
	poly []E // of the coefficients of the gadget's polynomial: the point's powers
}

// at prepares a query at x. Not ok if x is one of the points through which wires
// are drawn: the verifier message would show the inputs there.
func (p *flp[E]) at(x E) (q *point[E], ok bool) {
	if pow(p.f, x, uint64(p.wire())) == p.f.of(1) {
		return nil, false
	}
	return &point[E]{lagrange(p.f, p.log, x), powers(p.f, p.f.of(1), x, p.polyLen())}, true
}

// lagrange returns ℓ_k(x) = (x^n − 1)/n · α^k/(x − α^k) for the n = 2^log powers
// α^k of a root of unity, of which x is none.
func lagrange[E comparable](f field[E], log int, x E) []E {
	n := 1 << log
	nodes := powers(f, f.of(1), f.root(log), n)
	common := f.mul(f.sub(pow(f, x, uint64(n)), f.of(1)), f.inv(f.of(uint64(n))))
	// One inversion for all (Montgomery): products of all before, then back.
	out, product := make([]E, n), f.of(1)
	for k, a := range nodes {
		out[k] = product
		product = f.mul(product, f.sub(x, a))
	}
	inverse := f.inv(product)
	for k, a := range slices.Backward(nodes) {
		out[k] = f.mul(f.mul(out[k], inverse), f.mul(a, common))
		inverse = f.mul(inverse, f.sub(x, a))
	}
	return out
}

// query writes the verifier share from a statement about a share of the
// measurement and the same share of the proof: the circuit's output, the wires and
// the gadget's polynomial at the point, and by what it weighs. All of it is linear in
// the shares, if constants in the statement are shares of constants.
func (p *flp[E]) query(s statement[E], q *point[E], proof, verifier []E, run Workers) {
	f, arity, wire := p.f, p.g.arity(), p.wire()
	seeds, poly := proof[:arity], proof[arity:p.proofLen()]
	gadgets := make([]E, wire) // modulo X^P − 1 a polynomial is the same at the P-th roots
	for from := 0; from < len(poly); from += wire {
		n := min(wire, len(poly)-from)
		f.addTo(gadgets[:n], poly[from:from+n])
	}
	reverse(gadgets)
	f.dit(gadgets, p.root)

	out := s.outputs(gadgets[1 : 1+p.calls])
	verifier[0] = out[0]
	wires := verifier[1 : 1+arity]
	tasks := min(stripes, arity)
	run(tasks, func(task int) {
		lo, hi := arity*task/tasks, arity*(task+1)/tasks
		acc, buf := f.sums(hi-lo), make([]E, hi-lo)
		acc.add(q.wire[0], seeds[lo:hi])
		for k := range p.calls {
			acc.add(q.wire[k+1], s.inputs(k, lo, hi, buf))
		}
		acc.values(wires[lo:hi])
	})
	verifier[1+arity] = f.dot(q.poly, poly)
	if p.g.weighed {
		verifier[2+arity] = out[1]
	}
}

// decide tells from the sum of all verifier shares whether the measurement is
// valid.
func (p *flp[E]) decide(verifier []E) bool {
	if len(verifier) != p.verifier() {
		return false
	}
	g, arity := p.g, p.g.arity()
	if g.weighed {
		g = g.by(p.f, verifier[2+arity])
	}
	return verifier[0] == p.f.of(0) && g.call(p.f, verifier[1:1+arity]) == verifier[1+arity]
}
