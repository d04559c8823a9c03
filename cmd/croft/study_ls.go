package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) studyLsVerb() *cobra.Command {
	return c.verb("study.ls", "ls", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.studyLs(ctx) })
}

// studyLs lists all studies of the network, oldest first.
func (c *cli) studyLs(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	list, err := client.Studies(ctx)
	if err != nil {
		return err
	}
	return c.result(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, say("study.ls.none"))
			return
		}
		fmt.Fprintln(w, say("study.ls.head"))
		for _, st := range list {
			fmt.Fprintln(w, say("study.ls.row", st.Name, st.ID.Short(), status(st), st.Proposer.Name, answers(st)))
		}
	})
}

// status is a study's status with the reason where it ended.
func status(st api.Summary) string {
	if st.Reason != "" {
		return say("study.status.why", st.Status, st.Reason)
	}
	return st.Status
}

// answers says who answered what.
func answers(st api.Summary) string {
	var out []string
	for _, site := range st.Sites {
		answer := site.Answer
		if site.Missing {
			answer = say("study.missing")
		}
		out = append(out, say("study.answer", site.Name, answer))
	}
	return strings.Join(out, ", ")
}
