package study

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
)

func sortIDs(ids []croft.MemberID) { slices.SortFunc(ids, croft.MemberID.Compare) }

func TestStudyEndsWithOneModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		st := w.until(id, time.Hour, ended)
		if st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		hash := w.people[0].model(id)
		for _, p := range w.people[1:] {
			if p.model(id) != hash {
				t.Errorf("%s has another model", p.name)
			}
		}
		time.Sleep(time.Minute)
		for _, p := range w.people {
			for _, kind := range []string{keyKind, reportKind, handKind, heldKind, answersKind, outKind, inKind, outboxKind} {
				if left, _ := p.docs.List(kind); len(left) > 0 {
					t.Errorf("%s kept %d documents %s after the end", p.name, len(left), kind)
				}
			}
			for n := range st.Round + 1 {
				for _, report := range w.round(id, n).Reports {
					if p.blob.Has(report.Header.Head) || p.blob.Has(report.Header.Blob) {
						t.Errorf("%s kept a report of round %d", p.name, n)
					}
				}
			}
		}
	})
}

// TestKeysGoWithTheirRound: the pipes on a seat's disk do not open what was sealed to the
// seat in a round that is over, though it was recorded. The study key, which begins them
// again, goes with the study (docs/threats.md).
func TestKeysGoWithTheirRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		elif := w.people[4]
		var report ledger.Accepted
		w.until(id, time.Hour, func(ledger.Study) bool {
			r := w.round(id, 0)
			held := slices.IndexFunc(r.Reports, func(a ledger.Accepted) bool { return has(a.Acks, elif.id) })
			if held >= 0 {
				report = r.Reports[held]
			}
			return held >= 0
		})
		f := &follower{Node: elif.running(), id: id}
		recorded, err := elif.blob.Get(report.Header.Head)
		if err != nil {
			t.Fatal(err)
		}
		opens := func() error {
			kept, err := elif.docs.Get(inKind, f.name(tag(report.Site)))
			if err != nil {
				t.Fatal(err)
			}
			st, plan, err := f.study(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c, err := f.reportBinding(st, plan, w.round(id, 0), report.Site)
			if err != nil {
				t.Fatal(err)
			}
			head, err := privagg.OpenHead(c, report.Header, recorded)
			if err != nil {
				t.Fatal(err)
			}
			hand, err := head.Hand(slices.Index(st.Seats, elif.id))
			if err != nil {
				t.Fatal(err)
			}
			pipe, err := privagg.UnmarshalReceiver(kept)
			if err != nil {
				t.Fatal(err)
			}
			return hand.OpenBox(pipe)
		}
		if err := opens(); err != nil {
			t.Fatal("in its round: ", err)
		}
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 2 })
		if err := opens(); !errors.Is(err, croft.ErrBox) {
			t.Errorf("two rounds later: %v", err)
		}
	})
}

// reference is the hash of the model that the same people and files give when
// nothing goes wrong. Study ids differ between runs, models must not.
func reference(t *testing.T) croft.Hash {
	if undisturbed.IsZero() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
			defer w.close()
			id := w.propose(w.plan(4), 60)
			w.until(id, time.Hour, ended)
			undisturbed = w.people[0].model(id)
		})
	}
	return undisturbed
}

var undisturbed croft.Hash // tests here run one after the other

