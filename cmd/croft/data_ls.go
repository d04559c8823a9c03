package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) dataLsVerb() *cobra.Command {
	return c.verb("data.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.dataLs(ctx) })
}

// dataLs lists the owner's datasets, oldest first.
func (c *cli) dataLs(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	list, err := client.Datasets(ctx)
	if err != nil {
		return err
	}
	return c.result(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, c.here("data.ls.none"))
			return
		}
		fmt.Fprintln(w, say("data.ls.head"))
		for _, d := range list {
			state := "data.registered"
			if !d.Registered {
				state = "data.unregistered"
			}
			fmt.Fprintln(w, say("data.ls.row", d.Name, d.ID.Short(), d.Rows, len(d.Columns), d.Used, d.Cap, d.AddedAt.Format("2006-01-02"), say(state)))
		}
	})
}
