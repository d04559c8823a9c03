package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The pages of a Parquet file are read value by value. What that costs is known before
// it is paid: a page says how long it is, is refused if that is too long, and has to be
// exactly so long. Lengths of runs and lists within it cost nothing until they are
// walked through, and rows are counted.
//
// https://github.com/apache/parquet-format/blob/master/Encodings.md

const (
	maxPage  = 64 << 20    // bytes, compressed or not
	maxHeld  = 512 << 20   // bytes of the pages and dictionaries of all columns at a time
	maxHead  = 1 << 20     // bytes before a page that describe it
	maxValue = defaultLine // bytes of a cell
)

// The types of values, as Parquet numbers them.
const (
	physicalBool = iota
	physicalInt32
	physicalInt64
	physicalInt96
	physicalFloat
	physicalDouble
	physicalBytes
	physicalFixed
)

// chunk is where a column's pages of a row group stand in the file.
type chunk struct {
	at, end, codec int64
	encrypted      bool
}

// values gives one value after the other, in Parquet's plain encoding. A value may
// change at the next call.
type values func() ([]byte, error)

var (
	errPageEnd   = errors.New("a page ends early")
	errEncrypted = errors.New("it is encrypted, and croft asks for no keys")
)

// pages reads a column's cells.
type pages struct {
	file  io.ReaderAt
	memo  *memory
	name  string
	kind  int64 // physical
	width int   // bytes of a value; 0 where they differ
	most  int   // bytes that a value may have
	maybe bool  // a value may be missing
	text  func(plain []byte) string

	chunk
	left       int64  // values of the page that are still to come
	body       []byte // of the page
	held       int    // bytes of body and dictionary
	levels     values // 1 where there is a value, else 0; nil where all are there
	index      values // of the value in the dictionary; nil if the page has none
	plain      values
	dictionary []string
}

// memory is what the columns of a file share.
type memory struct {
	held int
	raw  []byte // a page as it stands in the file
	zstd *zstd.Decoder
}

// hold counts bytes before they are allocated.
func (p *pages) hold(n int) error {
	if n < 0 || n > maxHeld-p.memo.held {
		return fmt.Errorf("the pages of its columns have more than %d bytes together: write it with smaller ones", maxHeld)
	}
	p.memo.held += n
	p.held += n
	return nil
}

// open begins another chunk, in place of the last.
func (p *pages) open(c chunk) {
	p.memo.held -= p.held
	*p = pages{file: p.file, memo: p.memo, name: p.name, kind: p.kind, width: p.width, most: p.most, maybe: p.maybe, text: p.text, chunk: c}
}

// next returns the next cell, "" for no value.
func (p *pages) next() (string, error) {
	cell, err := p.cell()
	if err != nil {
		return "", fmt.Errorf("column %.40q: %w", p.name, err)
	}
	return cell, nil
}

func (p *pages) cell() (string, error) {
	for p.left == 0 {
		if err := p.page(); err != nil {
			return "", err
		}
	}
	p.left--
	if p.levels != nil {
		if there, err := p.levels(); err != nil || there[0] == 0 {
			return "", err
		}
	}
	if p.index == nil {
		v, err := p.plain()
		if err != nil {
			return "", err
		}
		return p.show(v)
	}
	at, err := p.index()
	if err != nil {
		return "", err
	}
	if i := binary.LittleEndian.Uint32(at); uint64(i) < uint64(len(p.dictionary)) {
		return p.dictionary[i], nil
	}
	return "", errors.New("a value is none of its dictionary")
}

// show writes a value as it stands in a cell.
func (p *pages) show(plain []byte) (string, error) {
	if len(plain) > p.most {
		return "", fmt.Errorf("a value has more than %d bytes", p.most)
	}
	return p.text(plain), nil
}

// pageHead describes a page.
type pageHead struct {
	kind, size, raw        int64 // bytes as it stands, and decompressed
	values, encoding       int64
	levels                 int64 // the encoding of version 1's
	definition, repetition int64 // bytes of version 2's
	plain                  bool  // version 2 without compression
}

// The kinds of pages and encodings, as Parquet numbers them.
const (
	pageV1         = 0
	pageDictionary = 2
	pageV2         = 3

	encodingPlain       = 0
	encodingDictionary  = 2
	encodingRuns        = 3
	encodingBits        = 4
	encodingDelta       = 5
	encodingDeltaLength = 6
	encodingDeltaBytes  = 7
	encodingIndices     = 8
	encodingSplit       = 9
)

