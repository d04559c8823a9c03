package pay

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// play is a payer and a provider on one channel, over a network that loses, repeats
// and reorders, on disks that lose what was not synced, with crashes between any
// two lines. The model beside them knows the truth.
type play struct {
	*rapid.T
	ends
	most  croft.Credits // that the payer puts at risk
	purse *Purse
	saved []byte // the payer's disk
	till  *Till

	base    []byte   // the provider's disk: a snapshot,
	journal [][]byte // entries after it,
	durable int      // and how many of them are synced

	vouchers []message // on the wire for ever: any may arrive, any number of times
	receipts []croft.Receipt
	pending  []work                   // admitted, not yet begun
	began    map[croft.Hash]int       // how often work began on a request
	costs    map[uint64]croft.Credits // what calls cost by the till's last word
	owed     croft.Credits            // the highest that the payer ever signed
	got      croft.Credits            // Σ prices of answers that the payer has a receipt of
	written  croft.Credits            // what the provider's crashes made it give back although it had worked
	lost     croft.Credits            // what the payer gave up
	n        int

	tills, purses int // crashes
	admitted      int
	conceded      int
}

type message struct {
	v    croft.Voucher
	call Call
}

type work struct {
	number uint64
	entry  int // in the journal: it must be durable
	price  croft.Credits
}

// signed is a message as Check would return it; signatures have tests of their own.
func (p *play) signed(v croft.Voucher) Voucher {
	return Voucher{croft.SignedVoucher{Voucher: v}}
}

func (p *play) heard(r croft.Receipt) Receipt {
	return Receipt{croft.SignedReceipt{Receipt: r}}
}

func (p *play) pay() {
	p.n++
	c := call(p.n, croft.Credits(rapid.IntRange(0, 20).Draw(p.T, "price")))
	unseen := p.purse.unseen
	v, err := p.purse.Pay(c, p.most)
	if err != nil {
		return
	}
	if p.purses == 0 { // one that forgot promises anew what is on the wire already
		p.lost -= unseen - p.purse.unseen
	}
	p.owed = max(p.owed, v.Owed)
	p.vouchers = append(p.vouchers, message{v, c})
}

func (p *play) deliver(m message) {
	a, err := p.till.Admit(p.signed(m.v), m.call)
	if err != nil {
		return
	}
	if a.Receipt != nil {
		p.receipts = append(p.receipts, *a.Receipt)
	}
	if a.Entry != nil {
		p.admitted++
		p.journal = append(p.journal, a.Entry)
		p.pending = append(p.pending, work{m.v.Number, len(p.journal), m.v.Price})
	}
}

func (p *play) sync() { p.durable = len(p.journal) }

// serve begins and ends the work on a call whose entry is durable.
func (p *play) serve() {
	for i, w := range p.pending {
		if w.entry > p.durable {
			continue
		}
		p.pending = append(p.pending[:i:i], p.pending[i+1:]...)
		request := p.till.Calls[w.number].Request
		if p.began[request]++; p.began[request] > 1 {
			p.Fatalf("call %d was worked on twice", w.number)
		}
		outcome, cost := croft.Answered, croft.Credits(rapid.Uint64Range(0, uint64(w.price)).Draw(p.T, "cost"))
		if rapid.IntRange(0, 5).Draw(p.T, "fails") == 0 {
			outcome, cost = croft.Failed, 0
		}
		r, entry, err := p.till.Finish(w.number, outcome, croft.Hash{}, croft.Meter{}, cost)
		if err != nil || entry == nil {
			p.Fatalf("finish %d: %v", w.number, err)
		}
		p.costs[w.number] = cost
		p.journal = append(p.journal, entry)
		p.receipts = append(p.receipts, r)
		return
	}
}

