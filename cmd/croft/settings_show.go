package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"croft"
)

func (c *cli) settingsShowVerb() *verb {
	return c.verb("settings.show", "show", none(func(context.Context) error { return c.settingsShow() }))
}

// settingsShow shows what croft up goes by when it is given no flags.
func (c *cli) settingsShow() error {
	if _, err := c.genesis(); err != nil {
		return err
	}
	kept, err := readSettings(c.dir)
	if err != nil {
		return err
	}
	return c.result(kept, func(w io.Writer) {
		if len(kept) == 0 {
			c.advise(w, "settings.none")
			return
		}
		for _, word := range kept.words() {
			fmt.Fprintln(w, word)
		}
		c.advise(w, "settings.where", filepath.Join(c.dir, settingsName))
	})
}

func (c *cli) settingsUnsetVerb() *verb {
	return c.verb("settings.unset", "unset FLAG…", some(1, many, func(_ context.Context, args []string) error { return c.settingsUnset(args) }))
}

// settingsUnset forgets what croft up was told: flags by name, or all of them.
func (c *cli) settingsUnset(names []string) (err error) {
	if _, err = c.genesis(); err != nil {
		return err
	}
	kept := settings{}
	if slices.Contains(names, "all") { // also of a file that cannot be read
		names = nil
	} else if kept, err = readSettings(c.dir); err != nil {
		return err
	}
	for _, name := range names {
		if _, there := kept[name]; !there {
			return croft.E(croft.ErrNotFound, say("settings.kind"), fmt.Sprintf("%.40q", name), "croft settings show"+c.dirFlag())
		}
		delete(kept, name)
	}
	if err := kept.write(c.dir); err != nil {
		return err
	}
	return c.result(kept, func(w io.Writer) { c.advise(w, "settings.unset") })
}
