package node

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/keys"
	"croft/internal/store"
)

var update = flag.Bool("update", false, "write the golden file anew")

// folder makes a node's folder with documents of all kinds.
func folder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	k, err := keys.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Found(dir, croft.Genesis{Version: 1, Name: "valley", Time: 1, Members: []croft.Member{k.Member("Clinic A", true)}}); err != nil {
		t.Fatal(err)
	}
	docs, err := store.OpenDocs(filepath.Join(dir, docsFolder))
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	for _, kind := range slices.Concat(backupKinds, []string{"study-key", "pipe-in", "pipe-out", "hand", "held", "report", "outbox", "state"}) {
		if err := docs.Put(kind, "x", []byte(kind)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(t testing.TB, dir string) Backup {
	t.Helper()
	b, err := Pack(dir, time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBackupHoldsWhatItShould(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, docsFolder, "~HALF"), []byte("half"), 0o600); err != nil { // of a node that writes
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, chainFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, chainFolder, "signed.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := pack(t, dir)
	var paths []string
	for _, f := range b.Files {
		paths = append(paths, f.Path)
	}
	want := []string{"docs/address~x", "docs/approval~x", "docs/data-key~x", "docs/dataset~x", "docs/ended~x", "docs/model~x", "docs/people~x",
		"docs/spent~x", "docs/used~x", "genesis.cbor", "keys/member.pem", "keys/node.pem", "keys/validator.pem"}
	if !slices.Equal(paths, want) {
		t.Errorf("it holds %v,\nwant %v", paths, want)
	}
	m, network, err := b.Member()
	if err != nil || m.Name != "Clinic A" || network != "valley" {
		t.Errorf("%v, %v, %v", m.Name, network, err)
	}
	back, err := parseBackup(croft.Encode(b))
	if err != nil || !bytes.Equal(croft.Encode(back), croft.Encode(b)) {
		t.Errorf("it does not come back: %v", err)
	}

	// A damaged document is not carried along.
	if err := os.WriteFile(filepath.Join(dir, docsFolder, "approval~x"), []byte("croft-doc/1 nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(dir, time.Now()); !errors.Is(err, croft.ErrStoreCorrupt) {
		t.Errorf("with a damaged document: %v", err)
	}
}

func TestBackupFile(t *testing.T) {
	b := pack(t, folder(t))
	dir := t.TempDir()
	path := filepath.Join(dir, "b.age")
	key, err := keys.NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	home := folder(t)
	if err := keys.SetRecovery(home, key); err != nil {
		t.Fatal(err)
	}
	lock, _, err := keys.RecoveryOf(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(path, lock.Seal); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	back, err := ReadBackup(path, key.Open)
	if err != nil || !bytes.Equal(croft.Encode(back), croft.Encode(b)) {
		t.Errorf("it does not come back: %v", err)
	}
	if err := b.Write(path, lock.Seal); !errors.Is(err, croft.ErrFileWrite) {
		t.Errorf("over another: %v", err)
	}
	if err := b.Write(filepath.Join(dir, "none", "b.age"), lock.Seal); !errors.Is(err, croft.ErrFileWrite) {
		t.Errorf("into no folder: %v", err)
	}

	// A disk that does not keep what it was given is noticed at once.
	lies := func(plain []byte) ([]byte, func([]byte) ([]byte, error), error) {
		sealed, open, err := lock.Seal(plain)
		return sealed[:len(sealed)-1], open, err
	}
	if err := b.Write(filepath.Join(dir, "c.age"), lies); !errors.Is(err, croft.ErrBackup) {
		t.Errorf("cut as it was written: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("leftovers: %v", entries)
	}

	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBackup(path, other.Open); !errors.Is(err, croft.ErrRecoveryKey) {
		t.Errorf("with another key: %v", err)
	}
	for name, content := range map[string][]byte{
		"empty": {}, "cut in its header": sealed[:100], "cut at its end": sealed[:len(sealed)-1], "cut in the middle": sealed[:len(sealed)/2],
		"longer": append(slices.Clone(sealed), 0), "something else": []byte("%PDF-1.7"),
		"one bit": slices.Concat(sealed[:len(sealed)-40], []byte{sealed[len(sealed)-40] ^ 1}, sealed[len(sealed)-39:]),
	} {
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBackup(bad, key.Open); !errors.Is(err, croft.ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadBackup(filepath.Join(dir, "none"), key.Open); !errors.Is(err, croft.ErrFileMissing) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadBackup(dir, key.Open); !errors.Is(err, croft.ErrBackup) {
		t.Errorf("a folder: %v", err)
	}
}

// change returns a backup with one file's content changed, or without it.
func (b Backup) change(path string, content []byte) Backup {
	files := slices.DeleteFunc(slices.Clone(b.Files), func(f BackupFile) bool { return f.Path == path })
	if content != nil {
		files = append(files, BackupFile{path, content})
	}
	slices.SortFunc(files, func(a, b BackupFile) int { return strings.Compare(a.Path, b.Path) })
	b.Files = files
	return b
}

func TestBadBackups(t *testing.T) {
	b, other := pack(t, folder(t)), pack(t, folder(t))
	for name, bad := range map[string]Backup{
		"another version":                {2, b.Time, b.Network, b.Files},
		"another network":                {1, b.Time, croft.NetworkID{1}, b.Files},
		"without its member key":         b.change("keys/member.pem", nil),
		"without its genesis":            b.change(genesisFile, nil),
		"with another's node key":        b.change("keys/node.pem", other.file("keys/node.pem")),
		"with another's member key":      b.change("keys/member.pem", other.file("keys/member.pem")),
		"with another's genesis":         b.change(genesisFile, other.file(genesisFile)),
		"with a file that leads out":     b.change("../passwd", []byte("x")),
		"with one below a document":      b.change("docs/dataset~x/y", []byte("x")),
		"with a record of votes":         b.change("chain/signed.json", []byte("{}")),
		"with a study's key":             b.change("docs/study-key~x", b.file("docs/dataset~x")),
		"with a document of another":     b.change("docs/dataset~y", b.file("docs/dataset~x")),
		"with a damaged document":        b.change("docs/dataset~x", []byte("croft-doc/1 ")),
		"with the mark of new keys":      b.change("keys/unused", []byte("x")),
		"with what is no joining record": b.change(joinFile, []byte("x")),
		"with files out of order":        {1, b.Time, b.Network, []BackupFile{b.Files[1], b.Files[0]}},
		"with a file twice":              {1, b.Time, b.Network, append(slices.Clone(b.Files), b.Files[len(b.Files)-1])},
	} {
		if _, err := parseBackup(croft.Encode(bad)); !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseBackup([]byte("junk")); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("junk: %v", err)
	}
}

func TestRestoredFolder(t *testing.T) {
	home := folder(t)
	b := pack(t, home)
	addr := "/ip4/192.0.2.7/tcp/7421/p2p/12D3KooWB3jZSBZfT35xJp8FZvrcBnbdrjsztTX56yVdL4Aq317q"
	for _, bad := range []string{"", "/ip4/192.0.2.7/tcp/7421", "12D3", "croft1qqq"} {
		if err := b.Restore(filepath.Join(t.TempDir(), "new"), []string{bad}, false, nil); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "new")
	if err := os.Mkdir(dir, 0o755); err != nil { // an empty one is good
		t.Fatal(err)
	}
	if err := b.Restore(dir, []string{addr}, false, []string{"Clinic C"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 1 {
		t.Errorf("leftovers: %v", entries)
	}
	if mark, lost, err := readRestored(dir); err != nil || !lost || mark.Time != b.Time || !slices.Equal(mark.Without, []string{"Clinic C"}) {
		t.Errorf("%+v, %v, %v", mark, lost, err)
	}
	again := pack(t, dir)
	if n := len(again.Files); n != len(b.Files)+1 { // the address
		t.Errorf("%d files became %d", len(b.Files), n)
	}
	if b.KnowsOthers() == false || b.change("docs/address~x", nil).KnowsOthers() {
		t.Error("whom the backup knows")
	}
	if err := b.Restore(home, nil, false, nil); !errors.Is(err, croft.ErrFolderUsed) {
		t.Errorf("over a node: %v", err)
	}

	// Keys that were made here have no past; copied ones do.
	if _, lost, err := readRestored(home); lost || err != nil {
		t.Errorf("new keys: %v, %v", lost, err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(home)); err != nil {
		t.Fatal(err)
	}
	if err := keys.Use(copied); err != nil {
		t.Fatal(err)
	}
	if _, lost, err := readRestored(copied); !lost || err != nil {
		t.Errorf("copied keys: %v, %v", lost, err)
	}
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, croft.ErrRestored) {
		t.Errorf("opened: %v", err)
	}
}

// The bytes of a backup do not change: old ones can be read for ever.
func TestGoldenBackup(t *testing.T) {
	dir := t.TempDir()
	g := croft.Genesis{Version: 1, Name: "valley", Time: 1}
	var m croft.Member
	for i, to := range []*croft.PublicKey{&m.Key, &m.Node, &m.Validator} {
		*to = croft.PublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32)).Public().(ed25519.PublicKey))
	}
	m.ID, m.Name = croft.IDOf(m.Key), "Clinic A"
	g.Members = []croft.Member{m}
	b := Backup{Version: 1, Time: 1000, Network: g.Network(), Files: []BackupFile{{genesisFile, croft.Encode(g)}}}
	for i, name := range []string{"member", "node", "validator"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".pem"))
		if err != nil {
			t.Fatal(i, err)
		}
		b.Files = append(b.Files, BackupFile{"keys/" + name + ".pem", text})
	}
	golden := filepath.Join("testdata", "backup.hex")
	have := hex.EncodeToString(croft.Encode(b)) + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("the encoding changed: %s", have)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(want)))
	if err != nil {
		t.Fatal(err)
	}
	back, err := parseBackup(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Restore(filepath.Join(dir, "new"), nil, true, nil); err != nil {
		t.Fatal(err)
	}
	if k, err := keys.Load(filepath.Join(dir, "new"), nil); err != nil || k.Public(croft.RoleMember) != m.Key {
		t.Errorf("the golden keys: %v", err)
	}
}

func FuzzParseBackup(f *testing.F) {
	b := pack(f, folder(f))
	f.Add(croft.Encode(b))
	f.Add(croft.Encode(Backup{Version: 1}))
	f.Add(croft.Encode(b.change("../x", []byte("x"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBackup(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(croft.Encode(b), raw) {
			t.Error("it has two encodings")
		}
		for _, file := range b.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
				t.Errorf("%q leads out", file.Path)
			}
		}
	})
}
