package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"croft"
	"croft/internal/table"
)

func dec(text string) croft.Decimal {
	d, err := croft.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

var schema = croft.Schema{UnitColumn: "id", Columns: []croft.Column{
	{Name: "age", Kind: croft.Number, High: dec("120")},
	{Name: "sex", Kind: croft.Category, Levels: []string{"f", "m"}, Missing: croft.MissingDrop},
	{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}},
}}

// study has every column of the schema in its design: age, sex=m and the label.
var study = croft.Study{Schema: schema, Model: croft.Model{Label: "ill", Positive: "yes", Features: []string{"age", "sex"}}}

// guessText guesses from a file that holds the text.
func guessText(text string) (Draft, error) {
	f, err := os.CreateTemp("", "croft*.csv")
	if err != nil {
		return Draft{}, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return Draft{}, err
	}
	return Source{Path: f.Name()}.Guess()
}

func read(text string) (*table.Table, error) {
	return Read(strings.NewReader(text), "a.csv", schema, Limits{})
}

// What programs write when they save the same two rows.
func TestReadsWhatProgramsWrite(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            "id,age,sex,ill\n1,60,m,yes\n2,30,f,no\n",
		"no last line end": "id,age,sex,ill\n1,60,m,yes\n2,30,f,no",
		"CRLF":             "id,age,sex,ill\r\n1,60,m,yes\r\n2,30,f,no\r\n",
		"semicolon":        "id;age;sex;ill\n1;60;m;yes\n2;30;f;no\n",
		"tab":              "id\tage\tsex\till\n1\t60\tm\tyes\n2\t30\tf\tno\n",
		"Excel UTF-8":      "\ufeffid;age;sex;ill\r\n1;60;m;yes\r\n2;30;f;no\r\n",
		"all quoted":       "\ufeff\"id\",\"age\",\"sex\",\"ill\"\n\"1\",\"60\",\"m\",\"yes\"\n\"2\",\"30\",\"f\",\"no\"\n",
		"other order":      "ill,note,sex,age,id\nyes,x,m,60,1\nno,,f,30,2\n",
		"spaces":           "id , age,sex,ill\n1, 60 ,m , yes\n2,30,f,no\n",
		"quoted line ends": "id,note,age,sex,ill\n1,\"a, \"\"b\"\"\n\nc\",60,m,yes\n2,,30,f,no\n",
		"empty lines":      "\n\nid,age,sex,ill\n\n1,60,m,yes\n\r\n2,30,f,no\n\n",
		"semicolons in it": "id,\"a;b;c;d;e;f\",age,sex,ill\n1,x,60,m,yes\n2,x,30,f,no\n",
		"dropped row":      "id,age,sex,ill\n1,60,m,yes\n3,60,,yes\n2,30,f,no\n",
		"exponents":        "id,age,sex,ill\n1,6e1,m,yes\n2,3.0E+1,f,no\n",
		"rows unlike R's":  "\"\",id,age,sex,ill\n\"1\",1,60,m,yes\n\"2\",2,30,f,no\n",
	} {
		for kind, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			tab, err := Read(r, "a.csv", schema, Limits{})
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			d, _, err := table.Build(tab, study)
			if err != nil || fmt.Sprint(d.X, d.Y) != "[[0 1] [-0.5 0]] [1 0]" {
				t.Errorf("%s, %s: %v %v %v", name, kind, d.X, d.Y, err)
			}
		}
	}
}

