package market

import (
	"context"
	"errors"
	"time"

	"croft"
	"croft/internal/pay"
	"croft/internal/serve"
)

// Use is a call that somebody at this node wants to make.
type Use struct {
	Service croft.Service // as the ledger has it
	Request serve.Request
	// Here is the engine that answers at this node: then only the use is paid for, and
	// the request stays. Nil: the request goes to the provider's node.
	Here serve.Engine
	// Most is the price that the caller agrees to, beyond which the call is refused; nil:
	// the service's.
	Most *croft.Credits
	// Part is told each part of a stream; an error ends the call.
	Part func([]byte) error

	again bool // a voucher of this call was too slow once
	hold  bool // it is not countersigned before Done.thank
}

// Done is a call that was made.
type Done struct {
	Body    []byte
	Receipt croft.Receipt // zero: it was free, or got none
	Most    croft.Credits // that it could have cost
	Cost    croft.Credits // at most: of a call that got no receipt, all that was promised for it
	thank   func()        // of a call that asked to hold it: countersigns
}

// Call makes a paid call: the caller's end of
//
//	quote → open → voucher → infer → meter → countersign → settle
//
// It fails with what stands at each line. A call that ends between voucher and
// countersign is given up: the next one on the channel begins by asking its till
// what became of it, and a till that gave no answer gives the price back.
func (m *Market) Call(ctx context.Context, u Use) (done Done, err error) {
	a := ask{Kind: askCall, Service: u.Service.ID(), ID: newID()}
	request := croft.Encode(u.Request)
	if len(request) > serve.MaxBody {
		return done, croft.E(croft.ErrTooLarge, len(request), serve.MaxBody)
	}
	hash := croft.RequestHash(a.ID, request)
	if a.Request = request; u.Here != nil {
		a.Kind, a.ID, a.Request, a.Hash = askUse, [16]byte{}, nil, hash
	}

	var parts []byte
	collect := func(data []byte) error {
		if len(parts)+len(data) > serve.MaxBody {
			return croft.E(croft.ErrTooLarge, len(parts)+len(data), serve.MaxBody)
		}
		parts = append(parts, data...)
		if u.Part == nil {
			return nil
		}
		return u.Part(data)
	}

	// quote: the price, as this node's own ledger has it, or as the provider names it for
	// this request; whoever asks may want to pay less. A model that is used here works now:
	// for rows that do not fit it nobody promises.
	//   Crash: nothing has happened.
	price, terms, mine := u.Service.Price, u.Service.Terms(), counted{a.Service, m.Self}
	free := price.Free > 0 && m.usedUp.add(mine, 0, time.Now()) == 0
	if price.Quoted && !free {
		var q croft.Quote
		if q, a.Quote, err = m.askPrice(ctx, u.Service, a, hash); err != nil {
			return done, err
		}
		price, terms = q.Flat(), croft.HashOf(q)
	}
	if done.Most = price.Most; free {
		done.Most = 0
	}
	if u.Most != nil && done.Most > *u.Most {
		return done, croft.E(croft.ErrDear, u.Service.Name, done.Most, *u.Most)
	}
	var own serve.Answer
	if u.Here != nil {
		if own, err = u.Here.Infer(ctx, u.Request, collect); err != nil {
			return done, err
		}
	}
	m.at("quote")

	// open: the channel that this call is paid from. Opening one takes a person's key and
	// is done before; here it is only chosen, from memory.
	//   Crash: nothing has happened.
	var p *purse
	var number uint64
	if done.Most > 0 {
		if p, err = m.purseFor(ctx, u.Service, done.Most); err != nil {
			return done, err
		}
		m.at("open")

		// voucher: the promise to pay at most the price of this call.
		//   Crash: the till has this voucher or an older one, and no other node has any. The
		//   next start asks it (resume) and goes on from there; nothing had to be durable.
		number, a.Voucher, a.Thanks, err = m.promise(ctx, p, pay.Call{Service: a.Service, Terms: terms, Request: hash, Price: done.Most})
		if err != nil {
			return done, err
		}
		done.Cost = done.Most
		defer func() {
			if number > 0 { // not settled below
				p.lose(number)
			}
		}()
	}
	m.at("voucher")

	// infer: the provider's node answers, or grants the use.
	//   Crash: the till has charged the call, and at most its price is lost.
	begun := time.Now()
	raw, err := m.Peers.Ask(ctx, u.Service.Provider, croft.Encode(a), collect)
	if free && (errors.Is(err, croft.ErrNoChannel) || errors.Is(err, croft.ErrTxRights)) && len(parts) == 0 { // none left, or none for who does not pay
		m.usedUp.add(mine, 1, time.Now())
		return m.Call(ctx, u)
	}
	if errors.Is(err, croft.ErrCallNumber) && p != nil && len(parts) == 0 && !u.again { // a thousand others overtook it on its way: it was never admitted
		p.lose(number)
		number, u.again = 0, true
		return m.Call(ctx, u)
	}
	if err != nil {
		return done, err
	}
	got, err := readAnswer(raw)
	if err != nil {
		return done, err
	}
	done.Body = got.Result
	m.at("infer")

	// meter: what the receipt says must be of this call, of this answer, and no dearer.
	//   Crash: as before.
	if p != nil {
		r, err := pay.ReadReceipt(got.Receipt)
		if err == nil {
			err = fits(r, a, number, hash, got, parts, price, time.Since(begun))
		}
		if err != nil {
			return done, errors.Join(got.trouble(), err)
		}
		m.at("meter")

		// countersign: this end's word that it has the result. It is signed when nobody waits
		// for it, and goes with a later call.
		//   Crash: the provider's receipt stands without it; it is worth a little less to the
		//   provider's name, and nothing to its purse.
		if done.thank = func() { m.thank(p, got.Receipt, a.Service) }; !u.hold {
			done.thank()
		}
		m.at("countersign")

		// settle: in the purse now; on the ledger when the channel is claimed or closed.
		//   Crash: the till says it again.
		if err := p.settle(m.Scope, got.Receipt, r); err != nil {
			return done, errors.Join(got.trouble(), err)
		}
		number, done.Receipt, done.Cost = 0, r, r.Price
		m.Log.Debug("settle", "service", u.Service.Name, "channel", done.Receipt.Channel.Short(), "call", done.Receipt.Number, "price", done.Receipt.Price)
		m.at("settle")
	}
	if err := got.trouble(); err != nil {
		return done, err
	}
	if u.Here != nil {
		done.Body = own.Body
	}
	return done, nil
}

