package bench

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"croft/internal/fed"
)

// trainShare is FLamby's: a hospital with n rows trains on ⌊0.66·n⌋.
func trainShare(n int) int { return int(0.66 * float64(n)) }

// stratified splits a hospital's rows at random into two thirds to train and a
// third to test, with the classes in proportion.
func stratified(rows fed.Rows, rng *rand.PCG) fed.Site {
	shuffle := func(order []int) {
		for i := len(order) - 1; i > 0; i-- {
			j := int(rng.Uint64() % uint64(i+1)) // biased by less than 2⁻⁵⁰
			order[i], order[j] = order[j], order[i]
		}
	}
	return divide(rows, func(classes [2][]int, counts [2]int) (test []int) {
		for c, of := range classes {
			shuffle(of)
			test = append(test, of[counts[c]:]...)
		}
		return test
	})
}

// flamby returns FLamby's own split of a hospital, so that figures can stand
// beside the published ones: train_test_split of scikit-learn with a train_size
// of 0.66 and random_state 43, stratified where each class has more than two
// rows. (At the Swiss hospital one row of 46 is negative.)
func flamby(rows fed.Rows) fed.Site {
	rng := newMersenne(43)
	return divide(rows, func(classes [2][]int, counts [2]int) (test []int) {
		if min(len(classes[0]), len(classes[1])) <= 2 {
			n := len(rows.Y)
			return rng.permutation(n)[:n-trainShare(n)] // ShuffleSplit
		}
		for c, of := range classes { // StratifiedShuffleSplit
			for _, p := range rng.permutation(len(of))[counts[c]:] {
				test = append(test, of[p])
			}
		}
		return test
	})
}

// divide gives choose the rows of either class and how many of them train in a
// stratified split, and returns the split whose test rows it names.
func divide(rows fed.Rows, choose func(classes [2][]int, counts [2]int) (test []int)) (out fed.Site) {
	var classes [2][]int
	for i, y := range rows.Y {
		classes[int(y)] = append(classes[int(y)], i)
	}
	// The class with the larger remainder gets the row that is left over.
	train := trainShare(len(rows.Y))
	positives := int(math.Round(float64(train*len(classes[1])) / float64(len(rows.Y))))
	test := choose(classes, [2]int{train - positives, positives})
	slices.Sort(test)
	for i, x := range rows.X {
		into := &out.Train
		if _, tests := slices.BinarySearch(test, i); tests {
			into = &out.Test
		}
		into.X, into.Y = append(into.X, x), append(into.Y, rows.Y[i])
	}
	return out
}

// mersenne is MT19937 (Matsumoto and Nishimura, ACM TOMACS 1998, 8:3–30), the
// generator of numpy.random.RandomState: only to reproduce FLamby's split.
type mersenne struct {
	state [624]uint32
	next  int
}

func newMersenne(seed uint32) *mersenne {
	m := &mersenne{next: 624}
	m.state[0] = seed
	for i := 1; i < len(m.state); i++ {
		before := m.state[i-1]
		m.state[i] = 1812433253*(before^before>>30) + uint32(i)
	}
	return m
}

func (m *mersenne) uint32() uint32 {
	if n := len(m.state); m.next == n {
		for i := range m.state {
			y := m.state[i]&(1<<31) | m.state[(i+1)%n]&(1<<31-1)
			m.state[i] = m.state[(i+397)%n] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		m.next = 0
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// permutation returns RandomState.permutation(n): Fisher and Yates from the end,
// each index drawn by masking and rejecting.
func (m *mersenne) permutation(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		mask := uint32(1)<<bits.Len32(uint32(i)) - 1
		j := m.uint32() & mask
		for j > uint32(i) {
			j = m.uint32() & mask
		}
		order[i], order[j] = order[j], order[i]
	}
	return order
}
