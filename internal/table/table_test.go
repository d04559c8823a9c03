package table

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

func dec(text string) croft.Decimal {
	d, err := croft.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

// clinic is a study with each kind of column and of missing rule.
func clinic() croft.Study {
	return croft.Study{
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "age", Kind: croft.Number, Low: dec("0"), High: dec("120")},
			{Name: "temp", Kind: croft.Number, Low: dec("30.1"), High: dec("45.3"), Missing: croft.MissingValue, Fill: dec("36.6"), Codes: []string{"-9", "?"}},
			{Name: "grade", Kind: croft.Category, Levels: []string{"0", "1", "2"}, Missing: croft.MissingDrop, Codes: []string{"NA"}},
			{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}},
		}},
		Model: croft.Model{Label: "ill", Positive: "yes", Features: []string{"grade", "age", "temp"}},
	}
}

// read builds a table from lines with spaces between cells.
func read(s croft.Study, lines ...string) (*Table, error) {
	b, err := NewBuilder("a.csv", s.Schema, strings.Fields(lines[0]))
	if err != nil {
		return nil, err
	}
	for i, l := range lines[1:] {
		if err := b.Add(i+2, strings.Split(l, " ")); err != nil {
			return nil, err
		}
	}
	return b.Table(), nil
}

const header = "patient age ill grade extra temp"

func TestRowsBecomeADesign(t *testing.T) {
	s := clinic()
	tab, err := read(s, header, "p1 60 no 0 x 30.1", "p2 120 yes 2.0 x -9.0", "p3 0 yes NA x 40", "p4 30 no 1 x ", "p5 1.2e1 yes 2 x 45.3")
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := Build(tab, s)
	if err != nil {
		t.Fatal(err)
	}
	fill := (36.6 - 37.7) / 7.6
	want := [][]float64{{0, 0, 0, -1}, {0, 1, 1, fill}, {1, 0, -0.5, fill}, {0, 1, -0.8, 1}}
	for i, row := range train.X {
		for j, v := range row {
			if math.Abs(v-want[i][j]) > 1e-15 {
				t.Errorf("row %d, %s: got %v, want %v", i, train.Names[j], v, want[i][j])
			}
		}
	}
	if !slices.Equal(train.Names, []string{"grade=1", "grade=2", "age", "temp"}) || !slices.Equal(train.Y, []float64{0, 1, 0, 1}) || len(test.Y) != 0 {
		t.Errorf("%v %v %v", train.Names, train.Y, test.Y)
	}
	if !slices.Equal(tab.Dropped(), []int{0, 0, 1, 0}) || tab.Rows() != 4 || len(tab.People()) != 4 {
		t.Errorf("dropped %v of %d", tab.Dropped(), tab.Rows())
	}
}

