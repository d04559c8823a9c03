//go:build long && !windows

package sim

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
)

// TestKilledCalls kills the provider's or the caller's process at each line of a paid
// call, starts it again, and goes on calling: no call is worked on twice, nothing is
// stuck, and in the end, on the ledger, every credit is there and what was paid is what
// was answered, but for the calls that a death cut off.
func TestKilledCalls(t *testing.T) {
	t.Parallel() // it waits more than it works
	n := newTown(t)
	worked := struct {
		sync.Mutex
		times map[string]int
	}{times: map[string]int{}}
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a double of somebody's server
		body, _ := io.ReadAll(r.Body)
		worked.Lock()
		worked.times[string(body)]++
		worked.Unlock()
		w.Write(body)
	}))
	t.Cleanup(engine.Close)

	provider, caller := n.residents[0], n.residents[4]
	for _, p := range []*resident{provider, caller} { // over TCP the other end hears of a death at once, over QUIC after 30 s
		p.flags = append(p.flags, "--listen", "/ip4/127.0.0.1/tcp/0")
		p.end(syscall.SIGTERM)
		p.start()
	}
	var ignored map[string]any
	for _, p := range n.residents[:3] {
		p.must(&ignored, "wallet", "mint", caller.name, "--amount", "200")
	}
	provider.must(&ignored, "service", "publish", "echo", "--upstream", engine.URL, "--task", "http", "--price", "1")
	wallet := func(p *resident) (w api.Wallet) {
		p.until("its wallet", func(c *api.Client) bool {
			var err error
			w, err = c.Wallet(n.ctx)
			return err == nil
		})
		return w
	}
	caller.until("the service and the credits", func(c *api.Client) bool {
		o, err := c.Offered(n.ctx)
		return err == nil && len(o.Services) == 1 && wallet(caller).Free == 200*croft.Credit
	})
	caller.must(&ignored, "wallet", "open", "echo", "--deposit", "100", "--window", "1h")
	call := func(body string) bool {
		code, out, _ := caller.croft("service", "call", "echo", "--remote", "--data", body, "--json")
		return code == 0 && strings.Contains(string(out), `"price":"1"`)
	}
	made, good := 0, 0
	next := func() string { made++; return fmt.Sprintf(`{"call":%d}`, made) }
	goes := func(what string) {
		caller.until(what, func(*api.Client) bool {
			if call(next()) {
				good++
				return true
			}
			return false
		})
	}
	goes("the first call")

	lines := []string{"quote", "open", "voucher", "infer", "meter", "countersign", "settle"}
	for _, line := range []string{"quote", "open", "admit", "voucher", "infer", "meter", "countersign", "settle"} {
		lines = append(lines, "serve."+line)
	}
	for _, line := range lines {
		begun, p := time.Now(), caller
		if strings.HasPrefix(line, "serve.") {
			p = provider
		}
		p.end(syscall.SIGTERM)
		dying := p.start("CROFT_FAILPOINT=" + line)
		for dead := false; !dead; {
			if call(next()) {
				good++
			}
			select {
			case <-dying.gone:
				dead = true
			case <-n.ctx.Done():
				t.Fatalf("nobody died at %s", line)
			case <-time.After(50 * time.Millisecond): // a call that came too early, or a process that takes its time to end
			}
		}
		if dying.signal() != syscall.SIGKILL {
			t.Fatalf("%s: the node ended by itself: %v", line, dying.cmd.ProcessState)
		}
		p.start()
		goes("a call after " + line)
		t.Logf("%-18s killed, started again, next call answered, %.1f s", line, time.Since(begun).Seconds())
	}

	before := wallet(caller)
	if len(before.Channels) != 1 || before.Channels[0].InFlight != 0 {
		t.Fatalf("%+v", before)
	}
	caller.must(&ignored, "wallet", "close", before.Channels[0].ID.String())
	var earned croft.Credits
	provider.until("the channel's end", func(*api.Client) bool {
		w := wallet(provider)
		earned = w.Free
		return len(w.Channels) == 1 && w.Channels[0].Status == "closed"
	})
	rest := croft.Credits(0)
	caller.until("the rest", func(*api.Client) bool {
		rest = wallet(caller).Free
		return rest+earned == 200*croft.Credit
	})
	worked.Lock()
	defer worked.Unlock()
	for body, times := range worked.times {
		if times > 1 {
			t.Errorf("%s was worked on %d times", body, times)
		}
	}
	deaths := croft.Credits(len(lines)) * croft.Credit // each cuts off one call, and may forget one receipt
	answered := croft.Credits(good) * croft.Credit
	t.Logf("%d calls, %d answered, %d worked on; %s credits paid, %s came back", made, good, len(worked.times), earned, rest)
	if earned > croft.Credits(len(worked.times))*croft.Credit || earned+deaths < answered || earned > answered+deaths {
		t.Errorf("%d answered, %d worked on, %s paid", good, len(worked.times), earned)
	}
}