// Every refusal has a file, a line and a column where there is one, and a code.
func TestBadFiles(t *testing.T) {
	const h = "id,age,sex,ill\n"
	long := strings.Repeat("x", 2<<20)
	for name, c := range map[string]struct {
		text string
		code croft.Code
		says string
	}{
		"quote in a cell":      {h + "1,60,m,yes\n2,3\"0,f,no\n", croft.ErrQuoting, "a.csv, line 3: "},
		"text after a quote":   {h + "1,\"60\"x,m,yes\n", croft.ErrQuoting, "line 2"},
		"open quote":           {h + "1,60,m,yes\n2,\"30,f,no\n3,40,f,no\n", croft.ErrQuoting, "line 3"},
		"endless open quote":   {h + "1,60,m,yes\n\n2,\"30,f,no\n" + strings.Repeat("3,40,f,no\n", 200_000), croft.ErrQuoting, "line 4"},
		"open quote in header": {"id,\"age,sex,ill\n1,2,3,4\n", croft.ErrQuoting, "line 1"},
		"missing column":       {"id,age,ill\n1,2,yes\n", croft.ErrColumnMissing, "a.csv has no column sex"},
		"another case":         {"id,age,Sex,ill\n1,2,f,yes\n", croft.ErrColumnMissing, "a.csv has no column sex; it has Sex"},
		"a workbook":           {"PK\x03\x04\x14\x00", croft.ErrHeader, "save it as CSV UTF-8"},
		"missing unit column":  {"age,sex,ill\n2,f,yes\n", croft.ErrColumnMissing, "no column id"},
		"name twice":           {"id,age,sex,age,ill\n", croft.ErrHeader, `columns 2 and 4 are both called "age"`},
		"empty":                {"", croft.ErrHeader, "the file is empty"},
		"only a mark":          {"\ufeff", croft.ErrHeader, "the file is empty"},
		"only empty lines":     {"\n\r\n\n", croft.ErrHeader, "the file is empty"},
		"Excel's separator":    {"\xef\xbb\xbfsep=;\r\nid;age\r\n", croft.ErrHeader, "it tells Excel the separator"},
		"UTF-16":               {"\xff\xfei\x00d\x00", croft.ErrHeader, "UTF-16"},
		"old Mac line ends":    {"id,age,sex,ill\r1,60,m,yes\r", croft.ErrHeader, ""},
		"no rows":              {h, croft.ErrNoRows, "a.csv has 0 usable rows"},
		"all rows dropped":     {h + "1,60,,yes\n", croft.ErrNoRows, "a.csv has 0 usable rows"},
		"short row":            {h + "1,60,m,yes\n2,30,f\n", croft.ErrRowWidth, "line 3: 3 values where the header names 4"},
		"decimal comma":        {h + "1,60,5,m,yes\n", croft.ErrRowWidth, "line 2: 5 values"},
		"wrong type":           {h + "1,60,m,yes\n2,old,f,no\n", croft.ErrNotNumber, `line 3, column age: "old" is not a number`},
		"NaN":                  {h + "1,NaN,m,yes\n", croft.ErrNotNumber, "line 2, column age"},
		"out of range":         {h + "1,60,m,yes\n2,130,f,no\n", croft.ErrValueRange, `line 3, column age: "130" is outside the declared range 0 to 120`},
		"unknown level":        {h + "1,60,x,yes\n", croft.ErrLevelUnknown, `line 2, column sex: "x" is not one of the declared levels f, m`},
		"level in Latin-1":     {h + "1,60,m\xe4nnlich,yes\n", croft.ErrLevelUnknown, `"m\xe4nnlich"`},
		"missing value":        {h + "1,,m,yes\n", croft.ErrMissingValue, "line 2, column age"},
		"no person":            {h + ",60,m,yes\n", croft.ErrNoPerson, `line 2: column id must say whose row it is, and has ""`},
		"after a quoted line":  {"id,note,age,sex,ill\n1,\"a\nb\nc\",60,m,yes\n2,,130,f,no\n", croft.ErrValueRange, "line 5, column age"},
		"endless line":         {h + "1,60,m,yes\n2," + long, croft.ErrLineTooLong, "a.csv, line 3: longer than 1048576 bytes"},
		"endless header":       {long, croft.ErrLineTooLong, "line 1"},
		"endless quoted":       {h + "1,60,m,yes\n2,\"" + long, croft.ErrLineTooLong, "line 3"},
		"binary":               {"\x7fELF\x02\x01\x01\x00", croft.ErrHeader, "cannot be printed"},
	} {
		_, err := read(c.text)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 300 {
			t.Errorf("%s: got %v\nwant %v with %q", name, err, c.code, c.says)
		}
	}
}

