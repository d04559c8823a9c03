package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

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
		"no person":      {"p.ndjson", strings.Replace(good, `"id":"1",`, "", 1), croft.ErrMissingValue, "p.ndjson, line 1, column id"},
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
