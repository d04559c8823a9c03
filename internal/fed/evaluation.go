package fed

import (
	"math"
	"slices"

	"croft"
)

// What a regression is worth on the rows held out: the last sum has the scores of
// the network, of each site if they may leave, and of each level of a group; of
// yes-or-no labels a histogram of the predicted probabilities; and the slope of the
// held-out log-likelihood, from which each site works out what its own rows gave.

const (
	// bins is the number of bins of predicted probability. Each is as wide in
	// log-odds as the others, and the base rate lies in the middle of all, so that
	// rare outcomes have as many as even ones. Where few rows are held out, only so
	// many are used that ten rows fall into each on average.
	bins      = 20
	binsReach = 5.0 // log-odds from the base rate to either end; the outermost bins are open
	rowsABin  = 10

	// leastSites is how many sites must say of their rows to which level of a group
	// they belong. With two, each would know the other's. And all who hold rows out must:
	// what the total has and the levels together have not would be the others' alone.
	leastSites = 3

	mostGroups = 4

	// fewPeople is below how many a mean would tell of one: sites' least min_cell.
	fewPeople = 5

	// A row adds at most maxPull spans to the slope, or its site leaves the slope out:
	// a residual of 1 is the most with yes-or-no labels.
	maxPull = 64
)

// Bin counts the held-out rows whose predicted probability lies between Low and
// High.
type Bin struct {
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Mean     float64 `json:"mean"` // predicted probability; of sites with few people here, about the middle
	Negative int64   `json:"negative"`
	Positive int64   `json:"positive"`
}

// PooledAUC returns the AUC over all rows that the bins count, of whatever sites,
// as if rows of one bin tied. Low and High are what it could be: how the rows of a
// bin are ranked among themselves is not known.
func PooledAUC(of []Bin) Estimate {
	above, pairs, tied, below := 0.0, 0.0, 0.0, 0.0
	negatives, positives := 0.0, 0.0
	for _, b := range of {
		n, p := float64(b.Negative), float64(b.Positive)
		above += p * below
		tied += p * n
		below += n
		negatives, positives = negatives+n, positives+p
	}
	if pairs = negatives * positives; pairs == 0 {
		return Estimate{0.5, 0, 1}
	}
	return Estimate{(above + tied/2) / pairs, above / pairs, (above + tied) / pairs}
}

// Own evaluates a finished plan on the held-out rows of one site alone, for that
// site's own screen: Score, Groups and Bins of the result are of these rows. It
// fails as Compute does.
func (p *Plan) Own(s State, train, test Rows) (Result, error) {
	if _, fits := p.family.(regression); !fits || s.Word != Done {
		return Result{}, croft.E(croft.ErrTxOrder, "the plan is at "+s.Word.String())
	}
	alone := *p
	alone.perSite = false
	s.Word, s.TestRows, s.TestPositive = Evaluate, int64(len(test.Y)), 0
	s.GroupSites = slices.Repeat([]int64{leastSites}, p.sayings()) // it hides nothing from itself
	report, err := alone.Compute(s, 0, 1, train, test)
	if err != nil {
		return Result{}, err
	}
	if s, err = alone.Step(s, 1, report); err != nil {
		return Result{}, err
	}
	return alone.Result(s)
}

// Scorer returns the score, under a finished plan, of any rows of those that one
// site holds out; a row may be named more than once.
func (p *Plan) Scorer(s State, train, test Rows) func(which []int) Score {
	g := p.family.(regression)
	eta, _, _ := g.heldOut(p, s, train, test)
	return func(which []int) Score { return scoreOf(g.tally(p, s, pick(eta, which), test.pick(which))) }
}

