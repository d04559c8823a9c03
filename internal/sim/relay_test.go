package sim

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/node"
	"croft/internal/p2p"
)

// Two of four orderers can only dial. Through a third, who offers to relay, they are
// reached like any other, also by each other: CometBFT's connections too.
func TestMembersWhoCannotBeDialled(t *testing.T) {
	t.Parallel()
	v := &village{T: t, dir: t.TempDir(), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))}
	var err error
	if v.Network, err = Found(v.dir, "valley", time.Now(), "Ada", "Ben", "Cleo", "Dina"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, len(v.Members))
	ada, ben, cleo := v.Members[0], v.Members[1], v.Members[2]
	for _, m := range v.Members {
		cfg := node.Config{Dir: m.Dir, Timing: chain.LAN, Log: v.log.With("node", m.Name)}
		if m == ada {
			cfg.Relay = p2p.UsualRelaying
		}
		if m == ben || m == cleo {
			cfg.Listen = []string{node.NoListen}
		}
		if m.Node, err = node.Open(cfg); err != nil {
			t.Fatal(err)
		}
		if m != ada {
			m.Node.Meet(ada.Node.Host.Addrs()) // and of the others she tells
		}
		go func() { ended <- m.Node.Run(ctx) }()
	}
	defer func() {
		stop()
		for range v.Members {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		for _, m := range v.Members {
			if err := m.Node.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	if addrs := p2p.Direct(ben.Node.Host.Addrs()); len(addrs) > 0 {
		t.Fatalf("Ben listens at %v", addrs)
	}
	within, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, m := range v.Members {
		if err := m.Await(within, func(context.Context) (bool, error) { return m.Node.Chain.Status().Peers == 3, nil }); err != nil {
			t.Fatalf("%s: %d peers of CometBFT; connected to %v", m.Name, m.Node.Chain.Status().Peers, m.Node.Host.Connected())
		}
	}
	// Dina may have dialled him through Ada before he dialled her; Cleo has no other way.
	if r := ben.Node.Host.Relayed(); !slices.Contains(r, cleo.Node.Host.ID()) || slices.Contains(r, ada.Node.Host.ID()) {
		t.Errorf("Ben reaches %v through a relay", r)
	}
	if addrs := ben.Node.Host.Addrs(); len(addrs) == 0 || !strings.Contains(addrs[0], string(ada.Node.Host.ID())+"/p2p-circuit/") {
		t.Errorf("Ben is at %v", addrs)
	}
	for _, m := range []*Member{ben, cleo} {
		if _, err := m.Send(within, &ledger.Register{Name: m.Name, Group: croft.Sum([]byte(m.Name)), Releases: 1}); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
