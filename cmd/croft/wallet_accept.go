package main

import (
	"context"
	"encoding/hex"
	"io"
)

func (c *cli) walletAcceptVerb() *verb {
	return c.verb("wallet.accept", "accept [CHANNEL]", some(0, 1, func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return c.paymentKey(ctx)
		}
		return c.walletAccept(ctx, args[0])
	}))
}

// paymentKeyResult is what somebody else needs to set credits aside for this node's calls.
type paymentKeyResult struct {
	Payer string `json:"payer"` // 64 hexadecimal digits
}

func (c *cli) paymentKey(ctx context.Context) error {
	wallet, err := c.node().Wallet(ctx)
	if err != nil {
		return err
	}
	r := paymentKeyResult{hex.EncodeToString(wallet.Payer[:])}
	return c.result(r, func(w io.Writer) { tell(w, "wallet.accept.key", r.Payer) })
}

// walletAccept pays from a channel that somebody else opened for this node.
func (c *cli) walletAccept(ctx context.Context, id string) error {
	if err := c.node().AcceptChannel(ctx, id); err != nil {
		return err
	}
	ch, err := c.channelOf(ctx, id)
	if err != nil {
		return err
	}
	return c.result(ch, func(w io.Writer) { tell(w, "wallet.accept.done", ch.Other.Name, ch.Left, ch.Sponsor.Name) })
}
