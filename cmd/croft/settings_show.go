package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (c *cli) settingsShowVerb() *cobra.Command {
	return c.verb("settings.show", "show", cobra.NoArgs, func(context.Context, []string) error { return c.settingsShow() })
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
			fmt.Fprintln(w, c.here("settings.none"))
			return
		}
		for _, word := range kept.words() {
			fmt.Fprintln(w, word)
		}
		fmt.Fprintln(w, c.here("settings.where", filepath.Join(c.dir, settingsName)))
	})
}
