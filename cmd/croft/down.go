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
	done := "down.done"
	client, err := api.Dial(c.dir)
	if errors.Is(err, croft.ErrNodeDown) {
		done, err = "down.already", c.idle()
	} else if err == nil {
		err = c.halt(ctx, client)
	}
	if err != nil {
		return err
	}
	return c.result(struct {
		Dir string `json:"dir"`
	}{c.dir}, func(w io.Writer) { fmt.Fprintln(w, say(done, c.dir)) })
}

// idle makes sure that no process has the folder: one that starts, or joins, has it
// before it answers.
func (c *cli) idle() error {
	release, err := store.Lock(c.dir)
	if errors.Is(err, croft.ErrRunning) {
		return croft.E(croft.ErrConflict, say("down.busy", c.dir), say("down.busy.fix"))
	} else if err != nil {
		return err
	}
	return release()
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
