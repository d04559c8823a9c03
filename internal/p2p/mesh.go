package p2p

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"croft"
)

// Mesh is a network in memory: hosts with the contract of Libp2p, without
// sockets. Time is only what callers spend, so it runs in a synctest bubble. The
// zero value is an empty network.
type Mesh struct {
	// Fault, if set before first use, decides for each call whether the request
	// reaches the handler and what the caller hears instead of the answer; nil
	// lets the answer through. So (true, err) is an answer lost, (false, err) a
	// request lost. It runs on the caller's goroutine and may block.
	Fault func(from, to PeerID, proto string) (delivered bool, err error)

	mu    sync.Mutex // guards hosts and all maps of the hosts
	hosts map[PeerID]*meshHost
}

// Join adds a host. Its id is that of a node key ([PeerOf]); allow is Config's
// Allow. A host that was closed may join again under its id. It panics if the id
// is in use.
func (m *Mesh) Join(id PeerID, allow func(PeerID) bool) Host {
	if allow == nil {
		allow = func(PeerID) bool { return false }
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &meshHost{
		mesh: m, id: id, allow: allow, out: newQuota(outgoing), in: newQuota(incoming), ctx: ctx, stop: stop,
		protos: map[string]meshProto{}, known: map[PeerID][]string{}, links: map[PeerID]*meshHost{},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts == nil {
		m.hosts = map[PeerID]*meshHost{}
	}
	if m.hosts[id] != nil {
		panic("p2p: two hosts with the id " + string(id))
	}
	m.hosts[id] = h
	return h
}

type meshHost struct {
	mesh    *Mesh
	id      PeerID
	allow   func(PeerID) bool
	out, in *quota
	ctx     context.Context
	stop    context.CancelFunc
	work    tasks

	// Guarded by mesh.mu.
	protos map[string]meshProto
	known  map[PeerID][]string
	links  map[PeerID]*meshHost // live connections: both ends hold each other
}

type meshProto struct {
	limit  int
	handle Handler
}

func (h *meshHost) ID() PeerID { return h.id }

func (h *meshHost) Addrs() []string { return []string{meshAddr(h.id)} }

// meshAddr is a multiaddr with the right end and an address that is nowhere.
func meshAddr(id PeerID) string { return "/memory/1/p2p/" + string(id) }

func (h *meshHost) Handle(proto string, limit int, handle Handler) {
	h.mesh.mu.Lock()
	defer h.mesh.mu.Unlock()
	if _, ok := h.protos[proto]; ok {
		panic("p2p: two handlers for " + proto)
	}
	h.protos[proto] = meshProto{limit, handle}
}

func (h *meshHost) Learn(addrs ...string) error {
	peers, err := parseAddrs(addrs)
	if err != nil {
		return err
	}
	h.mesh.mu.Lock()
	defer h.mesh.mu.Unlock()
	for id, list := range peers {
		var texts []string
		for _, a := range list {
			texts = append(texts, fmt.Sprintf("%s/p2p/%s", a, id))
		}
		h.known[PeerID(id.String())] = texts
	}
	return nil
}

func (h *meshHost) Connected() []PeerID {
	h.mesh.mu.Lock()
	defer h.mesh.mu.Unlock()
	var peers []PeerID
	for id := range h.links {
		peers = append(peers, id)
	}
	slices.Sort(peers)
	return peers
}

func (h *meshHost) Close() error {
	h.stop()
	h.mesh.mu.Lock()
	if h.mesh.hosts[h.id] == h {
		delete(h.mesh.hosts, h.id)
	}
	for _, other := range h.links {
		unlink(h, other)
	}
	h.mesh.mu.Unlock()
	h.work.close()
	return nil
}

// unlink needs mesh.mu.
func unlink(a, b *meshHost) {
	delete(a.links, b.id)
	delete(b.links, a.id)
}

func (h *meshHost) Call(ctx context.Context, to PeerID, proto string, request []byte) ([]byte, error) {
	if len(request) > MaxAnswer {
		return nil, croft.E(croft.ErrTooLarge, len(request), MaxAnswer)
	}
	if !h.allow(to) {
		return nil, croft.E(croft.ErrPeer, printable(string(to)), errStranger)
	}
	release, err := h.out.wait(ctx, to)
	if err != nil {
		return nil, croft.E(croft.ErrPeer, to, err)
	}
	defer release()
	delivered, lost := true, error(nil)
	if h.mesh.Fault != nil {
		delivered, lost = h.mesh.Fault(h.id, to, proto)
	}
	if !delivered {
		if lost == nil {
			lost = errBroken
		}
		return nil, croft.E(croft.ErrPeer, to, lost)
	}
	other, err := h.dial(ctx, to)
	if err != nil {
		return nil, croft.E(croft.ErrPeer, to, err)
	}

	type answer struct {
		code status
		body []byte
	}
	request, answers := bytes.Clone(request), make(chan answer, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := other.work.start(func() {
		code, body := other.serve(ctx, h.id, proto, request)
		answers <- answer{code, bytes.Clone(body)}
	})
	if !started {
		return nil, croft.E(croft.ErrPeer, to, errBroken)
	}
	select {
	case a := <-answers:
		if lost != nil {
			return nil, croft.E(croft.ErrPeer, to, lost)
		}
		if a.code == absent {
			return nil, croft.E(croft.ErrPeer, to, errProtocol)
		}
		return unpackAnswer(to, a.code, a.body)
	case <-ctx.Done():
		return nil, croft.E(croft.ErrPeer, to, ctx.Err())
	case <-h.ctx.Done():
		return nil, croft.E(croft.ErrPeer, to, errClosed)
	case <-other.ctx.Done():
		return nil, croft.E(croft.ErrPeer, to, errBroken)
	}
}

// absent is what libp2p finds out before there is a stream: nobody handles the
// protocol. It never crosses a wire.
const absent status = 255

// dial returns the peer's host and links the two, if the other side agrees.
func (h *meshHost) dial(ctx context.Context, to PeerID) (*meshHost, error) {
	if _, err := peer.Decode(string(to)); err != nil {
		return nil, errNoID
	}
	h.mesh.mu.Lock()
	other := h.mesh.hosts[to]
	h.mesh.mu.Unlock()
	admitted := other != nil && other.allow(h.id) // without the lock: it is the user's code

	h.mesh.mu.Lock()
	defer h.mesh.mu.Unlock()
	switch linked, known := h.links[to] != nil, h.known[to]; {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case h.ctx.Err() != nil:
		return nil, errClosed
	case to == h.id:
		return nil, errSelf
	case !linked && len(known) == 0:
		return nil, errUnknown
	case other == nil || other != h.mesh.hosts[to] || !linked && !slices.Contains(known, meshAddr(to)):
		return nil, errSilent
	case !admitted:
		unlink(h, other)
		return nil, errBroken
	}
	h.links[to], other.links[h.id] = other, h
	return other, nil
}

// serve answers one call as Libp2p.serve does.
func (h *meshHost) serve(ctx context.Context, from PeerID, proto string, request []byte) (status, []byte) {
	h.mesh.mu.Lock()
	p, ok := h.protos[proto]
	h.mesh.mu.Unlock()
	if !ok {
		return absent, nil
	}
	release, ok := h.in.try(from)
	if !ok {
		return busy, nil
	}
	defer release()
	if len(request) > p.limit {
		return tooLarge, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	return run(ctx, p.handle, from, request)
}

var _ Host = (*meshHost)(nil)
