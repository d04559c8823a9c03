// Package fed turns a study's model into steps over private sums.
//
// A plan is a small state machine. Every site computes a vector on its own rows
// (Compute), the private sum adds the vectors, and everyone takes the same next
// step from the sum alone (Step). The steps of a regression are
//
//	count → centre → spread → newton … → evaluate → done
//
// and the answer is the one that a pooled fit would give: each vector is a plain
// sum over rows, so how the rows are spread over the sites does not matter.
//
// The families of plans: logistic, linear, poisson, firth and cox are
// regressions, which share their steps (regression.go) and differ in their
// likelihood; kaplan-meier and describe count. Each has a file and a page in
// docs/ref/plans.
//
//	fed.go         plans and their steps
//	compute.go     what a site computes
//	regression.go  what the regressions share; step.go, their next state
//	evaluation.go  the last sum: the model on held-out rows, by group in fairness.go
//	result.go      what a final state says; metrics.go, tails.go: scores, p-values
//	state.go       the words of the steps, and the state between them
//	sparse.go      cells with too few people, for the site to withhold
//	pooled.go      the same fit by another road, as a check
//
// What is published is exactly the sums that Layout names; nothing else of a
// site is in them. The package refuses to clip: a vector that exceeds its public
// bound is not sent at all (tensor.Encode).
package fed

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"croft"
	"croft/internal/tensor"
)

// The limits of a plan. With them every number of a State fits its integer and
// every sum fits its layout.
const (
	// MaxRows bounds the rows of the whole network, held-out rows included.
	MaxRows = 1 << 21
	// maxColumns bounds the columns of the design.
	maxColumns = 256
	// maxSites bounds the sites of a study.
	maxSites = 128
)

// Rows is one site's rows as a plan sees them. X and Y are there always, the
// other slices only where the model names their column; all have one entry a row.
type Rows struct {
	// X[row][column] is mapped to [−1, 1] by the column's declared range. NaN stands for
	// no value, where the model has the column among its Means.
	X [][]float64
	// Y is the label: 0 or 1 (logistic, firth); 1 where the time ended with the
	// event (cox, kaplan-meier); a number mapped to [−1, 1] by its declared range
	// (linear); a count (poisson); the index of a level (describe with Classes).
	Y        []float64
	Time     []float64 // of follow-up, from 0, in the unit of the grid
	Exposure []float64 // 2⁻¹⁰ to 2²⁰; its logarithm is the offset
	Weight   []float64 // 2⁻¹⁰ to 2¹⁰
	Unit     []int     // whose row it is: equal numbers, one person
	Tally    []float64 // preflight: what package table counted of all rows, which have no columns
	// Group[g][row] is the row's level of the model's group g; −1 where the site
	// does not say, which it says of all rows of a group or of none.
	Group [][]int
}

// pick returns the named rows, in that order; a row may come again.
func (r Rows) pick(which []int) Rows {
	out := Rows{X: pick(r.X, which), Y: pick(r.Y, which), Time: pick(r.Time, which), Exposure: pick(r.Exposure, which), Weight: pick(r.Weight, which), Unit: pick(r.Unit, which)}
	for _, g := range r.Group {
		out.Group = append(out.Group, pick(g, which))
	}
	return out
}

func pick[T any](from []T, which []int) (out []T) {
	if from == nil {
		return nil
	}
	for _, i := range which {
		out = append(out, from[i])
	}
	return out
}

// people counts whose the named rows are. Rows without a Unit are a person each.
func (r Rows) people(which []int) int {
	if r.Unit == nil {
		return len(which)
	}
	people := map[int]bool{}
	for _, i := range which {
		people[r.Unit[i]] = true
	}
	return len(people)
}

// Site is what one site brings: the rows that train and the rows held out.
type Site struct {
	Train, Test Rows
}

// OneClass reports whether all labels are equal. With site intercepts such a
// site adds nothing to the coefficients, and its operator should be told so: its
// own intercept would be infinite and explain every row.
func OneClass(y []float64) bool {
	for _, v := range y {
		if v != y[0] {
			return false
		}
	}
	return true
}

// Plan is a study's model, compiled once. It is immutable.
type Plan struct {
	family  family
	model   croft.Model
	columns []string // names of the design's columns
	perSite bool     // each site's metrics are published under its name
	common  bool     // coefficient 0 is one intercept for all
	ridge   float64  // λ
	means   []int    // columns whose missing values, NaN, stand for the mean
}

