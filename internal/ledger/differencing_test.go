package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"croft"
)

// carry plays a study to its end: the given sites report, everybody's seat does
// its part, and when nothing moves a patience passes. It tells the end, the size
// of the cohort, and whether the study paused on the way.
func (w *world) carry(id croft.StudyID, rounds uint32, sites ...string) string {
	w.t.Helper()
	paused := ""
	for range 12 {
		st := w.study(id)
		if st.Status == Paused {
			paused = "paused, "
		}
		switch st.Status {
		case Done:
			return fmt.Sprintf("%sdone with %d", paused, len(st.Cohort))
		case Stopped:
			return paused + "stopped: " + st.Reason
		}
		r := w.round(id, st.Round)
		if r.Phase == croft.PhaseSum {
			w.sum(id, st.Round, st.Round+1 == rounds)
			continue
		}
		var here []string
		for _, name := range sites {
			if has(r.Sites, w.id(name)) {
				here = append(here, name)
			}
		}
		before := w.m.AppHash()
		w.report(id, st.Round, here...)
		if w.m.AppHash() == before {
			w.now += 60_000
			w.nonce++
			w.must("ada", &Tick{id})
			w.block(100)
		}
	}
	w.t.Fatalf("no end: %+v", w.study(id))
	return ""
}

// report is the reports of sites in one block, then all seats' acknowledgements.
func (w *world) report(id croft.StudyID, n uint32, sites ...string) {
	w.t.Helper()
	var reports, acks [][]byte
	for _, name := range sites {
		reports = append(reports, w.seal(name, &Report{Study: id, Round: n, Header: header(name, n)}))
	}
	w.block(100, reports...)
	for _, name := range w.names {
		acks = append(acks, w.seal(name, w.ack(name, id, n, w.ids(sites...))))
	}
	w.block(100, acks...)
	w.block(100)
}

// sum is all seats' shares and results.
func (w *world) sum(id croft.StudyID, n uint32, done bool) {
	w.t.Helper()
	var shares, results [][]byte
	for _, name := range w.names {
		shares = append(shares, w.seal(name, &Share{Study: id, Round: n, Blob: croft.Sum([]byte(name))}))
		results = append(results, w.seal(name, w.outturn(id, n, done)))
	}
	w.block(100, shares...)
	w.block(100, results...)
	w.block(100)
}

// releases checks what the differencing rule is for: of all sums that can be
// opened on this ledger, no two are over sets that differ by one or two sites.
func (w *world) releases() {
	w.t.Helper()
	var all [][]croft.MemberID
	for i := range w.m.view().Studies {
		id, _ := decodeRecord[croft.StudyID](w.m.Get(StudyAtKey(i)))
		for n := uint32(0); w.m.Get(RoundKey(id, n)) != nil; n++ {
			if r := w.round(id, n); r.Phase >= croft.PhaseSum {
				all = append(all, r.Accepted)
			}
		}
	}
	for i, a := range all {
		for _, b := range all[:i] {
			only := func(a, b []croft.MemberID) int {
				return len(slices.DeleteFunc(slices.Clone(a), func(m croft.MemberID) bool { return has(b, m) }))
			}
			if d := only(a, b) + only(b, a); d > 0 && d < MinSites {
				w.t.Errorf("two sums differ by %d sites", d)
			}
		}
	}
}

