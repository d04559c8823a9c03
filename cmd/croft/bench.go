package main

import (
	"context"
	"errors"
	"io"

	"croft/internal/bench"
)

// figures is what an experiment found.
type figures interface{ Print(io.Writer) error }

// experiment runs one and shows what it found; run is told what runs where, and whom
// to tell how far it is.
func (c *cli) experiment(ctx context.Context, run func(where bench.Where, progress func(line string)) (figures, error)) error {
	b := build()
	report, err := run(bench.Where{Machine: b.System + ", " + b.Go, Commit: b.Commit}, func(line string) { c.progress("bench.progress", line) })
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	var printed error
	err = c.result(report, func(w io.Writer) { printed = report.Print(w) })
	return errors.Join(err, printed)
}
