package croft

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodingIsCanonical(t *testing.T) {
	s := Study{Version: 1, Name: "anaemia", Sites: []MemberID{{1}, {2}}, Schema: Schema{Columns: []Column{{Name: "age", Kind: Number, High: Decimal{1205, 1}}}}}
	data := Encode(s)
	var back Study
	if err := Decode(data, &back); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Encode(back), data) {
		t.Fatal("decode then encode differs")
	}
	for name, bad := range map[string][]byte{
		"trailing byte":         append(bytes.Clone(data), 0),
		"unknown key":           {0xa1, 0x18, 0x63, 0x01},
		"duplicate key":         {0xa2, 0x01, 0x01, 0x01, 0x01},
		"number not shortest":   {0xa1, 0x01, 0x18, 0x01},
		"indefinite map":        {0xbf, 0x01, 0x01, 0xff},
		"wrong length of an id": {0xa1, 0x07, 0x81, 0x41, 0x01},
		"float":                 {0xa1, 0x01, 0xf9, 0x3c, 0x00},
		"empty":                 {},
	} {
		var v Study
		if err := Decode(bad, &v); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzDecodeStudy(f *testing.F) {
	f.Add(Encode(Study{Version: 1, Name: "a"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Study
		if Decode(data, &s) == nil && !bytes.Equal(Encode(s), data) {
			t.Fatal("two encodings of one value")
		}
	})
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]string{"1.50": "1.5", "-0.05": "-0.05", "100": "100", "+3": "3", ".5": "0.5", "-.5": "-0.5"} {
		d, err := ParseDecimal(text)
		if err != nil || d.String() != want {
			t.Errorf("%s: got %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", ".", "1.", "1e3", "--1", "+-1", "1.2.3", "NaN", "0x1", "1234567890123456789", "１"} {
		if d, err := ParseDecimal(text); err == nil {
			t.Errorf("%q: accepted as %v", text, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Decimal{rapid.Int64Range(-1e15, 1e15).Draw(t, "mantissa"), rapid.Uint8Range(0, 15).Draw(t, "scale")}
		back, err := ParseDecimal(d.String())
		if err != nil || back.Float() != d.Float() {
			t.Fatalf("%v became %v, %v", d, back, err)
		}
	})
}

func TestSignatureBindsItsScope(t *testing.T) {
	a := Scope{NetworkID{1}, "croft-a-1"}
	for _, b := range []Scope{{NetworkID{2}, "croft-a-1"}, {NetworkID{1}, "croft-a-2"}} {
		if bytes.Equal(a.Preimage("tx", []byte("x")), b.Preimage("tx", []byte("x"))) {
			t.Error("two scopes share a preimage")
		}
	}
	if bytes.Equal(a.Preimage("tx", []byte("x")), a.Preimage("t", []byte("xx"))) {
		t.Error("two domains share a preimage")
	}
}

func TestEveryErrorHasItsSentences(t *testing.T) {
	for code, e := range catalogue {
		if e.kind == 0 || e.what == "" || e.next == "" {
			t.Errorf("%v: incomplete", code)
		}
		err := fmt.Errorf("outer: %w", E(code, "a", "b", "c", "d", "e", "f"))
		if !errors.Is(err, code) || CodeOf(err) != code || strings.Contains(E(code, "a", "b", "c", "d", "e", "f").Error()+Next(err), "{") {
			t.Errorf("%v: %v", code, err)
		}
	}
}

// A failure that nothing fails with is a promise to a reader of the list for nothing.
func TestEveryErrorCanHappen(t *testing.T) {
	text, err := os.ReadFile("catalogue.go")
	if err != nil {
		t.Fatal(err)
	}
	never := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(Err\w+):`).FindAllSubmatch(text, -1) {
		never[string(m[1])] = true
	}
	if len(never) != len(catalogue) {
		t.Errorf("read %d of %d names", len(never), len(catalogue))
	}
	name := regexp.MustCompile(`\bErr\w+`)
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "catalogue.go" || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range bytes.Lines(text) {
			code, _, _ := bytes.Cut(line, []byte("//"))
			for _, used := range name.FindAll(code, -1) {
				delete(never, string(used))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range never {
		t.Errorf("nothing fails with %s", name)
	}
}

func TestParseID(t *testing.T) {
	id := MemberID(Sum([]byte("x")))
	back, err := ParseID[Member](id.String())
	if err != nil || back != id {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "ab", id.String() + "0", strings.ToUpper(id.String()), "zz" + id.String()[2:]} {
		if _, err := ParseID[Member](bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

// A sentence has one word for one and another for all else, and nothing in an argument
// is taken for a place of another.
func TestFill(t *testing.T) {
	const sentence = "{1} {1|credit is|credits are} for {0}{2}"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"Ada", "1"}, "1 credit is for Ada{2}"},
		{[]string{"Ada", "0.5", "!"}, "0.5 credits are for Ada!"},
		{[]string{"{1}", "11", ""}, "11 credits are for {1}"},
		{nil, sentence},
	} {
		if got := Fill(sentence, c.args); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}
