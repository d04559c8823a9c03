package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/serve"
)

func (c *cli) apikeyCreateVerb() *cobra.Command {
	var key serve.APIKey
	var most string
	cmd := c.verb("apikey.create", "create NAME", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		key.Name = args[0]
		return c.apikeyCreate(ctx, key, most)
	})
	cmd.Flags().StringVar(&most, "cap", "0", say("apikey.create.flag.cap"))
	cmd.Flags().StringSliceVar(&key.Services, "service", nil, say("apikey.create.flag.service"))
	cmd.Flags().BoolVar(&key.Any, "any", false, say("apikey.create.flag.any"))
	cmd.Flags().BoolVar(&key.Remote, "remote", false, say("apikey.create.flag.remote"))
	return cmd
}

// apikeyCreate makes a key for a program on this machine, and shows it once.
func (c *cli) apikeyCreate(ctx context.Context, key serve.APIKey, most string) (err error) {
	if key.Cap, err = croft.ParseCredits(most); err != nil {
		return croft.E(croft.ErrUsage, err, say("service.publish.price.fix"))
	}
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	r, err := client.CreateAPIKey(ctx, key)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("apikey.create.done", r.Name, r.ID))
		fmt.Fprintln(w, say("apikey.create.secret", r.Secret))
		if r.URL != "" {
			fmt.Fprintln(w, say("apikey.create.url", r.URL))
		}
	})
}
