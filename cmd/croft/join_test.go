package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
)

// up runs the desk's node until the end of the test, as a person does in another
// terminal.
func (d desk) up(flags ...string) {
	d.Helper()
	ctx, stop := context.WithCancelCause(d.Context())
	ended := make(chan error, 1)
	var said bytes.Buffer
	code := -1
	go func() {
		code = execute(ctx, append([]string{"--dir", d.dir, "up", "--lan", "--page", "none", "--quiet"}, flags...), strings.NewReader(""), &said, &said)
		ended <- nil
	}()
	if _, up, _ := answering(ctx, d.dir, ended); !up {
		d.Fatalf("the node is not up: exit code %d, %s", code, &said)
	}
	d.Cleanup(func() {
		stop(croft.E(croft.ErrInterrupted))
		<-ended
		if code != 0 {
			d.Errorf("the node ended with %d: %s", code, &said)
		}
	})
}

// until runs a command until it prints the text.
func (d desk) until(text string, args ...string) string {
	d.Helper()
	for {
		if _, out, _ := d.croft("", args...); strings.Contains(out, text) {
			return out
		}
		select {
		case <-d.Context().Done():
			d.Fatalf("croft %v never says %q", args, text)
		case <-time.After(200 * time.Millisecond): // the command is another process to the node: there is nothing to wake it
		}
	}
}

// newDesk is a desk with a folder that is not there yet.
func newDesk(t *testing.T) desk {
	dir, err := os.MkdirTemp("", "croft") // a short path: sockets are made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return desk{t, dir, t.TempDir()}
}

