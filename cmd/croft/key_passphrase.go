package main

import (
	"context"
	"io"

	"croft/internal/keys"
)

type keyPassphraseOptions struct {
	remove  bool
	newFile string
}

func (c *cli) keyPassphraseVerb() *verb {
	var o keyPassphraseOptions
	cmd := c.verb("key.passphrase", "passphrase", none(func(ctx context.Context) error { return c.keyPassphrase(ctx, o) }))
	cmd.Flags().BoolVar(&o.remove, "remove", false, say("key.passphrase.flag.remove"))
	cmd.Flags().StringVar(&o.newFile, "new-passphrase-file", "", say("flag.newpassphrase"))
	cmd.MarkFlagsMutuallyExclusive("remove", "new-passphrase-file")
	return cmd
}

// keyPassphrase changes the passphrase of the member key. The node, which does not
// use that key, may run.
func (c *cli) keyPassphrase(ctx context.Context, o keyPassphraseOptions) error {
	if _, err := c.genesis(); err != nil {
		return err
	}
	if err := keys.SetPassphrase(c.dir, c.asker(ctx), func() (keys.Passphrase, error) {
		if o.remove {
			return nil, nil
		}
		return c.newPassphrase(ctx, o.newFile, say("passphrase.member"))
	}); err != nil {
		return err
	}
	r := struct {
		Dir    string `json:"dir"`
		Locked bool   `json:"locked"`
	}{c.dir, !o.remove}
	return c.result(r, func(w io.Writer) {
		if o.remove {
			tell(w, "key.passphrase.removed")
			return
		}
		tell(w, "key.passphrase.done")
	})
}