// TestCrashAtEachLine kills a node at each named line, in each role, one after the
// other, starts it again on what its disk holds, and wants the model of an
// undisturbed run.
func TestCrashAtEachLine(t *testing.T) {
	want := reference(t)
	for role, c := range map[string]struct {
		who   int
		first string
		then  [][]string // a study each, in the order of the flow
	}{
		"site and seat": {1, "approve", [][]string{{"outbox", "compute", "report-kept", "report", "hand-kept", "acknowledge", "answers-kept", "verify", "share", "step"}}},
		"seat only":     {4, "enrol", [][]string{{"outbox", "hand-kept", "acknowledge"}, {"answers-kept", "verify", "share", "step"}}}, // the others go on without it
	} {
		for _, lines := range c.then {
			t.Run(role, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
					defer w.close()
					p := w.people[c.who]
					var sets []croft.DatasetID
					for i, q := range w.people[:4] {
						sets = append(sets, q.register(90+20*i, uint64(i+1), 60))
					}
					dies := func() {
						select {
						case <-p.died:
						case <-time.After(time.Hour):
							t.Fatalf("%s was never reached", p.crash)
						}
						<-p.done
						time.Sleep(time.Second)
						p.start()
					}
					p.dieAt(c.first)
					id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: w.plan(4)}))
					if c.first == "approve" { // its person says yes again when it is back
						go p.tryApprove(id, sets[c.who], nil)
					}
					dies()
					for i, q := range w.people[:4] {
						q.approve(id, sets[i], nil)
					}
					for _, line := range lines {
						p.dieAt(line)
						dies()
					}
					if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
						t.Fatal(st.Reason)
					}
					for _, each := range []*person{p, w.people[0]} {
						if got := each.model(id); got != want {
							t.Errorf("%s: model %s, undisturbed %s", each.name, got.Short(), want.Short())
						}
					}
				})
			})
		}
	}
}

// TestSeatThatHoldsThreeOfFour: an acknowledgement is for a report. A seat that
// cannot get one acknowledges the others, and is not counted for that one.
func TestSeatThatHoldsThreeOfFour(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		ben, deaf := w.people[1], w.people[3:]
		ben.dieAt("report") // kept, not yet announced
		id := w.propose(w.plan(4), 60)
		<-ben.died
		<-ben.done
		report, err := (&follower{Node: &Node{Docs: ben.docs}, id: id}).reportDoc(0)
		if err != nil {
			t.Fatal(err)
		}
		miss := func(lost ...*person) {
			for _, p := range deaf {
				p.mu.Lock()
				p.lost = map[croft.Hash]bool{report.Header().Head: slices.Contains(lost, p)}
				p.mu.Unlock()
			}
		}
		miss(deaf...)
		ben.start()
		time.Sleep(30 * time.Second)
		r := w.round(id, 0)
		for _, a := range r.Reports {
			acks := 5
			if a.Site == ben.id {
				acks = 3
			}
			if len(a.Acks) != acks {
				t.Errorf("%d seats acknowledged a report, want %d", len(a.Acks), acks)
			}
		}
		if len(r.Reports) != 4 || r.Phase != croft.PhaseReport {
			t.Fatalf("%d reports, phase %v: one is held by fewer than four seats", len(r.Reports), r.Phase)
		}
		miss(deaf[1])
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		if got := w.people[0].model(id); got != want {
			t.Error("another model")
		}
	})
}

// TestDeadSeat: with five seats and checked sums one may be away for good.
func TestDeadSeat(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 2 })
		w.people[4].down()
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		if got := w.people[0].model(id); got != want {
			t.Error("another model")
		}
		// Back after the end it reads all rounds again.
		w.people[4].start()
		if got := w.people[4].model(id); got != want {
			t.Error("another model at the one that was away")
		}
	})
}

// TestMissingSitePausesByName: leaving it out would show its numbers.
func TestMissingSitePausesByName(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 3 })
		w.people[2].down()
		st := w.until(id, time.Hour, func(st ledger.Study) bool { return st.Status == ledger.Paused })
		if len(st.Missing) != 1 || st.Missing[0] != w.people[2].id {
			t.Fatalf("waits for %v", st.Missing)
		}
		if len(w.people[0].events("pause")) == 0 && func() bool { time.Sleep(5 * time.Second); return len(w.people[0].events("pause")) == 0 }() {
			t.Error("nobody was told whom the study waits for")
		}
		w.people[2].start()
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		if got := w.people[2].model(id); got != want {
			t.Error("another model")
		}
	})
}

