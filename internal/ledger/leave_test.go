package ledger

import (
	"slices"
	"testing"

	"croft"
)

// revoke lets everybody else vote a member out.
func (w *world) revoke(name string) {
	w.t.Helper()
	for _, voter := range w.names {
		if voter == name || !w.isMember(name) {
			continue
		}
		last, _ := decodeRecord[uint64](w.m.Get(SequenceKey(w.id(voter))))
		w.must(voter, &Vote{Action: Revoke, Subject: w.id(name), Sequence: last + 1})
	}
	if w.isMember(name) {
		w.t.Fatalf("%s is a member still", name)
	}
}

// What becomes of a study when the network revokes one of its members.
func TestRevocationDuringAStudy(t *testing.T) {
	six := []string{"ada", "ben", "cleo", "dina", "elif", "femi"} // t = 3, q = 5
	for name, c := range map[string]struct {
		plan   func(p *croft.Study)
		rounds uint32
		before func(w *world, id croft.StudyID)
		revoke []string
		status Status
	}{
		"a cohort site between two rounds":  {rounds: 1, revoke: []string{"ben"}, status: Stopped},
		"a site of the first round":         {revoke: []string{"ben"}, status: Stopped},
		"a site whose report is in the sum": {before: func(w *world, id croft.StudyID) { w.report(id, 0, six[:4]...) }, revoke: []string{"dina"}, status: Stopped},
		"a site while it is waited for": {rounds: 1, before: func(w *world, id croft.StudyID) {
			w.report(id, 1, "ada", "ben", "cleo")
			w.now += 60_000
			w.must("ada", &Tick{id})
			w.block(100)
			w.block(100) // two proposers have had their turn
			if w.study(id).Status != Paused {
				w.t.Fatal(w.study(id).Status)
			}
		}, revoke: []string{"dina"}, status: Stopped},
		"a seat that can be spared":             {rounds: 1, revoke: []string{"elif"}, status: Running},
		"two seats, one of which had to remain": {rounds: 1, revoke: []string{"elif", "femi"}, status: Stopped},
		"two seats where sums are not checked":  {plan: func(p *croft.Study) { p.Unchecked = true }, rounds: 1, revoke: []string{"elif", "femi"}, status: Running},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, six...)
			sites := six[:4]
			data := w.register(9, sites...)
			plan := w.plan(sites...)
			if c.plan != nil {
				c.plan(&plan)
			}
			id := w.open(plan, data, sites...)
			for n := range c.rounds {
				w.play(id, n, false, sites...)
			}
			if c.before != nil {
				c.before(w, id)
			}
			for _, name := range c.revoke {
				w.revoke(name)
			}
			st := w.study(id)
			last := w.ids(c.revoke[len(c.revoke)-1])
			if st.Status != c.status || st.Status == Stopped && (st.Reason != revoked || !slices.Equal(st.Missing, last)) {
				t.Errorf("%v %q, missing %d", st.Status, st.Reason, len(st.Missing))
			}
			if st.Status == Running { // and it can come to its end
				left := slices.DeleteFunc(slices.Clone(six), func(n string) bool { return slices.Contains(c.revoke, n) })
				w.names = left
				w.play(id, c.rounds, true, sites...)
				if st := w.study(id); st.Status != Done {
					t.Errorf("without %v: %v %q", c.revoke, st.Status, st.Reason)
				}
			}
		})
	}
}

// A proposal goes on without a revoked site as without one that said no, and ends
// if it cannot.
func TestRevocationOfAProposal(t *testing.T) {
	names := []string{"ada", "ben", "cleo", "dina", "elif"}
	propose := func(change func(w *world, p *croft.Study)) (*world, croft.StudyID) {
		w := newWorld(t, names...)
		data := w.register(9, names[:4]...)
		plan := w.plan(names[:4]...)
		change(w, &plan)
		id := croft.StudyID(w.must("ada", &Propose{plan}))
		for _, name := range names {
			w.must(name, w.enrol(name, id))
		}
		for _, name := range []string{"ada", "ben", "dina"} {
			w.must(name, w.approval(id, data[name]))
		}
		return w, id
	}
	w, id := propose(func(*world, *croft.Study) {})
	w.revoke("dina") // who had approved
	if st := w.study(id); st.Status != Proposed {
		t.Fatalf("%v %q", st.Status, st.Reason)
	}
	w.must("cleo", w.approval(id, croft.DatasetID(w.must("cleo", &Register{Name: "visits", Group: croft.Sum([]byte("cleo")), Releases: 9, Public: true}))))
	w.now += 61_000
	w.must("ada", &Tick{id})
	w.block(100)
	if r := w.round(id, 0); w.study(id).Status != Running || !slices.Equal(r.Sites, w.ids("ada", "ben", "cleo")) {
		t.Errorf("%v with %d sites", w.study(id).Status, len(r.Sites))
	}

	for name, change := range map[string]func(w *world, p *croft.Study){
		"a required site": func(w *world, p *croft.Study) { p.Required = w.ids("dina") },
		"too few sites":   func(w *world, p *croft.Study) { p.MinSites = 4 },
	} {
		w, id := propose(change)
		w.revoke("dina")
		if st := w.study(id); st.Status != Stopped || st.Reason != revoked || !slices.Equal(st.Missing, w.ids("dina")) {
			t.Errorf("%s: %v %q", name, st.Status, st.Reason)
		}
	}
}
