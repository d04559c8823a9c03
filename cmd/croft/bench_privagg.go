package main

import (
	"context"

	"github.com/spf13/cobra"

	"croft/internal/bench"
)

func (c *cli) benchPrivaggVerb() *cobra.Command {
	var o bench.PrivaggOptions
	cmd := c.verb("bench.privagg", "privagg", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.benchPrivagg(ctx, o) })
	cmd.Flags().IntVar(&o.Dim, "dim", 0, say("bench.privagg.flag.dim"))
	cmd.Flags().IntVar(&o.Seats, "seats", 4, say("bench.privagg.flag.seats"))
	cmd.Flags().IntVar(&o.Threshold, "threshold", 1, say("bench.privagg.flag.threshold"))
	cmd.Flags().IntVar(&o.Repeats, "repeats", bench.DefaultPrivaggRepeats, say("bench.privagg.flag.repeats"))
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, say("bench.privagg.flag.seed"))
	return cmd
}

// benchPrivagg says what hiding vectors and proving their bounds cost.
func (c *cli) benchPrivagg(ctx context.Context, o bench.PrivaggOptions) error {
	return c.experiment(ctx, func(where bench.Where, progress func(string)) (figures, error) {
		o.Where = where
		if o.Dim == 0 {
			return bench.PrivaggTable(ctx, o, progress)
		}
		return bench.Privagg(ctx, o, progress)
	})
}
