package main

import (
	"context"
	"fmt"
	"io"

	"croft/internal/api"
)

func (c *cli) walletShowVerb() *verb {
	return c.verb("wallet.show", "show", none(c.walletShow))
}

type walletShowResult struct {
	api.Wallet
	Supply []api.Supply `json:"supply"` // what is asked about credits
}

// walletShow shows all credits on one page: free, reserved, earned, and when.
func (c *cli) walletShow(ctx context.Context) error {
	r, err := c.node().Wallet(ctx)
	if err != nil {
		return err
	}
	council, err := c.node().Council(ctx)
	if err != nil {
		return err
	}
	return c.result(walletShowResult{r, council.Supply}, func(w io.Writer) {
		tell(w, "wallet.show.sums", r.Free, r.Reserved, r.Earned, r.Issued)
		open := 0
		for _, ch := range r.Channels {
			if ch.Status == "closed" {
				continue
			}
			if open++; open == 1 {
				fmt.Fprintln(w, "\n"+say("wallet.show.head"))
			}
			role, middle := say("wallet.show.pays"), say("wallet.show.spent", ch.Spent, ch.Left)
			if ch.Earns {
				role, middle = say("wallet.show.earns"), say("wallet.show.earned", ch.Earned, ch.Claimable, ch.Paid)
			}
			when := say("wallet.show.open")
			if ch.Until != nil {
				when = say("wallet.show.until", ch.Status, day(*ch.Until))
			} else if ch.Status != "open" {
				when = ch.Status
			}
			if ch.Sponsor != nil {
				role = say("wallet.show.sponsored", ch.Sponsor.Name)
			}
			tell(w, "wallet.show.row", ch.ID.Short(), role, ch.Other.Name, ch.Deposit, middle, when)
		}
		switch {
		case r.Issued == 0:
			c.advise(w, "wallet.show.broke")
		case open == 0:
			c.advise(w, "wallet.show.none")
		}
		for _, x := range r.Watchers {
			told := say("wallet.show.untold")
			if x.Told != nil {
				told = say("wallet.show.told", day(*x.Told))
			}
			tell(w, "wallet.show.watcher", x.Name, told)
		}
		if r.Watching > 0 {
			tell(w, "wallet.show.watching", count(r.Watching, "channel", "channels"))
		}
		for _, q := range council.Supply {
			fmt.Fprintln(w, c.onSupply(q, council.Needed, council.Voter))
		}
	})
}
