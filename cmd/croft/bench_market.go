package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft/internal/bench"
)

func (c *cli) benchMarketVerb() *cobra.Command {
	var o bench.MarketOptions
	cmd := c.verb("bench.market", "market", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.benchMarket(ctx, o) })
	cmd.Flags().StringVar(&o.Dir, "on", ".", say("bench.market.flag.on"))
	cmd.Flags().DurationVar(&o.Time, "time", 5*time.Second, say("bench.market.flag.time"))
	cmd.Flags().IntVar(&o.Channels, "channels", 10_000, say("bench.market.flag.channels"))
	return cmd
}

// benchMarket measures what it costs to be paid for a call.
func (c *cli) benchMarket(ctx context.Context, o bench.MarketOptions) error {
	b := build()
	o.Machine, o.Commit = b.System+", "+b.Go, b.Commit
	report, err := bench.Market(ctx, o, func(line string) { c.progress("bench.progress", line) })
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
