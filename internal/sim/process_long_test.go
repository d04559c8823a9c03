//go:build long && !windows

package sim

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"croft/internal/api"
	"croft/internal/audit"
	"croft/internal/ledger"
)

// These tests run the program as people do: one process a member, commands, and
// SIGKILL. What a process leaves half done is on a real disk, and its ports are
// real. Everything that can be seen faster is tested elsewhere, under virtual time.

// TestKilledProcesses kills a node at each named line of a study's flows, one after
// the other, in each role. Each time it is started again, to die at the next line,
// and the study still has to give the model of an undisturbed one.
func TestKilledProcesses(t *testing.T) {
	t.Parallel() // it waits more than it works
	n := newTown(t)
	want := n.reference()
	for role, c := range map[string]struct {
		who   int
		lines []string // in the order of the flow
	}{
		"site and seat": {1, []string{"enrol", "approve", "outbox", "compute", "report-kept", "report", "hand-kept", "acknowledge", "answers-kept", "verify", "share", "step"}},
		"seat only":     {4, []string{"enrol", "outbox", "hand-kept", "acknowledge", "answers-kept", "verify", "share", "step"}},
	} {
		begun := time.Now()
		p := n.residents[c.who]
		p.end(syscall.SIGTERM)
		dying := p.start("CROFT_FAILPOINT=" + c.lines[0])
		var deaths atomic.Int32
		all := make(chan struct{})
		go func() {
			defer close(all)
			for i := range c.lines {
				if <-dying.gone; dying.signal() != syscall.SIGKILL {
					return
				}
				deaths.Add(1)
				next := ""
				if i+1 < len(c.lines) {
					next = c.lines[i+1]
				}
				dying = p.start("CROFT_FAILPOINT=" + next)
			}
		}()
		id := n.propose("killed at each line, "+role, "60s", "300s")
		n.approve(id)
		got := n.result(id) // of the four others too
		select {
		case <-all:
		case <-time.After(endTime): // the last start may still be under way
		}
		if died := int(deaths.Load()); died < len(c.lines) {
			t.Fatalf("%s: killed %d times, not at %s", role, died, c.lines[died])
		}
		if got != want {
			t.Errorf("%s: another result than undisturbed:\n%s\n%s", role, got, want)
		}
		t.Logf("%s: killed at %v, started again each time, same model, %.1f s", role, c.lines, time.Since(begun).Seconds())
	}
	n.pause(want)
	n.refuse()
	n.inventory()
}

// pause kills a site in the middle of a study and leaves it dead for longer than
// the study's patience: the study waits for it, by name, and goes on when it is back
// within another patience.
func (n *town) pause(want string) {
	begun := time.Now()
	p := n.residents[1]
	p.end(syscall.SIGTERM)
	dying := p.start("CROFT_FAILPOINT=compute:4")
	id := n.propose("pause", "60s", "40s")
	n.approve(id)
	<-dying.gone
	n.residents[0].until("the study waits for ben by name", func(c *api.Client) bool {
		st, err := c.Study(n.ctx, id)
		return err == nil && st.Status == ledger.Paused.String() && slices.ContainsFunc(st.Sites, func(s api.Site) bool { return s.Name == "ben" && s.Missing })
	})
	p.start()
	if got := n.result(id); got != want {
		n.Errorf("paused: another result than undisturbed:\n%s\n%s", got, want)
	}
	n.Logf("%-29s paused by name, same model, %.1f s", "compute:4, too long away", time.Since(begun).Seconds())
}

// refuse changes a site's file after its person approved, and kills the node when
// it is about to say so: it says so when it runs again.
func (n *town) refuse() {
	begun := time.Now()
	p := n.residents[1]
	p.end(syscall.SIGTERM)
	dying := p.start("CROFT_FAILPOINT=refuse")
	id := n.propose("refuse")
	p.approve(id)
	visits(n, filepath.Join(p.files, "visits.csv"), 77, 77)
	for _, site := range n.sites() {
		if site != p {
			site.approve(id)
		}
	}
	<-dying.gone
	if dying.signal() != syscall.SIGKILL {
		n.Fatalf("refuse: the node ended by itself: %v", dying.cmd.ProcessState)
	}
	p.start()
	for _, r := range n.residents {
		r.until("the study stopped because the data differ", func(c *api.Client) bool {
			st, err := c.Study(n.ctx, id)
			return err == nil && st.Status == ledger.Stopped.String() && st.Reason == "differs"
		})
	}
	n.Logf("%-14s %-14s killed, started again, refused, %.1f s", "refuse", "site and seat", time.Since(begun).Seconds())
}

// kills is how many processes TestRandomKills kills: $CROFT_KILLS, or 30. Some four
// seconds go by for each: many want more than go test's own -timeout.
func kills(t *testing.T) int {
	text := cmp.Or(os.Getenv("CROFT_KILLS"), "30")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CROFT_KILLS=%s is no number of processes", text)
	}
	return n
}

