// Package report writes what a finished study says for people to read, print and
// compute on: one HTML page that stands alone (no script, nothing fetched; drawings
// are SVG in the text), and a CSV file.
//
// The page says in plain words first what the tables and drawings below it show.
//
//	report.go    the page and the table; evaluate.go, what the model is worth
//	draw.go      drawings
//	export.go    a model as JSON and safetensors; onnx.go, as ONNX
//	card.go      its card
package report

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"croft/internal/api"
	"croft/internal/fed"
)

//go:embed report.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"num": num, "interval": interval, "p": probability, "day": func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"ratio": func(family string) string { return ratios[family].name }, "percent": func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
	"total": func(counts []int64) (n int64) {
		for _, c := range counts {
			n += c
		}
		return n
	},
	"median": median, "sum": func(a, b int64) int64 { return a + b },
}).Parse(pageText))

// HTML returns the page of a result, made at a time.
func HTML(r api.Result, at time.Time) ([]byte, error) {
	view := struct {
		api.Result
		Words    []string
		Drawings []template.HTML
		Made     time.Time
	}{Result: r, Words: words(r), Made: at}
	for _, d := range slices.Concat([]string{forest(r), survival(r), siteBars(r), roc(r), calibration(r)}, fairness(r)) {
		if d != "" {
			view.Drawings = append(view.Drawings, template.HTML(d)) // drawn here, all text in it escaped
		}
	}
	for _, n := range r.Numbers {
		if len(n.Histogram) > 0 {
			view.Drawings = append(view.Drawings, template.HTML(histogram(n)))
		}
	}
	var out bytes.Buffer
	err := page.Execute(&out, view)
	return out.Bytes(), err
}

// CSV returns the figures of a result as one table: of a regression a term a line,
// with its row of the covariance; of survival curves a cell of the grid a line; of
// a description a figure a line.
func CSV(r api.Result) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	switch {
	case r.Curves != nil:
		w.WriteAll(curveLines(r))
	case r.Terms != nil:
		w.WriteAll(termLines(r))
	default:
		w.WriteAll(describedLines(r))
	}
	return out.Bytes()
}

// number writes a figure with all its digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func curveLines(r api.Result) [][]string {
	lines := [][]string{{"curve", "time", "at_risk", "events", "censored", "survival", "se", "low", "high"}}
	for _, c := range r.Curves {
		for _, p := range c.Points {
			lines = append(lines, []string{c.Name, number(p.Time), fmt.Sprint(p.AtRisk), fmt.Sprint(p.Events), fmt.Sprint(p.Censored),
				number(p.Survival.Value), number(p.SE), number(p.Survival.Low), number(p.Survival.High)})
		}
	}
	return lines
}

func termLines(r api.Result) [][]string {
	head := []string{"term", "estimate", "se", "low", "high", "statistic", "p"}
	if r.Covariance != nil {
		for _, t := range r.Terms {
			head = append(head, "cov "+t.Name)
		}
	}
	lines := [][]string{head}
	for i, t := range r.Terms {
		line := []string{t.Name, number(t.Estimate), "", "", "", "", ""}
		if t.SE != nil {
			line = []string{t.Name, number(t.Estimate), number(*t.SE), number(t.Interval.Low), number(t.Interval.High), number(*t.Statistic), number(*t.P)}
		}
		if r.Covariance != nil {
			for _, v := range r.Covariance[i] {
				line = append(line, number(v))
			}
		}
		lines = append(lines, line)
	}
	return append(lines, evaluationLines(r, len(head))...)
}

func describedLines(r api.Result) [][]string {
	lines := [][]string{{"column", "figure", "level", "label_level", "low", "high", "value"}}
	add := func(column, figure, level, label, low, high, value string) {
		lines = append(lines, []string{column, figure, level, label, low, high, value})
	}
	of := func(column, figure string, value float64) { add(column, figure, "", "", "", "", number(value)) }
	for _, s := range r.Shape {
		of(s.Column, "rows", s.Rows)
		of(s.Column, "missing", s.Missing)
		of(s.Column, "outside", s.Outside)
		if s.Levels == nil {
			of(s.Column, "zeros", s.Zeros)
			of(s.Column, "mean", s.Mean)
			of(s.Column, "sd", s.SD)
		}
		for i, c := range s.Counts {
			add(s.Column, "count", s.Levels[i], "", "", "", number(c))
		}
	}
	for _, n := range r.Numbers {
		of(n.Name, "mean", n.Mean)
		of(n.Name, "sd", n.SD)
		for i, q := range n.Quartiles {
			add(n.Name, fmt.Sprintf("quantile %g", 0.25*float64(i+1)), "", "", number(q.Low), number(q.High), number(q.Value))
		}
		for i, c := range n.Histogram {
			low, high := bin(n.Summary, i)
			add(n.Name, "count", "", "", number(low), number(high), fmt.Sprint(c))
		}
	}
	for _, t := range r.Tables {
		for i, row := range t.Counts {
			for j, c := range row {
				label := ""
				if len(r.LabelLevels) > 0 {
					label = r.LabelLevels[j]
				}
				add(t.Name, "count", t.Levels[i], label, "", "", fmt.Sprint(c))
			}
		}
		if t.Test != nil {
			of(t.Name, "chi_squared", t.Test.Statistic)
			of(t.Name, "p", t.Test.P)
		}
	}
	return lines
}

// bin returns the ends of a histogram's bin.
func bin(s fed.Summary, i int) (low, high float64) {
	width := (s.High - s.Low) / float64(len(s.Histogram))
	return s.Low + width*float64(i), s.Low + width*float64(i+1)
}

