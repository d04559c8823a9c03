package bench

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"croft/internal/fed"
)

// Where says on what machine an experiment runs, and which program, for its report.
type Where struct {
	Machine string `json:"machine"`
	Commit  string `json:"commit"`
}

func (w Where) told() string {
	return "machine " + cmp.Or(w.Machine, "not said") + ", commit " + cmp.Or(w.Commit, "not said")
}

// Print writes the report for people. Its last line is the conclusion.
func (r *HeartReport) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	var names []string
	for _, h := range r.Hospitals {
		names = append(names, h.Name)
	}
	line("Heart disease at four hospitals\trows\tpositive\ttrain\ttest")
	for _, h := range r.Hospitals {
		line("  %s\t%d\t%d\t%d\t%d", h.Name, h.Rows, h.Positive, h.TrainRows, h.TestRows)
	}
	line("Data: %s.\nSums: %s.", r.Data, r.Sums)

	line("\nFLamby's split: accuracy\tmean\t%s\tAUC\tlog-loss\tall rows: AUC (95 %%)", strings.Join(names, "\t"))
	for _, f := range r.Fixed {
		line("  %s\t%.3f\t%s\t%.3f\t%.3f\t%.3f (%.3f–%.3f)", f.Model, f.Mean.Accuracy, decimals(f.Accuracy, len(names)),
			f.Mean.AUC, f.Mean.LogLoss, f.PooledAUC.Value, f.PooledAUC.Low, f.PooledAUC.High)
	}
	line("Published for that split\tmean\t%s", strings.Join(names, "\t"))
	var sources []string
	for _, p := range r.Published {
		if !slices.Contains(sources, p.Source) {
			sources = append(sources, p.Source)
		}
		spread := ""
		if p.SD > 0 {
			spread = fmt.Sprintf(" ±%.3f", p.SD)
		}
		line("  %s [%d]\t%.3f%s\t%s", p.Strategy, 1+slices.Index(sources, p.Source), p.Mean, spread, decimals(p.Accuracy, len(names)))
	}
	for i, source := range sources {
		line("[%d] %s", i+1, source)
	}

	line("\n%d random splits, seed %d, λ = %s: mean over hospitals ± standard deviation over splits;\nbetter: share of splits better than local-only", r.Splits, r.Seed, fixedLambda)
	for i, m := range r.Random {
		if i%len(randomModels) == 0 {
			line("Cholesterol %s\taccuracy\tbetter\tAUC\tbetter\tlog-loss\tbetter", m.Cholesterol)
		}
		cells := ""
		for _, s := range []Spread{m.Accuracy, m.AUC, m.LogLoss} {
			better := fmt.Sprintf("%.1f %%", 100*s.Better)
			if i%len(randomModels) == modelLocal {
				better = "–"
			}
			cells += fmt.Sprintf("\t%.3f ±%.3f\t%s", s.Mean, s.SD, better)
		}
		line("  %s%s", m.Model, cells)
	}

	line("\nGain of site intercepts over local-only\taccuracy\tbetter / worse\tAUC\tbetter / worse\tlog-loss\tbetter / worse")
	for _, g := range r.Gains {
		cells := ""
		for _, gain := range []*Gain{g.Accuracy, g.AUC, g.LogLoss} {
			if gain == nil {
				cells += "\tnot measurable\t"
				continue
			}
			cells += fmt.Sprintf("\t%+.3f\t%.1f / %.1f %%", gain.Mean, 100*gain.Better, 100*gain.Worse)
		}
		line("  %s%s", g.Name, cells)
	}
	line("A gain in log-loss is a fall of it; better / worse: shares of splits.\n")
	for _, m := range r.Marks {
		verdict := "not reached"
		if m.Reached {
			verdict = "reached"
		}
		line("Mark %s: %s %.3f, at least %.2f", verdict, m.What, m.Got, m.AtLeast)
	}
	line("%.1f s, %.1f CPU seconds, %.0f J (%s)\n%s", r.Seconds, r.CPUSeconds, r.Energy.Joules, r.Energy.How, r.told())
	line("%s", r.Conclusion)
	return w.Flush()
}

