package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/market"
	"croft/internal/serve"
)

func (c *cli) modelServeVerb() *cobra.Command {
	var name string
	cmd := c.verb("model.serve", "serve MODEL|FILE.onnx", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.modelServe(ctx, args[0], name) })
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
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	spec := market.Spec{Name: name, Task: serve.Predict}
	if file, is := strings.CutSuffix(ref, ".onnx"); is {
		spec.Name = cmp.Or(name, filepath.Base(file))
		if spec.File, err = absolute(ref); err != nil {
			return err
		}
	} else {
		_, st, err := c.finished(ctx, ref)
		if err != nil {
			return err
		}
		spec.Name, spec.Model = cmp.Or(name, st.Name), st.ID
	}
	r := modelServeResult{Name: spec.Name}
	if _, err := client.Publish(ctx, api.Publish{Spec: spec}); err != nil {
		return err
	}
	offered, err := client.Offered(ctx)
	if err != nil {
		return err
	}
	r.URL = offered.URL
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("model.serve.done", r.Name, r.URL+"/v2/models/"+r.Name))
		fmt.Fprintln(w, c.here("model.serve.next"))
	})
}
