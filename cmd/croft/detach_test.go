package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who starts a node in the background hears whom it waits for, each line once, and not
// what the log has of its work.
func TestRetell(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, logName)
	const before = "Waiting: of an earlier start\n"
	add := func(text string) {
		f, err := openLog(log)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add(before)
	var errs strings.Builder
	c := &cli{errs: &errs}
	at := c.retell(log, int64(len(before)))
	add(say("up.opening", dir) + "\ntime=2027-01-31T18:00:00Z level=INFO msg=greet\nWaiting for the node of gl")
	at = c.retell(log, at)
	add("en\n")
	at = c.retell(log, at)
	if info, err := os.Stat(log); err != nil || at != info.Size() || c.retell(log, at) != at {
		t.Errorf("read up to %d of %v, %v", at, info, err)
	}
	if got := errs.String(); got != "Waiting for the node of glen\n" {
		t.Errorf("%q", got)
	}
	if c.retell(filepath.Join(dir, "none"), 7) != 7 {
		t.Error("a log that is not there")
	}
}
