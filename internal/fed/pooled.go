package fed

import (
	"cmp"
	"math"
	"slices"

	"croft"
)

// Fit is a logistic regression fitted on rows that lie in one place.
type Fit struct {
	Coef, SE   []float64 // one a column, in the units of x
	Intercepts []float64 // one a group; ±Inf for a group of one class
	Deviance   float64   // −2·log-likelihood
	Iterations int
}

// Pooled fits the same model as a plan by another road, as its check: iteratively
// reweighted least squares on the raw columns with an explicit indicator for each
// group (no profiling, no standardisation, no normal equations), each iteration by
// Householder's QR. It shares no code with Step or Compute. groups holds each
// row's group, 0 to the number of groups − 1; nil means one intercept for all.
// The ridge is λ/2·Σ(coef·sd)², as in a plan. It fails with ErrNoConvergence
// after 100 iterations or when it meets separated classes.
func Pooled(x [][]float64, y []float64, groups []int, ridge float64) (Fit, error) {
	if groups == nil {
		groups = make([]int, len(y))
	}
	p := pool{x: x, y: y, groups: groups, ridge: ridge, k: len(x[0]), sd: spreads(x)}
	fit := Fit{Intercepts: p.intercepts()}
	b := make([]float64, p.width)
	_, was := p.cost(b)
	for fit.Iterations < 100 {
		fit.Iterations++
		delta, se := leastSquares(p.increment(b))
		trial := make([]float64, p.width)
		for t := 1.0; ; t /= 2 {
			for j := range trial {
				trial[j] = b[j] + t*delta[j]
			}
			if _, is := p.cost(trial); is <= was*(1+1e-12) || t < 1e-9 {
				was = is
				break
			}
		}
		b = trial
		change, doubt := 0.0, 0.0
		for j := range p.k { // of a coefficient, per standard deviation of its column
			change, doubt = max(change, math.Abs(delta[j])*p.sd[j]), max(doubt, se[j]*p.sd[j])
		}
		for j := p.k; j < p.width; j++ { // of an intercept, which may stand far outside the data
			change = max(change, math.Abs(delta[j])/se[j])
		}
		if !(was > 1e-9 && doubt < 1e6) { // separated: probabilities of 0 and 1
			break
		}
		if change < 1e-7 { // the next would be about its square
			fit.Coef, fit.SE = b[:p.k], se[:p.k]
			fit.Deviance, _ = p.cost(b)
			for g, at := range p.column {
				if at >= 0 {
					fit.Intercepts[g] = b[at]
				}
			}
			return fit, nil
		}
	}
	return Fit{}, croft.E(croft.ErrNoConvergence, fit.Iterations)
}

// pool is the rows in one place, with what is fitted to them: the coefficients of k
// columns, then the intercepts of groups, width numbers together.
type pool struct {
	x        [][]float64
	y        []float64
	groups   []int
	ridge    float64
	k, width int
	column   []int // of each group's indicator; -1: the group is left out
	sd       []float64
}

// intercepts gives each group its column. A group of one class fits its rows perfectly
// at an infinite intercept: in the limit they add nothing, so they are left out (but
// not of the spread).
func (p *pool) intercepts() []float64 {
	count := slices.Max(p.groups) + 1
	rows, positive := make([]float64, count), make([]float64, count)
	for i, g := range p.groups {
		rows[g]++
		positive[g] += p.y[i]
	}
	out := make([]float64, count)
	p.column, p.width = make([]int, count), p.k
	for g := range count {
		if positive[g] == 0 || positive[g] == rows[g] {
			out[g] = math.Inf(int(2*positive[g] - rows[g]))
			p.column[g] = -1
			continue
		}
		p.column[g] = p.width
		p.width++
	}
	return out
}

// spreads returns the standard deviation of each column.
func spreads(x [][]float64) []float64 {
	sd := make([]float64, len(x[0]))
	for j := range sd {
		mean := 0.0
		for i := range x {
			mean += x[i][j] / float64(len(x))
		}
		for i := range x {
			sd[j] += (x[i][j] - mean) * (x[i][j] - mean) / float64(len(x))
		}
		sd[j] = math.Sqrt(sd[j])
	}
	return sd
}

