package api

import (
	"context"
	"fmt"
	"slices"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
)

// adopt looks at a file that is like none in the registry for what the registry may
// have forgotten: datasets that are on the ledger as this member's, registered after
// the backup that the folder was restored from. The same file is the same people;
// any other may hold them too, and counts as if it did. So no budget comes back.
func (s Services) adopt(ctx context.Context, p *data.Prepared) error {
	known, err := s.Data.List()
	if err != nil {
		return err
	}
	var forgotten []croft.Dataset
	if err := s.Ledger.Range("dataset/", func(_ string, raw []byte) {
		d, _, err := ledger.Decode[croft.Dataset](raw)
		if err == nil && d.Owner == s.Self && !slices.ContainsFunc(known, func(e data.Entry) bool { return e.ID == d.ID }) {
			forgotten = append(forgotten, d)
		}
	}); err != nil {
		return err
	}
	var spent []croft.Dataset // one of each record group
	for _, d := range forgotten {
		if d.Commitment == p.Commitment {
			p.Group, p.Overlaps = d.Group, []string{d.Name}
			return nil
		}
		group, _, err := record[ledger.Group](ctx, s, ledger.GroupKey(d.Group))
		if err != nil {
			return err
		}
		if group.Used > 0 && !slices.ContainsFunc(spent, func(o croft.Dataset) bool { return o.Group == d.Group }) {
			spent = append(spent, d)
		}
	}
	switch len(spent) {
	case 0:
	case 1:
		p.Group, p.Overlaps = spent[0].Group, []string{spent[0].Name}
	default:
		return croft.E(croft.ErrPolicy, fmt.Sprintf("%s and %s were registered after the backup that this folder comes from, and %s may hold people of both: add their files first, as they were",
			spent[0].Name, spent[1].Name, p.Name))
	}
	return nil
}
