package table

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"

	"croft"
)

// Design is what a plan computes on.
type Design struct {
	Names []string    // one a model column, as ColumnsOf
	X     [][]float64 // rows × columns: numbers mapped to [-1, 1] by the declared range, levels 0 or 1
	Y     []float64   // one a row: 1 where the label has its positive level, else 0
}

// Build makes the design matrices of a study: of the rows to train on, and of
// those whose person is held out, which may be none. The table must have been
// read under the study's schema (ErrDiffers) and leave a row to train on
// (ErrNoRows).
func Build(t *Table, s croft.Study) (train, test *Design, err error) {
	if croft.HashOf(t.schema) != croft.HashOf(s.Schema) {
		return nil, nil, croft.E(croft.ErrDiffers, "the table was read under another schema")
	}
	label, err := t.column(s.Model.Label)
	if err != nil {
		return nil, nil, err
	}
	model := columns(s)
	from := make([]int, len(model)) // in the table
	for j, c := range model {
		if from[j], err = t.column(c.feature); err != nil {
			return nil, nil, err
		}
	}
	positive := float64(slices.Index(t.schema.Columns[label].Levels, s.Model.Positive))
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
		y := 0.0
		if t.cell(i, label) == positive {
			y = 1
		}
		d := train
		if held[t.person[i]] {
			d = test
		}
		d.X, d.Y = append(d.X, x), append(d.Y, y)
	}
	if len(train.Y) == 0 {
		return nil, nil, croft.E(croft.ErrNoRows, t.name, 0, 1)
	}
	return train, test, nil
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
