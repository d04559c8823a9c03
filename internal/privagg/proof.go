package privagg

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

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
// The streams are fixed by the commitments to their seeds, the blob by the hashes of
// its first piece, of its first two and of all three. They tell nothing: the blob
// itself, masked by all streams, may be public. The t seats that do not fetch it
// take the hashes as given; whoever has it checks them.

// The uses of PINE.
const (
	usageJointRand = 3
	usageProveRand = 4
	usageQueryRand = 5
	usageWrapRand  = 8
)

// norm refuses a context that cannot be, and returns the proof of its bound, nil if
// there is none.
func (c Context) norm() (*vdaf.Norm, error) {
	if err := c.Profile.check(); err != nil {
		return nil, err
	}
	if c.Length < 1 || c.Length > MaxLength {
		return nil, croft.E(croft.ErrShape, "the vector", c.Length, fmt.Sprintf("1 to %d", MaxLength))
	}
	var gates []vdaf.Gate
	if c.Gates != nil {
		gates = c.Gates.list
	}
	if c.Bound == 0 {
		if gates != nil {
			return nil, croft.E(croft.ErrShape, "the list of gates of a round without a bound", len(gates), 0)
		}
		return nil, nil
	}
	params, err := vdaf.Fit(int(c.Length), c.Bound, gates...)
	if err != nil {
		return nil, err
	}
	return vdaf.NewNorm(params, gates...)
}

// Gates bound the products of each site's vector with public directions. In a
// context they stand as their hash: a direction is as long as the vector.
type Gates struct {
	list []vdaf.Gate
	hash croft.Hash
}

// NewGates returns these gates, whose directions must not change any more.
func NewGates(gates ...vdaf.Gate) *Gates {
	hash := sha256.New()
	put := func(v uint64) { hash.Write(binary.BigEndian.AppendUint64(nil, v)) }
	hash.Write([]byte("croft/privagg/gates/1"))
	put(uint64(len(gates)))
	for _, g := range gates {
		put(uint64(g.Low))
		put(uint64(g.High))
		put(uint64(len(g.Direction)))
		for _, v := range g.Direction {
			put(uint64(v))
		}
	}
	return &Gates{slices.Clone(gates), croft.Hash(hash.Sum(nil))}
}

// MarshalCBOR encodes the gates' hash.
func (g *Gates) MarshalCBOR() ([]byte, error) { return croft.Encode(g.hash), nil }

// elements is how many numbers are shared in a report.
func (c Context) elements(n *vdaf.Norm) int {
	if n == nil {
		return int(c.Length)
	}
	return int(c.Length) + n.Digits() + n.ProofLen()
}

// pieces returns where in the blob the vector with the digits of its norm ends, and
// where those of the tests.
func (c Context) pieces(n *vdaf.Norm) (early, late int) {
	return 8 * (int(c.Length) + n.EarlyDigits()), 8 * (int(c.Length) + n.Digits())
}

// prove fills the blob with the vector, its digits and its proof, all masked by the
// streams, and the head with the blob's hashes.
func (c Context) prove(n *vdaf.Norm, vector []int64, blob []byte, streams []*vdaf.XOF, head *wireHead, rand io.Reader, run vdaf.Workers) error {
	claim, err := n.Claim(vector, run)
	if err != nil {
		return err
	}
	var own seed
	if _, err := io.ReadFull(rand, own[:]); err != nil {
		return fmt.Errorf("draw a seed: %w", err)
	}
	context, hash := croft.HashOf(c), sha256.New()
	early, late := c.pieces(n)
	mask(blob[:early], residues(vector, claim.Digits()), streams, run)
	head.Vector = further(hash, blob[:early])
	if err := claim.Test(head.random(context, usageWrapRand), run); err != nil {
		return err
	}
	mask(blob[early:late], residues(nil, claim.Digits()[n.EarlyDigits():]), streams, run)
	head.Tests = further(hash, blob[early:late])
	prover := vdaf.NewXOF(&own, domain(usageProveRand), context[:])
	mask(blob[late:], residues(nil, claim.Prove(prover, head.random(context, usageJointRand), run)), streams, run)
	head.Blob = further(hash, blob[late:])
	return nil
}

// random returns public randomness that depends on all that was fixed before: the
// commitments and the first piece for the coins, and the second for the rest.
func (w *wireHead) random(context croft.Hash, usage uint16) *vdaf.XOF {
	data := croft.Encode(wireHead{Version: w.Version, Commits: w.Commits, Vector: w.Vector, Tests: w.Tests})
	s := seed(sha256.Sum256(append(context[:len(context):len(context)], data...)))
	return vdaf.NewXOF(&s, domain(usage), nil)
}

// points is where all proofs of a round are asked, from its verification key.
func (c Context) points(key croft.Hash) *vdaf.XOF {
	c.Site, c.Bound = croft.MemberID{}, 0
	hash, s := croft.HashOf(c), seed(key)
	return vdaf.NewXOF(&s, domain(usageQueryRand), hash[:])
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
	all, err := h.convert(blob, run)
	if err != nil {
		return nil, nil, err
	}
	wire, late := &h.head.wire, int(c.Length)+n.Digits()
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

// BlobSize returns how long the blob of a report in this context is.
func (c Context) BlobSize() (int, error) {
	n, err := c.norm()
	return 8 * c.elements(n), err
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
