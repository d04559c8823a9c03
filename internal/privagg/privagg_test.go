package privagg

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"croft"
	"croft/internal/vdaf"

	"pgregory.net/rapid"
)

// network is a study in miniature: sites with vectors, seats, and a pipe from
// each site to each seat and between seats. Pipes start from a drawn chain, not
// from a key exchange, so that many networks cost little.
type network struct {
	profile Profile
	context Context // Site unset
	vectors [][]int64
	sum     []int64
	rand    *stream
}

// stream is deterministic randomness: SHA-256 of a counter.
type stream struct {
	seed uint64
	n    uint64
	rest []byte
}

func (s *stream) Read(out []byte) (int, error) {
	for i := range out {
		if len(s.rest) == 0 {
			h := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.seed), s.n))
			s.rest = h[:]
			s.n++
		}
		out[i], s.rest = s.rest[0], s.rest[1:]
	}
	return len(out), nil
}

func (s *stream) pipe() (*Sender, *Receiver) {
	var r ratchet
	io.ReadFull(s, r.chain[:])
	return &Sender{ratchet: r}, &Receiver{ratchet: r}
}

func drawProfile(t *rapid.T) Profile {
	m := rapid.IntRange(MinSeats, MaxSeats).Draw(t, "seats")
	make := Majority
	if rapid.Bool().Draw(t, "strict") {
		make = Strict
	}
	p, err := make(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func drawNetwork(t *rapid.T) *network {
	return newNetwork(drawProfile(t), rapid.IntRange(1, 4).Draw(t, "sites"), rapid.IntRange(1, 20).Draw(t, "length"), rapid.Uint64().Draw(t, "seed"))
}

func newNetwork(p Profile, sites, length int, seed uint64) *network {
	n := &network{profile: p, rand: &stream{seed: seed}, sum: make([]int64, length)}
	n.context = Context{
		Scope: croft.Scope{Network: croft.NetworkID{1}, Chain: "croft-1"}, Study: croft.StudyID{2}, Round: uint32(seed % 7),
		Spec: croft.Hash{3}, Profile: p, Length: uint32(length),
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for range sites {
		v := make([]int64, length)
		for k := range v {
			v[k] = r.Int64N(1<<24) - 1<<23 // up to 20 of them stay below the norm bound
			n.sum[k] += v[k]
		}
		n.vectors = append(n.vectors, v)
	}
	return n
}

func (n *network) site(i int) Context {
	c := n.context
	c.Site = croft.MemberID(croft.Sum([]byte{byte(i)}))
	return c
}

// deal returns a site's report and the seats' ends of its pipes.
func (n *network) deal(t require, site int) (*Report, []*Receiver) {
	var out []*Sender
	var in []*Receiver
	for range n.profile.Seats {
		s, r := n.rand.pipe()
		out, in = append(out, s), append(in, r)
	}
	r, err := Deal(n.site(site), n.vectors[site], out, n.rand, vdaf.Serial)
	if err != nil {
		t.Fatal(err)
	}
	return r, in
}

// hands returns the complete hands of all seats.
func (n *network) hands(t require, site int, r *Report, in []*Receiver) []*Hand {
	head, err := OpenHead(n.site(site), r.Header(), r.Head)
	if err != nil {
		t.Fatal(err)
	}
	hands := make([]*Hand, len(in))
	for seat := range hands {
		if hands[seat], err = head.Hand(seat); err != nil {
			t.Fatal(err)
		}
		if err := hands[seat].OpenBox(in[seat]); err != nil {
			t.Fatal(err)
		}
	}
	return hands
}

// shares returns each seat's share of the sum.
func (n *network) shares(t require) [][]uint64 {
	bySeat := make([][][]uint64, n.profile.Seats)
	for site := range n.vectors {
		r, in := n.deal(t, site)
		for seat, h := range n.hands(t, site, r, in) {
			blob := r.Blob
			if !h.NeedsBlob() {
				blob = nil
			}
			share, err := h.Share(blob)
			if err != nil {
				t.Fatal(err)
			}
			bySeat[seat] = append(bySeat[seat], share)
		}
	}
	return n.aggregate(t, bySeat)
}

func (n *network) aggregate(t require, bySeat [][][]uint64) [][]uint64 {
	sums := make([][]uint64, len(bySeat))
	for seat, shares := range bySeat {
		var err error
		if sums[seat], err = Aggregate(shares...); err != nil {
			t.Fatal(err)
		}
	}
	return sums
}

type require interface{ Fatal(...any) }

func choose(shares [][]uint64, alive uint) [][]uint64 {
	out := make([][]uint64, len(shares))
	for seat := range shares {
		if alive>>seat&1 == 1 {
			out[seat] = shares[seat]
		}
	}
	return out
}

func TestSumIsExactUnderEveryAllowedSetOfDeadSeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNetwork(t)
		shares := n.shares(t)
		for alive := range uint(1) << n.profile.Seats {
			k := bits.OnesCount(alive)
			opening, err := Open(n.profile, len(n.vectors), choose(shares, alive))
			if k < n.profile.Needed() {
				if !errors.Is(err, croft.ErrTooFewShares) {
					t.Fatalf("seats %b: %v", alive, err)
				}
				continue
			}
			if err != nil || !slices.Equal(opening.Sum, n.sum) || opening.Checked != (k > n.profile.Needed()) || opening.Liars != nil {
				t.Fatalf("seats %b: %+v, %v; want %v", alive, opening, err, n.sum)
			}
		}
	})
}