// fits says whether a receipt is of this call, and charges what it says was used. How
// many tokens that were only the provider knows; how long it took, both.
func fits(r croft.Receipt, a ask, number uint64, hash croft.Hash, got answer, parts []byte, price croft.Price, took time.Duration) error {
	var result croft.Hash
	if a.Kind == askCall && r.Outcome != croft.Failed {
		result = croft.RequestHash(a.ID, append(parts, got.Result...))
	}
	switch {
	case r.Number != number || r.Request != hash:
		return croft.E(croft.ErrReceipt, "it is of another call")
	case r.Result != result:
		return croft.E(croft.ErrReceipt, "it is of another answer")
	case r.Outcome == croft.Failed && r.Price > 0:
		return croft.E(croft.ErrReceipt, "it charges a call that failed")
	case r.Price > price.Of(r.Meter):
		return croft.E(croft.ErrReceipt, "it charges more than what it says was used")
	case r.Meter.Micros > uint64((took + took/100).Microseconds()): // two clocks do not run alike
		return croft.E(croft.ErrReceipt, "it charges more time than went by")
	case r.Outcome == croft.Answered && got.Code != 0 || r.Outcome != croft.Answered && got.Code == 0:
		return croft.E(croft.ErrReceipt, "it says another outcome than the answer")
	}
	return nil
}

