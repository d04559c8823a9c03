package main

import (
	"context"
	"errors"
	"io"
	"time"

	"croft"
	"croft/internal/store"
)

func (c *cli) downVerb() *verb {
	var service bool
	cmd := c.verb("down", "down", none(func(ctx context.Context) error {
		if !service {
			return c.down(ctx)
		}
		s, err := c.autostart()
		if err != nil {
			return err
		}
		return c.removeAutostart(ctx, s)
	}))
	cmd.Flags().BoolVar(&service, "service", false, say("down.flag.service"))
	return cmd
}

// down asks the node to stop and waits until its folder is free.
func (c *cli) down(ctx context.Context) error {
	done := "down.done"
	err := c.halt(ctx)
	if errors.Is(err, croft.ErrNodeDown) {
		done, err = "down.already", c.idle()
	}
	if err != nil {
		return err
	}
	return c.result(struct {
		Dir string `json:"dir"`
	}{c.dir}, func(w io.Writer) { tell(w, done, c.dir) })
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
func (c *cli) halt(ctx context.Context) error {
	if err := c.node().Down(ctx); err != nil {
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
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
