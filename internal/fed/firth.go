package fed

import (
	"math"

	"croft"
)

// firth is the logistic likelihood with Jeffreys' prior, ℓ + ½·log|I|, whose
// maximum is finite even where the classes are separated: Firth, Biometrika 1993;
// Heinze & Schemper, Statistics in Medicine 2002. Its score is
//
//	Σ (y − π + h·(½ − π))·x,  h = w·xᵀ·I⁻¹·x,  w = π·(1 − π)
//
// so that the leverages h need the information of all sites. A site takes those of
// the point before, Base, whose information the state has; leverages hardly change
// from step to step, and where the steps end both points are one and the answer is
// exact. This works with site intercepts too, for in the partition of I by sites
// |I| = |S|·ΠW and h = w·(1/W + (z−z̄)ᵀ·S⁻¹·(z−z̄)), where W is Σw over the site, z̄
// its weighted mean and S the profiled information, which is the sum; what of h
// and log|I| is a site's own never leaves it. A site with one class has a finite
// intercept and counts.
//
// Loglik has the penalty.
type firth struct{ logistic }

// settledMove is where the steps end: in standard deviations, two units of a
// Fixed. They shrink by a factor of the order of coefficients per event, not
// quadratically, so that the end must lie close.
const settledMove = 1.0 / (1 << 39)

func (firth) traits() traits {
	return traits{baseline: true, binary: true, classes: true, leverage: true}
}

func (firth) rules(p *Plan) []rule {
	return append(p.only("threshold", "groups"), rule{p.ridge != 0, "ridge", "firth has a penalty of its own"})
}

// bounds: leverages count as at most 1, which the true ones are, so that a row
// weighs in the gradient at most 3/2. A site's intercept is at its best among
// those for rows with their leverages added half to each class: so the loss is at
// most twice that of the logistic bound; |½·log W| is at most 400.
func (f firth) bounds(p *Plan, s State) bounds {
	b := f.logistic.bounds(p, s)
	b.gradient, b.loglik = float64(2*b.gradient), float64(2*b.loglik)+400
	b.row = perRow{} // log W is of no row
	return b
}

func (f firth) units(p *Plan, s State) units {
	return units{information: unit(f.logistic.bounds(p, s).information)}
}

// penalty is ½·log|S|: the diagonal of a Cholesky factor multiplies to √|S|.
func (firth) penalty(f factor) (half float64) {
	for i := range f {
		half += logarithm(f[i][i])
	}
	return half
}

func (firth) last(_ float64, move []float64) bool {
	for _, m := range move {
		if !(math.Abs(m) <= settledMove) {
			return false
		}
	}
	return true
}

func (firth) diverges(column string) error { return croft.E(croft.ErrCollinear, column) }

func (f firth) newton(p *Plan, s State, rows Rows) []float64 {
	d := p.params()
	report := make([]float64, d+d*(d+1)/2+1)
	gradient, information, loglik := report[:d], report[d:len(report)-1], &report[len(report)-1]
	if len(rows.Y) == 0 {
		return report
	}
	z := p.standardise(s, rows)
	h := f.leverages(p, s, z, rows)
	eta := p.predictors(s, z, rows)
	centre := make([]float64, d)
	if !p.common {
		alpha, weights := augmentedIntercept(eta, rows.Y, h), 0.0
		for i, row := range z {
			eta[i] += alpha
			w := sigmoid(eta[i]) * sigmoid(-eta[i])
			weights += w
			for j, v := range row {
				centre[j] += w * v
			}
		}
		weights = max(weights, leastWeight)
		for j := range centre {
			centre[j] /= weights
		}
		*loglik = math.Log(weights) / 2
	}
	for i, row := range z {
		*loglik -= loss(eta[i], rows.Y[i])
		r, w := augmentedResidual(eta[i], rows.Y[i], h[i]), sigmoid(eta[i])*sigmoid(-eta[i])
		for j := range row {
			row[j] -= centre[j]
		}
		at := 0
		for j, v := range row {
			gradient[j] += r * v
			for _, u := range row[j:] {
				information[at] += w * v * u
				at++
			}
		}
	}
	return report
}

