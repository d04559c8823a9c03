package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/pay"
)

// paymentKey returns the payment key of a name.
func paymentKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("payment " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func paymentPublic(name string) croft.PublicKey {
	return croft.PublicKey(paymentKey(name).Public().(ed25519.PublicKey))
}

func paymentSigner(name string) pay.Sign {
	return func(scope croft.Scope, domain string, body []byte) croft.Signature {
		return croft.Signature(ed25519.Sign(paymentKey(name), scope.Preimage(domain, body)))
	}
}

// votes lets more than half of the members vote for something.
func (w *world) votes(v Vote) {
	w.t.Helper()
	for _, name := range w.names[:Majority(len(w.names))] {
		last, _ := decodeRecord[uint64](w.m.Get(SequenceKey(w.id(name))))
		v.Sequence = last + 1
		w.must(name, &v)
	}
}

func (w *world) mint(name string, amount croft.Credits) {
	w.t.Helper()
	w.votes(Vote{Action: Mint, Issue: &Issue{w.supply().Decisions + 1, w.id(name), amount}})
}

func (w *world) supply() Supply {
	s, _ := decodeRecord[Supply](w.m.Get(SupplyKey))
	return s
}

func (w *world) free(name string) croft.Credits { return w.account(name).Free }

func (w *world) account(name string) Account {
	a, _ := decodeRecord[Account](w.m.Get(AccountKey(w.id(name))))
	return a
}

func (w *world) transfer(from, to string, amount croft.Credits) *Transfer {
	return &Transfer{w.id(to), amount, w.account(from).Sequence + 1}
}

// hosted lets a guest in.
func (w *world) hosted(host, name string) {
	w.t.Helper()
	m := w.keep(name)
	w.keys[name] = [3]ed25519.PrivateKey{w.keys[name][0], w.keys[name][0], w.keys[name][0]}
	w.must(host, &Host{Key: m.Key, Name: name, Version: 1})
}

// service describes a service with so many tills.
func (w *world) service(provider string, tills int) croft.Service {
	v := croft.Service{Provider: w.id(provider), Name: "risk", Version: 1, Task: "predict", Use: croft.UseMarket,
		Price: croft.Price{Call: 10, Most: 10}}
	for n := range tills {
		v.Tills = append(v.Tills, paymentPublic(fmt.Sprint(provider, n)))
	}
	return v
}

// opens publishes a provider's service if it is not, and opens a channel to each
// of its tills that is given a deposit.
func (w *world) opens(funder, provider string, deposits ...croft.Credits) (out []croft.ChannelID) {
	w.t.Helper()
	v := w.service(provider, len(deposits))
	if w.m.Get(ServiceKey(v.ID())) == nil {
		w.must(provider, &Publish{v})
	}
	w.nonce++
	tx := w.must(funder, &Open{v.ID(), paymentPublic(funder), 3600, deposits})
	for n := range deposits {
		out = append(out, ChannelIDOf(tx, n))
	}
	return out
}

func (w *world) channel(id croft.ChannelID) Channel {
	c, _ := decodeRecord[Channel](w.m.Get(ChannelKey(id)))
	return c
}

// owes is a position in which the payer owes so much.
func (w *world) owes(id croft.ChannelID, payer string, owed croft.Credits) Position {
	return w.owesIn(w.m.Scope(), id, payer, owed)
}

func (w *world) owesIn(scope croft.Scope, id croft.ChannelID, payer string, owed croft.Credits) Position {
	v := croft.Voucher{Channel: id, Number: 1, Owed: owed}
	return Position{Channel: id, Voucher: &croft.SignedVoucher{Voucher: v, Signature: paymentSigner(payer)(scope, croft.VoucherDomain, croft.Encode(v))}}
}

// credits is a position in which a provider's first till gave so much back.
func (w *world) credits(id croft.ChannelID, till string, credited croft.Credits) Position {
	r := croft.Receipt{Channel: id, Credited: credited}
	return Position{Channel: id, Receipt: &croft.SignedReceipt{Receipt: r, Signature: paymentSigner(till)(w.m.Scope(), croft.ReceiptDomain, croft.Encode(r))}}
}

func (w *world) has(what string, got, want croft.Credits) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// settles lets a channel's window pass and settles it.
func (w *world) settles(by string, id croft.ChannelID) {
	w.t.Helper()
	w.block(3_600_001)
	w.nonce++
	w.must(by, &Settle{[]croft.ChannelID{id}})
	for range len(w.names) { // as many proposers as the rule wants to hear of
		w.block(10)
	}
}

func TestCreditsAreIssuedByVote(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	ask := func(n uint64, amount croft.Credits) Vote {
		return Vote{Action: Mint, Issue: &Issue{n, w.id("ada"), amount}, Sequence: 1}
	}
	mint := ask(1, 500)
	w.must("ada", &mint)
	w.must("ben", &mint)
	w.has("after two votes of five", w.free("ada"), 0)
	if b, _, err := Decode[Ballot](w.m.Get(BallotKey(mint))); err != nil || len(b.Yes) != 2 || b.Supply == nil || *b.Supply != (SupplyQuestion{Mint, *mint.Issue}) {
		t.Errorf("nobody can see what is asked: %+v %v", b, err)
	}
	w.must("cleo", &mint)
	w.has("after three", w.free("ada"), 500)
	if b, _, err := Decode[Ballot](w.m.Get(BallotKey(mint))); err != nil || b.Supply != nil {
		t.Errorf("an answered question is still open: %+v %v", b, err)
	}
	// A late vote does not begin the same question anew.
	w.refused(croft.ErrTxOrder, "dina", &mint)
	next := ask(3, 500)
	w.refused(croft.ErrTxOrder, "dina", &next)
	none := ask(2, 0)
	w.refused(croft.ErrTxRights, "dina", &none)
	most := ask(2, croft.MaxCredits)
	w.refused(croft.ErrTxCredits, "dina", &most)
	stranger := ask(2, 1)
	stranger.Issue.Account = croft.MemberID{9}
	w.refused(croft.ErrTxUnknown, "dina", &stranger)
	w.refused(croft.ErrTxRights, "dina", &Vote{Action: Mint, Sequence: 1})
	// One question has one ballot, and only a question on the supply looks like one.
	good := Issue{2, w.id("ada"), 1}
	for _, v := range []Vote{{Action: Mint, Issue: &good, Subject: w.id("ada")}, {Action: Burn, Issue: &good, Newcomer: new(croft.Member)},
		{Action: Revoke, Subject: w.id("ada"), Issue: &good}, {Action: Resume, Issue: &good}, {Action: StopAll, Subject: w.id("ada")}} {
		v.Sequence = 1
		w.refused(croft.ErrTxRights, "dina", &v)
	}
	w.refused(croft.ErrTxCredits, "dina", &Vote{Action: Burn, Issue: &Issue{2, w.id("ada"), 501}, Sequence: 1})
	w.votes(Vote{Action: Burn, Issue: &Issue{2, w.id("ada"), 200}})
	w.has("after a burn", w.free("ada"), 300)
	if s := w.supply(); s.Issued != 300 || s.Decisions != 2 {
		t.Errorf("%+v", s)
	}
}

func TestTransfers(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.mint("ada", 100)
	w.must("ada", w.transfer("ada", "ben", 30))
	raw := w.seal("ada", w.transfer("ada", "ben", 30))
	w.block(100, raw)
	w.has("ben", w.free("ben"), 60)
	if r := w.block(100, raw).Effects[0]; r.Code != croft.ErrTxOrder {
		t.Errorf("the same bytes again: %+v", r)
	}
	w.refused(croft.ErrTxCredits, "ada", w.transfer("ada", "ben", 41))
	w.refused(croft.ErrTxUnknown, "ada", &Transfer{croft.MemberID{9}, 1, 3})
	w.refused(croft.ErrTxOrder, "ada", &Transfer{w.id("ben"), 1, 5})
	// What was refused for want of credits can come back, until its number is used.
	w.must("ada", w.transfer("ada", "ada", 0))
	w.must("ben", w.transfer("ben", "ada", 60))
	w.refused(croft.ErrTxOrder, "ada", &Transfer{w.id("ben"), 41, 3})
	w.has("ada", w.free("ada"), 100)
}

func TestGuests(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.mint("ben", 1_000)
	w.hosted("ada", "guy")
	g := w.members["guy"]

	// A guest sells to a member, and is paid.
	id := w.opens("ben", "guy", 100)[0]
	w.must("guy", &Close{[]Position{w.owes(id, "ben", 40)}})
	due := croft.Credits(40)
	w.must("ben", &Close{[]Position{{Channel: id, Due: &due}}})
	w.has("the guest", w.free("guy"), 40)
	w.must("guy", w.transfer("guy", "cleo", 15))

	// What is for members, is not for it.
	w.refused(croft.ErrTxRights, "guy", &Vote{Action: StopAll, Sequence: 1})
	w.refused(croft.ErrTxRights, "guy", &Register{Name: "x", Group: croft.Sum([]byte("x"))})
	w.refused(croft.ErrTxRights, "guy", &Ready{})
	w.refused(croft.ErrTxRights, "guy", &Host{Key: paymentPublic("x"), Name: "x", Version: 1})

	// Its host answers for it; who else wants to has to wait.
	if _, by, err := w.m.Check(w.seal("guy", w.transfer("guy", "cleo", 1))); err != nil || by != w.id("ada") {
		t.Errorf("%s answers, %v", by.Short(), err)
	}
	w.refused(croft.ErrTxRights, "ben", &Host{Key: g.Key, Name: "guy", Version: 2})
	w.refused(croft.ErrTxOrder, "ada", &Host{Key: g.Key, Name: "guy", Version: 3})
	w.refused(croft.ErrTxDuplicate, "ada", &Host{Key: g.Key, Name: "ben", Version: 2})
	w.refused(croft.ErrTxDuplicate, "ada", &Host{Key: w.members["ben"].Node, Name: "spy", Version: 1})
	w.refused(croft.ErrTxRights, "ada", &Host{Key: paymentPublic("x"), Name: "", Version: 1})
	w.refused(croft.ErrTxUnknown, "ada", &Host{Key: paymentPublic("x"), Name: "x", Version: 1, Gone: true})

	t.Run("quotas", func(t *testing.T) {
		w := w.copy(t)
		w.must("ben", w.transfer("ben", "guy", 100))
		for i := range guestQuota.services - 1 {
			v := w.service("guy", 1)
			v.Name = fmt.Sprint("service ", i)
			w.must("guy", &Publish{v})
		}
		v := w.service("guy", 1)
		v.Name = "one more"
		w.refused(croft.ErrTxService, "guy", &Publish{v})
		v = w.service("guy", 1)
		v.Version, v.Withdrawn = 2, true
		w.must("guy", &Publish{v})
		v.Version, v.Withdrawn = 3, false
		w.must("guy", &Publish{v})

		for range guestQuota.channels {
			w.opens("guy", "cleo", 1)
		}
		w.nonce++
		w.refused(croft.ErrTxChannel, "guy", &Open{w.service("cleo", 1).ID(), paymentPublic("guy"), 3600, []croft.Credits{1}})
	})
	t.Run("sent away", func(t *testing.T) {
		w := w.copy(t)
		w.must("ada", &Host{Key: g.Key, Name: "guy", Version: 2, Gone: true})
		w.refused(croft.ErrTxRights, "guy", w.transfer("guy", "cleo", 1))
		w.refused(croft.ErrTxOrder, "ada", &Host{Key: g.Key, Name: "guy", Version: 1}) // the old one again
		w.must("ben", &Host{Key: g.Key, Name: "guy", Version: 3})
		w.must("guy", w.transfer("guy", "cleo", 1))
		if w.account("ada").Hosts != 0 || w.account("ben").Hosts != 1 {
			t.Error("the guest is counted at the wrong host")
		}
	})
	t.Run("the host leaves", func(t *testing.T) {
		w := w.copy(t)
		w.votes(Vote{Action: Revoke, Subject: w.id("ada")})
		w.names = w.names[1:]
		w.refused(croft.ErrTxRights, "guy", w.transfer("guy", "cleo", 1))
		w.must("ben", &Host{Key: g.Key, Name: "guy", Version: 2})
		w.must("guy", w.transfer("guy", "cleo", 1))
	})
}

func TestServices(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	v := w.service("ada", 2)
	w.must("ada", &Publish{v})
	first := w.seal("ada", &Publish{v})
	if r := w.block(100, first).Effects[0]; r.Code != 0 {
		t.Errorf("the same again: %+v", r)
	}
	v.Version, v.Price = 2, croft.Price{Call: 20, Most: 20}
	w.must("ada", &Publish{v})
	if r := w.block(100, first).Effects[0]; r.Code != croft.ErrTxOrder {
		t.Errorf("the old price again: %+v", r)
	}
	w.refused(croft.ErrTxRights, "ben", &Publish{v})
	if w.account("ada").Offers != 1 {
		t.Error("a changed service is another one")
	}
	for name, change := range map[string]func(*croft.Service){
		"no name":               func(v *croft.Service) { v.Name = "" },
		"no word":               func(v *croft.Service) { v.Task = "two words" },
		"a long description":    func(v *croft.Service) { v.Description = strings.Repeat("x", 1001) },
		"a hidden description":  func(v *croft.Service) { v.Description = "a\u202eb" },
		"a call above the most": func(v *croft.Service) { v.Price.Most = 9 },
		"too dear":              func(v *croft.Service) { v.Price.Most = croft.MaxCredits + 1 },
		"two sorts of price":    func(v *croft.Service) { v.Price.Quoted = true },
		"a quote without end":   func(v *croft.Service) { v.Price = croft.Price{Quoted: true} },
		"a model by quote":      func(v *croft.Service) { v.Price, v.Model = croft.Price{Quoted: true, Most: 5}, croft.StudyID{1} },
		"no till":               func(v *croft.Service) { v.Tills = nil },
		"a till twice":          func(v *croft.Service) { v.Tills = append(v.Tills, v.Tills[0]) },
		"a till without key":    func(v *croft.Service) { v.Tills = append(v.Tills, croft.PublicKey{}) },
		"nobody's use":          func(v *croft.Service) { v.Use = "" },
		"members of no study":   func(v *croft.Service) { v.Use = croft.UseMembers },
	} {
		bad := w.service("ada", 2)
		bad.Name, bad.Price.Most = "new", 10
		change(&bad)
		before := w.m.AppHash()
		if _, err := w.do("ada", &Publish{bad}); !errors.Is(err, croft.ErrTxService) || w.m.AppHash() != before {
			t.Errorf("%s: %v", name, err)
		}
	}
	v.Version, v.Withdrawn = 3, true
	w.must("ada", &Publish{v})
	w.mint("ben", 100)
	w.refused(croft.ErrTxChannel, "ben", &Open{v.ID(), paymentPublic("ben"), 3600, []croft.Credits{1}})
}

// Whoever serves a study's model offers it to nobody whom its sites did not agree to.
func TestUseOfAModel(t *testing.T) {
	for use, allowed := range map[croft.Use][]croft.Use{
		croft.UseMembers: {croft.UseMembers},
		croft.UseNetwork: {croft.UseMembers, croft.UseNetwork},
		croft.UseMarket:  {croft.UseMembers, croft.UseNetwork, croft.UseMarket},
		croft.UsePublic:  {croft.UseMembers, croft.UseNetwork, croft.UseMarket, croft.UsePublic},
	} {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		w.hosted("ada", "guy")
		sites := w.names[:3]
		plan := w.plan(sites...)
		plan.Use = use
		id := w.open(plan, w.register(9, sites...), sites...)
		w.play(id, 0, true, sites...)
		for _, as := range []croft.Use{croft.UseMembers, croft.UseNetwork, croft.UseMarket, croft.UsePublic} {
			v := w.service("ada", 1)
			v.Name, v.Model, v.Use = string(as), id, as
			if croft.Use("").Covers(as) || !as.Covers(as) {
				t.Error("Covers is no order")
			}
			if has(allowed, as) {
				w.must("ada", &Publish{v})
				continue
			}
			_, err := w.do("ada", &Publish{v})
			if !errors.Is(err, croft.ErrUse) || !strings.Contains(croft.Next(croft.E(croft.ErrUse, use, as, "ada, ben, cleo")), "ada, ben, cleo") ||
				croft.ErrUse.Kind().Exit() != 6 {
				t.Errorf("a model for %s offered to %s: %v", use, as, err)
			}
		}
		// Who is not of the study does not have its model.
		for name, may := range map[string]bool{"dina": use != croft.UseMembers, "guy": use == croft.UseMarket || use == croft.UsePublic} {
			v := w.service(name, 1)
			v.Model, v.Use = id, use
			if _, err := w.do(name, &Publish{v}); (err == nil) != may {
				t.Errorf("a model for %s, offered by %s: %v", use, name, err)
			}
		}
		// And a service for members is called by them only.
		w.mint("dina", 10)
		w.must("dina", w.transfer("dina", "guy", 5))
		v := w.service("ada", 1)
		v.Name = string(croft.UseMembers)
		for name, may := range map[string]bool{"ben": true, "dina": use != croft.UseMembers, "guy": use == croft.UseMarket || use == croft.UsePublic} {
			w.nonce++
			_, err := w.do(name, &Open{v.ID(), paymentPublic(name), 3600, []croft.Credits{1}})
			if errors.Is(err, croft.ErrTxRights) == may {
				t.Errorf("a service for members of a study for %s, opened by %s: %v", use, name, err)
			}
		}
	}
	w := newWorld(t, "ada", "ben", "cleo")
	v := w.service("ada", 1)
	v.Model = croft.StudyID{1}
	w.refused(croft.ErrTxUnknown, "ada", &Publish{v})
}

// From deposit to settlement, with nobody cheating.
func TestChannelLife(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.mint("ada", 1_000)
	ids := w.opens("ada", "ben", 100, 0, 50) // of three replicas two are given a deposit
	w.has("free while 150 are locked", w.free("ada"), 850)
	if w.channel(ids[1]).Status != 0 || w.account("ada").Funds != 2 || w.account("ben").Channels != 2 {
		t.Errorf("%+v", w.account("ada"))
	}
	first, third := ids[0], ids[2]
	if at, _ := decodeRecord[croft.ChannelID](w.m.Get(ChannelAtKey(w.id("ben"), 1))); at != third {
		t.Error("the provider does not find its channel")
	}

	// A claim pays what is due and the channel stays open; the payer's receipt, which
	// a third member posts, lowers it.
	w.must("ben", &Claim{[]Position{w.owes(first, "ada", 60)}})
	if c := w.channel(first); c.Status != ChannelClaimed || c.Until < w.now+3_000_000 {
		t.Errorf("%+v", c)
	}
	w.must("cleo", &Post{[]Position{w.credits(first, "ben0", 20)}})
	w.must("ada", &Topup{first, 120})
	w.settles("cleo", first)
	w.has("the provider", w.free("ben"), 40)
	if c := w.channel(first); c.Status != ChannelOpen || c.Paid != 40 || c.Until != 0 {
		t.Errorf("%+v", c)
	}
	w.must("ben", &Claim{[]Position{w.owes(first, "ada", 60)}}) // nothing new
	if c := w.channel(first); c.Status != ChannelOpen {
		t.Errorf("%+v", c)
	}

	// Both want the end, and agree on what is due: it is there at once.
	due := []croft.Credits{80, 7}
	agreed := []Position{{Channel: first, Due: &due[0]}, w.credits(third, "ben2", 3)}
	agreed[1].Due = &due[1]
	w.nonce++
	early := w.seal("ada", &Close{agreed})
	t.Run("the funder's word before the payee's", func(t *testing.T) {
		w := w.copy(t)
		w.block(10, early)
		w.must("ben", &Close{[]Position{w.owes(first, "ada", 100), w.owes(third, "ada", 10)}})
		if w.channel(first).Status != ChannelClosing {
			t.Error("it was taken for the last")
		}
	})
	w.must("ben", &Close{[]Position{w.owes(first, "ada", 100), w.owes(third, "ada", 10)}})
	w.has("not yet", w.free("ben"), 40)
	w.must("ada", &Close{[]Position{{Channel: first}, {Channel: third, Due: &due[1]}}})
	if w.channel(first).Status != ChannelClosing || w.channel(third).Status != ChannelClosing {
		t.Error("closed without the funder's word, or with another amount than is due")
	}
	w.block(10, early)
	w.has("the provider", w.free("ben"), 80+7)
	w.has("the funder", w.free("ada"), 1_000-80-7)
	if w.channel(first).Status != ChannelClosed || w.account("ada").Funds != 0 {
		t.Error("not closed")
	}
	// What has ended has ended.
	hash := w.m.AppHash()
	w.nonce++
	w.must("ben", &Close{[]Position{w.owes(first, "ada", 120)}})
	w.must("ben", &Post{[]Position{w.owes(first, "ada", 120)}})
	w.must("ben", &Claim{[]Position{w.owes(first, "ada", 120)}})
	w.must("ben", &Settle{[]croft.ChannelID{first}})
	if w.m.AppHash() != hash {
		t.Error("a closed channel changed")
	}
	w.refused(croft.ErrTxChannel, "ada", &Topup{first, 1_000})
}

func TestOpeningIsRefused(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.mint("ada", 100)
	w.must("ben", &Publish{w.service("ben", 2)})
	v, payer := w.service("ben", 2).ID(), paymentPublic("ada")
	d := func(d ...croft.Credits) []croft.Credits { return d }
	for name, c := range map[string]struct {
		open Open
		want croft.Code
	}{
		"an unknown service":        {Open{croft.ServiceID{1}, payer, 3600, d(1)}, croft.ErrTxUnknown},
		"no deposit":                {Open{v, payer, 3600, nil}, croft.ErrTxChannel},
		"deposits of nothing":       {Open{v, payer, 3600, d(0, 0)}, croft.ErrTxChannel},
		"more tills than there are": {Open{v, payer, 3600, d(1, 1, 1)}, croft.ErrTxChannel},
		"a short window":            {Open{v, payer, 59, d(1)}, croft.ErrTxChannel},
		"a long window":             {Open{v, payer, maxWindow + 1, d(1)}, croft.ErrTxChannel},
		"no payer":                  {Open{v, croft.PublicKey{}, 3600, d(1)}, croft.ErrTxChannel},
		"the till as its payer":     {Open{v, paymentPublic("ben1"), 3600, d(1)}, croft.ErrTxChannel},
		"more than is free":         {Open{v, payer, 3600, d(60, 41)}, croft.ErrTxCredits},
		"all there could be":        {Open{v, payer, 3600, d(1<<64 - 1)}, croft.ErrTxCredits},
		"twice all there could be":  {Open{v, payer, 3600, d(1<<63, 1<<63)}, croft.ErrTxCredits},
	} {
		before := w.m.AppHash()
		if _, err := w.do("ada", &c.open); !errors.Is(err, c.want) || w.m.AppHash() != before {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.mint("ben", 10)
	w.refused(croft.ErrTxChannel, "ben", &Open{v, payer, 3600, d(1)})
	raw := w.seal("ada", &Open{v, payer, 3600, d(10)})
	for range 2 { // the same bytes twice open one channel
		if r := w.block(10, raw).Effects[0]; r.Code != 0 {
			t.Error(r)
		}
	}
	w.has("free", w.free("ada"), 90)
	w.refused(croft.ErrTxCredits, "ada", &Topup{ChannelIDOf(croft.Sum(raw), 0), 101})
	w.refused(croft.ErrTxUnknown, "ada", &Topup{croft.ChannelID{1}, 5})
}

// A sponsor opens for somebody who is no member: that one's key pays, what is left
// returns to the sponsor, and whoever the user asks can speak for it.
func TestSponsor(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.mint("ada", 100)
	w.must("ben", &Publish{w.service("ben", 1)})
	id := ChannelIDOf(w.must("ada", &Open{w.service("ben", 1).ID(), paymentPublic("a patient"), 3600, []croft.Credits{50}}), 0)
	w.refused(croft.ErrTxChannel, "ben", &Close{[]Position{w.owes(id, "ada", 50)}}) // the sponsor's key is not the payer's
	w.must("ben", &Close{[]Position{w.owes(id, "a patient", 30)}})
	w.must("cleo", &Post{[]Position{w.credits(id, "ben0", 5)}})
	w.settles("cleo", id)
	w.has("the provider", w.free("ben"), 25)
	w.has("the sponsor", w.free("ada"), 75)
}

// Each cheat that somebody could try on the ledger, and what comes of it. Before
// each, ada has 900 free and 100 in a channel to ben; she signed vouchers over 10,
// 20, … 80 credits, and ben's till gave back 5 and then 15.
func TestCheats(t *testing.T) {
	begin := func(t *testing.T) (*world, croft.ChannelID) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		w.mint("ada", 1_000)
		return w, w.opens("ada", "ben", 100)[0]
	}
	end := func(w *world, id croft.ChannelID, paid croft.Credits) {
		w.t.Helper()
		w.settles("cleo", id)
		if c := w.channel(id); c.Status != ChannelClosed {
			w.t.Errorf("%v", c.Status)
		}
		w.has("the provider has", w.free("ben"), paid)
		w.has("the funder has", w.free("ada"), 1_000-paid)
	}
	t.Run("the payer shows an old voucher", func(t *testing.T) {
		w, id := begin(t)
		w.must("ada", &Close{[]Position{w.owes(id, "ada", 10)}})
		w.must("ben", &Post{[]Position{w.owes(id, "ada", 80)}})
		w.must("ben", &Post{[]Position{w.owes(id, "ada", 70)}}) // and older ones change nothing
		end(w, id, 80)
	})
	t.Run("the funder says that nothing is due", func(t *testing.T) {
		w, id := begin(t)
		nothing := croft.Credits(0)
		w.must("ada", &Close{[]Position{{Channel: id, Due: &nothing}}})
		w.refused(croft.ErrTxChannel, "cleo", &Topup{id, 200})
		w.must("ben", &Close{[]Position{w.owes(id, "ada", 80)}})
		w.nonce++
		w.must("ada", &Close{[]Position{{Channel: id, Due: &nothing}}})
		if c := w.channel(id); c.Status != ChannelClosing {
			t.Errorf("%v", c.Status)
		}
		end(w, id, 80)
	})
	t.Run("the payer shows no voucher, a watcher does", func(t *testing.T) {
		w, id := begin(t)
		w.must("ada", &Close{[]Position{w.credits(id, "ben0", 15)}})
		w.must("dina", &Post{[]Position{w.owes(id, "ada", 80)}})
		end(w, id, 65)
	})
	t.Run("the provider hides what it gave back", func(t *testing.T) {
		w, id := begin(t)
		w.must("ben", &Close{[]Position{w.owes(id, "ada", 80)}})
		w.must("ada", &Post{[]Position{w.credits(id, "ben0", 15)}})
		end(w, id, 65)
	})
	t.Run("the provider shows an old receipt", func(t *testing.T) {
		w, id := begin(t)
		old := w.owes(id, "ada", 80)
		old.Receipt = w.credits(id, "ben0", 5).Receipt
		w.must("ben", &Close{[]Position{old}})
		w.must("dina", &Post{[]Position{w.credits(id, "ben0", 15)}})
		w.nonce++
		w.must("ben", &Close{[]Position{old}})
		end(w, id, 65)
	})
	t.Run("serve and deny: the payer says nothing more", func(t *testing.T) {
		w, id := begin(t)
		w.must("ben", &Close{[]Position{w.owes(id, "ada", 80)}})
		end(w, id, 80)
	})
	t.Run("pay and deny: the provider takes a call's price and says nothing more", func(t *testing.T) {
		// It gets the one price that was in flight; the rest comes back without it.
		w, id := begin(t)
		c := w.channel(id).Terms
		p := pay.NewPurse(c)
		v, err := p.Pay(pay.Call{Price: 10}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Pay(pay.Call{Price: 10}, 10); !errors.Is(err, croft.ErrInFlight) {
			t.Errorf("a second call is paid before the first is answered: %v", err)
		}
		var signed croft.SignedVoucher
		if err := croft.Decode(pay.SealVoucher(w.m.Scope(), v, paymentSigner("ada")), &signed); err != nil {
			t.Fatal(err)
		}
		w.must("ada", &Close{[]Position{{Channel: id}}})
		w.must("ben", &Post{[]Position{{Channel: id, Voucher: &signed}}})
		end(w, id, 10)
	})
	t.Run("the provider vanishes", func(t *testing.T) {
		w, id := begin(t)
		w.must("ada", &Close{[]Position{{Channel: id}}})
		end(w, id, 0)
	})
	t.Run("double spending", func(t *testing.T) {
		w, id := begin(t)
		w.refused(croft.ErrTxCredits, "ada", w.transfer("ada", "cleo", 901))
		w.must("cleo", &Publish{w.service("cleo", 1)})
		w.refused(croft.ErrTxCredits, "ada", &Open{w.service("cleo", 1).ID(), paymentPublic("ada"), 3600, []croft.Credits{901}})
		other := w.opens("ada", "cleo", 100)[0]
		w.must("cleo", &Close{[]Position{w.owes(other, "ada", 100)}})
		w.must("ben", &Close{[]Position{w.owes(id, "ada", 100)}}) // each has its own deposit
		w.settles("dina", other)
		w.settles("dina", id)
		w.has("ben", w.free("ben"), 100)
		w.has("cleo", w.free("cleo"), 100)
	})
	t.Run("more promised than there is", func(t *testing.T) {
		w, id := begin(t)
		w.must("ben", &Close{[]Position{w.owes(id, "ada", 1<<64-1)}})
		end(w, id, 100)
	})
	t.Run("more given back than there was", func(t *testing.T) {
		w, id := begin(t)
		at := w.owes(id, "ada", 80)
		at.Receipt = w.credits(id, "ben0", 1<<64-1).Receipt
		w.must("ben", &Close{[]Position{at}})
		end(w, id, 0)
	})
	t.Run("shown elsewhere", func(t *testing.T) {
		w, id := begin(t)
		w.nonce++
		second := w.opens("ada", "ben", 100)[0]
		successor := croft.Scope{Network: w.m.Scope().Network, Chain: strings.TrimSuffix(w.m.Scope().Chain, "-1") + "-2"}
		other := croft.Scope{Network: croft.NetworkID{1}, Chain: w.m.Scope().Chain}
		moved := w.owes(id, "ada", 80)
		moved.Channel = second
		renamed := moved
		v := *moved.Voucher
		v.Voucher.Channel = second
		renamed.Voucher = &v
		swapped := w.credits(id, "ada", 80)
		for name, at := range map[string]Position{
			"another channel's voucher": moved, "a voucher with another channel's name": renamed,
			"a voucher of the successor chain": w.owesIn(successor, id, "ada", 80),
			"a voucher of another network":     w.owesIn(other, id, "ada", 80),
			"a voucher that the till signed":   w.owes(id, "ben0", 80),
			"a receipt that the payer signed":  swapped,
		} {
			for _, body := range []any{&Close{[]Position{at}}, &Claim{[]Position{at}}, &Post{[]Position{at}}} {
				before := w.m.AppHash()
				raw := w.seal("ben", body)
				if _, _, err := w.m.Check(raw); !errors.Is(err, croft.ErrTxChannel) {
					t.Errorf("%s may wait for a block: %v", name, err)
				}
				if r := w.block(10, raw).Effects[0]; r.Code != croft.ErrTxChannel || w.m.AppHash() != before {
					t.Errorf("%s in a %T: %+v", name, body, r)
				}
			}
		}
		w.must("ben", &Post{[]Position{w.owes(id, "ada", 80)}}) // the control
	})
	t.Run("somebody else's channel", func(t *testing.T) {
		w, id := begin(t)
		w.refused(croft.ErrTxRights, "cleo", &Close{[]Position{{Channel: id}}})
		w.refused(croft.ErrTxRights, "ada", &Claim{[]Position{{Channel: id}}})
		w.refused(croft.ErrTxUnknown, "ada", &Close{[]Position{{Channel: croft.ChannelID{1}}}})
		w.refused(croft.ErrTxUnknown, "ada", &Settle{[]croft.ChannelID{{1}}})
		w.refused(croft.ErrTxChannel, "ada", &Close{})
		w.refused(croft.ErrTxChannel, "ada", &Settle{})
		w.refused(croft.ErrTxChannel, "ada", &Post{make([]Position, maxBatch+1)})
	})
	t.Run("asking for the end too early", func(t *testing.T) {
		w, id := begin(t)
		w.must("ada", &Close{[]Position{{Channel: id}}})
		for range 10 {
			w.nonce++
			w.must("ada", &Settle{[]croft.ChannelID{id}})
		}
		if c := w.channel(id); c.Status != ChannelClosing {
			t.Errorf("%v", c.Status)
		}
	})
	t.Run("closing again does not begin a new window", func(t *testing.T) {
		w, id := begin(t)
		w.must("ada", &Close{[]Position{{Channel: id}}})
		until := w.channel(id).Until
		w.block(3_000_000)
		w.nonce++
		w.must("ada", &Close{[]Position{{Channel: id}}})
		if w.channel(id).Until != until {
			t.Error("it did")
		}
	})
	t.Run("parties that leave", func(t *testing.T) {
		w, id := begin(t)
		w.votes(Vote{Action: Revoke, Subject: w.id("ben")})
		w.names = []string{"ada", "cleo", "dina"}
		w.refused(croft.ErrTxRights, "cleo", &Close{[]Position{{Channel: id}}}) // the funder is there
		w.votes(Vote{Action: Revoke, Subject: w.id("ada")})
		w.names = []string{"cleo", "dina"}
		w.must("cleo", &Close{[]Position{w.owes(id, "ada", 80)}})
		w.settles("cleo", id)
		w.has("the provider that left", w.free("ben"), 80)
		w.has("the funder that left", w.free("ada"), 920)
	})
}

// The window is as long as it says, however long the chain slept before it, and at
// its end.
func TestWindowsAfterAnIdleNight(t *testing.T) {
	const (
		night  = 12 * time.Hour
		window = time.Hour
		slack  = 2 * time.Second
	)
	begin := func(t *testing.T) (*clock, croft.ChannelID) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		w.mint("ada", 1_000)
		id := w.opens("ada", "ben", 100)[0]
		w.block(100)
		return &clock{world: w, zero: w.now}, id
	}
	settle := func(c *clock, id croft.ChannelID) []byte {
		c.nonce++
		return c.seal("ada", &Settle{[]croft.ChannelID{id}})
	}
	is := func(c *clock, id croft.ChannelID, when string, want ChannelStatus) {
		c.t.Helper()
		if got := c.channel(id).Status; got != want {
			c.t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	t.Run("it begins in the morning", func(t *testing.T) {
		c, id := begin(t)
		c.at(night, c.seal("ada", &Close{[]Position{{Channel: id}}})) // its block bears last evening's time
		c.at(night+time.Minute, settle(c, id))
		is(c, id, "a minute later", ChannelClosing)
		c.at(night+window-slack, settle(c, id))
		is(c, id, "just before its end", ChannelClosing)
		c.at(night+window+slack, settle(c, id))
		is(c, id, "just after", ChannelClosed)
	})
	t.Run("it ends in the night", func(t *testing.T) {
		c, id := begin(t)
		c.at(0, c.seal("ada", &Close{[]Position{{Channel: id}}}))
		// At dawn both come at once, the cheat's wish first: what is shown in the same
		// block counts still.
		c.at(night, settle(c, id), c.seal("ben", &Post{[]Position{c.owes(id, "ada", 80)}}))
		is(c, id, "at dawn", ChannelClosed)
		c.has("the provider", c.free("ben"), 80)
	})
	t.Run("what is shown after its end, before anybody settles, counts", func(t *testing.T) {
		c, id := begin(t)
		c.at(0, c.seal("ada", &Close{[]Position{{Channel: id}}}))
		c.at(night, c.seal("ben", &Post{[]Position{c.owes(id, "ada", 80)}}))
		c.at(night+time.Minute, settle(c, id))
		c.has("the provider", c.free("ben"), 80)
	})
	t.Run("a claim", func(t *testing.T) {
		c, id := begin(t)
		c.at(night, c.seal("ben", &Claim{[]Position{c.owes(id, "ada", 80)}}))
		c.at(night+window-slack, settle(c, id))
		c.has("just before its end", c.free("ben"), 0)
		c.at(night+window+slack, settle(c, id))
		c.has("just after", c.free("ben"), 80)
		is(c, id, "after", ChannelOpen)
	})
	t.Run("a close during a claim", func(t *testing.T) {
		c, id := begin(t)
		c.at(0, c.seal("ben", &Claim{[]Position{c.owes(id, "ada", 80)}}))
		c.at(window-slack, c.seal("ada", &Close{[]Position{{Channel: id}}}))
		c.at(window+slack, settle(c, id))
		is(c, id, "after the claim's window", ChannelClosing)
		c.at(2*window+slack, settle(c, id))
		is(c, id, "after its own", ChannelClosed)
		c.has("the provider", c.free("ben"), 80)
	})
	t.Run("a stop of the network", func(t *testing.T) {
		c, id := begin(t)
		c.at(0, c.seal("ada", &Close{[]Position{{Channel: id}}}))
		c.at(window/2, settle(c, id))
		vote := func(a Action, names ...string) (txs [][]byte) {
			for _, name := range names {
				last, _ := decodeRecord[uint64](c.m.Get(SequenceKey(c.id(name))))
				txs = append(txs, c.seal(name, &Vote{Action: a, Sequence: last + 1}))
			}
			return txs
		}
		c.at(window-slack, vote(StopAll, "ada", "ben", "cleo")...)
		if r := c.at(night, c.seal("ben", &Post{[]Position{c.owes(id, "ada", 80)}})).Effects[0]; r.Code != croft.ErrTxStopped {
			t.Error(r)
		}
		c.at(night, vote(Resume, "ada", "ben", "cleo")...)
		c.at(night+time.Minute, settle(c, id))
		is(c, id, "a minute after the stop", ChannelClosing)
		if until := c.channel(id).Until; until < c.zero+(night+window-slack).Milliseconds() {
			c.t.Error("the record still says that the window ended during the stop: its ends would ask to settle all the time")
		}
		c.at(night+window-slack, c.seal("ben", &Post{[]Position{c.owes(id, "ada", 80)}}), settle(c, id))
		is(c, id, "just before the new end", ChannelClosing)
		c.at(night+window+slack, settle(c, id))
		is(c, id, "just after", ChannelClosed)
		c.has("the provider", c.free("ben"), 80)
	})
	t.Run("a stop while proposers are counted", func(t *testing.T) {
		c, id := begin(t)
		w := c.world
		w.must("ada", &Close{[]Position{{Channel: id}}})
		w.block(7_200_000, settle(c, id))
		vote := func(a Action) (txs [][]byte) {
			for _, name := range []string{"ada", "ben", "cleo"} {
				last, _ := decodeRecord[uint64](w.m.Get(SequenceKey(w.id(name))))
				txs = append(txs, w.seal(name, &Vote{Action: a, Sequence: last + 1}))
			}
			return txs
		}
		w.block(10) // one was counted
		if n := len(w.channel(id).Proposers); n != 1 {
			t.Fatalf("%d proposers", n)
		}
		w.block(10, vote(StopAll)...) // and the other, before this vote
		w.block(7_200_000, vote(Resume)...)
		for range 4 {
			w.block(10)
		}
		is(c, id, "right after the stop", ChannelClosing)
		w.block(7_200_000, settle(c, id))
		w.block(10)
		if c := w.channel(id); c.Status != ChannelClosing || len(c.Proposers) != 1 {
			t.Errorf("proposers of before the stop are counted: %v, %d", c.Status, len(c.Proposers))
		}
		w.block(10)
		w.block(10)
		is(c, id, "after two more", ChannelClosed)
	})
	t.Run("closed in the block of the stop", func(t *testing.T) {
		c, id := begin(t)
		txs := [][]byte{c.seal("ada", &Close{[]Position{{Channel: id}}})}
		for _, name := range []string{"ada", "ben", "cleo"} {
			last, _ := decodeRecord[uint64](c.m.Get(SequenceKey(c.id(name))))
			txs = append(txs, c.seal(name, &Vote{Action: StopAll, Sequence: last + 1}))
		}
		c.at(0, txs...)
		txs = nil
		for _, name := range []string{"ada", "ben", "cleo"} {
			last, _ := decodeRecord[uint64](c.m.Get(SequenceKey(c.id(name))))
			txs = append(txs, c.seal(name, &Vote{Action: Resume, Sequence: last + 1}))
		}
		c.at(night, txs...)
		c.at(night+window-slack, settle(c, id))
		is(c, id, "just before", ChannelClosing)
		c.at(night+window+slack, settle(c, id))
		is(c, id, "just after", ChannelClosed)
	})
}

// With four orderers one may be malicious. If it makes the first block after a time
// in which nobody could, and puts only its own wish to settle into it, the next
// proposer's block still counts.
func TestOneProposerCannotHideAVoucher(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	w.mint("ada", 1_000)
	id := w.opens("ada", "ben", 100)[0]
	w.must("ada", &Close{[]Position{{Channel: id}}})
	w.block(7_200_000, w.seal("ada", &Settle{[]croft.ChannelID{id}}))
	w.block(10) // the head of this block is the first to know that the window has passed
	w.turn--    // and the same proposer makes the next one too
	w.block(10)
	if c := w.channel(id); c.Status != ChannelClosing {
		t.Fatal("one proposer settled alone")
	}
	w.block(10, w.seal("ben", &Post{[]Position{w.owes(id, "ada", 80)}}))
	w.block(10)
	if c := w.channel(id); c.Status != ChannelClosed || w.free("ben") != 80 {
		t.Errorf("%v, the provider has %d", c.Status, w.free("ben"))
	}
	if hash := w.m.AppHash(); w.block(10).AppHash != hash {
		t.Error("the chain does not come to rest")
	}
}
