package table

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"croft"
)

// Design is what a plan computes on.
type Design struct {
	Names []string    // one a model column, as ColumnsOf
	X     [][]float64 // rows × columns: numbers mapped to [-1, 1] by the declared range, levels 0 or 1
	// Y is the label, one a row: 1 where it has its positive level, else 0; of a
	// label without one, a linear model's mapped like a column, a count as it is, a
	// description's the index of its level.
	Y []float64
	// What the model names of these, one a row and as it stands in the file.
	Time, Exposure, Weight []float64
	// Unit tells people apart, one a row: equal numbers, one person.
	Unit []int
	// Group[g] is the level of each row in the column of the model's group g.
	Group [][]int
	// Tally is what a preflight counts of all rows, exactly; it has no columns of X.
	Tally []float64
}

// Build makes the design matrices of a study: of the rows to train on, and of
// those whose person is held out, which may be none. The table must have been
// read under the study's schema (ErrDiffers) and leave a row to train on
// (ErrNoRows); what is counted is whole (ErrNotCount).
func Build(t *Table, s croft.Study) (train, test *Design, err error) {
	if croft.HashOf(t.schema) != croft.HashOf(s.Schema) {
		return nil, nil, croft.E(croft.ErrDiffers, "the table was read under another schema")
	}
	outcome, err := t.outcome(s.Model)
	if err != nil {
		return nil, nil, err
	}
	var extra [3]int // where time, exposure and weight stand; -1 for none
	for i, name := range []string{s.Model.Time, s.Model.Exposure, s.Model.Weight} {
		if extra[i] = -1; name == "" {
			continue
		}
		if extra[i], err = t.column(name); err != nil {
			return nil, nil, err
		}
	}
	var groups []int // where their columns stand
	for _, g := range s.Model.Groups {
		at, err := t.column(g.Column)
		if err != nil {
			return nil, nil, err
		}
		groups = append(groups, at)
	}
	model := columns(s)
	from := make([]int, len(model)) // in the table
	for j, c := range model {
		if from[j], err = t.column(c.feature); err != nil {
			return nil, nil, err
		}
	}
	names := ColumnsOf(s)
	train, test = &Design{Names: names, Group: make([][]int, len(groups))}, &Design{Names: names, Group: make([][]int, len(groups))}
	held := t.heldOut(s.HoldOut)
	flat := make([]float64, t.Rows()*len(model)) // one allocation for all rows
	for i := range t.Rows() {
		x := flat[:len(model):len(model)]
		flat = flat[len(model):]
		for j, c := range model {
			x[j] = c.design(t.cell(i, from[j]))
		}
		y := outcome(i)
		if s.Model.Family == "poisson" && y != math.Trunc(y) {
			return nil, nil, croft.E(croft.ErrNotCount, t.name, s.Model.Label, y)
		}
		d := train
		if held[t.person[i]] {
			d = test
		}
		d.X, d.Y, d.Unit = append(d.X, x), append(d.Y, y), append(d.Unit, int(t.person[i]))
		for g, at := range groups {
			d.Group[g] = append(d.Group[g], t.level(i, at))
		}
		for k, values := range []*[]float64{&d.Time, &d.Exposure, &d.Weight} {
			if extra[k] >= 0 {
				*values = append(*values, t.cell(i, extra[k]))
			}
		}
	}
	if len(train.Y) == 0 {
		return nil, nil, croft.E(croft.ErrNoRows, t.name, 0, 1)
	}
	if s.Model.Family == croft.Preflight {
		train.Tally, err = tally(t, s)
	}
	return train, test, err
}

// Asking returns the study under which the rows that a finished model is asked about
// are read: everybody's, with the features and nothing else. No rule leaves a row
// out, which would shift all answers after it: such a row is ErrMissingValue.
func Asking(s croft.Study) croft.Study {
	asked := s
	asked.HoldOut = croft.HoldOut{}
	asked.Schema = croft.Schema{UnitColumn: RowUnit}
	for _, c := range s.Schema.Columns {
		if !slices.Contains(s.Model.Features, c.Name) {
			continue
		}
		if c.Missing == croft.MissingDrop {
			c.Missing = ""
		}
		asked.Schema.Columns = append(asked.Schema.Columns, c)
	}
	m := &asked.Model
	m.Label, m.Positive, m.Time, m.Exposure, m.Weight = "", "", "", "", ""
	return asked
}