// Two organisations become one network, with nothing but the commands: three at
// the first desk, two at the second.
func TestJoiningByCommands(t *testing.T) {
	t.Parallel()
	a, b := newDesk(t), newDesk(t)
	a.must([]string{"init", "--name", "Clinic A", "--network", "the valley"})
	a.up()
	a.must([]string{"invite", "ls"}, "No invite yet")
	var made inviteCreateResult
	if err := json.Unmarshal([]byte(a.must([]string{"invite", "create", "--json"})), &made); err != nil || !made.Local || len(made.Code) > croft.MaxInvite {
		t.Fatalf("%+v %v", made, err)
	}
	a.must([]string{"invite", "ls"}, made.Key[:8], "0 of 1", "open")
	a.must([]string{"invite", "create", "--auto"}, "While you are the only member")

	// Every word that is off is named, and nothing is written.
	for _, c := range []struct {
		d    desk
		args []string
		code int
		says string
	}{
		{b, []string{"join", made.Code[:len(made.Code)-1], "--name", "Clinic B"}, 4, "wrong or missing"},
		{b, []string{"join", "maple-otter", "--name", "Clinic B"}, 4, "not an invite code"},
		{b, []string{"join", made.Code}, 2, "1 to 40 printable characters"},
		{b, []string{"join"}, 2, "CODE"},
		{a, []string{"join", made.Code, "--name", "Clinic B"}, 1, "holds a node already"},
		{a, []string{"invite", "create", "--uses", "0"}, 2, "number of uses"},
		{a, []string{"invite", "create", "--expires", "9000h"}, 2, "too long"},
		{a, []string{"invite", "create", "--address", "example.org:80"}, 2, "not an IP address"},
		{a, []string{"member", "approve", "Clinic B"}, 3, "no newcomer"},
		{a, []string{"member", "revoke", "Clinic B"}, 3, "no member"},
		{a, []string{"member", "revoke", "Clinic A", "--yes"}, 6, "nobody could order blocks"},
	} {
		if code, _, errs := c.d.croft("", c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("croft %v: exit code %d: %s", c.args, code, errs)
		}
	}
	if entries, err := os.ReadDir(b.dir); err != nil || len(entries) > 0 {
		t.Errorf("a join that failed left %v, %v", entries, err)
	}

	// Nobody answers at the code's address.
	addr, _ := croft.ParseAddr("/ip4/127.0.0.1/tcp/1")
	nowhere, err := croft.Invite{Node: croft.PublicKey{1}, Expires: 1 << 31, Addrs: []croft.Addr{addr}}.Code()
	if err != nil {
		t.Fatal(err)
	}
	early := newDesk(t)
	if code, _, errs := early.croft("", "join", nowhere, "--name", "Clinic B"); code != 8 || !strings.Contains(errs, "cannot reach the node of who invited you: /ip4/127.0.0.1/tcp/1: ") {
		t.Errorf("exit code %d: %s", code, errs)
	}

	if code, _, errs := early.croft("", "up", "--name", "Clinic B"); code != 5 || !strings.Contains(errs, "has not reached the node of who invited it") {
		t.Errorf("up before that: exit code %d: %s", code, errs)
	}

	// The newcomer applies and waits. It may give up waiting, and go on.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("correct horse staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting, stop := context.WithCancelCause(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- execute(waiting, []string{"--dir", b.dir, "join", made.Code[:60], made.Code[60:], "--name", "Clinic B", "--passphrase", "--passphrase-file", secret}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	a.until("Clinic B wants to join", "member", "ls")
	stop(croft.E(croft.ErrInterrupted))
	if code := <-ended; code == 0 {
		t.Error("one who waits for votes was told that it is a member")
	}
	if !keys.Locked(b.dir) {
		t.Error("the newcomer's member key has no passphrase")
	}
	if code, _, errs := b.croft("", "up", "--page", "none"); code != 5 || !strings.Contains(errs, "not admitted") {
		t.Errorf("up before admission: exit code %d: %s", code, errs)
	}
	joined := make(chan string, 1)
	go func() {
		code, out, errs := b.croft("", "join", made.Code, "--passphrase-file", secret)
		if code != 0 {
			t.Errorf("exit code %d: %s", code, errs)
		}
		joined <- out + errs
	}()
	listed := a.until("Clinic B wants to join", "member", "ls")
	a.must([]string{"invite", "ls"}, "1 of 1", "used up")
	a.must([]string{"status"}, "Clinic B wants to become a member")
	digits := regexp.MustCompile(`\d{4} \d{4} \d{4}`)
	if code, _, _ := a.croft("n\n", "member", "approve", "Clinic B"); code != 5 {
		t.Errorf("a no: exit code %d", code)
	}
	code, out, errs := a.croft("y\n", "member", "approve", "Clinic B")
	if code != 0 || !strings.Contains(out, "Clinic B is a member") {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	said := <-joined
	if !strings.Contains(said, "Clinic B is a member of the valley") {
		t.Error(said)
	}
	seen := []string{digits.FindString(listed), digits.FindString(errs), digits.FindString(said)}
	if seen[0] == "" || len(slices.Compact(seen)) != 1 {
		t.Errorf("the digits on the three screens are %q", seen)
	}
	if code, _, errs := newDesk(t).croft("", "join", made.Code, "--name", "Clinic C"); code != 6 || !strings.Contains(errs, "has been used") {
		t.Errorf("a used code: exit code %d: %s", code, errs)
	}

	b.up()
	b.until("Clinic A  ", "member", "ls")
	b.until("Clinic A: connected", "status")
	a.until("checks blocks", "member", "ls")
	var members memberLsResult
	if err := json.Unmarshal([]byte(b.must([]string{"member", "ls", "--json"})), &members); err != nil || len(members.Members) != 2 || members.Needed != 2 || len(members.Applications) != 0 {
		t.Errorf("%+v %v", members, err)
	}
	a.must([]string{"audit", "log"}, "asks to join as Clinic B", "admit Clinic B", "ready")
	a.must([]string{"audit", "verify"}, "every signature and link holds")
	b.must([]string{"audit", "verify"}, "every signature and link holds")

	a.must([]string{"invite", "create", "--auto"}, "Each newcomer needs 1 vote more")

	// It takes both to part.
	a.must([]string{"member", "revoke", "Clinic B", "--yes"}, "1 vote is still needed")
	if code, _, errs := a.croft("", "member", "revoke", "Clinic B", "--yes"); code != 1 || !strings.Contains(errs, "voted for this already") {
		t.Errorf("a second vote: exit code %d: %s", code, errs)
	}
	b.until("Clinic B is to leave, by Clinic A", "member", "ls")
	b.must([]string{"member", "revoke", "Clinic B", "--yes", "--passphrase-file", secret}, "Clinic B has left")
	a.until("left", "member", "ls")
}

// A guest has a node of its own, sees the ledger, and goes when its host says so.
func TestGuestByCommands(t *testing.T) {
	t.Parallel()
	a, b := newDesk(t), newDesk(t)
	a.must([]string{"init", "--name", "Clinic A"})
	a.up()
	code := regexp.MustCompile(`croft1\w+`).FindString(a.must([]string{"invite", "create", "--guest", "--auto"}, "becomes a guest at once"))
	b.must([]string{"join", code, "--name", "Lab"}, "Lab is a guest of")
	b.up()
	a.until("guest of Clinic A", "member", "ls")
	b.until("Clinic A: connected", "status")
	b.until("guest of Clinic A", "member", "ls") // its own ledger has come so far
	for _, args := range [][]string{{"invite", "create"}, {"member", "revoke", "Clinic A", "--yes"}, {"network", "stop", "--yes"}} {
		if code, _, errs := b.croft("", args...); code != 6 || !strings.Contains(errs, "it is a guest, and this is for members") {
			t.Errorf("croft %v at a guest: exit code %d: %s", args, code, errs)
		}
	}

	// The guest sells, at a price that its server names, and the member buys: two nodes,
	// and nothing but the commands.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/price" {
			io.WriteString(w, `{"credits": 0.25}`)
			return
		}
		io.WriteString(w, `{"rain": true}`)
	}))
	t.Cleanup(server.Close)
	b.must([]string{"service", "publish", "weather", "--upstream", server.URL + "/ask", "--task", "http", "--quote", "/price", "--most", "2", "--use", "market"}, "by quote, at most 2 credits a call")
	a.must([]string{"wallet", "mint", "Clinic A", "--amount", "10", "--yes"}, "10 credits were issued to Clinic A")
	a.until("Lab", "service", "ls")
	call := []string{"service", "call", "weather", "--remote", "--data", `{"city": "Thun"}`}
	if code, _, errs := a.croft("", call...); code != 7 || !strings.Contains(errs, "no channel to Lab can pay 0.25 credits") {
		t.Errorf("without a channel: %d %s", code, errs)
	}
	a.must([]string{"wallet", "open", "weather", "--deposit", "5", "--window", "1h"}, "5 credits are set aside for Lab")
	a.until("left 5", "wallet", "show")
	exit, said, errs := a.croft("", call...)
	if exit != 0 || said != "{\"rain\":true}\n" || !strings.Contains(errs, "Sending to Lab, whose node will read it") || !strings.Contains(errs, "Paid 0.25 credits to Lab") {
		t.Errorf("a call of a guest's service: %d %s%s", exit, said, errs)
	}
	if exit, _, errs := a.croft("", append(call, "--most", "0.2")...); exit != 7 || !strings.Contains(errs, "weather may cost 0.25 credits, and you would pay at most 0.2") {
		t.Errorf("dearer than agreed: %d %s", exit, errs)
	}
	a.must([]string{"wallet", "watch", "Lab"}, "Lab watches for you")
	b.must([]string{"wallet", "show"}, "earned 0.25")
	a.must([]string{"wallet", "show"}, "spent 0.25, left 4.75", "Lab watches for you while your node is off: it has what there was at")
	a.must([]string{"wallet", "watch", "--none"}, "Nobody watches for you")
	a.must([]string{"wallet", "close", "Lab"})
	b.until("Free 0.25", "wallet", "show")
	a.until("Free 9.75", "wallet", "show")

	// Credits go from one to the other, each transfer once; and from the network, by vote.
	a.must([]string{"wallet", "send", "Lab", "--amount", "5", "--yes"}, "5 credits were sent to Lab; 4.75 are free")
	b.until("Free 5.25", "wallet", "show")
	b.must([]string{"wallet", "send", "Clinic A", "--amount", "0.25", "--yes", "--number", "1"}, "0.25 credits were sent to Clinic A; 5 are free")
	for _, c := range []struct {
		d    desk
		args []string
		code int
		says string
	}{
		{b, []string{"wallet", "send", "Clinic A", "--amount", "0.25", "--yes", "--number", "1"}, 1, "on the ledger already"},
		{b, []string{"wallet", "send", "Clinic A", "--amount", "0.25", "--yes", "--number", "3"}, 2, "your next transfer has the number 2"},
		{b, []string{"wallet", "send", "Clinic A", "--amount", "6", "--yes"}, 7, "Lab has 5 credits free, 6 are needed"},
		{b, []string{"wallet", "send", "Clinic Z", "--amount", "1", "--yes"}, 3, "no member called Clinic Z"},
		{b, []string{"wallet", "send", "Clinic A"}, 2, "names an amount"},
		{b, []string{"wallet", "burn", "Lab", "--amount", "1", "--yes"}, 6, "it is a guest"},
		{a, []string{"wallet", "burn", "Lab", "--amount", "6", "--yes"}, 7, "Lab has 5 credits free"},
		{a, []string{"wallet", "watch", "Clinic A"}, 2, "watches for itself"},
		{a, []string{"service", "publish", "odd", "--upstream", server.URL, "--task", "http", "--quote", "/price", "--price", "1", "--most", "2"}, 2, "is the whole price"},
	} {
		if code, _, errs := c.d.croft("", c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("croft %v: exit code %d: %s", c.args, code, errs)
		}
	}
	a.must([]string{"wallet", "burn", "Lab", "--amount", "4", "--yes"}, "4 credits of Lab are gone")
	a.must([]string{"wallet", "show"}, "(6 in the whole network)")
	b.must([]string{"service", "stop", "weather"}, "served no longer")
	a.until("No service yet", "service", "ls")
	a.must([]string{"service", "publish", "chat", "--upstream", "http://127.0.0.1:9/v1", "--upstream-model", "m"}, "chat is on the ledger")
	a.must([]string{"service", "stop", "chat"}, "served no longer")
	a.must([]string{"service", "ls"}, "No service yet")
	a.must([]string{"audit", "log", "--member", "Lab"}, "asks to join as Lab")
	a.must([]string{"member", "revoke", "Lab", "--yes"}, "Lab has left")
	if log := a.must([]string{"audit", "log", "--member", "Lab"}, "asks to join as Lab"); strings.Contains(log, "vote") {
		t.Errorf("of somebody else:\n%s", log)
	}
	if out := a.must([]string{"status"}); strings.Contains(out, "Lab") {
		t.Errorf("one that was sent away is among the nodes:\n%s", out)
	}
}

