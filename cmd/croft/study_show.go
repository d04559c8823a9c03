package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
	"croft/internal/privagg"
)

type studyShowOptions struct {
	dataset, out string
	print        bool
}

func (c *cli) studyShowVerb() *verb {
	var o studyShowOptions
	cmd := c.verb("study.show", "show STUDY", one(func(ctx context.Context, ref string) error { return c.studyShow(ctx, ref, o) }))
	cmd.Flags().StringVar(&o.dataset, "dataset", "", say("study.show.flag.dataset"))
	cmd.Flags().BoolVar(&o.print, "print", false, say("study.show.flag.print"))
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("study.show.flag.out"))
	return cmd
}

type studyShowResult struct {
	api.Study
	Check    *api.Check `json:"check,omitempty"`
	CheckWhy string     `json:"check_why,omitempty"` // why there is no check
}

// studyShow shows a study in words, and what it would find here.
func (c *cli) studyShow(ctx context.Context, ref string, o studyShowOptions) error {
	if o.out != "" && !o.print {
		return croft.E(croft.ErrUsage, say("study.show.noprint"), "croft study show "+api.Quote(ref)+" --print --out "+api.Quote(o.out))
	}
	st, err := c.node().Study(ctx, ref)
	if err != nil {
		return err
	}
	r := studyShowResult{Study: st}
	if st.Mine && st.Status == "proposed" {
		if check, err := c.node().Check(ctx, st.ID.String(), o.dataset); err != nil {
			r.CheckWhy = err.Error()
		} else {
			r.Check = &check
		}
	}
	if o.print {
		return c.printApproval(r, o.out)
	}
	return c.result(r, func(w io.Writer) {
		printStudy(w, st)
		if r.Check != nil {
			printCheck(w, *r.Check)
		} else {
			printLeaves(w, st.Leaves)
		}
		if r.CheckWhy != "" {
			tell(w, "check.none", r.CheckWhy)
		}
		tell(w, "promise")
		for _, round := range st.Rounds {
			tell(w, "study.show.round", round.Number+1, round.Phase, len(round.Reports), round.Shares, round.Sum.Short())
		}
		if len(st.Rounds) > 0 {
			last := st.Rounds[len(st.Rounds)-1]
			for _, report := range last.Reports {
				if len(report.Refused) > 0 {
					tell(w, "study.show.nays", last.Number+1, report.Name, names(report.Refused))
				}
				if report.Bound > 0 {
					tell(w, "study.show.bound", last.Number+1, report.Name, report.Bound)
				}
			}
		}
		if st.Model != nil {
			tell(w, "study.show.model", st.Model.State, st.Model.Rounds)
			if st.Model.Unchecked {
				tell(w, "unchecked")
			}
		}
		if r.Check != nil {
			c.advise(w, "study.show.next", st.ID.Short())
		}
	})
}

// printStudy says in words what a study is: what a person decides by.
func printStudy(w io.Writer, st api.Study) {
	p := st.Plan
	tell(w, "study.name", p.Name, st.ID.Short(), status(st.Summary), st.Proposer.Name)
	if st.Reason != "" {
		tell(w, "study.because", because(st.Reason, p.Model.Label))
	}
	if missing := missing(st.Summary); len(missing) > 0 {
		word := "study.paused"
		if st.Reason != "" {
			word = "study.without"
		}
		if st.Reason == ledger.ReasonProof || st.Reason == ledger.ReasonReport {
			word = "study.refused"
		}
		tell(w, "study.because", say(word, names(missing)))
	} else if st.Doubt {
		tell(w, "study.because", say("study.doubt"))
		if len(st.Waits) > 0 {
			tell(w, "study.because", say("study.doubt.waits", names(st.Waits)))
		}
	} else if len(st.Waits) > 0 {
		tell(w, "study.because", say("study.waits", names(st.Waits)))
	}
	tell(w, "study.purpose", p.Purpose)
	tell(w, "study.basis", p.LegalBasis)
	tell(w, "study.contact", p.Contact)
	tell(w, "study.until", day(st.Expires))
	tell(w, "study.plan", groups(st.PlanHash))
	tell(w, "study.sites", answers(st.Summary), p.MinSites)
	goal := "study.inference"
	if p.Model.Goal == croft.Prediction {
		goal = "study.prediction"
	}
	printModel(w, p.Model, say(goal))
	people := "study.people"
	if p.Model.MaxRounds == 0 {
		people = "study.people.all"
	}
	tell(w, people, p.Schema.UnitColumn, p.HoldOut.Percent)
	tell(w, "study.seats", names(st.Seats), int(st.Threshold)+1, len(st.Seats))
	if chances := collusion(len(st.Seats), st.Threshold); chances != nil {
		tell(w, "study.collude", int(st.Threshold)+1, chances[0], chances[1], chances[2])
	}
	if p.Unchecked {
		tell(w, "study.unchecked")
	}
	if p.Unproved {
		tell(w, "study.unproved")
	} else {
		tell(w, "study.proved")
	}
	tell(w, "study.readers", names(st.Readers))
	if p.PerSiteMetrics {
		tell(w, "study.metrics")
	}
	export := "study.noexport"
	if p.Export {
		export = "study.export"
	}
	tell(w, "study.use", uses(p.Use), say(export))
}

// collusion says how likely it is that more than the threshold of the seats are
// corrupt and so can read every report, if each is with a chance of 1 in 20, 10 and 5.
// Nothing for a study that has no seats yet.
func collusion(seats int, threshold uint8) (chances []string) {
	p := privagg.Profile{Seats: seats, Threshold: int(threshold)}
	for _, one := range []int64{20, 10, 5} {
		if seats < privagg.MinSeats {
			return nil
		}
		lost, _ := p.PrivacyLost(big.NewRat(1, one)).Float64()
		in := 1 / lost
		digits := math.Pow(10, max(0, math.Floor(math.Log10(in))-1)) // two are enough
		chances = append(chances, say("study.onein", fmt.Sprintf("%.0f", math.Round(in/digits)*digits)))
	}
	return chances
}

// printModel says what a study computes.
func printModel(w io.Writer, m croft.Model, goal string) {
	features, label := strings.Join(m.Features, ", "), m.Label
	if m.Positive != "" {
		label += " = " + m.Positive
	}
	switch of := label; {
	case m.MaxRounds > 0:
		tell(w, "study.model", m.Family, label, features, goal)
	case m.Family == "describe":
		if of = features; label != "" {
			of = say("study.by", features, label)
		}
		tell(w, "study.describes", m.Family, of)
	default:
		if features != "" {
			of = say("study.by", label, features)
		}
		tell(w, "study.describes", m.Family, of)
	}
	if m.Time != "" && m.Grid.Cells > 0 {
		tell(w, "study.time", m.Time, m.Grid.Cells, m.Grid.Width)
	}
	var groups []string
	for _, g := range m.Groups {
		groups = append(groups, g.Column)
	}
	if groups != nil {
		tell(w, "study.groups", strings.Join(groups, ", "))
	}
	for _, part := range []struct{ key, column string }{{"print.time", m.Time}, {"print.exposure", m.Exposure}, {"print.weight", m.Weight}} {
		if part.column != "" {
			tell(w, "study.part", part.column, say(part.key))
		}
	}
}

// missing returns the sites for which a study waits.
func missing(st api.Summary) (sites []api.Party) {
	for _, s := range st.Sites {
		if s.Missing {
			sites = append(sites, s.Party)
		}
	}
	return sites
}

// uses says in words who may use a result.
func uses(u croft.Use) string {
	if sentence, known := sentences["use."+string(u)]; known {
		return sentence
	}
	return string(u)
}
