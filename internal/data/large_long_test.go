//go:build long && linux

package data

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"croft"
)

// A million rows of 200 columns, of which a study reads ten, are read within 1 GB of
// memory, as CSV and as Parquet; a study over more columns is refused in a sentence.
func TestAMillionRowsOf200Columns(t *testing.T) {
	const rows, columns, read = 1_000_000, 200, 10
	dir := t.TempDir()
	var schema croft.Schema
	schema.UnitColumn = "id"
	header := []string{"id"}
	for i := range columns {
		name := fmt.Sprintf("c%d", i)
		header = append(header, name)
		if i < read {
			schema.Columns = append(schema.Columns, croft.Column{Name: name, Kind: croft.Number, High: dec("1000")})
		}
	}
	path := filepath.Join(dir, "large.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, strings.Join(header, ","))
	rest := strings.Repeat(",12.5", columns-1)
	for i := range rows {
		fmt.Fprintf(w, "%d,%d%s\n", i, i%1000, rest)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	check := func(path string) {
		before := peak(t)
		tab, _, err := Source{Path: path}.Open(schema, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		after := peak(t)
		if t.Logf("%s: %d rows, %d people; at most %d MB of memory, %d MB before", filepath.Base(path), tab.Rows(), len(tab.People()), after>>20, before>>20); after > 1<<30 || tab.Rows() != rows {
			t.Errorf("more than 1 GB")
		}
	}
	check(path)
	wide := schema
	for i := read; i < 64; i++ {
		wide.Columns = append(wide.Columns, croft.Column{Name: fmt.Sprintf("c%d", i), Kind: croft.Number, High: dec("1000")})
	}
	_, _, err = Source{Path: path}.Open(wide, Limits{})
	if t.Log(err); croft.CodeOf(err) != croft.ErrTooManyRows || peak(t) > 1<<30 {
		t.Errorf("64 million cells: %v, %d MB", err, peak(t)>>20)
	}

	group := parquet.Group{"id": parquet.Int(64)}
	for _, name := range header[1:] {
		group[name] = parquet.Leaf(parquet.DoubleType)
	}
	if f, err = os.Create(filepath.Join(dir, "large.parquet")); err != nil {
		t.Fatal(err)
	}
	out := parquet.NewWriter(f, parquet.NewSchema("rows", group), parquet.MaxRowsPerRowGroup(20_000))
	order := parquet.NewSchema("rows", group).Columns()
	row := make(parquet.Row, len(order))
	for i := range rows / 4 {
		for j, path := range order {
			switch path[0] {
			case "id":
				row[j] = parquet.Int64Value(int64(i)).Level(0, 0, j)
			default:
				row[j] = parquet.DoubleValue(float64(i%1000)).Level(0, 0, j)
			}
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	before := peak(t)
	tab, _, err := Source{Path: f.Name()}.Open(schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Parquet: %d rows; at most %d MB of memory, %d MB before", tab.Rows(), peak(t)>>20, before>>20)
	if peak(t) > 1<<30 {
		t.Error("more than 1 GB")
	}
}

// peak returns the most memory that this process had so far (VmHWM).
func peak(t *testing.T) (bytes int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Sscanf(strings.TrimPrefix(line, "VmHWM:"), "%d", &bytes)
		}
	}
	return bytes << 10
}
