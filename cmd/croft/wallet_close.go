package main

import (
	"context"
	"io"
)

func (c *cli) walletCloseVerb() *verb {
	return c.verb("wallet.close", "close CHANNEL", one(c.walletClose))
}

// walletClose ends a channel: the provider gets what is due, the rest returns.
func (c *cli) walletClose(ctx context.Context, ref string) error {
	ch, err := c.channelOf(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.node().CloseChannel(ctx, ch.ID); err != nil {
		return err
	}
	if ch, err = c.channelOf(ctx, ch.ID.String()); err != nil {
		return err
	}
	return c.result(ch, func(w io.Writer) {
		if ch.Status == "closed" {
			tell(w, "wallet.close.done", ch.ID.Short(), ch.Paid, ch.Deposit-ch.Paid)
			return
		}
		tell(w, "wallet.close.waits", ch.ID.Short(), ch.Other.Name)
	})
}
