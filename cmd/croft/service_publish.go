package main

import (
	"cmp"
	"context"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/serve"
)

type servicePublishOptions struct {
	model, file, use, description       string
	price, input, output, second, most  string
	free, inFlight, seconds, maxBytes   uint32
	upstream                            []string
	task, upstreamModel, credentialFile string
	quote                               string
	public                              bool
}

func (c *cli) servicePublishVerb() *verb {
	var o servicePublishOptions
	cmd := c.verb("service.publish", "publish NAME", one(func(ctx context.Context, name string) error { return c.servicePublish(ctx, name, o) }))
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", say("service.publish.flag.model"))
	f.StringVar(&o.file, "onnx", "", say("service.publish.flag.onnx"))
	f.StringSliceVar(&o.upstream, "upstream", nil, say("service.publish.flag.upstream"))
	f.StringVar(&o.task, "task", serve.Chat, say("service.publish.flag.task"))
	f.StringVar(&o.upstreamModel, "upstream-model", "", say("service.publish.flag.upstreammodel"))
	f.StringVar(&o.credentialFile, "credentials", "", say("service.publish.flag.credentials"))
	f.BoolVar(&o.public, "public", false, say("service.publish.flag.public"))
	f.StringVar(&o.description, "description", "", say("service.publish.flag.description"))
	f.StringVar(&o.use, "use", "", say("service.publish.flag.use"))
	f.StringVar(&o.price, "price", "0", say("service.publish.flag.price"))
	f.StringVar(&o.input, "input", "0", say("service.publish.flag.input"))
	f.StringVar(&o.output, "output", "0", say("service.publish.flag.output"))
	f.StringVar(&o.second, "second", "0", say("service.publish.flag.second"))
	f.StringVar(&o.most, "most", "", say("service.publish.flag.most"))
	f.StringVar(&o.quote, "quote", "", say("service.publish.flag.quote"))
	f.Uint32Var(&o.free, "free", 0, say("service.publish.flag.free"))
	f.Uint32Var(&o.inFlight, "in-flight", 0, say("service.publish.flag.inflight"))
	f.Uint32Var(&o.seconds, "seconds", 0, say("service.publish.flag.seconds"))
	f.Uint32Var(&o.maxBytes, "bytes", 0, say("service.publish.flag.bytes"))
	return cmd
}

type servicePublishResult struct {
	ID      croft.ServiceID `json:"id"`
	Service croft.Service   `json:"service"`
}

// check puts the price together and refuses what cannot be meant.
func (o servicePublishOptions) check() (p croft.Price, err error) {
	things := 0
	for _, given := range []bool{o.model != "", o.file != "", len(o.upstream) > 0} {
		if given {
			things++
		}
	}
	if things != 1 {
		return p, croft.E(croft.ErrUsage, say("service.publish.what"), say("service.publish.what.fix"))
	}
	for _, part := range []struct {
		text string
		to   *croft.Credits
	}{{o.price, &p.Call}, {o.input, &p.Input}, {o.output, &p.Output}, {o.second, &p.Second}, {cmp.Or(o.most, "0"), &p.Most}} {
		if *part.to, err = croft.ParseCredits(part.text); err != nil {
			return p, croft.E(croft.ErrUsage, err, say("service.publish.price.fix"))
		}
	}
	p.Free, p.Quoted = o.free, o.quote != ""
	if p.Quoted && (len(o.upstream) == 0 || p.Most == 0 || p.Call+p.Input+p.Output+p.Second > 0) {
		return p, croft.E(croft.ErrUsage, say("service.publish.quote"), say("service.publish.quote.fix"))
	}
	if o.most == "" {
		if p.Most = p.Call; p.Input+p.Output+p.Second > 0 {
			return p, croft.E(croft.ErrUsage, say("service.publish.most"), say("service.publish.most.fix"))
		}
	}
	return p, nil
}

// servicePublish offers a model or a server to the network, for a price.
func (c *cli) servicePublish(ctx context.Context, name string, o servicePublishOptions) error {
	price, err := o.check()
	if err != nil {
		return err
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	service := croft.Service{Provider: p.self, Name: name, Description: o.description, Task: o.task, Price: price,
		Limits: croft.Limits{Bytes: o.maxBytes, Seconds: o.seconds, InFlight: o.inFlight}, Use: croft.Use(cmp.Or(o.use, string(croft.UseNetwork)))}
	spec := market.Spec{Name: name, Task: o.task, URLs: o.upstream, Upstream: o.upstreamModel, Quote: o.quote, Public: o.public}
	if o.credentialFile != "" {
		if spec.Credentials, err = absolute(o.credentialFile); err != nil {
			return err
		}
	}
	if o.file != "" {
		service.Task, spec.Task = serve.Predict, serve.Predict
		if spec.File, err = absolute(o.file); err != nil {
			return err
		}
	}
	if o.model != "" {
		st, err := c.finished(ctx, o.model)
		if err != nil {
			return err
		}
		service.Task, service.Model, spec.Task, spec.Model = serve.Predict, st.ID, serve.Predict, st.ID
	}
	at, err := p.ToPublish(ctx, name, service.Model)
	if err != nil {
		return err
	}
	if at.Use != "" {
		if o.use == "" {
			service.Use = at.Use
		}
		if !at.Use.Covers(service.Use) {
			return croft.E(croft.ErrUse, at.Use, service.Use, names(at.Cohort))
		}
	}
	if at.Use == croft.UseMembers && o.use == "" {
		return croft.E(croft.ErrUse, at.Use, croft.UseNetwork, say("service.publish.members", names(at.Cohort)))
	}
	service.Version, service.Tills = at.Version, []croft.PublicKey{at.Till}
	tx := p.seal(0, &ledger.Publish{Service: service})
	if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Publish(ctx, api.Publish{Spec: spec, Tx: tx}) }); err != nil {
		return err
	}
	r := servicePublishResult{service.ID(), service}
	return c.result(r, func(w io.Writer) {
		tell(w, "service.publish.done", r.Service.Name, priceOf(price), audience(service.Use))
		tell(w, "service.publish.next", r.Service.Name)
	})
}

// priceOf says what a call costs, in words.
func priceOf(p croft.Price) string {
	if p.Most == 0 {
		return say("price.free")
	}
	text := say("price.most", p.Most)
	if p.Quoted {
		text = say("price.quote", p.Most)
	}
	if p.Call == p.Most {
		text = say("price.call", p.Call)
	}
	if p.Input > 0 {
		text += say("price.input", p.Input)
	}
	if p.Output > 0 {
		text += say("price.output", p.Output)
	}
	if p.Second > 0 {
		text += say("price.second", p.Second)
	}
	if p.Free > 0 {
		text += say("price.gratis", p.Free)
	}
	return text
}

// audience says who may call.
func audience(u croft.Use) string { return say("audience." + string(u)) }