// Serve answers a call of another node: the provider's end of
//
//	quote → open → voucher → infer → meter → countersign → settle
//
// from is who asks, as its connection proved. Free calls have no voucher, receipt or
// journal. What is wrong with the call is its error; what becomes of one that was
// admitted is in the answer, with its receipt.
func (m *Market) Serve(ctx context.Context, from croft.MemberID, raw []byte, part func([]byte) error) ([]byte, error) {
	a, err := readAsk(raw)
	if err != nil {
		return nil, err
	}
	switch a.Kind {
	case askState:
		out, err := m.state(ctx, from, a)
		return croft.Encode(out), err
	case askWatch:
		return croft.Encode(answer{}), m.watch(ctx, from, a.Shown)
	}

	// quote: the service as it is offered now, and whether one more call has room.
	//   Crash: nothing has happened.
	o, err := m.offer(a.Service)
	if err != nil {
		return nil, err
	}
	if a.Kind == askSchema {
		s, err := schemaOf(o.engine, o.service.Name)
		return croft.Encode(answer{Result: croft.Encode(s)}), err
	}
	if limit := o.service.Limits.Bytes; limit > 0 && len(a.Request) > int(limit) {
		return nil, croft.E(croft.ErrTooLarge, len(a.Request), limit)
	}
	release, err := o.take()
	if err != nil {
		return nil, err
	}
	defer release()
	var request serve.Request
	hash := a.Hash
	if a.Kind == askCall || a.Kind == askQuote {
		if err := croft.Decode(a.Request, &request); err != nil {
			return nil, err
		}
		if request.Task != o.service.Task {
			return nil, croft.E(croft.ErrRequest, "the service's task is "+o.service.Task)
		}
		hash = croft.RequestHash(a.ID, a.Request)
	}
	if a.Kind == askQuote {
		return m.quote(ctx, from, o, request, hash)
	}
	price, terms, err := m.agreed(o, a, hash)
	if err != nil {
		return nil, err
	}
	m.at("serve.quote")
	if a.Kind == askModel || len(a.Voucher) == 0 {
		if err := o.isFor(from); err != nil {
			return nil, err
		}
		if a.Kind == askModel {
			return m.giveModel(o)
		}
		return m.serveFree(ctx, from, o, a, request, price.Most, part)
	}

	// open: the channel, from memory; one opened a moment ago is looked up once. It is good
	// for every service of this provider, and the ledger saw for one of them whether that is
	// for whoever pays.
	//   Crash: nothing has happened.
	var seen croft.SignedVoucher
	if err := croft.Decode(a.Voucher, &seen); err != nil {
		return nil, err
	}
	t, err := m.tillOf(ctx, seen.Voucher.Channel)
	if err != nil {
		return nil, err
	}
	channel := t.terms()
	if err := o.isFor(channel.Funder); err != nil {
		return nil, err
	}
	m.at("serve.open")

	// voucher: the payer's promise, checked, and on the disk before work begins. The sync
	// is shared by all calls in flight.
	//   Crash before the sync ended: nobody was told anything; the payer gets the price back
	//   either way. After it: the till has the voucher, and gives the price back at the next
	//   start (recover).
	v, err := pay.CheckVoucher(m.Scope, channel, a.Voucher)
	if err != nil {
		return nil, err
	}
	m.receipts.heard(channel, a.Thanks)
	admitted, mark, err := m.admit(t, v, pay.Call{Service: a.Service, Terms: terms, Request: hash, Price: price.Most})
	if err != nil {
		return nil, err
	}
	switch {
	case admitted.Receipt != nil: // the same call again: the same receipt, and nothing is done twice
		out := answer{Receipt: pay.SealReceipt(m.Scope, *admitted.Receipt, m.Sign)}
		out.fail(croft.E(croft.ErrAnswered, v.Body().Number))
		return croft.Encode(out), nil
	case admitted.Entry == nil:
		return nil, croft.E(croft.ErrTillBusy, 1)
	case len(a.Quote) > 0:
		m.quotes.add(counted{a.Service, from}, -1, time.Now())
	}
	m.at("serve.admit")
	if err := m.journal.Sync(mark); err != nil {
		return nil, err // a till whose disk fails serves nothing; the call stays unfinished
	}
	m.at("serve.voucher")

	// infer: the work. A caller that goes away ends it, and pays for what it got.
	//   Crash: the payer gets the price back; the provider loses the work in flight.
	var sent []byte
	begun := time.Now()
	made, failed := serve.Answer{}, error(nil)
	if a.Kind == askCall {
		within, cancel := o.within(ctx)
		made, failed = o.engine.Infer(within, request, func(data []byte) error {
			if len(sent)+len(data) > serve.MaxBody {
				return croft.E(croft.ErrTooLarge, len(sent)+len(data), serve.MaxBody)
			}
			sent = append(sent, data...)
			return part(data)
		})
		cancel()
	}
	m.at("serve.infer")

	// meter: what it used, and what that costs: never more than was promised.
	//   Crash: as before.
	out, outcome := answer{Result: made.Body}, croft.Answered
	made.Meter.Micros = uint64(time.Since(begun).Microseconds())
	switch {
	case failed != nil && len(sent) == 0:
		outcome, out.Result = croft.Failed, nil
		out.fail(failed)
	case failed != nil:
		outcome, out.Result = croft.Partial, nil
		out.fail(failed)
	case made.Partial != nil:
		outcome = croft.Partial
		out.fail(made.Partial)
	}
	cost, result := price.Of(made.Meter), croft.Hash{}
	if outcome == croft.Failed {
		cost, made.Meter = 0, croft.Meter{}
	} else if a.Kind == askCall {
		result = croft.RequestHash(a.ID, append(sent, out.Result...))
	}
	m.at("serve.meter")

	// countersign: the till's word, in the journal's order; it leaves without waiting for
	// the disk, because what a crash forgets of it is given back in full (recover).
	receipt, err := m.finish(t, v.Body().Number, outcome, result, made.Meter, cost)
	if err != nil {
		return nil, err
	}
	out.Receipt = pay.SealReceipt(m.Scope, receipt, m.Sign)
	m.at("serve.countersign")

	m.receipts.add(Receipt{Service: a.Service, Provider: true, At: begun, Signed: croft.SignedReceipt{Receipt: receipt}})

	// settle: in the till now; on the ledger by a claim (duty.go).
	m.Log.Debug("settle", "service", o.service.Name, "channel", channel.ID.Short(), "call", receipt.Number, "outcome", outcome, "price", cost)
	m.at("serve.settle")
	return croft.Encode(out), nil
}

