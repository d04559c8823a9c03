//go:build !linux

package bench

import "os"

// fileSystem cannot tell here what kind of file system a folder is on.
func fileSystem(dir string) (string, error) {
	_, err := os.Stat(dir)
	return "unknown", err
}

// syncData makes a file's content durable.
func syncData(f *os.File) error { return f.Sync() }
