package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
)

type studyMockOptions struct {
	out  string
	rows int
	seed uint64
}

func (c *cli) studyMockVerb() *verb {
	var o studyMockOptions
	var cmd *verb
	cmd = c.verb("study.mock", "mock FILE.toml|STUDY", one(func(ctx context.Context, of string) error {
		if !cmd.Flags().Changed("seed") {
			o.seed = rand.Uint64()
		}
		return c.studyMock(ctx, of, o)
	}))
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
func (c *cli) studyMock(ctx context.Context, of string, o studyMockOptions) error {
	if o.rows < 1 || o.rows > maxMock {
		return croft.E(croft.ErrUsage, say("study.mock.badrows", maxMock), "croft study mock "+api.Quote(of)+" --rows 200")
	}
	plan, err := c.planOf(ctx, of)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := data.Mock(&text, plan, o.rows, o.seed); err != nil {
		return err
	}
	return c.write(o.out, text.Bytes(), func(file, text string) any { return studyMockResult{file, text, o.rows, o.seed} }, func(w io.Writer) {
		tell(w, "study.mock.done", o.out, count(o.rows, "row", "rows"), o.seed)
		if isFile(of) {
			c.advise(w, "study.mock.next", api.Quote(of), api.Quote(o.out))
		}
	})
}

// planOf reads a study from a file, or by its name from the node.
func (c *cli) planOf(ctx context.Context, of string) (croft.Study, error) {
	if !isFile(of) {
		st, err := c.node().Study(ctx, of)
		return st.Plan, err
	}
	file, err := readStudy(of)
	if err != nil {
		return croft.Study{}, err
	}
	return file.Anyone(), nil
}
