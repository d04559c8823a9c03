//go:build long

package sim

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/p2p"
)

// These tests put each member on a machine of its own and make the lines between
// them bad. The members find each other as people's nodes do: by an invite.

// What bare CometBFT 0.38.26 did with four orderers and its own timeouts, measured
// on the same kind of machine: the floor to compare with.
const (
	floorHeal   = 9700 * time.Millisecond  // after a 2|2 cut
	floorRejoin = 16700 * time.Millisecond // of a node that heard nothing for 25 s
)

// longer makes measurements longer than a change of the code deserves.
func longer(short, long time.Duration) time.Duration {
	if os.Getenv("CROFT_LONG") != "" {
		return long
	}
	return short
}

// newNeighbours founds a network at the first machine, to which the others join
// with its invite; before is called when the machines are there, and may return more
// flags of the founder's croft up.
func newNeighbours(t *testing.T, before func([]*machine) []string, names ...string) (*town, *hub, []*machine) {
	h, machines := newHub(t, seeded(t).Uint64(), names...)
	var founder []string
	if before != nil {
		founder = before(machines)
	}
	n := &town{T: t, ctx: patient(t), dir: shortDir(t)}
	t.Cleanup(n.close)
	begun := time.Now()
	var code struct{ Code string }
	for i, name := range names {
		p := &resident{town: n, name: name, dir: filepath.Join(n.dir, name), files: t.TempDir(), at: machines[i].inside(),
			flags: []string{"--name", name, "--listen", machines[i].where}}
		visits(t, filepath.Join(p.files, "visits.csv"), 100+20*i, uint64(i+1))
		if i > 0 {
			p.join(code.Code)
		} else {
			p.flags = append(p.flags, founder...)
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
	orderers := 1
	if len(names) >= 4 {
		orderers = len(names)
	}
	for _, p := range n.residents {
		p.until(fmt.Sprint(orderers, " order blocks"), func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && len(s.Orderers) == orderers && s.Connected == len(names)-1
		})
	}
	t.Logf("%d machines, %d members, founded and joined in %.1f s", len(names), len(names), time.Since(begun).Seconds())
	return n, h, machines
}

// join becomes a member: the inviter's vote came with the code, the others that are
// needed are cast by whoever joined before.
func (p *resident) join(code string, flags ...string) {
	p.Helper()
	done := make(chan string, 1)
	go func() {
		code, out, errs := p.croft(append([]string{"join", code, "--name", p.name}, flags...)...)
		if code != 0 {
			done <- fmt.Sprintf("exit code %d: %s%s", code, out, errs)
		}
		close(done)
	}()
	voters := p.residents[1:]
	if most := ledger.Majority(len(p.residents)) - 1; len(voters) > most {
		voters = voters[:most]
	}
	for _, voter := range voters {
		voter.until("the newcomer may be voted for", func(*api.Client) bool {
			code, _, _ := voter.croft("member", "approve", p.name, "--yes")
			return code == 0
		})
	}
	if trouble, failed := <-done; failed {
		p.Fatalf("%s: join: %s", p.name, trouble)
	}
}

// traffic is members who keep the ledger busy, each with one transaction after the
// other.
type traffic struct {
	stop func()

	mu           sync.Mutex // guards acknowledged
	acknowledged []string   // transactions of which a member was told that they are in a block
}

func (n *town) traffic(members ...int) *traffic {
	ctx, cancel := context.WithCancel(n.ctx)
	var all sync.WaitGroup
	t := &traffic{stop: func() { cancel(); all.Wait() }}
	for _, i := range members {
		p := n.residents[i]
		k, err := keys.Load(p.dir, nil)
		if err != nil {
			n.Fatal(err)
		}
		s, err := p.status()
		if err != nil {
			n.Fatal(err)
		}
		scope := croft.Scope{Network: s.Scope.Network, Chain: s.Scope.Chain}
		all.Go(func() {
			for ctx.Err() == nil {
				invite := ledger.Invite{Expires: 1<<32 - 1, Uses: 1}
				rand.Read(invite.Key[:])
				tx := ledger.Seal(scope, croft.IDOf(k.Public(croft.RoleMember)), 0, &invite, k.Sign)
				within, end := context.WithTimeout(ctx, 30*time.Second) // the node goes on with it
				client, err := api.Dial(p.dir)
				if err == nil {
					_, err = client.Submit(within, tx)
				}
				end()
				if err == nil {
					t.mu.Lock()
					t.acknowledged = append(t.acknowledged, croft.Sum(tx).String())
					t.mu.Unlock()
				}
			}
		})
	}
	return t
}

// watch counts blocks at the first node, and the longest time without one.
func (n *town) watch(d time.Duration) (perMinute float64, gap time.Duration) {
	begun := time.Now()
	first, last, since := int64(0), int64(0), begun
	for time.Since(begun) < d {
		if s, err := n.residents[0].status(); err == nil {
			if first == 0 {
				first = s.Height
			} else if s.Height > last {
				since = time.Now()
			}
			last = s.Height
		}
		gap = max(gap, time.Since(since))
		time.Sleep(50 * time.Millisecond)
	}
	return float64(last-first) / time.Since(begun).Minutes(), gap
}

// reach waits until these nodes show a height and returns how long it took.
func reach(height int64, residents ...*resident) time.Duration {
	begun := time.Now()
	for _, p := range residents {
		p.until(fmt.Sprint("height ", height), func(c *api.Client) bool {
			s, err := c.Status(p.ctx)
			return err == nil && s.Height >= height
		})
	}
	return time.Since(begun)
}

// TestBadLines: four members who order blocks together, over lines that lose, delay
// and break.
func TestBadLines(t *testing.T) {
	n, h, m := newNeighbours(t, nil, "ada", "ben", "cleo", "dina")
	busy := n.traffic(0, 1, 2, 3)

	const lag = 150 * time.Millisecond // each way
	for _, c := range []struct {
		weather
		floor string // blocks a minute
		least float64
	}{
		{weather{}, "45", 45},
		{weather{delay: lag}, "33", 20},
		{weather{delay: lag, loss: 0.05}, "25", 15},
		{weather{delay: lag, loss: 0.20}, "26", 8},
		{weather{delay: lag, loss: 0.30}, "13", 3},
	} {
		h.all(c.weather)
		perMinute, gap := n.watch(longer(12*time.Second, 5*time.Minute))
		t.Logf("RTT %3d ms, loss %2.0f %%: %5.1f blocks a minute, longest gap %4.1f s; bare CometBFT: %s a minute", 2*c.delay.Milliseconds(), 100*c.loss, perMinute, gap.Seconds(), c.floor)
		if perMinute < c.least {
			t.Errorf("RTT %v, loss %g: %.1f blocks a minute, want %g", 2*c.delay, c.loss, perMinute, c.least)
		}
	}
	h.all(weather{})
	reach(n.height()+1, n.residents...)

	// Two and two: neither half may go on; after it both do, as one.
	h.part(m[:2], m[2:])
	time.Sleep(2 * time.Second) // what was decided arrives
	before := n.height()
	time.Sleep(longer(10*time.Second, time.Minute))
	if after := n.height(); after != before {
		t.Errorf("a half of the network went on from %d to %d", before, after)
	}
	h.all(weather{})
	heal := reach(before+2, n.residents...)
	t.Logf("cut 2|2: no block; healed to two more blocks everywhere in %.1f s; bare CometBFT: %.1f s", heal.Seconds(), floorHeal.Seconds())
	if heal > 20*time.Second {
		t.Errorf("healed in %v", heal)
	}

	// Dina hears nothing, and is heard.
	for _, other := range m[:3] {
		other.set(m[3], weather{cut: true})
	}
	before = n.height()
	time.Sleep(25 * time.Second)
	others := n.height()
	if others < before+2 {
		t.Errorf("the three others went from %d to %d while one heard nothing", before, others)
	}
	h.all(weather{})
	rejoin := reach(others, n.residents[3])
	t.Logf("one hears nothing for 25 s: the others made %d blocks; it is level in %.1f s; bare CometBFT: %.1f s", others-before, rejoin.Seconds(), floorRejoin.Seconds())
	if rejoin > 45*time.Second {
		t.Errorf("level in %v", rejoin)
	}

	busy.stop()
	n.agree(busy)
}

// agree waits until all nodes show one ledger, with everything that was
// acknowledged on it, and has each check its own copy from the first block.
func (n *town) agree(busy *traffic) {
	n.Helper()
	n.settle()
	first := n.residents[0].log()
	for _, p := range n.residents {
		p.audit()
		log := p.log()
		for i, e := range log[:min(len(first), len(log))] { // what a node was still asked for may come in meanwhile
			if f := first[i]; e.Height != f.Height || e.Tx != f.Tx {
				n.Errorf("a fork: %s has %s in block %d where %s has %s in block %d", n.residents[0].name, f.Tx, f.Height, p.name, e.Tx, e.Height)
				break
			}
		}
		on := map[string]bool{}
		for _, e := range log {
			on[e.Tx.String()] = e.Code == ""
		}
		lost := slices.DeleteFunc(slices.Clone(busy.acknowledged), func(id string) bool { return on[id] })
		if len(lost) > 0 {
			n.Errorf("%s: %d of %d acknowledged transactions are not on the ledger: %v", p.name, len(lost), len(busy.acknowledged), lost)
		}
	}
	if n.Failed() {
		return
	}
	n.Logf("0 forks: %d nodes, height %d, %d acknowledged transactions all there", len(n.residents), n.height(), len(busy.acknowledged))
}

// register adds each site's file.
func (n *town) register() {
	for _, p := range n.sites() {
		var r struct{ ID string }
		p.must(&r, "data", "add", filepath.Join(p.files, "visits.csv"), "--unit", "patient", "--releases", "100000")
	}
}

// TestMachineOff: one of three machines is off for a minute in the middle of a
// study, then for good, and then the founder's.
func TestMachineOff(t *testing.T) {
	n, h, m := newNeighbours(t, nil, "ada", "ben", "cleo")
	n.register()
	ada, ben, cleo := n.residents[0], n.residents[1], n.residents[2]
	study := func(name string, patience time.Duration) (id string) {
		id = n.propose(name, `"ada", "ben", "cleo", "dina"`, `"ada", "ben", "cleo"`, "60s", patience.String())
		n.approve(id)
		return id
	}
	want := n.result(study("undisturbed", time.Minute))

	// off has cleo's machine go off in the middle of a study, and returns when the
	// others say that they wait for it.
	off := func(name string, patience time.Duration) (id string) {
		cleo.end(syscall.SIGTERM)
		dying := cleo.start("CROFT_FAILPOINT=compute:4")
		id = study(name, patience)
		<-dying.gone
		h.part(m[:2], m[2:])
		for _, p := range []*resident{ada, ben} {
			p.until("the study waits for cleo by name", func(c *api.Client) bool {
				st, err := c.Study(n.ctx, id)
				return err == nil && st.Status == ledger.Paused.String() && slices.ContainsFunc(st.Sites, func(s api.Site) bool { return s.Name == "cleo" && s.Missing })
			})
			if _, out, _ := p.croft("study", "show", id); !strings.Contains(string(out), "cleo") {
				t.Errorf("%s does not say whom the study waits for:\n%s", p.name, out)
			}
		}
		return id
	}
	begun, minute := time.Now(), longer(30*time.Second, time.Minute)
	id := off("a minute", minute/2) // after as long again it would stop
	time.Sleep(time.Until(begun.Add(minute)))
	h.all(weather{})
	back := time.Now()
	cleo.start()
	if got := n.result(id); got != want {
		t.Errorf("off for a while: another result than undisturbed:\n%s\n%s", got, want)
	}
	t.Logf("off for %.0f s: the study waited for cleo by name, and had the same model %.1f s after she was back", back.Sub(begun).Seconds(), time.Since(back).Seconds())

	id = off("for good", 10*time.Second)
	before := n.height()
	var r struct{ Code string }
	ben.must(&r, "invite", "create") // the ledger goes on
	_, said, _ := ben.croft("study", "show", id)
	t.Logf("off for good: the ledger went from %d to %d; the study says:\n%s", before, n.height(), lineWith(said, "cleo"))
	ben.until("the study ends without her", func(c *api.Client) bool {
		st, err := c.Study(n.ctx, id)
		return err == nil && st.Status == ledger.Stopped.String() && st.Reason == "unavailable"
	})

	// Without the founder, who alone orders, the ledger stands, and says for whom.
	ada.end(syscall.SIGKILL)
	h.part(m[:1], m[1:])
	ben.until("the ledger waits for ada by name", func(c *api.Client) bool {
		s, err := c.Status(n.ctx)
		return err == nil && !s.Moves && len(s.Away) == 1 && s.Away[0].Name == "ada"
	})
	_, said, _ = ben.croft("status")
	t.Logf("the founder off too: status says:\n%s", lineWith(said, "ada"))
	if !strings.Contains(string(said), "ada") {
		t.Errorf("status does not name ada:\n%s", said)
	}
}

// lineWith returns the lines of a text with a word in them.
func lineWith(text []byte, word string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return !strings.Contains(l, word) }), "\n")
}

