package privagg

import (
	"fmt"
	"math/bits"
)

// A part is named by its set T of t seats: bit i is seat i. The seats of T are
// those that do not hold it.
type part uint16

func (T part) excludes(seat int) bool { return T>>seat&1 == 1 }

// String names the part by the seats that do not hold it, as people count them.
func (T part) String() string {
	s := "without"
	for seat := range MaxSeats {
		if T.excludes(seat) {
			s += fmt.Sprintf(" %d", seat+1)
		}
	}
	return s
}

// parts returns all C(m,t) parts, ascending as binary numbers. This order is
// that of commitments and of part numbers on the wire.
func (p Profile) parts() []part {
	var all []part
	for T := range part(1) << p.Seats {
		if bits.OnesCount16(uint16(T)) == p.Threshold {
			all = append(all, T)
		}
	}
	return all
}

// point is the place of a seat's share on the polynomial; the secret is at 0.
func point(seat int) uint64 { return uint64(seat) + 1 }

// weight returns f_T(x_seat), where f_T(X) = Π_{j∈T} (x_j − X)/x_j is the polynomial
// of degree t that is 1 at 0 and 0 at every seat of T. Seat i's Shamir share of
// Σ_T x_T is therefore Σ_{T∌i} f_T(x_i)·x_T (Cramer, Damgård and Ishai).
func weight(f field, T part, seat int) uint64 {
	num, den := uint64(1), uint64(1)
	for j := range MaxSeats {
		if T.excludes(j) {
			num = f.mul(num, f.sub(point(j), point(seat)))
			den = f.mul(den, point(j))
		}
	}
	return f.mul(num, f.inv(den))
}

// lagrange returns the coefficients with which the shares of these seats give the
// value at `at` of the polynomial of degree len(seats)−1 through them.
func lagrange(f field, seats []int, at uint64) []uint64 {
	out := make([]uint64, len(seats))
	for i, a := range seats {
		num, den := uint64(1), uint64(1)
		for _, b := range seats {
			if a != b {
				num = f.mul(num, f.sub(point(b), at))
				den = f.mul(den, f.sub(point(b), point(a)))
			}
		}
		out[i] = f.mul(num, f.inv(den))
	}
	return out
}
