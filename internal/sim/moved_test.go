package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"croft/internal/api"
)

// Two members' nodes move while both are off: neither is where the other looks for it.
// A third, who stayed, knows of both.
func TestTwoMoved(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada", "Ben", "Cleo")
	ada, ben, cleo := v.Members[0], v.Members[1], v.Members[2]
	within, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	knows := func(m, of *Member) {
		t.Helper()
		if err := m.Await(within, func(context.Context) (bool, error) {
			return slices.ContainsFunc(m.Node.Peers(), func(p api.Peer) bool {
				return p.Member == of.ID && p.Connected && slices.Equal(p.Addrs, of.Node.Host.Addrs())
			}), nil
		}); err != nil {
			t.Fatalf("%s has %+v; %s is at %v", m.Name, m.Node.Peers(), of.Name, of.Node.Host.Addrs())
		}
	}
	v.halts(ben)
	v.halts(cleo)
	v.listen = []string{"/ip4/127.0.0.1/tcp/0"}
	v.returns(ben, nil)
	knows(ada, ben)
	v.returns(cleo, nil)
	knows(ben, cleo)
	knows(cleo, ben)
}
