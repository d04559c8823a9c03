package store

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's content durable, and of its metadata only what finding
// the content needs.
func syncData(f *os.File) error { return control(f, syscall.Fdatasync) }

// allocate makes a file longer, by zeros that take up their place on the disk.
func allocate(f *os.File, from, to int64) error {
	return control(f, func(fd int) error { return syscall.Fallocate(fd, 0, from, to-from) })
}

// control calls the system about a file until no signal comes in between.
func control(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			if failed = call(int(fd)); failed != syscall.EINTR {
				return
			}
		}
	})
	return errors.Join(err, failed)
}
