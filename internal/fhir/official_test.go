package fhir

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var official = flag.String("official", "", "a folder of SQL on FHIR's test files (default: ../shared/vectors/sql-on-fhir beside the repository)")

// officialFile is the form of SQL on FHIR's test files (tests/tests.schema.json there).
type officialFile struct {
	Title     string            `json:"title"`
	Resources []json.RawMessage `json:"resources"`
	Tests     []struct {
		Title         string           `json:"title"`
		Tags          []string         `json:"tags"`
		View          json.RawMessage  `json:"view"`
		Expect        []map[string]any `json:"expect"`
		ExpectError   bool             `json:"expectError"`
		ExpectColumns []string         `json:"expectColumns"`
	} `json:"tests"`
}

// TestOfficial runs the official tests: all of them must pass, of the shareable
// profile and experimental ones.
func TestOfficial(t *testing.T) {
	dir := *official
	if dir == "" {
		dir = filepath.Join(filepath.Dir(root(t)), "shared", "vectors", "sql-on-fhir")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) == 0 {
		t.Skipf("no test files in %s: they are in the folder tests of github.com/FHIR/sql-on-fhir-v2 (MIT); "+
			"copy them there, or run go test ./internal/fhir -run Official -v -official FOLDER", dir)
	}
	passed, total := 0, 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f officialFile
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&f); err != nil || len(f.Tests) == 0 {
			t.Errorf("%s is not a test file: %v", name, err)
			continue
		}
		good := 0
		for _, c := range f.Tests {
			columns, rows, err := runAll(c.View, f.Resources)
			switch {
			case c.ExpectError && err == nil:
				t.Errorf("%s: %s: an error is expected", f.Title, c.Title)
			case c.ExpectError:
				good++
			case err != nil:
				t.Errorf("%s: %s: %v", f.Title, c.Title, err)
			case c.ExpectColumns != nil && !slices.Equal(c.ExpectColumns, columns):
				t.Errorf("%s: %s: columns %v, expected %v", f.Title, c.Title, columns, c.ExpectColumns)
			default:
				if got, want := canonical(columns, rows), expected(columns, c.Expect); slices.Equal(got, want) {
					good++
				} else {
					t.Errorf("%s: %s:\ngot  %s\nwant %s", f.Title, c.Title, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
				}
			}
		}
		t.Logf("%-24s %3d of %3d", filepath.Base(name), good, len(f.Tests))
		passed, total = passed+good, total+len(f.Tests)
	}
	t.Logf("%-24s %3d of %3d", "all", passed, total)
}

func runAll(view []byte, resources []json.RawMessage) (columns []string, rows []Row, err error) {
	v, err := Parse(view)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range v.Columns {
		columns = append(columns, c.Name)
	}
	for _, r := range resources {
		more, err := v.Run(r)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	return columns, rows, nil
}

// canonical writes rows as texts, in an order of their own: that of rows means nothing.
func canonical(columns []string, rows []Row) (out []string) {
	for _, row := range rows {
		line := map[string]any{}
		for i, c := range columns {
			line[c] = plain(row[i])
		}
		text, _ := json.Marshal(line)
		out = append(out, string(text))
	}
	slices.Sort(out)
	return out
}

func expected(columns []string, rows []map[string]any) (out []string) {
	for _, row := range rows {
		line := map[string]any{}
		for _, c := range columns {
			line[c] = nil // a column left out has no value
		}
		for c, v := range row {
			line[c] = plain(v)
		}
		text, _ := json.Marshal(line)
		out = append(out, string(text))
	}
	slices.Sort(out)
	return out
}

// plain writes a number as a fraction, so that 0.50 is 0.5.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, ok := new(big.Rat).SetString(string(v))
		return fmt.Sprint("number ", r, ok)
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(e))
		}
		return out
	}
	return v
}

func root(t *testing.T) string {
	dir, err := filepath.Abs(".")
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the test")
	return ""
}
