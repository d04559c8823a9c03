package data

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"croft"
)

// A Parquet file's rows are read as those of a CSV file, cell by cell: what differs
// between the two ends here. Columns inside others and columns of lists are not looked
// at. An integer is written in full, a decimal with its point, a date as 2006-01-02; a
// number that is not one (NaN) is missing, as no value is.
//
// The file may be hostile. It is read by a reader of our own, because the memory that
// it takes has to be bounded by what is there and not by what is said: parquet.go has
// the file's description, compact.go the protocol that it is written in, pages.go the
// values. Only columns that somebody looks at are read.
//
// https://github.com/apache/parquet-format

const (
	parquetMagic = "PAR1"
	secretMagic  = "PARE"   // what describes the file is encrypted
	maxFooter    = 16 << 20 // bytes that describe a file
	maxParquet   = 4096     // columns
	maxChunks    = 1 << 20  // columns times row groups
	maxDecimal   = 64       // bytes of a decimal number
	maxScale     = 154      // digits after its point: as many as such a number can have
	maxFixed     = 1 << 16  // bytes of a value of fixed length
	maxGroupRows = 1 << 40
)

// parquetFile reads the rows of a file.
type parquetFile struct {
	name    string
	file    *os.File
	before  os.FileInfo
	hash    croft.Hash
	header  []string
	columns []*pages // by place in the header
	wanted  []int    // places that are read
	groups  []rowGroup
	left    int64 // rows of the current group
	cells   []string
	row     int
	memo    memory
}

// rowGroup is some rows of a file, column by column.
type rowGroup struct {
	rows   int64
	chunks []chunk // by place in the header
}

// newParquet opens the rows of a file that begins with parquetMagic. The hash of its
// bytes is taken first: the rows stand behind it, in any order.
func newParquet(f *os.File, name string) (p *parquetFile, err error) {
	p = &parquetFile{name: name, file: f}
	hash := sha256.New()
	if p.before, err = f.Stat(); err == nil {
		_, err = io.Copy(hash, io.NewSectionReader(f, 0, p.before.Size()))
	}
	if err != nil {
		return nil, unreadable(name, err)
	}
	p.hash = croft.Hash(hash.Sum(nil))
	if err := p.describe(); err != nil {
		return nil, croft.E(croft.ErrParquet, name, err)
	}
	p.cells = make([]string, len(p.header))
	p.want(nil)
	return p, nil
}

// want says which columns are looked at, before the first row; the cells of the others
// stay empty. Without a list all are.
func (p *parquetFile) want(columns []bool) {
	p.wanted = nil
	for i := range p.header {
		if columns == nil || columns[i] {
			p.wanted = append(p.wanted, i)
		}
	}
}

// next returns the next row, and its number in place of a line.
func (p *parquetFile) next() (int, []string, error) {
	for p.left == 0 {
		if len(p.groups) == 0 {
			return 0, nil, p.unchanged()
		}
		for _, at := range p.wanted {
			p.columns[at].open(p.groups[0].chunks[at])
		}
		p.left, p.groups = p.groups[0].rows, p.groups[1:]
	}
	p.left--
	for _, at := range p.wanted {
		cell, err := p.columns[at].next()
		if err != nil {
			return 0, nil, croft.E(croft.ErrParquet, p.name, err)
		}
		p.cells[at] = cell
	}
	p.row++
	return p.row, p.cells, nil
}

// unchanged is the end: io.EOF, unless the file is not the one that was hashed.
func (p *parquetFile) unchanged() error {
	after, err := p.file.Stat()
	if err == nil && (after.Size() != p.before.Size() || after.ModTime() != p.before.ModTime()) {
		err = errors.New("it changed while it was read")
	}
	if err != nil {
		return unreadable(p.name, err)
	}
	return io.EOF
}

func (p *parquetFile) close() {
	if p.memo.zstd != nil {
		p.memo.zstd.Close()
	}
	p.file.Close()
}

// element is a column, or a group of columns.
type element struct {
	name             string
	physical, length int64
	repetition       int64 // 0 one value, 1 one or none, 2 a list
	children         int64
	converted        int64 // what the value means, as old writers say it
	logical          int64 // as new ones do
	scale, unit      int64
	unsigned         bool
}

// What a value means, as Parquet numbers it: first in the new way, then in the old.
const (
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTimestamp = 8
	logicalInteger   = 10

	convertedDecimal   = 5
	convertedDate      = 6
	convertedMillis    = 9
	convertedMicros    = 10
	convertedUnsigned8 = 11
	convertedUnsigned  = 14
)

