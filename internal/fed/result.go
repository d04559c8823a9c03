package fed

import (
	"math"
	"slices"

	"croft"
)

// Result is what a finished plan says. It follows from the final State alone, so
// that everyone who has that has it. What a family has no use for is zero.
type Result struct {
	Family string
	// Terms are the intercept and then one term a column, for columns mapped to
	// [−1, 1] by their declared ranges; In gives other units. With site
	// intercepts the first is their mean weighted by about the rows (the power of two
	// at or below), over the sites with both classes and without a standard error: with it a node that was no site
	// can predict. A Cox regression has no intercept.
	Terms []Term
	// Cov is the covariance of the coefficients, in the order of Terms: the
	// inverse of the information, or with Clusters the sandwich. Nil if the
	// coefficients are Shrunk. With site intercepts its first row and column are 0.
	Cov [][]float64
	// Mean and SD are the columns' over all training rows, in the units of Terms.
	Mean, SD []float64
	// Shrunk says that the model is for prediction: its coefficients may be
	// biased towards 0, and nothing is said of their errors.
	Shrunk bool

	Rows, Positive         int64 // training; Positive are rows with the label or the event, with poisson events
	TestRows, TestPositive int64
	Rounds                 int     // private sums taken
	Loglik                 float64 // of the training rows, without the ridge term; with firth's penalty
	// Condition is the ratio of the largest to the smallest eigenvalue of the
	// information on standardised columns (with the ridge, if there is one): about
	// how much rounding errors grow.
	Condition float64
	Score     Score   // on all held-out rows
	Sites     []Score // by site, if the study lets them leave
	// Groups has the score of each level of each of the model's groups; nil where
	// fewer than three sites, or not all that hold rows out, say which row belongs to
	// which level.
	Groups [][]Score
	Bins   []Bin // logistic, firth: held-out rows by predicted probability

	// Intercepts is how many were estimated: 1, one a site with rows, or 0 with
	// cox. Of a logistic regression with site intercepts the state does not say:
	// it is 0, and AIC wants it set.
	Intercepts int
	// Dispersion (linear) is the variance of the error, in the label's unit mapped
	// to [−1, 1]; RSquared the share of variance explained, by site intercepts too.
	Dispersion, RSquared float64
	Clusters             int64  // people, where their rows were taken together for the standard errors
	Proportional         []Test // cox: are hazards proportional, by column and for all, where events tell
	deviance             float64

	Curves  []Curve    // kaplan-meier
	LogRank *Test      // are the curves alike; nil with one
	Numbers []Summary  // describe
	Tables  []Crosstab // describe
	Tally   []float64  // preflight: the sum of the sites' tallies
}

// Term is one coefficient: what one unit of its column adds to the linear
// predictor: the log-odds, the log-rate, the log-hazard or, with linear, the label.
// SE is 0 where none is given; DF is that of Student's t, 0 for the normal
// distribution.
type Term struct {
	Name string  `json:"name"`
	Coef float64 `json:"estimate"`
	SE   float64 `json:"se,omitempty"`
	DF   float64 `json:"df,omitempty"`
}

// Interval returns Coef with its 95 % interval (Wald's); without an SE the
// interval is the value itself.
func (t Term) Interval() Estimate {
	reach := z95
	if t.DF > 0 {
		reach = studentQuantile(t.DF)
	}
	return Estimate{t.Coef, t.Coef - reach*t.SE, t.Coef + reach*t.SE}
}

// OddsRatio returns e^Coef with its interval: of a count it is the rate ratio, of
// a time the hazard ratio.
func (t Term) OddsRatio() Estimate {
	i := t.Interval()
	return Estimate{math.Exp(i.Value), math.Exp(i.Low), math.Exp(i.High)}
}

// Statistic returns Coef/SE: Wald's z, or t where there is a DF; 0 without an SE.
func (t Term) Statistic() float64 {
	if t.SE == 0 {
		return 0
	}
	return t.Coef / t.SE
}

// P returns the two-sided p-value of the test that the coefficient is 0; 1
// without an SE.
func (t Term) P() float64 {
	switch {
	case t.SE == 0:
		return 1
	case t.DF > 0:
		return studentTail(t.Statistic(), t.DF)
	}
	return math.Erfc(math.Abs(t.Coef/t.SE) / math.Sqrt2)
}

// Deviance returns −2·Loglik, with linear the residual sum of squares, with
// poisson twice what Loglik lacks to a model that fits every row.
func (r Result) Deviance() float64 {
	if r.deviance != 0 {
		return r.deviance
	}
	return -2 * r.Loglik
}

// AIC returns Akaike's criterion, −2·Loglik and twice the number of parameters:
// the columns, Intercepts, and with linear the variance.
func (r Result) AIC() float64 {
	parameters := len(r.Mean) + r.Intercepts
	if r.Dispersion > 0 {
		parameters++
	}
	return -2*r.Loglik + 2*float64(parameters)
}

