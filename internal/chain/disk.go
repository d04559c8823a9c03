package chain

import "croft"

// MinFree is how much must be free on the disk, in MB. CometBFT dies of a failed
// write, in the middle of whatever it does: a node stops cleanly before that.
const MinFree = 256

// CheckDisk returns croft.ErrDiskFull if less than 256 MB are free on the disk
// of dir. Open calls it; a running node's owner calls it now and then and closes
// the node on an error.
func CheckDisk(dir string) error {
	free, err := FreeBytes(dir)
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	if free < MinFree<<20 {
		return croft.E(croft.ErrDiskFull, MinFree, dir)
	}
	return nil
}
