package vdaf

import (
	"encoding/binary"
	"fmt"

	"croft"
)

// NewPine returns Pine64HmacSha256Aes128 of draft-chen-cfrg-vdaf-pine-01: the sum
// of vectors of integers, each proved to have a Euclidean norm of at most a bound.
// A vector is what the floats of the draft are after they are made fixed-point.
func NewPine(aggregators int, p Params) (VDAF[[]int64, []int64], error) {
	return newPine(field64{}, Modulus, 0xffff1004, aggregators, p)
}

type pine[E comparable] struct {
	*norm[E]
	id          uint32
	aggregators int
}

func newPine[E comparable](f field[E], modulus uint64, id uint32, aggregators int, p Params) (VDAF[[]int64, []int64], error) {
	if aggregators < 2 || aggregators > 255 {
		return nil, croft.E(croft.ErrShape, "the list of aggregators", aggregators, "2 to 255")
	}
	n, err := newNorm(f, modulus, p, nil, newDraft)
	if err != nil {
		return nil, err
	}
	return &pine[E]{n, id, aggregators}, nil
}

const pineVersion = 1

func (p *pine[E]) xof(seed *Seed, use uint16, binder ...[]byte) *XOF {
	domain := binary.BigEndian.AppendUint32([]byte{pineVersion}, p.id)
	x := NewXOF(seed, binary.BigEndian.AppendUint16(domain, use), nil)
	for _, b := range binder {
		x.Write(b)
	}
	return x
}

func (p *pine[E]) vector(n int, x *XOF) []E {
	out := make([]E, n)
	expand(p.f, x, out)
	return out
}

func (p *pine[E]) counts() []byte { return []byte{byte(p.equalities), byte(p.others)} }

func (p *pine[E]) RandSize() int { return (4*p.aggregators - 1) * SeedSize }

func (p *pine[E]) Shard(x []int64, nonce [16]byte, rand []byte) (public []byte, shares [][]byte, err error) {
	if len(x) != p.length {
		return nil, nil, croft.E(croft.ErrShape, "the vector", len(x), p.length)
	}
	if len(rand) != p.RandSize() {
		return nil, nil, croft.E(croft.ErrShape, "the randomness", len(rand), p.RandSize())
	}
	next := func() (s Seed) {
		s, rand = Seed(rand), rand[SeedSize:]
		return s
	}
	type hand struct{ measurement, proof, wrapBlind, jointBlind Seed }
	hands := make([]hand, p.aggregators)
	for i := 1; i < p.aggregators; i++ {
		hands[i] = hand{next(), next(), next(), next()}
	}
	hands[0].wrapBlind, hands[0].jointBlind = next(), next()
	prove := next()

	// The leader's share is the measurement minus the helpers'. Its digits of the
	// wraparound tests follow once the tests are drawn, and so does the last part of
	// every helper's stream.
	digits := make([]E, p.digits())
	if err := p.putNorm(digits, x); err != nil {
		return nil, nil, err
	}
	leader := make([]E, p.length+p.digits())
	early := p.length + p.early()
	integers(p.f, x)(0, p.length, leader)
	copy(leader[p.length:], digits[:p.early()])
	wrapParts, jointParts := make([]Seed, p.aggregators), make([]Seed, p.aggregators)
	for i := 1; i < p.aggregators; i++ {
		helper := p.measurementShare(&hands[i].measurement, i)
		p.f.subFrom(leader, helper)
		wrapParts[i] = p.part(useWrapPart, &hands[i].wrapBlind, i, nonce, helper[:early])
		jointParts[i] = p.part(useJointPart, &hands[i].jointBlind, i, nonce, helper)
	}
	wrapParts[0] = p.part(useWrapPart, &hands[0].wrapBlind, 0, nonce, leader[:early])
	c := claim[E]{vector: integers(p.f, x), digits: digits, one: p.f.of(1)}
	c.products = wrapTests(p.f, p.wrapRand(p.seed(useWrapSeed, wrapParts)), c.vector, p.length, p.tests, Serial)
	if err := p.putWrap(digits, c.products); err != nil {
		return nil, nil, err
	}
	p.f.addTo(leader[early:], digits[p.early():])
	jointParts[0] = p.part(useJointPart, &hands[0].jointBlind, 0, nonce, leader)

	proofs := make([]E, p.proofLen())
	rands := p.vector(p.proveRand(), p.xof(&prove, useProveRand, p.counts()))
	p.prove(c, rands, p.jointRands(p.seed(useJointSeed, jointParts)), proofs, Serial)
	for i := 1; i < p.aggregators; i++ {
		p.f.subFrom(proofs, p.proofShare(&hands[i].proof, i))
	}

	for i, h := range hands {
		var own []byte
		if i == 0 {
			own = encodeAll(p.f, leader, proofs)
		} else {
			own = append(h.measurement[:], h.proof[:]...)
		}
		shares = append(shares, append(append(own, h.wrapBlind[:]...), h.jointBlind[:]...))
	}
	return append(joined(wrapParts), joined(jointParts)...), shares, nil
}

