//go:build long

package ledger

func init() { *operations = 100_000 }
