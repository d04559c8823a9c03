package main

import (
	"context"
	"io"
	"strings"
	"time"

	"croft"
	"croft/internal/serve"
)

func (c *cli) apikeyCreateVerb() *verb {
	var key serve.APIKey
	var most string
	cmd := c.verb("apikey.create", "create NAME", one(func(ctx context.Context, name string) error {
		key.Name = name
		return c.apikeyCreate(ctx, key, most)
	}))
	cmd.Flags().StringVar(&most, "cap", "0", say("apikey.create.flag.cap"))
	cmd.Flags().StringSliceVar(&key.Services, "service", nil, say("apikey.create.flag.service"))
	cmd.Flags().BoolVar(&key.Any, "any", false, say("apikey.create.flag.any"))
	cmd.Flags().BoolVar(&key.Remote, "remote", false, say("apikey.create.flag.remote"))
	return cmd
}

// apikeyCreate makes a key for a program on this machine, and shows it once.
func (c *cli) apikeyCreate(ctx context.Context, key serve.APIKey, most string) (err error) {
	if key.Cap, err = croft.ParseCredits(most); err != nil {
		return croft.E(croft.ErrUsage, err, say("service.publish.price.fix"))
	}
	r, err := c.node().CreateAPIKey(ctx, key)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "apikey.create.done", r.Name, r.ID)
		tell(w, "apikey.create.secret", r.Secret)
		if r.URL != "" {
			tell(w, "apikey.create.url", r.URL)
		}
	})
}

func (c *cli) apikeyLsVerb() *verb { return c.verb("apikey.ls", "ls", none(c.apikeyLs)) }

// apikeyLs lists the keys of programs on this machine, without their secrets.
func (c *cli) apikeyLs(ctx context.Context) error {
	keys, err := c.node().APIKeys(ctx)
	if err != nil {
		return err
	}
	return c.result(keys, func(w io.Writer) {
		if len(keys) == 0 {
			c.advise(w, "apikey.ls.none")
			return
		}
		tell(w, "apikey.ls.head")
		for _, k := range keys {
			services, remote := strings.Join(k.Services, ", "), say("apikey.ls.here")
			if len(k.Services) == 0 {
				services = say("apikey.ls.all")
			}
			if k.Remote {
				remote = say("apikey.ls.remote")
			}
			tell(w, "apikey.ls.row", k.ID, k.Name, k.Spent, k.Cap, services, remote, day(time.Unix(k.Created, 0)))
		}
	})
}

func (c *cli) apikeyRevokeVerb() *verb {
	return c.verb("apikey.revoke", "revoke NAME", one(c.apikeyRevoke))
}

// apikeyRevoke ends a key at once.
func (c *cli) apikeyRevoke(ctx context.Context, ref string) error {
	key, err := c.node().RevokeAPIKey(ctx, ref)
	if err != nil {
		return err
	}
	return c.result(key, func(w io.Writer) { tell(w, "apikey.revoke.done", key.Name) })
}
