package privagg

import (
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"croft"
	"croft/internal/vdaf"
)

var (
	mutations = flag.Int("mutations", 1000, "how many changed reports TestNoMutatedReportIsAccepted tries")
	lossy     = flag.Int("lossy", 150, "how many random sets of answers TestVerdictsUnderLostMessages tries in each profile")
)

// rewritten is a report with other numbers in its blob and hashes that fit them: what
// a site can do that takes no notice of the rules. Its boxes are as they were.
func rewritten(hands []*Hand, blob []byte, change func(masked []uint64)) ([]*Hand, []byte) {
	masked := make([]uint64, len(blob)/8)
	getNumbers(masked, blob)
	change(masked)
	blob = EncodeShare(masked)
	head := *hands[0].head
	early, late := head.context.pieces(head.norm)
	hash := sha256.New()
	head.wire.Vector, head.wire.Tests = further(hash, blob[:early]), further(hash, blob[early:late])
	head.wire.Blob = further(hash, blob[late:])
	var out []*Hand
	for seat, h := range hands {
		out = append(out, &Hand{&head, seat, h.seeds})
	}
	return out, blob
}

// verdict asks all seats and returns what each makes of all answers. A seat that
// cannot answer says why itself.
func verdict(c Context, hands []*Hand, blob []byte) []error {
	errs, answers := make([]error, len(hands)), make([][]uint64, len(hands))
	for seat, h := range hands {
		_, answers[seat], errs[seat] = h.Verify(blob, verificationKey, vdaf.Serial)
	}
	for seat := range hands {
		if errs[seat] == nil {
			v, err := Decide(c, answers)
			if err == nil && !v.Valid {
				err = croft.E(croft.ErrProof, "the vector is not within its bound")
			}
			errs[seat] = err
		}
	}
	return errs
}

