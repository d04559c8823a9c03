//go:build long

package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"croft/internal/api"
	"croft/internal/ledger"
)

// set is a duration of the environment, or the usual one.
func set(t *testing.T, name string, usual time.Duration) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEverybodyTakesPart: one study, and at the same time blocks, of members as they are:
// ada, who relays; ben and cleo; dina, who can only call, and only ada, so that her
// consensus with the others is all carried by the relay; elif, a light member; and finn,
// whose line is up for a fifth of the time. All but elif order blocks, four of five must
// be there: while finn is away none is made without dina.
//
// CROFT_RELAY is how long blocks are watched after it (one minute; 30m), CROFT_PERIOD
// finn's period (100 seconds; 10m).
func TestEverybodyTakesPart(t *testing.T) {
	least, period := set(t, "CROFT_RELAY", time.Minute), set(t, "CROFT_PERIOD", 100*time.Second)
	names := []string{"ada", "ben", "cleo", "dina", "elif", "finn"}
	h, m := newHub(t, seeded(t).Uint64(), names...)
	ctx, cancel := context.WithTimeout(context.Background(), least+20*period+10*time.Minute)
	t.Cleanup(cancel)
	n := &town{T: t, ctx: ctx, dir: shortDir(t), wait: 15 * period}
	t.Cleanup(n.close)
	dina, finn := 3, 5
	m[dina].closeDoor()
	for _, i := range []int{1, 2, 4, 5} {
		h.part(m[dina:dina+1], m[i:i+1])
	}

	// Each joins as its person would; who is a member already votes.
	var code struct{ Code string }
	for i, name := range names {
		listen := m[i].addr.String() + ":7421"
		if i == dina {
			listen = "none"
		}
		p := &resident{town: n, name: name, dir: filepath.Join(n.dir, name), files: t.TempDir(), at: m[i].inside(), flags: []string{"--listen", listen}}
		visits(t, filepath.Join(p.files, "visits.csv"), 100+20*i, uint64(i+1))
		switch name {
		case "ada":
			p.flags = append(p.flags, "--name", name, "--relay")
		case "elif":
			p.join(code.Code, "--light")
		default:
			p.join(code.Code)
		}
		n.residents = append(n.residents, p)
		p.start()
		if i == 0 {
			p.must(&code, "invite", "create", "--uses", fmt.Sprint(len(names)-1), "--auto")
		}
		p.until("its node has caught up", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && s.Members == i+1 && !s.CatchingUp
		})
	}
	for i, p := range n.residents {
		p.until("five order blocks", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && len(s.Orderers) == 5 && (i == 4 || s.Connected >= 4)
		})
	}
	n.residents[dina].until("she is reached through the relay", func(c *api.Client) bool {
		peers, err := c.Peers(n.ctx)
		relayed := slices.DeleteFunc(peers, func(p api.Peer) bool { return !p.Relayed })
		return err == nil && len(relayed) >= 3
	})
	for _, p := range n.residents {
		var r struct{ ID string }
		p.must(&r, "data", "add", filepath.Join(p.files, "visits.csv"), "--unit", "patient", "--releases", "1000")
	}
	id := n.propose("all kinds", `"ada", "ben", "cleo", "dina"`, `"`+strings.Join(names, `", "`)+`"`, `"60s"`, `"`+period.String()+`"`)
	for _, p := range n.residents {
		p.approve(id)
	}

	// Finn's line is up for a fifth of the time, from now on.
	begun, before := time.Now(), n.height()
	line := func(up bool) {
		for i, other := range m {
			if i != finn && i != dina {
				m[finn].set(other, weather{cut: !up})
				other.set(m[finn], weather{cut: !up})
			}
		}
	}
	ending, end := context.WithCancel(n.ctx)
	windows, without := 0, int64(0)
	var cycle sync.WaitGroup
	cycle.Go(func() {
		for {
			windows++
			pause(ending, period/5)
			if ending.Err() != nil {
				return
			}
			line(false)
			pause(ending, 10*time.Second) // what he had said is in a block by now
			from := n.height()
			pause(ending, period*4/5-10*time.Second)
			without += n.height() - from
			line(true)
		}
	})
	t.Cleanup(func() { end(); cycle.Wait() })

	busy := n.traffic(0, 1, 2, dina)
	n.residents[0].until("the study is done", func(c *api.Client) bool {
		st, err := c.Study(n.ctx, id)
		if err == nil && st.Status == ledger.Stopped.String() {
			t.Fatalf("the study stopped: %s", st.Reason)
		}
		return err == nil && st.Status == ledger.Done.String()
	})
	took := time.Since(begun)
	perMinute, gap := n.watch(least)
	end()
	cycle.Wait()
	line(true)
	n.result(id) // the same at all six
	s, err := n.residents[0].status()
	if err != nil || s.Relay == nil {
		t.Fatalf("the relay: %+v %v", s.Relay, err)
	}
	t.Logf("blocks: %d to %d, %.1f a minute in the last %v, longest gap %.1f s; %d of them while finn was away, so none without dina", before, s.Height, perMinute, least, gap.Seconds(), without)
	t.Logf("the relay carried %.1f MB in %d circuits for dina, in %.0f s", float64(s.Relay.Bytes)/1e6, s.Relay.Circuits, time.Since(begun).Seconds())
	t.Logf("the study of six sites was done after %.0f s; finn's line was up for %v in every %v, %d times; the same model at all six", took.Seconds(), period/5, period, windows)
	if without == 0 || s.Relay.Bytes < 100_000 {
		t.Errorf("%d blocks needed dina; %d bytes were carried", without, s.Relay.Bytes)
	}
	busy.stop()
	n.agree(busy)
}

