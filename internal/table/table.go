// Package table holds a site's rows under a study's schema: which cells are
// accepted, what happens to missing ones, who is held out, the design matrices
// that plans compute on, and the disclosure rules that must hold before anything
// is computed from them.
//
// It is pure: package data reads files, this package judges their cells. A
// Builder or a Build is told a schema or a study that has passed
// study.Validate. A table never leaves the site.
package table

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"croft"
)

// Bounds of a schema and of what is computed from it. They keep a study from
// costing more than a small machine has, and a model within what the sum of a
// few sites can carry.
const (
	MaxColumns = 64  // of a schema
	MaxLevels  = 32  // of a category
	MaxModel   = 128 // columns of a model
	MaxName    = 64  // bytes of a column, a level or a code
)

// RowUnit is the unit column's name that says that each row is a person.
const RowUnit = "row"

// Table is rows that were read under a schema. Every cell is present and valid.
type Table struct {
	name   string
	schema croft.Schema
	// Row-major, a schema column each: a number in its range, or a level's index. With
	// MissingMean, MissingIndicator and MissingCount NaN for none, with MissingCount ±Inf
	// for outside.
	cells   []float64
	person  []int32  // one a row: an index into people
	people  []Person // ascending
	dropped []int    // one a schema column: rows left out because it had no value
}

// Person is the SHA-256 of what identifies a person in a file: the value of the
// unit column; where each row is a person, the row's cells and how many equal
// rows there are before it, so that the order of rows does not matter. It is no
// pseudonym (few people have few possible names) and never leaves the site.
type Person [sha256.Size]byte

// Rows returns the number of rows that the missing-value rules left.
func (t *Table) Rows() int { return len(t.person) }

// People returns the distinct people of those rows in ascending order. The slice
// is the table's own.
func (t *Table) People() []Person { return t.people }

// Split returns the people to train on and those held out, each in ascending order.
func (t *Table) Split(h croft.HoldOut) (train, test []Person) {
	held := t.heldOut(h)
	for i, p := range t.people {
		if held[i] {
			test = append(test, p)
		} else {
			train = append(train, p)
		}
	}
	return train, test
}

// Entries returns, for a column, one hash a row of whose row it is and which value
// counts there, in ascending order: what a sum over the column is a sum of. They
// are no pseudonyms either and never leave the site.
func (t *Table) Entries(column string) ([]Person, error) {
	at, err := t.column(column)
	if err != nil {
		return nil, err
	}
	out := make([]Person, t.Rows())
	for row, person := range t.person {
		entry := binary.BigEndian.AppendUint64(t.people[person][:len(Person{}):len(Person{})], math.Float64bits(t.cell(row, at)))
		out[row] = sha256.Sum256(entry)
	}
	slices.SortFunc(out, func(a, b Person) int { return bytes.Compare(a[:], b[:]) })
	return out, nil
}

// Dropped returns for each column of the schema how many rows were left out
// because it had no value. A row counts once, for the first such column.
func (t *Table) Dropped() []int { return slices.Clone(t.dropped) }

// cell returns the value of a row in a column of the schema.
func (t *Table) cell(row, column int) float64 {
	return t.cells[row*len(t.schema.Columns)+column]
}

// level returns the level of a row in a category of the schema; noValue if it has none.
func (t *Table) level(row, column int) int {
	if v := t.cell(row, column); !math.IsNaN(v) {
		return int(v)
	}
	return noValue
}

// column returns the index of a column in the schema.
func (t *Table) column(name string) (int, error) {
	i := slices.IndexFunc(t.schema.Columns, func(c croft.Column) bool { return c.Name == name })
	if i < 0 {
		return 0, croft.E(croft.ErrColumnMissing, t.name, name)
	}
	return i, nil
}

// Builder makes a table, row by row.
type Builder struct {
	t       *Table
	width   int
	readers []reader
	unit    int      // the unit column's place in the file; -1 where each row is a person
	hashes  []Person // one a row, before equal rows are told apart
	row     []float64
	scratch []byte
}

// noColumn says that a file has no such column, and which one may be meant.
func noColumn(file, name string, header []string) error {
	for _, h := range header {
		if h = strings.TrimSpace(h); strings.EqualFold(h, name) {
			name = fmt.Sprintf("%s; it has %s", name, h)
			break
		}
	}
	return croft.E(croft.ErrColumnMissing, file, name)
}

