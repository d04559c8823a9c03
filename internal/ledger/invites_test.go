package ledger

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"croft"
)

// invite puts an invite of one use on the ledger, good for a day.
func (w *world) invite(by string, auto bool) croft.Invite {
	w.t.Helper()
	w.nonce++
	v := croft.Invite{Network: w.m.Scope().Network, Expires: w.now/1000 + 86400}
	v.Secret = [16]byte{byte(w.nonce), byte(w.nonce >> 8), 1}
	w.must(by, &Invite{Key: v.Public(), Expires: v.Expires, Uses: 1, Auto: auto})
	return v
}

// signer signs with a member's keys and an invite's.
func (w *world) signer(name string, v croft.Invite) Signer {
	return func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
		key := v.Key()
		if role != croft.RoleInvite {
			key = w.keys[name][role-1]
		}
		return croft.Signature(ed25519.Sign(key, scope.Preimage(domain, body)))
	}
}

// application is the application of a newcomer that keep made.
func (w *world) application(name string, v croft.Invite) []byte {
	m := w.members[name]
	m.Ready = false
	return SealJoin(w.m.Scope(), v.Public(), m, w.signer(name, v))
}

// applies makes keys for a newcomer and puts its application on the ledger.
func (w *world) applies(name string, v croft.Invite) croft.Member {
	w.t.Helper()
	m := w.keep(name)
	m.Ready = false
	w.members[name] = m
	if _, err := w.send(w.application(name, v)); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// send runs a sealed transaction in a block of its own and the block that follows.
func (w *world) send(raw []byte) (Effect, error) {
	w.t.Helper()
	r := w.block(100, raw).Effects[0]
	w.block(100)
	return r, r.Err()
}

// stolen returns keys that fit a record whose keys are other members'.
func (w *world) stolen(m croft.Member) (keys [3]ed25519.PrivateKey) {
	for i, public := range []croft.PublicKey{m.Key, m.Node, m.Validator} {
		for _, owner := range w.keys {
			for _, key := range owner {
				if croft.PublicKey(key.Public().(ed25519.PublicKey)) == public {
					keys[i] = key
				}
			}
		}
	}
	return keys
}

func (w *world) standing(name string) Standing {
	a, _ := decodeRecord[Application](w.m.Get(ApplicationKey(w.id(name))))
	return a.Standing
}

func (w *world) isMember(name string) bool {
	m, ok := decodeRecord[croft.Member](w.m.Get(MemberKey(w.id(name))))
	return ok && !m.Revoked
}

// A guest is let in by one member, has no weight in votes, and may use the market only.
func TestGuestJoins(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	w.nonce++
	v := croft.Invite{Network: w.m.Scope().Network, Expires: w.now/1000 + 86400, Secret: [16]byte{7}}
	w.must("ada", &Invite{Key: v.Public(), Expires: v.Expires, Uses: 2, Guest: true})
	fay := w.applies("fay", v)
	if w.standing("fay") != Pending {
		t.Fatalf("%v: nobody has let it in", w.standing("fay"))
	}
	w.refused(croft.ErrTxRights, "fay", &Transfer{To: w.id("ada"), Sequence: 1})
	w.must("ben", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	g, _ := decodeRecord[Guest](w.m.Get(GuestKey(fay.ID)))
	if w.standing("fay") != AsGuest || w.isMember("fay") || g.Host != w.id("ben") || g.Node != fay.Node {
		t.Fatalf("%v, %+v", w.standing("fay"), g)
	}
	w.must("fay", &Transfer{To: w.id("ada"), Sequence: 1}) // of nothing: its member key counts
	key := croft.Sum([]byte("x"))
	for _, body := range []any{&Ready{}, &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1}, &Invite{Key: croft.PublicKey(key), Expires: v.Expires, Uses: 1},
		&Register{Name: "visits", Group: key, Releases: 9}, &Propose{w.plan("ada", "ben", "cleo")}, &Host{Key: croft.PublicKey(key), Name: "x", Version: 1}} {
		w.refused(croft.ErrTxRights, "fay", body)
	}
	plan := w.plan("ada", "ben", "cleo")
	plan.Sites = append(plan.Sites, fay.ID)
	w.refused(croft.ErrTxStudy, "ada", &Propose{plan})
	if n := len(w.m.state().members()); n != 4 || Majority(n) != 3 {
		t.Errorf("%d members", n)
	}

	// Its node's key signs what nodes sign, and nothing else of it.
	if _, _, err := w.m.Check(w.seal("fay", &Close{})); errors.Is(err, croft.ErrTxSignature) {
		t.Errorf("its node's word: %v", err)
	}
	other := w.keys["fay"]
	other[croft.RoleNode-1] = other[croft.RoleMember-1]
	w.keys["fay"], other = other, w.keys["fay"]
	if _, _, err := w.m.Check(w.seal("fay", &Close{})); !errors.Is(err, croft.ErrTxSignature) {
		t.Errorf("its member key in place of its node's: %v", err)
	}
	w.keys["fay"] = other

	// Its host sends it away; nobody else does. Or the members make it one of them.
	w.refused(croft.ErrTxRights, "ada", &Host{Key: fay.Key, Name: "fay", Version: 2, Gone: true})
	second := w.invite("ada", false)
	if _, err := w.send(w.application("fay", second)); err != nil {
		t.Fatal(err)
	}
	c := w.copy(t)
	c.must("ben", &Host{Key: fay.Key, Name: "fay", Version: 2, Gone: true})
	c.refused(croft.ErrTxRights, "fay", &Transfer{To: c.id("ada"), Sequence: 2})
	for i, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Vote{Action: Admit, Newcomer: &fay, Sequence: []uint64{1, 2, 1}[i]})
	}
	if w.standing("fay") != Admitted || !w.isMember("fay") {
		t.Errorf("the members want it: %v", w.standing("fay"))
	}
}

