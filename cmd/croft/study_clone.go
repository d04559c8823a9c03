package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/study"
)

type studyCloneOptions struct{ ref, out string }

func (c *cli) studyCloneVerb() *cobra.Command {
	var o studyCloneOptions
	cmd := c.verb("study.clone", "clone STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.studyClone(ctx, o)
	})
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("study.clone.flag.out"))
	return cmd
}

type studyCloneResult struct {
	File   string `json:"file,omitempty"`
	Text   string `json:"text,omitempty"`
	Passed bool   `json:"passed"` // the last day has passed
}

// studyClone writes a study file that proposes a study again, and makes sure that it
// would.
func (c *cli) studyClone(ctx context.Context, o studyCloneOptions) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	st, err := client.Study(ctx, o.ref)
	if err != nil {
		return err
	}
	members, err := client.Members(ctx)
	if err != nil {
		return err
	}
	text := study.Text(st.Plan, say("study.clone.heading", st.Name, st.ID.Short()), memberNames(members))
	if err := proposesAgain(text, st.Plan, members); err != nil {
		return err
	}
	r := studyCloneResult{File: o.out, Passed: uint64(st.Plan.Expires)*1e9 <= now()}
	switch r.File {
	case "-":
		r.File, r.Text = "", string(text)
		return c.verbatim(r, text)
	case "":
		r.File = fileName(st.Name) + ".toml"
	}
	if err := writeNew(r.File, text); err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		fmt.Fprintln(w, say("study.clone.done", r.File))
		if r.Passed {
			fmt.Fprintln(w, say("study.clone.passed"))
		}
		fmt.Fprintln(w, c.here("study.clone.next", api.Quote(r.File)))
	})
}

// proposesAgain reads a clone back: what it says must be the study, but for the last
// day, which a file counts in whole days, and the engine, which is this program's.
func proposesAgain(text []byte, plan croft.Study, members []api.Member) error {
	file, err := study.Parse(text, plan.Name)
	if err != nil {
		return err
	}
	again, err := file.Study(croft.MemberID{}, nil, func(name string) (croft.MemberID, bool) {
		for _, m := range members {
			if m.Name == name {
				return m.ID, true
			}
		}
		return croft.MemberID{}, false
	})
	if err != nil {
		return err
	}
	again.Expires, again.Engine = plan.Expires, plan.Engine
	if again.PlanHash() != plan.PlanHash() {
		return croft.E(croft.ErrConflict, say("study.clone.differs", plan.Name), say("study.clone.differs.fix"))
	}
	return nil
}

// memberNames finds what a member is called, also one that has left.
func memberNames(members []api.Member) func(croft.MemberID) string {
	return func(id croft.MemberID) string {
		for _, m := range members {
			if m.ID == id {
				return m.Name
			}
		}
		return id.Short()
	}
}
