package fed

import (
	"math"
	"slices"
)

func (g regression) compute(p *Plan, s State, me, sites int, train, test Rows) []float64 {
	switch s.Word {
	case Count:
		counts := []float64{float64(len(train.Y)), 0, float64(len(test.Y)), 0}
		if !g.traits().numeric {
			counts[1], counts[3] = total(train.Y), total(test.Y)
		}
		report := slices.Concat(counts, g.counts(p, train), p.says(test))
		if !p.common {
			report = append(report, g.tells(train.Y))
		}
		return report
	case Centre:
		return append(p.columnSums(train, func(_ int, x float64) float64 { return x }), p.given(train)...)
	case Spread:
		mean := floats(s.Mean)
		return p.columnSums(train, func(j int, x float64) float64 { return (x - mean[j]) * (x - mean[j]) })
	case Newton:
		return g.newton(p, s, train)
	default:
		report := g.metrics(p, s, me, sites, train, test)
		if p.model.Clusters {
			return append(report, meat(p, s, g.likelihood.(glm), train)...)
		}
		return append(report, g.extra(p, s, train)...)
	}
}

// columnSums sums a function of each column over the rows, weighted, and of the
// label as its last column if that is standardised too.
func (p *Plan) columnSums(rows Rows, of func(column int, x float64) float64) []float64 {
	sums := make([]float64, p.standardises())
	for i, x := range rows.X {
		for j, v := range x {
			if !math.IsNaN(v) { // else it is the mean: it adds nothing to Centre's sum, and no square to Spread's
				sums[j] += rows.weight(i) * of(j, v)
			}
		}
		if label := len(x); label < len(sums) {
			sums[label] += rows.weight(i) * of(label, rows.Y[i])
		}
	}
	return sums
}

// given sums the weights of the rows that have a value, of each column of Means.
func (p *Plan) given(rows Rows) []float64 {
	sums := make([]float64, len(p.means))
	for i, x := range rows.X {
		for m, j := range p.means {
			if !math.IsNaN(x[j]) {
				sums[m] += rows.weight(i)
			}
		}
	}
	return sums
}

// weight returns the weight of a row, 1 if there are none.
func (r Rows) weight(i int) float64 {
	if r.Weight == nil {
		return 1
	}
	return r.Weight[i]
}

// offset returns the logarithm of a row's exposure, 0 if there is none.
func (r Rows) offset(i int) float64 {
	if r.Exposure == nil {
		return 0
	}
	return math.Log(r.Exposure[i])
}

// glm is a likelihood of rows that are independent given their linear predictor.
type glm interface {
	likelihood
	// at returns ∂ℓ/∂η, −∂²ℓ/∂η² and ℓ of row i at its linear predictor, which has
	// the intercept and the offset.
	at(p *Plan, s State, rows Rows, i int, eta float64) (slope, curvature, loglik float64)
}

// centred returns the rows of z less the site's weighted mean row, if it has its
// own intercept, and the linear predictors. ok is false where nothing is left:
// the site's own intercept explains every row, or fitted probabilities of 0 and 1
// weigh nothing.
func centred(p *Plan, s State, g glm, rows Rows) (z [][]float64, eta []float64, ok bool) {
	z = p.standardise(s, rows)
	eta = p.predictors(s, z, rows)
	if p.common {
		return z, eta, true
	}
	alpha, telling := g.intercept(p, s, z, eta, rows)
	if !telling {
		return nil, nil, false
	}
	centre, weights := make([]float64, p.params()), 0.0
	for i := range z {
		eta[i] += alpha
		_, w, _ := g.at(p, s, rows, i, eta[i])
		weights += w
		for j, v := range z[i] {
			centre[j] += w * v
		}
	}
	if weights == 0 { // |η| > 700 in every row: no information left
		return nil, nil, false
	}
	for i := range z {
		for j := range z[i] {
			z[i][j] -= centre[j] / weights
		}
	}
	return z, eta, true
}

// curvature returns gradient, information (upper triangle) and log-likelihood at
// s.Beta.
//
// With site intercepts the site first solves its own intercept α(β), then
// reports the derivatives of the profile likelihood max_α loglik(α, β): the
// gradient, and the Schur complement H_ββ − H_βα·H_αα⁻¹·H_αβ. Both are what the
// plain formulas give once each row has the site's weighted mean row taken off,
// which also keeps the result positive semidefinite in floating point; what is
// left of g_α by an inexact α cancels to first order.
func curvature(p *Plan, s State, g glm, rows Rows) []float64 {
	d := p.params()
	report := make([]float64, d+d*(d+1)/2+1)
	z, eta, ok := centred(p, s, g, rows)
	if !ok {
		return report
	}
	gradient, information, loglik := report[:d], report[d:len(report)-1], &report[len(report)-1]
	weights := 0.0
	for i, row := range z {
		r, w, l := g.at(p, s, rows, i, eta[i])
		*loglik += l
		weights += w
		at := 0
		for j, v := range row {
			gradient[j] += r * v
			for _, u := range row[j:] {
				information[at] += w * v * u
				at++
			}
		}
	}
	if b := g.bounds(p, s); !(weights <= b.curvature) {
		// Only a step that was too long leads here. To say so is enough: the
		// log-likelihood at its bound makes the network halve the step.
		clear(report)
		*loglik = -b.loglik
	}
	return report
}

