package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/node"
	"croft/internal/p2p"
	"croft/internal/serve"
	"croft/internal/study"
)

// invites makes an invite of one use, by a member, good for an hour.
func (v *village) invites(by *Member, auto bool) croft.Invite {
	v.Helper()
	code := croft.Invite{Network: croft.NetworkID(v.Genesis.Hash()), Node: by.Member.Node, Expires: time.Now().Add(time.Hour).Unix()}
	rand.Read(code.Secret[:])
	for _, text := range by.Node.Host.Addrs() {
		if a, ok := croft.ParseAddr(text); ok {
			code.Addrs = append(code.Addrs, a)
		}
	}
	if _, err := by.Send(v.Context(), &ledger.Invite{Key: code.Public(), Expires: code.Expires, Uses: 1, Auto: auto, Guest: v.guest}); err != nil {
		v.Fatal(err)
	}
	return code
}

// votes casts a member's vote, its n-th.
func (v *village) votes(m *Member, n uint64, vote ledger.Vote) {
	v.Helper()
	vote.Sequence = n
	if _, err := m.Send(v.Context(), &vote); err != nil {
		v.Fatalf("%s: %v", m.Name, err)
	}
}

// joins runs a newcomer's joining, votes when its application is in, and starts
// its node.
func (v *village) joins(name string, code croft.Invite, vote func(croft.Member)) *Member {
	v.Helper()
	dir := filepath.Join(v.dir, name)
	p, err := node.Join(v.Context(), dir, code, name, v.light, node.Lock{}, func(p node.Progress) {
		if p.Standing == ledger.Pending && p.Yes == 0 {
			vote(p.Newcomer)
		}
	})
	if err != nil {
		v.Fatalf("%s: %v", name, err)
	}
	return v.opens(dir, p.Newcomer)
}

// opens starts the node of a folder.
func (v *village) opens(dir string, member croft.Member) *Member {
	v.Helper()
	m := &Member{Member: member, Dir: dir}
	var err error
	if m.Keys, err = keys.Load(dir, nil); err != nil {
		v.Fatal(err)
	}
	cfg := node.Config{Dir: dir, Timing: chain.LAN, Log: v.log.With("node", member.Name)}
	if err := node.Recover(v.Context(), cfg, func(node.Recovery) {}); err != nil {
		v.Fatal(err)
	}
	if m.Node, err = node.Open(cfg); err != nil {
		v.Fatal(err)
	}
	ctx := v.Context()
	v.group.Go(func() error { return m.Node.Run(ctx) })
	v.Members = append(v.Members, m)
	return m
}

// sees waits until a member's own ledger shows it.
func (v *village) sees(m *Member, what string, want func(ledger.Network) bool) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), 5*time.Minute)
	defer cancel()
	if err := m.Await(ctx, func(ctx context.Context) (bool, error) {
		raw, err := m.Node.Chain.Read(ctx, ledger.NetworkKey)
		if err != nil {
			return false, err
		}
		n, _, err := ledger.Decode[ledger.Network](raw)
		return want(n), err
	}); err != nil {
		v.Fatalf("%s never sees %s: %v", m.Name, what, err)
	}
}

