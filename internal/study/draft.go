package study

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"croft"
	"croft/internal/data"
)

// Draft returns the text of a study file of a family for a CSV file that looks like
// d: with a comment for each key, and REQUIRED where only a person knows the value.
// Until those are filled in, Parse refuses it.
func Draft(csvName string, d data.Draft, family string) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	base := filepath.Base(csvName)
	line(`# A Croft study. Every site that approves it approves exactly what stands here.
# Guessed from %s, %d rows. REQUIRED marks what only you know; where a value is
# given for a key outside of [[column]], the key may also be left out.
`, comment(base), d.Rows)
	line(`name = %s`, quoted(studyName(base)))
	line(`purpose = ""      # REQUIRED: the question, in words that a patient understands`)
	line(`legal_basis = ""  # REQUIRED: for example "research, ethics vote 12/2026 of ..."`)
	line(`contact = ""      # REQUIRED: who answers questions`)
	line(`expires = ""      # REQUIRED: the last day, as a date without quotes: 2027-01-31`)
	line(`
[sites]
members = []   # REQUIRED: who may take part, at least three: ["clinic-a", "clinic-b", "clinic-c"]
required = []  # without whom it does not start
min = 3        # it starts with so many; a site hides among the others, so never fewer than three

[people]`)
	if d.Unit != "" {
		line(`unit = %s  # the column that identifies a person; it never leaves a site. "row": each row is one`, quoted(d.Unit))
	} else {
		line(`unit = ""  # REQUIRED: the column that identifies a person (it never leaves a site), or "row" if each row is one`)
	}
	if !counts(family) {
		line(`hold_out = 25             # percent of people who test the model and do not train it
hold_out_key = "croft"    # the same people are held out in every study with the same key`)
	}
	line(`
[model]
family = %s`, quoted(family))
	for _, key := range draftKeys(family, d) {
		line("%s", key)
	}
	if !counts(family) {
		line(`
[evaluation]
groups = []               # categories: is the model as good for each of their levels? For example ["sex"]`)
		if family == "logistic" || family == "firth" {
			line(`threshold = 0.5           # the probability from which on a row is taken for a yes`)
		}
	}
	line(`
[may_leave]
readers = ["sites", "proposer"]  # who reads the totals; also "seats", or members' names`)
	if !counts(family) {
		line(`site_metrics = false             # true: each site's own accuracy is published by name`)
	}
	line(`
[result]
use = "members"           # who may use the model: members, network, market, public
export = false            # may it be saved as a file?

[sums]
profile = "majority"      # more than half of the seats must collude to see one site's numbers; or "strict"
checked = true            # false: one lying seat could go unnoticed, but fewer must be up
proof = true              # each report proves that its numbers keep to their bound; false: a site's word for it
patience = "10m"          # without news for so long, a site counts as absent

# The columns that are read; all others stay unread. Ranges and levels become
# public and were guessed from one file: replace them by what is possible in
# anyone, so that they say nothing about that file's people. A value outside
# stops the site. A category's first level is the one others are compared to.`)
	if family == "kaplan-meier" {
		line("# Delete the columns that the study does not use.")
	}
	for _, c := range d.Columns {
		draftColumn(line, c)
	}
	if len(d.LeftOut) > 0 {
		line("\n# Left out:")
	}
	for _, l := range d.LeftOut {
		line("#   %s: %s", comment(quoted(l.Name)), l.Reason)
	}
	return b.Bytes()
}

// draftColumn writes the table of one column.
func draftColumn(line func(format string, args ...any), c data.DraftColumn) {
	line("\n[[column]]")
	if c.Note != "" {
		line("# %s", comment(c.Note))
	}
	line("name = %s", quoted(c.Name))
	line("kind = %s", quoted(string(c.Kind)))
	if c.Kind == croft.Number {
		line(`unit = ""  # of measurement`)
		line("low = %v\nhigh = %v", c.Low, c.High)
	} else {
		line("levels = [%s]", quotedList(c.Levels))
		if c.Merged != nil {
			line("# the small ones together:\n# levels = [%s]\n# other = %s  # whatever is none of these", quotedList(c.Merged), quoted(c.Merged[len(c.Merged)-1]))
		}
	}
	if len(c.Codes) > 0 {
		line("missing_codes = [%s]  # besides an empty cell", quotedList(c.Codes))
	}
	if c.Missing != "" {
		others := `or "indicator"`
		if c.Kind == croft.Number {
			others = `or "mean", "indicator"`
		}
		line("missing = %s  # leave the row out; %s. Without a rule a missing value stops the site", quoted(string(c.Missing)), others)
	}
}

