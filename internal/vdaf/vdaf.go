package vdaf

import (
	"crypto/subtle"
	"fmt"

	"croft"
)

// A VDAF is a verifiable distributed aggregation function (draft-irtf-cfrg-vdaf-20):
// a client splits its
// measurement among the aggregators of an application with a proof that it is
// valid; they check the proof together and add up what they hold. M is what a
// client measures and R the sum of measurements.
//
// Shares and messages are bytes as the draft defines them. Each is refused unless
// it has exactly its length and holds elements of the field: ErrShape, ErrEncoding.
type VDAF[M, R any] interface {
	// Shard splits a measurement. rand holds RandSize uniform bytes that are used
	// once; the nonce too is used once and is public.
	Shard(measurement M, nonce [16]byte, rand []byte) (public []byte, shares [][]byte, err error)
	RandSize() int
	// VerifyInit checks one aggregator's share as far as it can alone. All
	// aggregators have the verification key; clients must not know it when they
	// shard.
	VerifyInit(key *Seed, aggregator int, nonce [16]byte, public, share []byte) (*Verifying, []byte, error)
	// Message adds up the verifier shares of all aggregators, in order. ErrProof: the
	// measurement is not valid, or an aggregator lies.
	Message(verifierShares [][]byte) ([]byte, error)
	// VerifyNext accepts the share, if the message is about what this aggregator saw,
	// and returns what Aggregate adds.
	VerifyNext(v *Verifying, message []byte) ([]byte, error)
	Aggregate(shares ...[]byte) ([]byte, error)
	// Unshard adds up the aggregators' sums.
	Unshard(sums ...[]byte) (R, error)
}

// Verifying is what an aggregator keeps of a report between the two steps of its
// check.
type Verifying struct {
	out     []byte
	message []byte // what all must say: the seeds of the joint randomness, as this aggregator saw them
}

func (v *Verifying) accept(message []byte) ([]byte, error) {
	if subtle.ConstantTimeCompare(message, v.message) != 1 {
		return nil, croft.E(croft.ErrProof, "the aggregators do not see the same report")
	}
	return v.out, nil
}

// addShares adds encoded vectors of n elements.
func addShares[E comparable](f field[E], n int, shares [][]byte) ([]E, error) {
	sum := make([]E, n)
	for _, s := range shares {
		v, err := decodeAll(f, s, n)
		if err != nil {
			return nil, err
		}
		f.addTo(sum, v)
	}
	return sum, nil
}

func encodeAll[E comparable](f field[E], vectors ...[]E) []byte {
	n := 0
	for _, v := range vectors {
		n += len(v)
	}
	out := make([]byte, n*f.size())
	rest := out
	for _, v := range vectors {
		f.encode(rest, v)
		rest = rest[len(v)*f.size():]
	}
	return out
}

// decodeAll reads exactly n elements.
func decodeAll[E comparable](f field[E], data []byte, n int) ([]E, error) {
	if len(data) != n*f.size() {
		return nil, croft.E(croft.ErrShape, "a share", fmt.Sprintf("%d bytes, so %d", len(data), len(data)/f.size()), n)
	}
	out := make([]E, n)
	if f.decode(out, data) != n {
		return nil, croft.E(croft.ErrEncoding, "share", "an element is not below the field's prime")
	}
	return out, nil
}
