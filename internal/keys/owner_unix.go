//go:build unix

package keys

import (
	"os"
	"syscall"
)

// mine reports whether the file belongs to the user of this process.
func mine(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