func TestBadCellsAreNamed(t *testing.T) {
	for line, c := range map[string]struct {
		code croft.Code
		says string
	}{
		"p 60 no 0 x":            {croft.ErrRowWidth, "a.csv, line 2: 5 values where the header names 6"},
		"p sixty no 0 x 36":      {croft.ErrNotNumber, `line 2, column age: "sixty" is not a number`},
		"p NaN no 0 x 36":        {croft.ErrNotNumber, "column age"},
		"p -Inf no 0 x 36":       {croft.ErrNotNumber, "column age"},
		"p infinity no 0 x 36":   {croft.ErrNotNumber, "column age"},
		"p 0x10 no 0 x 36":       {croft.ErrNotNumber, "column age"},
		"p 1_0 no 0 x 36":        {croft.ErrNotNumber, "column age"},
		"p 1,5 no 0 x 36":        {croft.ErrNotNumber, `"1,5" (with a decimal comma: add the data with --decimal-comma) is not a number`},
		"p 60 n\xf6 0 x 36":      {croft.ErrLevelUnknown, `"n\xf6" (not UTF-8 text: save the file as CSV UTF-8) is not one`},
		"p 121 no 0 x 36":        {croft.ErrValueRange, `line 2, column age: "121" is outside the declared range 0 to 120`},
		"p 120.0000001 no 0 x 3": {croft.ErrValueRange, "column age"},
		"p -1 no 0 x 36":         {croft.ErrValueRange, "column age"},
		"p 1e999 no 0 x 36":      {croft.ErrValueRange, "column age"},
		"p 60 no 3 x 36":         {croft.ErrLevelUnknown, `line 2, column grade: "3" is not one of the declared levels 0, 1, 2`},
		"p 60 No 0 x 36":         {croft.ErrLevelUnknown, "column ill"},
		"p  no 0 x 36":           {croft.ErrMissingValue, "line 2, column age: no value"},
		"p 60  0 x 36":           {croft.ErrMissingValue, "column ill"},
		" 60 no 0 x 36":          {croft.ErrNoPerson, "line 2: column patient"},
		"NA 60 no 0 x 36":        {croft.ErrNoPerson, `and has "NA"`},
		"p 60 no NA x 99":        {croft.ErrValueRange, "column temp"}, // a row to be dropped is checked too
	} {
		_, err := read(clinic(), header, line)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v\nwant %v with %q", line, err, c.code, c.says)
		}
	}
	for h, code := range map[string]croft.Code{
		"patient age ill grade": croft.ErrColumnMissing,
		"age ill grade temp":    croft.ErrColumnMissing,
		header + " age":         croft.ErrHeader,
		header + " na\xefve":    croft.ErrHeader,
		header + " a\x00b":      croft.ErrHeader,
	} {
		if _, err := read(clinic(), h); !errors.Is(err, code) {
			t.Errorf("header %q: %v", h, err)
		}
	}
}

func TestLevelsThatAreNumbers(t *testing.T) {
	s := clinic()
	s.Schema.Columns[2].Levels = []string{"1", "01", "001", "2"}
	tab, err := read(s, header, "a 1 no 01 x 40", "b 1 no 2.0 x 40")
	if err != nil {
		t.Fatal(err)
	}
	if got := []float64{tab.cell(0, 2), tab.cell(1, 2)}; !slices.Equal(got, []float64{1, 3}) {
		t.Error(got)
	}
	if _, err := read(s, header, "a 1 no 1.0 x 40"); !errors.Is(err, croft.ErrLevelUnknown) {
		t.Errorf("1.0 is 1, 01 or 001: %v", err)
	}
}

// Rows may come in any order, columns too if a person has an id.
func TestHoldOutFollowsThePerson(t *testing.T) {
	s := clinic()
	s.HoldOut = croft.HoldOut{Percent: 40, Key: "k"}
	rapid.Check(t, func(t *rapid.T) {
		s.Schema.UnitColumn = rapid.SampledFrom([]string{"patient", RowUnit}).Draw(t, "unit")
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("p%d %d yes 0 x 40", rapid.IntRange(0, 9).Draw(t, "p"), rapid.IntRange(0, 3).Draw(t, "age"))
		}), 1, 30).Draw(t, "lines")
		shuffled := slices.Clone(lines)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(lines), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		a, errA := read(s, append([]string{header}, lines...)...)
		b, errB := read(s, append([]string{header}, shuffled...)...)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !slices.Equal(a.People(), b.People()) {
			t.Fatal("the order of rows changes who the people are")
		}
		count := func(tab *Table) (held map[string]int) {
			held = map[string]int{}
			_, test := tab.split(s.HoldOut)
			for _, row := range test {
				held[fmt.Sprint(tab.cells[row*4:row*4+4])]++
			}
			return held
		}
		if x, y := fmt.Sprint(count(a)), fmt.Sprint(count(b)); x != y {
			t.Fatalf("held out %s, shuffled %s", x, y)
		}
		if s.Schema.UnitColumn == RowUnit && len(a.People()) != len(lines) {
			t.Fatalf("%d people in %d rows", len(a.People()), len(lines))
		}
		train, test := a.split(s.HoldOut)
		for _, i := range train {
			for _, j := range test {
				if a.person[i] == a.person[j] {
					t.Fatal("a person trains and tests")
				}
			}
		}
	})
}

