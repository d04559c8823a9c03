package table

import (
	"cmp"
	"fmt"
	"math"
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
	// Exact allows what shows single people's values to whoever reads the totals:
	// counts by time or by value whose cells hold fewer than MinCell people, and more
	// than MaxDetail exact numbers a row.
	Exact bool `json:"allow_exact_detail,omitempty"`
}

// MaxDetail is how many exact numbers a study may publish for each row of its
// cohort, over all its rounds, unless a site allows more.
const MaxDetail = 4

// DefaultPolicy returns the protocol's defaults.
func DefaultPolicy() Policy { return Policy{MinRows: 20, MinCell: 5, MaxRatio: 0.33} }

// Disclose checks the rows that a study would use at this site. What fails is
// ErrWithheld, in words that stay at the site; for public data it is returned
// as warnings. A number that takes only two values is counted as a category; of one
// that is the same for all but a few people, sums would tell the values of these; and so
// would sums with weights by which a few outweigh all others.
// Held-out people meet the same rules for cells where the study publishes the
// site's own metrics; else only their number counts, for all that leaves are
// totals over sites. Counts by time or by value are judged by Few.
func Disclose(t *Table, s croft.Study, p Policy) (warnings []string, err error) {
	if s.Model.Family == croft.Preflight { // Coarse leaves nothing in small cells
		s.Model = croft.Model{}
	}
	train, test := t.split(s.HoldOut)
	classes, class, err := t.classes(s.Model, slices.Concat(train, test))
	if err != nil {
		return nil, err
	}
	summed := slices.Concat(s.Model.Features, []string{s.Model.Time, s.Model.Exposure, s.Model.Weight})
	if s.Model.Family == "linear" && len(classes) == 0 {
		summed = append(summed, s.Model.Label)
	}
	var fails []string
	few := func(what string, people int) {
		if people > 0 && people < p.MinCell {
			fails = append(fails, fmt.Sprintf("%s: %d people, fewer than min_cell %d", what, people, p.MinCell))
		}
	}
	if n := t.count(train, 1, func(int) int { return 0 })[0]; n < p.MinRows {
		fails = append(fails, fmt.Sprintf("%d people to train on, fewer than min_rows %d", n, p.MinRows))
	}
	for i, n := range t.count(train, len(classes), class) {
		few(classes[i], n)
	}
	for _, name := range summed {
		if name == "" {
			continue
		}
		f, err := t.column(name)
		if err != nil {
			return nil, err
		}
		names, level := t.levels(f, train)
		if names == nil {
			few(name+" other than most people's", t.unusual(f, train))
			continue
		}
		for i, n := range t.count(train, len(names), level) {
			few(names[i], n)
		}
		k := len(classes)
		for i, n := range t.count(train, k*len(names), func(row int) int { return k*level(row) + class(row) }) {
			few(names[i/k]+" with "+classes[i%k], n)
		}
	}
	if s.Model.Weight != "" {
		at, err := t.column(s.Model.Weight)
		if err != nil {
			return nil, err
		}
		if n := t.weighing(at, train); n < float64(p.MinCell) {
			fails = append(fails, fmt.Sprintf("%s: so unequal that the sums are of %.1f people, fewer than min_cell %d", s.Model.Weight, n, p.MinCell))
		}
	}
	few("people held out", t.count(test, 1, func(int) int { return 0 })[0])
	if s.PerSiteMetrics {
		for i, n := range t.count(test, len(classes), class) {
			few("people held out, "+classes[i], n)
		}
	}
	return p.judge(fails)
}

// judge makes of what fails warnings or a refusal.
func (p Policy) judge(fails []string) (warnings []string, err error) {
	if len(fails) > 0 && !p.Public {
		return nil, croft.E(croft.ErrWithheld, summary(fails))
	}
	return fails, nil
}

// Groups says of each group by which a study's model is evaluated why this site does
// not tell to which level its held-out rows belong, "" where it does: a level, or a
// class of the label within one, has somebody, but fewer than MinCell people. The
// group is then evaluated nowhere: the total less the other sites' levels would be this
// site's. Of public data all is told.
func (p Policy) Groups(t *Table, s croft.Study) (why []string, err error) {
	_, test := t.split(s.HoldOut)
	classes, class, err := t.classes(s.Model, test)
	if err != nil {
		return nil, err
	}
	k := max(len(classes), 1)
	for _, g := range s.Model.Groups {
		at, err := t.column(g.Column)
		if err != nil {
			return nil, err
		}
		few := ""
		names, level := t.levels(at, test)
		for i, n := range t.count(test, k*len(names), func(row int) int { return k*level(row) + class(row) }) {
			if n > 0 && n < p.MinCell && few == "" && !p.Public {
				few = fmt.Sprintf("people held out, %s: fewer than min_cell %d; so the model is not evaluated by %s", names[i/k], p.MinCell, g.Column)
			}
		}
		why = append(why, few)
	}
	return why, nil
}

