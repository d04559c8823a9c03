//go:build long

package sim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"croft/internal/api"
)

// used is what a member's node has used so far.
type used struct {
	rss      int64
	cpu      time.Duration
	in, out  int64 // bytes that crossed its machine's network card, with all headers
	carried  int64 // of a relay
	circuits int
}

func (p *resident) used() (u used) {
	p.Helper()
	pid := p.running().cmd.Process.Pid // ip netns exec becomes what it runs
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		p.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	var user, system int64
	if fields := strings.Fields(after); len(fields) > 12 {
		_, _ = fmt.Sscan(fields[11], &user)
		_, _ = fmt.Sscan(fields[12], &system)
	}
	u.cpu = time.Duration(user+system) * 10 * time.Millisecond
	if u.rss, err = p.rss(); err != nil {
		p.Fatal(err)
	}
	card := "/sys/class/net/eth0/statistics/"
	out, err := exec.Command(p.at[0], append(slices.Clone(p.at[1:]), "cat", card+"rx_bytes", card+"tx_bytes")...).Output()
	if _, bad := fmt.Sscan(string(out), &u.in, &u.out); err != nil || bad != nil {
		p.Fatal(err, bad)
	}
	if s, err := p.status(); err == nil && s.Relay != nil {
		u.carried, u.circuits = s.Relay.Bytes, s.Relay.Circuits
	}
	return u
}

// TestOneRelayForMany: of 23 members one can be dialled, and relays: two full ones and
// twenty light ones are each behind a router that takes another port for each
// correspondent, so that whatever they have to say to each other goes through it.
//
// CROFT_REST is how long they are watched while nothing happens (one minute).
func TestOneRelayForMany(t *testing.T) {
	rest := set(t, "CROFT_REST", time.Minute)
	names := []string{"ada", "ben", "cleo"}
	for i := range 20 {
		names = append(names, fmt.Sprintf("light%02d", i+1))
	}
	_, m := newHub(t, seeded(t).Uint64(), names...)
	n := &town{T: t, ctx: patient(t), dir: shortDir(t)}
	t.Cleanup(n.close)
	begun := time.Now()
	var code struct{ Code string }
	for i, name := range names {
		p := &resident{town: n, name: name, dir: filepath.Join(n.dir, name), files: t.TempDir(), at: m[i].inside(), flags: []string{"--name", name, "--listen", m[i].where}}
		visits(t, filepath.Join(p.files, "visits.csv"), 100+20*i, uint64(i+1))
		switch {
		case i == 0:
			p.flags = append(p.flags, "--relay")
		case i < 3:
			m[i].translate(true)
			p.join(code.Code)
		default:
			m[i].translate(true)
			p.join(code.Code, "--light")
		}
		n.residents = append(n.residents, p)
		p.start()
		if i == 0 {
			p.must(&code, "invite", "create", "--uses", fmt.Sprint(len(names)-1), "--auto")
		}
		p.until("it is a member", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && s.Members == i+1 && !s.CatchingUp
		})
	}
	// met returns how long it took until each is connected with all full members.
	met := func(begun time.Time) (all []time.Duration) {
		var each sync.WaitGroup
		var mu sync.Mutex
		for i, p := range n.residents[1:] {
			each.Go(func() {
				p.until("all full members", func(c *api.Client) bool {
					peers, err := c.Peers(n.ctx)
					there := slices.DeleteFunc(peers, func(p api.Peer) bool { return !p.Connected || strings.HasPrefix(p.Name, "light") })
					return err == nil && len(there) == min(3, 2+i/2)
				})
				mu.Lock()
				defer mu.Unlock()
				all = append(all, time.Since(begun))
			})
		}
		each.Wait()
		slices.Sort(all)
		return all
	}
	met(begun)
	ada := n.residents[0]
	t.Logf("%d members founded, joined and connected in %.0f s: %+v", len(names), time.Since(begun).Seconds(), ada.used())

	// At rest, when what follows joining has died down.
	time.Sleep(80 * time.Second)
	look := func() (all []used) {
		for _, p := range n.residents {
			all = append(all, p.used())
		}
		return all
	}
	between := func(what string, before []used) {
		t.Helper()
		for i, now := range look() {
			was := before[i]
			if i <= 3 || i == len(names)-1 {
				t.Logf("%s: %-8s RSS %d MB, CPU %.2f s, received %d kB, sent %d kB; carried %d kB, %d circuits", what, names[i], now.rss>>20, (now.cpu - was.cpu).Seconds(),
					(now.in-was.in)/1000, (now.out-was.out)/1000, (now.carried-was.carried)/1000, now.circuits)
			}
		}
	}
	before := look()
	time.Sleep(rest)
	between(fmt.Sprint(rest, " at rest"), before)

	// A study of four light sites, whose seats are the full ones.
	before, begun = look(), time.Now()
	sites := n.residents[3:7]
	some := &town{T: t, ctx: n.ctx, dir: n.dir, residents: n.residents[:7]}
	for _, p := range sites {
		var r struct{ ID string }
		p.must(&r, "data", "add", filepath.Join(p.files, "visits.csv"), "--unit", "patient", "--releases", "1000")
	}
	id := n.propose("many", `"ada", "ben", "cleo", "dina"`, `"`+strings.Join(names[3:7], `", "`)+`"`)
	for _, p := range sites {
		p.approve(id)
	}
	some.result(id)
	n.settle()
	t.Logf("a study of four light sites in %.1f s; all twenty have its last block, %d", time.Since(begun).Seconds(), n.height())
	between("the study", before)
	n.residents[len(names)-1].audit()
}
