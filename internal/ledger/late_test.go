package ledger

import (
	"slices"
	"testing"
)

// A study whose patience has passed says exactly whom it waits for, and seats alone
// never end it.
func TestPauseNamesWhomItWaitsFor(t *testing.T) {
	all := []string{"ada", "ben", "cleo", "dina", "elif"}
	sites := all[:4]
	for name, c := range map[string]struct {
		reports []string
		acks    map[string][]string // seat → sites whose report it holds
		waits   []string
		ends    bool // if they stay away
	}{
		"nobody reports":                  {nil, nil, sites, true},
		"a site that does not report":     {sites[:3], map[string][]string{"ada": sites[:3], "ben": sites[:3], "cleo": sites[:3]}, []string{"dina"}, true},
		"a site and two seats":            {sites[:3], map[string][]string{"ada": sites[:3]}, []string{"dina"}, true},
		"seats that are off":              {sites, map[string][]string{"ada": sites, "ben": sites, "cleo": sites}, []string{"dina", "elif"}, false},
		"seats that lack one report":      {sites, map[string][]string{"ada": sites, "ben": sites, "cleo": sites, "dina": sites[:3], "elif": sites[1:]}, []string{"dina", "elif"}, false},
		"all seats":                       {sites, nil, all, false},
		"who announced a report and left": {sites, map[string][]string{"ada": sites[:3], "ben": sites[:3], "cleo": sites[:3], "dina": sites[:3]}, []string{"dina"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, all...)
			id := w.open(w.plan(sites...), w.register(10, sites...), sites...)
			w.play(id, 0, false, sites...)
			for _, site := range c.reports {
				w.must(site, &Report{Study: id, Round: 1, Header: header(site, 1)})
			}
			for _, seat := range all {
				if held := c.acks[seat]; len(held) > 0 {
					w.must(seat, w.ack(seat, id, 1, w.ids(held...)))
				}
			}
			tick := func() Study {
				w.block(61_000)
				w.nonce++
				w.must("ada", &Tick{id})
				for range 4 {
					w.block(10)
				}
				return w.study(id)
			}
			for range 2 { // the first look may come before the pause has begun
				if st := tick(); st.Status != Paused || !slices.Equal(st.Missing, w.ids(c.waits...)) {
					t.Fatalf("%v, waits for %d, want %v", st.Status, len(st.Missing), c.waits)
				}
				if c.ends {
					break
				}
			}
			if !c.ends {
				for _, seat := range all {
					w.must(seat, w.ack(seat, id, 1, w.ids(sites...)))
				}
				if st := w.study(id); st.Status != Running || w.round(id, 1).Phase != 2 || len(st.Missing) > 0 {
					t.Errorf("the seats are back: %v, phase %v", st.Status, w.round(id, 1).Phase)
				}
				return
			}
			if st := tick(); st.Status != Stopped || st.Reason != "unavailable" || !slices.Equal(st.Missing, w.ids(c.waits...)) {
				t.Errorf("they stay away: %v %q, names %d", st.Status, st.Reason, len(st.Missing))
			}
		})
	}
}

// Patience counts as passed only after f+1 proposers had a whole block each: a report
// in the last one's block is in time.
func TestReportInTheBlockOfTheLastProposer(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina") // f = 1
	sites := w.names[:3]
	id := w.open(w.plan(sites...), w.register(10, sites...), sites...)
	w.play(id, 0, false, sites...)
	for _, site := range sites[:2] {
		w.must(site, &Report{Study: id, Round: 1, Header: header(site, 1)})
	}
	w.block(61_000)
	w.block(10, w.seal("ada", &Tick{id}))
	w.block(10)                                                                          // by one proposer: looked at, left to the next
	w.block(10, w.seal("cleo", &Report{Study: id, Round: 1, Header: header("cleo", 1)})) // by another
	w.block(10)
	if st := w.study(id); st.Status != Running {
		t.Errorf("%v although every report came before two proposers had made their blocks", st.Status)
	}
}
