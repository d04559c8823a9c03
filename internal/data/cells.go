package data

import (
	"slices"

	"croft"
)

// Cells reads the rows of a CSV or Parquet file as text, for what is no dataset: the
// rows that a service is asked about. It fails as Read does, but judges no cell.
func Cells(path string, limits Limits) (header []string, rows [][]string, err error) {
	_, err = Source{Path: path}.each(limits, func(_ string, names []string) ([]bool, error) {
		header = names
		return nil, nil
	}, func(path string, line int, cells []string) error {
		if len(cells) != len(header) {
			return croft.E(croft.ErrRowWidth, path, line, len(cells), len(header))
		}
		rows = append(rows, slices.Clone(cells))
		return nil
	})
	if err == nil && rows == nil {
		err = croft.E(croft.ErrNoRows, path, 0, 1)
	}
	return header, rows, err
}
