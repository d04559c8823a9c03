package node

import (
	"bytes"
	"testing"

	"croft"
	"croft/internal/ledger"
)

// What crosses the door, and what a folder keeps of it, has one form.
func FuzzJoinMessages(f *testing.F) {
	member := croft.Member{Name: "Clinic A", Seat: true}
	f.Add(croft.Encode(knock{Tx: []byte("tx")}))
	f.Add(croft.Encode(opened{Genesis: []byte("genesis")}))
	f.Add(croft.Encode(opened{Standing: ledger.Admitted, Yes: 1, Needed: 1, Members: []croft.Member{member}}))
	f.Add(croft.Encode(joined{Newcomer: member, Addrs: []string{"/ip4/192.0.2.1/tcp/1/p2p/x"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, message := range []any{new(knock), new(opened), new(joined)} {
			if croft.Decode(data, message) == nil && !bytes.Equal(croft.Encode(message), data) {
				t.Fatalf("%T has two forms", message)
			}
		}
	})
}
