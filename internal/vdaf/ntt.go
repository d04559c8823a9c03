package vdaf

import "math/bits"

// Number-theoretic transforms of power-of-two size. dif goes from natural order
// to bit-reversed order, dit back, so that a way to the coefficients and out to
// other points needs no permutation:
//
//	values at the n-th roots ── dif(inverse roots), ·1/n ──▶ coefficients, reversed
//	coefficients, reversed   ── dit(roots) ──▶ values at the n-th roots

// roots lists, for each half = 1, 2, 4 … n/2, the powers 0 to half−1 of a root of
// unity of order 2·half at places half to 2·half−1: each level of a transform
// reads its own in order.
func roots[E comparable](f field[E], log int, inverse bool) []E {
	table := make([]E, max(1<<log, 1))
	for l := range log {
		w, x := f.root(l+1), f.of(1)
		if inverse {
			w = f.inv(w)
		}
		for j := range 1 << l {
			table[1<<l+j] = x
			x = f.mul(x, w)
		}
	}
	return table
}

func (field64) dif(x, roots []uint64) {
	for half := len(x) / 2; half > 0; half /= 2 {
		w := roots[half : 2*half]
		for s := 0; s < len(x); s += 2 * half {
			a, b := x[s:][:len(w)], x[s+half:][:len(w)]
			for j, root := range w {
				u, v := a[j], b[j]
				a[j], b[j] = Add(u, v), Mul(Sub(u, v), root)
			}
		}
	}
}

func (field64) dit(x, roots []uint64) {
	for half := 1; half < len(x); half *= 2 {
		w := roots[half : 2*half]
		for s := 0; s < len(x); s += 2 * half {
			a, b := x[s:][:len(w)], x[s+half:][:len(w)]
			for j, root := range w {
				u, v := a[j], Mul(b[j], root)
				a[j], b[j] = Add(u, v), Sub(u, v)
			}
		}
	}
}

// reverse permutes x into bit-reversed order, and back.
func reverse[E any](x []E) {
	shift := bits.LeadingZeros64(uint64(len(x))) + 1
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
}

// powers returns first, first·x, first·x² …
func powers[E comparable](f field[E], first, x E, n int) []E {
	out := make([]E, n)
	for k := range out {
		out[k] = first
		first = f.mul(first, x)
	}
	return out
}
