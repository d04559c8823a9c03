package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"croft"
	"croft/internal/audit"
)

type auditLogOptions struct {
	study, member string
	from          int64
}

func (c *cli) auditLogVerb() *verb {
	var o auditLogOptions
	cmd := c.verb("audit.log", "log", none(func(ctx context.Context) error { return c.auditLog(ctx, o) }))
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
	if o.study != "" {
		if _, err := c.node().Study(ctx, o.study); err != nil {
			return err
		}
	}
	who, err := c.called(ctx, o.member)
	if err != nil {
		return err
	}
	entries := []audit.Entry{}
	if _, err := audit.Verify(ctx, g, c.node().Blocks(ctx), audit.Options{Inherited: c.node().Inherited(ctx), Log: func(e audit.Entry) {
		if o.member != "" && named(o.member, e.Name, e.Member) { // a guest who was sent away, say
			who[e.Member] = true
		}
		if e.Height >= o.from && o.about(e) {
			entries = append(entries, e)
		}
	}}); err != nil {
		return err
	}
	if o.member != "" {
		if len(who) == 0 { // an empty log would look like an answer
			return croft.E(croft.ErrNotFound, say("member.member"), o.member, "croft member ls")
		}
		entries = slices.DeleteFunc(entries, func(e audit.Entry) bool { return !who[e.Member] })
	}
	return c.result(entries, func(w io.Writer) {
		for _, e := range entries {
			fmt.Fprintln(w, e.Line())
		}
		if len(entries) == 0 {
			tell(w, "audit.log.none")
		}
	})
}

// called returns the members and guests of whom the log is to tell.
func (c *cli) called(ctx context.Context, ref string) (map[croft.MemberID]bool, error) {
	who := map[croft.MemberID]bool{}
	if ref == "" {
		return who, nil
	}
	members, err := c.node().Members(ctx)
	if err != nil {
		return nil, err
	}
	council, err := c.node().Council(ctx)
	for _, m := range members {
		if named(ref, m.Name, m.ID) {
			who[m.ID] = true
		}
	}
	for _, g := range council.Guests {
		if named(ref, g.Name, g.ID) {
			who[g.ID] = true
		}
	}
	return who, err
}

// about says whether an entry is of the study, if one is asked for.
func (o auditLogOptions) about(e audit.Entry) bool {
	return o.study == "" || e.Title == o.study || len(o.study) >= 4 && strings.HasPrefix(e.Study.String(), o.study)
}
