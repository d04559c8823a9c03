package privagg

import (
	"crypto/sha256"
	"fmt"
	"io"

	"croft"
	"croft/internal/vdaf"
)

// PINE-t: the proof of PINE over our shares. Where a context has a bound, a report
// carries behind the vector the digits and the proof that package vdaf makes of its
// norm, masked by the same streams. Each seat turns its parts into Shamir shares of
// all of it and asks the proof, which is linear, at the same random point: the
// answers are Shamir shares of one verifier message. So t+1 of them decide, one
// more shows that a seat lies, and two more show which.
//
// The coins of the wraparound tests and the joint randomness must depend on all
// shares of what they test, else a site would look for randomness that suits it.
// The streams are fixed by the commitments to their seeds. The blob's part is fixed
// by two tags in the head, made with its seed: a plain hash would let the t seats
// that lack this part test guesses of the vector. Those seats take the tags as
// given; whoever has the blob checks them.

// The uses of PINE, and the two tags.
const (
	usageJointRand = 3
	usageProveRand = 4
	usageQueryRand = 5
	usageTestsTag  = 7
	usageWrapRand  = 8
	usageVectorTag = 10
)

// norm returns the proof of a context's bound, nil if there is none.
func (c Context) norm() (*vdaf.Norm, error) {
	if c.Bound == 0 {
		return nil, nil
	}
	params, err := vdaf.Fit(int(c.Length), c.Bound)
	if err != nil {
		return nil, err
	}
	return vdaf.NewNorm(params)
}

// elements is how many numbers are shared in a report.
func (c Context) elements(n *vdaf.Norm) int {
	if n == nil {
		return int(c.Length)
	}
	return int(c.Length) + n.Digits() + n.ProofLen()
}

// prove fills the blob with the vector, its digits and its proof, all masked by the
// streams, and the head with the tags.
func (c Context) prove(n *vdaf.Norm, vector []int64, blob []byte, streams []*vdaf.XOF, head *wireHead, star *seed, rand io.Reader, run vdaf.Workers) error {
	claim, err := n.Claim(vector)
	if err != nil {
		return err
	}
	var own seed
	if _, err := io.ReadFull(rand, own[:]); err != nil {
		return fmt.Errorf("draw a seed: %w", err)
	}
	hash, T := croft.HashOf(c), c.Profile.parts()[c.star()]
	early, late := 8*(len(vector)+n.EarlyDigits()), 8*(len(vector)+n.Digits())
	mask(blob[:early], residues(vector, claim.Digits()), streams, run)
	head.Vector = tag(hash, T, star, usageVectorTag, blob[:early])
	if err := claim.Test(head.random(hash, usageWrapRand), run); err != nil {
		return err
	}
	mask(blob[early:late], residues(nil, claim.Digits()[n.EarlyDigits():]), streams, run)
	head.Tests = tag(hash, T, star, usageTestsTag, blob[early:late])
	prover := vdaf.NewXOF(&own, domain(algorithm, usageProveRand), hash[:])
	mask(blob[late:], residues(nil, claim.Prove(prover, head.random(hash, usageJointRand), run)), streams, run)
	return nil
}

// tag fixes a piece of the blob's part without telling anything of it to those
// who lack its seed.
func tag(context croft.Hash, T part, s *seed, usage uint16, piece []byte) croft.Hash {
	x := vdaf.NewXOF(s, domain(algorithm, usage), binder(context, T))
	x.Write(piece)
	return croft.Hash(x.Seed())
}

// random returns public randomness that depends on all that was fixed before: the
// commitments and the vector's tag for the coins, and the tests' tag for the rest.
func (w *wireHead) random(context croft.Hash, usage uint16) *vdaf.XOF {
	data := croft.Encode(wireHead{Version: w.Version, Commits: w.Commits, Vector: w.Vector, Tests: w.Tests})
	s := seed(sha256.Sum256(append(context[:len(context):len(context)], data...)))
	return vdaf.NewXOF(&s, domain(algorithm, usage), nil)
}

// points is where all proofs of a round are asked, from its verification key.
func (c Context) points(key croft.Hash) *vdaf.XOF {
	c.Site, c.Bound = croft.MemberID{}, 0
	hash, s := croft.HashOf(c), seed(key)
	return vdaf.NewXOF(&s, domain(algorithm, usageQueryRand), hash[:])
}

// Verify returns the seat's share of the site's vector, as Share does, and its
// share of the verifier message of the proof, to be sent to all seats. key is the
// round's verification key: the same for all seats, and not known to any site
// before its report was fixed. ErrProof: the report's parts do not fit together,
// so this seat must not add it.
func (h *Hand) Verify(blob []byte, key croft.Hash, run vdaf.Workers) (share, verifier []uint64, err error) {
	c, n := h.head.context, h.head.norm
	if n == nil {
		return nil, nil, croft.E(croft.ErrProof, "the round has no bound to prove")
	}
	masked, err := h.open(blob, run)
	if err != nil {
		return nil, nil, err
	}
	wire, early, late := &h.head.wire, int(c.Length)+n.EarlyDigits(), int(c.Length)+n.Digits()
	fits, all := true, []uint64(nil)
	run(2, func(task int) {
		if task == 1 {
			all = h.convert(masked, run)
		} else if masked != nil {
			T := h.head.parts[c.star()]
			fits = tag(h.head.hash, T, h.seeds[T], usageVectorTag, masked[:8*early]) == wire.Vector &&
				tag(h.head.hash, T, h.seeds[T], usageTestsTag, masked[8*early:8*late]) == wire.Tests
		}
	})
	if !fits {
		return nil, nil, croft.E(croft.ErrProof, "its randomness was not drawn from its shares")
	}
	share, digits, proof := all[:c.Length:c.Length], all[c.Length:late], all[late:]
	coins, joint := *wire, wire.random(h.head.hash, usageJointRand)
	coins.Tests = croft.Hash{} // not drawn yet when the coins were
	claim, err := n.Share(share, digits, coins.random(h.head.hash, usageWrapRand), run)
	if err != nil {
		return nil, nil, err
	}
	verifier, err = claim.Query(n.At(c.points(key)), proof, joint, run)
	return share, verifier, err
}

// Verdict is what the seats' answers say of a report.
type Verdict struct {
	Valid   bool  // its vector is within the bound
	Checked bool  // at least t+2 answers agree, so it is right unless more seats lie than Open's rule allows
	Liars   []int // seats whose answer does not belong, ascending
}

// Decide joins the seats' shares of a verifier message: verifiers[i] is seat i's,
// nil where there is none. With too few answers, or too many that do not fit, it
// fails as Open does.
func Decide(c Context, verifiers [][]uint64) (*Verdict, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	n, err := c.norm()
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, croft.E(croft.ErrProof, "the round has no bound to prove")
	}
	for _, v := range verifiers {
		if v != nil && len(v) != n.VerifierLen() {
			return nil, croft.E(croft.ErrShape, "a verifier share", len(v), n.VerifierLen())
		}
	}
	honest, liars, err := c.Profile.agree(verifiers)
	if err != nil {
		return nil, err
	}
	var message []uint64
	evaluate(honest[:c.Profile.Needed()], 0, verifiers, func(_ int, values []uint64) bool {
		message = append(message, values...)
		return true
	})
	return &Verdict{Valid: n.Decide(message), Checked: len(honest) > c.Profile.Needed(), Liars: liars}, nil
}
