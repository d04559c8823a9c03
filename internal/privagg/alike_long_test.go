//go:build long

package privagg

func init() { *mutations, *lossy = 10_000, 1000 }
