package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"croft/internal/api"
	"croft/internal/study"
)

func (c *cli) studyWorthVerb() *verb {
	return c.verb("study.worth", "worth STUDY", one(func(ctx context.Context, ref string) error {
		st, err := c.finished(ctx, ref)
		if err != nil {
			return err
		}
		w, err := c.node().Worth(ctx, st.ID.String())
		if err != nil {
			return err
		}
		return c.result(w, func(out io.Writer) { printWorth(out, w) })
	}))
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
	tell(w, key, of.Name, of.People, of.Why)
	if of.Gain != nil {
		tell(w, "worth.gain", short(of.Gain.Value), short(of.Gain.Low), short(of.Gain.High), of.Measure)
	}
	tell(w, "result.scores."+of.Family)
	printScore(w, of.Family, say("worth.network"), of.Network)
	if of.Alone != nil {
		printScore(w, of.Family, say("worth.alone"), *of.Alone)
		if of.Ridge != of.StudyRidge {
			tell(w, "worth.ridge", of.Ridge)
		}
	}
	if of.Given != nil {
		key := "worth.given"
		if *of.Given < 0 {
			key = "worth.given.worse"
		}
		tell(w, key, short(math.Abs(*of.Given)))
	}
	printEvaluation(w, of.Family, of.Network, of.Evaluation)
	tell(w, "worth.own")
}

// printEvaluation writes for whom a model works and whether its probabilities can be
// believed.
func printEvaluation(w io.Writer, family string, score api.Score, e api.Evaluation) {
	if score.Rows == 0 {
		return
	}
	if e.PooledAUC != nil {
		tell(w, "result.pooled", short(e.PooledAUC.Value), short(e.PooledAUC.Low), short(e.PooledAUC.High))
	}
	if t := score.Confusion; t != nil {
		tell(w, "result.confusion", short(e.Threshold), t.TruePositive, t.FalsePositive, t.FalseNegative, t.TrueNegative)
	}
	if len(e.Calibration) > 0 {
		tell(w, "result.calibration")
	}
	for _, b := range e.Calibration {
		if n := b.Negative + b.Positive; n > 0 {
			tell(w, "result.bin", percent(b.Low), percent(b.High), n, percent(b.Mean), percent(float64(b.Positive)/float64(n)))
		}
	}
	for _, g := range e.Groups {
		if g.Withheld != "" {
			tell(w, "result.group.withheld", g.Column, g.Withheld)
			continue
		}
		tell(w, "result.group", g.Column)
		for _, l := range g.Levels {
			printScore(w, family, l.Level, l.Score)
		}
		if f := g.Fairness; f != nil {
			printGap(w, "result.gap.parity", f.Parity)
			printGap(w, "result.gap.opportunity", f.Opportunity)
			printGap(w, "result.gap.odds", f.Odds)
		}
		tell(w, "result.group.worst", g.Worst)
	}
}

func printGap(w io.Writer, key string, g api.Gap) {
	chance := "result.gap.clear"
	if g.Low <= 0 {
		chance = "result.gap.chance"
	}
	of100 := func(v float64) string { return fmt.Sprintf("%.1f", 100*v) }
	tell(w, key, of100(g.Value), g.Most, g.Least, of100(g.Low), of100(g.High), say(chance))
}
