package table

import (
	"math"
	"slices"

	"croft"
)

// A preflight compares the shape of each site's columns with that of all sites
// together, before a study over them: who alone has another unit, another word for
// a level, zeros where others have no value, labels the wrong way round. Its private
// sum is of tallies.
//
// A tally has for each column of the model, and within it for each class of the
// label (other than the positive level, positive level, none that is known; one class
// for the label itself, and where no level is positive), of a number
//
//	missing, below the range, above it, zeros, values inside (zeros included), Σx, Σx²
//
// with x mapped to [−1, 1] by the range, and of a category
//
//	missing, none of the levels, each level.
//
// A person with k rows counts with 1/k in each, so that nobody adds more than 1 to any
// number.

// tallied is where a column stands in a tally.
type tallied struct {
	croft.Column
	start, width, classes int
}

const (
	numberCells  = 7
	labelClasses = 3
)

// talliedColumns lists the columns of a preflight's tally and how many numbers it has.
func talliedColumns(s croft.Study) (out []tallied, cells int) {
	for _, name := range s.Model.Columns() {
		c, _ := s.Schema.Column(name)
		t := tallied{c, cells, numberCells, 1}
		if c.Kind == croft.Category {
			t.width = 2 + len(c.Levels)
		}
		if s.Model.Positive != "" && name != s.Model.Label {
			t.classes = labelClasses
		}
		out, cells = append(out, t), cells+t.width*t.classes
	}
	return out, cells
}

// Cells returns how many numbers the tally of a preflight has.
func Cells(s croft.Study) int {
	_, cells := talliedColumns(s)
	return cells
}

// tally counts a table that was read with croft.MissingCount in each column.
func tally(t *Table, s croft.Study) ([]float64, error) {
	columns, cells := talliedColumns(s)
	out := make([]float64, cells)
	label := -1
	if s.Model.Positive != "" {
		var err error
		if label, err = t.column(s.Model.Label); err != nil {
			return nil, err
		}
	}
	positive := 0.0
	if label >= 0 {
		positive = float64(slices.Index(t.schema.Columns[label].Levels, s.Model.Positive))
	}
	rows := make([]float64, len(t.people)) // of each person
	for _, person := range t.person {
		rows[person]++
	}
	for _, c := range columns {
		at, err := t.column(c.Name)
		if err != nil {
			return nil, err
		}
		scaled := column{Scale: scaleOf(c.Column)}
		for row := range t.Rows() {
			class := 0
			if c.classes > 1 {
				switch l := t.cell(row, label); {
				case math.IsNaN(l) || math.IsInf(l, 0):
					class = 2
				case l == positive:
					class = 1
				}
			}
			cells := out[c.start+class*c.width:][:c.width]
			one := 1 / rows[t.person[row]]
			switch v := t.cell(row, at); {
			case math.IsNaN(v):
				cells[0] += one
			case c.Kind == croft.Category && math.IsInf(v, 0):
				cells[1] += one
			case c.Kind == croft.Category:
				cells[2+int(v)] += one
			case math.IsInf(v, -1):
				cells[1] += one
			case math.IsInf(v, 1):
				cells[2] += one
			default:
				if v == 0 {
					cells[3] += one
				}
				x := scaled.design(v)
				cells[4] += one
				cells[5] += float64(one * x)
				cells[6] += float64(one * float64(x*x))
			}
		}
	}
	return out, nil
}

// Coarse returns what a site adds to the sum of a preflight: each number of its tally
// cut down to a multiple of MinCell. A person adds at most 1 to any of them, so cells of
// fewer people are empty, and a difference of two sums does not show a few people's
// values, as it would of exact ones. Public data stays as it is.
func (p Policy) Coarse(tally []float64) []float64 {
	out := slices.Clone(tally)
	if p.Public {
		return out
	}
	for i, v := range out {
		out[i] = math.Trunc(v/float64(p.MinCell)) * float64(p.MinCell)
	}
	return out
}

// Shape is what a tally says of a column, in the column's own unit.
type Shape struct {
	Column  string           `json:"column"`
	Kind    croft.ColumnKind `json:"kind"`
	Unit    string           `json:"unit,omitempty"`
	Rows    float64          `json:"rows"`
	Missing float64          `json:"missing"`
	Outside float64          `json:"outside"` // of the declared range, or none of the levels
	Zeros   float64          `json:"zeros,omitempty"`
	// Of the values inside the range, of a number; 0 if there are none.
	Mean float64 `json:"mean,omitempty"`
	SD   float64 `json:"sd,omitempty"`

	Levels []string  `json:"levels,omitempty"`
	Counts []float64 `json:"counts,omitempty"` // of each level
}

