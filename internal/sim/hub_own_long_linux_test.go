//go:build long

package sim

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestHub holds the hub itself to its word: a faulty test machine proves nothing.
func TestHub(t *testing.T) {
	h, m := newHub(t, 1, "a", "b", "c")
	m[1].helper(t, "listen")

	// Delay: a call there and back takes both directions' delay, and little more.
	m[0].set(m[1], weather{delay: 60 * time.Millisecond})
	m[1].set(m[0], weather{delay: 40 * time.Millisecond})
	rtt := m[0].ask(t, m[1].addr, 1)
	if rtt.answers != 1 || rtt.slowest < 100*time.Millisecond || rtt.slowest > 400*time.Millisecond {
		t.Errorf("60 ms there, 40 ms back: %+v", rtt)
	}

	// Loss: of each packet by itself, in one direction.
	h.all(weather{})
	m[0].set(m[1], weather{loss: 0.3})
	if got := m[0].ask(t, m[1].addr, 2000); got.answers < 1300 || got.answers > 1500 {
		t.Errorf("30 %% loss: %d of 2000 answers", got.answers)
	}

	// A cut in one direction: what goes there arrives, what comes back does not.
	h.all(weather{})
	m[1].set(m[0], weather{cut: true})
	before := m[0].to[m[1]].carried.Load()
	if got := m[0].ask(t, m[1].addr, 10); got.answers != 0 || m[0].to[m[1]].carried.Load()-before < 10 {
		t.Errorf("cut one way: %+v", got)
	}

	// A narrow line: 20 questions of 1,000 bytes at 20,000 bytes a second.
	h.all(weather{})
	m[0].set(m[1], weather{rate: 20_000})
	if got := m[0].ask(t, m[1].addr, 20); got.answers == 0 || got.answers == 20 || got.slowest < 100*time.Millisecond {
		t.Errorf("20 kB/s with a short buffer: %+v", got)
	}

	// Behind a router: nobody can begin, answers come in.
	h.all(weather{})
	m[1].closeDoor()
	if got := m[0].ask(t, m[1].addr, 10); got.answers != 0 {
		t.Errorf("through a closed door: %+v", got)
	}
	m[2].helper(t, "listen")
	if got := m[1].ask(t, m[2].addr, 10); got.answers != 10 {
		t.Errorf("out of a closed door: %+v", got)
	}

	// And out of one that translates; a wrong sum would lose the packet.
	for _, each := range []bool{false, true} {
		m[0].translate(each)
		if got := m[0].ask(t, m[2].addr, 10); got.answers != 10 {
			t.Errorf("out of a router that translates: %+v", got)
		}
	}
	if got := m[2].ask(t, m[0].addr, 10); got.answers != 0 {
		t.Errorf("past a router that translates: %+v", got)
	}

	// IPv6 beside it, and alone; a router's door is shut to it too, and nothing is translated.
	for _, x := range m {
		x.give6()
	}
	m[2].take4()
	for _, c := range []struct {
		from    *machine
		to      netip.Addr
		answers int
	}{{m[2], m[0].addr6, 0}, {m[2], m[1].addr6, 0}, {m[0], m[2].addr6, 10}, {m[1], m[2].addr6, 10}, {m[0], m[2].addr, 0}} {
		if got := c.from.ask(t, c.to, 10); got.answers != c.answers {
			t.Errorf("from %s to %s: %+v, want %d answers", c.from.space, c.to, got, c.answers)
		}
	}

	// A partition parts, both ways.
	h.part(m[:2], m[2:])
	if got := m[1].ask(t, m[2].addr6, 5); got.answers != 0 {
		t.Errorf("across a partition: %+v", got)
	}
}

// heard is what came back of the questions that a machine asked.
type heard struct {
	answers int
	slowest time.Duration
}

// ask sends so many packets of 1,000 bytes over UDP to a machine whose helper
// listens, and returns what came back within a second of the last.
func (m *machine) ask(t *testing.T, to netip.Addr, n int) (got heard) {
	t.Helper()
	lines := m.helper(t, "ask", to.String(), fmt.Sprint(n))
	var slowest int64
	if _, err := fmt.Sscan(lines, &got.answers, &slowest); err != nil {
		t.Fatalf("helper: %v: %q", err, lines)
	}
	got.slowest = time.Duration(slowest)
	return got
}

// helper runs this test binary on the machine as something else; see echo. It
// returns its first line.
func (m *machine) helper(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	words := append(m.inside(), os.Args[0])
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "CROFT_ECHO="+strings.Join(args, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("helper %v: %v", args, err)
	}
	return line
}