func (p *play) take(r croft.Receipt) {
	if rapid.Bool().Draw(p.T, "unchecked") && p.purse.Concede(r) {
		p.conceded++
		p.got += r.Price
		p.saved = p.purse.Snapshot()
		return
	}
	if ends, err := p.purse.Take(p.heard(r)); err != nil {
		if p.purses == 0 { // a payer that crashed may hear of credit before it resumes
			p.Fatalf("an honest receipt: %v", err)
		}
	} else if ends {
		p.got += r.Price
	}
	p.saved = p.purse.Snapshot() // receipts are worth money
}

func (p *play) drop() {
	for n, c := range p.purse.Calls {
		p.purse.Drop(n)
		p.lost += c.Price
		p.saved = p.purse.Snapshot()
		return
	}
}

func (p *play) compact() {
	p.sync()
	p.base, p.journal, p.durable = p.till.Snapshot(), nil, 0
	for i := range p.pending {
		p.pending[i].entry = 0
	}
}

// crashTill loses what was not synced, or some of it.
func (p *play) crashTill() {
	p.tills++
	before := p.till.Earned()
	p.journal = p.journal[:rapid.IntRange(p.durable, len(p.journal)).Draw(p.T, "left")]
	credited, finished := p.till.Credited, p.costs
	till, err := LoadTill(p.channel, p.base, p.journal...)
	if err != nil {
		p.Fatal(err)
	}
	p.till, p.pending = till, nil
	failed, entry := till.Recover()
	for _, r := range failed {
		p.written += finished[r.Number]
		p.costs[r.Number] = 0
	}
	p.receipts = append(p.receipts, failed...)
	if entry != nil {
		p.journal = append(p.journal, entry)
		p.sync()
	}
	if till.Credited < credited {
		p.Fatalf("after a crash the till takes back credit: %d, it was %d", till.Credited, credited)
	}
	if till.Earned() > before {
		p.Fatalf("a crash earned %d credits", till.Earned()-before)
	}
}

// crashPurse loses the vouchers that were signed since the last receipt.
func (p *play) crashPurse() {
	p.purses++
	purse, err := LoadPurse(p.channel, p.saved)
	if err != nil {
		p.Fatal(err)
	}
	p.purse = purse
}

func (p *play) resume() {
	best, credit := p.till.State()
	var own *Voucher
	if best != nil {
		own = &Voucher{*best}
	}
	lost, err := p.purse.Resume(own, p.heard(credit))
	if err != nil && p.purses == 0 {
		p.Fatal(err)
	}
	p.lost += lost
	p.saved = p.purse.Snapshot()
}

// giveBack returns what was promised for calls that did not come.
func (p *play) giveBack() {
	r, entry := p.till.Return()
	if entry != nil {
		p.journal = append(p.journal, entry)
		p.sync()
	}
	p.receipts = append(p.receipts, r)
}

// check holds the promises at this moment.
func (p *play) check() {
	// The till would be believed by a ledger that has the deposit.
	if t := p.till; t.Credited > t.Spent || t.Spent > t.owed() || t.owed() > p.owed || t.owed()-t.Credited > p.channel.Deposit {
		p.Fatalf("till: owed %d of %d, spent %d, credited %d", t.owed(), p.owed, t.Spent, t.Credited)
	}
	// The provider vanishes with everything: it shows the highest voucher and hides
	// its receipts; the payer shows its own.
	credit := croft.Credits(0)
	if best := p.purse.Evidence(); best != nil {
		credit = best.Receipt.Credited
	}
	paid := Due(p.channel.Deposit, p.owed, credit, 0)
	if paid > p.got+p.lost+p.most {
		p.Fatalf("a provider that takes all gets %d, for answers worth %d; %d were given up and %d allowed to be at risk", paid, p.got, p.lost, p.most)
	}
	if p.purses == 0 && paid > p.got+p.lost+p.purse.AtRisk() {
		p.Fatalf("the payer says that %d are at risk; it would pay %d for %d", p.purse.AtRisk(), paid, p.got)
	}
	// The payer vanishes: it shows the highest credit that the till ever signed.
	worked := croft.Credits(0)
	for _, cost := range p.costs {
		worked += cost
	}
	if paid := Due(p.channel.Deposit, p.till.owed(), p.till.Credited, 0); paid < worked {
		p.Fatalf("a payer that shows the least pays %d for work worth %d", paid, worked)
	}
	if p.till.Earned() != worked {
		p.Fatalf("the till thinks that it earned %d, it was %d", p.till.Earned(), worked)
	}
}

