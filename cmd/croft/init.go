package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
)

type initOptions struct {
	name, network string
	lock          bool            // ask for a passphrase of the member key
	passphrase    keys.Passphrase // what was answered
	recovery      string          // the page to write the recovery key on
}

func (c *cli) initVerb() *verb {
	var o initOptions
	cmd := c.verb("init", "init --name NAME", none(func(ctx context.Context) (err error) {
		if o.lock {
			if o.passphrase, err = c.newPassphrase(ctx, c.passphraseFile, say("passphrase.member")); err != nil {
				return err
			}
		}
		r, err := c.init(o)
		if err != nil {
			return err
		}
		return c.result(r, func(w io.Writer) {
			c.printInit(w, r)
			c.advise(w, "init.next")
		})
	}))
	cmd.Flags().StringVar(&o.name, "name", "", say("init.flag.name"))
	cmd.Flags().StringVar(&o.network, "network", "", say("init.flag.network"))
	cmd.Flags().BoolVar(&o.lock, "passphrase", false, say("init.flag.passphrase"))
	cmd.Flags().StringVar(&o.recovery, "recovery", "", say("init.flag.recovery"))
	return cmd
}

type initResult struct {
	Dir     string          `json:"dir"`
	Name    string          `json:"name"`
	Member  croft.MemberID  `json:"member"`
	Network croft.NetworkID `json:"network"`
	Called  string          `json:"network_name"`
	Chain   string          `json:"chain"`
	Page    string          `json:"recovery_page,omitempty"`
}

// init makes a member's keys and the genesis of a network of which it is the only
// member so far.
func (c *cli) init(o initOptions) (r initResult, err error) {
	if o.name == "" {
		return r, croft.E(croft.ErrUsage, say("init.noname"), "croft init --name \"Clinic A\"")
	}
	if ledger.CheckName(o.name) != nil {
		return r, croft.E(croft.ErrUsage, say("init.badname", fmt.Sprintf("%.80q", o.name)), say("init.badname.fix"))
	}
	if o.network == "" {
		o.network = say("init.network", o.name)
	}
	if err := api.CheckDir(c.dir); err != nil {
		return r, err
	}
	g, err := node.Create(c.dir, o.name, o.network, func(stage string) error {
		if len(o.passphrase) > 0 {
			if err := keys.SetPassphrase(stage, nil, func() (keys.Passphrase, error) { return o.passphrase, nil }); err != nil {
				return err
			}
		}
		if o.recovery != "" {
			return makeRecovery(stage, o.recovery, o.name, o.network)
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	return initResult{c.dir, o.name, g.Members[0].ID, g.Network(), o.network, g.Scope().Chain, o.recovery}, nil
}

// printInit says what was made.
func (c *cli) printInit(w io.Writer, r initResult) {
	tell(w, "init.keys", filepath.Join(c.dir, "keys"), r.Member.Short())
	tell(w, "init.founded", r.Called, r.Network.Short())
	if r.Page != "" {
		tell(w, "init.recovery", r.Page)
	}
}

// reason drops the path from an error of the file system: the sentence has it.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// dirFlag is what a command needs in addition to reach this folder.
func (c *cli) dirFlag() string {
	if c.dir == defaultDir() {
		return ""
	}
	return " --dir " + api.Quote(c.dir)
}
