package study

import (
	"context"
	"fmt"
	"unicode/utf8"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// PreflightOf returns the preflight of a study: a study of its own, over the same
// columns at the same sites, whose totals show each site where its rows differ from
// those of the others. What is missing or outside of the declared ranges is counted,
// where the study itself would leave rows out, fill in or stop. Times says which it is
// of the same study: 1 for the first, and another after files were corrected.
func PreflightOf(s croft.Study, times int) croft.Study {
	suffix := " preflight"
	if times > 1 {
		suffix += fmt.Sprint(" ", times)
	}
	name := s.Name
	for len(name) > maxShort-len(suffix) {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	s.Name = name + suffix
	m := croft.Model{Family: croft.Preflight, Goal: croft.Inference, Label: s.Model.Label, Positive: s.Model.Positive}
	for _, column := range s.Model.Columns() {
		if column != m.Label {
			m.Features = append(m.Features, column)
		}
	}
	schema := croft.Schema{UnitColumn: s.Schema.UnitColumn}
	for _, c := range s.Schema.Columns {
		c.Missing, c.Fill = croft.MissingCount, croft.Decimal{}
		schema.Columns = append(schema.Columns, c)
	}
	s.Schema, s.Model, s.HoldOut, s.PerSiteMetrics, s.Use, s.Export = schema, m, croft.HoldOut{}, false, croft.UseMembers, false
	s.Model.Cells = uint16(min(table.Cells(s), 1<<16-1))
	return s
}

// Preflight says what of a finished preflight looks wrong in this site's own rows. It
// reads them as they are now and puts nothing anywhere: the answer is for the owner.
// ErrNotSite where this node brought no rows.
func (n *Node) Preflight(ctx context.Context, plan croft.Study, id croft.StudyID, state fed.State) ([]table.Finding, error) {
	f := &follower{Node: n, id: id}
	st, _, err := f.study(ctx)
	if err != nil {
		return nil, err
	}
	if !has(st.Cohort, n.Self) {
		return nil, croft.E(croft.ErrNotSite, plan.Name, id.Short())
	}
	entry, err := n.Data.Get(answerOf(st, n.Self).Dataset)
	if err != nil {
		return nil, err
	}
	t, commitment, err := n.Data.Open(ctx, entry.ID, plan.Schema)
	if err != nil {
		return nil, err
	}
	if commitment != entry.Commitment {
		return nil, croft.E(croft.ErrDataChanged, entry.Name)
	}
	site, err := Rows(t, plan)
	if err != nil {
		return nil, err
	}
	compiled, err := compile(plan)
	if err != nil {
		return nil, err
	}
	result, err := compiled.Result(state)
	if err != nil {
		return nil, err
	}
	others := result.Tally
	for i, v := range entry.Policy.Coarse(site.Train.Tally) {
		others[i] -= v
	}
	cut := float64(entry.Policy.MinCell) // if the others cut as we do
	return table.Preflight(plan, site.Train.Tally, others, cut, len(st.Cohort)-1), nil
}