// Shapes reads a tally, all classes of the label together.
func Shapes(s croft.Study, tally []float64) (out []Shape) {
	columns, _ := talliedColumns(s)
	for _, c := range columns {
		p := c.whole(tally)
		shape := Shape{Column: c.Name, Kind: c.Kind, Unit: c.Unit, Rows: p.rows(), Missing: p.missing, Outside: p.below + p.above, Zeros: p.zeros}
		if c.Kind == croft.Category {
			shape.Levels, shape.Counts = c.Levels, p.levels
		} else if p.inside > 0 {
			scale := scaleOf(c.Column)
			mean, sd := p.moments()
			shape.Mean, shape.SD = scale.Mid+scale.Half*mean, scale.Half*sd
		}
		out = append(out, shape)
	}
	return out
}

// part is one column's part of a tally, of one class or of several.
type part struct {
	missing, below, above, zeros, inside, sum, squares float64
	levels                                             []float64
}

func (c tallied) part(tally []float64, class int) part {
	cells := tally[c.start+class*c.width:][:c.width]
	if c.Kind == croft.Category {
		p := part{missing: cells[0], above: cells[1], levels: slices.Clone(cells[2:])}
		for _, n := range p.levels {
			p.inside += n
		}
		return p
	}
	return part{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], nil}
}

// whole is a column's part of all classes together.
func (c tallied) whole(tally []float64) part {
	all := c.part(tally, 0)
	for class := 1; class < c.classes; class++ {
		all = all.plus(c.part(tally, class))
	}
	return all
}

func (p part) plus(q part) part {
	out := part{p.missing + q.missing, p.below + q.below, p.above + q.above, p.zeros + q.zeros, p.inside + q.inside, p.sum + q.sum, p.squares + q.squares, slices.Clone(p.levels)}
	for i := range out.levels {
		out.levels[i] += q.levels[i]
	}
	return out
}

func (p part) rows() float64 { return p.missing + p.below + p.above + p.inside }

// without returns the part without its zeros, which stand at x.
func (p part) without(x float64) part {
	p.inside, p.sum, p.squares, p.zeros = p.inside-p.zeros, p.sum-p.zeros*x, p.squares-p.zeros*x*x, 0
	return p
}

// moments returns mean and standard deviation of the values inside. Of coarse
// numbers the variance can come out below 0.
func (p part) moments() (mean, sd float64) {
	mean = p.sum / p.inside
	return mean, math.Sqrt(max(p.squares/p.inside-mean*mean, 0))
}

// Finding is something that looks wrong in a site's own rows, beside those of the
// other sites. It is for the site's own screen.
type Finding struct {
	Column string      `json:"column"`
	Kind   FindingKind `json:"kind"`
	Level  string      `json:"level,omitempty"`
	// A mean in the column's unit (FindUnit), a number of values, those of one person together 1 at most (FindOutside), else a
	// share from 0 to 1.
	Here      float64 `json:"here"`
	Elsewhere float64 `json:"elsewhere"`
}

// FindingKind says what looks wrong.
type FindingKind string

// The kinds of findings.
const (
	FindUnit       FindingKind = "unit"       // values are of another size
	FindOutside    FindingKind = "outside"    // values outside the declared range or levels: a study would stop here
	FindMissing    FindingKind = "missing"    // far more missing values
	FindZeros      FindingKind = "zeros"      // far more zeros: does 0 stand for missing?
	FindLevel      FindingKind = "level"      // a level far more or less frequent
	FindOnlyHere   FindingKind = "only here"  // a level that nobody else has
	FindAbsent     FindingKind = "absent"     // a level that only the others have
	FindPrevalence FindingKind = "prevalence" // the label far more or less frequent
	FindSwapped    FindingKind = "swapped"    // what goes with the label elsewhere goes against it here
)

// What is worth telling: a share that differs by more than shareApart, means that lie
// more than unitApart standard deviations apart and are of another size by unitRatio,
// and in either case more than chance and the coarseness of the others' numbers
// explain. Hospitals do differ: at least that much they should not.
const (
	shareApart = 0.25
	unitApart  = 1.5
	unitRatio  = 1.5
	chance     = 3.0 // standard errors
	opposite   = 0.4 // cosine
	fewest     = 20  // rows on either side, to say anything
)

// Preflight compares a site's own exact tally with the sum of so many other sites',
// each of which cut its numbers down to multiples of cut (Policy.Coarse). What it
// finds is a question to the owner, not a verdict.
func Preflight(s croft.Study, own, others []float64, cut float64, sites int) (found []Finding) {
	columns, _ := talliedColumns(s)
	slack := cut * float64(sites)
	var here, there contrast
	there.rounding = slack * cut / 12 // what is cut off is as good as uniform
	for _, c := range columns {
		if c.classes > 1 {
			here.add(c.part(own, 0), c.part(own, 1))
			there.add(c.part(others, 0), c.part(others, 1))
		}
		found = append(found, c.compare(c.whole(own), c.whole(others), slack)...)
		if c.Name == s.Model.Label {
			for i, f := range found {
				if f.Column == c.Name && f.Kind == FindLevel {
					found[i].Kind = FindPrevalence
				}
			}
		}
	}
	if here.tells() && there.tells() && here.like(there) < -opposite {
		found = append(found, Finding{Column: s.Model.Label, Kind: FindSwapped, Here: here.like(there), Elsewhere: 1})
	}
	return found
}

