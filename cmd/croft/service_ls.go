package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/market"
)

func (c *cli) serviceLsVerb() *cobra.Command {
	return c.verb("service.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.serviceLs(ctx, "") })
}

func (c *cli) serviceSearchVerb() *cobra.Command {
	return c.verb("service.search", "search WORD", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.serviceLs(ctx, args[0]) })
}

// serviceLs lists the services that have a word in name, description, task or
// provider; without one all.
func (c *cli) serviceLs(ctx context.Context, word string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	offered, err := client.Offered(ctx)
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
		fmt.Fprintln(w, say("service.ls.head"))
		for _, l := range found {
			mine := ""
			if l.Mine && l.Serving {
				mine = say("service.ls.mine")
			} else if l.Mine {
				mine = c.here("service.ls.silent")
			}
			fmt.Fprintln(w, say("service.ls.row", l.Name, l.ProviderName, l.Task, priceOf(l.Price), mine))
		}
	})
}
