package market

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/serve"
)

// Desk is where people and programs at this node use the market: they find services,
// call them, and say with what this node serves its own.
type Desk struct {
	*Market
	Models Models
	// Calls is the ledger's rule for who may call a service.
	Calls func(who croft.MemberID, s croft.Service) bool
	// Registered says whether a request has the columns of a registered dataset of this
	// node's owner, and which.
	Registered func(columns []string) (dataset string, is bool)

	mu       sync.RWMutex // guards what follows: the ledger's services, as last looked at
	listings []Listing
	local    map[string]serve.Engine // models served at this node alone, by name

	quality qualities // of services, by this node's own calls
}

// Models are the network's own models as this node can have them.
type Models interface {
	// Engine returns the engine of a study's model and the document that it is made
	// from. It fails with an error for which errors.Is(err, store.ErrAbsent) holds
	// while the document is not here.
	Engine(ctx context.Context, id croft.StudyID) (serve.Engine, []byte, error)
	// Keep keeps a document that came from elsewhere, if it is the one that the ledger
	// names.
	Keep(ctx context.Context, id croft.StudyID, document []byte) error
}

// Listing is a service as people see it.
type Listing struct {
	croft.Service
	ID           croft.ServiceID `json:"id"`
	ProviderName string          `json:"provider_name"`
	Mine         bool            `json:"mine"`
	Serving      bool            `json:"serving"` // mine, and this node answers for it
	Schema       *serve.Schema   `json:"schema,omitempty"`
	Quality      Quality         `json:"quality"`
}

// Spec says with what a node serves something: what the ledger need not know.
type Spec struct {
	Name        string        `cbor:"1,keyasint" json:"name"`
	Task        string        `cbor:"2,keyasint" json:"task"`
	Model       croft.StudyID `cbor:"3,keyasint,omitempty" json:"model"`    // serve this study's model, or
	URLs        []string      `cbor:"4,keyasint,omitempty" json:"upstream"` // an upstream
	Upstream    string        `cbor:"5,keyasint,omitempty" json:"upstream_model"`
	Credentials string        `cbor:"6,keyasint,omitempty" json:"credentials"` // a file's path
	Public      bool          `cbor:"7,keyasint,omitempty" json:"public"`      // the upstream may be anywhere
	Local       bool          `cbor:"8,keyasint,omitempty" json:"local"`       // for this node's own programs alone; not on the ledger
	File        string        `cbor:"9,keyasint,omitempty" json:"file"`        // or serve this ONNX file: its path
	Quote       string        `cbor:"10,keyasint,omitempty" json:"quote"`      // the upstream's path that names prices
}

const specKind = "offer"

// specName is the document's name: a service's may hold any character.
func specName(name string) string { return croft.Sum([]byte(name)).String() }

// Engine makes what a spec says. It fails with croft.ErrUsage or with why a model
// cannot be had.
func (d *Desk) Engine(ctx context.Context, s Spec) (serve.Engine, []byte, error) {
	if !s.Model.IsZero() {
		return d.Models.Engine(ctx, s.Model)
	}
	if s.File != "" {
		e, err := serve.OpenGraph(s.File)
		return e, nil, err
	}
	e, err := serve.NewUpstream(serve.UpstreamConfig{Task: s.Task, URLs: s.URLs, Model: cmp.Or(s.Upstream, s.Name), Credentials: s.Credentials,
		Quote: s.Quote, Public: s.Public})
	return e, nil, err
}

// Begin keeps a spec and serves with it: at once if it is local, else as soon as the
// service is on the ledger.
//
//	Crash: the spec is there or not; serving begins anew at each start.
func (d *Desk) Begin(ctx context.Context, s Spec) error {
	engine, _, err := d.Engine(ctx, s)
	if err != nil {
		return err
	}
	if err := d.Docs.Put(specKind, specName(s.Name), croft.Encode(s)); err != nil {
		return err
	}
	if s.Local {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.local[s.Name] = engine
		return nil
	}
	return d.Look(ctx)
}

