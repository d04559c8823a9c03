package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) apikeyLsVerb() *cobra.Command {
	return c.verb("apikey.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.apikeyLs(ctx) })
}

// apikeyLs lists the keys of programs on this machine, without their secrets.
func (c *cli) apikeyLs(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	keys, err := client.APIKeys(ctx)
	if err != nil {
		return err
	}
	return c.result(keys, func(w io.Writer) {
		if len(keys) == 0 {
			fmt.Fprintln(w, c.here("apikey.ls.none"))
			return
		}
		fmt.Fprintln(w, say("apikey.ls.head"))
		for _, k := range keys {
			services, remote := strings.Join(k.Services, ", "), say("apikey.ls.here")
			if len(k.Services) == 0 {
				services = say("apikey.ls.all")
			}
			if k.Remote {
				remote = say("apikey.ls.remote")
			}
			fmt.Fprintln(w, say("apikey.ls.row", k.ID, k.Name, k.Spent, k.Cap, services, remote, day(time.Unix(k.Created, 0))))
		}
	})
}
