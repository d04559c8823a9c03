package api

import (
	"fmt"
	"math"
	"net/http"
	"slices"

	"croft"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/table"
)

// Result is what a finished study says, in the units of the data. What its family
// has no use for is absent.
type Result struct {
	Study         croft.StudyID `json:"study"`
	Name          string        `json:"name"`
	Purpose       string        `json:"purpose"`
	Family        string        `json:"family"`
	Goal          croft.Goal    `json:"goal"`
	Label         string        `json:"label"`
	LabelUnit     string        `json:"label_unit,omitempty"` // of measurement, of a label that is a number
	PositiveLevel string        `json:"positive_level,omitempty"`
	Features      []string      `json:"features"`
	Time          string        `json:"time,omitempty"`
	TimeUnit      string        `json:"time_unit,omitempty"`
	Use           croft.Use     `json:"use"`
	Cohort        []Party       `json:"cohort"`
	Shrunk        bool          `json:"shrunk"`    // for prediction: coefficients are biased towards 0
	Unchecked     bool          `json:"unchecked"` // a lying seat could have gone unnoticed
	Unproved      bool          `json:"unproved"`  // the sites' bounds are their word
	Rows          int64         `json:"rows"`
	Positive      int64         `json:"positive"` // rows with the label or the event; of counts their sum
	TestRows      int64         `json:"test_rows"`
	TestPositive  int64         `json:"test_positive"`
	People        int64         `json:"people,omitempty"` // where standard errors take a person's rows together
	Rounds        int           `json:"rounds"`
	State         croft.Hash    `json:"state"`

	// Of regressions.
	Deviance      float64     `json:"deviance,omitempty"`
	LogLikelihood float64     `json:"log_likelihood,omitempty"`
	AIC           *float64    `json:"aic,omitempty"` // absent where the number of intercepts stays at the sites
	RSquared      *float64    `json:"r_squared,omitempty"`
	ErrorVariance float64     `json:"error_variance,omitempty"`
	Condition     float64     `json:"condition_number,omitempty"`
	Terms         []Term      `json:"terms,omitempty"`
	Covariance    [][]float64 `json:"covariance,omitempty"` // of the terms, in their order
	Proportional  []Test      `json:"proportional_hazards,omitempty"`
	Score         Score       `json:"score,omitzero"`
	Sites         []SiteScore `json:"sites,omitempty"` // where the study lets them leave
	Evaluation

	// Of survival curves and descriptions.
	Curves      []fed.Curve    `json:"curves,omitempty"`
	LogRank     *Test          `json:"log_rank,omitempty"`
	Numbers     []Distribution `json:"numbers,omitempty"`
	Tables      []Table        `json:"tables,omitempty"`
	LabelLevels []string       `json:"label_levels,omitempty"`

	// Of preflights: of each column, all sites together.
	Shape []table.Shape `json:"shape,omitempty"`
}

// Term is one coefficient in the units of the data. What a study for prediction
// or a mean intercept has none of is absent.
type Term struct {
	Name      string        `json:"name"`
	Estimate  float64       `json:"estimate"`
	SE        *float64      `json:"se,omitempty"`
	Interval  *fed.Estimate `json:"interval,omitempty"`          // of Estimate, 95 %
	Statistic *float64      `json:"statistic,omitempty"`         // Wald's z; t of a linear regression
	Odds      *fed.Estimate `json:"odds_ratio,omitempty"`        // of one unit more, with 95 % interval; a rate or hazard ratio
	OddsSD    *fed.Estimate `json:"odds_ratio_per_sd,omitempty"` // of one standard deviation more
	P         *float64      `json:"p,omitempty"`
	Mean      float64       `json:"mean,omitempty"` // of its column over the rows to train on
	SD        float64       `json:"sd,omitempty"`   // 0 for an intercept, which has no column
}

// Test is a χ² test.
type Test struct {
	fed.Test
	P float64 `json:"p"`
}

// Distribution describes a number.
type Distribution struct {
	fed.Summary
	Unit      string         `json:"unit,omitempty"`
	Quartiles []fed.Estimate `json:"quartiles,omitempty"` // interpolated, each with the ends of the bin in which it lies
}

