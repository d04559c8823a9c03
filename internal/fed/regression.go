package fed

import (
	"fmt"
	"math"

	"croft"
	"croft/internal/tensor"
)

// regression is the family of plans that maximise a likelihood by Newton's
// method over private sums. What all share is here (what it publishes), in
// step.go (what is made of it) and in compute.go (a site's side); what differs is
// the likelihood.
type regression struct{ likelihood }

// likelihood is what differs between regressions. Its methods countBlocks, begin,
// start, bounds, units, penalty, last and extras take part in what all nodes must
// agree on bit by bit, see step.go; the others are a site's own or come after.
type likelihood interface {
	traits() traits
	rules(p *Plan) []rule          // what it cannot do, besides what no regression can
	fits(p *Plan, rows Rows) error // the ranges of outcome, time, exposure and weight

	// counts returns what the first report has beside rows and positives, in the
	// blocks of countBlocks; begin judges their sum and sets Totals and Table.
	counts(p *Plan, rows Rows) []float64
	countBlocks(p *Plan) []bounded
	begin(p *Plan, s *State, sum []float64) error
	start(p *Plan, s State) float64 // of a common intercept; no more than a start

	bounds(p *Plan, s State) bounds
	units(p *Plan, s State) units

	// intercept returns a site's own best intercept for predictors eta, and
	// whether it says anything of others: without contrast it does not.
	intercept(p *Plan, s State, z [][]float64, eta []float64, rows Rows) (alpha float64, telling bool)
	// newton returns gradient, information (upper triangle) and log-likelihood at
	// s.Beta, with the site's own intercept at its best.
	newton(p *Plan, s State, rows Rows) []float64
	// tally returns the numbers of a Score, as totals, for predictors eta.
	tally(p *Plan, s State, eta []float64, rows Rows) [scoreLen]float64

	// penalty is what the objective has beside log-likelihood and ridge.
	penalty(f factor) float64
	// last reports whether the full step from here is the last.
	last(decrement float64, move []float64) bool
	// diverges is the failure of a column whose coefficient grows for ever.
	diverges(column string) error

	// extras are blocks that go with the scores in the last sum, extra fills them.
	extras(p *Plan, s State) []bounded
	extra(p *Plan, s State, rows Rows) []float64
	// summarise adds to a result what only this likelihood has. The coefficients
	// of r are in standard deviations and its Cov the inverse of the information.
	summarise(p *Plan, s State, r *Result)
}

// traits are what a likelihood says of itself once and for all.
type traits struct {
	baseline  bool // the linear predictor has an intercept
	binary    bool // the label is 0 or 1
	classes   bool // it must have both
	separable bool // and columns that separate them are a failure
	numeric   bool // the label is standardised as the columns are: the last Mean and SD
	counts    bool // it is a count
	leverage  bool // sites need the Information at Base
	totals    int  // length of State.Totals
}

// The first two Totals of a likelihood that has any.
const (
	totalSites  = iota // sites with rows
	totalWeight        // Σw
)

// bounded is a block of a report and the bound on its norm.
type bounded struct {
	name  string
	n     int
	bound float64
}

// bounds are public bounds on the norms of a site's newton report; curvature
// bounds Σ −∂²loglik/∂η² over rows, beyond which the site reports only that the
// step was too long; residual bounds Σ|∂loglik/∂η| at the estimate; reach is how
// far from 0 a site's intercept can be, beside max|η|.
type bounds struct {
	gradient, information, loglik, curvature, residual, reach float64
	row                                                       perRow
}

// perRow bounds what one row adds to a newton report; zero where that does not
// follow from the number of rows.
type perRow struct{ gradient, information, loglik float64 }

// units say how numbers that can be large stand in a State: divided by 2^unit.
// They follow from what is known after Spread.
type units struct{ information, loglik, extra int }

// unit returns the unit for numbers up to bound: a Fixed holds 2²¹ in any case.
func unit(bound float64) int { return max(0, exponent(bound)-21) }

