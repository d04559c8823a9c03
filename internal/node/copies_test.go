package node

import (
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/keys"
	"croft/internal/p2p"
)

// A node does not order blocks by a clock that is ahead of all others; one that says so
// alone, or one that is right, is not enough against it.
func TestClockAhead(t *testing.T) {
	k, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	last := time.Now().Add(-48 * time.Hour) // block
	twin, err := chain.NewTwin(croft.Genesis{Version: 1, Name: "test", Time: last.Unix(), Members: []croft.Member{k.Member("Ada", true)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		others []time.Duration // their clocks before this one's
		want   bool
	}{
		"nobody was met":      {nil, true},
		"one other":           {[]time.Duration{-24 * time.Hour}, true},
		"all others":          {[]time.Duration{-24 * time.Hour, -25 * time.Hour}, false},
		"one is near":         {[]time.Duration{-24 * time.Hour, -25 * time.Hour, -time.Minute}, true},
		"this one is behind":  {[]time.Duration{24 * time.Hour, 24 * time.Hour}, true},
		"all are of long ago": {[]time.Duration{-49 * time.Hour, -30 * 365 * 24 * time.Hour}, true}, // before the last block
	} {
		n := &Node{Chain: twin.Member()}
		for i, before := range c.others {
			theirs := time.Now().Add(before).UnixMilli()
			if err := n.greeted(t.Context(), p2p.PeerID(rune('a'+i)), hello{Run: "1", Time: theirs}); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.clock(); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
