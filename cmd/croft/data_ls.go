package main

import (
	"context"
	"io"
)

func (c *cli) dataLsVerb() *verb { return c.verb("data.ls", "ls", none(c.dataLs)) }

// dataLs lists the owner's datasets, oldest first.
func (c *cli) dataLs(ctx context.Context) error {
	list, err := c.node().Datasets(ctx)
	if err != nil {
		return err
	}
	return c.result(list, func(w io.Writer) {
		if len(list) == 0 {
			c.advise(w, "data.ls.none")
			return
		}
		tell(w, "data.ls.head")
		for _, d := range list {
			tell(w, "data.ls.row", d.Name, d.ID.Short(), d.Rows, len(d.Columns), d.Used, d.Cap, d.AddedAt.Format("2006-01-02"), registered(d))
		}
	})
}
