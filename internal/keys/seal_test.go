package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"croft"
)

func init() { scryptWork = 10 }

// says is a person who answers with a passphrase.
func says(p string) Ask { return func(string) (Passphrase, error) { return Passphrase(p), nil } }

func next(p Passphrase) func() (Passphrase, error) {
	return func() (Passphrase, error) { return p, nil }
}

func TestPassphrase(t *testing.T) {
	dir, k := create(t)
	path := filepath.Join(dir, folder, "member.pem")
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, filepath.Join(dir, "witness")); err != nil {
		t.Fatal(err)
	}
	never := func(string) (Passphrase, error) {
		t.Error("asked for a passphrase that there is none of")
		return nil, nil
	}
	if err := SetPassphrase(dir, never, next(Passphrase("correct horse"))); err != nil {
		t.Fatal(err)
	}
	if !Locked(dir) {
		t.Error("the key is not locked")
	}
	if old, _ := os.ReadFile(filepath.Join(dir, "witness")); len(old) != len(plain) || bytes.Trim(old, "\x00") != nil && len(bytes.Trim(old, "\x00")) > 0 {
		t.Errorf("the old file was not overwritten: %q", old)
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, []byte("BEGIN PRIVATE")) {
		t.Fatalf("the file holds %q, %v", text, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}

	asked := ""
	back, err := LoadMember(dir, func(path string) (Passphrase, error) { asked = path; return Passphrase("correct horse"), nil })
	if err != nil || back.Public(croft.RoleMember) != k.Public(croft.RoleMember) || asked != path {
		t.Fatalf("asked for %q: %v", asked, err)
	}
	if _, err := LoadNode(dir); err != nil {
		t.Errorf("the node's keys: %v", err)
	}
	cancelled := errors.New("ctrl-C")
	for name, c := range map[string]struct {
		ask  Ask
		want error
	}{
		"a wrong one":      {says("correct horsf"), croft.ErrPassphrase},
		"none":             {says(""), croft.ErrPassphrase},
		"nobody to ask":    {nil, croft.ErrNoPassphrase},
		"one who gives up": {func(string) (Passphrase, error) { return nil, cancelled }, cancelled},
	} {
		if _, err := LoadMember(dir, c.ask); !errors.Is(err, c.want) || errors.Is(err, croft.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
		if err := SetPassphrase(dir, c.ask, next(Passphrase("mine now"))); !errors.Is(err, c.want) {
			t.Errorf("change with %s: %v", name, err)
		}
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, text) {
		t.Error("a refused change changed the file")
	}

	if err := SetPassphrase(dir, says("correct horse"), next(Passphrase("battery staple"))); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMember(dir, says("correct horse")); !errors.Is(err, croft.ErrPassphrase) {
		t.Errorf("the old passphrase: %v", err)
	}
	if err := SetPassphrase(dir, says("battery staple"), next(nil)); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, plain) || Locked(dir) {
		t.Errorf("without a passphrase the file is not what it was: %q", again)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, folder)); len(entries) != 4 {
		t.Errorf("leftovers: %v", entries)
	}
}

