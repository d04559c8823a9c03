package study

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"croft"
	"croft/internal/ledger"
	"croft/internal/table"
)

// Bounds of a study, so that what comes from the ledger costs little to look at.
const (
	maxMembers   = 32
	maxShort     = 64   // bytes of a name
	maxText      = 2000 // bytes of a text for people
	maxRounds    = 100
	maxPatience  = 720 * time.Hour
	maxRidge     = 1e6
	maxCodes     = 16
	maxHoldOut   = 50
	maxStudySize = 12 << 10 // bytes of the encoding; a transaction holds 16 KiB
)

// Validate checks that a study can be run and that everything in it is bounded.
// A node validates what it proposes and what it reads from the ledger. It does
// not know the time, the members or the engines that a node has. ErrStudyValue
// names the key in the words of the study file.
func Validate(s croft.Study) error {
	if where, why := fault(s); why != "" {
		return croft.E(croft.ErrStudyValue, "the study", where, why)
	}
	return nil
}

// fault returns the first key with a value that cannot be, and why; or "", "".
func fault(s croft.Study) (where, why string) {
	for _, check := range []func(croft.Study) (string, string){faultyText, faultySites, faultySchema, faultyModel, faultySums} {
		if where, why := check(s); why != "" {
			return where, why
		}
	}
	if n := len(croft.Encode(s)); n > maxStudySize {
		return "the study", fmt.Sprintf("its canonical form has %d bytes; at most %d are allowed", n, maxStudySize)
	}
	return "", ""
}

func faultyText(s croft.Study) (where, why string) {
	for _, t := range []struct {
		key, text string
		most      int
	}{{"name", s.Name, maxShort}, {"purpose", s.Purpose, maxText}, {"legal_basis", s.LegalBasis, maxText}, {"contact", s.Contact, maxText}} {
		if why := faultyName(t.text, t.most); why != "" {
			return t.key, why
		}
	}
	switch {
	case s.Version != 1:
		return "version", fmt.Sprintf("%d; this program knows 1", s.Version)
	case s.Expires <= 0 || s.Expires > 1<<40:
		return "expires", "it is missing or far away; write a date such as 2027-01-31"
	case !slices.Contains([]croft.Use{croft.UseMembers, croft.UseNetwork, croft.UseMarket, croft.UsePublic}, s.Use):
		return "result.use", "it is none of members, network, market, public"
	}
	return "", ""
}

