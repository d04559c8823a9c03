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

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"croft"
)

// A Parquet file's rows are read as those of a CSV file, cell by cell: what differs
// between the two ends here. Columns inside others and columns of lists are not looked
// at. An integer is written in full, a decimal with its point, a date as 2006-01-02; a
// number that is not one (NaN) is missing, as no value is.

const (
	parquetMagic  = "PAR1"
	maxFooter     = 16 << 20 // bytes that describe a file
	maxParquet    = 4096     // columns
	parquetAtOnce = 128      // rows
	maxRowGroup   = 1 << 30  // bytes of one column within a row group, uncompressed
)

// parquetFile reads the rows of a file.
type parquetFile struct {
	name   string
	file   *os.File
	before os.FileInfo
	hash   croft.Hash
	header []string
	text   []func(parquet.Value) string // by leaf column; nil for what is not looked at
	place  []int                        // of a leaf column in the header
	groups []parquet.RowGroup
	rows   parquet.Rows // of the current group; nil before the first
	buffer []parquet.Row
	ready  []parquet.Row // of buffer, not yet given out
	cells  []string
	row    int
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
	return p, p.guard(p.open)
}

// guard runs something over the library, which panics on some files that are broken.
func (p *parquetFile) guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = croft.E(croft.ErrParquet, p.name, fmt.Sprintf("%.200s", fmt.Sprint(r)))
		}
	}()
	err = do()
	if _, ours := errors.AsType[*croft.Error](err); err != nil && err != io.EOF && !ours {
		err = croft.E(croft.ErrParquet, p.name, fmt.Sprintf("%.200s", err.Error()))
	}
	return err
}

func (p *parquetFile) open() error {
	size := p.before.Size()
	var tail [8]byte
	if size < 12 {
		return errors.New("it ends at once")
	}
	if _, err := p.file.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	// The library makes room for as much as the file says that its description has.
	if footer := int64(binary.LittleEndian.Uint32(tail[:])); string(tail[4:]) != parquetMagic || footer > min(size-12, maxFooter) {
		return errors.New("it does not end as such a file does")
	}
	file, err := parquet.OpenFile(p.file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return err
	}
	for _, g := range file.Metadata().RowGroups {
		for _, c := range g.Columns {
			if c.MetaData.TotalUncompressedSize > maxRowGroup {
				return fmt.Errorf("a column has more than %d bytes in one row group: write it with smaller ones", maxRowGroup)
			}
		}
	}
	schema := file.Schema()
	leaves := schema.Columns()
	if len(leaves) > maxParquet {
		return fmt.Errorf("it has %d columns; at most %d are possible", len(leaves), maxParquet)
	}
	p.text, p.place = make([]func(parquet.Value) string, len(leaves)), make([]int, len(leaves))
	for _, path := range leaves {
		leaf, ok := schema.Lookup(path...)
		if !ok || len(path) > 1 || leaf.MaxRepetitionLevel > 0 {
			continue
		}
		p.text[leaf.ColumnIndex], p.place[leaf.ColumnIndex] = textOf(leaf.Node.Type()), len(p.header)
		p.header = append(p.header, path[0])
	}
	if p.header == nil {
		return errors.New("it has no columns of single values")
	}
	p.groups, p.cells, p.buffer = file.RowGroups(), make([]string, len(p.header)), make([]parquet.Row, parquetAtOnce)
	return nil
}

// next returns the next row, and its number in place of a line.
func (p *parquetFile) next() (int, []string, error) {
	err := p.guard(func() error {
		for len(p.ready) == 0 {
			if p.rows == nil {
				if len(p.groups) == 0 {
					return p.unchanged()
				}
				p.rows, p.groups = p.groups[0].Rows(), p.groups[1:]
			}
			n, err := p.rows.ReadRows(p.buffer)
			p.ready = p.buffer[:n]
			switch {
			case err == io.EOF:
				err = p.rows.Close()
				p.rows = nil
			case err == nil && n == 0:
				err = io.ErrNoProgress
			}
			if err != nil {
				return err
			}
		}
		clear(p.cells)
		for _, v := range p.ready[0] {
			if at := v.Column(); at >= 0 && at < len(p.text) && p.text[at] != nil && !v.IsNull() {
				p.cells[p.place[at]] = p.text[at](v)
			}
		}
		p.ready = p.ready[1:]
		return nil
	})
	if err != nil {
		return 0, nil, err
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
	if p.rows != nil {
		_ = p.guard(p.rows.Close)
	}
	p.file.Close()
}

// textOf returns how a column's values are written in a cell.
func textOf(t parquet.Type) func(parquet.Value) string {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		return func(v parquet.Value) string { return point(unscaled(v), int(l.Scale)) }
	case *format.DateType:
		return func(v parquet.Value) string {
			return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().Format(time.DateOnly)
		}
	case *format.TimestampType:
		unit := time.Millisecond
		if l.Unit.Value != nil {
			unit = l.Unit.Value.Duration()
		}
		return func(v parquet.Value) string {
			perSecond := int64(time.Second / unit)
			return time.Unix(v.Int64()/perSecond, v.Int64()%perSecond*int64(unit)).UTC().Format(time.RFC3339Nano)
		}
	case *format.IntType:
		if !l.IsSigned && t.Kind() == parquet.Int32 {
			return func(v parquet.Value) string { return strconv.FormatUint(uint64(v.Uint32()), 10) }
		}
		if !l.IsSigned {
			return func(v parquet.Value) string { return strconv.FormatUint(v.Uint64(), 10) }
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) string { return strconv.FormatBool(v.Boolean()) }
	case parquet.Int32:
		return func(v parquet.Value) string { return strconv.FormatInt(int64(v.Int32()), 10) }
	case parquet.Int64:
		return func(v parquet.Value) string { return strconv.FormatInt(v.Int64(), 10) }
	case parquet.Float:
		return func(v parquet.Value) string { return float(float64(v.Float()), 32) }
	case parquet.Double:
		return func(v parquet.Value) string { return float(v.Double(), 64) }
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return func(v parquet.Value) string { return string(v.ByteArray()) }
	}
	return func(v parquet.Value) string { return v.String() }
}

func float(v float64, bits int) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

// unscaled returns the whole number that a decimal stands as.
func unscaled(v parquet.Value) *big.Int {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	}
	n, bytes := new(big.Int), v.ByteArray() // two's complement, the first byte first
	n.SetBytes(bytes)
	if len(bytes) > 0 && bytes[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(bytes))))
	}
	return n
}

// point writes n·10^-scale.
func point(n *big.Int, scale int) string {
	const most = 100 // digits after the point: more is no number of anybody's
	digits := new(big.Int).Abs(n).String()
	if scale <= 0 || scale > most {
		return n.String()
	}
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	at := len(digits) - scale
	return sign + string(slices.Concat([]byte(digits[:at]), []byte("."), []byte(digits[at:])))
}
