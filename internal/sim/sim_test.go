package sim

import (
	"testing"

	"croft/internal/ledger"
)

// TestStudyOnRealNodes runs a whole study over real consensus and real sockets.
func TestStudyOnRealNodes(t *testing.T) {
	v := settle(t, "Ada", "Ben", "Cleo", "Dina", "Elif")
	id := v.agrees(v.Members[0], plan(v.Network, 4), v.registers(v.Members[:4]...))
	if st := v.ends(id, v.Members[4]); st.Status != ledger.Done {
		t.Fatalf("stopped: %s", st.Reason)
	}
}