// titles are the families in words.
var titles = map[string]string{"logistic": "logistic regression", "firth": "logistic regression for rare outcomes (Firth's)", "linear": "linear regression",
	"poisson": "Poisson regression", "cox": "Cox regression"}

// ratios names e^coefficient by family, and what it is a ratio of.
var ratios = map[string]struct{ name, of string }{
	"logistic": {"odds ratio", "the odds"}, "firth": {"odds ratio", "the odds"}, "poisson": {"rate ratio", "the rate"}, "cox": {"hazard ratio", "the hazard"},
}

// words says what a result means, one sentence a finding.
func words(r api.Result) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	outcome := r.Label
	if r.PositiveLevel != "" {
		outcome += " = " + r.PositiveLevel
	}
	sites := fmt.Sprintf("%d sites", len(r.Cohort))
	switch {
	case r.Curves != nil:
		add("%d rows of %s were followed; in %d of them %s happened.", r.Rows, sites, r.Positive, outcome)
		for _, c := range r.Curves {
			if at := median(c); at != "" {
				add("Of %s (%d rows), half had it by %s %s.", c.Name, c.Rows, at, r.TimeUnit)
			} else {
				add("Of %s (%d rows), fewer than half had it by the end.", c.Name, c.Rows)
			}
		}
		if r.LogRank != nil {
			add("The curves %s (log-rank test within sites, p %s).", differ(r.LogRank.P), probability(r.LogRank.P))
		}
	case r.Terms != nil:
		add("A %s on %d rows of %s: the answer that one fit on all of them together would give.", titles[r.Family], r.Rows, sites)
		if r.Shrunk {
			add("It is for prediction: its coefficients are drawn towards 0, so nothing is said about single columns.")
		}
		for _, t := range r.Terms {
			if effect := effect(r, t, outcome); effect != "" {
				add("%s", effect)
			}
		}
		for _, t := range r.Proportional {
			if t.Name == fed.AllColumns && t.P < 0.05 {
				add("Take care: hazards do not look proportional over time (p %s), so a hazard ratio is an average over the follow-up.", probability(t.P))
			}
		}
		if auc := r.Score.AUC; r.TestRows > 0 && auc.High-auc.Low > 0 && auc.High-auc.Low < 1 { // else no site held out rows of both classes
			add("Of two held-out rows of one site, one with %s and one without, the model ranks the right one higher in %.0f of 100 cases.", outcome, 100*r.Score.AUC.Value)
		}
		out = append(out, evaluation(r, outcome)...)
	default:
		add("%d rows of %s are described.", r.Rows, sites)
		for _, s := range r.Shape {
			add("%s: of %.0f values %.0f are missing and %.0f outside of the declared range or levels.", s.Column, s.Rows, s.Missing, s.Outside)
		}
		for _, n := range r.Numbers {
			add("%s is %s %s on average, with a standard deviation of %s.", n.Name, num(n.Mean), n.Unit, num(n.SD))
		}
		for _, t := range r.Tables {
			if t.Test != nil {
				add("%s and %s %s (p %s).", t.Name, r.Label, together(t.Test.P), probability(t.Test.P))
			}
		}
	}
	for i, w := range out { // a unit may be missing
		out[i] = strings.NewReplacer("  ", " ", " .", ".").Replace(w)
	}
	return out
}

// effect says what a term means; "" for an intercept or without an interval.
func effect(r api.Result, t api.Term, outcome string) string {
	if t.Interval == nil || !isColumn(r, t.Name) {
		return ""
	}
	level := !slices.Contains(r.Features, t.Name)
	of := "One standard deviation more of " + t.Name
	if level {
		of = t.Name + ", compared with the first level,"
	}
	if t.Odds == nil {
		if *t.P >= 0.05 {
			return fmt.Sprintf("%s: no clear link with %s (p %s).", t.Name, outcome, probability(*t.P))
		}
		if !level {
			of = "One more of " + t.Name
		}
		return fmt.Sprintf("%s goes with %s %s %s of %s (95 %% interval %s).", of, num(abs(t.Estimate)), r.LabelUnit, moreOrLess(t.Estimate), outcome, interval(*t.Interval))
	}
	e := t.OddsSD
	if level {
		e = t.Odds
	}
	if *t.P >= 0.05 {
		return fmt.Sprintf("%s: no clear link with %s (%s %s, p %s).", t.Name, outcome, ratios[r.Family].name, estimate(*e), probability(*t.P))
	}
	return fmt.Sprintf("%s goes with %s times %s of %s (95 %% interval %s).", of, num(e.Value), ratios[r.Family].of, outcome, interval(*e))
}

// isColumn says whether a term is a column's, not an intercept.
func isColumn(r api.Result, name string) bool {
	return slices.ContainsFunc(r.Features, func(f string) bool { return name == f || strings.HasPrefix(name, f+"=") })
}

func differ(p float64) string {
	if p < 0.05 {
		return "differ by more than chance explains"
	}
	return "do not differ by more than chance explains"
}

func together(p float64) string {
	if p < 0.05 {
		return "go together by more than chance explains"
	}
	return "show no clear link"
}

func moreOrLess(v float64) string {
	if v < 0 {
		return "less"
	}
	return "more"
}

func abs(v float64) float64 { return max(v, -v) }

// median returns the time at which half of a curve had the event; "" if there is none.
func median(c fed.Curve) string {
	if at, reached := c.Median(); reached {
		return num(at)
	}
	return ""
}

// num writes a number with three digits, of four and more in full.
func num(v float64) string {
	if abs(v) >= 1000 && abs(v) < 1e9 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func interval(e fed.Estimate) string { return num(e.Low) + " to " + num(e.High) }

func estimate(e fed.Estimate) string { return num(e.Value) + ", " + interval(e) }

// probability writes a p-value; below 0.001 its size has no meaning.
func probability(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