// A malicious report of each kind is refused by every honest seat that looks at it,
// with the same named error. Those who need not look (they are not dealt the part
// in question) are no more than t, and t cannot decide anything.
func TestHonestSeatsRefuseAlike(t *testing.T) {
	const bound = 1000
	p := Profile{5, 2}
	x := append([]int64{600, -800}, make([]int64, 8)...)
	c, r, hands := proved(t, p, x, bound, nil)
	_, other, otherHands := proved(t, p, x, bound, func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error) {
		if _, err := io.ReadFull(rand, make([]byte, 1)); err != nil { // other seeds
			return nil, err
		}
		c.Round++
		return Deal(*c, x, pipes, rand, vdaf.Serial)
	})
	fresh := func(c Context, r *Report) ([]*Hand, error) {
		head, err := OpenHead(c, r.Header(), r.Head)
		if err != nil {
			return nil, err
		}
		out := make([]*Hand, p.Seats)
		for seat := range out {
			if out[seat], err = head.Hand(seat); err != nil {
				t.Fatal(err)
			}
		}
		return out, nil
	}
	// Each seat loads the seeds that it was dealt in another context.
	elsewhere := func(change func(*Context)) []error {
		c := c
		change(&c)
		errs := make([]error, p.Seats)
		moved, err := fresh(c, r)
		for seat := range errs {
			if errs[seat] = err; err == nil {
				errs[seat] = moved[seat].Load(hands[seat].Marshal())
			}
		}
		return errs
	}
	blobs := func(blob []byte) []error {
		errs := make([]error, p.Seats)
		for seat, h := range hands {
			errs[seat] = h.Check(blob)
		}
		return errs
	}
	norm, err := vdaf.Fit(len(x), bound+1)
	if err != nil {
		t.Fatal(err)
	}
	larger, err := vdaf.NewNorm(norm)
	if err != nil {
		t.Fatal(err)
	}
	w := wrapped(t)

	for name, refusal := range map[string]struct {
		errs []error
		want croft.Code
	}{
		"over the norm by one": {func() []error {
			c, r, hands := proved(t, p, x, bound, func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error) {
				return deal(*c, larger, append([]int64{600, -800, 1}, make([]int64, 7)...), pipes, rand, vdaf.Serial)
			})
			return verdict(c, hands, r.Blob)
		}(), croft.ErrProof},
		"squares that wrap around": {func() []error {
			small := append([]int64{3}, make([]int64, 9)...) // ‖small‖² = 9
			c, r, hands := proved(t, p, small, bound, nil)
			hands, blob := rewritten(hands, r.Blob, func(masked []uint64) {
				masked[0] = vdaf.Add(masked[0], vdaf.Sub(w[0], 3))
				masked[1] = vdaf.Add(masked[1], w[1])
			})
			return verdict(c, hands, blob)
		}(), croft.ErrProof},
		"coins drawn for another vector":    {redrawn(hands, r.Blob, func(w *wireHead) { w.Vector[0]++ }), croft.ErrProof},
		"joint randomness for others":       {redrawn(hands, r.Blob, func(w *wireHead) { w.Tests[0]++ }), croft.ErrProof},
		"a blob too short":                  {blobs(r.Blob[8:]), croft.ErrReport},
		"a blob too long":                   {blobs(append(slices.Clone(r.Blob), 0)), croft.ErrReport},
		"the blob of another report":        {blobs(other.Blob), croft.ErrReport},
		"replayed in another round":         {elsewhere(func(c *Context) { c.Round++ }), croft.ErrCommitment},
		"replayed in another study":         {elsewhere(func(c *Context) { c.Study[0]++ }), croft.ErrCommitment},
		"labelled as another site's":        {elsewhere(func(c *Context) { c.Site[0]++ }), croft.ErrCommitment},
		"with a wider bound":                {elsewhere(func(c *Context) { c.Bound++ }), croft.ErrCommitment},
		"with a proof where none is wanted": {elsewhere(func(c *Context) { c.Bound = 0 }), croft.ErrReport},
		"of another length":                 {elsewhere(func(c *Context) { c.Length++ }), croft.ErrReport},
		"rounds mixed, seeds of another": {func() []error {
			mixed, err := fresh(c, r)
			errs := make([]error, p.Seats)
			for seat := range errs {
				if errs[seat] = err; err == nil {
					errs[seat] = mixed[seat].Load(otherHands[seat].Marshal())
				}
			}
			return errs
		}(), croft.ErrCommitment},
		"seeds that are not those committed to": {func() []error {
			errs := make([]error, p.Seats)
			for seat, h := range hands { // the same part is wrong for all who are dealt it
				data, wrong := h.Marshal(), h.head.parts[3]
				for at := 0; at < len(data); at += 2 + seedSize {
					if part(data[at])<<8|part(data[at+1]) == wrong {
						data[at+2]++
					}
				}
				empty, err := h.head.Hand(seat)
				if err != nil {
					t.Fatal(err)
				}
				errs[seat] = empty.Load(data)
			}
			return errs
		}(), croft.ErrCommitment},
	} {
		looked := 0
		for seat, err := range refusal.errs {
			if err == nil {
				continue
			}
			looked++
			if !errors.Is(err, refusal.want) {
				t.Errorf("%s: seat %d says %v", name, seat, err)
			}
		}
		if looked < p.Seats-p.Threshold {
			t.Errorf("%s: %d seats do not accept it", name, p.Seats-looked)
		}
	}
	if refused := verdict(c, hands, r.Blob); slices.ContainsFunc(refused, func(err error) bool { return err != nil }) {
		t.Errorf("the honest report: %v", refused)
	}
}

// redrawn asks the seats about a head that names the blob rightly, but draws its
// randomness from something else, which the site chose until it suited.
func redrawn(hands []*Hand, blob []byte, change func(*wireHead)) []error {
	head := *hands[0].head
	change(&head.wire)
	errs := make([]error, len(hands))
	for seat, h := range hands {
		errs[seat] = (&Hand{&head, seat, h.seeds}).Check(blob)
	}
	return errs
}

// wrapped returns two numbers of which the squares add up to 9 modulo p, and to far
// more in truth: the root is found with 7, which generates the multiplicative group.
func wrapped(t *testing.T) [2]uint64 {
	t.Helper()
	pow := func(a, e uint64) uint64 {
		r := uint64(1)
		for ; e > 0; e >>= 1 {
			if e&1 == 1 {
				r = vdaf.Mul(r, a)
			}
			a = vdaf.Mul(a, a)
		}
		return r
	}
	for a := uint64(1 << 40); ; a++ {
		rest := vdaf.Sub(9, vdaf.Mul(a, a))
		if pow(rest, (vdaf.Modulus-1)/2) != 1 {
			continue
		}
		// Tonelli and Shanks, p − 1 = 2^32·(2^32 − 1).
		const odd = 1<<32 - 1
		z, root, left := pow(7, odd), pow(rest, (odd+1)/2), pow(rest, odd)
		for order := 32; left != 1; {
			i, s := 0, left
			for ; s != 1; i++ {
				s = vdaf.Mul(s, s)
			}
			b := pow(z, 1<<(order-i-1))
			root, z, order = vdaf.Mul(root, b), vdaf.Mul(b, b), i
			left = vdaf.Mul(left, z)
		}
		if vdaf.Add(vdaf.Mul(a, a), vdaf.Mul(root, root)) != 9 {
			t.Fatal("no root")
		}
		return [2]uint64{a, root}
	}
}