// Predict returns what the model expects of a row in the units of Terms: a
// probability; with linear the label; with poisson the rate, for an exposure of 1;
// with cox the hazard relative to that of a row at the training rows' mean.
func (r Result) Predict(x []float64) float64 {
	eta, first := 0.0, r.first()
	if first > 0 {
		eta = r.Terms[0].Coef
	}
	for j, v := range x {
		if math.IsNaN(v) { // no value: the mean is put in
			v = r.Mean[j]
		}
		if r.Family == "cox" {
			v -= r.Mean[j]
		}
		eta += r.Terms[first+j].Coef * v
	}
	switch r.Family {
	case "linear":
		return eta
	case "poisson", "cox":
		return math.Exp(eta)
	}
	return sigmoid(eta)
}

// first returns the index of the first column's term.
func (r Result) first() int { return len(r.Terms) - len(r.Mean) }

// Scale says how a column was mapped: x = (raw − Mid)/Half. A column with the
// declared range low to high has Mid (low+high)/2 and Half (high−low)/2.
type Scale struct{ Mid, Half float64 }

// In returns the result for columns that were mapped by these scales, in their
// own units: one Scale a column.
func (r Result) In(scales []Scale) Result {
	d, first := len(r.Terms), r.first()
	// Row i of to holds new coefficient i as a combination of the old ones.
	to := make([][]float64, d)
	for i := range to {
		to[i] = make([]float64, d)
		to[i][i] = 1
	}
	out := r
	out.Terms, out.Mean, out.SD, out.Cov = slices.Clone(r.Terms), slices.Clone(r.Mean), slices.Clone(r.SD), nil
	for j := range r.Mean {
		c := scales[j]
		if first > 0 {
			to[0][first+j] = -c.Mid / c.Half
		}
		to[first+j][first+j] = 1 / c.Half
		out.Mean[j], out.SD[j] = c.Mid+c.Half*r.Mean[j], c.Half*r.SD[j]
	}
	for i := range out.Terms {
		out.Terms[i].Coef = 0
		for j := range d {
			out.Terms[i].Coef += to[i][j] * r.Terms[j].Coef
		}
	}
	if r.Family == "firth" { // the penalty ½·log|I| is in the units of the columns
		for _, c := range scales {
			out.Loglik += math.Log(c.Half)
		}
	}
	out.Numbers = slices.Clone(r.Numbers)
	for i, n := range out.Numbers {
		c := scales[n.column]
		n.Mean, n.SD, n.Low, n.High = c.Mid+c.Half*n.Mean, c.Half*n.SD, c.Mid+c.Half*n.Low, c.Mid+c.Half*n.High
		out.Numbers[i] = n
	}
	if r.Cov == nil {
		return out
	}
	for i := range d {
		row := make([]float64, d)
		out.Cov = append(out.Cov, row)
		for j := range d {
			if r.meanIntercept() && (i == 0 || j == 0) {
				continue
			}
			for a := range d {
				for b := range d {
					if to[i][a] != 0 && to[j][b] != 0 {
						row[j] += to[i][a] * r.Cov[a][b] * to[j][b]
					}
				}
			}
		}
	}
	return out.withErrors()
}

// LabelIn returns the result of a linear regression for a label that was mapped by
// this scale, in its own unit. Score stays in the mapped one.
func (r Result) LabelIn(c Scale) Result {
	out := r
	out.Terms, out.Cov = slices.Clone(r.Terms), make([][]float64, len(r.Cov))
	for i := range out.Terms {
		out.Terms[i].Coef *= c.Half
		out.Terms[i].SE *= c.Half
	}
	out.Terms[0].Coef += c.Mid
	for i, row := range r.Cov {
		out.Cov[i] = slices.Clone(row)
		for j := range row {
			out.Cov[i][j] *= c.Half * c.Half
		}
	}
	out.Dispersion, out.deviance = r.Dispersion*c.Half*c.Half, r.deviance*c.Half*c.Half
	out.Loglik -= float64(r.Rows) * math.Log(c.Half)
	return out
}

// PerSD returns the result in standard deviations from the mean: the odds ratio
// of a column is that of one standard deviation more.
func (r Result) PerSD() Result {
	if len(r.Terms) == 0 {
		return r
	}
	scales := make([]Scale, len(r.SD))
	for j := range scales { // z = (x − mean)/sd, so x = (z + mean/sd)/(1/sd)
		scales[j] = Scale{-r.Mean[j] / r.SD[j], 1 / r.SD[j]}
	}
	return r.In(scales)
}

// withErrors sets the terms' standard errors from Cov.
func (r Result) withErrors() Result {
	for i := range r.Terms {
		r.Terms[i].SE = math.Sqrt(r.Cov[i][i])
	}
	return r
}