// outcome returns what the label of a row is to the model; 0 where it has none.
func (t *Table) outcome(m croft.Model) (of func(row int) float64, err error) {
	if m.Label == "" || m.Family == croft.Preflight {
		return func(int) float64 { return 0 }, nil
	}
	at, err := t.column(m.Label)
	if err != nil {
		return nil, err
	}
	label := t.schema.Columns[at]
	switch {
	case m.Positive != "":
		positive := float64(slices.Index(label.Levels, m.Positive))
		return func(row int) float64 {
			if t.cell(row, at) == positive {
				return 1
			}
			return 0
		}, nil
	case m.Family == "linear":
		scaled := column{Scale: scaleOf(label)}
		return func(row int) float64 { return scaled.design(t.cell(row, at)) }, nil
	}
	return func(row int) float64 { return t.cell(row, at) }, nil
}

// heldOut says of each person whether the study holds them out: whether the
// first eight bytes of HMAC-SHA256(key, person), modulo 100, are below the
// percentage. The same person is drawn alike at every site and in every study
// with the same key.
func (t *Table) heldOut(h croft.HoldOut) []bool {
	held := make([]bool, len(t.people))
	mac := hmac.New(sha256.New, []byte(h.Key))
	var sum [sha256.Size]byte
	for i, p := range t.people {
		mac.Reset()
		mac.Write(p[:])
		held[i] = binary.BigEndian.Uint64(mac.Sum(sum[:0]))%100 < uint64(h.Percent)
	}
	return held
}

// Scale maps a model column back to the feature's own units:
// feature = Mid + Half · column. A column that stands for a level has 0 and 1.
type Scale struct{ Mid, Half float64 }

// LabelScale maps the label of a linear model back to its own unit, as Scale says.
func LabelScale(s croft.Study) Scale {
	c, _ := s.Schema.Column(s.Model.Label)
	return scaleOf(c)
}

// ColumnsOf returns the names of a study's model columns: a number's name, or
// "feature=level" for each level of a category but its first, the reference; after them
// "feature=missing" where the schema has MissingIndicator.
func ColumnsOf(s croft.Study) []string {
	var names []string
	for _, c := range columns(s) {
		names = append(names, c.name)
	}
	return names
}

// Raw returns the scales of the columns that ColumnsOf names, computed exactly
// from the declared range and rounded once.
func Raw(s croft.Study) []Scale {
	var scales []Scale
	for _, c := range columns(s) {
		scales = append(scales, c.Scale)
	}
	return scales
}

// column is one column of the model.
type column struct {
	Scale
	name, feature string
	level         float64 // the index of the level it stands for; 0 for a number, noValue for a missing one
	indicated     bool    // of a number: where it is missing another column says so
}

// MissingColumn returns what the model column is called that says that a feature with
// MissingIndicator has no value.
func MissingColumn(feature string) string { return feature + "=" + missing }

// noValue is the level that a column of MissingIndicator stands for, and missing what
// it is called.
const (
	noValue = -1
	missing = "missing"
)

// columns lists a study's model columns in the order of its features.
func columns(s croft.Study) (out []column) {
	if s.Model.Family == croft.Preflight {
		return nil // it fits no model
	}
	for _, feature := range s.Model.Features {
		c, _ := s.Schema.Column(feature)
		indicated := c.Missing == croft.MissingIndicator
		if c.Kind != croft.Category {
			out = append(out, column{scaleOf(c), feature, feature, 0, indicated})
		}
		level := func(name string, index float64) {
			out = append(out, column{Scale{0, 1}, feature + "=" + name, feature, index, false})
		}
		for i, name := range c.Levels {
			if i > 0 {
				level(name, float64(i))
			}
		}
		if indicated {
			level(missing, noValue)
		}
	}
	return out
}

// design maps a cell to the column's value. The division may round to just
// outside of [-1, 1], where a plan's bounds end.
func (c column) design(cell float64) float64 {
	if c.level != 0 {
		if cell == c.level || c.level == noValue && math.IsNaN(cell) {
			return 1
		}
		return 0
	}
	if c.indicated && math.IsNaN(cell) {
		return 0
	}
	return min(max((cell-c.Mid)/c.Half, -1), 1)
}

func scaleOf(c croft.Column) Scale {
	low, high := rational(c.Low), rational(c.High)
	half := big.NewRat(1, 2)
	mid, _ := new(big.Rat).Mul(half, new(big.Rat).Add(low, high)).Float64()
	width, _ := new(big.Rat).Mul(half, new(big.Rat).Sub(high, low)).Float64()
	return Scale{mid, width}
}

func rational(d croft.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}
