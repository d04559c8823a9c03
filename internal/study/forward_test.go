package study

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/store"
)

// shifts runs a person's node for two minutes in every ten, from a minute of each ten
// on, until the context ends.
func (p *person) shifts(ctx context.Context, from time.Duration) {
	p.down()
	wait := func(d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d): // virtual
			return true
		}
	}
	for ok := wait(from); ok; ok = wait(8 * time.Minute) {
		p.start()
		ok = wait(2 * time.Minute)
		p.down()
		if !ok {
			return
		}
	}
}

// A site that is on two minutes in ten, and a seat that is needed and is on two other
// minutes in ten, take part in one study: others keep what each left, sealed.
func TestPartTimeSiteAndSeat(t *testing.T) {
	for name, c := range map[string]struct {
		noSeats, on []string
	}{
		"two other seats are on":        {[]string{"sam"}, []string{"ada", "ben", "fay"}},
		"a member without a seat is on": {[]string{"sam", "fay"}, []string{"fay"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOf(t, func(name string) bool { return !slices.Contains(c.noSeats, name) }, "ada", "ben", "sam", "xen", "fay")
				defer w.close()
				s := w.plan(3) // ada, ben and sam
				s.Patience, s.HoldOut, s.Model = 3600, croft.HoldOut{}, croft.Model{Family: "describe", Goal: croft.Inference, Features: []string{"age", "bmi", "ill"}}
				// A study of few rounds: each takes ten minutes.
				id := w.propose(s, 60)
				ctx, stop := context.WithCancel(t.Context())
				var shifts sync.WaitGroup
				for _, p := range w.people {
					from := 5 * time.Minute
					if p.name == "sam" {
						from = 0
					}
					if !slices.Contains(c.on, p.name) {
						shifts.Go(func() { p.shifts(ctx, from) })
					}
				}
				st := w.until(id, 12*time.Hour, ended)
				if st.Status != ledger.Done {
					t.Errorf("%v %q in round %d", st.Status, st.Reason, st.Round)
				}
				time.Sleep(20 * time.Minute) // virtual: everybody is on once more
				stop()
				shifts.Wait()
				for _, p := range w.people {
					if p.running() == nil {
						p.start()
					}
				}
				if st.Status != ledger.Done {
					return
				}
				want := w.people[0].model(id)
				for _, p := range w.people {
					if p.model(id) != want {
						t.Errorf("%s has another model", p.name)
					}
					if left, _ := p.docs.List(carriedKind); len(left) > 0 {
						t.Errorf("%s still carries %d things", p.name, len(left))
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
		})
	}
}

// Whoever announces much and sends it slowly, or never, holds up nobody's rounds: what is
// carried for others is fetched beside them, and given up when its round is over.
func TestCarryingHoldsNobodyUp(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		for _, p := range w.people {
			p.hangs = true
		}
		id := w.propose(w.plan(4), 60)
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatalf("%v %q", st.Status, st.Reason)
		}
		for _, p := range w.people {
			if p.model(id) != want {
				t.Errorf("%s has another model", p.name)
			}
		}
	})
}

// What is carried of one member is bounded, whatever numbers it writes.
func TestRoomOfOneMember(t *testing.T) {
	n := &Node{Docs: store.NewMemoryDocs(new(store.Memory))}
	of, name := croft.MemberID{1}, func(study byte) string {
		f := follower{Node: n, id: croft.StudyID{study}}
		return f.name(roundTag(0), tag(croft.MemberID{1}), "share")
	}
	for i, c := range []struct {
		study byte
		bytes uint64
		room  bool
	}{{1, maxCarried - 1, true}, {2, 2, false}, {2, 1, true}, {3, 1, false}, {3, 0, false}, {3, math.MaxUint64 - maxCarried + 1, false}, {1, 5, true}, {3, maxCarried, false}, {3, maxCarried - 6, true}} {
		if room, err := n.makeRoom(name(c.study), of, carried{Bytes: c.bytes}); err != nil || room != c.room {
			t.Errorf("%d: %d bytes: room %v, %v", i, c.bytes, room, err)
		}
	}
}

// TestThreeDaysOff: after three days in which all were off, a study whose patience is a
// minute goes on where it stood, and ends with the model of an undisturbed run.
func TestThreeDaysOff(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		s := w.plan(4)
		s.Expires = time.Now().Add(30 * 24 * time.Hour).Unix()
		id := w.propose(s, 60)
		w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 2 })
		for _, p := range w.people {
			p.down()
		}
		time.Sleep(3 * 24 * time.Hour) // virtual
		for _, p := range w.people {
			p.start()
			time.Sleep(10 * time.Second) // virtual: one after the other
		}
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatalf("%v %q", st.Status, st.Reason)
		}
		for _, p := range w.people {
			if p.model(id) != want {
				t.Errorf("%s has another model", p.name)
			}
		}
	})
}
