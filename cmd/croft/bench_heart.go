package main

import (
	"context"

	"github.com/spf13/cobra"

	"croft/internal/bench"
)

func (c *cli) benchHeartVerb() *cobra.Command {
	var o bench.HeartOptions
	cmd := c.verb("bench.heart", "heart", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.benchHeart(ctx, o) })
	cmd.Flags().StringVar(&o.Dir, "data", "../shared/data/heart", say("bench.heart.flag.data"))
	cmd.Flags().IntVar(&o.Splits, "splits", bench.DefaultHeartSplits, say("bench.heart.flag.splits"))
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, say("bench.heart.flag.seed"))
	return cmd
}

// benchHeart holds federated logistic regression against what four hospitals
// could have had.
func (c *cli) benchHeart(ctx context.Context, o bench.HeartOptions) error {
	return c.experiment(ctx, func(where bench.Where, progress func(string)) (figures, error) {
		o.Where = where
		return bench.Heart(ctx, o, progress)
	})
}
