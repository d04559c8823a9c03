package data

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"croft"
	"croft/internal/fhir"
	"croft/internal/table"
)

// openFHIR reads the folder of FHIR resources into a table by the view (package
// fhir), and by those joined to it. The resources stand in files called *.ndjson, one a
// line, as servers export them, or *.ndjson.gz; other files and folders inside are not
// looked at. The hash is of the views and of the names and bytes of the files.
// Limits.Line is of a resource, 4 MiB if zero.
//
// A value becomes the text of a cell: true or false for a boolean, a number as it
// was written, "" if there is none. Errors are those of Read for the cells;
// ErrView if a view cannot be read, has a collection as a column, or cannot be joined;
// ErrResource, with file and line, if a resource cannot be read or a view not
// be run on it.
func (s Source) openFHIR(schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	views, pins, header, err := s.views()
	if err != nil {
		return nil, croft.Hash{}, err
	}
	names, err := resourceFiles(s.Path)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	b, err := table.NewBuilder(s.View, schema, header)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	most := limits.rows(len(schema.Columns))
	f := feed{left: most, most: most, line: cmp.Or(max(limits.Line, 0), fhir.MaxResource)}
	var content []string // names and hashes of the files
	read := func(v *fhir.View) error {
		f.view, f.left = v, most
		var pins []string
		for _, name := range names {
			hash, err := f.file(filepath.Join(s.Path, name))
			if err != nil {
				return err
			}
			pins = append(pins, name, hash.String())
		}
		if content != nil && !slices.Equal(content, pins) {
			return croft.E(croft.ErrFileOpen, s.Path, "it changed while it was read")
		}
		content = pins
		return nil
	}
	j, cells := newJoin(views, header), 0
	for i, v := range views[1:] {
		f.row = func(path string, _ int, row []string) error {
			if cells += len(row); cells > maxJoined {
				return croft.E(croft.ErrView, s.Joined[i], fmt.Sprintf("it gives more than %d cells to join", maxJoined))
			}
			j.add(i, row)
			return nil
		}
		if err := read(v); err != nil {
			return nil, croft.Hash{}, err
		}
	}
	left := most
	f.row = func(path string, line int, row []string) error {
		b.In(path)
		return j.rows(row, func(cells []string) error {
			if left--; left < 0 {
				return croft.E(croft.ErrTooManyRows, path, most)
			}
			return b.Add(line, cells)
		})
	}
	if err := read(views[0]); err != nil {
		return nil, croft.Hash{}, err
	}
	b.In(s.View)
	t := b.Table()
	if t.Rows() == 0 {
		return nil, croft.Hash{}, croft.E(croft.ErrNoRows, s.Path, 0, 1)
	}
	return t, croft.HashOf(append(pins, content...)), nil
}

// views reads the view and those joined to it, and returns the hashes of their bytes and
// the columns of all: those of the first, then those of the others but the one column
// that all have, by which they are joined. Another name must not stand in two.
func (s Source) views() (views []*fhir.View, pins, header []string, err error) {
	for i, path := range append([]string{s.View}, s.Joined...) {
		v, hash, err := openView(path)
		if err != nil {
			return nil, nil, nil, err
		}
		views, pins = append(views, v), append(pins, hash.String())
		columns := columnsOf(v)
		if i > 0 {
			first := columnsOf(views[0])
			shared := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return !slices.Contains(header, c) })
			if len(shared) != 1 || !slices.Contains(first, shared[0]) || i > 1 && !slices.Contains(columnsOf(views[1]), shared[0]) {
				return nil, nil, nil, croft.E(croft.ErrView, path, fmt.Sprintf("views are joined by one column that all have, and it shares %q with those before it", shared))
			}
			columns = slices.DeleteFunc(columns, func(c string) bool { return c == shared[0] })
		}
		header = append(header, columns...)
	}
	return views, pins, header, nil
}

// join puts beside each row of the first view the rows of the others with the same key,
// each with each; empty cells stand where a view has none. A row without a key has none.
type join struct {
	key    []int                   // its place, by view
	width  []int                   // columns of each view
	others []map[string][][]string // rows by key, without it
	row    []string
}

const maxJoined = 1 << 22 // cells of all joined views

