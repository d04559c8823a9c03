package main

import (
	"context"
	"errors"
	"io"

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
	b := build()
	o.Machine, o.Commit = b.System+", "+b.Go, b.Commit
	report, err := bench.Heart(ctx, o, func(line string) { c.progress("bench.progress", line) })
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	var printed error
	err = c.result(report, func(w io.Writer) { printed = report.Print(w) })
	return errors.Join(err, printed)
}
