package node

import (
	"fmt"
	"testing"

	"croft"
	"croft/internal/p2p"
)

// Who becomes ready makes those count who were ready before: from four on two thirds of
// them must be there, and where they are not, the ledger would stand still for good.
func TestQuorate(t *testing.T) {
	for _, c := range []struct {
		ready, here int // of the others
		want        bool
	}{
		{0, 0, true}, {1, 0, true}, {2, 0, true}, // one orders alone, as before
		{3, 0, false}, {3, 1, false}, {3, 2, true}, {3, 3, true},
		{4, 2, false}, {4, 3, true}, {5, 3, false}, {6, 3, false}, {6, 4, true},
	} {
		self := croft.Member{ID: croft.MemberID{255}, Ready: true} // it may have said so before
		members := []croft.Member{self, {ID: croft.MemberID{254}, Node: croft.PublicKey{254}}}
		connected := []p2p.PeerID{p2p.PeerOf(members[1].Node)}
		for i := range c.ready {
			m := croft.Member{ID: croft.MemberID{byte(i)}, Name: fmt.Sprint(i), Node: croft.PublicKey{byte(i)}, Ready: true}
			if members = append(members, m); i < c.here {
				connected = append(connected, p2p.PeerOf(m.Node))
			}
		}
		if got := quorate(members, self.ID, connected); got != c.want {
			t.Errorf("%d others are ready, %d of them connected: %v", c.ready, c.here, got)
		}
	}
}
