package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/study"
)

type studyNewOptions struct {
	from, out, family string
	comma             bool
}

func (c *cli) studyNewVerb() *verb {
	var o studyNewOptions
	cmd := c.verb("study.new", "new --from FILE.csv", some(0, 1, func(_ context.Context, args []string) error {
		if len(args) > 0 {
			return croft.E(croft.ErrUsage, say("study.new.positional"), "croft study new --from "+api.Quote(args[0]))
		}
		return c.studyNew(o)
	}))
	cmd.Flags().StringVar(&o.from, "from", "", say("study.new.flag.from"))
	cmd.Flags().BoolVar(&o.comma, "decimal-comma", false, say("flag.comma"))
	cmd.Flags().StringVar(&o.family, "family", study.Families()[0], say("study.new.flag.family", strings.Join(study.Families(), ", ")))
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("study.new.flag.out"))
	return cmd
}

type studyNewResult struct {
	File    string   `json:"file,omitempty"`
	Text    string   `json:"text,omitempty"`
	Columns int      `json:"columns"`
	LeftOut []string `json:"left_out,omitempty"`
}

// studyNew writes a commented study file with guesses from a CSV file. It needs
// no node, and overwrites nothing.
func (c *cli) studyNew(o studyNewOptions) error {
	if o.from == "" {
		return croft.E(croft.ErrUsage, say("study.new.nofrom"), "croft study new --from visits.csv")
	}
	if !slices.Contains(study.Families(), o.family) {
		return croft.E(croft.ErrUsage, say("study.new.family", fmt.Sprintf("%.40q", o.family)), "use one of "+strings.Join(study.Families(), ", "))
	}
	if _, err := absolute(o.from); err != nil {
		return err
	}
	draft, err := data.Source{Path: o.from, DecimalComma: o.comma}.Guess()
	if err != nil {
		return err
	}
	text := study.Draft(o.from, draft, o.family)
	var leftOut []string
	for _, l := range draft.LeftOut {
		leftOut = append(leftOut, fmt.Sprintf("%s: %s", l.Name, l.Reason))
	}
	out, columns := cmp.Or(o.out, nameOf(o.from)+".toml"), len(draft.Columns)
	return c.write(out, text, func(file, text string) any { return studyNewResult{file, text, columns, leftOut} }, func(w io.Writer) {
		tell(w, "study.new.done", out, count(columns, "column", "columns"), len(leftOut))
		c.advise(w, "study.new.next", api.Quote(out))
	})
}

// writeNew writes a file that was not there; after a failure there is none.
func writeNew(path string, text []byte) error { return writeAs(0o644, path, text) }

func writeAs(mode fs.FileMode, path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return croft.E(croft.ErrConflict, say("exists", path), say("exists.fix"))
	} else if err != nil {
		return croft.E(croft.ErrFileWrite, path, reason(err))
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return croft.E(croft.ErrFileWrite, path, reason(err))
	}
	return nil
}
