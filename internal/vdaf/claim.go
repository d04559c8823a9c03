package vdaf

import (
	"fmt"

	"croft"
)

// A Norm proves and checks that the Euclidean norm of a vector is at most a bound,
// and its products with public directions are within theirs, over any linear sharing:
// additive as in NewPine, or Shamir's, where the share of a public constant is the
// constant. It is for the second that this type is exported: the caller brings the
// sharing and the randomness, Norm the proof.
//
//	holder of the vector             holder of a share
//	Claim    digits of the norm
//	Test     digits of the tests     Share    the same of shares
//	Prove                            Query    the share of the verifier message
//	                                 Decide   from the message itself
type Norm struct{ *norm[uint64] }

// NewNorm returns the Norm over Field64 with these parameters. ErrShape: one of
// them is out of range, or the field is too small for the bound or a gate.
func NewNorm(p Params, gates ...Gate) (*Norm, error) {
	n, err := newNorm(field64{}, Modulus, p, gates, newNibbles)
	if err != nil {
		return nil, err
	}
	return &Norm{n}, nil
}

// EarlyDigits returns how many digits Claim makes: those that come before the
// tests.
func (n *Norm) EarlyDigits() int { return n.early() }

// Digits returns how many digits there are with those of the tests.
func (n *Norm) Digits() int { return n.digits() }

// ProofLen returns the length of a proof in elements.
func (n *Norm) ProofLen() int { return n.proofLen() }

// VerifierLen returns the length of a verifier message in elements.
func (n *Norm) VerifierLen() int { return n.verifierLen() }

// A Claim is a vector, or a share of one, with what is said of it.
type Claim struct {
	norm *norm[uint64]
	claim[uint64]
}

// Claim begins a claim about a vector, which it keeps and must not change. The
// randomness of the tests must depend on shares of it and of the first digits.
// ErrProof: its norm is above the bound, or it does not pass a gate.
func (n *Norm) Claim(x []int64, run Workers) (*Claim, error) {
	if len(x) != n.length {
		return nil, croft.E(croft.ErrShape, "the vector", len(x), n.length)
	}
	digits := make([]uint64, n.digits())
	if err := n.putNorm(digits, x); err != nil {
		return nil, err
	}
	c := claim[uint64]{vector: integers(n.f, x), digits: digits, one: 1}
	c.along = n.along(c.vector, run)
	if err := n.putGates(digits, c.along); err != nil {
		return nil, err
	}
	return &Claim{n.norm, c}, nil
}

// Test makes the wraparound tests with these coins and adds their digits.
// ErrProof: a test failed, which happens to one honest vector in 10^21 and is
// cured by other coins.
func (c *Claim) Test(coins *XOF, run Workers) error {
	c.products = wrapTests(c.norm.f, coins, c.vector, c.norm.length, c.norm.tests, run)
	return c.norm.putWrap(c.digits, c.products)
}

// Digits returns what is shared along with the vector.
func (c *Claim) Digits() []uint64 { return c.digits }

// Prove returns the proof, to be shared too. joint must depend on shares of the
// vector and of all digits; rand is the prover's own.
func (c *Claim) Prove(rand, joint *XOF, run Workers) []uint64 {
	rands, joints := make([]uint64, c.norm.proveRand()), make([]uint64, c.norm.jointRand())
	rand.Next(rands)
	joint.Next(joints)
	proof := make([]uint64, c.norm.proofLen())
	c.norm.prove(c.claim, rands, joints, proof, run)
	return proof
}

// Share returns the claim about a share of a vector and of its digits, which it
// keeps. In this sharing a public constant must be its own share.
func (n *Norm) Share(vector, digits []uint64, coins *XOF, run Workers) (*Claim, error) {
	if len(vector) != n.length || len(digits) != n.digits() {
		return nil, croft.E(croft.ErrShape, "a share", fmt.Sprintf("%d + %d", len(vector), len(digits)), fmt.Sprintf("%d + %d", n.length, n.digits()))
	}
	c := claim[uint64]{vector: shareOf(vector), digits: digits, one: 1}
	c.products = wrapTests(n.f, coins, c.vector, n.length, n.tests, run)
	c.along = n.along(c.vector, run)
	return &Claim{n.norm, c}, nil
}

// A Query is where proofs are asked: random, not known to the holders of vectors
// before their shares are fixed. One serves many proofs.
type Query struct{ *query[uint64] }

// At draws a query.
func (n *Norm) At(points *XOF) *Query {
	for {
		at := make([]uint64, n.points())
		points.Next(at)
		if q, ok := n.at(at); ok { // but for one in 2^50
			return &Query{q}
		}
	}
}

// Query returns the share of the verifier message: the same linear function of
// the shares for all who hold one, so it can be interpolated, and a wrong one
// located, as the shares themselves.
func (c *Claim) Query(q *Query, proof []uint64, joint *XOF, run Workers) ([]uint64, error) {
	if len(proof) != c.norm.proofLen() {
		return nil, croft.E(croft.ErrShape, "a proof", len(proof), c.norm.proofLen())
	}
	joints := make([]uint64, c.norm.jointRand())
	joint.Next(joints)
	verifier := make([]uint64, c.norm.verifierLen())
	c.norm.query(c.claim, q.query, joints, proof, verifier, run)
	return verifier, nil
}

// Decide tells from the verifier message whether the claim holds.
func (n *Norm) Decide(verifier []uint64) bool {
	return len(verifier) == n.verifierLen() && n.decide(verifier)
}