func (g regression) rules(p *Plan) []rule {
	m := p.model
	cut := m.Threshold.Float()
	return append([]rule{
		{m.Goal != croft.Inference && m.Goal != croft.Prediction, "goal", fmt.Sprintf("%q is neither inference nor prediction", m.Goal)},
		{m.Intercepts != croft.SiteIntercepts && m.Intercepts != croft.CommonIntercept, "intercepts", fmt.Sprintf("%q is neither site nor common", m.Intercepts)},
		{!(p.ridge >= 0 && p.ridge <= MaxRows), "ridge", fmt.Sprintf("%v is not between 0 and %d", m.Ridge, MaxRows)},
		{m.Goal == croft.Inference && p.ridge != 0, "ridge", "inference allows none: a shrunken coefficient has no honest interval"},
		{len(p.columns) == 0, "features", "there are none"},
		{m.MaxRounds == 0, "max_rounds", "at least 1 is needed"},
		{!(cut >= 0 && cut < 1), "threshold", fmt.Sprintf("%v is not between 0 and 1", m.Threshold)},
		{len(m.Groups) > mostGroups, "groups", fmt.Sprintf("there are %d; at most %d are possible", len(m.Groups), mostGroups)},
		{m.Clusters && m.Goal == croft.Prediction, "clusters", "a model for prediction has no standard errors"},
	}, g.likelihood.rules(p)...)
}

func (regression) words(*Plan) []Step { return []Step{Count, Centre, Spread, Newton, Evaluate} }

// layout's bounds: with n = Rows and d coefficients,
//
//   - centre: ‖Σx‖ ≤ n·√k, as |x| ≤ 1; and how many have a value, of columns of Means.
//   - spread: Σ(x−mean)² ≤ n·(1−mean²) over the whole network, so ≤ n·√k.
//   - newton: see each likelihood's bounds.
//   - evaluate: a row's loss counts as at most maxLoss; pairs are at most n²/4
//     (n²/2 of times) and twice that is sent.
//
// With weights all sums are weighted, means and spreads too, and W = Σw stands for
// n; with a weight of at least minWeight a row.
//
// A row adds at most √k to the first, 4·√k to the second. Where a bound grows with
// n at least as n does, a site's share of the rows is more than its share of the bound.
func (g regression) layout(p *Plan, s State, sites int) tensor.Layout {
	rows := float64(max(s.Rows, 1))
	test := float64(max(s.TestRows, 1))
	k, d := p.standardises(), p.params()
	var l tensor.Layout
	exact := func(name string, length int, bound, row float64) {
		l = append(l, tensor.Block{Name: name, Len: length, Exp: exponent(bound), Row: row, Limbs: 3})
	}
	weight := 1.0
	if p.model.Weight != "" {
		weight = maxWeight
	}
	column := float64(weight * math.Sqrt(float64(k)))
	switch s.Word {
	case Count:
		if t := g.traits(); t.binary || t.numeric {
			l = countLayout(s)
		} else { // the label's sum has nothing to do with rows
			exact("count", 4, 2*MaxRows, 0)
		}
		for _, b := range g.countBlocks(p) {
			exact(b.name, b.n, b.bound, 0)
		}
		if n := p.sayings(); n > 0 {
			exact("group sites", n, float64(n), 0)
		}
		if !p.common {
			exact("telling sites", 1, 1, 0)
		}
	case Centre:
		exact("sum", k, float64(p.mass(s)*math.Sqrt(float64(k))), column)
		if n := len(p.means); n > 0 {
			exact("given", n, float64(p.mass(s)*math.Sqrt(float64(n))), float64(weight*math.Sqrt(float64(n))))
		}
	case Spread:
		exact("squares", k, float64(p.mass(s)*math.Sqrt(float64(k))), float64(4*column))
	case Newton:
		b := g.bounds(p, s)
		exact("gradient", d, b.gradient, b.row.gradient)
		exact("information", d*(d+1)/2, b.information, b.row.information)
		exact("loglik", 1, b.loglik, b.row.loglik)
	case Evaluate:
		// A site's own slot repeats its numbers, and so do the levels of each group
		// together: so many times the squared norm.
		slots, times := p.slots(sites), math.Sqrt(float64(2+len(p.model.Groups)))
		pairs := test
		if p.model.Time != "" {
			pairs = float64(2 * test)
		}
		score := func(name string, length int, bound float64) { exact(name, length, bound, bound/test) }
		loss := float64(maxLoss * maxLoss)
		if g.traits().counts {
			loss = maxError * maxError
		}
		score("right", 4*slots, float64(float64(2*times)*test)) // √4
		score("pairs", 2*slots, float64(float64(times*test)*pairs))
		score("pair rows", slots, float64(float64(float64(times*test)*test)*pairs)/4)
		score("losses", 3*slots, float64(float64(float64(2*times)*test)*loss)) // √3 < 2
		if g.traits().classes {
			score("bins", 2*bins, test)
			score("chances", bins, test)
		}
		score("slope", d, float64(test*p.steepest(s)))
		if !p.common && g.traits().baseline {
			reach := p.farthest(s, g.bounds(p, s).reach)
			exact("intercept", 1, float64(rows*reach), reach)
			exact("intercept rows", 1, rows, 1)
		}
		for _, b := range p.extras(s) {
			exact(b.name, b.n, b.bound, 0)
		}
	}
	return l
}

