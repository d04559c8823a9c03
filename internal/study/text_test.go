package study

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"croft"
)

// anyStudy draws a valid study of what a study file can say.
func anyStudy(t *rapid.T) croft.Study {
	text := rapid.StringMatching(`[a-z"\\#=\[\]äß漢'-]{1,12}`)
	id := func(n int) croft.MemberID { return croft.MemberID(croft.Sum([]byte(fmt.Sprint("m", n)))) }
	s := croft.Study{
		Version: 1, Name: text.Draw(t, "name"), Purpose: text.Draw(t, "purpose"), LegalBasis: text.Draw(t, "basis"), Contact: text.Draw(t, "contact"),
		Expires: time.Date(rapid.IntRange(1971, 2200).Draw(t, "year"), 3, 1, 0, 0, 0, 0, time.UTC).Unix(), MinSites: 3,
		Schema:  croft.Schema{UnitColumn: text.Draw(t, "unit")},
		HoldOut: croft.HoldOut{Percent: uint8(rapid.IntRange(0, 50).Draw(t, "percent")), Key: text.Draw(t, "key")},
		Model: croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: rapid.SampledFrom([]croft.Intercepts{croft.SiteIntercepts, croft.CommonIntercept}).Draw(t, "intercepts"),
			Label: "the label", Positive: "level 1", MaxRounds: uint8(rapid.IntRange(1, 100).Draw(t, "rounds"))},
		PerSiteMetrics: rapid.Bool().Draw(t, "metrics"), Use: rapid.SampledFrom([]croft.Use{croft.UseMembers, croft.UseNetwork, croft.UseMarket, croft.UsePublic}).Draw(t, "use"),
		Export: rapid.Bool().Draw(t, "export"), Strict: rapid.Bool().Draw(t, "strict"), Unchecked: rapid.Bool().Draw(t, "unchecked"), Unproved: rapid.Bool().Draw(t, "unproved"),
		Patience: uint32(rapid.IntRange(1, 30*24*3600).Draw(t, "patience")), Engine: croft.EngineVersion,
	}
	if rapid.Bool().Draw(t, "prediction") {
		s.Model.Goal, s.Model.Ridge = croft.Prediction, drawDecimal(t, 0)
	}
	members := sorted(id, rapid.IntRange(3, 6).Draw(t, "sites"))
	s.Sites = members
	if rapid.Bool().Draw(t, "required") {
		s.Required = members[:1]
	}
	s.Readers = members
	if rapid.Bool().Draw(t, "reader") {
		s.Readers = sorted(id, len(members)+1)
		s.Sites = members
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "columns") {
		c := croft.Column{Name: fmt.Sprintf("%s%d", text.Draw(t, "column"), i), Kind: croft.Number, Low: drawDecimal(t, -1000), High: drawDecimal(t, 1000)}
		if rapid.Bool().Draw(t, "category") {
			c = croft.Column{Name: c.Name, Kind: croft.Category, Levels: []string{"x " + text.Draw(t, "level"), "y"}, Other: rapid.SampledFrom([]string{"", "y"}).Draw(t, "other")}
		} else if rapid.Bool().Draw(t, "of measurement") {
			c.Unit = text.Draw(t, "measure")
		}
		if rapid.Bool().Draw(t, "codes") {
			c.Codes = []string{"z" + text.Draw(t, "code")}
		}
		switch rule := rapid.IntRange(0, 2).Draw(t, "missing"); {
		case rule == 1:
			c.Missing = croft.MissingDrop
		case rule == 2 && c.Kind == croft.Number:
			c.Missing, c.Fill = croft.MissingValue, c.Low
		}
		s.Schema.Columns = append(s.Schema.Columns, c)
		s.Model.Features = append(s.Model.Features, c.Name)
	}
	s.Schema.Columns = append(s.Schema.Columns, croft.Column{Name: "the label", Kind: croft.Category, Levels: []string{"level 0", "level 1"}})
	anyFamily(t, &s)
	return s
}

