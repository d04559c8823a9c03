package data

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"croft"
	"croft/internal/table"
)

// Draft is what a file looks like: a schema to start from. It is a guess from one
// site's data, so ranges and levels in it say something about that data until a
// person has replaced them by what is medically possible.
type Draft struct {
	Rows    int
	Unit    string // the column that looks like a person's identifier, or ""
	Columns []DraftColumn
	LeftOut []LeftOut
}

// DraftColumn is a column and what a person should know before declaring it.
type DraftColumn struct {
	croft.Column
	Note   string
	Merged []string // the levels with those of few rows made one, otherLevel; nil if there are none
}

// otherLevel is what levels of few rows become together.
const otherLevel = "other"

// LeftOut is a column that no study should read, and why.
type LeftOut struct{ Name, Reason string }

const (
	guessLevels  = 12   // a category has no more
	guessSample  = 2000 // rows among which values are compared
	guessColumns = 1024 // of a file
	rareRows     = 5    // fewer show a person
)

// Guess reads all rows and guesses the kind of each of its columns, a range
// rounded outwards or the levels, and what stands for a missing value.
// Identifiers, names, addresses, dates and free text are left out, with the
// reason. Errors are those of Open that concern the files' form.
func (s Source) Guess() (Draft, error) {
	var header []string
	var looks []look
	count := 0
	if _, err := s.each(Limits{}, func(path string, names []string) ([]bool, error) {
		header, looks = names, make([]look, len(names))
		return nil, guessable(path, names)
	}, func(path string, line int, cells []string) error {
		if len(cells) != len(header) {
			return croft.E(croft.ErrRowWidth, path, line, len(cells), len(header))
		}
		count++
		for i, cell := range cells {
			looks[i].see(strings.TrimSpace(cell), count)
		}
		return nil
	}); err != nil {
		return Draft{}, err
	}
	if count == 0 {
		return Draft{}, croft.E(croft.ErrNoRows, s.Path, 0, 1)
	}
	d := Draft{Rows: count}
	model := 0
	for i, l := range looks {
		column := strings.TrimSpace(header[i])
		c, reason := l.guess(column)
		width := max(1, len(c.Levels)-1)
		if reason == "" && (len(d.Columns) == table.MaxColumns || model+width > table.MaxModel) {
			reason = "a study has no room for more columns"
		}
		if reason == "" {
			d.Columns = append(d.Columns, c)
			model += width
			continue
		}
		d.LeftOut = append(d.LeftOut, LeftOut{column, reason})
		if reason == isIdentifier && d.Unit == "" && l.missing == 0 {
			d.Unit = column
		}
	}
	return d, nil
}

// guessable checks that a header is one.
func guessable(path string, header []string) error {
	if len(header) > guessColumns {
		return croft.E(croft.ErrHeader, path, fmt.Sprintf("it names %d columns; at most %d can be looked at", len(header), guessColumns))
	}
	if !slices.ContainsFunc(header, func(h string) bool { _, number := table.ParseNumber(strings.TrimSpace(h)); return !number }) {
		return croft.E(croft.ErrHeader, path, "it holds only numbers, as if it were data")
	}
	_, err := table.NewBuilder(path, croft.Schema{UnitColumn: table.RowUnit}, header) // which knows what a name may be
	return err
}

// look is what was seen of one column.
type look struct {
	rows, missing, numbers, whole, dates, commas int

	min, max float64
	levels   map[string]int // rows of each value; given up above guessLevels
	many     bool           // it was given up
	seen     map[string]bool
	repeats  bool // a value came twice among the first rows
	codes    []string
}

var dateLike = regexp.MustCompile(`^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d{1,2}:\d{2}.*)?$`)

func (l *look) see(cell string, row int) {
	if table.Blank(cell) {
		l.missing++
		if cell != "" && !slices.Contains(l.codes, cell) {
			l.codes = append(l.codes, cell)
		}
		return
	}
	l.rows++
	if v, ok := table.ParseNumber(cell); ok {
		if l.numbers == 0 {
			l.min, l.max = v, v
		}
		l.min, l.max = min(l.min, v), max(l.max, v)
		l.numbers++
		if v == math.Trunc(v) {
			l.whole++
		}
	} else if dateLike.MatchString(cell) {
		l.dates++
	} else if commaLike.MatchString(cell) {
		l.commas++
	}
	cell = strings.ToValidUTF8(cell[:min(len(cell), table.MaxName+1)], "\ufffd")
	if !l.many {
		if l.levels == nil {
			l.levels = map[string]int{}
		}
		l.levels[cell]++
		if len(l.levels) > guessLevels {
			l.many, l.levels = true, nil
		}
	}
	if row <= guessSample {
		if l.seen == nil {
			l.seen = map[string]bool{}
		}
		l.repeats = l.repeats || l.seen[cell]
		l.seen[cell] = true
	}
}

const isIdentifier = "it identifies people"

