package main

import (
	"context"
	"io"
	"time"
)

func (c *cli) inviteLsVerb() *verb { return c.verb("invite.ls", "ls", none(c.inviteLs)) }

// inviteLs lists all invites of the network. Codes are not among it: the ledger
// never had them.
func (c *cli) inviteLs(ctx context.Context) error {
	council, err := c.node().Council(ctx)
	if err != nil {
		return err
	}
	return c.result(council.Invites, func(w io.Writer) {
		if len(council.Invites) == 0 {
			c.advise(w, "invite.ls.none")
			return
		}
		tell(w, "invite.ls.head")
		for _, v := range council.Invites {
			state := say("invite.ls.open")
			switch {
			case v.Used >= v.Uses:
				state = say("invite.ls.used")
			case time.Now().After(v.Expires):
				state = say("invite.ls.expired")
			}
			tell(w, "invite.ls.row", v.Key[:8], v.By.Name, day(v.Expires), v.Used, v.Uses, state)
		}
	})
}
