package privagg

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"croft"
	"croft/internal/tensor"
	"croft/internal/vdaf"
)

// Aggregate adds one seat's shares of the accepted reports: its share of their
// sum. Noise is added here, once there is some: a share of noise is a share.
func Aggregate(shares ...[]uint64) ([]uint64, error) {
	if len(shares) == 0 {
		return nil, croft.E(croft.ErrShape, "the accepted set", 0, "1 or more")
	}
	sum := make([]uint64, len(shares[0]))
	for _, share := range shares {
		if len(share) != len(sum) {
			return nil, croft.E(croft.ErrShape, "a share", len(share), len(sum))
		}
		for k, v := range share {
			sum[k] = vdaf.Add(sum[k], v)
		}
	}
	return sum, nil
}

// EncodeShare returns a share as bytes: 8 an element, little endian.
func EncodeShare(share []uint64) []byte {
	out := make([]byte, 8*len(share))
	putNumbers(out, share)
	return out
}

// DecodeShare reads a share of so many elements; each must be below p.
func DecodeShare(data []byte, length int) ([]uint64, error) {
	if len(data) != 8*length {
		return nil, croft.E(croft.ErrShape, "a share", len(data)/8, length)
	}
	if err := checkNumbers(data); err != nil {
		return nil, err
	}
	share := make([]uint64, length)
	getNumbers(share, data)
	return share, nil
}

func putNumbers(out []byte, numbers []uint64) {
	for k, v := range numbers {
		binary.LittleEndian.PutUint64(out[8*k:], v)
	}
}

func getNumbers(out []uint64, data []byte) {
	for k := range out {
		out[k] = binary.LittleEndian.Uint64(data[8*k:])
	}
}

func checkNumbers(data []byte) error {
	for k := 0; k+8 <= len(data); k += 8 {
		if binary.LittleEndian.Uint64(data[k:]) >= vdaf.Modulus {
			return croft.E(croft.ErrEncoding, "share", fmt.Sprintf("element %d is not below the field's prime", k/8))
		}
	}
	return nil
}

// SealShare seals a seat's share of the sum for one reader. c names the round and
// the accepted set; its Site is zero. Sealing again gives the same bytes.
func SealShare(c Context, seat int, share []uint64, to *Sender) ([]byte, error) {
	if len(share) != int(c.Length) {
		return nil, croft.E(croft.ErrShape, "a share", len(share), c.Length)
	}
	return to.Seal(c.Round, shareBinding(c, seat), EncodeShare(share))
}

// OpenShare opens what SealShare sealed.
func OpenShare(c Context, seat int, sealed []byte, from *Receiver) ([]uint64, error) {
	data, err := from.Open(c.Round, shareBinding(c, seat), sealed)
	if err != nil {
		return nil, err
	}
	return DecodeShare(data, int(c.Length))
}

func shareBinding(c Context, seat int) []byte {
	return croft.Encode(binding{Label: "share", Context: croft.HashOf(c), From: uint8(seat)})
}

// maxSites bounds the reports in a sum: maxSites·2^26 is far below p/2, so no sum
// of vectors within the norm bound wraps around the field.
const maxSites = 1 << 20

// Opening is an opened sum.
type Opening struct {
	Sum []int64
	// Checked says that at least t+2 shares agree on the sum: it is right unless
	// more seats lie than Open's rule allows for.
	Checked bool
	// Liars are the seats whose share does not belong to the sum, ascending.
	Liars []int
}

