package vdaf

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"croft"
)

// Prio3 (draft-irtf-cfrg-vdaf-20) is here to hold the proof system, its streams and its
// fields against the vectors of others: no report of ours is of it.

// NewCount returns Prio3Count: how many of the clients say yes.
func NewCount(aggregators int, application []byte) (VDAF[bool, uint64], error) {
	return newPrio3(countKind(), nil, field64{}, aggregators, application)
}

// NewSum returns Prio3Sum: the sum of numbers from 0 to largest, below 2^63.
func NewSum(aggregators int, application []byte, largest uint64) (VDAF[uint64, uint64], error) {
	k, err := sumKind(largest)
	return newPrio3(k, err, field64{}, aggregators, application)
}

// NewSumVec returns Prio3SumVec: the sum of vectors of so many numbers from 0 to
// largest. The proof is shortest with a chunk near the square root of the digits.
func NewSumVec(aggregators int, application []byte, length int, largest uint64, chunk int) (VDAF[[]uint64, []uint64], error) {
	k, err := sumVecKind(field128{}, 3, 1, length, largest, chunk)
	return newPrio3(k, err, field128{}, aggregators, application)
}

// NewHistogram returns Prio3Histogram: how many clients are in each bucket.
func NewHistogram(aggregators int, application []byte, buckets, chunk int) (VDAF[int, []uint64], error) {
	k, err := histogramKind(buckets, chunk)
	return newPrio3(k, err, field128{}, aggregators, application)
}

// NewMultihot returns Prio3MultihotCountVec: how many clients say yes to each of
// length questions; none says yes to more than most.
func NewMultihot(aggregators int, application []byte, length int, most uint64, chunk int) (VDAF[[]bool, []uint64], error) {
	k, err := multihotKind(length, most, chunk)
	return newPrio3(k, err, field128{}, aggregators, application)
}

type prio3[M, R any, E comparable] struct {
	*kind[M, R, E]
	f           field[E]
	version     byte // of the draft, in every domain
	aggregators int
	application []byte
}

func newPrio3[M, R any, E comparable](k *kind[M, R, E], err error, f field[E], aggregators int, application []byte) (VDAF[M, R], error) {
	if err != nil {
		return nil, err
	}
	if aggregators < 2 || aggregators > 255 {
		return nil, croft.E(croft.ErrShape, "the list of aggregators", aggregators, "2 to 255")
	}
	if len(application) > 1<<16-9 {
		return nil, croft.E(croft.ErrShape, "the application's name", len(application), fmt.Sprintf("0 to %d", 1<<16-9))
	}
	return &prio3[M, R, E]{k, f, prio3Version, aggregators, application}, nil
}

// prio3Version is in every domain: that of the last draft which changed a byte.
const prio3Version = 18

func (p *prio3[M, R, E]) xof(seed *Seed, use uint16, binder ...[]byte) xof {
	domain := binary.BigEndian.AppendUint32([]byte{p.version, 0}, p.id)
	domain = append(binary.BigEndian.AppendUint16(domain, use), p.application...)
	x := newTurboShake(seed[:], domain)
	for _, b := range binder {
		x.Write(b)
	}
	return x
}

func (p *prio3[M, R, E]) vector(n int, x xof) []E {
	out := make([]E, n)
	expand(p.f, x, out)
	return out
}

func (p *prio3[M, R, E]) RandSize() int {
	if p.joint > 0 {
		return 2 * p.aggregators * SeedSize
	}
	return p.aggregators * SeedSize
}

func (p *prio3[M, R, E]) Shard(measurement M, nonce [16]byte, rand []byte) (public []byte, shares [][]byte, err error) {
	if len(rand) != p.RandSize() {
		return nil, nil, croft.E(croft.ErrShape, "the randomness", len(rand), p.RandSize())
	}
	meas, err := p.encode(measurement)
	if err != nil {
		return nil, nil, err
	}
	next := func() *Seed {
		s := Seed(rand)
		rand = rand[SeedSize:]
		return &s
	}
	seeds, blinds := make([]*Seed, p.aggregators), make([]*Seed, p.aggregators)
	for i := 1; i < p.aggregators; i++ {
		if seeds[i] = next(); p.joint > 0 {
			blinds[i] = next()
		}
	}
	if p.joint > 0 {
		blinds[0] = next()
	}
	prove := next()

	leader := append([]E(nil), meas...)
	parts := make([]Seed, p.aggregators)
	for i := 1; i < p.aggregators; i++ {
		share := p.measurementShare(seeds[i], i)
		p.f.subFrom(leader, share)
		if p.joint > 0 {
			parts[i] = p.part(blinds[i], i, nonce, share)
		}
	}
	var joint []E
	if p.joint > 0 {
		parts[0] = p.part(blinds[0], 0, nonce, leader)
		joint = p.jointRand(p.jointSeed(parts))
	}

	one, n := p.f.of(1), p.proof.proveRand()
	rands := p.vector(p.proofs*n, p.xof(prove, useProveRand, []byte{byte(p.proofs)}))
	proofs := make([]E, p.proofs*p.proof.proofLen())
	for i := range p.proofs {
		s := p.state(meas, joint[i*p.joint:(i+1)*p.joint], one)
		p.proof.prove(s, rands[i*n:(i+1)*n], proofs[i*p.proof.proofLen():], Serial)
	}
	for i := 1; i < p.aggregators; i++ {
		p.f.subFrom(proofs, p.proofShare(seeds[i], i))
	}

	shares = append(shares, encodeAll(p.f, leader, proofs))
	for _, s := range seeds[1:] {
		shares = append(shares, s[:])
	}
	if p.joint > 0 {
		for i, b := range blinds {
			shares[i] = append(shares[i][:len(shares[i]):len(shares[i])], b[:]...)
			public = append(public, parts[i][:]...)
		}
	}
	return public, shares, nil
}

