package data

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"croft"
)

// Every encoding, with values that are missing and without, in pages of both versions
// and of several sizes, gives what the library wrote.
func TestParquetEncodings(t *testing.T) {
	const rows = 600
	rng := rand.New(rand.NewPCG(3, 3))
	group := parquet.Group{}
	want := map[string][]string{}
	cells := map[string][]parquet.Value{}
	for kind, node := range map[string]parquet.Node{"int32": parquet.Int(32), "int64": parquet.Int(64), "float": parquet.Leaf(parquet.FloatType), "double": parquet.Leaf(parquet.DoubleType),
		"bool": parquet.Leaf(parquet.BooleanType), "text": parquet.String(), "fixed": parquet.Leaf(parquet.FixedLenByteArrayType(7))} {
		encodings := map[string]parquet.Node{"": parquet.Encoded(node, &parquet.Plain)}
		switch kind {
		case "int32", "int64":
			encodings["delta"] = parquet.Encoded(node, &parquet.DeltaBinaryPacked)
			encodings["split"] = parquet.Encoded(node, &parquet.ByteStreamSplit)
		case "float", "double":
			encodings["split"] = parquet.Encoded(node, &parquet.ByteStreamSplit)
		case "bool":
			encodings["runs"] = parquet.Encoded(node, &parquet.RLE)
		case "text":
			encodings["delta length"] = parquet.Encoded(node, &parquet.DeltaLengthByteArray)
			encodings["delta"] = parquet.Encoded(node, &parquet.DeltaByteArray)
		case "fixed":
			encodings["delta"] = parquet.Encoded(node, &parquet.DeltaByteArray)
		}
		if kind != "bool" {
			encodings["dictionary"] = parquet.Encoded(node, &parquet.RLEDictionary)
		}
		for encoding, node := range encodings {
			for _, optional := range []bool{false, true} {
				name := fmt.Sprint(kind, " ", encoding, " ", optional)
				if group[name] = node; optional {
					group[name] = parquet.Optional(node)
				}
				for i := range rows {
					var v parquet.Value
					text := ""
					n := rng.Int64N(1 << rng.IntN(50))
					switch n -= 1000; kind {
					case "int32":
						v, text = parquet.Int32Value(int32(n)), fmt.Sprint(int32(n))
					case "int64":
						v, text = parquet.Int64Value(n), fmt.Sprint(n)
					case "float":
						v, text = parquet.FloatValue(float32(n)/3), strconv.FormatFloat(float64(float32(n)/3), 'g', -1, 32)
					case "double":
						v, text = parquet.DoubleValue(float64(n)/3), strconv.FormatFloat(float64(n)/3, 'g', -1, 64)
					case "bool":
						v, text = parquet.BooleanValue(i/50%3 == 0), fmt.Sprint(i/50%3 == 0)
					case "text":
						text = strings.Repeat("ab", int(n&15)) + fmt.Sprint(n%100)
						v = parquet.ByteArrayValue([]byte(text))
					case "fixed":
						text = fmt.Sprintf("%07d", (n+1000)%1e7)
						v = parquet.FixedLenByteArrayValue([]byte(text))
					}
					if optional && (n%3 == 0 || i/100%5 == 1) {
						v, text = parquet.NullValue(), ""
					}
					cells[name], want[name] = append(cells[name], v), append(want[name], text)
				}
			}
		}
	}
	for version, codecs := range map[int]map[string]compress.Codec{
		1: {"plain": &parquet.Uncompressed, "snappy": &parquet.Snappy, "brotli": &parquet.Brotli},
		2: {"plain": &parquet.Uncompressed, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd, "lz4": &parquet.Lz4Raw},
	} {
		for codec, c := range codecs {
			schema := parquet.NewSchema("rows", group)
			var b bytes.Buffer
			w := parquet.NewWriter(&b, schema, parquet.DataPageVersion(version), parquet.Compression(c), parquet.PageBufferSize(1000), parquet.MaxRowsPerRowGroup(250))
			for i := range rows {
				row := make(parquet.Row, 0, len(group))
				for j, path := range schema.Columns() {
					v, level := cells[path[0]][i], 0
					if leaf, _ := schema.Lookup(path...); leaf.Node.Optional() && !v.IsNull() {
						level = 1
					}
					row = append(row, v.Level(0, level, j))
				}
				if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			dir := put(t, map[string]string{"a": b.String()})
			header, got, err := cellsOf(Source{Path: filepath.Join(dir, "a")})
			if err != nil || len(header) != len(group) || len(got) != rows {
				t.Fatalf("%s, version %d: %d columns, %d rows, %v", codec, version, len(header), len(got), err)
			}
			for j, name := range header {
				for i, row := range got {
					if row[j] != want[name][i] {
						t.Errorf("%s, version %d, %s, row %d: %q, want %q", codec, version, name, i, row[j], want[name][i])
						break
					}
				}
			}
		}
	}
}

// What is not looked at is not read: a page that is broken in another column does not
// matter, and a study over two columns of many costs two.
func TestParquetReadsWhatIsWanted(t *testing.T) {
	good := parquetFileOf(t, []chunkOf{{data: pageOf(0, plainInts(1, 2))}, {data: pageOf(0, []byte{1, 2})}}, 2)
	dir := put(t, map[string]string{"a": good})
	s := Source{Path: filepath.Join(dir, "a")}
	narrow := croft.Schema{UnitColumn: "c0"}
	if tab, _, err := s.Open(narrow, Limits{}); err != nil || tab.Rows() != 2 {
		t.Errorf("%v", err)
	}
	for _, all := range []croft.Schema{{UnitColumn: "c1"}, {UnitColumn: "row"}} {
		if _, _, err := s.Open(all, Limits{}); !errors.Is(err, croft.ErrParquet) || !strings.Contains(err.Error(), `column "c1": a page ends early`) {
			t.Errorf("%v", err)
		}
	}
}

// A small file does not become large in memory, whatever it says of itself, and says
// why it is not read.
func TestHostileParquet(t *testing.T) {
	const giga, large = 1 << 30, 48 << 20
	zeros := make([]byte, 1<<20)
	squeeze := func(w interface {
		Write([]byte) (int, error)
		Close() error
	}, b *bytes.Buffer) []byte {
		for range large >> 20 {
			w.Write(zeros)
		}
		w.Close()
		return b.Bytes()
	}
	var z, zNoSize, br, gz bytes.Buffer
	small, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	z.Write(small.EncodeAll(make([]byte, large), nil))
	stream, _ := zstd.NewWriter(&zNoSize, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	squeeze(stream, &zNoSize)
	squeeze(brotli.NewWriterLevel(&br, 0), &br)
	squeeze(gzip.NewWriter(&gz), &gz)
	long := binary.AppendUvarint(nil, 1<<62)
	// Each text is the last and one more byte.
	growing := slices.Concat(deltasOf(0, 1, 1_000_000), deltasOf(1, 0, 1_000_000), make([]byte, 1_000_000))
	growing = append(pageHeadOf(0, len(growing), len(growing), 1_000_000, 7), growing...)

	type hostile struct {
		chunk chunkOf
		rows  int64
		says  string
	}
	cases := map[string]hostile{
		"zstd, honest size": {chunkOf{codec: 6, data: packed(maxPage+1, z.Bytes())}, 2, "a page has more than 67108864 bytes"},
		// A frame with a window of 1 KB says that it is 4 GB long, and has an empty block.
		"zstd, huge size":           {chunkOf{codec: 6, data: packed(16, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0})}, 2, "a page does not have the length"},
		"zstd, wrong size":          {chunkOf{codec: 6, data: packed(16, z.Bytes())}, 2, "a page does not have the length"},
		"zstd without a size":       {chunkOf{codec: 6, data: packed(1<<20, zNoSize.Bytes())}, 2, "a page does not have the length"},
		"gzip":                      {chunkOf{codec: 2, data: packed(1<<20, gz.Bytes())}, 2, "a page does not have the length"},
		"brotli":                    {chunkOf{codec: 4, data: packed(1<<20, br.Bytes())}, 2, "a page does not have the length"},
		"snappy":                    {chunkOf{codec: 1, data: packed(1<<20, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})}, 2, "a page does not have the length"},
		"LZ4":                       {chunkOf{codec: 7, data: packed(1<<20, append(bytes.Repeat([]byte{0xff}, 1000), 0))}, 2, "a page does not have the length"},
		"page longer than column":   {chunkOf{data: pageHeadOf(0, giga, giga, 2, 0)}, 2, "a page is longer than its column"},
		"negative sizes":            {chunkOf{data: pageHeadOf(0, -1, -1, 2, 0)}, 2, "a page is longer than its column"},
		"large dictionary":          {chunkOf{data: append(pageHeadOf(2, 4, 4, 1<<29, 0), 1, 2, 3, 4)}, 2, "have more than 536870912 bytes together"},
		"dictionary that ends":      {chunkOf{data: append(pageHeadOf(2, 4, 4, 1<<20, 0), 1, 2, 3, 4)}, 2, "a page ends early"},
		"two dictionaries":          {chunkOf{data: bytes.Repeat(append(pageHeadOf(2, 4, 4, 1, 0), 1, 2, 3, 4), 2)}, 2, "two dictionaries"},
		"none of its dictionary":    {chunkOf{data: slices.Concat(pageHeadOf(2, 4, 4, 1, 0), []byte{1, 2, 3, 4}, pageOf(8, []byte{1, 4, 1}))}, 2, "a value is none of its dictionary"},
		"odd dictionary":            {chunkOf{data: append(pageHeadOf(2, 4, 4, 1, 5), 1, 2, 3, 4)}, 2, "its dictionary has encoding 5"},
		"levels of long ago":        {chunkOf{optional: true, data: append(append(new(thrift).int(1, pageV1).int(2, 4).int(3, 4).nest(5, new(thrift).int(1, 2).int(3, 4)).b, isEnd), 1, 2, 3, 4)}, 2, "in an old way which values are missing"},
		"no dictionary":             {chunkOf{data: pageOf(8, []byte{0, 4})}, 2, "a value is none of its dictionary"},
		"endless run":               {chunkOf{data: slices.Concat(pageHeadOf(2, 4, 4, 1, 0), []byte{1, 2, 3, 4}, pageHeadOf(0, len(long)+2, len(long)+2, 1<<31-1, 8), []byte{1}, long, []byte{0})}, 1 << 39, "more than 1000 rows"},
		"endless packed run":        {chunkOf{data: pageOf(8, slices.Concat([]byte{32}, binary.AppendUvarint(nil, 1<<62|1)))}, 2, "a page ends early"},
		"endless packed of none":    {chunkOf{data: slices.Concat(pageHeadOf(2, 4, 4, 1, 0), []byte{1, 2, 3, 4}, pageHeadOf(0, 6, 6, 1<<31-1, 8), []byte{0}, binary.AppendUvarint(nil, 1<<32|1))}, 1 << 39, "more than 1000 rows"},
		"wide dictionary":           {chunkOf{data: pageOf(8, []byte{33, 4})}, 2, "its dictionary is too large"},
		"endless deltas":            {chunkOf{data: pageOf(5, slices.Concat([]byte{0x80, 1, 4}, long, []byte{0}))}, 3, "a page ends early"},
		"no deltas":                 {chunkOf{data: pageOf(5, []byte{0, 0, 0, 0})}, 3, "blocks of 0"},
		"growing texts":             {chunkOf{kind: physicalBytes, data: growing}, 1 << 39, "more than 1000 rows"},
		"long value":                {chunkOf{kind: physicalBytes, data: pageOf(0, slices.Concat([]byte{1, 0, 16, 0}, make([]byte, 1<<20+1)))}, 2, "a value has more than 1048576 bytes"},
		"longer than its page":      {chunkOf{kind: physicalBytes, data: pageOf(0, []byte{0xff, 0xff, 0xff, 0xff})}, 2, "a page ends early"},
		"levels that end":           {chunkOf{optional: true, data: pageOf(0, []byte{0xff, 0xff, 0xff, 0xff})}, 2, "a page ends early"},
		"encoding 77":               {chunkOf{data: pageOf(77, plainInts(1, 2))}, 2, "encoding 77, which is not known"},
		"compression 5":             {chunkOf{codec: 5, data: packed(9, []byte{1})}, 2, "compressed in a way (5)"},
		"more rows than values":     {chunkOf{data: pageOf(0, plainInts(1, 2))}, 5, "fewer values than rows"},
		"no page":                   {chunkOf{}, 5, "fewer values than rows"},
		"nothing but empty pages":   {chunkOf{data: bytes.Repeat(pageHeadOf(0, 0, 0, 0, 0), 1000)}, 5, "fewer values than rows"},
		"large pages of no values":  {chunkOf{codec: 6, data: bytes.Repeat(append(pageHeadOf(0, large, z.Len(), 0, 0), z.Bytes()...), 3)}, 5, "fewer values than rows"},
		"decimals of scale 200":     {chunkOf{scale: 200, data: pageOf(0, plainInts(1, 2))}, 2, "decimals of scale 200"},
		"head without an end":       {chunkOf{data: bytes.Repeat([]byte{0x15, 0}, 2<<20)}, 5, "its description"},
		"nested head":               {chunkOf{data: bytes.Repeat([]byte{0x5c}, 1<<20)}, 5, "nested too deeply"},
		"column outside of file":    {chunkOf{data: pageOf(0, plainInts(1, 2)), shift: 1 << 40}, 2, "does not stand in the file"},
		"column before the file":    {chunkOf{data: pageOf(0, plainInts(1, 2)), shift: -100}, 2, "does not stand in the file"},
		"impossible number of rows": {chunkOf{data: pageOf(0, plainInts(1, 2))}, -2, "impossible number of rows"},
	}
	files := map[string]string{}
	for name, c := range cases {
		files[name] = parquetFileOf(t, []chunkOf{c.chunk}, c.rows)
	}
	foot := func(b []byte) string {
		return "PAR1" + string(b) + string(binary.LittleEndian.AppendUint32(nil, uint32(len(b)))) + "PAR1"
	}
	for name, c := range map[string]struct {
		file, says string
	}{
		"deep footer":         {foot(bytes.Repeat([]byte{0x1c}, 1<<20)), "nested too deeply"},
		"deep lists":          {foot(append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 1<<20)...)), "nested too deeply"},
		"endless list":        {foot(append([]byte{0x29, 0xfc}, 0xff, 0xff, 0xff, 0xff, 0x07)), "ends early"},
		"endless text":        {foot(append([]byte{0x29, 0x1c, 0x48}, 0xff, 0xff, 0xff, 0xff, 0x07)), "ends early"},
		"many empty columns":  {foot(append([]byte{0x29, 0xfc, 0x80, 0x80, 0x40}, make([]byte, 1<<20)...)), "it has more than 4096 columns"},
		"many groups of none": {foot(append([]byte{0x49, 0xfc, 0x80, 0x80, 0x40}, make([]byte, 1<<20)...)), "no columns of single values"},
	} {
		files[name], cases[name] = c.file, hostile{says: c.says}
	}
	dir := put(t, files)
	for name, c := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Source{Path: filepath.Join(dir, name)}.Open(croft.Schema{UnitColumn: "c0"}, Limits{Rows: 1000})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.says) || !errors.Is(err, croft.ErrParquet) && !errors.Is(err, croft.ErrTooManyRows) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > large/2 {
			t.Errorf("%s: %d MB were allocated for a file of %d bytes", name, made>>20, len(files[name]))
		}
	}
}

