//go:build !failpoint

package main

// failpoint is nothing in the product; see failpoint.go.
func failpoint() func(line string) { return nil }
