package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"croft"
	"croft/internal/api"
)

// logName is the log of a node in the background, in its folder. One that has
// grown large is kept once under another name at the next start.
const (
	logName = "node.log"
	maxLog  = 8 << 20
)

// detach starts the node in a process of its own, which outlives this one and its
// terminal, and waits until it answers or has ended. The other process is this
// program in the foreground: its first line says how it went.
func (c *cli) detach(ctx context.Context, o *upOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return croft.E(croft.ErrFolder, c.dir, reason(err))
	}
	log, err := openLog(filepath.Join(dir, logName))
	if err != nil {
		return croft.E(croft.ErrFolder, c.dir, reason(err))
	}
	defer log.Close()
	args := append([]string{os.Args[0]}, o.again(dir)...)
	args = append(args, "--json", fmt.Sprintf("--quiet=%t", c.quiet))
	if o.name != "" {
		args = append(args, "--name", o.name)
	}
	cmd := &exec.Cmd{Path: self, Args: args, Dir: dir, Stderr: log, SysProcAttr: apart()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.progress("up.opening", c.dir)
	told := int64(0) // of the log
	if info, err := log.Stat(); err == nil {
		told = info.Size()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	first := make(chan []byte, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadBytes('\n') // without a line it has ended
		first <- line
	}()
	for {
		select {
		case <-time.After(time.Second):
			told = c.retell(log.Name(), told)
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if !errors.Is(cause, croft.ErrTimeout) { // else it goes on starting
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
			return cause
		case line := <-first:
			var r upResult
			err := api.ReadFailure(line)
			if err == nil && json.Unmarshal(line, &r) != nil {
				err = croft.E(croft.ErrInternal, say("up.died", log.Name()))
			}
			if err != nil {
				_ = cmd.Wait() // it has ended or is about to: with the same failure
				return err
			}
			r.Log = log.Name()
			return c.result(r, func(w io.Writer) {
				c.advise(w, "up.detached", r.Name, r.PID)
				tell(w, "up.log", r.Log)
				c.printUp(w, r)
			})
		}
	}
}

// retell shows what the node's process says of its start: whom it waits for, say. It
// reads the log from an offset on and returns the next one. The steps of the node's work
// stay in the log.
func (c *cli) retell(log string, from int64) int64 {
	f, err := os.Open(log)
	if err != nil {
		return from
	}
	defer f.Close()
	lines := bufio.NewReader(io.NewSectionReader(f, from, maxLog))
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // not whole yet
			return from
		}
		if from += int64(len(line)); !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, say("up.opening", filepath.Dir(log))) {
			fmt.Fprint(c.errs, line)
		}
	}
}

// openLog opens a log to write at its end.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
