package main

import (
	"context"
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
	return c.experiment(ctx, func(where bench.Where, progress func(string)) (figures, error) {
		o.Where = where
		return bench.Market(ctx, o, progress)
	})
}
