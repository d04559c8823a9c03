package vdaf

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
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
	return []uint64{Sub(m.statement.outputs(gadget)[0], m.term)}
}

// Each constraint has a claim that breaks it and nothing else. The circuits refuse
// it, and accept it if that constraint is left out: so each is needed, and its
// test would notice.
func TestEachConstraintOfTheNormIsNeeded(t *testing.T) {
	gate := Gate{Direction: append([]int64{0, 0, 0, 1, 1}, make([]int64, small.Length-5)...), Low: -250, High: 1001}
	n, err := newNorm(field64{}, Modulus, small, []Gate{gate})
	if err != nil {
		t.Fatal(err)
	}
	f := n.f
	behind := n.early()
	integer := func(x ...int64) []uint64 {
		out := make([]uint64, small.Length)
		f.residues(out, x)
		return out
	}
	norm := func(digits []uint64, v, u uint64) {
		n.spread(digits[:n.normDigits], v)
		n.spread(digits[n.normDigits:2*n.normDigits], u)
	}
	square := n.bound * n.bound
	success := func(i int) int { return behind + i*(n.wrapDigits+1) + n.wrapDigits }

	for name, c := range map[string]struct {
		x      []uint64
		forge  func(t *testing.T, digits, products []uint64)
		breaks string
	}{
		"honest":             {integer(3, -4, 998), nil, ""},
		"at the bound":       {integer(600, -800), nil, ""},
		"above it by one":    {integer(600, -800, 1), func(t *testing.T, digits, _ []uint64) { norm(digits, square+1, 0) }, "range"},
		"norm denied by one": {integer(600, -800, 1), func(t *testing.T, digits, _ []uint64) { norm(digits, square, 0) }, "equality"},
		"a digit of everything": {integer(900, 900), func(t *testing.T, digits, _ []uint64) {
			norm(digits, 0, 0)
			digits[0], digits[n.normDigits] = 2*900*900, Sub(square, 2*900*900)
		}, "digits"},
		"at the gate's low end":  {integer(0, 0, 0, -250), nil, ""},
		"at the gate's high end": {integer(0, 0, 0, 501, 500), nil, ""},
		"below the gate by one": {integer(0, 0, 0, -251), func(t *testing.T, digits, _ []uint64) {
			norm(digits, 251*251, square-251*251)
		}, "gate"},
		"above the gate by one": {integer(0, 0, 0, 501, 501), func(t *testing.T, digits, _ []uint64) {
			norm(digits, 2*501*501, square-2*501*501)
			own := digits[2*n.normDigits : behind]
			for i := range own { // the largest that digits can say
				own[i] = 1
			}
		}, "gate"},
		"beyond the gate by a digit": {integer(0, 0, 0, 501, 501), func(t *testing.T, digits, _ []uint64) {
			norm(digits, 2*501*501, square-2*501*501)
			digits[2*n.normDigits] = 1002 + 250
		}, "digits"},
		"success twice": {wrapped(t, small.Length), func(t *testing.T, digits, products []uint64) {
			norm(digits, 9, square-9)
			for i := range products { // half a success for each, where none is
				digits[success(i)] = 0
			}
			digits[success(0)] = uint64(small.Tests)
			v := Add(products[0], n.wrap-1)
			clear(digits[behind:success(0)])
			digits[behind] = v
		}, "digits"},
		"wraparound, successes claimed": {wrapped(t, small.Length), func(t *testing.T, digits, products []uint64) {
			norm(digits, 9, square-9)
			for i := range products {
				n.spread(digits[success(i)-n.wrapDigits:success(i)], n.wrap-1)
				digits[success(i)] = 1
			}
		}, "products"},
		"wraparound, failures admitted": {wrapped(t, small.Length), func(t *testing.T, digits, _ []uint64) {
			norm(digits, 9, square-9)
		}, "successes"},
	} {
		t.Run(name, func(t *testing.T) {
			digits := make([]uint64, n.digits())
			products := wrapTests(f, newXOF("coins", 0), shareOf(c.x), n.length, n.tests, Serial)
			along := n.along(shareOf(c.x), Serial)
			if c.x[0] < 1<<32 || c.x[0] > 1<<63 { // not one of those that wrap around
				if err := n.putWrap(digits, products); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.putGates(digits, along); (err != nil) != strings.Contains(name, "the gate by") {
				t.Fatal(err)
			}
			if c.forge != nil {
				c.forge(t, digits, products)
			} else {
				var v uint64
				for _, x := range c.x {
					v = Add(v, Mul(x, x))
				}
				norm(digits, v, square-v)
			}
			claim := claim[uint64]{shareOf(c.x), digits, products, along, 1}
			joint := []uint64{11111, 22222, 33333}
			squares, checks := n.squares(claim), n.checks(claim, joint)
			if got := accepts(n.equality, squares); got != (c.breaks != "equality") {
				t.Errorf("the circuit of equality accepts: %v", got)
			}
			if got := accepts(n.rest, checks); got != (c.breaks == "" || c.breaks == "equality") {
				t.Errorf("the circuit of the rest accepts: %v", got)
			}

			// Without the constraint it passes.
			number := func(d []uint64) uint64 { return number(f, d) }
			v, u := number(digits[:n.normDigits]), number(digits[n.normDigits:2*n.normDigits])
			r1, r2, r3 := joint[0], joint[1], joint[2]
			m := mutant{statement: checks}
			switch c.breaks {
			case "equality":
				m.statement = squares
				m.term = v
				for _, x := range c.x {
					m.term = Sub(m.term, Mul(x, x))
				}
				if !accepts(n.equality, m) {
					t.Error("something else is broken too")
				}
				return
			case "range":
				m.term = Mul(r3, Sub(Add(v, u), square))
			case "digits":
				power := uint64(1)
				for _, b := range digits {
					m.term = Add(m.term, Mul(power, Mul(b, Sub(b, 1))))
					power = Mul(power, r1)
				}
			case "products":
				power := Mul(r3, r3)
				for i, product := range products {
					claimed := Sub(number(digits[success(i)-n.wrapDigits:success(i)]), n.wrap-1)
					m.term = Add(m.term, Mul(power, Mul(digits[success(i)], Sub(product, claimed))))
					power = Mul(power, r2)
				}
			case "gate":
				square := Mul(r3, r3)
				is := Add(Residue(gate.Low), getBits(f, n.spans[0], digits[2*n.normDigits:]))
				m.term = Mul(Mul(square, square), Sub(along[0], is))
			case "successes":
				m.term = Sub(0, uint64(small.Tests))
				for i := range products {
					m.term = Add(m.term, digits[success(i)])
				}
				m.term = Mul(Mul(r3, Mul(r3, r3)), m.term)
			}
			if !accepts(n.rest, m) {
				t.Error("something else is broken too")
			}
		})
	}
}

// accepts proves a statement as it stands and asks the proof.
func accepts(p *flp[uint64], s statement[uint64]) bool {
	rand, at := make([]uint64, p.proveRand()), make([]uint64, p.queryRand())
	newXOF("prove", 0).Next(rand)
	newXOF("query", 0).Next(at)
	proof, verifier := make([]uint64, p.proofLen()), make([]uint64, p.verifier())
	p.prove(s, rand, proof, Serial)
	q, _ := p.at(at[len(at)-1])
	p.query(s, q, proof, at[:len(at)-1], verifier, Serial)
	return p.decide(verifier)
}

// A prover may send any proof. Whatever it sends for a false statement is refused
// by one of the two checks of Decide, and each of the two is needed.
func TestDecideNeedsBothChecks(t *testing.T) {
	n, err := newNorm(field64{}, Modulus, small, nil)
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
	p.query(s, q, proof, nil, verifier, Serial)
	arity := p.g.arity()
	if p.decide(verifier) || verifier[0] == 0 || p.g.call(p.f, verifier[1:1+arity]) != verifier[1+arity] {
		t.Error("the output does not tell")
	}
	clear(proof[arity:]) // a polynomial that makes the output right: only the gadget tells
	p.query(s, q, proof, nil, verifier, Serial)
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
		"a bound too large": {12, 1<<31 + 1<<29, 4, 16, 1, 2, 20},
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
		"a direction too long":               {vector(1<<31, 1<<31), 0, 1},
		"a direction and a bound too long":   {vector(1<<31, 1<<30), 0, 1},
		"a direction of the smallest number": {vector(-1 << 63), 0, 1},
	} {
		p := small
		p.Bound = 1<<31 - 1
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
	if _, err := NewNorm(Params{12, 1<<31 - 1, 4, 16, 1, 2, 20}); err != nil {
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