// admit takes a call on, in memory, and puts it into the journal.
func (m *Market) admit(t *till, v pay.Voucher, want pay.Call) (pay.Admission, uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	admitted, err := t.till.Admit(v, want)
	if err != nil || admitted.Entry == nil {
		return admitted, 0, err
	}
	t.working++
	return admitted, m.write(t, admitted.Entry), nil
}

// finish ends a call, in memory, and puts that into the journal.
func (m *Market) finish(t *till, number uint64, outcome croft.Outcome, result croft.Hash, used croft.Meter, price croft.Credits) (croft.Receipt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	receipt, entry, err := t.till.Finish(number, outcome, result, used, price)
	if entry != nil {
		t.working--
		m.write(t, entry)
		select {
		case m.unsynced <- struct{}{}:
		default: // flush knows already
		}
	}
	return receipt, err
}

// isFor fails with croft.ErrTxRights if a service is not for somebody.
func (o *offer) isFor(who croft.MemberID) error {
	if o.admit != nil && !o.admit(who) {
		return croft.E(croft.ErrTxRights, who.Short(), "the service is not for it")
	}
	return nil
}

// within bounds the work on a call by the service's own limit.
func (o *offer) within(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := 10 * time.Minute
	if s := o.service.Limits.Seconds; s > 0 {
		limit = time.Duration(s) * time.Second
	}
	return context.WithTimeout(ctx, limit)
}

// serveFree answers a call that costs nothing, or is one of the caller's free ones; most
// is what it would cost.
func (m *Market) serveFree(ctx context.Context, from croft.MemberID, o *offer, a ask, request serve.Request, most croft.Credits, part func([]byte) error) ([]byte, error) {
	switch mine := (counted{a.Service, from}); {
	case most > 0 && m.free.add(mine, 1, time.Now()) > int(o.service.Price.Free):
		return nil, croft.E(croft.ErrNoChannel, m.Self.Short(), most, o.service.Name)
	case most == 0 && len(a.Quote) > 0: // it was quoted nothing
		m.quotes.add(mine, -1, time.Now())
	}
	if a.Kind == askUse {
		return croft.Encode(answer{}), nil
	}
	within, cancel := o.within(ctx)
	defer cancel()
	made, err := o.engine.Infer(within, request, part)
	if err != nil {
		return nil, err
	}
	out := answer{Result: made.Body}
	if made.Partial != nil {
		out.fail(made.Partial)
	}
	return croft.Encode(out), nil
}

// giveModel hands a model to a member that the service is for, to run it at its own
// node.
func (m *Market) giveModel(o *offer) ([]byte, error) {
	if o.model == nil {
		return nil, croft.E(croft.ErrRequest, "the service has no model to run elsewhere")
	}
	return croft.Encode(answer{Result: o.model}), nil
}
