package main

import (
	"context"
	"io"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) walletTopupVerb() *verb {
	var add string
	cmd := c.verb("wallet.topup", "topup CHANNEL", one(func(ctx context.Context, ref string) error { return c.walletTopup(ctx, ref, add) }))
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
	ch, err := c.channelOf(ctx, ref)
	if err != nil {
		return err
	}
	r := walletOpenResult{Channel: ch.ID, Deposit: ch.Deposit + more}
	if _, err := c.submit(ctx, p, 0, &ledger.Topup{Channel: ch.ID, Deposit: r.Deposit}); err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) { tell(w, "wallet.topup.done", r.Channel.Short(), r.Deposit) })
}

// channelOf returns the channel that a person means: by its id or the beginning of it,
// or by the other end's name, if it is the only one to there that is not closed.
func (c *cli) channelOf(ctx context.Context, ref string) (found api.Channel, err error) {
	wallet, err := c.node().Wallet(ctx)
	if err != nil {
		return found, err
	}
	several := 0
	for _, ch := range wallet.Channels {
		if len(ref) >= 4 && strings.HasPrefix(ch.ID.String(), ref) || ch.Other.Name == ref && ch.Status != "closed" {
			found = ch
			several++
		}
	}
	switch several {
	case 0:
		return found, croft.E(croft.ErrNotFound, say("wallet.channel"), ref, "croft wallet show")
	case 1:
		return found, nil
	}
	return found, croft.E(croft.ErrUsage, say("wallet.several", ref), say("wallet.several.fix"))
}
