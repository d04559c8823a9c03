package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
)

type joinOptions struct {
	code    string
	run     bool
	welcome bool
	lock    bool      // ask for a passphrase of the member key
	up      upOptions // the name is the newcomer's
}

func (c *cli) joinVerb() *verb {
	var o joinOptions
	cmd := c.verb("join", "join CODE", some(1, many, func(ctx context.Context, args []string) error {
		o.code = strings.Join(args, "") // pasted with blanks or line ends in it
		return c.join(ctx, &o)
	}))
	cmd.Flags().StringVar(&o.up.name, "name", "", say("join.flag.name"))
	cmd.Flags().BoolVar(&o.run, "up", false, say("join.flag.up"))
	cmd.Flags().BoolVar(&o.welcome, "welcome", false, say("join.flag.welcome"))
	cmd.Flags().BoolVar(&o.lock, "passphrase", false, say("init.flag.passphrase"))
	o.up.flags(cmd)
	return cmd
}

type joinResult struct {
	Dir     string          `json:"dir"`
	Name    string          `json:"name"`
	Member  croft.MemberID  `json:"member"`
	Network croft.NetworkID `json:"network"`
	Called  string          `json:"network_name"`
	Digits  string          `json:"digits"`
}

// join makes this folder a member of somebody's network: it applies with the code
// and waits until the members have said yes.
//
//	Crash, Ctrl-C: the same command goes on where it was.
func (c *cli) join(ctx context.Context, o *joinOptions) error {
	v, err := croft.ParseInvite(o.code)
	if err != nil {
		return err
	}
	if err := api.CheckDir(c.dir); err != nil {
		return err
	}
	if o.welcome && !o.up.detach {
		return croft.E(croft.ErrUsage, say("join.welcome.alone"), "croft join CODE --welcome --detach")
	}
	if _, err := c.config(&o.up); err != nil {
		return err
	}
	if o.run = o.run || o.up.detach; o.run {
		if err := o.up.free(); err != nil { // a port that is taken is named before anybody votes
			return err
		}
	}
	lock := node.Lock{Ask: c.asker(ctx)}
	if o.lock && !keys.Locked(c.dir) {
		if lock.New, err = c.newPassphrase(ctx, c.passphraseFile, say("passphrase.member")); err != nil {
			return err
		}
	}
	c.progress("join.knocking", v.Addrs[0])
	p, err := node.Join(ctx, c.dir, v, o.up.name, o.up.light, lock, func() func(node.Progress) {
		shown := false
		return func(p node.Progress) {
			if !shown {
				c.progress("join.found", p.Network, v.Network.Short())
				c.progress("join.digits", p.Digits)
				shown = true
			}
			if p.Standing == ledger.Pending {
				c.progress("join.waiting", p.Yes, p.Needed)
			}
		}
	}())
	if e, ok := errors.AsType[*croft.Error](err); ok && e.Code == croft.ErrPeer {
		return croft.E(croft.ErrInviter, e.Args[1])
	} else if err != nil {
		return err
	}
	done := "join.done"
	if p.Standing == ledger.AsGuest {
		done = "join.guest"
	}
	if o.run {
		c.progress(done, p.Newcomer.Name, p.Network, v.Network.Short())
		if err := c.up(ctx, &o.up); err != nil || !o.welcome {
			return err
		}
		return c.welcome(ctx, v)
	}
	if _, err := o.up.keep(c.dir); err != nil { // croft up comes later
		return err
	}
	r := joinResult{Dir: c.dir, Name: p.Newcomer.Name, Member: p.Newcomer.ID, Network: v.Network, Called: p.Network, Digits: p.Digits}
	return c.result(r, func(w io.Writer) {
		tell(w, done, r.Name, r.Called, r.Network.Short())
		c.advise(w, "join.next")
	})
}
