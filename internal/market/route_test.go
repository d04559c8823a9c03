package market

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/serve"
)

// street is a world in which two providers have a service of the same name, and the
// caller a channel to each.
type street struct {
	*world
	desk    *Desk
	engines map[string]*answers
}

// answers is an engine that says what it was told to say.
type answers struct {
	body  string
	err   error
	parts int
}

func (a *answers) Infer(_ context.Context, r serve.Request, part func([]byte) error) (serve.Answer, error) {
	for range a.parts {
		if err := part([]byte("part")); err != nil {
			return serve.Answer{}, err
		}
	}
	return serve.Answer{Body: []byte(a.body)}, a.err
}

// newStreet has Ada, who takes 2 credits, and Cleo, who takes 1.
func newStreet(t *testing.T) *street {
	s := &street{world: newWorld(t, croft.Price{Call: 2 * croft.Credit, Most: 2 * croft.Credit}), engines: map[string]*answers{}}
	s.desk = &Desk{Market: s.caller.market, Registered: func([]string) (string, bool) { return "", false }}
	for i, p := range []*person{s.people[0], s.people[2]} {
		price := croft.Credits(2-i) * croft.Credit
		v := croft.Service{Provider: p.id, Name: "echo", Version: uint32(2 - i), Task: serve.HTTP, Price: croft.Price{Call: price, Most: price}, Use: croft.UseNetwork, Tills: []croft.PublicKey{p.public()}}
		s.engines[p.name] = &answers{body: `{"p":0.5}`}
		if i > 0 {
			p.send(&ledger.Publish{Service: v})
		} else {
			v = s.service
		}
		p.market.Offer(Offering{Service: v, Engine: s.engines[p.name]})
		s.caller.send(&ledger.Open{Service: v.ID(), Payer: s.caller.public(), Window: 60, Deposits: []croft.Credits{100 * croft.Credit}})
	}
	s.look()
	s.desk.Docs = s.caller.market.Docs
	s.desk.local = map[string]serve.Engine{}
	if err := s.desk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *street) ask(w Wish) (Got, error) {
	w.Ref, w.Any, w.Remote, w.Request.Body = "echo", true, true, []byte(`{}`)
	return s.desk.Call(s.t.Context(), w)
}

// Nobody is asked in place of another without a word: a name that several have is
// refused, unless any of them may answer.
func TestNameOfTwo(t *testing.T) {
	s := newStreet(t)
	if _, err := s.desk.Call(t.Context(), Wish{Ref: "echo", Remote: true}); !errors.Is(err, croft.ErrUsage) {
		t.Fatal(err)
	}
	offers := backend{s.desk}.Offers()
	names := func(any bool) (out []string) {
		for _, o := range offers {
			if o.Any == any {
				out = append(out, o.Name)
			}
		}
		return out
	}
	if !slices.Equal(names(false), []string{"Ada/echo", "Cleo/echo"}) || !slices.Equal(names(true), []string{"echo"}) || offers[len(offers)-1].Most != 2*croft.Credit {
		t.Fatalf("%+v", offers)
	}
}

// Who calls its service as another's is called gets none of that one's calls.
func TestNameOfAnother(t *testing.T) {
	s := newStreet(t)
	cleo := s.people[2]
	fake := croft.Service{Provider: cleo.id, Name: "Ben/echo", Version: 1, Task: serve.HTTP, Use: croft.UseNetwork, Tills: []croft.PublicKey{cleo.public()}}
	cleo.send(&ledger.Publish{Service: fake})
	if err := s.desk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, any := range []bool{false, true} {
		if g, err := s.desk.Call(t.Context(), Wish{Ref: "Ben/echo", Any: any, Remote: true}); !errors.Is(err, croft.ErrNotFound) {
			t.Errorf("%s was asked: %v", g.Listing.ProviderName, err)
		}
	}
	for _, ref := range []string{"Cleo/Ben/echo", fake.ID().String()} {
		if l, err := s.desk.Find(ref); err != nil || l.ID != fake.ID() {
			t.Error(ref, l, err)
		}
	}
	for _, o := range (backend{s.desk}).Offers() {
		if o.Name == "Ben/echo" {
			t.Errorf("%+v", o)
		}
	}
}

