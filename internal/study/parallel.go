package study

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel runs tasks on all processors: the Workers of packages that start no
// goroutine themselves. A task may call it again.
func Parallel(n int, task func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			task(i)
		}
	}
	var others sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
