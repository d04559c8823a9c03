package market

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
	"croft/internal/serve"
)

var price = croft.Price{Call: croft.Credit, Most: croft.Credit}

func TestCallIsPaid(t *testing.T) {
	w := newWorld(t, price)
	if _, _, err := w.call("no channel"); !errors.Is(err, croft.ErrNoChannel) {
		t.Fatal(err)
	}
	id := w.open(10 * croft.Credit)
	done, _, err := w.call("hello")
	if err != nil || string(done.Body) != "hello" || done.Receipt.Price != croft.Credit || done.Receipt.Outcome != croft.Answered {
		t.Fatalf("%+v, %v", done, err)
	}
	before := [2]int{w.caller.count, w.provider.count}
	for i := range 9 {
		if _, _, err := w.call(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if after := [2]int{w.caller.count, w.provider.count}; after != before {
		t.Fatalf("the ledger was read: %v, then %v", before, after)
	}
	if _, _, err := w.call("eleventh"); !errors.Is(err, croft.ErrNoChannel) {
		t.Fatal(err)
	}
	for _, b := range append(w.provider.market.Balances(), w.caller.market.Balances()...) {
		if b.Channel.ID != id || b.Left != 0 || b.Waiting != 0 || b.Provider && b.Earned != 10*croft.Credit || !b.Provider && b.Bought != 10*croft.Credit {
			t.Fatalf("%+v", b)
		}
	}
	w.call("carries thanks")
	w.provider.market.sayThanks()
	for _, r := range w.caller.market.Receipts() {
		if r.Payer == nil || r.Provider {
			t.Fatalf("%+v", r)
		}
	}
	if n := len(w.provider.market.Receipts()); n != 10 {
		t.Fatal(n)
	}
}

// The voucher is durable before work begins: what a provider works for it can claim.
func TestVoucherBeforeWork(t *testing.T) {
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	worked := 0
	w.engine.begin = func() {
		worked++
		var last line
		if j := w.provider.log; j.synced != len(j.entries) || croft.Decode(j.entries[j.synced-1], &last) != nil || last.Entry == nil {
			t.Errorf("%d entries, %d synced", len(j.entries), j.synced)
		}
	}
	for i := range 3 {
		if _, _, err := w.call(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if worked != 3 {
		t.Fatal(worked)
	}
}

// Any number of calls is in flight on one channel, and share their syncs.
func TestManyInFlight(t *testing.T) {
	w := newWorld(t, price)
	w.open(1000 * croft.Credit)
	w.caller.market.MaxRisk = 64 * croft.Credit
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if done, _, err := w.call(fmt.Sprint(i)); err != nil || string(done.Body) != fmt.Sprint(i) {
				t.Error(done, err)
			}
		})
	}
	all.Wait()
	for body, n := range w.engine.calls {
		if n != 1 {
			t.Errorf("%s was worked on %d times", body, n)
		}
	}
}

// A stranger gets one call at a time, and more as it earns.
func TestTrustGrows(t *testing.T) {
	w := newWorld(t, price)
	w.open(100 * croft.Credit)
	w.engine.wait = make(chan struct{})
	p := w.caller.market.purses
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { w.call(fmt.Sprint(i)) })
	}
	most := 0
	for range 8 {
		w.engine.wait <- struct{}{} // one answer
		for _, p := range p {
			p.mu.Lock()
			bought, _ := p.purse.Spent()
			if risk := p.purse.AtRisk(); risk > max(croft.Credit, bought) {
				t.Errorf("%s at risk, %s bought", risk, bought)
			}
			most = max(most, p.purse.Waiting())
			p.mu.Unlock()
		}
	}
	all.Wait()
}

// What a call does not cost comes back: by the meter, when the engine fails, and of a
// stream that breaks off.
func TestMeterAndFailures(t *testing.T) {
	w := newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
	w.open(100 * croft.Credit)
	w.engine.meter = croft.Meter{Output: 2}
	done, _, err := w.call("two tokens")
	if err != nil || done.Receipt.Price != 2*croft.Credit || done.Receipt.Credited != 3*croft.Credit {
		t.Fatalf("%+v, %v", done, err)
	}
	w.engine.fail = croft.E(croft.ErrEngineFailed, "echo", "tired")
	if done, _, err = w.call("fails"); !errors.Is(err, croft.ErrEngineFailed) || done.Receipt.Outcome != croft.Failed || done.Receipt.Price != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	var parts []string
	use := Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("abcd"), Stream: true},
		Part: func(p []byte) error { parts = append(parts, string(p)); return nil }}
	done, err = w.caller.market.Call(t.Context(), use)
	if !errors.Is(err, croft.ErrEngineFailed) || done.Receipt.Outcome != croft.Partial || done.Receipt.Price != 2*croft.Credit || !slices.Equal(parts, []string{"ab"}) {
		t.Fatalf("%+v, %v, %v", done, parts, err)
	}
	w.engine.fail = nil
	if done, err = w.caller.market.Call(t.Context(), use); err != nil || strings.Join(parts[1:], "") != "abcd" {
		t.Fatalf("%+v, %v, %v", done, parts, err)
	}
	if b := w.provider.market.Balances()[0]; b.Earned != 6*croft.Credit || b.Claim != 6*croft.Credit {
		t.Fatalf("%+v", b)
	}
	w.engine.fail = errors.New("secret path")
	if _, _, err := w.call("x"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Fatal(err)
	}
}