// TestRandomKills kills one or two nodes at a time at random moments of studies,
// also while people propose and approve, and starts them again.
func TestRandomKills(t *testing.T) {
	t.Parallel() // it waits more than it works
	kills := kills(t)
	rng := seeded(t)
	n := newTown(t)
	want := n.reference()
	var delays []time.Duration // from a restart to a block that is new to the whole network
	var mu sync.Mutex
	studies := 0
	for done := 0; done < kills; studies++ {
		var ended atomic.Bool
		var killer sync.WaitGroup
		killer.Go(func() {
			for done < kills && !ended.Load() {
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				victims := rng.Perm(len(n.residents))[:1+min(1, rng.IntN(4)/3)]
				pause := time.Duration(rng.IntN(1000)) * time.Millisecond
				for _, i := range victims {
					n.residents[i].end(syscall.SIGKILL)
				}
				done += len(victims)
				time.Sleep(pause)
				known := n.height()
				var starts sync.WaitGroup
				for _, i := range victims {
					starts.Go(func() {
						p, begun := n.residents[i], time.Now()
						p.start()
						fresh := false
						p.until("a block after its restart", func(c *api.Client) bool {
							s, err := c.Status(n.ctx)
							fresh = s.Height > known
							return err == nil && (fresh || ended.Load() && s.Height == known) // nothing more happens then
						})
						if mu.Lock(); fresh {
							delays = append(delays, time.Since(begun))
						}
						mu.Unlock()
					})
				}
				starts.Wait()
			}
		})
		id := n.propose(fmt.Sprint("random kills ", studies))
		n.approve(id)
		if got := n.result(id); got != want {
			t.Errorf("study %d: another result than undisturbed:\n%s\n%s", studies, got, want)
		}
		ended.Store(true)
		killer.Wait()
	}
	slices.Sort(delays)
	at := func(p int) (d time.Duration) {
		if len(delays) > 0 {
			d = delays[(len(delays)-1)*p/100].Round(time.Millisecond)
		}
		return d
	}
	t.Logf("%d kills in %d studies, each with the same model; restart to the next height: p50 %v, p95 %v, max %v (of %d)", kills, studies, at(50), at(95), at(100), len(delays))
	n.inventory()
}

// TestDemoFoldersGoOn: the chain of the demo's folders goes on as soon as enough
// of them run, each as a process of its own.
func TestDemoFoldersGoOn(t *testing.T) {
	t.Parallel() // it waits more than it works
	dir := filepath.Join(shortDir(t), "d")
	n := &town{T: t, ctx: patient(t), dir: dir}
	code, out, errs := n.croft("demo", "--dir", dir, "--json")
	var report struct {
		Nodes []struct {
			Name, Dir string
			AppHash   string `json:"app_hash"`
		}
		Ledger struct{ Height int64 }
	}
	if err := json.Unmarshal(out, &report); code != 0 || err != nil || len(report.Nodes) != 5 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	for _, node := range report.Nodes {
		n.residents = append(n.residents, &resident{town: n, name: node.Name, dir: node.Dir, files: t.TempDir(), flags: []string{"--lan"}})
	}
	begun := n.residents[:2]
	for _, p := range begun {
		p.start()
	}
	t.Cleanup(n.close)
	var two [2]api.Status
	for i, p := range begun {
		p.until("the demo's ledger", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			two[i] = s
			return err == nil && s.Connected == 1
		})
		if s := two[i]; s.Height != report.Ledger.Height || s.AppHash.String() != report.Nodes[i].AppHash {
			t.Errorf("%s: height %d, state %s; the demo's report says %d, %s", p.name, s.Height, s.AppHash, report.Ledger.Height, report.Nodes[i].AppHash)
		}
		if _, out, _ := p.croft("status"); strings.Count(string(out), ": away") != 3 {
			t.Errorf("%s does not say that three are away:\n%s", p.name, out)
		}
	}
	if two[0].AppHash != two[1].AppHash || two[0].Scope != two[1].Scope {
		t.Errorf("two folders, two ledgers: %+v", two)
	}

	// Two of five cannot order: what a person does waits, and goes on by itself.
	file := filepath.Join(begun[0].files, "more.csv")
	visits(t, file, 50, 5)
	add := []string{"data", "add", file, "--unit", "patient", "--releases", "100", "--json", "--yes"}
	if code, out, errs := begun[0].croft(append(add, "--timeout", "5s")...); code != 9 {
		t.Errorf("two of five nodes: exit code %d: %s%s", code, out, errs)
	}
	for _, p := range n.residents[2:] {
		p.start()
	}
	for _, p := range n.residents {
		p.until("the next block", func(c *api.Client) bool {
			s, err := c.Status(n.ctx)
			return err == nil && s.Height > report.Ledger.Height && s.Scope == two[0].Scope
		})
	}
	begun[0].until("what waited is on the ledger", func(c *api.Client) bool {
		sets, err := c.Datasets(n.ctx)
		return err == nil && slices.ContainsFunc(sets, func(d api.Dataset) bool { return d.Name == "more" && d.Registered })
	})
	n.settle()
	for _, p := range n.residents {
		p.audit()
	}
	t.Logf("the demo ended at height %d; its folders went on to %d", report.Ledger.Height, n.height())
}

