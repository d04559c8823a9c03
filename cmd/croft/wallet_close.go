package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func (c *cli) walletCloseVerb() *cobra.Command {
	return c.verb("wallet.close", "close CHANNEL", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.walletClose(ctx, args[0]) })
}

// walletClose ends a channel: the provider gets what is due, the rest returns.
func (c *cli) walletClose(ctx context.Context, ref string) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	ch, err := channelOf(ctx, p.Client, ref)
	if err != nil {
		return err
	}
	if err := p.CloseChannel(ctx, ch.ID); err != nil {
		return err
	}
	if ch, err = channelOf(ctx, p.Client, ch.ID.String()); err != nil {
		return err
	}
	return c.result(ch, func(w io.Writer) {
		if ch.Status == "closed" {
			fmt.Fprintln(w, say("wallet.close.done", ch.ID.Short(), ch.Paid, ch.Deposit-ch.Paid))
			return
		}
		fmt.Fprintln(w, say("wallet.close.waits", ch.ID.Short(), ch.Other.Name))
	})
}