func TestFreeCalls(t *testing.T) {
	w := newWorld(t, croft.Price{Call: croft.Credit, Most: croft.Credit, Free: 2})
	for range 2 {
		if done, _, err := w.call("free"); err != nil || done.Receipt != (croft.Receipt{}) {
			t.Fatal(done, err)
		}
	}
	if _, _, err := w.call("third"); !errors.Is(err, croft.ErrNoChannel) {
		t.Fatal(err)
	}
	w.caller.start() // it forgets; the provider does not
	w.open(croft.Credit)
	if done, _, err := w.call("paid"); err != nil || done.Receipt.Price != croft.Credit {
		t.Fatal(done, err)
	}
}

// A guest has no vote and one key. It sells to a member all the same, and is paid on
// the ledger. If its host sends it away first, any member can show what it is owed.
func TestGuestSells(t *testing.T) {
	w := newWorld(t, price)
	guest := w.person("Gita")
	guest.keys[1], guest.keys[2] = guest.keys[0], guest.keys[0] // it signs everything with one
	host := ledger.Host{Key: croft.PublicKey(guest.keys[0].Public().(ed25519.PublicKey)), Name: "Gita", Version: 1}
	w.people[2].send(&host)
	guest.TwinMember = w.twin.Member()
	guest.start()
	w.service = croft.Service{Provider: guest.id, Name: "weather", Version: 1, Task: serve.HTTP, Price: price, Use: croft.UseMarket, Tills: []croft.PublicKey{guest.public()}}
	guest.send(&ledger.Publish{Service: w.service})
	guest.market.Offer(Offering{Service: w.service, Engine: w.engine})
	id := w.open(10 * croft.Credit)
	for i := range 3 {
		if done, _, err := w.call(fmt.Sprint(i)); err != nil || done.Receipt.Price != croft.Credit {
			t.Fatal(done, err)
		}
	}
	if err := w.caller.market.Close(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.look()
	}
	if c := w.onLedger(id); c.Status != ledger.ChannelClosed || c.Paid != 3*croft.Credit || w.credits(guest) != 3*croft.Credit {
		t.Fatalf("%+v", c)
	}

	id = w.open(11 * croft.Credit)
	if _, _, err := w.call("unclaimed"); err != nil {
		t.Fatal(err)
	}
	host.Version, host.Gone = 2, true
	w.people[2].send(&host)
	best, _ := guest.market.tills[id].till.State()
	if err := guest.submit(t.Context(), 0, &ledger.Close{Positions: []ledger.Position{{Channel: id, Voucher: best}}}); !errors.Is(err, croft.ErrTxRights) {
		t.Fatal(err)
	}
	w.caller.send(&ledger.Close{Positions: []ledger.Position{{Channel: id}}}) // it says that it owes nothing
	w.people[2].send(&ledger.Post{Positions: []ledger.Position{{Channel: id, Voucher: best}}})
	if c := w.onLedger(id); c.Status != ledger.ChannelClosing || c.Owed != croft.Credit {
		t.Fatalf("%+v", c)
	}
}

// A channel that was opened a moment ago, and a provider whose node is a few blocks
// behind: the first call waits for it.
func TestProviderIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: w.caller.public(), Window: 60, Deposits: []croft.Credits{croft.Credit}})
		if err := w.caller.market.duties(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		w.provider.market.Ledger = &lagging{Ledger: w.provider.market.Ledger, until: time.Now().Add(behind)}
		if _, _, err := w.call("x"); err != nil {
			t.Fatal(err)
		}
		w.provider.market.Ledger = &lagging{Ledger: w.provider.market.Ledger, until: time.Now().Add(time.Hour)}
		w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: w.caller.public(), Window: 61, Deposits: []croft.Credits{croft.Credit}})
		if err := w.caller.market.duties(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.call("x"); !errors.Is(err, croft.ErrTxUnknown) {
			t.Fatal(err)
		}
	})
}