// Personal says why a column of this name should not be in a study: it sounds as if it
// said who somebody is. "" if it does not.
func Personal(name string) (why string) {
	words := split(name)
	has := func(list ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	switch {
	case has("dob", "birthday", "birthdate", "yob") || has("birth") && has("date", "day", "month", "year"):
		return "it is a date of birth: use an age"
	case has("id", "ids", "identifier", "mrn", "ssn", "nhs", "uuid", "guid"):
		return isIdentifier
	case has("name", "surname", "firstname", "lastname", "forename", "initials"):
		return "it looks like a name"
	case has("address", "street", "zip", "postcode", "postal", "phone", "telephone", "mobile", "email"):
		return "it looks like an address"
	}
	return ""
}

// guess returns the column, or the reason to leave it out.
func (l *look) guess(name string) (c DraftColumn, reason string) {
	words := split(name)
	has := func(list ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	named := Personal(name)
	unique := l.rows > rareRows && !l.repeats
	number := l.numbers == l.rows
	switch {
	case !usable(name):
		return c, fmt.Sprintf("its name is empty, longer than %d bytes or not printable", table.MaxName)
	case l.rows == 0:
		return c, "it has no values"
	case named != "":
		return c, named
	case len(words) == 1 && has("patient", "subject", "person", "participant", "patientid", "pid", "key") && (unique || l.many):
		return c, isIdentifier
	case l.dates > 0 && l.dates+l.numbers == l.rows || has("date", "datetime", "timestamp") && !number:
		return c, "it is a date: use a time span"
	case l.commas > 0 && l.commas+l.numbers == l.rows:
		return c, "its numbers have a decimal comma: say so with --decimal-comma"
	case l.whole == l.rows && unique && l.max-l.min == float64(l.rows-1):
		return c, isIdentifier // 1, 2, 3 …
	case !number && unique && l.many:
		return c, isIdentifier
	case !number && l.many:
		return c, fmt.Sprintf("text with more than %d different values", guessLevels)
	case !l.many && len(l.levels) == 1 || number && l.min == l.max:
		return c, "it has the same value in every row"
	}
	c.Name = name
	var notes []string
	if l.missing > 0 {
		c.Missing, c.Codes = croft.MissingDrop, l.codes
		slices.Sort(c.Codes)
		notes = append(notes, fmt.Sprintf("%d of %d rows have no value", l.missing, l.rows+l.missing))
	}
	// Whole numbers are codes if they are few and come again and again.
	if number && (l.many || l.whole < l.rows || len(l.levels) > 2 && l.rows < rareRows*len(l.levels)) {
		low, high, ok := outwards(l.min, l.max)
		if !ok {
			return c, "its numbers are too large or too small to declare a range"
		}
		c.Kind, c.Low, c.High = croft.Number, low, high
	} else {
		c.Kind = croft.Category
		for level := range l.levels {
			if !usable(level) {
				if strings.ContainsRune(level, utf8.RuneError) {
					return DraftColumn{}, "its text is not UTF-8: save the file as CSV UTF-8"
				}
				return DraftColumn{}, fmt.Sprintf("a value is longer than %d bytes or not printable", table.MaxName)
			}
			c.Levels = append(c.Levels, level)
		}
		slices.SortFunc(c.Levels, compareLevels)
		few := func(level string) bool { return l.levels[level] < rareRows }
		if rest := slices.DeleteFunc(slices.Clone(c.Levels), few); len(rest) < len(c.Levels) {
			notes = append(notes, fmt.Sprintf("%d levels have fewer than %d rows: merge them, or whoever reads this knows that such people exist", len(c.Levels)-len(rest), rareRows))
			if len(rest) > 0 && !slices.Contains(rest, otherLevel) {
				c.Merged = append(rest, otherLevel)
			}
		}
	}
	c.Note = strings.Join(notes, "; ")
	return c, ""
}

// usable reports whether a study file may hold the text.
func usable(text string) bool {
	return text != "" && len(text) <= table.MaxName && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// split returns the lower-case words of a name: patientID, patient_id, "Patient ID".
func split(name string) (words []string) {
	start := true
	lower := false
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			start, lower = true, false
			continue
		}
		if start || lower && unicode.IsUpper(r) {
			words = append(words, "")
		}
		words[len(words)-1] += string(unicode.ToLower(r))
		start, lower = false, unicode.IsLower(r)
	}
	return words
}

// compareLevels orders numbers by value, before texts.
func compareLevels(a, b string) int {
	x, isX := table.ParseNumber(a)
	y, isY := table.ParseNumber(b)
	switch {
	case isX && isY && x != y:
		return int(math.Copysign(1, x-y))
	case isX != isY && isX:
		return -1
	case isX != isY:
		return 1
	}
	return strings.Compare(a, b)
}

// outwards rounds a range to the next multiples of 1, 2 or 5 times a power of
// ten, about a tenth of its width, so that it hides the extreme values.
func outwards(low, high float64) (a, b croft.Decimal, ok bool) {
	if !(math.Abs(low) <= 1e15 && math.Abs(high) <= 1e15) {
		return a, b, false
	}
	exp := int(math.Floor(math.Log10((high - low) / 10)))
	if exp < -12 {
		return a, b, false
	}
	digit := 1
	for _, d := range []int{2, 5} {
		if float64(d)*math.Pow10(exp) <= (high-low)/10 {
			digit = d
		}
	}
	width := float64(digit) * math.Pow10(exp)
	if max(math.Abs(low), math.Abs(high)) > 1e13*width {
		return a, b, false // rounding would decide, not the numbers
	}
	step := func(n int64) (croft.Decimal, float64) {
		d := croft.Decimal{Mantissa: n * int64(digit), Scale: uint8(max(-exp, 0))}
		for range exp {
			d.Mantissa *= 10
		}
		d, _ = croft.ParseDecimal(d.String()) // drops zeros; it has at most 16 digits
		return d, d.Float()
	}
	n, m := int64(math.Floor(low/width)), int64(math.Ceil(high/width))
	a, x := step(n)
	if x > low { // the division rounded
		a, _ = step(n - 1)
	}
	b, y := step(m)
	if y < high {
		b, _ = step(m + 1)
	}
	return a, b, true
}
