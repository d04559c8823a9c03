package main

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/market"
)

type walletOpenOptions struct {
	deposit, payer string
	window         time.Duration
}

func (c *cli) walletOpenVerb() *verb {
	var o walletOpenOptions
	cmd := c.verb("wallet.open", "open SERVICE", one(func(ctx context.Context, ref string) error { return c.walletOpen(ctx, ref, o) }))
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
func (c *cli) walletOpen(ctx context.Context, ref string, o walletOpenOptions) error {
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
	l, err := market.Find(offered.Services, ref)
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
	done, err := c.submit(ctx, p, now(), &ledger.Open{Service: l.ID, Payer: payer, Window: uint32(min(o.window/time.Second, 1<<31)), Deposits: []croft.Credits{deposit}})
	if err != nil {
		return err
	}
	r := walletOpenResult{ledger.ChannelIDOf(done.ID, 0), l.Name, deposit}
	return c.result(r, func(w io.Writer) {
		tell(w, "wallet.open.done", r.Deposit, l.ProviderName, r.Channel.Short())
		if o.payer != "" {
			tell(w, "wallet.open.tell", r.Channel)
			return
		}
		c.advise(w, "wallet.open.next", r.Service)
	})
}
