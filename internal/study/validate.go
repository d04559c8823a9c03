package study

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"croft"
	"croft/internal/fed"
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
	if n, least := len(s.Schema.Columns), 2; n > table.MaxColumns || n < least && (n == 0 || s.Model.Family != "describe") {
		return "column", fmt.Sprintf("there are %d columns; %d to %d are allowed", n, least, table.MaxColumns)
	}
	if why := faultyName(s.Schema.UnitColumn, table.MaxName); why != "" {
		return "people.unit", why + `; name the column that identifies a person, or write "row" if each row is one`
	}
	read := s.Model.Columns()
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
		case !slices.Contains(read, c.Name):
			return where + "name", "it is neither the label nor a feature, and a study reads nothing that it does not use"
		case c.Other != "" && !slices.Contains(c.Levels, c.Other):
			return where + "other", "it is none of the column's levels"
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
	case croft.MissingDrop, croft.MissingMean, croft.MissingIndicator, croft.MissingCount, "":
		if c.Fill != (croft.Decimal{}) {
			return "fill", "the column's rule does not fill in"
		}
	default:
		return "missing", `the rule is "drop", "mean", "indicator" or a number to fill in`
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
	switch {
	case m.Family != croft.Preflight && !slices.Contains(families, m.Family):
		return "model.family", fmt.Sprintf("%.40q is none of %s", m.Family, strings.Join(families, ", "))
	case m.Goal != croft.Inference && m.Goal != croft.Prediction:
		return "model.goal", "it is neither inference nor prediction"
	case counts(m.Family):
		if where, why := faultyCounts(s); why != "" {
			return where, why
		}
	case m.Intercepts != croft.SiteIntercepts && m.Intercepts != croft.CommonIntercept:
		return "model.intercepts", "it is neither site nor common"
	case m.MaxRounds == 0 || m.MaxRounds > maxRounds:
		return "model.max_rounds", fmt.Sprintf("%d; 1 to %d are allowed", m.MaxRounds, maxRounds)
	}
	switch {
	case !canonical(m.Ridge) || m.Ridge.Mantissa < 0 || m.Ridge.Float() > maxRidge:
		return "model.ridge", fmt.Sprintf("it is not a number from 0 to %g", float64(maxRidge))
	case m.Goal == croft.Inference && m.Ridge != croft.Decimal{}:
		return "model.ridge", "inference has none: it would bias odds ratios and their intervals"
	case m.Grid != croft.Grid{} && !canonical(m.Grid.Width):
		return "model.grid.width", "it is not a plain decimal number of at most 18 digits"
	case len(m.Features) == 0 && m.Family != "kaplan-meier":
		return "model.features", "there are none"
	}
	if where, why := faultyLabel(s); why != "" {
		return where, why
	}
	if where, why := faultyParts(s); why != "" {
		return where, why
	}
	if where, why := faultyEvaluation(s); why != "" {
		return where, why
	}
	for i, f := range m.Features {
		switch c, found := s.Schema.Column(f); {
		case !found:
			return "model.features", fmt.Sprintf("there is no column %.40q", f)
		case m.Family == "kaplan-meier" && c.Kind != croft.Category:
			return "model.features", fmt.Sprintf("%.40q is not of kind category: a curve is of each level", f)
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
	for i, n := range names {
		if i > 0 && n == names[i-1] {
			return "model.features", fmt.Sprintf("%.140q would name two model columns", n)
		}
	}
	// The engine knows the rest: what its family has no use for, and its limits.
	_, err := fed.Compile(m, table.ColumnsOf(s), s.PerSiteMetrics)
	if e, ok := errors.AsType[*croft.Error](err); ok && len(e.Args) == 3 {
		return "model." + e.Args[1], e.Args[2]
	}
	return "", ""
}

// faultyGuesses checks the rules that put in what the rows do not say: a mean, or a
// column for what is missing. They are for the features of regressions.
func faultyGuesses(s croft.Study) (where, why string) {
	var means []string
	for _, name := range s.Model.Features {
		if c, _ := s.Schema.Column(name); c.Missing == croft.MissingMean {
			means = append(means, name)
		}
	}
	if !slices.Equal(means, s.Model.Means) {
		return "model.means", "they are not the features with missing = \"mean\", in their order"
	}
	for _, c := range s.Schema.Columns {
		guesses := c.Missing == croft.MissingMean || c.Missing == croft.MissingIndicator
		switch {
		case guesses && (counts(s.Model.Family) || !slices.Contains(s.Model.Features, c.Name)):
			return columnKey(c.Name) + "missing", `"mean" and "indicator" are for the features of regressions`
		case c.Missing == croft.MissingMean && c.Kind != croft.Number:
			return columnKey(c.Name) + "missing", "only a number has a mean"
		}
	}
	return "", ""
}

// families are the names that a study file may give, as in docs/ref/plans.
var families = []string{"logistic", "firth", "linear", "poisson", "cox", "kaplan-meier", "describe"}

// counts says of a family that it counts and fits nothing: all rows are in its
// totals, and there is nothing to hold out, to penalise or to try on other rows.
func counts(family string) bool {
	return family == "kaplan-meier" || family == "describe" || family == croft.Preflight
}

// faultyCounts refuses what such a family would leave unused.
func faultyCounts(s croft.Study) (where, why string) {
	m := s.Model
	switch {
	case s.HoldOut != croft.HoldOut{}:
		return "people.hold_out", m.Family + " counts everybody: leave it and hold_out_key out"
	case m.Intercepts != "":
		return "model.intercepts", m.Family + " has none: leave it out"
	case m.MaxRounds != 0:
		return "model.max_rounds", m.Family + " takes no steps that repeat: leave it out"
	case s.PerSiteMetrics:
		return "may_leave.site_metrics", m.Family + " predicts nothing that could be right or wrong"
	}
	return "", ""
}

func faultyLabel(s croft.Study) (where, why string) {
	m := s.Model
	label, found := s.Schema.Column(m.Label)
	number := found && label.Kind == croft.Number && (m.Family == "linear" || m.Family == "poisson")
	if where, why := faultyGuesses(s); why != "" {
		return where, why
	}
	for _, c := range s.Schema.Columns {
		if (c.Missing == croft.MissingCount) != (m.Family == croft.Preflight) {
			return columnKey(c.Name) + "missing", "a preflight counts what is missing, and nothing else does"
		}
	}
	switch {
	case m.Family == croft.Preflight:
		return faultyTally(s)
	case m.Family == "describe" && m.Label == "":
		if m.Positive != "" || m.Classes != 0 {
			return "model.positive", "there is no label"
		}
	case m.Family == "linear" && !number:
		return "model.label", "it does not name a column of kind number"
	case !number && (!found || label.Kind != croft.Category):
		return "model.label", "it does not name a column of kind category"
	case number && m.Positive != "":
		return "model.positive", "the label is a number: leave it out"
	case number && m.Family == "poisson" && (label.Low.Mantissa < 0 || label.High.Float() > 1<<20):
		return columnKey(m.Label) + "low", "the label is a count, from 0 to at most 1048576"
	case m.Family == "describe" && (m.Positive != "" || int(m.Classes) != len(label.Levels)):
		return "model.positive", "a description counts by all levels of the label: leave it out"
	case !number && m.Family != "describe" && !slices.Contains(label.Levels, m.Positive):
		return "model.positive", fmt.Sprintf("%.40q is not a level of the label, whose levels are %.200s", m.Positive, strings.Join(label.Levels, ", "))
	}
	return "", ""
}

// faultyTally checks what a preflight counts by, and that it counts in all columns.
func faultyTally(s croft.Study) (where, why string) {
	label, found := s.Schema.Column(s.Model.Label)
	switch {
	case s.Model.Label != "" && !found:
		return "model.label", "it does not name a column"
	case s.Model.Positive != "" && !slices.Contains(label.Levels, s.Model.Positive):
		return "model.positive", "it is not a level of the label"
	case int(s.Model.Cells) != table.Cells(s):
		return "model.cells", fmt.Sprintf("%d; these columns have %d", s.Model.Cells, table.Cells(s))
	}
	return "", ""
}

// faultyParts checks the columns with a part of their own beside label and features.
func faultyParts(s croft.Study) (where, why string) {
	m := s.Model
	taken := append(slices.Clone(m.Features), m.Label)
	for _, part := range []struct {
		key, column string
		low, high   float64
	}{{"time", m.Time, 0, 1 << 40}, {"exposure", m.Exposure, 1.0 / (1 << 10), 1 << 20}, {"weight", m.Weight, 1.0 / (1 << 10), 1 << 10}} {
		if part.column == "" {
			continue
		}
		c, _ := s.Schema.Column(part.column)
		switch {
		case c.Kind != croft.Number:
			return "model." + part.key, "it does not name a column of kind number"
		case slices.Contains(taken, part.column):
			return "model." + part.key, "the column has another part in the model already"
		case c.Low.Float() < part.low || c.High.Float() > part.high:
			return columnKey(c.Name) + "low", fmt.Sprintf("its range as %s must lie within %g to %g", part.key, part.low, part.high)
		}
		taken = append(taken, part.column)
	}
	return "", ""
}

// faultyEvaluation checks what a model is held against on held-out rows.
func faultyEvaluation(s croft.Study) (where, why string) {
	m := s.Model
	chance := m.Family == "logistic" || m.Family == "firth"
	switch {
	case !canonical(m.Threshold) || m.Threshold.Mantissa < 0 || m.Threshold.Float() >= 1:
		return "evaluation.threshold", "it is not a probability between 0 and 1"
	case m.Threshold != croft.Decimal{} && !chance:
		return "evaluation.threshold", m.Family + " predicts no probability: leave it out"
	case len(m.Groups) > 0 && counts(m.Family):
		return "evaluation.groups", m.Family + " predicts nothing that could be right or wrong"
	case len(m.Groups) > 0 && s.HoldOut.Percent == 0:
		return "evaluation.groups", "nobody is held out to evaluate the model on: set people.hold_out"
	}
	for i, g := range m.Groups {
		switch c, found := s.Schema.Column(g.Column); {
		case !found || c.Kind != croft.Category:
			return "evaluation.groups", fmt.Sprintf("%.40q does not name a column of kind category", g.Column)
		case g.Column == m.Label:
			return "evaluation.groups", "the label is no group"
		case c.Missing == croft.MissingIndicator:
			return "evaluation.groups", fmt.Sprintf("%.40q keeps rows without a value, which belong to no level: write missing = \"drop\"", g.Column)
		case int(g.Levels) != len(c.Levels):
			return "evaluation.groups", fmt.Sprintf("%.40q has %d levels, not %d", g.Column, len(c.Levels), g.Levels)
		case slices.ContainsFunc(m.Groups[:i], func(o croft.Group) bool { return o.Column == g.Column }):
			return "evaluation.groups", fmt.Sprintf("%.40q is there twice", g.Column)
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
