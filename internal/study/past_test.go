package study

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/table"
)

// forgets takes documents away from a person's node, as a restore from an older
// backup does.
func (p *person) forgets(kinds ...string) {
	p.w.t.Helper()
	p.down()
	for _, kind := range kinds {
		names, err := p.docs.List(kind)
		if err != nil {
			p.w.t.Fatal(err)
		}
		for _, name := range names {
			if err := p.docs.Delete(kind, name); err != nil {
				p.w.t.Fatal(err)
			}
		}
	}
	p.start()
}

// TestRestoredSite: a site that forgot a study counts its sums again, by the ledger,
// and knows again what they were over, from its file; without the file nothing is
// computed over these people.
func TestRestoredSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		first := w.plan(4)
		id := w.propose(first, 60)
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		time.Sleep(time.Minute) // for what follows the end
		ben := w.people[1]
		set := answerOf(w.study(id), ben.id).Dataset
		entry, err := ben.running().Data.Get(set)
		if err != nil {
			t.Fatal(err)
		}
		before, err := (&follower{Node: ben.running()}).spent(entry)
		if err != nil || len(before) == 0 {
			t.Fatalf("%v, %v", before, err)
		}
		ben.forgets(usedKind, spentKind, endedKind)

		// One percent more is held out: a few people change sides.
		almost := first
		almost.Name, almost.HoldOut.Percent = "almost", 26
		next := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: almost}))
		err = ben.tryApprove(next, set, nil)
		if !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "an earlier sum") {
			t.Errorf("a sum that differs by a few from one that was forgotten: %v", err)
		}
		after, err := (&follower{Node: ben.running()}).spent(entry)
		if err != nil || len(after) != len(before) {
			t.Errorf("%d releases were counted, now %d: %v", len(before), len(after), err)
		}
		for i := range after {
			if after[i] != before[i] {
				t.Errorf("release %d is %v, was %v", i, after[i], before[i])
			}
		}

		// The file has changed since: nobody knows any more what was in the sums.
		ben.forgets(usedKind, spentKind)
		text, err := os.ReadFile(ben.csv)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ben.csv, append(text, "2-999,50.0,25.0,no\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		newer, err := ben.running().Data.Prepare(ben.csv, "visits", data.Options{Unit: "patient", Releases: 60, Policy: table.DefaultPolicy()})
		if err != nil || newer.Group != entry.Group {
			t.Fatalf("another group: %v", err)
		}
		raw, tx := ben.tx(&ledger.Register{Name: "visits", Commitment: newer.Commitment, Group: newer.Group, Releases: 60})
		if err := errors.Join(ben.running().Data.Add(croft.DatasetID(tx), newer), ben.running().Send(t.Context(), raw)); err != nil {
			t.Fatal(err)
		}
		err = ben.tryApprove(next, croft.DatasetID(tx), nil)
		if !errors.Is(err, croft.ErrWithheld) || !strings.Contains(err.Error(), "older than study") {
			t.Errorf("without the file as it was: %v", err)
		}
		if err := os.WriteFile(ben.csv, text, 0o600); err != nil {
			t.Fatal(err)
		}
		far := first
		far.Name, far.HoldOut.Key = "far", "another key"
		next = croft.StudyID(w.people[0].must(&ledger.Propose{Plan: far}))
		if err := ben.tryApprove(next, set, nil); err != nil {
			t.Errorf("with the file as it was: %v", err)
		}
	})
}

// TestLedgerCountsToo: a site obeys the ledger's count where its own is lower.
func TestLedgerCountsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		st := w.until(id, time.Hour, ended)
		if st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		ben := w.people[1]
		entry, err := ben.running().Data.Get(answerOf(st, ben.id).Dataset)
		if err != nil {
			t.Fatal(err)
		}
		ben.forgets(spentKind)
		f := &follower{Node: ben.running(), id: croft.StudyID{1}}
		for _, c := range []struct {
			releases uint32
			want     bool
		}{{st.Round + 1, false}, {st.Round + 2, true}} {
			entry.Releases = c.releases
			if err := f.spend(t.Context(), entry, 0); (err == nil) != c.want || err != nil && !errors.Is(err, croft.ErrPolicy) {
				t.Errorf("%d releases allowed, %d on the ledger, none in the file: %v", c.releases, st.Round+1, err)
			}
		}
	})
}

// TestLostStudyKey: a site whose folder was lost in the middle of a study says so in
// one word, and the study ends for all instead of waiting for ever.
func TestLostStudyKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 1 })
		w.people[1].forgets(keyKind, inKind, outKind, handKind, heldKind, reportKind, stateKind)
		if st := w.until(id, 10*time.Second, ended); st.Status != ledger.Stopped || st.Reason != croft.RefusedUnavailable.String() {
			t.Errorf("it ended as %v, %s", st.Status, st.Reason)
		}
	})
}
