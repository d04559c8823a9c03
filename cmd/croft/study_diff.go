package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/api"
)

func (c *cli) studyDiffVerb() *verb {
	return c.verb("study.diff", "diff A B", some(2, 2, func(ctx context.Context, args []string) error { return c.studyDiff(ctx, args[0], args[1]) }))
}

// trait is one thing that a study says, in words. A list is compared as a set.
type trait struct {
	key    string // of the sentence that names it
	column string // whose
	value  string
	list   []string
}

// difference is a trait that two studies do not share.
type difference struct {
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
}

type studyDiffResult struct {
	Same        bool         `json:"same"`
	Differences []difference `json:"differences"`
}

// studyDiff says what two studies, or a study and a study file, do not have in
// common. Two files need no node.
func (c *cli) studyDiff(ctx context.Context, a, b string) error {
	var members []api.Member // of two files they are whoever the files name
	var err error
	if !isFile(a) || !isFile(b) {
		if members, err = c.node().Members(ctx); err != nil {
			return err
		}
	}
	var sides [2][]trait
	var hashes [2]croft.Hash
	for i, ref := range []string{a, b} {
		if isFile(ref) {
			sides[i], hashes[i], err = fileTraits(ref, members)
		} else {
			sides[i], hashes[i], err = c.studyTraits(ctx, ref, members)
		}
		if err != nil {
			return err
		}
	}
	r := studyDiffResult{Same: hashes[0] == hashes[1], Differences: differences(sides[0], sides[1])}
	return c.result(r, func(w io.Writer) {
		switch {
		case r.Same && len(r.Differences) == 0:
			tell(w, "diff.same", groups(hashes[0]))
		case len(r.Differences) == 0:
			tell(w, "diff.order")
		default:
			tell(w, "diff.row", "", a, b)
		}
		for _, x := range r.Differences {
			tell(w, "diff.row", x.What, x.A, x.B)
		}
	})
}

// isFile says whether a person means a study file.
func isFile(ref string) bool { return strings.HasSuffix(ref, ".toml") }

// studyTraits reads a study on the ledger.
func (c *cli) studyTraits(ctx context.Context, ref string, members []api.Member) ([]trait, croft.Hash, error) {
	st, err := c.node().Study(ctx, ref)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	out := traits(st.Plan, memberNames(members))
	return append(out, trait{key: "diff.seats", list: nameList(st.Seats)}, trait{key: "diff.threshold", value: fmt.Sprint(st.Threshold)}), st.PlanHash, nil
}

// fileTraits reads a study file as this member would propose it. Members that nobody
// knows yet have the names that the file gives them.
func fileTraits(path string, members []api.Member) ([]trait, croft.Hash, error) {
	file, err := readStudy(path)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	self := croft.MemberID(croft.Sum([]byte("proposer")))
	called := map[croft.MemberID]string{self: say("diff.proposer")}
	for _, m := range members {
		called[m.ID] = m.Name
		if m.Self {
			self = m.ID
		}
	}
	plan, unknown, err := resolve(file, self, members, true)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	for _, name := range unknown {
		called[croft.MemberID(croft.Sum([]byte(name)))] = name
	}
	return traits(plan, func(id croft.MemberID) string { return called[id] }), plan.PlanHash(), nil
}

// differences compares trait by trait, in the order of A; what only B has comes last.
// Seats are compared only where both sides have some: a file has none yet.
func differences(a, b []trait) []difference {
	out := []difference{}
	find := func(in []trait, t trait) *trait {
		for i := range in {
			if in[i].key == t.key && in[i].column == t.column {
				return &in[i]
			}
		}
		return nil
	}
	add := func(t trait, a, b string) {
		what := say(t.key)
		if t.column != "" {
			what = say(t.key, t.column)
		}
		out = append(out, difference{what, cmp.Or(a, say("diff.absent")), cmp.Or(b, say("diff.absent"))})
	}
	for _, t := range a {
		switch other := find(b, t); {
		case other == nil && (t.key == "diff.seats" || t.key == "diff.threshold"):
		case other == nil:
			add(t, t.text(), say("diff.absent"))
		case t.value != other.value:
			add(t, t.value, other.value)
		case !slices.Equal(t.list, other.list):
			mine, theirs := without(t.list, other.list), without(other.list, t.list)
			if len(mine)+len(theirs) == 0 {
				add(t, t.text(), other.text()) // another order
			} else {
				add(t, also(mine), also(theirs))
			}
		}
	}
	for _, t := range b {
		if find(a, t) == nil && t.key != "diff.seats" && t.key != "diff.threshold" {
			add(t, say("diff.absent"), t.text())
		}
	}
	return out
}