func TestSiteThatStaysAwayEndsTheStudy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 3 })
		w.people[2].down()
		begun := time.Now()
		st := w.until(id, time.Hour, ended)
		if st.Status != ledger.Stopped || st.Reason != "unavailable" {
			t.Fatalf("%v %q", st.Status, st.Reason)
		}
		if took := time.Since(begun); took < 2*time.Minute || took > 2*time.Minute+10*time.Second {
			t.Errorf("two patiences of a minute took %v", took)
		}
	})
}

// TestRefusals: a node obeys its owner's signed copy, its policy and its file,
// and the ledger learns one of five words and no figure.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world, p *person, id croft.StudyID)
		word  string // for all
		says  string // to the owner alone
	}{
		"no approval kept": {func(w *world, p *person, id croft.StudyID) {
			p.docs.Delete(ApprovalKind, p.approvals(id)[0])
		}, "consent", "has not approved"},
		"a forged approval": {func(w *world, p *person, id croft.StudyID) {
			name := p.approvals(id)[0]
			raw, _ := p.docs.Get(ApprovalKind, name)
			raw[len(raw)-1] ^= 1
			p.docs.Put(ApprovalKind, name, raw)
		}, "consent", "has not approved"},
		"the file changed": {func(w *world, p *person, id croft.StudyID) {
			text, _ := os.ReadFile(p.csv)
			os.WriteFile(p.csv, append(text, "9-9,50,20,yes\n"...), 0o600)
		}, "differs", "changed since it was registered"},
		"the file is gone": {func(w *world, p *person, id croft.StudyID) { os.Remove(p.csv) }, "unavailable", "cannot read"},
		"people of another budget": {func(w *world, p *person, id croft.StudyID) {
			name := answerOf(w.study(id), p.id).Dataset.String()
			raw, _ := p.docs.Get("dataset", name)
			p.docs.Put("dataset", name, regexp.MustCompile(`"group": "[0-9a-f]{8}`).ReplaceAll(raw, []byte(`"group": "01234567`)))
		}, "differs", "the dataset on the ledger"},
		"a value out of range": {func(w *world, p *person, id croft.StudyID) {
			text, _ := os.ReadFile(p.csv)
			os.WriteFile(p.csv, append(text, "9-9,150,20,yes\n"...), 0o600)
		}, "unavailable", "is outside the declared range"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
				defer w.close()
				s := w.plan(4)
				s.Required = nil
				var sets []croft.DatasetID
				for i, p := range w.people[:4] {
					sets = append(sets, p.register(90+20*i, uint64(i+1), 60))
				}
				id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: s}))
				victim := w.people[1]
				victim.approve(id, sets[1], nil)
				victim.down() // what was read is forgotten
				c.spoil(w, victim, id)
				victim.start()
				for _, i := range []int{0, 2, 3} {
					w.people[i].approve(id, sets[i], nil)
				}
				st := w.until(id, time.Hour, ended)
				if st.Status != ledger.Stopped || st.Reason != c.word {
					t.Errorf("%v %q, want stopped %q", st.Status, st.Reason, c.word)
				}
				refused := victim.events("refuse")
				if len(refused) == 0 || !strings.Contains(refused[0].Text, c.says) {
					t.Errorf("the owner was told %v, not that it %s", refused, c.says)
				}
				if len(w.round(id, 0).Accepted) != 0 {
					t.Error("a sum was opened")
				}
			})
		})
	}
}

