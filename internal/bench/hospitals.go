package bench

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/table"
)

// heartAttribution names the source of the hospitals' data, as its licence and
// its authors ask. The data is not part of this program.
const heartAttribution = "Heart Disease by A. Janosi (Hungarian Institute of Cardiology, Budapest), " +
	"W. Steinbrunn (University Hospital, Zurich), M. Pfisterer (University Hospital, Basel) and " +
	"R. Detrano (V.A. Medical Center, Long Beach, and Cleveland Clinic Foundation), " +
	"UCI Machine Learning Repository, doi:10.24432/C52P4X, CC BY 4.0"

// heartSource is where people get the four files.
const heartSource = "https://archive.ics.uci.edu/dataset/45/heart+disease"

// hospitals are the four sites and their files, in the order of FLamby.
var hospitals = []struct{ name, file string }{
	{"cleveland", "processed.cleveland.data"},
	{"hungarian", "processed.hungarian.data"},
	{"switzerland", "processed.switzerland.data"},
	{"va", "processed.va.data"},
}

// heartHeader names the fields of a line: the files have none.
const heartHeader = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num\n"

// heartStudy reads the files as FLamby does (fed_heart_disease/dataset): without
// slope, ca and thal, which hardly any hospital has; rows with another value
// missing are dropped; cp and restecg become indicators of all levels but the
// first. That makes 13 model columns. The label is num > 0, which a schema cannot
// say: its level "0" counts as positive here and hospital turns it round.
//
// The ranges are what is possible in anyone; 0 for chol and trestbps, which the
// files have, is not, but FLamby takes it for a value.
func heartStudy() croft.Study {
	number := func(name, low, high string) croft.Column {
		return croft.Column{Name: name, Kind: croft.Number, Low: mustDecimal(low), High: mustDecimal(high), Codes: []string{"?"}, Missing: croft.MissingDrop}
	}
	category := func(name string, levels ...string) croft.Column {
		return croft.Column{Name: name, Kind: croft.Category, Levels: levels, Codes: []string{"?"}, Missing: croft.MissingDrop}
	}
	s := croft.Study{
		Schema: croft.Schema{UnitColumn: table.RowUnit, Columns: []croft.Column{
			number("age", "0", "120"), number("sex", "0", "1"), category("cp", "1", "2", "3", "4"), number("trestbps", "0", "300"),
			number("chol", "0", "800"), number("fbs", "0", "1"), category("restecg", "0", "1", "2"), number("thalach", "0", "250"),
			number("exang", "0", "1"), number("oldpeak", "-10", "10"), category("num", "0", "1", "2", "3", "4"),
		}},
		Model: croft.Model{Label: "num", Positive: "0"},
	}
	for _, c := range s.Schema.Columns[:len(s.Schema.Columns)-1] {
		s.Model.Features = append(s.Model.Features, c.Name)
	}
	return s
}

// readHospitals returns the rows of the four hospitals in files' order, not yet
// split. Without the files it fails with ErrPublicData.
func readHospitals(dir string) ([]fed.Rows, error) {
	var out []fed.Rows
	for _, h := range hospitals {
		rows, err := readHospital(filepath.Join(dir, h.file))
		if err != nil {
			return nil, err
		}
		out = append(out, rows)
	}
	return out, nil
}

func readHospital(path string) (fed.Rows, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fed.Rows{}, croft.E(croft.ErrPublicData, path, "the four processed.*.data files", heartSource)
	}
	if err != nil {
		return fed.Rows{}, croft.E(croft.ErrFileOpen, path, err)
	}
	defer f.Close()
	study := heartStudy()
	// A message that names a line counts the header.
	t, err := data.Read(io.MultiReader(strings.NewReader(heartHeader), f), path, study.Schema, data.Limits{Rows: 10_000})
	if err != nil {
		return fed.Rows{}, err
	}
	design, _, err := table.Build(t, study)
	if err != nil {
		return fed.Rows{}, err
	}
	rows := fed.Rows{X: design.X, Y: design.Y}
	for i, y := range rows.Y {
		rows.Y[i] = 1 - y
	}
	return rows, nil
}

func mustDecimal(text string) croft.Decimal {
	d, err := croft.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}
