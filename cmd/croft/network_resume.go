package main

import (
	"context"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) networkResumeVerb() *cobra.Command {
	return c.verb("network.resume", "resume", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return c.emergency(ctx, "network.resume.", ledger.Resume, func(n api.Council) []api.Party { return n.Resume })
	})
}
