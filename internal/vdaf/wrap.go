package vdaf

import (
	"crypto/cipher"
	"math/bits"
)

// A wraparound test (PINE §4.2.4; arXiv 2311.10237, section 4) is the product of
// the vector with random coins: −1 and 1 with probability 1/4 each, else 0. Of a
// vector within its bound the products are small but for a chance of e^−75; of one
// whose squares only seem to add up to little, because they wrapped around the
// prime, each is small with probability at most 1/2.

// wrapBlock is how many coordinates are taken at once. The coins of all tests for
// them are drawn, then used, then forgotten.
const wrapBlock = 4096

// wrapTests returns the products of a vector with so many tests' coins, read from the
// stream of coins: two bits a coordinate, least significant first, 00 for −1 and
// 11 for 1; ⌈length/4⌉ bytes a test, one test after the other.
func wrapTests[E comparable](f field[E], coins *XOF, x source[E], length, tests int, run Workers) []E {
	coins.start()
	each := (length + 3) / 4
	blocks := (length + wrapBlock - 1) / wrapBlock
	tasks := min(stripes, blocks)
	totals := make([][]E, tasks)
	run(tasks, func(task int) {
		lo, hi := blocks*task/tasks*wrapBlock, min(blocks*(task+1)/tasks*wrapBlock, length)
		streams := make([]cipher.Stream, tests)
		for i := range streams {
			streams[i] = coins.from(uint64(i)*uint64(each) + uint64(lo/4))
		}
		totals[task] = make([]E, tests)
		buf, room := make([]byte, tests*wrapBlock/4), make([]E, wrapBlock)
		for ; lo < hi; lo += wrapBlock {
			block := x(lo, min(lo+wrapBlock, hi), room)
			n := (len(block) + 3) / 4
			for i, s := range streams {
				s.XORKeyStream(buf[i*n:(i+1)*n], zeros[:n])
			}
			f.coins(totals[task], block, buf[:tests*n])
		}
	})
	for _, t := range totals[1:] {
		f.addTo(totals[0], t)
	}
	return totals[0]
}

// addCoins adds to sums[i] the product of x with the i-th row of coins.
func addCoins[E comparable](f field[E], sums, x []E, coins []byte) {
	n := len(coins) / len(sums)
	for i := range sums {
		row := coins[i*n : (i+1)*n]
		for k, v := range x {
			switch row[k/4] >> (2 * (k % 4)) & 3 {
			case 0:
				sums[i] = f.sub(sums[i], v)
			case 3:
				sums[i] = f.add(sums[i], v)
			}
		}
	}
}

// coins64 is how many coordinates' tables stay in the first cache: 128 bytes for
// two coordinates.
const coins64 = 256

// coins adds up by tables: for each pair of coordinates what each of the 16
// possible half bytes of coins makes of them. Building one costs 16 additions, and
// each test then needs one for two coordinates. Coins are public, so it is no harm
// that they decide which word is read; the sums are free of branches.
func (field64) coins(sums, x []uint64, coins []byte) {
	n := len(coins) / len(sums)
	var tables [coins64 / 4][2][16]uint64
	for at := 0; at < len(x); at += coins64 {
		block := x[at:min(at+coins64, len(x))]
		used := (len(block) + 3) / 4
		for j := range used {
			var four [4]uint64
			copy(four[:], block[4*j:])
			fill(&tables[j][0], four[0], four[1])
			fill(&tables[j][1], four[2], four[3])
		}
		for i := range sums {
			row := coins[i*n+at/4:][:used]
			lo, hi := sums[i], uint64(0)
			for j := range tables[:len(row)] {
				t, b := &tables[j], row[j]
				var carry uint64
				lo, carry = bits.Add64(lo, t[0][b&15], 0)
				hi, _ = bits.Add64(hi, 0, carry)
				lo, carry = bits.Add64(lo, t[1][b>>4], 0)
				hi, _ = bits.Add64(hi, 0, carry)
			}
			sums[i] = reduce(hi, lo)
		}
	}
}

// fill lists ±x ± y for all coins of two coordinates.
func fill(t *[16]uint64, x, y uint64) {
	minus, plus := Sub(0, x), x
	for i, a := range [4]uint64{Sub(0, y), 0, 0, y} {
		t[4*i], t[4*i+1], t[4*i+2], t[4*i+3] = Add(a, minus), a, a, Add(a, plus)
	}
}
