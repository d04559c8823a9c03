package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

type modelPredictOptions struct {
	ref, file, out string
	own            bool
}

func (c *cli) modelPredictVerb() *cobra.Command {
	var o modelPredictOptions
	cmd := c.verb("model.predict", "predict MODEL FILE", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		o.ref, o.file = args[0], args[1]
		return c.modelPredict(ctx, o)
	})
	cmd.Flags().BoolVar(&o.own, "own", false, say("model.predict.flag.own"))
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("model.predict.flag.out"))
	return cmd
}

// modelPredict writes a CSV file with the probability of each row. The rows stay
// on this machine: the model is at the node.
func (c *cli) modelPredict(ctx context.Context, o modelPredictOptions) error {
	path, err := absolute(o.file)
	if err != nil {
		return err
	}
	client, st, err := c.finished(ctx, o.ref)
	if err != nil {
		return err
	}
	r, err := client.Predict(ctx, st.ID.String(), api.Predict{Path: path, Own: o.own})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	column, values := "probability", r.Probability
	switch {
	case r.Value != nil:
		column, values = "value", r.Value
	case r.Rate != nil:
		column, values = "rate", r.Rate
	case r.Hazard != nil:
		column, values = "hazard", r.Hazard
	}
	fmt.Fprintf(&text, "row,%s\n", column)
	for i, p := range values {
		fmt.Fprintf(&text, "%d,%s\n", i+1, strconv.FormatFloat(p, 'g', 6, 64))
	}
	if o.out == "" {
		return c.verbatim(r, text.Bytes())
	}
	if err := writeNew(o.out, text.Bytes()); err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("model.predict.done", count(len(values), "row", "rows"), o.out))
	})
}
