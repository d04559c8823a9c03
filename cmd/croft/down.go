package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/store"
)

func (c *cli) downVerb() *cobra.Command {
	var service bool
	cmd := c.verb("down", "down", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if !service {
			return c.down(ctx)
		}
		s, err := c.autostart()
		if err != nil {
			return err
		}
		return c.removeAutostart(ctx, s)
	})
	cmd.Flags().BoolVar(&service, "service", false, say("down.flag.service"))
	return cmd
}

// down asks the node to stop and waits until its folder is free.
func (c *cli) down(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	if err := c.halt(ctx, client); err != nil {
		return err
	}
	return c.result(struct {
		Dir string `json:"dir"`
	}{c.dir}, func(w io.Writer) { fmt.Fprintln(w, say("down.done", c.dir)) })
}

// halt stops the node and waits until its folder is free.
func (c *cli) halt(ctx context.Context, client *api.Client) error {
	if err := client.Down(ctx); err != nil {
		return err
	}
	for {
		release, err := store.Lock(c.dir)
		if err == nil {
			err = release()
		}
		if !errors.Is(err, croft.ErrRunning) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
