package fed

import (
	"fmt"
	"math"
	"strings"

	"croft"
	"croft/internal/tensor"
)

// describe is the family of descriptive statistics: of each number among the
// features its mean, its variance and a histogram over its declared range, of each
// category a count of its levels, by the label's levels if the model says how many
// those are. Nobody is held out.
//
// Table: the histograms, feature by feature, then the counts by level and, within
// a level, by the label's.
type describe struct{}

// maxTable bounds the counts of a description.
const maxTable = 1 << 14

// feature is a run of columns: one of a number, or those of a category's levels
// but its first.
type feature struct {
	name    string
	columns []int
	number  bool
}

// features groups the columns as the model names them: a number's column has its
// name, those of a category are called name=level.
func (p *Plan) features() (out []feature) {
	at := 0
	for _, name := range p.model.Features {
		f := feature{name: name}
		if at < len(p.columns) && p.columns[at] == name {
			f.number = true
			f.columns, at = []int{at}, at+1
		}
		for !f.number && at < len(p.columns) && strings.HasPrefix(p.columns[at], name+"=") {
			f.columns, at = append(f.columns, at), at+1
		}
		out = append(out, f)
	}
	return out
}

// cellsOf returns how many counts a feature has.
func (p *Plan) cellsOf(f feature) int {
	if f.number {
		return int(p.model.Bins)
	}
	classes := 1
	if p.model.Classes > 0 {
		classes = int(p.model.Classes)
	}
	return (len(f.columns) + 1) * classes
}

func (p *Plan) table() (cells int) {
	for _, f := range p.features() {
		cells += p.cellsOf(f)
	}
	return cells
}

func (describe) rules(p *Plan) []rule {
	grouped := 0
	for _, f := range p.features() {
		grouped += len(f.columns)
	}
	return append(p.only("bins", "label_levels"),
		rule{p.model.Goal != croft.Inference, "goal", "a description is inference"},
		rule{p.ridge != 0, "ridge", "describe has none"},
		rule{len(p.columns) == 0, "features", "there are none"},
		rule{grouped != len(p.columns), "features", "they do not name the columns"},
		rule{p.model.Classes == 1, "label_levels", "a label has at least 2 levels; 0 leaves it out"},
		rule{p.table() > maxTable, "bins", fmt.Sprintf("histograms and tables would have %d counts; at most %d are possible", p.table(), maxTable)},
	)
}

func (describe) words(p *Plan) []Step {
	if p.table() == 0 {
		return []Step{Count, Centre, Spread}
	}
	return []Step{Count, Centre, Spread, Tabulate}
}

func (describe) fits(p *Plan, rows Rows) error {
	for _, f := range p.features() {
		for i, x := range rows.X {
			levels := 0.0
			for _, j := range f.columns {
				if levels += x[j]; !f.number && (x[j] != 0 && x[j] != 1 || levels > 1) {
					return croft.E(croft.ErrOverflow, p.columns[j], i, x[j], 1)
				}
			}
		}
	}
	for i, y := range rows.Y {
		if classes := float64(p.model.Classes); classes > 0 && !(y >= 0 && y < classes && y == math.Trunc(y)) {
			return croft.E(croft.ErrOverflow, p.model.Label, i, y, classes-1)
		}
	}
	return nil
}

// layout's bounds: |x| ≤ 1, so sums and squared distances from the mean are at
// most n in each column, and 4 for one row; each feature counts a row once.
func (describe) layout(p *Plan, s State, _ int) tensor.Layout {
	rows := float64(max(s.Rows, 1))
	exact := func(name string, n int, bound, row float64) tensor.Layout {
		return tensor.Layout{{Name: name, Len: n, Exp: exponent(bound), Row: row, Limbs: 3}}
	}
	column, feature := math.Sqrt(float64(len(p.columns))), math.Sqrt(float64(len(p.model.Features)))
	switch s.Word {
	case Count:
		return countLayout(s)
	case Centre:
		return exact("sum", len(p.columns), float64(rows*column), column)
	case Spread:
		return exact("squares", len(p.columns), float64(rows*column), float64(4*column))
	default:
		return exact("counts", p.table(), float64(rows*feature), feature)
	}
}

