package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"croft"
	"croft/internal/keys"
)

// A light member's folder that comes from a backup has nothing to catch up with
// before it starts; a full member's has.
func TestLightIsRestoredAtOnce(t *testing.T) {
	for _, light := range []bool{true, false} {
		dir := t.TempDir()
		k, err := keys.Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		j := joined{Newcomer: k.Member("Clinic B", !light)}
		j.Newcomer.Light = light
		other, err := keys.Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		founder := other.Member("Clinic A", true)
		j.Members = []croft.Member{founder, j.Newcomer}
		if err := errors.Join(j.save(dir), Found(dir, croft.Genesis{Version: 1, Name: "test", Time: 1, Members: []croft.Member{founder}}),
			replace(dir, restoredFile, croft.Encode(restored{Time: 1}))); err != nil {
			t.Fatal(err)
		}
		if is, err := IsLight(dir); is != light || err != nil {
			t.Errorf("light %v: %v, %v", light, is, err)
		}
		if !light {
			if _, err := Open(Config{Dir: dir}); !errors.Is(err, croft.ErrRestored) {
				t.Errorf("a full member's restored folder opens: %v", err)
			}
			continue
		}
		if err := Recover(t.Context(), Config{Dir: dir}, nil); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, restoredFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the mark of the backup: %v", err)
		}
		n, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Stopped(dir); !errors.Is(err, croft.ErrRunning) {
			t.Errorf("audited while it runs: %v", err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := Stopped(dir); !errors.Is(err, croft.ErrLight) {
			t.Errorf("audited while it is off: %v", err)
		}
	}
}

// What a full member's node answers has a bound also when it is spread out.
func TestAnswerIsBounded(t *testing.T) {
	long := bytes.Repeat([]byte("croft"), 10_000)
	packed := deflate(long)
	if got, err := inflate(packed, len(long)); err != nil || !bytes.Equal(got, long) || len(packed) > len(long)/10 {
		t.Errorf("%d bytes from %d: %v", len(got), len(packed), err)
	}
	if _, err := inflate(packed, len(long)-1); !errors.Is(err, croft.ErrTooLarge) {
		t.Errorf("a longer one: %v", err)
	}
	if _, err := inflate(packed[:len(packed)/2], len(long)); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("one that is cut off: %v", err)
	}
}
