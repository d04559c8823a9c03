package fed

import (
	"math"
	"slices"

	"croft"
)

// Every machine must reach the same state bit by bit (protocol: the ledger
// commits the hash that t+1 seats agree on). So everything that Step and Layout
// reach keeps to + − × ÷ √ on float64, which IEEE 754 rounds in one way only; each
// product stands in float64(…), which forbids the compiler to fuse it with a sum
// as it may on arm64; no library function that approximates, no map, no goroutine.
// TestProductsAreNeverFused holds it to that.

const (
	// stopDecrement is the square of the Newton decrement at which the next full
	// step is the last. The decrement √(gᵀH⁻¹g) bounds how far that step moves
	// any coefficient in units of its standard error; after it the error is of
	// the order of the square, 2⁻⁴⁸.
	stopDecrement = 1.0 / (1 << 48)

	// settledDecrement is where Newton's method, if it converges at all, does so
	// quadratically: a full step gains less than 2⁻¹⁷ in log-likelihood. A finite
	// optimum beyond it would have standard errors of hundreds.
	settledDecrement = 1.0 / (1 << 16)

	// enoughDecrement is where a likelihood whose steps shrink slowly may stop when
	// the rounds are used up: 10⁻⁶ standard errors from the end.
	enoughDecrement = 1.0 / (1 << 44)

	// exactFit is half the least sum of squares that a label may have left, in its
	// standard deviations: of less, a Fixed keeps too few digits for a variance.
	exactFit = 1 << (fixedBits - 24)

	// minSD is the least spread of a column, 2⁻²⁰ of half its declared range:
	// below it what varies is lost in rounding.
	minSD = 1 << (fixedBits - 20)

	// maxFixed bounds the numbers of a state.
	maxFixed = 1 << 62
)

func (g regression) step(p *Plan, s *State, sites int, sum []float64) error {
	switch s.Word {
	case Count:
		return g.count(p, s, sites, sum)
	case Centre:
		return g.centre(p, s, sum)
	case Spread:
		return g.spread(p, s, sum)
	case Newton:
		return g.climb(p, s, sum)
	default:
		return g.evaluate(p, s, sum)
	}
}

func (g regression) count(p *Plan, s *State, sites int, sum []float64) error {
	var telling float64
	if !p.common {
		telling, sum = sum[len(sum)-1], sum[:len(sum)-1]
	}
	if err := p.counted(s, sum[:4]); err != nil {
		return err
	}
	t := g.traits()
	switch {
	case t.binary && (s.Positive > s.Rows || s.TestPositive > s.TestRows):
		return croft.E(croft.ErrSum, Count, "more positives than rows")
	case s.Rows < 2 || p.ridge == 0 && s.Rows <= int64(p.params()):
		return croft.E(croft.ErrNoRows, "the network", s.Rows, max(2, p.params()+1))
	case t.classes && (s.Positive == 0 || s.Positive == s.Rows):
		return croft.E(croft.ErrOneClass, p.model.Label)
	case !p.common && telling < 0.5 && t.separable:
		return croft.E(croft.ErrNoContrast, p.model.Label)
	case !p.common && telling < leastSites && sites >= leastSites:
		return croft.E(croft.ErrFewTell, int64(telling+0.5), p.model.Label)
	}
	s.Word = Centre
	groups := len(sum) - p.sayings()
	var err error
	if s.GroupSites, err = p.groupSites(sum[groups:]); err != nil {
		return err
	}
	return g.begin(p, s, sum[4:groups])
}

// counted takes in the four counts with which every plan begins.
func (p *Plan) counted(s *State, sum []float64) error {
	counts, err := whole(Count, sum)
	if err != nil {
		return err
	}
	s.Rows, s.Positive, s.TestRows, s.TestPositive = counts[0], counts[1], counts[2], counts[3]
	if s.Rows > MaxRows || s.TestRows > MaxRows || s.Rows+s.TestRows > MaxRows {
		return croft.E(croft.ErrTooManyRows, "the network", MaxRows)
	}
	return nil
}

func (g regression) centre(p *Plan, s *State, sum []float64) error {
	sum, given := sum[:p.standardises()], sum[p.standardises():]
	mean := make([]float64, len(sum))
	for j, v := range sum {
		mass := p.mass(*s)
		if m := slices.Index(p.means, j); m >= 0 {
			if mass = given[m]; !(mass > 0) {
				return croft.E(croft.ErrConstant, p.standardised(j))
			}
		}
		if mean[j] = v / mass; math.Abs(mean[j]) > 1+0x1p-30 {
			return croft.E(croft.ErrSum, Centre, "the mean of "+p.standardised(j)+" is outside its range")
		}
	}
	s.Word = Spread
	return fix(Centre, &s.Mean, mean)
}