// Any boxes and any answers may be lost. A seat becomes complete exactly if, for
// each part that it may hold, its own box or an answer of a live seat whose box
// arrived reached it; whoever is complete then has the right share.
func TestLostMessagesAreRecovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNetwork(t)
		m := n.profile.Seats
		dead := rapid.Uint().Draw(t, "dead") & (1<<m - 1)
		bySeat := make([][][]uint64, m)
		for site := range n.vectors {
			r, in := n.deal(t, site)
			head, err := OpenHead(n.site(site), r.Header(), r.Head)
			if err != nil {
				t.Fatal(err)
			}
			boxLost := rapid.Uint().Draw(t, "boxes lost") | dead
			answerLost := rapid.SliceOfN(rapid.Uint(), m, m).Draw(t, "answers lost")
			hands := make([]*Hand, m)
			for seat := range hands {
				hands[seat], _ = head.Hand(seat)
				if boxLost>>seat&1 == 0 {
					if err := hands[seat].OpenBox(in[seat]); err != nil {
						t.Fatal(err)
					}
				}
			}
			type answer struct {
				from, to int
				sealed   []byte
				pipe     *Receiver
			}
			var answers []answer
			for to := range m {
				for from := range m {
					if from == to || (dead>>from|dead>>to|answerLost[from]>>to)&1 == 1 {
						continue
					}
					out, in := n.rand.pipe()
					sealed, err := hands[from].Give(to, hands[to].Missing(), out)
					if err != nil {
						t.Fatal(err)
					}
					answers = append(answers, answer{from, to, sealed, in})
				}
			}
			for _, a := range answers {
				if err := hands[a.to].Take(a.from, a.sealed, a.pipe); err != nil {
					t.Fatal(err)
				}
			}
			for seat, h := range hands {
				var want []int
				for i, T := range n.profile.parts() {
					reached := boxLost>>seat&1 == 0
					for from := range m {
						if from != seat && (boxLost>>from|dead>>seat|answerLost[from]>>seat)&1 == 0 && !T.excludes(from) {
							reached = true
						}
					}
					if !T.excludes(seat) && !reached {
						want = append(want, i)
					}
				}
				if !slices.Equal(h.Missing(), want) {
					t.Fatalf("seat %d lacks %v, expected %v", seat, h.Missing(), want)
				}
				share, err := h.Share(r.Blob)
				if (err == nil) != (len(want) == 0) {
					t.Fatalf("seat %d lacks %v, yet: %v", seat, want, err)
				}
				if err == nil {
					bySeat[seat] = append(bySeat[seat], share)
				}
			}
		}
		shares := make([][]uint64, m)
		complete := 0
		for seat, s := range bySeat {
			if len(s) == len(n.vectors) { // it can add up the whole accepted set
				shares[seat], _ = Aggregate(s...)
				complete++
			}
		}
		opening, err := Open(n.profile, len(n.vectors), shares)
		if complete < n.profile.Needed() {
			if !errors.Is(err, croft.ErrTooFewShares) {
				t.Fatal(err)
			}
		} else if err != nil || !slices.Equal(opening.Sum, n.sum) {
			t.Fatalf("%v, %v; want %v", opening, err, n.sum)
		}
	})
}