// Contribution returns how much more a held-out row of the other sites would lose,
// on average, had the site with these rows not taken part: its leave-one-out,
// computed by itself from the totals less its own vectors, so that nobody learns
// them (protocol §8). It is good to second order in the step from the estimate to
// that of the others. Below 0 the others would do better alone. ok is false where
// the others' estimate, or their held-out rows, cannot be told from the totals.
func (p *Plan) Contribution(s State, train, test Rows) (more float64, ok bool) {
	g, fits := p.family.(regression)
	others := float64(s.TestRows) - float64(len(test.Y))
	if !fits || s.Word != Done || others < 1 || s.Rows <= int64(len(train.Y)) {
		return 0, false
	}
	d := p.params()
	u := g.units(p, s)
	upper := floats(s.Information)
	gradient, own := g.pull(p, s, train)
	for i := range upper {
		upper[i] = math.Ldexp(upper[i], u.information) - own[i]
	}
	information := unpack(upper, d)
	factor, singular := cholesky(information)
	if singular >= 0 {
		return 0, false
	}
	step := factor.solve(gradient) // towards this site: the others' estimate lies the other way
	slope := floats(s.Slope)
	ownSlope := g.slope(p, s, test)
	gain := 0.0
	for j := range step {
		slope[j] = math.Ldexp(slope[j], p.slopeUnit(s))*float64(s.TestRows) - ownSlope[j]
		gain += slope[j] * step[j] / others
		if j >= p.first() {
			information[j][j] -= p.ridge
		}
	}
	// The curvature of a held-out row is that of a training row on average.
	for j := range step {
		gain += step[j] * dot(information[j], step) / 2 / (float64(s.Rows) - float64(len(train.Y)))
	}
	return gain, !math.IsNaN(gain)
}

// pull returns the gradient and the information of rows at s.Beta, of the
// likelihood without a penalty.
func (g regression) pull(p *Plan, s State, rows Rows) (gradient, information []float64) {
	of := g.likelihood
	if g.traits().leverage {
		of = logistic{}
	}
	report := of.newton(p, s, rows)
	return report[:p.params()], report[p.params() : len(report)-1]
}

// slope returns the gradient of the held-out log-likelihood, 0 where it would
// exceed its bound.
func (g regression) slope(p *Plan, s State, test Rows) []float64 {
	slope, _ := g.pull(p, s, test)
	if most := float64(len(test.Y)) * p.steepest(s); !(dot(slope, slope) <= most*most) {
		clear(slope)
	}
	return slope
}

// steepest bounds what a held-out row adds to the slope. Held-out rows are not
// among those whose spread is 1, so only their declared range bounds them.
func (p *Plan) steepest(s State) float64 {
	ranges := 1.0
	for j := range min(len(s.SD), len(p.columns)) {
		sd := s.SD[j].Float()
		ranges += 4 / float64(sd*sd)
	}
	return float64(maxPull * math.Sqrt(ranges))
}

// slopeUnit is that of State.Slope, as units are.
func (p *Plan) slopeUnit(s State) int { return unit(p.steepest(s)) }

// heldOut returns the linear predictors of held-out rows under the site's own
// intercept alpha, if it has one, and whether that tells anything of others.
func (g regression) heldOut(p *Plan, s State, train, test Rows) (eta []float64, alpha float64, telling bool) {
	if !p.common && g.traits().baseline {
		z := p.standardise(s, train)
		alpha, telling = g.intercept(p, s, z, p.predictors(s, z, train), train)
	}
	eta = p.predictors(s, p.standardise(s, test), test)
	for i := range eta {
		eta[i] += alpha
	}
	return eta, alpha, telling
}

// metrics returns the report of the evaluate step, in the blocks of layout.
func (g regression) metrics(p *Plan, s State, me, sites int, train, test Rows) []float64 {
	eta, alpha, telling := g.heldOut(p, s, train, test)
	slots := make([][scoreLen]float64, p.slots(sites))
	slots[0] = g.tally(p, s, eta, test)
	if p.perSite {
		slots[1+me] = slots[0]
	}
	at := len(slots) - p.levels()
	for group, column := range p.model.Groups {
		for level := range int(column.Levels) {
			var which []int
			for i, of := range test.Group[group] {
				if of == level && s.shows(group) {
					which = append(which, i)
				}
			}
			slots[at] = g.tally(p, s, pick(eta, which), test.pick(which))
			at++
		}
	}
	var report []float64
	for _, block := range [][2]int{{atRows, atConcordant}, {atConcordant, atPairRows}, {atPairRows, atLoss}, {atLoss, scoreLen}} {
		for _, slot := range slots {
			report = append(report, slot[block[0]:block[1]]...)
		}
	}
	if g.traits().classes {
		report = append(report, p.histogram(s, eta, test)...)
	}
	report = append(report, g.slope(p, s, test)...)
	if !p.common && g.traits().baseline {
		weight := 0.0 // its intercept says nothing of others
		if telling {
			// By rows, but only about: the sum of the weights, beside that of all rows,
			// would say how many a lone site has that is not in it.
			weight = math.Exp2(math.Floor(math.Log2(float64(len(train.Y)))))
		}
		report = append(report, weight*alpha, weight)
	}
	return report
}

