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
	return c.verb("down", "down", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.down(ctx) })
}

// down asks the node to stop and waits until its folder is free.
func (c *cli) down(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	if err := client.Down(ctx); err != nil {
		return err
	}
	for {
		release, err := store.Lock(c.dir)
		if err == nil {
			err = release()
		}
		if !errors.Is(err, croft.ErrRunning) {
			return errors.Join(err, c.result(struct {
				Dir string `json:"dir"`
			}{c.dir}, func(w io.Writer) { fmt.Fprintln(w, say("down.done", c.dir)) }))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
