package market

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
)

// A member is off for a night. Its provider closes with an old state, at an hour at
// which nobody else makes blocks, and asks to settle the moment that the window ends.
// Whoever watches for the member shows the newer state, even at that moment; without a
// watcher the lie holds.
func TestWatcherObjects(t *testing.T) {
	for name, c := range map[string]struct {
		watched bool
		late    bool // the watcher itself is on only when the window has ended
		asleep  bool // it was off when the member was, and has what it was told before
		paid    croft.Credits
	}{
		"nobody watches":         {paid: 15 * croft.Credit},
		"a watcher":              {watched: true, paid: 6 * croft.Credit},
		"at the window's edge":   {watched: true, late: true, paid: 6 * croft.Credit},
		"after its own restart":  {watched: true, asleep: true, paid: 6 * croft.Credit},
		"both, at the same time": {watched: true, late: true, asleep: true, paid: 6 * croft.Credit},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
			id := w.open(100 * croft.Credit)
			w.engine.meter = croft.Meter{Output: 2}
			for range 3 {
				if _, _, err := w.call("a call"); err != nil {
					t.Fatal(err)
				}
			}
			watcher := w.people[2]
			if c.watched {
				if err := w.caller.market.WatchedBy(t.Context(), []croft.MemberID{watcher.id}); err != nil {
					t.Fatal(err)
				}
				if by, _ := w.caller.market.Watchers(); len(by) != 1 || !by[0].Told.Equal(time.Now()) {
					t.Fatalf("%s: %+v", name, by)
				}
			}
			w.off(w.caller)
			if c.asleep {
				w.off(watcher)
				watcher.start()
			}
			time.Sleep(9 * time.Hour) // no block in all this time
			if c.late {
				w.off(watcher)
			}
			best, _ := w.provider.market.tills[id].till.State()
			w.provider.send(&ledger.Close{Positions: []ledger.Position{{Channel: id, Voucher: best}}}) // 15 promised, 9 given back
			for range 6 {
				w.glance()
				time.Sleep(10 * time.Second)
			}
			if c.late { // 60 seconds are over
				watcher.start()
				time.Sleep(10 * time.Second)
				w.glance()
			}
			for range 6 {
				time.Sleep(10 * time.Second)
				w.provider.send(&ledger.Settle{Channels: []croft.ChannelID{id}})
			}
			on, _, err := read[ledger.Channel](t.Context(), w.provider.market, ledger.ChannelKey(id))
			if err != nil || on.Status != ledger.ChannelClosed || on.Paid != c.paid {
				t.Errorf("%s: %s, %s paid, %v", name, on.Status, on.Paid, err)
			}
			w.glance()
			if _, n := watcher.market.Watchers(); n != 0 {
				t.Errorf("%s: a channel that has ended is watched", name)
			}
		})
	}
}

// off ends a person's market, as if its machine was shut.
func (w *world) off(p *person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.market = nil
}

// glance does the duties of whoever is on.
func (w *world) glance() {
	w.t.Helper()
	for _, p := range w.people {
		if m := p.up(); m != nil && p != w.provider { // who says no more than it wants to
			if err := m.duties(w.t.Context(), time.Now(), false); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// The till's side too: a payer that closes and says that it owes nothing.
func TestWatcherObjectsForTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		id := w.open(10 * croft.Credit)
		for range 3 {
			w.call("a call")
		}
		watcher := w.people[2]
		if err := w.provider.market.WatchedBy(t.Context(), []croft.MemberID{watcher.id}); err != nil {
			t.Fatal(err)
		}
		w.off(w.provider)
		w.caller.send(&ledger.Close{Positions: []ledger.Position{{Channel: id}}})
		for range 12 {
			w.glance()
			time.Sleep(10 * time.Second)
		}
		if c := w.onLedger(id); c.Status != ledger.ChannelClosed || c.Paid != 3*croft.Credit {
			t.Fatalf("%s, %s paid", c.Status, c.Paid)
		}
	})
}

// Watchers are told what is new and only that; one that was away is told all of it
// later, and so is one after this node's restart.
func TestWatchersAreTold(t *testing.T) { synctest.Test(t, watchersAreTold) }

