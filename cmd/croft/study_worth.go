package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/study"
)

func (c *cli) studyWorthVerb() *cobra.Command {
	return c.verb("study.worth", "worth STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		client, st, err := c.finished(ctx, args[0])
		if err != nil {
			return err
		}
		w, err := client.Worth(ctx, st.ID.String())
		if err != nil {
			return err
		}
		return c.result(w, func(out io.Writer) { printWorth(out, w) })
	})
}

// printWorth says whether joining was worth it, then by what.
func printWorth(w io.Writer, of api.Worth) {
	key := "worth.verdict.cannot"
	switch of.Verdict {
	case study.Helped:
		key = "worth.verdict.helped"
	case study.Hurt:
		key = "worth.verdict.hurt"
	}
	fmt.Fprintln(w, say(key, of.Name, of.People, of.Why))
	if of.Gain != nil {
		fmt.Fprintln(w, say("worth.gain", short(of.Gain.Value), short(of.Gain.Low), short(of.Gain.High), of.Measure))
	}
	fmt.Fprintln(w, say("result.scores."+of.Family))
	printScore(w, of.Family, say("worth.network"), of.Network)
	if of.Alone != nil {
		printScore(w, of.Family, say("worth.alone"), *of.Alone)
		if of.Ridge != of.StudyRidge {
			fmt.Fprintln(w, say("worth.ridge", of.Ridge))
		}
	}
	if of.Given != nil {
		key := "worth.given"
		if *of.Given < 0 {
			key = "worth.given.worse"
		}
		fmt.Fprintln(w, say(key, short(math.Abs(*of.Given))))
	}
	printEvaluation(w, of.Family, of.Network, of.Evaluation)
	fmt.Fprintln(w, say("worth.own"))
}

// printEvaluation writes for whom a model works and whether its probabilities can be
// believed.
func printEvaluation(w io.Writer, family string, score api.Score, e api.Evaluation) {
	if score.Rows == 0 {
		return
	}
	if e.PooledAUC != nil {
		fmt.Fprintln(w, say("result.pooled", short(e.PooledAUC.Value), short(e.PooledAUC.Low), short(e.PooledAUC.High)))
	}
	if t := score.Confusion; t != nil {
		fmt.Fprintln(w, say("result.confusion", short(e.Threshold), t.TruePositive, t.FalsePositive, t.FalseNegative, t.TrueNegative))
	}
	if len(e.Calibration) > 0 {
		fmt.Fprintln(w, say("result.calibration"))
	}
	for _, b := range e.Calibration {
		if n := b.Negative + b.Positive; n > 0 {
			fmt.Fprintln(w, say("result.bin", percent(b.Low), percent(b.High), n, percent(b.Mean), percent(float64(b.Positive)/float64(n))))
		}
	}
	for _, g := range e.Groups {
		if g.Withheld != "" {
			fmt.Fprintln(w, say("result.group.withheld", g.Column, g.Withheld))
			continue
		}
		fmt.Fprintln(w, say("result.group", g.Column))
		for _, l := range g.Levels {
			printScore(w, family, l.Level, l.Score)
		}
		if f := g.Fairness; f != nil {
			printGap(w, "result.gap.parity", f.Parity)
			printGap(w, "result.gap.opportunity", f.Opportunity)
			printGap(w, "result.gap.odds", f.Odds)
		}
		fmt.Fprintln(w, say("result.group.worst", g.Worst))
	}
}

func printGap(w io.Writer, key string, g api.Gap) {
	chance := "result.gap.clear"
	if g.Low <= 0 {
		chance = "result.gap.chance"
	}
	of100 := func(v float64) string { return fmt.Sprintf("%.1f", 100*v) }
	fmt.Fprintln(w, say(key, of100(g.Value), g.Most, g.Least, of100(g.Low), of100(g.High), say(chance)))
}
