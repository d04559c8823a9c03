package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// openTerminal opens the console of this process, without echo; show brings the
// echo back.
func openTerminal() (tty *os.File, show func(), err error) {
	if tty, err = os.OpenFile("CONIN$", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	var before uint32
	h := windows.Handle(tty.Fd())
	if err := windows.GetConsoleMode(h, &before); err != nil {
		tty.Close()
		return nil, nil, err
	}
	silent := before&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(h, silent); err != nil {
		tty.Close()
		return nil, nil, err
	}
	return tty, func() { _ = windows.SetConsoleMode(h, before) }, nil
}