// TestConsentComparesEveryField: an approval that differs in one field is none.
func TestConsentComparesEveryField(t *testing.T) {
	plan := croft.Study{Version: 1, Name: "n", Purpose: "p", LegalBasis: "l", Engine: croft.EngineVersion, Expires: 1000, Readers: []croft.MemberID{{1}}}
	st := ledger.Study{ID: croft.StudyID{1}, Seats: []croft.MemberID{{1}, {2}, {3}}, Threshold: 1, Plan: plan.PlanHash()}
	good := ApprovalOf(st, plan, croft.DatasetID{1}, 10, 100)
	if err := consent(good, st, plan, 999); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*croft.Approval)
		code   croft.Code
	}{
		"study":     {func(a *croft.Approval) { a.Study[0]++ }, croft.ErrDiffers},
		"plan":      {func(a *croft.Approval) { a.Plan[0]++ }, croft.ErrDiffers},
		"seats":     {func(a *croft.Approval) { a.Seats = a.Seats[1:] }, croft.ErrDiffers},
		"threshold": {func(a *croft.Approval) { a.Threshold++ }, croft.ErrDiffers},
		"readers":   {func(a *croft.Approval) { a.Readers = nil }, croft.ErrDiffers},
		"purpose":   {func(a *croft.Approval) { a.Purpose = "x" }, croft.ErrDiffers},
		"basis":     {func(a *croft.Approval) { a.LegalBasis = "x" }, croft.ErrDiffers},
		"engine":    {func(a *croft.Approval) { a.Engine = "x" }, croft.ErrEngine},
		"expiry":    {func(a *croft.Approval) { a.Expires = 999 }, croft.ErrExpired},
		"releases":  {func(a *croft.Approval) { a.Releases = 0 }, croft.ErrPolicy},
	} {
		a := good
		a.Seats = slices.Clone(good.Seats)
		c.change(&a)
		if err := consent(a, st, plan, 999); !errors.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithheld: a site with too few people sends nothing, and says so at once.
func TestWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		for i, p := range w.people[:3] {
			p.register(90, uint64(i+1), 60)
		}
		set := w.people[3].register(12, 9, 60)
		id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: w.plan(4)}))
		if err := w.people[3].tryApprove(id, set, nil); !errors.Is(err, croft.ErrWithheld) {
			t.Error(err)
		}
	})
}

// TestSeedRecovery: a seat whose box does not open gets its seeds from others.
func TestSeedRecovery(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		victim := w.people[4]
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 1 })
		// Its pipes are damaged: what the sites seal to it no longer opens. For a while
		// nobody answers it either; it has asked, and need not write that down again.
		w.people[3].down()
		victim.down()
		time.Sleep(2 * giveTime) // virtual: whom others asked has answered
		names, _ := victim.docs.List(inKind)
		for _, name := range names {
			other, _ := victim.docs.Get(inKind, names[0])
			victim.docs.Put(inKind, name, other)
		}
		for _, p := range w.people {
			p.mute = true
		}
		sent := 0
		victim.disk.Fail = func(op, file string) (bool, error) {
			if op == "put" && strings.HasPrefix(file, outboxKind) {
				sent++
			}
			return true, nil
		}
		victim.start()
		time.Sleep(30 * time.Second) // virtual
		victim.down()
		if sent == 0 || sent > 20 {
			t.Errorf("it sent %d transactions in half a minute", sent)
		}
		for _, p := range w.people {
			p.mute = false
		}
		w.people[3].start()
		victim.start()
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		if got := w.people[0].model(id); got != want {
			t.Error("another model")
		}
		if len(victim.events("recover")) == 0 {
			t.Error("no recovery was needed: the test does not bite")
		}
	})
}

// TestApprovalExpiresWhileTheLedgerSleeps: after a quiet hour the ledger's clock
// stands still until somebody writes; the expiry is right to two seconds all the
// same.
func TestApprovalExpiresWhileTheLedgerSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		s := w.plan(4)
		var sets []croft.DatasetID
		for i, p := range w.people[:4] {
			sets = append(sets, p.register(90+20*i, uint64(i+1), 60))
		}
		id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: s}))
		expiry := time.Now().Add(90 * time.Minute)
		w.people[1].approve(id, sets[1], func(a *croft.Approval) { a.Expires = expiry.Unix() })
		time.Sleep(time.Hour) // idle
		w.until(id, time.Hour, func(st ledger.Study) bool {
			return len(st.Answers) == 1 && st.Answers[0].Refusal == croft.RefusedExpired
		})
		if late := time.Since(expiry); late < -2*time.Second || late > 2*time.Second {
			t.Errorf("expired %v after its time", late)
		}
	})
}

