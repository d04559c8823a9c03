package fed

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

var bySex = []croft.Group{{Column: "sex", Levels: 2}}

// grouped simulates sites whose held-out rows say to which of two levels they belong.
func grouped(rng *rand.Rand, sites, rows int) (out []Site) {
	for range sites {
		site := Site{simulate(rng, rows, 0.4*rng.NormFloat64(), []float64{2, -1}), simulate(rng, rows, 0, []float64{2, -1})}
		for _, r := range []*Rows{&site.Train, &site.Test} {
			levels := make([]int, len(r.Y))
			for i := range levels {
				levels[i] = rng.IntN(2)
			}
			r.Group = [][]int{levels}
		}
		out = append(out, site)
	}
	return out
}

func groupedPlan(t testing.TB) *Plan {
	m := logisticModel(croft.Inference, croft.SiteIntercepts, "0")
	m.Groups, m.Threshold = bySex, croft.Decimal{Mantissa: 4, Scale: 1}
	return compile(t, m, names(2), true)
}

// What the last sum says is what somebody who saw all rows would count.
func TestEvaluationCountsWhatThereIs(t *testing.T) {
	p := groupedPlan(t)
	sites := grouped(rand.New(rand.NewPCG(5, 5)), 4, 150)
	s, err := p.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(s)
	if err != nil {
		t.Fatal(err)
	}
	var probability, label []float64
	var sex []int
	for me, site := range sites {
		alpha := p.Intercept(s, site.Train)
		for _, x := range site.Test.X {
			eta := alpha
			for j, v := range x {
				eta += r.Terms[1+j].Coef * v
			}
			probability = append(probability, sigmoid(eta))
		}
		label, sex = append(label, site.Test.Y...), append(sex, site.Test.Group[0]...)

		own, err := p.Own(s, site.Train, site.Test)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]int, len(site.Test.Y))
		for i := range all {
			all[i] = i
		}
		for what, got := range map[string]Score{"own": own.Score, "scorer": p.Scorer(s, site.Train, site.Test)(all)} {
			want := r.Sites[me]
			near(t, "loss", got.Loss.Float(), want.Loss.Float(), 1e-11, 1) // the network's went through integers
			want.Loss, want.Square, want.Brier = got.Loss, got.Square, got.Brier
			if got != want {
				t.Errorf("site %d, %s: %+v, in the network's result %+v", me, what, got, want)
			}
		}
		if own.Groups[0][0].Rows+own.Groups[0][1].Rows != own.Score.Rows || len(own.Sites) != 0 {
			t.Errorf("own groups %+v", own.Groups)
		}
	}
	var table Confusion
	var groups [2]Score
	for i, v := range probability {
		yes, flagged := label[i] == 1, v >= 0.4
		g := &groups[sex[i]]
		g.Rows++
		if yes {
			g.Positive++
		}
		if flagged {
			g.Flagged++
		}
		if flagged == yes {
			g.Correct++
		}
		switch {
		case yes && flagged:
			table.TruePositive++
		case flagged:
			table.FalsePositive++
		case yes:
			table.FalseNegative++
		default:
			table.TrueNegative++
		}
	}
	if got := r.Score.Confusion(); got != table {
		t.Errorf("confusion %+v, want %+v", got, table)
	}
	for level, want := range groups {
		if got := r.Groups[0][level]; got.Rows != want.Rows || got.Positive != want.Positive || got.Flagged != want.Flagged || got.Correct != want.Correct || got.Pairs == 0 {
			t.Errorf("level %d: %+v, want %+v", level, got, want)
		}
	}
	at := 0
	chances := make([]float64, bins)
	middle := func(bin int) float64 { // in log-odds
		edge, inner := r.Bins[bin].High, -0.25
		if bin == bins-1 {
			edge, inner = r.Bins[bin].Low, 0.25
		}
		return math.Log(edge/(1-edge)) + inner
	}
	for rows := range slices.Chunk(probability, 150) {
		in := make([][]float64, bins)
		for _, v := range rows {
			k := slices.IndexFunc(r.Bins, func(b Bin) bool { return v >= b.Low && v < b.High })
			in[k] = append(in[k], v)
		}
		lone, off := 0.0, 0.0 // of bins with fewer than five
		for k, of := range in {
			if len(of) >= 5 {
				chances[k] += total(of)
				continue
			}
			for _, v := range of {
				lone++
				off += min(max(math.Log(v/(1-v))-middle(k), -0.25), 0.25)
			}
		}
		if lone < 5 {
			off = 0
		}
		for k, of := range in {
			if len(of) < 5 {
				chances[k] += float64(len(of)) * sigmoid(middle(k)+off/max(lone, 1))
			}
		}
	}
	for k, b := range r.Bins {
		n := [2]int64{}
		for i, v := range probability {
			if v >= b.Low && v < b.High {
				n[int(label[i])]++
			}
		}
		if n != [2]int64{b.Negative, b.Positive} {
			t.Errorf("bin %g to %g: %+v, want %v", b.Low, b.High, b, n)
		}
		near(t, "mean of a bin", b.Mean, chances[k]/float64(max(n[0]+n[1], 1)), 1e-9, 1)
		at += int(n[0] + n[1])
	}
	near(t, "all probabilities", total(chances), total(probability), 1e-3, total(probability))
	if at != len(label) || len(r.Bins) != bins {
		t.Errorf("%d of %d rows in %d bins", at, len(label), len(r.Bins))
	}
	pooled, truth := PooledAUC(r.Bins), ScoreOf(probability, label).AUC().Value
	if !(pooled.Low <= truth && truth <= pooled.High && pooled.High-pooled.Low < 0.1) {
		t.Errorf("pooled AUC %+v, it is %g", pooled, truth)
	}
}

