package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"croft/internal/keys"
)

// terminal returns the two ends of a terminal: the person's and the program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return person, program
}

// A person types a passphrase twice, and never sees it.
func TestPassphraseOnATerminal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "croft") // the test's program runs as croft under this name
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "node")
	run := func(answers ...string) (screen string, err error) {
		person, program := terminal(t)
		cmd := exec.Command(bin, "init", "--name", "A", "--passphrase", "--dir", dir)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		program.Close()
		var shown bytes.Buffer
		chunk := make([]byte, 1024)
		for { // until the program's end is closed
			n, err := person.Read(chunk)
			shown.Write(chunk[:n])
			if err != nil {
				break
			}
			if len(answers) > 0 && bytes.HasSuffix(shown.Bytes(), []byte(": ")) {
				fmt.Fprintln(person, answers[0])
				answers = answers[1:]
			}
		}
		return shown.String(), cmd.Wait()
	}
	for _, c := range []struct {
		answers []string
		says    string
	}{
		{[]string{"correct horse staple", "correct horse stable"}, "the two passphrases differ"},
		{[]string{"too short", "too short"}, "at least 10 characters"},
		{[]string{"correct horse staple", "correct horse staple"}, "Keys made"},
	} {
		screen, err := run(c.answers...)
		if !strings.Contains(screen, c.says) || strings.Contains(screen, c.answers[0]) {
			t.Errorf("%q: %v, the screen shows\n%s", c.answers, err, screen)
		}
	}
	if !keys.Locked(dir) {
		t.Error("the member key is not locked")
	}

	// Without a terminal nobody is asked.
	cmd := exec.Command(bin, "key", "passphrase", "--dir", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdin = strings.NewReader("correct horse staple\n")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no terminal to ask for it") {
		t.Errorf("without a terminal: %v\n%s", err, out)
	}
}
