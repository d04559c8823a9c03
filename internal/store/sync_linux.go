package store

import (
	"os"
	"syscall"
)

// syncData makes a file's content durable, and of its metadata only what finding
// the content needs.
func syncData(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			if failed = syscall.Fdatasync(int(fd)); failed != syscall.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
