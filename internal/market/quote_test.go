package market

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/pay"
	"croft/internal/serve"
)

// quoter is an engine that takes a credit for each byte of a request.
type quoter struct{ *engine }

func (q quoter) Quote(_ context.Context, r serve.Request) (croft.Credits, error) {
	return croft.Credits(len(r.Body)) * croft.Credit, nil
}

func quoted(t *testing.T, most croft.Credits) *world {
	w := newWorld(t, croft.Price{Most: most, Quoted: true})
	w.provider.market.Offer(Offering{Service: w.service, Engine: quoter{w.engine}})
	return w
}

// A call costs what was quoted for it, and the voucher says so; without a channel the
// failure has the price.
func TestQuotedCallIsPaid(t *testing.T) {
	w := quoted(t, 5*croft.Credit)
	if done, _, err := w.call("abc"); !errors.Is(err, croft.ErrNoChannel) || done.Most != 3*croft.Credit {
		t.Fatal(done, err)
	}
	id := w.open(10 * croft.Credit)
	done, _, err := w.call("abc")
	if err != nil || string(done.Body) != "abc" || done.Receipt.Price != 3*croft.Credit || done.Cost != 3*croft.Credit {
		t.Fatalf("%+v, %v", done, err)
	}
	best, _ := w.provider.market.tills[id].till.State()
	if v := best.Voucher; v.Price != 3*croft.Credit || v.Terms == w.service.Terms() {
		t.Fatalf("the voucher does not bind the quote: %+v", v)
	}
	if done, _, err := w.call(""); err != nil || done.Receipt.Number != 0 || done.Cost != 0 {
		t.Fatalf("a quote of nothing: %+v, %v", done, err)
	}
	if _, _, err := w.call("abcdef"); !errors.Is(err, croft.ErrQuote) || w.engine.calls["abcdef"] > 0 {
		t.Fatal("a price above the most was quoted: ", err)
	}
	use := Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("abcd")}, Most: new(3 * croft.Credit)}
	if _, err := w.caller.market.Call(t.Context(), use); !errors.Is(err, croft.ErrDear) || w.engine.calls["abcd"] > 0 {
		t.Fatal("more than the caller would pay: ", err)
	}
	w.engine.fail = croft.E(croft.ErrEngineFailed, "echo", "tired")
	if done, _, err := w.call("ab"); !errors.Is(err, croft.ErrEngineFailed) || done.Receipt.Price != 0 || done.Receipt.Outcome != croft.Failed {
		t.Fatalf("%+v, %v", done, err)
	}
	b, c := w.provider.market.Balances()[0], w.caller.market.Balances()[0]
	if b.Earned != 3*croft.Credit || c.Bought != b.Earned || c.Lost+croft.Credits(c.Waiting) != 0 {
		t.Fatalf("%+v\n%+v", b, c)
	}
}

// A quote is good for one request, one price list and a minute; no other price is
// agreed on with it, and none without it.
func TestQuotesAreHeldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := quoted(t, 5*croft.Credit)
		w.open(100 * croft.Credit)
		if _, _, err := w.call("warm"); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			ask   func(*ask)                  // of what the caller sends
			quote func(*person, *croft.Quote) // of what it was told
			want  croft.Code
		}{
			"honest":               {},
			"none":                 {ask: func(a *ask) { a.Quote = nil }, want: croft.ErrQuote},
			"expired":              {ask: func(*ask) { time.Sleep(quoteLife + time.Second) }, want: croft.ErrQuote},
			"for another request":  {ask: func(a *ask) { a.ID[0]++ }, want: croft.ErrQuote},
			"cheaper, by the till": {quote: func(p *person, q *croft.Quote) { q.Price-- }}, // its own word
			"dearer than the most": {quote: func(p *person, q *croft.Quote) { q.Price = 6 * croft.Credit }, want: croft.ErrQuote},
			"for another price":    {quote: func(p *person, q *croft.Quote) { q.Terms[0]++ }, want: croft.ErrQuote},
			"signed by nobody":     {quote: func(p *person, q *croft.Quote) { p.market.Sign = w.caller.market.Sign; q.Price-- }, want: croft.ErrQuote},
		} {
			sign := w.provider.market.Sign
			w.caller.market.Peers = bargainer{w.caller, c.ask, c.quote}
			_, _, err := w.call("abc " + name[:1])
			w.provider.market.Sign, w.caller.market.Peers = sign, w.caller
			if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The provider changed its price between quote and call.
		w.caller.market.Peers = bargainer{w.caller, func(*ask) {
			dearer := w.service
			dearer.Price.Most += croft.Credit
			w.provider.market.Offer(Offering{Service: dearer, Engine: quoter{w.engine}})
		}, nil}
		if _, _, err := w.call("late"); !errors.Is(err, croft.ErrQuote) {
			t.Error(err)
		}
		if c := w.caller.market.Balances()[0]; c.Lost > 0 && c.Left == 0 {
			t.Errorf("%+v", c)
		}
	})
}

