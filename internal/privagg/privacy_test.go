package privagg

import (
	"fmt"
	"math/bits"
	"testing"
)

// The algebra of sharing over a field of five elements with true randomness, so
// that everything a coalition can see is enumerated. What production adds are
// seeds in place of true randomness (XOF, HPKE, AES-GCM), on the same functions:
// Profile.parts, part.excludes, weight, lagrange.

const toyPrime = 5

type toyField struct{}

func (toyField) add(a, b uint64) uint64 { return (a + b) % toyPrime }
func (toyField) sub(a, b uint64) uint64 { return (a%toyPrime + toyPrime - b%toyPrime) % toyPrime }
func (toyField) mul(a, b uint64) uint64 { return a * b % toyPrime }
func (toyField) inv(a uint64) uint64    { return a * a % toyPrime * a % toyPrime }

// A mistake is a way to deal wrongly that the test must notice.
type mistake int

const (
	none         mistake = iota
	seedForTwo           // one seed makes two parts
	seedLeaks            // a seat is dealt a seed that it must not have
	sameForSites         // two sites draw the same seeds
	blobInClear          // the blob is not sealed
)

// dealt is one outcome of one site's randomness.
type dealt struct {
	view   uint64 // what the coalition sees of the report, as digits
	shares uint32 // all seats' shares, a byte each
}

// enumerate lists what a coalition sees of a report of x, for every outcome of
// the site's randomness: one number a part other than the star, and one that
// seals the blob (left out without sealing: then only those entitled see it).
func enumerate(p Profile, star int, coalition part, x uint64, sealed bool, wrong mistake) []dealt {
	f, parts := toyField{}, p.parts()
	draws := len(parts) - 1
	if sealed {
		draws++
	}
	total := 1
	for range draws {
		total *= toyPrime
	}
	free := make([]int, 0, len(parts)) // the parts that are drawn
	for i := range parts {
		if i != star {
			free = append(free, i)
		}
	}
	weights := make([][]uint64, p.Seats) // [seat][part]
	for seat := range weights {
		for _, T := range parts {
			weights[seat] = append(weights[seat], 0)
			if !T.excludes(seat) {
				weights[seat][len(weights[seat])-1] = weight(f, T, seat)
			}
		}
	}
	out := make([]dealt, 0, total)
	values := make([]uint64, len(parts))
	for outcome := range uint64(total) {
		rest := outcome
		for _, i := range free {
			values[i], rest = rest%toyPrime, rest/toyPrime
		}
		pad := rest
		if wrong == seedForTwo {
			values[free[0]] = values[free[1]]
		}
		values[star] = x
		for _, i := range free {
			values[star] = f.sub(values[star], values[i])
		}

		var d dealt
		see := func(digit uint64) { d.view = d.view*(toyPrime+1) + digit + 1 }
		for i, T := range parts {
			held := coalition&^T != 0 // some seat of the coalition is dealt T
			if held || wrong == seedLeaks && T == coalition {
				see(values[i])
			}
			if i == star && sealed && held {
				see(pad)
			}
		}
		if wrong == blobInClear {
			see(values[star])
		} else if sealed {
			see(f.add(values[star], pad))
		}
		for seat := range p.Seats {
			share := uint64(0)
			for i, w := range weights[seat] {
				share = f.add(share, f.mul(w, values[i]))
			}
			d.shares |= uint32(share) << (8 * seat)
		}
		out = append(out, d)
	}
	return out
}

// addShares adds four bytes modulo 5 each.
func addShares(a, b uint32) uint32 {
	s := a + b
	return s - (s+0x7b7b7b7b)&0x80808080>>7*toyPrime
}

// fingerprint adds up a hash of each outcome: equal for equal distributions, and
// different for different ones but with chance 2^-64.
type fingerprint uint64

func (f *fingerprint) add(view uint64, more uint64) {
	h := view*0x9e3779b97f4a7c15 ^ more*0xd6e8feb86659fd93
	h = (h ^ h>>32) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>29) * 0x94d049bb133111eb
	*f += fingerprint(h ^ h>>32)
}