// compare looks at one column, here and elsewhere.
func (c tallied) compare(a, b part, slack float64) (found []Finding) {
	find := func(kind FindingKind, level string, here, elsewhere float64) {
		found = append(found, Finding{c.Name, kind, level, here, elsewhere})
	}
	if outside := a.below + a.above; outside > 0 {
		find(FindOutside, "", outside, (b.below+b.above)/max(b.rows(), 1))
	}
	if a.rows() < fewest || b.rows() < fewest {
		return found
	}
	// apart says whether k of n and l of m are shares too different for chance.
	apart := func(k, n, l, m float64) bool {
		pooled := (k + l) / (n + m)
		se := math.Sqrt(pooled * (1 - pooled) * (1/n + 1/m))
		return math.Abs(k/n-l/m) > max(shareApart, chance*se)+slack/m
	}
	if apart(a.missing, a.rows(), b.missing, b.rows()) && a.missing/a.rows() > b.missing/b.rows() {
		find(FindMissing, "", a.missing/a.rows(), b.missing/b.rows())
	}
	if a.inside < fewest || b.inside < fewest {
		return found
	}
	if c.Kind == croft.Category {
		for i, level := range c.Levels {
			k, l := a.levels[i], b.levels[i]
			switch {
			case k >= fewest && k/a.inside > shareApart && l == 0:
				find(FindOnlyHere, level, k/a.inside, 0)
			case k == 0 && l/b.inside > shareApart:
				find(FindAbsent, level, 0, l/b.inside)
			case i == 0 && len(c.Levels) == 2: // the other says the same
			case apart(k, a.inside, l, b.inside):
				find(FindLevel, level, k/a.inside, l/b.inside)
			}
		}
		return found
	}
	scale := scaleOf(c.Column)
	zero := -scale.Mid / scale.Half
	x, y := a.without(zero), b.without(zero)
	if _, sd := x.moments(); (x.inside == 0 || sd > 1e-6) && // else it has two values, one of them 0
		apart(a.zeros, a.inside, b.zeros, b.inside) && a.zeros/a.inside > b.zeros/b.inside {
		find(FindZeros, "", a.zeros/a.inside, b.zeros/b.inside)
	}
	if x.inside < fewest || y.inside < fewest {
		return found
	}
	m, sd := x.moments()
	n, spread := y.moments()
	se := max(sd, spread) * math.Sqrt(1/x.inside+1/y.inside)
	mean, elsewhere := scale.Mid+scale.Half*m, scale.Mid+scale.Half*n
	ratio := mean / elsewhere
	if math.Abs(m-n) > max(unitApart*max(sd, spread), chance*se)+slack/y.inside && !(ratio > 1/unitRatio && ratio < unitRatio) {
		find(FindUnit, "", mean, elsewhere)
	}
	return found
}

// contrast is how the columns of the rows with the positive level differ from those
// of the other rows: a difference of means in standard errors for each number and each
// level but the first. rounding is the variance of what was cut off each sum.
type contrast struct {
	sure     []float64
	rounding float64
}

// add looks at one column of the two classes.
func (c *contrast) add(negative, positive part) {
	difference := func(n, m, mean, other, variance float64) {
		t := 0.0
		if n > 0 && m > 0 && variance > 0 {
			t = (other - mean) / math.Sqrt(variance*(1/n+1/m)+2*c.rounding*(1/(n*n)+1/(m*m)))
		}
		c.sure = append(c.sure, t)
	}
	n, m := negative.inside, positive.inside
	if negative.levels == nil {
		mean, sd := negative.moments()
		other, spread := positive.moments()
		difference(n, m, mean, other, (n*sd*sd+m*spread*spread)/(n+m))
		return
	}
	for i := 1; i < len(negative.levels); i++ {
		share := (negative.levels[i] + positive.levels[i]) / (n + m)
		difference(n, m, negative.levels[i]/n, positive.levels[i]/m, share*(1-share))
	}
}

// tells reports whether there is more contrast than chance makes of rows without any:
// the sum of k squares of standard errors is about k ± √2k.
func (c contrast) tells() bool {
	k := float64(len(c.sure))
	return k > 0 && inner(c.sure, c.sure) > k+chance*math.Sqrt(2*k)
}

// like is the cosine of two contrasts: 1 if the same columns go the same way, −1 if
// all go the other way.
func (c contrast) like(d contrast) float64 {
	return inner(c.sure, d.sure) / math.Sqrt(max(inner(c.sure, c.sure)*inner(d.sure, d.sure), 1e-300))
}

func inner(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