func (describe) compute(p *Plan, s State, _, _ int, train, test Rows) []float64 {
	rows := joined(train, test)
	if s.Word == Count {
		return []float64{float64(len(rows.Y)), 0, 0, 0}
	}
	mean := floats(s.Mean)
	report := make([]float64, len(p.columns))
	for _, x := range rows.X {
		for j, v := range x {
			if s.Word == Centre {
				report[j] += v
			} else if s.Word == Spread {
				report[j] += (v - mean[j]) * (v - mean[j])
			}
		}
	}
	if s.Word != Tabulate {
		return report
	}
	report = make([]float64, p.table())
	table := report
	for _, f := range p.features() {
		if p.cellsOf(f) == 0 {
			continue
		}
		for i, x := range rows.X {
			table[p.countedIn(f, x, rows.Y[i])]++
		}
		table = table[p.cellsOf(f):]
	}
	return report
}

// countedAll takes in the counts of a plan that holds nobody out and has no label.
func (p *Plan) countedAll(s *State, sum []float64) error {
	if err := p.counted(s, sum); err != nil {
		return err
	}
	if s.Positive != 0 || s.TestRows != 0 || s.TestPositive != 0 {
		return croft.E(croft.ErrSum, Count, "held-out rows of a description")
	}
	if s.Rows < 2 {
		return croft.E(croft.ErrNoRows, "the network", s.Rows, 2)
	}
	return nil
}

// countedIn returns which of a feature's counts a row belongs to. Bins hold their
// lower end, the last one both.
func (p *Plan) countedIn(f feature, x []float64, y float64) int {
	if f.number {
		bins := int(p.model.Bins)
		return min(int(widths((x[f.columns[0]]+1)/2*float64(bins))), bins-1)
	}
	level := 0
	for i, j := range f.columns {
		if x[j] == 1 {
			level = i + 1
		}
	}
	if p.model.Classes == 0 {
		return level
	}
	return level*int(p.model.Classes) + int(y)
}

func (describe) step(p *Plan, s *State, _ int, sum []float64) error {
	switch s.Word {
	case Count:
		s.Word = Centre
		return p.countedAll(s, sum)
	case Centre:
		mean := make([]float64, len(sum))
		for j, v := range sum {
			if mean[j] = v / float64(s.Rows); math.Abs(mean[j]) > 1+0x1p-30 {
				return croft.E(croft.ErrSum, Centre, "the mean of "+p.columns[j]+" is outside its range")
			}
		}
		s.Word = Spread
		return fix(Centre, &s.Mean, mean)
	case Spread:
		sd := make([]float64, len(sum))
		for j, v := range sum {
			variance := max(v/float64(s.Rows), 0)
			if variance > 1+0x1p-20 {
				return croft.E(croft.ErrSum, Spread, "the spread of "+p.columns[j]+" is impossible")
			}
			sd[j] = math.Sqrt(variance)
		}
		if s.Word = Tabulate; p.table() == 0 {
			s.Word = Done
		}
		return fix(Spread, &s.SD, sd)
	default:
		counts, err := whole(Tabulate, sum)
		if err != nil {
			return err
		}
		at := 0
		for _, f := range p.features() {
			n := int64(0)
			for range p.cellsOf(f) {
				n, at = n+counts[at], at+1
			}
			if n != s.Rows && p.cellsOf(f) > 0 {
				return croft.E(croft.ErrSum, Tabulate, "the counts of "+f.name+" are not all rows")
			}
		}
		s.Word, s.Table = Done, counts
		return nil
	}
}

func (describe) flaw(p *Plan, s State) string {
	means, spreads, table := 0, 0, 0
	if s.Word != Count && s.Word != Centre {
		means = len(p.columns)
	}
	if s.Word == Tabulate || s.Word == Done {
		spreads = len(p.columns)
	}
	if s.Word == Done {
		table = p.table()
	}
	switch {
	case len(s.Mean) != means || len(s.SD) != spreads || len(s.Table) != table:
		return "wrong number of columns"
	case len(s.Beta)+len(s.Base)+len(s.Move)+len(s.Information)+len(s.Scores)+len(s.Extra)+len(s.Totals) > 0:
		return "no part of a description"
	case s.Word != Count && s.Rows < 2 || s.TestRows > 0:
		return "impossible counts"
	}
	for _, numbers := range [][]Fixed{s.Mean, s.SD} {
		for _, v := range numbers {
			if v < -2<<fixedBits || v > 2<<fixedBits {
				return "impossible mean or spread"
			}
		}
	}
	return ""
}

