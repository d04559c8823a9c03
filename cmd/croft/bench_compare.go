package main

import (
	"context"
	"errors"
	"io"
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
	b := build()
	o.Machine, o.Commit = b.System+", "+b.Go, b.Commit
	o.Log = slog.New(slog.DiscardHandler)
	if o.Network, err = os.MkdirTemp("", "croft-compare-"); err != nil {
		return croft.E(croft.ErrFolder, os.TempDir(), err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Network)) }()
	report, err := bench.CompareHeart(ctx, o, func(line string) { c.progress("bench.progress", line) })
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