// TestProposalThatNobodyAnswers: the ledger sleeps while people think.
func TestProposalThatNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		s := w.plan(3)
		s.Expires = time.Now().Add(10 * 24 * time.Hour).Unix()
		w.people[0].must(&ledger.Propose{Plan: s})
		time.Sleep(time.Minute)
		before := w.people[0].rules.Status().Height
		time.Sleep(6 * time.Hour)
		if blocks := w.people[0].rules.Status().Height - before; blocks > 200 {
			t.Errorf("%d blocks in six hours without news", blocks)
		}
	})
}

// TestNothingReadableIsPublished looks at every blob and transaction for the
// cells of the files.
func TestNothingReadableIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		w.people[0].odd = func(csv string) string { // cells that stand nowhere by chance
			return regexp.MustCompile(`(?m)^1-`).ReplaceAllString(regexp.MustCompile(`\.\d`).ReplaceAllString(csv, "${0}730519"), "patient number 1-")
		}
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 2 })
		var captured []byte
		for _, p := range w.people {
			hashes, _ := p.blob.List()
			for _, h := range hashes {
				blob, _ := p.blob.Get(h)
				captured = append(captured, blob...)
			}
		}
		for h := int64(1); ; h++ {
			b, err := w.people[0].rules.Block(h)
			if err != nil {
				break
			}
			captured = append(captured, b.Block...)
		}
		text, _ := os.ReadFile(w.people[0].csv)
		cells := 0
		for _, cell := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == '\n' }) {
			if len(cell) < 9 { // the header, and the label
				continue
			}
			if cells++; bytes.Contains(captured, []byte(cell)) {
				t.Errorf("the cell %q can be read in what was published", cell)
			}
		}
		if cells != 3*90 {
			t.Errorf("%d cells were looked for", cells)
		}
		if !bytes.Contains(captured, []byte("none needed")) {
			t.Error("the capture misses what is published on purpose: the test does not bite")
		}
	})
}

// TestAlmostTheSamePeople: an author who shifts the hold-out a little, or lets a
// code count as missing, would get two sums that differ by a few people.
func TestAlmostTheSamePeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		var sets []croft.DatasetID
		for i, p := range w.people[:4] {
			sets = append(sets, p.register(150, uint64(i+1), 200))
		}
		run := func(s croft.Study) croft.StudyID {
			t.Helper()
			id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: s}))
			for i, p := range w.people[:4] {
				p.approve(id, sets[i], nil)
			}
			if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
				t.Fatal(st.Reason)
			}
			return id
		}
		first := w.plan(4)
		run(first)
		again := first
		again.Name = "the same people again"
		run(again)

		for name, change := range map[string]func(*croft.Study){
			"one percent more held out": func(s *croft.Study) { s.HoldOut.Percent++ },
			"an age counts as missing": func(s *croft.Study) {
				s.Schema.Columns = slices.Clone(s.Schema.Columns)
				s.Schema.Columns[0].Missing = croft.MissingDrop
				text, _ := os.ReadFile(w.people[0].csv)
				s.Schema.Columns[0].Codes = []string{strings.Split(strings.Split(string(text), "\n")[5], ",")[1]}
			},
			"an age is replaced by another": func(s *croft.Study) {
				s.Schema.Columns = slices.Clone(s.Schema.Columns)
				s.Schema.Columns[0].Missing, s.Schema.Columns[0].Fill = croft.MissingValue, decimal("20")
				text, _ := os.ReadFile(w.people[0].csv)
				s.Schema.Columns[0].Codes = []string{strings.Split(strings.Split(string(text), "\n")[5], ",")[1]}
			},
			"nearly half held out, and one less in all": func(s *croft.Study) {
				s.HoldOut.Percent = 45
				s.Schema.Columns = slices.Clone(s.Schema.Columns)
				s.Schema.Columns[0].Missing = croft.MissingDrop
				text, _ := os.ReadFile(w.people[0].csv)
				s.Schema.Columns[0].Codes = []string{strings.Split(strings.Split(string(text), "\n")[5], ",")[1]}
			},
		} {
			s := first
			s.Name = name
			change(&s)
			id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: s}))
			refused := 0
			for i, p := range w.people[:4] {
				if err := p.tryApprove(id, sets[i], nil); errors.Is(err, croft.ErrWithheld) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			}
			if refused == 0 {
				t.Errorf("%s: nobody refused", name)
			}
		}
		far := first
		far.Name, far.HoldOut.Key = "another hold-out", "another key" // differs by many
		run(far)
	})
}

