package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) walletTopupVerb() *cobra.Command {
	var add string
	cmd := c.verb("wallet.topup", "topup CHANNEL", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.walletTopup(ctx, args[0], add) })
	cmd.Flags().StringVar(&add, "add", "", say("wallet.topup.flag.add"))
	return cmd
}

// walletTopup puts more into a channel. The transaction names the total, so that it
// counts once, however often it is sent.
func (c *cli) walletTopup(ctx context.Context, ref, add string) error {
	more, err := croft.ParseCredits(add)
	if err != nil || more == 0 {
		return croft.E(croft.ErrUsage, say("wallet.nodeposit"), say("wallet.topup.fix"))
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	ch, err := c.oneChannel(ctx, p, ref)
	if err != nil {
		return err
	}
	r := walletOpenResult{Channel: ch.ID, Deposit: ch.Deposit + more}
	tx := p.seal(0, &ledger.Topup{Channel: ch.ID, Deposit: r.Deposit})
	if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) }); err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("wallet.topup.done", r.Channel.Short(), r.Deposit)) })
}

// oneChannel returns the channel that a person means.
func (c *cli) oneChannel(ctx context.Context, p *person, ref string) (ch api.Channel, err error) {
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return ch, err
	}
	found := findChannel(wallet, ref)
	if len(found) > 1 {
		return ch, croft.E(croft.ErrUsage, say("wallet.several", ref), say("wallet.several.fix"))
	}
	if len(found) == 0 {
		return ch, croft.E(croft.ErrNotFound, say("wallet.channel"), ref, "croft wallet show")
	}
	return found[0], nil
}
