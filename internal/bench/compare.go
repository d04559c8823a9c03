package bench

import (
	"math"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// Site is one site's rows by name, on the [−1, 1] scale of a table.Design.
type Site struct {
	Name string
	fed.Site
}

// Comparison holds a federated result against what its sites could have had
// without it. Its JSON is part of `croft demo --json`.
type Comparison struct {
	Sites []SiteComparison `json:"sites"`
	Mean  Metrics          `json:"mean"` // unweighted over the sites that have a value
	Coef  []Coefficient    `json:"coef"` // not the site intercepts, which never leave
	// CoefDiffInSE is the largest difference between the federated coefficient of
	// a column and that of a pooled fit by another algorithm, in units of its
	// standard error.
	CoefDiffInSE    float64 `json:"coef_diff_in_se"`
	ConditionNumber float64 `json:"condition_number"` // fed.Result.Condition
}

// SiteComparison is what four models are worth on a site's held-out rows.
type SiteComparison struct {
	Name      string `json:"name"`
	Rows      int    `json:"rows"` // training and held out
	TrainRows int    `json:"train_rows"`
	TestRows  int    `json:"test_rows"`
	Metrics
	// LocalRidge is λ of the local-only model: the study's, or separationRidge
	// where the site's own rows do not determine a finite fit.
	LocalRidge float64 `json:"local_ridge"`
	BytesOut   int64   `json:"bytes_out"` // for the one who counts them to set
}

// Metrics are the measures of one site, or their mean. AUC and log-loss judge
// probabilities, accuracy only on which side of 0.5 they are.
type Metrics struct {
	AUC      Models `json:"auc"`
	LogLoss  Models `json:"logloss"` // natural logarithm; less is better
	Accuracy Models `json:"accuracy"`
}

// Models is one measure of four models, with 95 % intervals.
type Models struct {
	Federated fed.Estimate `json:"federated"`  // the network's coefficients and the site's own intercept
	LocalOnly fed.Estimate `json:"local_only"` // the site's own fit on its own rows
	Majority  fed.Estimate `json:"majority"`   // the site's base rate for every row
	Pooled    fed.Estimate `json:"pooled"`     // one fit on all rows in one place
}

// Coefficient is a coefficient in its column's own units, and what one standard
// deviation of the column does to the odds.
type Coefficient struct {
	fed.Term
	P         float64      `json:"p"` // two-sided, Wald
	OddsRatio fed.Estimate `json:"odds_ratio_per_sd"`
}

// compare takes the final state of a study, with the rows of all its sites, and
// sets beside it a local-only fit for each site, the sites' base rates, and a
// pooled fit with an indicator for each site (or one intercept, as the study
// says). All fits are by fed.Pooled, which shares no code with the plan. It fails
// as fed.Compile, fed.Plan.Result and fed.Pooled do.
func compare(s croft.Study, final fed.State, sites []Site) (*Comparison, error) {
	plan, err := fed.Compile(s.Model, table.ColumnsOf(s), s.PerSiteMetrics)
	if err != nil {
		return nil, err
	}
	result, err := plan.Result(final)
	if err != nil {
		return nil, err
	}
	ridge := s.Model.Ridge.Float()
	pooled, err := pooledFit(sites, ridge, s.Model.Intercepts)
	if err != nil {
		return nil, err
	}

	out := &Comparison{ConditionNumber: result.Condition}
	for j, se := range pooled.SE {
		out.CoefDiffInSE = max(out.CoefDiffInSE, math.Abs(result.Terms[1+j].Coef-pooled.Coef[j])/se)
	}
	raw, perSD := result.In(scales(s)), result.PerSD()
	for j, term := range raw.Terms {
		if j > 0 || s.Model.Intercepts == croft.CommonIntercept {
			out.Coef = append(out.Coef, Coefficient{term, term.P(), perSD.Terms[j].OddsRatio()})
		}
	}

	var scores []modelScores
	for g, site := range sites {
		local, used, err := localOnly(site.Train, ridge)
		if err != nil {
			return nil, err
		}
		if s.Model.Intercepts == croft.CommonIntercept {
			g = 0
		}
		of := modelScores{
			federated(plan, final, result, site.Train).score(site.Test),
			local.score(site.Test),
			majority(site.Train).score(site.Test),
			linear{pooled.Intercepts[g], pooled.Coef}.score(site.Test),
		}
		scores = append(scores, of)
		train, test := len(site.Train.Y), len(site.Test.Y)
		out.Sites = append(out.Sites, SiteComparison{
			Name: site.Name, Rows: train + test, TrainRows: train, TestRows: test,
			Metrics: mean(of), LocalRidge: used,
		})
	}
	out.Mean = mean(scores...)
	return out, nil
}

// scales returns how a study's columns were mapped to [−1, 1].
func scales(s croft.Study) []fed.Scale {
	var out []fed.Scale
	for _, c := range table.Raw(s) {
		out = append(out, fed.Scale(c))
	}
	return out
}

// modelScores are the scores of one site, in the order of Models.
type modelScores [4]fed.Score

// mean returns the means over sites of each model's measures.
func mean(sites ...modelScores) Metrics {
	over := func(counts func(fed.Score) bool, measure func(fed.Score) fed.Estimate) Models {
		var of [len(modelScores{})]fed.Estimate
		for m := range of {
			var values []fed.Estimate
			for _, s := range sites {
				if counts(s[m]) {
					values = append(values, measure(s[m]))
				}
			}
			if values == nil { // nothing to measure: fed says so by its widest interval
				values = append(values, measure(fed.Score{}))
			}
			of[m] = meanEstimate(values)
		}
		return Models{of[0], of[1], of[2], of[3]}
	}
	out := Metrics{over(hasPairs, fed.Score.AUC), over(hasRows, fed.Score.LogLoss), over(hasRows, fed.Score.Accuracy)}
	out.AUC.Majority = fed.Estimate{Value: 0.5, Low: 0.5, High: 0.5} // a constant ranks nothing: no sampling error
	return out
}

// meanEstimate returns the unweighted mean of independent estimates. Its interval
// recovers each one's variance from its own interval, on the side where the limit
// lies (MOVER: Zou and Donner, Statistics in Medicine 2008, 27:1693–1702), and is
// the interval itself for one estimate.
func meanEstimate(of []fed.Estimate) fed.Estimate {
	n := float64(len(of))
	value, below, above := 0.0, 0.0, 0.0
	for _, e := range of {
		value += e.Value / n
		below = math.Hypot(below, (e.Value-e.Low)/n)
		above = math.Hypot(above, (e.High-e.Value)/n)
	}
	return fed.Estimate{Value: value, Low: value - below, High: value + above}
}

func hasPairs(s fed.Score) bool { return s.Pairs > 0 }
func hasRows(s fed.Score) bool  { return s.Rows > 0 }
