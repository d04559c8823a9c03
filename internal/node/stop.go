package node

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
)

// A node that was asked to stop ends, whatever hangs: a disk that does not answer,
// a bug, CometBFT. What is durable does not depend on an orderly end, so a part
// that does not stop in time is named and left behind, and ends with the process.

// stopTime is how long each part of a node may take to stop. In health none takes a
// second.
const stopTime = 30 * time.Second

// part is something that runs as long as the node does.
type part struct {
	name string
	run  func(context.Context) error
}

// together runs parts until all have ended; the end of ctx, or the first error, asks
// them all to. It fails with that error, and with croft.ErrStuck if some do not.
func (n *Node) together(ctx context.Context, parts []part) error {
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var running []string
	for _, p := range parts {
		running = append(running, p.name)
		group.Go(func() error {
			err := p.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			running = slices.DeleteFunc(running, func(name string) bool { return name == p.name })
			return err
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTime):
	}
	mu.Lock()
	defer mu.Unlock()
	err := n.stuck(strings.Join(running, ", "))
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, croft.ErrInterrupted) {
		err = errors.Join(cause, err)
	}
	return err
}

// closer closes something that Open opened.
type closer struct {
	name  string
	close func() error
}

// Close stops what Open started, last first. It may be called once Run returned. It
// fails with croft.ErrStuck if something does not stop; the rest is closed all the
// same.
func (n *Node) Close() error {
	var errs error
	for _, c := range slices.Backward(n.close) {
		done := make(chan error, 1)
		go func() { done <- c.close() }()
		select {
		case err := <-done:
			errs = errors.Join(errs, err)
		case <-time.After(stopTime):
			errs = errors.Join(errs, n.stuck(c.name))
		}
	}
	n.close = nil
	return errs
}

// stuck logs what every goroutine waits for, for whoever is to find out why.
func (n *Node) stuck(what string) error {
	stacks := make([]byte, 256<<10)
	n.cfg.Log.Error("stuck", "part", what, "after", stopTime, "goroutines", string(stacks[:runtime.Stack(stacks, true)]))
	return croft.E(croft.ErrStuck, what, stopTime)
}
