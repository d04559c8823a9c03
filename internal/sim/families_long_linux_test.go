//go:build long

package sim

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"croft/internal/api"
)

// TestOnlyIPv6: three members in one building that has no other addresses join, do a
// study, and find each other by multicast alone after they moved while all were down.
func TestOnlyIPv6(t *testing.T) {
	n, h, _ := newNeighbours(t, func(m []*machine) []string {
		for _, x := range m {
			x.give6()
			x.take4()
		}
		return nil
	}, "ada", "ben", "cleo")
	n.register()
	begun := time.Now()
	id := n.propose("only IPv6", `"ada", "ben", "cleo", "dina"`, `"ada", "ben", "cleo"`)
	n.approve(id)
	n.result(id)
	t.Logf("a study of three in %.1f s", time.Since(begun).Seconds())

	for _, p := range n.residents {
		p.end(syscall.SIGTERM)
		p.flags = append(p.flags, "--listen", "[::]:7422") // and nobody can tell of it
		p.flags[slices.Index(p.flags, "lan")] = "[::1]:7421"
	}
	h.building.Store(true)
	begun = time.Now()
	for _, p := range n.residents[1:] {
		p.start()
	}
	for _, p := range n.residents[1:] {
		p.until("its neighbour", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && s.Connected == 1
		})
	}
	t.Logf("all moved while all were down: two met again by multicast %.1f s after their start", time.Since(begun).Seconds())
	n.residents[0].start()
	n.agree(new(traffic))
}

// TestTwoFamilies: of three members one has addresses of IPv4 alone, one of IPv6 alone,
// and one, who relays, of both. All connect, and do a study.
func TestTwoFamilies(t *testing.T) {
	begun := time.Now()
	n, _, _ := newNeighbours(t, func(m []*machine) []string {
		m[0].give6()
		m[2].give6()
		m[2].take4()
		return []string{"--relay"}
	}, "ada", "ben", "cleo")
	t.Logf("connected %.1f s after the first start", time.Since(begun).Seconds())
	n.register()
	id := n.propose("two families", `"ada", "ben", "cleo", "dina"`, `"ada", "ben", "cleo"`)
	n.approve(id)
	n.result(id)
	s, err := n.residents[0].status()
	if err != nil || s.Relay == nil || s.Relay.Bytes < 100_000 {
		t.Fatalf("%+v %v", s.Relay, err)
	}
	t.Logf("a study of three; the relay carried %d bytes in %d circuits", s.Relay.Bytes, s.Relay.Circuits)
	n.agree(new(traffic))
}
