package store

import (
	"errors"
	"os"
	"path/filepath"

	"croft"
)

// Lock claims dir for this process, so that two nodes never share a folder: two
// copies of one validator would sign two blocks of one height. The operating
// system lets go of it when the process ends, however it ends. It fails with
// croft.ErrRunning if somebody has it and with croft.ErrFolder.
//
// The file stays after release: whoever removed it could let two others each lock
// a file of that name.
func Lock(dir string) (release func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, errLocked) {
			return nil, croft.E(croft.ErrRunning, dir)
		}
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	return f.Close, nil // closing unlocks
}

// Full says whether an error is that of a disk without room.
func Full(err error) bool { return diskFull(err) }

var errLocked = errors.New("locked by another process")
