package study

import (
	"fmt"
	"slices"

	"croft"
	"croft/internal/data"
)

// Two exact sums over almost the same people show the few in whom they differ, and
// a study's author can choose them: by a code that counts as missing, by the share
// held out, by a new version of the file. The ledger cannot see that, it knows
// sites only. So the site keeps, for each record group, which people were in its
// sums, and refuses a study whose people differ from an earlier one's by fewer
// than min_cell, but not by none. Pairs are compared; longer combinations only
// noise can bound (docs/threats.md).

// usedKind is the kind of the documents that hold one set of people each: keyed
// fingerprints, ascending. A document's name is its record group and its content.
const usedKind = "used"

// distinct checks sets of people against all that were in sums before.
func (f *follower) distinct(entry data.Entry, sets [][]croft.Hash) error {
	if entry.Policy.Public {
		return nil
	}
	names, err := f.Docs.List(usedKind)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name[:32] != entry.Group.String()[:32] {
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
		for _, set := range sets {
			shared := data.Overlap(old, set)
			if n := len(old) + len(set) - 2*shared; n > 0 && n < entry.Policy.MinCell {
				return croft.E(croft.ErrWithheld, fmt.Sprintf("an earlier sum was over the same people but %d: the difference of the two would describe them", n))
			}
		}
	}
	return nil
}

// remember keeps sets of people as having been in a sum.
func (f *follower) remember(entry data.Entry, sets [][]croft.Hash) error {
	for _, set := range sets {
		if len(set) == 0 {
			continue
		}
		var flat []byte
		for _, p := range set {
			flat = append(flat, p[:]...)
		}
		name := entry.Group.String()[:32] + "." + croft.Sum(flat).String()[:32]
		if err := f.Docs.Put(usedKind, name, flat); err != nil {
			return err
		}
	}
	return nil
}
