package data

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"croft"
	"croft/internal/store"
	"croft/internal/table"
)

// Who was registered before has one budget, whatever the file is called, whichever
// column is said to identify a person; rules only tighten.
func TestPeopleHaveOneBudget(t *testing.T) {
	dir := put(t, map[string]string{
		"first.csv": "id,age\n1,60\n2,61\n", "again.csv": "id,age\n1,60\n2,61\n", "later.csv": "id,age\n2,62\n3,63\n",
		"others.csv": "id,age\n8,60\n9,61\n", "both.csv": "id,age\n3,60\n8,61\n",
	})
	r, err := NewRegistry(store.NewMemoryDocs(new(store.Memory)))
	if err != nil {
		t.Fatal(err)
	}
	strict := table.DefaultPolicy()
	strict.MinCell++
	loose := table.DefaultPolicy()
	loose.MinCell--
	published := loose
	published.Public = true
	groups := map[string]croft.Hash{}
	for i, c := range []struct {
		file, unit string
		policy     table.Policy
		with       []string // the datasets whose budget it shares
		refused    bool
	}{
		{"first.csv", "id", table.Policy{}, nil, false},
		{"again.csv", table.RowUnit, table.Policy{}, []string{"first.csv"}, false},
		{"later.csv", "id", table.Policy{}, []string{"first.csv"}, false},
		{"others.csv", "id", strict, nil, false},
		{"both.csv", "id", table.Policy{}, nil, true},
		{"others.csv", "id", loose, nil, true},
		{"others.csv", "id", published, []string{"others.csv"}, false},
	} {
		d, err := r.Prepare(filepath.Join(dir, c.file), c.file, Options{Unit: c.unit, Releases: 10, Policy: c.policy})
		if c.refused {
			if !errors.Is(err, croft.ErrPolicy) {
				t.Errorf("%d, %s: %v", i, c.file, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d, %s: %v", i, c.file, err)
		}
		for name, group := range groups {
			if shares := slices.Contains(c.with, name) || slices.ContainsFunc(c.with, func(with string) bool { return groups[with] == group }); shares != (d.Group == group) {
				t.Errorf("%d, %s: shares the budget of %s: %v", i, c.file, name, !shares)
			}
		}
		groups[c.file] = d.Group
		if err := r.Add(croft.DatasetID{byte(i)}, d); err != nil {
			t.Fatal(err)
		}
	}
}
