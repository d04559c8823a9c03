package main

import (
	"context"

	"github.com/spf13/cobra"

	"croft/internal/ledger"
)

func (c *cli) walletBurnVerb() *cobra.Command {
	var amount string
	cmd := c.verb("wallet.burn", "burn MEMBER", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return c.voteOnSupply(ctx, "wallet.burn.", ledger.Burn, args[0], amount)
	})
	cmd.Flags().StringVar(&amount, "amount", "", say("wallet.burn.flag.amount"))
	return cmd
}