// A file that asks for more memory than ours do is refused before it gets any.
func TestCostlyFile(t *testing.T) {
	to, err := age.NewScryptRecipient("x")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(scryptWork + 1)
	sealed, err := encrypt([]byte("x"), to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Passphrase("x").Open(sealed); err == nil || errors.Is(err, croft.ErrPassphrase) {
		t.Errorf("got %v", err)
	}
}

func TestRecoveryKey(t *testing.T) {
	dir, _ := create(t)
	if _, found, err := RecoveryOf(dir); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	r, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	if err := SetRecovery(dir, r); err != nil {
		t.Fatal(err)
	}
	lock, found, err := RecoveryOf(dir)
	if !found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	sealed, check, err := lock.Seal([]byte("secret"))
	if err != nil || HasPassphrase(sealed) {
		t.Fatal(err)
	}
	if plain, err := check(sealed); err != nil || string(plain) != "secret" {
		t.Fatalf("%q, %v", plain, err)
	}

	groups := r.Groups()
	if len(groups) != 15 || len(groups[0]) != 4 || len(groups[14]) != 2 {
		t.Fatalf("%q", groups)
	}
	page := strings.Join(groups, " ")
	for name, text := range map[string]string{
		"as printed": page, "in small letters": strings.ToLower(page), "in lines": strings.ReplaceAll(page, " ", "\r\n"),
		"with hyphens": strings.Join(groups, "-"), "as age writes it": recoveryMark + strings.Join(groups, ""),
	} {
		typed, err := ParseRecovery(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if plain, err := typed.Open(sealed); err != nil || string(plain) != "secret" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	for at := range page { // each character, changed into another one
		if page[at] == ' ' {
			continue
		}
		wrong := []byte(page)
		if wrong[at] = 'Q'; page[at] == 'Q' {
			wrong[at] = 'P'
		}
		if _, err := ParseRecovery(string(wrong)); !errors.Is(err, croft.ErrRecoveryKey) {
			t.Fatalf("a slip at %d: %v", at, err)
		}
	}
	for _, text := range []string{"", page[:50], page + "Q", strings.Repeat("Q", 2000), "ä" + page[2:]} {
		if _, err := ParseRecovery(text); !errors.Is(err, croft.ErrRecoveryKey) {
			t.Errorf("%.70q: %v", text, err)
		}
	}
	other, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed); !errors.Is(err, croft.ErrRecoveryKey) {
		t.Errorf("with another key: %v", err)
	}
	for at := 0; at < len(sealed); at += 13 {
		bad := bytes.Clone(sealed)
		bad[at] ^= 1
		if plain, err := r.Open(bad); err == nil {
			// The stanza for the forgotten key is not read by this one, but the header's
			// code covers it.
			t.Fatalf("byte %d changed: %q", at, plain)
		}
		if plain, err := r.Open(sealed[:at]); err == nil {
			t.Fatalf("cut at %d: %q", at, plain)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %s %x %d %v", r, r, r, r, r, r, []Recovery{r}); strings.Contains(shown, groups[1]) || strings.Contains(shown, "AGE") {
		t.Error(shown)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, recoveryFile), []byte("age1pq1junk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RecoveryOf(dir); !errors.Is(err, croft.ErrKeyFile) {
		t.Errorf("a damaged public half: %v", err)
	}
}

func TestUnused(t *testing.T) {
	dir, _ := create(t)
	if !Unused(dir) {
		t.Error("new keys count as used")
	}
	for range 2 {
		if err := Use(dir); err != nil {
			t.Fatal(err)
		}
	}
	if Unused(dir) {
		t.Error("used keys count as new")
	}
}

// age's own program opens what is sealed, where it is installed.
func TestAgeOpensIt(t *testing.T) {
	program, err := exec.LookPath("age")
	if err != nil {
		t.Skip("age is not installed")
	}
	r, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := create(t)
	if err := SetRecovery(dir, r); err != nil {
		t.Fatal(err)
	}
	lock, _, err := RecoveryOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := lock.Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(recoveryMark+strings.Join(r.Groups(), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	open := exec.Command(program, "-d", "-i", key)
	open.Stdin = bytes.NewReader(sealed)
	if plain, err := open.Output(); err != nil || string(plain) != "secret" {
		t.Errorf("%q, %v", plain, err)
	}
}

func FuzzParseRecovery(f *testing.F) {
	r, err := NewRecovery()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(r.Groups(), " "))
	f.Add(recoveryMark)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecovery(text); err == nil {
			if again, err := ParseRecovery(strings.Join(r.Groups(), "")); err != nil || again.secret.String() != r.secret.String() {
				t.Fatalf("%q does not come back", text)
			}
		}
	})
}
