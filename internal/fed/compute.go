package fed

import (
	"math"

	"croft"
)

// Compute returns one site's vector for the sum that moves s: site me of so many
// sites, with its training and held-out rows. It is the site's own affair and
// need not be bit-deterministic. The result fits p.Layout(s, sites).
func (p *Plan) Compute(s State, me, sites int, train, test Rows) ([]float64, error) {
	if me < 0 || me >= sites || sites > MaxSites {
		return nil, croft.E(croft.ErrShape, "the study", sites, MaxSites)
	}
	for _, rows := range []Rows{train, test} {
		if err := p.fits(rows); err != nil {
			return nil, err
		}
	}
	if len(train.X)+len(test.X) > MaxRows {
		return nil, croft.E(croft.ErrTooManyRows, "this site", MaxRows)
	}
	switch s.Word {
	case Count:
		return []float64{float64(len(train.Y)), total(train.Y), float64(len(test.Y)), total(test.Y)}, nil
	case Centre:
		return p.columnSums(train, func(_ int, x float64) float64 { return x }), nil
	case Spread:
		mean := floats(s.Mean)
		return p.columnSums(train, func(j int, x float64) float64 { return (x - mean[j]) * (x - mean[j]) }), nil
	case Newton:
		return p.curvature(s, train), nil
	case Evaluate:
		return p.metrics(s, me, sites, train, test), nil
	default:
		return nil, nil
	}
}

// fits checks the shape and the ranges on which the layout's bounds rest.
func (p *Plan) fits(rows Rows) error {
	if len(rows.X) != len(rows.Y) {
		return croft.E(croft.ErrShape, "the label", len(rows.Y), len(rows.X))
	}
	for i, x := range rows.X {
		if len(x) != len(p.columns) {
			return croft.E(croft.ErrShape, "a row", len(x), len(p.columns))
		}
		for j, v := range x {
			if !(math.Abs(v) <= 1) {
				return croft.E(croft.ErrOverflow, p.columns[j], i, v, 1)
			}
		}
		if rows.Y[i] != 0 && rows.Y[i] != 1 {
			return croft.E(croft.ErrOverflow, p.model.Label, i, rows.Y[i], 1)
		}
	}
	return nil
}

