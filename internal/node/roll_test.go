package node

import (
	"testing"

	"croft"
	"croft/internal/chain"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/p2p"
)

// counted is a ledger that counts how often it is asked for a list.
type counted struct {
	*chain.TwinMember
	asked int
}

func (c *counted) Range(prefix string, yield func(string, []byte)) error {
	c.asked++
	return c.TwinMember.Range(prefix, yield)
}

// The roll is called once for each state of the ledger, however often somebody knocks;
// as long as the ledger does not know this node, each time.
func TestRollIsCalledOnceAState(t *testing.T) {
	k, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ada := k.Member("Ada", true)
	g := croft.Genesis{Version: 1, Name: "test", Time: 1, Members: []croft.Member{ada}}
	twin, err := chain.NewTwin(g)
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{TwinMember: twin.Member()}
	n := &Node{Chain: c, Self: ada.ID}
	knock := func(wants int) {
		t.Helper()
		before := c.asked
		for range 10 {
			if !n.admits(p2p.PeerOf(ada.Node)) || n.expects("a stranger") {
				t.Error("a member is turned away, or a stranger let in")
			}
		}
		if c.asked-before != wants {
			t.Errorf("called %d times, want %d", c.asked-before, wants)
		}
	}
	const lists = 3 // guests, invites, applications
	knock(lists)
	knock(0)
	body := &ledger.Register{Name: "visits", Group: croft.Sum(nil), Releases: 1}
	if err := c.Submit(t.Context(), ledger.Seal(g.Scope(), ada.ID, 0, body, k.Sign)); err != nil {
		t.Fatal(err)
	}
	knock(lists)
	n = &Node{Chain: c, Self: croft.MemberID{1}}
	knock(20 * lists)
}
