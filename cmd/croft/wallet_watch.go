package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
)

func (c *cli) walletWatchVerb() *cobra.Command {
	var none bool
	cmd := c.verb("wallet.watch", "watch MEMBER...", cobra.MaximumNArgs(maxWatchers), func(ctx context.Context, args []string) error {
		return c.walletWatch(ctx, args, none)
	})
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
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	council, err := client.Council(ctx)
	if err != nil {
		return err
	}
	wallet, err := client.Wallet(ctx)
	if err != nil {
		return err
	}
	ids := []croft.MemberID{}
	for _, ref := range refs {
		who, err := somebody(ctx, client, council, ref)
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
	if err := client.SetWatchers(ctx, ids); err != nil {
		return err
	}
	if wallet, err = client.Wallet(ctx); err != nil {
		return err
	}
	return c.result(wallet.Watchers, func(w io.Writer) {
		for _, x := range wallet.Watchers {
			key := "wallet.watch.done"
			if x.Told == nil {
				key = "wallet.watch.away"
			}
			fmt.Fprintln(w, say(key, x.Name))
		}
		if none {
			fmt.Fprintln(w, say("wallet.watch.ended"))
		}
	})
}
