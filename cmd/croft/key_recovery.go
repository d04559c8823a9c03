package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"croft"
	"croft/internal/keys"
	"croft/internal/node"
)

func (c *cli) keyRecoveryVerb() *verb {
	return c.verb("key.recovery", "recovery PAGE", one(c.keyRecovery))
}

// keyRecovery makes a recovery key and its page. The backups before it still open
// with the page before it.
func (c *cli) keyRecovery(ctx context.Context, page string) error {
	b, err := c.pack()
	if err != nil {
		return err
	}
	m, network, err := b.Member()
	if err != nil {
		return err
	}
	if _, found, err := keys.RecoveryOf(c.dir); err != nil {
		return err
	} else if found {
		if err := c.confirm(ctx, "key.recovery.ask"); errors.Is(err, croft.ErrNotSigned) {
			return croft.E(croft.ErrConflict, say("key.recovery.kept"), say("key.recovery.kept.fix"))
		} else if err != nil {
			return err
		}
	}
	if err := makeRecovery(c.dir, page, m.Name, network); err != nil {
		return err
	}
	r := struct {
		Page string `json:"page"`
	}{page}
	return c.result(r, func(w io.Writer) { tell(w, "key.recovery.done", page) })
}

// pack reads a backup of the folder.
func (c *cli) pack() (node.Backup, error) {
	if _, err := c.genesis(); err != nil {
		return node.Backup{}, err
	}
	return node.Pack(c.dir, time.Now())
}

// makeRecovery makes a recovery key for the folder dir and writes its secret half
// on a page, which must not be there: HTML or text, by its name.
//
//	Crash: a page without effect, whose key nothing is sealed to.
func makeRecovery(dir, page, member, network string) error {
	key, err := keys.NewRecovery()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	switch strings.ToLower(filepath.Ext(page)) {
	case ".html", ".htm":
		err = recoveryHTML.Execute(&text, recoveryPage(key, member, network))
	case ".txt":
		p := recoveryPage(key, member, network)
		fmt.Fprintf(&text, "%s\n%s\n\n", p.Title, strings.Repeat("=", utf8.RuneCountInString(p.Title)))
		for _, line := range p.Lines {
			fmt.Fprintf(&text, "    %s\n", line)
		}
		for _, paragraph := range p.Text {
			fmt.Fprintf(&text, "\n%s\n", wrap(paragraph, 78))
		}
	default:
		return croft.E(croft.ErrUsage, say("recovery.kind", page), say("recovery.kind.fix"))
	}
	if err != nil {
		return err
	}
	if err := writeAs(0o600, page, text.Bytes()); err != nil {
		return err
	}
	if err := keys.SetRecovery(dir, key); err != nil {
		os.Remove(page)
		return err
	}
	return nil
}

// wrap breaks a paragraph into lines of at most width characters.
func wrap(paragraph string, width int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(paragraph) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, line), "\n")
}

// paper is what a recovery page says.
type paper struct {
	Title       string
	Lines, Text []string
}

func recoveryPage(key keys.Recovery, member, network string) paper {
	p := paper{Title: say("recovery.title", member, network)}
	groups := key.Groups()
	for len(groups) > 5 {
		p.Lines, groups = append(p.Lines, strings.Join(groups[:5], "  ")), groups[5:]
	}
	p.Lines = append(p.Lines, strings.Join(groups, "  "))
	for _, part := range []string{"recovery.what", "recovery.who", "recovery.how", "recovery.not"} {
		p.Text = append(p.Text, say(part))
	}
	p.Text = append(p.Text, say("recovery.made", day(time.Now())))
	return p
}

var recoveryHTML = template.Must(template.New("recovery").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<style>
body{font:12pt/1.5 serif;max-width:40em;margin:2em auto;padding:0 1em;color:#000;background:#fff}
pre{font:bold 16pt/2 monospace;border:2px solid;padding:.5em 1em;white-space:pre-wrap}
p{white-space:pre-line}
@page{margin:2cm}
</style>
<h1>{{.Title}}</h1>
<pre>{{range .Lines}}{{.}}
{{end}}</pre>
{{range .Text}}<p>{{.}}</p>
{{end}}</html>
`))