func (p *Plan) columnSums(rows Rows, of func(column int, x float64) float64) []float64 {
	sums := make([]float64, len(p.columns))
	for _, x := range rows.X {
		for j, v := range x {
			sums[j] += of(j, v)
		}
	}
	return sums
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
func (p *Plan) curvature(s State, rows Rows) []float64 {
	d := p.params()
	report := make([]float64, d+d*(d+1)/2+1)
	if !p.common && (len(rows.Y) == 0 || OneClass(rows.Y)) {
		return report // α → ±∞ explains every row: exactly nothing is left
	}
	z := p.standardised(s, rows)
	eta := scores(z, floats(s.Beta))
	if !p.common {
		alpha := intercept(eta, rows.Y)
		centre, weights := make([]float64, d), 0.0
		for i := range z {
			eta[i] += alpha
			w := logistic(eta[i]) * logistic(-eta[i])
			weights += w
			for j, v := range z[i] {
				centre[j] += w * v
			}
		}
		if weights == 0 { // |η| > 700 in every row: no information left
			return report
		}
		for i := range z {
			for j := range z[i] {
				z[i][j] -= centre[j] / weights
			}
		}
	}
	gradient, information, loglik := report[:d], report[d:len(report)-1], &report[len(report)-1]
	for i, row := range z {
		r, w := residual(eta[i], rows.Y[i]), logistic(eta[i])*logistic(-eta[i])
		*loglik -= loss(eta[i], rows.Y[i])
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

// metrics returns the report of the evaluate step: the site's score on its
// held-out rows under its own intercept, and what its intercept adds to the
// network's mean.
func (p *Plan) metrics(s State, me, sites int, train, test Rows) []float64 {
	alpha := 0.0
	if !p.common {
		alpha = intercept(scores(p.standardised(s, train), floats(s.Beta)), train.Y)
	}
	eta := scores(p.standardised(s, test), floats(s.Beta))
	for i := range eta {
		eta[i] += alpha
	}
	own := tally(eta, test.Y)
	slots := make([][scoreLen]float64, p.slots(sites))
	slots[0] = own
	if p.perSite {
		slots[1+me] = own
	}
	var report []float64
	for _, block := range [][2]int{{0, 3}, {3, 5}, {5, 6}, {6, 9}} { // as in Layout
		for _, slot := range slots {
			report = append(report, slot[block[0]:block[1]]...)
		}
	}
	if !p.common {
		weight := float64(len(train.Y))
		if len(train.Y) == 0 || OneClass(train.Y) {
			weight = 0 // its intercept says nothing of others
		}
		report = append(report, weight*alpha, weight)
	}
	return report
}

// Intercept returns the intercept of a site with these training rows under the
// final estimate, for linear predictors Intercept + Σ Coef·x on the [−1, 1]
// scale. It never leaves the site. With one common intercept it is that one.
func (p *Plan) Intercept(s State, train Rows) float64 {
	beta := floats(s.Beta)
	alpha := 0.0
	if !p.common {
		alpha = intercept(scores(p.standardised(s, train), beta), train.Y)
	}
	return alpha + scores(p.standardised(s, Rows{X: [][]float64{make([]float64, len(p.columns))}}), beta)[0]
}

// standardised returns the rows of z = (x − mean)/sd, after the 1 of a common
// intercept.
func (p *Plan) standardised(s State, rows Rows) [][]float64 {
	mean, sd := floats(s.Mean), floats(s.SD)
	z := make([][]float64, len(rows.X))
	for i, x := range rows.X {
		z[i] = make([]float64, 0, p.params())
		if p.common {
			z[i] = append(z[i], 1)
		}
		for j, v := range x {
			z[i] = append(z[i], (v-mean[j])/sd[j])
		}
	}
	return z
}

// scores returns the linear predictor of each row.
func scores(z [][]float64, beta []float64) []float64 {
	eta := make([]float64, len(z))
	for i, row := range z {
		for j, v := range row {
			eta[i] += beta[j] * v
		}
	}
	return eta
}

// intercept returns the α that maximises the likelihood of y under logits α + η:
// the root of f(α) = Σ(y − σ(α+η)), which falls in α. Newton's method within a
// bracket that each step narrows. The mean of σ at the root is the share of
// positives q, and 1/(4n) ≤ q ≤ 1 − 1/(4n), so |α| ≤ log 4n + max|η|.
//
// Rows of one class only have no such α; they are joined by one row at their mean
// η that is half positive, half negative, so that a site can predict at all.
func intercept(eta, y []float64) float64 {
	if len(y) == 0 {
		return 0
	}
	if OneClass(y) {
		mean := total(eta) / float64(len(eta))
		eta, y = append(eta[:len(eta):len(eta)], mean), append(y[:len(y):len(y)], 0.5)
	}
	n := float64(len(y))
	low, high := math.Inf(1), math.Inf(-1)
	for _, e := range eta {
		low, high = min(low, -math.Log(4*n)-e), max(high, math.Log(4*n)-e)
	}
	share := total(y) / n
	alpha := min(max(math.Log(share/(1-share))-total(eta)/n, low), high)
	for range 200 {
		f, slope := 0.0, 0.0
		for i, e := range eta {
			f += y[i] - logistic(alpha+e)
			slope += logistic(alpha+e) * logistic(-alpha-e)
		}
		if f > 0 {
			low = alpha
		} else {
			high = alpha
		}
		next := alpha + f/slope
		if !(next > low && next < high) { // also when slope is 0
			next = low + (high-low)/2
		}
		if math.Abs(next-alpha) <= 0x1p-52*math.Abs(alpha) || next == alpha {
			return next
		}
		alpha = next
	}
	return alpha
}

// logistic is σ(η) = 1/(1+e^−η).
func logistic(eta float64) float64 { return 1 / (1 + math.Exp(-eta)) }

// residual is y − σ(η) for y 0 or 1, without cancellation.
func residual(eta, y float64) float64 {
	if y == 1 {
		return logistic(-eta)
	}
	return -logistic(eta)
}

// loss is −log of the probability that logit η gives to y.
func loss(eta, y float64) float64 {
	if y == 1 {
		eta = -eta
	}
	return math.Log1p(math.Exp(-math.Abs(eta))) + max(eta, 0)
}

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}
