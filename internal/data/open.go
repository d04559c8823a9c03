package data

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"croft"
	"croft/internal/table"
)

// Source says where the rows of a dataset are.
type Source struct {
	// Path is a CSV or a Parquet file, whatever it is called; or a folder of such files,
	// called *.csv, *.tsv or *.parquet; with a View a folder of FHIR resources.
	Path string `json:"path"`
	// More files hold more of the rows, under the same header.
	More []string `json:"more,omitempty"`
	View string   `json:"view,omitempty"` // the file of the view
	// Joined are views whose rows stand beside those of View, by the one column that all
	// have: that of the person.
	Joined []string `json:"joined,omitempty"`
	// DecimalComma says that numbers are written 1.234,5.
	DecimalComma bool `json:"decimal_comma,omitempty"`
}

// Open reads a file as Source.Open does.
func Open(path string, schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	return Source{Path: path}.Open(schema, limits)
}

// Open reads the rows into a table and returns a hash of the content with it: of one
// file the SHA-256 of the very bytes that the table was made from, of several a hash of
// their names and hashes. Only regular files are read (a pipe could not be read again).
// A schema without columns reads the people only. Errors are those of Read, with the
// file's name; ErrOtherHeader where columns are not those of the first file;
// ErrParquet; of a folder with a view those of openFHIR. Limits.Rows is of all files
// together.
func (s Source) Open(schema croft.Schema, limits Limits) (*table.Table, croft.Hash, error) {
	if s.View != "" {
		return s.openFHIR(schema, limits)
	}
	var b *table.Builder
	limits.Rows = limits.rows(len(schema.Columns))
	content, err := s.each(limits, func(path string, header []string) (wanted []bool, err error) {
		if b, err = table.NewBuilder(path, schema, header); err != nil {
			return nil, err
		}
		return b.Wanted(), nil
	}, func(path string, line int, cells []string) error {
		b.In(path)
		return b.Add(line, cells)
	})
	if err != nil {
		return nil, croft.Hash{}, err
	}
	b.In(s.Path)
	t := b.Table()
	if t.Rows() == 0 {
		return nil, croft.Hash{}, croft.E(croft.ErrNoRows, s.Path, 0, 1)
	}
	return t, content, nil
}

// each gives all rows of the files to a function, and returns the hash of the content.
// begin is told the header of the first and says which columns are looked at, nil for
// all: the cells of others may be empty. Cells are valid until the function returns.
func (s Source) each(limits Limits, begin func(path string, header []string) (wanted []bool, err error), row func(path string, line int, cells []string) error) (croft.Hash, error) {
	paths, err := s.files()
	if err != nil {
		return croft.Hash{}, err
	}
	var first, pins []string
	var wanted []bool
	left := limits.rows(0)
	for i, path := range paths {
		f, err := openRows(path, limits)
		if err != nil {
			return croft.Hash{}, err
		}
		defer f.close()
		switch {
		case i == 0:
			first = slices.Clone(f.header)
			wanted, err = begin(path, first)
		case !slices.Equal(f.header, first):
			err = croft.E(croft.ErrOtherHeader, path, filepath.Base(paths[0]))
		}
		if err != nil {
			return croft.Hash{}, err
		}
		f.want(wanted)
		for {
			line, cells, err := f.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return croft.Hash{}, err
			}
			if left--; left < 0 {
				return croft.Hash{}, croft.E(croft.ErrTooManyRows, path, limits.rows(0))
			}
			if s.DecimalComma {
				for i, cell := range cells {
					cells[i] = withPoint(cell)
				}
			}
			if err := row(path, line, cells); err != nil {
				return croft.Hash{}, err
			}
		}
		content, err := f.sum()
		if err != nil {
			return croft.Hash{}, err
		}
		if f.close(); len(paths) == 1 && s.Path == path {
			return content, nil
		}
		pins = append(pins, filepath.Base(path), content.String())
	}
	return croft.HashOf(pins), nil
}

// files returns the files that hold rows, in order.
func (s Source) files() ([]string, error) {
	if info, err := os.Stat(s.Path); err != nil || !info.IsDir() || len(s.More) > 0 {
		return append([]string{s.Path}, s.More...), nil
	}
	entries, err := os.ReadDir(s.Path)
	if err != nil {
		return nil, unreadable(s.Path, err)
	}
	var files []string
	for _, e := range entries {
		if ext := strings.ToLower(filepath.Ext(e.Name())); slices.Contains([]string{".csv", ".tsv", ".parquet"}, ext) && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(s.Path, e.Name()))
		}
	}
	if files == nil {
		return nil, croft.E(croft.ErrFileOpen, s.Path, "no file in this folder is called *.csv, *.tsv or *.parquet; FHIR resources take a view")
	}
	return files, nil
}

