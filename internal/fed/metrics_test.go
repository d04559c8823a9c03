package fed

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// The slow way: every pair, every row.
func TestScoreCountsPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "rows")
		p, y := make([]float64, n), make([]float64, n)
		for i := range p {
			p[i] = float64(rapid.IntRange(0, 8).Draw(t, "p")) / 8 // ties, and the certain ends
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		got := ScoreOf(p, y)
		var want Score
		loss, square, brier := 0.0, 0.0, 0.0
		for i := range p {
			want.Rows++
			want.Positive += int64(y[i])
			if (p[i] >= 0.5) == (y[i] == 1) {
				want.Correct++
			}
			if p[i] >= 0.5 {
				want.Flagged++
			}
			l := min(-math.Log(y[i]*p[i]+(1-y[i])*(1-p[i])), 32)
			loss, square, brier = loss+l/float64(n), square+l*l/float64(n), brier+(p[i]-y[i])*(p[i]-y[i])/float64(n)
			for j := range p {
				if y[i] == 1 && y[j] == 0 {
					want.Pairs++
					switch {
					case p[i] > p[j]:
						want.Concordant += 2
					case p[i] == p[j]:
						want.Concordant++
					}
				}
			}
		}
		want.PairRows = want.Pairs * want.Rows
		want.Loss, want.Square, want.Brier = got.Loss, got.Square, got.Brier
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		var table Confusion
		for i := range p {
			switch {
			case p[i] >= 0.5 && y[i] == 1:
				table.TruePositive++
			case p[i] >= 0.5:
				table.FalsePositive++
			case y[i] == 1:
				table.FalseNegative++
			default:
				table.TrueNegative++
			}
		}
		if got.Confusion() != table {
			t.Fatalf("confusion %+v, want %+v", got.Confusion(), table)
		}
		near(t, "loss", got.Loss.Float(), loss, 1e-11, 1)
		near(t, "square", got.Square.Float(), square, 1e-9, 1)
		near(t, "brier", got.Brier.Float(), brier, 1e-11, 1)
	})
}

// The sums of the evaluate step are the metrics of predicting at each site with
// its own intercept.
func TestEvaluationEqualsDirectScoring(t *testing.T) {
	for _, intercepts := range []croft.Intercepts{croft.SiteIntercepts, croft.CommonIntercept} {
		rng := rand.New(rand.NewPCG(12, 12))
		var sites []Site
		for range 4 {
			sites = append(sites, Site{simulate(rng, 90, rng.NormFloat64(), []float64{2, -1}), simulate(rng, 40, 0, []float64{2, -1})})
		}
		for i := range sites[2].Train.Y { // one class: still scored, with a finite intercept
			sites[2].Train.Y[i] = 0
		}
		p := compile(t, logisticModel(croft.Inference, intercepts, "0"), names(2), true)
		states, err := trace(p, sites...)
		if err != nil {
			t.Fatal(err)
		}
		s := states[len(states)-1]
		r, err := p.Result(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Sites) != 4 || r.Score.Rows != 160 || r.TestRows != 160 {
			t.Fatalf("%d sites, %d rows", len(r.Sites), r.Score.Rows)
		}
		pairs, brier := int64(0), 0.0
		for g, site := range sites {
			own := r
			own.Terms = append([]Term{{Coef: p.Intercept(s, site.Train)}}, r.Terms[1:]...)
			var probability []float64
			for _, x := range site.Test.X {
				probability = append(probability, own.Predict(x))
			}
			want, got := ScoreOf(probability, site.Test.Y), r.Sites[g]
			near(t, "loss", got.Loss.Float(), want.Loss.Float(), 1e-9, 1)
			near(t, "square", got.Square.Float(), want.Square.Float(), 1e-9, 1)
			near(t, "brier", got.Brier.Float(), want.Brier.Float(), 1e-9, 1)
			brier += want.Brier.Float() * float64(want.Rows)
			want.Loss, want.Square, want.Brier = got.Loss, got.Square, got.Brier
			if got != want {
				t.Errorf("site %d: got %+v, want %+v", g, got, want)
			}
			pairs += want.Pairs
		}
		if r.Score.Pairs != pairs {
			t.Errorf("%d pairs in all, want %d", r.Score.Pairs, pairs)
		}
		near(t, "brier", r.Score.Brier.Float(), brier/160, 1e-9, 1)
	}
}

