package fed

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"croft"
)

// cox is the partial likelihood of times to an event, stratified by site: Cox,
// JRSS B 1972; ties by Efron, JASA 1977, or Breslow. Risk sets are of one site, so
// that log-likelihood, score and information are plain sums over sites; the
// baseline hazard of a site never leaves it. There is no intercept.
//
// With the scores go the sums of the score test that hazards are proportional
// (Grambsch & Therneau, Biometrika 1994, as R's cox.zph since 3.0): of adding
// z·g(t), where g is 1 less the Kaplan–Meier curve just before t: the network's on
// the grid, whose counts go with the first report, or without a grid the site's own.
//
// Table, with a grid: events by cell, then censored by cell. Extra: Σg·u, then
// Σg·V and Σg²·V as upper triangles, where u and V are an event's share of score
// and information.
type cox struct{ plain }

// maxTime bounds times, so that they are finite.
const maxTime = 1 << 40

func (cox) traits() traits { return traits{binary: true} }

func (cox) rules(p *Plan) []rule {
	m := p.model
	return append(p.only("time", "ties", "grid", "groups"),
		rule{m.Time == "", "time", "cox needs the column of follow-up times"},
		rule{m.Intercepts != croft.SiteIntercepts, "intercepts", "a Cox regression is stratified by site: it is site"},
		rule{m.Ties != "" && m.Ties != "efron" && m.Ties != "breslow", "ties", fmt.Sprintf("%q is neither efron nor breslow", m.Ties)},
		rule{m.Grid != croft.Grid{} && faultyGrid(m.Grid) != "", "grid", faultyGrid(m.Grid)},
	)
}

func (cox) fits(p *Plan, rows Rows) error {
	if err := p.binary(rows); err != nil {
		return err
	}
	return within(p.model.Time, rows.Time, 0, maxTime)
}

func (cox) counts(p *Plan, rows Rows) []float64 {
	if p.cells() == 0 {
		return nil
	}
	counts := make([]float64, 2*p.cells())
	for i, t := range rows.Time {
		if cell := p.cell(t); cell < p.cells() {
			counts[cell+p.cells()*int(1-rows.Y[i])]++
		}
	}
	return counts
}

func (cox) countBlocks(p *Plan) []bounded {
	if p.cells() == 0 {
		return nil
	}
	return []bounded{{"events by time", p.cells(), MaxRows}, {"censored by time", p.cells(), MaxRows}}
}

func (cox) begin(p *Plan, s *State, sum []float64) (err error) {
	if s.Positive == 0 {
		return croft.E(croft.ErrOneClass, p.model.Label)
	}
	if p.cells() == 0 {
		return nil
	}
	if s.Table, err = whole(Count, sum); err != nil {
		return err
	}
	n := int64(0)
	for _, c := range s.Table {
		n += c
	}
	if n > s.Rows {
		return croft.E(croft.ErrSum, Count, "more times than rows")
	}
	return nil
}

// bounds: with D events in the network. An event adds its distance from a mean of
// its risk set, the variance of z there, for both of which see span, and the
// logarithm of its share in the risk, at least −log n − max(η − η′). A row has at
// most one.
func (cox) bounds(p *Plan, s State) bounds {
	events, span, spread := float64(max(s.Positive, 1)), p.span(s), 16.0
	for j, b := range s.Beta {
		spread += float64(2 * (math.Abs(b.Float()) / s.SD[j].Float()))
	}
	return bounds{
		gradient:    float64(events * math.Sqrt(span)),
		information: float64(events * span),
		loglik:      float64(events * spread),
		row:         perRow{math.Sqrt(span), span, spread},
	}
}

func (c cox) units(p *Plan, s State) units {
	b := c.bounds(p, s)
	return units{information: unit(b.information), loglik: unit(float64(64 * float64(max(s.Positive, 1)))), extra: unit(float64(2 * b.information))}
}

func (cox) intercept(*Plan, State, [][]float64, []float64, Rows) (float64, bool) { return 0, false }

func (cox) newton(p *Plan, s State, rows Rows) []float64 {
	d := p.params()
	report := make([]float64, d+d*(d+1)/2+1)
	p.events(s, rows, func(_ float64, score, information []float64, loglik float64) {
		for j, v := range score {
			report[j] += v
		}
		for j, v := range information {
			report[d+j] += v
		}
		report[len(report)-1] += loglik
	})
	return report
}

