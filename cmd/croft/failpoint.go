//go:build failpoint

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// failpoint lets the process kill itself, as a power cut would, at a named line of
// a study's flows: CROFT_FAILPOINT=LINE[:COUNT], at its COUNT-th pass there. Only
// test binaries have it (go build -tags failpoint).
func failpoint() func(line string) {
	line, text, counted := strings.Cut(os.Getenv("CROFT_FAILPOINT"), ":")
	if line == "" {
		return nil
	}
	count := int64(1)
	if counted {
		var err error
		if count, err = strconv.ParseInt(text, 10, 64); err != nil || count < 1 {
			panic(fmt.Sprintf("CROFT_FAILPOINT=%s:%s: the count is not a number from 1", line, text))
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		panic(err)
	}
	var passed atomic.Int64
	return func(at string) {
		if at == line && passed.Add(1) == count {
			_ = self.Kill()
			select {} // not one more instruction of the flow runs
		}
	}
}