// countLayout is that of the four counts with which plans begin. A caller who knows
// how many rows there are at most says so in Rows; else it is MaxRows.
func countLayout(s State) tensor.Layout {
	most := float64(MaxRows)
	if s.Rows > 0 {
		most = min(most, float64(s.Rows))
	}
	return tensor.Layout{{Name: "count", Len: 4, Exp: exponent(float64(2 * most)), Row: 2, Limbs: 3}}
}

// extras are the blocks that go with the scores: those of the likelihood, and of
// a sandwich.
func (p *Plan) extras(s State) []bounded {
	g := p.family.(regression)
	if p.model.Clusters {
		return meatBlocks(p, s, g.bounds(p, s))
	}
	return g.likelihood.extras(p, s)
}

// squares bounds Σw·‖z‖² over the rows of the whole network: it is W·d, but for the
// rounding of SD, which minSD and the limbs keep far within the factor 2.
func (p *Plan) squares(s State) float64 {
	return float64(float64(2*p.mass(s)) * float64(p.params()))
}

// span bounds ‖z − z′‖² for any two rows counted, and with it the trace of the
// variance of z under any weights: x is in [−1, 1], and Σw·z² is W in each column
// but for rounding.
func (p *Plan) span(s State) float64 {
	ranges := 0.0
	for j := range min(len(s.SD), len(p.columns)) {
		sd := s.SD[j].Float()
		ranges += 4 / float64(sd*sd)
	}
	return min(ranges, float64(float64(8*p.copies(s))*float64(p.params()))) + 1
}

// copies bounds Σw in units of the weight of one row.
func (p *Plan) copies(s State) float64 {
	if p.model.Weight == "" {
		return p.mass(s)
	}
	return p.mass(s) / minWeight
}

// farthest bounds |η| over the rows counted, for an intercept within reach.
func (p *Plan) farthest(s State, reach float64) float64 {
	if len(s.SD) == 0 {
		return reach
	}
	for j, b := range s.Beta[p.first():] {
		furthest := min((1+math.Abs(s.Mean[j].Float()))/s.SD[j].Float(), math.Sqrt(float64(2*p.copies(s))))
		reach += float64(math.Abs(b.Float()) * furthest)
	}
	return reach
}

// mass is Σw over the network's rows, which is their number if there are no weights.
func (p *Plan) mass(s State) float64 {
	if p.model.Weight != "" && len(s.Totals) > totalWeight {
		return s.Totals[totalWeight].Float()
	}
	return float64(max(s.Rows, 1))
}

// standardises returns how many means and spreads a state has: one a column, and
// after them the label's if it is a number.
func (p *Plan) standardises() int {
	if p.family.(regression).traits().numeric {
		return len(p.columns) + 1
	}
	return len(p.columns)
}

// cells returns the number of cells of the time grid; 0 without one.
func (p *Plan) cells() int { return int(p.model.Grid.Cells) }

