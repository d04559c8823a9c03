package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"croft/internal/api"
	"croft/internal/fed"
	"croft/internal/report"
)

func (c *cli) studyResultVerb() *cobra.Command {
	var o studyResultOptions
	cmd := c.verb("study.result", "result STUDY", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		o.ref = args[0]
		return c.studyResult(ctx, o)
	})
	cmd.Flags().StringVar(&o.csv, "csv", "", say("study.result.flag.csv"))
	cmd.Flags().StringVar(&o.html, "html", "", say("study.result.flag.html"))
	return cmd
}

type studyResultOptions struct{ ref, csv, html string }

// studyResult shows what a finished study says.
func (c *cli) studyResult(ctx context.Context, o studyResultOptions) error {
	client, st, err := c.finished(ctx, o.ref)
	if err != nil {
		return err
	}
	r, err := client.Result(ctx, st.ID.String())
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
	fmt.Fprintln(w, say(title, r.Name, r.Label, r.PositiveLevel, r.Family))
	switch {
	case r.Terms == nil:
		fmt.Fprintln(w, say("result.rows.all", r.Rows, r.Rounds))
	case r.Family == "logistic" || r.Family == "firth":
		fmt.Fprintln(w, say("result.rows", r.Rows, r.Positive, r.TestRows, r.TestPositive, r.Rounds))
	default:
		fmt.Fprintln(w, say("result.rows.plain", r.Rows, r.TestRows, r.Rounds))
	}
	if r.Shrunk {
		fmt.Fprintln(w, say("result.shrunk"))
	}
	if r.Unchecked {
		fmt.Fprintln(w, say("unchecked"))
	}
	if r.Unproved {
		fmt.Fprintln(w, say("unproved"))
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
	fmt.Fprintln(w, say("result.head."+r.Family))
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
		fmt.Fprintln(w, say("result.term", t.Name, short(t.Estimate), se, oddsSD, odds, p))
	}
	if r.People > 0 {
		fmt.Fprintln(w, say("result.people", r.People))
	}
	fmt.Fprintln(w, say("result.fit", short(r.Deviance), short(r.Condition)))
	if r.AIC != nil {
		fmt.Fprintln(w, say("result.aic", short(*r.AIC)))
	}
	if r.RSquared != nil {
		fmt.Fprintln(w, say("result.rsquared", short(*r.RSquared)))
	}
	for _, t := range r.Proportional {
		fmt.Fprintln(w, say("result.proportional", t.Name, short(t.Statistic), t.DF, probability(t.P)))
	}
	if r.TestRows == 0 {
		return
	}
	fmt.Fprintln(w, say("result.scores."+r.Family))
	printScore(w, r.Family, say("result.all"), r.Score)
	for _, s := range r.Sites {
		printScore(w, r.Family, s.Name, s.Score)
	}
	printEvaluation(w, r.Family, r.Score, r.Evaluation)
}

func printScore(w io.Writer, family, name string, s api.Score) {
	switch family {
	case "linear":
		fmt.Fprintln(w, say("result.score.one", name, s.Rows, short(s.RMSE)))
	case "poisson":
		fmt.Fprintln(w, say("result.score.two", name, s.Rows, short(s.RowDeviance), short(s.RMSE)))
	case "cox":
		fmt.Fprintln(w, say("result.score.one", name, s.Rows, short(s.Concordance)))
	default:
		fmt.Fprintln(w, say("result.score", name, s.Rows, estimate(s.AUC), estimate(s.LogLoss), estimate(s.Accuracy)))
	}
}

// printCurves writes survival curves at the times at which something happened.
func printCurves(w io.Writer, r api.Result) {
	for _, curve := range r.Curves {
		median := say("result.curve.nomedian")
		if at, reached := curve.Median(); reached {
			median = strings.TrimSpace(short(at) + " " + r.TimeUnit)
		}
		fmt.Fprintln(w, say("result.curve", curve.Name, curve.Rows, median))
		fmt.Fprintln(w, say("result.curve.head", r.Time))
		for _, p := range curve.Points {
			if p.Events+p.Censored > 0 {
				fmt.Fprintln(w, say("result.curve.point", short(p.Time), p.AtRisk, p.Events, p.Censored, estimate(p.Survival)))
			}
		}
	}
	if r.LogRank != nil {
		fmt.Fprintln(w, say("result.logrank", short(r.LogRank.Statistic), r.LogRank.DF, probability(r.LogRank.P)))
	}
}

// printDescription writes numbers and tables.
func printDescription(w io.Writer, r api.Result) {
	if len(r.Numbers) > 0 {
		fmt.Fprintln(w, say("result.numbers"))
	}
	for _, n := range r.Numbers {
		quartiles := [3]string{}
		for i, q := range n.Quartiles {
			quartiles[i] = estimate(q)
		}
		fmt.Fprintln(w, say("result.number", strings.TrimSpace(n.Name+" "+n.Unit), short(n.Mean), short(n.SD), quartiles[0], quartiles[1], quartiles[2]))
	}
	for _, t := range r.Tables {
		fmt.Fprintln(w, say("result.table", t.Name, strings.Join(r.LabelLevels, "\t")))
		for i, row := range t.Counts {
			line := []string{t.Levels[i]}
			for _, count := range row {
				line = append(line, fmt.Sprint(count))
			}
			fmt.Fprintln(w, strings.Join(line, "\t"))
		}
		if t.Test != nil {
			fmt.Fprintln(w, say("result.table.test", t.Name, r.Label, short(t.Test.Statistic), t.Test.DF, probability(t.Test.P), short(t.Least)))
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
