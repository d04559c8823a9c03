package market

import (
	"context"
	"time"

	"croft"
	"croft/internal/pay"
	"croft/internal/serve"
)

// A service whose price is by quote has an engine that says of each request what its
// answer would cost. The till signs that, and forgets it: the quote comes back with the
// call, and the voucher binds its hash. So there is nothing to keep, to look up, or to
// lose in a crash.

// quoteLife is how long a till stands by what it said; maxQuotes how many quotes of a
// service one caller gets in a minute without making the calls: each is work that nobody
// pays for.
const (
	quoteLife = time.Minute
	maxQuotes = 60
)

// quote names the price of a request, which this node has read now. It fails with
// croft.ErrQuote, with croft.ErrBusy for who asks and does not call, or as the engine does.
func (m *Market) quote(ctx context.Context, from croft.MemberID, o *offer, request serve.Request, hash croft.Hash) ([]byte, error) {
	engine, quotes := o.engine.(serve.Quoter)
	if !o.service.Price.Quoted || !quotes {
		return nil, croft.E(croft.ErrQuote, "the service has a list of prices: see croft service show")
	}
	if m.quotes.add(counted{o.service.ID(), from}, 1, time.Now()) > maxQuotes {
		return nil, croft.E(croft.ErrBusy, o.service.Name)
	}
	within, cancel := o.within(ctx)
	defer cancel()
	price, err := engine.Quote(within, request)
	if err != nil {
		return nil, err
	}
	if most := o.service.Price.Most; price > most {
		return nil, croft.E(croft.ErrQuote, "it would be "+price.String()+" credits, and a call of the service costs at most "+most.String())
	}
	q := croft.Quote{Service: o.service.ID(), Terms: o.terms, Request: hash, Price: price, Expires: time.Now().Add(quoteLife).Unix()}
	return croft.Encode(answer{Quote: pay.SealQuote(m.Scope, q, m.Sign)}), nil
}

// agreed returns the price that a call is made at, and the hash that its voucher binds:
// those of the service, or of the quote that comes with the call.
func (m *Market) agreed(o *offer, a ask, hash croft.Hash) (croft.Price, croft.Hash, error) {
	if !o.service.Price.Quoted || len(a.Quote)+len(a.Voucher) == 0 {
		return o.service.Price, o.terms, nil
	}
	if len(a.Quote) == 0 {
		return croft.Price{}, croft.Hash{}, croft.E(croft.ErrQuote, "the call has none")
	}
	q, err := pay.CheckQuote(m.Scope, o.service, hash, a.Quote)
	if err == nil && time.Now().Unix() > q.Expires {
		err = croft.E(croft.ErrQuote, "it has expired")
	}
	return q.Flat(), croft.HashOf(q), err
}

// askPrice asks a service's provider what a call costs.
func (m *Market) askPrice(ctx context.Context, s croft.Service, a ask, hash croft.Hash) (croft.Quote, []byte, error) {
	a.Kind = askQuote
	raw, err := m.Peers.Ask(ctx, s.Provider, croft.Encode(a), nil)
	if err != nil {
		return croft.Quote{}, nil, err
	}
	got, err := readAnswer(raw)
	if err == nil {
		err = got.trouble()
	}
	if err != nil {
		return croft.Quote{}, nil, err
	}
	q, err := pay.CheckQuote(m.Scope, s, hash, got.Quote)
	return q, got.Quote, err
}
