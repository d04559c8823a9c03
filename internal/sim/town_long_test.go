//go:build long && !windows

package sim

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"croft/internal/audit"
	"croft/internal/ledger"
	"croft/internal/store"
	"croft/internal/study"
)

// program is the path of the program, built once for all tests.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "croft-program-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "croft")
		if out, err := exec.Command("go", "build", "-tags", "failpoint", "-o", program, "croft/cmd/croft").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// town is a network of which each member's node is a process, and its people.
type town struct {
	*testing.T
	ctx       context.Context
	dir       string
	residents []*resident
	wait      time.Duration // how long until waits; 0: five minutes

	acknowledged []done
}

// done is what a person was told is done: a transaction, by its id, or an approval,
// by its study's.
type done struct{ who, word, id string }

// resident is a member: its folder, its person's files, and its node.
type resident struct {
	*town
	name, dir, files string
	at               []string // what runs a command on its machine; none: on this one
	flags            []string // of croft up

	mu      sync.Mutex
	process *process // the latest
}

// process is a running `croft up`.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
}

// newTown founds a network of five, the first four of them sites with a file, lets
// their nodes meet once in this process, and starts each as a process of its own.
func newTown(t *testing.T) *town { return newTownIn(t, shortDir(t)) }

var townspeople = []string{"ada", "ben", "cleo", "dina", "elif"}

// newTownIn is newTown in a folder, in which each of the townspeople has one.
func newTownIn(t *testing.T, dir string) *town {
	n := &town{T: t, ctx: patient(t), dir: dir}
	network, err := Found(n.dir, "town", time.Now(), townspeople...)
	if err != nil {
		t.Fatal(err)
	}
	err = network.Start(n.ctx, slog.New(slog.DiscardHandler), func(croft.MemberID, study.Event) {})
	if err = errors.Join(err, network.Stop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	for i, m := range network.Members {
		p := &resident{town: n, name: m.Name, dir: m.Dir, files: t.TempDir(), flags: []string{"--lan"}}
		n.residents = append(n.residents, p)
		visits(t, filepath.Join(p.files, "visits.csv"), 100+20*i, uint64(i+1))
		p.start()
	}
	for _, p := range n.sites() {
		var r struct{ ID string }
		p.must(&r, "data", "add", filepath.Join(p.files, "visits.csv"), "--unit", "patient", "--releases", "100000")
		n.acknowledged = append(n.acknowledged, done{p.name, "register", r.ID})
	}
	return n
}

func (n *town) sites() []*resident { return n.residents[:min(4, len(n.residents))] }

// shortDir is a folder in whose subfolders sockets can be made: a test's own has
// too long a path on some systems.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "croft")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.TempDir() // removed after the nodes are ended, whose logs are in it: they are set up later
	return dir
}

// patient is a context that ends before the test binary's patience does, so that
// what stalls is named. It outlives t.Context: nodes are ended kindly at the end.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	if end, bounded := t.Deadline(); bounded { // go test -timeout
		ctx, cancel = context.WithDeadline(context.Background(), end.Add(-time.Minute))
	}
	t.Cleanup(cancel)
	return ctx
}

// command is a croft command that does not outlive ctx.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// croft runs a command to its end: its exit code, what it printed and said.
func (n *town) croft(args ...string) (code int, out, errs []byte) {
	ctx, cancel := context.WithTimeout(n.ctx, 5*time.Minute)
	defer cancel()
	return ended(command(ctx, args...))
}

// ended runs a command to its end.
func ended(cmd *exec.Cmd) (code int, out, errs []byte) {
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return -1, out, []byte(err.Error())
	}
	return cmd.ProcessState.ExitCode(), out, said.Bytes()
}

func (p *resident) croft(args ...string) (code int, out, errs []byte) {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Minute)
	defer cancel()
	return ended(p.command(ctx, args...))
}

// command is a croft command at the member's machine, for its folder.
func (p *resident) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, append([]string{"--dir", p.dir}, args...)...)
	if len(p.at) > 0 {
		here := cmd
		cmd = exec.CommandContext(ctx, p.at[0], slices.Concat(p.at[1:], here.Args)...)
		cmd.WaitDelay = here.WaitDelay
	}
	return cmd
}

// must runs a command that has to succeed and reads what it prints.
func (p *resident) must(into any, args ...string) {
	p.Helper()
	code, out, errs := p.croft(append(args, "--json", "--yes")...)
	if code != 0 {
		p.Fatalf("%s: croft %s: exit code %d: %s%s", p.name, strings.Join(args, " "), code, out, errs)
	}
	if err := json.Unmarshal(out, into); err != nil {
		p.Fatalf("%s: croft %s: %v", p.name, strings.Join(args, " "), err)
	}
}

