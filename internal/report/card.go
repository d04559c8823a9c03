package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/energy"
)

//go:embed card.tmpl
var cardText string

var card = template.Must(template.New("card").Funcs(template.FuncMap{
	"md": markdown, "quote": quote, "num": num, "p": probability, "interval": interval,
	"hex": func(h croft.Hash) string { return h.String() },
	"seconds": func(c croft.Cost) string {
		return fmt.Sprintf("%.2f", (time.Duration(c.CPU) * time.Microsecond).Seconds())
	},
}).Parse(cardText))

// Card returns the model card: a README.md as Hugging Face wants it, filled from the
// study, its result and the ledger.
func (e Export) Card() ([]byte, error) {
	view := struct {
		Export
		Title, Task, Output, Is string
		Columns                 []croft.Column
		Words                   []string
		Parts                   []part
		Cost                    croft.Cost
		Energy                  energy.Reading
		Inputs                  string
	}{Export: e, Title: titles[e.Result.Family], Task: "tabular-classification", Words: words(e.Result), Parts: parts(e.Result)}
	view.Output, view.Is = e.output()
	if view.Output != "probability" {
		view.Task = "tabular-regression"
	}
	for _, name := range e.Plan.Model.Features {
		c, _ := e.Plan.Schema.Column(name)
		view.Columns = append(view.Columns, c)
		view.Inputs += fmt.Sprintf("    %s: np.array(%s).reshape(-1, 1),\n", quote(c.Name), sample(c))
	}
	for _, r := range e.Rounds {
		view.Cost.CPU += r.Cost.CPU
		view.Cost.Bytes += r.Cost.Bytes
	}
	view.Energy = energy.Modelled(time.Duration(view.Cost.CPU) * time.Microsecond)
	var out strings.Builder
	err := card.Execute(&out, view)
	return []byte(out.String()), err
}

// part is some of the held-out rows, with what the model is worth on them.
type part struct {
	Name    string
	Rows    int64
	Metrics []metric
}

// metric is a figure under the name that Hugging Face has for it.
type metric struct {
	Type, Name string
	Value      float64
	Interval   string
}

// parts are all held-out rows, then those of each site and of each group, as far as
// the study lets them be known.
func parts(r api.Result) (out []part) {
	if r.TestRows == 0 {
		return nil
	}
	add := func(name string, s api.Score) {
		if s.Rows > 0 {
			out = append(out, part{name, s.Rows, metrics(r, s)})
		}
	}
	add("all sites", r.Score)
	for _, s := range r.Sites {
		add(s.Name, s.Score)
	}
	for _, g := range r.Groups {
		for _, l := range g.Levels {
			add(g.Column+" = "+l.Level, l.Score)
		}
	}
	return out
}

func metrics(r api.Result, s api.Score) []metric {
	switch r.Family {
	case "linear":
		return []metric{{"rmse", "Root mean squared error" + inUnit(r.LabelUnit), s.RMSE, ""}}
	case "poisson":
		return []metric{{"deviance", "Deviance of a row", s.RowDeviance, ""}}
	case "cox":
		return []metric{{"c_index", "Concordance within sites", s.Concordance, ""}}
	}
	return []metric{{"roc_auc", "AUC within sites", s.AUC.Value, interval(s.AUC)}, {"log_loss", "Log-loss", s.LogLoss.Value, interval(s.LogLoss)},
		{"accuracy", "Accuracy", s.Accuracy.Value, interval(s.Accuracy)}, {"brier_score", "Brier score", s.Brier, ""}}
}

// sample is an array of one value as numpy takes it.
func sample(c croft.Column) string {
	if c.Kind != croft.Category {
		return "[" + c.Low.String() + "], dtype=np.float64"
	}
	if codes, all := integers(c.Levels); all {
		return fmt.Sprintf("[%d], dtype=np.int64", codes[0])
	}
	return "[" + quote(c.Levels[0]) + "], dtype=object"
}

// quote writes text as YAML, JSON and Python alike take it.
func quote(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// markdown writes text of others so that it stays text: no link, no markup, one line.
func markdown(text any) string {
	var out strings.Builder
	for _, r := range fmt.Sprint(text) {
		switch {
		case r == '&':
			out.WriteString("&amp;")
		case r == '<':
			out.WriteString("&lt;")
		case strings.ContainsRune("\\`*_[]#|~$", r):
			out.WriteString(`\` + string(r))
		case r < ' ':
			out.WriteByte(' ')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