// The cheaper one answers. Where it does not, the other does, at once and for a reason
// that can be read; it rests, ever longer, and is asked again after that.
func TestRouting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		who := func(w Wish) string {
			t.Helper()
			g, err := s.ask(w)
			if err != nil {
				t.Fatalf("%v; %+v", err, g.Tried)
			}
			return g.Listing.ProviderName
		}
		if who(Wish{}) != "Cleo" {
			t.Fatal("the dearer one was asked")
		}
		cleo := s.engines["Cleo"]
		cleo.err = croft.E(croft.ErrEngineFailed, "echo", "tired")
		g, err := s.ask(Wish{})
		if err != nil || g.Listing.ProviderName != "Ada" || len(g.Tried) != 2 || g.Tried[0].Provider != "Cleo" || !strings.Contains(g.Tried[0].Failed, "tired") ||
			!strings.Contains(g.Tried[0].Why, "1 credit, answered 1 of 1") || g.Cost != 2*croft.Credit {
			t.Fatalf("%+v %v", g, err)
		}
		cleo.err = nil
		if g, _ := s.ask(Wish{}); g.Listing.ProviderName != "Ada" || len(g.Tried) != 1 {
			t.Fatal("one that failed a moment ago was asked again")
		}
		time.Sleep(firstRest + time.Second)
		// Of one that fails half of its calls an answer costs twice as much.
		if s.desk.quality.change(g.Listing.ID, func(q *Quality) { q.Took = time.Second }); who(Wish{}) != "Cleo" {
			t.Fatal("one that has rested is not asked")
		}
		for range 20 {
			cleo.err = croft.E(croft.ErrEngineFailed, "echo", "tired")
			who(Wish{})
			time.Sleep(longRest + time.Second)
		}
		cleo.err = nil
		if who(Wish{}) != "Ada" {
			t.Fatal("one that fails mostly is asked first")
		}
		if _, err := s.ask(Wish{Most: new(croft.Credit)}); err != nil {
			t.Fatal("the one that the caller can pay: ", err)
		}
	})
}

// Busy, away, without a channel: the other one is asked. At fault itself, or in the
// middle of an answer: nobody is.
func TestFailover(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*street)
		wish  Wish
		want  string // who answers; none: an error
	}{
		"busy": {spoil: func(s *street) { s.engines["Cleo"].err = croft.E(croft.ErrBusy, "echo") }, want: "Ada"},
		"away": {spoil: func(s *street) { s.people[2].mu.Lock(); s.people[2].market = nil; s.people[2].mu.Unlock() }},
		"not served": {spoil: func(s *street) {
			for id := range s.people[2].market.offers {
				s.people[2].market.stop(id)
			}
		}, want: "Ada"},
		"no channel": {spoil: func(s *street) {
			for _, p := range s.caller.market.purses {
				p.closing = p.channel.Payee == s.people[2].id
			}
		}, want: "Ada"},
		"a bad request": {spoil: func(s *street) { s.engines["Cleo"].err = croft.E(croft.ErrRequest, "no") }},
		"half an answer": {spoil: func(s *street) {
			s.engines["Cleo"].err, s.engines["Cleo"].parts = croft.E(croft.ErrEngineFailed, "echo", "tired"), 1
		}, wish: Wish{Part: func([]byte) error { return nil }}},
		"too dear for the rest": {spoil: func(s *street) { s.engines["Cleo"].err = croft.E(croft.ErrBusy, "echo") }, wish: Wish{Most: new(croft.Credit)}},
	} {
		s := newStreet(t)
		c.spoil(s)
		g, err := s.ask(c.wish)
		if name == "away" { // what is not an error of ours is not a reason to ask elsewhere
			if !errors.Is(err, errAway) {
				t.Error(err)
			}
			continue
		}
		if (err == nil) != (c.want != "") || err == nil && g.Listing.ProviderName != c.want {
			t.Errorf("%s: %s answered: %v; %+v", name, g.Listing.ProviderName, err, g.Tried)
		}
	}
}

