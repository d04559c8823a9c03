package market

import (
	"context"
	"slices"
	"strings"

	"croft/internal/serve"
)

// backend is the desk as the dialects see it.
type backend struct{ *Desk }

// Backend lets programs on this machine use the market through a dialect.
func (d *Desk) Backend() serve.Backend { return backend{d} }

// Offers lists what can be called: what this node serves to its own programs, and all
// services of the ledger. A name that two providers have is listed with theirs.
func (b backend) Offers() (out []serve.Offer) {
	for _, name := range b.Local() {
		s, err := b.spec(specName(name))
		if err == nil {
			out = append(out, serve.Offer{Name: name, Task: s.Task, Provider: b.nameOf(context.Background(), b.Self), Here: true})
		}
	}
	listings := b.Listings()
	names := map[string]int{}
	for _, name := range b.Local() {
		names[name]++
	}
	for _, l := range listings {
		if names[l.Name]++; !l.called(l.Name) {
			names[l.Name]++ // it takes its provider's with it
		}
	}
	for name, n := range names {
		if n > 1 && !strings.Contains(name, "/") && !slices.Contains(b.Local(), name) {
			out = append(out, anyOf(name, listings))
		}
	}
	for _, l := range listings {
		o := serve.Offer{Name: l.Name, Task: l.Task, Provider: l.ProviderName, Version: l.Version, Most: l.Price.Most, PayTo: l.Provider,
			Network: b.Scope.Network, Here: l.Mine && b.serving(l.ID)}
		if names[l.Name] > 1 {
			o.Name = l.ProviderName + "/" + l.Name
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b serve.Offer) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// anyOf is the offer of a name that several providers have: whichever is best answers,
// for those who agree to that.
func anyOf(name string, listings []Listing) (o serve.Offer) {
	var providers []string
	for _, l := range listings {
		if l.Name == name && (o.Task == "" || o.Task == l.Task) {
			o = serve.Offer{Name: name, Task: l.Task, Most: max(o.Most, l.Price.Most), PayTo: l.Provider, Any: true}
			providers = append(providers, l.ProviderName)
		}
	}
	o.Provider = strings.Join(providers, ", ")
	return o
}

func (b backend) Call(ctx context.Context, c serve.Call) (serve.Result, error) {
	got, err := b.Desk.Call(ctx, Wish{Ref: c.Name, Any: c.Any, Request: c.Request, Columns: c.Columns, Remote: c.Remote && !b.runsHere(c.Name), Most: &c.Most, Part: c.Part})
	result := serve.Result{Body: got.Body, Cost: got.Cost}
	if got.Listing.Price.Quoted {
		result.Quoted = got.Most
	}
	return result, err
}

// runsHere says whether a call is of a model of the network: that runs here whatever
// its caller would agree to.
func (b backend) runsHere(name string) bool {
	all := b.Listings()
	l, err := b.Find(name)
	if err == nil {
		return !l.Model.IsZero()
	}
	return !slices.ContainsFunc(all, func(l Listing) bool { return l.Name == name && l.Model.IsZero() })
}

func (b backend) Schema(ctx context.Context, name string) (serve.Schema, error) {
	return b.SchemaOf(ctx, name)
}