// A network of one grows to four, whose nodes then order blocks together and run
// a study; no founder's key or file changed for it.
func TestANetworkGrows(t *testing.T) {
	t.Parallel() // it waits more than it works
	v := settle(t, "Ada")
	ada := v.Members[0]
	before, err := os.ReadFile(filepath.Join(ada.Dir, "genesis.cbor"))
	if err != nil {
		t.Fatal(err)
	}

	// Ben: by Ada's pre-cast vote. Cleo: invited by Ben, so her node meets Ada, whom
	// her genesis names, over Ben's word. Dina: by the votes of Ada and Cleo.
	ben := v.joins("Ben", v.invites(ada, true), func(croft.Member) { t.Error("a vote is asked for that was cast") })
	v.sees(ben, "itself", func(n ledger.Network) bool { return len(n.Members) == 2 })
	cleo := v.joins("Cleo", v.invites(ben, false), func(m croft.Member) {
		v.votes(ada, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
		v.votes(ben, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
	})
	v.sees(cleo, "itself as ready", func(n ledger.Network) bool { return len(n.Members) == 3 && readies(t, cleo) == 3 })
	if n := ada.Node.Chain.Status(); len(n.Orderers) != 1 || n.Orderers[0] != ada.ID {
		t.Errorf("with three ready members the founder orders alone, not %v", n.Orderers)
	}
	dina := v.joins("Dina", v.invites(ada, false), func(m croft.Member) {
		v.votes(ada, 2, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
		v.votes(cleo, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
	})
	for _, m := range v.Members {
		v.sees(m, "four orderers", func(n ledger.Network) bool { return len(n.Orderers) == 4 })
		if err := m.Await(t.Context(), func(context.Context) (bool, error) { return len(m.Node.Host.Connected()) == 3, nil }); err != nil {
			t.Fatalf("%s is connected to %v", m.Name, m.Node.Host.Connected())
		}
	}
	if after, err := os.ReadFile(filepath.Join(ada.Dir, "genesis.cbor")); err != nil || !bytes.Equal(after, before) {
		t.Error("the founder's genesis changed")
	}

	// A study over three of them, which none founded together.
	sets := v.registers(v.Members[:3]...)
	id := v.agrees(dina, plan(v.Network, 3), sets)
	if st := v.ends(id, dina); st.Status != ledger.Done {
		t.Fatalf("stopped: %s", st.Reason)
	}

	// Three of four order without the founder.
	ada.Node.Stop()
	for _, m := range v.Members[1:] {
		if _, err := m.Send(t.Context(), &ledger.Register{Name: "later", Group: croft.Sum([]byte(m.Name)), Releases: 1}); err != nil {
			t.Errorf("%s, without the founder: %v", m.Name, err)
		}
	}
}

// readies counts the ready members that a node knows of.
func readies(t *testing.T, m *Member) (n int) {
	if err := m.Node.Chain.Range("member/", func(_ string, raw []byte) {
		if member, _, _ := ledger.Decode[croft.Member](raw); member.Ready {
			n++
		}
	}); err != nil {
		t.Error(err)
	}
	return n
}

// A joining can be broken off and taken up again; a refused one says why.
func TestJoiningAgain(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada")
	ada := v.Members[0]
	code := v.invites(ada, false)
	dir := filepath.Join(v.dir, "ben")

	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("ctrl-C")
	var first node.Progress
	if _, err := node.Join(ctx, dir, code, "Ben", false, node.Lock{}, func(p node.Progress) { first = p; cancel(stopped) }); !errors.Is(err, stopped) {
		t.Fatal(err)
	}
	if _, err := node.Open(node.Config{Dir: dir}); !errors.Is(err, croft.ErrNotAdmitted) {
		t.Errorf("the node of one who is not admitted: %v", err)
	}
	if _, err := node.Join(t.Context(), dir, code, "Benjamin", false, node.Lock{}, nil); !errors.Is(err, croft.ErrUsage) {
		t.Errorf("under another name: %v", err)
	}
	if _, err := node.Join(t.Context(), ada.Dir, code, "Ben", false, node.Lock{}, nil); !errors.Is(err, croft.ErrFolderUsed) {
		t.Errorf("in a member's folder: %v", err)
	}
	for name, bad := range map[string]struct {
		change func(*croft.Invite)
		want   croft.Code
	}{
		"an invite that nobody made": {func(c *croft.Invite) { c.Secret[0] ^= 1 }, croft.ErrInvite},
		"an expired one":             {func(c *croft.Invite) { c.Expires = 1 }, croft.ErrInvite},
		"a used one":                 {func(*croft.Invite) {}, croft.ErrInvite},
		"another network":            {func(c *croft.Invite) { c.Network[0] ^= 1 }, croft.ErrTxSignature},
		"another node's key": {func(c *croft.Invite) {
			c.Node = croft.PublicKey(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
		}, croft.ErrPeer},
	} {
		c := code
		bad.change(&c)
		if _, err := node.Join(t.Context(), filepath.Join(v.dir, "eve"), c, "Eve", false, node.Lock{}, func(node.Progress) {}); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// The invite was used by Ben, who goes on, and is the only one who may.
	p, err := node.Join(t.Context(), dir, code, "", false, node.Lock{}, func(p node.Progress) {
		if p.Standing == ledger.Pending {
			v.votes(ada, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &p.Newcomer})
		}
	})
	if err != nil || p.Newcomer != first.Newcomer || p.Digits != first.Digits {
		t.Fatalf("%+v became %+v: %v", first, p, err)
	}
	if _, err := node.Join(t.Context(), dir, code, "", false, node.Lock{}, func(node.Progress) {}); err != nil {
		t.Errorf("once more, when all is done: %v", err)
	}
	ben := v.opens(dir, p.Newcomer)
	v.sees(ben, "itself", func(n ledger.Network) bool { return len(n.Members) == 2 })

	// Revoked, it is sent away and not let in again.
	v.votes(ada, 2, ledger.Vote{Action: ledger.Revoke, Subject: ben.ID})
	v.votes(ben, 1, ledger.Vote{Action: ledger.Revoke, Subject: ben.ID})
	if err := ada.Await(t.Context(), func(context.Context) (bool, error) { return len(ada.Node.Host.Connected()) == 0, nil }); err != nil {
		t.Fatal(err)
	}
	blob, err := ada.Node.Blobs.Put([]byte("a sealed report"))
	if err != nil {
		t.Fatal(err)
	}
	for proto, request := range map[string][]byte{"hello/1": []byte("{}"), "blob/1": blob[:]} {
		if _, err := ben.Node.Host.Call(t.Context(), ada.Node.Host.ID(), proto, request, p2p.MaxAnswer); !errors.Is(err, croft.ErrPeer) {
			t.Errorf("a revoked member's %s: %v", proto, err)
		}
	}
}

// While an invite is open a stranger may knock, and nothing else. A guest is connected,
// and gets nothing that is of studies.
func TestStrangersAtTheDoor(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada")
	ada := v.Members[0]
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := p2p.Listen(p2p.Config{Key: key, Allow: func(p2p.PeerID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	call := func(proto string, request []byte) error {
		if err := stranger.Learn(ada.Node.Host.Addrs()...); err != nil {
			t.Fatal(err)
		}
		_, err := stranger.Call(t.Context(), ada.Node.Host.ID(), proto, request, p2p.MaxAnswer)
		return err
	}
	blob, err := ada.Node.Blobs.Put([]byte("a sealed report"))
	if err != nil {
		t.Fatal(err)
	}
	closed := func(when string) {
		for _, proto := range []string{"hello/1", "tx/1", "blob/1", "comet/1", study.SeedsProtocol, study.AnswersProtocol} {
			if err := call(proto, blob[:]); !errors.Is(err, croft.ErrPeer) {
				t.Errorf("%s: a stranger's %s: %v", when, proto, err)
			}
		}
	}
	closed("without an invite")
	if err := call("join/1", nil); !errors.Is(err, croft.ErrPeer) {
		t.Errorf("without an invite a stranger knocks: %v", err)
	}

	code := v.invites(ada, false)
	closed("with an invite open")
	sign := func(scope croft.Scope, body []byte) croft.Signature {
		return croft.Signature(ed25519.Sign(code.Key(), scope.Preimage("knock", body)))
	}
	type knock struct {
		Invite croft.PublicKey `cbor:"1,keyasint"`
		Proof  croft.Signature `cbor:"2,keyasint"`
		Tx     []byte          `cbor:"3,keyasint,omitempty"`
	}
	self, scope := []byte(stranger.ID()), croft.Scope{Network: code.Network}
	vote := ledger.Seal(v.Genesis.Scope(), ada.ID, 0, &ledger.Vote{Action: ledger.StopAll, Sequence: 1}, ada.Keys.Sign)
	ben := v.joins("Ben", v.invites(ada, true), func(croft.Member) {})
	other, err := node.Genesis(ben.Dir)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(m *Member, code croft.Invite) []byte {
		return ledger.SealJoin(other.Scope(), code.Public(), m.Keys.Member(m.Name, true), func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
			if role == croft.RoleInvite {
				return croft.Signature(ed25519.Sign(code.Key(), scope.Preimage(domain, body)))
			}
			return m.Keys.Sign(role, scope, domain, body)
		})
	}
	bens := apply(ben, code)
	for name, c := range map[string]struct {
		request []byte
		want    croft.Code
	}{
		"junk":                                 {[]byte("junk"), croft.ErrEncoding},
		"an unknown invite":                    {croft.Encode(knock{Invite: croft.PublicKey{1}}), croft.ErrInvite},
		"without proof":                        {croft.Encode(knock{Invite: code.Public()}), croft.ErrTxSignature},
		"with another's proof":                 {croft.Encode(knock{code.Public(), sign(scope, []byte(ben.Node.Host.ID())), nil}), croft.ErrTxSignature},
		"with a member's transaction":          {croft.Encode(knock{code.Public(), sign(scope, self), vote}), croft.ErrTxRights},
		"with somebody else's application":     {croft.Encode(knock{code.Public(), sign(scope, self), bens}), croft.ErrTxRights},
		"with a transaction that is none":      {croft.Encode(knock{code.Public(), sign(scope, self), []byte("tx")}), croft.ErrEncoding},
		"with more than a transaction can be":  {make([]byte, 32<<10), croft.ErrPeer},
		"for the genesis, with a code in hand": {croft.Encode(knock{code.Public(), sign(scope, self), nil}), 0},
	} {
		if err := call("join/1", c.request); c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
			t.Errorf("a stranger knocks %s: %v", name, err)
		}
	}

	v.guest = true
	fay := v.joins("Fay", v.invites(ada, true), func(croft.Member) {})
	asks := func(m *Member, proto string, request []byte) error {
		_, err := m.Node.Host.Call(t.Context(), ada.Node.Host.ID(), proto, request, p2p.MaxAnswer)
		return err
	}
	if err := asks(ben, "blob/1", blob[:]); err != nil {
		t.Errorf("a member's blob/1: %v", err)
	}
	for proto, request := range map[string][]byte{"blob/1": blob[:], study.SeedsProtocol: nil, study.AnswersProtocol: nil} {
		if err := asks(fay, proto, request); !errors.Is(err, croft.ErrTxRights) {
			t.Errorf("a guest's %s: %v", proto, err)
		}
	}

	within := croft.Service{Provider: ada.ID, Name: "within", Version: 1, Task: serve.HTTP, Use: croft.UseNetwork, Tills: []croft.PublicKey{ada.Node.Market.Key}}
	if _, err := ada.Send(t.Context(), &ledger.Publish{Service: within}); err != nil {
		t.Fatal(err)
	}
	if err := ada.Node.Market.Begin(t.Context(), market.Spec{Name: within.Name, Task: serve.HTTP, URLs: []string{"http://127.0.0.1:1"}}); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[*Member]croft.Code{ben: croft.ErrEngineFailed, fay: croft.ErrTxRights} {
		use := market.Use{Service: within, Request: serve.Request{Task: serve.HTTP, Body: []byte(`{}`)}}
		if _, err := who.Node.Market.Market.Call(t.Context(), use); !errors.Is(err, want) {
			t.Errorf("%s calls a service of the network: %v", who.Name, err)
		}
	}

	// It becomes a member, and is revoked: that makes it no guest again.
	v.guest = false
	if err := ada.Node.Study.Send(t.Context(), apply(fay, v.invites(ada, true))); err != nil {
		t.Fatal(err)
	}
	member := fay.Keys.Member("Fay", true)
	v.sees(ben, "itself", func(n ledger.Network) bool { return slices.Contains(n.Members, ben.ID) })
	v.votes(ben, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &member})
	if err := asks(fay, "blob/1", blob[:]); err != nil {
		t.Errorf("a member's blob/1 that was a guest: %v", err)
	}
	v.votes(ada, 1, ledger.Vote{Action: ledger.Revoke, Subject: fay.ID})
	v.votes(ben, 2, ledger.Vote{Action: ledger.Revoke, Subject: fay.ID})
	v.sees(ada, "its leave", func(ledger.Network) bool { return !slices.Contains(ada.Node.Host.Connected(), fay.Node.Host.ID()) })
	if err := asks(fay, "blob/1", blob[:]); !errors.Is(err, croft.ErrPeer) {
		t.Errorf("revoked, it is a guest again: %v", err)
	}
}