// TestBothBehindRouters: two members whom nobody can dial, each behind a router that
// translates, know each other through a third, who relays. Where their routers take one
// port for all they find a direct way, and the relay has nothing to carry any more; where
// one takes another port for each, or lets out TCP alone, it goes on. A study of the three
// is done each time.
func TestBothBehindRouters(t *testing.T) {
	for _, c := range []struct {
		name        string
		each, noUDP bool
		direct      bool
	}{{name: "a port for all", direct: true}, {name: "a port for each", each: true}, {name: "TCP alone", noUDP: true}} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			n, _, _ := newNeighbours(t, func(m []*machine) []string {
				m[1].noUDP = c.noUDP
				m[1].translate(c.each)
				m[2].translate(false)
				return []string{"--relay"}
			}, "ada", "ben", "cleo")
			ada, ben, cleo := n.residents[0], n.residents[1], n.residents[2]
			relayed := func(p, other *resident) bool {
				client, err := api.Dial(p.dir)
				if err != nil {
					t.Fatal(err)
				}
				peers, err := client.Peers(n.ctx)
				at := slices.IndexFunc(peers, func(o api.Peer) bool { return o.Name == other.name })
				if err != nil || at < 0 || !peers[at].Connected {
					t.Fatalf("%s and %s are not connected: %+v %v", p.name, other.name, peers, err)
				}
				return peers[at].Relayed
			}
			carried := func() (bytes int64, circuits int) {
				s, err := ada.status()
				if err != nil || s.Relay == nil {
					t.Fatalf("%+v %v", s, err)
				}
				return s.Relay.Bytes, s.Relay.Circuits
			}
			if c.direct {
				ben.until("a direct way", func(*api.Client) bool { return !relayed(ben, cleo) && !relayed(cleo, ben) })
				t.Logf("connected directly %.1f s after the first start", time.Since(begun).Seconds())
				ada.until("nobody needs the relay", func(*api.Client) bool {
					_, circuits := carried()
					return circuits == 0
				})
				t.Logf("the relay had nothing to carry any more %.1f s after the first start", time.Since(begun).Seconds())
			}
			before, _ := carried()
			asked := time.Now()
			n.register()
			id := n.propose("behind routers", `"ada", "ben", "cleo", "dina"`, `"ada", "ben", "cleo"`)
			n.approve(id)
			n.result(id)
			after, circuits := carried()
			t.Logf("a study of three in %.1f s; the relay carried %d bytes before it and %d for it, in %d circuits", time.Since(asked).Seconds(), before, after-before, circuits)
			if direct := !relayed(ben, cleo); direct != c.direct || direct != (after == before) {
				t.Errorf("connected directly: %t; the relay carried %d bytes more", direct, after-before)
			}
		})
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