// head reads what stands before the next page.
func (p *pages) head() (h pageHead, err error) {
	for n := int64(4 << 10); ; n *= 16 {
		b := make([]byte, min(n, p.end-p.at))
		if _, err := p.file.ReadAt(b, p.at); err != nil {
			return h, err
		}
		h = pageHead{}
		c := compact{b: b}
		c.fields(isStruct, func(id int64, kind byte) {
			switch id {
			case 1:
				h.kind = c.int(kind)
			case 2:
				h.raw = c.int(kind)
			case 3:
				h.size = c.int(kind)
			case 5, 7, 8:
				c.fields(kind, func(field int64, kind byte) {
					switch {
					case field == 1:
						h.values = c.int(kind)
					case id == 8 && field == 4 || id != 8 && field == 2:
						h.encoding = c.int(kind)
					case id == 5 && field == 3:
						h.levels = c.int(kind)
					case id == 8 && field == 5:
						h.definition = c.int(kind)
					case id == 8 && field == 6:
						h.repetition = c.int(kind)
					case id == 8 && field == 7:
						h.plain = kind == isFalse
					}
				})
			}
		})
		if c.err != nil {
			if int64(len(b)) < n || n > maxHead {
				return h, c.err
			}
			continue
		}
		p.at += int64(len(b) - len(c.b))
		switch {
		case h.size < 0 || h.raw < 0 || h.values < 0 || h.definition < 0 || h.repetition < 0 || h.size > p.end-p.at:
			err = errors.New("a page is longer than its column")
		case h.size > maxPage || h.raw > maxPage:
			err = fmt.Errorf("a page has more than %d bytes: write it with smaller ones", maxPage)
		case h.definition > h.raw || h.repetition > h.raw-h.definition || h.definition+h.repetition > h.size:
			err = errPageEnd
		}
		return h, err
	}
}

// page reads the next page.
func (p *pages) page() error {
	switch {
	case p.encrypted:
		return errEncrypted
	case p.at >= p.end:
		return errors.New("it has fewer values than rows")
	}
	h, err := p.head()
	if err != nil {
		return err
	}
	if h.kind != pageDictionary && (h.values == 0 || h.kind != pageV1 && h.kind != pageV2) {
		p.at += h.size
		return nil
	}
	p.memo.raw = slices.Grow(p.memo.raw[:0], int(h.size))[:h.size]
	if _, err := p.file.ReadAt(p.memo.raw, p.at); err != nil {
		return err
	}
	p.at += h.size
	if more := int(h.raw) - cap(p.body); more > 0 {
		if err := p.hold(more); err != nil {
			return err
		}
		p.body = make([]byte, h.raw)
	}
	p.body = p.body[:h.raw]
	// Version 2 does not compress its levels.
	levels := h.repetition + h.definition
	copy(p.body, p.memo.raw[:levels])
	codec := p.codec
	if h.plain {
		codec = 0
	}
	if err := p.memo.inflate(codec, p.body[levels:], p.memo.raw[levels:]); err != nil {
		return err
	}
	p.levels, p.index, p.plain = nil, nil, nil
	data := p.body[levels:]
	switch {
	case h.kind == pageDictionary:
		return p.read(h, data)
	case h.kind == pageV2 && p.maybe && h.definition > 0:
		p.levels = runs(p.body[h.repetition:levels], 1)
	case h.kind == pageV1 && p.maybe && h.levels != encodingRuns:
		return errors.New("it says in an old way which values are missing")
	case h.kind == pageV1 && p.maybe:
		var bits []byte
		if bits, data, err = prefixed(data); err != nil {
			return err
		}
		p.levels = runs(bits, 1)
	}
	p.left = h.values
	return p.decode(h.encoding, data)
}

// read reads the dictionary: its values as they stand in cells, once.
func (p *pages) read(h pageHead, data []byte) error {
	const each = 48 // bytes of a text and of what points to it, where the value is a number
	if h.encoding != encodingPlain && h.encoding != encodingDictionary {
		return fmt.Errorf("its dictionary has encoding %d, which is not known here", h.encoding)
	}
	if p.dictionary != nil {
		return errors.New("it has two dictionaries")
	}
	if h.values > maxHeld {
		return errPageEnd
	}
	if err := p.hold(each*int(h.values) + len(data)); err != nil {
		return err
	}
	next, err := p.plainly(data)
	if err != nil {
		return err
	}
	p.dictionary = make([]string, h.values)
	for i := range p.dictionary {
		v, err := next()
		if err != nil {
			return err
		}
		if p.dictionary[i], err = p.show(v); err != nil {
			return err
		}
	}
	return nil
}