// lagging is a ledger that has no channels until then.
type lagging struct {
	Ledger
	until time.Time
}

func (l *lagging) Read(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "channel/") && time.Now().Before(l.until) {
		return nil, nil
	}
	return l.Ledger.Read(ctx, key)
}

// Somebody funds the calls of another node, which says yes to that first: else it would
// pay from what a stranger chose. What is left returns to who funded it.
func TestSponsoredCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
		w.engine.meter = croft.Meter{Output: 2}
		sponsor, user := w.caller, w.people[2]
		id := ledger.ChannelIDOf(sponsor.send(&ledger.Open{Service: w.service.ID(), Payer: user.public(), Window: 60, Deposits: []croft.Credits{20 * croft.Credit}}), 0)
		own := w.open(10 * croft.Credit)
		call := func() error {
			_, err := user.market.Call(t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("x")}})
			return err
		}
		if err := call(); !errors.Is(err, croft.ErrNoChannel) {
			t.Fatal("before it was accepted: ", err)
		}
		for _, no := range []error{sponsor.market.Accept(t.Context(), id), user.market.Accept(t.Context(), own), user.market.Accept(t.Context(), croft.ChannelID{1})} {
			if !errors.Is(no, croft.ErrTxUnknown) {
				t.Fatal(no)
			}
		}
		if err := user.market.Accept(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if err := user.market.save(); err != nil {
			t.Fatal(err)
		}
		user.start() // and remembers
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if user.market.WatchedBy(t.Context(), []croft.MemberID{w.provider.id}); user.market.watching.told[w.provider.id].at.IsZero() {
			t.Fatal("a channel that somebody else funds keeps the watcher from being told")
		}
		// The provider hides what it gave back; the user's node shows it.
		best, _ := w.provider.market.tills[id].till.State()
		w.provider.send(&ledger.Close{Positions: []ledger.Position{{Channel: id, Voucher: best}}})
		if c := w.settle(id); c.Status != ledger.ChannelClosed || c.Paid != 4*croft.Credit || w.credits(sponsor) != 986*croft.Credit {
			t.Fatalf("%s, %s paid, the sponsor has %s", c.Status, c.Paid, w.credits(sponsor))
		}
		if names, _ := user.market.Docs.List(acceptedKind); len(names) > 0 {
			t.Fatal(names)
		}
	})
}

// Either end dies at any line, and what the disk did not promise to keep may be gone:
// nothing is stuck, no call is charged twice, and nobody loses more than was in
// flight. Then the channel ends on the ledger, and every credit is there.
func TestDeathAtEachLine(t *testing.T) {
	lines := []string{"quote", "open", "voucher", "infer", "meter", "countersign", "settle"}
	for _, line := range []string{"quote", "open", "admit", "voucher", "infer", "meter", "countersign", "settle"} {
		lines = append(lines, "serve."+line)
	}
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			for seed := range uint64(4) {
				rng := rand.New(rand.NewPCG(seed, 5))
				w := newWorld(t, price)
				id := w.open(100 * croft.Credit)
				good := 0
				make := func(body string) {
					if _, alive, err := w.call(body); alive && err == nil {
						good++
					}
				}
				make("before")
				if err := w.caller.market.savePurses(); err != nil {
					t.Fatal(err)
				}
				who := w.caller
				if strings.HasPrefix(line, "serve.") {
					who = w.provider
				}
				who.crash = line
				make("dies")
				if who.market != nil {
					t.Fatal("nobody died")
				}
				who.log.cut(rng)
				who.start()
				if who == w.caller || rng.IntN(2) == 0 {
					w.look() // a restart alone is enough, but the ledger may be looked at first
				}
				for i := range 3 {
					make(fmt.Sprint("after ", i))
				}
				if good < 4 {
					t.Fatalf("seed %d: %d calls went well", seed, good)
				}
				for body, n := range w.engine.calls {
					if n > 1 {
						t.Fatalf("seed %d: %s was worked on %d times", seed, body, n)
					}
				}
				var earned, bought, lost croft.Credits
				for _, b := range append(w.provider.market.Balances(), w.caller.market.Balances()...) {
					if b.Provider {
						earned = b.Claim
					} else {
						bought, lost = b.Bought, b.Lost
					}
				}
				if lost > croft.Credit || earned < croft.Credits(good-1)*croft.Credit || earned > bought+lost {
					t.Fatalf("seed %d: %d good calls; earned %s, bought %s, lost %s", seed, good, earned, bought, lost)
				}
				if err := w.caller.market.Close(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					w.look()
				}
				// What was promised for a call that never came goes back at the end at the latest.
				if c := w.onLedger(id); c.Status.String() != "closed" || c.Paid > earned || c.Paid > croft.Credits(len(w.engine.calls))*croft.Credit || c.Paid < croft.Credits(good-1)*croft.Credit {
					t.Fatalf("seed %d: %s, %s paid of %s for %d good calls", seed, c.Status, c.Paid, earned, good)
				}
				if sum := w.credits(w.caller) + w.credits(w.provider); sum != 1000*croft.Credit {
					t.Fatalf("seed %d: %s credits", seed, sum)
				}
			}
		})
	}
}