// describe reads what stands at the end of the file: its columns and where they are.
func (p *parquetFile) describe() error {
	size := p.before.Size()
	var tail [8]byte
	if size < 12 {
		return errors.New("it ends at once")
	}
	if _, err := p.file.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != parquetMagic || length > min(size-12, maxFooter) {
		return errors.New("it does not end as such a file does")
	}
	footer := make([]byte, length)
	if _, err := p.file.ReadAt(footer, size-8-length); err != nil {
		return err
	}
	var (
		places []int // of the leaves in the header; -1 for those not looked at
		c      = compact{b: footer}
		tree   schemaWalk
		end    = size - 8 - length
	)
	c.fields(isStruct, func(id int64, kind byte) {
		switch {
		case id == 2 && places == nil:
			c.list(kind, func(kind byte) {
				e := readElement(&c, kind)
				if c.err != nil || !tree.leaf(e) {
					return
				}
				if len(places) >= maxParquet {
					c.fail(fmt.Sprintf("it has more than %d columns", maxParquet))
					return
				}
				if !tree.top || e.repetition > 1 {
					places = append(places, -1)
					return
				}
				column, err := newPages(p.file, &p.memo, e)
				if err != nil {
					c.fail(err.Error())
					return
				}
				places = append(places, len(p.header))
				p.header, p.columns = append(p.header, e.name), append(p.columns, column)
			})
		case id == 4:
			c.list(kind, func(kind byte) {
				if p.header == nil {
					c.fail("it has no columns of single values")
					return
				}
				if len(p.groups)*len(places) > maxChunks {
					c.fail("it has too many row groups: write it with larger ones")
					return
				}
				p.groups = append(p.groups, readGroup(&c, kind, places, len(p.header), end))
			})
		}
	})
	if c.err == nil && p.header == nil {
		c.fail("it has no columns of single values")
	}
	return c.err
}

// schemaWalk knows where an element of the list stands in the tree that the list is.
type schemaWalk struct {
	root   bool
	inside int64 // elements that still belong to a column of columns
	top    bool  // the last leaf belongs to none
}

// leaf reports whether the next element has values.
func (w *schemaWalk) leaf(e element) bool {
	if !w.root {
		w.root = true
		return false
	}
	w.top = w.inside == 0
	if !w.top {
		w.inside--
	}
	w.inside += e.children
	return e.children == 0
}

func readElement(c *compact, kind byte) element {
	e := element{converted: -1}
	c.fields(kind, func(id int64, kind byte) {
		switch id {
		case 1:
			e.physical = c.int(kind)
		case 2:
			e.length = c.int(kind)
		case 3:
			e.repetition = c.int(kind)
		case 4:
			e.name = string(c.text(kind))
		case 5:
			e.children = c.int(kind)
		case 6:
			e.converted = c.int(kind)
		case 7:
			e.scale = c.int(kind)
		case 10:
			c.fields(kind, func(meaning int64, kind byte) {
				e.logical = meaning
				c.fields(kind, func(id int64, kind byte) {
					switch {
					case meaning == logicalDecimal && id == 1:
						e.scale = c.int(kind)
					case meaning == logicalTimestamp && id == 2:
						c.fields(kind, func(unit int64, _ byte) { e.unit = unit })
					case meaning == logicalInteger && id == 2:
						e.unsigned = kind == isFalse
					}
				})
			})
		}
	})
	if e.children < 0 || e.children > maxFooter {
		c.fail("a column has an impossible number of columns")
	}
	return e
}

// readGroup reads where the columns of a row group stand, all of them before end.
func readGroup(c *compact, kind byte, places []int, columns int, end int64) rowGroup {
	g := rowGroup{chunks: make([]chunk, columns)}
	c.fields(kind, func(id int64, kind byte) {
		switch id {
		case 1:
			leaf := 0
			c.list(kind, func(kind byte) {
				var at chunk
				elsewhere, encrypted := false, false
				c.fields(kind, func(id int64, kind byte) {
					switch id {
					case 1:
						elsewhere = true
					case 3:
						at = readChunk(c, kind)
					case 8:
						encrypted = true
					}
				})
				if leaf < len(places) && places[leaf] >= 0 {
					if at.encrypted = encrypted; encrypted { // its place is a secret too
						at.at, at.end = end, end
					}
					if elsewhere || at.at < int64(len(parquetMagic)) || at.end < at.at || at.end > end {
						c.fail("a column does not stand in the file")
					}
					g.chunks[places[leaf]] = at
				}
				leaf++
			})
			if leaf != len(places) {
				c.fail("a row group does not have all columns")
			}
		case 3:
			g.rows = c.int(kind)
		}
	})
	if g.rows < 0 || g.rows > maxGroupRows {
		c.fail("a row group has an impossible number of rows")
	}
	return g
}

