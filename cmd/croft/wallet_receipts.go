package main

import (
	"context"
	"io"
)

func (c *cli) walletReceiptsVerb() *verb {
	return c.verb("wallet.receipts", "receipts", none(c.walletReceipts))
}

// walletReceipts lists the latest calls at this node's end.
func (c *cli) walletReceipts(ctx context.Context) error {
	receipts, err := c.node().Receipts(ctx)
	if err != nil {
		return err
	}
	return c.result(receipts, func(w io.Writer) {
		if len(receipts) == 0 {
			tell(w, "wallet.receipts.none")
			return
		}
		tell(w, "wallet.receipts.head")
		for _, x := range receipts {
			amount, both := "-"+x.Receipt.Price.String(), ""
			if x.Earned {
				amount = "+" + x.Receipt.Price.String()
			}
			if x.Countersigned {
				both = say("wallet.receipts.both")
			}
			tell(w, "wallet.receipts.row", day(x.At), x.Service, x.Receipt.Number, x.Receipt.Outcome, amount, both)
		}
	})
}
