package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"croft"
	"croft/internal/report"
)

type modelExportOptions struct{ format, out, card, intended string }

func (c *cli) modelExportVerb() *verb {
	var o modelExportOptions
	cmd := c.verb("model.export", "export MODEL", one(func(ctx context.Context, ref string) error { return c.modelExport(ctx, ref, o) }))
	cmd.Flags().StringVar(&o.format, "format", "", say("model.export.flag.format"))
	cmd.Flags().StringVarP(&o.out, "out", "o", "", say("model.export.flag.out"))
	cmd.Flags().StringVar(&o.card, "card", "", say("model.export.flag.card"))
	cmd.Flags().StringVar(&o.intended, "intended-use", "", say("model.export.flag.intended"))
	return cmd
}

// modelExport writes a model as files that other programs read, where its sites
// allowed that.
func (c *cli) modelExport(ctx context.Context, ref string, o modelExportOptions) error {
	forms := map[string]func(report.Export) ([]byte, error){
		"onnx": report.Export.ONNX, "safetensors": report.Export.Safetensors, "json": report.Export.JSON,
	}
	if o.format == "" {
		o.format = strings.TrimPrefix(strings.ToLower(filepath.Ext(o.out)), ".")
	}
	form, known := forms[o.format]
	switch {
	case o.out == "" && o.card == "":
		return croft.E(croft.ErrUsage, say("model.export.none"), say("model.export.none.fix"))
	case o.out != "" && !known:
		return croft.E(croft.ErrUsage, say("model.export.format", fmt.Sprintf("%.20q", o.format)), say("model.export.format.fix"))
	}
	st, err := c.finished(ctx, ref)
	if err != nil {
		return err
	}
	result, err := c.node().Result(ctx, st.ID.String())
	if err != nil {
		return err
	}
	status, err := c.node().Status(ctx)
	if err != nil {
		return err
	}
	e, err := report.ExportOf(st, result, status, o.intended)
	if err != nil {
		return err
	}
	var files []resultFile
	for _, f := range []struct {
		path string
		form func(report.Export) ([]byte, error)
	}{{o.out, form}, {o.card, report.Export.Card}} {
		if f.path == "" {
			continue
		}
		text, err := f.form(e)
		if err != nil {
			return err
		}
		files = append(files, resultFile{f.path, text})
	}
	return c.files(e, files)
}

// files writes what a person asked for. One of them may be "-", standard output.
func (c *cli) files(value any, files []resultFile) error {
	isOut := func(f resultFile) bool { return f.path == "-" }
	others := slices.DeleteFunc(slices.Clone(files), isOut)
	if len(files)-len(others) > 1 {
		return croft.E(croft.ErrUsage, say("study.result.both"), say("study.result.both.fix"))
	}
	for _, f := range others {
		if err := writeNew(f.path, f.text); err != nil {
			return err
		}
	}
	wrote := func(w io.Writer) {
		for _, f := range others {
			tell(w, "study.result.wrote", f.path)
		}
	}
	out := slices.IndexFunc(files, isOut)
	if out < 0 {
		return c.result(value, wrote)
	}
	if !c.quiet {
		wrote(c.errs)
	}
	return c.verbatim(value, files[out].text)
}