// decode begins the values of a page.
func (p *pages) decode(encoding int64, data []byte) (err error) {
	whole := p.kind == physicalInt32 || p.kind == physicalInt64
	switch {
	case encoding == encodingPlain:
		p.plain, err = p.plainly(data)
	case encoding == encodingDictionary || encoding == encodingIndices:
		if len(data) == 0 { // a page without a value
			p.index = func() ([]byte, error) { return nil, errPageEnd }
			return nil
		}
		if data[0] > 32 {
			return errors.New("its dictionary is too large")
		}
		p.index = runs(data[1:], int(data[0]))
	case encoding == encodingRuns && p.kind == physicalBool:
		if data, _, err = prefixed(data); err == nil {
			p.plain = runs(data, 1)
		}
	case encoding == encodingDelta && whole:
		var d *deltas
		if d, err = newDeltas(data); err == nil {
			p.plain = func() ([]byte, error) {
				v, err := d.next()
				return binary.LittleEndian.AppendUint64(d.scratch[:0], uint64(v))[:p.width], err
			}
		}
	case encoding == encodingDeltaLength && p.kind == physicalBytes:
		p.plain, err = deltaLength(data)
	case encoding == encodingDeltaBytes && (p.kind == physicalBytes || p.kind == physicalFixed):
		p.plain, err = deltaBytes(data, p.width)
	case encoding == encodingSplit && p.width > 0:
		p.plain = scattered(data, p.width)
	default:
		err = fmt.Errorf("its values have encoding %d, which is not known here", encoding)
	}
	return err
}

// plainly reads values that stand one after the other.
func (p *pages) plainly(data []byte) (values, error) {
	switch {
	case p.kind == physicalBool:
		at, out := 0, []byte{0}
		return func() ([]byte, error) {
			v, err := bits(data, at, 1)
			at, out[0] = at+1, byte(v)
			return out, err
		}, nil
	case p.kind == physicalBytes:
		return func() (v []byte, err error) {
			v, data, err = prefixed(data)
			return v, err
		}, nil
	}
	return func() ([]byte, error) {
		if len(data) < p.width {
			return nil, errPageEnd
		}
		v := data[:p.width]
		data = data[p.width:]
		return v, nil
	}, nil
}

// prefixed cuts off bytes that have their number before them.
func prefixed(data []byte) (v, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errPageEnd
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; n > uint64(len(data)) {
		return nil, nil, errPageEnd
	}
	return data[:n], data[n:], nil
}

// scattered reads values whose first bytes stand together, then their second ones.
func scattered(data []byte, width int) values {
	at, rows, out := 0, len(data)/width, make([]byte, width)
	return func() ([]byte, error) {
		if at >= rows {
			return nil, errPageEnd
		}
		for i := range out {
			out[i] = data[i*rows+at]
		}
		at++
		return out, nil
	}
}

// runs reads numbers of so many bits, repeated or packed. Each is given in 4 bytes.
func runs(data []byte, width int) values {
	var (
		left   uint64 // values of the run
		packed []byte // of a run of different values
		at     int    // bits of packed that were read
		out    = make([]byte, 4)
	)
	return func() ([]byte, error) {
		for left == 0 {
			head, n := binary.Uvarint(data)
			if n <= 0 {
				return nil, errPageEnd
			}
			data = data[n:]
			left = head >> 1
			if head&1 == 1 {
				if left > math.MaxUint32 {
					return nil, errPageEnd
				}
				bytes := min(int(left)*width, len(data)) // a writer may cut what is over
				packed, data, at, left = data[:bytes:bytes], data[bytes:], 0, 8*left
				continue
			}
			bytes := (width + 7) / 8
			if bytes > len(data) {
				return nil, errPageEnd
			}
			clear(out)
			copy(out, data[:bytes])
			packed, data = nil, data[bytes:]
		}
		left--
		if packed == nil {
			return out, nil
		}
		v, err := bits(packed, at, width)
		at += width
		binary.LittleEndian.PutUint32(out, uint32(v))
		return out, err
	}
}

// bits returns a number of up to 64 bits, the lowest first.
func bits(b []byte, at, width int) (uint64, error) {
	if at+width > 8*len(b) {
		return 0, errPageEnd
	}
	var window [9]byte
	copy(window[:], b[at/8:])
	shift := at % 8
	v := binary.LittleEndian.Uint64(window[:8])>>shift | uint64(window[8])<<(64-shift)
	if width < 64 {
		v &= 1<<width - 1
	}
	return v, nil
}

// deltas reads whole numbers, each as its distance from the one before. Distances come
// in blocks, with the least of each apart; blocks come in parts, each with a width.
type deltas struct {
	data    []byte
	parts   int // of a block
	each    int // distances of a part
	left    uint64
	first   bool
	last    int64
	least   int64
	widths  []byte // of the parts of this block that were not begun
	part    []byte
	width   int
	at      int // distances of the part that were read
	scratch [8]byte
}