// family is a kind of plan. Of a state it is told only what Plan has checked.
type family interface {
	rules(p *Plan) []rule // what it cannot do
	words(p *Plan) []Step // its steps, without Done
	// layout returns the blocks of the report that moves s. A state may have only
	// its Word: then the lengths must be right.
	layout(p *Plan, s State, sites int) tensor.Layout
	fits(p *Plan, rows Rows) error // the ranges on which the layout's bounds rest
	compute(p *Plan, s State, me, sites int, train, test Rows) []float64
	step(p *Plan, s *State, sites int, sum []float64) error // s.Round has been counted up
	flaw(p *Plan, s State) string                           // what keeps s from being a state of it
	result(p *Plan, s State) (Result, error)
}

// families by the name that a study gives.
var families = map[string]family{
	"logistic":      regression{logistic{}},
	"linear":        regression{linear{}},
	"poisson":       regression{poisson{}},
	"firth":         regression{firth{}},
	"cox":           regression{cox{}},
	"kaplan-meier":  kaplanMeier{},
	"describe":      describe{},
	croft.Preflight: preflight{},
}

// rule is one reason to refuse a model: what is wrong with which of its keys.
type rule struct {
	broken   bool
	key, why string
}

// Compile checks a model and makes it a plan. The columns are the names of the
// design's columns in the order of Rows.X (a feature with levels has several);
// perSite says whether the study lets each site's metrics leave. What the family
// cannot do is ErrStudyValue.
func Compile(m croft.Model, columns []string, perSite bool) (*Plan, error) {
	known := slices.Sorted(maps.Keys(families))
	p := &Plan{families[m.Family], m, slices.Clone(columns), perSite, m.Intercepts == croft.CommonIntercept, m.Ridge.Float(), nil}
	rules := []rule{{p.family == nil, "family", fmt.Sprintf("%q is not a family of this engine: use one of %s", m.Family, strings.Join(known, ", "))}}
	if p.family != nil {
		rules = append(p.family.rules(p), rule{len(columns) > maxColumns, "features", fmt.Sprintf("they make %d columns; at most %d are possible", len(columns), maxColumns)})
	}
	_, regresses := p.family.(regression)
	for _, name := range m.Means {
		at := slices.Index(columns, name)
		p.means = append(p.means, at)
		rules = append(rules, rule{at < 0 || slices.Contains(p.means[:len(p.means)-1], at), "means", fmt.Sprintf("%.40q is no column, or is there twice", name)},
			rule{!regresses, "means", m.Family + " has no use for it"})
	}
	for _, r := range rules {
		if r.broken {
			return nil, croft.E(croft.ErrStudyValue, "model", r.key, r.why)
		}
	}
	return p, nil
}

// only refuses what a model names and its family has no use for: a column that
// silently did nothing would be believed to do something.
func (p *Plan) only(keys ...string) (rules []rule) {
	m := p.model
	for _, r := range []rule{
		{m.Time != "", "time", ""}, {m.Ties != "", "ties", ""}, {m.Exposure != "", "exposure", ""}, {m.Weight != "", "weight", ""},
		{m.Clusters, "clusters", ""}, {m.Grid != croft.Grid{}, "grid", ""}, {m.Bins != 0, "bins", ""}, {m.Classes != 0, "label_levels", ""},
		{m.Cells != 0, "cells", ""},
		{m.Threshold != croft.Decimal{}, "threshold", ""}, {len(m.Groups) > 0, "groups", ""},
	} {
		r.why = m.Family + " has no use for it"
		r.broken = r.broken && !slices.Contains(keys, r.key)
		rules = append(rules, r)
	}
	return rules
}

// Words returns the plan's steps in order, without Done. Newton may be taken up
// to MaxRounds times, each other step once.
func (p *Plan) Words() []Step { return p.family.words(p) }

// Layout returns the blocks of the report that moves s, for a study of so many
// sites. The bounds follow from what the state says in public, never from a
// site's own rows, and hold for every site whose rows are among the Rows counted
// and whose columns lie in [−1, 1]. All nodes agree on a layout bit by bit.
func (p *Plan) Layout(s State, sites int) tensor.Layout {
	if !slices.Contains(p.Words(), s.Word) {
		return nil
	}
	return p.family.layout(p, s, sites)
}

// Compute returns one site's vector for the sum that moves s: site me of so many
// sites, with its training and held-out rows. It is the site's own affair and
// need not be bit-deterministic. The result fits p.Layout(s, sites).
func (p *Plan) Compute(s State, me, sites int, train, test Rows) ([]float64, error) {
	if me < 0 || me >= sites || sites > maxSites {
		return nil, croft.E(croft.ErrShape, "the study", sites, maxSites)
	}
	for _, rows := range []Rows{train, test} {
		if err := p.shaped(rows); err != nil {
			return nil, err
		}
		if err := p.family.fits(p, rows); err != nil {
			return nil, err
		}
	}
	if len(train.X)+len(test.X) > MaxRows {
		return nil, croft.E(croft.ErrTooManyRows, "this site", MaxRows)
	}
	if !slices.Contains(p.Words(), s.Word) {
		return nil, nil
	}
	return p.family.compute(p, s, me, sites, train, test), nil
}

