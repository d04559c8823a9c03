package api

import (
	"net/http/httptest"
	"testing"

	"croft"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/store"
)

// A channel of the last blocks before a rescue is on no ledger any more; those after it
// in the list are.
func TestWalletWithoutALostChannel(t *testing.T) {
	lost, here := croft.ChannelID{1}, croft.ChannelID{2}
	docs := store.NewMemoryDocs(new(store.Memory))
	for _, id := range []croft.ChannelID{lost, here} {
		if err := docs.Put("accepted", id.String(), nil); err != nil {
			t.Fatal(err)
		}
	}
	on := ledger.Channel{Terms: croft.Channel{ID: here, Funder: croft.MemberID{3}, Payee: croft.MemberID{4}}, Status: ledger.ChannelOpen}
	view := records{of: map[string]any{ledger.ChannelKey(here): on}}
	m, err := market.New(market.Config{Ledger: view, Docs: docs}, func(replay func([]byte) error) (market.Journal, error) {
		j, err := store.OpenJournal(t.TempDir(), replay)
		if err == nil {
			t.Cleanup(func() { j.Close() })
		}
		return j, err
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Services{Ledger: view, Market: &market.Desk{Market: m}}.wallet(httptest.NewRequest("GET", "/v1/wallet", nil))
	if err != nil || len(w.Channels) != 1 || w.Channels[0].ID != here {
		t.Errorf("%v, %+v", err, w.Channels)
	}
}
