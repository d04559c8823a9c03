package fed

import (
	"fmt"
	"math"

	"croft"
	"croft/internal/tensor"
)

// preflight is the family that adds the sites' tallies of their columns (package
// table), so that each site can hold its own against those of all. It knows of a
// tally only that a column of the model adds to it one number for each row, with a
// number also x, x² and whether it is 0: at most 1 each.
//
// Totals: the sum of the tallies.
type preflight struct{}

func (preflight) rules(p *Plan) []rule {
	return append(p.only("cells"),
		rule{p.model.Goal != croft.Inference, "goal", "a preflight is inference"},
		rule{p.ridge != 0, "ridge", "a preflight has none"},
		rule{len(p.columns) > 0, "features", "a preflight fits nothing to them"},
		rule{p.model.Cells == 0 || p.model.Cells > maxTable, "cells", fmt.Sprintf("a tally would have %d numbers; 1 to %d are possible", p.model.Cells, maxTable)},
	)
}

func (preflight) words(*Plan) []Step { return []Step{Count, Tabulate} }

func (preflight) fits(p *Plan, rows Rows) error {
	if len(rows.X) > 0 && len(rows.Tally) != int(p.model.Cells) {
		return croft.E(croft.ErrShape, "the tally", len(rows.Tally), p.model.Cells)
	}
	return nil
}

// layout's bound: a row adds at most √4 in each column.
func (preflight) layout(p *Plan, s State, _ int) tensor.Layout {
	if s.Word == Count {
		return countLayout(s)
	}
	row := float64(2 * math.Sqrt(float64(len(p.model.Columns()))))
	return tensor.Layout{{Name: "tally", Len: int(p.model.Cells), Exp: exponent(float64(float64(max(s.Rows, 1)) * row)), Row: row, Limbs: 3}}
}

func (preflight) compute(_ *Plan, s State, _, _ int, train, _ Rows) []float64 {
	if s.Word == Count {
		return []float64{float64(len(train.Y)), 0, 0, 0}
	}
	return train.Tally
}

func (preflight) step(p *Plan, s *State, _ int, sum []float64) error {
	if s.Word == Count {
		s.Word = Tabulate
		return p.countedAll(s, sum)
	}
	for _, v := range sum {
		if math.Abs(v) > float64(s.Rows)+0.5 {
			return croft.E(croft.ErrSum, Tabulate, "more values than rows")
		}
	}
	s.Word = Done
	return fix(Tabulate, &s.Totals, sum)
}

func (preflight) flaw(p *Plan, s State) string {
	totals := 0
	if s.Word == Done {
		totals = int(p.model.Cells)
	}
	switch {
	case len(s.Totals) != totals:
		return "wrong number of totals"
	case len(s.Mean)+len(s.SD)+len(s.Beta)+len(s.Base)+len(s.Move)+len(s.Information)+len(s.Scores)+len(s.Extra)+len(s.Table) > 0:
		return "no part of a preflight"
	case s.Word != Count && s.Rows < 2 || s.TestRows > 0:
		return "impossible counts"
	}
	return ""
}

func (preflight) result(_ *Plan, s State) (Result, error) {
	return Result{Rows: s.Rows, Tally: floats(s.Totals)}, nil
}