// Table counts the levels of a category, by the label's levels if there are any.
type Table struct {
	Name   string    `json:"name"`
	Levels []string  `json:"levels"`
	Counts [][]int64 `json:"counts"` // Counts[level][label level]
	Test   *Test     `json:"test,omitempty"`
	Least  float64   `json:"least_expected,omitempty"` // the smallest expected count: below 5 the test is rough
}

// Score says how well a model fits rows that it was not trained on, with 95 %
// intervals; what the family has no use for is absent.
type Score struct {
	Rows     int64        `json:"rows"`
	Positive int64        `json:"positive"`
	AUC      fed.Estimate `json:"auc,omitzero"` // within sites
	LogLoss  fed.Estimate `json:"log_loss,omitzero"`
	Accuracy fed.Estimate `json:"accuracy,omitzero"`
	Brier    float64      `json:"brier,omitzero"`
	// Confusion is at the threshold, as Accuracy is.
	Confusion   *fed.Confusion `json:"confusion,omitempty"`
	Concordance float64        `json:"concordance,omitzero"`  // cox: of the pairs within sites of which it is known who was first
	RMSE        float64        `json:"rmse,omitzero"`         // linear: in the label's unit; poisson: in events
	RowDeviance float64        `json:"row_deviance,omitzero"` // poisson: mean of a row
}

// SiteScore is a site's own score.
type SiteScore struct {
	Party
	Score
}

func (s Services) result(r *http.Request) (Result, error) {
	ctx := r.Context()
	st, plan, compiled, state, err := s.model(ctx, r.PathValue("study"))
	if err != nil {
		return Result{}, err
	}
	on, _, err := record[ledger.Model](ctx, s, ledger.ModelKey(st.ID))
	if err != nil {
		return Result{}, err
	}
	of, err := compiled.Result(state)
	if err != nil {
		return Result{}, err
	}
	out := ResultOf(plan, of)
	out.Study, out.Unchecked, out.Unproved, out.State, out.Cohort = st.ID, on.Unchecked, plan.Unproved, on.State, s.parties(ctx, st.Cohort)
	for i, site := range of.Sites[:min(len(of.Sites), len(st.Cohort))] {
		out.Sites = append(out.Sites, SiteScore{s.party(ctx, st.Cohort[i]), scoreOf(plan, site)})
	}
	return out, nil
}

// ResultOf gives a finished plan's result the units and names of its study, without
// what the ledger knows of it.
func ResultOf(plan croft.Study, of fed.Result) Result {
	m := plan.Model
	label, _ := plan.Schema.Column(m.Label)
	time, _ := plan.Schema.Column(m.Time)
	out := Result{Name: plan.Name, Purpose: plan.Purpose, Family: m.Family, Goal: m.Goal, Label: m.Label, LabelUnit: label.Unit, PositiveLevel: m.Positive,
		Features: m.Features, Time: m.Time, TimeUnit: time.Unit, Use: plan.Use, Shrunk: of.Shrunk,
		Rows: of.Rows, Positive: of.Positive, TestRows: of.TestRows, TestPositive: of.TestPositive, People: of.Clusters, Rounds: of.Rounds}
	var scales []fed.Scale
	for _, scale := range table.Raw(plan) {
		scales = append(scales, fed.Scale(scale))
	}
	if of.Terms != nil {
		out.regression(plan, of, scales)
	}
	out.curves(plan, of)
	if m.Family == croft.Preflight {
		out.Shape = table.Shapes(plan, of.Tally)
	}
	for _, n := range of.In(scales).Numbers {
		c, _ := plan.Schema.Column(n.Name)
		d := Distribution{Summary: n, Unit: c.Unit}
		if m.Bins > 0 {
			d.Quartiles = []fed.Estimate{n.Quantile(0.25), n.Quantile(0.5), n.Quantile(0.75)}
		}
		out.Numbers = append(out.Numbers, d)
	}
	if m.Family == "describe" {
		out.LabelLevels = label.Levels
	}
	for _, t := range of.Tables {
		c, _ := plan.Schema.Column(t.Name)
		out.Tables = append(out.Tables, Table{t.Name, c.Levels, t.Counts, testOf(t.Test), t.Least})
	}
	return out
}

