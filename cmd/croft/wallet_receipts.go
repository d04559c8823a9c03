package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) walletReceiptsVerb() *cobra.Command {
	return c.verb("wallet.receipts", "receipts", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.walletReceipts(ctx) })
}

// walletReceipts lists the latest calls at this node's end.
func (c *cli) walletReceipts(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	receipts, err := client.Receipts(ctx)
	if err != nil {
		return err
	}
	return c.result(receipts, func(w io.Writer) {
		if len(receipts) == 0 {
			fmt.Fprintln(w, say("wallet.receipts.none"))
			return
		}
		fmt.Fprintln(w, say("wallet.receipts.head"))
		for _, x := range receipts {
			amount, both := "-"+x.Receipt.Price.String(), ""
			if x.Earned {
				amount = "+" + x.Receipt.Price.String()
			}
			if x.Countersigned {
				both = say("wallet.receipts.both")
			}
			fmt.Fprintln(w, say("wallet.receipts.row", day(x.At), x.Service, x.Receipt.Number, x.Receipt.Outcome, amount, both))
		}
	})
}
