package study

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"croft"
	"croft/internal/ledger"
)

// A node that rests is waited for by name, and the study ends as if nothing had
// been. Neither a restart nor a new block wakes it.
func TestPausedNodeIsWaitedFor(t *testing.T) {
	want := reference(t)
	for name, c := range map[string]struct {
		who  int
		rest func(*person)
		wake func(*person)
	}{
		"a site, until it resumes": {2, func(p *person) { must(t, p.running().Pause(time.Time{})) }, func(p *person) { must(t, p.running().Resume()) }},
		"a site, until a time":     {2, func(p *person) { must(t, p.running().Pause(time.Now().Add(100*time.Second))) }, func(*person) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
				defer w.close()
				p := w.people[c.who]
				id := w.propose(w.plan(4), 60)
				w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 3 })
				c.rest(p)
				begun := time.Now()
				p.down()
				p.start() // a restart does not end it
				st := w.until(id, time.Hour, func(st ledger.Study) bool { return st.Status == ledger.Paused })
				if len(st.Missing) != 1 || st.Missing[0] != p.id {
					t.Fatalf("waits for %v", st.Missing)
				}
				time.Sleep(10 * time.Second)
				if _, reported := w.round(id, st.Round).Report(p.id); reported {
					t.Fatal("it reported while it rested")
				}
				c.wake(p)
				if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
					t.Fatal(st.Reason)
				}
				if time.Since(begun) < time.Minute {
					t.Error("nobody waited")
				}
				if got := p.model(id); got != want {
					t.Error("another model")
				}
			})
		})
	}
}

// A seat that rests acknowledges nothing and adds nothing: with five seats the
// others do without it, and it reads the model later.
func TestPausedSeatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		seat := w.people[4]
		must(t, seat.running().Pause(time.Time{}))
		id := w.propose(w.plan(4), 60) // it still enrols: its key would be missing for good
		st := w.until(id, time.Hour, ended)
		if st.Status != ledger.Done || !has(st.Enrolled, seat.id) {
			t.Fatalf("%v %s, enrolled: %t", st.Status, st.Reason, has(st.Enrolled, seat.id))
		}
		for n := range st.Round + 1 {
			r := w.round(id, n)
			for _, report := range r.Reports {
				if has(report.Acks, seat.id) {
					t.Fatalf("it acknowledged in round %d", n)
				}
			}
			for _, s := range r.Shares {
				if s.Seat == seat.id {
					t.Fatalf("it added in round %d", n)
				}
			}
		}
		time.Sleep(time.Minute)
		if left, _ := seat.docs.List(keyKind); len(left) > 0 {
			t.Error("it kept the key of a study that has ended")
		}
	})
}

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight, 1 January 2000, UTC
		w := newWorld(t, "ada", "ben", "cleo")
		defer w.close()
		n := w.people[0].running()
		rests := func(want Rest) {
			t.Helper()
			got, resting, err := n.Resting()
			if err != nil || !resting || got.Hours != want.Hours || !got.Until.Equal(want.Until) {
				t.Errorf("%+v, %t, %v; want %+v", got, resting, err, want)
			}
		}
		works := func() {
			t.Helper()
			if r, resting, err := n.Resting(); resting || err != nil {
				t.Errorf("rests: %+v, %v", r, err)
			}
		}
		works()
		must(t, n.Resume()) // of none
		must(t, n.Pause(time.Time{}))
		rests(Rest{})
		soon := time.Now().Add(time.Minute)
		must(t, n.Pause(soon)) // the last word counts
		rests(Rest{Until: soon})
		time.Sleep(time.Minute)
		works()
		n.Quiet = Hours{23 * 60, 6 * 60}
		six := time.Date(2000, 1, 1, 6, 0, 0, 0, time.Local)
		rests(Rest{six, true})
		must(t, n.Pause(six.Add(time.Hour))) // a person's word goes on after the hours
		rests(Rest{Until: six.Add(time.Hour)})
		must(t, n.Resume())
		rests(Rest{six, true}) // and does not end them
		must(t, n.Docs.Put(pauseKind, pauseName, []byte("?")))
		if _, _, err := n.Resting(); !errors.Is(err, croft.ErrStoreCorrupt) {
			t.Errorf("a damaged document: %v", err)
		}
		must(t, n.Resume())
	})
}

func TestHours(t *testing.T) {
	for text, want := range map[string]string{"22-06": "22:00-06:00", "8-17": "08:00-17:00", "08:30-17:05": "08:30-17:05", "0-23:59": "00:00-23:59"} {
		h, err := ParseHours(text)
		if err != nil || h.String() != want {
			t.Errorf("%s: %s, %v", text, h, err)
		}
	}
	for _, text := range []string{"", "22", "22-", "-6", "22-22", "24-06", "22-06:60", "22:5-06", "22-06-07", "x-y", "22--6", "+2-4"} {
		if h, err := ParseHours(text); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%q: %s, %v", text, h, err)
		}
	}
	if _, quiet := (Hours{}).end(time.Now()); quiet {
		t.Error("no hours are quiet")
	}
}

// Walking through two days minute by minute finds the hours and their end.
func TestHoursEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Hours{rapid.IntRange(0, 1439).Draw(t, "from"), rapid.IntRange(0, 1439).Draw(t, "to")}
		if h.from == h.to {
			return
		}
		now := time.Date(2027, 3, rapid.IntRange(1, 31).Draw(t, "day"), 0, rapid.IntRange(0, 1439).Draw(t, "minute"), 30, 0, time.UTC)
		minute := func(at time.Time) int { return at.Hour()*60 + at.Minute() }
		within := false
		for at := now; ; at = at.Add(-time.Minute) { // back to the last change
			if m := minute(at); m == h.from || m == h.to {
				within = m == h.from
				break
			}
		}
		until, quiet := h.end(now)
		if quiet != within {
			t.Fatalf("%s at %s: %t", h, now, quiet)
		}
		if quiet && (minute(until) != h.to || !until.After(now) || until.Sub(now) >= 24*time.Hour) {
			t.Fatalf("%s at %s ends %s", h, now, until)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
