package fed

import (
	"fmt"
	"math"

	"croft"
	"croft/internal/tensor"
)

// kaplanMeier is the family of survival curves (Kaplan & Meier, JASA 1958) on a
// declared grid of times, one a group, and of the log-rank test that the groups
// are alike, stratified by site (Mantel, Cancer Chemotherapy Reports 1966; Peto &
// Peto, JRSS A 1972). The columns are the levels of one category but its first;
// without columns there is one curve. Nobody is held out.
//
// A time counts as the end of its cell, in the curves. The test compares within
// sites at the exact times: only observed less expected events by group and their
// covariance leave.
//
// Table: for each group events by cell, then censored by cell; at last the rows by
// group. Totals, from Done on: observed and expected events of each group and the
// upper triangle of the covariance.
type kaplanMeier struct{}

// maxCells bounds a grid, maxGroups the curves.
const (
	maxCells  = 4096
	maxGroups = 32
)

// faultyGrid says what is wrong with a grid, or "".
func faultyGrid(g croft.Grid) string {
	switch {
	case g.Width.Mantissa <= 0:
		return "the width of a cell is not above 0"
	case g.Cells == 0 || g.Cells > maxCells:
		return fmt.Sprintf("%d cells; 1 to %d are possible", g.Cells, maxCells)
	}
	return ""
}

// cell returns the cell of a time, p.cells() beyond the grid.
func (p *Plan) cell(time float64) int {
	return int(min(max(math.Ceil(widths(time/p.model.Grid.Width.Float()))-1, 0), float64(p.cells())))
}

// widths returns how many widths of a cell a value lies from where cells begin. Within
// a billionth of a cell's edge it is at the edge: decimals have no exact quotients.
func widths(quotient float64) float64 {
	if whole := math.Round(quotient); math.Abs(quotient-whole) < 1e-9*max(1, whole) {
		return whole
	}
	return quotient
}

// groups returns how many curves there are.
func (p *Plan) groups() int { return len(p.columns) + 1 }

func (kaplanMeier) rules(p *Plan) []rule {
	m := p.model
	return append(p.only("time", "grid"),
		rule{m.Time == "", "time", "kaplan-meier needs the column of follow-up times"},
		rule{faultyGrid(m.Grid) != "", "grid", faultyGrid(m.Grid)},
		rule{m.Goal != croft.Inference, "goal", "a curve describes: it is inference"},
		rule{p.ridge != 0, "ridge", "kaplan-meier has none"},
		rule{len(m.Features) > 1, "features", "curves are of the levels of one category, or of all rows together"},
		rule{p.groups() > maxGroups, "features", fmt.Sprintf("they make %d curves; at most %d are possible", p.groups(), maxGroups)},
		rule{p.groups()*p.cells() > 1<<14, "grid", fmt.Sprintf("%d curves of %d cells are too many numbers; at most %d are possible", p.groups(), p.cells(), 1<<14)},
	)
}

func (kaplanMeier) words(*Plan) []Step { return []Step{Count, Tabulate} }

func (kaplanMeier) fits(p *Plan, rows Rows) error {
	if err := p.binary(rows); err != nil {
		return err
	}
	for i, x := range rows.X {
		levels := 0.0
		for j, v := range x {
			if levels += v; v != 0 && v != 1 || levels > 1 {
				return croft.E(croft.ErrOverflow, p.columns[j], i, v, 1)
			}
		}
	}
	return within(p.model.Time, rows.Time, 0, maxTime)
}

// layout's bounds: each row is in one cell and one group, and at each event at
// most one is expected, with a variance of at most ½ in all groups together.
func (kaplanMeier) layout(p *Plan, s State, _ int) tensor.Layout {
	if s.Word == Count {
		return countLayout(s)
	}
	exp, k := exponent(float64(max(s.Rows, 1))), p.groups()
	return tensor.Layout{
		{Name: "events by time", Len: k * p.cells(), Exp: exp, Row: 1, Limbs: 3}, {Name: "censored by time", Len: k * p.cells(), Exp: exp, Row: 1, Limbs: 3},
		{Name: "rows", Len: k, Exp: exp, Row: 1, Limbs: 3}, {Name: "observed and expected", Len: 2 * k, Exp: exp + 1, Row: 2, Limbs: 3},
		{Name: "covariance", Len: k * (k + 1) / 2, Exp: exp, Row: 1, Limbs: 3},
	}
}