// NewBuilder begins a table whose rows have the cells that header names. The
// name, of a file, is for messages. A header with a name twice or with
// unprintable names is ErrHeader, one without a column that the schema needs is
// ErrColumnMissing.
func NewBuilder(name string, schema croft.Schema, header []string) (*Builder, error) {
	place := make(map[string]int, len(header))
	for i, h := range header {
		h = strings.TrimSpace(h)
		if !utf8.ValidString(h) || strings.ContainsFunc(h, unicode.IsControl) {
			return nil, croft.E(croft.ErrHeader, name, fmt.Sprintf("column %d is called %s, which cannot be printed", i+1, quote(h)))
		}
		if first, twice := place[h]; twice {
			return nil, croft.E(croft.ErrHeader, name, fmt.Sprintf("columns %d and %d are both called %.40q", first+1, i+1, h))
		}
		place[h] = i
	}
	b := &Builder{
		t:     &Table{name: name, schema: schema, dropped: make([]int, len(schema.Columns))},
		width: len(header), unit: -1, row: make([]float64, len(schema.Columns)),
	}
	if schema.UnitColumn != RowUnit {
		at, ok := place[schema.UnitColumn]
		if !ok {
			return nil, noColumn(name, schema.UnitColumn, header)
		}
		b.unit = at
	}
	for _, c := range schema.Columns {
		at, ok := place[c.Name]
		if !ok {
			return nil, noColumn(name, c.Name, header)
		}
		b.readers = append(b.readers, newReader(c, at))
	}
	return b, nil
}

// Wanted says which cells of a row Add looks at, by their place in the header: all where
// each row is a person, since then they say who it is.
func (b *Builder) Wanted() []bool {
	wanted := make([]bool, b.width)
	for i := range wanted {
		wanted[i] = b.unit < 0 || i == b.unit
	}
	for _, r := range b.readers {
		wanted[r.at] = true
	}
	return wanted
}

// In names the file that the next rows come from, for messages.
func (b *Builder) In(name string) { b.t.name = name }

// Add adds the row that begins at a line of the file. Space around a cell does
// not count. It keeps none of the strings. An error names line and column:
// ErrRowWidth, ErrNotNumber, ErrValueRange, ErrLevelUnknown, ErrMissingValue, ErrNoPerson. A
// row that a missing-value rule leaves out is checked like the others.
func (b *Builder) Add(line int, cells []string) error {
	if len(cells) != b.width {
		return croft.E(croft.ErrRowWidth, b.t.name, line, len(cells), b.width)
	}
	drop := -1
	for i := range b.readers {
		r := &b.readers[i]
		text := strings.TrimSpace(cells[r.at])
		if r.isMissing(text) {
			switch r.Missing {
			case croft.MissingCount, croft.MissingMean, croft.MissingIndicator:
				b.row[i] = math.NaN()
			case croft.MissingValue:
				b.row[i] = r.fill
			case croft.MissingDrop:
				if drop < 0 {
					drop = i
				}
			default:
				return croft.E(croft.ErrMissingValue, b.t.name, line, r.Name)
			}
			continue
		}
		value, err := r.read(b.t.name, line, text)
		if err != nil && r.Missing == croft.MissingCount {
			value, err = r.outside(text, err)
		}
		if err != nil {
			return err
		}
		b.row[i] = value
	}
	hash, err := b.hash(line, cells)
	if err != nil {
		return err
	}
	if drop >= 0 {
		b.t.dropped[drop]++
		return nil
	}
	b.t.cells = append(b.t.cells, b.row...)
	b.hashes = append(b.hashes, hash)
	return nil
}

// hash identifies the row's person, or the content of the row.
func (b *Builder) hash(line int, cells []string) (Person, error) {
	if b.unit >= 0 {
		unit := strings.TrimSpace(cells[b.unit])
		if Blank(unit) {
			return Person{}, croft.E(croft.ErrNoPerson, b.t.name, line, b.t.schema.UnitColumn, quote(unit))
		}
		return sha256.Sum256([]byte(unit)), nil
	}
	b.scratch = b.scratch[:0]
	for _, c := range cells {
		c = strings.TrimSpace(c)
		b.scratch = binary.AppendUvarint(b.scratch, uint64(len(c)))
		b.scratch = append(b.scratch, c...)
	}
	return sha256.Sum256(b.scratch), nil
}

