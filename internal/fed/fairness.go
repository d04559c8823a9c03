package fed

import "math"

// Fairness says how a yes-or-no model treats the levels of a group, at its
// threshold. A gap is between the two levels that are furthest apart.
type Fairness struct {
	Parity      Gap `json:"demographic_parity"` // in the share taken for positive
	Opportunity Gap `json:"equal_opportunity"`  // in the share of the positives taken for positive
	Odds        Gap `json:"equalised_odds"`     // the larger of that and of the gap among the negatives
	Worst       int `json:"worst"`              // the level with the lowest accuracy
}

// Gap is a difference between two shares, that of level Most less that of level
// Least. Its interval allows for the choice of the pair (Bonferroni): where it holds
// 0, chance may explain the gap.
type Gap struct {
	Estimate
	Most  int `json:"most"`
	Least int `json:"least"`
}

// FairnessOf compares the levels of a group by their scores. It returns nil where
// one has somebody, but fewer than least rows of either class, or where fewer than
// two have anybody: nothing can be said of so few.
//
// The interval of a difference joins Wilson's of both shares (Newcombe, Statistics in
// Medicine 1998, 17:873–890, method 10).
func FairnessOf(levels []Score, least int64) *Fairness {
	var there []int
	for i, s := range levels {
		if s.Rows == 0 {
			continue
		}
		if min(s.Positive, s.Rows-s.Positive) < max(least, 1) {
			return nil
		}
		there = append(there, i)
	}
	if len(there) < 2 {
		return nil
	}
	comparisons := len(there) * (len(there) - 1) / 2
	gap := func(comparisons int, share func(s Score) (count, of int64)) Gap {
		z := normalQuantile(0.05 / float64(comparisons))
		at := func(i int, z float64) Estimate { count, of := share(levels[i]); return wilson(count, of, z) }
		g := Gap{Most: there[0], Least: there[0]}
		for _, i := range there {
			if v := at(i, z).Value; v > at(g.Most, z).Value {
				g.Most = i
			} else if v < at(g.Least, z).Value {
				g.Least = i
			}
		}
		if g.Most == g.Least { // all alike
			g.Least = there[1]
		}
		a, b := at(g.Most, z), at(g.Least, z)
		difference := a.Value - b.Value
		g.Estimate = Estimate{difference, difference - math.Hypot(a.Value-a.Low, b.High-b.Value), difference + math.Hypot(a.High-a.Value, b.Value-b.Low)}
		return g
	}
	hits := func(s Score) (count, of int64) { return s.Confusion().TruePositive, s.Positive }
	alarms := func(s Score) (count, of int64) { return s.Confusion().FalsePositive, s.Rows - s.Positive }
	f := &Fairness{
		Parity:      gap(comparisons, func(s Score) (count, of int64) { return s.Flagged, s.Rows }),
		Opportunity: gap(comparisons, hits),
		Odds:        gap(2*comparisons, hits),
		Worst:       there[0],
	}
	if g := gap(2*comparisons, alarms); g.Value > f.Odds.Value {
		f.Odds = g
	}
	for _, i := range there {
		if levels[i].Accuracy().Value < levels[f.Worst].Accuracy().Value {
			f.Worst = i
		}
	}
	return f
}

// normalQuantile returns the z with P(|Z| > z) = p, by bisection.
func normalQuantile(p float64) float64 {
	low, high := 0.0, 40.0
	for range 80 {
		if middle := (low + high) / 2; math.Erfc(middle/math.Sqrt2) > p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}