func (p *prio3[M, R, E]) measurementShare(s *Seed, aggregator int) []E {
	return p.vector(p.measLen, p.xof(s, useMeasurement, []byte{byte(aggregator)}))
}

func (p *prio3[M, R, E]) proofShare(s *Seed, aggregator int) []E {
	return p.vector(p.proofs*p.proof.proofLen(), p.xof(s, useProof, []byte{byte(p.proofs), byte(aggregator)}))
}

// part is an aggregator's contribution to the joint randomness: it depends on all
// of its share, so a client cannot choose the one after it saw the other.
func (p *prio3[M, R, E]) part(blind *Seed, aggregator int, nonce [16]byte, share []E) (s Seed) {
	p.xof(blind, useJointPart, []byte{byte(aggregator)}, nonce[:], encodeAll(p.f, share)).next(s[:])
	return s
}

func (p *prio3[M, R, E]) jointSeed(parts []Seed) *Seed {
	var s Seed
	x := p.xof(new(Seed), useJointSeed)
	for _, part := range parts {
		x.Write(part[:])
	}
	x.next(s[:])
	return &s
}

func (p *prio3[M, R, E]) jointRand(s *Seed) []E {
	return p.vector(p.proofs*p.joint, p.xof(s, useJointRand, []byte{byte(p.proofs)}))
}

func (p *prio3[M, R, E]) VerifyInit(key *Seed, aggregator int, nonce [16]byte, public, share []byte) (*Verifying, []byte, error) {
	if aggregator < 0 || aggregator >= p.aggregators {
		return nil, nil, croft.E(croft.ErrShape, "the aggregator's number", aggregator, fmt.Sprintf("0 to %d", p.aggregators-1))
	}
	var blind *Seed
	if p.joint > 0 {
		if len(public) != p.aggregators*SeedSize {
			return nil, nil, croft.E(croft.ErrShape, "the public share", len(public), p.aggregators*SeedSize)
		}
		if len(share) < SeedSize {
			return nil, nil, croft.E(croft.ErrShape, "a share", len(share), "more")
		}
		b := Seed(share[len(share)-SeedSize:])
		blind, share = &b, share[:len(share)-SeedSize]
	} else if len(public) != 0 {
		return nil, nil, croft.E(croft.ErrShape, "the public share", len(public), 0)
	}

	var meas, proofs []E
	if aggregator == 0 {
		all, err := decodeAll(p.f, share, p.measLen+p.proofs*p.proof.proofLen())
		if err != nil {
			return nil, nil, err
		}
		meas, proofs = all[:p.measLen], all[p.measLen:]
	} else {
		if len(share) != SeedSize {
			return nil, nil, croft.E(croft.ErrShape, "a share", len(share), SeedSize)
		}
		s := Seed(share)
		meas, proofs = p.measurementShare(&s, aggregator), p.proofShare(&s, aggregator)
	}

	v := &Verifying{out: encodeAll(p.f, p.truncate(meas))}
	var joint []E
	var part Seed
	if p.joint > 0 {
		parts := make([]Seed, p.aggregators)
		for i := range parts {
			parts[i] = Seed(public[i*SeedSize:])
		}
		part = p.part(blind, aggregator, nonce, meas)
		parts[aggregator] = part
		seed := p.jointSeed(parts)
		v.message = seed[:]
		joint = p.jointRand(seed)
	}

	n := p.proof.queryRand()
	rands := p.vector(p.proofs*n, p.xof(key, useQueryRand, []byte{byte(p.proofs)}, nonce[:]))
	verifier := make([]E, p.proofs*p.proof.verifier())
	one := p.f.inv(p.f.of(uint64(p.aggregators)))
	for i := range p.proofs {
		rand := rands[i*n : (i+1)*n]
		at, ok := p.proof.at(rand[n-1])
		if !ok {
			return nil, nil, croft.E(croft.ErrProof, "it was asked at a point that would show it")
		}
		s := p.state(meas, joint[i*p.joint:(i+1)*p.joint], one)
		p.proof.query(s, at, proofs[i*p.proof.proofLen():], rand[:n-1], verifier[i*p.proof.verifier():(i+1)*p.proof.verifier()], Serial)
	}
	out := encodeAll(p.f, verifier)
	if p.joint > 0 {
		out = append(out, part[:]...)
	}
	return v, out, nil
}

