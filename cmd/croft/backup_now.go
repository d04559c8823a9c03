package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/node"
)

type backupNowOptions struct {
	to, newFile string
	passphrase  bool
}

func (c *cli) backupNowVerb() *verb {
	var o backupNowOptions
	cmd := c.verb("backup.now", "now", none(func(ctx context.Context) error { return c.backupNow(ctx, o) }))
	cmd.Flags().StringVar(&o.to, "to", "", say("backup.now.flag.to"))
	cmd.Flags().BoolVar(&o.passphrase, "passphrase", false, say("backup.now.flag.passphrase"))
	cmd.Flags().StringVar(&o.newFile, "new-passphrase-file", "", say("flag.newpassphrase"))
	return cmd
}

// backupNow writes one sealed file, opens it again, and notes that it is there. The
// node may run.
//
//	Crash: there is no file, or a whole one that croft backup ls does not know.
func (c *cli) backupNow(ctx context.Context, o backupNowOptions) error {
	b, err := c.pack()
	if err != nil {
		return err
	}
	m, _, err := b.Member()
	if err != nil {
		return err
	}
	lock, found, err := keys.RecoveryOf(c.dir)
	if err != nil {
		return err
	}
	made := node.MadeBackup{Time: time.Unix(b.Time, 0).UTC(), Opens: say("backup.opens.recovery")}
	seal := lock.Seal
	if !found || o.passphrase || o.newFile != "" {
		p, err := c.newPassphrase(ctx, o.newFile, say("passphrase.backup"))
		if err != nil {
			return err
		}
		made.Opens, seal = say("backup.opens.passphrase"), p.Seal
	}
	if made.File, err = c.backupPath(o.to, m.Name, made.Time); err != nil {
		return err
	}
	if err := b.Write(made.File, seal); errors.Is(err, fs.ErrExist) {
		return croft.E(croft.ErrConflict, say("exists", made.File), say("exists.fix"))
	} else if err != nil {
		return err
	}
	info, err := os.Stat(made.File)
	if err != nil {
		return croft.E(croft.ErrFileWrite, made.File, reason(err))
	}
	made.Size = info.Size()
	if err := node.NoteBackup(c.dir, made); err != nil {
		return err
	}
	return c.result(made, func(w io.Writer) {
		tell(w, "backup.now.done", made.File, size(int(made.Size)), made.Opens)
		home, _ := filepath.Abs(c.dir) // the backup is there, so the working folder is too
		if within, err := filepath.Rel(home, made.File); err == nil && filepath.IsLocal(within) {
			tell(w, "backup.now.same")
		}
		c.advise(w, "backup.now.next", api.Quote(made.File))
	})
}

// backupPath is where a backup goes: the file that was named, or one with the
// member's name and the time in the folder that was named, or in the node's.
func (c *cli) backupPath(to, member string, at time.Time) (string, error) {
	if to == "" {
		to = filepath.Join(c.dir, "backups")
		if err := os.MkdirAll(to, 0o700); err != nil {
			return "", croft.E(croft.ErrFolder, c.dir, reason(err))
		}
	}
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		to = filepath.Join(to, "croft-"+fileName(member)+"-"+at.Format("20060102-150405")+".age")
	case filepath.Ext(to) != ".age": // a disk that is not plugged in must not become a file of its name
		return "", croft.E(croft.ErrUsage, say("backup.now.nofolder", to), say("backup.now.nofolder.fix"))
	}
	full, err := filepath.Abs(to)
	if err != nil {
		return "", croft.E(croft.ErrFileWrite, to, err)
	}
	return full, nil
}
