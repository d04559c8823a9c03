package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/chain"
	"croft/internal/node"
)

type upOptions struct {
	listen []string
	page   string
	lan    bool
}

func (c *cli) upVerb() *cobra.Command {
	var o upOptions
	cmd := c.verb("up", "up", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.up(ctx, o) })
	cmd.Flags().StringSliceVar(&o.listen, "listen", nil, say("up.flag.listen"))
	cmd.Flags().StringVar(&o.page, "page", "127.0.0.1:7420", say("up.flag.page"))
	cmd.Flags().BoolVar(&o.lan, "lan", false, say("up.flag.lan"))
	return cmd
}

type upResult struct {
	Dir    string   `json:"dir"`
	Name   string   `json:"name"`
	Socket string   `json:"socket"`
	Page   string   `json:"page,omitempty"`
	Listen []string `json:"listen"`
	Height int64    `json:"height"`
}

// up runs the node in the foreground until it is asked to stop, which is no
// failure.
func (c *cli) up(ctx context.Context, o upOptions) (err error) {
	level := slog.LevelInfo
	if c.quiet {
		level = slog.LevelWarn
	}
	cfg := node.Config{Dir: c.dir, Listen: o.listen, Page: o.page, Socket: true, At: failpoint(),
		Log: slog.New(slog.NewTextHandler(c.errs, &slog.HandlerOptions{Level: level}))}
	if o.lan {
		cfg.Timing = chain.LAN
	}
	if o.page == "none" {
		cfg.Page = ""
	}
	if _, err := c.genesis(); err != nil { // it says that there is no node, which a lock would not
		return err
	}
	if cfg.Page != "" { // before anything starts; the node looks again
		l, err := net.Listen("tcp", cfg.Page)
		if err != nil {
			return croft.E(croft.ErrPortUsed, cfg.Page, err)
		}
		l.Close()
	}
	c.progress("up.opening", c.dir)
	n, err := node.Open(cfg)
	if err != nil {
		return err
	}
	defer func() {
		c.progress("up.stopping")
		err = errors.Join(err, n.Close())
	}()

	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	status, up, err := answering(ctx, c.dir, ended)
	if !up {
		return err
	}
	r := upResult{Dir: c.dir, Name: n.Member.Name, Socket: filepath.Join(c.dir, "api.sock"), Page: cfg.Page, Listen: n.Host.Addrs(), Height: status.Height}
	err = c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("up.title", croft.EngineVersion, r.Name))
		if r.Page != "" {
			fmt.Fprintln(w, say("up.page", r.Page))
		}
		fmt.Fprintln(w, say("up.socket", r.Socket))
		for _, addr := range r.Listen {
			fmt.Fprintln(w, say("up.listen", addr))
		}
		if r.Height == 0 {
			fmt.Fprintln(w, say("up.new"))
		} else {
			fmt.Fprintln(w, say("up.ledger", r.Height, names(status.Orderers)))
		}
	})
	return errors.Join(err, <-ended)
}

// answering waits until the node that runs in dir answers, or has ended: then it
// is not up, and err says why.
func answering(ctx context.Context, dir string, ended <-chan error) (status api.Status, up bool, err error) {
	for {
		if client, err := api.Dial(dir); err == nil {
			if status, err := client.Status(ctx); err == nil {
				return status, true, nil
			}
		}
		select {
		case err := <-ended:
			return status, false, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