// meanIntercept reports whether the first term is a mean of site intercepts.
func (r Result) meanIntercept() bool { return r.Terms[0].Name == meanIntercept }

// The names of the first term.
const (
	commonIntercept = "(intercept)"
	meanIntercept   = "(mean intercept)"
)

func (g regression) result(p *Plan, s State) (Result, error) {
	beta, d, unit := floats(s.Beta), p.params(), g.units(p, s)
	read := func() [][]float64 {
		upper := floats(s.Information)
		for i := range upper {
			upper[i] = math.Ldexp(upper[i], unit.information)
		}
		return unpack(upper, d)
	}
	r := Result{
		Family: p.model.Family,
		// In units of standard deviations first; then In leads to [−1, 1].
		Mean: make([]float64, len(p.columns)), SD: make([]float64, len(p.columns)),
		Shrunk: p.model.Goal == croft.Prediction,
		Rows:   s.Rows, Positive: s.Positive, TestRows: s.TestRows, TestPositive: s.TestPositive,
		Loglik: math.Ldexp(s.Loglik.Float(), unit.loglik), Condition: condition(read()),
		Score: s.Scores[0], Sites: s.Scores[1 : len(s.Scores)-p.levels()], Groups: p.byGroup(s), Bins: p.bins(s),
	}
	switch {
	case p.common:
		r.Intercepts = 1
		r.Terms = []Term{{Name: commonIntercept, Coef: beta[0]}}
	case g.traits().baseline:
		r.Terms = []Term{{Name: meanIntercept, Coef: s.Intercept.Float()}}
	}
	scales := make([]Scale, len(p.columns))
	for j, name := range p.columns {
		r.Terms = append(r.Terms, Term{Name: name, Coef: beta[p.first()+j]})
		r.SD[j] = 1
		scales[j] = Scale{s.Mean[j].Float(), s.SD[j].Float()}
	}
	if !r.Shrunk {
		factor, singular := cholesky(read())
		if singular >= 0 {
			return Result{}, croft.E(croft.ErrCollinear, p.name(singular))
		}
		covariance := factor.inverse()
		if p.model.Clusters {
			covariance = r.sandwich(p, s, unit.extra, covariance)
		}
		r.Cov = make([][]float64, len(r.Terms))
		for i := range r.Cov {
			r.Cov[i] = make([]float64, len(r.Terms))
		}
		shift := len(r.Terms) - d // 1 with site intercepts: their row stays 0
		for i := range d {
			copy(r.Cov[shift+i][shift:], covariance[i])
		}
	}
	g.summarise(p, s, &r)
	return r.In(scales), nil
}

// sandwich returns bread·meat·bread·G/(G − 1) for G people (Zeileis, Köll & Graham,
// Journal of Statistical Software 2020, as R's vcovCL).
func (r *Result) sandwich(p *Plan, s State, unit int, bread [][]float64) [][]float64 {
	d := p.params()
	extra := floats(s.Extra)
	for i := range extra {
		extra[i] = math.Ldexp(extra[i], unit)
	}
	r.Clusters = int64(math.Round(extra[len(extra)-1]))
	people := float64(r.Clusters)
	meat, out := unpack(extra[:len(extra)-1], d), make([][]float64, d)
	for i := range d {
		out[i] = make([]float64, d)
		for j := range d {
			for a := range d {
				for b := range d {
					out[i][j] += bread[i][a] * meat[a][b] * bread[b][j] * people / (people - 1)
				}
			}
		}
	}
	return out
}

// condition returns the 2-norm condition number of a symmetric positive definite
// matrix, which it overwrites, by Jacobi's rotations.
func condition(a [][]float64) float64 {
	n := len(a)
	for range 60 { // sweeps; convergence is quadratic
		off := 0.0
		for i := range n {
			for j := range i {
				if off += a[i][j] * a[i][j]; a[i][j] == 0 {
					continue
				}
				theta := (a[j][j] - a[i][i]) / (2 * a[i][j])
				t := 1 / (math.Abs(theta) + math.Hypot(theta, 1))
				if theta < 0 {
					t = -t
				}
				c := 1 / math.Hypot(t, 1)
				s := t * c
				for k := range n {
					a[i][k], a[j][k] = c*a[i][k]-s*a[j][k], s*a[i][k]+c*a[j][k]
				}
				for k := range n {
					a[k][i], a[k][j] = c*a[k][i]-s*a[k][j], s*a[k][i]+c*a[k][j]
				}
			}
		}
		if off == 0 {
			break
		}
	}
	least, most := math.Inf(1), 0.0
	for i := range n {
		least, most = min(least, a[i][i]), max(most, a[i][i])
	}
	return most / least
}
