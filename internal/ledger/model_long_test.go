//go:build long

package ledger

import (
	"testing"

	"croft"
)

// TestModelFurther is TestModel with more patience: transactions that share a
// block, every order of three studies, the checked profile.
func TestModelFurther(t *testing.T) {
	for name, change := range map[string]func(*croft.Study){"checked": nil, "unchecked": unchecked} {
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
			m.report(t, m.begin())
		})
	}
}
