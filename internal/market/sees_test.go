package market

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"croft"
	"croft/internal/p2p"
	"croft/internal/serve"
)

// wire is a place where bytes pass, and what passed there.
type wire struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.Write(p)
}

func (w *wire) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.seen.Bytes(), []byte(text))
}

// tap listens, carries each connection to target, and keeps what passes both ways.
func tap(t *testing.T, target string) (address string, w *wire) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w = new(wire)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			go func() { io.Copy(out, io.TeeReader(in, w)); out.Close() }()
			go func() { io.Copy(in, io.TeeReader(out, w)); in.Close() }()
		}
	}()
	return l.Addr().String(), w
}

// onWire reaches the other node through libp2p, and keeps what it says before that is
// encrypted: what the node at the other end reads.
type onWire struct {
	host *p2p.Host
	to   p2p.PeerID
	wire
}

func (o *onWire) Ask(ctx context.Context, _ croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	o.Write(request)
	if part == nil {
		part = func([]byte) error { return nil }
	}
	return o.host.CallParts(ctx, o.to, Protocol, request, MaxAnswer, part)
}

// Each line of docs/who-sees-what.md that can be seen on bytes. Where something must
// not be found, it is also looked for where it must be: else the test would look
// wrongly.
func TestWhoSeesWhat(t *testing.T) {
	const question, answered = "patient-4711-asks", "answer-for-4711-only"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"said":"`+answered+`"}`)
	}))
	defer server.Close()
	at, _ := url.Parse(server.URL)
	behind, upstream := tap(t, at.Host)
	engine, err := serve.NewUpstream(serve.UpstreamConfig{Task: serve.HTTP, URLs: []string{"http://" + behind}})
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, price)
	hosts := [2]*p2p.Host{}
	for i, p := range []*person{w.provider, w.caller} {
		listen := []string{"/ip4/127.0.0.1/tcp/0"}
		hosts[i], err = p2p.Listen(p2p.Config{Key: p.keys[1], Listen: listen, Allow: func(p2p.PeerID) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		defer hosts[i].Close()
	}
	hosts[0].HandleParts(Protocol, MaxAsk, func(ctx context.Context, _ p2p.PeerID, request []byte, part func([]byte) error) ([]byte, error) {
		return w.provider.market.Serve(ctx, w.caller.id, request, part)
	})
	own := hosts[0].Addrs()[0] // /ip4/127.0.0.1/tcp/PORT/p2p/ID
	port := strings.Split(own, "/")[4]
	between, network := tap(t, "127.0.0.1:"+port)
	_, outside, _ := net.SplitHostPort(between)
	if err := hosts[1].Learn(strings.Replace(own, port, outside, 1)); err != nil {
		t.Fatal(err)
	}
	said := &onWire{host: hosts[1], to: hosts[0].ID()}
	w.caller.market.Peers = said
	w.provider.market.Offer(Offering{Service: w.service, Engine: engine})
	w.open(10 * croft.Credit)

	ask := func(here serve.Engine) Done {
		t.Helper()
		done, err := w.caller.market.Call(t.Context(), Use{Service: w.service, Here: here,
			Request: serve.Request{Task: serve.HTTP, Body: []byte(`{"q":"` + question + `"}`)}})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}

	// At one's own node: the use is paid for, and of the request only a hash leaves.
	done := ask(new(engineHere))
	hash := done.Receipt.Request
	if !strings.Contains(string(done.Body), question) || !said.has(string(hash[:])) {
		t.Fatal("control: the call was not made, or its hash not sent")
	}
	for name, place := range map[string]*wire{"what the provider reads": &said.wire, "the network": network, "the provider's server": upstream} {
		if place.has(question) {
			t.Errorf("used at one's own node, and %s has the request", name)
		}
	}

	// At the provider's node: that node and its server read it; the network does not.
	if done = ask(nil); !strings.Contains(string(done.Body), answered) {
		t.Fatalf("%s", done.Body)
	}
	if !said.has(question) || !upstream.has(question) || !upstream.has(answered) {
		t.Error("control: the provider's node or its server did not get the request")
	}
	if !network.has("\x00") || network.has(question) || network.has(answered) {
		t.Error("who sits between the nodes reads the call")
	}

	// What a watcher of the provider is told: the voucher, which has the call's hash.
	watcher := w.people[2]
	if err := w.provider.market.WatchedBy(t.Context(), []croft.MemberID{watcher.id}); err != nil {
		t.Fatal(err)
	}
	hash = done.Receipt.Request
	told := new(wire)
	for _, at := range watcher.market.watching.held {
		told.Write(croft.Encode(at))
	}
	if !told.has(string(hash[:])) || told.has(question) || told.has(answered) {
		t.Error("a watcher was told nothing, or the request or the answer")
	}

	// What is kept: the till's journal and both disks have promises and hashes; the
	// ledger has not even those.
	w.provider.market.save()
	w.caller.market.save()
	disks := new(wire)
	for _, p := range w.people {
		for _, e := range p.log.entries {
			disks.Write(e)
		}
		for _, kind := range []string{purseKind, receiptsKind, watchedKind} {
			names, _ := p.market.Docs.List(kind)
			for _, name := range names {
				raw, _ := p.market.Docs.Get(kind, name)
				disks.Write(raw)
			}
		}
	}
	if !disks.has(string(hash[:])) {
		t.Error("control: no disk has the call's hash")
	}
	chain := new(wire)
	w.caller.Range("", func(_ string, raw []byte) { chain.Write(raw) })
	if !chain.has(w.service.Name) {
		t.Error("control: the ledger does not have the service")
	}
	if chain.has(string(hash[:])) {
		t.Error("the ledger has the hash of a request")
	}
	for name, place := range map[string]*wire{"a disk": disks, "the ledger": chain} {
		if place.has(question) || place.has(answered) {
			t.Errorf("%s has the request or the answer", name)
		}
	}
}

// engineHere answers at the caller's own node.
type engineHere struct{ engine }
