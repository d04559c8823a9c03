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

// life is whether a node runs, and may. The zero life is that of one which has not run.
type life struct {
	mu    sync.Mutex    // guards what follows
	over  bool          // it was asked to stop: nothing below changes any more
	stop  func()        // asks Run to return
	ended chan struct{} // closed when Run has returned
}

// begin says whether a node may run. It calls ended when it has.
func (l *life) begin(stop func()) (ended func(), may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, false
	}
	done := make(chan struct{})
	l.stop, l.ended = stop, done
	return func() { close(done) }, true
}

// Stop asks a node to stop: Run then returns, or does nothing if it is called later.
func (n *Node) Stop() {
	n.life.mu.Lock()
	defer n.life.mu.Unlock()
	n.life.over = true
	if n.life.stop != nil {
		n.life.stop()
	}
}

// part is something that runs as long as the node does.
type part struct {
	name string
	run  func(context.Context) error
}

// together runs parts until all have ended; Stop, the end of ctx, or the first error,
// asks them all to. It fails with that error, and with croft.ErrStuck if some do not.
func (n *Node) together(ctx context.Context, parts []part) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended, may := n.life.begin(stop)
	if !may {
		return nil
	}
	defer ended()
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
	all := make(chan error, 1)
	go func() { all <- group.Wait() }()
	select {
	case err := <-all:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-all:
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

// Close stops the node, waits until Run has returned, and then closes what Open
// opened, last first: nothing that still runs finds it closed. It fails with
// croft.ErrStuck if something does not close; the rest is closed all the same.
func (n *Node) Close() error {
	n.Stop()
	if n.life.ended != nil {
		<-n.life.ended // in time: Run leaves behind what does not stop
	}
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
