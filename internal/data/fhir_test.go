package data

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"croft"
	"croft/internal/fhir"
	"croft/internal/store"
	"croft/internal/table"
)

const pressures = "testdata/pressures.json"

var pressureSchema = croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
	{Name: "systolic", Kind: croft.Number, Unit: "mmHg", Low: dec("50"), High: dec("260")},
	{Name: "diastolic", Kind: croft.Number, Unit: "mmHg", Low: dec("20"), High: dec("160"), Missing: croft.MissingDrop},
	{Name: "high", Kind: croft.Category, Levels: []string{"false", "true"}},
}}

func openFHIR(folder, view string, schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	return Source{Path: folder, View: view}.Open(schema, limits)
}

// The sample's resources and view give the rows that a file of rows gives.
func TestResourcesBecomeRows(t *testing.T) {
	got, hash, err := openFHIR("testdata/fhir", pressures, pressureSchema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := Open("testdata/pressures.csv", pressureSchema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows() != 15 || len(got.People()) != 9 || !slices.Equal(got.Dropped(), []int{0, 1, 0}) {
		t.Errorf("%d rows of %d people, dropped %v", got.Rows(), len(got.People()), got.Dropped())
	}
	plan := croft.Study{Schema: pressureSchema, Model: croft.Model{Label: "high", Positive: "true", Features: []string{"systolic", "diastolic"}}}
	x, _, err := table.Build(got, plan)
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := table.Build(want, plan)
	if err != nil || !reflect.DeepEqual(x, y) || !slices.Equal(got.People(), want.People()) {
		t.Errorf("%v\n%v %v", x, y, err)
	}

	// Compressed and in two files it is the same rows, under another hash.
	dir := t.TempDir()
	lines := strings.SplitAfter(readFile(t, "testdata/fhir/Observation.ndjson"), "\n")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(strings.Join(lines[:11], "")))
	w.Close()
	writeFile(t, dir, "Observation.0.ndjson.gz", packed.String())
	writeFile(t, dir, "Observation.1.ndjson", "\r\n"+strings.ReplaceAll(strings.Join(lines[11:], ""), "\n", "\r\n"))
	writeFile(t, dir, "manifest.json", "{")
	again, other, err := openFHIR(dir, pressures, pressureSchema, Limits{})
	if err != nil || !reflect.DeepEqual(got, again) || other == hash {
		t.Errorf("%v %v %v", again, other == hash, err)
	}
}

// Whatever can change the rows changes the hash; what cannot does not.
func TestHashPinsFilesAndView(t *testing.T) {
	dir, view := t.TempDir(), filepath.Join(t.TempDir(), "view.json")
	patient := func(id string) string { return `{"resourceType":"Patient","id":"` + id + `"}` + "\n" }
	const text = `{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"}]}]}`
	writeFile(t, dir, "a.ndjson", patient("1"))
	writeFile(t, dir, "b.ndjson", patient("2"))
	writeFile(t, "", view, text)
	open := func() croft.Hash {
		_, hash, err := openFHIR(dir, view, croft.Schema{UnitColumn: "id"}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first := open()
	writeFile(t, dir, "readme.txt", "new")
	os.Mkdir(filepath.Join(dir, "more"), 0o700)
	if open() != first {
		t.Error("a file that is not read changes the hash")
	}
	seen := []croft.Hash{first}
	for what, change := range map[string]func(){
		"a line":            func() { writeFile(t, dir, "a.ndjson", patient("3")) },
		"a line moved":      func() { writeFile(t, dir, "a.ndjson", patient("1")+patient("2")); writeFile(t, dir, "b.ndjson", "") },
		"another file":      func() { writeFile(t, dir, "c.ndjson", `{"resourceType":"Group"}`) },
		"a name":            func() { os.Rename(filepath.Join(dir, "b.ndjson"), filepath.Join(dir, "b2.ndjson")) },
		"a space in a view": func() { writeFile(t, "", view, text+" ") },
	} {
		change()
		hash := open()
		if slices.Contains(seen, hash) {
			t.Errorf("%s does not change the hash", what)
		}
		seen = append(seen, hash)
	}
}

func TestBadResources(t *testing.T) {
	const good = `{"resourceType":"Patient","id":"1","gender":"female","deceasedBoolean":false}` + "\n"
	schema := croft.Schema{UnitColumn: "id", Columns: []croft.Column{{Name: "gender", Kind: croft.Category, Levels: []string{"female", "male"}}}}
	view := filepath.Join(t.TempDir(), "view.json")
	writeFile(t, "", view, `{"resource":"Patient","where":[{"path":"deceased.ofType(boolean).not()"}],"select":[{"column":[{"name":"id","path":"id"},{"name":"gender","path":"gender"}]}]}`)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write([]byte(good))
	w.Close()
	for name, c := range map[string]struct {
		file, text string
		code       croft.Code
		says       string
	}{
		"not JSON":       {"p.ndjson", good + "\n{\"resourceType\":\n", croft.ErrResource, "p.ndjson, line 3: the JSON ends too early"},
		"an array":       {"p.ndjson", good + "[]", croft.ErrResource, "p.ndjson, line 2: it is not a JSON object"},
		"one on lines":   {"p.ndjson", "{\n \"resourceType\":\"Patient\"}\n", croft.ErrResource, "line 1"},
		"two names":      {"p.ndjson", good + `{"resourceType":"Patient","deceasedBoolean":false,"id":["1","2"]}`, croft.ErrResource, "p.ndjson, line 2: column id: 2 values"},
		"unknown level":  {"p.ndjson", good + strings.Replace(good, "female", "other", 1), croft.ErrLevelUnknown, `p.ndjson, line 2, column gender: "other" is not one of`},
		"no value":       {"p.ndjson", good + `{"resourceType":"Patient","id":"2","deceasedBoolean":false}`, croft.ErrMissingValue, "p.ndjson, line 2, column gender"},
		"no person":      {"p.ndjson", strings.Replace(good, `"id":"1",`, "", 1), croft.ErrNoPerson, "p.ndjson, line 1: column id"},
		"an endless one": {"p.ndjson", good + `{"a":"` + strings.Repeat("x", fhir.MaxResource), croft.ErrResource, "p.ndjson, line 2: the resource is longer than 4194304 bytes"},
		"none of them":   {"p.ndjson", `{"resourceType":"Group"}`, croft.ErrNoRows, "0 usable rows"},
		"no gzip":        {"p.ndjson.gz", good, croft.ErrFileOpen, "p.ndjson.gz"},
		"half a gzip":    {"p.ndjson.gz", gz.String()[:gz.Len()-6], croft.ErrFileOpen, "p.ndjson.gz"},
		"no file":        {"p.json", good, croft.ErrFileOpen, "no file in it is called *.ndjson"},
	} {
		dir := t.TempDir()
		writeFile(t, dir, c.file, c.text)
		if _, _, err := openFHIR(dir, view, schema, Limits{}); !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 300 {
			t.Errorf("%s: got %v\nwant %v with %q", name, err, c.code, c.says)
		}
	}
	dir := t.TempDir()
	writeFile(t, dir, "p.ndjson", strings.Repeat(good, 3))
	if _, _, err := openFHIR(dir, view, schema, Limits{Rows: 3, Line: len(good)}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if _, _, err := openFHIR(dir, view, schema, Limits{Rows: 2}); !errors.Is(err, croft.ErrTooManyRows) || !strings.Contains(err.Error(), "p.ndjson has more than 2 rows") {
		t.Error(err)
	}
	if _, _, err := openFHIR(dir, view, schema, Limits{Line: len(good) - 1}); !errors.Is(err, croft.ErrResource) {
		t.Error(err)
	}
	if _, _, err := openFHIR(dir, view, croft.Schema{UnitColumn: "mrn"}, Limits{}); !errors.Is(err, croft.ErrColumnMissing) || !strings.Contains(err.Error(), "view.json has no column mrn") {
		t.Error(err)
	}
	for text, says := range map[string]string{
		`{"resource":"Patient"}`: "view.json is not a view that can be run: select: the view has no columns",
		`{"resource":"Patient","select":[{"column":[{"name":"a","path":"name.given","collection":true}]}]}`: "column a is a collection",
		strings.Repeat(" ", fhir.MaxView+1): "longer than",
	} {
		writeFile(t, "", view, text)
		if _, _, err := openFHIR(dir, view, schema, Limits{}); !errors.Is(err, croft.ErrView) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100s: %v", text, err)
		}
	}
	for _, c := range [][2]string{{dir, filepath.Join(dir, "none.json")}, {filepath.Join(dir, "none"), pressures}, {filepath.Join(dir, "p.ndjson"), pressures}, {dir, dir}} {
		if _, _, err := openFHIR(c[0], c[1], schema, Limits{}); !errors.Is(err, croft.ErrFileOpen) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A folder is registered, opened under a study's schema, and found changed when
// a resource or the view is.
func TestFolderIsADataset(t *testing.T) {
	dir, view := t.TempDir(), filepath.Join(t.TempDir(), "view.json")
	writeFile(t, dir, "Observation.ndjson", readFile(t, "testdata/fhir/Observation.ndjson"))
	writeFile(t, "", view, readFile(t, pressures))
	docs, err := store.OpenDocs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRegistry(docs)
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Prepare(dir, "pressures", Options{View: view, Unit: "patient", Releases: 10})
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows != 16 || len(d.People) != 10 || strings.Join(d.Columns, " ") != "patient systolic diastolic high" {
		t.Errorf("%d rows of %d people, columns %v", d.Rows, len(d.People), d.Columns)
	}
	id := croft.DatasetID{1}
	if err := r.Add(id, d); err != nil {
		t.Fatal(err)
	}
	tab, commitment, err := r.Open(t.Context(), id, pressureSchema)
	if err != nil || commitment != d.Commitment || tab.Rows() != 15 {
		t.Errorf("%v %v %v", tab, commitment == d.Commitment, err)
	}
	rows, err := r.Prepare("testdata/pressures.csv", "rows", Options{Unit: "patient"})
	if err != nil || !slices.Equal(rows.Overlaps, []string{"pressures"}) || rows.Group != d.Group {
		t.Errorf("the same people in a file: %v %v", rows.Overlaps, err)
	}
	writeFile(t, "", view, strings.Replace(readFile(t, pressures), "or status = 'amended'", "or status = 'entered-in-error'", 1))
	if _, changed, err := r.Open(t.Context(), id, croft.Schema{UnitColumn: "patient"}); err != nil || changed == d.Commitment {
		t.Errorf("another view: %v", err)
	}
}

func TestViewIsTheDocumentedOne(t *testing.T) {
	if !strings.Contains(readFile(t, "../../docs/ref/fhir.md"), "```json\n"+readFile(t, pressures)+"```") {
		t.Error("docs/ref/fhir.md does not show testdata/pressures.json")
	}
	if !strings.Contains(readFile(t, "../../docs/ref/fhir.md"), "```json\n"+readFile(t, "testdata/patients.json")+"```") {
		t.Error("docs/ref/fhir.md does not show testdata/patients.json")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Pressures beside their patients' sex are the rows of a file that has both; a view that
// cannot be joined says why, and whatever changes a joined view changes the hash.
func TestViewsAreJoined(t *testing.T) {
	schema := pressureSchema
	schema.Columns = append(slices.Clone(schema.Columns), croft.Column{Name: "sex", Kind: croft.Category, Levels: []string{"female", "male"}})
	s := Source{Path: "testdata/fhir", View: pressures, Joined: []string{"testdata/patients.json"}}
	if header, err := s.columns(); err != nil || !slices.Equal(header, []string{"patient", "systolic", "diastolic", "high", "sex"}) {
		t.Errorf("%q %v", header, err)
	}
	got, hash, err := s.Open(schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sex := map[string]string{}
	for line := range strings.Lines(readFile(t, "testdata/fhir/Patient.ndjson")) {
		var p struct{ ID, Gender string }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		sex["Patient/"+p.ID] = p.Gender
	}
	text := ""
	for i, line := range strings.Split(strings.TrimSpace(readFile(t, "testdata/pressures.csv")), "\n") {
		if patient, _, _ := strings.Cut(line, ","); i > 0 {
			text += line + "," + sex[patient] + "\n"
			continue
		}
		text += line + ",sex\n"
	}
	want, err := Read(strings.NewReader(text), "a.csv", schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plan := croft.Study{Schema: schema, Model: croft.Model{Label: "high", Positive: "true", Features: []string{"systolic", "sex"}}}
	x, _, err := table.Build(got, plan)
	if err != nil {
		t.Fatal(err)
	}
	if y, _, err := table.Build(want, plan); err != nil || !reflect.DeepEqual(x, y) {
		t.Errorf("%v\n%v %v", x, y, err)
	}

	dir := t.TempDir()
	// The other way round, with patients who have none: an empty cell.
	high := filepath.Join(dir, "high")
	writeFile(t, "", high, strings.Replace(readFile(t, pressures), `"where": [`, `"where": [{"path": "interpretation.coding.exists(code = 'H')"},`, 1))
	turned := Source{Path: s.Path, View: s.Joined[0], Joined: []string{high}}
	if tab, _, err := turned.Open(croft.Schema{UnitColumn: "patient", Columns: []croft.Column{{Name: "systolic", Kind: croft.Number, Low: dec("50"), High: dec("260"), Missing: croft.MissingDrop}}}, Limits{}); err != nil || len(tab.People())+tab.Dropped()[0] != len(sex) || tab.Dropped()[0] == 0 {
		t.Errorf("%v %v %v", len(tab.People()), tab.Dropped(), err)
	}

	view := func(name, columns string) string {
		path := filepath.Join(dir, name)
		writeFile(t, "", path, `{"resource":"Patient","select":[{"column":[`+columns+`]}]}`)
		return path
	}
	id, sexColumn := `{"name":"patient","path":"getResourceKey()"}`, `{"name":"sex","path":"gender"}`
	s.Joined = []string{view("sex", id+","+sexColumn)}
	if _, other, err := s.Open(schema, Limits{}); err != nil || other == hash {
		t.Errorf("another joined view has the same hash, or %v", err)
	}
	for name, joined := range map[string][]string{
		"nothing shared": {view("a", `{"name":"who","path":"id"}`)},
		"two shared":     {view("b", id+`,{"name":"high","path":"active"}`)},
		"another key":    {view("c", id+","+sexColumn), view("d", `{"name":"sex","path":"gender"},{"name":"age","path":"birthDate"}`)},
	} {
		s.Joined = joined
		if _, _, err := s.Open(schema, Limits{}); !errors.Is(err, croft.ErrView) || !strings.Contains(err.Error(), "joined by one column that all have") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Joined = []string{view("sex", id+","+sexColumn), view("twice", id+`,{"name":"active","path":"active"}`)}
	if _, _, err := s.Open(schema, Limits{Rows: 14}); !errors.Is(err, croft.ErrTooManyRows) {
		t.Errorf("15 rows where 14 may be: %v", err)
	}
}

// A join is all pairs of rows with the same key, found by looking at all pairs.
func TestJoinIsAllPairs(t *testing.T) {
	view := func(columns ...string) *fhir.View {
		text := `{"resource":"Patient","select":[{"column":[`
		for i, c := range columns {
			text += strings.Repeat(",", min(i, 1)) + `{"name":"` + c + `","path":"id"}`
		}
		v, err := fhir.Parse([]byte(text + `]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	views := []*fhir.View{view("a", "id"), view("id", "b"), view("c", "d", "id")}
	keys := []string{"", "1", "2", "3"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, key, width int) [][]string {
			rows := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(keys), width, width), 0, 6).Draw(t, name)
			for i, row := range rows { // tell rows apart
				for j := range row {
					if j != key {
						row[j] = name + row[j] + strconv.Itoa(i)
					}
				}
			}
			return rows
		}
		first, second, third := draw("first", 1, 2), draw("second", 0, 2), draw("third", 2, 3)
		j := newJoin(views, []string{"a", "id", "b", "c", "d"})
		for _, row := range second {
			j.add(0, row)
		}
		for _, row := range third {
			j.add(1, row)
		}
		beside := func(rows [][]string, key int, is string, none []string) (out [][]string) {
			for _, row := range rows {
				if is != "" && row[key] == is {
					out = append(out, slices.Concat(row[:key], row[key+1:]))
				}
			}
			if out == nil {
				out = [][]string{none}
			}
			return out
		}
		var got, want [][]string
		for _, row := range first {
			if err := j.rows(row, func(cells []string) error { got = append(got, slices.Clone(cells)); return nil }); err != nil {
				t.Fatal(err)
			}
			for _, b := range beside(second, 0, row[1], []string{""}) {
				for _, cd := range beside(third, 2, row[1], []string{"", ""}) {
					want = append(want, slices.Concat(row, b, cd))
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
