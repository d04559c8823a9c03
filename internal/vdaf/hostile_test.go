package vdaf

import (
	"encoding/binary"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"croft"
)

var mutations = flag.Int("mutations", 10_000, "how many changed reports TestNoMutationIsAccepted tries")

// A case is a VDAF with what a client of it sends.
type sample[M, R any] struct {
	VDAF[M, R]
	public []byte
	shares [][]byte
	nonce  [16]byte
	key    Seed
}

func sampleOf[M, R any](t testing.TB, v VDAF[M, R], err error, measurement M) *sample[M, R] {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s := &sample[M, R]{VDAF: v, nonce: [16]byte{1, 2, 3}, key: Seed{4, 5, 6}}
	rand := make([]byte, v.RandSize())
	newXOF("rand", 0).next(rand)
	if s.public, s.shares, err = v.Shard(measurement, s.nonce, rand); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(); err != nil {
		t.Fatal("an honest report:", err)
	}
	return s
}

// verify runs all aggregators, each with what it got.
func (s *sample[M, R]) verify() error { return s.verifyWith(nil) }

// verifyWith lets change do something to the verifier shares on their way.
func (s *sample[M, R]) verifyWith(change func([][]byte)) error {
	var states []*Verifying
	var verifiers [][]byte
	for i, share := range s.shares {
		state, verifier, err := s.VerifyInit(&s.key, i, s.nonce, s.public, share)
		if err != nil {
			return err
		}
		states, verifiers = append(states, state), append(verifiers, verifier)
	}
	if change != nil {
		change(verifiers)
	}
	message, err := s.Message(verifiers)
	if err != nil {
		return err
	}
	for _, state := range states {
		if _, err := s.VerifyNext(state, message); err != nil {
			return err
		}
	}
	return nil
}

// attacker is a sample without its types.
type attacker interface {
	mutate(r *rand.Rand) (what string, accepted bool)
	hostile(t *testing.T)
}

func attackers(t testing.TB) map[string]attacker {
	pine, err := NewPine(2, Params{Length: 5, Bound: 100, NormChunk: 2, Chunk: 8, NormProofs: 1, Proofs: 2, Tests: 4})
	pine32, err32 := NewPine32(3, Params{Length: 5, Bound: 100, NormChunk: 2, Chunk: 8, NormProofs: 2, Proofs: 5, Tests: 4})
	count, errCount := NewCount(2, []byte("app"))
	sum, errSum := NewSum(2, []byte("app"), 100)
	sumVec, errSumVec := NewSumVec(2, []byte("app"), 3, 9, 4)
	histogram, errHistogram := NewHistogram(3, []byte("app"), 5, 2)
	multihot, errMultihot := NewMultihot(2, []byte("app"), 4, 2, 3)
	return map[string]attacker{
		"Pine":      sampleOf(t, pine, err, []int64{60, -80, 0, 0, 0}),
		"Pine32":    sampleOf(t, pine32, err32, []int64{60, -79, 1, 2, 3}),
		"Count":     sampleOf(t, count, errCount, true),
		"Sum":       sampleOf(t, sum, errSum, 70),
		"SumVec":    sampleOf(t, sumVec, errSumVec, []uint64{9, 0, 5}),
		"Histogram": sampleOf(t, histogram, errHistogram, 3),
		"Multihot":  sampleOf(t, multihot, errMultihot, []bool{true, false, true, false}),
	}
}

// mutate changes something somewhere between client and result.
func (s *sample[M, R]) mutate(r *rand.Rand) (string, bool) {
	m := *s
	m.shares = slices.Clone(s.shares)
	change := func(data []byte) []byte {
		data = slices.Clone(data)
		at := r.IntN(len(data))
		switch r.IntN(3) {
		case 0:
			data[at] ^= 1 << r.IntN(8)
		case 1:
			data[at] += byte(1 + r.IntN(255))
		default: // an element, if it is one, by one
			at -= at % 8
			v := binary.LittleEndian.Uint64(data[at:]) + 1
			binary.LittleEndian.PutUint64(data[at:], v)
		}
		return data
	}
	i := r.IntN(len(s.shares))
	switch r.IntN(8) {
	case 0:
		if len(s.public) == 0 {
			return "", false
		}
		m.public = change(s.public)
		return "public share", m.verify() == nil
	case 1:
		return "verifier share", m.verifyWith(func(v [][]byte) { v[i] = change(v[i]) }) == nil
	default:
		m.shares[i] = change(s.shares[i])
		return "share", m.verify() == nil
	}
}