func TestIntervals(t *testing.T) {
	check := func(what string, got, want Estimate, tolerance float64) {
		t.Helper()
		near(t, what, got.Value, want.Value, tolerance, 1)
		near(t, what+", low", got.Low, want.Low, tolerance, 1)
		near(t, what+", high", got.High, want.High, tolerance, 1)
	}
	// Wilson: R's prop.test(81, 263, correct = FALSE), Newcombe 1998, table I.
	check("Wilson 81/263", Score{Rows: 263, Correct: 81}.Accuracy(), Estimate{81. / 263, .2553, .3662}, 5e-5)
	check("Wilson 0/20", Score{Rows: 20}.Accuracy(), Estimate{0, 0, .1611}, 5e-5)
	check("Wilson 20/20", Score{Rows: 20, Correct: 20}.Accuracy(), Estimate{1, .8389, 1}, 5e-5)
	check("nothing", Score{}.Accuracy(), Estimate{0, 0, 1}, 0)
	check("no pairs", Score{Rows: 3}.AUC(), Estimate{.5, 0, 1}, 0)

	// The interval's ends solve |AUC − θ| = z·√V(θ) by Newcombe's own formula.
	for _, c := range []struct{ m, n, concordant int64 }{{10, 20, 300}, {30, 40, 2000}, {5, 5, 50}, {7, 90, 60}, {1, 1, 2}} {
		s := Score{Rows: c.m + c.n, Positive: c.m, Concordant: c.concordant, Pairs: c.m * c.n, PairRows: c.m * c.n * (c.m + c.n)}
		auc := s.AUC()
		for _, theta := range []float64{auc.Low, auc.High} {
			star := float64(c.m+c.n)/2 - 1
			v := theta * (1 - theta) * (1 + star*(1-theta)/(2-theta) + star*theta/(1+theta)) / float64(c.m*c.n)
			if theta > 1e-9 && theta < 1-1e-9 {
				near(t, "end of the interval", math.Abs(auc.Value-theta), z95*math.Sqrt(v), 1e-9, 1)
			}
		}
		if !(0 <= auc.Low && auc.Low <= auc.Value && auc.Value <= auc.High && auc.High <= 1) || auc.High-auc.Low < 0.1 {
			t.Errorf("%+v: %+v", c, auc)
		}
	}

	base := ScoreOf([]float64{.7, .7, .7, .7, .7}, []float64{1, 1, 0, 1, 1})
	if base.Correct != 4 || base.AUC().Value != 0.5 {
		t.Errorf("constant: %+v", base)
	}
	near(t, "constant's loss", base.LogLoss().Value, -(4*math.Log(.7)+math.Log(.3))/5, 1e-11, 1)
	if l := base.LogLoss(); !(l.Low < l.Value && l.Value < l.High) {
		t.Errorf("%+v", l)
	}

	term := Term{Name: "age", Coef: math.Log(2), SE: math.Log(2) / z95}
	check("odds ratio", term.OddsRatio(), Estimate{2, 1, 4}, 1e-12)
	near(t, "p", term.P(), 0.05, 1e-12, 1)
	if p := (Term{Coef: 3}).P(); p != 1 {
		t.Errorf("p without an SE: %g", p)
	}
}

func TestUnits(t *testing.T) {
	x, y := wdbc(t)
	p := compile(t, logisticModel(croft.Inference, croft.CommonIntercept, "0"), features, false)
	r := fit(t, p, Site{Train: Rows{X: scaled(x), Y: y}})
	raw := r.In(scales)
	for i := range x[:20] {
		near(t, "prediction", raw.Predict(x[i]), r.Predict(scaled(x[i : i+1])[0]), 1e-12, 1)
	}
	for j := range features {
		mean := 0.0
		for i := range x {
			mean += x[i][j] / float64(len(x))
		}
		near(t, "mean of "+features[j], raw.Mean[j], mean, 1e-9, 1)
	}
	for _, per := range []Result{r.PerSD(), raw.PerSD()} { // both ways lead to the same
		for j := range features {
			near(t, "per SD", per.Terms[1+j].Coef, raw.Terms[1+j].Coef*raw.SD[j], 1e-10, 1)
			near(t, "SE per SD", per.Terms[1+j].SE, raw.Terms[1+j].SE*raw.SD[j], 1e-10, 1)
			near(t, "mean", per.Mean[j], 0, 1e-10, 1)
			near(t, "SD", per.SD[j], 1, 1e-10, 1)
		}
	}
	if bySite := fit(t, compile(t, logisticModel(croft.Inference, croft.SiteIntercepts, "0"), features, false), split(scaled(x), y, unlike(y), 4)...).In(scales); bySite.Terms[0].SE != 0 || bySite.Terms[0].Name == r.Terms[0].Name {
		t.Errorf("a mean of intercepts: %+v", bySite.Terms[0])
	}
}
