package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
)

type auditLogOptions struct {
	study, member string
	from          int64
}

func (c *cli) auditLogVerb() *cobra.Command {
	var o auditLogOptions
	cmd := c.verb("audit.log", "log", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.auditLog(ctx, o) })
	cmd.Flags().StringVar(&o.study, "study", "", say("audit.log.flag.study"))
	cmd.Flags().StringVar(&o.member, "member", "", say("audit.log.flag.member"))
	cmd.Flags().Int64Var(&o.from, "from", 1, say("audit.log.flag.from"))
	return cmd
}

// auditLog shows who did what, when: every entry of the ledger, each checked by
// running the chain again.
func (c *cli) auditLog(ctx context.Context, o auditLogOptions) error {
	g, err := c.genesis()
	if err != nil {
		return err
	}
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	if err := o.resolve(ctx, client); err != nil {
		return err
	}
	entries := []audit.Entry{}
	inherited, err := client.Inherited(ctx, g)
	if err != nil {
		return err
	}
	if _, err := audit.Verify(ctx, g, client.Blocks(ctx), audit.Options{Inherited: inherited, Log: func(e audit.Entry) {
		if e.Height >= o.from && o.wants(e) {
			entries = append(entries, e)
		}
	}}); err != nil {
		return err
	}
	return c.result(entries, func(w io.Writer) {
		for _, e := range entries {
			fmt.Fprintln(w, e.Line())
		}
		if len(entries) == 0 {
			fmt.Fprintln(w, say("audit.log.none"))
		}
	})
}

// resolve refuses names that nobody and nothing has: an empty log would look like
// an answer.
func (o *auditLogOptions) resolve(ctx context.Context, client *api.Client) error {
	if o.study != "" {
		if _, err := client.Study(ctx, o.study); err != nil {
			return err
		}
	}
	if o.member == "" {
		return nil
	}
	members, err := client.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if named(o.member, m.Name, m.ID) {
			o.member = m.Name
			return nil
		}
	}
	return croft.E(croft.ErrNotFound, say("member.member"), o.member, "croft member ls")
}

func (o auditLogOptions) wants(e audit.Entry) bool {
	study := o.study == "" || e.Title == o.study || len(o.study) >= 4 && strings.HasPrefix(e.Study.String(), o.study)
	return study && (o.member == "" || e.Name == o.member)
}
