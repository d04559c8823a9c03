package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"croft"
	"croft/internal/keys"
)

func TestCreate(t *testing.T) {
	nothing := func(string) error { return nil }
	dir := filepath.Join(t.TempDir(), "a")
	g, err := Create(dir, "Ada", "valley", func(stage string) error {
		if _, err := Create(dir, "Ben", "hills", nothing); !errors.Is(err, croft.ErrRunning) {
			t.Errorf("a second one at the same time: %v", err)
		}
		return os.WriteFile(filepath.Join(stage, "keys", "more"), nil, 0o600) // what the first one does is still there
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	ada := k.Member("Ada", true)
	ada.Ready = true
	if there, err := Genesis(dir); err != nil || there.Hash() != g.Hash() || g.Name != "valley" || len(g.Members) != 1 || g.Members[0] != ada {
		t.Errorf("%+v, %+v, %v", g, there, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", "more")); err != nil {
		t.Error(err)
	}
	if _, err := Create(dir, "Ben", "hills", nothing); !errors.Is(err, croft.ErrFolderUsed) {
		t.Errorf("again: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 { // keys, genesis, lock
		t.Errorf("the folder holds %v", entries)
	}
}

// What does not come to an end leaves nothing behind, and what a crash left is no
// hindrance.
func TestCreateThatFails(t *testing.T) {
	full := errors.New("no room for the page")
	fails := func(string) error { return full }
	missing := filepath.Join(t.TempDir(), "a")
	if _, err := Create(missing, "Ada", "valley", fails); !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := os.Lstat(missing); err == nil {
		t.Error("a folder that was not there is left behind")
	}
	empty := t.TempDir()
	if _, err := Create(empty, "Ada", "valley", fails); !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := Create(empty, "A\tda", "valley", fails); !errors.Is(err, croft.ErrTxRights) {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(empty, staging+"1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(empty, genesisFile), []byte("of another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(empty, "Ada", "valley", func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(empty, staging+"1")); err == nil {
		t.Error("what was cut off is still there")
	}
	others := t.TempDir()
	if err := os.WriteFile(filepath.Join(others, "cat.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(others, "Ada", "valley", fails); !errors.Is(err, croft.ErrFolder) {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(others); len(entries) != 1 {
		t.Errorf("somebody's folder holds %v", entries)
	}
}
