package report

import (
	"fmt"
	"html"

	"croft/internal/api"
	"croft/internal/fed"
)

// What a model is worth on rows that it was not trained on: in words, in pictures, as
// lines of a table.

// share returns count/of with its 95 % interval.
func share(count, of int64) fed.Estimate { return fed.Score{Rows: of, Correct: count}.Accuracy() }

// evaluation says it in words.
func evaluation(r api.Result, outcome string) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if t := r.Score.Confusion; t != nil && r.Calibration != nil {
		add("Taken for %s from a probability of %s on, %d of the %d held-out rows with it are found, and %d of the %d without it are false alarms.",
			outcome, num(r.Threshold), t.TruePositive, t.TruePositive+t.FalseNegative, t.FalsePositive, t.FalsePositive+t.TrueNegative)
		expected := 0.0
		for _, b := range r.Calibration {
			expected += b.Mean * float64(b.Negative+b.Positive)
		}
		add("By its probabilities, %.0f of the held-out rows were to have %s; %d had it.", expected, outcome, r.Score.Positive)
	}
	if worst := worstSite(r); worst != nil {
		add("It is least certain at %s: a log-loss of %s, over all sites %s.", worst.Name, num(worst.LogLoss.Value), num(r.Score.LogLoss.Value))
	}
	for _, g := range r.Groups {
		if g.Withheld != "" {
			add("For whom it works better by %s is withheld: %s.", g.Column, g.Withheld)
			continue
		}
		if g.Fairness == nil {
			if g.Worst != "" {
				add("By %s it is least right for %s.", g.Column, g.Worst)
			}
			continue
		}
		f, found := g.Fairness, false
		gap := func(of api.Gap, who, what string) {
			if of.Low > 0 {
				found = true
				add("Take care: of 100 %swith %s = %s, %.0f more are %s than of 100 with %s (95 %% interval %.0f to %.0f).", who, g.Column, of.Most, 100*of.Value, what, of.Least, 100*of.Low, 100*of.High)
			}
		}
		gap(f.Parity, "rows ", "taken for "+outcome)
		gap(f.Opportunity, "rows that have "+outcome+", ", "found")
		if f.Odds.Value != f.Opportunity.Value { // else the same gap again
			gap(f.Odds, "rows without "+outcome+", ", "false alarms")
		}
		if !found {
			add("Between the levels of %s no gap is larger than chance explains. With few rows that is no proof of fairness.", g.Column)
		}
	}
	return out
}

// worstSite returns the site whose rows lose most; nil where the sites' scores did not
// leave or have no log-loss.
func worstSite(r api.Result) (worst *api.SiteScore) {
	for i, s := range r.Sites {
		if s.Rows > 0 && s.LogLoss.Value > 0 && (worst == nil || s.LogLoss.Value > worst.LogLoss.Value) {
			worst = &r.Sites[i]
		}
	}
	return worst
}

// square is a drawing of two shares against each other, from 0 to 1.
func square(across, up string) (d *drawing, x, y span) {
	const size, left, top = 300.0, 90.0, 14.0
	d = &drawing{width: pictureWidth, height: size + 66}
	x, y = span{low: 0, high: 1, left: left, right: left + size}, span{low: 0, high: 1, left: top + size, right: top}
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		d.line(x.at(v), y.at(0), x.at(v), y.at(1), thin)
		d.line(x.at(0), y.at(v), x.at(1), y.at(v), thin)
		d.text(x.at(v), y.at(0)+18, "middle", num(v))
		d.text(x.at(0)-8, y.at(v)+4, "end", num(v))
	}
	d.line(x.at(0), y.at(0), x.at(1), y.at(0), "")
	d.line(x.at(0), y.at(0), x.at(0), y.at(1), "")
	d.line(x.at(0), y.at(0), x.at(1), y.at(1), `stroke-dasharray="7 4"`)
	d.text((x.at(0)+x.at(1))/2, y.at(0)+38, "middle", across)
	fmt.Fprintf(d, `<text x="%[1]g" y="%[2]g" text-anchor="middle" transform="rotate(-90 %[1]g %[2]g)">%[3]s</text>`, 40.0, (y.at(0)+y.at(1))/2, html.EscapeString(up))
	return d, x, y
}

// roc draws the share found against the share of false alarms, as the threshold falls
// from bin to bin; "" without bins.
func roc(r api.Result) string {
	negatives, positives := int64(0), int64(0)
	for _, b := range r.Calibration {
		negatives, positives = negatives+b.Negative, positives+b.Positive
	}
	if negatives == 0 || positives == 0 {
		return ""
	}
	d, x, y := square("false alarms among those without it", "found among those with it")
	path := fmt.Sprintf("M%.1f %.1f", x.at(0), y.at(0))
	alarms, hits := int64(0), int64(0)
	for i := len(r.Calibration) - 1; i >= 0; i-- {
		b := r.Calibration[i]
		if b.Negative+b.Positive == 0 {
			continue
		}
		alarms, hits = alarms+b.Negative, hits+b.Positive
		at := [2]float64{x.at(float64(alarms) / float64(negatives)), y.at(float64(hits) / float64(positives))}
		path += fmt.Sprintf("L%.1f %.1f", at[0], at[1])
		d.box(at[0]-2.5, at[1]-2.5, 5, 5, "#000")
	}
	fmt.Fprintf(d, `<path d="%s" fill="none" stroke="#000" stroke-width="1.5"/>`, path)
	return d.finish(fmt.Sprintf("How many are found for how many false alarms, over all held-out rows: area %s, for certain %s; the dashed line is a coin",
		num(r.PooledAUC.Value), interval(*r.PooledAUC)))
}