// TestBehindRouter: a member whom nobody can call joins, orders blocks and takes
// part in a study, also after its router forgot all conversations; the ledger cannot
// go on without it, because another member is off.
func TestBehindRouter(t *testing.T) {
	n, h, m := newNeighbours(t, func(m []*machine) []string { m[3].closeDoor(); return nil }, "ada", "ben", "cleo", "dina")
	n.register()
	id := n.propose("behind a router")
	n.approve(id)
	n.result(id)

	// The hardest case for coming back: the others dial it for CometBFT, and cannot.
	last := n.lastToDial()
	away := n.residents[last]
	others := slices.Delete(slices.Clone(m), last, last+1)
	h.part(m[last:last+1], others)
	for _, p := range n.residents {
		p.until("the connections have died", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && (s.Connected == 0 || p != away && s.Connected == 2)
		})
	}
	m[last].closeDoor() // forgotten: else its last words would let the others in
	h.all(weather{})
	begun := time.Now()
	away.until("everybody is connected again", func(c *api.Client) bool {
		s, err := c.Status(n.ctx)
		return err == nil && s.Connected == 3
	})
	t.Logf("%s, whom nobody can call, was cut off until all connections had died: connected again after %.1f s", away.name, time.Since(begun).Seconds())

	n.residents[1].end(syscall.SIGKILL)
	busy := n.traffic(0, 2, 3)
	perMinute, gap := n.watch(longer(10*time.Second, 10*time.Minute))
	t.Logf("three of four up, one of them behind a router: %.0f blocks a minute, longest gap %.1f s", perMinute, gap.Seconds())
	if perMinute < 10 {
		t.Errorf("%.1f blocks a minute through a router", perMinute)
	}
	m[3].closeDoor()
	begun = time.Now()
	up := []*resident{n.residents[0], n.residents[2], n.residents[3]}
	reach(n.height()+3, up...)
	t.Logf("its router forgot everything: three more blocks %.1f s later", time.Since(begun).Seconds())
	busy.stop()
	n.residents[1].start()
	n.agree(busy)
}

// lastToDial is the member that all others dial for CometBFT's connections.
func (n *town) lastToDial() (last int) {
	ids := make([]string, len(n.residents))
	client, err := api.Dial(n.residents[0].dir)
	if err != nil {
		n.Fatal(err)
	}
	council, err := client.Council(n.ctx)
	if err != nil {
		n.Fatal(err)
	}
	peers, err := client.Peers(n.ctx)
	if err != nil {
		n.Fatal(err)
	}
	for i, p := range n.residents {
		ids[i] = string(p2p.PeerOf(council.Node))
		for _, other := range peers {
			if other.Name == p.name {
				ids[i] = other.PeerID
			}
		}
		if ids[i] > ids[last] {
			last = i
		}
	}
	return last
}

// TestThreeClinics runs the script that shows seven commands at three clinics.
func TestThreeClinics(t *testing.T) {
	cmd := exec.CommandContext(patient(t), "bash", filepath.Join("..", "..", "hack", "three-clinics.sh"))
	cmd.Env = append(os.Environ(), "CROFT="+program)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == 3 {
		t.Skipf("not here: %s", out)
	}
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "Not a byte changed") {
		t.Error(err)
	}
}