// What is asked about credits everybody may read; who has a vote is told how to agree.
func TestOnSupply(t *testing.T) {
	q := api.Supply{Account: api.Party{Name: "Lab"}, Amount: croft.Credit}
	for _, voter := range []bool{false, true} {
		if line := (&cli{dir: defaultDir()}).onSupply(q, 2, voter); strings.Contains(line, "To agree: croft wallet mint Lab --amount 1") != voter || !strings.Contains(line, "1 new credit for Lab") {
			t.Error(line)
		}
	}
}

// Members join and meet over IPv6 where there is nothing else.
func TestIPv6Alone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	l.Close()
	a, b := newDesk(t), newDesk(t)
	a.must([]string{"init", "--name", "Clinic A"})
	a.up("--listen", "[::1]:0")
	code := regexp.MustCompile(`croft1\w+`).FindString(a.must([]string{"invite", "create", "--auto"}))
	b.must([]string{"join", code, "--name", "Clinic B"}, "Clinic B is a member")
	b.up("--listen", "[::1]:0")
	b.until("Clinic A: connected", "status")
	a.until("Clinic B: connected", "status")
	for _, d := range []desk{a, b} {
		d.until(`"addrs":["/ip6`, "status", "--json") // told once they are connected
		var s statusResult
		if err := json.Unmarshal([]byte(d.must([]string{"status", "--json"})), &s); err != nil || len(s.Nodes) != 1 || len(s.Nodes[0].Addrs) == 0 {
			t.Fatalf("%+v %v", s.Nodes, err)
		}
		for _, addr := range s.Nodes[0].Addrs {
			if !strings.HasPrefix(addr, "/ip6/::1/") {
				t.Errorf("%s is at %s", s.Nodes[0].Name, addr)
			}
		}
	}
}

