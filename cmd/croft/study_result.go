package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"croft/internal/api"
	"croft/internal/fed"
	"croft/internal/report"
)

func (c *cli) studyResultVerb() *verb {
	var o studyResultOptions
	cmd := c.verb("study.result", "result STUDY", one(func(ctx context.Context, ref string) error { return c.studyResult(ctx, ref, o) }))
	cmd.Flags().StringVar(&o.csv, "csv", "", say("study.result.flag.csv"))
	cmd.Flags().StringVar(&o.html, "html", "", say("study.result.flag.html"))
	return cmd
}

type studyResultOptions struct{ csv, html string }

// studyResult shows what a finished study says.
func (c *cli) studyResult(ctx context.Context, ref string, o studyResultOptions) error {
	st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	r, err := c.node().Result(ctx, st.ID.String())
	if err != nil {
		return err
	}
	var files []resultFile
	if o.csv != "" {
		files = append(files, resultFile{o.csv, report.CSV(r)})
	}
	if o.html != "" {
		page, err := report.HTML(r, time.Now())
		if err != nil {
			return err
		}
		files = append(files, resultFile{o.html, page})
	}
	if files == nil {
		return c.result(r, func(w io.Writer) { printResult(w, r) })
	}
	return c.files(r, files)
}

// resultFile is a file that the person asked for.
type resultFile struct {
	path string
	text []byte
}

func printResult(w io.Writer, r api.Result) {
	title := "result.title"
	switch {
	case r.PositiveLevel == "" && r.Label != "":
		title = "result.title.number"
	case r.Label == "":
		title = "result.title.describe"
	}
	tell(w, title, r.Name, r.Label, r.PositiveLevel, r.Family)
	switch {
	case r.Terms == nil:
		tell(w, "result.rows.all", r.Rows, r.Rounds)
	case r.Family == "logistic" || r.Family == "firth":
		tell(w, "result.rows", r.Rows, r.Positive, r.TestRows, r.TestPositive, r.Rounds)
	default:
		tell(w, "result.rows.plain", r.Rows, r.TestRows, r.Rounds)
	}
	if r.Shrunk {
		tell(w, "result.shrunk")
	}
	if r.Unchecked {
		tell(w, "unchecked")
	}
	if r.Unproved {
		tell(w, "unproved")
	}
	if r.Terms != nil {
		printRegression(w, r)
	}
	printCurves(w, r)
	printDescription(w, r)
	printShape(w, r.Shape)
}

// printRegression writes the terms and what the model is worth.
func printRegression(w io.Writer, r api.Result) {
	linear := r.Family == "linear"
	tell(w, "result.head."+r.Family)
	for _, t := range r.Terms {
		se, odds, oddsSD, p := "", "", "", ""
		if t.SE != nil {
			se, p = short(*t.SE), probability(*t.P)
		}
		if t.Odds != nil {
			odds, oddsSD = ofOneUnit(*t.Odds), estimate(*t.OddsSD)
		}
		if linear && t.Interval != nil {
			oddsSD, odds = fmt.Sprintf("%.4g – %.4g", t.Interval.Low, t.Interval.High), short(*t.Statistic)
		}
		tell(w, "result.term", t.Name, short(t.Estimate), se, oddsSD, odds, p)
	}
	if r.People > 0 {
		tell(w, "result.people", r.People)
	}
	tell(w, "result.fit", short(r.Deviance), short(r.Condition))
	if r.AIC != nil {
		tell(w, "result.aic", short(*r.AIC))
	}
	if r.RSquared != nil {
		tell(w, "result.rsquared", short(*r.RSquared))
	}
	for _, t := range r.Proportional {
		tell(w, "result.proportional", t.Name, short(t.Statistic), t.DF, probability(t.P))
	}
	if r.TestRows == 0 {
		return
	}
	tell(w, "result.scores."+r.Family)
	printScore(w, r.Family, say("result.all"), r.Score)
	for _, s := range r.Sites {
		printScore(w, r.Family, s.Name, s.Score)
	}
	printEvaluation(w, r.Family, r.Score, r.Evaluation)
}

func printScore(w io.Writer, family, name string, s api.Score) {
	switch family {
	case "linear":
		tell(w, "result.score.one", name, s.Rows, short(s.RMSE))
	case "poisson":
		tell(w, "result.score.two", name, s.Rows, short(s.RowDeviance), short(s.RMSE))
	case "cox":
		tell(w, "result.score.one", name, s.Rows, short(s.Concordance))
	default:
		tell(w, "result.score", name, s.Rows, estimate(s.AUC), estimate(s.LogLoss), estimate(s.Accuracy))
	}
}

// printCurves writes survival curves at the times at which something happened.
func printCurves(w io.Writer, r api.Result) {
	for _, curve := range r.Curves {
		median := say("result.curve.nomedian")
		if at, reached := curve.Median(); reached {
			median = strings.TrimSpace(short(at) + " " + r.TimeUnit)
		}
		tell(w, "result.curve", curve.Name, curve.Rows, median)
		tell(w, "result.curve.head", r.Time)
		for _, p := range curve.Points {
			if p.Events+p.Censored > 0 {
				tell(w, "result.curve.point", short(p.Time), p.AtRisk, p.Events, p.Censored, estimate(p.Survival))
			}
		}
	}
	if r.LogRank != nil {
		tell(w, "result.logrank", short(r.LogRank.Statistic), r.LogRank.DF, probability(r.LogRank.P))
	}
}

// printDescription writes numbers and tables.
func printDescription(w io.Writer, r api.Result) {
	if len(r.Numbers) > 0 {
		tell(w, "result.numbers")
	}
	for _, n := range r.Numbers {
		quartiles := [3]string{}
		for i, q := range n.Quartiles {
			quartiles[i] = estimate(q)
		}
		tell(w, "result.number", strings.TrimSpace(n.Name+" "+n.Unit), short(n.Mean), short(n.SD), quartiles[0], quartiles[1], quartiles[2])
	}
	for _, t := range r.Tables {
		tell(w, "result.table", t.Name, strings.Join(r.LabelLevels, "\t"))
		for i, row := range t.Counts {
			line := []string{t.Levels[i]}
			for _, count := range row {
				line = append(line, fmt.Sprint(count))
			}
			fmt.Fprintln(w, strings.Join(line, "\t"))
		}
		if t.Test != nil {
			tell(w, "result.table.test", t.Name, r.Label, short(t.Test.Statistic), t.Test.DF, probability(t.Test.P), short(t.Least))
		}
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

// size writes a number of bytes, rounded up: it stands where "at most" is said.
func size(n int) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", (n+999_999)/1_000_000)
	case n >= 10_000:
		return fmt.Sprintf("%d kB", (n+999)/1000)
	}
	return count(n, "byte", "bytes")
}
