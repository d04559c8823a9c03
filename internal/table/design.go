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
	model := columns(s)
	from := make([]int, len(model)) // in the table
	for j, c := range model {
		if from[j], err = t.column(c.feature); err != nil {
			return nil, nil, err
		}
	}
	names := ColumnsOf(s)
	train, test = &Design{Names: names}, &Design{Names: names}
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
		for k, values := range []*[]float64{&d.Time, &d.Exposure, &d.Weight} {
			if extra[k] >= 0 {
				*values = append(*values, t.cell(i, extra[k]))
			}
		}
	}
	if len(train.Y) == 0 {
		return nil, nil, croft.E(croft.ErrNoRows, t.name, 0, 1)
	}
	return train, test, nil
}

// outcome returns what the label of a row is to the model; 0 where it has none.
func (t *Table) outcome(m croft.Model) (of func(row int) float64, err error) {
	if m.Label == "" {
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
// "feature=level" for each level of a category but its first, the reference.
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
	level         float64 // the index of the level it stands for; 0 for a number
}

// columns lists a study's model columns in the order of its features.
func columns(s croft.Study) (out []column) {
	for _, feature := range s.Model.Features {
		c, _ := s.Schema.Column(feature)
		if c.Kind != croft.Category {
			out = append(out, column{scaleOf(c), feature, feature, 0})
			continue
		}
		for i, level := range c.Levels {
			if i > 0 {
				out = append(out, column{Scale{0, 1}, feature + "=" + level, feature, float64(i)})
			}
		}
	}
	return out
}

// design maps a cell to the column's value. The division may round to just
// outside of [-1, 1], where a plan's bounds end.
func (c column) design(cell float64) float64 {
	if c.level > 0 {
		if cell == c.level {
			return 1
		}
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
