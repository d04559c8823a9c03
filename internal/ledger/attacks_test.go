package ledger

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"croft"
)

// TestAttacks is the table of docs/threats.md: each way in that the ledger bars, by its
// name, with the reason that the attacker is given. What needs a line to a node is
// tried there: the page names those tests.
func TestAttacks(t *testing.T) {
	five := []string{"ada", "ben", "cleo", "dina", "elif"}
	eve := func(w *world) croft.Member {
		m := w.keep("eve")
		m.Ready = false
		w.members["eve"] = m
		return m
	}
	for name, c := range map[string]struct {
		try  func(w *world) error
		want croft.Code
	}{
		"stolen invite: who applied with it has no say": {func(w *world) error {
			w.applies("eve", w.invite("ada", true)) // its maker's vote is cast
			_, _, err := w.m.Check(w.seal("eve", &Vote{Action: StopAll, Sequence: 1}))
			return err
		}, croft.ErrTxRights},
		"stolen invite: its key signs nothing else": {func(w *world) error {
			v := w.invite("ada", true)
			raw := Seal(w.m.Scope(), w.id("ada"), 0, &Vote{Action: StopAll, Sequence: 1}, func(_ croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
				return croft.Signature(ed25519.Sign(v.Key(), scope.Preimage(domain, body)))
			})
			_, err := w.send(raw)
			return err
		}, croft.ErrTxSignature},
		"expired invite": {func(w *world) error {
			v := w.invite("ada", true)
			w.block(2 * day24)
			m := w.applies("eve", v)
			_, err := w.do("ben", &Vote{Action: Admit, Newcomer: &m, Sequence: 1})
			return err
		}, croft.ErrTxOrder},
		"reused invite": {func(w *world) error {
			v := w.invite("ada", true)
			w.applies("fay", v)
			eve(w)
			_, err := w.send(w.application("eve", v))
			return err
		}, croft.ErrInvite},
		"re-keyed invite: her keys under another's proofs": {func(w *world) error {
			v := w.invite("ada", true)
			eve(w)
			w.keep("fay")
			tx, _, _ := Parse(w.application("fay", v))
			join := tx.Body.(*Join)
			join.Newcomer.Node, join.Newcomer.Validator = w.members["eve"].Node, w.members["eve"].Validator
			_, err := w.send(Seal(w.m.Scope(), join.Newcomer.ID, 0, join, w.signer("fay", v)))
			return err
		}, croft.ErrTxSignature},
		"re-keyed invite: other keys than were voted on": {func(w *world) error {
			m := w.applies("eve", w.invite("ada", false))
			m.Validator = croft.PublicKey{1}
			_, err := w.do("ben", &Vote{Action: Admit, Newcomer: &m, Sequence: 1})
			return err
		}, croft.ErrTxUnknown},
		"a puppet that one of five wants": {func(w *world) error {
			m := w.applies("eve", w.invite("ada", true))
			if _, err := w.do("ada", &Vote{Action: Admit, Newcomer: &m, Sequence: 1}); err != nil {
				return err
			}
			if _, err := w.do("ada", &Vote{Action: Admit, Newcomer: &m, Sequence: 2}); err != nil {
				return err
			}
			if w.isMember("eve") {
				return nil
			}
			_, err := w.do("eve", &Ready{})
			return err
		}, croft.ErrTxRights},
		"a revoked member": {func(w *world) error {
			for _, name := range five[1:4] {
				w.must(name, &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1})
			}
			w.names = five[1:]
			_, err := w.do("ada", &Register{Name: "visits", Group: croft.Sum([]byte("x")), Releases: 1})
			return err
		}, croft.ErrTxRights},
		"a second copy of a validator key: another member's": {func(w *world) error {
			v := w.invite("ada", true)
			m := eve(w)
			m.Validator = w.members["ben"].Validator
			keys := w.keys["eve"]
			keys[croft.RoleValidator-1] = w.keys["ben"][croft.RoleValidator-1] // she stole it
			w.keys["eve"], w.members["eve"] = keys, m
			_, err := w.send(w.application("eve", v))
			return err
		}, croft.ErrTxDuplicate},
		"replay on a successor chain": {func(w *world) error {
			old := w.seal("ben", &Register{Name: "more", Group: croft.Sum([]byte("ben")), Releases: 1000})
			end, pieces := w.end()
			plan, err := Succeed(w.m.genesis, end, pieces, w.ids("ada", "elif"))
			if err != nil {
				t.Fatal(err)
			}
			if w.m, err = Continue(w.signs(plan, five[1:4]...), pieces, NewMemoryTree()); err != nil {
				t.Fatal(err)
			}
			w.names = five[1:4]
			w.block(0)
			w.block(10)
			_, err = w.send(old)
			return err
		}, croft.ErrTxSignature},
		"replay on the same chain: an old word of a dropped orderer": {func(w *world) error {
			r := &roll{world: w}
			ready := w.seal("elif", &Ready{})
			for range 8 {
				r.now += day24
				r.work(3, five[:4], "elif")
			}
			_, err := w.send(ready)
			return err
		}, croft.ErrTxOrder},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, five...)
			w.block(0)
			if err := c.try(w); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if m, in := decodeRecord[croft.Member](w.m.Get(MemberKey(w.id("eve")))); in {
				t.Errorf("%s is a member", m.Name)
			}
		})
	}
}