// TestCtrlCLeavesNothing: the demo without --dir leaves nothing in the temporary,
// the home and the working folder, however it ends.
func TestCtrlCLeavesNothing(t *testing.T) {
	t.Parallel() // it waits more than it works
	rng := seeded(t)
	for _, at := range []int{1, 2 + rng.IntN(10), 12 + rng.IntN(8), 0} { // the line of its progress at which it is interrupted; 0: it is not
		root := shortDir(t)
		places := map[string]string{}
		for _, place := range []string{"tmp", "home", "work"} {
			places[place] = filepath.Join(root, place)
			if err := os.Mkdir(places[place], 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := command(patient(t), "demo", "--json")
		cmd.Dir = places["work"]
		cmd.Env = []string{"TMPDIR=" + places["tmp"], "HOME=" + places["home"], "PATH=" + os.Getenv("PATH")}
		var out bytes.Buffer
		cmd.Stdout = &out
		progress, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		begun, want := time.Now(), 0
		var said []string
		for lines := bufio.NewScanner(progress); lines.Scan(); {
			if said = append(said, lines.Text()); len(said) != at {
				continue
			}
			time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond) // not always right after the line
			begun, want = time.Now(), 1
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Errorf("at line %d: %v", at, err)
			}
		}
		_ = cmd.Wait() // its exit code says more
		took := time.Since(begun)
		if code := cmd.ProcessState.ExitCode(); code != want || at > 0 && (want == 0 || took > endTime || !strings.Contains(out.String(), "CROFT-1")) {
			t.Errorf("interrupted at line %d: exit code %d, want %d, %v later: %s%s", at, code, want, took, &out, strings.Join(said, "\n"))
		}
		for place, dir := range places {
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("interrupted at line %d: left in the %s folder: %v %v", at, place, left, err)
			}
		}
		t.Logf("interrupted at line %d of its progress (0: not), ended %v later", at, took.Round(time.Millisecond))
	}
}

// The marks of a node at rest.
const (
	atRest     = time.Minute // or $CROFT_IDLE
	restingRSS = 150 << 20
)

// TestIdle: after the last transaction at most one more block, then none; and a
// node at rest is small.
func TestIdle(t *testing.T) {
	t.Parallel() // it waits more than it works
	rest := atRest
	if text := os.Getenv("CROFT_IDLE"); text != "" {
		var err error
		if rest, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	n := newTown(t)
	n.reference()
	n.settle()
	time.Sleep(rest)
	entries := n.residents[0].log()
	last := entries[len(entries)-1].Height
	for _, p := range n.residents {
		s, err := p.status()
		if err != nil || s.Height > last+1 {
			t.Errorf("%s: height %d after %v, the last transaction is in %d: %v", p.name, s.Height, rest, last, err)
		}
		rss, err := p.rss()
		if os.IsNotExist(err) {
			t.Logf("%s: no /proc here: its size is not looked at", p.name)
		} else if err != nil || rss > restingRSS {
			t.Errorf("%s at rest: %d MB, want at most %d: %v", p.name, rss>>20, restingRSS>>20, err)
		}
		t.Logf("%s: height %d after %v, last transaction in %d; RSS %d MB", p.name, s.Height, rest, last, rss>>20)
	}
}

// seeded is the randomness of a test: another at each run, printed, and the same
// again with $CROFT_SEED.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CROFT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CROFT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// inventory holds the town's ledger against what was promised: every node audits
// itself, all have the same ledger, all that a person was told is done is on it,
// and no node kept a secret of a study that has ended, or something unsent.
func (n *town) inventory() {
	n.Helper()
	n.settle()
	for _, p := range n.residents {
		p.audit()
	}
	log := n.residents[0].log()
	for _, done := range n.acknowledged {
		if !slices.ContainsFunc(log, func(e audit.Entry) bool {
			id := e.Tx.String()
			if done.word == "approve" {
				id = e.Study.String()
			}
			return e.Code == "" && e.Name == done.who && e.Word == done.word && id == done.id
		}) {
			n.Errorf("lost: %s was told that %s %s is done", done.who, done.word, done.id)
		}
	}
	n.close()
	for _, p := range n.residents {
		p.leftovers()
	}
	if !n.Failed() {
		n.Logf("%d acknowledged acts, all on the ledger of %d blocks and %d entries; five audits; no leftovers", len(n.acknowledged), log[len(log)-1].Height, len(log))
	}
}
