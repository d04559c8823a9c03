package pay

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"croft"
)

// ends is a channel with the keys of both of its ends.
type ends struct {
	scope   croft.Scope
	channel croft.Channel
	payer   Sign
	till    Sign
}

func newEnds(deposit croft.Credits) ends {
	payer, till := key("payer"), key("till")
	return ends{
		scope: croft.Scope{Network: croft.NetworkID(croft.Sum([]byte("network"))), Chain: "croft-test-1"},
		channel: croft.Channel{ID: croft.ChannelID(croft.Sum([]byte("channel"))), Funder: croft.MemberID{1}, Payee: croft.MemberID{2},
			Payer: public(payer), Till: public(till), Window: 3600, Deposit: deposit},
		payer: signer(payer), till: signer(till),
	}
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) croft.PublicKey {
	return croft.PublicKey(key.Public().(ed25519.PublicKey))
}

func signer(key ed25519.PrivateKey) Sign {
	return func(scope croft.Scope, domain string, body []byte) croft.Signature {
		return croft.Signature(ed25519.Sign(key, scope.Preimage(domain, body)))
	}
}

// call is the n-th call of a test, at a price.
func call(n int, price croft.Credits) Call {
	return Call{Service: croft.ServiceID{7}, Terms: croft.Hash{8}, Request: croft.HashOf(n), Price: price}
}