// Intercept returns the intercept of a site with these training rows under the
// final estimate, for linear predictors Intercept + Σ Coef·x on the [−1, 1]
// scale (of the label too, with linear). It never leaves the site. With one common
// intercept it is that one; a Cox regression has none: 0.
func (p *Plan) Intercept(s State, train Rows) float64 {
	g, ok := p.family.(regression)
	if !ok || !g.traits().baseline {
		return 0
	}
	alpha := 0.0
	if !p.common {
		z := p.standardise(s, train)
		alpha, _ = g.intercept(p, s, z, p.predictors(s, z, train), train)
	}
	origin := Rows{X: [][]float64{make([]float64, len(p.columns))}}
	alpha += p.predictors(s, p.standardise(s, origin), origin)[0]
	if label := len(p.columns); g.traits().numeric {
		return s.Mean[label].Float() + s.SD[label].Float()*alpha
	}
	return alpha
}

// standardise returns the rows of z = (x − mean)/sd, after the 1 of a common
// intercept.
func (p *Plan) standardise(s State, rows Rows) [][]float64 {
	mean, sd := floats(s.Mean), floats(s.SD)
	z := make([][]float64, len(rows.X))
	for i, x := range rows.X {
		z[i] = make([]float64, 0, p.params())
		if p.common {
			z[i] = append(z[i], 1)
		}
		for j, v := range x {
			if math.IsNaN(v) { // no value: the mean
				v = mean[j]
			}
			z[i] = append(z[i], (v-mean[j])/sd[j])
		}
	}
	return z
}

// predictors returns the linear predictor of each row, with its offset and
// without a site's own intercept.
func (p *Plan) predictors(s State, z [][]float64, rows Rows) []float64 {
	beta := floats(s.Beta)
	eta := make([]float64, len(z))
	for i, row := range z {
		for j, v := range row {
			eta[i] += beta[j] * v
		}
		if rows.Exposure != nil {
			eta[i] += rows.offset(i)
		}
	}
	return eta
}

// meatBlocks are what a sandwich needs of every site: Σ u·uᵀ over people, where u
// is the sum of a person's rows in the gradient, and the number of people. All ‖u‖
// together are at most Σ|∂ℓ/∂η|·‖z − z̄‖.
func meatBlocks(p *Plan, s State, b bounds) []bounded {
	d := p.params()
	return []bounded{
		{"meat", d * (d + 1) / 2, float64(float64(b.residual*b.residual) * p.span(s))},
		{"people", 1, 2 * MaxRows},
	}
}

// meat fills meatBlocks.
func meat(p *Plan, s State, g glm, rows Rows) []float64 {
	d := p.params()
	report := make([]float64, d*(d+1)/2+1)
	sums := map[int][]float64{}
	z, eta, ok := centred(p, s, g, rows)
	for i, unit := range rows.Unit {
		if sums[unit] == nil {
			sums[unit] = make([]float64, d)
			report[len(report)-1]++
		}
		if !ok {
			continue
		}
		slope, _, _ := g.at(p, s, rows, i, eta[i])
		for j, v := range z[i] {
			sums[unit][j] += slope * v
		}
	}
	seen := map[int]bool{}
	for _, unit := range rows.Unit { // in the order of rows: equal rows, equal report
		if seen[unit] {
			continue
		}
		seen[unit] = true
		at := 0
		for j, v := range sums[unit] {
			for _, u := range sums[unit][j:] {
				report[at] += v * u
				at++
			}
		}
	}
	return report
}

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// joined returns the rows of both, for plans that hold nobody out.
func joined(a, b Rows) Rows {
	return Rows{
		X: slices.Concat(a.X, b.X), Y: slices.Concat(a.Y, b.Y), Time: slices.Concat(a.Time, b.Time),
		Exposure: slices.Concat(a.Exposure, b.Exposure), Weight: slices.Concat(a.Weight, b.Weight), Unit: slices.Concat(a.Unit, b.Unit),
	}
}