// A newcomer is voted in: an application alone admits nobody.
func TestJoining(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	v := w.invite("ada", false)
	fay := w.applies("fay", v)
	if w.standing("fay") != Pending || w.isMember("fay") {
		t.Fatalf("%v", w.standing("fay"))
	}
	if _, _, err := w.m.Check(w.seal("fay", &Ready{})); !errors.Is(err, croft.ErrTxRights) {
		t.Error("an applicant may act")
	}
	if _, answers, err := w.m.Check(w.application("fay", v)); err != nil || answers != w.id("ada") {
		t.Errorf("an application waits on the account of %s: %v", answers.Short(), err)
	}
	other := fay
	other.Seat = false
	w.refused(croft.ErrTxUnknown, "ben", &Vote{Action: Admit, Newcomer: &other, Sequence: 1})
	w.must("ben", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	w.must("ada", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	if w.standing("fay") != Admitted || !w.isMember("fay") {
		t.Fatalf("%v", w.standing("fay"))
	}
	w.refused(croft.ErrTxDuplicate, "cleo", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	before := w.m.AppHash()
	if _, err := w.send(w.application("fay", v)); err != nil || w.m.AppHash() != before {
		t.Errorf("the same application again: %v", err)
	}

	// Revoked, nothing brings it back: neither its old application nor the old votes.
	for i, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Vote{Action: Revoke, Subject: w.id("fay"), Sequence: 2 - uint64(i/2)})
	}
	if _, err := w.send(w.application("fay", v)); err != nil || w.isMember("fay") {
		t.Errorf("a revoked member came back: %v", err)
	}
	if _, err := w.send(w.application("fay", w.invite("ben", true))); err != nil || w.isMember("fay") {
		t.Errorf("a revoked member came back by another invite: %v", err)
	}
}

// With auto the maker's vote is cast, and only that one.
func TestAutoCastsOneVote(t *testing.T) {
	for _, members := range [][]string{{"ada"}, {"ada", "ben"}, {"ada", "ben", "cleo"}} {
		w := newWorld(t, members...)
		fay := w.applies("fay", w.invite("ada", true))
		if alone := len(members) == 1; w.isMember("fay") != alone {
			t.Errorf("%d members, one vote: admitted %v", len(members), w.isMember("fay"))
		} else if !alone {
			w.must("ben", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
		}
		if !w.isMember("fay") {
			t.Errorf("%d members, two votes: not admitted", len(members))
		}
		w.names = append(w.names, "fay")
		w.must("fay", &Ready{})
	}
	// Of two newcomers with one name the second waits, and harms nobody.
	w := newWorld(t, "ada")
	gus := w.keep("gus")
	gus.Name, gus.Ready = "fay", false
	w.members["gus"] = gus
	first, second := w.invite("ada", true), w.invite("ada", true)
	w.keep("fay")
	w.block(100, w.application("fay", first), w.application("gus", second))
	w.block(100)
	if !w.isMember("fay") || w.isMember("gus") || w.standing("gus") != Pending {
		t.Errorf("fay %v, gus %v", w.standing("fay"), w.standing("gus"))
	}
	w.refused(croft.ErrTxDuplicate, "ada", &Vote{Action: Admit, Newcomer: &gus, Sequence: 1})
}

// What a thief of an invite, or of its text, may try.
func TestBadApplications(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	good := w.invite("ada", true)
	unknown := croft.Invite{Secret: [16]byte{99}}
	w.keep("fay")
	w.keep("eve")
	record := func(change func(*croft.Member)) func(*world) []byte {
		return func(w *world) []byte {
			m := w.members["fay"]
			m.Ready = false
			change(&m)
			return SealJoin(w.m.Scope(), good.Public(), m, w.signer("fay", good))
		}
	}
	proofs := func(change func(*Join)) func(*world) []byte {
		return func(w *world) []byte {
			tx, _, _ := Parse(w.application("fay", good))
			join := tx.Body.(*Join)
			change(join)
			return Seal(w.m.Scope(), join.Newcomer.ID, 0, join, w.signer("fay", good))
		}
	}
	for name, c := range map[string]struct {
		tx   func(*world) []byte
		want croft.Code
	}{
		"an invite that nobody made": {func(w *world) []byte { return w.application("fay", unknown) }, croft.ErrInvite},
		"signed by another key": {func(w *world) []byte {
			m := w.members["fay"]
			m.Ready = false
			return SealJoin(w.m.Scope(), good.Public(), m, w.signer("fay", unknown))
		}, croft.ErrTxSignature},
		"no proof of the member key":              {proofs(func(j *Join) { j.Proofs.Member = croft.Signature{} }), croft.ErrTxSignature},
		"no proof of the node key":                {proofs(func(j *Join) { j.Proofs.Node = j.Proofs.Member }), croft.ErrTxSignature},
		"no proof of the validator key":           {proofs(func(j *Join) { j.Proofs.Validator = j.Proofs.Node }), croft.ErrTxSignature},
		"another name under the proofs":           {proofs(func(j *Join) { j.Newcomer.Name = "Fay" }), croft.ErrTxSignature},
		"re-keyed: eve's node under fay's proofs": {proofs(func(j *Join) { j.Newcomer.Node = w.members["eve"].Node }), croft.ErrTxSignature},
		"for somebody else": {func(w *world) []byte {
			tx, _, _ := Parse(w.application("fay", good))
			return Seal(w.m.Scope(), w.id("eve"), 0, tx.Body, w.signer("fay", good))
		}, croft.ErrTxDuplicate},
		"for another chain": {func(w *world) []byte {
			m := w.members["fay"]
			m.Ready = false
			scope := w.m.Scope()
			scope.Chain = strings.TrimSuffix(scope.Chain, "1") + "2"
			return SealJoin(scope, good.Public(), m, w.signer("fay", good))
		}, croft.ErrTxSignature},
		"a member's name":             {record(func(m *croft.Member) { m.Name = "ben" }), croft.ErrTxDuplicate},
		"a name that is none":         {record(func(m *croft.Member) { m.Name = " " }), croft.ErrTxRights},
		"ready from the first moment": {record(func(m *croft.Member) { m.Ready = true }), croft.ErrTxDuplicate},
		"the id of another":           {record(func(m *croft.Member) { m.ID = w.id("eve") }), croft.ErrTxRights},
		"an invite's key for another transaction": {func(w *world) []byte {
			return Seal(w.m.Scope(), w.id("fay"), 0, &Invite{Key: croft.PublicKey{1}, Expires: 1, Uses: 1}, func(_ croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
				return croft.Signature(ed25519.Sign(good.Key(), scope.Preimage(domain, body)))
			})
		}, croft.ErrTxRights},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.copy(t)
			before := w.m.AppHash()
			if _, err := w.send(c.tx(w)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if w.m.AppHash() != before {
				t.Error("it left a trace")
			}
		})
	}

	t.Run("used up", func(t *testing.T) {
		w := w.copy(t)
		w.applies("fay", good)
		if _, err := w.send(w.application("eve", good)); !errors.Is(err, croft.ErrInvite) {
			t.Error(err)
		}
	})
	t.Run("two at once", func(t *testing.T) {
		w := w.copy(t)
		out := w.block(100, w.application("fay", good), w.application("eve", good))
		if out.Effects[0].Err() != nil || out.Effects[1].Code != croft.ErrInvite {
			t.Errorf("%+v", out.Effects)
		}
	})
	t.Run("another record of the same member", func(t *testing.T) {
		w := w.copy(t)
		w.applies("fay", good)
		other := w.invite("ben", false)
		m := w.members["fay"]
		m.Seat = false
		if _, err := w.send(SealJoin(w.m.Scope(), other.Public(), m, w.signer("fay", other))); !errors.Is(err, croft.ErrTxDuplicate) {
			t.Error(err)
		}
	})
	t.Run("its maker has left", func(t *testing.T) {
		w := w.copy(t)
		w.must("ben", &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1})
		w.must("cleo", &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1})
		if _, err := w.send(w.application("fay", good)); !errors.Is(err, croft.ErrInvite) {
			t.Error(err)
		}
	})
	t.Run("a vote in the application's own block", func(t *testing.T) {
		w := w.copy(t)
		m := w.members["fay"]
		m.Ready = false
		out := w.block(100, w.application("fay", good), w.seal("ben", &Vote{Action: Admit, Newcomer: &m, Sequence: 1}))
		if out.Effects[1].Code != croft.ErrTxOrder {
			t.Errorf("its time is not known and it is voted on: %+v", out.Effects)
		}
	})
}