func (g regression) spread(p *Plan, s *State, sum []float64) error {
	sd := make([]float64, len(sum))
	for j, v := range sum {
		variance := v / p.mass(*s)
		if variance < 0 || variance > 1+0x1p-20 {
			return croft.E(croft.ErrSum, Spread, "the spread of "+p.standardised(j)+" is impossible")
		}
		if sd[j] = math.Sqrt(variance); sd[j] < Fixed(minSD).Float() {
			return croft.E(croft.ErrConstant, p.standardised(j))
		}
	}
	start := make([]float64, p.params())
	if p.common {
		start[0] = g.start(p, *s)
	}
	s.Word = Newton
	if err := fix(Spread, &s.SD, sd); err != nil {
		return err
	}
	return fix(Spread, &s.Beta, start)
}

// standardised returns whose mean and spread stand at j.
func (p *Plan) standardised(j int) string {
	if j < len(p.columns) {
		return p.columns[j]
	}
	return p.model.Label
}

// climb judges the point where the sites have just computed and chooses the
// next. It maximises loglik(β) + penalty − λ/2·‖β‖², over standardised columns
// and with the common intercept left free.
func (g regression) climb(p *Plan, s *State, sum []float64) error {
	t, d, unit := g.traits(), p.params(), g.units(p, *s)
	beta := floats(s.Beta)
	gradient, loglik := slices.Clone(sum[:d]), sum[len(sum)-1]
	information := unpack(sum[d:len(sum)-1], d)
	for j := p.first(); j < d; j++ {
		gradient[j] -= float64(p.ridge * beta[j])
		information[j][j] += p.ridge
	}
	starting := len(s.Base) == 0
	if starting && loglik == 0 && !p.common && t.separable {
		return croft.E(croft.ErrNoContrast, p.model.Label)
	}
	rounds := int(s.Round) - 3
	factor, singular := cholesky(information)
	if singular < 0 {
		loglik += g.penalty(factor)
	}

	if !starting {
		was := p.objective(math.Ldexp(s.Loglik.Float(), unit.loglik), floats(s.Base))
		// Where a step can put all weight on few rows, a singular information is a
		// step that was too long. Leverages are of the point before.
		lost, rounding := singular >= 0 && !t.separable, 0x1p-32
		if t.leverage {
			rounding = 0x1p-16
		}
		// A fall, not rounding: the step was too long.
		if lost || p.objective(loglik, beta) < was-float64(rounding*(1+math.Abs(was))) {
			if rounds >= int(p.model.MaxRounds) {
				return croft.E(croft.ErrNoConvergence, rounds)
			}
			s.Halvings += 2 // two at a time: each try costs a whole round
			return fix(Newton, &s.Beta, along(floats(s.Base), floats(s.Move), math.Ldexp(1, -int(s.Halvings))))
		}
	}

	// Where the sites start, all rows of a site weigh the same, and a singular
	// information means that columns are linearly dependent. Later it means that
	// weights have gone to zero: fitted probabilities of 0 and 1.
	if singular >= 0 {
		if starting {
			return croft.E(croft.ErrCollinear, p.name(singular))
		}
		return g.diverges(p.name(singular))
	}
	move := factor.solve(gradient)
	decrement := dot(gradient, move)

	// Complete separation: where all rows together lose less than log 2, each has
	// more than even odds on its own class. Then the likelihood rises to 1.
	if p.ridge == 0 && t.separable && loglik > -11.0/16 {
		return g.diverges(p.name(p.driver(factor, move)))
	}

	// Or only some rows are separated, and the likelihood rises for ever along a
	// line, but not to 1. Newton's steps along it keep their length (about 1 in
	// log-odds, log-rate or log-hazard) while their gain falls by e each time; a
	// convergent run's steps shrink quadratically. When the rounds are used up, a
	// first sign must do.
	exhausted := rounds >= int(p.model.MaxRounds)
	last := g.last(decrement, move) || exhausted && t.leverage && decrement <= enoughDecrement
	if !t.separable && !t.leverage && !starting && longest(move) <= 1.0/(1<<24) {
		// Where bounds are wide, sums are rounded so that steps do not get as short
		// as they should: then they no longer shrink.
		before := floats(s.Move)
		last = last || dot(move, move) >= dot(before, before)/4
	}
	if (!last || t.separable) && !starting && p.ridge == 0 && !t.leverage && s.Halvings == 0 && (decrement <= settledDecrement || exhausted && decrement <= 1) {
		if before := floats(s.Move); dot(move, before) >= dot(before, before)/2 {
			return g.diverges(p.name(p.driver(factor, move)))
		}
	}

	if !t.separable {
		shorten(move)
	}
	s.Base, s.Halvings = s.Beta, 0
	if err := fix(Newton, &s.Move, move); err != nil {
		return err
	}
	if err := fix(Newton, &s.Beta, along(beta, move, 1)); err != nil {
		return err
	}
	if last { // the ridge leaves loglik a slope at the optimum: follow it to Beta
		loglik += dot(sum[:d], move)
	}
	var at []Fixed
	if err := fix(Newton, &at, []float64{math.Ldexp(loglik, -unit.loglik)}); err != nil {
		return err
	}
	s.Loglik = at[0]
	if last || t.leverage {
		upper := pack(information)
		for i := range upper {
			upper[i] = math.Ldexp(upper[i], -unit.information)
		}
		if err := fix(Newton, &s.Information, upper); err != nil {
			return err
		}
	}
	if last && t.numeric && s.Loglik > -exactFit {
		return croft.E(croft.ErrCollinear, p.model.Label)
	}
	if last {
		s.Word, s.Base, s.Move = Evaluate, nil, nil
		return nil
	}
	if exhausted {
		return croft.E(croft.ErrNoConvergence, rounds)
	}
	return nil
}