// What a payer was told that it gets back is durable before it hears it.
func TestStateIsDurableFirst(t *testing.T) {
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	w.call("warm")
	w.caller.market.MaxRisk = 5 * croft.Credit
	for _, p := range w.caller.market.purses { // this voucher never arrives
		if _, _, _, err := w.caller.market.promise(t.Context(), p, pay.Call{Service: w.service.ID(), Terms: w.service.Terms(), Price: croft.Credit}); err != nil {
			t.Fatal(err)
		}
	}
	w.call("tells that more was promised")     // and the till has only seen two of three
	w.provider.log.Sync(w.provider.log.Last()) // the call's end too
	told, _, err := w.caller.market.askState(t.Context(), w.provider.market.Balances()[0].Channel)
	if err != nil || told.Body().Credited != croft.Credit {
		t.Fatal(told.Body(), err)
	}
	w.provider.log.entries = w.provider.log.entries[:w.provider.log.synced] // and the power goes
	w.provider.start()
	if b := w.provider.market.Balances()[0]; b.Claim > 2*croft.Credit {
		t.Fatalf("%+v", b)
	}
}

// Calls that a provider refuses before it took their vouchers use nothing of a
// channel up, however many they are.
func TestRefusedCallsLeaveTheChannel(t *testing.T) {
	w := newWorld(t, price)
	w.open(3 * croft.Credit)
	w.provider.market.stop(w.service.ID())
	for i := range 20 {
		if _, _, err := w.call(fmt.Sprint("refused ", i)); !errors.Is(err, croft.ErrNotServed) {
			t.Fatal(i, err)
		}
	}
	w.provider.market.Offer(Offering{Service: w.service, Engine: w.engine})
	for i := range 3 {
		if _, _, err := w.call(fmt.Sprint(i)); err != nil {
			t.Fatal(i, err)
		}
	}
	b, c := w.provider.market.Balances()[0], w.caller.market.Balances()[0]
	if b.Claim != 3*croft.Credit || c.Bought != 3*croft.Credit || c.Left+c.Lost != 0 {
		t.Fatalf("%+v\n%+v", b, c)
	}
}

// A voucher that a thousand others overtook is promised anew; whoever says so each
// time is believed once.
func TestOvertakenVoucher(t *testing.T) {
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	w.call("warm")
	for _, times := range []int{1, 5} {
		l := &late{person: w.caller, times: times}
		w.caller.market.Peers = l
		done, _, err := w.call(fmt.Sprint("late ", times))
		if (err == nil) != (times == 1) || err == nil && done.Cost != croft.Credit || l.asked != 2 {
			t.Errorf("%d times: %+v, %v, asked %d times", times, done, err, l.asked)
		}
		w.caller.market.Peers = w.caller
	}
	if done, _, err := w.call("after"); err != nil || w.caller.market.Balances()[0].Lost != 0 {
		t.Error(done, err, w.caller.market.Balances()[0])
	}
}

// late says of a node's first calls that they come too late.
type late struct {
	*person
	times, asked int
}

func (l *late) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	var q ask
	if croft.Decode(request, &q) == nil && q.Kind == askCall {
		if l.asked++; l.asked <= l.times {
			return nil, croft.E(croft.ErrCallNumber, 1, "too many calls were made since")
		}
	}
	return l.person.Ask(ctx, to, request, part)
}

// forger is a provider that changes its answers after the fact.
type forger struct {
	*person
	change func(*answer)
}

func (f forger) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	raw, err := f.person.Ask(ctx, to, request, part)
	if err != nil {
		return nil, err
	}
	a, err := readAnswer(raw)
	var q ask
	if croft.Decode(request, &q) == nil && q.Kind == askCall {
		f.change(&a)
	}
	return croft.Encode(a), err
}

