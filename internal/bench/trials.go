package bench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// heartPlan compiles the plan of a study on the 13 columns. The goal is
// prediction, also with λ = 0: no interval is read off it.
func heartPlan(intercepts croft.Intercepts, lambda string) (*fed.Plan, error) {
	s := heartStudy()
	model := s.Model
	model.Family, model.Goal, model.Intercepts, model.MaxRounds = "logistic", croft.Prediction, intercepts, 25
	model.Ridge = mustDecimal(lambda)
	return fed.Compile(model, table.ColumnsOf(s), true)
}

// A trainer fits a model for each site.
type trainer func(sites []fed.Site) ([]linear, error)

// trainFederated takes all steps of the plan over the sites.
func trainFederated(intercepts croft.Intercepts, lambda string) trainer {
	return func(sites []fed.Site) ([]linear, error) {
		plan, err := heartPlan(intercepts, lambda)
		if err != nil {
			return nil, err
		}
		final, err := plan.Run(sites...)
		if err != nil {
			return nil, err
		}
		result, err := plan.Result(final)
		if err != nil {
			return nil, err
		}
		var models []linear
		for _, s := range sites {
			models = append(models, federated(plan, final, result, s.Train))
		}
		return models, nil
	}
}

func trainLocal(sites []fed.Site) ([]linear, error) {
	var models []linear
	for _, s := range sites {
		m, _, err := localOnly(s.Train, mustDecimal(fixedLambda).Float())
		if err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	return models, nil
}

func trainMajority(sites []fed.Site) ([]linear, error) {
	var models []linear
	for _, s := range sites {
		models = append(models, majority(s.Train))
	}
	return models, nil
}

// fixedLambda is λ of the random splits, fixed before any was run.
const fixedLambda = "1"

// fixedSplit runs the models on FLamby's split.
func (r *HeartReport) fixedSplit(all []fed.Rows) error {
	var sites, centred []fed.Site
	for h, rows := range all {
		site := flamby(rows)
		sites, centred = append(sites, site), append(centred, zScored(site))
		positive := 0
		for _, y := range rows.Y {
			positive += int(y)
		}
		r.Hospitals = append(r.Hospitals, HospitalRows{hospitals[h].name, len(rows.Y), positive, len(site.Train.Y), len(site.Test.Y)})
	}
	for _, f := range []struct {
		name  string
		sites []fed.Site
		train trainer
	}{
		{"z-scores within each hospital (FLamby), common intercept, λ = 0", centred, trainFederated(croft.CommonIntercept, "0")},
		{"federated, common intercept, λ = 0", sites, trainFederated(croft.CommonIntercept, "0")},
		{"federated, common intercept, λ = 1", sites, trainFederated(croft.CommonIntercept, fixedLambda)},
		{"federated, site intercepts, λ = 1", sites, trainFederated(croft.SiteIntercepts, fixedLambda)},
		{"local-only, λ = 1", sites, trainLocal},
		{"majority", sites, trainMajority},
	} {
		models, err := f.train(f.sites)
		if err != nil {
			return err
		}
		row := FixedSplit{Model: f.name}
		var scores []fed.Score
		var probability, label []float64
		for h, site := range f.sites {
			score := models[h].score(site.Test)
			scores = append(scores, score)
			row.Accuracy = append(row.Accuracy, score.Accuracy().Value)
			probability, label = append(probability, models[h].probabilities(site.Test)...), append(label, site.Test.Y...)
		}
		row.Mean = measures(scores)
		together := fed.ScoreOf(probability, label)
		row.PooledAccuracy, row.PooledAUC = together.Accuracy(), together.AUC()
		r.Fixed = append(r.Fixed, row)
	}
	return nil
}

// zScored returns a site's rows as FLamby scales them: by the mean and the spread
// (with n−1) of the site's own training rows, which erases what sets the sites
// apart. A constant column becomes 0. The result is divided by zReach to fit the
// plan's range; an unpenalised fit does not notice.
func zScored(site fed.Site) fed.Site {
	const zReach = 32
	k, n := len(site.Train.X[0]), float64(len(site.Train.X))
	mean, sd := make([]float64, k), make([]float64, k)
	for j := range k {
		for _, x := range site.Train.X {
			mean[j] += x[j] / n
		}
		for _, x := range site.Train.X {
			sd[j] += (x[j] - mean[j]) * (x[j] - mean[j]) / (n - 1)
		}
		sd[j] = math.Sqrt(sd[j])
	}
	scale := func(rows fed.Rows) fed.Rows {
		out := fed.Rows{Y: rows.Y}
		for _, x := range rows.X {
			z := make([]float64, k)
			for j := range z {
				if sd[j] > 1e-9 {
					z[j] = (x[j] - mean[j]) / sd[j] / zReach
				}
			}
			out.X = append(out.X, z)
		}
		return out
	}
	return fed.Site{Train: scale(site.Train), Test: scale(site.Test)}
}

// cholesterolFill is the declared value, in mg/dl, that stands in for a missing
// cholesterol: where "high" begins by the usual guideline (NCEP ATP III, 2001). It
// is not taken from the data.
const cholesterolFill = 240

// filledCholesterol returns the rows with that value wherever it is 0.
func filledCholesterol(all []fed.Rows) []fed.Rows {
	s := heartStudy()
	column := slices.Index(table.ColumnsOf(s), "chol")
	scale := table.Raw(s)[column]
	zero, fill := -scale.Mid/scale.Half, (cholesterolFill-scale.Mid)/scale.Half
	var out []fed.Rows
	for _, rows := range all {
		filled := fed.Rows{Y: rows.Y}
		for _, x := range rows.X {
			x = slices.Clone(x)
			if x[column] == zero {
				x[column] = fill
			}
			filled.X = append(filled.X, x)
		}
		out = append(out, filled)
	}
	return out
}

// The models of the random splits.
var randomModels = []struct {
	name  string
	train trainer
}{
	modelCommon:   {"federated, common intercept", trainFederated(croft.CommonIntercept, fixedLambda)},
	modelSite:     {"federated, site intercepts", trainFederated(croft.SiteIntercepts, fixedLambda)},
	modelLocal:    {"local-only", trainLocal},
	modelMajority: {"majority", trainMajority},
}

const (
	modelCommon = iota
	modelSite
	modelLocal
	modelMajority
)

// splitScores are the scores of one split: of each model at each hospital.
type splitScores [][]fed.Score

// randomSplits runs all models on all splits, on all cores. The result depends on
// the seed alone.
func randomSplits(ctx context.Context, all []fed.Rows, o HeartOptions, progress func(done int)) ([]splitScores, error) {
	out := make([]splitScores, o.Splits)
	var mu sync.Mutex
	done := 0 // guarded by mu, as are the calls of progress
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			rng := rand.NewPCG(o.Seed, uint64(i))
			var sites []fed.Site
			for _, rows := range all {
				sites = append(sites, stratified(rows, rng))
			}
			for _, model := range randomModels {
				models, err := model.train(sites)
				if err != nil {
					return fmt.Errorf("split %d of seed %d: %s: %w", i, o.Seed, model.name, err)
				}
				var scores []fed.Score
				for h, site := range sites {
					scores = append(scores, models[h].score(site.Test))
				}
				out[i] = append(out[i], scores)
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; done%20 == 0 || done == len(out) {
				progress(done)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// measures returns the unweighted means over hospitals; of the AUC, over those
// that have one.
func measures(scores []fed.Score) (m Measures) {
	n, ranked := float64(len(scores)), 0.0
	for _, s := range scores {
		m.Accuracy += s.Accuracy().Value / n
		m.LogLoss += s.LogLoss().Value / n
		if hasPairs(s) {
			m.AUC += s.AUC().Value
			ranked++
		}
	}
	m.AUC /= max(ranked, 1)
	return m
}

// summary returns a row for each model.
func summary(cholesterol string, splits []splitScores) []RandomSplits {
	var rows []RandomSplits
	for m, model := range randomModels {
		spread := func(sign float64, measure func(Measures) float64) Spread {
			var values []float64
			var s Spread
			for _, split := range splits {
				v, local := measure(measures(split[m])), measure(measures(split[modelLocal]))
				values = append(values, v)
				if sign*v > sign*local {
					s.Better++
				}
			}
			s.Better /= float64(len(splits))
			s.Mean, s.SD = moments(values)
			return s
		}
		rows = append(rows, RandomSplits{
			Cholesterol: cholesterol, Model: model.name,
			Accuracy: spread(1, func(m Measures) float64 { return m.Accuracy }),
			AUC:      spread(1, func(m Measures) float64 { return m.AUC }),
			LogLoss:  spread(-1, func(m Measures) float64 { return m.LogLoss }),
		})
	}
	return rows
}

// moments returns mean and standard deviation (with n−1).
func moments(values []float64) (mean, sd float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	for _, v := range values {
		sd += (v - mean) * (v - mean) / max(n-1, 1)
	}
	return mean, math.Sqrt(sd)
}

// conclude compares site intercepts with local-only, hospital by hospital, and
// checks the marks.
func (r *HeartReport) conclude(splits []splitScores) {
	var gained, even, lost []string
	for h, hospital := range r.Hospitals {
		// over compares a measure, whose sign says whether more is better, in the
		// splits where both scores have it.
		over := func(sign float64, measure func(fed.Score) fed.Estimate, has func(fed.Score) bool) *Gain {
			var g Gain
			n := 0.0
			for _, split := range splits {
				ours, own := split[modelSite][h], split[modelLocal][h]
				if !has(ours) {
					continue
				}
				n++
				gain := sign * (measure(ours).Value - measure(own).Value)
				g.Mean += gain
				if gain > 0 {
					g.Better++
				} else if gain < 0 {
					g.Worse++
				}
			}
			if n == 0 {
				return nil
			}
			return &Gain{g.Mean / n, g.Better / n, g.Worse / n}
		}
		g := HospitalGain{hospital.Name, over(1, fed.Score.Accuracy, hasRows), over(1, fed.Score.AUC, hasPairs), over(-1, fed.Score.LogLoss, hasRows)}
		r.Gains = append(r.Gains, g)
		var better, worse []string
		for _, m := range []struct {
			name string
			gain *Gain
		}{{"AUC", g.AUC}, {"log-loss", g.LogLoss}} {
			switch {
			case m.gain == nil:
			case m.gain.Better >= clearly:
				better = append(better, m.name)
			case m.gain.Worse >= clearly:
				worse = append(worse, m.name)
			}
		}
		if better != nil {
			gained = append(gained, fmt.Sprintf("%s (%s)", g.Name, strings.Join(better, ", ")))
		}
		if worse != nil {
			lost = append(lost, fmt.Sprintf("%s (%s)", g.Name, strings.Join(worse, ", ")))
		}
		if better == nil && worse == nil {
			even = append(even, g.Name)
		}
	}
	list := func(names []string) string { return cmp.Or(strings.Join(names, ", "), "none") }
	r.Conclusion = fmt.Sprintf("Gained from the network: %s. About even: %s. Lost: %s.", list(gained), list(even), list(lost))

	site := r.Random[modelSite]
	for _, m := range []Mark{
		{What: "site intercepts: mean accuracy", AtLeast: 0.82, Got: site.Accuracy.Mean},
		{What: "site intercepts: share of splits with a better AUC within hospitals than local-only", AtLeast: 0.75, Got: site.AUC.Better},
	} {
		m.Reached = m.Got >= m.AtLeast
		r.Marks = append(r.Marks, m)
	}
}

// clearly is the share of splits from which on a hospital is said to have gained
// or lost. The splits share rows, so that a bare majority of them would say less
// than it seems.
const clearly = 0.75