func (t trait) text() string {
	if t.list != nil {
		return strings.Join(t.list, ", ")
	}
	return t.value
}

// also says what only one side has.
func also(list []string) string {
	if len(list) == 0 {
		return say("diff.absent")
	}
	return say("diff.also", strings.Join(list, ", "))
}

// without returns what stands in list and not in other.
func without(list, other []string) (rest []string) {
	for _, s := range list {
		if !slices.Contains(other, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

// traits says all that a study says, a line each.
func traits(s croft.Study, name func(croft.MemberID) string) []trait {
	one := func(key string, value any) trait { return trait{key: key, value: fmt.Sprint(value)} }
	members := func(key string, ids []croft.MemberID) trait {
		list := []string{}
		for _, id := range ids {
			list = append(list, name(id))
		}
		slices.Sort(list)
		return trait{key: key, list: list}
	}
	yes := func(key string, is bool) trait {
		if is {
			return one(key, say("diff.yes"))
		}
		return one(key, say("diff.no"))
	}
	m := s.Model
	var columns, groupNames []string
	for _, c := range s.Schema.Columns {
		columns = append(columns, c.Name)
	}
	for _, g := range m.Groups {
		groupNames = append(groupNames, say("diff.group", g.Column, g.Levels))
	}
	out := []trait{
		one("diff.name", s.Name), one("diff.purpose", s.Purpose), one("diff.basis", s.LegalBasis), one("diff.contact", s.Contact),
		one("diff.until", time.Unix(s.Expires, 0).UTC().Format("2006-01-02 15:04:05 MST")),
		members("diff.sites", s.Sites), members("diff.required", s.Required), one("diff.min", s.MinSites),
		one("diff.unit", s.Schema.UnitColumn), one("diff.holdout", s.HoldOut.Percent), one("diff.key", s.HoldOut.Key),
		one("diff.family", m.Family), one("diff.goal", m.Goal), one("diff.intercepts", m.Intercepts), one("diff.ridge", m.Ridge),
		one("diff.label", m.Label), one("diff.positive", m.Positive), {key: "diff.features", list: m.Features}, one("diff.rounds", m.MaxRounds),
		one("diff.time", m.Time), one("diff.ties", m.Ties), one("diff.exposure", m.Exposure), one("diff.weight", m.Weight), yes("diff.clusters", m.Clusters),
		one("diff.width", m.Grid.Width), one("diff.cells", m.Grid.Cells), one("diff.bins", m.Bins), one("diff.classes", m.Classes),
		one("diff.tally", m.Cells), {key: "diff.means", list: m.Means},
		one("diff.cut", m.Threshold), {key: "diff.groups", list: groupNames},
		yes("diff.metrics", s.PerSiteMetrics), one("diff.use", uses(s.Use)), yes("diff.export", s.Export), members("diff.readers", s.Readers),
		yes("diff.strict", s.Strict), yes("diff.unchecked", s.Unchecked), yes("diff.unproved", s.Unproved), one("diff.patience", time.Duration(s.Patience)*time.Second),
		one("diff.engine", s.Engine), one("diff.version", s.Version),
		{key: "diff.columns", list: columns},
	}
	for _, c := range s.Schema.Columns {
		of := func(key string, value any) {
			out = append(out, trait{key: key, column: c.Name, value: fmt.Sprint(value)})
		}
		of("diff.column.kind", c.Kind)
		if c.Unit != "" {
			of("diff.column.unit", c.Unit)
		}
		if c.Kind == croft.Number || c.Low != c.High {
			of("diff.column.range", say("diff.range", c.Low, c.High))
		}
		if len(c.Levels) > 0 {
			out = append(out, trait{key: "diff.column.levels", column: c.Name, list: c.Levels})
		}
		if c.Other != "" {
			of("diff.column.other", c.Other)
		}
		if len(c.Codes) > 0 {
			out = append(out, trait{key: "diff.column.codes", column: c.Name, list: c.Codes})
		}
		of("diff.column.missing", missingRule(c))
	}
	return out
}

// missingRule says what happens to a row without a value.
func missingRule(c croft.Column) string {
	switch none := (croft.Decimal{}); {
	case c.Missing == croft.MissingValue:
		return say("print.fill", c.Fill)
	case c.Fill != none: // no valid study has both; what differs is shown all the same
		return fmt.Sprint(c.Missing, " ", c.Fill)
	case c.Missing == croft.MissingDrop:
		return say("print.drop")
	case c.Missing == croft.MissingMean:
		return say("print.mean")
	case c.Missing == croft.MissingIndicator:
		return say("print.indicator")
	case c.Missing == croft.MissingCount:
		return say("print.count")
	}
	return cmp.Or(string(c.Missing), say("print.stops"))
}
