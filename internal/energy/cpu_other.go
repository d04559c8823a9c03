//go:build !linux

package energy

import "time"

var started = time.Now()

// Process returns the time that this process has run: without a portable clock of
// processor time it is the upper bound for one core.
func Process() time.Duration { return time.Since(started) }

// Of runs work and returns how long it took, an upper bound of its processor time.
func Of(work func() error) (time.Duration, error) {
	begun := time.Now()
	err := work()
	return time.Since(begun), err
}