// slots returns how many times the metrics stand in a report: once for the
// network, if they may leave once for each site, and once for each level of a group.
func (p *Plan) slots(sites int) int {
	if !p.perSite {
		sites = 0
	}
	return 1 + sites + p.levels()
}

// exponent returns the least e with bound ≤ 2^e.
func exponent(bound float64) int {
	frac, e := math.Frexp(bound)
	if frac == 0.5 {
		return e - 1
	}
	return e
}

func (g regression) flaw(p *Plan, s State) string {
	t := g.traits()
	k, d := p.standardises(), p.params()
	length := func(from, to Step, n int) int { // n while from ≤ word ≤ to, else 0
		if s.Word < from || s.Word > to {
			return 0
		}
		return n
	}
	accepted := 0
	if s.Word == Newton && len(s.Base) > 0 {
		accepted = d
	}
	information := length(Evaluate, Done, d*(d+1)/2)
	if t.leverage && accepted > 0 {
		information = d * (d + 1) / 2
	}
	scores, histogram := p.levels(), 0
	if t.classes {
		histogram = length(Done, Done, bins)
	}
	extra := 0
	for _, b := range p.extras(State{}) { // its lengths; s is not to be trusted yet
		extra += b.n
	}
	switch {
	case len(s.Mean) != length(Spread, Done, k), len(s.SD) != length(Newton, Done, k),
		len(s.Beta) != length(Newton, Done, d), len(s.Base) != accepted, len(s.Move) != accepted,
		len(s.Information) != information:
		return "wrong number of columns"
	case len(s.Totals) != length(Centre, Done, t.totals), len(s.Table) != length(Centre, Done, 2*p.cells()), len(s.Extra) != length(Done, Done, extra):
		return "wrong number of totals"
	case s.Word < Done && len(s.Scores) > 0, s.Word == Done && len(s.Scores) < 1+scores, len(s.Scores) > 1+maxSites+scores,
		len(s.GroupSites) != length(Centre, Done, p.sayings()),
		len(s.Bins) != 2*histogram, len(s.Chance) != histogram, len(s.Slope) != length(Done, Done, d):
		return "wrong number of scores"
	case t.binary && (s.Rows < s.Positive || s.TestRows < s.TestPositive),
		s.Word > Count && (s.Rows < 2 || t.classes && (s.Positive == 0 || s.Positive == s.Rows)):
		return "impossible counts"
	}
	for i, v := range s.Totals {
		if i <= totalWeight && (v <= 0 || v > MaxRows<<fixedBits) {
			return "impossible totals"
		}
	}
	for j := range s.SD {
		if s.SD[j] < minSD || s.SD[j] > 2<<fixedBits || s.Mean[j] < -2<<fixedBits || s.Mean[j] > 2<<fixedBits {
			return "impossible mean or spread"
		}
	}
	return ""
}

// params returns the number of coefficients: one a column, before them the
// common intercept if there is one.
func (p *Plan) params() int { return len(p.columns) + p.first() }

// first returns the index of the first column's coefficient.
func (p *Plan) first() int {
	if p.common {
		return 1
	}
	return 0
}

// name returns what a coefficient is called.
func (p *Plan) name(coefficient int) string {
	if coefficient < p.first() {
		return commonIntercept
	}
	return p.columns[coefficient-p.first()]
}

// plain is the likelihood without peculiarities, for others to begin from.
type plain struct{}

func (plain) counts(*Plan, Rows) []float64             { return nil }
func (plain) countBlocks(*Plan) []bounded              { return nil }
func (plain) begin(*Plan, *State, []float64) error     { return nil }
func (plain) start(*Plan, State) float64               { return 0 }
func (plain) penalty(factor) float64                   { return 0 }
func (plain) last(decrement float64, _ []float64) bool { return decrement <= stopDecrement }
func (plain) extras(*Plan, State) []bounded            { return nil }
func (plain) extra(*Plan, State, Rows) []float64       { return nil }
func (plain) summarise(*Plan, State, *Result)          {}
func (plain) diverges(column string) error             { return croft.E(croft.ErrUnbounded, column) }