// leastWeight keeps the logarithm of a site's weights within its bound.
const leastWeight = 1e-300

func (f firth) intercept(p *Plan, s State, z [][]float64, eta []float64, rows Rows) (float64, bool) {
	if len(rows.Y) == 0 {
		return 0, false
	}
	_, alpha := f.settle(p, s, z, eta, rows.Y)
	return alpha, true
}

// leverages returns those of a site's rows at Base. Where the sites start, all rows
// weigh the same, and leverages are taken as if columns were uncorrelated: 1/n for
// an intercept and ‖z − z̄‖²/n.
func (f firth) leverages(p *Plan, s State, z [][]float64, rows Rows) (h []float64) {
	if len(s.Base) > 0 {
		s.Beta = s.Base
		h, _ = f.settle(p, s, z, p.predictors(s, z, rows), rows.Y)
		return h
	}
	mean, own := make([]float64, p.params()), 0.0
	if !p.common {
		own = 1 / float64(len(z))
		for _, row := range z {
			for j, v := range row {
				mean[j] += v * own
			}
		}
	}
	for _, row := range z {
		square := 0.0
		for j, v := range row {
			square += (v - mean[j]) * (v - mean[j])
		}
		h = append(h, min(own+square/float64(s.Rows), 1))
	}
	return h
}

// settle returns the leverages of rows of which these are the predictors, under
// the information that the state has, and the site's own intercept that goes with
// them: 0 if there is a common one.
func (f firth) settle(p *Plan, s State, z [][]float64, eta, y []float64) (h []float64, alpha float64) {
	information := floats(s.Information)
	for i := range information {
		information[i] = math.Ldexp(information[i], f.units(p, s).information)
	}
	h = make([]float64, len(z))
	factor, singular := cholesky(unpack(information, p.params()))
	if singular >= 0 {
		return h, 0 // no state that Step made: what it keeps has a factor
	}
	u := make([][]float64, len(z)) // |u|² = zᵀ·S⁻¹·z
	for i, row := range z {
		u[i] = factor.forward(row)
	}
	for i := range h {
		h[i] = 1 / float64(len(h))
	}
	for range 100 { // each time leverages change far less than before
		was := alpha
		if !p.common {
			alpha = augmentedIntercept(eta, y, h)
		}
		weights, mean := 0.0, make([]float64, p.params())
		for i, e := range eta {
			w := sigmoid(alpha+e) * sigmoid(-alpha-e)
			weights += w
			for j, v := range u[i] {
				mean[j] += w * v
			}
		}
		weights = max(weights, leastWeight)
		for i, e := range eta {
			square := 0.0
			if !p.common {
				square = 1 / weights
			}
			for j, v := range u[i] {
				if !p.common {
					v -= mean[j] / weights
				}
				square += v * v
			}
			h[i] = min(sigmoid(alpha+e)*sigmoid(-alpha-e)*square, 1)
		}
		if math.Abs(alpha-was) <= 0x1p-48*max(1, math.Abs(alpha)) {
			break
		}
	}
	return h, alpha
}

// augmentedResidual returns y − π + h·(½ − π): that of a row and of h more, half
// of each class.
func augmentedResidual(eta, y, h float64) float64 {
	return residual(eta, y) + h*(residual(eta, 1)+residual(eta, 0))/2
}

// augmentedIntercept returns the α at which those residuals sum to 0. It is within
// solveAlpha's bracket, since Σh is 1 or more.
func augmentedIntercept(eta, y, h []float64) float64 {
	return solveAlpha(eta, (total(y)+0.5)/float64(len(y)+1), func(i int, eta float64) (residual, weight float64) {
		return augmentedResidual(eta, y[i], h[i]), (1 + h[i]) * sigmoid(eta) * sigmoid(-eta)
	})
}