// faultyName says why a text cannot be a name, a purpose, a level. People decide
// by reading it: no line ends that could imitate the screen around it, nothing
// invisible, nothing that reverses letters.
func faultyName(text string, most int) (why string) {
	switch {
	case text == "":
		return "it is empty"
	case len(text) > most:
		return fmt.Sprintf("it has %d bytes; at most %d are allowed", len(text), most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "it holds characters that cannot be printed"
	case strings.TrimSpace(text) != text:
		return "it begins or ends with a space"
	}
	return ""
}

func faultySites(s croft.Study) (where, why string) {
	for _, l := range []struct {
		key   string
		ids   []croft.MemberID
		least int
	}{{"sites.members", s.Sites, ledger.MinSites}, {"sites.required", s.Required, 0}, {"may_leave.readers", s.Readers, 1}} {
		if len(l.ids) < l.least || len(l.ids) > maxMembers {
			return l.key, fmt.Sprintf("it has %d members; %d to %d are allowed", len(l.ids), l.least, maxMembers)
		}
		for i, id := range l.ids {
			if id.IsZero() || slices.Contains(l.ids[:i], id) {
				return l.key, "a member is there twice or has no id"
			}
		}
	}
	for _, id := range s.Required {
		if !slices.Contains(s.Sites, id) {
			return "sites.required", "a required site is not one of the members"
		}
	}
	if s.MinSites < ledger.MinSites || int(s.MinSites) > len(s.Sites) {
		return "sites.min", fmt.Sprintf("%d; at least %d hide each other, and there are %d", s.MinSites, ledger.MinSites, len(s.Sites))
	}
	return "", ""
}

func faultySchema(s croft.Study) (where, why string) {
	if n := len(s.Schema.Columns); n < 2 || n > table.MaxColumns {
		return "column", fmt.Sprintf("there are %d columns; 2 to %d are allowed", n, table.MaxColumns)
	}
	if why := faultyName(s.Schema.UnitColumn, table.MaxName); why != "" {
		return "people.unit", why + `; name the column that identifies a person, or write "row" if each row is one`
	}
	for i, c := range s.Schema.Columns {
		if why := faultyName(c.Name, table.MaxName); why != "" {
			return fmt.Sprintf("column %d: name", i+1), why
		}
		where := columnKey(c.Name)
		switch {
		case slices.ContainsFunc(s.Schema.Columns[:i], func(o croft.Column) bool { return o.Name == c.Name }):
			return where + "name", "it is there twice"
		case c.Name == s.Schema.UnitColumn:
			return where + "name", "the column that identifies people is only used to tell them apart"
		case c.Name != s.Model.Label && !slices.Contains(s.Model.Features, c.Name):
			return where + "name", "it is neither the label nor a feature, and a study reads nothing that it does not use"
		case c.Unit != "" && faultyName(c.Unit, maxShort) != "":
			return where + "unit", faultyName(c.Unit, maxShort)
		}
		key, why := faultyValues(c)
		if why == "" {
			key, why = faultyMissing(c)
		}
		if why != "" {
			return where + key, why
		}
	}
	return "", ""
}

func faultyValues(c croft.Column) (key, why string) {
	switch c.Kind {
	case croft.Number:
		for _, d := range []croft.Decimal{c.Low, c.High, c.Fill} {
			if !canonical(d) {
				return "low", "it, high or fill is not a plain decimal number of at most 18 digits"
			}
		}
		switch {
		case c.Low.Float() >= c.High.Float():
			return "low", fmt.Sprintf("%v is not below high, %v", c.Low, c.High)
		case len(c.Levels) > 0:
			return "levels", "a number has none"
		}
	case croft.Category:
		if c.Low != (croft.Decimal{}) || c.High != (croft.Decimal{}) || c.Fill != (croft.Decimal{}) {
			return "kind", "low, high and fill are for numbers"
		}
		if n := len(c.Levels); n < 2 || n > table.MaxLevels {
			return "levels", fmt.Sprintf("there are %d; 2 to %d are allowed", n, table.MaxLevels)
		}
		for i, l := range c.Levels {
			if why := faultyName(l, table.MaxName); why != "" {
				return "levels", fmt.Sprintf("%.40q: %s", l, why)
			}
			if slices.Contains(c.Levels[:i], l) {
				return "levels", fmt.Sprintf("%.40q is there twice", l)
			}
		}
	default:
		return "kind", "it is neither number nor category"
	}
	return "", ""
}

func faultyMissing(c croft.Column) (key, why string) {
	if len(c.Codes) > maxCodes {
		return "missing_codes", fmt.Sprintf("there are %d; at most %d are allowed", len(c.Codes), maxCodes)
	}
	for i, code := range c.Codes {
		if why := faultyName(code, table.MaxName); why != "" {
			return "missing_codes", fmt.Sprintf("%.40q: %s", code, why)
		}
		value, number := table.ParseNumber(code)
		for _, l := range append(slices.Clone(c.Levels), c.Codes[:i]...) {
			if v, ok := table.ParseNumber(l); l == code || ok && number && v == value {
				return "missing_codes", fmt.Sprintf("%.40q is a level or there twice", code)
			}
		}
	}
	switch c.Missing {
	case croft.MissingValue:
		if c.Kind != croft.Number {
			return "missing", "only a number can be filled in"
		}
		if f := c.Fill.Float(); f < c.Low.Float() || f > c.High.Float() {
			return "fill", fmt.Sprintf("%v is outside the declared range", c.Fill)
		}
	case croft.MissingDrop, "":
		if c.Fill != (croft.Decimal{}) {
			return "fill", "the column's rule does not fill in"
		}
	default:
		return "missing", `the rule is "drop" or a number to fill in`
	}
	return "", ""
}

// canonical reports whether a decimal is written as ParseDecimal writes it, so
// that equal numbers have equal hashes.
func canonical(d croft.Decimal) bool {
	again, err := croft.ParseDecimal(d.String())
	return err == nil && again == d
}

func faultyModel(s croft.Study) (where, why string) {
	m := s.Model
	label, found := s.Schema.Column(m.Label)
	switch {
	case m.Family != "logistic":
		return "model.family", "it is not logistic"
	case m.Goal != croft.Inference && m.Goal != croft.Prediction:
		return "model.goal", "it is neither inference nor prediction"
	case m.Intercepts != croft.SiteIntercepts && m.Intercepts != croft.CommonIntercept:
		return "model.intercepts", "it is neither site nor common"
	case !canonical(m.Ridge) || m.Ridge.Mantissa < 0 || m.Ridge.Float() > maxRidge:
		return "model.ridge", fmt.Sprintf("it is not a number from 0 to %g", float64(maxRidge))
	case m.Goal == croft.Inference && m.Ridge != croft.Decimal{}:
		return "model.ridge", "inference has none: it would bias odds ratios and their intervals"
	case !found || label.Kind != croft.Category:
		return "model.label", "it does not name a column of kind category"
	case !slices.Contains(label.Levels, m.Positive):
		return "model.positive", "it is not a level of the label"
	case len(m.Features) == 0:
		return "model.features", "there are none"
	case m.MaxRounds == 0 || m.MaxRounds > maxRounds:
		return "model.max_rounds", fmt.Sprintf("%d; 1 to %d are allowed", m.MaxRounds, maxRounds)
	}
	for i, f := range m.Features {
		switch _, found := s.Schema.Column(f); {
		case !found:
			return "model.features", fmt.Sprintf("there is no column %.40q", f)
		case f == m.Label:
			return "model.features", "the label cannot predict itself"
		case slices.Contains(m.Features[:i], f):
			return "model.features", fmt.Sprintf("%.40q is there twice", f)
		}
	}
	names := table.ColumnsOf(s)
	if len(names) > table.MaxModel {
		return "model.features", fmt.Sprintf("they make %d model columns; at most %d are allowed", len(names), table.MaxModel)
	}
	slices.Sort(names)
	for i, n := range names[1:] {
		if n == names[i] {
			return "model.features", fmt.Sprintf("%.140q would name two model columns", n)
		}
	}
	return "", ""
}

func faultySums(s croft.Study) (where, why string) {
	switch {
	case s.HoldOut.Percent > maxHoldOut:
		return "people.hold_out", fmt.Sprintf("%d percent; at most %d are allowed", s.HoldOut.Percent, maxHoldOut)
	case s.HoldOut != croft.HoldOut{} && faultyName(s.HoldOut.Key, maxShort) != "":
		return "people.hold_out_key", faultyName(s.HoldOut.Key, maxShort)
	case s.Patience == 0 || time.Duration(s.Patience)*time.Second > maxPatience:
		return "sums.patience", "it is not a time from one second to 720 hours"
	case faultyName(s.Engine, maxShort) != "":
		return "engine", faultyName(s.Engine, maxShort)
	}
	return "", ""
}

// columnKey begins the key of a value of a column.
func columnKey(name string) string { return fmt.Sprintf("column %.40q: ", name) }
