package study

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
)

// A study of each family, tried on made-up rows, runs on the clinics' rows as it is.
func TestMockRowsStandInForRealOnes(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.toml")
	if err != nil || len(files) < len(families) {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".toml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := Parse(text, name)
			if err != nil {
				t.Fatal(err)
			}
			plan := file.Anyone()
			compiled, err := compile(plan)
			if err != nil {
				t.Fatal(err)
			}
			site := func(csv []byte) fed.Site {
				tab, err := data.Read(bytes.NewReader(csv), "rows.csv", plan.Schema, data.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				site, err := Rows(tab, plan)
				if err != nil {
					t.Fatal(err)
				}
				return site
			}
			var mock, real []fed.Site
			for seed, clinic := range []string{"a", "b", "c"} {
				var csv bytes.Buffer
				if err := data.Mock(&csv, plan, 300, uint64(seed)); err != nil {
					t.Fatal(err)
				}
				mock = append(mock, site(csv.Bytes()))
				rows, err := os.ReadFile("../../examples/clinic-" + clinic + ".csv")
				if err != nil {
					t.Fatal(err)
				}
				real = append(real, site(rows))
			}
			for what, sites := range map[string][]fed.Site{"made up": mock, "real": real} {
				state, err := compiled.Run(sites...)
				if err == nil {
					_, err = compiled.Result(state)
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestMockFollowsFromTheSeed(t *testing.T) {
	plan := ward()
	plan.Schema.UnitColumn = "patient"
	plan.Schema.Columns[1].Missing, plan.Schema.Columns[1].Codes = croft.MissingDrop, []string{"0", "-9", "?"}
	mock := func(seed uint64) string {
		var b bytes.Buffer
		if err := data.Mock(&b, plan, 1000, seed); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := mock(1)
	if first != mock(1) || first == mock(2) {
		t.Error("the seed does not decide")
	}
	tab, err := data.Read(strings.NewReader(first), "mock.csv", plan.Schema, data.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d := tab.Dropped()[1]; d < 20 || d > 90 || tab.Rows()+d != 1000 {
		t.Errorf("%d of 1000 rows without glucose", d)
	}
	for _, way := range []string{",,", ",-9,", ",?,"} {
		if !strings.Contains(first, way) {
			t.Errorf("no %s", way)
		}
	}
}