func TestRowsAreToldApartByTheirCells(t *testing.T) {
	s := clinic()
	s.Schema.UnitColumn = RowUnit
	s.Schema.Columns = nil
	ab, errAB := read(s, "x y", "ab c")
	a, errA := read(s, "x y", "a bc")
	if errAB != nil || errA != nil {
		t.Fatal(errAB, errA)
	}
	if ab.People()[0] == a.People()[0] {
		t.Error("ab,c is a,bc")
	}
}

// The draw is part of what sites approve: it must not change with a version.
func TestHoldOutIsPinned(t *testing.T) {
	s := clinic()
	lines := []string{header}
	for i := range 4000 {
		lines = append(lines, fmt.Sprintf("p%d 1 no 0 x 40", i))
	}
	tab, err := read(s, lines...)
	if err != nil {
		t.Fatal(err)
	}
	_, test := tab.split(croft.HoldOut{Percent: 25, Key: "croft"})
	var first []string
	slices.Sort(test)
	for _, row := range test[:8] {
		first = append(first, strings.Fields(lines[row+1])[0])
	}
	if got := strings.Join(first, " "); got != pinnedHoldOut {
		t.Errorf("held out first: %s", got)
	}
	if math.Abs(float64(len(test))-1000) > 4*math.Sqrt(750) {
		t.Errorf("%d of 4000 held out, not about 1000", len(test))
	}
	_, other := tab.split(croft.HoldOut{Percent: 25, Key: "another"})
	if slices.Equal(test, other) {
		t.Error("the key does not matter")
	}
}

// Computed with Python: HMAC-SHA256("croft", SHA-256("p0")) and so on.
const pinnedHoldOut = "p8 p9 p23 p32 p37 p42 p46 p51"

func TestBuildRefuses(t *testing.T) {
	s := clinic()
	tab, err := read(s, header, "a 1 no 1 x 40")
	if err != nil {
		t.Fatal(err)
	}
	other := clinic()
	other.Schema.Columns[0].High = dec("100")
	if _, _, err := Build(tab, other); !errors.Is(err, croft.ErrDiffers) {
		t.Errorf("another schema: %v", err)
	}
	other = clinic()
	other.Model.Features = []string{"bmi"}
	if _, _, err := Build(tab, other); !errors.Is(err, croft.ErrColumnMissing) {
		t.Errorf("no such feature: %v", err)
	}
	empty, err := read(s, header, "a 1 no NA x 40")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Build(empty, s); !errors.Is(err, croft.ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

// A design is within [-1, 1] and leads back to the raw value.
func TestScaleIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.Uint8Range(0, 9).Draw(t, "scale")
		low := rapid.Int64Range(-1e9, 1e9).Draw(t, "low")
		high := low + rapid.Int64Range(1, 1e9).Draw(t, "width")
		c := croft.Column{Name: "x", Kind: croft.Number, Low: croft.Decimal{Mantissa: low, Scale: scale}, High: croft.Decimal{Mantissa: high, Scale: scale}}
		s := croft.Study{Schema: croft.Schema{Columns: []croft.Column{c}}, Model: croft.Model{Features: []string{"x"}}}
		raw := Raw(s)[0]
		ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		mid, _ := new(big.Rat).Quo(big.NewRat(low+high, 2), ten).Float64()
		if raw.Mid != mid {
			t.Fatalf("mid %v, want %v", raw.Mid, mid)
		}
		cell := croft.Decimal{Mantissa: rapid.Int64Range(low, high).Draw(t, "cell"), Scale: scale}.Float()
		x := columns(s)[0].design(cell)
		if !(x >= -1 && x <= 1) {
			t.Fatalf("%v", x)
		}
		if back := raw.Mid + raw.Half*x; math.Abs(back-cell) > 4e-16*(math.Abs(raw.Mid)+raw.Half) {
			t.Fatalf("%v became %v", cell, back)
		}
	})
}