// voucher signs and checks.
func (e ends) voucher(t testing.TB, v croft.Voucher) Voucher {
	t.Helper()
	checked, err := CheckVoucher(e.scope, e.channel, SealVoucher(e.scope, v, e.payer))
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

func (e ends) receipt(t testing.TB, r croft.Receipt) Receipt {
	t.Helper()
	checked, err := CheckReceipt(e.scope, e.channel, SealReceipt(e.scope, r, e.till))
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

// pay makes the purse promise and checks its voucher.
func (e ends) pay(t testing.TB, p *Purse, c Call) Voucher {
	t.Helper()
	v, err := p.Pay(c, 1_000)
	if err != nil {
		t.Fatal(err)
	}
	return e.voucher(t, v)
}

func TestCallsAreAdmittedInAnyOrder(t *testing.T) {
	e := newEnds(100)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	var vouchers []Voucher
	for n := range 10 {
		vouchers = append(vouchers, e.pay(t, p, call(n, 10)))
	}
	for _, n := range []int{9, 0, 5, 4, 8, 1, 7, 2, 6, 3} {
		a, err := till.Admit(vouchers[n], call(n, 10))
		if err != nil || a.Entry == nil || a.Receipt != nil {
			t.Fatalf("call %d: %+v %v", n, a, err)
		}
	}
	if _, err := p.Pay(call(10, 1), 1_000); !errors.Is(err, croft.ErrChannelEmpty) {
		t.Errorf("an eleventh call of 10 credits on a deposit of 100: %v", err)
	}
	for n := range uint64(10) { // each costs 6 in the end
		r, entry, err := till.Finish(n+1, croft.Answered, croft.Hash{9}, croft.Meter{}, 6)
		if err != nil || entry == nil || r.Credited != croft.Credits(n+1)*4 {
			t.Fatalf("%+v %v", r, err)
		}
		if n%2 == 0 {
			continue // lost on the way: the next one says it too
		}
		if ends, err := p.Take(e.receipt(t, r)); !ends || err != nil {
			t.Fatal(ends, err)
		}
	}
	if till.Earned() != 60 || till.Claimable() != 60 || p.Left() != 40 || p.Waiting() != 5 || p.AtRisk() != 30 {
		t.Errorf("earned %d, claimable %d, left %d, %d waiting, at risk %d", till.Earned(), till.Claimable(), p.Left(), p.Waiting(), p.AtRisk())
	}
	// What came back can be promised again.
	if _, err := till.Admit(e.pay(t, p, call(10, 40)), call(10, 40)); err != nil {
		t.Error(err)
	}
}

// Whatever an admission refuses, and why; nothing changes by it.
func TestRefusedVouchers(t *testing.T) {
	e := newEnds(100)
	till := NewTill(e.channel)
	base := croft.Voucher{Channel: e.channel.ID, Service: call(0, 0).Service, Terms: call(0, 0).Terms, Number: 1, Request: call(0, 0).Request, Price: 10, Owed: 10}
	admitted := base
	admitted.Number, admitted.Request = 2, croft.HashOf(1)
	if _, err := till.Admit(e.voucher(t, admitted), call(1, 10)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*croft.Voucher)
		want   croft.Code
	}{
		"another service":          {func(v *croft.Voucher) { v.Service[0]++ }, croft.ErrVoucher},
		"another price list":       {func(v *croft.Voucher) { v.Terms[0]++ }, croft.ErrVoucher},
		"another request":          {func(v *croft.Voucher) { v.Request[0]++ }, croft.ErrVoucher},
		"a price below the quote":  {func(v *croft.Voucher) { v.Price, v.Owed = 9, 19 }, croft.ErrVoucher},
		"the total without it":     {func(*croft.Voucher) {}, croft.ErrOwed},
		"a smaller total":          {func(v *croft.Voucher) { v.Owed = 1 }, croft.ErrOwed},
		"more than the deposit":    {func(v *croft.Voucher) { v.Owed = 101 }, croft.ErrChannelEmpty},
		"the largest total":        {func(v *croft.Voucher) { v.Owed = 1<<64 - 1 }, croft.ErrChannelEmpty},
		"the largest price":        {func(v *croft.Voucher) { v.Owed, v.Price = 20, 1<<64-1 }, croft.ErrOwed},
		"a number that was used":   {func(v *croft.Voucher) { v.Number, v.Owed = 2, 20 }, croft.ErrCallNumber},
		"no number":                {func(v *croft.Voucher) { v.Number, v.Owed = 0, 20 }, croft.ErrCallNumber},
		"a number long gone":       {func(v *croft.Voucher) { v.Owed = 40 }, croft.ErrCallNumber},
		"a channel that closes":    {func(v *croft.Voucher) { v.Owed = 20 }, croft.ErrChannelClosed},
		"after all, a correct one": {func(v *croft.Voucher) { v.Owed = 20 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			till, err := LoadTill(e.channel, till.Snapshot())
			if err != nil {
				t.Fatal(err)
			}
			if name == "a channel that closes" {
				till.Close()
			}
			if name == "a number long gone" {
				far := admitted
				far.Number, far.Owed, far.Request = 1+memory, 20, croft.HashOf(99)
				if _, err := till.Admit(e.voucher(t, far), call(99, 10)); err != nil {
					t.Fatal(err)
				}
			}
			v := base
			c.change(&v)
			before := till.Snapshot()
			a, err := till.Admit(e.voucher(t, v), call(0, 10))
			if c.want == 0 {
				if err != nil || a.Entry == nil {
					t.Error(err)
				}
			} else if !errors.Is(err, c.want) || a.Entry != nil || !bytes.Equal(before, till.Snapshot()) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSayingItAgainChargesOnce(t *testing.T) {
	e := newEnds(100)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	v := e.pay(t, p, call(0, 10))
	if a, err := till.Admit(v, call(0, 10)); err != nil || a.Entry == nil {
		t.Fatal(err)
	}
	if a, err := till.Admit(v, call(0, 10)); err != nil || a.Entry != nil || a.Receipt != nil {
		t.Errorf("while it is worked on: %+v %v", a, err)
	}
	dearer := v.signed.Voucher
	dearer.Price, dearer.Owed = 11, 11
	if _, err := till.Admit(e.voucher(t, dearer), call(0, 10)); !errors.Is(err, croft.ErrCallNumber) {
		t.Errorf("the same call at another price: %v", err)
	}
	if _, entry, err := till.Finish(1, croft.Answered, croft.Hash{1}, croft.Meter{}, 11); entry != nil || !errors.Is(err, croft.ErrReceipt) {
		t.Errorf("finished for more than was promised: %v", err)
	}
	first, entry, err := till.Finish(1, croft.Answered, croft.Hash{1}, croft.Meter{Output: 3}, 7)
	if err != nil || entry == nil {
		t.Fatal(err)
	}
	if again, entry, err := till.Finish(1, croft.Failed, croft.Hash{}, croft.Meter{}, 0); again != first || entry != nil || err != nil {
		t.Errorf("finished twice: %+v %v", again, err)
	}
	if a, err := till.Admit(v, call(0, 10)); err != nil || a.Entry != nil || a.Receipt == nil || *a.Receipt != first {
		t.Errorf("after it was finished: %+v %v", a, err)
	}
	for i := range 3 {
		if ends, err := p.Take(e.receipt(t, first)); ends != (i == 0) || err != nil {
			t.Errorf("receipt %d: %v %v", i, ends, err)
		}
	}
	if bought, lost := p.Spent(); bought != 7 || lost != 0 || p.AtRisk() != 0 || till.Earned() != 7 || p.Left() != 93 {
		t.Errorf("bought %d, at risk %d, earned %d", bought, p.AtRisk(), till.Earned())
	}
	if _, _, err := till.Finish(2, croft.Answered, croft.Hash{}, croft.Meter{}, 0); !errors.Is(err, croft.ErrCallNumber) {
		t.Errorf("a call that nobody made was finished: %v", err)
	}
}

func TestRefusedReceipts(t *testing.T) {
	e := newEnds(100)
	fresh := func() *Purse { // something came back already
		p := NewPurse(e.channel)
		e.pay(t, p, call(0, 10))
		e.pay(t, p, call(1, 10))
		if ends, err := p.Take(e.receipt(t, croft.Receipt{Channel: e.channel.ID, Number: 1, Request: call(0, 0).Request, Price: 4, Credited: 6})); !ends || err != nil {
			t.Fatal(ends, err)
		}
		return p
	}
	good := croft.Receipt{Channel: e.channel.ID, Number: 2, Request: call(1, 0).Request, Outcome: croft.Answered, Price: 4, Credited: 12}
	for name, change := range map[string]func(*croft.Receipt){
		"another request":            func(r *croft.Receipt) { r.Request[0]++ },
		"more than was promised":     func(r *croft.Receipt) { r.Price = 11 },
		"less back than its price":   func(r *croft.Receipt) { r.Credited = 11 },
		"nothing back":               func(r *croft.Receipt) { r.Credited = 0 },
		"more back than was owed":    func(r *croft.Receipt) { r.Credited = 21 },
		"all the credit in the word": func(r *croft.Receipt) { r.Credited = 1<<64 - 1 },
	} {
		p, r := fresh(), good
		change(&r)
		before := p.Snapshot()
		if ends, err := p.Take(e.receipt(t, r)); ends || !errors.Is(err, croft.ErrReceipt) || !bytes.Equal(before, p.Snapshot()) {
			t.Errorf("%s: %v %v", name, ends, err)
		}
	}
	p := fresh()
	other := e.channel
	other.ID[0]++
	stray := good
	stray.Channel = other.ID
	if ends, err := p.Take((ends{e.scope, other, e.payer, e.till}).receipt(t, stray)); ends || !errors.Is(err, croft.ErrReceipt) {
		t.Errorf("of another channel of the two: %v %v", ends, err)
	}
	if ends, err := p.Take(e.receipt(t, good)); !ends || err != nil || p.Evidence().Receipt != good {
		t.Error(ends, err)
	}
}

// A receipt without a signature ends a call only on the till's own terms: what a
// checked one would have done, and nothing that the ledger would have to believe.
func TestConcede(t *testing.T) {
	e := newEnds(100)
	fresh := func() *Purse {
		p := NewPurse(e.channel)
		e.pay(t, p, call(0, 10))
		e.pay(t, p, call(1, 10))
		return p
	}
	good := croft.Receipt{Channel: e.channel.ID, Number: 2, Request: call(1, 0).Request, Outcome: croft.Answered, Price: 10}
	p, checked := fresh(), fresh()
	if ends, err := checked.Take(e.receipt(t, good)); !ends || err != nil || !p.Concede(good) || !bytes.Equal(p.Snapshot(), checked.Snapshot()) {
		t.Fatal(ends, err)
	}
	if p.Concede(good) {
		t.Error("twice")
	}
	for name, change := range map[string]func(*croft.Receipt){
		"another channel":   func(r *croft.Receipt) { r.Channel[0]++ },
		"another call":      func(r *croft.Receipt) { r.Number = 1 },
		"no call":           func(r *croft.Receipt) { r.Number = 3 },
		"another request":   func(r *croft.Receipt) { r.Request[0]++ },
		"a lower price":     func(r *croft.Receipt) { r.Price, r.Credited = 9, 1 },
		"a price of 0":      func(r *croft.Receipt) { r.Price = 0 },
		"a higher price":    func(r *croft.Receipt) { r.Price = 11 },
		"credit of another": func(r *croft.Receipt) { r.Credited = 1 },
	} {
		p, r := fresh(), good
		change(&r)
		if before := p.Snapshot(); p.Concede(r) || !bytes.Equal(before, p.Snapshot()) {
			t.Error(name)
		}
	}
}

// The payer chooses how much it would lose at most, and gives up what it will.
func TestAtRisk(t *testing.T) {
	e := newEnds(1_000)
	p := NewPurse(e.channel)
	for n := range 3 {
		if _, err := p.Pay(call(n, 10), 30); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Pay(call(3, 1), 30); !errors.Is(err, croft.ErrInFlight) {
		t.Errorf("a fourth call: %v", err)
	}
	if _, err := p.Pay(call(3, 1), 20); !errors.Is(err, croft.ErrInFlight) {
		t.Errorf("a call by who allows less than what is at risk: %v", err)
	}
	p.Drop(2)
	p.Drop(2)
	if _, lost := p.Spent(); lost != 10 || p.AtRisk() != 20 {
		t.Errorf("lost %d, at risk %d", lost, p.AtRisk())
	}
	if ends, err := p.Take(e.receipt(t, croft.Receipt{Channel: e.channel.ID, Credited: 10})); ends || err != nil {
		t.Fatal(ends, err)
	}
	if _, lost := p.Spent(); lost != 0 || p.AtRisk() != 20 {
		t.Errorf("after the till gave it back: lost %d, at risk %d", lost, p.AtRisk())
	}
}

// A payer without any memory goes on from what the till shows.
func TestStatelessPayerResumes(t *testing.T) {
	e := newEnds(100)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	for n := range 3 {
		if _, err := till.Admit(e.pay(t, p, call(n, 10)), call(n, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := till.Finish(1, croft.Answered, croft.Hash{}, croft.Meter{}, 4); err != nil {
		t.Fatal(err)
	}
	again := NewPurse(e.channel)
	if _, err := till.Admit(e.pay(t, again, call(7, 10)), call(7, 10)); !errors.Is(err, croft.ErrCallNumber) {
		t.Errorf("a payer that forgot counts from 1 again: %v", err)
	}
	again = NewPurse(e.channel)
	best, credit := till.State()
	v := e.voucher(t, best.Voucher)
	lost, err := again.Resume(&v, e.receipt(t, credit))
	if err != nil || lost != 30 || again.AtRisk() != 0 || again.Left() != 100-24 {
		t.Fatalf("lost %d, at risk %d, left %d, %v", lost, again.AtRisk(), again.Left(), err)
	}
	if a, err := till.Admit(e.pay(t, again, call(8, 10)), call(8, 10)); err != nil || a.Entry == nil {
		t.Error(err)
	}
	// A provider that restored a backup is told what it forgot, by a voucher.
	old := NewTill(e.channel)
	a, err := old.Admit(e.pay(t, again, call(9, 10)), call(9, 10))
	if err != nil || a.Entry == nil {
		t.Fatal(err)
	}
	if best, _ := old.State(); best.Voucher.Owed != 50 {
		t.Errorf("owed %d", best.Voucher.Owed)
	}
}

// Receipts that left before a crash, and were forgotten in it, arrive in any order
// with those that the till gives after it.
func TestReceiptsFromBeforeAndAfterACrash(t *testing.T) {
	e := newEnds(100)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	var durable [][]byte
	for n := range 2 {
		a, err := till.Admit(e.pay(t, p, call(n, 10)), call(n, 10))
		if err != nil {
			t.Fatal(err)
		}
		durable = append(durable, a.Entry)
	}
	if _, _, err := till.Finish(1, croft.Answered, croft.Hash{}, croft.Meter{}, 3); err != nil {
		t.Fatal(err)
	}
	second, _, err := till.Finish(2, croft.Answered, croft.Hash{}, croft.Meter{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	till, err = LoadTill(e.channel, nil, durable...)
	if err != nil {
		t.Fatal(err)
	}
	failed, entry := till.Recover()
	if len(failed) != 2 || entry == nil {
		t.Fatalf("%+v", failed)
	}
	for _, r := range append([]croft.Receipt{second}, failed...) {
		if _, err := p.Take(e.receipt(t, r)); err != nil {
			t.Errorf("receipt %d: %v", r.Number, err)
		}
	}
	if till.Claimable() != 0 || p.Left() != 100 {
		t.Errorf("after a crash that failed all calls %d are due", till.Claimable())
	}
	again, err := LoadTill(e.channel, nil, append(durable, entry)...)
	if failed, entry := again.Recover(); err != nil || failed != nil || entry != nil || again.Credited != till.Credited {
		t.Errorf("recovered twice: %+v %v", failed, err)
	}
}

func TestStateSurvives(t *testing.T) {
	e := newEnds(10_000)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	var journal [][]byte
	var snapshot []byte
	for n := range 2_500 {
		v, err := p.Pay(call(n, 3), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		a, err := till.Admit(Voucher{croft.SignedVoucher{Voucher: v}}, call(n, 3))
		if err != nil {
			t.Fatal(n, err)
		}
		journal = append(journal, a.Entry)
		if n%7 != 0 || n > 2_000 { // some calls take for ever
			r, entry, err := till.Finish(uint64(n+1), croft.Answered, croft.Hash{}, croft.Meter{}, croft.Credits(n%4))
			if err != nil {
				t.Fatal(err)
			}
			journal = append(journal, entry)
			if _, err := p.Take(Receipt{croft.SignedReceipt{Receipt: r}}); err != nil {
				t.Fatal(err)
			}
		}
		if n == 1_200 {
			snapshot, journal = till.Snapshot(), nil
		}
	}
	if len(till.Calls) > memory+300 {
		t.Errorf("the till remembers %d calls", len(till.Calls))
	}
	again, err := LoadTill(e.channel, snapshot, journal...)
	if err != nil || !bytes.Equal(again.Snapshot(), till.Snapshot()) {
		t.Fatalf("from a snapshot and a journal comes another till: %v", err)
	}
	if open := again.unfinished(); len(open) != 286 || !slices.IsSorted(open) {
		t.Errorf("%d calls are unfinished", len(open))
	}
	if _, err := LoadTill(e.channel, snapshot, journal[1:]...); !errors.Is(err, croft.ErrStoreCorrupt) {
		t.Errorf("a journal without its first entry: %v", err)
	}
	if _, err := LoadTill(e.channel, snapshot, append(journal, journal[len(journal)-1])...); !errors.Is(err, croft.ErrStoreCorrupt) {
		t.Errorf("a journal with its last entry twice: %v", err)
	}
	for name, change := range map[string]func(*Till){
		"of another version":      func(t *Till) { t.Version++ },
		"that spent too much":     func(t *Till) { t.Spent = t.owed() + 1 },
		"that gave back too much": func(t *Till) { t.Credited = t.Spent + 1 },
		"with a call too dear":    func(t *Till) { t.Calls[1] = calledTill{Price: t.Spent} },
	} {
		bad, err := LoadTill(e.channel, till.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		change(bad)
		if _, err := LoadTill(e.channel, bad.Snapshot()); !errors.Is(err, croft.ErrStoreCorrupt) {
			t.Errorf("a snapshot %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Purse){
		"of another version":           func(p *Purse) { p.Version++ },
		"that had more back than came": func(p *Purse) { p.Refunds = p.Credited + 1 },
		"that promised less than came": func(p *Purse) { p.Credited = p.Owed + 1 },
	} {
		bad, err := LoadPurse(e.channel, p.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		change(bad)
		if _, err := LoadPurse(e.channel, bad.Snapshot()); !errors.Is(err, croft.ErrStoreCorrupt) {
			t.Errorf("a purse %s: %v", name, err)
		}
	}
	back, err := LoadPurse(e.channel, p.Snapshot())
	if err != nil || !bytes.Equal(back.Snapshot(), p.Snapshot()) || back.AtRisk() != p.AtRisk() {
		t.Errorf("another purse: %v", err)
	}
}

// A journal is believed only as far as one entry can have come after the other.
func TestJournalsThatDoNotFollow(t *testing.T) {
	e := newEnds(100)
	v := croft.Voucher{Channel: e.channel.ID, Number: 1, Request: croft.Hash{1}, Price: 10, Owed: 10}
	r := croft.Receipt{Channel: e.channel.ID, Number: 1, Request: croft.Hash{1}, Price: 4, Credited: 6}
	voucher := func(change func(*croft.Voucher)) []byte {
		v := v
		change(&v)
		return croft.Encode(entry{Voucher: &croft.SignedVoucher{Voucher: v}})
	}
	receipt := func(change func(*croft.Receipt)) []byte {
		r := r
		change(&r)
		return croft.Encode(entry{Receipts: []croft.Receipt{r}})
	}
	took, said := voucher(func(*croft.Voucher) {}), receipt(func(*croft.Receipt) {})
	if till, err := LoadTill(e.channel, nil, took, said); err != nil || till.Earned() != 4 {
		t.Fatal(err)
	}
	for name, journal := range map[string][][]byte{
		"a call twice":               {took, took},
		"a call on another channel":  {voucher(func(v *croft.Voucher) { v.Channel[0]++ })},
		"a call beyond its total":    {voucher(func(v *croft.Voucher) { v.Price = 11 })},
		"an answer to nobody":        {said},
		"an answer twice":            {took, said, said},
		"an answer of another's":     {took, receipt(func(r *croft.Receipt) { r.Channel[0]++ })},
		"an answer that takes back":  {took, receipt(func(r *croft.Receipt) { r.Number = 0 }), receipt(func(r *croft.Receipt) { r.Credited = 5 })},
		"more back than was spent":   {took, receipt(func(r *croft.Receipt) { r.Credited = 11 })},
		"more returned than is owed": {took, receipt(func(r *croft.Receipt) { r.Number = 0; r.Credited = 11 })},
		"back before it is answered": {took, receipt(func(r *croft.Receipt) { r.Number = 0; r.Credited = 10 })},
		"nothing":                    {croft.Encode(entry{})},
	} {
		if till, err := LoadTill(e.channel, nil, journal...); !errors.Is(err, croft.ErrStoreCorrupt) {
			t.Errorf("%s: %v, %+v", name, err, till)
		}
	}
}

func TestDue(t *testing.T) {
	for _, c := range [][5]croft.Credits{ // deposit, owed, credited, paid, due
		{100, 0, 0, 0, 0}, {100, 60, 0, 0, 60}, {100, 60, 20, 0, 40}, {100, 160, 20, 0, 100}, {100, 20, 60, 0, 0},
		{100, 60, 20, 50, 50}, {100, 60, 20, 30, 40}, {100, 1<<64 - 1, 0, 0, 100}, {100, 1<<64 - 1, 1<<64 - 1, 0, 0},
	} {
		if got := Due(c[0], c[1], c[2], c[3]); got != c[4] {
			t.Errorf("%v: got %d", c, got)
		}
	}
}

func TestCountersigned(t *testing.T) {
	e := newEnds(100)
	r := e.receipt(t, croft.Receipt{Channel: e.channel.ID, Number: 1, Price: 3})
	both := Countersign(e.scope, r, e.payer)
	if !VerifyCountersigned(e.scope, e.channel, both) {
		t.Error("refused")
	}
	for name, bad := range map[string]croft.Countersigned{
		"by the till alone":  Countersign(e.scope, r, e.till),
		"with another price": {Receipt: croft.Receipt{Channel: e.channel.ID, Number: 1, Price: 4}, Till: both.Till, Payer: both.Payer},
		"swapped":            {Receipt: both.Receipt, Till: both.Payer, Payer: both.Till},
	} {
		if VerifyCountersigned(e.scope, e.channel, bad) {
			t.Errorf("%s: taken", name)
		}
	}
}

// A voucher counts in one network, one chain (not the one before nor after it), on
// one channel and for one kind of message. The cross product, with a control.
func TestReplayElsewhere(t *testing.T) {
	e := newEnds(100)
	v := croft.Voucher{Channel: e.channel.ID, Number: 1, Price: 1, Owed: 1}
	r := croft.Receipt{Channel: e.channel.ID, Number: 1}
	scopes := map[string]croft.Scope{
		"here": e.scope, "another network": {Network: croft.NetworkID{1}, Chain: e.scope.Chain},
		"the successor chain": {Network: e.scope.Network, Chain: "croft-test-2"}, "another chain's name": {Network: e.scope.Network, Chain: "croft-test-11"},
	}
	other := e.channel
	other.ID = croft.ChannelID(croft.Sum([]byte("another of the same two")))
	swapped := e.channel
	swapped.Payer, swapped.Till = swapped.Till, swapped.Payer
	channels := map[string]croft.Channel{"here": e.channel, "another channel": other, "the other way round": swapped}
	for at, scope := range scopes {
		for on, channel := range channels {
			here := at == "here" && on == "here"
			if _, err := CheckVoucher(scope, channel, SealVoucher(e.scope, v, e.payer)); (err == nil) != here {
				t.Errorf("a voucher, %s, %s: %v", at, on, err)
			}
			if _, err := CheckReceipt(scope, channel, SealReceipt(e.scope, r, e.till)); (err == nil) != here {
				t.Errorf("a receipt, %s, %s: %v", at, on, err)
			}
		}
	}
	raw := croft.Encode(croft.SignedVoucher{Voucher: v, Signature: e.payer(e.scope, croft.ReceiptDomain, croft.Encode(v))})
	if _, err := CheckVoucher(e.scope, e.channel, raw); !errors.Is(err, croft.ErrVoucher) {
		t.Errorf("signed as a receipt: %v", err)
	}
}

var mutations = flag.Int("mutations", 100_000, "how many spoilt vouchers to show a till")

// None of a hundred thousand spoilt vouchers is admitted; -mutations asks for more.
// Half are spoilt as bytes, half as values that are encoded again.
func TestNoSpoiltVoucherIsAdmitted(t *testing.T) {
	t.Parallel()
	e := newEnds(1_000)
	good := croft.Voucher{Channel: e.channel.ID, Service: call(0, 0).Service, Terms: call(0, 0).Terms, Number: 1, Request: call(0, 0).Request, Price: 10, Owed: 10}
	raw := SealVoucher(e.scope, good, e.payer)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var signed croft.SignedVoucher
	if err := croft.Decode(raw, &signed); err != nil {
		t.Fatal(err)
	}
	reasons := map[croft.Code]int{}
	for range *mutations {
		spoilt := spoil(rng, raw, signed)
		if bytes.Equal(spoilt, raw) {
			continue
		}
		v, err := CheckVoucher(e.scope, e.channel, spoilt)
		if err == nil {
			_, err = NewTill(e.channel).Admit(v, call(0, 10))
		}
		if err == nil {
			t.Fatalf("admitted: %x", spoilt)
		}
		reasons[croft.CodeOf(err)]++
	}
	t.Log(reasons)
	if _, err := CheckVoucher(e.scope, e.channel, raw); err != nil {
		t.Errorf("the unspoilt one: %v", err)
	}
}

// spoil changes a voucher somewhere.
func spoil(rng *rand.Rand, raw []byte, v croft.SignedVoucher) []byte {
	out := bytes.Clone(raw)
	switch rng.IntN(4) {
	case 0: // bits
		for range 1 + rng.IntN(3) {
			out[rng.IntN(len(out))] ^= 1 << rng.IntN(8)
		}
		return out
	case 1: // length
		at := rng.IntN(len(out))
		return slices.Concat(out[:at], out[min(len(out), at+rng.IntN(4)):], make([]byte, rng.IntN(3)))
	}
	number := []uint64{0, 1, 2, rng.Uint64(), 1<<64 - 1, uint64(rng.IntN(1000))}[rng.IntN(6)]
	body, at := &v.Voucher, rng.IntN(32)
	switch rng.IntN(8) {
	case 0:
		body.Channel[at] ^= 1 << rng.IntN(8)
	case 1:
		body.Service[at] ^= 1 << rng.IntN(8)
	case 2:
		body.Terms[at] ^= 1 << rng.IntN(8)
	case 3:
		body.Request[at] ^= 1 << rng.IntN(8)
	case 4:
		body.Number = number
	case 5:
		body.Price = croft.Credits(number)
	case 6:
		body.Owed = croft.Credits(number)
	case 7:
		v.Signature[rng.IntN(64)] ^= 1 << rng.IntN(8)
	}
	return croft.Encode(v)
}

var update = flag.Bool("update", false, "write the golden samples anew")

// The samples pin the bytes of what two nodes of different versions send each other.
func TestGolden(t *testing.T) {
	e := newEnds(100)
	v := croft.Voucher{Channel: e.channel.ID, Service: croft.Service{Provider: croft.MemberID{2}, Name: "risk"}.ID(), Terms: croft.Service{Price: croft.Price{Call: 5, Most: 5}}.Terms(),
		Number: 3, Request: croft.RequestHash([16]byte{1, 2, 3}, []byte("request")), Price: 5, Owed: 25}
	r := croft.Receipt{Channel: e.channel.ID, Number: 3, Request: v.Request, Result: croft.RequestHash([16]byte{1, 2, 3}, []byte("answer")),
		Outcome: croft.Partial, Meter: croft.Meter{Input: 10, Output: 20, Micros: 3_000}, Price: 4, Credited: 7}
	till := NewTill(e.channel)
	a, err := till.Admit(e.voucher(t, v), Call{v.Service, v.Terms, v.Request, v.Price})
	if err != nil {
		t.Fatal(err)
	}
	_, done, err := till.Finish(3, croft.Answered, croft.Hash{}, croft.Meter{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPurse(e.channel)
	e.pay(t, p, call(0, 5))
	samples := map[string][]byte{
		"voucher": SealVoucher(e.scope, v, e.payer), "receipt": SealReceipt(e.scope, r, e.till),
		"countersigned": croft.Encode(Countersign(e.scope, e.receipt(t, r), e.payer)),
		"quote":         SealQuote(e.scope, croft.Quote{Service: v.Service, Terms: v.Terms, Request: v.Request, Price: 5, Expires: 1_700_000_000}, e.till),
		"channel":       croft.Encode(e.channel), "journal: admitted": a.Entry, "journal: finished": done,
		"till": till.Snapshot(), "purse": p.Snapshot(),
	}
	var have bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		fmt.Fprintf(&have, "%s\n%s\n", name, hex.EncodeToString(samples[name]))
		if len(samples[name]) > MaxSigned {
			t.Errorf("%s has %d bytes", name, len(samples[name]))
		}
	}
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, have.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, have.Bytes()) {
		t.Errorf("%s is not what the code writes: %v\n%s", file, err, have.Bytes())
	}
}

func FuzzCheckVoucher(f *testing.F) {
	e := newEnds(100)
	f.Add(SealVoucher(e.scope, croft.Voucher{Channel: e.channel.ID, Number: 1, Price: 1, Owed: 1}, e.payer))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := CheckVoucher(e.scope, e.channel, raw); err == nil && !bytes.Equal(croft.Encode(v.signed), raw) {
			t.Fatal("two encodings of one voucher")
		}
	})
}

func FuzzCheckQuote(f *testing.F) {
	e := newEnds(100)
	s := croft.Service{Provider: croft.MemberID{2}, Name: "scans", Price: croft.Price{Most: 9, Quoted: true}, Tills: []croft.PublicKey{e.channel.Till}}
	good := croft.Quote{Service: s.ID(), Terms: s.Terms(), Request: croft.Hash{1}, Price: 5, Expires: 2}
	f.Add(SealQuote(e.scope, good, e.till))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if q, err := CheckQuote(e.scope, s, croft.Hash{1}, raw); err == nil && !bytes.Equal(SealQuote(e.scope, q, e.till), raw) {
			t.Fatal("a quote that the till did not sign")
		}
	})
}

func FuzzCheckReceipt(f *testing.F) {
	e := newEnds(100)
	f.Add(SealReceipt(e.scope, croft.Receipt{Channel: e.channel.ID, Number: 1, Credited: 5}, e.till))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := CheckReceipt(e.scope, e.channel, raw); err == nil && !bytes.Equal(croft.Encode(r.signed), raw) {
			t.Fatal("two encodings of one receipt")
		}
	})
}

// Whatever bytes a disk gives back, loading them fails or gives a till that adds up.
func FuzzLoadTill(f *testing.F) {
	e := newEnds(100)
	till := NewTill(e.channel)
	a, _ := till.Admit(Voucher{croft.SignedVoucher{Voucher: croft.Voucher{Channel: e.channel.ID, Number: 1, Price: 1, Owed: 1}}}, Call{Price: 1})
	f.Add(NewTill(e.channel).Snapshot(), a.Entry)
	f.Add(till.Snapshot(), []byte{})
	f.Fuzz(func(t *testing.T, snapshot, journal []byte) {
		till, err := LoadTill(e.channel, snapshot, journal)
		if err != nil {
			return
		}
		if till.Spent > till.owed() || till.Credited > till.Spent {
			t.Fatalf("owed %d, spent %d, credited %d", till.owed(), till.Spent, till.Credited)
		}
		if till.Recover(); till.Credited > till.Spent || till.Earned() != till.Spent-till.Credited {
			t.Fatalf("after recovery: spent %d, credited %d", till.Spent, till.Credited)
		}
	})
}

// A quote is a till's of this service, for its price as it stands and for this request.
func TestRefusedQuotes(t *testing.T) {
	e := newEnds(100)
	s := croft.Service{Provider: croft.MemberID{2}, Name: "scans", Price: croft.Price{Most: 9, Quoted: true}, Tills: []croft.PublicKey{{7}, e.channel.Till}}
	good := croft.Quote{Service: s.ID(), Terms: s.Terms(), Request: croft.Hash{1}, Price: 9, Expires: 2}
	check := func(s croft.Service, q croft.Quote, scope croft.Scope, sign Sign) error {
		_, err := CheckQuote(e.scope, s, croft.Hash{1}, SealQuote(scope, q, sign))
		return err
	}
	if err := check(s, good, e.scope, e.till); err != nil {
		t.Fatal(err)
	}
	other := e.scope
	other.Chain = "croft-test-2"
	dearer := s
	dearer.Price.Most = 10
	for name, err := range map[string]error{
		"another key":      check(s, good, e.scope, e.payer),
		"another chain":    check(s, good, other, e.till),
		"another price":    check(dearer, good, e.scope, e.till),
		"another service":  check(s, croft.Quote{Service: croft.ServiceID{1}, Terms: good.Terms, Request: good.Request, Price: 1}, e.scope, e.till),
		"another request":  check(s, croft.Quote{Service: good.Service, Terms: good.Terms, Request: croft.Hash{2}, Price: 1}, e.scope, e.till),
		"more than it may": check(s, croft.Quote{Service: good.Service, Terms: good.Terms, Request: good.Request, Price: 10}, e.scope, e.till),
	} {
		if !errors.Is(err, croft.ErrQuote) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CheckQuote(e.scope, s, croft.Hash{1}, nil); !errors.Is(err, croft.ErrEncoding) {
		t.Error(err)
	}
}

// What a paid call costs the provider's processor: one check, one admission, one
// signed receipt.
func BenchmarkPaidCall(b *testing.B) {
	e := newEnds(croft.MaxCredits)
	p, till := NewPurse(e.channel), NewTill(e.channel)
	raws := make([][]byte, 1_000_000/50) // more than run in a second
	for i := range raws {
		v, err := p.Pay(call(0, 1), croft.MaxCredits)
		if err != nil {
			b.Fatal(err)
		}
		p.Drop(v.Number)
		raws[i] = SealVoucher(e.scope, v, e.payer)
	}
	i := 0
	for b.Loop() {
		if i == len(raws) {
			i, till = 0, NewTill(e.channel)
		}
		v, err := CheckVoucher(e.scope, e.channel, raws[i])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := till.Admit(v, call(0, 1)); err != nil {
			b.Fatal(err)
		}
		i++
		r, _, err := till.Finish(uint64(i), croft.Answered, croft.Hash{}, croft.Meter{}, 1)
		if err != nil {
			b.Fatal(err)
		}
		SealReceipt(e.scope, r, e.till)
	}
}
