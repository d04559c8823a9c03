package data

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"croft"
	"croft/internal/table"
)

// Mock writes a CSV file of made-up rows that a study can be tried on before anybody
// has seen a real one. Everything in it follows from the study's text and the seed:
// numbers are uniform over the declared range, levels equally frequent, columns
// independent of each other; one cell in twenty is missing where the study has a rule
// for it, as the empty cell and as each code in turn. What counts events is small and
// whole. A study that takes a person's rows together gets two rows a person. It says
// nothing about any patient, and a result on it means nothing.
func Mock(w io.Writer, s croft.Study, rows int, seed uint64) error {
	out := bufio.NewWriter(w)
	lines := csv.NewWriter(out)
	var cells []string
	unit := s.Schema.UnitColumn != table.RowUnit
	if unit {
		cells = append(cells, s.Schema.UnitColumn)
	}
	for _, c := range s.Schema.Columns {
		cells = append(cells, c.Name)
	}
	if err := lines.Write(cells); err != nil {
		return err
	}
	repeats := 1
	if s.Model.Clusters {
		repeats = 2
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	missing := make([]int, len(s.Schema.Columns)) // so many so far, by column
	for row := range rows {
		cells = cells[:0]
		if unit {
			cells = append(cells, fmt.Sprintf("mock-%d", row/repeats+1))
		}
		for i, c := range s.Schema.Columns {
			if c.Missing != "" && rng.IntN(20) == 0 {
				ways := append([]string{""}, c.Codes...)
				cells = append(cells, ways[missing[i]%len(ways)])
				missing[i]++
				continue
			}
			cells = append(cells, mockCell(rng, c, c.Name == s.Model.Label && s.Model.Family == "poisson"))
		}
		if err := lines.Write(cells); err != nil {
			return err
		}
	}
	lines.Flush()
	if err := lines.Error(); err != nil {
		return err
	}
	return out.Flush()
}

// mockCell draws a value that the column allows and that is not one of its codes.
func mockCell(rng *rand.Rand, c croft.Column, events bool) string {
	if c.Kind == croft.Category {
		return c.Levels[rng.IntN(len(c.Levels))]
	}
	low, high := c.Low.Float(), c.High.Float()
	if events {
		low = math.Ceil(low)
		high = min(math.Floor(high), low+4)
		return strconv.FormatFloat(low+float64(rng.IntN(max(int(high-low), 0)+1)), 'f', 0, 64)
	}
	// Steps of a power of ten, at least a hundred of them, from the low end on.
	exp := int(math.Floor(math.Log10((high - low) / 100)))
	step := math.Pow10(exp)
	decimals := max(-exp, int(c.Low.Scale), 0)
	for {
		v := low + step*float64(rng.IntN(int((high-low)/step)+1))
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		// The sum may round to just beyond the range; and -9 may mean missing.
		if read, _ := table.ParseNumber(text); read < low || read > high {
			text = c.Low.String()
		}
		code := func(code string) bool {
			n, ok := table.ParseNumber(code)
			m, _ := table.ParseNumber(text)
			return ok && n == m
		}
		if !slices.ContainsFunc(c.Codes, code) {
			return text
		}
	}
}
