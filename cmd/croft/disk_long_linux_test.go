//go:build long

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A running node stops cleanly before its disk is full.
func TestDiskFillsUnderANode(t *testing.T) {
	t.Parallel()
	disk := mount(t, "size=1g")
	dir := filepath.Join(disk, "a")
	ran(t, 0, "init", "--name", "A", "--dir", dir)
	up := exec.CommandContext(t.Context(), "croft", "up", "--lan", "--page", "none", "--dir", dir)
	var said bytes.Buffer
	up.Stderr = &said
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	desk{t, dir, ""}.until("up to date", "status")
	remount(t, disk, 0, fmt.Sprint("size=", used(t, disk)+100<<20))
	if _ = up.Wait(); up.ProcessState.ExitCode() != 8 || !strings.Contains(said.String(), "less than 256 MB are free") {
		t.Errorf("exit code %d: %s", up.ProcessState.ExitCode(), &said)
	}
	remount(t, disk, 0, "size=1g")
	ran(t, 0, "up", "--detach", "--lan", "--page", "none", "--dir", dir)
	ran(t, 0, "down", "--dir", dir)
}
