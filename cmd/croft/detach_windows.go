package main

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// apart gives a process no console, and no part in the signals of this one.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}
