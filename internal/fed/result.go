package fed

import (
	"math"
	"slices"

	"croft"
)

// Result is what a finished plan says. It follows from the final State alone, so
// that everyone who has that has it.
type Result struct {
	// Terms are the intercept and then one term a column, for columns mapped to
	// [−1, 1] by their declared ranges; In gives other units. With site
	// intercepts the first is their mean weighted by rows, over the sites with
	// both classes and without a standard error: with it a node that was no site
	// can predict.
	Terms []Term
	// Cov is the covariance of the coefficients, in the order of Terms: the
	// inverse of the information. Nil if the coefficients are Shrunk. With site
	// intercepts its first row and column are 0.
	Cov [][]float64
	// Mean and SD are the columns' over all training rows, in the units of Terms.
	Mean, SD []float64
	// Shrunk says that the model is for prediction: its coefficients may be
	// biased towards 0, and nothing is said of their errors.
	Shrunk bool

	Rows, Positive         int64 // training
	TestRows, TestPositive int64
	Rounds                 int     // private sums taken
	Loglik                 float64 // of the training rows, without the ridge term
	// Condition is the ratio of the largest to the smallest eigenvalue of the
	// information on standardised columns (with the ridge, if there is one): about
	// how much rounding errors grow.
	Condition float64
	Score     Score   // on all held-out rows
	Sites     []Score // by site, if the study lets them leave
}

// Term is one coefficient: what one unit of its column adds to the log-odds. SE
// is 0 where none is given.
type Term struct {
	Name string  `json:"name"`
	Coef float64 `json:"estimate"`
	SE   float64 `json:"se,omitempty"`
}

// OddsRatio returns e^Coef with Wald's interval; without an SE the interval is
// the value itself.
func (t Term) OddsRatio() Estimate {
	return Estimate{math.Exp(t.Coef), math.Exp(t.Coef - z95*t.SE), math.Exp(t.Coef + z95*t.SE)}
}

// P returns the two-sided p-value of Wald's test that the coefficient is 0; 1
// without an SE.
func (t Term) P() float64 {
	if t.SE == 0 {
		return 1
	}
	return math.Erfc(math.Abs(t.Coef/t.SE) / math.Sqrt2)
}

// Deviance returns −2·Loglik.
func (r Result) Deviance() float64 { return -2 * r.Loglik }

// Predict returns the probability of a row in the units of Terms.
func (r Result) Predict(x []float64) float64 {
	eta := r.Terms[0].Coef
	for j, v := range x {
		eta += r.Terms[1+j].Coef * v
	}
	return logistic(eta)
}

// Scale says how a column was mapped: x = (raw − Mid)/Half. A column with the
// declared range low to high has Mid (low+high)/2 and Half (high−low)/2.
type Scale struct{ Mid, Half float64 }

// In returns the result for columns that were mapped by these scales, in their
// own units: one Scale a column.
func (r Result) In(scales []Scale) Result {
	d := len(r.Terms)
	// Row i of to holds new coefficient i as a combination of the old ones.
	to := make([][]float64, d)
	for i := range to {
		to[i] = make([]float64, d)
	}
	to[0][0] = 1
	for j, c := range scales {
		to[0][1+j] = -c.Mid / c.Half
		to[1+j][1+j] = 1 / c.Half
	}
	out := r
	out.Terms, out.Mean, out.SD, out.Cov = slices.Clone(r.Terms), slices.Clone(r.Mean), slices.Clone(r.SD), nil
	for i := range out.Terms {
		out.Terms[i].Coef = 0
		for j := range d {
			out.Terms[i].Coef += to[i][j] * r.Terms[j].Coef
		}
	}
	for j, c := range scales {
		out.Mean[j], out.SD[j] = c.Mid+c.Half*r.Mean[j], c.Half*r.SD[j]
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

// PerSD returns the result in standard deviations from the mean: the odds ratio
// of a column is that of one standard deviation more.
func (r Result) PerSD() Result {
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

// Result reads the result off a state at Done; ErrTxOrder before that.
func (p *Plan) Result(s State) (Result, error) {
	if s.Word != Done {
		return Result{}, croft.E(croft.ErrTxOrder, "the plan is at "+s.Word.String())
	}
	beta, d := floats(s.Beta), p.params()
	information := unpack(floats(s.Information), d)
	intercept := Term{Name: commonIntercept, Coef: beta[0]}
	if !p.common {
		intercept = Term{Name: meanIntercept, Coef: s.Intercept.Float()}
	}
	r := Result{
		Terms: []Term{intercept},
		// In units of standard deviations first; then In leads to [−1, 1].
		Mean: make([]float64, len(p.columns)), SD: make([]float64, len(p.columns)),
		Shrunk: p.model.Goal == croft.Prediction,
		Rows:   s.Rows, Positive: s.Positive, TestRows: s.TestRows, TestPositive: s.TestPositive,
		Rounds: int(s.Round), Loglik: s.Loglik.Float(), Condition: condition(unpack(floats(s.Information), d)),
		Score: s.Scores[0], Sites: s.Scores[1:],
	}
	scales := make([]Scale, len(p.columns))
	for j, name := range p.columns {
		r.Terms = append(r.Terms, Term{Name: name, Coef: beta[p.first()+j]})
		r.SD[j] = 1
		scales[j] = Scale{s.Mean[j].Float(), s.SD[j].Float()}
	}
	if !r.Shrunk {
		factor, singular := cholesky(information)
		if singular >= 0 {
			return Result{}, croft.E(croft.ErrCollinear, p.name(singular))
		}
		r.Cov = make([][]float64, len(r.Terms))
		for i := range r.Cov {
			r.Cov[i] = make([]float64, len(r.Terms))
		}
		shift := len(r.Terms) - d // 1 with site intercepts: their row stays 0
		for i := range d {
			unit := make([]float64, d)
			unit[i] = 1
			copy(r.Cov[shift+i][shift:], factor.solve(unit))
		}
	}
	return r.In(scales), nil
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
