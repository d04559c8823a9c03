package study

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// Worth is what a study was worth to one site, by the site's own held-out rows. It is
// computed at the site and shown there; nothing of it leaves.
type Worth struct {
	People  int           // held out
	Verdict string        // helped, hurt or cannot tell
	Why     string        // it cannot be told; "" if it can
	Measure string        // of Gain
	Network fed.Result    // the network's model on these rows: Score, Groups and Bins are theirs
	Alone   *fed.Score    // the same of a model fitted to the site's own training rows; nil if there is none
	Ridge   croft.Decimal // λ of that model: the study's, or a little where these rows determine no finite one
	Gain    fed.Estimate  // by how much the network's model is better, with its 95 % interval; 0 without Alone
	// Contribution is how much more a held-out row of the others would lose without
	// this site (fed.Plan.Contribution); nil where that cannot be told.
	Contribution *float64
}

// The verdicts.
const (
	Helped     = "helped"
	Hurt       = "hurt"
	CannotTell = "cannot tell"
)

const (
	// leastHeldOut is how many people a verdict needs: an interval from fewer would
	// promise more than it holds.
	leastHeldOut = 20

	// resamples is how often rows are drawn anew, at most and at least; between, so
	// that no more than resampledRows are drawn in all.
	resamples, fewResamples, resampledRows = 1000, 200, 1_000_000
)

// separationRidge is λ of a site's own model where its rows determine no finite one
// without: too small to pull at what they do determine.
var separationRidge = croft.Decimal{Mantissa: 1, Scale: 2}

// WorthOf holds the final state of a study against what a site could have had from
// its own rows: a fit of the same model to its training rows alone. Both are scored
// on the rows that it holds out. The interval of the difference is of a paired
// bootstrap over people (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
// §8 and §13): both models are scored on the same draw. It speaks of these models on
// people like these, not of fits to other rows. The draws follow from the state, so
// that the same question has the same answer. It fails as fed.Plan.Own does.
func WorthOf(plan croft.Study, final fed.State, site fed.Site) (Worth, error) {
	compiled, err := compile(plan)
	if err != nil {
		return Worth{}, err
	}
	w := Worth{Verdict: CannotTell, Measure: measureName(plan.Model.Family)}
	if w.Network, err = compiled.Own(final, site.Train, site.Test); err != nil {
		return w, err
	}
	if more, ok := compiled.Contribution(final, site.Train, site.Test); ok {
		w.Contribution = &more
	}
	people := persons(site.Test)
	if w.People = len(people); w.People == 0 {
		w.Why = "no row is held out"
		return w, nil
	}
	alone, ridge, err := alone(plan, site)
	if err != nil {
		w.Why = err.Error()
		if croft.CodeOf(err) == croft.ErrOneClass {
			w.Why = "the rows to train on have only one class of the label, so they make no model alone"
		}
		return w, nil
	}
	all := slices.Concat(people...)
	own := alone(all)
	w.Alone, w.Ridge = &own, ridge

	network := compiled.Scorer(final, site.Train, site.Test)
	of := measure(plan)
	value := of(network(all)) - of(own)
	seed := croft.HashOf(final)
	rng := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:16])))
	gains := make([]float64, min(max(resampledRows/len(all), fewResamples), resamples))
	for i := range gains {
		var drawn []int
		for range people {
			drawn = append(drawn, people[rng.IntN(len(people))]...)
		}
		gains[i] = of(network(drawn)) - of(alone(drawn))
	}
	slices.Sort(gains)
	tail := len(gains) / 40
	w.Gain = fed.Estimate{Value: value, Low: gains[tail], High: gains[len(gains)-1-tail]}
	switch {
	case w.People < leastHeldOut:
		w.Why = "fewer than 20 people are held out"
	case w.Gain.Low > 0:
		w.Verdict = Helped
	case w.Gain.High < 0:
		w.Verdict = Hurt
	default:
		w.Why = "the difference is within what chance makes of so few rows"
	}
	return w, nil
}

// alone fits a study's model to the training rows of one site and returns the scores
// of its held-out rows. A column that is constant there says nothing and is left out.
func alone(plan croft.Study, site fed.Site) (score func(which []int) fed.Score, ridge croft.Decimal, err error) {
	var kept []int
	var names []string
	for j, name := range table.ColumnsOf(plan) {
		low, high := math.Inf(1), math.Inf(-1)
		for _, x := range site.Train.X {
			if !math.IsNaN(x[j]) { // no value: the mean is put in
				low, high = min(low, x[j]), max(high, x[j])
			}
		}
		if low < high {
			kept, names = append(kept, j), append(names, name)
		}
	}
	narrow := func(rows fed.Rows) fed.Rows {
		x := make([][]float64, len(rows.X))
		for i, row := range rows.X {
			for _, j := range kept {
				x[i] = append(x[i], row[j])
			}
		}
		rows.X = x
		return rows
	}
	site = fed.Site{Train: narrow(site.Train), Test: narrow(site.Test)}
	m := plan.Model
	m.Means = slices.DeleteFunc(slices.Clone(m.Means), func(name string) bool { return !slices.Contains(names, name) })
	for {
		compiled, err := fed.Compile(m, names, false)
		if err != nil {
			return nil, ridge, err
		}
		state, err := compiled.Run(site)
		if err == nil {
			return compiled.Scorer(state, site.Train, site.Test), m.Ridge, nil
		}
		infinite := slices.Contains([]croft.Code{croft.ErrSeparation, croft.ErrUnbounded, croft.ErrNoConvergence, croft.ErrCollinear, croft.ErrNoRows}, croft.CodeOf(err))
		if !infinite || m.Family == "firth" || m.Ridge.Float() >= separationRidge.Float() {
			return nil, ridge, err
		}
		m.Goal, m.Ridge, m.Clusters = croft.Prediction, separationRidge, false
	}
}

// persons returns the rows of each person, in the order of their first rows.
func persons(rows fed.Rows) (out [][]int) {
	at := map[int]int{}
	for i := range rows.Y {
		person := i
		if rows.Unit != nil {
			person = rows.Unit[i]
		}
		if _, met := at[person]; !met {
			at[person] = len(out)
			out = append(out, nil)
		}
		out[at[person]] = append(out[at[person]], i)
	}
	return out
}

// measure returns what two models are compared by: more is better.
func measure(plan croft.Study) func(fed.Score) float64 {
	half := table.LabelScale(plan).Half
	return func(s fed.Score) float64 {
		switch plan.Model.Family {
		case "linear":
			return -half * math.Sqrt(s.Loss.Float())
		case "poisson":
			return -2 * s.Loss.Float()
		case "cox":
			return s.AUC().Value
		}
		return -s.Loss.Float()
	}
}

func measureName(family string) string {
	switch family {
	case "linear":
		return "root mean squared error"
	case "poisson":
		return "deviance of a row"
	case "cox":
		return "concordance"
	}
	return "log-loss"
}