// Liars change any elements of their shares, each its own or all along one
// polynomial, which is the best that they can do together.
func TestLiarsAreDetectedAndNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNetwork(t)
		p := n.profile
		shares := n.shares(t)
		k := rapid.IntRange(p.Threshold+2, p.Seats).Draw(t, "shares")
		order := rapid.Permutation(seatsOf(p)).Draw(t, "order")
		located := p.located(k)
		lying := rapid.IntRange(1, k-p.Threshold-1-located).Draw(t, "lying")
		liars := slices.Sorted(slices.Values(order[:lying]))
		together := rapid.Bool().Draw(t, "together")
		for _, at := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(n.sum)-1), 1, -1, rapid.ID).Draw(t, "elements") {
			// A polynomial of degree t that is zero at t honest seats.
			zeros := order[lying:min(k, lying+p.Threshold)]
			for i, seat := range liars {
				d := uint64(i + at + 1)
				if together {
					d = 1
					for _, z := range zeros {
						d = vdaf.Mul(d, vdaf.Sub(point(seat), point(z)))
					}
				}
				shares[seat] = slices.Clone(shares[seat])
				shares[seat][at] = vdaf.Add(shares[seat][at], d)
			}
		}
		alive := uint(0)
		for _, seat := range order[:k] {
			alive |= 1 << seat
		}
		opening, err := Open(p, len(n.vectors), choose(shares, alive))
		switch {
		case lying <= located:
			if err != nil || !slices.Equal(opening.Sum, n.sum) || !slices.Equal(opening.Liars, liars) || !opening.Checked {
				t.Fatalf("%+v, %v; want %v without %v", opening, err, n.sum, liars)
			}
		case !errors.Is(err, croft.ErrShareMismatch):
			t.Fatalf("%+v, %v; want a refusal", opening, err)
		}
	})
}

func seatsOf(p Profile) []int {
	all := make([]int, p.Seats)
	for i := range all {
		all[i] = i
	}
	return all
}

// The two cases of the table, and the limit that Open documents: two of t+3 that
// lie together can make an honest seat look like the liar.
func TestOneLiarDetectedWithOneMoreAndNamedWithTwoMore(t *testing.T) {
	p, _ := Majority(5)
	n := newNetwork(p, 3, 10, 5)
	shares := n.shares(t)
	shares[1][9]++
	if _, err := Open(p, 3, choose(shares, 0b01111)); !errors.Is(err, croft.ErrShareMismatch) {
		t.Errorf("t+2 shares: %v", err)
	}
	opening, err := Open(p, 3, shares)
	if err != nil || !slices.Equal(opening.Liars, []int{1}) || !slices.Equal(opening.Sum, n.sum) {
		t.Errorf("t+3 shares: %+v, %v", opening, err)
	}

	shares = n.shares(t)
	for _, liar := range []int{0, 1} { // the lie is 0 at seats 2 and 3
		lie := vdaf.Mul(vdaf.Sub(point(liar), point(2)), vdaf.Sub(point(liar), point(3)))
		shares[liar][0] = vdaf.Add(shares[liar][0], lie)
	}
	opening, err = Open(p, 3, shares)
	if err != nil || !slices.Equal(opening.Liars, []int{4}) || slices.Equal(opening.Sum, n.sum) {
		t.Errorf("the documented limit has moved: %+v, %v", opening, err)
	}

	p, _ = Majority(9) // t = 4: two liars of t+5 are named
	n = newNetwork(p, 3, 10, 6)
	shares = n.shares(t)
	shares[0][3]++
	shares[8][7]++
	opening, err = Open(p, 3, shares)
	if err != nil || !slices.Equal(opening.Liars, []int{0, 8}) || !slices.Equal(opening.Sum, n.sum) {
		t.Errorf("t+5 shares: %+v, %v", opening, err)
	}
	if _, err = Open(p, 3, choose(shares, 0b111111101)); !errors.Is(err, croft.ErrShareMismatch) {
		t.Errorf("two liars, t+4 shares: %v", err)
	}
}