// events calls visit for each distinct time of an event at this site, with what
// its events add to score, information and log-likelihood.
func (p *Plan) events(s State, rows Rows, visit func(time float64, score, information []float64, loglik float64)) {
	d := p.params()
	z := p.standardise(s, rows)
	eta := p.predictors(s, z, rows)
	top := math.Inf(-1) // the highest η at risk: weights are e^(η − top)
	order := byTime(rows)
	atRisk, dying := newRisk(d), newRisk(d)
	score, information := make([]float64, d), make([]float64, d*(d+1)/2)
	mean, square := make([]float64, d), make([]float64, d*(d+1)/2)
	for i := 0; i < len(order); {
		now := rows.Time[order[i]]
		dying.scale(0)
		clear(score)
		clear(information)
		loglik, deaths := 0.0, 0.0
		was := top
		for j := i; j < len(order) && rows.Time[order[j]] == now; j++ {
			top = max(top, eta[order[j]])
		}
		if top > was {
			atRisk.scale(math.Exp(was - top))
		}
		for ; i < len(order) && rows.Time[order[i]] == now; i++ {
			at := order[i]
			weight := math.Exp(eta[at] - top)
			atRisk.add(weight, z[at])
			if rows.Y[at] == 1 {
				deaths++
				dying.add(weight, z[at])
				loglik += eta[at] - top
				for j, v := range z[at] {
					score[j] += v
				}
			}
		}
		if deaths == 0 {
			continue
		}
		for tie := range int(deaths) {
			gone := 0.0 // Efron: of those who die now, this share has left the risk set
			if p.model.Ties != "breslow" {
				gone = float64(tie) / deaths
			}
			sum := atRisk.sum - gone*dying.sum
			loglik -= math.Log(sum)
			for j := range mean {
				mean[j] = (atRisk.first[j] - gone*dying.first[j]) / sum
				score[j] -= mean[j]
			}
			for k := range square {
				square[k] = (atRisk.second[k] - gone*dying.second[k]) / sum
			}
			k := 0
			for j, v := range mean {
				for _, u := range mean[j:] {
					information[k] += square[k] - v*u
					k++
				}
			}
		}
		visit(now, score, information, loglik)
	}
}

// byTime returns the rows' order from the latest to the earliest.
func byTime(rows Rows) []int {
	order := make([]int, len(rows.Time))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows.Time[b], rows.Time[a]) })
	return order
}

// risk holds Σw, Σw·z and the upper triangle of Σw·z·zᵀ.
type risk struct {
	sum           float64
	first, second []float64
}

func newRisk(d int) *risk {
	return &risk{first: make([]float64, d), second: make([]float64, d*(d+1)/2)}
}

func (r *risk) scale(by float64) {
	r.sum *= by
	for j := range r.first {
		r.first[j] *= by
	}
	for k := range r.second {
		r.second[k] *= by
	}
}

func (r *risk) add(weight float64, z []float64) {
	r.sum += weight
	k := 0
	for j, v := range z {
		r.first[j] += weight * v
		for _, u := range z[j:] {
			r.second[k] += weight * v * u
			k++
		}
	}
}

func (c cox) extras(p *Plan, s State) []bounded {
	b, d := c.bounds(p, s), p.params()
	return []bounded{{"drift", d, b.gradient}, {"drift cross", d * (d + 1) / 2, b.information}, {"drift information", d * (d + 1) / 2, b.information}}
}

func (cox) extra(p *Plan, s State, rows Rows) []float64 {
	d := p.params()
	u := d * (d + 1) / 2
	report := make([]float64, d+2*u)
	gone := ownCurve(rows)
	if p.cells() > 0 {
		gone = gridCurve(p, s)
	}
	p.events(s, rows, func(time float64, score, information []float64, _ float64) {
		g := gone(time)
		for j, v := range score {
			report[j] += g * v
		}
		for k, v := range information {
			report[d+k] += g * v
			report[d+u+k] += g * g * v
		}
	})
	return report
}

