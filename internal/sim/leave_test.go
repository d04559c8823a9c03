package sim

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/study"
)

// TestTheOneWhoOrdersIsVotedOut: it still has to make the block after that, which hands
// over to the next; the others wait for it before they part.
func TestTheOneWhoOrdersIsVotedOut(t *testing.T) {
	n, err := Found(t.TempDir(), "test", time.Now(), "Ada", "Ben", "Cleo")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context(), slog.New(slog.DiscardHandler), func(croft.MemberID, study.Event) {}); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := n.Rest(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.Members[1:] {
		if _, err := m.Send(ctx, &ledger.Vote{Action: ledger.Revoke, Subject: n.Members[0].ID, Sequence: 1}); err != nil {
			t.Fatal(m.Name, err)
		}
	}
	for _, m := range n.Members[1:] {
		if _, err := m.Send(ctx, &ledger.Register{Name: "later", Group: croft.Sum([]byte(m.Name)), Releases: 1}); err != nil {
			t.Errorf("%s, without the first: %v", m.Name, err)
		}
	}
}
