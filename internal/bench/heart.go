package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"croft/internal/energy"
	"croft/internal/fed"
)

// HeartOptions say what Heart reads and how long it works.
type HeartOptions struct {
	Dir    string // holds UCI's four files processed.*.data
	Splits int    // random splits, DefaultHeartSplits if 0
	Seed   uint64 // of the random splits
	Where
}

// DefaultHeartSplits is the number of random splits that the marks speak of.
const DefaultHeartSplits = 200

// HeartReport is what federated logistic regression is worth to four real
// hospitals. Lists over hospitals are in the order of Hospitals.
type HeartReport struct {
	Data        string            `json:"data"` // whose
	Sums        string            `json:"sums"` // how the federated fits were added up
	Definitions map[string]string `json:"definitions"`
	Where
	Seconds    float64        `json:"seconds"`
	CPUSeconds float64        `json:"cpu_seconds"`
	Energy     energy.Reading `json:"energy"`
	Hospitals  []HospitalRows `json:"hospitals"`
	Fixed      []FixedSplit   `json:"flamby_split"`
	Published  []Published    `json:"published"`
	Seed       uint64         `json:"seed"`
	Splits     int            `json:"splits"`
	Random     []RandomSplits `json:"random_splits"`
	Gains      []HospitalGain `json:"gains"`
	Marks      []Mark         `json:"marks"`
	Conclusion string         `json:"conclusion"` // which hospitals gained, and which did not
}

// HospitalRows counts a hospital's rows. Random splits are of the same sizes as
// FLamby's.
type HospitalRows struct {
	Name      string `json:"name"`
	Rows      int    `json:"rows"`
	Positive  int    `json:"positive"`
	TrainRows int    `json:"train_rows"`
	TestRows  int    `json:"test_rows"`
}

// FixedSplit is one model on FLamby's split.
type FixedSplit struct {
	Model          string       `json:"model"`
	Accuracy       []float64    `json:"accuracy"` // at each hospital
	Mean           Measures     `json:"mean"`
	PooledAccuracy fed.Estimate `json:"pooled_accuracy"` // of all test rows
	PooledAUC      fed.Estimate `json:"pooled_auc"`      // of all test rows, ranked together
}

// Measures are means over hospitals.
type Measures struct {
	Accuracy float64 `json:"accuracy"`
	AUC      float64 `json:"auc"` // within hospitals
	LogLoss  float64 `json:"logloss"`
}

// RandomSplits is one model over all random splits.
type RandomSplits struct {
	Cholesterol string `json:"cholesterol"` // what a value of 0 is taken for
	Model       string `json:"model"`
	Accuracy    Spread `json:"accuracy"`
	AUC         Spread `json:"auc"`
	LogLoss     Spread `json:"logloss"`
}

// Spread is a mean over hospitals, over the splits.
type Spread struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	// Better is the share of splits in which the model is strictly better than
	// local-only.
	Better float64 `json:"better_than_local"`
}

// HospitalGain says how much better than a hospital's own model the federated one
// with site intercepts is at that hospital. Positive is better.
type HospitalGain struct {
	Name     string `json:"name"`
	Accuracy *Gain  `json:"accuracy"`
	AUC      *Gain  `json:"auc"` // null where no split tests both classes
	LogLoss  *Gain  `json:"logloss"`
}

// Gain is the mean difference over splits, and the shares of them in which the
// federated model is strictly better and strictly worse.
type Gain struct {
	Mean   float64 `json:"mean"`
	Better float64 `json:"better"`
	Worse  float64 `json:"worse"`
}

// Mark is an aim that was set before the run.
type Mark struct {
	What    string  `json:"what"`
	AtLeast float64 `json:"at_least"`
	Got     float64 `json:"got"`
	Reached bool    `json:"reached"`
}

// Heart takes FLamby's Fed-Heart-Disease task, first by its own protocol, then
// without what that costs: columns are scaled by the network's spread instead of
// each hospital's, sites have their own intercepts, and the split is repeated.
// The federated fits take every step of a study's plan, through the integers of
// the private sum; only the hiding is left out, and the report says so.
//
// progress hears what is being done; its calls follow each other. It fails with
// ErrPublicData where the data is not, and with the context's error.
func Heart(ctx context.Context, o HeartOptions, progress func(string)) (*HeartReport, error) {
	begun, before := time.Now(), energy.Process()
	if o.Splits == 0 {
		o.Splits = DefaultHeartSplits
	}
	rows, err := readHospitals(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &HeartReport{
		Data: heartAttribution, Sums: "the private sum's encoding, added in the clear in one process",
		Definitions: maps.Clone(definitions), Where: o.Where,
		Published: slices.Clone(published), Seed: o.Seed, Splits: o.Splits,
	}
	progress("FLamby's split")
	if err := r.fixedSplit(rows); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		cholesterol string
		rows        []fed.Rows
	}{
		{"0 as it stands", rows},
		{fmt.Sprintf("0 is missing: %d put in", cholesterolFill), filledCholesterol(rows)},
	} {
		splits, err := randomSplits(ctx, v.rows, o, func(done int) {
			progress(fmt.Sprintf("random splits, cholesterol %s: %d of %d", v.cholesterol, done, o.Splits))
		})
		if err != nil {
			return nil, err
		}
		if r.Random == nil { // the marks and the gains speak of the data as it stands
			r.Random = summary(v.cholesterol, splits)
			r.conclude(splits)
			continue
		}
		r.Random = append(r.Random, summary(v.cholesterol, splits)...)
	}
	cpu := energy.Process() - before
	r.Seconds, r.CPUSeconds, r.Energy = time.Since(begun).Seconds(), cpu.Seconds(), energy.Modelled(cpu)
	return r, nil
}

// definitions explain the report's words.
var definitions = map[string]string{
	"accuracy":          "share of test rows on the right side of probability 0.5",
	"auc":               "probability that of two test rows of one hospital, one of each class, the positive scores higher; ties count half. The mean is over the hospitals whose test rows have both classes",
	"logloss":           "mean of -log(probability given to the label), natural logarithm, a row's at most 32",
	"mean":              "unweighted over hospitals",
	"interval":          "95 %: Wilson for accuracy, Newcombe's Hanley-McNeil for AUC; for the test rows, given the model",
	"sd":                "standard deviation over the random splits, which share rows: not a standard error",
	"better_than_local": "share of random splits in which the mean over hospitals is strictly better than local-only's",
	"gained":            "better than local-only in at least three quarters of the splits, in AUC or log-loss; lost likewise",
	"lambda":            "ridge λ/2·Σ(coefficient·sd)², intercepts free, 1 in all random splits and fixed before the first; local-only too",
	"local-only":        "each hospital's own fit on its own training rows, with its own spread, by another algorithm (QR); its base rate if they are of one class",
	"majority":          "each hospital's base rate for each of its rows",
	"random splits":     "of each hospital ⌊0.66·n⌋ rows train, classes in proportion; PCG seeded with (seed, split number). The one negative row of 46 in Switzerland always trains, so its test rows have no AUC",
	"cholesterol":       "Switzerland writes 0 in every row, VA in 33 of 130: FLamby takes it for a value. As missing it is filled with the value that a study would declare; no row is dropped, so the splits are the same",
}