// A canary and a comparison: who answers wrongly is not countersigned and rests; who
// does not answer is not wrong.
func TestCheck(t *testing.T) {
	s := newStreet(t)
	says := func(vs []Verdict) (out string) {
		for _, v := range vs {
			out += fmt.Sprintf("%s %s, ", v.Provider, v.Says)
		}
		return out
	}
	check := func(want string) (Got, string, error) {
		var known []byte
		if want != "" {
			known = []byte(want)
		}
		g, vs, err := s.desk.Check(t.Context(), Wish{Ref: "echo", Any: true, Remote: true, Request: serve.Request{Body: []byte(`{}`)}}, known, 1e-6)
		return g, says(vs), err
	}
	if g, vs, err := check(""); err != nil || vs != "Cleo agrees, Ada agrees, " || string(g.Body) != `{"p":0.5}` {
		t.Fatal(vs, err)
	}
	for most := range croft.Credits(2) { // one credit is what the first costs, three are what both do
		w := Wish{Ref: "echo", Any: true, Remote: true, Most: new((most + 1) * croft.Credit), Request: serve.Request{Body: []byte(`{}`)}}
		_, vs, err := s.desk.Check(t.Context(), w, []byte(`{"p":0.5}`), 0)
		if err != nil || says(vs) != "Cleo agrees, Ada abstains, " || vs[0].Cost+vs[1].Cost > *w.Most {
			t.Fatalf("at most %v: %+v, %v", *w.Most, vs, err)
		}
	}
	s.engines["Ada"].body = `{"p":0.50000001}`
	if _, vs, err := check(""); err != nil || vs != "Cleo agrees, Ada agrees, " {
		t.Fatal(vs, err)
	}
	if _, vs, err := check(`{"p":0.5}`); err != nil || vs != "Cleo agrees, Ada agrees, " {
		t.Fatal(vs, err)
	}
	before := countersigned(s.caller.market)
	s.engines["Cleo"].body = `{"p":0.9}`
	if g, vs, err := check(`{"p":0.5}`); err != nil || vs != "Cleo differs, Ada agrees, " || string(g.Body) != `{"p":0.50000001}` {
		t.Fatal(vs, err)
	}
	if n := countersigned(s.caller.market) - before; n != 1 {
		t.Fatalf("%d answers were countersigned", n)
	}
	if g, err := s.ask(Wish{}); err != nil || g.Listing.ProviderName != "Ada" {
		t.Fatal("one that was wrong is asked first: ", err)
	}
	if _, vs, err := check(""); !errors.Is(err, croft.ErrUnproven) || vs != "Ada abstains, Cleo abstains, " {
		t.Fatal("one against one proves nothing: ", vs, err)
	}
	s.engines["Ada"].err = croft.E(croft.ErrBusy, "echo")
	if _, vs, err := check(""); !errors.Is(err, croft.ErrUnproven) || vs != "Ada abstains, Cleo abstains, " {
		t.Fatal(vs, err)
	}
	if q := s.desk.quality.get(s.service.ID()); q.Wrong != 0 {
		t.Fatalf("%+v", q)
	}
}

// countersigned counts the calls that a payer was content with.
func countersigned(m *Market) (n int) {
	for _, r := range m.Receipts() {
		if r.Payer != nil {
			n++
		}
	}
	return n
}

// A member's own service that its node does not serve goes nowhere, whatever it agrees to.
func TestOwnServiceIsNotServed(t *testing.T) {
	s := newStreet(t)
	s.caller.send(&ledger.Publish{Service: croft.Service{Provider: s.caller.id, Name: "own", Version: 1, Task: serve.HTTP, Use: croft.UseNetwork, Tills: []croft.PublicKey{s.caller.public()}}})
	if err := s.desk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, remote := range []bool{false, true} {
		if _, err := s.desk.Call(t.Context(), Wish{Ref: "own", Remote: remote}); !errors.Is(err, croft.ErrNotServed) {
			t.Errorf("%v: %v", remote, err)
		}
	}
}

