package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"croft"
)

// Policy is what a site asks of its own rows before it computes anything from
// them (protocol §8). It counts people, not rows.
type Policy struct {
	MinRows  int     `json:"min_rows"`  // people to train on, at least
	MinCell  int     `json:"min_cell"`  // people in every cell that is not empty: a level, a class of the label, a level within a class
	MaxRatio float64 `json:"max_ratio"` // model parameters per training row of the cohort, at most
	Public   bool    `json:"public"`    // published research data: what fails only warns
}

// DefaultPolicy returns the protocol's defaults.
func DefaultPolicy() Policy { return Policy{MinRows: 20, MinCell: 5, MaxRatio: 0.33} }

// Disclose checks the rows that a study would use at this site. What fails is
// ErrWithheld, in words that stay at the site; for public data it is returned
// as warnings. A number that takes only two values is counted as a category.
// Held-out people meet the same rules for cells where the study publishes the
// site's own metrics; else only their number counts, for all that leaves are
// totals over sites.
func Disclose(t *Table, s croft.Study, p Policy) (warnings []string, err error) {
	label, err := t.column(s.Model.Label)
	if err != nil {
		return nil, err
	}
	var features []int
	for _, f := range s.Model.Features {
		i, err := t.column(f)
		if err != nil {
			return nil, err
		}
		features = append(features, i)
	}
	positive := float64(slices.Index(t.schema.Columns[label].Levels, s.Model.Positive))
	classes := []string{"label " + s.Model.Label + " other than " + s.Model.Positive, "label " + s.Model.Label + " " + s.Model.Positive}
	class := func(row int) int {
		if t.cell(row, label) == positive {
			return 1
		}
		return 0
	}

	var fails []string
	few := func(what string, people int) {
		if people > 0 && people < p.MinCell {
			fails = append(fails, fmt.Sprintf("%s: %d people, fewer than min_cell %d", what, people, p.MinCell))
		}
	}
	train, test := t.split(s.HoldOut)
	if n := t.count(train, 1, func(int) int { return 0 })[0]; n < p.MinRows {
		fails = append(fails, fmt.Sprintf("%d people to train on, fewer than min_rows %d", n, p.MinRows))
	}
	for i, n := range t.count(train, 2, class) {
		few(classes[i], n)
	}
	for _, f := range features {
		names, level := t.levels(f, train)
		if names == nil {
			continue
		}
		for i, n := range t.count(train, len(names), level) {
			few(names[i], n)
		}
		for i, n := range t.count(train, 2*len(names), func(row int) int { return 2*level(row) + class(row) }) {
			few(names[i/2]+" with "+classes[i%2], n)
		}
	}
	few("people held out", t.count(test, 1, func(int) int { return 0 })[0])
	if s.PerSiteMetrics {
		for i, n := range t.count(test, 2, class) {
			few("people held out, "+classes[i], n)
		}
	}
	if len(fails) > 0 && !p.Public {
		return nil, croft.E(croft.ErrWithheld, summary(fails))
	}
	return fails, nil
}

// Fits checks that a model is not so large for the rows of its cohort that its
// parameters would describe people (DataSHIELD's nfilter.glm): else ErrWithheld.
func (p Policy) Fits(parameters, rows int) error {
	if float64(parameters) > p.MaxRatio*float64(rows) {
		return croft.E(croft.ErrWithheld, fmt.Sprintf("%d parameters for %d rows, more than %g a row", parameters, rows, p.MaxRatio))
	}
	return nil
}

// split returns the rows to train on and those held out, ordered by person.
func (t *Table) split(h croft.HoldOut) (train, test []int) {
	held := t.heldOut(h)
	for row, person := range t.person {
		if held[person] {
			test = append(test, row)
		} else {
			train = append(train, row)
		}
	}
	byPerson := func(a, b int) int { return cmp.Compare(t.person[a], t.person[b]) }
	slices.SortFunc(train, byPerson)
	slices.SortFunc(test, byPerson)
	return train, test
}

// count returns how many people have a row in each of so many cells. The rows
// are ordered by person.
func (t *Table) count(rows []int, cells int, cell func(row int) int) []int {
	people := make([]int, cells)
	last := slices.Repeat([]int32{-1}, cells) // person counted last
	for _, row := range rows {
		if c := cell(row); last[c] != t.person[row] {
			last[c] = t.person[row]
			people[c]++
		}
	}
	return people
}

// levels returns names for the levels of a column and the level of each row; no
// levels for a number with more than two values in the rows.
func (t *Table) levels(column int, rows []int) (names []string, level func(row int) int) {
	c := t.schema.Columns[column]
	if c.Kind == croft.Category {
		for _, l := range c.Levels {
			names = append(names, c.Name+" "+l)
		}
		return names, func(row int) int { return int(t.cell(row, column)) }
	}
	var values []float64
	for _, row := range rows {
		if v := t.cell(row, column); !slices.Contains(values, v) {
			if values = append(values, v); len(values) > 2 {
				return nil, nil
			}
		}
	}
	for _, v := range values {
		names = append(names, fmt.Sprintf("%s %v", c.Name, v))
	}
	return names, func(row int) int { return slices.Index(values, t.cell(row, column)) }
}

// summary shows the first few of many.
func summary(fails []string) string {
	const shown = 4
	if len(fails) > shown {
		fails = append(slices.Clone(fails[:shown]), fmt.Sprintf("and %d more", len(fails)-shown))
	}
	return strings.Join(fails, "; ")
}
