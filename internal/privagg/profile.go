package privagg

import (
	"fmt"
	"math/big"

	"croft"
)

// The smallest and the largest number of seats. Below three there is no majority
// to trust; above nine the parts, one for each set of t seats, become too many.
const (
	MinSeats = 3
	MaxSeats = 9
)

// Profile says how many seats share a sum and how many of them together still
// learn nothing.
type Profile struct {
	Seats     int `cbor:"1,keyasint"` // m, 3 to 9
	Threshold int `cbor:"2,keyasint"` // t, 1 to m−2
}

// Majority returns the default profile of m seats, t = ⌊m/2⌋: more than half of
// the seats must collude to learn anything.
func Majority(m int) (Profile, error) { return newProfile("majority", m, m/2) }

// Strict returns the profile of m seats with t = min(⌊2m/3⌋, m−2): more must
// collude, and fewer may be away.
func Strict(m int) (Profile, error) { return newProfile("strict", m, min(2*m/3, m-2)) }

func newProfile(name string, m, t int) (Profile, error) {
	p := Profile{Seats: m, Threshold: t}
	if p.check() != nil {
		return Profile{}, croft.E(croft.ErrProfile, name, m)
	}
	return p, nil
}

// check refuses what no constructor returns; a Profile may come from a file.
func (p Profile) check() error {
	if p.Seats < MinSeats || p.Seats > MaxSeats || p.Threshold < 1 || p.Threshold > p.Seats-2 {
		return croft.E(croft.ErrProfile, fmt.Sprintf("with threshold %d", p.Threshold), p.Seats)
	}
	return nil
}

// Needed returns t+1, the number of shares that open a sum.
func (p Profile) Needed() int { return p.Threshold + 1 }

// Quorum returns the number of seats wanted wherever seats are counted: t+2, so
// that a lying one is noticed, or t+1 where the study allows unchecked sums.
func (p Profile) Quorum(unchecked bool) int {
	if unchecked {
		return p.Threshold + 1
	}
	return p.Threshold + 2
}

// located returns how many lying seats Open can name when so many shares are
// there: ⌊(shares−t−1)/2⌋, the unique decoding radius.
func (p Profile) located(shares int) int { return max(0, shares-p.Threshold-1) / 2 }

// PrivacyLost returns the probability that more than t seats are corrupt, and so
// can read every report together, if each seat is with this probability: a number
// from 0 to 1.
func (p Profile) PrivacyLost(share *big.Rat) *big.Rat {
	honest := new(big.Rat).Sub(big.NewRat(1, 1), share)
	sum := new(big.Rat)
	for corrupt := p.Needed(); corrupt <= p.Seats; corrupt++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(p.Seats), int64(corrupt)))
		for seat := range p.Seats {
			if seat < corrupt {
				term.Mul(term, share)
			} else {
				term.Mul(term, honest)
			}
		}
		sum.Add(sum, term)
	}
	return sum
}

// String says for people what the profile promises.
func (p Profile) String() string {
	return fmt.Sprintf("%d seats: any %d together learn nothing, %d open the sum, %d may be away (%d while sums are checked)",
		p.Seats, p.Threshold, p.Needed(), p.Seats-p.Needed(), p.Seats-p.Quorum(false))
}
