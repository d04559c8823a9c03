package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
	"croft/internal/market"
)

type walletOpenOptions struct {
	ref, deposit, payer string
	window              time.Duration
}

func (c *cli) walletOpenVerb() *cobra.Command {
	var o walletOpenOptions
	cmd := c.verb("wallet.open", "open SERVICE", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.walletOpen(ctx, o)
	})
	cmd.Flags().StringVar(&o.deposit, "deposit", "", say("wallet.open.flag.deposit"))
	cmd.Flags().StringVar(&o.payer, "payer", "", say("wallet.open.flag.payer"))
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
	l, err := market.Find(offered.Services, o.ref)
	if err != nil {
		return err
	}
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	payer := wallet.Payer
	if o.payer != "" {
		raw, err := hex.DecodeString(o.payer)
		if err != nil || len(raw) != len(payer) {
			return croft.E(croft.ErrUsage, say("wallet.open.payer"), say("wallet.open.payer.fix"))
		}
		payer = croft.PublicKey(raw)
	}
	tx := p.seal(now(), &ledger.Open{Service: l.ID, Payer: payer, Window: uint32(min(o.window/time.Second, 1<<31)), Deposits: []croft.Credits{deposit}})
	done, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) })
	if err != nil {
		return err
	}
	r := walletOpenResult{ledger.ChannelIDOf(done.ID, 0), l.Name, deposit}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("wallet.open.done", r.Deposit, l.ProviderName, r.Channel.Short()))
		if o.payer != "" {
			fmt.Fprintln(w, say("wallet.open.tell", r.Channel))
			return
		}
		fmt.Fprintln(w, c.here("wallet.open.next", r.Service))
	})
}
