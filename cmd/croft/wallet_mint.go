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

func (c *cli) walletMintVerb() *cobra.Command {
	var amount string
	cmd := c.verb("wallet.mint", "mint MEMBER", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.walletMint(ctx, args[0], amount) })
	cmd.Flags().StringVar(&amount, "amount", "", say("wallet.mint.flag.amount"))
	return cmd
}

type walletMintResult struct {
	Member croft.MemberID `json:"member"`
	Name   string         `json:"name"`
	Amount croft.Credits  `json:"amount"`
	Voted  bool           `json:"voted"`
	Issued bool           `json:"issued"`
}

// walletMint casts this member's vote for new credits on somebody's account. They are
// there once a majority has cast the same.
func (c *cli) walletMint(ctx context.Context, ref, text string) error {
	amount, err := croft.ParseCredits(text)
	if err != nil || amount == 0 {
		return croft.E(croft.ErrUsage, say("wallet.noamount"), say("wallet.noamount.fix"))
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	members, err := p.Members(ctx)
	if err != nil {
		return err
	}
	r := walletMintResult{Amount: amount}
	for _, m := range members {
		if !m.Revoked && named(ref, m.Name, m.ID) {
			r.Member, r.Name = m.ID, m.Name
		}
	}
	council, err := p.Council(ctx)
	if err != nil {
		return err
	}
	for _, g := range council.Guests {
		if named(ref, g.Name, g.ID) {
			r.Member, r.Name = g.ID, g.Name
		}
	}
	if r.Member.IsZero() {
		return croft.E(croft.ErrNotFound, say("member.noun"), ref, "croft member ls")
	}
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	yes, err := c.confirm(ctx, "wallet.mint.ask", amount, r.Name)
	if err != nil {
		return err
	}
	if !yes {
		return croft.E(croft.ErrNotSigned)
	}
	if _, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Mint, Issue: &ledger.Issue{Number: wallet.Decided + 1, Account: r.Member, Amount: amount}}, 0); err != nil {
		return err
	}
	after, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	r.Voted, r.Issued = true, after.Decided > wallet.Decided
	return c.result(r, func(w io.Writer) {
		if r.Issued {
			fmt.Fprintln(w, say("wallet.mint.done", r.Amount, r.Name))
			return
		}
		fmt.Fprintln(w, say("wallet.mint.waits", r.Amount, r.Name, council.Needed, api.Quote(r.Name)))
	})
}
