package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) inviteLsVerb() *cobra.Command {
	return c.verb("invite.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.inviteLs(ctx) })
}

// inviteLs lists all invites of the network. Codes are not among it: the ledger
// never had them.
func (c *cli) inviteLs(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	council, err := client.Council(ctx)
	if err != nil {
		return err
	}
	return c.result(council.Invites, func(w io.Writer) {
		if len(council.Invites) == 0 {
			fmt.Fprintln(w, c.here("invite.ls.none"))
			return
		}
		fmt.Fprintln(w, say("invite.ls.head"))
		for _, v := range council.Invites {
			state := say("invite.ls.open")
			switch {
			case v.Used >= v.Uses:
				state = say("invite.ls.used")
			case time.Now().After(v.Expires):
				state = say("invite.ls.expired")
			}
			fmt.Fprintln(w, say("invite.ls.row", v.Key[:8], v.By.Name, day(v.Expires), v.Used, v.Uses, state))
		}
	})
}
