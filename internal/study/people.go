package study

import (
	"fmt"
	"slices"
	"strings"

	"croft"
	"croft/internal/data"
	"croft/internal/table"
)

// Two exact sums over almost the same people, or over almost the same values of
// them, show the few in whom they differ, and a study's author can choose them: by
// a code that counts as missing, by what is put in for it, by the share held out,
// by a new version of the file. The ledger cannot see that, it knows sites only.
// So the site keeps, for each record group, what was in its sums, and refuses a
// study that differs from an earlier one in fewer than min_cell people, but not in
// none. Pairs are compared; longer combinations only noise can bound
// (docs/threats.md).

// counted is a set of what a sum is over, by keyed fingerprint, ascending: people,
// or the values of a column. Sets of one label are compared.
type counted struct {
	label string
	set   []croft.Hash
	least int // a difference below this, but not 0, describes a few
}

// usedKind is the kind of the documents that hold one set each. A document's name
// is its record group, its label and its content.
const usedKind = "used"

// countedIn returns the sets that a study's sums over a table are about. The numbers of
// a preflight are too coarse for a few people to show in a difference.
func (f *follower) countedIn(t *table.Table, plan croft.Study, policy table.Policy) ([]counted, error) {
	if plan.Model.Family == croft.Preflight {
		return nil, nil
	}
	trained, held := t.Split(plan.HoldOut)
	out := []counted{{"people", f.Data.Fingerprints(trained), policy.MinCell}}
	if len(held) > 0 { // totals of both are published: so is their sum, over everybody
		out = append(out, counted{"people", f.Data.Fingerprints(held), policy.MinCell},
			counted{"people", f.Data.Fingerprints(t.People()), policy.MinCell})
	}
	for _, column := range plan.Model.Columns() {
		entries, err := t.Entries(column)
		if err != nil {
			return nil, err
		}
		// A changed value differs twice: the old is gone and the new has come.
		out = append(out, counted{"column " + column, f.Data.Fingerprints(entries), 2 * policy.MinCell})
	}
	return out, nil
}

// name returns the name of the set's document, and what names of its label begin with.
func (c counted) name(entry data.Entry) (name, prefix string) {
	prefix = entry.Group.String()[:32] + "." + croft.Sum([]byte(c.label)).String()[:16] + "."
	return prefix + croft.Sum(c.flat()).String()[:32], prefix
}

func (c counted) flat() []byte {
	flat := make([]byte, 0, len(c.set)*len(croft.Hash{}))
	for _, p := range c.set {
		flat = append(flat, p[:]...)
	}
	return flat
}

// distinct compares sets with all that were in sums before.
func (f *follower) distinct(entry data.Entry, sets []counted) error {
	if entry.Policy.Public {
		return nil
	}
	names, err := f.Docs.List(usedKind)
	if err != nil {
		return err
	}
	for _, c := range sets {
		same, prefix := c.name(entry)
		for _, name := range names {
			if name == same || !strings.HasPrefix(name, prefix) {
				continue
			}
			kept, err := f.Docs.Get(usedKind, name)
			if err != nil {
				return err
			}
			var old []croft.Hash
			for hash := range slices.Chunk(kept, len(croft.Hash{})) {
				old = append(old, croft.Hash(hash))
			}
			if n := len(old) + len(c.set) - 2*data.Overlap(old, c.set); n > 0 && n < c.least {
				return croft.E(croft.ErrWithheld, fmt.Sprintf("an earlier sum was over the same %s but %d: the difference of the two would describe them", c.label, n))
			}
		}
	}
	return nil
}

// remember keeps sets as having been in a sum.
func (f *follower) remember(entry data.Entry, sets []counted) error {
	if entry.Policy.Public {
		return nil
	}
	for _, c := range sets {
		name, _ := c.name(entry)
		if err := f.Docs.Put(usedKind, name, c.flat()); err != nil {
			return err
		}
	}
	return nil
}