// A provider that quotes nothing, and then wants to be paid all the same, is asked once.
func TestNothingQuotedIsNothingOwed(t *testing.T) {
	w := quoted(t, 5*croft.Credit)
	asked := 0
	w.caller.market.Peers = bargainer{w.caller, func(a *ask) {
		if asked++; asked == 3 {
			w.off(w.provider)
		}
		a.Quote = nil
	}, nil}
	if _, _, err := w.call(""); !errors.Is(err, croft.ErrNoChannel) || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
}

// bargainer changes what passes between quote and call.
type bargainer struct {
	*person
	ask   func(*ask)
	quote func(*person, *croft.Quote)
}

func (b bargainer) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	var q ask
	if err := croft.Decode(request, &q); err != nil {
		return nil, err
	}
	if q.Kind == askCall && b.ask != nil {
		b.ask(&q)
	}
	raw, err := b.person.Ask(ctx, to, croft.Encode(q), part)
	if q.Kind != askQuote || b.quote == nil || err != nil {
		return raw, err
	}
	var a answer
	var signed croft.SignedQuote
	if err := errors.Join(croft.Decode(raw, &a), croft.Decode(a.Quote, &signed)); err != nil {
		return nil, err
	}
	provider := b.w.provider
	b.quote(provider, &signed.Quote)
	a.Quote = pay.SealQuote(b.w.genesis.Scope(), signed.Quote, provider.market.Sign)
	return croft.Encode(a), nil
}

// A service that has a list of prices quotes nothing, and asks its engine nothing.
func TestListedPriceIsNotQuoted(t *testing.T) {
	w := newWorld(t, price)
	_, err := w.provider.market.Serve(t.Context(), w.caller.id, croft.Encode(ask{Kind: askQuote, Service: w.service.ID(),
		Request: croft.Encode(serve.Request{Task: serve.HTTP, Body: []byte("x")})}), nil)
	if !errors.Is(err, croft.ErrQuote) || len(w.engine.calls) > 0 {
		t.Fatal(err)
	}
}

// Who asks for prices and does not call is told to wait; who calls asks as often as it
// likes, and so do others.
func TestQuotesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := quoted(t, 5*croft.Credit)
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		asks := func(p *person) error {
			_, err := p.market.Call(t.Context(), Use{Service: w.service, Request: serve.Request{Task: serve.HTTP, Body: []byte("abc")}})
			return err
		}
		for range maxQuotes {
			if err := asks(w.caller); !errors.Is(err, croft.ErrNoChannel) {
				t.Fatal(err)
			}
		}
		if err := asks(w.caller); !errors.Is(err, croft.ErrBusy) {
			t.Error(err)
		}
		if err := asks(w.people[2]); !errors.Is(err, croft.ErrNoChannel) {
			t.Error("another one: ", err)
		}
		time.Sleep(time.Minute)
		w.open(500 * croft.Credit)
		for n := range 2 * maxQuotes {
			if _, _, err := w.call("abc"); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
		}
		for n := range 2 * maxQuotes { // quoted nothing
			if _, _, err := w.call(""); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
		}
	})
}
