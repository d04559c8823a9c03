package main

import (
	"context"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/node"
)

type backupRestoreOptions struct {
	keyFile      string
	alone        bool
	via, without []string
}

func (c *cli) backupRestoreVerb() *verb {
	var o backupRestoreOptions
	cmd := c.verb("backup.restore", "restore FILE --dir NEW", one(func(ctx context.Context, file string) error { return c.backupRestore(ctx, file, o) }))
	cmd.Flags().StringVar(&o.keyFile, "recovery-key-file", "", say("backup.flag.key"))
	cmd.Flags().StringSliceVar(&o.via, "via", nil, say("backup.restore.flag.via"))
	cmd.Flags().BoolVar(&o.alone, "alone", false, say("backup.restore.flag.alone"))
	cmd.Flags().StringSliceVar(&o.without, "without", nil, say("backup.restore.flag.without"))
	return cmd
}

type backupRestoreResult struct {
	Dir string `json:"dir"`
	openedBackup
}

// backupRestore makes a new folder from a backup. What it lacks the node fetches
// from the others when it is started, before it takes part in anything.
func (c *cli) backupRestore(ctx context.Context, path string, o backupRestoreOptions) error {
	if err := api.CheckDir(c.dir); err != nil {
		return err
	}
	b, opened, err := c.openBackup(ctx, path, o.keyFile)
	if err != nil {
		return err
	}
	if len(o.via) == 0 && !o.alone && !b.KnowsOthers() {
		return croft.E(croft.ErrUsage, say("backup.restore.nobody"), say("backup.restore.nobody.fix"))
	}
	if err := b.Restore(c.dir, o.via, o.alone, o.without); err != nil {
		return err
	}
	return c.result(backupRestoreResult{c.dir, opened}, func(w io.Writer) {
		tell(w, "backup.restore.done", opened.Name, c.dir, day(opened.Time))
		tell(w, "backup.restore.old")
		c.advise(w, "backup.restore.next")
	})
}

// recovering tells a person how far a restored node is.
func (c *cli) recovering(r node.Recovery) {
	switch {
	case r.Heard == 0:
		c.progress("recover.nobody")
	case r.Height < r.Others:
		c.progress("recover.fetching", r.Height, r.Others)
	case len(r.Waits) > 0:
		for _, name := range r.Waits {
			c.progress("recover.waits", name)
		}
	default:
		c.progress("recover.done", r.Height)
	}
}