// regression fills in what regressions say.
func (out *Result) regression(plan croft.Study, of fed.Result, scales []fed.Scale) {
	raw, spread := of.In(scales), of.PerSD()
	linear := plan.Model.Family == "linear"
	if linear {
		raw = raw.LabelIn(fed.Scale(table.LabelScale(plan)))
		out.RSquared, out.ErrorVariance = &raw.RSquared, finite(raw.Dispersion)
	}
	out.Deviance, out.LogLikelihood, out.Condition = finite(raw.Deviance()), finite(raw.Loglik), finite(of.Condition)
	if plan.Model.Family == "cox" || of.Intercepts > 0 {
		aic := finite(raw.AIC())
		out.AIC = &aic
	}
	first := len(raw.Terms) - len(raw.Mean) // of a column
	for i, t := range raw.Terms {
		term := Term{Name: t.Name, Estimate: finite(t.Coef)}
		if i >= first {
			term.Mean, term.SD = finite(raw.Mean[i-first]), finite(raw.SD[i-first])
		}
		if t.SE > 0 && !of.Shrunk {
			se, p, statistic := finite(t.SE), t.P(), finite(t.Statistic())
			term.SE, term.P, term.Statistic, term.Interval = &se, &p, &statistic, interval(t.Interval())
			if i >= first && !linear {
				term.Odds, term.OddsSD = interval(t.OddsRatio()), interval(spread.Terms[i].OddsRatio())
			}
		}
		out.Terms = append(out.Terms, term)
	}
	for _, row := range raw.Cov {
		row = slices.Clone(row)
		for j := range row {
			row[j] = finite(row[j])
		}
		out.Covariance = append(out.Covariance, row)
	}
	for _, t := range of.Proportional {
		out.Proportional = append(out.Proportional, *testOf(&t))
	}
	out.Score, out.Evaluation = scoreOf(plan, of.Score), evaluationOf(plan, of)
}

// curves fills in survival curves, each under the name of its level.
func (out *Result) curves(plan croft.Study, of fed.Result) {
	out.Curves, out.LogRank = slices.Clone(of.Curves), testOf(of.LogRank)
	for i := range out.Curves {
		out.Curves[i].Name = "all"
		if len(plan.Model.Features) > 0 {
			c, _ := plan.Schema.Column(plan.Model.Features[0])
			out.Curves[i].Name = fmt.Sprintf("%s = %s", c.Name, c.Levels[i])
		}
	}
}

func testOf(t *fed.Test) *Test {
	if t == nil {
		return nil
	}
	return &Test{*t, t.P()}
}

func scoreOf(plan croft.Study, s fed.Score) Score {
	out := Score{Rows: s.Rows, Positive: s.Positive}
	switch plan.Model.Family {
	case "linear":
		out.RMSE = fed.Scale(table.LabelScale(plan)).Half * math.Sqrt(s.Loss.Float())
	case "poisson":
		out.RowDeviance, out.RMSE = 2*s.Loss.Float(), math.Sqrt(s.Brier.Float())
	case "cox":
		out.Concordance = s.AUC().Value
	default:
		table := s.Confusion()
		out.AUC, out.LogLoss, out.Accuracy, out.Brier, out.Confusion = s.AUC(), s.LogLoss(), s.Accuracy(), s.Brier.Float(), &table
	}
	return out
}

// finite keeps a number within what JSON can say.
func finite(v float64) float64 { return min(max(v, -math.MaxFloat64), math.MaxFloat64) }

func interval(e fed.Estimate) *fed.Estimate {
	return &fed.Estimate{Value: finite(e.Value), Low: finite(e.Low), High: finite(e.High)}
}

// Predict asks what a model says of the rows of a file.
type Predict struct {
	Path string `json:"path"` // absolute
	Own  bool   `json:"own"`  // with this site's own intercept in place of the mean of all
}

// Prediction is what a model says of each row of a file. Only one list is there.
type Prediction struct {
	Probability []float64 `json:"probability,omitempty"` // of the positive level
	Value       []float64 `json:"value,omitempty"`       // linear: the label, in its unit
	Rate        []float64 `json:"rate,omitempty"`        // poisson: expected events, for an exposure of 1
	Hazard      []float64 `json:"hazard,omitempty"`      // cox: relative to a row at the average of all training rows
}
