package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) studyWatchVerb() *cobra.Command {
	return c.verb("study.watch", "watch STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.studyWatch(ctx, args[0]) })
}

// studyWatch follows a study at this node until it has ended, from the beginning
// if the node remembers it.
func (c *cli) studyWatch(ctx context.Context, ref string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	st, err := client.Study(ctx, ref)
	if err != nil {
		return err
	}
	c.progress("study.watch.begin", st.Name, status(st.Summary), answers(st.Summary))
	if ended, err := c.ended(ctx, client, st); ended || err != nil {
		return err
	}
	var silence silence
	for e, err := range client.Events(ctx) {
		if err != nil {
			return err
		}
		if e.Seq > 0 && e.Study != st.ID {
			continue
		}
		if e.Seq > 0 {
			if err := c.result(e, func(w io.Writer) { printEvent(w, e, st.Plan.Model.Label) }); err != nil {
				return err
			}
		}
		if e.Seq == 0 || last(e) { // the events are this node's; whether the study has ended the ledger says
			if st, err = client.Study(ctx, st.ID.String()); err != nil {
				return err
			}
			if ended, err := c.ended(ctx, client, st); ended || err != nil {
				return err
			}
			if silence.lasts(st.Summary) {
				c.progress("study.watch.waits", time.Now().Format("15:04:05"), st.Current(), names(st.Waits))
			}
		}
	}
	return nil
}

// silence notices that a study waits for the same ones at two looks, and says so once.
type silence struct{ last, said string }

func (s *silence) lasts(st api.Summary) bool {
	now := fmt.Sprint(st.Round, names(st.Waits))
	lasts := len(st.Waits) > 0 && now == s.last && now != s.said
	if s.last = now; lasts {
		s.said = now
	}
	return lasts
}

// ended says whether there is nothing more to wait for: the study was stopped,
// which is an error here, or it is done and its result can be had at this node.
func (c *cli) ended(ctx context.Context, client *api.Client, st api.Study) (bool, error) {
	switch st.Status {
	case ledger.Stopped.String():
		return true, stopped(st)
	case ledger.Done.String():
		if _, err := client.Result(ctx, st.ID.String()); errors.Is(err, croft.ErrTxOrder) {
			return false, nil // its last sum is still being opened here
		}
		c.progress("study.watch.done", st.Name, st.ID.Short())
		switch family := st.Plan.Model.Family; {
		case !st.Mine || family == "describe" || family == "kaplan-meier": // it has no rows in it, or nothing was predicted
		case family == croft.Preflight:
			c.progress("study.watch.compare", st.ID.Short())
		default:
			c.progress("study.watch.worth", st.ID.Short())
		}
		return true, nil
	}
	return false, nil
}

// stopped is the failure of what wants the result of a study that was stopped.
func stopped(st api.Study) error {
	return croft.E(croft.ErrStopped, st.Name, say("study.why", st.Reason, because(st.Reason, st.Plan.Model.Label)))
}

// finished returns a study that has a result, or may soon have one here, and the node.
func (c *cli) finished(ctx context.Context, ref string) (client *api.Client, st api.Study, err error) {
	if client, err = api.Dial(c.dir); err != nil {
		return client, st, err
	}
	if st, err = client.Study(ctx, ref); err == nil && st.Status == ledger.Stopped.String() {
		err = stopped(st)
	}
	return client, st, err
}

// last says whether a node has nothing to do for a study after this event.
func last(e api.Event) bool { return e.Word == "publish" || e.Word == "stop" || e.Word == "fail" }

func printEvent(w io.Writer, e api.Event, label string) {
	text := e.Text
	switch e.Word {
	case "stop":
		text = say("study.why", text, because(text, label))
	case "pause":
		text = say("study.paused", text)
	}
	line := say("study.watch.event", e.At.Local().Format("15:04:05"), e.Round+1, e.Word, text)
	if e.Bytes > 0 {
		line += say("study.watch.bytes", size(e.Bytes))
	}
	if e.Loss > 0 {
		line += say("study.watch.loss", fmt.Sprintf("%.4f", e.Loss))
	}
	fmt.Fprintln(w, line)
}
