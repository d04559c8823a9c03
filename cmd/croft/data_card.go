package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
)

func (c *cli) dataCardVerb() *cobra.Command {
	return c.verb("data.card", "card NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.dataCard(ctx, args[0]) })
}

// dataCard shows all that the node knows of a dataset: the newest of that name.
func (c *cli) dataCard(ctx context.Context, name string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	list, err := client.Datasets(ctx)
	if err != nil {
		return err
	}
	at := -1
	for i, d := range list {
		if d.Name == name {
			at = i
		}
	}
	if at < 0 {
		return croft.E(croft.ErrNotFound, "dataset", fmt.Sprintf("%.80q", name), "croft data ls")
	}
	d := list[at]
	return c.result(d, func(w io.Writer) {
		state := "data.registered"
		if !d.Registered {
			state = "data.unregistered"
		}
		fmt.Fprintln(w, say("data.card.name", d.Name, d.ID, say(state)))
		fmt.Fprintln(w, say("data.card.file", d.Path, day(d.AddedAt)))
		for _, more := range d.More {
			fmt.Fprintln(w, say("data.card.more", more))
		}
		if d.View != "" {
			fmt.Fprintln(w, say("data.card.view", d.View))
		}
		fmt.Fprintln(w, say("data.card.rows", d.Rows, d.Unit))
		fmt.Fprintln(w, say("data.card.columns", strings.Join(d.Columns, ", ")))
		fmt.Fprintln(w, say("data.card.budget", d.Used, d.Cap))
		fmt.Fprintln(w, say("data.card.policy", d.Policy.MinRows, d.Policy.MinCell, d.Policy.MaxRatio))
		if d.Policy.Exact {
			fmt.Fprintln(w, say("data.card.exact"))
		}
		if d.Policy.Public {
			fmt.Fprintln(w, say("data.public"))
		}
		fmt.Fprintln(w, say("data.card.known", d.Commitment, d.Group))
	})
}