func (kaplanMeier) compute(p *Plan, s State, _, _ int, train, test Rows) []float64 {
	rows := joined(train, test)
	if s.Word == Count {
		return []float64{float64(len(rows.Y)), total(rows.Y), 0, 0}
	}
	k, cells := p.groups(), p.cells()
	events, censored, sizes := make([]float64, k*cells), make([]float64, k*cells), make([]float64, k)
	group := make([]int, len(rows.X))
	for i, x := range rows.X {
		for j, v := range x {
			if v == 1 {
				group[i] = j + 1
			}
		}
		sizes[group[i]]++
		if cell := p.cell(rows.Time[i]); cell < cells {
			at := group[i]*cells + cell
			events[at] += rows.Y[i]
			censored[at] += 1 - rows.Y[i]
		}
	}
	report := append(append(events, censored...), sizes...)
	return append(report, logRank(rows, group, k)...)
}

// logRank returns the observed and the expected events of each of k groups at one
// site, and the upper triangle of the covariance of their difference: at each time
// with events, those of a hypergeometric distribution.
func logRank(rows Rows, group []int, k int) []float64 {
	observed, expected, covariance := make([]float64, k), make([]float64, k), make([]float64, k*(k+1)/2)
	atRisk, n := make([]float64, k), 0.0
	order := byTime(rows)
	for i := 0; i < len(order); {
		events := 0.0
		for now := rows.Time[order[i]]; i < len(order) && rows.Time[order[i]] == now; i++ {
			at := order[i]
			atRisk[group[at]]++
			n++
			events += rows.Y[at]
			observed[group[at]] += rows.Y[at]
		}
		if events == 0 {
			continue
		}
		spread := 0.0
		if n > 1 {
			spread = events * (n - events) / (n - 1)
		}
		at := 0
		for a := range k {
			expected[a] += events * atRisk[a] / n
			for b := a; b < k; b++ {
				same := 0.0
				if a == b {
					same = 1
				}
				covariance[at] += spread * atRisk[a] / n * (same - atRisk[b]/n)
				at++
			}
		}
	}
	return append(append(observed, expected...), covariance...)
}

func (kaplanMeier) step(p *Plan, s *State, _ int, sum []float64) error {
	if s.Word == Count {
		if err := p.counted(s, sum); err != nil {
			return err
		}
		switch {
		case s.Positive > s.Rows || s.TestRows > 0:
			return croft.E(croft.ErrSum, Count, "more events than rows")
		case s.Rows == 0:
			return croft.E(croft.ErrNoRows, "the network", s.Rows, 1)
		case s.Positive == 0:
			return croft.E(croft.ErrOneClass, p.model.Label)
		}
		s.Word = Tabulate
		return nil
	}
	k := p.groups()
	counts := 2*k*p.cells() + k
	table, err := whole(Tabulate, sum[:counts])
	if err != nil {
		return err
	}
	rows := int64(0)
	for g, n := range table[counts-k:] {
		rows += n
		for cell := range p.cells() {
			n -= table[g*p.cells()+cell] + table[(k+g)*p.cells()+cell]
		}
		if n < 0 {
			return croft.E(croft.ErrSum, Tabulate, "more times than rows")
		}
	}
	if rows != s.Rows {
		return croft.E(croft.ErrSum, Tabulate, "the groups are not all rows")
	}
	s.Word, s.Table = Done, table
	return fix(Tabulate, &s.Totals, sum[counts:])
}

