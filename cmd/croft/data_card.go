package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/study"
)

func (c *cli) dataCardVerb() *verb {
	var license string
	var linked bool
	cmd := c.verb("data.card", "card NAME", one(func(ctx context.Context, name string) error {
		if linked {
			return c.dataCroissant(ctx, name, license)
		}
		return c.dataCard(ctx, name)
	}))
	cmd.Flags().BoolVar(&linked, "json-ld", false, say("data.card.flag.linked"))
	cmd.Flags().StringVar(&license, "license", "", say("data.card.flag.license"))
	return cmd
}

// dataCroissant writes a card that others may read, to publish by hand.
func (c *cli) dataCroissant(ctx context.Context, name, license string) error {
	if license == "" {
		return croft.E(croft.ErrUsage, say("data.card.nolicense"), "croft data card "+api.Quote(name)+" --json-ld --license CC-BY-4.0")
	}
	d, err := c.datasetOf(ctx, name)
	if err != nil {
		return err
	}
	status, err := c.node().Status(ctx)
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
	return c.verbatim(json.RawMessage(text), append(text, '\n'))
}

// datasetOf returns the newest dataset of a name.
func (c *cli) datasetOf(ctx context.Context, name string) (api.Dataset, error) {
	list, err := c.node().Datasets(ctx)
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

func registered(d api.Dataset) string {
	if d.Registered {
		return say("data.registered")
	}
	return say("data.unregistered")
}

// dataCard shows all that the node knows of a dataset: the newest of that name.
func (c *cli) dataCard(ctx context.Context, name string) error {
	d, err := c.datasetOf(ctx, name)
	if err != nil {
		return err
	}
	return c.result(d, func(w io.Writer) {
		tell(w, "data.card.name", d.Name, d.ID, registered(d))
		tell(w, "data.card.file", d.Path, day(d.AddedAt))
		for _, more := range d.More {
			tell(w, "data.card.more", more)
		}
		if d.View != "" {
			tell(w, "data.card.view", strings.Join(append([]string{d.View}, d.Joined...), ", "))
		}
		tell(w, "data.card.rows", d.Rows, d.Unit)
		tell(w, "data.card.columns", strings.Join(d.Columns, ", "))
		tell(w, "data.card.budget", d.Used, d.Cap)
		tell(w, "data.card.policy", d.Policy.MinRows, d.Policy.MinCell, d.Policy.MaxRatio)
		if d.Policy.Exact {
			tell(w, "data.card.exact")
		}
		if d.Policy.Public {
			tell(w, "data.public")
		}
		tell(w, "data.card.known", d.Commitment, d.Group)
	})
}
