package vdaf

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"croft"
)

// small are parameters with which many proofs can be made in a test.
var small = Params{Length: 12, Bound: 1000, NormChunk: 4, Chunk: 16, NormProofs: 1, Proofs: 2, Tests: 20}

func newXOF(label string, n int) *XOF {
	return NewXOF(&Seed{}, []byte(label), binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// wrapped returns a vector of which the squares add up to a small number only
// modulo p.
func wrapped(t *testing.T, length int) []uint64 {
	p := new(big.Int).SetUint64(Modulus)
	x := make([]uint64, length)
	for x[0] = 1 << 40; ; x[0]++ {
		rest := new(big.Int).SetUint64(Sub(9, Mul(x[0], x[0])))
		if root := rest.ModSqrt(rest, p); root != nil {
			x[1] = root.Uint64()
			if s := Add(Mul(x[0], x[0]), Mul(x[1], x[1])); s != 9 {
				t.Fatal("the squares add up to", s)
			}
			return x
		}
	}
}

// A mutant is the two circuits without one of their constraints.
type mutant struct {
	statement[uint64]
	term uint64 // of the constraint that is left out, as it counts in the output
}

func (m mutant) outputs(gadget []uint64) []uint64 {
	out := m.statement.outputs(gadget)
	out[0] = Sub(out[0], m.term)
	return out
}

// A forgery is a claim with digits of its own, and which constraint it breaks.
type forgery struct {
	x      []uint64
	forge  func(digits, products []uint64)
	breaks string // no constraint: it is honest
}

// try proves a claim as it stands. The circuits must refuse what breaks a constraint,
// and accept it if that constraint, and no other, is left out: so each is needed, and
// its test would notice. terms are what the second circuit adds up, by constraint.
func (c forgery) try(t *testing.T, n *norm[uint64], terms func(claim claim[uint64], joint []uint64) map[string]uint64) {
	digits := make([]uint64, n.digits())
	products := wrapTests(n.f, newXOF("coins", 0), shareOf(c.x), n.length, n.tests, Serial)
	along := n.along(shareOf(c.x), Serial)
	if c.x[0] < 1<<32 || c.x[0] > 1<<63 { // not one of those that wrap around
		if err := n.putWrap(digits, products); err != nil {
			t.Fatal(err)
		}
	}
	v := n.f.dot(c.x, c.x)
	n.form.putNorm(digits, v)
	for i, product := range along {
		n.form.putGate(digits, i, n.f.centred(product))
	}
	if c.forge != nil {
		c.forge(digits, products)
	}
	claim := claim[uint64]{shareOf(c.x), digits, products, along, 1}
	joint := []uint64{11111, 22222, 33333}[:n.joint()]
	squares, checks := n.squares(claim), n.form.checks(claim, joint)
	if got := accepts(n.equality, squares); got != (c.breaks != "equality") {
		t.Errorf("the circuit of equality accepts: %v", got)
	}
	if got := accepts(n.weighed(joint), checks); got != (c.breaks == "" || c.breaks == "equality") {
		t.Errorf("the circuit of the rest accepts: %v", got)
	}
	all := terms(claim, joint)
	switch term, known := all[c.breaks]; {
	case c.breaks == "equality":
		if !accepts(n.equality, mutant{squares, Sub(n.form.value(digits), v)}) {
			t.Error("something else is broken too")
		}
	case c.breaks != "" && (!known || !accepts(n.weighed(joint), mutant{checks, term})):
		t.Errorf("something else than %q is broken too", c.breaks)
	}
	sum := uint64(0)
	for _, term := range all {
		sum = Add(sum, term)
	}
	if zero := sum == 0; zero != (c.breaks == "" || c.breaks == "equality") {
		t.Error("the terms add up to", sum)
	}
}

func integers64(length int, x ...int64) []uint64 {
	out := make([]uint64, length)
	field64{}.residues(out, x)
	return out
}

// sieved is what is zero for a digit, one factor after the other.
func sieved(d uint64) uint64 {
	product := d
	for k := uint64(1); k < 16; k++ {
		product = Mul(product, Sub(d, k))
	}
	return product
}

func TestEachConstraintOfTheNormIsNeeded(t *testing.T) {
	gate := Gate{Direction: append([]int64{0, 0, 0, 1, 1}, make([]int64, small.Length-5)...), Low: -250, High: 1002}
	n, err := newNorm(field64{}, Modulus, small, []Gate{gate}, newNibbles)
	if err != nil {
		t.Fatal(err)
	}
	q := n.form.(*nibbles[uint64])
	integer := func(x ...int64) []uint64 { return integers64(small.Length, x...) }
	square, width := n.bound*n.bound, uint64(gate.High-gate.Low)
	norm := func(digits []uint64, v, u uint64) {
		putNibbles(q.f, q.square, digits, v)
		putNibbles(q.f, q.square, digits[q.square.n:], u)
	}
	within := func(digits []uint64, above, below uint64) {
		putNibbles(q.f, q.spans[0], q.ofGate(digits, 0), above)
		putNibbles(q.f, q.spans[0], q.ofGate(digits, 0)[q.spans[0].n:], below)
	}
	terms := func(c claim[uint64], joint []uint64) map[string]uint64 {
		get := func(s span, digits []uint64) uint64 { return getNibbles(q.f, s, digits) }
		gates := q.ofGate(c.digits, 0)
		above, below := get(q.spans[0], gates), get(q.spans[0], gates[q.spans[0].n:])
		out := map[string]uint64{}
		r, power := joint[1], joint[1]
		out["range"] = Mul(power, Sub(Add(get(q.square, c.digits), get(q.square, c.digits[q.square.n:])), square))
		power = Mul(power, r)
		out["gate"] = Mul(power, Sub(c.along[0], Add(Residue(gate.Low), above)))
		power = Mul(power, r)
		out["width"] = Mul(power, Sub(Add(above, below), width))
		for i, product := range c.products {
			power = Mul(power, r)
			out["tests"] = Add(out["tests"], Mul(power, Sub(Add(product, n.wrap-1), get(q.test, q.ofTest(c.digits, i)))))
		}
		power = 1
		for _, d := range c.digits {
			out["digits"] = Add(out["digits"], Mul(power, sieved(d)))
			power = Mul(power, joint[0])
		}
		return out
	}
	for name, c := range map[string]forgery{
		"honest":          {integer(3, -4, 998), nil, ""},
		"at the bound":    {integer(600, -800), nil, ""},
		"above it by one": {integer(600, -800, 1), func(digits, _ []uint64) { norm(digits, square+1, 0) }, "range"},
		"above it by five": {integer(600, -800, 1, 0, 2), func(digits, _ []uint64) { // the most that digits can say
			norm(digits, square+5, 0)
		}, "range"},
		"norm denied by one": {integer(600, -800, 1), func(digits, _ []uint64) { norm(digits, square, 0) }, "equality"},
		"a digit of everything": {integer(900, 900), func(digits, _ []uint64) {
			norm(digits, 0, 0)
			digits[0], digits[q.square.n] = 2*900*900, Sub(square, 2*900*900)
		}, "digits"},
		"a sixteen": {integer(4), func(digits, _ []uint64) {
			norm(digits, 0, square-16)
			digits[0] = 16
		}, "digits"},
		"less than nothing left": {integer(600, -800, 1), func(digits, _ []uint64) {
			norm(digits, square+1, 0)
			digits[q.square.n] = Modulus - 1
		}, "digits"},
		"at the gate's low end":  {integer(0, 0, 0, -250), nil, ""},
		"at the gate's high end": {integer(0, 0, 0, 502, 500), nil, ""},
		"below the gate by one":  {integer(0, 0, 0, -251), func(digits, _ []uint64) { within(digits, 0, width) }, "gate"},
		"above the gate by one":  {integer(0, 0, 0, 502, 501), func(digits, _ []uint64) { within(digits, width, 0) }, "gate"},
		"above it by what digits can say": {integer(0, 0, 0, 502, 501), func(digits, _ []uint64) {
			within(digits, width+1, 0)
		}, "width"},
		"beyond the gate by a digit": {integer(0, 0, 0, 502, 501), func(digits, _ []uint64) {
			within(digits, width+1, 0)
			q.ofGate(digits, 0)[q.spans[0].n] = Modulus - 1
		}, "digits"},
		"wraparound, products denied": {wrapped(t, small.Length), func(digits, products []uint64) {
			norm(digits, 9, square-9)
			for i := range products {
				putNibbles(q.f, q.test, q.ofTest(digits, i), n.wrap-1)
			}
		}, "tests"},
		"wraparound, one digit for all": {wrapped(t, small.Length), func(digits, products []uint64) {
			norm(digits, 9, square-9)
			for i, product := range products {
				own := q.ofTest(digits, i)
				clear(own)
				own[0] = Add(product, n.wrap-1)
			}
		}, "digits"},
	} {
		t.Run(name, func(t *testing.T) { c.try(t, n, terms) })
	}
}

// Errors that would cancel each other out are refused: each constraint has a weight of
// its own, which nobody knows before the digits are fixed.
func TestErrorsDoNotCancelOut(t *testing.T) {
	gate := Gate{Direction: append([]int64{0, 0, 0, 1, 1}, make([]int64, small.Length-5)...), Low: -250, High: 1002}
	n, err := newNorm(field64{}, Modulus, small, []Gate{gate}, newNibbles)
	if err != nil {
		t.Fatal(err)
	}
	q := n.form.(*nibbles[uint64])
	a, b := uint64(19), uint64(17596010205015389552) // a root of the polynomial sieved + sieved(a)
	if sieved(a) == 0 || Add(sieved(a), sieved(b)) != 0 {
		t.Fatalf("%d and %d do not cancel out", a, b)
	}
	for name, c := range map[string]forgery{
		"two digits of a call": {integers64(small.Length, 1), func(digits, products []uint64) {
			// Those of a test, whose product is then made to be what they say.
			own := q.ofTest(digits, 0)
			own[0], own[1] = a, b
			products[0] = Sub(getNibbles(q.f, q.test, own), n.wrap-1)
		}, ""},
		"the same digits of two calls": {integers64(small.Length, 1), func(digits, products []uint64) {
			next := n.chunk / q.test.n // the test whose first digit has the same place
			for test, digit := range map[int]uint64{0: a, next: b} {
				own := q.ofTest(digits, test)
				own[0] = digit
				products[test] = Sub(getNibbles(q.f, q.test, own), n.wrap-1)
			}
		}, ""},
		"below the gate": {integers64(small.Length, 0, 0, 0, -251), func(digits, _ []uint64) {
			own, width := q.ofGate(digits, 0), uint64(gate.High-gate.Low)
			putNibbles(q.f, q.spans[0], own, 0)
			putNibbles(q.f, q.spans[0], own[q.spans[0].n:], width+1)
		}, ""},
	} {
		digits := make([]uint64, n.digits())
		products := wrapTests(n.f, newXOF("coins", 0), shareOf(c.x), n.length, n.tests, Serial)
		if err := n.putWrap(digits, products); err != nil {
			t.Fatal(err)
		}
		along := n.along(shareOf(c.x), Serial)
		n.form.putNorm(digits, n.f.dot(c.x, c.x))
		n.form.putGate(digits, 0, n.f.centred(along[0]))
		c.forge(digits, products)
		claim := claim[uint64]{shareOf(c.x), digits, products, along, 1}
		joint := []uint64{11111, 22222}
		if accepts(n.weighed(joint), n.form.checks(claim, joint)) {
			t.Errorf("%s: errors cancel out", name)
		}
	}
}

func TestEachConstraintOfTheDraftIsNeeded(t *testing.T) {
	n, err := newNorm(field64{}, Modulus, small, nil, newDraft)
	if err != nil {
		t.Fatal(err)
	}
	d := n.form.(*draft[uint64])
	integer := func(x ...int64) []uint64 { return integers64(small.Length, x...) }
	square := n.bound * n.bound
	norm := func(digits []uint64, v, u uint64) {
		d.spread(digits[:d.squareBits], v)
		d.spread(digits[d.squareBits:2*d.squareBits], u)
	}
	terms := func(c claim[uint64], joint []uint64) map[string]uint64 {
		number := func(digits []uint64) uint64 { return number(d.f, digits) }
		r1, r2, r3 := joint[0], joint[1], joint[2]
		v, u := number(c.digits[:d.squareBits]), number(c.digits[d.squareBits:2*d.squareBits])
		out := map[string]uint64{"range": Mul(r3, Sub(Add(v, u), square)), "successes": Sub(0, uint64(n.tests))}
		power := Mul(r3, r3)
		for i, product := range c.products {
			own := d.of(c.digits, i)
			claimed := Sub(number(own[:d.testBits]), n.wrap-1)
			out["products"] = Add(out["products"], Mul(power, Mul(own[d.testBits], Sub(product, claimed))))
			out["successes"] = Add(out["successes"], own[d.testBits])
			power = Mul(power, r2)
		}
		out["successes"] = Mul(Mul(r3, Mul(r3, r3)), out["successes"])
		power = 1
		for _, b := range c.digits {
			out["digits"] = Add(out["digits"], Mul(power, Mul(b, Sub(b, 1))))
			power = Mul(power, r1)
		}
		return out
	}
	for name, c := range map[string]forgery{
		"honest":             {integer(3, -4, 998), nil, ""},
		"at the bound":       {integer(600, -800), nil, ""},
		"above it by one":    {integer(600, -800, 1), func(digits, _ []uint64) { norm(digits, square+1, 0) }, "range"},
		"norm denied by one": {integer(600, -800, 1), func(digits, _ []uint64) { norm(digits, square, 0) }, "equality"},
		"a digit of everything": {integer(900, 900), func(digits, _ []uint64) {
			norm(digits, 0, 0)
			digits[0], digits[d.squareBits] = 2*900*900, Sub(square, 2*900*900)
		}, "digits"},
		"success twice": {wrapped(t, small.Length), func(digits, products []uint64) {
			norm(digits, 9, square-9)
			for i := range products {
				clear(d.of(digits, i))
			}
			first := d.of(digits, 0)
			first[0], first[d.testBits] = Add(products[0], n.wrap-1), uint64(small.Tests)
		}, "digits"},
		"wraparound, successes claimed": {wrapped(t, small.Length), func(digits, products []uint64) {
			norm(digits, 9, square-9)
			for i := range products {
				d.putTest(digits, i, n.wrap-1)
			}
		}, "products"},
		"wraparound, failures admitted": {wrapped(t, small.Length), func(digits, _ []uint64) {
			norm(digits, 9, square-9)
		}, "successes"},
	} {
		t.Run(name, func(t *testing.T) { c.try(t, n, terms) })
	}
}

// A span's digits say each number up to its largest, and at most 14 more.
func TestSpans(t *testing.T) {
	f := field64{}
	check := func(largest, v uint64) {
		s := spanTo(largest)
		digits := make([]uint64, s.n)
		putNibbles(f, s, digits, v)
		for _, d := range digits {
			if d > 15 {
				t.Fatalf("%d of %d: the digit %d", v, largest, d)
			}
		}
		if got := getNibbles(f, s, digits); got != v {
			t.Fatalf("%d of %d: its digits say %d", v, largest, got)
		}
		for i := range digits {
			digits[i] = 15
		}
		if most := getNibbles(f, s, digits); most < largest || most > largest+14 {
			t.Fatalf("digits for %d say up to %d", largest, most)
		}
	}
	for largest := uint64(1); largest < 300; largest++ {
		for v := range largest + 1 {
			check(largest, v)
		}
	}
	for _, largest := range []uint64{1 << 30, 1<<36 - 1, 1<<62 - 1, 1 << 62, 1<<62 + 1, 1<<63 - 1} {
		for _, v := range []uint64{0, 1, largest / 3, largest/2 + 1, largest - 1, largest} {
			check(largest, v)
		}
	}
}

// accepts proves a statement as it stands and asks the proof.
func accepts(p *flp[uint64], s statement[uint64]) bool {
	rand, at := make([]uint64, p.proveRand()), make([]uint64, 1)
	newXOF("prove", 0).Next(rand)
	newXOF("query", 0).Next(at)
	proof, verifier := make([]uint64, p.proofLen()), make([]uint64, p.verifier())
	p.prove(s, rand, proof, Serial)
	q, _ := p.at(at[0])
	p.query(s, q, proof, verifier, Serial)
	return p.decide(verifier)
}

// A prover may send any proof. Whatever it sends for a false statement is refused
// by one of the two checks of Decide, and each of the two is needed.
func TestDecideNeedsBothChecks(t *testing.T) {
	n, err := newNorm(field64{}, Modulus, small, nil, newNibbles)
	if err != nil {
		t.Fatal(err)
	}
	p := n.equality
	digits := make([]uint64, n.digits())
	x := make([]uint64, small.Length)
	x[0] = 7 // digits say 0
	s := n.squares(claim[uint64]{vector: shareOf(x), digits: digits, one: 1})
	rand, proof, verifier := make([]uint64, p.proveRand()), make([]uint64, p.proofLen()), make([]uint64, p.verifier())
	newXOF("prove", 0).Next(rand)
	q, _ := p.at(12345)

	p.prove(s, rand, proof, Serial) // honest proof of a false statement: only the output tells
	p.query(s, q, proof, verifier, Serial)
	arity := p.g.arity()
	if p.decide(verifier) || verifier[0] == 0 || p.g.call(p.f, verifier[1:1+arity]) != verifier[1+arity] {
		t.Error("the output does not tell")
	}
	clear(proof[arity:]) // a polynomial that makes the output right: only the gadget tells
	p.query(s, q, proof, verifier, Serial)
	if p.decide(verifier) || verifier[0] != 0 || p.g.call(p.f, verifier[1:1+arity]) == verifier[1+arity] {
		t.Error("the gadget does not tell")
	}
	if p.decide(verifier[1:]) {
		t.Error("a message of the wrong length was accepted")
	}
	for k := range p.wire() { // points at which a wire would be shown
		if _, ok := p.at(pow(p.f, p.f.root(p.log), uint64(k))); ok {
			t.Errorf("asked at the %d-th root", k)
		}
	}
}

func TestClaimRefuses(t *testing.T) {
	n, err := NewNorm(small)
	if err != nil {
		t.Fatal(err)
	}
	vector := func(x ...int64) []int64 { return append(x, make([]int64, small.Length-len(x))...) }
	for name, c := range map[string]struct {
		x    []int64
		want error
	}{
		"at the bound":                {vector(600, -800), nil},
		"above it by one":             {vector(600, -800, 1), croft.ErrProof},
		"a large number":              {vector(-1 << 63), croft.ErrProof},
		"squares over 64 bits":        {vector(1<<32, 1<<32, 1<<32, 1<<32), croft.ErrProof},
		"squares that add up to 2^64": {vector(1<<31, 1<<31, 1<<31, 1<<31), croft.ErrProof},
		"too short":                   {make([]int64, 3), croft.ErrShape},
	} {
		if _, err := n.Claim(c.x, Serial); !errors.Is(err, c.want) && (err != nil || c.want != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, p := range map[string]Params{
		"no vector":         {0, 1000, 4, 16, 1, 2, 20},
		"no bound":          {12, 0, 4, 16, 1, 2, 20},
		"a bound too large": {12, 1<<26 + 1<<20, 4, 16, 1, 2, 20},
		"a huge bound":      {12, 1 << 63, 4, 16, 1, 2, 20},
		"no proofs":         {12, 1000, 4, 16, 1, 0, 20},
		"no tests":          {12, 1000, 4, 16, 1, 2, 0},
		"no chunk":          {12, 1000, 0, 16, 1, 2, 20},
	} {
		if _, err := NewNorm(p); !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	along := vector(3, -4)
	for name, g := range map[string]Gate{
		"a short direction":                  {along[1:], 0, 1},
		"nothing between its ends":           {along, 1, 1},
		"ends changed over":                  {along, 1, 0},
		"a low end too low":                  {along, -1 << 62, 0},
		"a high end too high":                {along, 0, 1 << 62},
		"a direction too long":               {vector(1<<36, 1<<36), 0, 1},
		"a direction and a bound too long":   {vector(1<<37, 1<<30), 0, 1},
		"a direction of the smallest number": {vector(-1 << 63), 0, 1},
	} {
		p := small
		p.Bound = 1 << 26
		if _, err := NewNorm(p, g); !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewNorm(small, make([]Gate, maxGates+1)...); !errors.Is(err, croft.ErrShape) {
		t.Error("many gates:", err)
	}
	gated, err := NewNorm(small, Gate{along, 0, 25}, Gate{along, -25, 24})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x    []int64
		want error
	}{{vector(4, -3), nil}, {vector(3, -4), croft.ErrProof}, {vector(-4, 3), croft.ErrProof}} {
		if _, err := gated.Claim(c.x, Serial); !errors.Is(err, c.want) {
			t.Errorf("through the gates: %v, want %v", err, c.want)
		}
	}
	if _, err := NewNorm(Params{12, 1 << 26, 4, 16, 1, 2, 20}); err != nil {
		t.Error("the bound of package tensor:", err)
	}
}

// Over Shamir shares any t+1 seats decide alike, nothing depends on how the work
// is divided, and a wrong verifier share does not lie on the polynomial.
func TestNormOverShamirShares(t *testing.T) {
	const seats, threshold = 5, 2
	n, err := NewNorm(Params{Length: 300, Bound: 1 << 20, NormChunk: 20, Chunk: 60, NormProofs: 2, Proofs: 2, Tests: 100})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]int64, 300)
	for k := range x {
		x[k] = int64(r.IntN(1<<16) - 1<<15)
	}
	backwards := Workers(func(n int, task func(int)) {
		for i := n - 1; i >= 0; i-- {
			task(i)
		}
	})
	deal := func(secret []uint64) [seats][]uint64 {
		var shares [seats][]uint64
		coefficients := make([][]uint64, threshold)
		for j := range coefficients {
			coefficients[j] = make([]uint64, len(secret))
			newXOF("deal", r.Int()).Next(coefficients[j])
		}
		for i := range shares {
			shares[i] = append([]uint64(nil), secret...)
			power := uint64(1)
			for _, c := range coefficients {
				power = Mul(power, uint64(i+1))
				for k, v := range c {
					shares[i][k] = Add(shares[i][k], Mul(power, v))
				}
			}
		}
		return shares
	}
	c, err := n.Claim(x, Serial)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Test(newXOF("coins", 1), Serial); err != nil {
		t.Fatal(err)
	}
	proof := c.Prove(newXOF("prove", 1), newXOF("joint", 1), Serial)
	again := c.Prove(newXOF("prove", 1), newXOF("joint", 1), backwards)
	for k := range proof {
		if proof[k] != again[k] {
			t.Fatal("the proof depends on the order of its tasks")
		}
	}
	vector := make([]uint64, len(x))
	n.f.residues(vector, x)
	vectors, digits, proofs := deal(vector), deal(c.Digits()), deal(proof)
	q := n.At(newXOF("points", 1))
	var verifiers [seats][]uint64
	for i := range verifiers {
		run := Workers(Serial)
		if i%2 == 1 {
			run = backwards
		}
		s, err := n.Share(vectors[i], digits[i], newXOF("coins", 1), run)
		if err != nil {
			t.Fatal(err)
		}
		if verifiers[i], err = s.Query(q, proofs[i], newXOF("joint", 1), run); err != nil {
			t.Fatal(err)
		}
	}
	open := func(seats ...int) []uint64 {
		out := make([]uint64, n.VerifierLen())
		for _, i := range seats {
			c := uint64(1)
			for _, j := range seats {
				if i != j {
					c = Mul(c, Mul(uint64(j+1), Inv(Sub(uint64(j+1), uint64(i+1)))))
				}
			}
			for k, v := range verifiers[i] {
				out[k] = Add(out[k], Mul(c, v))
			}
		}
		return out
	}
	first := open(0, 1, 2)
	for _, some := range [][]int{{0, 1, 2}, {2, 3, 4}, {0, 2, 4}, {1, 3, 4}, {0, 1, 2, 3, 4}} {
		message := open(some...)
		if !n.Decide(message) {
			t.Errorf("seats %v refuse an honest claim", some)
		}
		for k := range message {
			if message[k] != first[k] {
				t.Fatalf("seats %v see another message", some)
			}
		}
	}
	if n.Decide(first[1:]) {
		t.Error("a message of the wrong length was accepted")
	}
	verifiers[1][7]++
	if n.Decide(open(0, 1, 2)) {
		t.Error("a lie was accepted")
	}
	if !n.Decide(open(0, 2, 3)) {
		t.Error("those who do not lie are not enough")
	}
	if _, err := n.Share(vectors[0][1:], digits[0], newXOF("coins", 1), Serial); !errors.Is(err, croft.ErrShape) {
		t.Error(err)
	}
	s, _ := n.Share(vectors[0], digits[0], newXOF("coins", 2), Serial)
	if _, err := s.Query(q, proofs[0][1:], newXOF("joint", 1), Serial); !errors.Is(err, croft.ErrShape) {
		t.Error(err)
	}
}

// Vectors of which the squares add up to a little more than p pass a test by luck only,
// whatever their numbers: with the largest bound, for which W is nearest to the root of p.
func TestShortVectorsThatWrapAround(t *testing.T) {
	const length = 1 << 12
	n, err := newNorm(field64{}, Modulus, Params{Length: length, Bound: 1 << 26, NormChunk: 64, Chunk: 16, NormProofs: 1, Proofs: 1, Tests: 100}, nil, newNibbles)
	if err != nil {
		t.Fatal(err)
	}
	for log := range 7 { // 4^log numbers of 2^(32 − log)
		x := make([]uint64, length)
		for i := range 1 << (2 * log) {
			x[i] = 1 << (32 - log)
		}
		if v := n.f.dot(x, x); v > n.bound*n.bound {
			t.Fatalf("%d of 2^%d: the squares add up to %d", 1<<(2*log), 32-log, v)
		}
		passed := 0
		for i, product := range wrapTests(n.f, newXOF("coins", log), shareOf(x), length, n.tests, Serial) {
			digits := make([]uint64, n.digits())
			products := make([]uint64, n.tests)
			if products[i] = product; n.putWrap(digits, products) == nil {
				passed++
			}
		}
		t.Logf("%d of 2^%d: %d of %d tests", 1<<(2*log), 32-log, passed, n.tests)
		if passed > 70 { // four deviations above a half
			t.Errorf("%d of 2^%d pass %d of %d tests", 1<<(2*log), 32-log, passed, n.tests)
		}
	}
}
