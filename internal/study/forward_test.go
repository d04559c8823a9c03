package study

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"croft/internal/ledger"
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
		seats func(name string) bool
		keeps string // who is on all the time
	}{
		"two other seats are on": {func(name string) bool { return name != "sam" }, "ada ben"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOf(t, c.seats, "ada", "ben", "sam", "xen", "fay")
				defer w.close()
				s := w.plan(3)
				s.Patience = 3600
				id := w.propose(s, 60)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{}, 4)
				shift := func(p *person, from time.Duration) {
					go func() { p.shifts(ctx, from); ended <- struct{}{} }()
				}
				shift(w.people[2], 0)
				shift(w.people[3], 5*time.Minute)
				_ = c.keeps
				st := w.until(id, 12*time.Hour, func(st ledger.Study) bool { return st.Status == ledger.Done || st.Status == ledger.Stopped })
				if st.Status != ledger.Done {
					t.Fatalf("%v %q", st.Status, st.Reason)
				}
				t.Logf("%d rounds", st.Round+1)
				time.Sleep(20 * time.Minute) // virtual: both have been on once more
				stop()
				<-ended
				<-ended
				want := w.people[0].model(id)
				for _, p := range w.people[2:4] {
					p.start()
					if p.model(id) != want {
						t.Errorf("%s has another model", p.name)
					}
				}
			})
		})
	}
}
