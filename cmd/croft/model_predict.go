package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"

	"croft/internal/api"
)

type modelPredictOptions struct {
	out string
	own bool
}

func (c *cli) modelPredictVerb() *verb {
	var o modelPredictOptions
	cmd := c.verb("model.predict", "predict MODEL FILE", some(2, 2, func(ctx context.Context, args []string) error {
		return c.modelPredict(ctx, args[0], args[1], o)
	}))
	cmd.Flags().BoolVar(&o.own, "own", false, say("model.predict.flag.own"))
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("model.predict.flag.out"))
	return cmd
}

// modelPredict writes a CSV file with the probability of each row. The rows stay
// on this machine: the model is at the node.
func (c *cli) modelPredict(ctx context.Context, ref, file string, o modelPredictOptions) error {
	path, err := absolute(file)
	if err != nil {
		return err
	}
	st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	r, err := c.node().Predict(ctx, st.ID.String(), api.Predict{Path: path, Own: o.own})
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
	return c.write(cmp.Or(o.out, "-"), text.Bytes(), func(_, _ string) any { return r }, func(w io.Writer) {
		tell(w, "model.predict.done", count(len(values), "row", "rows"), o.out)
	})
}