func (kaplanMeier) flaw(p *Plan, s State) string {
	k, table, totals := p.groups(), 0, 0
	if s.Word == Done {
		table, totals = 2*k*p.cells()+k, 2*k+k*(k+1)/2
	}
	switch {
	case len(s.Table) != table || len(s.Totals) != totals:
		return "wrong number of counts"
	case len(s.Mean)+len(s.SD)+len(s.Beta)+len(s.Base)+len(s.Move)+len(s.Information)+len(s.Scores)+len(s.Extra) > 0:
		return "no part of a curve"
	case s.Word != Count && (s.Positive == 0 || s.Rows < s.Positive || s.TestRows > 0):
		return "impossible counts"
	}
	return ""
}

// Curve is the survival of one group.
type Curve struct {
	Name   string      `json:"name"` // the column of the group's level; "" for the first level, or for all rows
	Rows   int64       `json:"rows"`
	Points []CurveStep `json:"points"` // one a cell
}

// CurveStep is a curve at the end of a cell of the grid.
type CurveStep struct {
	Time     float64  `json:"time"`    // the cell's end, in the unit of the grid
	AtRisk   int64    `json:"at_risk"` // at its beginning
	Events   int64    `json:"events"`
	Censored int64    `json:"censored"` // counted after the events
	Survival Estimate `json:"survival"` // with 95 % interval exp(log S ± 1.96·SE of log S), Greenwood's
	SE       float64  `json:"se"`       // of Survival, Greenwood's
}

// Median returns the time at which half are gone: the end of the first cell with
// a survival of at most ½, but for rounding of the product; false if there is none.
func (c Curve) Median() (time float64, reached bool) {
	for _, s := range c.Points {
		if s.Survival.Value <= 0.5+1e-9 {
			return s.Time, true
		}
	}
	return 0, false
}

func (kaplanMeier) result(p *Plan, s State) (Result, error) {
	k, cells := p.groups(), p.cells()
	r := Result{Rows: s.Rows, Positive: s.Positive}
	for g := range k {
		c := Curve{Rows: s.Table[2*k*cells+g]}
		if g > 0 {
			c.Name = p.columns[g-1]
		}
		atRisk, survival, hazard := c.Rows, 1.0, 0.0
		for cell := range cells {
			events, censored := s.Table[g*cells+cell], s.Table[(k+g)*cells+cell]
			if n, d := float64(atRisk), float64(events); d > 0 {
				survival *= 1 - d/n
				hazard += d / (n * (n - d))
			}
			step := CurveStep{
				Time: p.model.Grid.Width.Float() * float64(cell+1), AtRisk: atRisk, Events: events, Censored: censored,
				Survival: Estimate{survival, 0, 0},
			}
			if survival > 0 { // once all are gone there is no interval
				root := math.Sqrt(hazard)
				step.SE = survival * root
				step.Survival.Low, step.Survival.High = survival*math.Exp(-z95*root), min(survival*math.Exp(z95*root), 1)
			}
			c.Points = append(c.Points, step)
			atRisk -= events + censored
		}
		r.Curves = append(r.Curves, c)
	}
	if k == 1 {
		return r, nil
	}
	// The differences sum to 0: all but the last that can differ say it all.
	totals := floats(s.Totals)
	covariance := unpack(totals[2*k:], k)
	var differences []float64
	var kept []int
	for g := range k {
		kept = append(kept, g)
		if _, singular := cholesky(minor(covariance, kept)); singular >= 0 {
			kept = kept[:len(kept)-1]
			continue
		}
		differences = append(differences, totals[g]-totals[k+g])
	}
	if factor, _ := cholesky(minor(covariance, kept)); len(kept) > 0 {
		r.LogRank = &Test{p.model.Features[0], dot(differences, factor.solve(differences)), len(kept)}
	}
	return r, nil
}

// minor returns the rows and columns of a matrix that are kept.
func minor(a [][]float64, kept []int) (m [][]float64) {
	for _, i := range kept {
		row := make([]float64, 0, len(kept))
		for _, j := range kept {
			row = append(row, a[i][j])
		}
		m = append(m, row)
	}
	return m
}