// Families returns the names of the families that a study file may give.
func Families() []string { return slices.Clone(families) }

// draftKeys returns the lines of the model's keys, with what each is for.
func draftKeys(family string, d data.Draft) []string {
	yesOrNo := candidates(d, func(c data.DraftColumn) bool { return c.Kind == croft.Category && len(c.Levels) == 2 })
	number := candidates(d, func(c data.DraftColumn) bool { return c.Kind == croft.Number })
	category := candidates(d, func(c data.DraftColumn) bool { return c.Kind == croft.Category })
	goal := func(gives string) string {
		return fmt.Sprintf("%-25s # %s with intervals; or \"prediction\", which allows ridge", `goal = "inference"`, gives)
	}
	const (
		intercepts = `intercepts = "site"       # each site's own base rate, which never leaves; or "common"`
		ridge      = `ridge = 0                 # above 0 only for prediction`
		features   = `# features = [...]        # left out: all columns but the label`
		others     = `# features = [...]        # left out: all columns without another part`
		rounds     = `max_rounds = 25`
		clusters   = `clusters = false          # true: standard errors that allow for several rows of one person`
		positive   = `positive = ""             # REQUIRED: its level that counts as yes`
		happened   = `positive = ""             # REQUIRED: its level that says that the event happened`
	)
	label := func(what, like string) string { return fmt.Sprintf("%-25s # REQUIRED: %s%s", `label = ""`, what, like) }
	time := `time = ""                 # REQUIRED: the column of follow-up times, from 0` + number
	switch family {
	case "firth":
		return []string{`goal = "inference"        # odds ratios with intervals; or "prediction"`, intercepts, label("the category to explain", yesOrNo), positive, features, `max_rounds = 60           # where events are rare the steps are short`}
	case "linear":
		return []string{goal("differences"), intercepts, ridge, label("the number to explain", number), others, `# weight = ""             # a column of weights, above 0`, clusters, rounds}
	case "poisson":
		return []string{goal("rate ratios"), intercepts, ridge, label("the count to explain: a number, or a category with positive = its level that counts as 1", number), others,
			`# exposure = ""           # a column of how long or how much was at risk, above 0`, `# weight = ""             # a column of weights, above 0`, clusters, rounds}
	case "cox":
		return []string{goal("hazard ratios"), `intercepts = "site"       # each site's own baseline hazard, which never leaves`, ridge, time, label("the category that says how the time ended", yesOrNo), happened, others,
			`ties = "efron"            # or "breslow"`, `# grid = {width = 30, cells = 36}  # counts by time for the check of proportional hazards; left out: each site uses its own curve`, rounds}
	case "kaplan-meier":
		return []string{time, label("the category that says how the time ended", yesOrNo), happened,
			`grid = {width = 0, cells = 0}  # REQUIRED: width in the unit of the time. A cell with too few people stops its site: choose wide ones`,
			`features = []             # one category, for a curve of each of its levels and a log-rank test` + category}
	case "describe":
		return []string{`label = ""                # a category, for tables by its levels` + category, `bins = 8                  # equal parts of each number's range, for histograms and quantiles; 0: means only. Small cells stop the site`, features}
	}
	return []string{goal("odds ratios"), intercepts, ridge, label("the category to explain", yesOrNo), positive, features, rounds}
}

// candidates suggests columns.
func candidates(d data.Draft, fit func(data.DraftColumn) bool) string {
	var names []string
	for _, c := range d.Columns {
		if fit(c) && len(names) < 8 {
			names = append(names, quoted(c.Name))
		}
	}
	if names == nil {
		return ""
	}
	return ", for example " + strings.Join(names, ", ")
}

// studyName makes a study's name from a file's.
func studyName(base string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(strings.TrimSuffix(base, filepath.Ext(base)), "-"))
	for len(name) > maxShort { // at a letter's end
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return cmp.Or(name, "study")
}

// quoted writes a TOML string: Go's escapes of printable text are TOML's too.
func quoted(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "?")) }

func quotedList(texts []string) string {
	var out []string
	for _, t := range texts {
		out = append(out, quoted(t))
	}
	return strings.Join(out, ", ")
}

// comment keeps a text within its line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
