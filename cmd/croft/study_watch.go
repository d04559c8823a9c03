package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) studyWatchVerb() *verb {
	return c.verb("study.watch", "watch STUDY", one(c.studyWatch))
}

// studyWatch follows a study at this node until it has ended, from the beginning
// if the node remembers it.
func (c *cli) studyWatch(ctx context.Context, ref string) error {
	st, err := c.node().Study(ctx, ref)
	if err != nil {
		return err
	}
	c.progress("study.watch.begin", st.Name, status(st.Summary), answers(st.Summary))
	if st.Status == ledger.Proposed.String() {
		c.progress(starts(st), st.Plan.MinSites, len(st.Sites))
	}
	if ended, err := c.ended(ctx, st); ended || err != nil {
		return err
	}
	var silence silence
	for e, err := range c.node().Events(ctx) {
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
			if st, err = c.node().Study(ctx, st.ID.String()); err != nil {
				return err
			}
			if ended, err := c.ended(ctx, st); ended || err != nil {
				return err
			}
			if silence.lasts(st.Summary) {
				c.progress("study.watch.waits", time.Now().Format("15:04:05"), st.Current(), names(st.Waits))
			}
		}
	}
	return nil
}

// starts is what to say of a study that has not begun: when it will, or that too many
// sites have declined.
func starts(st api.Study) string {
	left := len(st.Sites)
	for _, site := range st.Sites {
		if site.Answer != "approved" && site.Answer != "waiting" {
			left--
			if slices.Contains(st.Plan.Required, site.ID) {
				return "study.watch.cannot"
			}
		}
	}
	if left < int(st.Plan.MinSites) {
		return "study.watch.cannot"
	}
	return "study.watch.starts"
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
func (c *cli) ended(ctx context.Context, st api.Study) (bool, error) {
	switch st.Status {
	case ledger.Stopped.String():
		return true, stopped(st)
	case ledger.Done.String():
		if _, err := c.node().Result(ctx, st.ID.String()); errors.Is(err, croft.ErrTxOrder) {
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

// finished returns a study that has a result, or may soon have one here.
func (c *cli) finished(ctx context.Context, ref string) (st api.Study, err error) {
	if st, err = c.node().Study(ctx, ref); err == nil && st.Status == ledger.Stopped.String() {
		err = stopped(st)
	}
	return st, err
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