// One site is dropped, vanishes, or a study over the same data is tried again
// with the same sites, one less or one more: in every phase of a study of four
// sites and two rounds.
func TestDifferencing(t *testing.T) {
	four, three := []string{"ada", "ben", "cleo", "dina"}, []string{"ada", "ben", "cleo"}
	phases := []struct {
		name    string
		prepare func(w *world, id croft.StudyID, data map[string]croft.DatasetID)
	}{
		{"proposed", func(w *world, id croft.StudyID, data map[string]croft.DatasetID) {}},
		{"first report", func(w *world, id croft.StudyID, data map[string]croft.DatasetID) {
			w.must("cleo", w.approval(id, data["cleo"]))
		}},
		{"first report, three are there", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) { w.report(id, 0, three...) }},
		{"first sum", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) { w.report(id, 0, "dina") }},
		{"first sum, one share is there", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) {
			w.must("elif", &Share{Study: id, Blob: croft.Sum([]byte("elif"))})
		}},
		{"second report", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) { w.sum(id, 0, false) }},
		{"paused", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) {
			w.report(id, 1, three...)
			w.now += 60_000
			w.must("ada", &Tick{id})
			w.block(100) // by a second proposer
			w.block(100)
			if st := w.study(id); st.Status != Paused {
				w.t.Fatalf("%v", st.Status)
			}
		}},
		{"second sum", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) { w.report(id, 1, "dina") }},
		{"done", func(w *world, id croft.StudyID, _ map[string]croft.DatasetID) { w.sum(id, 1, true) }},
	}
	// What becomes of the study, and of the second one, in the phases' order.
	for _, c := range []struct {
		act    string
		sites  []string // of the second study
		here   []string // sites of the first that go on reporting
		first  []string
		second []string
	}{
		{act: "drop", here: four, first: []string{"done with 3",
			"stopped: consent", "stopped: consent", "stopped: consent", "stopped: consent", "stopped: consent", "stopped: consent", "stopped: consent", "done with 4"}},
		{act: "vanish", here: three, first: []string{"done with 3", "done with 3", "done with 3",
			"paused, stopped: unavailable", "paused, stopped: unavailable", "paused, stopped: unavailable", "paused, stopped: unavailable", "done with 4", "done with 4"}},
		{act: "retry", here: four, sites: four,
			first:  []string{"done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "paused, done with 4", "done with 4", "done with 4"},
			second: []string{"done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "done with 4", "done with 4"}},
		{act: "remove", here: four, sites: three,
			first:  []string{"stopped: cohort", "stopped: cohort", "stopped: cohort", "done with 4", "done with 4", "done with 4", "paused, done with 4", "done with 4", "done with 4"},
			second: []string{"done with 3", "done with 3", "done with 3", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort"}},
		{act: "add", here: four, sites: append(slices.Clone(four), "elif"),
			first:  []string{"stopped: cohort", "stopped: cohort", "stopped: cohort", "done with 4", "done with 4", "done with 4", "paused, done with 4", "done with 4", "done with 4"},
			second: []string{"done with 5", "done with 5", "done with 5", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort", "stopped: cohort"}},
	} {
		t.Run(c.act, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
			data := w.register(50, w.names...)
			id := w.open(w.plan(four...), data, "ada", "ben", "dina")
			for i, phase := range phases {
				phase.prepare(w, id, data)
				w := w.copy(t)
				w.nonce = 1000 // each branch its own transactions
				if c.act == "drop" {
					w.must("dina", &Withdraw{id})
				}
				if i == 0 {
					w.must("cleo", w.approval(id, data["cleo"]))
				}
				if c.sites != nil {
					second := w.open(w.plan(c.sites...), data, c.sites...)
					if got := w.carry(second, 2, c.sites...); got != c.second[i] {
						t.Errorf("%s: the second study: %s, want %s", phase.name, got, c.second[i])
					}
				}
				if got := w.carry(id, 2, c.here...); got != c.first[i] {
					t.Errorf("%s: %s, want %s", phase.name, got, c.first[i])
				}
				w.releases()
			}
		})
	}
}

// Whoever wants to keep a study from going on must not be able to by repeating
// itself: patience is the time without anything new.
func TestRepeatingIsNoNews(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(9, sites...)
	id := w.open(w.plan(sites...), data, sites...)
	w.report(id, 0, "ada", "ben")
	began := w.study(id).News
	w.now += 50_000
	for _, body := range []any{
		&Ack{Study: id, Sites: w.ids("ada")}, &Ack{Study: id}, &Report{Study: id, Header: header("ada", 0)},
		&Tick{id}, &Recover{id, 0, w.id("ben")},
	} {
		w.nonce++
		w.must("ada", body)
		if st := w.study(id); st.News != began {
			t.Errorf("%T: a repetition began a new window", body)
		}
	}
}

// Nor by changing its mind: a study that waits for answers opens a patience after
// the last site spoke for the first time.
func TestChangingOnesMindIsNoNews(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	data := w.register(9, w.names...)
	id := w.open(w.plan(w.names...), data, "ada", "ben", "cleo", "dina")
	for i := 0; i < 4 && w.study(id).Status == Proposed; i++ {
		w.now += 20_000
		w.nonce++
		if i%2 == 0 {
			w.must("dina", &Decline{id, croft.RefusedConsent})
		} else {
			w.must("dina", w.approval(id, data["dina"]))
		}
	}
	if st := w.study(id); st.Status != Running {
		t.Errorf("%v: one site keeps the others waiting", st.Status)
	}
}

// A study that asked for a larger crowd to hide its sites in keeps it: the larger
// min_sites of the two counts, whichever came first.
func TestTheLargerMinSitesCounts(t *testing.T) {
	five, eight := []string{"ada", "ben", "cleo", "dina", "elif"}, []string{"ada", "ben", "cleo", "dina", "elif", "femi", "gus", "hana"}
	for _, c := range []struct {
		first, second uint8
		want          string
	}{{3, 3, "done with 8"}, {5, 3, "stopped: cohort"}, {3, 5, "stopped: cohort"}} {
		w := newWorld(t, eight...)
		data := w.register(9, eight...)
		plan := w.plan(five...)
		plan.MinSites = c.first
		if got := w.carry(w.open(plan, data, five...), 1, five...); got != "done with 5" {
			t.Fatal(got)
		}
		plan = w.plan(eight...)
		plan.MinSites = c.second
		if got := w.carry(w.open(plan, data, eight...), 1, eight...); got != c.want {
			t.Errorf("min_sites %d, then %d, three sites more: %s, want %s", c.first, c.second, got, c.want)
		}
	}
}

// A study that ends where its next round would have begun names its last round.
func TestAStoppedStudyNamesItsLastRound(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	data := w.register(1, w.names...)
	id := w.open(w.plan(w.names...), data, w.names...)
	if got := w.carry(id, 2, w.names...); got != "stopped: budget" {
		t.Fatal(got)
	}
	if st := w.study(id); w.m.Get(RoundKey(id, st.Round)) == nil {
		t.Errorf("it names round %d, which never was", st.Round)
	}
}

// A person's answer is signed once and counts once: whoever sends an old yes
// again after a no, or an old no after a yes, changes nothing.
func TestOldAnswersDoNotComeBack(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(9, sites...)
	id := w.open(w.plan(sites...), data, "ada")
	answer := func() Answer {
		return w.study(id).Answers[slices.IndexFunc(w.study(id).Answers, func(a Answer) bool { return a.Site == w.id("ben") })]
	}
	yes, no, stop := w.seal("ben", w.approval(id, data["ben"])), w.seal("ben", &Withdraw{id}), w.seal("ben", &Stop{id, croft.RefusedUnavailable})
	for _, raw := range [][]byte{stop, yes, no} {
		if err := w.block(100, raw).Effects[0].Err(); err != nil {
			t.Fatal(err)
		}
		w.block(100)
	}
	w.block(100, yes)
	w.block(100)
	if answer().Approved {
		t.Error("a withdrawn approval was played again and holds")
	}

	w.nonce++
	w.must("ben", w.approval(id, data["ben"]))
	if !answer().Approved {
		t.Fatal("a new approval after a withdrawal does not hold")
	}
	w.must("cleo", w.approval(id, data["cleo"]))
	for _, old := range [][]byte{no, stop} {
		w.block(100, old)
		w.block(100)
		if st := w.study(id); st.Status != Running {
			t.Fatalf("an old no was played again: %v %q", st.Status, st.Reason)
		}
	}
}

// Only a site whose data are in the study can end it.
func TestWhoDidNotAgreeCannotStop(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(9, w.names...)
	plan := w.plan(w.names...)
	id := w.open(plan, data, sites...)
	w.must("dina", &Decline{id, croft.RefusedPolicy})
	if st := w.study(id); st.Status != Running {
		t.Fatalf("%v %q", st.Status, st.Reason)
	}
	w.nonce++
	w.must("dina", &Stop{id, croft.RefusedDiffers})
	if st := w.study(id); st.Status != Running {
		t.Errorf("a site that declined stopped the study of the others: %q", st.Reason)
	}

	// Neither can one that agreed and was not there when the cohort was fixed.
	four := w.open(w.plan(w.names...), data, w.names...)
	w.report(four, 0, sites...)
	w.now += 60_000
	w.must("ada", &Tick{four})
	w.block(100)
	w.report(four, 0) // no more reports: the seats show that they hold these
	if st := w.study(four); len(st.Cohort) != 3 {
		t.Fatalf("%v %q, a cohort of %d", st.Status, st.Reason, len(st.Cohort))
	}
	w.nonce++
	w.must("dina", &Withdraw{four})
	if st := w.study(four); st.Status != Running {
		t.Errorf("a site outside the cohort stopped it: %q", st.Reason)
	}
}

// What a site released stays on its account when it leaves.
func TestLeavingKeepsTheAccounts(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(9, sites...)
	id := w.open(w.plan(sites...), data, sites...)
	w.play(id, 0, false, sites...)
	w.must("ben", &Withdraw{id}) // the invariants, checked after each block, count the releases
	if g, _ := decodeRecord[Group](w.m.Get(GroupKey(croft.Sum([]byte("ben"))))); g.Used != 1 {
		t.Errorf("%d releases on the account", g.Used)
	}
}

// Two members with one validator key would be one validator twice, which halts
// CometBFT; so would a network without any.
func TestValidatorsStayASet(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	thief := w.keep("thief")
	w.block(100)
	for name, change := range map[string]func(*croft.Member){
		"validator key":                  func(m *croft.Member) { m.Validator = w.members["ada"].Validator },
		"node key":                       func(m *croft.Member) { m.Node = w.members["ada"].Node },
		"node key as validator key":      func(m *croft.Member) { m.Validator = w.members["ada"].Node },
		"a member's key as its node key": func(m *croft.Member) { m.Node = w.members["ben"].Key },
	} {
		w := w.copy(t)
		m := thief
		change(&m)
		w.refused(croft.ErrTxUnknown, "ada", &Vote{Action: Admit, Newcomer: &m, Sequence: 1})
		w.members["thief"], w.keys["thief"] = m, w.stolen(m) // even with the secret half
		if _, err := w.send(w.application("thief", w.invite("ada", false))); !errors.Is(err, croft.ErrTxDuplicate) {
			t.Errorf("a newcomer with another's %s: %v", name, err)
		}
		g := w.m.genesis
		g.Members = append(slices.Clone(g.Members), m)
		if _, err := New(g, NewMemoryTree()); err == nil {
			t.Errorf("a genesis in which two members share a %s", name)
		}
	}

	alone := newWorld(t, "ada")
	alone.refused(croft.ErrTxRights, "ada", &Vote{Action: Revoke, Subject: alone.id("ada"), Sequence: 1})
}

// Light members are a majority here, and order no blocks: without the last full one
// the chain would stand still for good.
func TestLastFullMemberStays(t *testing.T) {
	w := newWorld(t, "ada", "light ben", "light cleo")
	w.must("light ben", &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1})
	w.refused(croft.ErrTxRights, "light cleo", &Vote{Action: Revoke, Subject: w.id("ada"), Sequence: 1})
	w.must("light cleo", &Vote{Action: Revoke, Subject: w.id("light ben"), Sequence: 1})
	w.must("ada", &Vote{Action: Revoke, Subject: w.id("light ben"), Sequence: 1})
}

// What a new cohort costs grows with the studies before it and not with their square:
// it is compared inside a block, at every node.
func TestCohortsOfManyStudies(t *testing.T) {
	const sites = 9
	s := newState(NewMemoryTree())
	groups := make([]Group, sites)
	var all []croft.Hash
	for i := range groups {
		groups[i] = Group{Owner: croft.MemberID{byte(i)}, Cap: 1000}
		all = append(all, croft.Sum([]byte{byte(i)}))
	}
	cost := func(studies int) float64 {
		for n := len(groups[0].Cohorts); n < studies; n++ {
			c := Cohort{Study: croft.StudyID{byte(n)}, Groups: all[n%4 : n%4+6], Columns: []string{"age"}, MinSites: 3}
			for i := range groups {
				groups[i].Cohorts = append(groups[i].Cohorts, c)
			}
		}
		for i, g := range groups {
			write(s, GroupKey(all[i]), g)
		}
		return testing.AllocsPerRun(1, func() {
			if err := s.joinable(Cohort{Groups: all, Columns: []string{"age"}, MinSites: 3}); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := cost(10), cost(40)
	if many > 8*few {
		t.Errorf("%.0f allocations with 10 studies, %.0f with 40", few, many)
	}
}