func watchersAreTold(t *testing.T) {
	w := newWorld(t, price)
	id := w.open(10 * croft.Credit)
	watcher := w.people[2]
	call := func() {
		t.Helper()
		if _, _, err := w.call("a call"); err != nil {
			t.Fatal(err)
		}
	}
	held := func() shown {
		watcher.market.watching.mu.Lock()
		defer watcher.market.watching.mu.Unlock()
		return shownBy(watcher.market.watching.held[id])
	}
	call()
	w.off(watcher)
	provider := w.provider.market
	if err := provider.WatchedBy(t.Context(), []croft.MemberID{watcher.id}); err != nil {
		t.Fatal(err)
	}
	if by, _ := provider.Watchers(); !by[0].Told.IsZero() {
		t.Fatal("one that is away was told")
	}
	watcher.start()
	provider.tellWatchers(t.Context())
	if held() != (shown{owed: croft.Credit}) {
		t.Fatalf("%+v", held())
	}
	call()
	asks := counter{w.provider, 0}
	provider.Peers = &asks
	for range 3 {
		provider.tellWatchers(t.Context())
	}
	if held() != (shown{owed: 2 * croft.Credit}) || asks.n != 1 {
		t.Fatalf("%+v, asked %d times", held(), asks.n)
	}
	time.Sleep(tellAll)
	if provider.tellWatchers(t.Context()); asks.n != 2 {
		t.Fatal("one that may have a new disk is not told again")
	}
	w.provider.start()
	if by, _ := w.provider.market.Watchers(); len(by) != 1 || by[0].ID != watcher.id {
		t.Fatalf("%+v", by)
	}
	w.off(watcher) // what it holds is on its disk
	watcher.start()
	if held() != (shown{owed: 2 * croft.Credit}) {
		t.Fatalf("%+v", held())
	}
}

// A watcher holds what is genuine, more than it has, and of the one that says it.
func TestWhatAWatcherHolds(t *testing.T) {
	w := newWorld(t, price)
	id := w.open(10 * croft.Credit)
	for range 2 {
		if _, _, err := w.call("a call"); err != nil {
			t.Fatal(err)
		}
	}
	best, credit := w.provider.market.tills[id].till.State()
	good := w.provider.market.tillShows(best, credit)
	watcher := w.people[2].market
	forged, other := *best, good
	forged.Voucher.Owed++
	other.Channel[0]++
	for name, c := range map[string]struct {
		from croft.MemberID
		at   ledger.Position
		want croft.Code
	}{
		"of a stranger":   {w.people[2].id, good, croft.ErrTxUnknown},
		"of no channel":   {w.provider.id, other, croft.ErrTxUnknown},
		"a changed one":   {w.provider.id, ledger.Position{Channel: id, Voucher: &forged}, croft.ErrVoucher},
		"another's words": {w.provider.id, ledger.Position{Channel: id, Receipt: &croft.SignedReceipt{Receipt: credit}}, croft.ErrVoucher},
		"nothing":         {w.provider.id, ledger.Position{Channel: id}, 0},
	} {
		err := watcher.watch(t.Context(), c.from, []ledger.Position{c.at})
		if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, n := watcher.Watchers(); n != 0 {
		t.Fatalf("%d are held", n)
	}
	old := ledger.Position{Channel: id, Receipt: good.Receipt}
	for _, at := range []ledger.Position{good, old} { // an old one takes nothing away
		if err := watcher.watch(t.Context(), w.provider.id, []ledger.Position{at}); err != nil {
			t.Fatal(err)
		}
	}
	if at := watcher.watching.held[id]; shownBy(at) != (shown{owed: 2 * croft.Credit}) || at.Due != nil {
		t.Fatalf("%+v", at)
	}
	if _, err := readAsk(croft.Encode(ask{Kind: askWatch, Shown: slices.Repeat([]ledger.Position{good}, maxShown+1)})); err == nil {
		t.Error("more than one message may have")
	}
}

// counter counts what a node asks of others.
type counter struct {
	*person
	n int
}

func (c *counter) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	c.n++
	return c.person.Ask(ctx, to, request, part)
}