func TestThreeRowsAreReadAndWithheld(t *testing.T) {
	tab, err := read("id,age,sex,ill\n1,60,m,yes\n2,30,f,no\n3,50,f,no\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Disclose(tab, study, table.DefaultPolicy()); !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "3 people to train on") {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	text := "id,age,sex,ill\n1,60,m,yes\n2,30,f,no\n3,50,f,no\n"
	if _, err := Read(strings.NewReader(text), "a.csv", schema, Limits{Rows: 3, Line: 15}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if _, err := Read(strings.NewReader(text), "a.csv", schema, Limits{Rows: 2}); !errors.Is(err, croft.ErrTooManyRows) || !strings.Contains(err.Error(), "a.csv has more than 2 rows") {
		t.Error(err)
	}
	if _, err := Read(strings.NewReader(text), "a.csv", schema, Limits{Line: 14}); !errors.Is(err, croft.ErrLineTooLong) {
		t.Error(err)
	}
	if l := (Limits{Rows: 500_000}); l.rows(8) != 500_000 || l.rows(64) != 1<<18 {
		t.Error("a wide table may have as many rows as a narrow one")
	}
	last := strings.TrimSuffix(text, "\n") + "xxxx"
	if _, err := Read(strings.NewReader(last), "a.csv", croft.Schema{UnitColumn: "id"}, Limits{Line: len("id,age,sex,ill\n")}); err != nil {
		t.Errorf("a last line of just the limit: %v", err)
	}
}

// endless is a file that never ends: it begins with head and goes on with tail.
type endless struct {
	head, tail string
	given      int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.tail)
	}
	e.given += n
	return n, nil
}

