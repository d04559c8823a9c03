package fed

import (
	"slices"
	"testing"

	"croft"
)

// Sparse speaks of the very cells that a report counts in.
func TestSparseNamesCellsOfFewPeople(t *testing.T) {
	grid := croft.Grid{Width: croft.Decimal{Mantissa: 10}, Cells: 3}
	rows := Rows{
		X:    [][]float64{{0}, {0}, {0}, {0}, {1}, {1}, {1}},
		Y:    []float64{1, 1, 1, 0, 1, 0, 0},
		Time: []float64{1, 10, 10, 12, 25, 31, 99},
		Unit: []int{1, 2, 2, 3, 4, 5, 6}, // one person has two rows in one cell
	}
	rest := Rows{X: [][]float64{{0}}, Y: []float64{1}, Time: []float64{5}, Unit: []int{7}}
	curves := croft.Model{Family: "kaplan-meier", Goal: croft.Inference, Time: "days", Grid: grid, Label: "dead", Features: []string{"g"}}
	cox := croft.Model{Family: "cox", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Time: "days", Grid: grid, Label: "dead", MaxRounds: 25}
	without := cox
	without.Grid = croft.Grid{}
	numbers := croft.Model{Family: "describe", Goal: croft.Inference, Features: []string{"x"}, Bins: 4}
	for _, c := range []struct {
		model  croft.Model
		column string
		rows   Rows
		least  int
		want   []string
	}{
		{curves, "g=b", rows, 3, []string{"days over 10 to 20, censored: 1", "g=b, days over 20 to 30, with the event: 1", "g=b, days over 30: 2"}},
		{curves, "g=b", rows, 4, []string{"days over 0 to 10, with the event: 3", "days over 10 to 20, censored: 1", "g=b, days over 20 to 30, with the event: 1", "g=b, days over 30: 2"}},
		{cox, "x", rows, 3, []string{"days over 0 to 10, with the event: 2", "days over 10 to 20, censored: 1", "days over 20 to 30, with the event: 1", "days over 30: 2"}},
		{without, "x", rows, 99, nil},
		{numbers, "x", rows, 4, []string{"x, part 4 of 4: 3"}},
		{croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, MaxRounds: 9}, "x", rows, 99, nil},
	} {
		p := compile(t, c.model, []string{c.column}, false)
		if got := p.Sparse(c.rows, rest, c.least); !slices.Equal(got, c.want) {
			t.Errorf("%s, %d: %q, want %q", c.model.Family, c.least, got, c.want)
		}
	}
	rows.Unit, rest.Unit = nil, nil // each row a person
	if got := compile(t, cox, []string{"x"}, false).Sparse(rows, rest, 3); len(got) != 3 {
		t.Errorf("%q", got)
	}
}
