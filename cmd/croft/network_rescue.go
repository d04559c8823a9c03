package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
)

type networkRescueOptions struct {
	without []string // names of the members who are lost
	instead bool     // of a rescue that this member has signed before
}

func (c *cli) networkRescueVerb() *verb {
	var o networkRescueOptions
	cmd := c.verb("network.rescue", "rescue [CODE]", some(0, 1, func(ctx context.Context, args []string) error {
		if (len(args) == 0) == (len(o.without) == 0) {
			return croft.E(croft.ErrUsage, say("network.rescue.oneof"), "croft network rescue --without NAME, or croft network rescue CODE")
		}
		if len(args) == 0 {
			return c.proposeRescue(ctx, o)
		}
		return c.confirmRescue(ctx, args[0], o)
	}))
	cmd.Flags().StringArrayVar(&o.without, "without", nil, say("network.rescue.flag.without"))
	cmd.Flags().BoolVar(&o.instead, "instead", false, say("network.rescue.flag.instead"))
	return cmd
}

type networkRescueResult struct {
	Chain    string   `json:"chain"`    // the successor's
	After    int64    `json:"after"`    // the last block of the chain that ends
	Members  []string `json:"members"`  // who go on
	Missing  int      `json:"missing"`  // signatures that it still needs
	Changing bool     `json:"changing"` // this node changes over at its next start
	Code     string   `json:"code"`
}

// proposeRescue asks the node for the successor without the lost members, and signs it.
func (c *cli) proposeRescue(ctx context.Context, o networkRescueOptions) error {
	members, err := c.node().Members(ctx)
	if err != nil {
		return err
	}
	var lost []croft.MemberID
	for _, ref := range o.without {
		who, err := whom(staying(members), ref)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(members, func(m api.Member) bool { return m.Self && m.ID == who.ID }) {
			return croft.E(croft.ErrUsage, say("network.rescue.self"), "croft member ls")
		}
		lost = append(lost, who.ID)
	}
	g, err := c.node().Successor(ctx, lost)
	if err != nil {
		return err
	}
	return c.signRescue(ctx, g, o)
}

// confirmRescue signs what somebody proposed, if this node comes to the same by
// itself. Of one that enough members have signed the signatures are enough: this node
// may have been away when the chain ended.
func (c *cli) confirmRescue(ctx context.Context, code string, o networkRescueOptions) error {
	g, err := readRescue(code)
	if err != nil {
		return err
	}
	now, err := c.genesis()
	if err != nil {
		return err
	}
	switch {
	case now.Hash() == g.Hash():
		return croft.E(croft.ErrConflict, say("network.rescue.done"), "croft network show")
	case now.Network() != g.Network():
		return croft.E(croft.ErrTxScope)
	}
	k, err := keys.LoadNode(c.dir)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(g.Members, func(m croft.Member) bool { return m.Node == k.Public(croft.RoleNode) }) {
		return croft.E(croft.ErrRescue, say("network.rescue.lost"), say("network.rescue.lost.fix"))
	}
	client, down := api.Dial(c.dir)
	if down == nil {
		members, err := client.Members(ctx)
		if err != nil {
			return err
		}
		var lost []croft.MemberID
		for _, m := range members {
			if goes := func(o croft.Member) bool { return o.ID == m.ID }; !m.Revoked && !slices.ContainsFunc(g.Members, goes) {
				lost = append(lost, m.ID)
			}
		}
		own, err := client.Successor(ctx, lost)
		switch {
		case err == nil && own.Hash() == g.Hash():
			return c.signRescue(ctx, g, o)
		case g.Rescue.Missing() == 0:
			if err := client.Believe(ctx, g); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			return croft.E(croft.ErrRescue, say("network.rescue.differs", g.Rescue.Height, own.Rescue.Height), say("network.rescue.differs.fix"))
		}
	} else if g.Rescue.Missing() > 0 {
		return down
	} else if err := node.CheckRescue(c.dir, g, nil); err != nil {
		return err
	}
	c.meansRescue(g)
	if err := c.confirm(ctx, "network.rescue.follow", g.Name); err != nil {
		return err
	}
	return c.keepRescue(ctx, g)
}

// signRescue shows what a rescue means and adds this member's signature. A member
// signs one rescue of a chain: with a second the network could become two.
func (c *cli) signRescue(ctx context.Context, g croft.Genesis, o networkRescueOptions) error {
	switch before, err := node.Rescue(c.dir); {
	case err == nil && before.Hash() == g.Hash():
		g = ledger.Merge(g, before)
	case err == nil && before.Rescue.Chain == g.Rescue.Chain && !o.instead:
		return croft.E(croft.ErrConflict, say("network.rescue.another", before.Rescue.Height), say("network.rescue.another.fix"))
	case err != nil && !errors.Is(err, croft.ErrNotFound):
		return err
	}
	c.meansRescue(g)
	if err := c.confirm(ctx, "network.rescue.ask", g.Name); err != nil {
		return err
	}
	k, err := keys.LoadMember(c.dir, c.asker(ctx))
	if err != nil {
		return err
	}
	return c.keepRescue(ctx, ledger.Endorse(g, croft.IDOf(k.Public(croft.RoleMember)), k.Sign))
}

func (c *cli) meansRescue(g croft.Genesis) {
	c.progress("network.rescue.means", g.Name, g.Rescue.Height, day(time.Unix(g.Time, 0)), strings.Join(founderNames(g), ", "))
}

// keepRescue keeps the rescue in the folder. A running node stops once it has all
// signatures: the next start is on the successor chain.
func (c *cli) keepRescue(ctx context.Context, g croft.Genesis) error {
	if err := node.KeepRescue(c.dir, g); err != nil {
		return err
	}
	r := networkRescueResult{Chain: g.Scope().Chain, After: g.Rescue.Height, Members: founderNames(g), Missing: g.Rescue.Missing(), Changing: g.Rescue.Missing() == 0, Code: g.RescueCode()}
	if r.Changing {
		if err := c.halt(ctx); err != nil && !errors.Is(err, croft.ErrNodeDown) {
			return err
		}
	}
	return c.result(r, func(w io.Writer) {
		if r.Changing {
			c.advise(w, "network.rescue.complete")
		} else {
			tell(w, "network.rescue.signed", count(r.Missing, "signature is", "signatures are"))
		}
		tell(w, "network.rescue.code")
		fmt.Fprintln(w, r.Code)
	})
}

// readRescue reads a code, or the file that holds one: codes of many members are
// longer than a command line may be.
func readRescue(code string) (croft.Genesis, error) {
	if f, err := os.Open(code); err == nil {
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, 2<<20))
		if err != nil {
			return croft.Genesis{}, croft.E(croft.ErrFileOpen, code, reason(err))
		}
		code = string(text)
	}
	return croft.ParseRescue(code)
}

func founderNames(g croft.Genesis) (out []string) {
	for _, m := range g.Members {
		out = append(out, m.Name)
	}
	return out
}