// gridCurve returns 1 less the network's Kaplan–Meier curve before the cell of a
// time; ownCurve 1 less the rows' own before that time.
func gridCurve(p *Plan, s State) func(time float64) float64 {
	gone := make([]float64, p.cells()+1)
	atRisk, survival := float64(s.Rows), 1.0
	for cell := range p.cells() {
		events, censored := float64(s.Table[cell]), float64(s.Table[p.cells()+cell])
		if events > 0 && atRisk > 0 {
			survival *= max(1-events/atRisk, 0)
		}
		atRisk -= events + censored
		gone[cell+1] = 1 - survival
	}
	return func(time float64) float64 { return gone[p.cell(time)] }
}

func ownCurve(rows Rows) func(time float64) float64 {
	order := byTime(rows)
	slices.Reverse(order)
	before := map[float64]float64{}
	atRisk, survival := float64(len(order)), 1.0
	for i := 0; i < len(order); {
		now, events, all := rows.Time[order[i]], 0.0, 0.0
		before[now] = 1 - survival
		for ; i < len(order) && rows.Time[order[i]] == now; i++ {
			events += rows.Y[order[i]]
			all++
		}
		survival *= 1 - events/atRisk
		atRisk -= all
	}
	return func(time float64) float64 { return before[time] }
}

// tally counts pairs of rows of which it is known who had the event first, and
// those where that row has the higher risk (Harrell's C).
func (cox) tally(_ *Plan, _ State, eta []float64, rows Rows) (t [scoreLen]float64) {
	values := slices.Clone(eta)
	slices.Sort(values)
	values = slices.Compact(values)
	tree := make([]float64, len(values)+1) // Fenwick: counts of rows by rank of risk
	below := func(rank int) (sum float64) {
		for ; rank > 0; rank -= rank & -rank {
			sum += tree[rank]
		}
		return sum
	}
	add := func(e float64) {
		rank, _ := slices.BinarySearch(values, e)
		for rank++; rank < len(tree); rank += rank & -rank {
			tree[rank]++
		}
	}
	order, later := byTime(rows), 0.0
	for i := 0; i < len(order); {
		first := i
		for ; i < len(order) && rows.Time[order[i]] == rows.Time[order[first]]; i++ {
			if rows.Y[order[i]] == 0 { // known to have lived longer than who dies now
				add(eta[order[i]])
				later++
			}
		}
		for _, at := range order[first:i] {
			t[atRows]++
			if rows.Y[at] == 1 {
				rank, _ := slices.BinarySearch(values, eta[at])
				t[atPositive]++
				t[atConcordant] += below(rank) + below(rank+1) // twice those with less risk, and ties once
				t[atPairs] += later
			}
		}
		for _, at := range order[first:i] {
			if rows.Y[at] == 1 {
				add(eta[at])
				later++
			}
		}
	}
	t[atPairRows] = t[atPairs] * t[atRows]
	return t
}

// AllColumns is what the last test of Result.Proportional is called.
const AllColumns = "all columns"

// summarise tests each column and then all together for a drift of its
// coefficient over time: with the coefficients at their best the score of z·g(t)
// is Σg·u and its variance Σg²·V − Σg·V·(ΣV)⁻¹·Σg·V, of which nothing is left where all
// events have one g (in one cell of a grid, or beyond it).
func (c cox) summarise(p *Plan, s State, r *Result) {
	if r.Cov == nil {
		return
	}
	d := p.params()
	u := d * (d + 1) / 2
	extra := floats(s.Extra)
	for i := range extra {
		extra[i] = math.Ldexp(extra[i], c.units(p, s).extra)
	}
	score, cross, squares, information := extra[:d], unpack(extra[d:d+u], d), unpack(extra[d+u:], d), unpack(extra[d+u:], d)
	for i := range d {
		for j := range d {
			for a := range d {
				for b := range d {
					information[i][j] -= cross[i][a] * r.Cov[a][b] * cross[b][j]
				}
			}
		}
	}
	for j, name := range p.columns {
		if information[j][j] > leastPivot*squares[j][j] {
			r.Proportional = append(r.Proportional, Test{name, score[j] * score[j] / information[j][j], 1})
		}
	}
	if factor, singular := cholesky(information); singular < 0 && len(r.Proportional) == d {
		r.Proportional = append(r.Proportional, Test{AllColumns, dot(score, factor.solve(score)), d})
	}
}
