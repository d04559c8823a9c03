package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/bench"
)

func (c *cli) benchCompareVerb() *cobra.Command {
	var o bench.ArmsOptions
	cmd := c.verb("bench.compare", "compare heart", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if args[0] != "heart" {
			return croft.E(croft.ErrUsage, say("bench.compare.unknown", args[0]), "croft bench compare heart")
		}
		return c.benchCompare(ctx, o)
	})
	cmd.Flags().StringVar(&o.Dir, "data", "../shared/data/heart", say("bench.heart.flag.data"))
	return cmd
}

// benchCompare holds ways to get a model against each other.
func (c *cli) benchCompare(ctx context.Context, o bench.ArmsOptions) (err error) {
	o.Log = slog.New(slog.DiscardHandler)
	if o.Network, err = os.MkdirTemp("", "croft-compare-"); err != nil {
		return croft.E(croft.ErrFolder, os.TempDir(), err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Network)) }()
	return c.experiment(ctx, func(where bench.Where, progress func(string)) (figures, error) {
		o.Where = where
		return bench.CompareHeart(ctx, o, progress)
	})
}
