package ledger

import (
	"testing"
	"unicode"
)

// TestNames: which names there may be depends on no table of the compiler, which grows
// with Unicode. Of the characters that Unicode 15 has, they are the printable ones.
func TestNames(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if r >= 0xd800 && r < 0xe000 {
			continue // no character: half of a pair in UTF-16
		}
		ours, theirs := CheckName("a"+string(r)+"b") == nil, r == ' ' || !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Z)
		if later := ours && !theirs && unicode.Version != "15.0.0"; ours != theirs && !later {
			t.Errorf("%U: allowed %v, printable %v", r, ours, theirs)
		}
	}
	for name, want := range map[string]bool{
		"a\u0378b": true, // not assigned in Unicode 15
		"Clinic A": true, "東京": true, "a\xffb": false, " a": false, "a ": false, "": false, "a\u202eb": false,
		"0123456789012345678901234567890123456789": true, "01234567890123456789012345678901234567890": false,
	} {
		if got := CheckName(name) == nil; got != want {
			t.Errorf("%q: allowed %v", name, got)
		}
	}
}
