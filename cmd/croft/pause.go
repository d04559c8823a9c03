package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"croft"
	"croft/internal/api"
)

func (c *cli) pauseVerb() *verb {
	var until string
	cmd := c.verb("pause", "pause", none(func(ctx context.Context) error { return c.pause(ctx, until) }))
	cmd.Flags().StringVar(&until, "until", "", say("pause.flag.until"))
	return cmd
}

// restResult says whether the node takes part in rounds.
type restResult struct {
	Rest *api.Rest `json:"rest"` // null: it does
}

// pause keeps the node out of rounds, and says which studies do not wait so long.
func (c *cli) pause(ctx context.Context, text string) error {
	until, err := nextTime(text, time.Now())
	if err != nil {
		return err
	}
	rest, err := c.node().Pause(ctx, until)
	if err != nil {
		return err
	}
	impatient, err := c.impatient(ctx, until)
	if err != nil {
		return err
	}
	return c.result(restResult{rest}, func(w io.Writer) {
		tell(w, "pause.done", rest.Span())
		for _, line := range impatient {
			fmt.Fprintln(w, line)
		}
	})
}

// impatient says of each study that this member is a site of and that has begun how
// long it waits, if that is not long enough.
func (c *cli) impatient(ctx context.Context, until time.Time) (lines []string, err error) {
	status, err := c.node().Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, st := range status.Studies {
		if !st.Mine || st.Current() == 0 {
			continue
		}
		full, err := c.node().Study(ctx, st.ID.String())
		if err != nil {
			return nil, err
		}
		// After the first patience it is paused, after the second it ends.
		if waits := 2 * time.Duration(full.Plan.Patience) * time.Second; until.IsZero() || time.Until(until) > waits {
			lines = append(lines, say("pause.ends", st.Name, waits))
		}
	}
	return lines, nil
}

func (c *cli) resumeVerb() *verb { return c.verb("resume", "resume", none(c.resume)) }

// resume ends a pause. Quiet hours are no pause, and go on.
func (c *cli) resume(ctx context.Context) error {
	rest, err := c.node().Resume(ctx)
	if err != nil {
		return err
	}
	return c.result(restResult{rest}, func(w io.Writer) {
		if rest != nil {
			tell(w, "resume.quiet", rest.Span())
			return
		}
		tell(w, "resume.done")
	})
}

// nextTime reads a time of the day, which is the next one, or a day and a time. No
// text is no time.
func nextTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		return at, nil
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return time.Time{}, croft.E(croft.ErrUsage, say("pause.badtime", fmt.Sprintf("%.40q", text)), say("pause.badtime.fix"))
	}
	at := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if !at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	}
	return at, nil
}
