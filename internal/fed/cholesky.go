package fed

import (
	"math"
	"slices"
)

// factor is the lower triangle L of a positive definite matrix A = L·Lᵀ.
type factor [][]float64

// leastPivot is how much of a column must be left when the columns before it
// are taken out: 1 − R². Below, its coefficient has no meaning of its own.
const leastPivot = 1.0 / (1 << 30)

// cholesky factors a, of which it reads the lower triangle. A column that
// follows from those before it has its index returned as singular, else −1.
func cholesky(a [][]float64) (l factor, singular int) {
	for i := range a {
		l = append(l, make([]float64, i+1))
		for j := range i + 1 {
			rest := a[i][j]
			for k := range j {
				rest -= float64(l[i][k] * l[j][k])
			}
			if j < i {
				l[i][j] = rest / l[j][j]
				continue
			}
			if !(rest > 0 && rest > float64(leastPivot*a[i][i])) {
				return nil, i
			}
			l[i][i] = math.Sqrt(rest)
		}
	}
	return l, -1
}

// solve returns A⁻¹·b.
func (l factor) solve(b []float64) []float64 {
	x := l.forward(b)                  // L·y = b
	for i := len(x) - 1; i >= 0; i-- { // Lᵀ·x = y
		for k := i + 1; k < len(x); k++ {
			x[i] -= float64(l[k][i] * x[k])
		}
		x[i] /= l[i][i]
	}
	return x
}

// forward returns L⁻¹·b.
func (l factor) forward(b []float64) []float64 {
	x := slices.Clone(b)
	for i := range x {
		for k := range i {
			x[i] -= float64(l[i][k] * x[k])
		}
		x[i] /= l[i][i]
	}
	return x
}

// inverse returns A⁻¹.
func (l factor) inverse() [][]float64 {
	a := make([][]float64, len(l))
	for i := range a {
		unit := make([]float64, len(l))
		unit[i] = 1
		a[i] = l.solve(unit)
	}
	return a
}

// pack returns the upper triangle of a symmetric matrix, by rows.
func pack(a [][]float64) (upper []float64) {
	for i := range a {
		upper = append(upper, a[i][i:]...)
	}
	return upper
}

// unpack returns the symmetric d×d matrix of an upper triangle.
func unpack(upper []float64, d int) [][]float64 {
	a := make([][]float64, d)
	for i := range a {
		a[i] = make([]float64, d)
	}
	for i := range a {
		for j := i; j < d; j++ {
			a[i][j], a[j][i] = upper[0], upper[0]
			upper = upper[1:]
		}
	}
	return a
}
