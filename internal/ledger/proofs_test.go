package ledger

import (
	"math/bits"
	"slices"
	"testing"

	"croft"
)

func TestChain(t *testing.T) {
	secret := croft.Sum([]byte("secret"))
	anchor := Anchor(secret)
	for _, n := range []uint32{0, 1, 7, maxRounds} {
		if chained(ChainLink(secret, n), n+1) != anchor {
			t.Errorf("the link of round %d does not lead to the anchor", n)
		}
	}
	if chained(ChainLink(secret, 3), 2) != ChainLink(secret, 1) {
		t.Error("a link does not lead to an earlier one")
	}
}

// provedStudy is a study of three sites and five seats (t = 2, q = 4) that is open.
func provedStudy(t *testing.T) (*world, croft.StudyID, []string) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	sites := w.names[:3]
	return w, w.open(w.plan(sites...), w.register(9, sites...), sites...), sites
}

// Until the last report is fixed no link is shown, so nobody can know the key; and
// it is made of the first q links, in whatever order they came.
func TestKeyIsUnknownUntilReportsAreFixed(t *testing.T) {
	w, id, sites := provedStudy(t)
	show := func(name string, sites []croft.MemberID) *Ack {
		return &Ack{Study: id, Sites: sites, Link: ChainLink(chainOf(name), 0)}
	}
	w.must("ada", &Report{Study: id, Header: header("ada", 0)})
	w.must("ben", &Report{Study: id, Header: header("ben", 0)})
	w.refused(croft.ErrTxOrder, "elif", show("elif", w.ids("ada", "ben")))
	w.must("elif", &Ack{Study: id, Sites: w.ids("ada", "ben")})
	w.refused(croft.ErrTxOrder, "elif", show("elif", nil))
	w.must("cleo", &Report{Study: id, Header: header("cleo", 0)})
	w.refused(croft.ErrTxOrder, "elif", show("elif", nil)) // it does not hold cleo's
	for name, link := range map[string]croft.Hash{
		"of another seat": ChainLink(chainOf("dina"), 0), "of the next round": ChainLink(chainOf("elif"), 1), "the anchor": Anchor(chainOf("elif")),
	} {
		t.Log(name)
		w.refused(croft.ErrTxStudy, "elif", &Ack{Study: id, Sites: w.ids("cleo"), Link: link})
	}
	keys := map[croft.Hash]bool{}
	for _, order := range [][]string{{"ada", "ben", "cleo", "dina"}, {"dina", "cleo", "ben", "ada"}, {"elif", "ada", "ben", "cleo"}} {
		w := w.copy(t)
		for i, name := range order {
			if r := w.round(id, 0); !r.Key.IsZero() || len(r.Links) != i {
				t.Fatalf("before link %d: %d links, key %s", i, len(r.Links), r.Key.Short())
			}
			w.must(name, w.ack(name, id, 0, w.ids(sites...)))
		}
		r := w.round(id, 0)
		if r.Phase != croft.PhaseSum || r.Key != r.key() || len(r.Links) != 4 {
			t.Fatalf("%v, %d links", r.Phase, len(r.Links))
		}
		keys[r.Key] = true
	}
	if len(keys) != 2 {
		t.Errorf("%d keys of two sets of links", len(keys))
	}
}

