// Package data reads an owner's files into tables: it finds where cells begin
// and end, keeps memory bounded, and computes what pins a file (the hash of its
// content) and what shows that two files hold the same people (fingerprints).
// Package table judges the cells.
package data

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"

	"croft"
	"croft/internal/table"
)

// Limits bound what reading a file may cost. Zero means the default.
type Limits struct {
	Rows int // 2,000,000; a wide schema allows fewer: 16.8 million cells together
	Line int // bytes of one row with its line end, 1 MiB
}

const (
	defaultRows = 2_000_000
	defaultLine = 1 << 20
	maxCells    = 1 << 24 // 128 MiB of numbers
)

// rows returns how many rows of so many columns may be read.
func (l Limits) rows(columns int) int {
	return min(cmp.Or(max(l.Rows, 0), defaultRows), maxCells/max(columns, 1))
}

// Read reads a CSV file with a header into a table. The separator is a comma, a
// semicolon or a tab, whichever the header has most of; lines end in LF or CRLF;
// a quoted cell may hold separators, line ends and doubled quotes; a byte-order
// mark is skipped, and so are empty lines. It reads to the end of the file or to
// the first error, which names file, line and column (name is the file's name):
// those of table.Builder, ErrQuoting, ErrLineTooLong, ErrTooManyRows, ErrNoRows,
// ErrFileOpen when r fails.
func Read(r io.Reader, name string, schema croft.Schema, limits Limits) (*table.Table, error) {
	rows, err := newScanner(r, name, limits)
	if err != nil {
		return nil, err
	}
	rows.most = limits.rows(len(schema.Columns))
	b, err := table.NewBuilder(name, schema, rows.header)
	if err != nil {
		return nil, err
	}
	for {
		line, cells, err := rows.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := b.Add(line, cells); err != nil {
			return nil, err
		}
	}
	t := b.Table()
	if t.Rows() == 0 {
		return nil, croft.E(croft.ErrNoRows, name, 0, 1)
	}
	return t, nil
}

// scanner splits a file into rows.
type scanner struct {
	name   string
	csv    *csv.Reader
	lines  *lines
	header []string
	row    int // rows so far
	most   int // rows allowed
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func newScanner(r io.Reader, name string, limits Limits) (*scanner, error) {
	if limits.Line <= 0 {
		limits.Line = defaultLine
	}
	src := bufio.NewReaderSize(r, 64<<10)
	start, _ := src.Peek(src.Size())
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return nil, croft.E(croft.ErrHeader, name, "the file is UTF-16; save it as CSV UTF-8")
	}
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		return nil, croft.E(croft.ErrHeader, name, "the file is a workbook, of Excel say, or an archive; save it as CSV UTF-8")
	}
	if rest, ok := bytes.CutPrefix(start, byteOrderMark); ok {
		start = rest
		if _, err := src.Discard(len(byteOrderMark)); err != nil {
			return nil, croft.E(croft.ErrFileOpen, name, err)
		}
	}
	if bytes.HasPrefix(start, []byte("sep=")) {
		return nil, croft.E(croft.ErrHeader, name, "it tells Excel the separator; take it out")
	}
	s := &scanner{name: name, most: limits.rows(0), lines: &lines{src: src, limit: limits.Line, start: true}}
	s.csv = csv.NewReader(s.lines)
	s.csv.FieldsPerRecord = -1 // Builder.Add says it better
	s.csv.Comma = separator(start)
	header, err := s.record()
	if err == io.EOF {
		return nil, croft.E(croft.ErrHeader, name, "the file is empty")
	}
	if err != nil {
		return nil, err
	}
	s.header = header
	s.csv.ReuseRecord = true
	return s, nil
}

// next returns the next row and the line on which it begins, or io.EOF. The
// cells are valid until the next call.
func (s *scanner) next() (line int, cells []string, err error) {
	cells, err = s.record()
	if err != nil {
		return 0, nil, err
	}
	if s.row++; s.row > s.most {
		return 0, nil, croft.E(croft.ErrTooManyRows, s.name, s.most)
	}
	line, _ = s.csv.FieldPos(0)
	return line, cells, nil
}

func (s *scanner) record() ([]string, error) {
	s.lines.newRecord()
	cells, err := s.csv.Read()
	var parse *csv.ParseError
	switch {
	case err == nil || err == io.EOF:
		return cells, err
	case errors.As(err, &parse):
		return nil, croft.E(croft.ErrQuoting, s.name, parse.StartLine)
	case err == errTooLong && s.lines.line > s.lines.first: // a quote was opened and never closed
		return nil, croft.E(croft.ErrQuoting, s.name, s.lines.first)
	case err == errTooLong:
		return nil, croft.E(croft.ErrLineTooLong, s.name, s.lines.line, s.lines.limit)
	default:
		return nil, croft.E(croft.ErrFileOpen, s.name, err)
	}
}

// lines hands a file to the CSV reader line by line, so that the reader never
// runs ahead of the row it is asked for, and stops it after the bytes that a row
// may have. Without it one open quote would be read to the end of the file.
type lines struct {
	src   *bufio.Reader
	limit int
	spent int  // bytes of the row so far
	line  int  // the line being read
	first int  // the line on which the row began
	start bool // the next byte begins a line
}

var errTooLong = errors.New("row too long")

func (l *lines) newRecord() { l.spent, l.first = 0, l.line+1 }

func (l *lines) Read(p []byte) (int, error) {
	if _, err := l.src.Peek(1); err != nil {
		return 0, err
	}
	if l.spent >= l.limit {
		return 0, errTooLong
	}
	piece, _ := l.src.Peek(min(l.src.Buffered(), len(p), l.limit-l.spent))
	if i := bytes.IndexByte(piece, '\n'); i >= 0 {
		piece = piece[:i+1]
	}
	n := copy(p, piece)
	if _, err := l.src.Discard(n); err != nil {
		return 0, err
	}
	if l.start {
		l.line++
	}
	if l.start = p[n-1] == '\n'; l.start && l.spent == 0 && len(bytes.TrimSpace(p[:n])) == 0 {
		l.first++ // the CSV reader skips an empty line
		return n, nil
	}
	l.spent += n
	return n, nil
}

// separator chooses by the first line of what it is shown.
func separator(start []byte) rune {
	counts := map[byte]int{}
	quoted := false
	for _, c := range start {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return rune(best)
}