// Fewer than three sites that say to which level their rows belong would know each
// other's; and the total less all levels would be the numbers of the site that does not
// say: then nothing of the group leaves, not even sealed.
func TestGroupsNeedThreeSitesAndAll(t *testing.T) {
	p := groupedPlan(t)
	for _, c := range []struct {
		silent, without int
		there           bool
	}{{0, 0, true}, {0, 1, true}, {0, 2, false}, {1, 0, false}, {2, 0, false}, {4, 0, false}} {
		sites := grouped(rand.New(rand.NewPCG(6, 6)), 4, 60)
		silent, there := c.silent, c.there
		for i := range silent {
			for j := range sites[i].Test.Group[0] {
				sites[i].Test.Group[0][j] = -1
			}
		}
		for i := range c.without {
			sites[i].Test = sites[i].Test.pick(nil)
		}
		s, err := p.Run(sites...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Result(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Groups[0] != nil; got != there {
			t.Errorf("%+v: groups there %v, want %v", c, got, there)
		}
		if got := s.Scores[len(s.Scores)-1].Rows > 0; got != there {
			t.Errorf("%+v: rows sent %v, want %v", c, got, there)
		}
		if there && r.Groups[0][0].Rows+r.Groups[0][1].Rows != int64(60*(4-c.without)) {
			t.Errorf("%+v", r.Groups)
		}
	}
}

// One column, one intercept for all, and one held-out row that lies far from all others:
// its bin must not tell its value, which the coefficients make of its probability.
func TestALoneRowsProbabilityStaysHome(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	p := compile(t, logisticModel(croft.Inference, croft.CommonIntercept, "0"), names(1), false)
	var sites []Site
	for range 3 {
		site := Site{simulate(rng, 200, 0, []float64{4}), simulate(rng, 60, 0, []float64{1})}
		for _, x := range site.Test.X {
			x[0] /= 4
		}
		sites = append(sites, site)
	}
	sites[1].Test.X[7][0] = 0.97
	s, err := p.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Result(s)
	if err != nil {
		t.Fatal(err)
	}
	chance := r.Predict([]float64{0.97})
	for _, b := range r.Bins {
		if chance >= b.Low && chance < b.High && (b.Negative+b.Positive != 1 || math.Abs(b.Mean-chance) < 1e-4) {
			t.Errorf("%+v tells of the row with %g", b, chance)
		}
	}
	// A person with five rows is one person too.
	rows := Rows{Y: make([]float64, 12), Unit: []int{1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8}}
	eta := []float64{3, 3, 3, 3, 3, -1, -1, -1, -1, -1, -1, -1}
	h := p.histogram(State{Rows: 10, Positive: 5, TestRows: 200}, eta, rows)
	for bin, n := range h[:bins] {
		if n == 5 && math.Abs(h[2*bins+bin]/5-sigmoid(3)) < 0.005 {
			t.Errorf("five rows of one person are %g on average", h[2*bins+bin]/5)
		}
	}
}

// No bin is so narrow that few rows fall into it on average.
func TestBinsWidenWithFewRows(t *testing.T) {
	p := compile(t, logisticModel(croft.Prediction, croft.CommonIntercept, "1"), names(1), false)
	rapid.Check(t, func(t *rapid.T) {
		s := State{Rows: 100, Positive: rapid.Int64Range(1, 99).Draw(t, "positive"), TestRows: rapid.Int64Range(0, 500).Draw(t, "held out"),
			Bins: make([]int64, 2*bins), Chance: make([]Fixed, bins)}
		out := p.bins(s)
		if n := int64(len(out)); n < 2 || n > bins || n > 2 && s.TestRows < n*rowsABin {
			t.Fatalf("%d bins for %d rows", n, s.TestRows)
		}
		for i, b := range out {
			if i == 0 && b.Low != 0 || i == len(out)-1 && b.High != 1 || i > 0 && b.Low != out[i-1].High || b.Low >= b.High {
				t.Fatalf("bins %+v", out)
			}
		}
		y, eta := []float64{0, 1, 1}, []float64{-800, 0, 800}
		h := p.histogram(s, eta, Rows{Y: y})
		if h[0] != 1 || h[bins+len(out)-1] < 1 || total(h[:2*bins]) != 3 {
			t.Fatalf("%v", h)
		}
	})
}

func TestFairness(t *testing.T) {
	level := func(tp, fp, fn, tn int64) Score {
		return Score{Rows: tp + fp + fn + tn, Positive: tp + fn, Correct: tp + tn, Flagged: tp + fp}
	}
	even := FairnessOf([]Score{level(30, 10, 10, 50), level(60, 20, 20, 100)}, 5)
	if even == nil || even.Parity.Value != 0 || even.Opportunity.Low >= 0 || even.Odds.High <= 0 || even.Parity.Most == even.Parity.Least {
		t.Errorf("alike: %+v", even)
	}
	// Newcombe 1998, table II, method 10: 56/70 − 48/80 has the interval 0.0524 to 0.3339.
	known := FairnessOf([]Score{level(14, 42, 7, 7), level(20, 28, 12, 20)}, 5).Parity
	if known.Most != 0 || known.Least != 1 {
		t.Errorf("%+v", known)
	}
	near(t, "gap", known.Value, 0.2, 1e-12, 1)
	near(t, "low", known.Low, 0.0524, 5e-5, 1)
	near(t, "high", known.High, 0.3339, 5e-5, 1)
	// Positives of level 1 are overlooked twice as often, negatives treated alike.
	unfair := FairnessOf([]Score{level(90, 10, 10, 90), level(50, 10, 50, 90), level(0, 0, 0, 0)}, 5)
	if unfair.Opportunity.Most != 0 || unfair.Opportunity.Least != 1 || unfair.Opportunity.Low <= 0.2 || unfair.Worst != 1 || unfair.Odds.Value != unfair.Opportunity.Value {
		t.Errorf("a planted gap: %+v", unfair)
	}
	if unfair.Odds.Low >= unfair.Opportunity.Low {
		t.Error("two questions, one interval")
	}
	alarms := FairnessOf([]Score{level(50, 5, 50, 95), level(50, 40, 50, 60)}, 5)
	if alarms.Odds.Most != 1 || alarms.Odds.Low <= 0 || alarms.Opportunity.Value != 0 {
		t.Errorf("false alarms: %+v", alarms)
	}
	for what, levels := range map[string][]Score{
		"four positives": {level(30, 10, 10, 50), level(3, 2, 1, 9)}, "no negatives": {level(30, 10, 10, 50), level(8, 0, 1, 0)},
		"one level": {level(30, 10, 10, 50), {}}, "none": nil,
	} {
		if f := FairnessOf(levels, 5); f != nil {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

// A model that was told nothing of a group still treats it unlike where a column
// means another thing in it: the evaluation finds the bias, and none without it.
func TestPlantedBiasIsFound(t *testing.T) {
	p := groupedPlan(t)
	for _, planted := range []bool{true, false} {
		found := 0
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 8))
			sites := grouped(rng, 4, 200)
			for i := range sites {
				for _, r := range []*Rows{&sites[i].Train, &sites[i].Test} {
					for j, level := range r.Group[0] {
						if planted && level == 1 && r.Y[j] == 1 { // what signals illness in others does not in them
							r.X[j][0] = -math.Abs(r.X[j][0])
						}
					}
				}
			}
			s, err := p.Run(sites...)
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Result(s)
			if err != nil {
				t.Fatal(err)
			}
			if f := FairnessOf(r.Groups[0], 5); f.Opportunity.Low > 0 && f.Opportunity.Least == 1 {
				found++
			}
		}
		if planted && found < 20 || !planted && found > 3 {
			t.Errorf("planted %v: found in %d of 20 runs", planted, found)
		}
	}
}

// Of eleven sites one has labels drawn by lot and two have the same rows: what each
// works out for itself ranks these below the others. Site by site an estimate from
// few held-out rows is rough, so the ranking is of the means over runs; in a single
// run the noise is last more often than not.
func TestContributionRanksNoiseAndDuplicatesBelow(t *testing.T) {
	const runs, useful, noise, twin, copied = 20, 8, 8, 9, 10
	slopes := []float64{1.5, -1, 0.5, 0, 0}
	p := compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), names(len(slopes)), false)
	mean, last := make([]float64, copied+1), 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var sites []Site
		for i := range copied + 1 {
			site := Site{simulate(rng, 120, 0.5*rng.NormFloat64(), slopes), simulate(rng, 240, 0, slopes)}
			switch i {
			case noise:
				for j := range site.Train.Y {
					site.Train.Y[j] = float64(rng.IntN(2))
				}
				for j := range site.Test.Y {
					site.Test.Y[j] = float64(rng.IntN(2))
				}
			case copied:
				site = sites[twin]
			}
			sites = append(sites, site)
		}
		s, err := p.Run(sites...)
		if err != nil {
			t.Fatal(err)
		}
		var of []float64
		for i, site := range sites {
			more, ok := p.Contribution(s, site.Train, site.Test)
			if !ok {
				t.Fatalf("seed %d, site %d: no figure", seed, i)
			}
			of = append(of, more)
			mean[i] += more / runs
		}
		if slices.Min(of) == of[noise] {
			last++
		}
	}
	t.Logf("mean contributions ×10⁴: %.2f; noise is last in %d of %d runs", scaledBy(mean, 1e4), last, runs)
	least := slices.Min(mean[:useful])
	if mean[noise] >= 0 || mean[noise] >= min(mean[twin], mean[copied]) || max(mean[twin], mean[copied]) >= least || last < runs/2 {
		t.Errorf("means %v, noise last in %d of %d", mean, last, runs)
	}
}

