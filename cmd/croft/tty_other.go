//go:build !linux && !darwin && !windows

package main

import (
	"errors"
	"os"
)

// openTerminal fails: passphrases come from files on this system.
func openTerminal() (tty *os.File, show func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
