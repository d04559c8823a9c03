package main

import (
	"context"
	"errors"
	"io"

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
	b := build()
	o.Machine, o.Commit = b.System+", "+b.Go, b.Commit
	progress := func(line string) { c.progress("bench.progress", line) }
	var report interface{ Print(io.Writer) error }
	var err error
	if o.Dim == 0 {
		report, err = bench.PrivaggTable(ctx, o, progress)
	} else {
		report, err = bench.Privagg(ctx, o, progress)
	}
	if err != nil {
		return err
	}
	var printed error
	err = c.result(report, func(w io.Writer) { printed = report.Print(w) })
	return errors.Join(err, printed)
}
