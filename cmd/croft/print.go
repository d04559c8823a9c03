package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/study"
)

//go:embed print.html
var approvalText string

var approvalPage = template.Must(template.New("approval").Funcs(template.FuncMap{
	"day": day, "size": size, "names": names, "groups": groups, "next": func(n uint8) int { return int(n) + 1 }, "others": func(n int) int { return n - 1 }, "collusion": collusion,
	"last": func(unix int64) string { return time.Unix(unix-1, 0).UTC().Format("2 January 2006") },
}).Parse(approvalText))

// approval is what a person decides by, in the words of the page.
type approval struct {
	studyShowResult
	Here     string // about how many people the site has
	Method   string
	Columns  []printedColumn
	Required []api.Party // sites without which it does not start
	Use      string
	Made     time.Time
}

type printedColumn struct{ Name, Role, Values, Missing string }

type printedPage struct {
	File string `json:"file,omitempty"`
	Page string `json:"page,omitempty"`
}

// printApproval writes the page of a study. It stands alone: no script, nothing
// fetched.
func (c *cli) printApproval(r studyShowResult, out string) error {
	page, err := renderApproval(r, time.Now())
	if err != nil {
		return err
	}
	out = cmp.Or(out, fileName(r.Name)+".html")
	return c.write(out, page, func(file, text string) any { return printedPage{file, text} }, func(w io.Writer) { tell(w, "print.done", out) })
}

// renderApproval makes the page. What somebody put on the ledger without this
// program, and could deceive a reader, it refuses.
func renderApproval(r studyShowResult, at time.Time) ([]byte, error) {
	if err := study.Validate(r.Plan); err != nil {
		return nil, err
	}
	p := r.Plan
	a := approval{studyShowResult: r, Method: p.Model.Family, Use: uses(p.Use), Made: at}
	if key := "print.family." + p.Model.Family; sentences[key] != "" {
		a.Method = say(key, p.Model.Label, p.Model.Positive)
	}
	if r.Check != nil {
		a.Here = about(r.Check.People)
	}
	for _, col := range p.Schema.Columns {
		a.Columns = append(a.Columns, printColumn(p.Model, col))
	}
	for _, site := range r.Sites {
		if slices.Contains(p.Required, site.ID) {
			a.Required = append(a.Required, site.Party)
		}
	}
	var page bytes.Buffer
	err := approvalPage.Execute(&page, a)
	return page.Bytes(), err
}

func printColumn(m croft.Model, col croft.Column) printedColumn {
	out := printedColumn{Name: col.Name, Values: say("print.levels", strings.Join(col.Levels, ", ")), Missing: missingRule(col)}
	if col.Other != "" {
		out.Values = say("print.other", out.Values, col.Other)
	}
	if col.Kind == croft.Number {
		out.Values = strings.TrimSpace(say("print.range", col.Low, col.High, col.Unit))
	}
	if len(col.Codes) > 0 {
		out.Values = say("print.codes", out.Values, strings.Join(col.Codes, ", "))
	}
	role := "print.unused"
	switch {
	case col.Name == m.Label:
		role = "print.label"
	case col.Name == m.Time:
		role = "print.time"
	case col.Name == m.Exposure:
		role = "print.exposure"
	case col.Name == m.Weight:
		role = "print.weight"
	case slices.Contains(m.Features, col.Name):
		role = "print.feature"
	}
	if slices.ContainsFunc(m.Groups, func(g croft.Group) bool { return g.Column == col.Name }) {
		if role == "print.unused" {
			out.Role = say("print.group")
			return out
		}
		out.Role = say("print.also", say(role), say("print.group"))
		return out
	}
	out.Role = say(role)
	return out
}

// about rounds a number of people: a page that goes around need not say it exactly.
func about(people int) string {
	if people < 20 {
		return say("print.few")
	}
	step := 10
	for people/step >= 100 {
		step *= 10
	}
	return say("print.about", (people+step/2)/step*step)
}

// groups writes a hash in groups of four digits, for eyes that compare.
func groups(h croft.Hash) string {
	var parts []string
	for digits := range slices.Chunk([]byte(h.String()), 4) {
		parts = append(parts, string(digits))
	}
	return strings.Join(parts, " ")
}

// fileName makes a file's name from a text of people.
func fileName(text string) string { return cmp.Or(slug(text), "unnamed") }

// slug is what a text has of letters and digits that every system takes, with dashes
// between; "" if it has none.
func slug(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-") // a leading one would be a flag's
}