// Table returns the table. The builder must not be used again.
func (b *Builder) Table() *Table {
	t := b.t
	order := make([]int32, len(b.hashes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(bytes.Compare(b.hashes[i][:], b.hashes[j][:]), cmp.Compare(i, j))
	})
	if b.unit < 0 { // tell equal rows apart
		var last Person
		var copies uint64
		for n, row := range order {
			content := b.hashes[row]
			if n == 0 || content != last {
				last, copies = content, 0
			}
			b.hashes[row] = sha256.Sum256(binary.BigEndian.AppendUint64(content[:], copies))
			copies++
		}
		slices.SortFunc(order, func(i, j int32) int { return bytes.Compare(b.hashes[i][:], b.hashes[j][:]) })
	}
	t.person = make([]int32, len(order))
	for _, row := range order {
		if h := b.hashes[row]; len(t.people) == 0 || t.people[len(t.people)-1] != h {
			t.people = append(t.people, h)
		}
		t.person[row] = int32(len(t.people) - 1)
	}
	return t
}

// reader reads the cells of one column.
type reader struct {
	croft.Column
	at        int // place in the file
	low, high float64
	fill      float64
	levels    []float64 // their values, as numbers says
	codes     []float64
}

func newReader(c croft.Column, at int) reader {
	r := reader{Column: c, at: at, low: c.Low.Float(), high: c.High.Float(), fill: c.Fill.Float()}
	r.codes, r.levels = numbers(c.Codes), numbers(c.Levels)
	return r
}

// numbers returns the value of each text that is a number and the only one of
// that value, else NaN: where "01" and "1" are two levels, only the exact text
// tells them apart.
func numbers(texts []string) []float64 {
	times := map[float64]int{}
	out := make([]float64, len(texts))
	for i, s := range texts {
		out[i] = math.NaN()
		if v, ok := ParseNumber(s); ok {
			out[i] = v
			times[v]++
		}
	}
	for i, v := range out {
		if times[v] > 1 {
			out[i] = math.NaN()
		}
	}
	return out
}

// isMissing reports whether a cell means that there is no value. A code that is
// a number means every way to write it: files have -9 and -9.0.
func (r *reader) isMissing(text string) bool {
	if text == "" || slices.Contains(r.Codes, text) {
		return true
	}
	if len(r.codes) == 0 {
		return false
	}
	v, ok := ParseNumber(text)
	return ok && slices.Contains(r.codes, v)
}

func (r *reader) read(name string, line int, text string) (float64, error) {
	v, isNumber := ParseNumber(text)
	if r.Kind == croft.Category {
		level := slices.Index(r.Levels, text)
		if level < 0 && isNumber {
			level = slices.Index(r.levels, v)
		}
		if level < 0 && r.Other != "" {
			level = slices.Index(r.Levels, r.Other)
		}
		if level < 0 {
			return 0, croft.E(croft.ErrLevelUnknown, name, line, r.Name, quote(text), strings.Join(r.Levels, ", "))
		}
		return float64(level), nil
	}
	if !isNumber {
		shown := quote(text)
		if _, comma := ParseNumber(strings.Replace(text, ",", ".", 1)); comma {
			shown += " (with a decimal comma: add the data with --decimal-comma)"
		}
		return 0, croft.E(croft.ErrNotNumber, name, line, r.Name, shown)
	}
	if v < r.low || v > r.high {
		return 0, croft.E(croft.ErrValueRange, name, line, r.Name, quote(text), r.Low, r.High)
	}
	return v, nil
}

// outside returns what stands for a cell outside of range (−Inf below, +Inf above) or
// levels (+Inf); what is no number where one belongs is still an error.
func (r *reader) outside(text string, err error) (float64, error) {
	v, isNumber := ParseNumber(text)
	switch {
	case r.Kind == croft.Category:
		return math.Inf(1), nil
	case isNumber && v < r.low:
		return math.Inf(-1), nil
	case isNumber:
		return math.Inf(1), nil
	}
	return 0, err
}

// Blank reports whether a cell is what programs write where there is no value. No code
// of a schema's says so of the unit column: all such rows would be one person's.
func Blank(text string) bool {
	return slices.Contains([]string{"", "?", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", ".", "-"}, text)
}

// quote shows the beginning of a cell.
func quote(text string) string {
	shown := fmt.Sprintf("%.40q", text)
	if !utf8.ValidString(text) { // of Excel, say
		shown += " (not UTF-8 text: save the file as CSV UTF-8)"
	}
	return shown
}

// ParseNumber reads a decimal number, with an exponent or without. It is strict
// where strconv is not: no NaN, no infinity, no hexadecimal, no underscores. A
// number too large for a float64 is ±Inf, which no declared range holds.
func ParseNumber(text string) (value float64, ok bool) {
	if strings.Trim(text, "+-.0123456789eE") != "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil || math.IsInf(value, 0)
}