// histogram returns the rows by bin and label, and Σ of the probabilities by bin. Rows in
// bins where this site has few people count with the middle of their bin, for alone there
// a row would publish its probability, and with one column that is its value. The middles
// are all moved by how far off theirs these rows are on average, in log-odds.
func (p *Plan) histogram(s State, eta []float64, rows Rows) []float64 {
	out := make([]float64, 3*bins)
	base, width, used := p.binning(s)
	at, in := make([]int, len(eta)), make([][]int, used)
	for i, e := range eta {
		at[i] = min(max(int(math.Floor((e-base)/width+float64(used)/2)), 0), used-1)
		in[at[i]] = append(in[at[i]], i)
		out[at[i]+bins*int(rows.Y[i])]++
	}
	middle := func(bin int) float64 { return base + width*(float64(bin)+0.5-float64(used)/2) }
	var lone []int
	off := 0.0
	for bin, which := range in {
		few := rows.people(which) < fewPeople
		for _, i := range which {
			if !few {
				out[2*bins+bin] += sigmoid(eta[i])
				continue
			}
			lone = append(lone, i)
			off += min(max(eta[i]-middle(bin), -width/2), width/2)
		}
	}
	if rows.people(lone) < fewPeople {
		off = 0
	}
	for _, i := range lone {
		out[2*bins+at[i]] += sigmoid(middle(at[i]) + off/float64(len(lone)))
	}
	return out
}

// binning returns the log-odds in the middle of the bins, the width of each and how
// many are used.
func (p *Plan) binning(s State) (base, width float64, used int) {
	used = int(min(max(s.TestRows/rowsABin, 2), bins))
	return math.Log(float64(s.Positive) / float64(s.Rows-s.Positive)), 2 * binsReach / float64(used), used
}

// bins reads the histogram off a state at Done; nil where there is none.
func (p *Plan) bins(s State) (out []Bin) {
	if len(s.Bins) == 0 {
		return nil
	}
	base, width, used := p.binning(s)
	for i := range used {
		edge := func(i int) float64 { return sigmoid(base + width*(float64(i)-float64(used)/2)) }
		b := Bin{Low: edge(i), High: edge(i + 1), Mean: s.Chance[i].Float(), Negative: s.Bins[i], Positive: s.Bins[bins+i]}
		if i == 0 {
			b.Low = 0
		}
		if i == used-1 {
			b.High = 1
		}
		out = append(out, b)
	}
	return out
}

// cut returns the log-odds from which on a row is taken for positive.
func (p *Plan) cut() float64 {
	if p.model.Threshold == (croft.Decimal{}) {
		return 0
	}
	t := p.model.Threshold.Float()
	return math.Log(t / (1 - t))
}

// levels returns how many levels all groups have together.
func (p *Plan) levels() (n int) {
	for _, g := range p.model.Groups {
		n += int(g.Levels)
	}
	return n
}

// byGroup returns the scores of a state by group and level.
func (p *Plan) byGroup(s State) (out [][]Score) {
	at := len(s.Scores) - p.levels()
	for g, column := range p.model.Groups {
		levels := s.Scores[at : at+int(column.Levels)]
		if at += int(column.Levels); !s.shows(g) {
			levels = nil
		}
		out = append(out, levels)
	}
	return out
}

// shows says whether the scores of a group's levels are summed.
func (s State) shows(group int) bool {
	n := s.GroupSites[group]
	return n >= leastSites && n == s.GroupSites[len(s.GroupSites)-1]
}

// tells returns 1 where a site with these labels has anything to say of the coefficients
// beside its own intercept, or baseline hazard, else 0. Sums to which fewer than
// leastSites of several sites add something are not taken: they would be those sites' own.
func (g regression) tells(y []float64) float64 {
	t := g.traits()
	if len(y) == 0 || t.separable && OneClass(y) || !t.numeric && !t.leverage && total(y) == 0 {
		return 0
	}
	return 1
}

// sayings returns how many numbers says has.
func (p *Plan) sayings() int {
	if len(p.model.Groups) == 0 {
		return 0
	}
	return len(p.model.Groups) + 1
}

