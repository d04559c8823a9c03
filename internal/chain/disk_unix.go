//go:build !windows

package chain

import "golang.org/x/sys/unix"

// FreeBytes returns what an ordinary user may still write to the disk of dir.
func FreeBytes(dir string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), nil
}
