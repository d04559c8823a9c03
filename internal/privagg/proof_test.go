package privagg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"croft"
	"croft/internal/vdaf"
)

// provedProfiles are the seats and thresholds that the proof is tried with.
var provedProfiles = []Profile{{3, 1}, {4, 1}, {4, 2}, {5, 2}, {5, 3}, {7, 4}, {9, 6}}

var verificationKey = croft.Hash{1, 2, 3}

// proved returns a network whose reports prove a bound, and its seats' hands of a
// report that is dealt by cheat, who may change the context, or honestly.
func proved(t *testing.T, p Profile, vector []int64, bound uint64, cheat func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error)) (Context, *Report, []*Hand) {
	t.Helper()
	n := newNetwork(p, 1, len(vector), 5)
	n.context.Bound = bound
	c := n.site(0)
	var out []*Sender
	var in []*Receiver
	for range p.Seats {
		s, r := n.rand.pipe()
		out, in = append(out, s), append(in, r)
	}
	if cheat == nil {
		cheat = func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error) {
			return Deal(*c, vector, pipes, rand, vdaf.Serial)
		}
	}
	r, err := cheat(&c, out, n.rand)
	if err != nil {
		t.Fatal(err)
	}
	head, err := OpenHead(c, r.Header(), r.Head)
	if err != nil {
		t.Fatal(err)
	}
	hands := make([]*Hand, p.Seats)
	for seat := range hands {
		if hands[seat], err = head.Hand(seat); err != nil {
			t.Fatal(err)
		}
		if err := hands[seat].OpenBox(in[seat]); err != nil {
			t.Fatal(err)
		}
	}
	return c, r, hands
}

// answers returns all seats' shares of the vector and of the verifier message.
func answers(t *testing.T, r *Report, hands []*Hand) (shares, verifiers [][]uint64) {
	t.Helper()
	for _, h := range hands {
		share, verifier, err := h.Verify(r.Blob, verificationKey, vdaf.Serial)
		if err != nil {
			t.Fatal(err)
		}
		shares, verifiers = append(shares, share), append(verifiers, verifier)
	}
	return shares, verifiers
}

func someVector(length int) []int64 {
	r := rand.New(rand.NewPCG(8, 9))
	x := make([]int64, length)
	for k := range x {
		x[k] = r.Int64N(2001) - 1000
	}
	return x
}

// Every allowed set of dead seats, one liar, and one liar with one dead: all who
// see t+1 answers decide alike, the shares open to the vector bit by bit, liars are
// named exactly when enough answers are there, and a verdict is unchecked exactly
// when t+1 are.
func TestProofWithDeadAndLyingSeats(t *testing.T) {
	x := someVector(40)
	for _, p := range provedProfiles {
		t.Run(fmt.Sprint(p.Seats, ",", p.Threshold), func(t *testing.T) {
			c, r, hands := proved(t, p, x, 10_000, nil)
			shares, verifiers := answers(t, r, hands)
			for alive := range 1 << p.Seats {
				var here []int
				vector, answer := make([][]uint64, p.Seats), make([][]uint64, p.Seats)
				for seat := range p.Seats {
					if alive>>seat&1 == 1 {
						here = append(here, seat)
						vector[seat], answer[seat] = shares[seat], verifiers[seat]
					}
				}
				v, err := Decide(c, answer)
				if len(here) <= p.Threshold {
					if !errors.Is(err, croft.ErrTooFewShares) {
						t.Fatalf("%d answers: %v", len(here), err)
					}
					continue
				}
				if err != nil || !v.Valid || v.Liars != nil || v.Checked != (len(here) >= p.Threshold+2) {
					t.Fatalf("seats %v: %+v %v", here, v, err)
				}
				if o, err := Open(p, 1, vector); err != nil || !slices.Equal(o.Sum, x) {
					t.Fatalf("seats %v open %v: %v", here, o, err)
				}

				liar := here[alive%len(here)]
				answer[liar] = slices.Clone(answer[liar])
				at := alive % len(answer[liar])
				answer[liar][at] = vdaf.Add(answer[liar][at], 1)
				v, err = Decide(c, answer)
				switch spare := len(here) - p.Threshold - 1; {
				case spare == 0: // nobody can tell; the verdict says so
					if err != nil || v.Checked {
						t.Fatalf("%+v %v", v, err)
					}
				case spare == 1:
					if !errors.Is(err, croft.ErrShareMismatch) {
						t.Fatalf("one liar among %d: %+v %v", len(here), v, err)
					}
				default:
					if err != nil || !v.Valid || !v.Checked || !slices.Equal(v.Liars, []int{liar}) {
						t.Fatalf("liar %d among %v: %+v %v", liar, here, v, err)
					}
				}
			}
		})
	}
}

