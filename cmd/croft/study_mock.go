package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
)

type studyMockOptions struct {
	of, out string
	rows    int
	seed    uint64
}

func (c *cli) studyMockVerb() *cobra.Command {
	var o studyMockOptions
	var cmd *cobra.Command
	cmd = c.verb("study.mock", "mock FILE.toml|STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if o.of = args[0]; !cmd.Flags().Changed("seed") {
			o.seed = rand.Uint64()
		}
		return c.studyMock(ctx, o)
	})
	cmd.Flags().IntVar(&o.rows, "rows", 200, say("study.mock.flag.rows"))
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, say("study.mock.flag.seed"))
	cmd.Flags().StringVarP(&o.out, "out", "o", "mock.csv", say("study.mock.flag.out"))
	return cmd
}

// maxMock bounds made-up rows: they are held in memory, and more would try nothing more.
const maxMock = 100_000

type studyMockResult struct {
	File string `json:"file,omitempty"`
	Text string `json:"text,omitempty"`
	Rows int    `json:"rows"`
	Seed uint64 `json:"seed"`
}

// studyMock writes made-up rows for a study: of a file it needs no node.
func (c *cli) studyMock(ctx context.Context, o studyMockOptions) error {
	if o.rows < 1 || o.rows > maxMock {
		return croft.E(croft.ErrUsage, say("study.mock.badrows", maxMock), "croft study mock "+api.Quote(o.of)+" --rows 200")
	}
	plan, err := c.planOf(ctx, o.of)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := data.Mock(&text, plan, o.rows, o.seed); err != nil {
		return err
	}
	r := studyMockResult{o.out, "", o.rows, o.seed}
	if o.out == "-" {
		r.File, r.Text = "", text.String()
		return c.verbatim(r, text.Bytes())
	}
	if err := writeNew(o.out, text.Bytes()); err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("study.mock.done", o.out, count(o.rows, "row", "rows"), o.seed))
		if isFile(o.of) {
			fmt.Fprintln(w, c.here("study.mock.next", api.Quote(o.of), api.Quote(o.out)))
		}
	})
}

// planOf reads a study from a file, or by its name from the node.
func (c *cli) planOf(ctx context.Context, of string) (croft.Study, error) {
	if !isFile(of) {
		client, err := api.Dial(c.dir)
		if err != nil {
			return croft.Study{}, err
		}
		st, err := client.Study(ctx, of)
		return st.Plan, err
	}
	file, err := readStudy(of)
	if err != nil {
		return croft.Study{}, err
	}
	return file.Anyone(), nil
}