func newDeltas(data []byte) (*deltas, error) {
	var head [4]uint64 // distances of a block, parts of a block, values, the first value
	for i := range head {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return nil, errPageEnd
		}
		head[i], data = v, data[n:]
	}
	const most = 1 << 16 // distances of a block
	if head[0] == 0 || head[0] > most || head[1] == 0 || head[0]%head[1] != 0 || head[0]/head[1]%8 != 0 {
		return nil, fmt.Errorf("its numbers come in blocks of %d, in %d parts", head[0], head[1])
	}
	d := &deltas{data: data, parts: int(head[1]), each: int(head[0] / head[1]), left: head[2], first: true, last: unzigzag(head[3])}
	d.at = d.each
	return d, nil
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// begin goes on to the next part.
func (d *deltas) begin() error {
	if len(d.widths) == 0 {
		v, n := binary.Uvarint(d.data)
		if n <= 0 || len(d.data)-n < d.parts {
			return errPageEnd
		}
		d.least = unzigzag(v)
		d.widths, d.data = d.data[n:n+d.parts], d.data[n+d.parts:]
	}
	d.width, d.widths = int(d.widths[0]), d.widths[1:]
	n := d.each / 8 * d.width
	if d.width > 64 || n > len(d.data) {
		return errPageEnd
	}
	d.part, d.data, d.at = d.data[:n], d.data[n:], 0
	return nil
}

func (d *deltas) next() (int64, error) {
	if d.left == 0 {
		return 0, errPageEnd
	}
	d.left--
	if d.first {
		d.first = false
		return d.last, nil
	}
	if d.at == d.each {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	v, err := bits(d.part, d.at*d.width, d.width)
	d.at++
	d.last += d.least + int64(v)
	return d.last, err
}

// rest returns what stands behind the numbers, without reading them.
func (d deltas) rest() ([]byte, error) {
	for ahead := int64(min(d.left, math.MaxInt64)) - 1; ahead > 0; ahead -= int64(d.each) {
		if err := d.begin(); err != nil {
			return nil, err
		}
	}
	return d.data, nil
}

// deltaLength reads texts, of which all lengths come first.
func deltaLength(data []byte) (values, error) {
	lengths, err := newDeltas(data)
	if err != nil {
		return nil, err
	}
	if data, err = lengths.rest(); err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		n, err := lengths.next()
		if err != nil || n < 0 || n > int64(len(data)) {
			return nil, errPageEnd
		}
		v := data[:n]
		data = data[n:]
		return v, nil
	}, nil
}

// deltaBytes reads texts, each of which begins as the one before: first how far.
func deltaBytes(data []byte, width int) (values, error) {
	shared, err := newDeltas(data)
	if err != nil {
		return nil, err
	}
	if data, err = shared.rest(); err != nil {
		return nil, err
	}
	ends, err := deltaLength(data)
	if err != nil {
		return nil, err
	}
	var last []byte
	return func() ([]byte, error) {
		n, err := shared.next()
		end, missing := ends()
		if err != nil || missing != nil || n < 0 || n > int64(len(last)) || int(n)+len(end) > maxValue || width > 0 && int(n)+len(end) != width {
			return nil, errPageEnd
		}
		last = append(last[:n], end...)
		return last, nil
	}, nil
}

// inflate fills into with what from holds, which has to be exactly so much.
func (m *memory) inflate(codec int64, into, from []byte) (err error) {
	var r io.Reader
	n := len(into)
	switch {
	case codec == 0:
		n = len(from)
		copy(into, from)
	case len(into) == 0:
		return nil // some writers compress nothing to something, others to nothing
	case codec == 1:
		if n, err = snappy.DecodedLen(from); err == nil && n == len(into) {
			_, err = snappy.Decode(into, from)
		}
	case codec == 2:
		r, err = gzip.NewReader(bytes.NewReader(from))
	case codec == 4:
		r = brotli.NewReader(bytes.NewReader(from))
	case codec == 6:
		if m.zstd == nil {
			// Without room for more than into has it grows nothing, whatever a frame says.
			m.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
		}
		if err == nil {
			var out []byte
			out, err = m.zstd.DecodeAll(from, into[:0:len(into)])
			n = len(out)
		}
	case codec == 7:
		n, err = lz4.UncompressBlock(from, into)
	default:
		return fmt.Errorf("it is compressed in a way (%d) that is not known here", codec)
	}
	if r != nil && err == nil {
		if n, err = io.ReadFull(r, into); err == nil {
			var more [1]byte
			if k, _ := io.ReadFull(r, more[:]); k > 0 {
				n++
			}
		}
	}
	if err != nil || n != len(into) {
		return errors.New("a page does not have the length that it says")
	}
	return nil
}