// Whatever number of a report is changed after the fact, with its hashes made to
// fit, or an answer on its way: no honest seat accepts the vector.
func TestNoMutatedReportIsAccepted(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c, report, hands := proved(t, Profile{3, 1}, []int64{3, -4, 0, 12}, 13, nil)
	_, honest := answers(t, report, hands)
	for range *mutations {
		delta := 1 + r.Uint64N(vdaf.Modulus-1)
		if r.IntN(2) == 0 {
			delta = 1
		}
		if r.IntN(20) == 0 { // one lying seat of three is noticed, and accepted by nobody
			some := slices.Clone(honest)
			seat := r.IntN(3)
			some[seat] = slices.Clone(some[seat])
			at := r.IntN(len(some[seat]))
			some[seat][at] = vdaf.Add(some[seat][at], delta)
			if v, err := Decide(c, some); !errors.Is(err, croft.ErrShareMismatch) {
				t.Fatalf("number %d of seat %d's answer plus %d: %+v %v", at, seat, delta, v, err)
			}
			continue
		}
		at := r.IntN(len(report.Blob) / 8)
		changed, blob := rewritten(hands, report.Blob, func(masked []uint64) { masked[at] = vdaf.Add(masked[at], delta) })
		for seat, err := range verdict(c, changed, blob) {
			if !errors.Is(err, croft.ErrProof) {
				t.Fatalf("number %d of the blob plus %d: seat %d says %v", at, delta, seat, err)
			}
		}
	}
}

// Under 30 % lost messages over random sets of answers, with one lying seat in half of
// them: each seat that hears enough comes to the same verdict and the same
// sum as all others that do, bit by bit, and says `unchecked` exactly with t+1.
func TestVerdictsUnderLostMessages(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	x := someVector(40)
	type deck struct {
		c                  Context
		shares, verifiers  [][]uint64
		lying, lyingShares [][]uint64
	}
	var decks []deck
	for _, p := range provedProfiles {
		c, report, hands := proved(t, p, x, 10_000, nil)
		d := deck{c: c}
		d.shares, d.verifiers = answers(t, report, hands)
		decks = append(decks, d)
	}
	for set := range *lossy * len(decks) {
		d := decks[set%len(decks)]
		p := d.c.Profile
		liar := -1
		if r.IntN(2) == 0 {
			liar = r.IntN(p.Seats)
		}
		for seat := range p.Seats {
			var heard, shares [][]uint64
			k, lies := 0, false
			for from := range p.Seats {
				if from != seat && r.IntN(10) < 3 {
					heard, shares = append(heard, nil), append(shares, nil)
					continue
				}
				answer, share := d.verifiers[from], d.shares[from]
				if from == liar {
					answer, share = slices.Clone(answer), slices.Clone(share)
					answer[set%len(answer)]++
					share[set%len(share)]++
					lies = true
				}
				heard, shares = append(heard, answer), append(shares, share)
				k++
			}
			if seat == liar {
				continue
			}
			v, err := Decide(d.c, heard)
			o, openErr := Open(p, 1, shares)
			var wrong bool
			switch spare := k - p.Needed(); {
			case spare < 0:
				wrong = !errors.Is(err, croft.ErrTooFewShares) || !errors.Is(openErr, croft.ErrTooFewShares)
			case lies && spare == 0: // nobody can tell: what they say is unchecked
				wrong = err != nil || v.Checked || openErr == nil && o.Checked
			case lies && spare == 1:
				wrong = !errors.Is(err, croft.ErrShareMismatch) || !errors.Is(openErr, croft.ErrShareMismatch)
			default:
				var liars []int
				if lies {
					liars = []int{liar}
				}
				wrong = err != nil || openErr != nil || !v.Valid || v.Checked != (spare > 0) || o.Checked != (spare > 0) ||
					!slices.Equal(o.Sum, x) || !slices.Equal(v.Liars, liars) || !slices.Equal(o.Liars, liars)
			}
			if wrong {
				t.Fatalf("set %d, %v, seat %d hears %d, liar %d (%v): %+v %v, %+v %v", set, p, seat, k, liar, lies, v, err, o, openErr)
			}
		}
	}
}
