package study

import (
	"slices"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// Rows gives a table, read under the study's schema, to the study's plan. It fails
// as table.Build does.
func Rows(t *table.Table, plan croft.Study) (site fed.Site, err error) {
	train, test, err := table.Build(t, plan)
	if err != nil {
		return site, err
	}
	of := func(d *table.Design) fed.Rows {
		return fed.Rows{X: d.X, Y: d.Y, Time: d.Time, Exposure: d.Exposure, Weight: d.Weight, Unit: d.Unit, Tally: d.Tally, Group: d.Group}
	}
	return fed.Site{Train: of(train), Test: of(test)}, nil
}

// Disclose asks the site's rules about a table and the rows that it gives to a study:
// people by level and class of the label (table.Disclose), and by cell of what the
// plan counts by time or by value. What fails is ErrWithheld and stays at the site;
// of public data it is a warning. So is a group by which these rows are not evaluated.
func Disclose(t *table.Table, plan croft.Study, site fed.Site, policy table.Policy) (warnings []string, err error) {
	compiled, err := compile(plan)
	if err != nil {
		return nil, err
	}
	if warnings, err = table.Disclose(t, plan, policy); err != nil {
		return nil, err
	}
	few, err := policy.Few(compiled.Sparse(site.Train, site.Test, policy.MinCell))
	if warnings = append(warnings, few...); err != nil {
		return warnings, err
	}
	_, few, err = withhold(t, plan, site, policy)
	return append(warnings, few...), err
}

// withhold takes from a site's held-out rows the groups to whose levels too few people
// belong (table.Policy.Groups), and says which.
func withhold(t *table.Table, plan croft.Study, site fed.Site, policy table.Policy) (fed.Site, []string, error) {
	why, err := policy.Groups(t, plan)
	if err != nil {
		return site, nil, err
	}
	site.Test.Group = slices.Clone(site.Test.Group)
	var says []string
	for g, few := range why {
		if few != "" {
			site.Test.Group[g] = slices.Repeat([]int{-1}, len(site.Test.Y))
			says = append(says, few)
		}
	}
	return site, says, nil
}

// cohortRules are the site's rules that rest on the rows of the whole cohort, known
// after the first sum; so many of those held out are the site's own.
func cohortRules(compiled *fed.Plan, plan croft.Study, state fed.State, sites, held int, policy table.Policy) error {
	if state.Rows == 0 || policy.Public {
		return nil
	}
	if held > 0 && state.TestRows == int64(held) {
		return croft.E(croft.ErrWithheld, "no other site holds people out: all figures of them would be this site's own")
	}
	if !counts(plan.Model.Family) {
		if err := policy.Fits(len(table.ColumnsOf(plan))+1, int(state.Rows)); err != nil {
			return err
		}
	}
	return policy.Detail(published(compiled, state, sites), int(state.Rows))
}

// published counts the exact numbers that a study has published once the sum that
// moves a state is open.
func published(compiled *fed.Plan, state fed.State, sites int) (n int) {
	words := compiled.Words()
	now := slices.Index(words, state.Word)
	for _, word := range words[:now+1] {
		times := 1
		if word == fed.Newton {
			times = int(state.Round) + 1 - now // the others came once each
		}
		n += times * compiled.Layout(fed.State{Word: word}, sites).Numbers()
	}
	return n
}
