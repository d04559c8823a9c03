package main

import (
	"cmp"
	"context"
	"io"

	"croft"
	"croft/internal/api"
	"croft/internal/study"
)

func (c *cli) studyCloneVerb() *verb {
	var out string
	cmd := c.verb("study.clone", "clone STUDY", one(func(ctx context.Context, ref string) error { return c.studyClone(ctx, ref, out) }))
	cmd.Flags().StringVarP(&out, "out", "o", "", say("study.clone.flag.out"))
	return cmd
}

type studyCloneResult struct {
	File   string `json:"file,omitempty"`
	Text   string `json:"text,omitempty"`
	Passed bool   `json:"passed"` // the last day has passed
}

// studyClone writes a study file that proposes a study again, and makes sure that it
// would.
func (c *cli) studyClone(ctx context.Context, ref, out string) error {
	st, err := c.node().Study(ctx, ref)
	if err != nil {
		return err
	}
	members, err := c.node().Members(ctx)
	if err != nil {
		return err
	}
	text := study.Text(st.Plan, say("study.clone.heading", st.Name, st.ID.Short()), memberNames(members))
	if err := proposesAgain(text, st.Plan, members); err != nil {
		return err
	}
	out = cmp.Or(out, fileName(st.Name)+".toml")
	passed := uint64(st.Plan.Expires)*1e9 <= now()
	return c.write(out, text, func(file, text string) any { return studyCloneResult{file, text, passed} }, func(w io.Writer) {
		tell(w, "study.clone.done", out)
		if passed {
			tell(w, "study.clone.passed")
		}
		c.advise(w, "study.clone.next", api.Quote(out))
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
