package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"croft"
	"croft/internal/api"
)

type reportOptions struct {
	out   string
	names bool
}

func (c *cli) reportVerb() *verb {
	var o reportOptions
	cmd := c.verb("report", "report", none(func(ctx context.Context) error { return c.report(ctx, o) }))
	cmd.Flags().StringVarP(&o.out, "out", "o", "croft-report.txt", say("report.flag.out"))
	cmd.Flags().BoolVar(&o.names, "names", false, say("report.flag.names"))
	return cmd
}

type reportResult struct {
	File     string        `json:"file,omitempty"`
	Build    versionResult `json:"build"`
	Findings []api.Finding `json:"findings"`
	Log      []string      `json:"log"`
	LeftOut  int           `json:"log_lines_left_out"`
}

// report writes one readable file for whoever helps. It is put together from what is
// known to be harmless, not cleaned of what is known to be harmful: no data, no keys,
// nothing from a log line but its time, its step and its numbers, and without --names
// no names, ids or addresses.
func (c *cli) report(ctx context.Context, o reportOptions) error {
	health, err := c.health(ctx)
	if err != nil {
		return err
	}
	if !o.names {
		health = health.Anonymous()
	}
	r := reportResult{Build: build(), Findings: health.Findings()}
	if r.Log, r.LeftOut, err = c.lastLines(); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := columns(&text, func(w io.Writer) { r.print(w, health) }); err != nil {
		return err
	}
	return c.write(o.out, text.Bytes(), func(file, _ string) any { r.File = file; return r }, func(w io.Writer) { tell(w, "report.done", o.out) })
}

// print writes what a helper reads.
func (r reportResult) print(w io.Writer, h api.Health) {
	tell(w, "report.title", day(h.At))
	fmt.Fprintln(w, r.Build.line())
	if s := h.Status; s != nil {
		tell(w, "report.status", s.Member.Name, s.NetworkName, s.Members, s.Connected, s.Height, day(s.BlockTime), s.AppHash.Short())
		for _, st := range s.Studies {
			tell(w, "report.study", st.Name, standing(st), answers(st))
		}
	}
	for _, n := range h.Neighbours {
		if n.Answers {
			tell(w, "report.node", n.Name, n.Height, n.RoundTrip, n.Ahead, strings.Join(n.Reaches, ", "))
		}
	}
	fmt.Fprintln(w, "\n"+say("report.findings"))
	printFindings(w, r.Findings)
	fmt.Fprintln(w, "\n"+say("report.log", len(r.Log), r.LeftOut))
	for _, line := range r.Log {
		fmt.Fprintln(w, line)
	}
}

// The log of a node in the background is read from its end.
const (
	lastLog   = 256 << 10 // bytes that are looked at
	lastLines = 300       // lines that are kept
)

// lastLines returns the last lines of the node's log, each cut down to what is
// harmless, and how many had nothing of that kind.
func (c *cli) lastLines() (lines []string, leftOut int, err error) {
	f, err := os.Open(filepath.Join(c.dir, logName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, unread(filepath.Join(c.dir, logName), err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > lastLog {
		if _, err := f.Seek(-lastLog, io.SeekEnd); err != nil {
			return nil, 0, croft.E(croft.ErrFileOpen, logName, err)
		}
	}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, lastLog)
	for scanner.Scan() {
		if line := harmless(scanner.Text()); line != "" {
			lines = append(lines, line)
		} else {
			leftOut++
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, 0, croft.E(croft.ErrFileOpen, logName, err)
	}
	return lines[max(0, len(lines)-lastLines):], leftOut, nil
}

// What is kept of a log: when, how bad, which step, numbers, codes of failures;
// and of a crash the names of this program's functions. Sentences may quote a cell of
// a file.
var (
	harmlessFields = map[string]*regexp.Regexp{
		"time": regexp.MustCompile(`^[\dT:.+Z-]+$`), "level": regexp.MustCompile(`^[A-Z]+$`), "msg": regexp.MustCompile(`^[a-z]+$`),
		"round": regexp.MustCompile(`^\d+$`), "bytes": regexp.MustCompile(`^\d+$`), "height": regexp.MustCompile(`^\d+$`),
		"why": regexp.MustCompile(`^CROFT-\d{4}`),
	}
	crashLine = regexp.MustCompile(`^(?:panic: runtime error: [a-z ]+|goroutine \d+ \[[a-z ]+\]:|(?:croft/internal/\w+|main)\.[\w.*()]+\()`)
)

// harmless returns what may leave of a line; "" if nothing.
func harmless(line string) string {
	if !strings.HasPrefix(line, "time=") {
		return strings.TrimSuffix(crashLine.FindString(line), "(")
	}
	var kept []string
	for line != "" {
		key, rest, found := strings.Cut(line, "=")
		if !found {
			break
		}
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil { // what stands in quotes holds no fields
			value, _ = strconv.Unquote(quoted)
			after = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		line = after
		if pattern := harmlessFields[key]; pattern != nil {
			if plain := pattern.FindString(value); plain != "" {
				kept = append(kept, key+"="+plain)
			}
		}
	}
	return strings.Join(kept, " ")
}