func joined(seeds []Seed) (out []byte) {
	for _, s := range seeds {
		out = append(out, s[:]...)
	}
	return out
}

func (p *pine[E]) measurementShare(s *Seed, aggregator int) []E {
	return p.vector(p.length+p.digits(), p.xof(s, useMeasurement, []byte{byte(aggregator)}))
}

func (p *pine[E]) proofShare(s *Seed, aggregator int) []E {
	return p.vector(p.proofLen(), p.xof(s, useProof, p.counts(), []byte{byte(aggregator)}))
}

// part is an aggregator's contribution to shared randomness: it depends on all of
// its share, so a client cannot choose the one after it saw the other.
func (p *pine[E]) part(use uint16, blind *Seed, aggregator int, nonce [16]byte, share []E) Seed {
	x := p.xof(blind, use, []byte{byte(aggregator)}, nonce[:])
	var buf [chunk]byte
	for n := chunk / p.f.size(); len(share) > 0; share = share[min(n, len(share)):] {
		b := buf[:min(n, len(share))*p.f.size()]
		p.f.encode(b, share[:len(b)/p.f.size()])
		x.Write(b)
	}
	return x.Seed()
}

func (p *pine[E]) seed(use uint16, parts []Seed) *Seed {
	s := p.xof(new(Seed), use, joined(parts)).Seed()
	return &s
}

func (p *pine[E]) wrapRand(s *Seed) *XOF { return p.xof(s, useWrapRand) }
func (p *pine[E]) jointRands(s *Seed) []E {
	return p.vector(p.jointRand(), p.xof(s, useJointRand, []byte{byte(p.others)}))
}

