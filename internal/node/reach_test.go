package node

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"croft"
	"croft/internal/p2p"
)

// A member may have itself dialled now and then, each by its own count.
func TestDiallingBackHasARest(t *testing.T) {
	n, now := new(Node), time.Unix(1e9, 0)
	for i, c := range []struct {
		from  p2p.PeerID
		after time.Duration
		may   bool
	}{{"a", 0, true}, {"a", time.Second, false}, {"b", time.Second, true}, {"a", dialBackRest - 1, false}, {"a", dialBackRest, true}, {"a", dialBackRest + 1, false}} {
		if n.mayAsk(c.from, now.Add(c.after)) != c.may {
			t.Errorf("%d: %s after %s", i, c.from, c.after)
		}
	}
}

// What a member asks is bounded before anything is dialled.
func FuzzDialBack(f *testing.F) {
	many, _ := json.Marshal(dialBack{make([]string, maxDialBack+1)})
	if _, err := new(Node).reach(f.Context(), "a", many); !errors.Is(err, croft.ErrTooLarge) {
		f.Error(err)
	}
	for _, request := range []string{`{"addrs":["x"]}`, `{"addrs":[]}`, `{`, ``, `null`, string(many)} {
		f.Add([]byte(request))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		n := &Node{Host: new(p2p.Host)} // it would crash if it dialled
		n.mayAsk("a", time.Now())
		if _, err := n.reach(t.Context(), "a", request); !errors.Is(err, croft.ErrEncoding) && !errors.Is(err, croft.ErrTooLarge) && !errors.Is(err, croft.ErrPeer) {
			t.Fatal(err)
		}
	})
}
