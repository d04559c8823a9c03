package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"croft"
)

var scope = croft.Scope{Network: croft.NetworkID{1}, Chain: "croft-1"}

func create(t *testing.T) (string, *Keys) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	k, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, k
}

func TestCreateThenLoad(t *testing.T) {
	dir, k := create(t)
	back, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := k.Member("clinic-a", true)
	if again := back.Member("clinic-a", true); m != again {
		t.Fatalf("%+v became %+v", m, again)
	}
	if m.ID != croft.IDOf(m.Key) || !m.Seat || m.Ready || m.Key == m.Node || m.Node == m.Validator || m.Key == m.Validator {
		t.Errorf("member record %+v", m)
	}
	if proof := back.Sign(croft.RoleValidator, scope, croft.JoinDomain, []byte("record")); !scope.Verify(m.Validator, croft.JoinDomain, []byte("record"), proof) {
		t.Error("the validator key does not prove that it is at hand")
	}
	for _, role := range []croft.Role{croft.RoleMember, croft.RoleNode} {
		sig := back.Sign(role, scope, "approval", []byte("body"))
		if !scope.Verify(k.Public(role), "approval", []byte("body"), sig) {
			t.Errorf("role %d: the signature does not fit", role)
		}
		if scope.Verify(k.Public(role), "vote", []byte("body"), sig) {
			t.Errorf("role %d: the signature fits another domain", role)
		}
	}
	if !bytes.Equal(back.NodeSecret().Public().(ed25519.PublicKey), m.Node[:]) || !bytes.Equal(back.ValidatorSecret().Public().(ed25519.PublicKey), m.Validator[:]) {
		t.Error("a secret does not belong to its public key")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestEachProcessLoadsOnlyItsKeys(t *testing.T) {
	dir, all := create(t)
	node, err := LoadNode(dir)
	if err != nil {
		t.Fatal(err)
	}
	member, err := LoadMember(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if node.Public(croft.RoleNode) != all.Public(croft.RoleNode) || member.Public(croft.RoleMember) != all.Public(croft.RoleMember) {
		t.Error("not the keys that were made")
	}
	for what, use := range map[string]func(){
		"a node signs as the member":   func() { node.Sign(croft.RoleMember, scope, "approval", nil) },
		"the CLI signs as the node":    func() { member.Sign(croft.RoleNode, scope, "report", nil) },
		"the CLI has the validator":    func() { member.ValidatorSecret() },
		"the CLI has the node's key":   func() { member.NodeSecret() },
		"the validator signs for us":   func() { all.Sign(croft.RoleValidator, scope, "approval", nil) },
		"a role that does not exist":   func() { all.Public(9) },
		"no keys at all":               func() { new(Keys).Public(croft.RoleNode) },
		"the node makes the member up": func() { node.Member("a", false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(what)
				}
			}()
			use()
		}()
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	dir, k := create(t)
	if _, err := Create(dir); !errors.Is(err, croft.ErrFolderUsed) {
		t.Fatalf("got %v", err)
	}
	if back, err := Load(dir, nil); err != nil || back.Public(croft.RoleMember) != k.Public(croft.RoleMember) {
		t.Fatalf("the keys changed: %v", err)
	}
	// Whatever has that name is left alone.
	file := t.TempDir()
	if err := os.WriteFile(filepath.Join(file, folder), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file); !errors.Is(err, croft.ErrFolderUsed) {
		t.Errorf("over a file: %v", err)
	}
	if _, err := Create(filepath.Join(file, folder)); !errors.Is(err, croft.ErrFolder) {
		t.Errorf("in a file: %v", err)
	}
}

func TestOneOfManyCreatesWins(t *testing.T) {
	dir := t.TempDir()
	made := make(chan croft.PublicKey, 16)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			k, err := Create(dir)
			switch {
			case err == nil:
				made <- k.Public(croft.RoleMember)
			case !errors.Is(err, croft.ErrFolderUsed):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k, err := Load(dir, nil)
	if err != nil || len(made) != 1 || <-made != k.Public(croft.RoleMember) {
		t.Fatalf("%d winners, %v", len(made), err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	other, _ := create(t)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		says  string
		spoil func(home, file string) error
	}{
		"missing":        {"no such file", func(_, file string) error { return os.Remove(file) }},
		"group may read": {"mode 0640", func(_, file string) error { return os.Chmod(file, 0o640) }},
		"all may write":  {"mode 0602", func(_, file string) error { return os.Chmod(file, 0o602) }},
		"open folder":    {"mode 0701", func(home, _ string) error { return os.Chmod(home, 0o701) }},
		"no folder":      {"no such file", func(home, _ string) error { return os.RemoveAll(home) }},
		"empty":          {"one PEM block", func(_, file string) error { return os.Truncate(file, 0) }},
		"torn":           {"one PEM block", func(_, file string) error { return os.Truncate(file, 60) }},
		"not a key":      {"one PEM block", func(_, file string) error { return os.WriteFile(file, []byte("hello"), 0o600) }},
		"another kind of key": {"an Ed25519 key", func(_, file string) error {
			return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
		}},
		"two keys": {"one PEM block", func(_, file string) error {
			text, _ := os.ReadFile(file)
			return os.WriteFile(file, append(text, text...), 0o600)
		}},
		"endless": {"longer than", func(_, file string) error { return os.Truncate(file, 1<<30) }},
		"a link to a good file": {"not a regular file", func(_, file string) error {
			return errors.Join(os.Remove(file), os.Symlink(filepath.Join(other, folder, "node.pem"), file))
		}},
		"a folder": {"not a regular file", func(_, file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) }},
		"the folder is a link": {"not a folder", func(home, _ string) error {
			return errors.Join(os.RemoveAll(home), os.Symlink(filepath.Join(other, folder), home))
		}},
		"the member key again": {"a copy of another key", func(home, file string) error {
			text, _ := os.ReadFile(filepath.Join(home, "validator.pem"))
			return os.WriteFile(file, text, 0o600)
		}},
		"another owner": {"another user", func(_, file string) error {
			return os.Chown(file, 12345, 12345)
		}},
	} {
		dir, _ := create(t)
		home := filepath.Join(dir, folder)
		if err := c.spoil(home, filepath.Join(home, "node.pem")); what == "another owner" && errors.Is(err, fs.ErrPermission) {
			t.Log("another owner: needs root:", err)
			continue
		} else if err != nil {
			t.Fatal(what, err)
		}
		k, err := LoadNode(dir)
		if !errors.Is(err, croft.ErrKeyFile) || k != nil || !strings.Contains(err.Error(), home) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", what, err, c.says)
		} else {
			t.Logf("%s: %s", what, strings.ReplaceAll(err.Error(), dir, "DIR"))
		}
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	_, k := create(t)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "keys", k)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "keys", k)
	printed := fmt.Sprintf("%v %+v %#v %x %s %d %v %+v", k, k, k, k, k, k, *k, struct{ K Keys }{*k}) + log.String()
	for _, key := range k.secret[1:] {
		seed := key.Seed()
		for _, form := range []string{hex.EncodeToString(seed[:8]), strings.Trim(fmt.Sprint(seed[:8]), "[]"), string(seed[:8])} {
			if strings.Contains(printed, form) {
				t.Fatalf("a secret is in %s", printed)
			}
		}
	}
	if !strings.Contains(printed, "3 secret keys") {
		t.Error(printed)
	}
}

func FuzzParseKey(f *testing.F) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := parseKey(text); err == nil && len(key) != ed25519.PrivateKeySize {
			t.Fatalf("a key of %d bytes", len(key))
		}
	})
}
