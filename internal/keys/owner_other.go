//go:build !unix

package keys

import "os"

// mine holds where files have no owner in the sense of Unix.
func mine(os.FileInfo) bool { return true }