// Few judges cells of counts by time or by value, of which each holds somebody but
// fewer than MinCell people (fed.Plan.Sparse). So fine a grid tells exact times,
// and so fine a histogram exact values. It answers as Disclose does.
func (p Policy) Few(cells []string) (warnings []string, err error) {
	if p.Exact || len(cells) == 0 {
		return nil, nil
	}
	return p.judge([]string{fmt.Sprintf("%s: fewer than min_cell %d people; cells must be wider, or the owner allow_exact_detail", summary(cells), p.MinCell)})
}

// Detail checks that a study does not publish so many exact numbers for the rows of
// its cohort that they would describe people: else ErrWithheld.
func (p Policy) Detail(numbers, rows int) error {
	if !p.Exact && numbers > MaxDetail*rows {
		return croft.E(croft.ErrWithheld, fmt.Sprintf("%d exact numbers of %d rows, more than %d a row, which the owner does not allow (allow_exact_detail)", numbers, rows, MaxDetail))
	}
	return nil
}

// classes returns names for the classes of a model's label, and the class of each of
// these rows; no classes where the label is a measurement or there is none.
func (t *Table) classes(m croft.Model, rows []int) (names []string, class func(row int) int, err error) {
	none := func(int) int { return 0 }
	if m.Label == "" {
		return nil, none, nil
	}
	at, err := t.column(m.Label)
	if err != nil {
		return nil, nil, err
	}
	label := t.schema.Columns[at]
	yes := func(is func(cell float64) bool) func(row int) int {
		return func(row int) int {
			if is(t.cell(row, at)) {
				return 1
			}
			return 0
		}
	}
	switch {
	case m.Positive != "":
		positive := float64(slices.Index(label.Levels, m.Positive))
		return []string{"label " + m.Label + " other than " + m.Positive, "label " + m.Label + " " + m.Positive}, yes(func(v float64) bool { return v == positive }), nil
	case label.Kind == croft.Category:
		for _, l := range label.Levels {
			names = append(names, "label "+m.Label+" "+l)
		}
		return names, func(row int) int { return int(t.cell(row, at)) }, nil
	case m.Family == "poisson":
		return []string{"no " + m.Label, "some " + m.Label}, yes(func(v float64) bool { return v > 0 }), nil
	}
	if names, class = t.levels(at, rows); names == nil {
		return nil, none, nil
	}
	return names, class, nil
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
	if cells == 0 {
		return nil
	}
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
		if c.Missing != croft.MissingIndicator {
			return names, func(row int) int { return t.level(row, column) }
		}
		return append(names, c.Name+" "+missing), func(row int) int {
			if level := t.level(row, column); level != noValue {
				return level
			}
			return len(c.Levels)
		}
	}
	if c.Missing == croft.MissingIndicator {
		return []string{c.Name + " given", c.Name + " " + missing}, func(row int) int {
			if math.IsNaN(t.cell(row, column)) {
				return 1
			}
			return 0
		}
	}
	var values []float64
	none := false // it has cells without a value, where the mean is put in
	for _, row := range rows {
		if math.IsNaN(t.cell(row, column)) {
			none = true
			continue
		}
		if v := t.cell(row, column); !slices.Contains(values, v) {
			if values = append(values, v); len(values) > 2 {
				return nil, nil
			}
		}
	}
	for _, v := range values {
		names = append(names, fmt.Sprintf("%s %v", c.Name, v))
	}
	if none {
		names = append(names, c.Name+" "+missing)
	}
	return names, func(row int) int {
		if v := t.cell(row, column); !math.IsNaN(v) {
			return slices.Index(values, v)
		}
		return len(values)
	}
}

// unusual counts the people with another value in a column than most people; what has no
// value is another. The rows are ordered by person, of whom each votes with their first.
func (t *Table) unusual(column int, rows []int) int {
	usual, votes := math.NaN(), 0 // Boyer and Moore's majority
	for i, row := range rows {
		if i > 0 && t.person[row] == t.person[rows[i-1]] {
			continue
		}
		switch v := t.cell(row, column); {
		case votes == 0:
			usual, votes = v, 1
		case v == usual:
			votes++
		default:
			votes--
		}
	}
	return t.count(rows, 2, func(row int) int {
		if t.cell(row, column) == usual {
			return 0
		}
		return 1
	})[1]
}

// weighing returns how many people of equal weight weigh as these do: (Σw)²/Σw² (Kish,
// Survey Sampling, 1965, §11.7). The rows are ordered by person.
func (t *Table) weighing(column int, rows []int) float64 {
	sum, squares, own := 0.0, 0.0, 0.0
	for i, row := range rows {
		own += t.cell(row, column)
		if i+1 == len(rows) || t.person[rows[i+1]] != t.person[row] {
			sum, squares, own = sum+own, squares+own*own, 0
		}
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / squares
}

// summary shows the first few of many.
func summary(fails []string) string {
	const shown = 4
	if len(fails) > shown {
		fails = append(slices.Clone(fails[:shown]), fmt.Sprintf("and %d more", len(fails)-shown))
	}
	return strings.Join(fails, "; ")
}