// Summary describes a number.
type Summary struct {
	Name      string  `json:"name"`
	column    int     // its place among the columns
	Mean      float64 `json:"mean"`
	SD        float64 `json:"sd"`                  // with n − 1
	Low       float64 `json:"low"`                 // the declared range, which the bins divide
	High      float64 `json:"high"`                // into equal parts
	Histogram []int64 `json:"histogram,omitempty"` // bins hold their lower end, the last one both
}

// Quantile returns the least value that at least a share q of the rows does not
// exceed, 0 < q < 1, read off the histogram: it lies between Low and High, the ends
// of its bin, and Value is interpolated. Without a histogram it is all NaN.
func (s Summary) Quantile(q float64) Estimate {
	n := int64(0)
	for _, c := range s.Histogram {
		n += c
	}
	width := (s.High - s.Low) / float64(len(s.Histogram))
	below := 0.0
	for i, c := range s.Histogram {
		if count := float64(c); count > 0 && below+count >= q*float64(n) {
			low := s.Low + width*float64(i)
			return Estimate{low + width*max((q*float64(n)-below)/count, 0), low, low + width}
		}
		below += float64(c)
	}
	return Estimate{math.NaN(), math.NaN(), math.NaN()}
}

// Crosstab counts the levels of a category, by the label's levels if there are any.
type Crosstab struct {
	Name   string    `json:"name"`
	Levels []string  `json:"levels"` // the columns' names; "" for the first
	Counts [][]int64 `json:"counts"` // Counts[level][label level]
	// Test is Pearson's χ² test that level and label are independent, without a
	// correction for continuity; nil where there is nothing to compare.
	Test *Test `json:"test,omitempty"`
	// Least is the smallest expected count: below 5 the test is rough.
	Least float64 `json:"least_expected,omitempty"`
}

func (describe) result(p *Plan, s State) (Result, error) {
	r := Result{Rows: s.Rows}
	table := s.Table
	for _, f := range p.features() {
		cells := table[:p.cellsOf(f)]
		table = table[len(cells):]
		if f.number {
			j, n := f.columns[0], float64(s.Rows)
			r.Numbers = append(r.Numbers, Summary{f.name, j, s.Mean[j].Float(), s.SD[j].Float() * math.Sqrt(n/(n-1)), -1, 1, cells})
			continue
		}
		c := Crosstab{Name: f.name, Levels: []string{""}}
		for _, j := range f.columns {
			c.Levels = append(c.Levels, p.columns[j])
		}
		width := max(int(p.model.Classes), 1)
		for range c.Levels {
			c.Counts = append(c.Counts, cells[:width:width])
			cells = cells[width:]
		}
		c.independence()
		r.Tables = append(r.Tables, c)
	}
	return r, nil
}

// independence sets Test and Least, over the levels that occur.
func (c *Crosstab) independence() {
	rows, columns, n := make([]float64, len(c.Counts)), make([]float64, len(c.Counts[0])), 0.0
	for i, row := range c.Counts {
		for j, v := range row {
			rows[i], columns[j], n = rows[i]+float64(v), columns[j]+float64(v), n+float64(v)
		}
	}
	occurring := func(of []float64) (k int) {
		for _, v := range of {
			if v > 0 {
				k++
			}
		}
		return k
	}
	test := Test{Name: c.Name, DF: (occurring(rows) - 1) * (occurring(columns) - 1)}
	if test.DF <= 0 {
		return
	}
	c.Least = n
	for i, row := range c.Counts {
		for j, v := range row {
			if expected := rows[i] * columns[j] / n; expected > 0 {
				test.Statistic += (float64(v) - expected) * (float64(v) - expected) / expected
				c.Least = min(c.Least, expected)
			}
		}
	}
	c.Test = &test
}
