package study

import (
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
)

// TestHashesCannotBeGuessed: even who knows every number of a state cannot tell
// that the ledger's hash is of it; whoever reads the sum can.
func TestHashesCannotBeGuessed(t *testing.T) {
	seen := map[croft.Hash]bool{}
	for range 2 { // the same people and files, two studies
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina")
			defer w.close()
			id := w.propose(w.plan(3), 60)
			st := w.until(id, time.Hour, ended)
			if st.Status != ledger.Done {
				t.Fatal(st.Reason)
			}
			w.people[0].model(id)
			n := w.people[0].running()
			_, plan, err := (&follower{Node: n, id: id}).study(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for number := range st.Round + 1 {
				r := w.round(id, number)
				state, err := n.State(plan, id, number+1)
				if err != nil {
					t.Fatal(err)
				}
				kept, _ := n.Docs.Get(stateKind, (&follower{id: id}).name(roundTag(number+1)))
				var s salted
				if err := croft.Decode(kept, &s); err != nil || croft.Sum(kept) != r.Next {
					t.Fatalf("round %d: what a reader keeps is not what the ledger names: %v", number, err)
				}
				for _, guess := range []croft.Hash{croft.HashOf(state), croft.HashOf(salted{State: s.State})} {
					if r.Next == guess {
						t.Errorf("round %d: the hash of the state can be computed from its numbers", number)
					}
				}
				for _, h := range []croft.Hash{r.Sum, r.Next, s.Salt} {
					if seen[h] {
						t.Errorf("round %d: a hash stands twice", number)
					}
					seen[h] = true
				}
			}
		})
	}
}
