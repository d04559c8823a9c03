package main

import (
	"bytes"
	"strings"
	"testing"

	"croft/internal/api"
	"croft/internal/fed"
	"croft/internal/study"
)

func TestWorthInWords(t *testing.T) {
	given, worse := 0.01, -0.02
	score := func(auc float64) api.Score {
		return api.Score{Rows: 40, Positive: 20, AUC: fed.Estimate{Value: auc}, Confusion: &fed.Confusion{TruePositive: 15, FalsePositive: 4, FalseNegative: 5, TrueNegative: 16}}
	}
	alone := score(0.7)
	helped := api.Worth{Name: "anaemia", Family: "logistic", Verdict: study.Helped, People: 40, Measure: "log-loss", Gain: &fed.Estimate{Value: 0.1, Low: 0.05, High: 0.2},
		Network: score(0.8), Alone: &alone, Given: &given, Evaluation: api.Evaluation{
			Threshold: 0.5, Calibration: []fed.Bin{{Low: 0, High: 0.5, Mean: 0.3, Negative: 16, Positive: 5}, {Low: 0.5, High: 1}}, PooledAUC: &fed.Estimate{Value: 0.8, Low: 0.75, High: 0.85},
			Groups: []api.Group{
				{Column: "sex", Levels: []api.LevelScore{{Level: "f", Score: score(0.6)}, {Level: "m", Score: score(0.9)}}, Worst: "f",
					Fairness: &api.Fairness{Parity: api.Gap{Estimate: fed.Estimate{Value: 0.3, Low: 0.1, High: 0.5}, Most: "m", Least: "f"}}},
				{Column: "region", Withheld: "a level has too few people held out: west"},
			}}}
	hurt, unknown := helped, helped
	hurt.Verdict, hurt.Given = study.Hurt, &worse
	unknown.Verdict, unknown.Why, unknown.Alone, unknown.Gain, unknown.Given = study.CannotTell, "no row is held out", nil, nil, nil
	for _, c := range []struct {
		of   api.Worth
		says []string
	}{
		{helped, []string{"Joining anaemia helped: on your 40 held-out people", "Better by 0.1 (0.05–0.2) in log-loss", "0.01 more", "You alone see this", "15 rightly, 4 wrongly; 5 positives missed, 16",
			"30.0 more of 100 for m than for f (95 % interval 10.0 to 50.0); more than chance explains", "chance may explain it", "Least right for f", "By region: withheld, a level"}},
		{hurt, []string{"Joining anaemia hurt", "0.02 less"}},
		{unknown, []string{"By your 40 held-out people it cannot be told whether joining anaemia helped: no row is held out"}},
	} {
		var out bytes.Buffer
		printWorth(&out, c.of)
		for _, want := range c.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: it does not say %q:\n%s", c.of.Verdict, want, &out)
			}
		}
		if strings.Contains(out.String(), "{") {
			t.Errorf("a gap in a sentence:\n%s", &out)
		}
	}
}