func (p *prio3[M, R, E]) Message(verifierShares [][]byte) ([]byte, error) {
	if len(verifierShares) != p.aggregators {
		return nil, croft.E(croft.ErrShape, "the list of verifier shares", len(verifierShares), p.aggregators)
	}
	n := p.proof.verifier()
	sum := make([]E, p.proofs*n)
	parts := make([]Seed, p.aggregators)
	for i, share := range verifierShares {
		if p.joint > 0 {
			if len(share) < SeedSize {
				return nil, croft.E(croft.ErrShape, "a verifier share", len(share), "more")
			}
			parts[i] = Seed(share[len(share)-SeedSize:])
			share = share[:len(share)-SeedSize]
		}
		v, err := decodeAll(p.f, share, len(sum))
		if err != nil {
			return nil, err
		}
		p.f.addTo(sum, v)
	}
	for ; len(sum) > 0; sum = sum[n:] {
		if !p.proof.decide(sum[:n]) {
			return nil, croft.E(croft.ErrProof, "the measurement is not valid")
		}
	}
	if p.joint > 0 {
		s := p.jointSeed(parts)
		return s[:], nil
	}
	return nil, nil
}

func (p *prio3[M, R, E]) VerifyNext(v *Verifying, message []byte) ([]byte, error) {
	return v.accept(message)
}

func (p *prio3[M, R, E]) Aggregate(shares ...[]byte) ([]byte, error) {
	sum, err := addShares(p.f, p.outLen, shares)
	return encodeAll(p.f, sum), err
}

func (p *prio3[M, R, E]) Unshard(sums ...[]byte) (result R, err error) {
	if len(sums) != p.aggregators {
		return result, croft.E(croft.ErrShape, "the list of sums", len(sums), p.aggregators)
	}
	sum, err := addShares(p.f, p.outLen, sums)
	if err != nil {
		return result, err
	}
	return p.decode(sum), nil
}

// A prio3Proof is the proof system as Prio3 has it: circuits with several outputs, all
// zero for a valid measurement, and, from VDAF-18 on, proofs that hold the polynomial's
// values at the first roots of unity in place of its coefficients.
type prio3Proof[E comparable] struct {
	*flp[E]
	eval   int // outputs
	values bool
}

func (p prio3Proof[E]) queryRand() int {
	if p.eval > 1 {
		return p.eval + 1
	}
	return 1
}

func (p prio3Proof[E]) prove(s statement[E], rand, proof []E, run Workers) {
	p.flp.prove(s, rand, proof, run)
	if !p.values {
		return
	}
	poly := make([]E, p.n)
	copy(poly, proof[p.g.arity():p.proofLen()])
	reverse(poly)
	p.f.dit(poly, roots(p.f, bits.Len(uint(p.n))-1, false))
	copy(proof[p.g.arity():p.proofLen()], poly)
}

// query weighs the outputs by reduce, if there are several.
func (p prio3Proof[E]) query(s statement[E], q *point[E], proof, reduce, verifier []E, run Workers) {
	if arity := p.g.arity(); p.values {
		poly := p.form(slices.Clone(extend(p.f, proof[arity:p.proofLen()], p.n)))
		proof = slices.Concat(proof[:arity], poly)
	}
	p.flp.query(reduced[E]{s, p.f, reduce[:min(p.eval, len(reduce))]}, q, proof, verifier, run)
}

// reduced is a statement with one output for several.
type reduced[E comparable] struct {
	statement[E]
	f       field[E]
	weights []E // none: it has one
}

func (r reduced[E]) outputs(gadget []E) []E {
	out := r.statement.outputs(gadget)
	if len(out) == 1 {
		return out
	}
	return []E{r.f.dot(out, r.weights)}
}

// extend returns the values at all n-th roots of unity of the polynomial of
// degree below len(known) that has the known values at the first of them. With
// points x_0 … x_m on a polynomial of degree below m, Σ v_i / Π_{j≠i}(x_i − x_j) = 0
// gives v_m from the others.
func extend[E comparable](f field[E], known []E, n int) []E {
	m := len(known)
	if m == n {
		return known
	}
	values := make([]E, n)
	copy(values, known)
	x := powers(f, f.of(1), f.root(bits.Len(uint(n))-1), n)
	if m == n-1 { // then the products are n·x_i^(n−1): the sum is Σ v_i·x_i
		last := neg(f, f.dot(known, x))
		values[m] = f.mul(last, x[1]) // 1/x_(n−1) = x_1
		return values
	}
	weights := make([]E, m) // of the known points among themselves
	for i := range weights {
		weights[i] = f.of(1)
		for j := range m {
			if j != i {
				weights[i] = f.mul(weights[i], f.sub(x[i], x[j]))
			}
		}
		weights[i] = f.inv(weights[i])
	}
	for at := m; at < n; at++ {
		sum, own := f.of(0), f.of(1)
		for i, w := range weights {
			d := f.sub(x[at], x[i])
			sum = f.add(sum, f.mul(values[i], f.mul(w, f.inv(d))))
			own = f.mul(own, d)
		}
		values[at] = f.mul(sum, own)
	}
	return values
}
