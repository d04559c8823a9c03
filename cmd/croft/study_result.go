package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/fed"
)

func (c *cli) studyResultVerb() *cobra.Command {
	return c.verb("study.result", "result STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return c.studyResult(ctx, args[0]) })
}

// studyResult shows what a finished study says.
func (c *cli) studyResult(ctx context.Context, ref string) error {
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	st, err := finished(ctx, client, ref)
	if err != nil {
		return err
	}
	r, err := client.Result(ctx, st.ID.String())
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) { printResult(w, r) })
}

func printResult(w io.Writer, r api.Result) {
	fmt.Fprintln(w, say("result.title", r.Name, r.Label, r.PositiveLevel))
	fmt.Fprintln(w, say("result.rows", r.Rows, r.Positive, r.TestRows, r.TestPositive, r.Rounds))
	if r.Shrunk {
		fmt.Fprintln(w, say("result.shrunk"))
	}
	if r.Unchecked {
		fmt.Fprintln(w, say("unchecked"))
	}
	fmt.Fprintln(w, say("result.head"))
	for _, t := range r.Terms {
		se, odds, oddsSD, p := "", "", "", ""
		if t.SE != nil {
			se, p = short(*t.SE), probability(*t.P)
		}
		if t.Odds != nil {
			odds, oddsSD = ofOneUnit(*t.Odds), estimate(*t.OddsSD)
		}
		fmt.Fprintln(w, say("result.term", t.Name, short(t.Estimate), se, oddsSD, odds, p))
	}
	fmt.Fprintln(w, say("result.fit", short(r.Deviance), short(r.Condition)))
	fmt.Fprintln(w, say("result.scores"))
	fmt.Fprintln(w, say("result.score", say("result.all"), r.Score.Rows, estimate(r.Score.AUC), estimate(r.Score.LogLoss), estimate(r.Score.Accuracy)))
	for _, s := range r.Sites {
		fmt.Fprintln(w, say("result.score", s.Name, s.Rows, estimate(s.AUC), estimate(s.LogLoss), estimate(s.Accuracy)))
	}
}

// short writes a number with four digits.
func short(v float64) string { return fmt.Sprintf("%.4g", v) }

// ofOneUnit writes an odds ratio of one unit more, unless that unit is so large or
// so small for the column that the number would only confuse.
func ofOneUnit(e fed.Estimate) string {
	if e.Value < 1e-3 || e.Value > 1e3 {
		return "–"
	}
	return estimate(e)
}

// estimate writes a number with its interval.
func estimate(e fed.Estimate) string {
	return fmt.Sprintf("%.3g (%.3g–%.3g)", e.Value, e.Low, e.High)
}

// probability writes a p-value; below 0.001 its size has no meaning.
func probability(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// size writes a number of bytes.
func size(n int) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return count(n, "byte", "bytes")
}