// What is encrypted is refused in a plain sentence, if somebody looks at it.
func TestEncryptedParquet(t *testing.T) {
	open, secret := chunkOf{data: pageOf(0, plainInts(1, 2))}, chunkOf{secret: true}
	dir := put(t, map[string]string{
		"all":      secretMagic + "what describes it" + secretMagic,
		"column":   parquetFileOf(t, []chunkOf{secret}, 2),
		"other":    parquetFileOf(t, []chunkOf{open, secret}, 2),
		"only CSV": "PARENT,c0\na,1\nb,2\n",
	})
	for name, says := range map[string]string{"all": "it is encrypted", "column": `column "c0": it is encrypted`, "other": "", "only CSV": ""} {
		_, _, err := Source{Path: filepath.Join(dir, name)}.Open(croft.Schema{UnitColumn: "c0"}, Limits{})
		if says == "" && err != nil || says != "" && (!errors.Is(err, croft.ErrParquet) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v does not say %q", name, err, says)
		}
	}
}

// Files that Arrow wrote, in three of its manners; testdata/arrow.py made them.
func TestParquetOfArrow(t *testing.T) {
	want, err := os.ReadFile("testdata/arrow.csv")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/arrow*.parquet")
	for _, file := range files {
		header, cells, err := cellsOf(Source{Path: file})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		got := strings.Join(header, ",") + "\n"
		for _, row := range cells {
			got += strings.Join(row, ",") + "\n"
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
}

// A file by hand, to say what no program would.

// chunkOf is a column of one row group.
type chunkOf struct {
	kind     int64 // physical; int32 if 0
	optional bool
	codec    int64
	data     []byte
	shift    int64 // of the place that is said
	scale    int64 // of decimals
	secret   bool
}

// thrift is a struct in the compact protocol. Fields come in order.
type thrift struct {
	b    []byte
	last byte
}

func (t *thrift) field(id, kind byte, content ...byte) *thrift {
	t.b = append(append(t.b, (id-t.last)<<4|kind), content...)
	t.last = id
	return t
}

func (t *thrift) int(id byte, v int64) *thrift {
	return t.field(id, isInt64, binary.AppendVarint(nil, v)...)
}

func (t *thrift) text(id byte, v string) *thrift {
	return t.field(id, isBinary, append(binary.AppendUvarint(nil, uint64(len(v))), v...)...)
}

func (t *thrift) nest(id byte, inner *thrift) *thrift {
	return t.field(id, isStruct, append(inner.b, isEnd)...)
}

func (t *thrift) list(id byte, inner ...*thrift) *thrift {
	t.field(id, isList, binary.AppendUvarint([]byte{15<<4 | isStruct}, uint64(len(inner)))...)
	for _, i := range inner {
		t.b = append(append(t.b, i.b...), isEnd)
	}
	return t
}

func parquetFileOf(t testing.TB, columns []chunkOf, rows int64) string {
	t.Helper()
	file := []byte(parquetMagic)
	schema := []*thrift{new(thrift).text(4, "root").int(5, int64(len(columns)))}
	var chunks []*thrift
	for i, c := range columns {
		repetition := int64(0)
		if c.optional {
			repetition = 1
		}
		element := new(thrift).int(1, cmp.Or(c.kind, physicalInt32)).int(3, repetition).text(4, fmt.Sprint("c", i))
		if c.scale != 0 {
			element.int(6, convertedDecimal).int(7, c.scale)
		}
		chunk := new(thrift).nest(3, new(thrift).int(4, c.codec).int(7, int64(len(c.data))).int(9, int64(len(file))+c.shift))
		if c.secret { // under a key of its own, so what describes it is not there to read
			chunk = new(thrift).nest(8, new(thrift).nest(2, new(thrift))).text(9, "sealed")
		}
		schema, chunks = append(schema, element), append(chunks, chunk)
		file = append(file, c.data...)
	}
	footer := new(thrift).list(2, schema...).int(3, rows).list(4, new(thrift).list(1, chunks...).int(3, rows))
	footer.b = append(footer.b, isEnd)
	file = binary.LittleEndian.AppendUint32(append(file, footer.b...), uint32(len(footer.b)))
	return string(file) + parquetMagic
}

func pageHeadOf(kind int64, raw, size int, values, encoding int64) []byte {
	head := byte(5)
	if kind == pageDictionary {
		head = 7
	}
	inner := new(thrift).int(1, values).int(2, encoding).int(3, encodingRuns)
	return append(new(thrift).int(1, kind).int(2, int64(raw)).int(3, int64(size)).nest(head, inner).b, isEnd)
}

// pageOf is a page of two values.
func pageOf(encoding int64, body []byte) []byte {
	return append(pageHeadOf(pageV1, len(body), len(body), 2, encoding), body...)
}

// packed is a page of two values that says how long it is decompressed.
func packed(raw int, compressed []byte) []byte {
	return append(pageHeadOf(pageV1, raw, len(compressed), 2, encodingPlain), compressed...)
}

func plainInts(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// deltasOf encodes n numbers with the same distance.
func deltasOf(first, step int64, n int) []byte {
	b := binary.AppendVarint(binary.AppendUvarint([]byte{0x80, 1, 4}, uint64(n)), first)
	for ; n > 1; n -= 128 {
		b = append(binary.AppendVarint(b, step), 0, 0, 0, 0)
	}
	return b
}