// withheld is what Disclose says of so many people of each grade and class.
func withheld(t *testing.T, s croft.Study, p Policy, people map[string]int) string {
	t.Helper()
	lines := []string{header}
	for _, cell := range slices.Sorted(func(yield func(string) bool) {
		for c := range people {
			if !yield(c) {
				return
			}
		}
	}) {
		grade, ill, _ := strings.Cut(cell, " ")
		for range 3 { // rows of one person count once, wherever they stand
			for i := range people[cell] {
				lines = append(lines, fmt.Sprintf("%s-%s-%d %d %s %s x 36.6", grade, ill, i, i, ill, grade))
			}
		}
	}
	tab, err := read(s, lines...)
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := Disclose(tab, s, p)
	if err != nil && !errors.Is(err, croft.ErrWithheld) {
		t.Fatal(err)
	}
	if err != nil {
		return err.Error()
	}
	return strings.Join(warnings, "; ")
}

func TestDisclosureRules(t *testing.T) {
	s, p := clinic(), DefaultPolicy()
	for _, c := range []struct {
		people map[string]int
		says   string // "" if nothing is withheld
	}{
		{map[string]int{"0 no": 10, "0 yes": 10}, ""},
		{map[string]int{"0 no": 10, "1 no": 10}, ""}, // one class: it adds nothing
		{map[string]int{"0 no": 10, "0 yes": 9}, "19 people to train on, fewer than min_rows 20"},
		{map[string]int{"0 no": 20, "0 yes": 4}, "label ill yes: 4 people"},
		{map[string]int{"0 no": 4, "0 yes": 20}, "label ill other than yes: 4 people"},
		{map[string]int{"0 no": 20, "0 yes": 20, "2 no": 4}, "grade 2: 4 people"},
		{map[string]int{"0 no": 20, "0 yes": 20, "2 no": 6, "2 yes": 2}, "grade 2 with label ill yes: 2 people"},
		{map[string]int{"0 no": 20, "0 yes": 20, "2 no": 5, "2 yes": 5}, ""},
	} {
		got := withheld(t, s, p, c.people)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%v: got %q, want %q", c.people, got, c.says)
		}
		public := p
		public.Public = true
		if warned := withheld(t, s, public, c.people); (warned == "") != (c.says == "") {
			t.Errorf("%v, public: got %q", c.people, warned)
		}
	}
	many := withheld(t, s, p, map[string]int{"0 no": 1, "1 no": 1, "2 no": 1, "0 yes": 1, "1 yes": 1, "2 yes": 1})
	if !strings.Contains(many, "and ") || len(many) > 400 {
		t.Errorf("not short: %s", many)
	}
}

func TestDisclosureOfTwoValuedNumbersAndHeldOut(t *testing.T) {
	s, p := clinic(), DefaultPolicy()
	lines := []string{header}
	for i := range 100 {
		age := 40
		if i < 3 {
			age = 50
		}
		lines = append(lines, fmt.Sprintf("p%d %d %s 0 x %d.5", i, age, []string{"no", "yes"}[i%2], 31+i%10))
	}
	tab, err := read(s, lines...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Disclose(tab, s, p); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "age 50: 3 people") {
		t.Errorf("a number with two values: %v", err)
	}
	for i := range 3 { // three people's values tell as much as one value of three people
		lines[1+i] = strings.Replace(lines[1+i], "50", fmt.Sprint(50+i), 1)
	}
	differing, err := read(s, lines...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Disclose(differing, s, p); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "age other than most people's: 3 people") {
		t.Errorf("a number of which three people have their own value: %v", err)
	}
	linear := s
	linear.Model.Family, linear.Model.Label, linear.Model.Positive, linear.Model.Features = "linear", "age", "", []string{"temp"}
	for says, tab := range map[string]*Table{"age 50: 3 people": tab, "age other than most people's: 3 people": differing} {
		if _, err := Disclose(tab, linear, p); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), says) {
			t.Errorf("a label of which three people have their own value: %v does not say %q", err, says)
		}
	}
	s.Model.Features = []string{"temp"}
	if _, err := Disclose(tab, s, p); err != nil {
		t.Errorf("an unused column counts: %v", err)
	}
	s.HoldOut = croft.HoldOut{Percent: 2, Key: "croft"}
	if _, err := Disclose(tab, s, p); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "people held out: ") {
		t.Errorf("few held out: %v", err)
	}
	s.HoldOut.Percent = 10 // 5 and more, but not of each class
	if _, err := Disclose(tab, s, p); err != nil {
		t.Errorf("totals only: %v", err)
	}
	s.PerSiteMetrics = true
	if _, err := Disclose(tab, s, p); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "people held out, label ill") {
		t.Errorf("the site's own metrics: %v", err)
	}
}

