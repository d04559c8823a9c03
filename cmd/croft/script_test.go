package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"croft": func() { os.Exit(process()) }})
}

// The stories in testdata run the program as people do, as processes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(env *testscript.Env) error {
		// Not the script's own folder: its path is too long for a socket on some systems.
		dir, err := os.MkdirTemp("", "croft")
		if err != nil {
			return err
		}
		env.Defer(func() { os.RemoveAll(dir) })
		env.Setenv("D", dir)
		return nil
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"fails": fails, "up": up, "occupy": occupy, "endless": endless, "visits": visits, "recoverykey": recoveryKey, "cut": cut, "private": private, "large": large, "begun": begun,
	}})
}

// fails N ARGS… runs croft and wants the exit code N, a sentence on standard
// error, and advice with it.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE ARGS…")
	}
	err := ts.Exec("croft", args[1:]...)
	exit, _ := errors.AsType[*exec.ExitError](err)
	if exit == nil || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("want exit code %s, got %v\n%s", args[0], err, ts.ReadFile("stderr"))
	}
	said := ts.ReadFile("stderr") + ts.ReadFile("stdout")
	if !strings.Contains(said, "CROFT-") || !strings.Contains(said, "→ ") && !strings.Contains(said, `"next":`) || strings.Contains(said, "panic") || strings.Contains(said, "{0}") {
		ts.Fatalf("no sentence with advice:\n%s", said)
	}
}

// up ARGS… starts a node and returns when it says that it runs. It must end by
// itself, cleanly, when the script does (croft down), or it is ended.
func up(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("croft", append([]string{"up", "--lan"}, args...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "CROFT_DIR="+ts.Getenv("CROFT_DIR"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			ts.Logf("the node ended with %v\n%s", err, &log)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ledger") {
			return
		}
	}
	ts.Fatalf("the node did not start:\n%s", &log)
}

// begun waits until the node's ledger has its first block: up returns before.
func begun(ts *testscript.TestScript, neg bool, args []string) {
	first := regexp.MustCompile(`"height":[1-9]`)
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); {
		ts.Check(ts.Exec("croft", "status", "--json"))
		if first.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("the ledger has no block:\n%s", ts.ReadFile("stdout"))
}

// occupy VAR listens on a port and puts its address into the environment.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv(args[0]+"_PORT", port)
}

// endless FILE writes a CSV file of which one line is very long.
func endless(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("id,age,sex,ill\n1,2,f,"+strings.Repeat("x", 4<<20)), 0o600))
}

// private FILE wants a file that nobody but its owner may open.
func private(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(args[0])
	ts.Check(err)
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
		ts.Fatalf("%s has mode %o", args[0], mode)
	}
}

// large FILE makes a file larger than a log may be at a start.
func large(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.Truncate(args[0], maxLog+1))
}

// visits FILE ROWS [LINE…] writes a good CSV file of so many rows, and lines
// after it.
func visits(ts *testscript.TestScript, neg bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(clinic(7, rows)+strings.Join(append(args[2:], ""), "\n")), 0o600))
}

// recoverykey PAGE FILE copies the key from a recovery page, as a person does.
func recoveryKey(ts *testscript.TestScript, neg bool, args []string) {
	line := regexp.MustCompile(`(?m)^(?:    |<pre>|)((?:[0-9A-Z]{4}  )+[0-9A-Z]{2,4})$`)
	var key string
	for _, m := range line.FindAllStringSubmatch(ts.ReadFile(args[0]), -1) {
		key += m[1] + " "
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.ToLower(key)+"\n"), 0o600))
}

// cut FROM TO copies a file without its last byte.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text[:len(text)-1]), 0o600))
}