func (p *pool) predict(b []float64, i int) float64 {
	eta := b[p.column[p.groups[i]]]
	for j := range p.k {
		eta += b[j] * p.x[i][j]
	}
	return eta
}

func (p *pool) cost(b []float64) (deviance, penalised float64) {
	for i := range p.x {
		if p.column[p.groups[i]] < 0 {
			continue
		}
		eta := p.predict(b, i) * (1 - 2*p.y[i])
		deviance += 2 * (max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta))))
	}
	penalised = deviance
	for j := range p.k {
		penalised += p.ridge * b[j] * p.sd[j] * b[j] * p.sd[j]
	}
	return deviance, penalised
}

// increment puts the next step δ as a problem of least squares, [A b] as leastSquares
// takes it: √w·(row·δ) ≈ (y−p)/√w, and for the ridge √λ·sd·δ ≈ −√λ·sd·b.
func (p *pool) increment(b []float64) (a [][]float64) {
	for i := range p.x {
		at := p.column[p.groups[i]]
		if at < 0 {
			continue
		}
		sign := 2*p.y[i] - 1
		q := 1 / (1 + math.Exp(sign*p.predict(b, i))) // |y − p|
		root := math.Sqrt(max(q*(1-q), 1e-200))
		row := make([]float64, p.width+1)
		for j := range p.k {
			row[j] = root * p.x[i][j]
		}
		row[at], row[p.width] = root, sign*q/root
		a = append(a, row)
	}
	for j := range p.k {
		row := make([]float64, p.width+1)
		row[j] = math.Sqrt(p.ridge) * p.sd[j]
		row[p.width] = -row[j] * b[j]
		a = append(a, row)
	}
	return a
}

// leastSquares minimises ‖A·x − b‖ for a = [A b] by Householder reflections (Golub
// & Van Loan, Matrix Computations, §5.3.2) and returns x and √diag((AᵀA)⁻¹). It
// overwrites a. Rows with weights far apart are taken heaviest first, or rounding
// in the heavy ones drowns the light (Cox & Higham, BIT 1998).
func leastSquares(a [][]float64) (x, se []float64) {
	n := len(a[0]) - 1
	weight := func(row []float64) (w float64) {
		for _, v := range row[:n] {
			w = max(w, math.Abs(v))
		}
		return w
	}
	slices.SortStableFunc(a, func(p, q []float64) int { return cmp.Compare(weight(q), weight(p)) })
	for c := range n {
		norm := 0.0
		for _, row := range a[c:] {
			norm = math.Hypot(norm, row[c])
		}
		if a[c][c] > 0 {
			norm = -norm // the sign that avoids cancellation
		}
		v, size := make([]float64, len(a)), 0.0
		for r := c; r < len(a); r++ {
			v[r] = a[r][c]
			if r == c {
				v[r] -= norm
			}
			size += v[r] * v[r]
		}
		for j := c; j <= n; j++ {
			along := 0.0
			for r := c; r < len(a); r++ {
				along += v[r] * a[r][j]
			}
			for r := c; r < len(a); r++ {
				a[r][j] -= 2 * along / size * v[r]
			}
		}
	}
	// Above its diagonal a now holds R and beside it Qᵀb: x = R⁻¹Qᵀb, and se² are
	// the squared norms of the rows of R⁻¹.
	back := func(b []float64) []float64 {
		for i := n - 1; i >= 0; i-- {
			for j := i + 1; j < n; j++ {
				b[i] -= a[i][j] * b[j]
			}
			b[i] /= a[i][i]
		}
		return b
	}
	x, se = make([]float64, n), make([]float64, n)
	for c := range n {
		x[c] = a[c][n]
		unit := make([]float64, n)
		unit[c] = 1
		for i, v := range back(unit) {
			se[i] = math.Hypot(se[i], v)
		}
	}
	return back(x), se
}
