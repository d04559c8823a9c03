package market

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/serve"
)

// A provider that dies in the middle of a stream: the caller hears it and has what
// came; once it is back the price is given back, and both ends agree.
func TestProviderDiesMidStream(t *testing.T) {
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	w.call("warm")
	got := ""
	_, err := w.caller.market.Call(t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("abcd"), Stream: true},
		Part: func(p []byte) error {
			got += string(p)
			w.provider.mu.Lock()
			w.provider.market = nil
			w.provider.mu.Unlock()
			runtime.Goexit() // the goroutine is the provider's
			return nil
		}})
	if !errors.Is(err, errAway) || got != "ab" {
		t.Fatal(got, err)
	}
	if _, _, err := w.call("while it is away"); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	w.provider.start()
	if _, _, err := w.call("back"); err != nil {
		t.Fatal(err)
	}
	b, c := w.provider.market.Balances()[0], w.caller.market.Balances()[0]
	if b.Earned != 2*croft.Credit || c.Bought != b.Earned || c.Lost != 0 || b.Waiting+c.Waiting != 0 {
		t.Fatalf("%+v\n%+v", b, c)
	}
}

// settle lets a window pass and asks to settle, as both ends do.
func (w *world) settle(id croft.ChannelID) ledger.Channel {
	for range 8 {
		time.Sleep(20 * time.Second)
		w.look()
	}
	return w.onLedger(id)
}

// A provider that closes and hides what it gave back, a funder that closes and hides
// what it owes: while the window is open the other end's duty shows it.
func TestDutyShowsWhatTheOtherHides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
		id := w.open(100 * croft.Credit)
		w.engine.meter = croft.Meter{Output: 2}
		for i := range 3 {
			if _, _, err := w.call(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		best, _ := w.provider.market.tills[id].till.State()
		w.provider.send(&ledger.Close{Positions: []ledger.Position{{Channel: id, Voucher: best}}}) // 15 promised, 9 given back
		if c := w.settle(id); c.Status != ledger.ChannelClosed || c.Paid != 6*croft.Credit {
			t.Fatalf("%s, %s paid", c.Status, c.Paid)
		}

		id = w.open(101 * croft.Credit)
		if _, _, err := w.call("again"); err != nil {
			t.Fatal(err)
		}
		w.caller.send(&ledger.Close{Positions: []ledger.Position{{Channel: id}}})
		if c := w.settle(id); c.Status != ledger.ChannelClosed || c.Paid != 2*croft.Credit {
			t.Fatalf("%s, %s paid", c.Status, c.Paid)
		}
		id = w.open(102 * croft.Credit)
		if _, _, err := w.call("third"); err != nil {
			t.Fatal(err)
		}
		best, _ = w.provider.market.tills[id].till.State()
		w.provider.send(&ledger.Claim{Positions: []ledger.Position{{Channel: id, Voucher: best}}}) // 5 promised, 3 given back
		if c := w.settle(id); c.Status != ledger.ChannelOpen || c.Paid != 2*croft.Credit {
			t.Fatalf("%s, %s paid", c.Status, c.Paid)
		}
		if sum := w.credits(w.caller) + w.credits(w.provider) + 100*croft.Credit; sum != 1000*croft.Credit {
			t.Fatal(sum)
		}
	})
}

// What is due is claimed by itself once half of the deposit is, and calls go on.
func TestClaimsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		id := w.open(10 * croft.Credit)
		for i := range 5 {
			if _, _, err := w.call(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		w.look()
		if c := w.onLedger(id); c.Status != ledger.ChannelClaimed {
			t.Fatal(c.Status)
		}
		if _, _, err := w.call("meanwhile"); err != nil {
			t.Fatal(err)
		}
		if c := w.settle(id); c.Status != ledger.ChannelOpen || c.Paid < 5*croft.Credit || w.credits(w.provider) != c.Paid {
			t.Fatalf("%s, %s paid", c.Status, c.Paid)
		}
		if _, _, err := w.call("after"); err != nil {
			t.Fatal(err)
		}
	})
}

// A channel is claimed again and again: each settlement is asked for anew, also by a
// node whose clock was ahead when it first asked.
func TestClaimsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		id := w.open(100 * croft.Credit)
		provider := w.provider.market
		for n := range croft.Credits(4) {
			if _, _, err := w.call("a call"); err != nil {
				t.Fatal(err)
			}
			if err := provider.duties(t.Context(), time.Now(), true); err != nil {
				t.Fatal(err)
			}
			if err := provider.duties(t.Context(), time.Now().Add(time.Hour), false); err != nil {
				t.Fatal(err)
			}
			if c := w.settle(id); c.Status != ledger.ChannelOpen || c.Paid != (n+1)*croft.Credit {
				t.Fatalf("claim %d: %s, %s paid", n+1, c.Status, c.Paid)
			}
		}
	})
}