func (p *Plan) objective(loglik float64, beta []float64) float64 {
	free := beta[p.first():]
	return loglik - float64(p.ridge*dot(free, free))/2
}

// driver returns the column that a step moves furthest in units of its standard
// error.
func (p *Plan) driver(f factor, move []float64) int {
	worst, at := -1.0, p.first()
	for j := p.first(); j < len(move); j++ {
		unit := make([]float64, len(move))
		unit[j] = 1
		if distance := math.Abs(move[j]) / math.Sqrt(f.solve(unit)[j]); distance > worst {
			worst, at = distance, j
		}
	}
	return at
}

// maxMove bounds a step in standard deviations. Where rows have next to no weight
// Newton's step can be beyond all bounds; it is halved until it leads upwards, and
// must fit a State before.
const maxMove = 1 << 10

// shorten halves a move until it is within maxMove.
func shorten(move []float64) {
	if by := longest(move) / maxMove; by > 1 {
		for j := range move {
			move[j] = math.Ldexp(move[j], -exponent(by))
		}
	}
}

// longest returns the largest |m| of a move.
func longest(move []float64) (most float64) {
	for _, m := range move {
		most = max(most, math.Abs(m))
	}
	return most
}

// along returns from + t·move.
func along(from, move []float64, t float64) []float64 {
	to := make([]float64, len(from))
	for j := range from {
		to[j] = from[j] + float64(t*move[j])
	}
	return to
}

// logarithm returns log v for a positive v, to within 2⁻⁵⁰ of its size or of 1, by
// log v = e·log 2 + 2·artanh((m−1)/(m+1)) with v = m·2^e and √½ ≤ m ≤ √2.
func logarithm(v float64) float64 {
	m, e := math.Frexp(v)
	if m < math.Sqrt2/2 {
		m, e = m+m, e-1
	}
	t := (m - 1) / (m + 1) // |t| ≤ 0.172, so t²⁴ < 2⁻⁶⁰
	square, series := float64(t*t), 0.0
	for n := 23; n > 0; n -= 2 {
		series = float64(series*square) + 1/float64(n)
	}
	return float64(float64(e)*math.Ln2) + float64(float64(2*t)*series)
}

func dot(a, b []float64) (sum float64) {
	for j := range a {
		sum += float64(a[j] * b[j])
	}
	return sum
}

func floats(numbers []Fixed) []float64 {
	out := make([]float64, len(numbers))
	for i, v := range numbers {
		out[i] = v.Float()
	}
	return out
}

// fix rounds values into a new slice at dst. The check comes before the
// conversion: what an out-of-range float becomes differs between machines.
func fix(step Step, dst *[]Fixed, values []float64) error {
	out := make([]Fixed, len(values))
	for i, v := range values {
		scaled := math.RoundToEven(math.Ldexp(v, fixedBits))
		if !(math.Abs(scaled) < maxFixed) {
			return croft.E(croft.ErrSum, step, "a number beyond 2^22")
		}
		out[i] = Fixed(scaled)
	}
	*dst = out
	return nil
}

// whole rounds numbers that are counts.
func whole(step Step, values []float64) ([]int64, error) {
	out := make([]int64, len(values))
	for i, v := range values {
		if !(v > -0.5 && v < maxFixed) {
			return nil, croft.E(croft.ErrSum, step, "a count below 0")
		}
		out[i] = int64(math.RoundToEven(v))
	}
	return out, nil
}