// decimals writes numbers as n cells.
func decimals(values []float64, n int) string {
	cells := slices.Repeat([]string{"–"}, n)
	for i, v := range values {
		cells[i] = fmt.Sprintf("%.3f", v)
	}
	return strings.Join(cells, "\t")
}

// Print writes the report for people.
func (r *ArmsReport) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("Heart disease at four hospitals\trows\tpositive\ttrain\ttest")
	for _, h := range r.Hospitals {
		line("  %s\t%d\t%d\t%d\t%d", h.Name, h.Rows, h.Positive, h.TrainRows, h.TestRows)
	}
	line("Data: %s.", r.Data)
	line("\nWorth, on rows held out\tAUC\tAUC, all rows\tlog-loss\taccuracy\tworst: log-loss")
	for _, a := range r.Arms {
		line("  %s\t%.3f\t%.3f\t%.3f\t%.3f\t%s: %.3f", a.Name, a.Mean.AUC, a.Together, a.Mean.LogLoss, a.Mean.Accuracy, a.Worst, a.WorstLoss)
	}
	heads := ""
	for _, h := range r.Hospitals {
		heads += "\t" + h.Name
	}
	line("AUC (95 %%)%s", heads)
	for _, a := range r.Arms {
		cells := ""
		for _, s := range a.Sites {
			cell := "one class"
			if s.AUC != nil {
				cell = fmt.Sprintf("%.3f (%.3f–%.3f)", s.AUC.Value, s.AUC.Low, s.AUC.High)
			}
			cells += "\t" + cell
		}
		line("  %s%s", a.Name, cells)
	}
	line("\nCost\tbytes that leave\tbytes between machines\tseconds\tCPU seconds\tenergy\trows on one stolen disk")
	for _, a := range r.Arms {
		line("  %s\t%d\t%d\t%.3f\t%.3f\t%.1f J\t%d", a.Name, a.Bytes, a.Wire, a.Seconds, a.CPUSeconds, a.Energy.Joules, a.Breach)
	}
	if len(r.Arms) > 0 {
		line("Energy is %s.", r.Arms[0].Energy.How)
	}
	line("\nWho sees what")
	for _, a := range r.Arms {
		line("  %s: %s.", a.Name, a.Saw)
	}
	line("\nFederated, by sex\twomen\tmen\ttaken for ill\till ones found\tof one class taken for ill, at most")
	for _, f := range r.Fairness {
		cells := "\twithheld: too few of one class of either sex"
		if of := f.Fairness; of != nil {
			cells = ""
			for _, g := range []fed.Gap{of.Parity, of.Opportunity, of.Odds} {
				more := "more men"
				if g.Most == 0 {
					more = "more women"
				}
				cells += fmt.Sprintf("\t%.0f %% %s (%.0f to %.0f)", 100*g.Value, more, 100*g.Low, 100*g.High)
			}
		}
		line("  %s\t%d\t%d%s", f.Where, f.Women, f.Men, cells)
	}
	line("\nWas it worth joining?\theld out\t\tless log-loss than alone (95 %%)\tgiven to the others, log-loss a row")
	for _, j := range r.Worth {
		given := "cannot be told"
		if j.Contribution != nil {
			given = fmt.Sprintf("%+.4f", *j.Contribution)
		}
		line("  %s\t%d\t%s\t%+.3f (%+.3f to %+.3f)\t%s", j.Name, j.People, j.Verdict, j.Gain.Value, j.Gain.Low, j.Gain.High, given)
	}
	line("The federated coefficients differ from the central ones by %.2g standard errors at most.", r.Difference)
	line("%s", r.told())
	return w.Flush()
}
