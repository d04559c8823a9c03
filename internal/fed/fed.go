// Package fed turns a study's model into steps over private sums.
//
// A plan is a small state machine. Every site computes a vector on its own rows
// (Compute), the private sum adds the vectors, and everyone takes the same next
// step from the sum alone (Step). The steps of a logistic regression are
//
//	count → centre → spread → newton … → evaluate → done
//
// and the answer is the one that a pooled fit would give: each vector is a plain
// sum over rows, so how the rows are spread over the sites does not matter.
//
// What is published is exactly the sums that Layout names; nothing else of a
// site is in them. The package refuses to clip: a vector that exceeds its public
// bound is not sent at all (tensor.Encode).
package fed

import (
	"fmt"
	"slices"

	"croft"
)

// The limits of a plan. With them every number of a State fits its integer and
// every sum fits its layout.
const (
	// MaxRows bounds the rows of the whole network, held-out rows included.
	MaxRows = 1 << 21
	// MaxColumns bounds the columns of the design.
	MaxColumns = 256
	// MaxSites bounds the sites of a study.
	MaxSites = 128
)

// Rows is one site's rows as a plan sees them.
type Rows struct {
	X [][]float64 // X[row][column], each column mapped to [−1, 1] by its declared range
	Y []float64   // the label, 0 or 1
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
	model   croft.Model
	columns []string // names of the design's columns
	perSite bool     // each site's metrics are published under its name
	common  bool     // coefficient 0 is one intercept for all
	ridge   float64  // λ
}

// Compile checks a model and makes it a plan. The columns are the names of the
// design's columns in the order of Rows.X (a feature with levels has several);
// perSite says whether the study lets each site's metrics leave.
func Compile(m croft.Model, columns []string, perSite bool) (*Plan, error) {
	ridge := m.Ridge.Float()
	for _, rule := range []struct {
		broken   bool
		key, why string
	}{
		{m.Family != "logistic", "family", fmt.Sprintf("%q is not a family of this engine: use logistic", m.Family)},
		{m.Goal != croft.Inference && m.Goal != croft.Prediction, "goal", fmt.Sprintf("%q is neither inference nor prediction", m.Goal)},
		{m.Intercepts != croft.SiteIntercepts && m.Intercepts != croft.CommonIntercept, "intercepts", fmt.Sprintf("%q is neither site nor common", m.Intercepts)},
		{!(ridge >= 0 && ridge <= MaxRows), "ridge", fmt.Sprintf("%v is not between 0 and %d", m.Ridge, MaxRows)},
		{m.Goal == croft.Inference && ridge != 0, "ridge", "inference allows none: a shrunken coefficient has no honest interval"},
		{len(columns) == 0 || len(columns) > MaxColumns, "features", fmt.Sprintf("they make %d columns; 1 to %d are possible", len(columns), MaxColumns)},
		{m.MaxRounds == 0, "max_rounds", "at least 1 is needed"},
	} {
		if rule.broken {
			return nil, croft.E(croft.ErrStudyValue, "model", rule.key, rule.why)
		}
	}
	return &Plan{m, slices.Clone(columns), perSite, m.Intercepts == croft.CommonIntercept, ridge}, nil
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
		return "(intercept)"
	}
	return p.columns[coefficient-p.first()]
}
