package study

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/table"
)

// What no site can help: each ends in a sentence that names it, or in a result.
func TestStrataAndLevelsThatAreThin(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var wards [3][]patient
	for i := range wards {
		wards[i] = patients(rng, 150)
	}
	files := func(change func(site int, row []string)) (out []string) {
		for s, w := range wards {
			lines := strings.Split(wardCSV(w), "\n")
			for i := range w {
				row := strings.Split(lines[i+1], ",")
				change(s, row)
				lines[i+1] = strings.Join(row, ",")
			}
			out = append(out, strings.Join(lines, "\n"))
		}
		return out
	}
	run := func(plan croft.Study, files []string) error {
		if err := Validate(plan); err != nil {
			return err
		}
		compiled, err := compile(plan)
		if err != nil {
			return err
		}
		state, err := compiled.Run(sitesOf(t, plan, files...)...)
		if err == nil {
			_, err = compiled.Result(state)
		}
		return err
	}
	base := func() croft.Study {
		s := ward()
		s.HoldOut = croft.HoldOut{}
		return s
	}
	t.Run("a level that nobody has", func(t *testing.T) {
		s := base()
		s.Schema.Columns[4].Levels = []string{"f", "m", "x"}
		if err := run(s, files(func(int, []string) {})); !errors.Is(err, croft.ErrConstant) || !strings.Contains(err.Error(), "sex=x") {
			t.Error(err)
		}
	})
	t.Run("a level at one site only", func(t *testing.T) {
		s := base()
		s.Schema.Columns[4].Levels = []string{"f", "m", "x"}
		only := files(func(site int, row []string) {
			if site == 1 && row[4] == "m" {
				row[4] = "x"
			}
		})
		if err := run(s, only); err != nil {
			t.Error(err)
		}
		if found := short(preflight(t, s, table.DefaultPolicy(), only...)[1]); !slices.Contains(found, "sex only here x") || !slices.Contains(found, "sex absent m") {
			t.Errorf("its site is told %q", found)
		}
	})
	t.Run("a group of the label that is empty", func(t *testing.T) {
		if err := run(base(), files(func(_ int, row []string) { row[5] = "no" })); !errors.Is(err, croft.ErrOneClass) || !strings.Contains(err.Error(), "ill") {
			t.Error(err)
		}
	})
	t.Run("a site without events", func(t *testing.T) {
		three := files(func(site int, row []string) {
			if site == 2 {
				row[5] = "no"
			}
		})
		if err := run(base(), three); !errors.Is(err, croft.ErrFewTell) {
			t.Errorf("the sums of two sites were taken: %v", err)
		}
		if err := run(base(), append(three, files(func(int, []string) {})[0])); err != nil {
			t.Error(err)
		}
	})
	t.Run("10,000 levels", func(t *testing.T) {
		s := base()
		var levels []string
		for i := range 10_000 {
			levels = append(levels, fmt.Sprint("ward ", i))
		}
		s.Schema.Columns[4].Levels = levels
		if err := run(s, nil); !errors.Is(err, croft.ErrStudyValue) || !strings.Contains(err.Error(), `column "sex": levels: there are 10000; 2 to 32 are allowed`) {
			t.Error(err)
		}
		s.Schema.Columns[4].Levels = levels[:3]
		many := files(func(_ int, row []string) { row[4] = levels[rng.IntN(len(levels))] })
		if _, err := data.Read(strings.NewReader(many[0]), "a.csv", s.Schema, data.Limits{}); !errors.Is(err, croft.ErrLevelUnknown) || !strings.Contains(err.Error(), "a.csv, line 2, column sex") || len(err.Error()) > 300 {
			t.Error(err)
		}
		s.Schema.Columns[4].Levels, s.Schema.Columns[4].Other = []string{"many", "ward 1", "ward 2"}, "many"
		if err := run(s, files(func(_ int, row []string) { row[4] = levels[rng.IntN(6)] })); err != nil {
			t.Error(err)
		}
	})
}
