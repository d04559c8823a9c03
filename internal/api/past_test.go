package api

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
)

// A restored folder does not know the datasets that were registered after its
// backup; the ledger does, and they keep their budget.
func TestForgottenDatasets(t *testing.T) {
	people := community(t, 3)
	var sets []croft.DatasetID
	for _, p := range people {
		sets = append(sets, croft.DatasetID(p.register(t).ID))
	}
	a := people[0]
	first, err := a.s.Data.Get(sets[0])
	if err != nil {
		t.Fatal(err)
	}
	forget := func() {
		for _, kind := range []string{"dataset", "people"} {
			names, err := a.s.Study.Docs.List(kind)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if err := a.s.Study.Docs.Delete(kind, name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	prepare := func(path string) (Prepared, error) {
		return a.client.Prepare(t.Context(), Add{Path: path, Name: "again", Options: data.Options{Unit: "id", Releases: 200}})
	}
	others := filepath.Join(a.dir, "others.csv")
	if err := os.WriteFile(others, visits(77), 0o600); err != nil {
		t.Fatal(err)
	}

	forget()
	if p, err := prepare(a.csv); err != nil || p.Group != first.Group || !slices.Equal(p.Overlaps, []string{"visits"}) {
		t.Errorf("the same file: %v, group %s, want %s", err, p.Group.Short(), first.Group.Short())
	}
	if p, err := prepare(others); err != nil || p.Group == first.Group {
		t.Errorf("another file, and nothing was spent: %v", err)
	}

	// A study spends of it; any file may hold the same people then.
	tx := a.seal(&ledger.Propose{Plan: anaemia(people)})
	if _, err := a.client.Submit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	id := croft.StudyID(croft.Sum(tx))
	a.register(t) // into the same group, or it could not approve
	for i, p := range people {
		set := sets[i]
		if p == a {
			e, err := a.s.Data.Find("visits")
			if err != nil || e.Group != first.Group {
				t.Fatalf("%v, %+v", err, e)
			}
			set = e.ID
		}
		if _, err := p.client.Approve(t.Context(), p.seal(p.approval(t, id.String(), set))); err != nil {
			t.Fatal(err)
		}
	}
	moved := a.s.Ledger.Watch(t.Context())
	for {
		g, _, err := record[ledger.Group](t.Context(), a.s, ledger.GroupKey(first.Group))
		if err != nil {
			t.Fatal(err)
		}
		if g.Used > 0 {
			break
		}
		<-moved
	}
	forget()
	if p, err := prepare(others); err != nil || p.Group != first.Group {
		t.Errorf("another file, after something was spent: %v", err)
	}

	raw := a.seal(&ledger.Register{Name: "other", Group: croft.Hash{7}, Releases: 3})
	if err := a.s.Study.Send(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	if p, err := prepare(others); err != nil || p.Group != first.Group {
		t.Errorf("a second group that was not spent of: %v", err)
	}
	if _, err := prepare(filepath.Join(a.dir, "none.csv")); !errors.Is(err, croft.ErrFileOpen) {
		t.Error(err)
	}
}
