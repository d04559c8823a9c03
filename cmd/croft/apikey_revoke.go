package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) apikeyRevokeVerb() *cobra.Command {
	return c.verb("apikey.revoke", "revoke NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.apikeyRevoke(ctx, args[0]) })
}

// apikeyRevoke ends a key at once.
func (c *cli) apikeyRevoke(ctx context.Context, ref string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	key, err := client.RevokeAPIKey(ctx, ref)
	if err != nil {
		return err
	}
	return c.result(key, func(w io.Writer) { fmt.Fprintln(w, say("apikey.revoke.done", key.Name)) })
}
