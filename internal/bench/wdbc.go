// Package bench holds experiments as code: the demo and the comparison that stands
// beside its result, four real hospitals, what a private sum and what a paid call cost.
//
// What compares models here has all slices of the data in one process, which a network
// never has. That is what makes a comparison with a pooled fit possible, and
// every report says so.
package bench

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Attribution names the source of the demo's data, as its licence asks.
const Attribution = "Breast Cancer Wisconsin (Diagnostic) by W. Wolberg, W. N. Street and O. Mangasarian, " +
	"UCI Machine Learning Repository, doi:10.24432/C5DW2B, CC BY 4.0"

// SplitLabel says what the four clinics are. It belongs beside every number that
// comes from them.
const SplitLabel = "one hospital's data, split artificially into four"

// wdbcCSV is scikit-learn's copy of the data: a line with counts and class names,
// then 569 lines of 30 features and the target, 0 for malignant.
//
//go:embed wdbc.csv
var wdbcCSV []byte

// Fields of a line.
const (
	wdbcRadius = 0 // mean radius: the lesion's size
	wdbcTarget = 30
)

// wdbcColumns are the eight features of the demo: all 30 separate the classes
// perfectly, and odds ratios would have no finite estimate. The ranges are round
// and wider than anything measured, as an author would declare them who has not
// seen the data.
var wdbcColumns = []struct {
	name, unit string
	field      int
	high       string // the range begins at 0
}{
	{"texture", "gray levels", 1, "50"},
	{"smoothness", "", 4, "0.3"},
	{"symmetry", "", 8, "0.5"},
	{"fractal_dimension", "", 9, "0.2"},
	{"texture_se", "gray levels", 11, "10"},
	{"smoothness_se", "", 14, "0.1"},
	{"symmetry_se", "", 18, "0.1"},
	{"fractal_dimension_se", "", 19, "0.05"},
}

// Clinic is one site of the demo. Its CSV has a header, a patient column with ids
// that no other clinic has, the eight features in the source's own digits, and
// the diagnosis, malignant or benign.
type Clinic struct {
	Name      string
	CSV       []byte
	Rows      int
	Malignant int
}

// clinics lists the demo's sites, largest first. The source has 212 malignant
// lesions, and 30, 55, 25 and 55 % of these rows would be 219. With 74, 80, 23 and
// 35 (28.5, 53.3, 24.2 and 54.7 %) no share is more than 1.7 points off, and no
// other whole numbers do better.
var clinics = []Clinic{
	{Name: "harbour", Rows: 260, Malignant: 74},
	{Name: "glen", Rows: 150, Malignant: 80},
	{Name: "moor", Rows: 95, Malignant: 23},
	{Name: "isle", Rows: 64, Malignant: 35},
}

// clinicsOf deals the 569 patients to four clinics that differ in size, in base
// rate and in their patients: the clinics choose in order of size, and each takes
// of either class a lesion with a probability proportional to its rank in size
// within the class, so that large lesions tend to large clinics. One seed deals
// alike on every machine: the draw uses integers and PCG's own output only.
func clinicsOf(seed uint64) []Clinic {
	type lesion struct {
		row    int
		radius float64
		rank   uint64 // within its class, 1 for the smallest
	}
	lines := wdbc()
	var malignant, benign []lesion
	for i, line := range lines {
		radius, err := strconv.ParseFloat(line[wdbcRadius], 64)
		if err != nil {
			panic("bench: wdbc.csv: " + err.Error())
		}
		class := &benign
		if line[wdbcTarget] == "0" {
			class = &malignant
		}
		*class = append(*class, lesion{row: i, radius: radius})
	}
	rng := rand.NewPCG(seed, 0)
	out := slices.Clone(clinics)
	rows := make([][]int, len(out))
	for _, left := range [][]lesion{malignant, benign} {
		slices.SortStableFunc(left, func(a, b lesion) int { return cmp.Compare(a.radius, b.radius) })
		weights := uint64(0)
		for i := range left {
			left[i].rank = uint64(i + 1)
			weights += left[i].rank
		}
		for c := range out {
			take := out[c].Malignant
			if lines[left[0].row][wdbcTarget] == "1" {
				take = out[c].Rows - out[c].Malignant
			}
			for range take {
				at, rest := 0, rng.Uint64()%weights // biased by less than 2⁻⁴⁸
				for ; rest >= left[at].rank; at++ {
					rest -= left[at].rank
				}
				rows[c] = append(rows[c], left[at].row)
				weights -= left[at].rank
				left = slices.Delete(left, at, at+1)
			}
		}
	}
	for c := range out {
		slices.Sort(rows[c]) // the order of the draw would show the class
		out[c].CSV = clinicCSV(lines, rows[c])
	}
	return out
}

// clinicCSV writes a clinic's file. A patient's id is the line in the source.
func clinicCSV(lines [][]string, rows []int) []byte {
	var b bytes.Buffer
	b.WriteString("patient")
	for _, c := range wdbcColumns {
		b.WriteString("," + c.name)
	}
	b.WriteString(",diagnosis\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "wdbc-%03d", r+1)
		for _, c := range wdbcColumns {
			b.WriteString("," + lines[r][c.field])
		}
		b.WriteString(map[string]string{"0": ",malignant\n", "1": ",benign\n"}[lines[r][wdbcTarget]])
	}
	return b.Bytes()
}

// wdbc returns the fields of the embedded file's patients.
func wdbc() [][]string {
	r := csv.NewReader(bytes.NewReader(wdbcCSV))
	r.FieldsPerRecord = -1 // the first line is not a header
	lines, err := r.ReadAll()
	if err != nil {
		panic("bench: wdbc.csv: " + err.Error())
	}
	return lines[1:]
}

// studyTOML returns the demo's study file for sites of these names: which of
// eight features of a lesion's nuclei go with malignancy. The last day of the
// study is the one, in UTC, of expires. Each site's own metrics may leave, which
// a study on private data would rather not allow.
func studyTOML(sites []string, expires time.Time) []byte {
	quoted := make([]string, len(sites))
	for i, s := range sites {
		quoted[i] = strconv.Quote(s)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `# The demo's study. Data: %s;
# %s.

name = "wdbc-demo"
purpose = "Which of eight features of cell nuclei go with a malignant lesion? A demonstration on published data."
legal_basis = "published research data under CC BY 4.0, without anything that identifies a person"
contact = "the operator of this demo"
expires = %s

[sites]
members = [%s]
min = 3

[people]
unit = "patient"
hold_out = 25
hold_out_key = "wdbc-demo"

[model]
family = "logistic"
goal = "inference"
intercepts = "site"
label = "diagnosis"
positive = "malignant"
max_rounds = 25

[may_leave]
readers = ["sites", "proposer"]
site_metrics = true  # for the demo's table

[result]
use = "members"
export = false

[sums]
profile = "majority"
patience = "60s"
`, Attribution, SplitLabel, expires.UTC().Format(time.DateOnly), strings.Join(quoted, ", "))
	for _, c := range wdbcColumns {
		fmt.Fprintf(&b, "\n[[column]]\nname = %q\nkind = \"number\"\n", c.name)
		if c.unit != "" {
			fmt.Fprintf(&b, "unit = %q\n", c.unit)
		}
		fmt.Fprintf(&b, "low = 0\nhigh = %s\n", c.high)
	}
	b.WriteString("\n[[column]]\nname = \"diagnosis\"\nkind = \"category\"\nlevels = [\"benign\", \"malignant\"]\n")
	return b.Bytes()
}
