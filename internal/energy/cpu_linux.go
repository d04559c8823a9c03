package energy

import (
	"runtime"
	"syscall"
	"time"
)

// Process returns the processor time that this process has used.
func Process() time.Duration { return usage(syscall.RUSAGE_SELF) }

// Of runs work on one thread and returns the processor time of that thread.
func Of(work func() error) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const thread = 1 // RUSAGE_THREAD
	before := usage(thread)
	err := work()
	return usage(thread) - before, err
}

func usage(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