func scaledBy(v []float64, by float64) (out []float64) {
	for _, x := range v {
		out = append(out, x*by)
	}
	return out
}

// What a site works out from the totals and its own rows is what a fit without it
// would lose on the others' held-out rows.
func TestContributionIsTheLeaveOneOut(t *testing.T) {
	for _, family := range []string{"logistic", "linear", "poisson", "firth", "cox"} {
		t.Run(family, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 10))
			m := croft.Model{Family: family, Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "y", MaxRounds: 60}
			if family == "cox" {
				m.Time = "t"
			}
			p := compile(t, m, names(2), false)
			var sites []Site
			for range 6 {
				var site Site
				for _, r := range []*Rows{&site.Train, &site.Test} {
					*r = simulate(rng, 200, 0, []float64{1, -0.5})
					for i, x := range r.X {
						eta := x[0] - x[1]/2
						switch family {
						case "linear":
							r.Y[i] = max(min(eta/4+rng.NormFloat64()/8, 1), -1)
						case "poisson":
							r.Y[i] = math.Floor(-math.Log(rng.Float64()) * math.Exp(eta))
						case "cox":
							r.Time = append(r.Time, -math.Log(rng.Float64())*math.Exp(-eta))
						}
					}
				}
				sites = append(sites, site)
			}
			g := p.family.(regression)
			with, err := p.Run(sites...)
			if err != nil {
				t.Fatal(err)
			}
			for i, site := range sites {
				others := slices.Delete(slices.Clone(sites), i, i+1)
				without, err := p.Run(others...)
				if err != nil {
					t.Fatal(err)
				}
				// Both estimates, in the same standard deviations.
				moved := with
				moved.Beta = slices.Clone(with.Beta)
				for j := range moved.Beta {
					moved.Beta[j] = Fixed(float64(without.Beta[j]) * with.SD[j].Float() / without.SD[j].Float())
				}
				if family == "linear" {
					for j := range moved.Beta {
						moved.Beta[j] = Fixed(float64(moved.Beta[j]) * without.SD[2].Float() / with.SD[2].Float())
					}
				}
				loss, rows := 0.0, 0.0
				of := g.likelihood
				if family == "firth" {
					of = logistic{}
				}
				for _, o := range others {
					before, after := of.newton(p, with, o.Test), of.newton(p, moved, o.Test)
					loss += before[len(before)-1] - after[len(after)-1]
					rows += float64(len(o.Test.Y))
				}
				got, ok := p.Contribution(with, site.Train, site.Test)
				// Second order: what is left is of the third, and the held-out rows' own curvature.
				if !ok || math.Abs(got-loss/rows) > 0.25*math.Abs(loss/rows)+2e-5 {
					t.Errorf("site %d: %g, by fits with and without it %g", i, got, loss/rows)
				}
			}
		})
	}
}