func TestMemoryIsBounded(t *testing.T) {
	for name, tail := range map[string]string{"a line": "xxxxxxxx", "a quote": "\"", "open quote": "aaaaaaa\n", "separators": ",,,,,,,,"} {
		e := &endless{head: "id,age,sex,ill\n1,60,m,\"", tail: tail}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(e, "a.csv", schema, Limits{})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, croft.ErrLineTooLong) && !errors.Is(err, croft.ErrQuoting) {
			t.Errorf("%s: %v", name, err)
		}
		if e.given > 2<<20 || after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s: read %d bytes, allocated %d", name, e.given, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

// A file of Excel in another character set is told as that, and none of its text is
// made a level.
func TestGuessOtherCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visits.csv")
	if err := os.WriteFile(path, []byte("age;sex\n41;m\xe4nnlich\n52;weiblich\n41;m\xe4nnlich\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Source{Path: path}.Guess()
	if err != nil || len(d.LeftOut) != 1 || d.LeftOut[0] != (LeftOut{"sex", "its text is not UTF-8: save the file as CSV UTF-8"}) {
		t.Errorf("%+v %v", d, err)
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("disk fell off")
	for _, text := range []string{"", "id,age,sex,ill\n1,60,m", "id,age,sex,ill\n1,60,m,\"a"} {
		_, err := Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "a.csv", schema, Limits{})
		if !errors.Is(err, croft.ErrFileOpen) || !errors.Is(err, broken) {
			t.Errorf("after %q: %v", text, err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	text := "id,age,sex,ill\n1,60,m,yes\n2,30,f,no\n\n\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tab, hash, err := Open(path, schema, Limits{})
	if err != nil || hash != croft.Sum([]byte(text)) || tab.Rows() != 2 {
		t.Errorf("%v %v", hash, err)
	}
	people, _, err := Open(path, croft.Schema{UnitColumn: table.RowUnit}, Limits{})
	if err != nil || len(people.People()) != 2 {
		t.Errorf("without columns: %v", err)
	}
	for _, bad := range []string{t.TempDir(), filepath.Join(dir, "no.csv"), os.DevNull} {
		if _, _, err := Open(bad, schema, Limits{}); !errors.Is(err, croft.ErrFileOpen) || strings.Count(err.Error(), bad) != 1 {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCells(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		header []string
		rows   [][]string
		err    croft.Code
	}{
		"as a spreadsheet writes it": {"\ufeffage;sex\r\n57;\"a;b\"\r\n\r\n;f\r\n", []string{"age", "sex"}, [][]string{{"57", "a;b"}, {"", "f"}}, 0},
		"with tabs":                  {"age\tsex\n57\tm\n", []string{"age", "sex"}, [][]string{{"57", "m"}}, 0},
		"a row too short":            {"age,sex\n57\n", []string{"age", "sex"}, nil, croft.ErrRowWidth},
		"a header only":              {"age,sex\n", []string{"age", "sex"}, nil, croft.ErrNoRows},
	} {
		path := filepath.Join(t.TempDir(), "rows")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		header, rows, err := Cells(path, Limits{})
		if (err != nil || c.err != 0) && !errors.Is(err, c.err) || !slices.Equal(header, c.header) || fmt.Sprint(rows) != fmt.Sprint(c.rows) {
			t.Errorf("%s: %q %q %v", name, header, rows, err)
		}
	}
}

func TestFingerprintsFindOverlap(t *testing.T) {
	prints := func(key, unit, text string) []croft.Hash {
		tab, err := Read(strings.NewReader(text), "a.csv", croft.Schema{UnitColumn: unit}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return fingerprints([]byte(key), tab.People())
	}
	a := "id,age\n1,60\n2,30\n3,30\n3,31\n"
	b := "id,age\n9,60\n3,77\n2,30\n"
	for _, c := range []struct {
		unit   string
		shared int
	}{{"id", 2}, {table.RowUnit, 1}} {
		if got := Overlap(prints("k", c.unit, a), prints("k", c.unit, b)); got != c.shared {
			t.Errorf("%s: %d shared", c.unit, got)
		}
		if got := Overlap(prints("k", c.unit, a), prints("another", c.unit, a)); got != 0 {
			t.Errorf("%s: fingerprints under two keys can be compared", c.unit)
		}
	}
	twice := "id,age\n1,60\n1,60\n"
	if p := prints("k", table.RowUnit, twice); len(p) != 2 || p[0] == p[1] || Overlap(p, prints("k", table.RowUnit, "id,age\n1,60\n")) != 1 {
		t.Error("equal rows are not told apart")
	}
}

func TestGuess(t *testing.T) {
	var b strings.Builder
	b.WriteString("patientId;Name;dob;visit date;age;weight kg;sex;ward;stage;free text;constant;empty;index;comma;code;bmi change;badge;seen;site\n")
	for i := range 200 {
		bmi := fmt.Sprintf("%.2f", float64(i%17)/10-0.85)
		if i%9 == 0 {
			bmi = "NA"
		}
		fmt.Fprintf(&b, "X%d;Ada %d;1970-01-01;%02d.%02d.2024;%d;%.1f;%s;%s;%d;text %d;1;;%d;%d,5;%d;%s;Q%d;2024-%02d-%02d;north\n",
			i, i, i%28+1, i%12+1, 18+i*31%70, 48.7+float64(i%55), []string{"m", "f"}[i%2], []string{"b", "a", "c", "a b"}[i%4], i%5+8, i%40, i+1, i%9, i*7919%1000, bmi, i, i%12+1, i%28+1)
	}
	d, err := guessText(b.String())
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range d.Columns {
		fmt.Fprintf(&got, "%s %s %v..%v %q %q %s %s\n", c.Name, c.Kind, c.Low, c.High, c.Levels, c.Codes, c.Missing, c.Note)
	}
	for _, l := range d.LeftOut {
		fmt.Fprintf(&got, "- %s: %s\n", l.Name, l.Reason)
	}
	want := `age number 15..90 [] []  
weight kg number 45..105 [] []  
sex category 0..0 ["f" "m"] []  
ward category 0..0 ["a" "a b" "b" "c"] []  
stage category 0..0 ["8" "9" "10" "11" "12"] []  
code number 0..1000 [] []  
bmi change number -0.9..0.8 [] ["NA"] drop 23 of 200 rows have no value
- patientId: it identifies people
- Name: it looks like a name
- dob: it is a date of birth: use an age
- visit date: it is a date: use a time span
- free text: text with more than 12 different values
- constant: it has the same value in every row
- empty: it has no values
- index: it identifies people
- comma: its numbers have a decimal comma: say so with --decimal-comma
- badge: it identifies people
- seen: it is a date: use a time span
- site: it has the same value in every row
`
	if got.String() != want || d.Unit != "patientId" || d.Rows != 200 {
		t.Errorf("unit %q, %d rows, got\n%s", d.Unit, d.Rows, got.String())
	}
	for text, code := range map[string]croft.Code{
		"63.0,1.0,145\n67,1,160\n":         croft.ErrHeader,
		"a,b\n":                            croft.ErrNoRows,
		"a,b\n1\n":                         croft.ErrRowWidth,
		"a,a\n1,2\n":                       croft.ErrHeader,
		strings.Repeat("a,", 2000) + "a\n": croft.ErrHeader,
	} {
		if _, err := guessText(text); !errors.Is(err, code) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Few whole numbers are codes only if they come again and again.
func TestGuessCodes(t *testing.T) {
	for rows, want := range map[int]croft.ColumnKind{14: croft.Number, 15: croft.Category} {
		d, err := guessText("grade,x\n" + strings.Repeat("1,0\n2,0\n3,0\n", 5)[:4*rows])
		if err != nil || len(d.Columns) != 1 || d.Columns[0].Kind != want {
			t.Errorf("%d rows: %+v, %v", rows, d.Columns, err)
		}
	}
}

func TestOutwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e14, 1e14).Draw(t, "low") / rapid.SampledFrom([]float64{1, 1e5, 1e15, 1e18}).Draw(t, "unit")
		high := low + max(math.Nextafter(math.Abs(low), math.Inf(1))-math.Abs(low), rapid.Float64Range(0, 1).Draw(t, "width")*math.Abs(low))
		a, b, ok := outwards(low, high)
		if !ok {
			if high-low > max(1e-11, 1e-11*max(math.Abs(low), math.Abs(high))) {
				t.Fatal("gave up")
			}
			return
		}
		if a.Float() > low || b.Float() < high {
			t.Fatalf("%v..%v is inside", a, b)
		}
		if a.Float() < low-(high-low)/8 && a.Float() < math.Nextafter(low, math.Inf(-1)) || b.Float() > high+(high-low)/8 && b.Float() > math.Nextafter(high, math.Inf(1)) {
			t.Fatalf("%v..%v is far outside", a, b)
		}
	})
	for _, c := range [][4]string{{"0.5", "9.7", "0.5", "10"}, {"17", "82", "15", "85"}, {"0.0521", "0.1634", "0.05", "0.17"}, {"-3", "1200", "-100", "1200"}} {
		a, b, ok := outwards(dec(c[0]).Float(), dec(c[1]).Float())
		if !ok || a != dec(c[2]) || b != dec(c[3]) {
			t.Errorf("%v: %v..%v", c, a, b)
		}
	}
	if _, _, ok := outwards(0, 1e16); ok {
		t.Error("too large")
	}
}

// A guessed schema reads the file that it was guessed from, and what it declares
// is short enough for a study.
func TestGuessReadsItsOwnFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		columns := rapid.IntRange(1, 6).Draw(t, "columns")
		b.WriteString("ID code")
		for i := range columns {
			fmt.Fprintf(&b, ",c%d", i)
		}
		b.WriteString("\n")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"", "small", "big", "word", "any"}), columns, columns).Draw(t, "kinds")
		for r := range rapid.IntRange(1, 40).Draw(t, "rows") {
			fmt.Fprintf(&b, "%d", r)
			for _, k := range kinds {
				b.WriteByte(',')
				switch k {
				case "small":
					fmt.Fprintf(&b, "%v", rapid.Float64Range(-1, 1).Draw(t, "small"))
				case "big":
					fmt.Fprintf(&b, "%v", rapid.Float64().Draw(t, "big"))
				case "word":
					b.WriteString(rapid.SampledFrom([]string{"a", "b", "NA", ""}).Draw(t, "word"))
				case "any":
					b.WriteString(rapid.StringMatching(`[a-z0-9 .]{0,4}`).Draw(t, "any"))
				}
			}
			b.WriteString("\n")
		}
		d, err := guessText(b.String())
		if err != nil {
			t.Fatal(err)
		}
		s := croft.Schema{UnitColumn: table.RowUnit}
		for _, c := range d.Columns {
			s.Columns = append(s.Columns, c.Column)
		}
		if _, err := Read(bytes.NewReader(b.Bytes()), "a.csv", s, Limits{}); err != nil && !errors.Is(err, croft.ErrNoRows) {
			t.Fatalf("%v\n%s\n%+v", err, b.String(), s)
		}
	})
}

