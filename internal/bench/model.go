package bench

import (
	"errors"
	"math"

	"croft"
	"croft/internal/fed"
)

// linear is a logistic model at one site, in the units of its rows. A model
// without coefficients gives every row the same probability.
type linear struct {
	intercept float64
	coef      []float64
}

// federated returns the model of a finished plan at the site with these training
// rows.
func federated(plan *fed.Plan, final fed.State, result fed.Result, train fed.Rows) linear {
	m := linear{intercept: plan.Intercept(final, train)}
	for _, t := range result.Terms[1:] {
		m.coef = append(m.coef, t.Coef)
	}
	return m
}

// localOnly returns the model that a site fits to its training rows alone, by
// fed.Pooled with λ = ridge. Where that has no finite fit, because the few rows
// separate the classes or leave columns dependent, λ is separationRidge instead;
// the λ used is returned. A site of one class has no model but its base rate.
func localOnly(train fed.Rows, ridge float64) (m linear, used float64, err error) {
	if len(train.Y) == 0 || fed.OneClass(train.Y) {
		return majority(train), ridge, nil
	}
	// A column that is constant at the site says nothing there, and is the
	// intercept once more.
	var varying []int
	for j, first := range train.X[0] {
		for _, x := range train.X {
			if x[j] != first {
				varying = append(varying, j)
				break
			}
		}
	}
	x := make([][]float64, len(train.X))
	for i, row := range train.X {
		for _, j := range varying {
			x[i] = append(x[i], row[j])
		}
	}
	fit, err := fed.Pooled(x, train.Y, nil, ridge)
	if errors.Is(err, croft.ErrNoConvergence) && ridge < separationRidge {
		ridge = separationRidge
		fit, err = fed.Pooled(x, train.Y, nil, ridge)
	}
	if err != nil {
		return linear{}, 0, err
	}
	m = linear{fit.Intercepts[0], make([]float64, len(train.X[0]))}
	for i, j := range varying {
		m.coef[j] = fit.Coef[i]
	}
	return m, ridge, nil
}

// separationRidge is λ of a local fit that does not exist without one: too small
// to pull at what the rows determine.
const separationRidge = 0.01

// majority returns the model that knows the training labels' base rate and
// nothing else. One row half positive, half negative joins them, so that no outcome
// is impossible.
func majority(train fed.Rows) linear {
	positive := 0.5
	for _, y := range train.Y {
		positive += y
	}
	return linear{intercept: math.Log(positive / (float64(len(train.Y)+1) - positive))}
}

// probabilities returns the model's probability for each row.
func (m linear) probabilities(rows fed.Rows) []float64 {
	out := make([]float64, len(rows.X))
	for i, x := range rows.X {
		eta := m.intercept
		for j, c := range m.coef {
			eta += c * x[j]
		}
		out[i] = 1 / (1 + math.Exp(-eta))
	}
	return out
}

func (m linear) score(rows fed.Rows) fed.Score { return fed.ScoreOf(m.probabilities(rows), rows.Y) }
