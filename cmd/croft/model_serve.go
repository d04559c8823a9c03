package main

import (
	"cmp"
	"context"
	"io"
	"path/filepath"
	"strings"

	"croft/internal/api"
	"croft/internal/market"
	"croft/internal/serve"
)

func (c *cli) modelServeVerb() *verb {
	var name string
	cmd := c.verb("model.serve", "serve MODEL|FILE.onnx", one(func(ctx context.Context, ref string) error { return c.modelServe(ctx, ref, name) }))
	cmd.Flags().StringVar(&name, "name", "", say("model.serve.flag.name"))
	return cmd
}

type modelServeResult struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// modelServe lets programs on this machine call a study's model or an ONNX file. Nothing of it is on the
// ledger, and nobody pays.
func (c *cli) modelServe(ctx context.Context, ref, name string) error {
	spec := market.Spec{Name: name, Task: serve.Predict}
	if file, is := strings.CutSuffix(ref, ".onnx"); is {
		spec.Name = cmp.Or(name, filepath.Base(file))
		path, err := absolute(ref)
		if err != nil {
			return err
		}
		spec.File = path
	} else {
		st, err := c.finished(ctx, ref)
		if err != nil {
			return err
		}
		spec.Name, spec.Model = cmp.Or(name, st.Name), st.ID
	}
	r := modelServeResult{Name: spec.Name}
	if _, err := c.node().Publish(ctx, api.Publish{Spec: spec}); err != nil {
		return err
	}
	offered, err := c.node().Offered(ctx)
	if err != nil {
		return err
	}
	r.URL = offered.URL
	return c.result(r, func(w io.Writer) {
		tell(w, "model.serve.done", r.Name, r.URL+"/v2/models/"+r.Name)
		c.advise(w, "model.serve.next")
	})
}