func readChunk(c *compact, kind byte) chunk {
	var codec, size, values, dictionary int64
	c.fields(kind, func(id int64, kind byte) {
		switch id {
		case 4:
			codec = c.int(kind)
		case 7:
			size = c.int(kind)
		case 9:
			values = c.int(kind)
		case 11:
			dictionary = c.int(kind)
		}
	})
	at := values
	if dictionary > 0 && dictionary < values {
		at = dictionary
	}
	if size > math.MaxInt64-max(at, 0) {
		size = -1
	}
	return chunk{at: at, end: at + size, codec: codec}
}

// newPages makes the reader of a column.
func newPages(file io.ReaderAt, memo *memory, e element) (*pages, error) {
	p := &pages{file: file, memo: memo, name: e.name, kind: e.physical, most: maxValue, maybe: e.repetition == 1, text: textOf(e)}
	switch e.physical {
	case physicalBool, physicalBytes:
	case physicalInt32, physicalFloat:
		p.width = 4
	case physicalInt64, physicalDouble:
		p.width = 8
	case physicalInt96:
		p.width = 12
	case physicalFixed:
		p.width = int(e.length)
	default:
		return nil, fmt.Errorf("column %.40q is of a type (%d) that is not known here", e.name, e.physical)
	}
	if e.physical == physicalFixed && (e.length < 1 || e.length > maxFixed) {
		return nil, fmt.Errorf("column %.40q has values of %d bytes; 1 to %d are possible", e.name, e.length, maxFixed)
	}
	if e.decimal() {
		p.most = maxDecimal
		if e.scale < 0 || e.scale > maxScale {
			return nil, fmt.Errorf("column %.40q has decimals of scale %d; 0 to %d are possible", e.name, e.scale, maxScale)
		}
	}
	return p, nil
}

func (e element) decimal() bool {
	return e.logical == logicalDecimal || e.logical == 0 && e.converted == convertedDecimal
}

// textOf returns how a column's values are written in a cell.
func textOf(e element) func(plain []byte) string {
	old := int64(-1)
	if e.logical == 0 {
		old = e.converted
	}
	perSecond := map[int64]int64{1: 1e3, 2: 1e6, 3: 1e9}[e.unit]
	switch old {
	case convertedMillis:
		perSecond = 1e3
	case convertedMicros:
		perSecond = 1e6
	}
	unsigned := e.unsigned || old >= convertedUnsigned8 && old <= convertedUnsigned
	whole := func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	switch e.physical {
	case physicalBool:
		return func(b []byte) string { return strconv.FormatBool(b[0] != 0) }
	case physicalInt32:
		short := func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
		switch {
		case e.decimal():
			return func(b []byte) string { return point(big.NewInt(short(b)), e.scale) }
		case e.logical == logicalDate || old == convertedDate:
			return func(b []byte) string { return time.Unix(short(b)*24*60*60, 0).UTC().Format(time.DateOnly) }
		case unsigned:
			return func(b []byte) string { return strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b)), 10) }
		}
		return func(b []byte) string { return strconv.FormatInt(short(b), 10) }
	case physicalInt64:
		switch {
		case e.decimal():
			return func(b []byte) string { return point(big.NewInt(whole(b)), e.scale) }
		case perSecond > 0:
			return func(b []byte) string { return instant(whole(b)/perSecond, whole(b)%perSecond*(1e9/perSecond)) }
		case unsigned:
			return func(b []byte) string { return strconv.FormatUint(binary.LittleEndian.Uint64(b), 10) }
		}
		return func(b []byte) string { return strconv.FormatInt(whole(b), 10) }
	case physicalInt96: // nanoseconds of a day, and the Julian day
		return func(b []byte) string {
			const epoch = 2440588 // the Julian day of 1970-01-01
			return instant((int64(binary.LittleEndian.Uint32(b[8:]))-epoch)*24*60*60, whole(b))
		}
	case physicalFloat:
		return func(b []byte) string {
			return float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		}
	case physicalDouble:
		return func(b []byte) string { return float(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64) }
	}
	if e.decimal() {
		return func(b []byte) string { return point(unscaled(b), e.scale) }
	}
	return func(b []byte) string { return string(b) }
}

func instant(seconds, nanos int64) string {
	return time.Unix(seconds, nanos).UTC().Format(time.RFC3339Nano)
}

func float(v float64, bits int) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

// unscaled returns the whole number that a decimal stands as: in two's complement, the
// first byte first.
func unscaled(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// point writes n·10^-scale.
func point(n *big.Int, scale int64) string {
	digits := new(big.Int).Abs(n).String()
	if scale == 0 {
		return n.String()
	}
	if pad := int(scale) + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	at := len(digits) - int(scale)
	return sign + string(slices.Concat([]byte(digits[:at]), []byte("."), []byte(digits[at:])))
}