// A request goes to another's node only if the caller agreed to that, and rows of its
// own registered data only if it agreed to that too.
func TestWhatLeavesIsAgreedTo(t *testing.T) {
	s := newStreet(t)
	var sent []byte
	s.desk.Peers = recorder{s.caller, &sent}
	s.desk.Registered = func(columns []string) (string, bool) { return "visits", slices.Contains(columns, "age") }
	for name, c := range map[string]struct {
		wish  Wish
		leave bool
	}{
		"nothing was said":           {Wish{Columns: []string{"height"}}, false},
		"rows of a dataset":          {Wish{Columns: []string{"age"}, Remote: true}, false},
		"rows that may leave":        {Wish{Columns: []string{"age"}, Remote: true, Registered: true}, true},
		"rows of no dataset":         {Wish{Columns: []string{"height"}, Remote: true}, true},
		"rows that may, but nowhere": {Wish{Columns: []string{"age"}, Registered: true}, false},
	} {
		for _, any := range []bool{false, true} {
			sent, c.wish.Any, c.wish.Ref, c.wish.Request.Body = nil, any, "Ada/echo", []byte(`{}`)
			if any {
				c.wish.Ref = "echo"
			}
			if _, err := s.desk.Call(t.Context(), c.wish); c.leave && (err != nil || sent == nil) || !c.leave && (!errors.Is(err, croft.ErrRemote) || sent != nil) {
				t.Errorf("%s, any provider %v: %v, %d bytes left", name, any, err, len(sent))
			}
		}
	}
}

// Who goes away says nothing of a provider; one that answers nonsense says it of itself.
func TestWhoseFaultItIs(t *testing.T) {
	s := newStreet(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.desk.Peers = goner{s.caller, cancel}
	wish := Wish{Ref: "Ada/echo", Remote: true, Request: serve.Request{Body: []byte(`{}`)}}
	if _, err := s.desk.Call(ctx, wish); !errors.Is(err, croft.ErrPeer) {
		t.Fatal(err)
	}
	if q := s.desk.quality.get(s.service.ID()); q.Calls > 0 || !q.rests.IsZero() {
		t.Errorf("%+v", q)
	}
	s.desk.Peers = s.caller
	s.engines["Ada"].body = "<script>"
	if g, err := s.desk.Call(t.Context(), wish); !errors.Is(err, croft.ErrEngineFailed) || g.Receipt.Price != 2*croft.Credit {
		t.Error(g, err)
	}
	if q := s.desk.quality.get(s.service.ID()); q.Calls != 1 || q.Answered > 0 {
		t.Errorf("%+v", q)
	}
}

// goner leaves as soon as it has asked.
type goner struct {
	*person
	leave func()
}

func (g goner) Ask(context.Context, croft.MemberID, []byte, func([]byte) error) ([]byte, error) {
	g.leave()
	return nil, croft.E(croft.ErrPeer, "Ada", "nobody waits")
}

// What goes into another's file and comes out its provider says, of a name that several
// have the best one.
func TestSchemaOfAnother(t *testing.T) {
	s := newStreet(t)
	want := serve.Schema{Inputs: []serve.Tensor{{Name: "x", Datatype: "FP32", Shape: []int{-1, 4}}}, Outputs: []serve.Tensor{{Name: "p", Datatype: "FP32", Shape: []int{-1, 2}}}, Platform: "onnx_onnxv1"}
	for _, p := range []*person{s.people[0], s.people[2]} {
		for _, o := range p.market.offers {
			o.engine = described{s.engines[p.name], want}
		}
	}
	for _, ref := range []string{"echo", "Ada/echo", s.service.ID().String()} {
		if got, err := s.desk.SchemaOf(t.Context(), ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", ref, got, err)
		}
	}
	s.people[0].market.offers[s.service.ID()].engine = s.engines["Ada"]
	if _, err := s.desk.SchemaOf(t.Context(), "Ada/echo"); !errors.Is(err, croft.ErrNotFound) {
		t.Error(err)
	}
	want.Inputs[0].Name = strings.Repeat("x", maxSchema)
	s.people[0].market.offers[s.service.ID()].engine = described{s.engines["Ada"], want}
	if _, err := s.desk.SchemaOf(t.Context(), "Ada/echo"); !errors.Is(err, croft.ErrTooLarge) {
		t.Error(err)
	}
}

type described struct {
	*answers
	schema serve.Schema
}

func (d described) Schema() serve.Schema { return d.schema }
