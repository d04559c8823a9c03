package fed

import (
	"math"
	"slices"

	"croft"
)

// Every machine must reach the same state bit by bit (protocol: the ledger
// commits the hash that t+1 seats agree on). So this file, layout.go and
// cholesky.go keep to + − × ÷ √ on float64, which IEEE 754 rounds in one way
// only; each product stands in float64(…), which forbids the compiler to fuse
// it with a sum as it may on arm64; no library function that approximates, no
// map, no goroutine. TestProductsAreNeverFused holds them to it.

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

	// minSD is the least spread of a column, 2⁻²⁰ of half its declared range:
	// below it what varies is lost in rounding.
	minSD = 1 << (fixedBits - 20)

	// maxFixed bounds the numbers of a state.
	maxFixed = 1 << 62
)

// Step takes in the sum of all sites' reports and returns the state after it. It
// is bit-deterministic: equal arguments give equal states on every machine. It
// fails where the study cannot go on: ErrOneClass, ErrNoContrast, ErrNoRows,
// ErrTooManyRows, ErrConstant, ErrCollinear, ErrSeparation, ErrNoConvergence;
// and with ErrSum on a sum that no honest reports can have.
func (p *Plan) Step(s State, sites int, sum []float64) (State, error) {
	if want := p.Layout(s, sites).Numbers(); len(sum) != want || s.Word == Done {
		return s, croft.E(croft.ErrShape, "the sum", len(sum), want)
	}
	next := s
	next.Round++
	var err error
	switch s.Word {
	case Count:
		err = p.count(&next, sum)
	case Centre:
		err = p.centre(&next, sum)
	case Spread:
		err = p.spread(&next, sum)
	case Newton:
		err = p.newton(&next, sum)
	case Evaluate:
		err = p.evaluate(&next, sum)
	}
	if err != nil {
		return s, err
	}
	return next, nil
}

func (p *Plan) count(s *State, sum []float64) error {
	counts, err := whole(Count, sum)
	if err != nil {
		return err
	}
	s.Rows, s.Positive, s.TestRows, s.TestPositive = counts[0], counts[1], counts[2], counts[3]
	switch {
	case s.Positive > s.Rows || s.TestPositive > s.TestRows:
		return croft.E(croft.ErrSum, Count, "more positives than rows")
	case s.Rows > MaxRows || s.TestRows > MaxRows || s.Rows+s.TestRows > MaxRows:
		return croft.E(croft.ErrTooManyRows, "the network", MaxRows)
	case s.Rows < 2 || p.ridge == 0 && s.Rows <= int64(p.params()):
		return croft.E(croft.ErrNoRows, "the network", s.Rows, max(2, p.params()+1))
	case s.Positive == 0 || s.Positive == s.Rows:
		return croft.E(croft.ErrOneClass, p.model.Label)
	}
	s.Word = Centre
	return nil
}

func (p *Plan) centre(s *State, sum []float64) error {
	mean := make([]float64, len(sum))
	for j, v := range sum {
		mean[j] = v / float64(s.Rows)
		if math.Abs(mean[j]) > 1+0x1p-30 {
			return croft.E(croft.ErrSum, Centre, "the mean of "+p.columns[j]+" is outside its range")
		}
	}
	s.Word = Spread
	return fix(Centre, &s.Mean, mean)
}

func (p *Plan) spread(s *State, sum []float64) error {
	sd := make([]float64, len(sum))
	for j, v := range sum {
		variance := v / float64(s.Rows)
		if variance < 0 || variance > 1+0x1p-20 {
			return croft.E(croft.ErrSum, Spread, "the spread of "+p.columns[j]+" is impossible")
		}
		if sd[j] = math.Sqrt(variance); sd[j] < Fixed(minSD).Float() {
			return croft.E(croft.ErrConstant, p.columns[j])
		}
	}
	start := make([]float64, p.params())
	if p.common {
		// log(positives/negatives) to within 0.06, by bits: a start, no more. It
		// saves the unit steps in which Newton's method would walk to a rare class.
		frac, exp := math.Frexp(float64(s.Positive) / float64(s.Rows-s.Positive))
		start[0] = float64(math.Ln2 * (float64(exp-2) + float64(2*frac)))
	}
	s.Word = Newton
	if err := fix(Spread, &s.SD, sd); err != nil {
		return err
	}
	return fix(Spread, &s.Beta, start)
}

