package study

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"croft"
	"croft/internal/data"
)

// Draft returns the text of a study file for a CSV file that looks like d: with a
// comment for each key, and REQUIRED where only a person knows the value. Until
// those are filled in, Parse refuses it.
func Draft(csvName string, d data.Draft) []byte {
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
	line(`hold_out = 25             # percent of people who test the model and do not train it
hold_out_key = "croft"    # the same people are held out in every study with the same key

[model]
family = "logistic"
goal = "inference"        # odds ratios with intervals; or "prediction", which allows ridge
intercepts = "site"       # each site's own base rate, which never leaves; or "common"
ridge = 0                 # above 0 only for prediction
label = ""                # REQUIRED: the category to explain%s
positive = ""             # REQUIRED: its level that counts as yes
# features = [...]        # left out: all columns but the label
max_rounds = 25

[may_leave]
readers = ["sites", "proposer"]  # who reads the totals; also "seats", or members' names
site_metrics = false             # true: each site's own accuracy is published by name

[result]
use = "members"           # who may use the model: members, network, market, public
export = false            # may it be saved as a file?

[sums]
profile = "majority"      # more than half of the seats must collude to see one site's numbers; or "strict"
checked = true            # false: one lying seat could go unnoticed, but fewer must be up
patience = "10m"          # without news for so long, a site counts as absent

# The columns that are read; all others stay unread. Ranges and levels become
# public and were guessed from one file: replace them by what is possible in
# anyone, so that they say nothing about that file's people. A value outside
# stops the site. A category's first level is the one others are compared to.`, candidates(d))
	for _, c := range d.Columns {
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
		}
		if len(c.Codes) > 0 {
			line("missing_codes = [%s]  # besides an empty cell", quotedList(c.Codes))
		}
		if c.Missing != "" {
			line("missing = %s  # leave the row out; without a rule a missing value stops the site", quoted(string(c.Missing)))
		}
	}
	if len(d.LeftOut) > 0 {
		line("\n# Left out:")
	}
	for _, l := range d.LeftOut {
		line("#   %s: %s", comment(quoted(l.Name)), l.Reason)
	}
	return b.Bytes()
}

// candidates suggests labels: categories of two levels.
func candidates(d data.Draft) string {
	var names []string
	for _, c := range d.Columns {
		if c.Kind == croft.Category && len(c.Levels) == 2 && len(names) < 8 {
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
