package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"croft"
	"croft/internal/table"
)

func (c *cli) studyPreflightVerb() *verb {
	o := studyProposeOptions{preflight: true}
	cmd := c.verb("study.preflight", "preflight FILE.toml|STUDY", one(func(ctx context.Context, of string) error {
		if isFile(of) {
			return c.studyPropose(ctx, of, o)
		}
		if o.dryRun || o.dataset != "" || o.again || o.wait || o.data.file != "" {
			return croft.E(croft.ErrUsage, say("study.preflight.flags"), say("study.preflight.flags.fix"))
		}
		return c.studyPreflight(ctx, of)
	}))
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, say("study.propose.flag.dry"))
	cmd.Flags().StringVar(&o.dataset, "dataset", "", say("study.propose.flag.dataset"))
	cmd.Flags().BoolVar(&o.again, "again", false, say("study.preflight.flag.again"))
	answerFlags(cmd, &o.data, &o.wait)
	return cmd
}

// studyPreflight shows what of a finished preflight looks wrong in this site's rows.
func (c *cli) studyPreflight(ctx context.Context, ref string) error {
	st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	r, err := c.node().Preflight(ctx, st.ID.String())
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "result.title.describe", r.Name, "", "", croft.Preflight)
		printShape(w, r.Shape)
		if len(r.Found) == 0 {
			tell(w, "preflight.none")
			return
		}
		tell(w, "preflight.found", count(len(r.Found), "thing", "things"))
		for _, f := range r.Found {
			fmt.Fprintln(w, "! "+finding(f, r.Shape))
		}
		c.advise(w, "preflight.next")
	})
}

// finding says in words what looks wrong.
func finding(f table.Finding, shapes []table.Shape) string {
	unit := ""
	for _, s := range shapes {
		if s.Column == f.Column && s.Unit != "" {
			unit = " " + s.Unit
		}
	}
	here, elsewhere := percent(f.Here), percent(f.Elsewhere)
	switch f.Kind {
	case table.FindUnit:
		here, elsewhere = short(f.Here), short(f.Elsewhere)
	case table.FindOutside:
		here = fmt.Sprint(math.Ceil(f.Here))
	}
	return say("preflight."+strings.ReplaceAll(string(f.Kind), " ", ""), f.Column, here, elsewhere, f.Level, unit)
}

// printShape writes what the columns of all sites together look like.
func printShape(w io.Writer, shapes []table.Shape) {
	if len(shapes) == 0 {
		return
	}
	tell(w, "result.shape")
	for _, s := range shapes {
		share := func(n float64) string { return percent(n / max(s.Rows, 1)) }
		mean, sd := "", ""
		if s.Kind == croft.Number {
			mean, sd = short(s.Mean), short(s.SD)
		}
		var levels []string
		for i, level := range s.Levels {
			levels = append(levels, level+" "+share(s.Counts[i]))
		}
		tell(w, "result.shape.one", strings.TrimSpace(s.Column+" "+s.Unit), share(s.Missing), share(s.Outside), mean, sd, strings.Join(levels, ", "))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