// The streams and blocks against the formula, one element at a time.
func TestShareIsTheFormula(t *testing.T) {
	for m := MinSeats; m <= MaxSeats; m++ {
		p, _ := Strict(m)
		n := newNetwork(p, 1, 3, uint64(m))
		n.vectors[0] = make([]int64, blockLen+3)
		for k := range n.vectors[0] {
			n.vectors[0][k] = int64(k*k) - 1000
		}
		n.context.Length = uint32(len(n.vectors[0]))
		before := *n.rand
		r, in := n.deal(t, 0)
		hands := n.hands(t, 0, r, in)

		// The report's own randomness, drawn once more.
		for range p.Seats {
			before.pipe()
		}
		c := n.site(0)
		parts, values := p.parts(), [][]uint64{}
		total := make([]uint64, c.Length)
		var root node
		io.ReadFull(&before, root[:])
		for i, T := range parts {
			v := make([]uint64, c.Length)
			if i != c.star() {
				vdaf.NewXOF(root.seed(m, T, croft.HashOf(c)), domain(usageMask), binder(croft.HashOf(c), T)).Next(v)
			}
			for k := range v {
				total[k] = vdaf.Add(total[k], v[k])
			}
			values = append(values, v)
		}
		for k, x := range n.vectors[0] {
			values[c.star()][k] = vdaf.Sub(vdaf.Residue(x), total[k])
		}
		for seat, h := range hands {
			share, err := h.Share(r.Blob)
			if err != nil {
				t.Fatal(err)
			}
			for k := range share {
				want := uint64(0)
				for i, T := range parts {
					if !T.excludes(seat) {
						want = vdaf.Add(want, vdaf.Mul(weight(field64{}, T, seat), values[i][k]))
					}
				}
				if share[k] != want {
					t.Fatalf("m=%d seat %d element %d: %d, want %d", m, seat, k, share[k], want)
				}
			}
		}
	}
}

func TestHandSurvivesTheDisk(t *testing.T) {
	p, _ := Majority(6)
	n := newNetwork(p, 1, 8, 1)
	r, in := n.deal(t, 0)
	hands := n.hands(t, 0, r, in)
	head, _ := OpenHead(n.site(0), r.Header(), r.Head)
	for seat, h := range hands {
		back, _ := head.Hand(seat)
		if err := back.Load(h.Marshal()); err != nil || back.Missing() != nil || !bytes.Equal(back.Marshal(), h.Marshal()) {
			t.Fatalf("seat %d: %v, lacks %v", seat, err, back.Missing())
		}
	}
}

// In C(m,t) rounds each part travels as the blob once, so each seat is spared the
// blob equally often.
func TestBlobGoesRound(t *testing.T) {
	p, _ := Majority(5)
	seen := map[int]int{}
	for round := range uint32(20) {
		c := Context{Profile: p, Round: round, Site: croft.MemberID{7, 1}}
		seen[c.star()]++
	}
	if len(seen) != 10 {
		t.Fatalf("%v", seen)
	}
	for i, times := range seen {
		if times != 2 {
			t.Errorf("part %d: %d times in 20 rounds", i, times)
		}
	}
}

func TestProfiles(t *testing.T) {
	want := []struct{ m, majority, strict int }{{3, 1, 1}, {4, 2, 2}, {5, 2, 3}, {6, 3, 4}, {7, 3, 4}, {8, 4, 5}, {9, 4, 6}}
	for _, w := range want {
		a, err1 := Majority(w.m)
		s, err2 := Strict(w.m)
		if err1 != nil || err2 != nil || a.Threshold != w.majority || s.Threshold != w.strict {
			t.Errorf("m=%d: %v %v %v %v", w.m, a, err1, s, err2)
		}
		if a.Needed() != w.majority+1 || a.Quorum(true) != w.majority+1 || a.Quorum(false) != w.majority+2 || a.Quorum(false) > w.m || s.Quorum(false) > w.m {
			t.Errorf("m=%d: %v", w.m, a)
		}
	}
	for _, m := range []int{-1, 0, 2, 10, 1 << 30} {
		if _, err := Majority(m); !errors.Is(err, croft.ErrProfile) {
			t.Errorf("majority of %d: %v", m, err)
		}
		if _, err := Strict(m); !errors.Is(err, croft.ErrProfile) {
			t.Errorf("strict of %d: %v", m, err)
		}
	}
	p, _ := Majority(5)
	if got := p.String(); got != "5 seats: any 2 together learn nothing, 3 open the sum, 2 may be away (1 while sums are checked)" {
		t.Error(got)
	}
}
