package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) walletAcceptVerb() *cobra.Command {
	return c.verb("wallet.accept", "accept [CHANNEL]", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return c.paymentKey(ctx)
		}
		return c.walletAccept(ctx, args[0])
	})
}

// paymentKeyResult is what somebody else needs to set credits aside for this node's calls.
type paymentKeyResult struct {
	Payer string `json:"payer"` // 64 hexadecimal digits
}

func (c *cli) paymentKey(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	wallet, err := client.Wallet(ctx)
	if err != nil {
		return err
	}
	r := paymentKeyResult{hex.EncodeToString(wallet.Payer[:])}
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("wallet.accept.key", r.Payer)) })
}

// walletAccept pays from a channel that somebody else opened for this node.
func (c *cli) walletAccept(ctx context.Context, id string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	if err := client.AcceptChannel(ctx, id); err != nil {
		return err
	}
	ch, err := channelOf(ctx, client, id)
	if err != nil {
		return err
	}
	return c.result(ch, func(w io.Writer) { fmt.Fprintln(w, say("wallet.accept.done", ch.Other.Name, ch.Left, ch.Sponsor.Name)) })
}