// A receipt must be of this call, of this answer, and signed; else the call is given
// up, and no more than its price is lost.
func TestForgedAnswers(t *testing.T) {
	for name, change := range map[string]func(*answer){
		"another result":  func(a *answer) { a.Result = append(a.Result, 'x') },
		"no receipt":      func(a *answer) { a.Receipt = nil },
		"a bit of it":     func(a *answer) { a.Receipt[len(a.Receipt)/2] ^= 1 },
		"not what it was": func(a *answer) { a.Code = croft.ErrBusy },
	} {
		w := newWorld(t, price)
		w.open(10 * croft.Credit)
		w.call("warm")
		w.caller.market.Peers = forger{w.caller, change}
		if _, _, err := w.call("forged"); !errors.Is(err, croft.ErrReceipt) && !errors.Is(err, croft.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
		w.caller.market.Peers = w.caller
		if _, _, err := w.call("after"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b := w.caller.market.Balances()[0]; b.Lost != croft.Credit || b.Waiting != 0 {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// A false signature is found at once if the receipt gives something back. Of one that
// charges all it is found when it would be countersigned: the answer is there and paid
// for, the receipt is not kept, and from then on each is checked at once.
func TestFalseSignature(t *testing.T) {
	spoil := func(a *answer) { a.Receipt[len(a.Receipt)-1] ^= 1 }
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	w.call("warm")
	w.caller.market.Peers = forger{w.caller, spoil}
	if done, _, err := w.call("false"); err != nil || string(done.Body) != "false" {
		t.Error(done, err)
	}
	if kept := w.caller.market.Receipts(); len(kept) != 1 || kept[0].Signed.Receipt.Number != 1 {
		t.Errorf("%+v", kept)
	}
	if _, _, err := w.call("again"); !errors.Is(err, croft.ErrReceipt) {
		t.Error(err)
	}
	w.caller.market.Peers = w.caller
	if _, _, err := w.call("honest"); err != nil {
		t.Error(err)
	}
	if b := w.caller.market.Balances()[0]; b.Bought != 3*croft.Credit || b.Lost != croft.Credit || b.Waiting != 0 {
		t.Errorf("%+v", b)
	}

	w = newWorld(t, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit})
	w.open(10 * croft.Credit)
	w.engine.meter = croft.Meter{Output: 2}
	w.caller.market.Peers = forger{w.caller, spoil}
	if done, _, err := w.call("metered"); !errors.Is(err, croft.ErrReceipt) || done.Cost != 5*croft.Credit {
		t.Error(done, err)
	}
}

// A till that signs a price which its own meter does not give, or more time than went
// by, is not believed: the call is given up, and an API key is charged its most.
func TestDearReceipts(t *testing.T) {
	for name, change := range map[string]func(*croft.Receipt){
		"all that was promised": func(r *croft.Receipt) { r.Credited -= 5*croft.Credit - r.Price; r.Price = 5 * croft.Credit },
		"an hour": func(r *croft.Receipt) {
			r.Meter.Micros = 3_600_000_000
			r.Credited -= 5*croft.Credit - r.Price
			r.Price = 5 * croft.Credit
		},
	} {
		w := newWorld(t, croft.Price{Output: croft.Credit, Second: 1000, Most: 5 * croft.Credit})
		w.open(20 * croft.Credit)
		w.engine.meter = croft.Meter{Output: 2}
		w.call("warm")
		w.caller.market.Peers = forger{w.caller, func(a *answer) {
			var r croft.SignedReceipt
			if err := croft.Decode(a.Receipt, &r); err != nil {
				t.Fatal(err)
			}
			change(&r.Receipt)
			a.Receipt = pay.SealReceipt(w.genesis.Scope(), r.Receipt, w.provider.market.Sign)
		}}
		done, _, err := w.call("dear")
		if !errors.Is(err, croft.ErrReceipt) || !strings.Contains(err.Error(), "charges more") || done.Cost != 5*croft.Credit {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		w.caller.market.Peers = w.caller
		if done, _, err := w.call("after"); err != nil || done.Cost >= 3*croft.Credit {
			t.Errorf("%s: %+v %v", name, done, err)
		}
	}
}

// A receipt is held against the call and its answer, whatever its signature says.
func TestReceiptFits(t *testing.T) {
	hash, list := croft.Hash{1}, croft.Price{Output: croft.Credit, Most: 5 * croft.Credit}
	for name, c := range map[string]struct {
		change func(*croft.Receipt, *answer)
		says   string // empty: it fits
	}{
		"the call":           {func(*croft.Receipt, *answer) {}, ""},
		"another number":     {func(r *croft.Receipt, _ *answer) { r.Number++ }, "another call"},
		"another request":    {func(r *croft.Receipt, _ *answer) { r.Request[0]++ }, "another call"},
		"another answer":     {func(_ *croft.Receipt, a *answer) { a.Result = []byte("no") }, "another answer"},
		"a dear one":         {func(r *croft.Receipt, _ *answer) { r.Price++ }, "more than what it says was used"},
		"a slow one":         {func(r *croft.Receipt, _ *answer) { r.Meter.Micros = 1_020_000 }, "more time than went by"},
		"answered, it says":  {func(_ *croft.Receipt, a *answer) { a.Code = croft.ErrBusy }, "another outcome"},
		"cut short, it says": {func(r *croft.Receipt, _ *answer) { r.Outcome = croft.Partial }, "another outcome"},
		"failed, it says":    {func(r *croft.Receipt, _ *answer) { r.Outcome, r.Result, r.Price = croft.Failed, croft.Hash{}, 0 }, "another outcome"},
		"failed": {func(r *croft.Receipt, a *answer) {
			r.Outcome, r.Result, r.Price, a.Code = croft.Failed, croft.Hash{}, 0, croft.ErrBusy
		}, ""},
		"failed and charged": {func(r *croft.Receipt, a *answer) {
			r.Outcome, r.Result, a.Code = croft.Failed, croft.Hash{}, croft.ErrBusy
		}, "charges a call that failed"},
	} {
		q, a := ask{Kind: askCall}, answer{Result: []byte("yes")}
		r := croft.Receipt{Number: 7, Request: hash, Result: croft.RequestHash(q.ID, []byte("partyes")), Outcome: croft.Answered, Meter: croft.Meter{Output: 2, Micros: 1_000_000}, Price: 2 * croft.Credit}
		c.change(&r, &a)
		err := fits(r, q, 7, hash, a, []byte("part"), list, time.Second)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, croft.ErrReceipt) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// Either end bounds what the other sends before it looks at it.
func TestBoundsOfMessages(t *testing.T) {
	long := make([]byte, pay.MaxSigned+1)
	tooLarge := func(all bool) croft.Code {
		if all {
			return croft.ErrTooLarge
		}
		return croft.ErrEncoding
	}
	for name, raw := range map[string][]byte{
		"no kind":           croft.Encode(ask{Kind: askCall - 1}),
		"an unknown kind":   croft.Encode(ask{Kind: askSchema + 1}),
		"too many thanks":   croft.Encode(ask{Kind: askCall, Thanks: make([][]byte, maxThanks+1)}),
		"too many shown":    croft.Encode(ask{Kind: askWatch, Shown: make([]ledger.Position, maxShown+1)}),
		"a long voucher":    croft.Encode(ask{Kind: askCall, Voucher: long}),
		"a long quote":      croft.Encode(ask{Kind: askCall, Quote: long}),
		"long thanks":       croft.Encode(ask{Kind: askCall, Thanks: [][]byte{long}}),
		"more than a frame": make([]byte, MaxAsk+1),
	} {
		if _, err := readAsk(raw); croft.CodeOf(err) != tooLarge(len(raw) > MaxAsk) {
			t.Errorf("a question with %s: %v", name, err)
		}
	}
	for name, raw := range map[string][]byte{
		"a long receipt":    croft.Encode(answer{Receipt: long}),
		"a long voucher":    croft.Encode(answer{Best: long}),
		"a long quote":      croft.Encode(answer{Quote: long}),
		"many words":        croft.Encode(answer{Code: croft.ErrBusy, Args: make([]string, maxArgs+1)}),
		"no such failure":   croft.Encode(answer{Code: 9999}),
		"more than a frame": make([]byte, MaxAnswer+1),
	} {
		if _, err := readAnswer(raw); croft.CodeOf(err) != tooLarge(len(raw) > MaxAnswer) {
			t.Errorf("an answer with %s: %v", name, err)
		}
	}
	if a, err := readAnswer(croft.Encode(answer{Code: croft.ErrBusy, Args: []string{strings.Repeat("x", maxArg+1)}})); err != nil || len(a.Args[0]) != maxArg {
		t.Errorf("a long word: %v", err)
	}
}

// What a stranger sends is refused before anything is kept of it, and what was paid
// once is answered once.
func TestForgedAsks(t *testing.T) {
	w := newWorld(t, price)
	id := w.open(10 * croft.Credit)
	w.call("warm")
	var raw []byte
	w.caller.market.Peers = recorder{w.caller, &raw}
	if _, _, err := w.call("honest"); err != nil {
		t.Fatal(err)
	}
	before := len(w.provider.log.entries)
	serve := func(a ask) error {
		out, err := w.provider.market.Serve(t.Context(), w.caller.id, croft.Encode(a), nil)
		if err == nil {
			var got answer
			if got, err = readAnswer(out); err == nil {
				err = got.trouble()
			}
		}
		return err
	}
	var good ask
	if err := croft.Decode(raw, &good); err != nil {
		t.Fatal(err)
	}
	if err := serve(good); !errors.Is(err, croft.ErrAnswered) {
		t.Error("the same call again: ", err)
	}
	for name, change := range map[string]func(*ask){
		"another request": func(a *ask) { a.Request = croft.Encode(struct{}{}) },
		"another id":      func(a *ask) { a.ID[0]++ },
		"another service": func(a *ask) { a.Service[0]++ },
		"another task":    func(a *ask) { a.Request = bytes.Replace(a.Request, []byte("http"), []byte("chat"), 1) },
		"a bit of it":     func(a *ask) { a.Voucher = slices.Clone(a.Voucher); a.Voucher[60] ^= 1 },
		"no voucher":      func(a *ask) { a.Voucher = nil },
		"a state":         func(a *ask) { a.Kind, a.Channel = askState, id },
		"a model":         func(a *ask) { a.Kind = askModel },
	} {
		a := good
		change(&a)
		if err := serve(a); err == nil || errors.Is(err, croft.ErrAnswered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.engine.calls["honest"]; n != 1 || len(w.provider.log.entries) != before {
		t.Errorf("worked on %d times, %d entries more", n, len(w.provider.log.entries)-before)
	}
}

type recorder struct {
	*person
	raw *[]byte
}

func (r recorder) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	*r.raw = slices.Clone(request)
	return r.person.Ask(ctx, to, request, part)
}

// A till whose disk fails admits nothing that it would forget.
func TestDiskOfTillFails(t *testing.T) {
	w := newWorld(t, price)
	w.open(10 * croft.Credit)
	w.call("warm")
	w.provider.log.fail = croft.E(croft.ErrDiskFull, 1, "here")
	if _, _, err := w.call("x"); !errors.Is(err, croft.ErrDiskFull) || w.engine.calls["x"] != 0 {
		t.Fatal(err, w.engine.calls)
	}
}

func FuzzAsk(f *testing.F) {
	f.Add(croft.Encode(ask{Kind: askCall, Request: []byte("r"), Voucher: []byte("v")}))
	f.Add(croft.Encode(ask{Kind: askState}))
	f.Add(croft.Encode(ask{Kind: askCall, Quote: []byte("q")}))
	f.Add(croft.Encode(ask{Kind: askWatch, Shown: []ledger.Position{{Voucher: new(croft.SignedVoucher), Receipt: new(croft.SignedReceipt)}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := readAsk(raw); err == nil && (len(a.Thanks) > maxThanks || len(a.Shown) > maxShown) {
			t.Fatal("out of bounds")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(croft.Encode(answer{Result: []byte("r"), Receipt: []byte("x")}))
	f.Add(croft.Encode(answer{Code: croft.ErrBusy, Args: []string{"a"}}))
	f.Add(croft.Encode(answer{Quote: []byte("q")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := readAnswer(raw); err == nil {
			_ = a.trouble()
		}
	})
}

// A channel is good for all services of a provider; each is for whom it is for all the
// same, with payment and without, and so is its model.
func TestServiceIsNotForAll(t *testing.T) {
	w := newWorld(t, price)
	id := w.open(10 * croft.Credit)
	private := croft.Service{Provider: w.provider.id, Name: "private", Task: serve.HTTP, Price: price, Use: croft.UseNetwork, Tills: w.service.Tills}
	member := w.people[2].id
	offer := func() {
		w.provider.market.Offer(Offering{Service: private, Engine: w.engine, Model: []byte("document"), Admit: func(who croft.MemberID) bool { return who == member }})
	}
	offer()
	call := func() error {
		_, err := w.caller.market.Call(t.Context(), Use{Service: private, Request: serve.Request{Task: serve.HTTP, Body: []byte("private")}})
		return err
	}
	if err := call(); !errors.Is(err, croft.ErrTxRights) {
		t.Error("paid by a channel that another service opened: ", err)
	}
	model := croft.Encode(ask{Kind: askModel, Service: private.ID()})
	if _, err := w.provider.market.Serve(t.Context(), w.caller.id, model, nil); !errors.Is(err, croft.ErrTxRights) {
		t.Error("its model: ", err)
	}
	if _, err := w.provider.market.Serve(t.Context(), member, model, nil); err != nil {
		t.Error(err)
	}
	private.Price = croft.Price{}
	offer()
	if err := call(); !errors.Is(err, croft.ErrTxRights) || w.engine.calls["private"] > 0 {
		t.Error("without payment: ", err)
	}
	if b := w.provider.market.Balances()[0]; b.Channel.ID != id || b.Claim > 0 {
		t.Errorf("%+v", b)
	}
}

// Whom a service is not for gets no free calls of it, and those that somebody pays whom it
// is for.
func TestSponsorOfAnOutsider(t *testing.T) {
	w := newWorld(t, croft.Price{Call: croft.Credit, Most: croft.Credit, Free: 5})
	w.provider.market.Offer(Offering{Service: w.service, Engine: w.engine, Admit: func(who croft.MemberID) bool { return who == w.caller.id }})
	user := w.people[2]
	id := ledger.ChannelIDOf(w.caller.send(&ledger.Open{Service: w.service.ID(), Payer: user.public(), Window: 60, Deposits: []croft.Credits{croft.Credit}}), 0)
	if err := user.market.Accept(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, croft.ErrNoChannel} {
		done, err := user.market.Call(t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("x")}})
		if !errors.Is(err, want) || err == nil && done.Receipt.Price != croft.Credit {
			t.Errorf("%+v, %v, not %v", done, err, want)
		}
	}
}

// Who would pay nothing gets free calls and no other.
func TestAtMostNothing(t *testing.T) {
	w := newWorld(t, croft.Price{Call: croft.Credit, Most: croft.Credit, Free: 1})
	w.open(10 * croft.Credit)
	for _, want := range []error{nil, croft.ErrDear} {
		_, err := w.caller.market.Call(t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("x")}, Most: new(croft.Credits(0))})
		if !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
	if b := w.provider.market.Balances(); len(b) > 0 && b[0].Claim > 0 {
		t.Errorf("%+v", b)
	}
}

// A free call that found nobody counts at neither end; those that were made do, and are
// asked for again the next day.
func TestFreeCallsAreCountedByWhoGivesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, croft.Price{Call: croft.Credit, Most: croft.Credit, Free: 2})
		w.open(10 * croft.Credit)
		w.off(w.provider)
		for range 3 {
			if _, _, err := w.call("away"); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
		}
		w.provider.start()
		for day := range 2 {
			for n, want := range []croft.Credits{0, 0, croft.Credit} {
				if done, _, err := w.call("x"); err != nil || done.Cost != want {
					t.Errorf("day %d, call %d: %s, %v", day, n, done.Cost, err)
				}
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// A call that is given up while others are in flight holds up no new one, as long as all
// that is at risk with it is within what was agreed.
func TestOneGivenUpHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for most, waits := range map[croft.Credits]bool{3 * croft.Credit: false, 2 * croft.Credit: true} {
			w := newWorld(t, price)
			w.open(10 * croft.Credit)
			if _, _, err := w.call("warm"); err != nil {
				t.Fatal(err)
			}
			w.caller.market.MaxRisk, w.caller.market.Peers = most, impatient{w.caller}
			w.engine.wait = make(chan struct{})
			var all sync.WaitGroup
			all.Go(func() {
				if _, _, err := w.call("long"); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			ctx, giveUp := context.WithCancel(t.Context())
			all.Go(func() {
				use := Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("given up")}}
				if _, err := w.caller.market.Call(ctx, use); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
			synctest.Wait()
			giveUp()
			synctest.Wait()
			long := w.engine.wait
			w.engine.wait = nil
			answered := false
			all.Go(func() {
				if _, _, err := w.call("next"); err != nil {
					t.Error(err)
				}
				answered = true
			})
			synctest.Wait()
			if answered == waits {
				t.Errorf("at most %s at risk: the next call was answered: %v", most, answered)
			}
			close(long)
			all.Wait()
			if b := w.caller.market.Balances()[0]; b.Bought != 3*croft.Credit {
				t.Errorf("%+v", b)
			}
			w.call("asks where they stand")
			if b := w.caller.market.Balances()[0]; b.Lost > 0 || b.Waiting > 0 {
				t.Errorf("%+v", b)
			}
		}
	})
}

// impatient does not wait for an answer that it no longer needs.
type impatient struct{ *person }

func (i impatient) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	raw, err := i.person.Ask(ctx, to, request, part)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return raw, err
}

// Many wait for one to ask where a channel stands. If nobody answers, they do not ask in
// turn; if it was not the provider's fault, the next one asks.
func TestAskingFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, price)
		w.open(100 * croft.Credit)
		w.off(w.provider)
		w.caller.market.Peers = far{w.caller}
		begun := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, _, err := w.call("x"); !errors.Is(err, errAway) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); took > 2*farAway {
			t.Errorf("they waited %s", took)
		}
		w.provider.start()
		ctx, giveUp := context.WithTimeout(t.Context(), farAway/2)
		defer giveUp()
		all.Go(func() {
			if _, err := w.caller.market.Call(ctx, Use{Service: w.service, Request: serve.Request{Task: serve.HTTP}}); err == nil {
				t.Error("it was given up")
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				if _, _, err := w.call("y"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

// far takes long to reach.
type far struct{ *person }

const farAway = 10 * time.Second

func (f far) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	select {
	case <-time.After(farAway):
		return f.person.Ask(ctx, to, request, part)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