// Whoever shows its link last has seen the others: it may choose which of the seats'
// links count, and nothing more. All sets of q of m seats are all the keys there are.
func TestGrindingTheKey(t *testing.T) {
	const m, q = 5, 4
	w, id, sites := provedStudy(t)
	w.report(id, 0) // nothing yet
	for _, name := range sites {
		w.must(name, &Report{Study: id, Header: header(name, 0)})
	}
	keys := map[croft.Hash]bool{}
	var try func(w *world, left []string)
	try = func(w *world, left []string) {
		if r := w.round(id, 0); r.Phase == croft.PhaseSum {
			keys[r.Key] = true
			return
		}
		for i, name := range left {
			w := w.copy(t)
			w.block(100, w.seal(name, w.ack(name, id, 0, w.ids(sites...))))
			try(w, slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	try(w, w.names)
	sets := 0
	for set := range uint(1) << m {
		if bits.OnesCount(set) == q {
			sets++
		}
	}
	if len(keys) != sets {
		t.Errorf("%d keys can be reached, there are %d sets of links", len(keys), sets)
	}
}

// A site that does not report in the first round is left out once patience has
// passed; then no report is taken, and only then links are shown.
func TestPatienceClosesTheFirstRound(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	sites := w.names[:4]
	id := w.open(w.plan(sites...), w.register(9, sites...), sites...)
	w.report(id, 0, sites[:3]...)
	w.now += 60_000
	w.must("ada", &Tick{id})
	w.block(100)
	w.block(100)
	r := w.round(id, 0)
	if r.Phase != croft.PhaseReport || !slices.Equal(r.Closed, w.ids(sites[:3]...)) || len(r.Links) > 0 {
		t.Fatalf("%v, closed with %d, %d links", r.Phase, len(r.Closed), len(r.Links))
	}
	w.refused(croft.ErrTxOrder, "dina", &Report{Study: id, Header: header("dina", 0)})
	w.now += 600_000 // it waits for seats, however long
	w.nonce++
	w.must("ada", &Tick{id})
	w.block(100)
	if st := w.study(id); st.Status != Paused || !slices.Equal(st.Missing, w.ids(w.names...)) {
		t.Fatalf("%v %q, waits for %d", st.Status, st.Reason, len(st.Missing))
	}
	for _, name := range w.names[:4] {
		w.must(name, w.ack(name, id, 0, nil))
	}
	if r := w.round(id, 0); r.Phase != croft.PhaseSum || !slices.Equal(r.Accepted, w.ids(sites[:3]...)) {
		t.Errorf("%v with %d", r.Phase, len(r.Accepted))
	}
}

// More than t seats that refuse a proof end the study with the site's name; t do not.
func TestRefusedProof(t *testing.T) {
	w, id, sites := provedStudy(t)
	w.block(100) // the opening is proved
	w.refused(croft.ErrTxOrder, "ada", &Reject{Study: id, Sites: w.ids("cleo")})
	w.report(id, 0, sites...)
	no := func(names ...string) *Reject {
		return &Reject{Study: id, Sites: w.ids(names...), Answers: croft.HashOf(names)}
	}
	w.refused(croft.ErrTxStudy, "ada", no())
	w.refused(croft.ErrTxStudy, "ada", no("dina"))
	w.refused(croft.ErrTxStudy, "ada", &Reject{Study: id, Sites: append(w.ids("cleo"), w.ids("cleo")...)})
	w.must("ada", no("cleo"))
	w.refused(croft.ErrTxDuplicate, "ada", no("ben"))
	w.nonce++
	w.must("ada", no("cleo")) // again
	w.must("elif", no("ben", "cleo"))
	if st := w.study(id); st.Status != Running {
		t.Fatalf("two seats of five ended it: %q", st.Reason)
	}
	w.must("dina", no("cleo"))
	st := w.study(id)
	if st.Status != Stopped || st.Reason != ReasonProof || !slices.Equal(st.Missing, w.ids("cleo")) {
		t.Errorf("%v %q, names %d", st.Status, st.Reason, len(st.Missing))
	}
	if r := w.round(id, 0); len(r.Rejects) != 3 || len(r.Shares) != 0 {
		t.Errorf("%d refusals, %d shares", len(r.Rejects), len(r.Shares))
	}
}

// Seats whose answers about proofs more than t shares name stand as liars.
func TestWrongAnswersAreNamed(t *testing.T) {
	w, id, sites := provedStudy(t)
	w.report(id, 0, sites...)
	for i, name := range w.names[:4] {
		share := &Share{Study: id, Blob: croft.Sum([]byte(name))}
		if i < 3 {
			share.Bad = w.ids("elif")
		}
		w.must(name, share)
	}
	w.refused(croft.ErrTxStudy, "elif", &Share{Study: id, Bad: []croft.MemberID{{1}}})
	for _, name := range sites {
		w.must(name, w.outturn(id, 0, false))
	}
	if r := w.round(id, 0); !slices.Equal(r.Liars, w.ids("elif")) {
		t.Errorf("%d liars", len(r.Liars))
	}
	if e, ok := decodeRecord[Evidence](w.m.Get(EvidenceKey(id, 0, w.id("elif")))); !ok || !e.Share.IsZero() {
		t.Errorf("%+v", e)
	}

	// It costs the place among the seats, in studies to come, until the members vote.
	seated := func() bool {
		w.nonce++
		plan := w.plan(sites...)
		plan.Name += croft.HashOf(w.nonce).Short()
		next := croft.StudyID(w.must("ada", &Propose{plan}))
		return slices.Contains(w.study(next).Seats, w.id("elif"))
	}
	if seated() || !slices.Contains(w.study(id).Seats, w.id("elif")) {
		t.Error("a liar is a seat of the next study, or none of its own any more")
	}
	w.must("ada", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 1})
	w.must("elif", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 1})
	if seated() {
		t.Error("two of five votes gave the seat back")
	}
	w.must("cleo", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 1})
	if !seated() {
		t.Error("three of five votes did not give the seat back")
	}
	w.must("ada", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 2})
	w.must("ben", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 1})
	w.refused(croft.ErrTxUnknown, "cleo", &Vote{Action: Seat, Subject: w.id("elif"), Sequence: 2}) // it has its seat
}