func newPlay(t *rapid.T, most, deposit croft.Credits) *play {
	e := newEnds(deposit)
	p := &play{T: t, ends: e, most: most, purse: NewPurse(e.channel), till: NewTill(e.channel),
		began: map[croft.Hash]int{}, costs: map[uint64]croft.Credits{}}
	p.saved = p.purse.Snapshot()
	return p
}

// Three hundred plays take two seconds; -rapid.checks asks for more.
func init() { _ = flag.Set("rapid.checks", "300") }

// Whatever is lost, repeated, reordered and crashes: no call is worked on or charged
// twice, neither side can lose more than what is in flight, and once everything has
// arrived the payer pays what the answers cost, to the last millionth.
func TestCrashesAnywhere(t *testing.T) {
	t.Parallel()
	admitted, conceded, tills, purses, written := 0, 0, 0, 0, croft.Credits(0)
	rapid.Check(t, func(t *rapid.T) {
		p := newPlay(t, croft.Credits(rapid.IntRange(20, 100).Draw(t, "most")), croft.Credits(rapid.IntRange(50, 2_000).Draw(t, "deposit")))
		for range rapid.IntRange(50, 200).Draw(t, "steps") {
			// rapid draws small numbers most: what happens often comes first.
			switch step := rapid.IntRange(0, 99).Draw(t, "step"); {
			case step < 25:
				p.pay()
			case step < 45:
				if n := len(p.vouchers); n > 0 {
					p.deliver(p.vouchers[n-1-rapid.IntRange(0, min(n-1, 9)).Draw(t, "voucher")])
				}
			case step < 65:
				p.serve()
			case step < 75:
				p.sync()
			case step < 90:
				if n := len(p.receipts); n > 0 {
					p.take(p.receipts[n-1-rapid.IntRange(0, min(n-1, 9)).Draw(t, "receipt")])
				}
			case step < 92:
				p.resume()
			case step < 93:
				p.compact()
			case step < 94:
				p.giveBack()
			case step < 95:
				p.drop()
			case step < 98:
				p.crashTill()
			default:
				p.crashPurse()
				if rapid.Bool().Draw(t, "resumes") {
					p.resume()
				}
			}
			p.check()
		}
		// Everything that is on the wire arrives, everybody stays up.
		for _, m := range p.vouchers {
			p.deliver(m)
		}
		p.sync()
		for len(p.pending) > 0 {
			p.serve()
		}
		p.giveBack()
		p.resume()
		for _, r := range p.receipts {
			p.take(r)
		}
		p.check()
		worked := croft.Credits(0)
		for _, cost := range p.costs {
			worked += cost
		}
		if paid := Due(p.channel.Deposit, p.till.owed(), p.purse.Credited, 0); paid != worked {
			t.Fatalf("the payer pays %d for calls that cost %d", paid, worked)
		}
		admitted, conceded, tills, purses, written = admitted+p.admitted, conceded+p.conceded, tills+p.tills, purses+p.purses, written+p.written
	})
	t.Logf("%d calls admitted, %d ended by a receipt that nobody checked, %d crashes of tills, which cost them %d millionths, %d of purses", admitted, conceded, tills, written, purses)
	if !t.Failed() && (admitted < 1000 || conceded < 100 || tills < 100 || purses < 100 || written == 0) {
		t.Error("the test does not test much")
	}
}
