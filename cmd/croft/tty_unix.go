//go:build linux || darwin

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal opens the terminal of this process, without echo; show brings the
// echo back.
func openTerminal() (tty *os.File, show func(), err error) {
	if tty, err = os.OpenFile("/dev/tty", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	before, err := unix.IoctlGetTermios(int(tty.Fd()), getTermios)
	if err != nil {
		tty.Close()
		return nil, nil, err
	}
	silent := *before
	silent.Lflag = silent.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(tty.Fd()), setTermios, &silent); err != nil {
		tty.Close()
		return nil, nil, err
	}
	return tty, func() { _ = unix.IoctlSetTermios(int(tty.Fd()), setTermios, before) }, nil
}