// End forgets the spec of a name and serves it no longer.
func (d *Desk) End(name string) error {
	d.mu.Lock()
	delete(d.local, name)
	d.mu.Unlock()
	d.stop(croft.Service{Provider: d.Self, Name: name}.ID())
	return d.Docs.Delete(specKind, specName(name))
}

// Open reads the specs and what the ledger offers.
func (d *Desk) Open(ctx context.Context) error {
	d.local = map[string]serve.Engine{}
	return d.Look(ctx)
}

// Follow looks at the ledger's services after each block with news, until ctx ends.
func (d *Desk) Follow(ctx context.Context) error {
	moved := d.Ledger.Watch(ctx)
	for {
		if err := d.Look(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("services", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-time.After(time.Minute): // a model that was not here may be now
		}
	}
}

// Look reads the ledger's services and serves those of this node that it has a spec
// for.
func (d *Desk) Look(ctx context.Context) error {
	n, _, err := read[uint32](ctx, d.Market, ledger.ServicesKey)
	if err != nil {
		return err
	}
	var all []Listing
	for i := range n {
		id, _, err := read[croft.ServiceID](ctx, d.Market, ledger.ServiceAtKey(i))
		if err != nil {
			return err
		}
		s, found, err := read[croft.Service](ctx, d.Market, ledger.ServiceKey(id))
		if err != nil {
			return err
		}
		if !found || s.Withdrawn {
			d.stop(id)
			continue
		}
		l := Listing{Service: s, ID: id, ProviderName: d.nameOf(ctx, s.Provider), Mine: s.Provider == d.Self}
		if l.Mine {
			if err := d.serve(ctx, s); err != nil {
				d.Log.Info("not served", "service", s.Name, "why", err)
			}
			l.Serving = d.serving(id)
		}
		if o, err := d.offer(id); err == nil {
			if e, described := o.engine.(serve.Described); described {
				schema := e.Schema()
				l.Schema = &schema
			}
		}
		all = append(all, l)
	}
	if err := d.serveLocal(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listings = all
	return nil
}

// serve offers a service of this node with what its spec says, unless it is so
// already.
func (d *Desk) serve(ctx context.Context, s croft.Service) error {
	if o, err := d.offer(s.ID()); err == nil && croft.HashOf(o.service) == croft.HashOf(s) {
		return nil
	}
	spec, err := d.spec(specName(s.Name))
	if err != nil {
		return err
	}
	if !slices.Contains(s.Tills, d.Key) {
		return croft.E(croft.ErrNotServed, s.Name, "it was published with another payment key: publish it again")
	}
	engine, document, err := d.Engine(ctx, spec)
	if err != nil {
		return err
	}
	d.Offer(Offering{Service: s, Engine: engine, Model: document, Admit: func(who croft.MemberID) bool { return d.Calls(who, s) }})
	return nil
}

func (d *Desk) spec(name string) (s Spec, err error) {
	raw, err := d.Docs.Get(specKind, name)
	if err != nil {
		return s, err
	}
	return s, croft.Decode(raw, &s)
}

// serveLocal begins with the local specs that are not served yet.
func (d *Desk) serveLocal(ctx context.Context) error {
	names, err := d.Docs.List(specKind)
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := d.spec(name)
		if absent(err) {
			continue
		} else if err != nil {
			return err
		}
		d.mu.RLock()
		_, has := d.local[s.Name]
		d.mu.RUnlock()
		if !s.Local || has {
			continue
		}
		engine, _, err := d.Engine(ctx, s)
		if err != nil {
			d.Log.Info("not served", "model", s.Name, "why", err)
			continue
		}
		d.mu.Lock()
		d.local[s.Name] = engine
		d.mu.Unlock()
	}
	return nil
}

func (m *Market) nameOf(ctx context.Context, id croft.MemberID) string {
	if m, found, err := read[croft.Member](ctx, m, ledger.MemberKey(id)); err == nil && found {
		return m.Name
	}
	if g, found, err := read[ledger.Guest](ctx, m, ledger.GuestKey(id)); err == nil && found {
		return g.Name
	}
	return id.Short()
}

// Listings returns the services that are offered, oldest first.
func (d *Desk) Listings() []Listing {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := slices.Clone(d.listings)
	for i := range all {
		all[i].Quality = d.quality.get(all[i].ID)
	}
	return all
}

// Local returns the names of what this node serves to its own programs alone.
func (d *Desk) Local() (names []string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for name := range d.local {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Find returns the service of this name, of provider/name, or with this id or its
// beginning. It fails with croft.ErrNotFound, and with croft.ErrUsage if there are
// several.
func (d *Desk) Find(ref string) (Listing, error) { return Find(d.Listings(), ref) }

// called says whether a reference is a listing's name. One with a slash begins with a
// provider's, whatever others call their services.
func (l Listing) called(ref string) bool { return ref == l.Name && !strings.Contains(ref, "/") }

// Find does so among listings.
func Find(all []Listing, ref string) (Listing, error) {
	var found []Listing
	for _, l := range all {
		if ref == l.ID.String() || ref == l.ProviderName+"/"+l.Name {
			return l, nil
		}
		if l.called(ref) || len(ref) >= 6 && strings.HasPrefix(l.ID.String(), ref) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return Listing{}, croft.E(croft.ErrNotFound, "service", ref, "croft service ls")
	case 1:
		return found[0], nil
	}
	return Listing{}, croft.E(croft.ErrUsage, fmt.Sprintf("%d services are called %s", len(found), ref), "say whose: "+found[0].ProviderName+"/"+ref)
}

// Wish is a call as somebody at this node asks for it.
type Wish struct {
	Ref     string // see Find
	Request serve.Request
	Columns []string // of what is sent, where it has some
	// Any agrees that every provider of a service of this name may be asked.
	Any bool
	// Remote agrees that the request leaves this node, Registered that it may be of a
	// registered dataset.
	Remote, Registered bool
	Most               *croft.Credits // see Use
	Part               func([]byte) error

	hold bool // whoever asks decides whether the answer is countersigned
}

// Got is what came of it.
type Got struct {
	Done
	Listing Listing
	Remote  bool    // the request was sent to the provider's node
	Tried   []Tried // which providers were asked, and why those
}

// Call makes a call the way that keeps it closest: at this node, without payment, if
// this node serves it; at this node, paying for the use, if it is a model of the
// network; else at its provider's, if the caller agreed to that. It fails with
// croft.ErrRemote if not. If any provider will do, the best is asked first, and the
// next one where it does not answer.
func (d *Desk) Call(ctx context.Context, w Wish) (g Got, err error) {
	d.mu.RLock()
	own := d.local[w.Ref]
	d.mu.RUnlock()
	if own != nil {
		g.Listing = Listing{Service: croft.Service{Provider: d.Self, Name: w.Ref, Task: w.Request.Task}, Mine: true, Serving: true}
		g.Done, err = here(ctx, own, w)
		return g, err
	}
	return d.route(ctx, w)
}

// from makes a call of one provider's service.
func (d *Desk) from(ctx context.Context, l Listing, w Wish) (g Got, err error) {
	g.Listing = l
	if w.Request.Task == "" {
		w.Request.Task = l.Task
	}
	use := Use{Service: l.Service, Request: w.Request, Most: w.Most, Part: w.Part, hold: w.hold}
	begun := time.Now()
	defer func() {
		if ctx.Err() == nil { // who goes away says nothing of the provider
			d.quality.note(l.ID, err, time.Since(begun), time.Now())
		}
	}()
	if l.Mine {
		o, err := d.offer(l.ID)
		if err == nil {
			g.Done, err = here(ctx, o.engine, w)
		}
		return g, err
	}
	if !w.Remote && g.Listing.Model.IsZero() {
		return g, croft.E(croft.ErrRemote, size(w), g.Listing.ProviderName, "only that node can answer; if they may see it: --remote, or an API key made with --remote")
	}
	if !w.Remote {
		if use.Here, err = d.fetch(ctx, g.Listing); err != nil {
			return g, err
		}
		g.Done, err = d.Market.Call(ctx, use)
		return g, err
	}
	if dataset, is := d.Registered(w.Columns); is && !w.Registered {
		return g, croft.E(croft.ErrRemote, "columns of your registered dataset "+dataset, g.Listing.ProviderName,
			"leave out --remote: a model of the network runs here; if these rows may leave all the same, say --registered too")
	}
	g.Remote = true
	if g.Done, err = d.Market.Call(ctx, use); err == nil && w.Part == nil && !json.Valid(g.Body) {
		err = croft.E(croft.ErrEngineFailed, l.Name, "its answer is not JSON")
	}
	return g, err
}

// size says what a request is, for a person who is asked whether it may leave.
func size(w Wish) string { return fmt.Sprintf("a request of %d bytes", len(w.Request.Body)) }

// here answers at this node.
func here(ctx context.Context, e serve.Engine, w Wish) (Done, error) {
	part := w.Part
	if part == nil {
		part = func([]byte) error { return nil }
	}
	answer, err := e.Infer(ctx, w.Request, part)
	if err == nil {
		err = answer.Partial
	}
	return Done{Body: answer.Body}, err
}

// fetch returns the engine of a model of the network at this node: the document comes
// from the provider once, and must be the one that the ledger names.
func (d *Desk) fetch(ctx context.Context, l Listing) (serve.Engine, error) {
	engine, _, err := d.Models.Engine(ctx, l.Model)
	if !absent(err) {
		return engine, err
	}
	document, err := d.askOf(ctx, l, askModel)
	if err != nil {
		return nil, err
	}
	if err := d.Models.Keep(ctx, l.Model, document); err != nil {
		return nil, err
	}
	engine, _, err = d.Models.Engine(ctx, l.Model)
	return engine, err
}

// askOf asks a service's provider what stands behind it.
func (d *Desk) askOf(ctx context.Context, l Listing, what kind) ([]byte, error) {
	raw, err := d.Peers.Ask(ctx, l.Provider, croft.Encode(ask{Kind: what, Service: l.ID}), nil)
	if err != nil {
		return nil, err
	}
	a, err := readAnswer(raw)
	return a.Result, errors.Join(err, a.trouble())
}

// SchemaOf returns what goes into a service and comes out: of this node's own engines and
// the network's models as they are here, of another's file as its provider says. Of a name
// that several have it is that of the best.
func (d *Desk) SchemaOf(ctx context.Context, ref string) (s serve.Schema, err error) {
	d.mu.RLock()
	engine := d.local[ref]
	d.mu.RUnlock()
	if engine != nil {
		return schemaOf(engine, ref)
	}
	l, err := d.Find(ref)
	if errors.Is(err, croft.ErrUsage) {
		all, none := d.among(Wish{Ref: ref, Any: true})
		if none == nil {
			l, err = all[0], nil
		}
	}
	if err != nil {
		return s, err
	}
	if o, err := d.offer(l.ID); err == nil {
		return schemaOf(o.engine, ref)
	} else if l.Mine {
		return s, err
	}
	if !l.Model.IsZero() {
		if engine, err = d.fetch(ctx, l); err != nil {
			return s, err
		}
		return schemaOf(engine, ref)
	}
	raw, err := d.askOf(ctx, l, askSchema)
	switch {
	case err != nil:
		return s, err
	case len(raw) > maxSchema:
		return s, croft.E(croft.ErrTooLarge, len(raw), maxSchema)
	}
	return s, croft.Decode(raw, &s)
}

func schemaOf(e serve.Engine, ref string) (serve.Schema, error) {
	if e, described := e.(serve.Described); described {
		return e.Schema(), nil
	}
	return serve.Schema{}, croft.E(croft.ErrNotFound, "schema of", ref, "croft service show")
}
