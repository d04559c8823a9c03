package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"croft"
)

func (c *cli) versionVerb() *verb {
	return c.verb("version", "version", none(func(context.Context) error { return c.version() }))
}

type versionResult struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Engine  string `json:"engine"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

// version says what this program was built from.
func (c *cli) version() error {
	r := build()
	return c.result(r, func(w io.Writer) { fmt.Fprintln(w, r.line()) })
}

func (r versionResult) line() string {
	return say("version", r.Version, r.Commit, r.Engine, r.Go, r.System)
}

// build reads what the Go tool wrote into the program.
func build() versionResult {
	r := versionResult{"unknown", "unknown", croft.EngineVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return r
	}
	if info.Main.Version != "" {
		r.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			r.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			r.Commit += " (changed)"
		}
	}
	return r
}
