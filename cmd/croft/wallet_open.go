package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

type walletOpenOptions struct {
	ref, deposit string
	window       time.Duration
}

func (c *cli) walletOpenVerb() *cobra.Command {
	var o walletOpenOptions
	cmd := c.verb("wallet.open", "open SERVICE", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.walletOpen(ctx, o)
	})
	cmd.Flags().StringVar(&o.deposit, "deposit", "", say("wallet.open.flag.deposit"))
	cmd.Flags().DurationVar(&o.window, "window", 24*time.Hour, say("wallet.open.flag.window"))
	return cmd
}

type walletOpenResult struct {
	Channel croft.ChannelID `json:"channel"`
	Service string          `json:"service"`
	Deposit croft.Credits   `json:"deposit"`
}

// walletOpen sets credits aside for calls of a provider's services.
func (c *cli) walletOpen(ctx context.Context, o walletOpenOptions) error {
	deposit, err := croft.ParseCredits(o.deposit)
	if err != nil || deposit == 0 {
		return croft.E(croft.ErrUsage, say("wallet.nodeposit"), say("wallet.nodeposit.fix"))
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	offered, err := p.Offered(ctx)
	if err != nil {
		return err
	}
	l, err := findService(offered, o.ref)
	if err != nil {
		return err
	}
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	tx := p.seal(now(), &ledger.Open{Service: l.ID, Payer: wallet.Payer, Window: uint32(min(o.window/time.Second, 1<<31)), Deposits: []croft.Credits{deposit}})
	done, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) })
	if err != nil {
		return err
	}
	r := walletOpenResult{ledger.ChannelIDOf(done.ID, 0), l.Name, deposit}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("wallet.open.done", r.Deposit, l.ProviderName, r.Channel.Short()))
		fmt.Fprintln(w, say("wallet.open.next", r.Service))
	})
}
