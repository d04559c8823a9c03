package node

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/chain"
	"croft/internal/keys"
	"croft/internal/p2p"
	"croft/internal/store"
)

// somebody is a host of its own that admits everybody.
func somebody(t *testing.T, listen ...string) *p2p.Host {
	h, err := p2p.Listen(p2p.Config{Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Listen: listen, Allow: func(p2p.PeerID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// Who gets through is counted, of those that tried: a neighbour in the same building
// does not stand for the others.
func TestReached(t *testing.T) {
	away, cannot := api.Neighbour{}, api.Neighbour{Dialled: true}
	can := api.Neighbour{Dialled: true, Reaches: []string{"/ip4/10.0.0.1/tcp/1"}}
	n := &Node{Host: somebody(t, "/ip4/127.0.0.1/tcp/0")}
	for _, c := range []struct {
		heard          []api.Neighbour
		through, tried int
	}{{nil, 0, 0}, {[]api.Neighbour{away}, 0, 0}, {[]api.Neighbour{cannot, away}, 0, 1}, {[]api.Neighbour{can, can}, 2, 2}, {[]api.Neighbour{can, cannot, away}, 1, 2}} {
		n.around.heard, n.around.at = c.heard, time.Now()
		if through, tried := n.reached(t.Context()); through != c.through || tried != c.tried {
			t.Errorf("%+v: %d of %d, want %d of %d", c.heard, through, tried, c.through, c.tried)
		}
	}
	n = &Node{Host: somebody(t)}
	if through, tried := n.reached(t.Context()); through != 0 || tried == 0 {
		t.Errorf("who does not listen is reached by %d of %d", through, tried)
	}
}

// Light members are no reason for a light one to connect, nor for a way in; whoever else
// is away is.
func TestWhomANodeMeets(t *testing.T) {
	node := func(i byte) croft.Member {
		return croft.Member{ID: croft.MemberID{i}, Node: croft.PublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{i}, ed25519.SeedSize)).Public().(ed25519.PublicKey)), Light: i > 2}
	}
	self, full, light, other := node(1), node(2), node(3), node(4)
	for _, c := range []struct {
		self  croft.Member
		all   []croft.Member
		meets []croft.Member
	}{{self, []croft.Member{self}, nil}, {self, []croft.Member{self, full, light}, []croft.Member{full, light}}, {light, []croft.Member{self, light, other}, []croft.Member{self}}, {light, []croft.Member{light, other}, nil}} {
		n := &Node{Self: c.self.ID, Host: somebody(t)}
		if c.self.Light {
			n.light = new(chain.Light)
		}
		var meets []croft.Member
		for _, m := range c.all {
			if n.meets(m) {
				meets = append(meets, m)
			}
		}
		if !reflect.DeepEqual(meets, c.meets) {
			t.Errorf("%d meets %+v", c.self.ID[0], meets)
		}
		if here := n.allHere(c.all); here != (c.meets == nil) {
			t.Errorf("%d, with nobody connected: all are here: %v", c.self.ID[0], here)
		}
	}
}

// What others say of where a member is does not stand in the way of what it says.
func TestPlaces(t *testing.T) {
	docs, err := store.OpenDocs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	n := &Node{Docs: docs, Host: somebody(t)}
	peer := p2p.PeerOf(croft.PublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)).Public().(ed25519.PublicKey)))
	own, others := "/ip4/10.0.0.1/tcp/1/p2p/"+string(peer), "/ip4/10.0.0.2/tcp/1/p2p/"+string(peer)
	n.hearsay.of = map[p2p.PeerID][]string{peer: {others}}
	look := func(misses int, want ...string) {
		t.Helper()
		if got := n.places(peer, misses); !slices.Equal(got, want) {
			t.Errorf("after %d misses: %v", misses, got)
		}
	}
	look(0, others)
	n.learn(peer, []string{own})
	look(0, own)
	look(1, own, others)
	look(2, own)
}

// However large the network, a newcomer hears of each member sooner or later.
func TestNewcomersHearOfAll(t *testing.T) {
	k, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ada := k.Member("Ada", true)
	docs, err := store.OpenDocs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	twin, err := chain.NewTwin(croft.Genesis{Version: 1, Name: "test", Time: 1, Members: []croft.Member{ada}})
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Chain: twin.Member(), Self: ada.ID, Docs: docs, Host: somebody(t)}
	const members, each = 60, 8
	everybody := &roll{state: n.state(), all: []croft.Member{ada}}
	n.called.Store(everybody)
	for i := range members {
		m := croft.Member{ID: croft.MemberID{byte(i + 1)}, Node: croft.PublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize)).Public().(ed25519.PublicKey))}
		everybody.all = append(everybody.all, m)
		peer := p2p.PeerOf(m.Node)
		var addrs []string
		for j := range each {
			addrs = append(addrs, fmt.Sprintf("/ip4/10.0.%d.%d/tcp/7421/p2p/%s", i, j, peer))
		}
		n.learn(peer, addrs)
	}
	told := map[p2p.PeerID]bool{}
	asked := 0
	for ; len(told) < members && asked < 1000; asked++ {
		addrs := n.others("newcomer")
		if len(addrs) > maxOthers {
			t.Fatalf("%d addresses at once", len(addrs))
		}
		if answer, _ := json.Marshal(hello{Others: addrs}); len(answer) > maxHello {
			t.Fatalf("an answer of %d bytes", len(answer))
		}
		for _, a := range addrs {
			if strings.HasSuffix(a, "/p2p/"+string(peerIn(a))) {
				told[peerIn(a)] = true
			}
		}
	}
	if t.Logf("asked %d times", asked); len(told) < members {
		t.Errorf("after %d answers it heard of %d of %d members", asked, len(told), members)
	}
}
