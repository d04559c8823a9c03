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
		return shownBy(watcher.market.watching.held[id].Position)
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
	if at := watcher.watching.held[id]; shownBy(at.Position) != (shown{owed: 2 * croft.Credit}) || at.Due != nil {
		t.Fatalf("%+v", at)
	}
	if _, err := readAsk(croft.Encode(ask{Kind: askWatch, Shown: slices.Repeat([]ledger.Position{good}, maxShown+1)})); err == nil {
		t.Error("more than one message may have")
	}
}

// One channel that a watcher does not hold keeps it from holding none of the others, in
// the same message or after it.
func TestOneRefusedIsOneNotWatched(t *testing.T) {
	w := newWorld(t, price)
	for n := range croft.Credits(maxShown + 1) {
		w.open(10*croft.Credit + n) // of two alike there would be one
	}
	for range maxShown + 1 { // each is paid from the channel with the most left
		if _, _, err := w.call("a call"); err != nil {
			t.Fatal(err)
		}
	}
	w.provider.market.Peers = spoiler{w.provider}
	if err := w.provider.market.WatchedBy(t.Context(), []croft.MemberID{w.people[2].id}); err != nil {
		t.Fatal(err)
	}
	if _, n := w.people[2].market.Watchers(); n != maxShown {
		t.Errorf("%d of %d are held", n, maxShown)
	}
	if by, _ := w.provider.market.Watchers(); !by[0].Told.IsZero() {
		t.Error("it is said to have everything")
	}
}

// spoiler makes the first position of a full message one of no channel.
type spoiler struct{ *person }

func (s spoiler) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	var q ask
	if err := croft.Decode(request, &q); err != nil {
		return nil, err
	}
	if len(q.Shown) == maxShown {
		q.Shown[0].Channel[0]++
	}
	return s.person.Ask(ctx, to, croft.Encode(q), part)
}

// What a watcher shows in one transaction is small enough for the ledger, whatever it is.
func TestWhatIsShownFits(t *testing.T) {
	const most = croft.Credits(1<<64 - 1)
	at := ledger.Position{Voucher: &croft.SignedVoucher{Voucher: croft.Voucher{Number: 1<<64 - 1, Price: most, Owed: most}},
		Receipt: &croft.SignedReceipt{Receipt: croft.Receipt{Number: 1<<64 - 1, Request: croft.Hash{1}, Result: croft.Hash{1}, Outcome: 255,
			Meter: croft.Meter{Input: 1<<64 - 1, Output: 1<<64 - 1, Micros: 1<<64 - 1}, Price: most, Credited: most}}}
	w := newWorld(t, price)
	raw := ledger.Seal(w.genesis.Scope(), w.caller.id, 0, &ledger.Post{Positions: slices.Repeat([]ledger.Position{at}, maxShown)}, w.caller.sign)
	if _, _, err := ledger.Parse(raw); err != nil {
		t.Errorf("%d bytes: %v", len(raw), err)
	}
}

// A node that ends tells its watchers what happened since it last did, also those that
// come after one that does not answer.
func TestLastTelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		id := w.open(10 * croft.Credit)
		provider, watcher := w.provider.market, w.people[2]
		provider.Peers = silent{w.provider, w.caller.id}
		if err := provider.WatchedBy(t.Context(), []croft.MemberID{w.caller.id, watcher.id}); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- provider.Run(ctx) }()
		synctest.Wait()
		if _, _, err := w.call("a call"); err != nil {
			t.Fatal(err)
		}
		end()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if at := watcher.market.watching.held[id]; shownBy(at.Position).owed != croft.Credit {
			t.Errorf("%+v", at)
		}
	})
}

// silent reaches everybody but one, who does not answer.
type silent struct {
	*person
	who croft.MemberID
}

func (s silent) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	if to == s.who {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.person.Ask(ctx, to, request, part)
}

// A channel goes on when a chain succeeds another: what was signed on the one before is
// shown, handed over and gone on from; no call is paid with it.
func TestChannelsGoOnOnTheNextChain(t *testing.T) {
	w := newWorld(t, price)
	id := w.open(10 * croft.Credit)
	if _, _, err := w.call("a call"); err != nil {
		t.Fatal(err)
	}
	old := w.genesis.Scope()
	for _, p := range w.people {
		if err := p.market.save(); err != nil {
			t.Fatal(err)
		}
		p.start()
		p.market.Scope.Chain, p.market.Ledger = "next", succeeded{&p.reads, old.Chain}
	}
	w.look()
	watcher := w.people[2]
	if err := w.provider.market.WatchedBy(t.Context(), []croft.MemberID{watcher.id}); err != nil {
		t.Fatal(err)
	}
	if at := watcher.market.watching.held[id]; shownBy(at.Position).owed != croft.Credit {
		t.Errorf("%+v", at)
	}
	if _, _, err := w.call("another"); err != nil {
		t.Fatal(err)
	}
	if b := w.caller.market.Balances()[0]; b.Bought != 2*croft.Credit || b.Lost > 0 {
		t.Errorf("%+v", b)
	}
	w.caller.market.Scope = old
	if _, _, err := w.call("an old promise"); !errors.Is(err, croft.ErrVoucher) {
		t.Error(err)
	}
}

// succeeded is the ledger of a chain that continues another.
type succeeded struct {
	*reads
	before string
}

func (s succeeded) Read(ctx context.Context, key string) ([]byte, error) {
	raw, err := s.reads.Read(ctx, key)
	if key != ledger.NetworkKey || err != nil {
		return raw, err
	}
	n, _, err := ledger.Decode[ledger.Network](raw)
	n.Before = append(n.Before, s.before)
	return append(raw[:1:1], croft.Encode(n)...), err
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

// One member fills no watcher, and keeps none busy.
func TestShareOfAWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		one, other, watcher := w.caller.id, w.provider.id, w.people[2]
		at := func(n int) ledger.Position {
			return ledger.Position{Channel: croft.ChannelID{byte(n), byte(n >> 8)}, Voucher: &croft.SignedVoucher{Voucher: croft.Voucher{Owed: 1}}}
		}
		for n := range maxShare {
			if err := watcher.market.hold(one, at(n)); err != nil {
				t.Fatal(n, err)
			}
		}
		if err := watcher.market.Docs.Put(watchedKind, at(0).Channel.String(), croft.Encode(at(0))); err != nil { // as it was written before
			t.Fatal(err)
		}
		w.off(watcher)
		watcher.start()
		if err := watcher.market.hold(one, at(maxShare)); err != nil {
			t.Error(err)
		}
		if err := watcher.market.hold(one, at(maxShare+1)); !errors.Is(err, croft.ErrBusy) {
			t.Error(err)
		}
		more := at(0)
		more.Voucher.Voucher.Owed++
		if err := errors.Join(watcher.market.hold(one, more), watcher.market.hold(other, at(maxShare+1))); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		news := slices.Repeat([]ledger.Position{at(0)}, maxShown)
		for range maxTold / maxShown {
			if err := watcher.market.watch(t.Context(), one, news); !errors.Is(err, croft.ErrTxUnknown) {
				t.Fatal(err)
			}
		}
		if err := watcher.market.watch(t.Context(), one, news); !errors.Is(err, croft.ErrBusy) {
			t.Error(err)
		}
		if err := watcher.market.watch(t.Context(), other, news); !errors.Is(err, croft.ErrTxUnknown) {
			t.Error("another one: ", err)
		}
	})
}
