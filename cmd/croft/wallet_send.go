package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

type walletSendOptions struct {
	to, amount string
	number     uint64
}

func (c *cli) walletSendVerb() *cobra.Command {
	var o walletSendOptions
	cmd := c.verb("wallet.send", "send MEMBER", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.to = args[0]
		return c.walletSend(ctx, o)
	})
	cmd.Flags().StringVar(&o.amount, "amount", "", say("wallet.send.flag.amount"))
	cmd.Flags().Uint64Var(&o.number, "number", 0, say("wallet.send.flag.number"))
	return cmd
}

type walletSendResult struct {
	To     croft.MemberID `json:"to"`
	Name   string         `json:"name"`
	Amount croft.Credits  `json:"amount"`
	Number uint64         `json:"number"` // of this member's transfers
	Free   croft.Credits  `json:"free"`   // that are left
}

// walletSend moves free credits to somebody. A transfer has a number, and the ledger
// takes each number once: whoever is not sure whether one counted says it again with its
// number.
func (c *cli) walletSend(ctx context.Context, o walletSendOptions) error {
	amount, err := croft.ParseCredits(o.amount)
	if err != nil || amount == 0 {
		return croft.E(croft.ErrUsage, say("wallet.send.noamount"), say("wallet.send.fix"))
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	council, err := p.Council(ctx)
	if err != nil {
		return err
	}
	who, err := somebody(ctx, p.Client, council, o.to)
	if err != nil {
		return err
	}
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	if amount > wallet.Free { // before it is signed: what the ledger refuses for this could be shown to it again later
		return croft.E(croft.ErrTxCredits, wallet.Self.Name, wallet.Free, amount)
	}
	number := cmp.Or(o.number, wallet.Next)
	switch {
	case number < wallet.Next:
		return croft.E(croft.ErrConflict, say("wallet.send.counted", number), "croft wallet show")
	case number > wallet.Next: // nor this: it would be refused now, and anybody could show it when its number has come
		return croft.E(croft.ErrUsage, say("wallet.send.early", number, wallet.Next), say("wallet.send.fix"))
	}
	if err := c.confirm(ctx, "wallet.send.ask", amount, wallet.Free, who.Name); err != nil {
		return err
	}
	tx := p.seal(0, &ledger.Transfer{To: who.ID, Amount: amount, Sequence: number})
	if _, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) }); err != nil {
		if errors.Is(err, croft.ErrTimeout) || errors.Is(err, croft.ErrNoQuorum) || errors.Is(err, croft.ErrInterrupted) {
			c.progress("wallet.send.again", api.Quote(who.Name), amount, number)
		}
		return err
	}
	if wallet, err = p.Wallet(ctx); err != nil {
		return err
	}
	r := walletSendResult{who.ID, who.Name, amount, number, wallet.Free}
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, say("wallet.send.done", r.Amount, r.Name, r.Free)) })
}
