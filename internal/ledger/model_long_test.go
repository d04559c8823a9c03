//go:build long

package ledger

import (
	"os"
	"testing"

	"croft"
)

// TestModelFurther is TestModel with more patience: transactions that share a
// block, more orders of three studies, the checked profile. With CROFT_MODEL=whole
// it does not stop at a depth, and takes a quarter of an hour.
func TestModelFurther(t *testing.T) {
	whole := os.Getenv("CROFT_MODEL") == "whole"
	profiles := map[string]func(*croft.Study){"checked": nil}
	if whole {
		profiles["unchecked"] = unchecked
	}
	for name, change := range profiles {
		t.Run("every transaction, "+name, func(t *testing.T) {
			t.Parallel()
			m, at := openModel(t, change)
			m.sleeps, m.blocks = 2, true
			m.report(t, at)
		})
	}
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		m, at := answerModel(t)
		m.sleeps = 4
		m.report(t, at)
	})
	for name, sites := range retried {
		t.Run("two retries: "+name, func(t *testing.T) {
			t.Parallel()
			m := retryModel(t, 20, sites...)
			m.sleeps = 1
			if !whole {
				m.depth = 7 // one more than any mutant of TestModelCatches needs
			}
			m.report(t, m.begin())
		})
	}
}
