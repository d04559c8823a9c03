package ledger

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"croft"
	"croft/internal/pay"
)

var operations = flag.Int("money", 4_000, "how many random transactions to throw at the rules about money")

// bazaar is a network in which everybody trades, cheats and forgets at random. It
// knows of each channel what its ends ever signed.
type bazaar struct {
	*world
	rng      *rand.Rand
	channels []croft.ChannelID
	payer    map[croft.ChannelID]string
	till     map[croft.ChannelID]string
	owed     map[croft.ChannelID]croft.Credits // the highest that the payer signed
	credited map[croft.ChannelID]croft.Credits // the highest that the till signed
	last     map[croft.ChannelID]Channel       // a block ago
	sent     [][]byte
	everyone []string // members and guests

	count, refused, crashes int
	kinds                   map[Kind]int
}

// Whatever is thrown at the rules, with crashes before a block is durable: no credit
// appears or disappears, nobody pays more than was signed, whoever shows the best
// that was signed gets it, and what is refused leaves no trace.
func TestMoneyIsConserved(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	kinds := map[Kind]int{}
	count, refused, crashes, closed, paid := 0, 0, 0, 0, croft.Credits(0)
	for count < *operations { // several networks, since each is read in full after every block
		b := newBazaar(t, rng)
		for b.count < 1_500 && count+b.count < *operations {
			b.trade()
		}
		for _, id := range b.channels {
			if c := b.channel(id); c.Status == ChannelClosed {
				closed++
				paid += c.Paid
			}
		}
		for k, n := range b.kinds {
			kinds[k] += n
		}
		count, refused, crashes = count+b.count, refused+b.refused, crashes+b.crashes
	}
	t.Logf("%d transactions, %d refused, %d crashes; accepted by kind: %v; %d channels closed that paid %s credits", count, refused, crashes, kinds, closed, paid)
	for _, k := range []Kind{KindVote, KindTransfer, KindHost, KindPublish, KindOpen, KindTopup, KindClaim, KindClose, KindPost, KindSettle} {
		if kinds[k] == 0 {
			t.Errorf("no transaction of kind %d was ever accepted", k)
		}
	}
	if closed == 0 || paid == 0 || crashes == 0 {
		t.Error("the test does not test much")
	}
}

func newBazaar(t *testing.T, rng *rand.Rand) *bazaar {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	w.hosted("ada", "guy")
	w.hosted("ben", "gia")
	b := &bazaar{world: w, rng: rng, payer: map[croft.ChannelID]string{}, till: map[croft.ChannelID]string{}, owed: map[croft.ChannelID]croft.Credits{},
		credited: map[croft.ChannelID]croft.Credits{}, last: map[croft.ChannelID]Channel{}, everyone: []string{"ada", "ben", "cleo", "dina", "guy", "gia"}, kinds: map[Kind]int{}}
	for _, name := range b.everyone {
		w.mint(name, 10_000)
		w.must(name, &Publish{w.service(name, 2)})
	}
	return b
}

func (b *bazaar) one(of []string) string { return of[b.rng.IntN(len(of))] }

func (b *bazaar) odd() bool { return b.rng.IntN(12) == 0 }

func (b *bazaar) amount() croft.Credits {
	if b.odd() {
		return []croft.Credits{0, 1, 1 << 40, croft.MaxCredits, 1<<64 - 1}[b.rng.IntN(5)]
	}
	return croft.Credits(b.rng.IntN(500))
}

