package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"croft/internal/market"
)

func (c *cli) serviceLsVerb() *verb {
	return c.verb("service.ls", "ls", none(func(ctx context.Context) error { return c.serviceLs(ctx, "") }))
}

func (c *cli) serviceSearchVerb() *verb {
	return c.verb("service.search", "search WORD", one(c.serviceLs))
}

// serviceLs lists the services that have a word in name, description, task or
// provider; without one all.
func (c *cli) serviceLs(ctx context.Context, word string) error {
	offered, err := c.node().Offered(ctx)
	if err != nil {
		return err
	}
	found := []market.Listing{}
	for _, l := range offered.Services {
		text := strings.ToLower(strings.Join([]string{l.Name, l.Description, l.Task, l.ProviderName}, "\n"))
		if strings.Contains(text, strings.ToLower(word)) {
			found = append(found, l)
		}
	}
	return c.result(found, func(w io.Writer) {
		if len(found) == 0 {
			none := c.here("service.ls.none")
			if word != "" {
				none = c.here("service.search.none", word)
			}
			fmt.Fprintln(w, none)
			return
		}
		tell(w, "service.ls.head")
		for _, l := range found {
			mine := ""
			if l.Mine && l.Serving {
				mine = say("service.ls.mine")
			} else if l.Mine {
				mine = c.here("service.ls.silent")
			}
			tell(w, "service.ls.row", l.Name, l.ProviderName, l.Task, priceOf(l.Price), mine)
		}
	})
}
