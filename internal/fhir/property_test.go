package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawElement draws an element with fields a, b, c: numbers, elements, lists of elements.
func drawElement(r *rand.Rand, depth int) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"a", "b", "c"} {
		switch form := r.IntN(6); {
		case form == 0:
		case depth == 0 || form == 1:
			out[name] = r.IntN(10)
		case form == 2:
			out[name] = drawElement(r, depth-1)
		default:
			list := []any{}
			for range r.IntN(4) {
				list = append(list, drawElement(r, depth-1))
			}
			out[name] = list
		}
	}
	return out
}

// drawSelection draws a select; its columns are called by a letter and a number of their own.
func drawSelection(r *rand.Rand, depth int, columns *int) map[string]any {
	path := func() string {
		return []string{"a", "b", "c"}[r.IntN(3)] + []string{"", "", ".a", ".b"}[r.IntN(4)]
	}
	s := map[string]any{}
	switch r.IntN(6) {
	case 0, 1:
		s["forEach"] = path()
	case 2:
		s["forEachOrNull"] = path()
	case 3:
		s["repeat"] = []any{path()}
	}
	if depth == 0 || r.IntN(2) == 0 {
		*columns++
		s["column"] = []any{
			map[string]any{"name": fmt.Sprint("n", *columns), "path": path() + ".ofType(integer)", "collection": true},
			map[string]any{"name": fmt.Sprint("i", *columns), "path": "%rowIndex"},
		}
	}
	if depth == 0 {
		return s
	}
	var selects []any
	for range r.IntN(3) {
		selects = append(selects, drawSelection(r, depth-1, columns))
	}
	if selects != nil {
		s["select"] = selects
	}
	if r.IntN(3) == 0 {
		branch := drawSelection(r, depth-1, columns)
		other := maps.Clone(branch) // the same columns for other elements
		delete(other, "forEach")
		delete(other, "repeat")
		delete(other, "forEachOrNull")
		s["unionAll"] = []any{branch, other}
	}
	return s
}

// slowRows is SQL on FHIR's functional model, word by word: rows are maps, a
// select merges each of its parts' rows with each of the others'.
func slowRows(s map[string]any, element any, index int) []map[string]any {
	inner := func(element any, index int) []map[string]any {
		out := []map[string]any{{}}
		merge := func(more []map[string]any) {
			var all []map[string]any
			for _, a := range out {
				for _, b := range more {
					row := maps.Clone(a)
					maps.Copy(row, b)
					all = append(all, row)
				}
			}
			out = all
		}
		columns, _ := s["column"].([]any)
		for _, c := range columns {
			c := c.(map[string]any)
			if c["path"] == "%rowIndex" {
				merge([]map[string]any{{c["name"].(string): index}})
				continue
			}
			numbers := []any{}
			for _, found := range walk(element, strings.TrimSuffix(c["path"].(string), ".ofType(integer)")) {
				if n, ok := found.(int); ok {
					numbers = append(numbers, n)
				}
			}
			merge([]map[string]any{{c["name"].(string): numbers}})
		}
		selects, _ := s["select"].([]any)
		for _, part := range selects {
			merge(slowRows(part.(map[string]any), element, index))
		}
		if union, ok := s["unionAll"].([]any); ok {
			var all []map[string]any
			for _, branch := range union {
				all = append(all, slowRows(branch.(map[string]any), element, index)...)
			}
			merge(all)
		}
		return out
	}
	var found []any
	switch {
	case s["forEach"] != nil:
		found = walk(element, s["forEach"].(string))
	case s["forEachOrNull"] != nil:
		if found = walk(element, s["forEachOrNull"].(string)); len(found) == 0 {
			return []map[string]any{nullRow(s)}
		}
	case s["repeat"] != nil:
		var down func(element any)
		down = func(element any) {
			for _, next := range walk(element, s["repeat"].([]any)[0].(string)) {
				found = append(found, next)
				down(next)
			}
		}
		down(element)
	default:
		return inner(element, index)
	}
	var out []map[string]any
	for i, f := range found {
		out = append(out, inner(f, i)...)
	}
	return out
}

func nullRow(s map[string]any) map[string]any {
	row := map[string]any{}
	columns, _ := s["column"].([]any)
	for _, c := range columns {
		if name := c.(map[string]any)["name"].(string); name[0] == 'i' {
			row[name] = 0
		} else {
			row[name] = nil
		}
	}
	for _, parts := range []any{s["select"], s["unionAll"]} {
		list, _ := parts.([]any)
		for _, part := range list {
			maps.Copy(row, nullRow(part.(map[string]any)))
		}
	}
	return row
}