// trade makes a block of random transactions. Some blocks are run twice, since a
// crash came before the first run was durable.
func (b *bazaar) trade() {
	var txs [][]byte
	for range 1 + b.rng.IntN(20) {
		if raw := b.draw(); raw != nil {
			txs = append(txs, raw)
		}
	}
	b.now += []int64{1, 100, 5_000, 400_000, 4_000_000}[b.rng.IntN(5)]
	b.turn++
	block := Block{Height: b.m.Height() + 1, Time: b.now, Proposer: b.members[b.names[b.turn%len(b.names)]].Validator}
	out := b.m.Execute(block, txs)
	var held [][]byte
	for i, r := range out.Effects {
		if r.Err() == nil {
			tx, kind, _ := Parse(txs[i])
			b.kinds[kind]++
			b.took(tx)
			held = append(held, txs[i])
		}
	}
	b.count, b.refused = b.count+len(txs), b.refused+len(txs)-len(held)
	if b.rng.IntN(4) == 0 {
		b.crashes++
		if again := b.m.Execute(block, held); again.AppHash != out.AppHash {
			b.t.Fatalf("block %d without what was refused gives another state", block.Height)
		}
	}
	if err := b.m.Commit(); err != nil {
		b.t.Fatal(err)
	}
	if err := CheckInvariants(b.m.tree); err != nil {
		b.t.Fatalf("block %d: %v", block.Height, err)
	}
	b.check()
}

// took remembers the channels that were opened.
func (b *bazaar) took(tx Tx) {
	o, opens := tx.Body.(*Open)
	if !opens {
		return
	}
	for n, deposit := range o.Deposits {
		if id := ChannelIDOf(tx.ID, n); deposit > 0 && b.payer[id] == "" {
			b.channels = append(b.channels, id)
			for _, name := range b.everyone {
				if o.Payer == paymentPublic(name) {
					b.payer[id] = name
				}
				if b.service(name, 2).ID() == o.Service {
					b.till[id] = fmt.Sprint(name, n)
				}
			}
		}
	}
}

// check holds the promises about each channel against what its ends signed.
func (b *bazaar) check() {
	for _, id := range b.channels {
		c, last := b.channel(id), b.last[id]
		b.last[id] = c
		if c.Owed < last.Owed || c.Credited < last.Credited || c.Paid < last.Paid || c.Terms.Deposit < last.Terms.Deposit {
			b.t.Fatalf("channel %s: a number went down: %+v, it was %+v", id.Short(), c, last)
		}
		if c.Owed > b.owed[id] || c.Credited > b.credited[id] || c.Paid > b.owed[id] {
			b.t.Fatalf("channel %s: %d owed, %d credited, %d paid; signed were %d and %d", id.Short(), c.Owed, c.Credited, c.Paid, b.owed[id], b.credited[id])
		}
		if best := pay.Due(c.Terms.Deposit, c.Owed, c.Credited, 0); c.Status == ChannelClosed && c.Paid < best {
			b.t.Fatalf("channel %s paid %d, shown were %d", id.Short(), c.Paid, best)
		}
	}
}

// position signs something about a channel: mostly the truth or an older one.
func (b *bazaar) position(id croft.ChannelID) Position {
	older := func(n croft.Credits) croft.Credits {
		if b.rng.IntN(2) == 0 {
			return n
		}
		return croft.Credits(b.rng.Uint64N(uint64(n) + 1))
	}
	at := Position{Channel: id}
	if b.rng.IntN(4) > 0 {
		at.Voucher = b.owes(id, b.payer[id], older(b.owed[id])).Voucher
	}
	if b.rng.IntN(4) > 0 {
		at.Receipt = b.world.credits(id, b.till[id], older(b.credited[id])).Receipt
	}
	if b.odd() && at.Voucher != nil { // forged
		at.Voucher.Voucher.Owed++
	}
	return at
}

// draw makes one transaction, or only a voucher or receipt.
func (b *bazaar) draw() []byte {
	by := b.one(b.everyone)
	if len(b.sent) > 0 && b.odd() { // an old one again, perhaps spoilt
		raw := slices.Clone(b.sent[b.rng.IntN(len(b.sent))])
		if b.rng.IntN(3) == 0 {
			raw[b.rng.IntN(len(raw))] ^= 1 << b.rng.IntN(8)
		}
		return raw
	}
	b.nonce++
	body := b.body(by)
	raw, sealed := body.([]byte)
	if !sealed {
		raw = b.seal(by, body)
	}
	b.sent = append(b.sent, raw)
	return raw
}

