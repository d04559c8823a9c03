package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"croft"
	"croft/internal/bench"
)

func (c *cli) benchCompareVerb() *verb {
	o := bench.ArmsOptions{Where: where(), Log: slog.New(slog.DiscardHandler)}
	cmd := c.verb("bench.compare", "compare heart", one(func(ctx context.Context, what string) (err error) {
		if what != "heart" {
			return croft.E(croft.ErrUsage, say("bench.compare.unknown", what), "croft bench compare heart")
		}
		if o.Network, err = os.MkdirTemp("", "croft-compare-"); err != nil {
			return croft.E(croft.ErrFolder, os.TempDir(), err)
		}
		return errors.Join(experiment(ctx, c, o, bench.CompareHeart), os.RemoveAll(o.Network))
	}))
	cmd.Flags().StringVar(&o.Dir, "data", "../shared/data/heart", say("bench.heart.flag.data"))
	return cmd
}

func (c *cli) benchHeartVerb() *verb {
	o := bench.HeartOptions{Where: where()}
	cmd := c.verb("bench.heart", "heart", none(func(ctx context.Context) error { return experiment(ctx, c, o, bench.Heart) }))
	cmd.Flags().StringVar(&o.Dir, "data", "../shared/data/heart", say("bench.heart.flag.data"))
	cmd.Flags().IntVar(&o.Splits, "splits", bench.DefaultHeartSplits, say("bench.heart.flag.splits"))
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, say("bench.heart.flag.seed"))
	return cmd
}

func (c *cli) benchMarketVerb() *verb {
	o := bench.MarketOptions{Where: where()}
	cmd := c.verb("bench.market", "market", none(func(ctx context.Context) error { return experiment(ctx, c, o, bench.Market) }))
	cmd.Flags().StringVar(&o.Dir, "on", ".", say("bench.market.flag.on"))
	cmd.Flags().DurationVar(&o.Time, "time", 5*time.Second, say("bench.market.flag.time"))
	cmd.Flags().IntVar(&o.Channels, "channels", 10_000, say("bench.market.flag.channels"))
	return cmd
}

func (c *cli) benchPrivaggVerb() *verb {
	o := bench.PrivaggOptions{Where: where()}
	cmd := c.verb("bench.privagg", "privagg", none(func(ctx context.Context) error {
		if o.Dim == 0 {
			return experiment(ctx, c, o, bench.PrivaggTable)
		}
		return experiment(ctx, c, o, bench.Privagg)
	}))
	cmd.Flags().IntVar(&o.Dim, "dim", 0, say("bench.privagg.flag.dim"))
	cmd.Flags().IntVar(&o.Seats, "seats", 4, say("bench.privagg.flag.seats"))
	cmd.Flags().IntVar(&o.Threshold, "threshold", 1, say("bench.privagg.flag.threshold"))
	cmd.Flags().IntVar(&o.Repeats, "repeats", bench.DefaultPrivaggRepeats, say("bench.privagg.flag.repeats"))
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, say("bench.privagg.flag.seed"))
	return cmd
}

func where() bench.Where {
	b := build()
	return bench.Where{Machine: b.System + ", " + b.Go, Commit: b.Commit}
}

// experiment runs one and shows the figures that it found.
func experiment[Options any, Figures interface{ Print(io.Writer) error }](ctx context.Context, c *cli, o Options, run func(context.Context, Options, func(line string)) (Figures, error)) error {
	figures, err := run(ctx, o, func(line string) { c.progress("bench.progress", line) })
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	var printed error
	err = c.result(figures, func(w io.Writer) { printed = figures.Print(w) })
	return errors.Join(err, printed)
}