// One person who outweighs all others would be as good as alone in a weighted sum.
func TestWeightsThatHideNobody(t *testing.T) {
	s := clinic()
	s.Schema.Columns = append(s.Schema.Columns, croft.Column{Name: "w", Kind: croft.Number, Low: dec("0.001"), High: dec("1000")})
	s.Model.Family, s.Model.Label, s.Model.Positive, s.Model.Features, s.Model.Weight = "linear", "temp", "", []string{"age"}, "w"
	for largest, says := range map[string]string{"3": "", "1000": "w: so unequal that the sums are of 1.1 people"} {
		lines := []string{header + " w"}
		for i := range 60 {
			weight := fmt.Sprint(1 + i%3)
			if i < 2 { // of one person
				weight = largest
			}
			lines = append(lines, fmt.Sprintf("p%d %d no 0 x %d.5 %s", i/2, 30+i, 31+i%10, weight))
		}
		tab, err := read(s, lines...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Disclose(tab, s, DefaultPolicy())
		if says == "" && err != nil || says != "" && (!errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), says)) {
			t.Errorf("weights up to %s: %v does not say %q", largest, err, says)
		}
	}
}

// Where most people have one value, those with another are counted, wherever they stand.
func TestUnusualPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rare := rapid.IntRange(0, 4).Draw(t, "rare")
		tab := &Table{schema: croft.Schema{Columns: make([]croft.Column, 1)}}
		var rows []int
		for i, person := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(t, "people") {
			many := 3
			if person < rare {
				many = 20 // rows are not people
			}
			for n := range rapid.IntRange(1, many).Draw(t, "rows") {
				v := 7.0
				if person < rare && (n == 0 || rapid.IntRange(0, 7).Draw(t, "again") > 0) {
					v = rapid.SampledFrom([]float64{1, 1, 1, 1, 2, math.NaN()}).Draw(t, "value")
				}
				rows = append(rows, len(rows))
				tab.cells, tab.person = append(tab.cells, v), append(tab.person, int32(i))
			}
		}
		if got := tab.unusual(0, rows); got != rare {
			t.Fatalf("%d people of %v, not %d", got, tab.cells, rare)
		}
	})
}

func TestFits(t *testing.T) {
	p := DefaultPolicy()
	if err := p.Fits(33, 100); err != nil {
		t.Error(err)
	}
	if err := p.Fits(34, 100); !errors.Is(err, croft.ErrWithheld) {
		t.Error(err)
	}
}

// No cell whatever makes a table that holds what is not a number in the range
// or a level.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"1", "NaN", "1e5", "-0", "0x1p-2", "1e-999", "２", "yes", "", "?"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, number, level string) {
		s := clinic()
		b, err := NewBuilder("f", s.Schema, []string{"patient", "age", "temp", "grade", "ill"})
		if err != nil {
			t.Fatal(err)
		}
		if b.Add(2, []string{"p", number, number, level, level}) != nil {
			return
		}
		for i, v := range b.Table().cells {
			c := s.Schema.Columns[i%4]
			if c.Kind == croft.Number && !(v >= c.Low.Float() && v <= c.High.Float()) || c.Kind == croft.Category && !(v >= 0 && v < float64(len(c.Levels))) {
				t.Fatalf("%s holds %v", c.Name, v)
			}
		}
	})
}
