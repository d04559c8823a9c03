package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
	"croft/internal/store"
)

type initOptions struct {
	name, network string
	lock          bool            // ask for a passphrase of the member key
	passphrase    keys.Passphrase // what was answered
	recovery      string          // the page to write the recovery key on
}

func (c *cli) initVerb() *cobra.Command {
	var o initOptions
	cmd := c.verb("init", "init --name NAME", cobra.NoArgs, func(ctx context.Context, _ []string) (err error) {
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
			fmt.Fprintln(w, c.here("init.next"))
		})
	})
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
//
//	Crash: what is not finished lies under another name, and the same command
//	takes it away and begins again.
func (c *cli) init(o initOptions) (r initResult, err error) {
	if o.name == "" {
		return r, croft.E(croft.ErrUsage, say("init.noname"), "croft init --name \"Clinic A\"")
	}
	if o.network == "" {
		o.network = say("init.network", o.name)
	}
	if err := api.CheckDir(c.dir); err != nil {
		return r, err
	}
	made, err := emptyFolder(c.dir)
	defer func() {
		if made && err != nil {
			os.Remove(filepath.Join(c.dir, "lock")) // as it was before; what else there is stays
			os.Remove(c.dir)
		}
	}()
	if err != nil {
		return r, err
	}
	release, err := store.Lock(c.dir) // against a second init of the same moment
	if err != nil {
		return r, err
	}
	defer release()

	stage, err := os.MkdirTemp(c.dir, staging)
	if err != nil {
		return r, croft.E(croft.ErrFolder, c.dir, reason(err))
	}
	defer os.RemoveAll(stage)
	k, err := node.Init(stage)
	if err != nil {
		return r, err
	}
	member := k.Member(o.name, true)
	member.Ready = true
	g := croft.Genesis{Version: 1, Name: o.network, Time: time.Now().Unix(), Members: []croft.Member{member}}
	if _, err := ledger.New(g, ledger.NewMemoryTree()); err != nil { // what the rules would refuse is refused before it is written
		return r, croft.E(croft.ErrUsage, say("init.badname", fmt.Sprintf("%.80q", o.name)), "croft init --name \"Clinic A\"")
	}
	if err := node.Found(stage, g); err != nil {
		return r, err
	}
	if len(o.passphrase) > 0 {
		if err := keys.SetPassphrase(stage, nil, func() (keys.Passphrase, error) { return o.passphrase, nil }); err != nil {
			return r, err
		}
	}
	if o.recovery != "" {
		if err := makeRecovery(stage, o.recovery, o.name, o.network); err != nil {
			return r, err
		}
	}
	// The keys come last: a folder with keys is a node.
	entries, err := os.ReadDir(stage)
	if err != nil {
		return r, croft.E(croft.ErrFolder, c.dir, reason(err))
	}
	for _, last := range []bool{false, true} {
		for _, e := range entries {
			if e.IsDir() == last {
				if err := os.Rename(filepath.Join(stage, e.Name()), filepath.Join(c.dir, e.Name())); err != nil {
					return r, croft.E(croft.ErrFolder, c.dir, reason(err))
				}
			}
		}
	}

	return initResult{c.dir, o.name, member.ID, g.Network(), o.network, g.Scope().Chain, o.recovery}, nil
}

// printInit says what was made.
func (c *cli) printInit(w io.Writer, r initResult) {
	fmt.Fprintln(w, say("init.keys", filepath.Join(c.dir, "keys"), r.Member.Short()))
	fmt.Fprintln(w, say("init.founded", r.Called, r.Network.Short()))
	if r.Page != "" {
		fmt.Fprintln(w, say("init.recovery", r.Page))
	}
}

// staging begins the names of folders in which init works.
const staging = ".init-"

// emptyFolder makes sure that there is an empty folder at dir, but for what an
// interrupted init left. It says whether it made it.
func emptyFolder(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return false, croft.E(croft.ErrFolder, dir, reason(err))
		}
		return true, nil
	} else if err != nil {
		return false, croft.E(croft.ErrFolder, dir, reason(err))
	}
	if _, err := os.Lstat(filepath.Join(dir, "keys")); err == nil {
		return false, croft.E(croft.ErrFolderUsed, dir)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, staging):
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return false, croft.E(croft.ErrFolder, dir, reason(err))
			}
		case name == "lock", name == "genesis.cbor" && len(entries) <= 3:
		default:
			return false, croft.E(croft.ErrFolder, dir, say("init.notempty", name))
		}
	}
	if err := os.Remove(filepath.Join(dir, "genesis.cbor")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, croft.E(croft.ErrFolder, dir, reason(err))
	}
	return false, nil
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
