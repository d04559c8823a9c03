package fed

import (
	"math"

	"croft"
)

// logistic is the likelihood of a label that is 0 or 1, P(1) = σ(η): McCullagh &
// Nelder, Generalized Linear Models, §4.3.
type logistic struct{ plain }

func (logistic) traits() traits {
	return traits{baseline: true, binary: true, classes: true, separable: true}
}

func (logistic) rules(p *Plan) []rule { return p.only("clusters", "threshold", "groups") }

func (logistic) fits(p *Plan, rows Rows) error { return p.binary(rows) }

func (logistic) start(p *Plan, s State) float64 {
	// log(positives/negatives) to within 0.06, by bits: a start, no more. It
	// saves the unit steps in which Newton's method would walk to a rare class.
	frac, exp := math.Frexp(float64(s.Positive) / float64(s.Rows-s.Positive))
	return float64(math.Ln2 * (float64(exp-2) + float64(2*frac)))
}

// bounds: Σz² = n in each column over the whole network. The information is
// positive semidefinite, so its norm is at most its trace ≤ ¼·Σ‖z‖² ≤ ¼·n·d;
// profiling out an intercept only takes from it. The gradient is at most
// Σ‖z‖ ≤ n·√d and −loglik at most Σ(log 2 + |η|) ≤ n·(0.7 + ‖β‖·√d). A site's best
// intercept does no worse than 0, so this covers it too; it is at most
// log n + max|η|, see solveIntercept. Σz² is n but for the rounding of SD: minSD
// and the limbs keep this far within a factor 2, which these bounds carry.
//
// One row adds at most ‖z‖, ¼·‖z‖² and log 2 + |η|, of which see span and farthest.
func (logistic) bounds(p *Plan, s State) bounds {
	rows, d, norm := float64(max(s.Rows, 1)), float64(p.params()), 0.0
	for _, b := range s.Beta {
		norm += float64(b.Float() * b.Float())
	}
	span, common := p.span(s), 0.0
	if p.common && len(s.Beta) > 0 {
		common = math.Abs(s.Beta[0].Float())
	}
	return bounds{
		gradient:    float64(float64(2*rows) * math.Sqrt(d)),
		information: float64(rows*d) / 2,
		loglik:      float64(float64(2*rows) * (0.7 + math.Sqrt(float64(norm*d)))),
		curvature:   rows,
		residual:    rows,
		reach:       16, // > log MaxRows
		row:         perRow{math.Sqrt(span), span / 4, 0.7 + p.farthest(s, common)},
	}
}

func (l logistic) units(p *Plan, s State) units {
	u := units{}
	if p.model.Clusters {
		u.extra = unit(meatBlocks(p, s, l.bounds(p, s))[0].bound)
	}
	return u
}

func (logistic) at(_ *Plan, _ State, rows Rows, i int, eta float64) (slope, curvature, loglik float64) {
	return residual(eta, rows.Y[i]), sigmoid(eta) * sigmoid(-eta), -loss(eta, rows.Y[i])
}

func (l logistic) newton(p *Plan, s State, rows Rows) []float64 { return curvature(p, s, l, rows) }

func (logistic) intercept(_ *Plan, _ State, _ [][]float64, eta []float64, rows Rows) (float64, bool) {
	return solveIntercept(eta, rows.Y), len(rows.Y) > 0 && !OneClass(rows.Y)
}

func (logistic) tally(p *Plan, _ State, eta []float64, rows Rows) [scoreLen]float64 {
	return tally(eta, rows.Y, p.cut())
}

func (logistic) diverges(column string) error { return croft.E(croft.ErrSeparation, column) }

// solveIntercept returns the α that maximises the likelihood of y under logits α + η:
// the root of f(α) = Σ(y − σ(α+η)). The mean of σ at the root is the share of
// positives q, and 1/(4n) ≤ q ≤ 1 − 1/(4n), so |α| ≤ log 4n + max|η|.
//
// Rows of one class only have no such α; they are joined by one row at their mean
// η that is half positive, half negative, so that a site can predict at all.
func solveIntercept(eta, y []float64) float64 {
	if len(y) == 0 {
		return 0
	}
	if OneClass(y) {
		mean := total(eta) / float64(len(eta))
		eta, y = append(eta[:len(eta):len(eta)], mean), append(y[:len(y):len(y)], 0.5)
	}
	return solveAlpha(eta, total(y)/float64(len(y)), func(i int, eta float64) (residual, weight float64) {
		return y[i] - sigmoid(eta), sigmoid(eta) * sigmoid(-eta)
	})
}

// solveAlpha returns the α at which the residuals of α + η sum to 0: they fall in α,
// by the weights. Newton's method, from the α that fits the share of positives were
// all η their mean, within a bracket that each step narrows: at its ends all σ are at
// most 1/(4n+1), or at least 1 less that.
func solveAlpha(eta []float64, share float64, row func(i int, eta float64) (residual, weight float64)) float64 {
	n := float64(len(eta))
	low, high := math.Inf(1), math.Inf(-1)
	for _, e := range eta {
		low, high = min(low, -math.Log(4*n)-e), max(high, math.Log(4*n)-e)
	}
	alpha := min(max(math.Log(share/(1-share))-total(eta)/n, low), high)
	for range 200 {
		f, slope := 0.0, 0.0
		for i, e := range eta {
			residual, weight := row(i, alpha+e)
			f += residual
			slope += weight
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

// sigmoid is σ(η) = 1/(1+e^−η).
func sigmoid(eta float64) float64 { return 1 / (1 + math.Exp(-eta)) }

// residual is y − σ(η) for y 0 or 1, without cancellation.
func residual(eta, y float64) float64 {
	if y == 1 {
		return sigmoid(-eta)
	}
	return -sigmoid(eta)
}

// loss is −log of the probability that logit η gives to y.
func loss(eta, y float64) float64 {
	if y == 1 {
		eta = -eta
	}
	return math.Log1p(math.Exp(-math.Abs(eta))) + max(eta, 0)
}
