package main

import (
	"cmp"
	"context"
	"errors"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

type walletSendOptions struct {
	amount string
	number uint64
}

func (c *cli) walletSendVerb() *verb {
	var o walletSendOptions
	cmd := c.verb("wallet.send", "send MEMBER", one(func(ctx context.Context, to string) error { return c.walletSend(ctx, to, o) }))
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
func (c *cli) walletSend(ctx context.Context, to string, o walletSendOptions) error {
	amount, err := croft.ParseCredits(o.amount)
	if err != nil || amount == 0 {
		return croft.E(croft.ErrUsage, say("wallet.send.noamount"), say("wallet.send.fix"))
	}
	p, council, err := c.voter(ctx)
	if err != nil {
		return err
	}
	who, err := c.somebody(ctx, council, to)
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
	if _, err := c.submit(ctx, p, 0, &ledger.Transfer{To: who.ID, Amount: amount, Sequence: number}); err != nil {
		if errors.Is(err, croft.ErrTimeout) || errors.Is(err, croft.ErrNoQuorum) || errors.Is(err, croft.ErrInterrupted) {
			c.progress("wallet.send.again", api.Quote(who.Name), amount, number)
		}
		return err
	}
	if wallet, err = p.Wallet(ctx); err != nil {
		return err
	}
	r := walletSendResult{who.ID, who.Name, amount, number, wallet.Free}
	return c.result(r, func(w io.Writer) { tell(w, "wallet.send.done", r.Amount, r.Name, r.Free) })
}