func (b *bazaar) body(by string) any {
	if len(b.channels) > 0 {
		id := b.channels[b.rng.IntN(len(b.channels))]
		if b.rng.IntN(3) > 0 { // calls are made
			b.owed[id] += croft.Credits(b.rng.IntN(40))
			b.credited[id] += croft.Credits(b.rng.Uint64N(uint64(b.owed[id]-b.credited[id])/2 + 1))
		}
		party := map[croft.MemberID]string{}
		for _, name := range b.everyone {
			party[b.id(name)] = name
		}
		c := b.channel(id)
		funder, payee := party[c.Terms.Funder], party[c.Terms.Payee]
		right := func(name string) string {
			if b.odd() {
				return by
			}
			return name
		}
		switch b.rng.IntN(12) {
		case 0, 1:
			return b.by(right(payee), &Claim{[]Position{b.position(id)}})
		case 2:
			return b.by(right(payee), &Close{[]Position{b.position(id)}})
		case 3:
			at := b.position(id)
			if due := pay.Due(c.Terms.Deposit, c.Owed, c.Credited, c.Paid); b.rng.IntN(2) == 0 {
				at = Position{Channel: id, Due: &due}
			}
			return b.by(right(funder), &Close{[]Position{at}})
		case 4, 5:
			return &Post{[]Position{b.position(id), b.position(b.channels[b.rng.IntN(len(b.channels))])}}
		case 6, 7:
			return &Settle{[]croft.ChannelID{id}}
		case 8:
			return &Topup{id, c.Terms.Deposit + b.amount()}
		}
	}
	switch b.rng.IntN(10) {
	case 0, 1, 2, 3:
		deposits := []croft.Credits{b.amount(), 0, 0}[:1+b.rng.IntN(3)]
		if len(deposits) > 1 {
			deposits[1] = b.amount()
		}
		return &Open{b.service(b.one(b.everyone), 2).ID(), paymentPublic(b.one(b.everyone)), uint32(60 + b.rng.IntN(4000)), deposits}
	case 4, 5, 6:
		t := b.transfer(by, b.one(b.everyone), b.amount())
		if b.odd() {
			t.Sequence += uint64(b.rng.IntN(3))
		}
		return t
	case 7:
		v := b.service(by, 2)
		old, _ := decodeRecord[croft.Service](b.m.Get(ServiceKey(v.ID())))
		v.Version, v.Withdrawn = old.Version+1, !old.Withdrawn && b.rng.IntN(3) == 0
		return &Publish{v}
	case 8:
		guest := b.one([]string{"guy", "gia"})
		old, _ := decodeRecord[Guest](b.m.Get(GuestKey(b.id(guest))))
		return b.by(b.one(b.names), &Host{Key: b.members[guest].Key, Name: guest, Version: old.Version + 1, Gone: b.rng.IntN(4) == 0})
	}
	name := b.one(b.names)
	last, _ := decodeRecord[uint64](b.m.Get(SequenceKey(b.id(name))))
	n := b.supply().Decisions + 1
	v := &Vote{Action: Mint, Sequence: last + 1, Issue: &Issue{n, b.id(b.everyone[n%6]), croft.Credits(n%7) * 100}}
	if n%3 == 0 {
		v.Action = Burn
	}
	if b.odd() {
		v.Issue.Amount = b.amount()
	}
	if b.odd() {
		v = &Vote{Action: []Action{StopAll, Resume}[b.rng.IntN(2)], Sequence: last + 1}
	}
	return b.by(name, v)
}

// by seals what somebody in particular sends.
func (b *bazaar) by(name string, body any) []byte { return b.seal(name, body) }
