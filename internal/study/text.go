package study

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"croft"
)

// Text writes a study as a study file that proposes the same again; heading becomes
// its first line, name finds what a member is called. The last day is the study's,
// also if it has passed, and the engine that of whoever proposes it. What a study
// file cannot say is left out: compare what Parse makes of it.
func Text(s croft.Study, heading string, name func(croft.MemberID) string) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	called := func(ids []croft.MemberID) (names []string) {
		for _, id := range ids {
			names = append(names, name(id))
		}
		return names
	}
	profile := "majority"
	if s.Strict {
		profile = "strict"
	}
	readers := []string{readSites} // the ledger wants all of them
	for _, id := range s.Readers {
		if !slices.Contains(s.Sites, id) {
			readers = append(readers, name(id))
		}
	}

	line("# %s\n", comment(heading))
	line("name = %s\npurpose = %s\nlegal_basis = %s\ncontact = %s", quoted(s.Name), quoted(s.Purpose), quoted(s.LegalBasis), quoted(s.Contact))
	line("expires = %s  # the last day", time.Unix(s.Expires-1, 0).UTC().Format(time.DateOnly))
	line("\n[sites]\nmembers = [%s]\nrequired = [%s]\nmin = %d", quotedList(called(s.Sites)), quotedList(called(s.Required)), s.MinSites)
	line("\n[people]\nunit = %s", quoted(s.Schema.UnitColumn))
	m := s.Model
	if !counts(m.Family) {
		line("hold_out = %d\nhold_out_key = %s", s.HoldOut.Percent, quoted(s.HoldOut.Key))
	}
	line("\n[model]\nfamily = %s\ngoal = %s", quoted(m.Family), quoted(string(m.Goal)))
	if !counts(m.Family) {
		line("intercepts = %s\nridge = %v\nmax_rounds = %d", quoted(string(m.Intercepts)), m.Ridge, m.MaxRounds)
	}
	line("label = %s\npositive = %s\nfeatures = [%s]", quoted(m.Label), quoted(m.Positive), quotedList(m.Features))
	for _, part := range []struct{ key, column string }{{"time", m.Time}, {"ties", m.Ties}, {"exposure", m.Exposure}, {"weight", m.Weight}} {
		if part.column != "" {
			line("%s = %s", part.key, quoted(part.column))
		}
	}
	if m.Clusters {
		line("clusters = true")
	}
	if m.Bins != 0 {
		line("bins = %d", m.Bins)
	}
	if m.Grid != (croft.Grid{}) {
		line("grid = {width = %v, cells = %d}", m.Grid.Width, m.Grid.Cells)
	}
	if len(m.Groups) > 0 || m.Threshold != (croft.Decimal{}) {
		line("\n[evaluation]")
	}
	if m.Threshold != (croft.Decimal{}) {
		line("threshold = %v", m.Threshold)
	}
	if len(m.Groups) > 0 {
		var groups []string
		for _, g := range m.Groups {
			groups = append(groups, g.Column)
		}
		line("groups = [%s]", quotedList(groups))
	}
	line("\n[may_leave]\nreaders = [%s]\nsite_metrics = %t", quotedList(readers), s.PerSiteMetrics)
	line("\n[result]\nuse = %s\nexport = %t", quoted(string(s.Use)), s.Export)
	line("\n[sums]\nprofile = %s\nchecked = %t\nproof = %t\npatience = %s", quoted(profile), !s.Unchecked, !s.Unproved, quoted((time.Duration(s.Patience) * time.Second).String()))
	for _, c := range s.Schema.Columns {
		line("\n[[column]]\nname = %s\nkind = %s", quoted(c.Name), quoted(string(c.Kind)))
		if c.Unit != "" {
			line("unit = %s", quoted(c.Unit))
		}
		if c.Kind == croft.Number {
			line("low = %v\nhigh = %v", c.Low, c.High)
		} else {
			line("levels = [%s]", quotedList(c.Levels))
		}
		if c.Other != "" {
			line("other = %s", quoted(c.Other))
		}
		if len(c.Codes) > 0 {
			line("missing_codes = [%s]", quotedList(c.Codes))
		}
		switch c.Missing {
		case croft.MissingDrop, croft.MissingMean, croft.MissingIndicator:
			line("missing = %s", quoted(string(c.Missing)))
		case croft.MissingValue:
			line("fill = %v", c.Fill)
		}
	}
	return []byte(strings.TrimSuffix(b.String(), "\n") + "\n")
}
