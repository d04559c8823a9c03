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
	"strings"

	"croft"
	"croft/internal/fhir"
	"croft/internal/table"
)

// openFHIR reads a folder of FHIR resources into a table by a view (package
// fhir). The resources stand in files called *.ndjson, one a line, as servers
// export them, or *.ndjson.gz; other files and folders inside are not looked at.
// The hash is of the view and of the names and bytes of the files. Limits.Line is
// of a resource, 4 MiB if zero.
//
// A value becomes the text of a cell: true or false for a boolean, a number as it
// was written, "" if there is none. Errors are those of Read for the cells;
// ErrView if the view cannot be read or has a collection as a column;
// ErrResource, with file and line, if a resource cannot be read or the view not
// be run on it.
func openFHIR(folder, view string, schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	v, definition, err := openView(view)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	names, err := resourceFiles(folder)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	b, err := table.NewBuilder(view, schema, columnsOf(v))
	if err != nil {
		return nil, croft.Hash{}, err
	}
	f := feed{view: v, builder: b, left: limits.rows(len(schema.Columns)), line: cmp.Or(max(limits.Line, 0), fhir.MaxResource)}
	f.most = f.left
	pins := []string{definition.String()}
	for _, name := range names {
		content, err := f.file(filepath.Join(folder, name))
		if err != nil {
			return nil, croft.Hash{}, err
		}
		pins = append(pins, name, content.String())
	}
	b.In(view)
	t := b.Table()
	if t.Rows() == 0 {
		return nil, croft.Hash{}, croft.E(croft.ErrNoRows, folder, 0, 1)
	}
	return t, croft.HashOf(pins), nil
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

// feed gives the rows of resources to a table, file by file.
type feed struct {
	view    *fhir.View
	builder *table.Builder
	line    int // bytes that a resource may have
	left    int // rows that may still come
	most    int // rows that might at the beginning
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
	f.builder.In(path)
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
			if err := f.builder.Add(line, cells); err != nil {
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
