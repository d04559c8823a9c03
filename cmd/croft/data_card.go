package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/study"
)

func (c *cli) dataCardVerb() *cobra.Command {
	var license string
	var linked bool
	cmd := c.verb("data.card", "card NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if linked {
			return c.dataCroissant(ctx, args[0], license)
		}
		return c.dataCard(ctx, args[0])
	})
	cmd.Flags().BoolVar(&linked, "json-ld", false, say("data.card.flag.linked"))
	cmd.Flags().StringVar(&license, "license", "", say("data.card.flag.license"))
	return cmd
}

// dataCroissant writes a card that others may read, to publish by hand.
func (c *cli) dataCroissant(ctx context.Context, name, license string) error {
	if license == "" {
		return croft.E(croft.ErrUsage, say("data.card.nolicense"), "croft data card "+api.Quote(name)+" --json-ld --license CC-BY-4.0")
	}
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	d, err := datasetOf(ctx, client, name)
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	var draft data.Draft
	if d.View != "" { // its columns are the view's, of which it says no kinds here
		for _, column := range d.Columns {
			draft.Columns = append(draft.Columns, data.DraftColumn{Column: croft.Column{Name: column, Kind: croft.Category}})
		}
	} else if draft, err = d.Source.Guess(); err != nil {
		return err
	}
	draft.Columns = slices.DeleteFunc(draft.Columns, func(c data.DraftColumn) bool { return c.Name == d.Unit })
	rows := study.RowsAllowed(d.Rows)
	text, err := data.Croissant(data.Published{Name: d.Name, Description: say("data.card.describes", rows, status.NetworkName), License: license,
		URL: "urn:croft:dataset:" + d.ID.String(), Creator: status.Member.Name, Date: d.AddedAt}, draft)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, string(text))
	return nil
}

// datasetOf returns the newest dataset of a name.
func datasetOf(ctx context.Context, client *api.Client, name string) (api.Dataset, error) {
	list, err := client.Datasets(ctx)
	if err != nil {
		return api.Dataset{}, err
	}
	for _, d := range slices.Backward(list) {
		if d.Name == name {
			return d, nil
		}
	}
	return api.Dataset{}, croft.E(croft.ErrNotFound, "dataset", fmt.Sprintf("%.80q", name), "croft data ls")
}

// dataCard shows all that the node knows of a dataset: the newest of that name.
func (c *cli) dataCard(ctx context.Context, name string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	d, err := datasetOf(ctx, client, name)
	if err != nil {
		return err
	}
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
			fmt.Fprintln(w, say("data.card.view", strings.Join(append([]string{d.View}, d.Joined...), ", ")))
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