// calibration draws how many had the outcome of those with a predicted probability;
// "" without bins.
func calibration(r api.Result) string {
	if r.Calibration == nil {
		return ""
	}
	d, x, y := square("predicted probability", "share that had it")
	for _, b := range r.Calibration {
		n := b.Negative + b.Positive
		if n == 0 {
			continue
		}
		had := share(b.Positive, n)
		d.line(x.at(b.Mean), y.at(had.Low), x.at(b.Mean), y.at(had.High), "")
		d.box(x.at(b.Mean)-3, y.at(had.Value)-3, 6, 6, "#000")
	}
	return d.finish("Can its probabilities be believed? Each mark is a range of probabilities, with a 95 % interval; on the dashed line as many had it as predicted")
}

// fairness draws, for each group, the shares taken for positive and the positives
// found, by level.
func fairness(r api.Result) (out []string) {
	for _, g := range r.Groups {
		if g.Fairness == nil {
			continue
		}
		var names []string
		var taken, found []fed.Estimate
		for _, l := range g.Levels {
			if t := l.Confusion; l.Rows > 0 {
				names = append(names, l.Level)
				taken = append(taken, share(t.TruePositive+t.FalsePositive, l.Rows))
				found = append(found, share(t.TruePositive, l.Positive))
			}
		}
		all := r.Score.Confusion
		axis := span{low: 0, high: 1, left: 170, right: 460}
		out = append(out,
			rows(fmt.Sprintf("By %s: share of rows taken for %s; the line is of all rows", g.Column, r.PositiveLevel), axis, share(all.TruePositive+all.FalsePositive, r.Score.Rows).Value, names, taken),
			rows(fmt.Sprintf("By %s: share found of those with %s = %s; the line is of all rows", g.Column, r.Label, r.PositiveLevel), axis, share(all.TruePositive, r.Score.Positive).Value, names, found))
	}
	return out
}

// evaluationLines returns it as lines of the CSV of a regression, so many cells wide:
// what, its value, and where there is one its 95 % interval.
func evaluationLines(r api.Result, width int) (out [][]string) {
	add := func(what string, value float64, interval *fed.Estimate) {
		line := make([]string, width)
		line[0], line[1] = what, number(value)
		if interval != nil {
			line[3], line[4] = number(interval.Low), number(interval.High)
		}
		out = append(out, line)
	}
	score := func(of string, s api.Score) {
		add(of+": rows", float64(s.Rows), nil)
		for _, e := range []struct {
			name string
			fed.Estimate
		}{{"AUC within sites", s.AUC}, {"log-loss", s.LogLoss}, {"accuracy", s.Accuracy}} {
			if s.Confusion != nil {
				add(of+": "+e.name, e.Value, &e.Estimate)
			}
		}
		for _, v := range []struct {
			name  string
			value float64
		}{{"Brier score", s.Brier}, {"concordance within sites", s.Concordance}, {"root mean squared error", s.RMSE}, {"deviance of a row", s.RowDeviance}} {
			if v.value != 0 {
				add(of+": "+v.name, v.value, nil)
			}
		}
		if t := s.Confusion; t != nil {
			add(of+": true positives", float64(t.TruePositive), nil)
			add(of+": false positives", float64(t.FalsePositive), nil)
			add(of+": false negatives", float64(t.FalseNegative), nil)
			add(of+": true negatives", float64(t.TrueNegative), nil)
		}
	}
	if r.Score.Rows == 0 {
		return nil
	}
	score("held out", r.Score)
	if r.PooledAUC != nil {
		add("held out: AUC of all rows (least and most)", r.PooledAUC.Value, r.PooledAUC)
	}
	for _, b := range r.Calibration {
		if n := b.Negative + b.Positive; n > 0 {
			of := fmt.Sprintf("held out predicted %s to %s", number(b.Low), number(b.High))
			had := share(b.Positive, n)
			add(of+": rows", float64(n), nil)
			add(of+": mean predicted", b.Mean, nil)
			add(of+": share that had it", had.Value, &had)
		}
	}
	for _, s := range r.Sites {
		score("held out at "+s.Name, s.Score)
	}
	for _, g := range r.Groups {
		for _, l := range g.Levels {
			score(fmt.Sprintf("held out by %s = %s", g.Column, l.Level), l.Score)
		}
		if f := g.Fairness; f != nil {
			add("held out by "+g.Column+": gap of demographic parity", f.Parity.Value, &f.Parity.Estimate)
			add("held out by "+g.Column+": gap of equal opportunity", f.Opportunity.Value, &f.Opportunity.Estimate)
			add("held out by "+g.Column+": gap of equalised odds", f.Odds.Value, &f.Odds.Estimate)
		}
	}
	return out
}