// shaped checks that every slice which the model needs has an entry a row, and
// the range of the columns.
func (p *Plan) shaped(rows Rows) error {
	lengths := []struct {
		named bool
		what  string
		n     int
	}{
		{true, "the label", len(rows.Y)}, {p.model.Time != "", "the time", len(rows.Time)},
		{p.model.Exposure != "", "the exposure", len(rows.Exposure)}, {p.model.Weight != "", "the weight", len(rows.Weight)},
		{p.model.Clusters, "the unit", len(rows.Unit)},
	}
	for _, l := range lengths {
		if l.named && l.n != len(rows.X) {
			return croft.E(croft.ErrShape, l.what, l.n, len(rows.X))
		}
	}
	if len(rows.Group) != len(p.model.Groups) {
		return croft.E(croft.ErrShape, "the groups", len(rows.Group), len(p.model.Groups))
	}
	for g, levels := range rows.Group {
		if len(levels) != len(rows.X) {
			return croft.E(croft.ErrShape, p.model.Groups[g].Column, len(levels), len(rows.X))
		}
		for i, level := range levels {
			if most := int(p.model.Groups[g].Levels) - 1; level < -1 || level > most {
				return croft.E(croft.ErrOverflow, p.model.Groups[g].Column, i, level, most)
			}
		}
	}
	for i, x := range rows.X {
		if len(x) != len(p.columns) {
			return croft.E(croft.ErrShape, "a row", len(x), len(p.columns))
		}
		for j, v := range x {
			if !(math.Abs(v) <= 1) && !(math.IsNaN(v) && slices.Contains(p.means, j)) {
				return croft.E(croft.ErrOverflow, p.columns[j], i, v, 1)
			}
		}
	}
	return nil
}

// within checks that low ≤ v ≤ high in every row.
func within(name string, values []float64, low, high float64) error {
	for i, v := range values {
		if !(v >= low && v <= high) {
			return croft.E(croft.ErrOverflow, name, i, v, high)
		}
	}
	return nil
}

// binary checks that the label is 0 or 1 in every row.
func (p *Plan) binary(rows Rows) error {
	for i, y := range rows.Y {
		if y != 0 && y != 1 {
			return croft.E(croft.ErrOverflow, p.model.Label, i, y, 1)
		}
	}
	return nil
}

// Step takes in the sum of all sites' reports and returns the state after it. It
// is bit-deterministic: equal arguments give equal states on every machine. It
// fails where the study cannot go on: ErrOneClass, ErrNoContrast, ErrNoRows,
// ErrTooManyRows, ErrTotal, ErrConstant, ErrCollinear, ErrSeparation,
// ErrUnbounded, ErrNoConvergence; and with ErrSum on a sum that no honest reports
// can have.
func (p *Plan) Step(s State, sites int, sum []float64) (State, error) {
	if want := p.Layout(s, sites).Numbers(); len(sum) != want || s.Word == Done {
		return s, croft.E(croft.ErrShape, "the sum", len(sum), want)
	}
	next := s
	next.Round++
	if err := p.family.step(p, &next, sites, sum); err != nil {
		return s, err
	}
	return next, nil
}

// Result reads the result off a state at Done; ErrTxOrder before that.
func (p *Plan) Result(s State) (Result, error) {
	if s.Word != Done {
		return Result{}, croft.E(croft.ErrTxOrder, "the plan is at "+s.Word.String())
	}
	r, err := p.family.result(p, s)
	r.Family, r.Rounds = p.model.Family, int(s.Round)
	return r, err
}

// Run takes all steps of the plan over sites that are all in this process, by
// the very path of a network: encode, add, decode, step. It serves comparisons
// (a site alone, a benchmark), dry runs and tests.
func (p *Plan) Run(sites ...Site) (State, error) {
	s := p.Start()
	for s.Word != Done {
		layout := p.Layout(s, len(sites))
		sum := make([]int64, layout.Elems())
		for me, site := range sites {
			report, err := p.Compute(s, me, len(sites), site.Train, site.Test)
			if err != nil {
				return s, err
			}
			encoded, err := layout.Encode(report)
			if err != nil {
				return s, err
			}
			for i, e := range encoded {
				sum[i] += e
			}
		}
		decoded, err := layout.Decode(sum)
		if err != nil {
			return s, err
		}
		if s, err = p.Step(s, len(sites), decoded); err != nil {
			return s, err
		}
	}
	return s, nil
}
