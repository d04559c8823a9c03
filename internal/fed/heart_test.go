package fed

import (
	"bufio"
	"compress/gzip"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"croft"
)

// shared opens a file of the data that may not live in the project.
func shared(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(repository(t), "../shared/data", filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the data is not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var (
	heartTerms = []string{"age", "sex", "cp2", "cp3", "cp4", "trestbps", "chol", "fbs", "restecg1", "restecg2", "thalach", "exang", "oldpeak"}
	level      = Scale{0, 1}
	heartScale = []Scale{{50, 50}, level, level, level, level, {125, 125}, {350, 350}, level, level, level, {125, 125}, level, {0, 10}}
)

// hospitals returns the rows of testdata/heart.R: raw columns, the label, and at
// which of four hospitals each is.
func hospitals(t *testing.T) (x [][]float64, y []float64, at []int) {
	for h, name := range []string{"cleveland", "hungarian", "switzerland", "va"} {
		lines := bufio.NewScanner(shared(t, "heart/processed."+name+".data"))
		for lines.Scan() {
			cells := strings.Split(lines.Text(), ",")
			if slices.Contains(cells[:10], "?") {
				continue
			}
			var v [10]float64
			for j := range v {
				v[j] = number(t, cells[j])
			}
			is := func(column int, level float64) float64 {
				if v[column] == level {
					return 1
				}
				return 0
			}
			x = append(x, []float64{v[0], v[1], is(2, 2), is(2, 3), is(2, 4), v[3], v[4], v[5], is(6, 1), is(6, 2), v[7], v[8], v[9]})
			y, at = append(y, min(number(t, cells[13]), 1)), append(at, h)
		}
	}
	return x, y, at
}

// digits returns the 3s and the 8s, without the pixels that are the same in all, and
// deals them to three sites as testdata/heart.R does.
func digits(t *testing.T) (names []string, x [][]float64, y []float64, at []int) {
	text, err := gzip.NewReader(shared(t, "digits/digits.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	for lines := bufio.NewScanner(text); lines.Scan(); {
		cells := strings.Split(lines.Text(), ",")
		if digit := number(t, cells[64]); digit == 3 || digit == 8 {
			row := make([]float64, 64)
			for j := range row {
				row[j] = number(t, cells[j])
			}
			at = append(at, len(all)/7%3)
			all, y = append(all, row), append(y, (digit-3)/5)
		}
	}
	x = make([][]float64, len(all))
	for j := range 64 {
		if slices.ContainsFunc(all, func(row []float64) bool { return row[j] != all[0][j] }) {
			names = append(names, "p"+strconv.Itoa(j))
			for i, row := range all {
				x[i] = append(x[i], row[j])
			}
		}
	}
	return names, x, y, at
}

// mapped brings raw columns to [−1, 1].
func mapped(x [][]float64, scales []Scale) [][]float64 {
	out := make([][]float64, len(x))
	for i, row := range x {
		for j, v := range row {
			out[i] = append(out[i], (v-scales[j].Mid)/scales[j].Half)
		}
	}
	return out
}

// The hospitals' rows, dealt as they lie, give R's fit of all rows in one place: by
// maximum likelihood, with three ridges, by Firth's, and of a number.
func TestHeartEqualsR(t *testing.T) {
	x, y, at := hospitals(t)
	r := readR(t, "testdata/heart.csv")
	if len(y) != 740 {
		t.Fatalf("%d rows", len(y))
	}
	sites := split(mapped(x, heartScale), y, at, 4)
	for _, kind := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		for _, lambda := range []string{"0", "0.001", "1", "10"} {
			name, goal := "logistic "+string(kind), croft.Inference
			if lambda != "0" {
				name, goal = name+" "+lambda, croft.Prediction
			}
			t.Run(name, func(t *testing.T) {
				got := fit(t, compile(t, logisticModel(goal, kind, lambda), heartTerms, false), sites...).In(heartScale)
				for j, term := range heartTerms {
					want, se := r[name][term], r["logistic "+string(kind)][term][1]
					near(t, term, got.Terms[1+j].Coef, want[0], 1e-8, se)
					near(t, "SE of "+term, got.Terms[1+j].SE, want[1], 1e-7, se)
				}
				near(t, "deviance", got.Deviance(), r[name]["age"][2], 1e-8, 1)
			})
		}
	}
	t.Run("firth common", func(t *testing.T) {
		m := logisticModel(croft.Inference, croft.CommonIntercept, "0")
		m.Family, m.MaxRounds = "firth", 60
		got := fit(t, compile(t, m, heartTerms, false), sites...).In(heartScale)
		for j, term := range heartTerms {
			want := r["firth common"][term]
			near(t, term, got.Terms[1+j].Coef, want[0], 1e-8, want[1])
			near(t, "SE of "+term, got.Terms[1+j].SE, want[1], 1e-7, want[1])
		}
	})
	const thalach = 10
	others, scales := slices.Delete(slices.Clone(heartTerms), thalach, thalach+1), slices.Delete(slices.Clone(heartScale), thalach, thalach+1)
	rows, rates := make([][]float64, len(x)), make([]float64, len(x))
	for i, row := range x {
		rates[i] = (row[thalach] - heartScale[thalach].Mid) / heartScale[thalach].Half
		rows[i] = slices.Delete(slices.Clone(row), thalach, thalach+1)
	}
	sites = split(mapped(rows, scales), rates, at, 4)
	for _, kind := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		t.Run("linear "+string(kind), func(t *testing.T) {
			m := logisticModel(croft.Inference, kind, "0")
			m.Family, m.Positive = "linear", ""
			got := fit(t, compile(t, m, others, false), sites...).In(scales).LabelIn(heartScale[thalach])
			for j, term := range others {
				want := r["linear "+string(kind)][term]
				near(t, term, got.Terms[1+j].Coef, want[0], 1e-8, want[1])
				near(t, "SE of "+term, got.Terms[1+j].SE, want[1], 1e-7, want[1])
			}
		})
	}
}

// The 3s and 8s are separated by their 53 pixels; with a ridge of 1 the answer is R's.
// No standard error is there to measure by: the unit is one standard deviation of the
// pixel.
func TestDigitsEqualR(t *testing.T) {
	names, x, y, at := digits(t)
	r := readR(t, "testdata/heart.csv")
	scales := make([]Scale, len(names))
	for j := range scales {
		scales[j] = Scale{8, 8}
	}
	sites := split(mapped(x, scales), y, at, 3)
	for _, kind := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		t.Run(string(kind), func(t *testing.T) {
			want := r["digits "+string(kind)]
			if len(y) != 357 || len(names) != len(want) {
				t.Fatalf("%d rows of %d columns; R has %d", len(y), len(names), len(want))
			}
			got := fit(t, compile(t, logisticModel(croft.Prediction, kind, "1"), names, false), sites...).In(scales)
			worst := 0.0
			for j, term := range names {
				off := math.Abs(got.Terms[1+j].Coef-want[term][0]) * got.SD[j]
				if worst = max(worst, off); off > 1e-8 {
					t.Errorf("%s: %v, R says %v", term, got.Terms[1+j].Coef, want[term][0])
				}
			}
			near(t, "deviance", got.Deviance(), want[names[0]][2], 1e-7, 1)
			t.Logf("largest difference %.1e, %d sums", worst, got.Rounds)
		})
	}
}