// What a malicious site may try, and what becomes of it.
func TestHostileProofs(t *testing.T) {
	const bound = 1000
	p := Profile{5, 2}
	atBound := append([]int64{600, -800}, make([]int64, 8)...)
	above := append([]int64{600, -800, 1}, make([]int64, 7)...)

	if _, err := Deal(Context{Profile: p, Length: 10, Bound: bound}, above, make([]*Sender, 5), &stream{}, vdaf.Serial); !errors.Is(err, croft.ErrProof) {
		t.Error("an honest program proved a norm above its bound:", err)
	}
	valid := func(name string, want bool, cheat func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error)) {
		t.Helper()
		c, r, hands := proved(t, p, atBound, bound, cheat)
		_, verifiers := answers(t, r, hands)
		for drop := range p.Seats { // all seats come to the same
			some := slices.Clone(verifiers)
			some[drop] = nil
			if v, err := Decide(c, some); err != nil || v.Valid != want || v.Liars != nil {
				t.Errorf("%s: %+v %v", name, v, err)
			}
		}
	}
	valid("at the bound", true, nil)
	// A proof of a larger bound, one more than allowed, with everything else right.
	other, err := vdaf.Fit(10, bound+1)
	if err != nil {
		t.Fatal(err)
	}
	larger, err := vdaf.NewNorm(other)
	if err != nil {
		t.Fatal(err)
	}
	valid("above it by one", false, func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error) {
		return deal(*c, larger, above, pipes, rand, vdaf.Serial)
	})

	// Seats that hold the blob see that randomness was drawn before the vector was
	// changed; so no t+1 seats answer.
	c, r, hands := proved(t, p, atBound, bound, nil)
	for name, at := range map[string]int{"vector": 3, "digit of the norm": 12, "digit of a test": 10 + hands[0].head.norm.EarlyDigits() + 5} {
		for seat, h := range hands {
			if !h.NeedsBlob() {
				continue
			}
			h, blob := remade(t, h, r.Blob, at)
			if _, _, err := h.Verify(blob, verificationKey, vdaf.Serial); !errors.Is(err, croft.ErrProof) {
				t.Errorf("seat %d, %s changed: %v", seat, name, err)
			}
		}
	}
	// A change of the proof, which no randomness depends on, shows in the answers.
	_, verifiers := answers(t, r, hands)
	for seat, h := range hands {
		if h.NeedsBlob() {
			h, blob := remade(t, h, r.Blob, h.head.elements()-1)
			if _, verifiers[seat], err = h.Verify(blob, verificationKey, vdaf.Serial); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v, err := Decide(c, verifiers); err != nil || v.Valid {
		t.Errorf("a changed proof: %+v %v", v, err)
	}

	// Answers at two points do not belong together.
	_, verifiers = answers(t, r, hands)
	if _, verifiers[1], err = hands[1].Verify(r.Blob, croft.Hash{9}, vdaf.Serial); err != nil {
		t.Fatal(err)
	}
	if v, err := Decide(c, verifiers); err != nil || !v.Valid || !slices.Equal(v.Liars, []int{1}) {
		t.Errorf("another key: %+v %v", v, err)
	}
	// Another round, site or bound is another context: nothing opens there.
	for name, change := range map[string]func(*Context){
		"round": func(c *Context) { c.Round++ },
		"site":  func(c *Context) { c.Site[0]++ },
		"bound": func(c *Context) { c.Bound++ },
		"none":  func(c *Context) { c.Bound = 0 },
	} {
		other := c
		change(&other)
		head, err := OpenHead(other, r.Header(), r.Head)
		if err == nil {
			h, _ := head.Hand(0)
			err = h.Load(hands[0].Marshal())
		}
		if !errors.Is(err, croft.ErrCommitment) && !errors.Is(err, croft.ErrReport) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if _, err := Decide(c, [][]uint64{{1}, nil, nil, nil, nil}); !errors.Is(err, croft.ErrShape) {
		t.Error("a short answer:", err)
	}
	if _, err := Decide(Context{Profile: p, Length: 10}, make([][]uint64, 5)); !errors.Is(err, croft.ErrProof) {
		t.Error("a round without a bound:", err)
	}
	if _, err := (Context{Profile: p, Length: 10, Bound: 1 << 40}).norm(); !errors.Is(err, croft.ErrShape) {
		t.Error("a bound that the field has no room for:", err)
	}
}

// Gates are proved like the bound, and are part of what everything is bound to.
func TestGates(t *testing.T) {
	p, x := Profile{5, 2}, []int64{600, -800, 0, 0}
	toward := vdaf.Gate{Direction: []int64{1, 1, 0, 0}, Low: -200, High: 1000}
	gates, narrow := NewGates(toward), NewGates(vdaf.Gate{Direction: toward.Direction, Low: -199, High: 1000})
	deal := func(with, shown *Gates) (Context, *Report, []*Hand) {
		return proved(t, p, x, 1000, func(c *Context, pipes []*Sender, rand io.Reader) (*Report, error) {
			c.Gates = shown
			other := *c
			other.Gates = with
			n, err := other.norm()
			if err != nil {
				return nil, err
			}
			return deal(*c, n, x, pipes, rand, vdaf.Serial)
		})
	}
	for _, g := range []struct {
		with, shown *Gates
		valid       bool
	}{
		{gates, gates, true},
		{gates, narrow, false}, // beyond the gate by one, with the digits of a wider one
	} {
		c, r, hands := deal(g.with, g.shown)
		_, verifiers := answers(t, r, hands)
		if v, err := Decide(c, verifiers); err != nil || v.Valid != g.valid || v.Liars != nil {
			t.Errorf("%+v, %v, want valid %v", v, err, g.valid)
		}
	}
	c, r, hands := deal(gates, gates)
	for name, other := range map[string]*Gates{
		"none":              nil,
		"another end":       narrow,
		"another direction": NewGates(vdaf.Gate{Direction: []int64{1, 1, 0, 1}, Low: -200, High: 1000}),
	} {
		c := c
		c.Gates = other
		head, err := OpenHead(c, r.Header(), r.Head)
		if err == nil {
			h, _ := head.Hand(0)
			err = h.Load(hands[0].Marshal())
		}
		if !errors.Is(err, croft.ErrCommitment) && !errors.Is(err, croft.ErrReport) {
			t.Errorf("with %s: %v", name, err)
		}
	}
	c.Gates = narrow
	if _, err := Deal(c, x, make([]*Sender, 5), &stream{}, vdaf.Serial); !errors.Is(err, croft.ErrProof) {
		t.Error("an honest program proved what is not so:", err)
	}
	c.Bound = 0
	if _, err := c.norm(); !errors.Is(err, croft.ErrShape) {
		t.Error("gates without a bound:", err)
	}
}

// remade is the hand of a report of which the site changed one number of the blob
// after it drew its randomness, and that blob.
func remade(t *testing.T, h *Hand, blob []byte, at int) (*Hand, []byte) {
	t.Helper()
	masked, err := DecodeShare(blob, h.head.elements())
	if err != nil {
		t.Fatal(err)
	}
	masked[at] = vdaf.Add(masked[at], 1)
	blob = EncodeShare(masked)
	forged := *h.head
	forged.wire.Blob = croft.Sum(blob)
	return &Hand{&forged, h.seat, h.seeds}, blob
}

// What is sent beside a vector of a million numbers is at most a hundredth of it, for
// every bound and profile.
func TestUploadIsLittleMoreThanTheVector(t *testing.T) {
	const d = 1_000_000
	for _, p := range provedProfiles {
		head := 256 + 34*len(p.parts()) + p.Seats*(encSize+64) // a little more than it is
		for seat := range p.Seats {
			head += nodeSize * len(p.tops(seat))
		}
		for _, bits := range []int{8, 20, 26} {
			c := Context{Profile: p, Length: d, Bound: 1 << bits}
			blob, err := c.BlobSize()
			if err != nil {
				t.Fatal(err)
			}
			over := float64(blob+head) / (8 * d)
			t.Logf("%v of %v, bound 2^%d: %.4f", p.Needed(), p.Seats, bits, over)
			if over > 1.01 {
				t.Errorf("%v of %v, bound 2^%d: %.4f", p.Needed(), p.Seats, bits, over)
			}
		}
	}
}

// The blob and its hashes tell nothing of the vector to those who lack a seed: all
// seeds mask it. And the same report is the same bytes.
func TestBlobIsMaskedByAllParts(t *testing.T) {
	x := someVector(10)
	c, r, hands := proved(t, Profile{4, 1}, x, 100_000, nil)
	_, again, _ := proved(t, Profile{4, 1}, x, 100_000, nil)
	if !bytes.Equal(r.Blob, again.Blob) || !bytes.Equal(r.Head, again.Head) {
		t.Error("the same report is not the same bytes")
	}
	seeds := map[part]*seed{}
	for _, h := range hands {
		maps.Copy(seeds, h.seeds)
	}
	sum, err := DecodeShare(r.Blob[:80], 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, T := range hands[0].head.parts {
		if got := vdaf.Centred(sum[3]); got == x[3] {
			t.Fatalf("%d of %d seeds were enough", i, len(seeds))
		}
		drawn := make([]uint64, 10)
		maskOf(croft.HashOf(c), T, seeds[T]).Next(drawn)
		for k, v := range drawn {
			sum[k] = vdaf.Add(sum[k], v)
		}
	}
	for k, v := range sum {
		if vdaf.Centred(v) != x[k] {
			t.Errorf("number %d is %d, not %d", k, vdaf.Centred(v), x[k])
		}
	}
}