// newton judges the point where the sites have just computed and chooses the
// next. It maximises loglik(β) − λ/2·‖β‖², over standardised columns and with
// the common intercept left free.
func (p *Plan) newton(s *State, sum []float64) error {
	d := p.params()
	beta := floats(s.Beta)
	gradient, loglik := slices.Clone(sum[:d]), sum[len(sum)-1]
	information := unpack(sum[d:len(sum)-1], d)
	for j := p.first(); j < d; j++ {
		gradient[j] -= float64(p.ridge * beta[j])
		information[j][j] += p.ridge
	}
	starting := len(s.Base) == 0
	if starting && loglik == 0 && !p.common {
		return croft.E(croft.ErrNoContrast, p.model.Label)
	}
	rounds := int(s.Round) - 3

	if !starting {
		was, is := p.objective(s.Loglik.Float(), floats(s.Base)), p.objective(loglik, beta)
		if is < was-float64(0x1p-32*(1+math.Abs(was))) { // a fall, not rounding: the step was too long
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
	factor, singular := cholesky(information)
	if singular >= 0 {
		if starting {
			return croft.E(croft.ErrCollinear, p.name(singular))
		}
		return croft.E(croft.ErrSeparation, p.name(singular))
	}
	move := factor.solve(gradient)
	decrement := dot(gradient, move)

	// Complete separation: where all rows together lose less than log 2, each has
	// more than even odds on its own class. Then the likelihood rises to 1.
	if p.ridge == 0 && loglik > -11.0/16 {
		return croft.E(croft.ErrSeparation, p.name(p.driver(factor, move)))
	}

	// Or only some rows are separated, and the likelihood rises for ever along a
	// line, but not to 1. Newton's steps along it keep their length (about 1 in
	// log-odds) while their gain falls by e each time; a convergent run's steps
	// shrink quadratically. When the rounds are used up, a first sign must do.
	exhausted := rounds >= int(p.model.MaxRounds)
	if !starting && p.ridge == 0 && s.Halvings == 0 && (decrement <= settledDecrement || exhausted && decrement <= 1) {
		if before := floats(s.Move); dot(move, before) >= dot(before, before)/2 {
			return croft.E(croft.ErrSeparation, p.name(p.driver(factor, move)))
		}
	}

	s.Base, s.Halvings = s.Beta, 0
	if err := fix(Newton, &s.Move, move); err != nil {
		return err
	}
	if err := fix(Newton, &s.Beta, along(beta, move, 1)); err != nil {
		return err
	}
	last := decrement <= stopDecrement
	if last { // the ridge leaves loglik a slope at the optimum: follow it to Beta
		loglik += dot(sum[:d], move)
	}
	var at []Fixed
	if err := fix(Newton, &at, []float64{loglik}); err != nil {
		return err
	}
	s.Loglik = at[0]
	if last {
		s.Word, s.Base, s.Move = Evaluate, nil, nil
		return fix(Newton, &s.Information, pack(information))
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

func (p *Plan) evaluate(s *State, sum []float64) error {
	slots := len(sum) / scoreLen // the two numbers of the intercepts are fewer than a score's
	right, sum := sum[:3*slots], sum[3*slots:]
	pairs, sum := sum[:2*slots], sum[2*slots:]
	pairRows, sum := sum[:slots], sum[slots:]
	losses, sum := sum[:3*slots], sum[3*slots:]
	s.Scores = make([]Score, slots)
	for i := range slots {
		counts, err := whole(Evaluate, []float64{right[3*i], right[3*i+1], right[3*i+2], pairs[2*i], pairs[2*i+1], pairRows[i]})
		if err != nil {
			return err
		}
		n := counts[0]
		if counts[1] > n || counts[2] > n || n > s.TestRows || counts[3] > 2*counts[4] {
			return croft.E(croft.ErrSum, Evaluate, "more right than there are")
		}
		rows := float64(max(n, 1))
		var means []Fixed
		if err := fix(Evaluate, &means, []float64{losses[3*i] / rows, losses[3*i+1] / rows, losses[3*i+2] / rows}); err != nil {
			return err
		}
		s.Scores[i] = Score{n, counts[1], counts[2], counts[3], counts[4], counts[5], means[0], means[1], means[2]}
	}
	if !p.common {
		var mean []Fixed
		if err := fix(Evaluate, &mean, []float64{sum[0] / max(sum[1], 1)}); err != nil {
			return err
		}
		s.Intercept = mean[0]
	}
	s.Word = Done
	return nil
}

// along returns from + t·move.
func along(from, move []float64, t float64) []float64 {
	to := make([]float64, len(from))
	for j := range from {
		to[j] = from[j] + float64(t*move[j])
	}
	return to
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
