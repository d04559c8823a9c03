package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/energy"
	"croft/internal/fed"
)

// heartDir returns the folder with the hospitals' files, which are not part of
// the repository.
func heartDir(t testing.TB) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(root) == root {
			t.Fatal("no go.mod above the test")
		}
		root = filepath.Dir(root)
	}
	dir := filepath.Join(filepath.Dir(root), "shared", "data", "heart")
	if _, err := os.Stat(filepath.Join(dir, hospitals[0].file)); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the heart data is not in %s: fetch the four processed.*.data files from %s", dir, heartSource)
	}
	return dir
}

func readHeart(t testing.TB) []fed.Rows {
	t.Helper()
	rows, err := readHospitals(heartDir(t))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The reference lists the test rows that scikit-learn draws.
func TestFLambySplitIsReproduced(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(heartDir(t), "split_flamby_seed43.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the reference split is not here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		N, Train int
		Test     []int
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for h, rows := range readHeart(t) {
		name := hospitals[h].name
		if len(rows.Y) != want[name].N || len(rows.X[0]) != 13 {
			t.Errorf("%s: %d rows of %d columns, want %d of 13", name, len(rows.Y), len(rows.X[0]), want[name].N)
		}
		for i := range rows.X {
			rows.X[i] = []float64{float64(i)} // where the row ends up
		}
		site := flamby(rows)
		var test []int
		for _, x := range site.Test.X {
			test = append(test, int(x[0]))
		}
		if !slices.Equal(test, want[name].Test) || len(site.Train.Y) != want[name].Train {
			t.Errorf("%s: %d train, test rows %v, want %v", name, len(site.Train.Y), test, want[name].Test)
		}
	}
}

// The published figures of the fixed split, to the row where a tie or a rounding
// may fall either way.
func TestFixedSplitGivesTheKnownFigures(t *testing.T) {
	var r HeartReport
	if err := r.fixedSplit(readHeart(t)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		row      int
		accuracy []float64
		mean     float64
	}{
		{0, []float64{.750, .753, .750, .600}, .7132},   // NVFlare's README
		{1, []float64{.769, .798, .8125, .822}, .8004},  // measured with another program
		{5, []float64{.5385, .629, .9375, .778}, .7207}, // the same
	} {
		f := r.Fixed[c.row]
		for h, want := range c.accuracy {
			if row := 1 / float64(r.Hospitals[h].TestRows); math.Abs(f.Accuracy[h]-want) > row+5e-4 {
				t.Errorf("%s: %s %.4f, want %.4f", f.Model, r.Hospitals[h].Name, f.Accuracy[h], want)
			}
		}
		if math.Abs(f.Mean.Accuracy-c.mean) > .005 {
			t.Errorf("%s: mean %.4f, want %.4f", f.Model, f.Mean.Accuracy, c.mean)
		}
	}
	if auc := r.Fixed[1].PooledAUC.Value; math.Abs(auc-.881) > 1e-3 {
		t.Errorf("pooled AUC %.4f", auc)
	}
	for h, want := range []HospitalRows{{"cleveland", 303, 139, 199, 104}, {"hungarian", 261, 98, 172, 89}, {"switzerland", 46, 45, 30, 16}, {"va", 130, 101, 85, 45}} {
		if r.Hospitals[h] != want {
			t.Errorf("%+v, want %+v", r.Hospitals[h], want)
		}
	}
}

// On the hospitals' training rows, the plan's coefficients are those of a fit by
// another algorithm on all rows in one place.
func TestHospitalsFitEqualsThePooledOne(t *testing.T) {
	var sites []fed.Site
	var all fed.Rows
	for _, rows := range readHeart(t) {
		site := flamby(rows)
		sites = append(sites, site)
		all.X, all.Y = append(all.X, site.Train.X...), append(all.Y, site.Train.Y...)
	}
	models, err := trainFederated(croft.CommonIntercept, "0")(sites)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fed.Pooled(all.X, all.Y, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for j, c := range models[0].coef {
		if d := math.Abs(c-want.Coef[j]) / want.SE[j]; !(d < 1e-6) {
			t.Errorf("column %d: %g SE off", j, d)
		}
	}
}

func TestHeartReachesItsMarks(t *testing.T) { reachMarks(t, 20) }

// reachMarks runs the benchmark and prints it.
func reachMarks(t *testing.T, splits int) {
	calls := 0
	r, err := Heart(t.Context(), HeartOptions{Dir: heartDir(t), Splits: splits, Seed: 1}, func(string) { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	for _, m := range r.Marks {
		if !m.Reached {
			t.Errorf("seed %d: %s: %.3f, want %.3f", r.Seed, m.What, m.Got, m.AtLeast)
		}
	}
	if calls != 1+2*max(splits/20, 1) {
		t.Errorf("%d calls of progress", calls)
	}
	if !strings.HasSuffix(strings.TrimSpace(text.String()), r.Conclusion) {
		t.Error("the conclusion is not the last line")
	}
	mean := 0.0 // the gains are the differences between the rows of the table
	for _, g := range r.Gains {
		mean += g.LogLoss.Mean / 4
		if swiss := g.Name == "switzerland"; swiss != (g.AUC == nil) {
			t.Errorf("%s: AUC %v", g.Name, g.AUC)
		}
	}
	if want := r.Random[modelLocal].LogLoss.Mean - r.Random[modelSite].LogLoss.Mean; math.Abs(mean-want) > 1e-9 {
		t.Errorf("mean gain in log-loss %g, want %g", mean, want)
	}
	if len(r.Random) != 2*len(randomModels) || len(r.Fixed) != 6 || len(r.Gains) != 4 {
		t.Errorf("%d, %d, %d rows", len(r.Random), len(r.Fixed), len(r.Gains))
	}
}

func TestConclusionNamesWhoGained(t *testing.T) {
	r := HeartReport{Random: make([]RandomSplits, len(randomModels))}
	for _, name := range []string{"up", "down", "level"} {
		r.Hospitals = append(r.Hospitals, HospitalRows{Name: name})
	}
	var splits []splitScores
	for i := range 4 {
		score := func(loss int, concordant int64) fed.Score {
			return fed.Score{Rows: 10, Positive: 5, Pairs: 25, PairRows: 250, Concordant: concordant, Loss: fed.Fixed(loss << 38)}
		}
		split := make(splitScores, len(randomModels))
		split[modelLocal] = []fed.Score{score(2, 40), score(2, 40), score(2, 40)}
		// Three of four splits are better, worse in log-loss only, or half and half.
		split[modelSite] = []fed.Score{score(1+2*(i/3), 41-2*int64(i/3)), score(3-2*(i/3), 40), score(1+2*(i%2), 40)}
		splits = append(splits, split)
	}
	r.conclude(splits)
	if want := "Gained from the network: up (AUC, log-loss). About even: level. Lost: down (log-loss)."; r.Conclusion != want {
		t.Errorf("%s", r.Conclusion)
	}
	if g := r.Gains[0].LogLoss; g.Mean != .125 || g.Better != .75 || g.Worse != .25 {
		t.Errorf("%+v", *g)
	}
	if r.Marks[0].Reached || r.Marks[1].Reached {
		t.Error("a mark is reached by nothing")
	}
}

// inventHospitals writes files that look like UCI's, of patients that nobody has
// seen, so that what needs no real figures is tested without them.
func inventHospitals(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 0))
	for h, hospital := range hospitals {
		var b strings.Builder
		for range 60 + 40*h {
			age, pain, chol := 30+rng.IntN(45), 1+rng.IntN(4), rng.IntN(3)*120
			ill := 0
			if rng.Float64() < 1/(1+math.Exp(-(float64(age-50)/10+float64(pain-3)+.5*float64(h)))) {
				ill = 1 + rng.IntN(4)
			}
			rate := fmt.Sprint(90 + rng.IntN(100))
			if rng.IntN(10) == 0 {
				rate = "?"
			}
			fmt.Fprintf(&b, "%d.0,%d,%d,%d,%d,%d,%d,%s,%d,%.1f,?,?,?,%d\n", age, rng.IntN(2), pain, 100+rng.IntN(80), chol,
				rng.IntN(2), rng.IntN(3), rate, rng.IntN(2), rng.Float64()*4, ill)
		}
		if err := os.WriteFile(filepath.Join(dir, hospital.file), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHeartDependsOnTheSeedAlone(t *testing.T) {
	dir := inventHospitals(t)
	run := func(seed uint64, cores int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		r, err := Heart(t.Context(), HeartOptions{Dir: dir, Splits: 6, Seed: seed}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		r.Seconds, r.CPUSeconds, r.Energy = 0, 0, energy.Reading{}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := run(1, 1)
	if again := run(1, 4); first != again {
		t.Errorf("seed 1 gave\n%s\nand\n%s", first, again)
	}
	if other := run(2, 4); first == strings.Replace(other, `"seed":2`, `"seed":1`, 1) {
		t.Error("seed 2 gave the same")
	}
}

func TestHeartFailsInWords(t *testing.T) {
	quiet := func(string) {}
	_, err := Heart(t.Context(), HeartOptions{Dir: t.TempDir()}, quiet)
	if !errors.Is(err, croft.ErrPublicData) || !strings.Contains(croft.Next(err), "archive.ics.uci.edu") {
		t.Errorf("no data: %v; %s", err, croft.Next(err))
	}
	dir := inventHospitals(t)
	bad := filepath.Join(dir, hospitals[2].file)
	text, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, bytes.Replace(text, []byte(".0,"), []byte(".x,"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Heart(t.Context(), HeartOptions{Dir: dir}, quiet); !errors.Is(err, croft.ErrNotNumber) || !strings.Contains(err.Error(), hospitals[2].file) {
		t.Errorf("not a number: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	calls := 0
	_, err = Heart(stopped, HeartOptions{Dir: inventHospitals(t), Splits: 1000}, func(string) {
		if calls++; calls == 2 { // the first part of the random splits
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestZeroCholesterolIsFilled(t *testing.T) {
	rows := readHeart(t)
	filled, column, changed := filledCholesterol(rows), 6, make([]int, len(rows))
	for h := range rows {
		for i, x := range rows[h].X {
			for j, v := range filled[h].X[i] {
				if v == x[j] {
					continue
				}
				changed[h]++
				if j != column || x[j] != -1 || math.Abs(v*400+400-cholesterolFill) > 1e-9 {
					t.Errorf("%s, row %d, column %d: %g became %g", hospitals[h].name, i, j, x[j], v)
				}
			}
		}
	}
	if !slices.Equal(changed, []int{0, 0, 46, 33}) {
		t.Errorf("%v values filled", changed)
	}
}