func TestContributionSaysWhenItCannot(t *testing.T) {
	p := groupedPlan(t)
	sites := grouped(rand.New(rand.NewPCG(7, 7)), 3, 60)
	s, err := p.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Contribution(p.Start(), sites[0].Train, sites[0].Test); ok {
		t.Error("before the end")
	}
	whole := Rows{}
	for _, site := range sites {
		whole = joined(whole, site.Train)
	}
	if _, ok := p.Contribution(s, whole, sites[0].Test); ok {
		t.Error("all rows are one site's")
	}
	if _, err := p.Own(p.Start(), sites[0].Train, sites[0].Test); !errors.Is(err, croft.ErrTxOrder) {
		t.Error(err)
	}
}

// Held-out labels can lie further from what is expected than any bound that the
// training rows give: such a slope stays home, and the rest of the report is sent.
func TestASteepSlopeStaysHome(t *testing.T) {
	p := compile(t, croft.Model{Family: "linear", Goal: croft.Inference, Intercepts: croft.CommonIntercept, Label: "y", MaxRounds: 60}, names(1), false)
	rng := rand.New(rand.NewPCG(4, 14))
	site := Site{simulate(rng, 80, 0, []float64{1}), simulate(rng, 40, 0, []float64{1})}
	for _, far := range []bool{false, true} {
		for i := range site.Train.Y {
			site.Train.Y[i] = rng.NormFloat64() / 4096
		}
		for i, x := range site.Test.X {
			if site.Test.Y[i] = rng.NormFloat64() / 4096; far {
				site.Test.Y[i] = math.Copysign(1, x[0])
			}
		}
		states, err := trace(p, site, site, site)
		if err != nil {
			t.Fatal(err)
		}
		s := states[len(states)-2]
		slope := p.family.(regression).slope(p, s, site.Test)
		if zero := dot(slope, slope) == 0; s.Word != Evaluate || zero != far {
			t.Errorf("far %v: at %v the slope is %v", far, s.Word, slope)
		}
		report, err := p.Compute(s, 0, 3, site.Train, site.Test)
		if err != nil {
			t.Fatal(err)
		}
		if excess := beyond(p, s, 3, site, report); excess != "" {
			t.Errorf("far %v: %s", far, excess)
		}
	}
}