// TestRevokedReaderReadsNoMore: who may only read is voted out in the middle of a study.
// The study goes on, and no seat seals a sum to that member any more.
func TestRevokedReaderReadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, func(name string) bool { return name != "femi" }, "ada", "ben", "cleo", "dina", "elif", "femi")
		defer w.close()
		s, femi := w.plan(4), w.people[5]
		s.Unproved = true
		id := w.propose(s, 60)
		sealedTo := func(round uint32) (seats, boxes int) { // of those shares of a round that can be fetched
			for _, share := range w.round(id, round).Shares {
				at := slices.IndexFunc(w.people, func(p *person) bool { return p.id == share.Seat })
				data, err := w.people[at].blob.Get(share.Blob)
				if err != nil {
					continue
				}
				var sealed sumShare
				if err := croft.Decode(data, &sealed); err != nil {
					t.Fatal(err)
				}
				seats++
				if slices.ContainsFunc(sealed.Boxes, func(b readerBox) bool { return b.Reader == femi.id }) {
					boxes++
				}
			}
			return seats, boxes
		}
		w.until(id, time.Hour, func(st ledger.Study) bool { seats, _ := sealedTo(0); return seats > 0 })
		if _, boxes := sealedTo(0); boxes == 0 {
			t.Fatal("it was no reader to begin with")
		}
		for _, p := range w.people[:4] {
			p.must(&ledger.Vote{Action: ledger.Revoke, Subject: femi.id, Sequence: 1})
		}
		next := w.study(id).Round + 1 // its shares are made after the votes
		w.until(id, time.Hour, func(st ledger.Study) bool { seats, _ := sealedTo(next); return seats > 0 })
		if seats, boxes := sealedTo(next); boxes > 0 {
			t.Errorf("%d of %d seats sealed the sum of round %d to a member that was voted out", boxes, seats, next)
		}
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Errorf("%v, %q", st.Status, st.Reason)
		}
	})
}

// TestTwoStudiesAtOnce: two studies read their rows before either counted what its sum
// is over. The second to count sees the first, and spends nothing.
func TestTwoStudiesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		n := w.people[1].running()
		entry, err := n.Data.Get(w.people[1].register(90, 1, 60))
		if err != nil {
			t.Fatal(err)
		}
		var people []croft.Hash
		for i := range byte(20) {
			people = append(people, croft.Hash{i})
		}
		for i, c := range []struct {
			set  []croft.Hash
			code croft.Code
		}{{people, 0}, {people[2:], croft.ErrWithheld}, {people, 0}, {people[5:], 0}} {
			f := &follower{Node: n, id: croft.StudyID{byte(i)}}
			if err := f.account(t.Context(), entry, &rows{people: []counted{{"people", c.set, 5}}}, 0); (err != nil || c.code != 0) && !errors.Is(err, c.code) {
				t.Errorf("study %d, over %d people: %v", i, len(c.set), err)
			}
		}
		if spent, err := (&follower{Node: n}).spent(entry); err != nil || len(spent) != 3 {
			t.Errorf("spent: %v, %v", spent, err)
		}
	})
}

