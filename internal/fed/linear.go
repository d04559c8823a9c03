package fed

import (
	"math"

	"croft"
)

// linear is the likelihood of a label that is a number with a normal error:
// ordinary or weighted least squares. The label is standardised like the columns,
// so that one Newton step leads to the answer whatever its unit, and the variance
// of the error is 1 until the end: loglik stands for −½·Σw·(y − η)².
//
// Totals: sites with rows, Σw, mean log w.
type linear struct{ plain }

// maxWeight bounds a row's weight, minWeight too; MaxRows bounds their sum.
const (
	maxWeight = 1 << 10
	minWeight = 1.0 / (1 << 10)
)

func (linear) traits() traits { return traits{baseline: true, numeric: true, totals: 3} }

func (linear) rules(p *Plan) []rule { return p.only("weight", "clusters", "groups") }

func (linear) fits(p *Plan, rows Rows) error {
	if err := within(p.model.Label, rows.Y, -1, 1); err != nil {
		return err
	}
	return within(p.model.Weight, rows.Weight, minWeight, maxWeight)
}

func (linear) counts(p *Plan, rows Rows) []float64 {
	t := make([]float64, 3)
	for i := range rows.Y {
		t[0] = 1
		t[1] += rows.weight(i)
		t[2] += math.Log(rows.weight(i))
	}
	return t
}

func (linear) countBlocks(*Plan) []bounded {
	return []bounded{{"sites", 1, 1}, {"weights", 2, 16 * MaxRows}}
}

func (linear) begin(p *Plan, s *State, sum []float64) error {
	if err := weigh(p, s, sum); err != nil {
		return err
	}
	if !p.common && p.ridge == 0 && float64(s.Rows) <= float64(p.params())+sum[totalSites] {
		return croft.E(croft.ErrNoRows, "the network", s.Rows, p.params()+1+int(sum[totalSites]))
	}
	return fix(Count, &s.Totals, []float64{sum[totalSites], sum[totalWeight], sum[2] / float64(s.Rows)})
}

// weigh checks the first two totals.
func weigh(p *Plan, s *State, sum []float64) error {
	sites, err := whole(Count, sum[:1])
	if err != nil {
		return err
	}
	sum[totalSites] = float64(sites[0])
	if sites[0] < 1 || sites[0] > maxSites || !(sum[totalWeight] > 0) {
		return croft.E(croft.ErrSum, Count, "rows without sites or weight")
	}
	if sum[totalWeight] > MaxRows {
		return croft.E(croft.ErrTotal, p.model.Weight, MaxRows)
	}
	return nil
}

// bounds: Σw·y² = W over the whole network, and by Cauchy and Schwarz the gradient
// Σw·(y − η)·z is at most √W·√Σw‖z‖² + Σw‖z‖²·‖β‖. The loss at a site's best
// intercept is no more than at 0, Σw·(y − η)² ≤ (√W + √Σw‖z‖²·‖β‖)². Least squares
// leave the network no more than W; its best intercept is the mean of y − η. A
// factor 2 is for rounding of Mean and SD.
func (linear) bounds(p *Plan, s State) bounds {
	mass, squares, norm := p.mass(s), p.squares(s), 0.0
	for _, b := range s.Beta {
		norm += float64(b.Float() * b.Float())
	}
	length := math.Sqrt(norm)
	misfit := math.Sqrt(mass) + float64(math.Sqrt(squares)*length)
	return bounds{
		gradient:    float64(2 * float64(math.Sqrt(squares)*misfit)),
		information: squares,
		loglik:      float64(misfit * misfit),
		curvature:   float64(2 * mass),
		residual:    float64(2 * mass),
		reach:       2 / s.labelSD(),
	}
}

// labelSD returns the spread of a standardised label; 1 while there is none.
func (s State) labelSD() float64 {
	if len(s.SD) == 0 {
		return 1
	}
	return s.SD[len(s.SD)-1].Float()
}

func (l linear) units(p *Plan, s State) units {
	u := units{information: unit(p.squares(s))}
	if p.model.Clusters {
		u.extra = unit(meatBlocks(p, s, l.bounds(p, s))[0].bound)
	}
	return u
}

func (linear) at(p *Plan, s State, rows Rows, i int, eta float64) (slope, curvature, loglik float64) {
	label := len(p.columns)
	w, r := rows.weight(i), (rows.Y[i]-s.Mean[label].Float())/s.SD[label].Float()-eta
	return w * r, w, -w * r * r / 2
}

func (l linear) newton(p *Plan, s State, rows Rows) []float64 { return curvature(p, s, l, rows) }

func (l linear) intercept(p *Plan, s State, _ [][]float64, eta []float64, rows Rows) (float64, bool) {
	residuals, weights := 0.0, 0.0
	for i := range eta {
		slope, w, _ := l.at(p, s, rows, i, eta[i])
		residuals, weights = residuals+slope, weights+w
	}
	if weights == 0 {
		return 0, false
	}
	return residuals / weights, true
}

func (linear) tally(p *Plan, s State, eta []float64, rows Rows) (t [scoreLen]float64) {
	label := len(p.columns)
	for i := range eta {
		r := rows.Y[i] - s.Mean[label].Float() - s.SD[label].Float()*eta[i]
		squared := min(r*r, maxLoss)
		t[atRows]++
		t[atLoss] += squared
		t[atSquare] += squared * squared
	}
	return t
}

// summarise: the variance of the error is RSS/(rows − coefficients), the
// log-likelihood that of the normal distribution at its best variance, RSS/rows.
func (linear) summarise(p *Plan, s State, r *Result) {
	n, scale := float64(s.Rows), s.labelSD()
	rss := -2 * r.Loglik // in standard deviations of the label
	r.Intercepts = 1
	if !p.common {
		r.Intercepts = int(s.Totals[totalSites].Float())
	}
	df := n - float64(len(p.columns)+r.Intercepts)
	r.RSquared = 1 - rss/p.mass(s)
	r.Dispersion = scale * scale * rss / df
	r.Loglik = -n/2*(math.Log(2*math.Pi*scale*scale*rss/n)+1) + n/2*s.Totals[2].Float()
	r.deviance = scale * scale * rss
	variance := r.Dispersion
	if p.model.Clusters { // as vcovCL does with a linear model: HC1
		variance = scale * scale * (n - 1) / df
	}
	for i := range r.Terms {
		r.Terms[i].Coef *= scale
		r.Terms[i].DF = df
		for j := range r.Cov {
			r.Cov[i][j] *= variance
		}
	}
	r.Terms[0].Coef += s.Mean[len(p.columns)].Float()
}
