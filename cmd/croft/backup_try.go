package main

import (
	"context"
	"io"
	"time"

	"croft"
	"croft/internal/keys"
	"croft/internal/node"
)

func (c *cli) backupTestVerb() *verb {
	var keyFile string
	cmd := c.verb("backup.test", "test FILE", one(func(ctx context.Context, file string) error { return c.backupTest(ctx, file, keyFile) }))
	cmd.Flags().StringVar(&keyFile, "recovery-key-file", "", say("backup.flag.key"))
	return cmd
}

// openedBackup says whose a backup is.
type openedBackup struct {
	File    string          `json:"file"`
	Time    time.Time       `json:"time"`
	Name    string          `json:"name"`
	Member  croft.MemberID  `json:"member"`
	Network croft.NetworkID `json:"network"`
	Called  string          `json:"network_name"`
	Files   int             `json:"files"`
}

// backupTest opens a backup and checks all of it, as a restore would, and writes
// nothing.
func (c *cli) backupTest(ctx context.Context, path, keyFile string) error {
	_, r, err := c.openBackup(ctx, path, keyFile)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "backup.test.done", path, r.Name, r.Called, r.Network.Short(), day(r.Time), count(r.Files, "file", "files"))
	})
}

// openBackup asks for what opens a backup, a passphrase or the recovery key.
func (c *cli) openBackup(ctx context.Context, path, keyFile string) (b node.Backup, r openedBackup, err error) {
	b, err = node.ReadBackup(path, func(sealed []byte) ([]byte, error) {
		if keys.HasPassphrase(sealed) {
			p, err := c.asker(ctx)(path)
			if err != nil {
				return nil, err
			}
			return p.Open(sealed)
		}
		var text string
		if keyFile != "" {
			raw, err := readSmall(keyFile)
			if err != nil {
				return nil, err
			}
			text = string(raw)
		} else if text, err = c.ask(ctx, "backup.key.ask"); err != nil {
			return nil, err
		}
		key, err := keys.ParseRecovery(text)
		if err != nil {
			return nil, err
		}
		return key.Open(sealed)
	})
	if err != nil {
		return b, r, err
	}
	m, network, err := b.Member()
	return b, openedBackup{path, time.Unix(b.Time, 0).UTC(), m.Name, m.ID, b.Network, network, len(b.Files)}, err
}