// start starts the node and returns when it says that it runs, or has ended.
func (p *resident) start(env ...string) *process {
	cmd := p.command(p.ctx, append([]string{"up", "--json", "--page", "none"}, p.flags...)...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.OpenFile(filepath.Join(p.files, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.Error(err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.Error(err)
	}
	node := &process{cmd, make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(node.gone)
		lines := bufio.NewReader(out)
		_, _ = lines.ReadString('\n')
		close(ready)
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait() // node.signal and the exit code say how it ended
	}()
	p.mu.Lock()
	p.process = node
	p.mu.Unlock()
	<-ready
	return node
}

// endTime is how long a node may take to end when it is asked to: more than it gives
// itself, also where little works.
const endTime = time.Minute

// end sends a signal to the node and waits for its end.
func (p *resident) end(signal syscall.Signal) {
	node := p.running()
	_ = node.cmd.Process.Signal(signal) // one that has ended already is what is wanted
	select {
	case <-node.gone:
	case <-time.After(endTime):
		_ = node.cmd.Process.Signal(syscall.SIGQUIT)
		<-node.gone
		log, _ := os.ReadFile(filepath.Join(p.files, "log"))
		_, hangs, _ := bytes.Cut(log, []byte("SIGQUIT: quit"))
		p.Errorf("%s still ran %v after %v:\n%s", p.name, endTime, signal, hangs)
		return
	}
	if code := node.cmd.ProcessState.ExitCode(); signal != syscall.SIGKILL && code != 0 {
		p.Errorf("%s: exit code %d on %v", p.name, code, signal)
	}
}

func (p *resident) running() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// signal is what ended the process; -1 if it ended itself.
func (p *process) signal() syscall.Signal {
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal()
}

// close ends all nodes and, if the test failed, prints the ends of their logs.
func (n *town) close() {
	for _, p := range n.residents {
		if node := p.running(); node != nil {
			select {
			case <-node.gone:
			default:
				p.end(syscall.SIGTERM)
			}
		}
	}
	for _, p := range n.residents {
		if log, err := os.ReadFile(filepath.Join(p.files, "log")); err == nil && n.Failed() {
			n.Logf("%s:\n%s", p.name, log[max(0, len(log)-8000):])
		}
	}
}

// until asks the node again and again, also over its deaths, until it answers as
// wanted.
func (p *resident) until(what string, want func(*api.Client) bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, cmp.Or(p.wait, 5*time.Minute))
	defer cancel()
	for {
		if client, err := api.Dial(p.dir); err == nil && want(client) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			_, out, errs := p.croft("status")
			p.Errorf("%s: waited in vain for: %s\n%s%s", p.name, what, out, errs)
			p.FailNow()
		}
	}
}

func (p *resident) status() (api.Status, error) {
	client, err := api.Dial(p.dir)
	if err != nil {
		return api.Status{}, err
	}
	return client.Status(p.ctx)
}

// height is the height of the node that is furthest.
func (n *town) height() (height int64) {
	for _, p := range n.residents {
		if s, err := p.status(); err == nil {
			height = max(height, s.Height)
		}
	}
	return height
}

// settle waits until all nodes show the same last block and nothing waits.
func (n *town) settle() {
	n.Helper()
	for _, p := range n.residents {
		p.until("one ledger everywhere", func(c *api.Client) bool {
			first, err := n.residents[0].status()
			if err != nil {
				return false
			}
			s, err := c.Status(n.ctx)
			return err == nil && (s.Height == first.Height || s.Light) && s.AppHash == first.AppHash // a light one's state is proved by the block after it
		})
	}
}

// reference is the result of a study that nothing disturbs.
func (n *town) reference() string {
	n.Helper()
	begun := time.Now()
	id := n.propose("undisturbed")
	n.approve(id)
	result := n.result(id)
	n.Logf("undisturbed: %.1f s", time.Since(begun).Seconds())
	if code, out, errs := n.residents[0].croft("study", "approve", id, "--yes"); code != 1 || !strings.Contains(string(errs), "you approved study") {
		n.Errorf("approved once more: exit code %d: %s%s", code, out, errs)
	}
	return result
}

// planFile is a study of all four sites, read by all five members.
const planFile = `name = "NAME"
purpose = "who falls ill"
legal_basis = "none needed"
contact = "ada@example.org"
expires = 2099-12-31

[sites]
members = ["ada", "ben", "cleo", "dina"]

[people]
unit = "patient"
hold_out = 25

[model]
goal = "inference"
label = "ill"
positive = "yes"

[may_leave]
readers = ["sites", "seats"]

[sums]
patience = "60s"

[[column]]
name = "age"
kind = "number"
low = 20
high = 80

[[column]]
name = "bmi"
kind = "number"
low = 15
high = 35

[[column]]
name = "ill"
kind = "category"
levels = ["no", "yes"]
`

// propose has the first member propose a study; changes are pairs of old and new
// text in its file. The same file is the same study, so a person whose node goes
// away does it again.
func (n *town) propose(name string, changes ...string) string {
	n.Helper()
	p := n.residents[0]
	file := filepath.Join(p.files, "study.toml")
	text := strings.NewReplacer(append(changes, "NAME", name)...).Replace(planFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.Fatal(err)
	}
	var r struct{ ID string }
	p.until("the proposal is taken", func(*api.Client) bool {
		code, out, errs := p.croft("study", "propose", file, "--json", "--yes")
		if code != 0 && code != 8 { // 8: the node is not there
			n.Fatalf("propose: exit code %d: %s%s", code, out, errs)
		}
		return code == 0 && json.Unmarshal(out, &r) == nil
	})
	n.acknowledged = append(n.acknowledged, done{p.name, "propose", r.ID})
	return r.ID
}

func (n *town) approve(id string) {
	n.Helper()
	for _, p := range n.sites() {
		p.approve(id)
	}
}

// approve has the site's person say yes. If the node goes away meanwhile, the
// person looks whether the yes arrived and else says it again.
func (p *resident) approve(id string) {
	p.Helper()
	p.until("the study can be approved", func(c *api.Client) bool {
		st, err := c.Study(p.ctx, id)
		if err != nil {
			return false
		}
		for _, site := range st.Sites {
			if site.Name == p.name && site.Answer == "approved" {
				return true
			}
		}
		code, out, errs := p.croft("study", "approve", id, "--json", "--yes")
		if code != 0 && code != 8 {
			p.Fatalf("%s: approve: exit code %d: %s%s", p.name, code, out, errs)
		}
		if code == 0 {
			p.acknowledged = append(p.acknowledged, done{p.name, "approve", id})
		}
		return code == 0
	})
}

// result waits until the study is done at every node and returns what all of them
// say it found, without what tells studies apart.
func (n *town) result(id string) string {
	n.Helper()
	var same string
	for _, p := range n.residents {
		var found string
		p.until("the study's result", func(c *api.Client) bool {
			if st, err := c.Study(n.ctx, id); err == nil && st.Status == ledger.Stopped.String() {
				n.Fatalf("%s stopped: %s", st.Name, st.Reason)
			}
			r, err := c.Result(n.ctx, id)
			if err != nil {
				return false
			}
			r.Study, r.Name, r.State = croft.StudyID{}, "", croft.Hash{} // the salted hash, checked by the node
			text, err := json.Marshal(r)
			found = string(text)
			return err == nil
		})
		if same == "" {
			same = found
		}
		if found != same {
			n.Errorf("%s and %s have different results:\n%s\n%s", n.residents[0].name, p.name, same, found)
		}
	}
	return same
}

// log is the ledger's entries, oldest first.
func (p *resident) log() (entries []audit.Entry) {
	p.Helper()
	p.must(&entries, "audit", "log")
	if len(entries) == 0 {
		p.Fatal("an empty ledger")
	}
	return entries
}

// audit has the node verify all that it has stored.
func (p *resident) audit() {
	p.Helper()
	var report struct {
		Blocks int64
		Stored *audit.Stored
	}
	p.must(&report, "audit", "verify")
	if report.Blocks == 0 || report.Stored == nil {
		p.Errorf("%s: an audit of nothing: %+v", p.name, report)
	}
}

// leftovers looks into the folder of a node that has ended: a study's secrets go
// with its end, and an outbox empties.
func (p *resident) leftovers() {
	p.Helper()
	docs, err := store.OpenDocs(filepath.Join(p.dir, "docs"))
	if err != nil {
		p.Fatal(err)
	}
	defer docs.Close()
	for _, kind := range []string{"study-key", "report", "hand", "pipe-out", "pipe-in", "outbox"} {
		if left, err := docs.List(kind); err != nil || len(left) > 0 {
			p.Errorf("%s kept %d documents %s: %v %v", p.name, len(left), kind, left, err)
		}
	}
}

// rss is the memory of the node's process.
func (p *resident) rss() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.running().cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes int64
	_, err = fmt.Sscan(after, &kilobytes)
	return kilobytes << 10, err
}