// independent reports whether the joint view of every coalition of t seats — all
// it holds of two reports, and every seat's share of their sum — has a
// distribution that depends on the two inputs only through their sum.
func independent(p Profile, sealed bool, stars [2]int, sums []uint64, wrong mistake) bool {
	for _, coalition := range p.parts() { // sets of t seats
		var sites [2][toyPrime][]dealt
		for x := range uint64(toyPrime) {
			for i, star := range stars {
				sites[i][x] = enumerate(p, star, coalition, x, sealed, wrong)
			}
		}
		for _, sum := range sums {
			var first fingerprint
			for x := range uint64(toyPrime) {
				var seen fingerprint
				a, b := sites[0][x], sites[1][toyField{}.sub(sum, x)]
				for i, d := range a {
					others := b
					if wrong == sameForSites {
						others = b[i : i+1]
					}
					for _, e := range others {
						seen.add(d.view, e.view<<32^uint64(addShares(d.shares, e.shares)))
					}
				}
				if x == 0 {
					first = seen
				} else if seen != first {
					return false
				}
			}
		}
	}
	return true
}

func TestCoalitionLearnsOnlyTheSum(t *testing.T) {
	three, _ := Majority(3)
	for _, wrong := range []mistake{none, seedForTwo, seedLeaks, sameForSites, blobInClear} {
		for star := range three.parts() {
			for other := range three.parts() {
				got := independent(three, true, [2]int{star, other}, []uint64{0, 1, 2, 3, 4}, wrong)
				if got != (wrong == none) {
					t.Errorf("3 seats, t = 1, mistake %d, blobs %d and %d: independent = %v", wrong, star, other, got)
				}
			}
		}
	}
	// Four seats have 5^10 outcomes for two sites: the seal of the blob is left to
	// the next test, and the sum is one of five.
	four, _ := Majority(4)
	for _, wrong := range []mistake{none, seedForTwo, seedLeaks, sameForSites} {
		if got := independent(four, false, [2]int{0, 3}, []uint64{3}, wrong); got != (wrong == none) {
			t.Errorf("4 seats, t = 2, mistake %d: independent = %v", wrong, got)
		}
	}
}

// One report alone, with everything: its view does not depend on the input at all.
func TestReportAloneTellsNothing(t *testing.T) {
	for m := MinSeats; m <= 4; m++ {
		p, _ := Majority(m)
		for _, wrong := range []mistake{none, seedForTwo, seedLeaks, blobInClear} {
			same := true
			for star := range p.parts() {
				for _, coalition := range p.parts() {
					var first fingerprint
					for x := range uint64(toyPrime) {
						var seen fingerprint
						for _, d := range enumerate(p, star, coalition, x, true, wrong) {
							seen.add(d.view, 0)
						}
						if x == 0 {
							first = seen
						}
						same = same && seen == first
					}
				}
			}
			if same != (wrong == none) {
				t.Errorf("%d seats, mistake %d: same = %v", m, wrong, same)
			}
		}
	}
}

// In every profile a set of t seats lacks exactly one part, one more seat lacks
// none, and the shares of any t+1 open the secret. (The toy field and the real one.)
func TestPartsFitTheProfile(t *testing.T) {
	for m := MinSeats; m <= MaxSeats; m++ {
		for _, of := range []func(int) (Profile, error){Majority, Strict} {
			p, _ := of(m)
			for set := range part(1) << m {
				lacks := 0
				for _, T := range p.parts() {
					if set&^T == 0 {
						lacks++
					}
				}
				switch k := bits.OnesCount16(uint16(set)); {
				case k == p.Threshold && lacks != 1, k > p.Threshold && lacks != 0:
					t.Errorf("%v: seats %b lack %d parts", p, set, lacks)
				}
			}
			if m <= 4 {
				opens(t, toyField{}, p)
			}
			opens(t, field64{}, p)
		}
	}
}

// opens checks for each part alone (sharing is linear) that any t+1 shares give it back.
func opens(t *testing.T, f field, p Profile) {
	for _, T := range p.parts() {
		for set := range uint(1) << p.Seats {
			if bits.OnesCount(set) != p.Needed() {
				continue
			}
			var seats []int
			for seat := range p.Seats {
				if set>>seat&1 == 1 {
					seats = append(seats, seat)
				}
			}
			got := uint64(0)
			for i, c := range lagrange(f, seats, 0) {
				got = f.sub(got, f.sub(0, f.mul(c, weight(f, T, seats[i]))))
			}
			if got != 1 {
				t.Fatal(fmt.Sprint(p, " part ", T, " seats ", seats, " gives ", got))
			}
		}
	}
}