// walk follows a path of names.
func walk(element any, path string) []any {
	found := []any{element}
	for name := range strings.SplitSeq(path, ".") {
		var next []any
		for _, f := range found {
			fields, _ := f.(map[string]any)
			switch v := fields[name].(type) {
			case nil:
			case []any:
				next = append(next, v...)
			default:
				next = append(next, v)
			}
		}
		found = next
	}
	return found
}

func TestRowsAreThoseOfTheModel(t *testing.T) {
	made, stopped := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 0))
		resource := drawElement(r, 4)
		resource["resourceType"] = "Basic"
		names := 0
		s := drawSelection(r, 2, &names)
		if names == 0 {
			continue
		}
		view, _ := json.Marshal(map[string]any{"resource": "Basic", "select": []any{s}})
		text, _ := json.Marshal(resource)
		columns, got, err := runAll(view, []json.RawMessage{text})
		if errors.Is(err, errTooManyCells) {
			stopped++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, view, err)
		}
		want := slowRows(s, resource, 0)
		if len(got) != len(want) {
			t.Fatalf("seed %d: %s\non %s:\n%d rows, expected %d", seed, view, text, len(got), len(want))
		}
		for n, row := range got {
			line := map[string]any{}
			for i, c := range columns {
				line[c] = row[i]
			}
			got, _ := json.Marshal(line)
			if want, _ := json.Marshal(want[n]); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: %s\non %s:\nrow %d is %s, expected %s", seed, view, text, n, got, want)
			}
		}
		made += len(want)
	}
	t.Logf("%d rows; %d views made too many", made, stopped)
	if made < 10_000 {
		t.Error("too few rows to show anything")
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	v := mustParse(t, `{"resource":"Basic","select":[{"column":[{"name":"a","path":"a"},{"name":"b","path":"b"},{"name":"sum","path":"a + b"},
		{"name":"product","path":"a * b"},{"name":"less","path":"a < b"},{"name":"same","path":"a = b"},{"name":"low","path":"a.lowBoundary()"},{"name":"high","path":"a.highBoundary()"}]}]}`)
	digits := rapid.StringMatching(`-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,12})?([eE][+-]?[0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := digits.Draw(t, "a"), digits.Draw(t, "b")
		rows, err := v.Run(fmt.Appendf(nil, `{"resourceType":"Basic","a":%s,"b":%s}`, a, b))
		if err != nil {
			t.Fatal(err)
		}
		row := rows[0]
		if row[0] != json.Number(a) || row[1] != json.Number(b) {
			t.Fatalf("%s and %s became %v and %v", a, b, row[0], row[1])
		}
		rat := func(v any) *big.Rat {
			r, ok := new(big.Rat).SetString(fmt.Sprint(v))
			if !ok {
				t.Fatalf("%v is not a number", v)
			}
			return r
		}
		x, y := rat(a), rat(b)
		if new(big.Rat).Add(x, y).Cmp(rat(row[2])) != 0 || new(big.Rat).Mul(x, y).Cmp(rat(row[3])) != 0 {
			t.Fatalf("%s and %s: sum %v, product %v", a, b, row[2], row[3])
		}
		if row[4] != (x.Cmp(y) < 0) || row[5] != (x.Cmp(y) == 0) {
			t.Fatalf("%s and %s: less %v, same %v", a, b, row[4], row[5])
		}
		if middle := new(big.Rat).Add(rat(row[6]), rat(row[7])); rat(row[6]).Cmp(x) >= 0 || middle.Cmp(x.Add(x, x)) != 0 {
			t.Fatalf("%s lies between %v and %v", a, row[6], row[7])
		}
	})
}

// Moments of any zone are ordered as package time orders them, and what a text
// may mean lies within its boundaries.
func TestMomentsAreOrdered(t *testing.T) {
	moments := rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		return time.UnixMilli(rapid.Int64Range(-62e12, 253e12).Draw(t, "millis")).In(zone)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := moments.Draw(t, "a"), moments.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = a.Add(time.Duration(rapid.Int64Range(-90_000, 90_000).Draw(t, "apart")) * time.Millisecond).In(b.Location())
		}
		const full = "2006-01-02T15:04:05.999Z07:00"
		x, okX := parseMoment(a.Format(full))
		y, okY := parseMoment(b.Format(full))
		if order, known := x.compare(y); !okX || !okY || !known || order != a.Compare(b) {
			t.Fatalf("%s and %s: %v %v, order %d %v", a.Format(full), b.Format(full), okX, okY, order, known)
		}
		form := rapid.SampledFrom([]string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04:05.0", "2006-01-02T15:04:05Z07:00"}).Draw(t, "form")
		text := a.Format(form)
		m, ok := parseMoment(text)
		low, okLow := parseMoment(m.boundary("dateTime", false))
		high, okHigh := parseMoment(m.boundary("dateTime", true))
		if !ok || !okLow || !okHigh {
			t.Fatalf("%s lies between %s and %s", text, m.boundary("dateTime", false), m.boundary("dateTime", true))
		}
		if _, offset := a.Zone(); m.zoned || offset >= -12*3600 { // FHIRPath ends at -12:00
			before, _ := low.compare(x)
			after, _ := high.compare(x)
			if before > 0 || after < 0 {
				t.Fatalf("%s, which is %s, lies between %s and %s", a.Format(full), text, m.boundary("dateTime", false), m.boundary("dateTime", true))
			}
		}
	})
}

func TestMomentsAsPreciseAsTheyAre(t *testing.T) {
	for pair, want := range map[[2]string]string{
		{"2010", "2010-01"}:                                        "not known",
		{"2010", "2011-01"}:                                        "less",
		{"2010-01-01", "2010-01-01T00:00:00Z"}:                     "not known",
		{"2010-01-01", "2010-01-02T00:00:00+14:00"}:                "less",
		{"2010-01-01T10:00", "2010-01-01T10:00:00"}:                "not known",
		{"2010-01-01T10:00", "2010-01-01T10:01:00"}:                "less",
		{"2010-01-01T10:00:00", "2010-01-01T10:00:00.000"}:         "equal",
		{"2010-01-01T10:00:00", "2010-01-01T10:00:00.001"}:         "less",
		{"2010-01-01T10:00:00", "2010-01-01T10:00:00Z"}:            "not known",
		{"2010-01-01T10:00:00", "2012-01-01T10:00:00Z"}:            "not known",
		{"2010-01-01T10:00:00+02:00", "2010-01-01T08:00:00Z"}:      "equal",
		{"2010-01-01T00:30:00+02:00", "2009-12-31T23:00:00.5Z"}:    "less",
		{"10:00:00", "10:00:00.1"}:                                 "less",
		{"10:00", "10:00:30"}:                                      "not known",
		{"2010-01-01T10:00:00.123456789Z", "2010-01-01T10:00:01Z"}: "less",
	} {
		a, _ := parseMoment(pair[0])
		b, _ := parseMoment(pair[1])
		order, known := a.compare(b)
		back, _ := b.compare(a)
		got := map[int]string{-1: "less", 0: "equal", 1: "more"}[order]
		if !known {
			got = "not known"
		}
		if got != want || back != -order {
			t.Errorf("%s and %s: %s, expected %s; the other way round %d", pair[0], pair[1], got, want, back)
		}
	}
	for year := range 9999 { // a minute passes at each turn of the year
		a, _ := parseMoment(fmt.Sprintf("%04d-12-31T23:59Z", year))
		b, _ := parseMoment(fmt.Sprintf("%04d-01-01T00:00Z", year+1))
		if b.minutes()-a.minutes() != 1 {
			t.Fatalf("%d minutes to the year %d", b.minutes()-a.minutes(), year+1)
		}
	}
}

// A moment is read or refused as package time does.
func TestMomentsAreRead(t *testing.T) {
	for text, good := range map[string]bool{
		"2020": true, "2020-02": true, "2020-02-29": true, "2021-02-29": false, "1900-02-29": false, "2000-02-29": true, "2020-00": false, "2020-13-01": false,
		"2020-2": false, "20": false, "": false, "2020-": false, "2020-01-01T": false, "2020-01-01T10": false, "2020-01-01T10:00": true, "2020-01-01T10:00Z": true,
		"2020-01-01T24:00": false, "2020-01-01T10:60": false, "2020-01-01T10:00:60Z": true, "2020-01-01T10:00:61": false, "2020-01-01T10:00:00.": false,
		"2020-01-01T10:00:00.123456789+02:00": true, "2020-01-01T10:00:00.1234567890": false, "2020-01-01T10:00:00+2:00": false, "2020-01-01T10:00:00+15:00": false,
		"2020-01-01T10:00:00+02:60": false, "2020-01-01T10:00:00z": false, "2020-01-01T10:00:00 ": false, "10:00": true, "10:00:00.5": true, "10:00:00Z": false,
		"10": false, "1:00": false, "25:00": false, "10:0": false, "+020-01-01": false, "2020-01-01T+1:00": false, "10:00.5": false,
	} {
		if _, ok := parseMoment(text); ok != good {
			t.Errorf("%q: %v, expected %v", text, ok, good)
		}
	}
}

// The decoder takes what encoding/json takes, except for what it says it refuses.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{patient, `[1.50e-3,-0,"\u00e9\ud83d\ude00\\",true,null,{}]`, `{"a":1,"a":2}`, "\xff", ` [ ] `, `-`, `1.`, `tru`, "[\"\x01\"]", strings.Repeat("[", 70)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decode(data)
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var want any
		errWant := d.Decode(&want)
		if errWant == nil && !json.Valid(data) {
			errWant = errors.New("something follows")
		}
		if err == nil && (errWant != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%q: got %v, encoding/json %v %v", data, got, want, errWant)
		}
		if err != nil && errWant == nil && !strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "deep") {
			t.Fatalf("%q: %v, and encoding/json reads it", data, err)
		}
	})
}

// Whatever a path is, it is refused or it runs; running it twice gives the same.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"name.where(use = %s).given[%n].first()", "extension('u:a').value.ofType(decimal) * -2.50 / 3 + 1", "(birthDate < %day and active).not() or true",
		"name.given.join(', ') + 'it\\'s \\u00e9'", "getResourceKey() != generalPractitioner.getReferenceKey(Practitioner)", "$this.`name`.exists(family >= 'F2')",
		"extension.value.lowBoundary()", "%rowIndex", "name[0] = name[1]", "1e9", "%'s'", "birthDate.highBoundary()",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		one, err1 := eval(path)
		two, err2 := eval(path)
		if one != two || fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Errorf("%q: %s %v, then %s %v", path, one, err1, two, err2)
		}
	})
}

func FuzzView(f *testing.F) {
	for _, view := range []string{
		`{"resource":"Patient","where":[{"path":"active"}],"select":[{"forEach":"name","column":[{"name":"a","path":"family"}],"select":[{"repeat":["period"],"column":[{"name":"b","path":"start"}]}]}]}`,
		`{"resourceType":"ViewDefinition","name":"x","resource":"Patient","constant":[{"name":"c","valueCode":"a"}],"select":[{"unionAll":[{"column":[{"name":"a","path":"%c"}]},{"forEachOrNull":"contact","column":[{"name":"a","path":"%rowIndex","collection":true}]}]}]}`,
	} {
		f.Add([]byte(view))
	}
	f.Fuzz(func(t *testing.T, view []byte) {
		v, err := Parse(view)
		if err != nil {
			return
		}
		rows, err := v.Run([]byte(patient))
		for _, row := range rows {
			if err != nil || len(row) != len(v.Columns) {
				t.Fatalf("%v: a row of %d cells in a view of %d columns", err, len(row), len(v.Columns))
			}
		}
	})
}

func FuzzResource(f *testing.F) {
	f.Add([]byte(patient))
	f.Add([]byte(answers))
	f.Add([]byte(`{"resourceType":"Patient","a":[null,[1],{"resourceType":"Group"}],"valueDate":"2020"}`))
	var views []*View
	for _, kind := range []string{"Patient", "QuestionnaireResponse"} {
		v, err := Parse([]byte(`{"resource":"` + kind + `","select":[{"column":[{"name":"a","path":"value.lowBoundary()","collection":true},{"name":"b","path":"a = value"},
			{"name":"c","path":"extension('u:a').value.ofType(Quantity).value + 1"},{"name":"d","path":"name.given.join()"},{"name":"e","path":"birthDate < name.period.start.first()"}]},
			{"repeat":["item","answer.item"],"column":[{"name":"f","path":"linkId"}]}]}`))
		if err != nil {
			f.Fatal(err)
		}
		views = append(views, v)
	}
	f.Fuzz(func(t *testing.T, resource []byte) {
		for _, v := range views {
			rows, err := v.Run(resource)
			again, errAgain := v.Run(bytes.Clone(resource))
			if fmt.Sprint(rows, err) != fmt.Sprint(again, errAgain) {
				t.Fatalf("%v %v, then %v %v", rows, err, again, errAgain)
			}
			for _, row := range rows {
				for i, c := range row {
					if list, ok := c.([]any); ok != v.Columns[i].Collection {
						t.Fatalf("column %d is %v", i, list)
					}
				}
			}
		}
	})
}

func BenchmarkRun(b *testing.B) {
	v, err := Parse([]byte(`{"resource":"Patient","where":[{"path":"active"}],"select":[{"column":[{"name":"id","path":"getResourceKey()"},{"name":"born","path":"birthDate"},
		{"name":"a","path":"extension('u:a').value.ofType(decimal)"}]},{"forEach":"name.where(use = 'official')","column":[{"name":"family","path":"family"}]}]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(patient)))
	for b.Loop() {
		if rows, err := v.Run([]byte(patient)); err != nil || len(rows) != 1 {
			b.Fatal(rows, err)
		}
	}
}