// says returns for each group whether this site says of its held-out rows to which
// level they belong, and last whether it has such rows.
func (p *Plan) says(test Rows) []float64 {
	out := make([]float64, p.sayings())
	for g, levels := range test.Group {
		if len(levels) > 0 {
			out[len(out)-1] = 1
			if levels[0] >= 0 {
				out[g] = 1
			}
		}
	}
	return out
}

// groupSites takes in how many sites say so.
func (p *Plan) groupSites(sum []float64) ([]int64, error) {
	if len(sum) == 0 {
		return nil, nil
	}
	sites, err := whole(Count, sum)
	for _, n := range sites {
		if n > maxSites {
			return nil, croft.E(croft.ErrSum, Count, "more sites than there can be")
		}
	}
	return sites, err
}

// evaluate takes in the sum of the reports that metrics makes.
func (g regression) evaluate(p *Plan, s *State, sum []float64) error {
	extra := 0
	for _, b := range p.extras(*s) {
		extra += b.n
	}
	take := func(n int) (block []float64) {
		block, sum = sum[:n], sum[n:]
		return block
	}
	tail := p.params() + extra
	if g.traits().classes {
		tail += 3 * bins
	}
	if !p.common && g.traits().baseline {
		tail += 2
	}
	slots := (len(sum) - tail) / scoreLen
	right, pairs, pairRows, losses := take(4*slots), take(2*slots), take(slots), take(3*slots)
	s.Scores = make([]Score, slots)
	for i := range s.Scores {
		counts, err := whole(Evaluate, []float64{right[4*i], right[4*i+1], right[4*i+2], right[4*i+3], pairs[2*i], pairs[2*i+1], pairRows[i]})
		if err != nil {
			return err
		}
		score := Score{Rows: counts[0], Positive: counts[1], Correct: counts[2], Flagged: counts[3], Concordant: counts[4], Pairs: counts[5], PairRows: counts[6]}
		table := score.Confusion()
		if max(score.Positive, score.Correct, score.Flagged) > score.Rows || score.Rows > s.TestRows || score.Concordant > 2*score.Pairs ||
			g.traits().classes && (min(table.TruePositive, table.FalsePositive, table.FalseNegative, table.TrueNegative) < 0 ||
				table.TruePositive+table.TrueNegative != score.Correct) {
			return croft.E(croft.ErrSum, Evaluate, "more right than there are")
		}
		rows := float64(max(score.Rows, 1))
		var means []Fixed
		if err := fix(Evaluate, &means, []float64{losses[3*i] / rows, losses[3*i+1] / rows, losses[3*i+2] / rows}); err != nil {
			return err
		}
		score.Loss, score.Square, score.Brier = means[0], means[1], means[2]
		s.Scores[i] = score
	}
	if g.traits().classes {
		if err := s.count(take(2*bins), take(bins)); err != nil {
			return err
		}
	}
	slope, row := take(p.params()), float64(max(s.TestRows, 1))
	for j, v := range slope {
		slope[j] = math.Ldexp(v/row, -p.slopeUnit(*s))
	}
	if err := fix(Evaluate, &s.Slope, slope); err != nil {
		return err
	}
	if !p.common && g.traits().baseline {
		own := take(2)
		var mean []Fixed
		if err := fix(Evaluate, &mean, []float64{own[0] / max(own[1], 1)}); err != nil {
			return err
		}
		s.Intercept = mean[0]
	}
	s.Word = Done
	if extra == 0 {
		return nil
	}
	last := take(extra)
	for i := range last {
		last[i] = math.Ldexp(last[i], -g.units(p, *s).extra)
	}
	return fix(Evaluate, &s.Extra, last)
}

// count takes in the histogram.
func (s *State) count(rows, chances []float64) (err error) {
	if s.Bins, err = whole(Evaluate, rows); err != nil {
		return err
	}
	n := int64(0)
	for i := range chances {
		in := s.Bins[i] + s.Bins[bins+i]
		n += in
		chances[i] /= float64(max(in, 1))
		if chances[i] < -0x1p-20 || chances[i] > 1+0x1p-20 {
			return croft.E(croft.ErrSum, Evaluate, "an impossible probability")
		}
	}
	if n > s.TestRows {
		return croft.E(croft.ErrSum, Evaluate, "more rows in bins than there are")
	}
	return fix(Evaluate, &s.Chance, chances)
}