func newJoin(views []*fhir.View, header []string) *join {
	j := &join{row: make([]string, len(header)), key: make([]int, len(views))}
	for i, v := range views {
		columns := columnsOf(v)
		j.width = append(j.width, len(columns))
		if i > 0 {
			for at, c := range columns {
				if first := slices.Index(columnsOf(views[0]), c); first >= 0 {
					j.key[0], j.key[i] = first, at
				}
			}
			j.others = append(j.others, map[string][][]string{})
		}
	}
	return j
}

// add keeps a row of a joined view, the first of which is 0.
func (j *join) add(of int, row []string) {
	at := j.key[1+of]
	if key := row[at]; key != "" {
		j.others[of][key] = append(j.others[of][key], slices.Concat(row[:at], row[at+1:]))
	}
}

// rows calls each with the rows that one of the first view becomes.
func (j *join) rows(first []string, each func([]string) error) error {
	copy(j.row, first)
	var beside func(of, at int) error
	beside = func(of, at int) error {
		if of == len(j.others) {
			return each(j.row)
		}
		end := at + j.width[1+of] - 1
		found := j.others[of][first[j.key[0]]]
		if found == nil {
			clear(j.row[at:end])
			return beside(of+1, end)
		}
		for _, row := range found {
			copy(j.row[at:end], row)
			if err := beside(of+1, end); err != nil {
				return err
			}
		}
		return nil
	}
	return beside(0, len(first))
}

// openView reads a view and returns the hash of its bytes.
func openView(path string) (*fhir.View, croft.Hash, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, fhir.MaxView+1))
	if err != nil {
		return nil, croft.Hash{}, croft.E(croft.ErrFileOpen, path, err)
	}
	v, err := fhir.Parse(text)
	if err != nil {
		return nil, croft.Hash{}, croft.E(croft.ErrView, path, err)
	}
	for _, c := range v.Columns {
		if c.Collection {
			return nil, croft.Hash{}, croft.E(croft.ErrView, path, fmt.Sprintf("column %s is a collection, and a cell holds one value", c.Name))
		}
	}
	return v, croft.Sum(text), nil
}

// columnsOf returns the names of a view's columns.
func columnsOf(v *fhir.View) (names []string) {
	for _, c := range v.Columns {
		names = append(names, c.Name)
	}
	return names
}

// resourceFiles returns the names of a folder's files of resources, in order.
func resourceFiles(folder string) (names []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, unreadable(folder, err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".ndjson") || strings.HasSuffix(name, ".ndjson.gz") {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, croft.E(croft.ErrFileOpen, folder, "no file in it is called *.ndjson or *.ndjson.gz")
	}
	return names, nil
}

// feed gives the rows of resources, file by file.
type feed struct {
	view *fhir.View
	row  func(path string, line int, cells []string) error
	line int // bytes that a resource may have
	left int // rows that may still come
	most int // rows that might at the beginning
}

// file reads one file and returns the hash of its bytes.
func (f *feed) file(path string) (croft.Hash, error) {
	file, err := openRegular(path)
	if err != nil {
		return croft.Hash{}, err
	}
	defer file.Close()
	hash := sha256.New()
	raw := io.TeeReader(file, hash)
	src := raw
	if strings.HasSuffix(path, ".gz") {
		if src, err = gzip.NewReader(raw); err != nil {
			return croft.Hash{}, croft.E(croft.ErrFileOpen, path, err)
		}
	}
	lines := bufio.NewScanner(src)
	lines.Buffer(make([]byte, min(64<<10, f.line)), f.line)
	cells := make([]string, len(f.view.Columns))
	line := 0
	for lines.Scan() {
		line++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		rows, err := f.view.Run(lines.Bytes())
		if err != nil {
			return croft.Hash{}, croft.E(croft.ErrResource, path, line, err)
		}
		if f.left -= len(rows); f.left < 0 {
			return croft.Hash{}, croft.E(croft.ErrTooManyRows, path, f.most)
		}
		for _, row := range rows {
			for i, value := range row {
				cells[i] = cell(value)
			}
			if err := f.row(path, line, cells); err != nil {
				return croft.Hash{}, err
			}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return croft.Hash{}, croft.E(croft.ErrResource, path, line+1, fmt.Sprintf("the resource is longer than %d bytes", f.line))
	case err != nil:
		return croft.Hash{}, croft.E(croft.ErrFileOpen, path, err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil { // what may follow a compressed stream is pinned too
		return croft.Hash{}, croft.E(croft.ErrFileOpen, path, err)
	}
	return croft.Hash(hash.Sum(nil)), nil
}

// cell writes a value as a file of rows would have it.
func cell(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	default:
		return ""
	}
}