func TestInviteTerms(t *testing.T) {
	w := newWorld(t, "ada", "ben")
	v := Invite{Key: croft.PublicKey{7}, Expires: w.now/1000 + 60, Uses: 2}
	w.must("ada", &v)
	before := w.m.AppHash()
	w.nonce++
	if w.must("ada", &v); w.m.AppHash() != before {
		t.Error("the same invite again changed the state")
	}
	w.refused(croft.ErrTxDuplicate, "ben", &v)
	for name, change := range map[string]func(*Invite){
		"no key": func(v *Invite) { v.Key = croft.PublicKey{} }, "no uses": func(v *Invite) { v.Uses = 0 }, "too many uses": func(v *Invite) { v.Uses = 33 },
		"no expiry": func(v *Invite) { v.Expires = 0 }, "an expiry beyond counting": func(v *Invite) { v.Expires = 1 << 60 },
	} {
		bad := v
		bad.Key[1] = 1
		change(&bad)
		if _, err := w.do("ada", &bad); !errors.Is(err, croft.ErrInvite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An invite ends when it says, however long the chain slept before: the block of
// an application bears the time of the block before.
func TestInviteExpiresAfterAnIdleNight(t *testing.T) {
	const night, slack = 12 * time.Hour, 2 * time.Second
	for _, x := range []struct {
		expires time.Duration
		want    Standing
	}{{night + slack, Admitted}, {night - slack, Late}} {
		w := newWorld(t, "ada")
		w.block(100)
		c := &clock{world: w, zero: w.now}
		v := croft.Invite{Secret: [16]byte{1}, Expires: (c.zero + x.expires.Milliseconds()) / 1000}
		c.at(0, c.seal("ada", &Invite{Key: v.Public(), Expires: v.Expires, Uses: 1, Auto: true}))
		fay := w.keep("fay")
		fay.Ready = false
		w.members["fay"] = fay
		c.at(night, w.application("fay", v))
		if got := w.standing("fay"); got != x.want {
			t.Errorf("an application %v before the end is %v, want %v", x.expires-night, got, x.want)
		}
		if x.want == Late {
			w.refused(croft.ErrTxOrder, "ada", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
			if _, err := w.send(w.application("fay", w.invite("ada", true))); err != nil || !w.isMember("fay") {
				t.Errorf("a late newcomer with a new invite: %v, %v", err, w.standing("fay"))
			}
		}
	}
}
