package main

import (
	"context"
	"io"
	"slices"

	"croft"
)

func (c *cli) walletWatchVerb() *verb {
	var none bool
	cmd := c.verb("wallet.watch", "watch MEMBER...", some(0, maxWatchers, func(ctx context.Context, args []string) error {
		return c.walletWatch(ctx, args, none)
	}))
	cmd.Flags().BoolVar(&none, "none", false, say("wallet.watch.flag.none"))
	return cmd
}

// maxWatchers is how many may watch for one member: two that do not fail together are
// enough.
const maxWatchers = 4

// walletWatch says who objects for this member while its node is off.
func (c *cli) walletWatch(ctx context.Context, refs []string, none bool) error {
	if none == (len(refs) > 0) {
		return croft.E(croft.ErrUsage, say("wallet.watch.who"), say("wallet.watch.fix"))
	}
	council, err := c.node().Council(ctx)
	if err != nil {
		return err
	}
	wallet, err := c.node().Wallet(ctx)
	if err != nil {
		return err
	}
	ids := []croft.MemberID{}
	for _, ref := range refs {
		who, err := c.somebody(ctx, council, ref)
		if err != nil {
			return err
		}
		if who.ID == wallet.Self.ID {
			return croft.E(croft.ErrUsage, say("wallet.watch.self"), say("wallet.watch.fix"))
		}
		if !slices.Contains(ids, who.ID) {
			ids = append(ids, who.ID)
		}
	}
	if err := c.node().SetWatchers(ctx, ids); err != nil {
		return err
	}
	if wallet, err = c.node().Wallet(ctx); err != nil {
		return err
	}
	return c.result(wallet.Watchers, func(w io.Writer) {
		for _, x := range wallet.Watchers {
			key := "wallet.watch.done"
			if x.Told == nil {
				key = "wallet.watch.away"
			}
			tell(w, key, x.Name)
		}
		if none {
			tell(w, "wallet.watch.ended")
		}
	})
}