// TestOneApprovalADocument: what the ledger refused leaves nothing and replaces
// nothing; a withdrawal takes the approval away before the ledger hears of it.
func TestOneApprovalADocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 1 })
		ben := w.people[1]
		before := ben.approvals(id)
		late := func(a *croft.Approval) { a.Releases = 59 }
		set := answerOf(w.study(id), ben.id).Dataset
		if err := ben.tryApprove(id, set, late); !errors.Is(err, croft.ErrTxOrder) {
			t.Errorf("an approval of a study that runs: %v", err)
		}
		if err := ben.tryApprove(id, set, nil); err != nil { // the one that the ledger took
			t.Errorf("the same approval again: %v", err)
		}
		if err := ben.tryApprove(id, set, func(*croft.Approval) { ben.signed++ }); err != nil { // said twice: the first was in a killed node's outbox
			t.Errorf("the same approval, signed again: %v", err)
		}
		if after := ben.approvals(id); len(before) != 1 || !slices.Equal(before, after) {
			t.Errorf("documents of approvals: %d, then %d", len(before), len(after))
		}
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 3 }) // and ben still takes part

		ben.rules.Delay(10 * time.Second) // the ledger hears of it later
		raw, _ := ben.tx(&ledger.Withdraw{Study: id})
		gone := make(chan error)
		go func() { gone <- ben.running().Refuse(t.Context(), id, raw) }()
		synctest.Wait()
		if left := ben.approvals(id); len(left) != 0 {
			t.Error("the approval outlives the withdrawal")
		}
		if err := <-gone; err != nil {
			t.Error(err)
		}
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Stopped || st.Reason != "consent" {
			t.Errorf("%v %q", st.Status, st.Reason)
		}
	})
}

// TestReaderStepsOnce: a reader that is no seat takes a round's step once, however long
// the seats take to agree on it.
func TestReaderStepsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, func(name string) bool { return name != "ada" }, "ada", "ben", "cleo", "dina", "elif", "finn")
		defer w.close()
		ada := w.people[0]
		states := 0
		ada.down()
		ada.disk.Fail = func(op, file string) (bool, error) {
			if op == "put" && strings.HasPrefix(file, stateKind+"~") {
				states++
			}
			return true, nil
		}
		ada.start()
		for _, p := range w.people[3:] { // three of five seats: the other two are not enough
			p.dieAt("step")
		}
		id := w.propose(w.plan(3), 60)
		for _, p := range w.people[3:] {
			<-p.died
		}
		time.Sleep(time.Minute) // virtual
		ada.down()
		if r := w.round(id, 0); r.Phase != croft.PhaseSum || len(r.Results) != 2 {
			t.Fatalf("phase %v, %d results", r.Phase, len(r.Results))
		}
		if states != 1 {
			t.Errorf("it wrote %d states", states)
		}
		for _, p := range append(w.people[3:], ada) {
			p.start()
		}
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
	})
}

// TestNothingLeavesAfterTheNo: a report that was made before its owner said no, and not
// announced yet, is not announced any more.
func TestNothingLeavesAfterTheNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		ben := w.people[1]
		ben.dieAt("report-kept")
		id := w.propose(w.plan(4), 60)
		<-ben.died
		for _, name := range ben.approvals(id) { // as Refuse does, before it sends the no
			if err := ben.docs.Delete(ApprovalKind, name); err != nil {
				t.Fatal(err)
			}
		}
		ben.start()
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Stopped || st.Reason != "consent" {
			t.Errorf("%v %q", st.Status, st.Reason)
		}
		if _, reported := w.round(id, 0).Report(ben.id); reported {
			t.Error("the kept report was announced")
		}
	})
}

// fullLedger takes no transaction for now, and cannot be read.
type fullLedger struct{}

func (fullLedger) Submit(context.Context, []byte) error {
	return croft.E(croft.ErrNoQuorum, "the mempool is full")
}

func (fullLedger) Read(context.Context, string) ([]byte, error) {
	return nil, croft.E(croft.ErrNoQuorum, "the ledger is away")
}

func (fullLedger) Watch(context.Context) <-chan struct{} { return nil }