// columns returns the header of the first file, or the columns of the view.
func (s Source) columns() (header []string, err error) {
	if s.View != "" {
		_, _, header, err := s.views()
		return header, err
	}
	paths, err := s.files()
	if err != nil {
		return nil, err
	}
	f, err := openRows(paths[0], Limits{})
	if err != nil {
		return nil, err
	}
	defer f.close()
	return f.header, nil
}

// rows are the rows of one file.
type rows struct {
	header []string
	want   func(columns []bool)                         // before the first
	next   func() (line int, cells []string, err error) // io.EOF at the end
	sum    func() (croft.Hash, error)                   // of the file's bytes, after the end
	close  func()
}

// openRows opens a file: Parquet if it begins as such a file does, else CSV.
func openRows(path string, limits Limits) (rows, error) {
	f, err := openRegular(path)
	if err != nil {
		return rows{}, err
	}
	switch first, last := ends(f); {
	case first == secretMagic && last == secretMagic: // else a column may be called PARENT
		f.Close()
		return rows{}, croft.E(croft.ErrParquet, path, errEncrypted)
	case first == parquetMagic:
		p, err := newParquet(f, path)
		if err != nil {
			f.Close()
			return rows{}, err
		}
		return rows{p.header, p.want, p.next, func() (croft.Hash, error) { return p.hash, nil }, p.close}, nil
	}
	content := sha256.New()
	s, err := newScanner(io.TeeReader(f, content), path, limits)
	if err != nil {
		f.Close()
		return rows{}, err
	}
	s.most = limits.rows(0)
	return rows{s.header, func([]bool) {}, s.next, func() (croft.Hash, error) { return sumOf(content), nil }, func() { f.Close() }}, nil
}

// ends returns the bytes with which a file begins and ends, as many as Parquet's magic has.
func ends(f *os.File) (first, last string) {
	b := make([]byte, len(parquetMagic))
	if _, err := f.ReadAt(b, 0); err == nil {
		first = string(b)
	}
	if info, err := f.Stat(); err == nil {
		if _, err := f.ReadAt(b, max(info.Size()-int64(len(b)), 0)); err == nil {
			last = string(b)
		}
	}
	return first, last
}

func sumOf(h hash.Hash) croft.Hash { return croft.Hash(h.Sum(nil)) }

var (
	commaLike = regexp.MustCompile(`^[+-]?\d+,\d+$`)
	grouped   = regexp.MustCompile(`^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$`)
)

// withPoint writes a number with a decimal comma, and perhaps points between
// thousands, with a decimal point; other texts stay as they are.
func withPoint(cell string) string {
	cell = strings.TrimSpace(cell)
	switch {
	case grouped.MatchString(cell):
		cell = strings.ReplaceAll(cell, ".", "")
	case !commaLike.MatchString(cell):
		return cell
	}
	return strings.Replace(cell, ",", ".", 1)
}

// openRegular opens a file to read, and nothing but a file.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // before opening, which a pipe would block
	switch {
	case err == nil && info.IsDir():
		err = errors.New("it is a folder")
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("it is not a regular file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

// unreadable says that a path cannot be read.
func unreadable(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // the sentence names the path itself
	}
	return croft.E(croft.ErrFileOpen, path, err)
}

// fingerprints returns a keyed fingerprint of each of some people, ascending:
// HMAC-SHA256 under a key that never leaves the site. The owner keeps them to find datasets that hold the same people, which share one budget
// (protocol §7). Where a row is a person, a row that is the same in both files is
// the same person; after a change in any of its cells it is another.
func fingerprints(key []byte, people []table.Person) []croft.Hash {
	mac := hmac.New(sha256.New, key)
	out := make([]croft.Hash, 0, len(people))
	for _, p := range people {
		mac.Reset()
		mac.Write(p[:])
		out = append(out, croft.Hash(mac.Sum(nil)))
	}
	slices.SortFunc(out, croft.Hash.Compare)
	return out
}

// Overlap counts the fingerprints that two ascending lists share.
func Overlap(a, b []croft.Hash) (shared int) {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			shared++
			a, b = a[1:], b[1:]
		}
	}
	return shared
}