// A channel for which the ledger refuses everything keeps no other from its duty.
func TestOneChannelHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, price)
	bad, good := w.open(10*croft.Credit), w.open(11*croft.Credit)
	for i := range 12 { // of the two, the one with the most left pays
		if _, _, err := w.call(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.provider.market.Submit = func(ctx context.Context, nonce uint64, body any) error {
		if c, is := body.(*ledger.Claim); is && c.Positions[0].Channel == bad {
			return croft.E(croft.ErrTxChannel, "the other side made it so")
		}
		return w.provider.submit(ctx, nonce, body)
	}
	if err := w.provider.market.duties(t.Context(), time.Now(), true); err == nil {
		t.Fatal("nothing failed")
	}
	if c := w.onLedger(good); c.Status != ledger.ChannelClaimed {
		t.Fatal(c.Status)
	}
}

// A channel whose window is shorter than the provider insists on is not served.
func TestShortWindow(t *testing.T) {
	w := newWorld(t, price)
	w.provider.market.MinWindow = 3600
	w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: w.caller.public(), Window: 60, Deposits: []croft.Credits{croft.Credit}})
	w.look()
	if _, _, err := w.call("x"); !errors.Is(err, croft.ErrVoucher) {
		t.Fatal(err)
	}
}

// On a channel in use there is always something new, and a clock that is ahead is always
// past the end: the ledger is told of both now and then, not at each block. What counts is
// there in the end.
func TestLedgerIsToldSeldom(t *testing.T) {
	for _, busy := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { ledgerIsToldSeldom(t, busy) })
	}
}

func ledgerIsToldSeldom(t *testing.T, busy bool) {
	w := newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
	w.engine.meter = croft.Meter{Output: 1}
	id := ledger.ChannelIDOf(w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: w.caller.public(), Window: 3600, Deposits: []croft.Credits{900 * croft.Credit}}), 0)
	w.look()
	told := map[string]int{}
	for _, p := range w.people {
		p.market.Submit = func(ctx context.Context, nonce uint64, body any) error {
			told[fmt.Sprintf("%s %T", p.name, body)]++
			return p.submit(ctx, nonce, body)
		}
	}
	if err := w.caller.market.WatchedBy(t.Context(), []croft.MemberID{w.people[2].id}); err != nil {
		t.Fatal(err)
	}
	call := func() {
		if _, _, err := w.call("a call"); err != nil {
			t.Fatal(err)
		}
	}
	call()
	if err := w.provider.market.duties(t.Context(), time.Now(), true); err != nil {
		t.Fatal(err)
	}
	for range 380 { // an hour and a little
		time.Sleep(10 * time.Second)
		if busy {
			call()
		}
		w.caller.market.tellWatchers(t.Context())
		for i, p := range w.people {
			ahead := time.Duration(1-i) * 20 * time.Minute // the provider's clock is, the watcher's is behind
			if err := p.market.duties(t.Context(), time.Now().Add(ahead), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c := w.onLedger(id); c.Status != ledger.ChannelOpen || c.Paid == 0 || c.Paid > 380*croft.Credit {
		t.Errorf("%s, %s paid", c.Status, c.Paid)
	}
	t.Logf("%v", told)
	for who, n := range told {
		if n > 30 {
			t.Errorf("%s: %d times", who, n)
		}
	}
}

// When the ledger may be told again: half-way to the end, half as late again after it, at
// once if the last time failed, a clock was set back, or another window began.
func TestPaces(t *testing.T) {
	end := time.Unix(1_000_000, 0)
	c := ledger.Channel{Terms: croft.Channel{ID: croft.ChannelID{1}}, Status: ledger.ChannelClaimed, Until: end.UnixMilli()}
	for _, x := range []struct {
		last, now time.Duration // after the end
		want      bool
	}{
		{-time.Hour, -31 * time.Minute, false}, {-time.Hour, -30 * time.Minute, true}, {-time.Second, glance - 2*time.Second, false}, {-time.Second, glance - time.Second, true},
		{time.Hour, time.Hour + 29*time.Minute, false}, {time.Hour, time.Hour + 30*time.Minute, true}, {time.Hour, time.Minute, true},
	} {
		p := paces{}
		_ = p.note(c, end.Add(x.last), errAway)
		if !p.may(c, end.Add(x.last)) {
			t.Errorf("%+v: after a failure", x)
		}
		_ = p.note(c, end.Add(x.last), nil)
		if p.may(c, end.Add(x.now)) != x.want {
			t.Errorf("%+v", x)
		}
		next := c
		if next.Until++; !p.may(next, end.Add(x.last)) {
			t.Errorf("%+v: of another window", x)
		}
		next.Status = ledger.ChannelOpen
		if p.may(next, end.Add(x.now)) || len(p) > 0 {
			t.Errorf("%+v: without a window", x)
		}
	}
}