// TestWaitingFillsNoDisk: a study that cannot go on for a day says why about once a minute.
func TestWaitingFillsNoDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &follower{Node: &Node{Ledger: fullLedger{}, Log: slog.New(slog.NewTextHandler(&log, nil))}}
		ctx, stop := context.WithTimeout(t.Context(), 24*time.Hour) // virtual
		defer stop()
		if err := f.follow(ctx); err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(log.Bytes(), []byte("away")); lines < 24 || lines > 24*60+10 {
			t.Errorf("%d lines", lines)
		}
	})
}

// TestOneNoInTheOutbox: a site that cannot say no now says the same no later.
func TestOneNoInTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		n := w.people[1].running()
		f := &follower{Node: &Node{Self: n.Self, Sign: n.Sign, Scope: n.Scope, Ledger: fullLedger{}, Docs: store.NewMemoryDocs(new(store.Memory)), Log: n.Log}}
		for range 3 {
			if err := f.refuse(t.Context(), ledger.Round{}, croft.E(croft.ErrPolicy, "a test")); !errors.Is(err, croft.ErrNoQuorum) {
				t.Fatal(err)
			}
			time.Sleep(retry) // virtual
		}
		if names, err := f.Docs.List(outboxKind); err != nil || len(names) != 1 {
			t.Errorf("%d transactions wait, %v", len(names), err)
		}
	})
}

// TestForeignBlobsStay: a header can name the blobs of another site's report in another
// study. What goes with its own round leaves those to the other, whether a seat held
// them for it, the site made them, or they were carried.
func TestForeignBlobsStay(t *testing.T) {
	docs, blobs := store.NewMemoryDocs(new(store.Memory)), store.NewMemoryBlobs(new(store.Memory))
	f := &follower{Node: &Node{Docs: docs, Blobs: blobs}, id: croft.StudyID{1}}
	other := &follower{Node: f.Node, id: croft.StudyID{2}}
	put := func(kind, name string, value any) {
		t.Helper()
		if err := docs.Put(kind, name, croft.Encode(value)); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(text string) croft.Hash {
		hash, err := blobs.Put([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	site := tag(croft.MemberID{1})
	mine, carriedOne, next, theirs := keep("mine"), keep("carried"), keep("of the next round"), keep("theirs")
	put(heldKind, f.name(roundTag(0), site), []croft.Hash{mine, theirs})
	put(carriedKind, f.name(roundTag(0), site, "report"), carried{Blobs: []croft.Hash{carriedOne, theirs}, Bytes: 1})
	put(heldKind, f.name(roundTag(1), "own"), []croft.Hash{next})
	put(heldKind, other.name(roundTag(0), site), []croft.Hash{theirs})

	left := func(want ...croft.Hash) {
		t.Helper()
		slices.SortFunc(want, croft.Hash.Compare)
		if got, err := blobs.List(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d blobs are left, %v; want %d", len(got), err, len(want))
		}
	}
	if err := f.forgetBefore(1); err != nil {
		t.Fatal(err)
	}
	left(next, theirs)
	if err := other.forgetBefore(1); err != nil {
		t.Fatal(err)
	}
	left(next)
	if err := f.forgetBefore(2); err != nil {
		t.Fatal(err)
	}
	left()
}

// TestEndedStudyIsLeftAlone: a node does not erase again at each start what it
// erased when a study ended.
func TestEndedStudyIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		id := w.propose(w.plan(3), 60)
		w.until(id, time.Hour, ended)
		p := w.people[0]
		p.model(id)
		time.Sleep(time.Minute)
		p.down()
		var touched []string
		p.disk.Fail = func(op, file string) (bool, error) {
			if op != "get" && strings.Contains(file, (&follower{id: id}).name()) {
				touched = append(touched, op+" "+file)
			}
			return true, nil
		}
		p.start()
		time.Sleep(time.Minute)
		p.down()
		if len(touched) > 0 {
			t.Errorf("%d writes, the first: %s", len(touched), touched[0])
		}
	})
}