// What a study with proofs needs from those who take part, and one without refuses.
func TestProofsNeedAnchorsRowsAndBounds(t *testing.T) {
	for _, unproved := range []bool{false, true} {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		sites := w.names[:3]
		data := w.register(9, sites...)
		plan := w.plan(sites...)
		plan.Unproved = unproved
		id := croft.StudyID(w.must("ada", &Propose{plan}))
		bare, anchored := &Enrol{Study: id, Key: make([]byte, 1216)}, &Enrol{Study: id, Key: make([]byte, 1216), Anchor: croft.HashOf(1)}
		rowless, excessive := w.approval(id, data["ada"]), w.approval(id, data["ada"])
		rowless.Rows, excessive.Rows = 0, maxRows+1
		w.refused(croft.ErrTxStudy, "ada", excessive)
		if unproved {
			w.refused(croft.ErrTxStudy, "ada", anchored)
			w.must("ada", rowless)
			continue
		}
		w.refused(croft.ErrTxStudy, "ada", bare)
		w.refused(croft.ErrTxStudy, "ada", rowless)
		for _, name := range w.names {
			w.must(name, w.enrol(name, id))
		}
		w.nonce++
		w.refused(croft.ErrTxDuplicate, "ada", func() *Enrol { e := w.enrol("ada", id); e.Anchor = croft.HashOf(2); return e }())
		for _, name := range sites {
			w.must(name, w.approval(id, data[name]))
		}
		w.report(id, 0, sites...)
		for _, name := range w.names {
			w.must(name, &Share{Study: id, Blob: croft.Sum([]byte(name))})
		}
		for name, bounds := range map[string][]uint32{"none": nil, "two of three": {1, 1}, "a zero": {1, 0, 1}, "one too large": {1, maxBound + 1, 1}} {
			t.Log(name)
			out := w.outturn(id, 0, false)
			out.Bounds = bounds
			w.refused(croft.ErrTxStudy, "ada", out)
		}
		for _, name := range sites {
			w.must(name, w.outturn(id, 0, false))
		}
		if r := w.round(id, 1); !slices.Equal(r.Bounds, []uint32{1000, 1000, 1000}) {
			t.Errorf("round 1 has bounds %v", r.Bounds)
		}
	}
}

// More than t seats that cannot use a report end the study with the site's name; t do
// not, and a seat that comes to hold it after all acknowledges it.
func TestUselessReport(t *testing.T) {
	w, id, sites := provedStudy(t)
	for _, name := range sites[:2] {
		w.must(name, &Report{Study: id, Header: header(name, 0)})
	}
	no := func(names ...string) *Ack { return &Ack{Study: id, Nays: w.ids(names...)} }
	w.refused(croft.ErrTxOrder, "ada", no("cleo")) // it has not reported
	w.must("ada", &Ack{Study: id, Sites: w.ids("ada")})
	w.must("ada", no("ada")) // it holds it: an older word
	if r, _ := w.round(id, 0).Report(w.id("ada")); len(r.Nays) != 0 {
		t.Error("a seat cannot use what it holds")
	}
	w.must("ada", &Ack{Study: id, Nays: w.ids("ben")})
	w.must("dina", no("ben"))
	w.nonce++
	w.must("dina", no("ben")) // again
	w.must("dina", &Ack{Study: id, Sites: w.ids("ben")})
	w.must("elif", no("ben"))
	if r, _ := w.round(id, 0).Report(w.id("ben")); w.study(id).Status != Running || len(r.Nays) != 2 || len(r.Acks) != 1 {
		t.Fatalf("%v, %d nays, %d acknowledgements", w.study(id).Status, len(r.Nays), len(r.Acks))
	}
	w.must("cleo", no("ben"))
	if st := w.study(id); st.Status != Stopped || st.Reason != ReasonReport || !slices.Equal(st.Missing, w.ids("ben")) {
		t.Errorf("%v %q, names %d", st.Status, st.Reason, len(st.Missing))
	}
}