// Open computes the total of so many sites' vectors from the seats' shares of it:
// shares[i] is seat i's, nil where there is none. With k shares:
//
//   - k ≤ t: ErrTooFewShares.
//   - k = t+1: the sum opens unchecked; one lying seat can have made it anything.
//   - k ≥ t+2: all shares must lie on one polynomial of degree t. If they do not,
//     up to e = ⌊(k−t−1)/2⌋ lying seats are named and left out, so that k − e
//     shares agree; if that is not possible, ErrShareMismatch.
//
// The result is right, and no honest seat is named, while at most k−t−1−e seats
// lie: 1 of t+2 and of t+3, 2 of t+4 and of t+5. More seats that lie together may
// choose the sum. ErrSumBound: the shares agree, yet on numbers to which vectors
// within the bound cannot add up, so a site broke it.
func Open(p Profile, sites int, shares [][]uint64) (*Opening, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if sites < 1 || sites > maxSites {
		return nil, croft.E(croft.ErrShape, "the accepted set", sites, fmt.Sprintf("1 to %d", maxSites))
	}
	honest, liars, err := p.agree(shares)
	if err != nil {
		return nil, err
	}
	base := honest[:p.Needed()]
	opening := &Opening{Sum: make([]int64, 0, len(shares[base[0]])), Checked: len(honest) > p.Needed(), Liars: liars}
	bound := int64(sites) << tensor.NormBits
	evaluate(base, 0, shares, func(at int, values []uint64) bool {
		for k, v := range values {
			s := vdaf.Centred(v)
			if max(s, -s) >= bound {
				err = croft.E(croft.ErrSumBound, at+k, s, sites)
				return false
			}
			opening.Sum = append(opening.Sum, s)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return opening, nil
}

// agree tells the seats whose shares lie on one polynomial from those who lie.
func (p Profile) agree(shares [][]uint64) (honest, liars []int, err error) {
	if len(shares) != p.Seats {
		return nil, nil, croft.E(croft.ErrShape, "the list of shares", len(shares), p.Seats)
	}
	var seats []int
	for seat, share := range shares {
		if share == nil {
			continue
		}
		if seats = append(seats, seat); len(share) != len(shares[seats[0]]) {
			return nil, nil, croft.E(croft.ErrShape, "a share", len(share), len(shares[seats[0]]))
		}
	}
	if len(seats) < p.Needed() {
		return nil, nil, croft.E(croft.ErrTooFewShares, len(seats), p.Needed())
	}
	if honest, err = agreeing(p, seats, shares); err != nil {
		return nil, nil, err
	}
	for _, seat := range seats {
		if !slices.Contains(honest, seat) {
			liars = append(liars, seat)
		}
	}
	return honest, liars, nil
}

// agreeing returns the seats whose shares lie on one polynomial of degree t, all
// but at most e = ⌊(k−t−1)/2⌋ of the k given.
//
// It decodes one element at a time, the first that does not fit: the seats that
// are wrong there are liars and are set aside, and the rest must fit everywhere.
// With a of them set aside, k−a seats are left of which at most e−a may be wrong,
// and two polynomials that each agree with k−a−(e−a) = k−e of the k−a seats agree
// with each other on k−2e+a ≥ t+1 of them: there is one answer.
func agreeing(p Profile, seats []int, shares [][]uint64) ([]int, error) {
	wanted := len(seats) - p.located(len(seats))
	for {
		at, fits := firstMisfit(seats[:p.Needed()], seats[p.Needed():], shares)
		if fits {
			return seats, nil
		}
		seats = decode(p, seats, wanted, func(seat int) uint64 { return shares[seat][at] })
		if seats == nil {
			return nil, croft.E(croft.ErrShareMismatch)
		}
	}
}

// firstMisfit returns an element at which one of the others is not on the
// polynomial through the base.
func firstMisfit(base, others []int, shares [][]uint64) (at int, fits bool) {
	fits = true
	for _, seat := range others {
		evaluate(base, point(seat), shares, func(from int, values []uint64) bool {
			for k, v := range values {
				if v != shares[seat][from+k] {
					at, fits = from+k, false
					return false
				}
			}
			return true
		})
		if !fits {
			break
		}
	}
	return at, fits
}

// decode returns the seats, at least so many, whose values lie on one polynomial
// of degree t; nil if no polynomial fits so many. It tries all sets of t+1 seats,
// 126 at most.
func decode(p Profile, seats []int, wanted int, value func(seat int) uint64) []int {
	for set := range uint(1) << len(seats) {
		if bits.OnesCount(set) != p.Needed() {
			continue
		}
		var base []int
		for i, seat := range seats {
			if set>>i&1 == 1 {
				base = append(base, seat)
			}
		}
		var fit []int
		for _, seat := range seats {
			expected := uint64(0)
			for i, c := range lagrange(field64{}, base, point(seat)) {
				expected = vdaf.Add(expected, vdaf.Mul(c, value(base[i])))
			}
			if expected == value(seat) {
				fit = append(fit, seat)
			}
		}
		if len(fit) >= wanted {
			return fit
		}
	}
	return nil
}

// evaluate computes, block by block, the values at x of the polynomials through
// the shares of these seats, until yield returns false.
func evaluate(seats []int, x uint64, shares [][]uint64, yield func(at int, values []uint64) bool) {
	var (
		sum   = vdaf.NewWide(blockLen)
		buf   [blockLen]uint64
		coefs = lagrange(field64{}, seats, x)
		n     = len(shares[seats[0]])
	)
	for at := 0; at < n; at += blockLen {
		out := buf[:min(blockLen, n-at)]
		for i, seat := range seats {
			sum.MulAdd(coefs[i], shares[seat][at:at+len(out)])
		}
		sum.Reduce(out)
		if !yield(at, out) {
			return
		}
	}
}
