package vdaf

import (
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

// A wraparound test (PINE §4.2.4; arXiv 2311.10237, section 4) is the product of
// the vector with random coins: −1 and 1 with probability 1/4 each, else 0. Of a
// vector within its bound the products are small but for a chance of 2·e^−54; of one
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
		tossed := f.tossed(tests)
		rows, room := make([]coinRow, (tests+3)/4*4), make([]E, wrapBlock)
		for ; lo < hi; lo += wrapBlock {
			block := x(lo, min(lo+wrapBlock, hi), room)
			n := (len(block) + 3) / 4
			for i, s := range streams {
				s.XORKeyStream(rows[i][:n], zeros[:n])
			}
			tossed.add(block, rows)
		}
		totals[task] = make([]E, tests)
		tossed.values(totals[task])
	})
	for _, t := range totals[1:] {
		f.addTo(totals[0], t)
	}
	return totals[0]
}

// A coinRow is one test's coins for a block. Rows come in fours, the last ones
// empty if there are not as many tests.
type coinRow [wrapBlock / 4]byte

// tossed are the products of some tests, so far.
type tossed[E comparable] interface {
	add(x []E, coins []coinRow) // at most a block
	values(out []E)
}

// buckets are the tests of Field64, four at a time: their coins for a coordinate
// are one byte, and the coordinate is added to the sum of that byte. So there is
// one addition for four tests; what each test makes of the 256 sums is worked out
// at the end. Coins are public, so it is no harm that they decide which word is
// touched; the sums are free of branches.
//
// A sum is any 64-bit number of its class: with v below p and −c the carry,
// s + v − c·2^64 + c·ε does not overflow again.
type buckets []bucket

type bucket [256]uint64

func (field64) tossed(tests int) tossed[uint64] { return make(buckets, (tests+3)/4) }

func (b buckets) add(x []uint64, coins []coinRow) {
	var last [32]uint64
	for g := range b {
		rows, sums := (*[4]coinRow)(coins[4*g:]), &b[g]
		for k := 0; k < len(x); k += 32 {
			own := &last // zeros may go to any sum
			if k+32 <= len(x) {
				own = (*[32]uint64)(x[k:])
			} else {
				copy(last[:], x[k:])
			}
			sums.add(own, rows, k/4)
		}
	}
}

// add adds 32 coordinates with the four tests' coins from byte `at` on. The coins are
// turned by exchanging halves, first of four bits, then of eight: byte j of word k is then
// coordinate 4j+k.
func (b *bucket) add(x *[32]uint64, rows *[4]coinRow, at int) {
	w0 := binary.LittleEndian.Uint64(rows[0][at:])
	w1 := binary.LittleEndian.Uint64(rows[1][at:])
	w2 := binary.LittleEndian.Uint64(rows[2][at:])
	w3 := binary.LittleEndian.Uint64(rows[3][at:])
	w0, w1 = exchange(w0, w1, 2, 0x3333333333333333)
	w2, w3 = exchange(w2, w3, 2, 0x3333333333333333)
	w0, w2 = exchange(w0, w2, 4, 0x0f0f0f0f0f0f0f0f)
	w1, w3 = exchange(w1, w3, 4, 0x0f0f0f0f0f0f0f0f)
	for k := 0; k < 32; k += 4 {
		y := (*[4]uint64)(x[k:])
		b[byte(w0)] = lazyAdd(b[byte(w0)], y[0])
		b[byte(w1)] = lazyAdd(b[byte(w1)], y[1])
		b[byte(w2)] = lazyAdd(b[byte(w2)], y[2])
		b[byte(w3)] = lazyAdd(b[byte(w3)], y[3])
		w0, w1, w2, w3 = w0>>8, w1>>8, w2>>8, w3>>8
	}
}

// exchange swaps the upper bits of each pair of units in a with the lower ones in b.
func exchange(a, b uint64, unit int, lower uint64) (uint64, uint64) {
	t := (a>>unit ^ b) & lower
	return a ^ t<<unit, b ^ t
}

func lazyAdd(s, v uint64) uint64 {
	s, carry := bits.Add64(s, v, 0)
	return s + -carry&epsilon
}

func (b buckets) values(out []uint64) {
	for i := range out {
		sum := uint64(0)
		for coins, v := range b[i/4] {
			switch v = reduce(0, v); coins >> (2 * (i % 4)) & 3 {
			case 0:
				sum = Sub(sum, v)
			case 3:
				sum = Add(sum, v)
			}
		}
		out[i] = sum
	}
}