// wdbc reads the public Wisconsin data, for a test on a real file.
func TestGuessWisconsin(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	raw, err := os.ReadFile(filepath.Join(root, "..", "shared", "data", "wdbc", "breast_cancer.csv"))
	if err != nil {
		t.Skip("the Wisconsin data is not here:", err)
	}
	_, rows, _ := strings.Cut(string(raw), "\n")
	names := make([]string, 31)
	for i := range names {
		names[i] = fmt.Sprintf("x%d", i)
	}
	text := strings.Join(names, ",") + "\n" + rows
	d, err := guessText(text)
	if err != nil {
		t.Fatal(err)
	}
	last := d.Columns[len(d.Columns)-1]
	if len(d.Columns) != 31 || last.Kind != croft.Category || !slices.Equal(last.Levels, []string{"0", "1"}) || d.Columns[0].Low != dec("6") || d.Columns[0].High != dec("30") {
		t.Errorf("%d columns, label %+v, first %v to %v", len(d.Columns), last, d.Columns[0].Low, d.Columns[0].High)
	}
	s := croft.Study{Schema: croft.Schema{UnitColumn: table.RowUnit}, Model: croft.Model{Label: "x30", Positive: "0"}}
	for _, c := range d.Columns {
		s.Schema.Columns = append(s.Schema.Columns, c.Column)
		if c.Name != "x30" {
			s.Model.Features = append(s.Model.Features, c.Name)
		}
	}
	tab, err := Read(strings.NewReader(text), "wdbc.csv", s.Schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	train, _, err := table.Build(tab, s)
	if err != nil {
		t.Fatal(err)
	}
	malignant := 0.0
	for _, y := range train.Y {
		malignant += y
	}
	if malignant != 212 || len(train.Y) != 569 {
		t.Errorf("%v of %d malignant", malignant, len(train.Y))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("id,age,sex,ill\n1,60,m,yes\n2,30,f,no\n"))
	f.Add([]byte("\ufeffid;age;sex;ill\r\n1;\"6\n0\";m;yes\r\n"))
	f.Add([]byte("id\tage\n\"\"\"\t1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		limits := Limits{Rows: 100, Line: 200}
		tab, err := Read(bytes.NewReader(text), "f", schema, limits)
		if err == nil && (tab.Rows() == 0 || tab.Rows() > limits.Rows || len(tab.People()) > tab.Rows()) {
			t.Fatalf("%d rows of %d people", tab.Rows(), len(tab.People()))
		}
		if err != nil && croft.CodeOf(err) == croft.ErrInternal {
			t.Fatalf("%T %v", err, err)
		}
		d, err := guessText(string(text))
		if err != nil {
			return
		}
		s := croft.Schema{UnitColumn: table.RowUnit}
		for _, c := range d.Columns {
			s.Columns = append(s.Columns, c.Column)
		}
		if _, err := Read(bytes.NewReader(text), "f", s, Limits{}); err != nil && !errors.Is(err, croft.ErrNoRows) {
			t.Fatalf("a guess does not read its own file: %v", err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("id,age,sex,ill\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "%d,%d.5,%s,%s\n", i/2, i%120, []string{"m", "f"}[i%2], []string{"no", "yes"}[i%2])
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(text.Bytes()), "a.csv", schema, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Rare levels are offered as one, in lines that a study file can have.
func TestRareLevelsCanBeMerged(t *testing.T) {
	d, err := guessText("ward,x\n" + strings.Repeat("a,1\nb,2\n", 20) + "c,1\nd,2\nc,1\n")
	if err != nil {
		t.Fatal(err)
	}
	ward := d.Columns[0]
	if !slices.Equal(ward.Merged, []string{"a", "b", "other"}) || !strings.Contains(ward.Note, "2 levels have fewer than 5 rows") {
		t.Fatalf("%+v", ward)
	}
	ward.Levels, ward.Other = ward.Merged, "other"
	s := croft.Schema{UnitColumn: table.RowUnit, Columns: []croft.Column{ward.Column}}
	tab, err := Read(strings.NewReader("ward\na\nc\nb\nnobody knows\n"), "a.csv", s, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	design, _, err := table.Build(tab, croft.Study{Schema: s, Model: croft.Model{Features: []string{"ward"}}})
	if err != nil || fmt.Sprint(design.Names, design.X) != "[ward=b ward=other] [[0 0] [0 1] [1 0] [0 1]]" {
		t.Error(err, design)
	}
}

func TestPersonalColumns(t *testing.T) {
	for name, personal := range map[string]bool{"dob": true, "date of birth": true, "patientID": true, "mrn": true, "last_name": true, "surname": true, "post code": false, "postcode": true,
		"age": false, "birth weight": false, "valid": false, "video": false, "filename": false, "email": true} {
		if got := Personal(name) != ""; got != personal {
			t.Errorf("%s: %v", name, got)
		}
	}
}
