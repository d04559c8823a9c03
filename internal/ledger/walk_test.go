package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// A walk from proof to proof shows what Range reads, each proof holds, and the state
// of an earlier height is proved as it was.
func TestWalkShowsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := NewMemoryTree()
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`(a|b|ab)(/[0-2]{0,3})?`), rapid.ID[string]).Draw(t, "keys")
		states := []map[string]string{{}}
		for _, key := range keys {
			tree.set(key, []byte("value of "+key))
			if err := tree.Save(); err != nil {
				t.Fatal(err)
			}
			state := maps.Clone(states[len(states)-1])
			state[key] = "value of " + key
			states = append(states, state)
		}
		if len(keys) == 0 {
			return
		}
		height := rapid.IntRange(1, len(keys)).Draw(t, "height")
		prefix := rapid.SampledFrom([]string{"", "a", "a/", "ab", "b/1", "c"}).Draw(t, "prefix")
		from := ""
		if rapid.Bool().Draw(t, "from the middle") {
			from = prefix + rapid.StringMatching(`[0-2]{0,2}`).Draw(t, "from")
		}
		want := map[string]string{}
		for key, value := range states[height] {
			if strings.HasPrefix(key, prefix) && key >= from {
				want[key] = value
			}
		}
		var got []string
		err := Walk(prefix, from, func(key string) (Proof, error) { return tree.ProveAt(int64(height), key) },
			func(p Proof, key string, value []byte) error {
				if err := p.Verify(); err != nil {
					return fmt.Errorf("%q: %w", p.Key, err)
				}
				if key != "" {
					got = append(got, key)
					if string(value) != want[key] {
						return fmt.Errorf("%q: value %q", key, value)
					}
				}
				return nil
			})
		if err != nil || !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("prefix %q from %q at %d: %v, %v; want %v", prefix, from, height, got, err, slices.Sorted(maps.Keys(want)))
		}
	})
}

// A state that is not there, or no more, is not proved from another.
func TestProveAtWhatIsThere(t *testing.T) {
	tree := NewMemoryTree()
	for i := range 5 {
		tree.set("a", []byte{byte(i + 1)})
		if err := tree.Save(); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Prune(3); err != nil {
		t.Fatal(err)
	}
	for height, want := range map[int64]error{0: croft.ErrNotFound, 2: croft.ErrNotFound, 3: nil, 5: nil, 6: croft.ErrNotFound, -1: croft.ErrNotFound} {
		p, err := tree.ProveAt(height, "a")
		if !errors.Is(err, want) || err == nil && (p.Verify() != nil || p.Value[0] != byte(height)) {
			t.Errorf("height %d: %v, %v", height, p.Value, err)
		}
	}
}

// A light member orders nothing and is no seat, whatever it says.
func TestLightMember(t *testing.T) {
	full, light := testMember("full"), testMember("light")
	light.Light = true
	for _, c := range []struct {
		name string
		of   func() []croft.Member
		ok   bool
	}{
		{"one of each", func() []croft.Member { return []croft.Member{light, full} }, true},
		{"light alone", func() []croft.Member { return []croft.Member{light} }, false},
		{"a light seat", func() []croft.Member { m := light; m.Seat = true; return []croft.Member{full, m} }, false},
		{"a light orderer", func() []croft.Member { m := light; m.Ready = true; return []croft.Member{full, m} }, false},
	} {
		err := CheckGenesis(croft.Genesis{Version: 1, Name: "test", Time: 1, Members: c.of()})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, croft.ErrTxRights) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if who := orderers([]croft.Member{light, full}); len(who) != 1 || who[0].ID != full.ID {
		t.Errorf("%v order blocks", who)
	}
}

func testMember(name string) croft.Member {
	key := func(role string) croft.PublicKey { return croft.PublicKey(croft.Sum([]byte(name + role))) }
	m := croft.Member{Name: name, Key: key("member"), Node: key("node"), Validator: key("validator")}
	m.ID = croft.IDOf(m.Key)
	return m
}