func (p *pine[E]) VerifyInit(key *Seed, aggregator int, nonce [16]byte, public, share []byte) (*Verifying, []byte, error) {
	if aggregator < 0 || aggregator >= p.aggregators {
		return nil, nil, croft.E(croft.ErrShape, "the aggregator's number", aggregator, fmt.Sprintf("0 to %d", p.aggregators-1))
	}
	if len(public) != 2*p.aggregators*SeedSize {
		return nil, nil, croft.E(croft.ErrShape, "the public share", len(public), 2*p.aggregators*SeedSize)
	}
	size := 4 * SeedSize
	if aggregator == 0 {
		size = (p.length+p.digits()+p.proofLen())*p.f.size() + 2*SeedSize
	}
	if len(share) != size {
		return nil, nil, croft.E(croft.ErrShape, "a share", len(share), size)
	}
	blinds := share[size-2*SeedSize:]
	share = share[:size-2*SeedSize]
	var meas, proofs []E
	if aggregator == 0 {
		all, err := decodeAll(p.f, share, p.length+p.digits()+p.proofLen())
		if err != nil {
			return nil, nil, err
		}
		meas, proofs = all[:p.length+p.digits()], all[p.length+p.digits():]
	} else {
		measurement, proof := Seed(share), Seed(share[SeedSize:])
		meas, proofs = p.measurementShare(&measurement, aggregator), p.proofShare(&proof, aggregator)
	}

	// This aggregator's own parts, and the client's word for the others'.
	wrapBlind, jointBlind := Seed(blinds), Seed(blinds[SeedSize:])
	own := []Seed{
		p.part(useWrapPart, &wrapBlind, aggregator, nonce, meas[:p.length+p.early()]),
		p.part(useJointPart, &jointBlind, aggregator, nonce, meas),
	}
	seeds := make([]*Seed, 2)
	for i, use := range []uint16{useWrapSeed, useJointSeed} {
		parts := make([]Seed, p.aggregators)
		for j := range parts {
			parts[j] = Seed(public[(i*p.aggregators+j)*SeedSize:])
		}
		parts[aggregator] = own[i]
		seeds[i] = p.seed(use, parts)
	}

	c := claim[E]{vector: shareOf(meas[:p.length]), digits: meas[p.length:], one: p.f.inv(p.f.of(uint64(p.aggregators)))}
	c.products = wrapTests(p.f, p.wrapRand(seeds[0]), c.vector, p.length, p.tests, Serial)
	points := p.vector(p.points(), p.xof(key, useQueryRand, p.counts(), nonce[:]))
	q, ok := p.at(points)
	if !ok {
		return nil, nil, croft.E(croft.ErrProof, "it was asked at a point that would show it")
	}
	verifier := make([]E, p.verifierLen())
	p.query(c, q, p.jointRands(seeds[1]), proofs, verifier, Serial)

	v := &Verifying{out: encodeAll(p.f, meas[:p.length]), message: joined([]Seed{*seeds[0], *seeds[1]})}
	return v, append(encodeAll(p.f, verifier), joined(own)...), nil
}

func (p *pine[E]) Message(verifierShares [][]byte) ([]byte, error) {
	if len(verifierShares) != p.aggregators {
		return nil, croft.E(croft.ErrShape, "the list of verifier shares", len(verifierShares), p.aggregators)
	}
	sum := make([]E, p.verifierLen())
	wrapParts, jointParts := make([]Seed, p.aggregators), make([]Seed, p.aggregators)
	for i, share := range verifierShares {
		size := len(sum)*p.f.size() + 2*SeedSize
		if len(share) != size {
			return nil, croft.E(croft.ErrShape, "a verifier share", len(share), size)
		}
		v, err := decodeAll(p.f, share[:size-2*SeedSize], len(sum))
		if err != nil {
			return nil, err
		}
		p.f.addTo(sum, v)
		wrapParts[i], jointParts[i] = Seed(share[size-2*SeedSize:]), Seed(share[size-SeedSize:])
	}
	if !p.decide(sum) {
		return nil, croft.E(croft.ErrProof, "the vector is not within its bound")
	}
	return joined([]Seed{*p.seed(useWrapSeed, wrapParts), *p.seed(useJointSeed, jointParts)}), nil
}

func (p *pine[E]) VerifyNext(v *Verifying, message []byte) ([]byte, error) { return v.accept(message) }

func (p *pine[E]) Aggregate(shares ...[]byte) ([]byte, error) {
	sum, err := addShares(p.f, p.length, shares)
	return encodeAll(p.f, sum), err
}

func (p *pine[E]) Unshard(sums ...[]byte) ([]int64, error) {
	if len(sums) != p.aggregators {
		return nil, croft.E(croft.ErrShape, "the list of sums", len(sums), p.aggregators)
	}
	sum, err := addShares(p.f, p.length, sums)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(sum))
	for k, v := range sum {
		out[k] = p.f.centred(v)
	}
	return out, nil
}