// Only an application that can be voted for says how to.
func TestApplicantsByStanding(t *testing.T) {
	for standing, votable := range map[ledger.Standing]bool{ledger.Arrived: false, ledger.Pending: true, ledger.Late: false} {
		line := new(cli).applies(applicant{Application: api.Application{Newcomer: croft.Member{Name: "Clinic E"}, Standing: standing.String()}}, 2, "Clinic E")
		if strings.Contains(line, "member approve") != votable || !strings.Contains(line, "Clinic E") {
			t.Errorf("%v: %s", standing, line)
		}
	}
}

// An invite names the addresses that others can use, the best ones first.
func TestReachableAddresses(t *testing.T) {
	for name, c := range map[string]struct{ listens, want []string }{
		"one machine": {[]string{"/ip4/127.0.0.1/tcp/1/p2p/x", "/ip4/127.0.0.1/udp/1/quic-v1/p2p/x"}, []string{"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1"}},
		"a building": {[]string{"/ip4/10.0.0.5/tcp/1/p2p/x", "/ip4/10.0.0.5/udp/1/quic-v1/p2p/x", "/ip4/127.0.0.1/tcp/1/p2p/x", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1"},
			[]string{"/ip4/10.0.0.5/tcp/1", "/ip4/10.0.0.5/udp/1/quic-v1"}},
		"the internet first": {[]string{"/ip4/10.0.0.5/tcp/1", "/ip4/10.0.0.5/udp/1/quic-v1", "/ip4/198.51.100.7/tcp/1", "/ip4/198.51.100.7/udp/1/quic-v1"},
			[]string{"/ip4/198.51.100.7/tcp/1", "/ip4/10.0.0.5/tcp/1", "/ip4/198.51.100.7/udp/1/quic-v1", "/ip4/10.0.0.5/udp/1/quic-v1"}},
		"none": {[]string{"/dns4/example.org/tcp/1", "junk"}, nil},
	} {
		var got []string
		for _, a := range reachable(c.listens) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
