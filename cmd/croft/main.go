// Croft is decentralised AI that a community owns, in one program: each
// organisation runs a node beside its own records, and together the nodes train
// models on records that never leave their owners.
//
//	main.go  the process: signals, and the one place where a failure becomes text
//	         and an exit code
//	root.go  the command, what all verbs share
//	say.go   every sentence that the commands say, and how; say_*.go are its chapters
//
// Each other file is a verb, its flags, its checks, its run; or a few that are one thing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"croft"
	"croft/internal/api"
)

func main() { os.Exit(process()) }

// process runs the command line. The first signal asks it to stop cleanly, the
// second ends it at once.
func process() int {
	// QUIC would print advice about the system's buffers into our screens; a node of
	// this size does not need it.
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is a failed write, after which a verb cleans up
	go func() {
		<-signals
		signal.Stop(signals)
		stop(croft.E(croft.ErrInterrupted))
	}()
	return execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// execute runs one command and returns its exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	c := &cli{in: in, out: out, errs: errs}
	err := c.run(ctx, args)
	if err == nil {
		return 0
	}
	if errors.Is(err, syscall.EPIPE) { // nobody reads on: nothing to say
		return croft.Internal.Exit()
	}
	f := api.FailureOf(err)
	if errors.Is(err, croft.ErrInterrupted) && context.Cause(ctx) != nil {
		f = api.FailureOf(context.Cause(ctx))
	}
	f.Next = c.pointed(f.Next)
	if c.json {
		text, _ := json.Marshal(f)
		fmt.Fprintf(out, "%s\n", text)
	} else {
		tell(errs, "failure", f.Message, f.Code)
		if f.Next != "" {
			tell(errs, "failure.next", f.Next)
		}
	}
	return f.Exit()
}