func TestNoMutationIsAccepted(t *testing.T) {
	all := attackers(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	names := slices.Sorted(maps.Keys(all)) // or the seed would not tell what was tried
	for range max(1, *mutations/len(all)) {
		for _, name := range names {
			if what, accepted := all[name].mutate(r); accepted {
				t.Fatalf("%s: a changed %s was accepted", name, what)
			}
		}
	}
}

func TestHostileReports(t *testing.T) {
	for name, a := range attackers(t) {
		t.Run(name, a.hostile)
	}
}

func (s *sample[M, R]) hostile(t *testing.T) {
	refused := func(what string, change func(m *sample[M, R]), want ...error) {
		t.Helper()
		m := *s
		m.shares, m.public = slices.Clone(s.shares), slices.Clone(s.public)
		change(&m)
		err := m.verify()
		if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	joint := len(s.public) > 0
	// Joint randomness binds the nonce; without it a report proves as much under
	// another one, and who keeps nonces must see that each is used once.
	if joint {
		refused("replayed under another nonce", func(m *sample[M, R]) { m.nonce[0]++ }, croft.ErrProof)
	}
	refused("a share too short", func(m *sample[M, R]) { m.shares[0] = m.shares[0][:len(m.shares[0])-1] }, croft.ErrShape)
	refused("a share too long", func(m *sample[M, R]) { m.shares[0] = append(m.shares[0], 0) }, croft.ErrShape)
	refused("no share", func(m *sample[M, R]) { m.shares[0] = nil }, croft.ErrShape)
	refused("a seed too short", func(m *sample[M, R]) { m.shares[1] = m.shares[1][1:] }, croft.ErrShape)
	refused("a number that is no element", func(m *sample[M, R]) {
		m.shares[0] = append(slices.Repeat([]byte{0xff}, 16), m.shares[0][16:]...)
	}, croft.ErrEncoding)
	refused("shares of two reports", func(m *sample[M, R]) { m.shares[1] = append([]byte{m.shares[1][0] + 1}, m.shares[1][1:]...) }, croft.ErrProof)
	refused("shares changed over", func(m *sample[M, R]) { m.shares[0], m.shares[1] = m.shares[1], m.shares[0] }, croft.ErrShape)
	refused("a public share of another length", func(m *sample[M, R]) { m.public = append(m.public, 0) }, croft.ErrShape)

	if _, _, err := s.VerifyInit(&s.key, len(s.shares), s.nonce, s.public, s.shares[1]); !errors.Is(err, croft.ErrShape) {
		t.Error("an aggregator too many:", err)
	}
	if err := s.verifyWith(func(v [][]byte) { v[0] = v[0][1:] }); !errors.Is(err, croft.ErrShape) {
		t.Error("a short verifier share:", err)
	}
	if err := s.verifyWith(func(v [][]byte) { copy(v[0], slices.Repeat([]byte{0xff}, 16)) }); !errors.Is(err, croft.ErrEncoding) {
		t.Error("a verifier share that is no element:", err)
	}
	if _, err := s.Message(nil); !errors.Is(err, croft.ErrShape) {
		t.Error("no verifier shares:", err)
	}
	if _, err := s.Aggregate([]byte{1}); !errors.Is(err, croft.ErrShape) {
		t.Error("an output share of another length:", err)
	}
	if _, err := s.Unshard(); !errors.Is(err, croft.ErrShape) {
		t.Error("no sums:", err)
	}
	if _, _, err := s.Shard(*new(M), s.nonce, nil); err == nil {
		t.Error("no randomness was enough")
	}
}

// A report for one application does not verify in another.
func TestApplicationsAreApart(t *testing.T) {
	one, err := NewHistogram(2, []byte("one"), 5, 2)
	s := sampleOf(t, one, err, 3)
	if s.VDAF, err = NewHistogram(2, []byte("two"), 5, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(); !errors.Is(err, croft.ErrProof) {
		t.Error(err)
	}
}

// Each constraint of a circuit of Prio3 has a measurement that breaks it alone: it
// is refused, and accepted where the constraint is left out.
func TestEachConstraintOfPrio3IsNeeded(t *testing.T) {
	f := field64{}
	sumVec, err := sumVecKind[uint64](f, 3, 1, 2, 9, 4)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := sumKind(9)
	if err != nil {
		t.Fatal(err)
	}
	histogram, err := histogramKind(3, 2)
	if err != nil {
		t.Fatal(err)
	}
	multihot, err := multihotKind(3, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	joint64, joint128 := []uint64{7, 11, 13}, []e128{{lo: 7}, {lo: 11}, {lo: 13}}
	reduce64, reduce128 := []uint64{3, 5, 7, 9}, []e128{{lo: 3}, {lo: 5}}
	big := func(x ...int) (out []e128) {
		for _, v := range x {
			out = append(out, e128{lo: uint64(v)})
		}
		return out
	}

	check64 := func(what string, k *kind[uint64, uint64, uint64], broken int, meas ...uint64) {
		t.Helper()
		checkKind(t, what, k.proof, k.state(meas, joint64, 1), reduce64, broken)
	}
	c := countKind()
	for v, broken := range map[uint64]int{0: -1, 1: -1, 2: 0, Modulus - 1: 0} {
		checkKind[uint64](t, "Count", c.proof, c.state([]uint64{v}, nil, 1), nil, broken)
	}
	check64("Sum", sum, -1, 1, 0, 1, 1)
	for i := range 4 {
		meas := []uint64{1, 0, 1, 0}
		meas[i] = 2
		check64("Sum", sum, i, meas...)
	}
	checkKind[uint64](t, "SumVec", sumVec.proof, sumVec.state([]uint64{1, 0, 0, 1, 1, 1, 0, 0}, joint64, 1), nil, -1)
	for i := range 8 {
		meas := []uint64{1, 0, 0, 1, 1, 1, 0, 0}
		meas[i] = Modulus - 1
		checkKind[uint64](t, "SumVec", sumVec.proof, sumVec.state(meas, joint64, 1), nil, 0)
	}
	for _, h := range []struct {
		meas   []e128
		broken int
	}{
		{big(0, 1, 0), -1}, {big(1, 0, 1), 1}, {big(0, 0, 0), 1}, {[]e128{{lo: 2}, neg[e128](field128{}, e128{lo: 1}), {}}, 0},
	} {
		checkKind[e128](t, "Histogram", histogram.proof, histogram.state(h.meas, joint128, e128{lo: 1}), reduce128, h.broken)
	}
	for _, m := range []struct {
		meas   []e128
		broken int
	}{
		{big(0, 1, 1, 1, 1), -1}, {big(1, 1, 1, 1, 1), 1}, {big(1, 1, 1, 2, 1), 0}, {big(0, 1, 0, 0, 0), 1},
	} {
		checkKind[e128](t, "Multihot", multihot.proof, multihot.state(m.meas, joint128, e128{lo: 1}), reduce128, m.broken)
	}
}

// without is a statement of which one output is left out.
type without[E comparable] struct {
	statement[E]
	output int
}

func (w without[E]) outputs(gadget []E) []E {
	out := slices.Clone(w.statement.outputs(gadget))
	out[w.output] = *new(E)
	return out
}

// checkKind proves and queries a statement of which one output, or none (−1), is
// not zero.
func checkKind[E comparable](t *testing.T, what string, p prio3Proof[E], s statement[E], reduce []E, broken int) {
	t.Helper()
	run := func(s statement[E]) bool {
		rand := make([]E, p.proveRand())
		expand(p.f, newXOF("prove", 1), rand)
		proof, verifier := make([]E, p.proofLen()), make([]E, p.verifier())
		p.prove(s, rand, proof, Serial)
		q, _ := p.at(p.f.of(12345))
		p.query(s, q, proof, reduce, verifier, Serial)
		return p.decide(verifier)
	}
	if got := run(s); got != (broken < 0) {
		t.Errorf("%s: accepted %v, broken %d", what, got, broken)
	}
	if broken >= 0 && !run(without[E]{s, broken}) {
		t.Errorf("%s: something else than %d is broken too", what, broken)
	}
}

func TestMeasurementsOutOfRangeAreRefused(t *testing.T) {
	sum, _ := NewSum(2, nil, 100)
	sumVec, _ := NewSumVec(2, nil, 2, 9, 4)
	histogram, _ := NewHistogram(2, nil, 5, 2)
	multihot, _ := NewMultihot(2, nil, 4, 2, 3)
	pine, _ := NewPine(2, small)
	rand := make([]byte, 1<<10)
	for name, err := range map[string]error{
		"sum":       second(sum.Shard(101, [16]byte{}, rand[:sum.RandSize()])),
		"element":   second(sumVec.Shard([]uint64{1, 10}, [16]byte{}, rand[:sumVec.RandSize()])),
		"length":    second(sumVec.Shard([]uint64{1}, [16]byte{}, rand[:sumVec.RandSize()])),
		"bucket":    second(histogram.Shard(5, [16]byte{}, rand[:histogram.RandSize()])),
		"below":     second(histogram.Shard(-1, [16]byte{}, rand[:histogram.RandSize()])),
		"yeses":     second(multihot.Shard([]bool{true, true, true, false}, [16]byte{}, rand[:multihot.RandSize()])),
		"questions": second(multihot.Shard([]bool{true}, [16]byte{}, rand[:multihot.RandSize()])),
		"vector":    second(pine.Shard(make([]int64, 3), [16]byte{}, rand[:pine.RandSize()])),
	} {
		if !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(pine.Shard(append([]int64{1001}, make([]int64, 11)...), [16]byte{}, rand[:pine.RandSize()])); !errors.Is(err, croft.ErrProof) {
		t.Error("norm:", err)
	}
	for name, err := range map[string]error{
		"one aggregator":             last(NewCount(1, nil)),
		"256 aggregators":            last(NewPine(256, small)),
		"a long name":                last(NewCount(2, make([]byte, 1<<16))),
		"sum to nothing":             last(NewSum(2, nil, 0)),
		"sum to 2^63":                last(NewSum(2, nil, 1<<63)),
		"no elements":                last(NewSumVec(2, nil, 0, 1, 1)),
		"elements to 0":              last(NewSumVec(2, nil, 1, 0, 1)),
		"chunks of nothing":          last(NewHistogram(2, nil, 5, 0)),
		"a huge histogram":           last(NewHistogram(2, nil, 1<<40, 1<<20)),
		"more yeses":                 last(NewMultihot(2, nil, 5, 6, 2)),
		"a bound of 2^15 in Field32": last(NewPine32(2, Params{12, 1 << 20, 4, 16, 1, 2, 20})),
	} {
		if !errors.Is(err, croft.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ []byte, _ [][]byte, err error) error { return err }
func last[T any](_ T, err error) error             { return err }

// Whatever an aggregator is sent, it answers or refuses.
func FuzzVerify(f *testing.F) {
	pine, err := NewPine(2, Params{Length: 3, Bound: 10, NormChunk: 2, Chunk: 30, NormProofs: 1, Proofs: 1, Tests: 1})
	s := sampleOf(f, pine, err, []int64{6, -8, 0})
	histogram, err := NewHistogram(2, nil, 3, 2)
	h := sampleOf(f, histogram, err, 1)
	for i := range 2 {
		f.Add(byte(i), s.public, s.shares[i])
		f.Add(byte(i), h.public, h.shares[i])
	}
	f.Fuzz(func(t *testing.T, which byte, public, share []byte) {
		aggregator := int(which % 2)
		if v, out, err := pine.VerifyInit(&s.key, aggregator, s.nonce, public, share); err == nil {
			pine.Message([][]byte{out, out})
			pine.VerifyNext(v, public)
		}
		if v, out, err := histogram.VerifyInit(&s.key, aggregator, s.nonce, public, share); err == nil {
			histogram.Message([][]byte{out, out})
			histogram.VerifyNext(v, public)
		}
		pine.Message([][]byte{public, share})
		histogram.Message([][]byte{public, share})
		pine.Unshard(public, share)
		histogram.Unshard(public, share)
	})
}
