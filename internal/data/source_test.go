package data

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"croft"
	"croft/internal/table"
)

// put writes files into a new folder and returns it.
func put(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// visit is a row as other programs write it to a Parquet file.
type visit struct {
	ID     int64     `parquet:"id"`
	Age    *float64  `parquet:"age,optional"`
	Sex    string    `parquet:"sex,dict"`
	Ill    *string   `parquet:"ill,optional"`
	Smokes bool      `parquet:"smokes"`
	Dose   int64     `parquet:"dose,decimal(2:18)"`
	Seen   time.Time `parquet:"seen,timestamp(millisecond)"`
	Small  float32   `parquet:"small"`
	Count  uint32    `parquet:"count"`
	Tags   []string  `parquet:"tags,list"`
}

func parquetOf(t testing.TB, rows []visit, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[visit](&b, options...)
	for part := range slices.Chunk(rows, 70) { // several row groups
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func visits(n int) (rows []visit, csv string) {
	var b strings.Builder
	b.WriteString("id,age,sex,ill,smokes,dose,seen,small,count\n")
	for i := range n {
		age, ill := float64(20+i%60)+0.25, []string{"no", "yes"}[i%2]
		v := visit{ID: int64(i), Age: &age, Sex: []string{"f", "m"}[i/2%2], Ill: &ill, Smokes: i%3 == 0, Dose: int64(i*5 - 12),
			Seen: time.Date(2020, 1, 1+i, 2, 3, 4, 0, time.UTC), Small: 0.1, Count: math.MaxUint32 - uint32(i), Tags: []string{"a", "b"}[:i%3]}
		text := fmt.Sprint(age)
		switch i % 10 {
		case 3:
			v.Age, text = nil, ""
		case 4:
			nan := math.NaN()
			v.Age, text = &nan, ""
		}
		rows = append(rows, v)
		fmt.Fprintf(&b, "%d,%s,%s,%s,%t,%.2f,%s,0.1,%d\n", v.ID, text, v.Sex, ill, v.Smokes, float64(v.Dose)/100, v.Seen.Format(time.RFC3339), v.Count)
	}
	return rows, b.String()
}

// cellsOf returns all cells of a source.
func cellsOf(s Source) (header []string, cells [][]string, err error) {
	return cellsWithin(s, Limits{})
}

func cellsWithin(s Source, limits Limits) (header []string, cells [][]string, err error) {
	_, err = s.each(limits, func(_ string, names []string) ([]bool, error) { header = names; return nil, nil }, func(_ string, _ int, row []string) error {
		cells = append(cells, slices.Clone(row))
		return nil
	})
	return header, cells, err
}

// A Parquet file gives the cells of the CSV file that has the same rows.
func TestParquetIsReadAsCSV(t *testing.T) {
	rows, csv := visits(200)
	dir := put(t, map[string]string{"a.csv": csv})
	wantHeader, want, err := cellsOf(Source{Path: filepath.Join(dir, "a.csv")})
	if err != nil {
		t.Fatal(err)
	}
	for name, codec := range map[string]compress.Codec{"plain": nil, "snappy": new(snappy.Codec), "gzip": new(gzip.Codec), "zstd": new(zstd.Codec)} {
		options := []parquet.WriterOption{parquet.PageBufferSize(512)}
		if codec != nil {
			options = append(options, parquet.Compression(codec))
		}
		dir := put(t, map[string]string{"rows": parquetOf(t, rows, options...)}) // not known by its name
		header, cells, err := cellsOf(Source{Path: filepath.Join(dir, "rows")})
		if err != nil {
			t.Fatal(name, err)
		}
		if !slices.Equal(header, wantHeader) || len(cells) != len(want) {
			t.Fatalf("%s: %q, %d rows", name, header, len(cells))
		}
		for i := range want {
			if !slices.Equal(cells[i], want[i]) {
				t.Fatalf("%s, row %d:\ngot  %q\nwant %q", name, i, cells[i], want[i])
			}
		}
	}
}

func TestParquetThatIsNone(t *testing.T) {
	rows, _ := visits(100)
	good := parquetOf(t, rows)
	for name, text := range map[string]string{
		"cut":           good[:len(good)/2],
		"only magic":    "PAR1",
		"twice":         "PAR1PAR1",
		"endless foot":  good[:len(good)-8] + "\xff\xff\xff\x7fPAR1",
		"foot too long": good[:len(good)-8] + "\xff\xff\xff\x00PAR1",
		"zeros":         "PAR1" + strings.Repeat("\x00", 100) + "\x10\x00\x00\x00PAR1",
	} {
		dir := put(t, map[string]string{"a.parquet": text})
		_, _, err := Source{Path: filepath.Join(dir, "a.parquet")}.Open(schema, Limits{})
		if !errors.Is(err, croft.ErrParquet) || !strings.Contains(err.Error(), "a.parquet is not a Parquet file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := put(t, map[string]string{"a.parquet": good})
	bad := croft.Schema{UnitColumn: "id", Columns: []croft.Column{{Name: "age", Kind: croft.Number, High: dec("40"), Missing: croft.MissingDrop}}}
	if _, _, err := (Source{Path: filepath.Join(dir, "a.parquet")}).Open(bad, Limits{}); !errors.Is(err, croft.ErrValueRange) || !strings.Contains(err.Error(), "a.parquet, line 21, column age: \"40.25\"") {
		t.Errorf("a value outside: %v", err)
	}
	if _, _, err := (Source{Path: filepath.Join(dir, "a.parquet")}).Open(croft.Schema{UnitColumn: "id"}, Limits{Rows: 99}); !errors.Is(err, croft.ErrTooManyRows) {
		t.Errorf("100 rows where 99 may be: %v", err)
	}
}

// oddParquet are small files of each encoding, by hand and of the library.
func oddParquet(t testing.TB) (files []string) {
	rows, _ := visits(6)
	for _, version := range []int{1, 2} {
		for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd} {
			files = append(files, parquetOf(t, rows, parquet.DataPageVersion(version), parquet.Compression(codec)))
		}
	}
	for _, c := range []chunkOf{
		{data: pageOf(encodingDelta, deltasOf(7, 3, 300))},
		{data: pageOf(encodingSplit, plainInts(1, 2))},
		{kind: physicalBytes, data: pageOf(encodingDeltaBytes, slices.Concat(deltasOf(0, 1, 2), deltasOf(1, 0, 2), []byte("ab")))},
		{kind: physicalBytes, optional: true, data: pageOf(encodingDeltaLength, slices.Concat([]byte{2, 0, 0, 0, 4, 1}, deltasOf(1, 0, 2), []byte("ab")))},
		{data: slices.Concat(pageHeadOf(pageDictionary, 4, 4, 1, 0), plainInts(1), pageOf(encodingIndices, []byte{1, 4, 0}))},
	} {
		files = append(files, parquetFileOf(t, []chunkOf{c}, 2))
	}
	return files
}

// endsWell reads a file of whatever it holds: that ends, with rows or with a sentence.
func endsWell(t *testing.T, path string) {
	t.Helper()
	_, cells, err := cellsWithin(Source{Path: path}, Limits{Rows: 2000})
	if e, ok := errors.AsType[*croft.Error](err); err != nil && !ok {
		t.Errorf("no sentence: %v %v", e, err)
	}
	for _, row := range cells {
		if len(row) != len(cells[0]) {
			t.Fatal("rows of different widths")
		}
	}
}

// Every byte of a good file may be another.
func TestDamagedParquet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for i, good := range oddParquet(t) {
		if i > 0 && i < 8 && i != 4 {
			continue // compressed: most damage ends there
		}
		for at := len(parquetMagic); at < len(good); at++ {
			for j, b := range []byte{good[at] ^ 1, good[at] ^ 0x80, 0xff} {
				if j > 0 && i < 8 {
					break // the library's are long
				}
				if err := os.WriteFile(path, []byte(good[:at]+string([]byte{b})+good[at+1:]), 0o600); err != nil {
					t.Fatal(err)
				}
				endsWell(t, path)
			}
		}
	}
}

func FuzzParquet(f *testing.F) {
	for _, file := range oddParquet(f) {
		f.Add([]byte(file[4:]))
	}
	rows, _ := visits(6)
	good := parquetOf(f, rows)
	f.Add([]byte(good[4:40] + good[60:]))
	f.Add([]byte("PAR1"))
	f.Add([]byte(strings.ReplaceAll(good[4:], "age", "\xff\xff\xff")))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<20 {
			return
		}
		endsWell(t, filepath.Join(put(t, map[string]string{"a": "PAR1" + string(text)}), "a"))
	})
}

func TestSeveralFilesAreOneDataset(t *testing.T) {
	const head = "id,age,sex,ill\n"
	dir := put(t, map[string]string{"1.csv": head + "1,60,m,yes\n2,30,f,no\n", "2.csv": head + "3,61,m,no\n", "3.tsv": strings.ReplaceAll(head+"4,20,f,no\n1,59,m,yes\n", ",", "\t"),
		"notes.txt": "not a table", ".hidden.csv": "x", "other": head + "4,20,f,no\n1,59,m,yes\n"})
	in := func(name string) string { return filepath.Join(dir, name) }
	folder, folderHash, err := Source{Path: dir}.Open(schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	listed, listHash, err := Source{Path: in("1.csv"), More: []string{in("2.csv"), in("3.tsv")}}.Open(schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if folder.Rows() != 5 || len(folder.People()) != 4 || listed.Rows() != 5 || listHash != folderHash {
		t.Errorf("%d rows of %d people, %d rows; %v %v", folder.Rows(), len(folder.People()), listed.Rows(), folderHash, listHash)
	}
	if _, other, _ := (Source{Path: in("2.csv"), More: []string{in("1.csv"), in("3.tsv")}}).Open(schema, Limits{}); other == listHash {
		t.Error("the order of files does not matter")
	}
	if _, one, err := Open(in("1.csv"), schema, Limits{}); err != nil || one != croft.Sum([]byte(head+"1,60,m,yes\n2,30,f,no\n")) {
		t.Error("one file's hash is not of its bytes", err)
	}
	if draft, err := (Source{Path: dir}).Guess(); err != nil || draft.Rows != 5 {
		t.Error(draft.Rows, err)
	}
	os.WriteFile(in("4.csv"), []byte("id,sex,age,ill\n5,m,50,no\n"), 0o600)
	if _, _, err := (Source{Path: dir}).Open(schema, Limits{}); !errors.Is(err, croft.ErrOtherHeader) || !strings.Contains(err.Error(), "4.csv has other columns than 1.csv") {
		t.Errorf("another header: %v", err)
	}
	os.WriteFile(in("4.csv"), []byte(head+"5,50,x,no\n"), 0o600)
	if _, _, err := (Source{Path: dir}).Open(schema, Limits{}); !errors.Is(err, croft.ErrLevelUnknown) || !strings.Contains(err.Error(), "4.csv, line 2, column sex") {
		t.Errorf("a bad cell: %v", err)
	}
	os.Remove(in("4.csv"))
	if _, _, err := (Source{Path: dir}).Open(schema, Limits{Rows: 4}); !errors.Is(err, croft.ErrTooManyRows) {
		t.Errorf("5 rows where 4 may be: %v", err)
	}
	if _, _, err := (Source{Path: t.TempDir()}).Open(schema, Limits{}); !errors.Is(err, croft.ErrFileOpen) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := (Source{Path: in("1.csv"), More: []string{dir}}).Open(schema, Limits{}); !errors.Is(err, croft.ErrFileOpen) {
		t.Errorf("a folder among files: %v", err)
	}
}

func TestDecimalComma(t *testing.T) {
	for text, want := range map[string]string{"1,5": "1.5", "-1,25": "-1.25", "1.234,5": "1234.5", "1.234": "1234", "12.345.678": "12345678", " 7 ": "7", "1.5": "1.5",
		"01.02.2020": "01.02.2020", "a,b": "a,b", "1,2,3": "1,2,3", "": "", "1234.567": "1234.567"} {
		if got := withPoint(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	dir := put(t, map[string]string{"a.csv": "\ufeffid;age;sex;ill\r\n1;60,5;m;yes\r\n2;30;f;no\r\n", "b.csv": "id,age,sex,ill\n1,60.5,m,yes\n2,30,f,no\n"})
	german, _, err := Source{Path: filepath.Join(dir, "a.csv"), DecimalComma: true}.Open(schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	english, _, err := Open(filepath.Join(dir, "b.csv"), schema, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, _, _ := table.Build(german, study)
	b, _, _ := table.Build(english, study)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v\n%v", a, b)
	}
	if _, _, err := Open(filepath.Join(dir, "a.csv"), schema, Limits{}); !errors.Is(err, croft.ErrNotNumber) {
		t.Errorf("not declared: %v", err)
	}
}
