package fed

import (
	"math"

	"croft"
)

// poisson is the likelihood of a label that counts events, of mean
// μ = exposure·exp(η): McCullagh & Nelder, Generalized Linear Models, chapter 6.
// A weight stands for so many equal rows.
//
// Totals: sites with rows, Σw, Σw·y, the mean per row of the log-likelihood of
// the model that fits every row, log(Σw·y / Σw·exposure).
type poisson struct{ plain }

const (
	maxCount       = 1 << 20
	maxExposure    = 1 << 20
	minExposure    = 1.0 / (1 << 10)
	maxLogExposure = 14
	// maxOvershoot bounds Σw·μ in units of Σw·y. With t such units the
	// log-likelihood lies t − 1 − log t below that of the best intercept, and at
	// the start less than 66 below 0, both per event: no better point than the
	// start has t > 71.
	maxOvershoot = 128
	// leastExposure is what Σw·exposure counts as at least, for the start: less
	// drowns in the rounding of so large a sum.
	leastExposure = 1.0 / (1 << 6)

	totalEvents    = 2
	totalSaturated = 3
	totalRate      = 4
)

func (poisson) traits() traits { return traits{baseline: true, counts: true, totals: 5} }

func (poisson) rules(p *Plan) []rule { return p.only("exposure", "weight", "clusters", "groups") }

func (poisson) fits(p *Plan, rows Rows) error {
	for i, y := range rows.Y {
		if !(y >= 0 && y <= maxCount && y == math.Trunc(y)) {
			return croft.E(croft.ErrOverflow, p.model.Label, i, y, maxCount)
		}
	}
	if err := within(p.model.Weight, rows.Weight, minWeight, maxWeight); err != nil {
		return err
	}
	return within(p.model.Exposure, rows.Exposure, minExposure, maxExposure)
}

func (poisson) counts(_ *Plan, rows Rows) []float64 {
	t := make([]float64, 5)
	for i, y := range rows.Y {
		w := rows.weight(i)
		t[0] = 1
		t[1] += w
		t[2] += w * y
		t[3] += w * logPoisson(y, math.Log(max(y, 1)), y)
		t[4] += w * math.Exp(rows.offset(i))
	}
	return t
}

// countBlocks: the saturated model loses ½·log 2πy and less than 1 a row, of
// counts up to maxCount less than 9.
func (poisson) countBlocks(*Plan) []bounded {
	return []bounded{{"sites", 1, 1}, {"weights", 2, 4 * MaxRows}, {"saturated", 1, 16 * MaxRows}, {"exposure", 1, MaxRows * maxExposure}}
}

func (poisson) begin(p *Plan, s *State, sum []float64) error {
	if err := weigh(p, s, sum); err != nil {
		return err
	}
	switch {
	case s.Positive == 0:
		return croft.E(croft.ErrOneClass, p.model.Label)
	case s.Positive > MaxRows || sum[2] > MaxRows:
		return croft.E(croft.ErrTotal, p.model.Label, MaxRows)
	case !(sum[2] > 0):
		return croft.E(croft.ErrSum, Count, "events without weight")
	}
	return fix(Count, &s.Totals, []float64{sum[0], sum[1], sum[2], sum[3] / float64(s.Rows), logarithm(sum[2] / max(sum[4], leastExposure))})
}

func (poisson) start(_ *Plan, s State) float64 { return s.Totals[totalRate].Float() }

// bounds: with S = Σw·y over the network. With its own intercept a site has
// Σw·μ = Σw·y ≤ S, with a common one at most maxOvershoot·S or it does not say. How
// far rows are apart, and so their variance under weights w·μ, bounds span. The
// log-likelihood of a row is −w·μ + w·y·log μ − w·log y!, where |log μ| is at most
// the offset, the intercept and the predictor, and log y! ≤ y·log y ≤ 14·y.
func (poisson) bounds(p *Plan, s State) bounds {
	events, rate := 1.0, 0.0
	if len(s.Totals) > totalRate {
		events, rate = s.Totals[totalEvents].Float(), math.Abs(s.Totals[totalRate].Float())
	}
	span, most := p.span(s), 1.0          // span has the 1 of a common intercept
	reach := 2*maxLogExposure + 32 + rate // of an own intercept: log S, the exposures, log Σw
	if p.common {
		most = maxOvershoot
		if len(s.Beta) > 0 {
			reach = maxLogExposure + math.Abs(s.Beta[0].Float())
		}
	}
	return bounds{
		gradient:    float64(float64((1+most)*events) * math.Sqrt(span)),
		information: float64(float64(most*events) * span),
		loglik:      float64(events * (most + maxOvershoot + 14 + float64(2*p.farthest(s, reach)))),
		curvature:   float64(most * events),
		residual:    float64(3 * events), // at the estimate Σw·μ = Σw·y over the network
		reach:       reach,
	}
}

func (l poisson) units(p *Plan, s State) units {
	u := units{}
	if len(s.Totals) > totalRate {
		u.information = unit(float64(s.Totals[totalEvents].Float() * p.span(s)))
		u.loglik = unit(float64(256 * s.Totals[totalEvents].Float()))
	}
	if p.model.Clusters {
		u.extra = unit(meatBlocks(p, s, l.bounds(p, s))[0].bound)
	}
	return u
}

func (poisson) at(_ *Plan, _ State, rows Rows, i int, eta float64) (slope, curvature, loglik float64) {
	w, y, mean := rows.weight(i), rows.Y[i], math.Exp(eta)
	return w * (y - mean), w * mean, w * logPoisson(y, eta, mean)
}

// logPoisson returns log of e^−mean·mean^y/y!.
func logPoisson(y, logMean, mean float64) float64 {
	factorial, _ := math.Lgamma(y + 1)
	if y == 0 {
		return -mean
	}
	return y*logMean - mean - factorial
}

func (l poisson) newton(p *Plan, s State, rows Rows) []float64 { return curvature(p, s, l, rows) }

// intercept: the best has Σw·μ = Σw·y; without events it is −∞.
func (poisson) intercept(_ *Plan, _ State, _ [][]float64, eta []float64, rows Rows) (float64, bool) {
	most := math.Inf(-1)
	for _, e := range eta {
		most = max(most, e)
	}
	events, means := 0.0, 0.0
	for i, e := range eta {
		events += rows.weight(i) * rows.Y[i]
		means += rows.weight(i) * math.Exp(e-most)
	}
	if events == 0 {
		if len(eta) == 0 {
			return 0, false
		}
		events = 0.5 // half an event, so that the site can predict at all
		return math.Log(events/means) - most, false
	}
	return math.Log(events/means) - most, true
}

func (poisson) tally(_ *Plan, _ State, eta []float64, rows Rows) (t [scoreLen]float64) {
	for i, y := range rows.Y {
		half := min(logPoisson(y, math.Log(max(y, 1)), y)-logPoisson(y, eta[i], math.Exp(eta[i])), maxLoss)
		t[atRows]++
		t[atLoss] += half
		t[atSquare] += half * half
		t[atBrier] += min((y-math.Exp(eta[i]))*(y-math.Exp(eta[i])), maxError*maxError)
	}
	return t
}

func (poisson) summarise(p *Plan, s State, r *Result) {
	r.deviance = 2 * (s.Totals[totalSaturated].Float()*float64(s.Rows) - r.Loglik)
	if r.Intercepts = 1; !p.common {
		r.Intercepts = int(s.Totals[totalSites].Float())
	}
}
