package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"croft"
)

func (c *cli) settingsUnsetVerb() *cobra.Command {
	return c.verb("settings.unset", "unset FLAG…", cobra.MinimumNArgs(1), func(_ context.Context, args []string) error { return c.settingsUnset(args) })
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
	return c.result(kept, func(w io.Writer) { fmt.Fprintln(w, c.here("settings.unset")) })
}
