package bench

import (
	"fmt"
	"os"
	"syscall"
)

// fileSystem names the file system of a folder (statfs(2), f_type).
func fileSystem(dir string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "", err
	}
	switch kind := uint32(s.Type); kind {
	case 0xef53:
		return "ext4", nil
	case 0x01021994:
		return "tmpfs", nil
	case 0x858458f6:
		return "ramfs", nil
	case 0x58465342:
		return "xfs", nil
	case 0x9123683e:
		return "btrfs", nil
	case 0x794c7630:
		return "overlayfs", nil
	case 0x2fc12fc1:
		return "zfs", nil
	case 0xf2f52010:
		return "f2fs", nil
	case 0x65735546:
		return "fuse", nil
	default:
		return fmt.Sprintf("type %#x", kind), nil
	}
}

// syncData makes a file's content durable.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
