package main

import (
	"context"
	"io"
	"os"

	"croft/internal/node"
)

func (c *cli) backupLsVerb() *verb {
	return c.verb("backup.ls", "ls", none(func(context.Context) error { return c.backupLs() }))
}

// foundBackup is a backup that was made, and whether its file is still there.
type foundBackup struct {
	node.MadeBackup
	Here bool `json:"here"`
}

// backupLs lists the backups that were made of this folder, oldest first.
func (c *cli) backupLs() error {
	if _, err := c.genesis(); err != nil {
		return err
	}
	list, err := node.Backups(c.dir)
	if err != nil {
		return err
	}
	found := make([]foundBackup, len(list))
	for i, made := range list {
		info, err := os.Stat(made.File)
		found[i] = foundBackup{made, err == nil && info.Size() == made.Size}
	}
	return c.result(found, func(w io.Writer) {
		if len(found) == 0 {
			c.advise(w, "backup.ls.none")
			return
		}
		tell(w, "backup.ls.head")
		for _, f := range found {
			where := say("backup.ls.away")
			if f.Here {
				where = say("backup.ls.here")
			}
			tell(w, "backup.ls.row", day(f.Time), size(int(f.Size)), f.Opens, where, f.File)
		}
	})
}