// anyFamily makes a study one of any family.
func anyFamily(t *rapid.T, s *croft.Study) {
	m := &s.Model
	part := func(name string) string {
		s.Schema.Columns = append(s.Schema.Columns, croft.Column{Name: name, Kind: croft.Number, Low: decimal("0.5"), High: decimal("900")})
		return name
	}
	measured := func() {
		m.Positive = ""
		s.Schema.Columns[len(m.Features)] = croft.Column{Name: m.Label, Kind: croft.Number, High: decimal("60")}
	}
	grid := croft.Grid{Width: decimal("30.5"), Cells: 24}
	m.Family = rapid.SampledFrom(families).Draw(t, "family")
	m.Clusters = m.Goal == croft.Inference && slices.Contains([]string{"logistic", "linear", "poisson"}, m.Family)
	if !counts(m.Family) && s.HoldOut.Percent > 0 && rapid.Bool().Draw(t, "groups") {
		s.Schema.Columns = append(s.Schema.Columns, croft.Column{Name: "the group", Kind: croft.Category, Levels: []string{"a", "b", "c"}})
		m.Groups = []croft.Group{{Column: "the group", Levels: 3}}
	}
	if m.Family == "logistic" || m.Family == "firth" {
		m.Threshold = rapid.SampledFrom([]croft.Decimal{{}, decimal("0.25")}).Draw(t, "threshold")
	}
	switch m.Family {
	case "firth":
		m.Ridge = croft.Decimal{}
	case "linear":
		measured()
		m.Weight = part("the weight")
	case "poisson":
		measured()
		m.Exposure = part("the exposure")
	case "cox":
		m.Intercepts, m.Time, m.Ties = croft.SiteIntercepts, part("the time"), "breslow"
		if rapid.Bool().Draw(t, "grid") {
			m.Grid = grid
		}
	case "kaplan-meier", "describe":
		s.HoldOut, s.PerSiteMetrics = croft.HoldOut{}, false
		m.Goal, m.Intercepts, m.Ridge, m.MaxRounds = croft.Inference, "", croft.Decimal{}, 0
		if m.Family == "describe" {
			m.Positive, m.Bins, m.Classes = "", 8, 2
			return
		}
		m.Features, s.Schema.Columns = nil, s.Schema.Columns[len(m.Features):]
		m.Time, m.Grid = part("the time"), grid
	}
}

// drawDecimal draws a number at most 500 above the least one.
func drawDecimal(t *rapid.T, least int64) croft.Decimal {
	d, err := croft.ParseDecimal(fmt.Sprintf("%d.%03d", least+rapid.Int64Range(0, 500).Draw(t, "whole"), rapid.IntRange(0, 999).Draw(t, "part")))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sorted(id func(int) croft.MemberID, n int) []croft.MemberID {
	var ids []croft.MemberID
	for i := range n {
		ids = append(ids, id(i))
	}
	slices.SortFunc(ids, croft.MemberID.Compare)
	return ids
}

// Whatever a study says, its text proposes the same.
func TestTextProposesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStudy(t)
		if err := Validate(s); err != nil {
			t.Fatalf("the test draws what is no study: %v", err)
		}
		names := map[string]croft.MemberID{}
		text := Text(s, "again\n[x]", func(id croft.MemberID) string {
			name := fmt.Sprintf(`"%s" \ ü`, id.Short())
			names[name] = id
			return name
		})
		f, err := Parse(text, "again.toml")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again, err := f.Study(croft.MemberID{9}, nil, func(name string) (croft.MemberID, bool) { id, ok := names[name]; return id, ok })
		if err != nil || again.PlanHash() != s.PlanHash() {
			t.Fatalf("%v\n%+v\n%+v\n%s", err, s, again, text)
		}
	})
}

// A key that is added to the study file needs its line in Text.
func TestTextHasEveryKey(t *testing.T) {
	var texts [][]byte
	rapid.Check(t, func(t *rapid.T) {
		texts = append(texts, Text(anyStudy(t), "", func(croft.MemberID) string { return "a" }))
	})
	all := string(bytes.Join(texts, nil))
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		for f := range typ.Fields() {
			key := f.Tag.Get("toml")
			if !strings.Contains(all, "\n"+key+" = ") && !strings.Contains(all, "{"+key+" = ") && !strings.Contains(all, ", "+key+" = ") && !strings.Contains(all, "\n["+key+"]\n") && !strings.Contains(all, "\n[["+key+"]]\n") {
				t.Errorf("no text has the key %s", key)
			}
			switch {
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				visit(f.Type.Elem())
			case f.Type.Kind() == reflect.Struct && f.Type.Name() == "":
				visit(f.Type)
			}
		}
	}
	visit(reflect.TypeFor[studyFile]())
}
