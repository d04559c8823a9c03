package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
)

func (c *cli) resumeVerb() *cobra.Command {
	return c.verb("resume", "resume", cobra.NoArgs, func(ctx context.Context, _ []string) error { return c.resume(ctx) })
}

// resume ends a pause. Quiet hours are no pause, and go on.
func (c *cli) resume(ctx context.Context) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	rest, err := client.Resume(ctx)
	if err != nil {
		return err
	}
	return c.result(restResult{rest}, func(w io.Writer) {
		if rest != nil {
			fmt.Fprintln(w, say("resume.quiet", rest.Span()))
			return
		}
		fmt.Fprintln(w, say("resume.done"))
	})
}
