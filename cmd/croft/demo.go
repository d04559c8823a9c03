package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"croft"
	"croft/internal/api"
	"croft/internal/bench"
	"croft/internal/fed"
)

func (c *cli) demoVerb() *verb {
	var seed uint64
	var unproved bool
	var cmd *verb
	cmd = c.verb("demo", "demo", none(func(ctx context.Context) error {
		dir := ""
		if cmd.Flags().Changed("dir") {
			dir = c.dir
		}
		return c.demo(ctx, dir, seed, unproved)
	}))
	cmd.Flags().Uint64Var(&seed, "seed", 1, say("demo.flag.seed"))
	cmd.Flags().BoolVar(&unproved, "unproved", false, say("demo.flag.proof"))
	return cmd
}

// demo runs a community's first study on this machine. Without a folder of its
// own it leaves nothing behind, however it ends; with one, only a whole network.
func (c *cli) demo(ctx context.Context, dir string, seed uint64, unproved bool) (failed error) {
	keep, ran := dir != "", false
	if !keep {
		temp, err := os.MkdirTemp("", "croft-demo-")
		if err != nil {
			return croft.E(croft.ErrFolder, os.TempDir(), reason(err))
		}
		dir = temp
		defer func() { failed = errors.Join(failed, os.RemoveAll(dir)) }()
	} else {
		entries, err := os.ReadDir(dir)
		if len(entries) > 0 {
			return croft.E(croft.ErrFolder, dir, say("demo.notempty", entries[0].Name()))
		}
		made := errors.Is(err, fs.ErrNotExist)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return croft.E(croft.ErrFolder, dir, reason(err))
		}
		defer func() {
			if !ran {
				failed = errors.Join(failed, takeAway(dir, made))
			}
		}()
	}
	c.progress("demo.intro", bench.Attribution, bench.SplitLabel, seed)
	screen := &demoScreen{cli: c}
	report, err := bench.Demo(ctx, bench.DemoConfig{Dir: dir, Seed: seed, Unproved: unproved, Log: slog.New(slog.DiscardHandler), Progress: screen.show})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	ran = true
	return c.result(report, func(w io.Writer) {
		c.demoText(w, report)
		if keep {
			tell(w, "demo.next.kept", api.Quote(report.Nodes[0].Dir), api.Quote(report.Nodes[1].Dir))
		} else {
			tell(w, "demo.next")
		}
	})
}

// takeAway empties a folder that was empty before, or removes it if it was made.
func takeAway(dir string, made bool) error {
	if made {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// demoScreen turns what the five nodes do into one line a round.
type demoScreen struct {
	*cli
	mu      sync.Mutex
	reports map[uint32]int // sites that reported, by round
	bytes   map[uint32]int
	stepped map[uint32]bool
	said    map[string]bool
}

func (s *demoScreen) show(step bench.DemoStep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if step.Stage != "round" {
		s.progress("demo."+step.Stage, step.Who, step.Text)
		return
	}
	if s.reports == nil {
		s.reports, s.bytes, s.stepped, s.said = map[uint32]int{}, map[uint32]int{}, map[uint32]bool{}, map[string]bool{}
	}
	switch e := step.Event; e.Word {
	case "report":
		s.reports[e.Round]++
		s.bytes[e.Round] += e.Bytes
	case "step":
		if s.stepped[e.Round] {
			return // another node said so already
		}
		s.stepped[e.Round] = true
		loss := "–"
		if e.Loss > 0 {
			loss = fmt.Sprintf("%.4f", e.Loss)
		}
		s.progress("demo.round", fmt.Sprintf("%2d", e.Round+1), fmt.Sprintf("%-8s", e.Text), s.reports[e.Round], loss, s.bytes[e.Round])
	case "doubt", "liar", "pause", "refuse", "reject", "fail", "stop", "warn":
		if line := say("demo.trouble", step.Who, e.Word, e.Text); !s.said[line] {
			s.said[line] = true
			s.progress("demo.trouble", step.Who, e.Word, e.Text)
		}
	}
}

// demoText is the report for people.
func (c *cli) demoText(w io.Writer, r *bench.DemoReport) {
	tell(w, "demo.result.head", r.Rows, r.Test, r.Rounds, fmt.Sprintf("%.1f", r.Seconds))
	for _, measure := range []struct {
		key string
		of  func(bench.Metrics) bench.Models
	}{
		{"demo.auc", func(m bench.Metrics) bench.Models { return m.AUC }},
		{"demo.logloss", func(m bench.Metrics) bench.Models { return m.LogLoss }},
		{"demo.accuracy", func(m bench.Metrics) bench.Models { return m.Accuracy }},
	} {
		fmt.Fprintln(w)
		tell(w, measure.key)
		tell(w, "demo.columns")
		line := func(name string, n int, m bench.Models) {
			fmt.Fprintf(w, "  %s\t%d\t%s\t%s\t%s\t%s\t\n", name, n, interval(m.Federated, 3), interval(m.LocalOnly, 3), interval(m.Majority, 3), interval(m.Pooled, 3))
		}
		for _, s := range r.Sites {
			line(s.Name, s.TestRows, measure.of(s.Metrics))
		}
		line(say("demo.mean"), r.Test, measure.of(r.Mean))
	}

	fmt.Fprintln(w)
	tell(w, "demo.coef", fmt.Sprintf("%.1e", r.CoefDiffInSE), fmt.Sprintf("%.1f", r.ConditionNumber))
	tell(w, "demo.coef.columns")
	for _, t := range r.Coef {
		fmt.Fprintf(w, "  %s\t%s\t%s\t\n", t.Name, interval(t.OddsRatio, 2), pValue(t.P))
	}

	fmt.Fprintln(w)
	tell(w, "demo.left")
	for _, s := range r.Sites {
		tell(w, "demo.left.site", s.Name, r.Rounds, r.Numbers, s.BytesOut)
	}
	tell(w, "demo.promise")
	tell(w, "demo.profile", r.Profile)
	fmt.Fprintln(w)
	tell(w, "demo.cost", r.Ledger.Height, fmt.Sprintf("%.1f", float64(r.Ledger.Bytes)/1e6), fmt.Sprintf("%.1f", r.CPUSeconds),
		fmt.Sprintf("%.0f", r.Energy.Joules), r.Energy.How, fmt.Sprintf("%.1f", float64(r.Bytes.Wire)/1e6), r.Steps)
	tell(w, "demo.breach", r.Breach.Pooled, r.Breach.Smallest, r.Breach.Largest)
	tell(w, "demo.audited", r.Audit.Blocks, r.Audit.Entries)
}

// interval writes an estimate and its 95 % interval.
func interval(e fed.Estimate, digits int) string {
	if e.Low == e.High {
		return fmt.Sprintf("%.*f", digits, e.Value)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, e.Value, digits, e.Low, digits, e.High)
}

func pValue(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}
