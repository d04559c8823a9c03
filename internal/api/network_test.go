package api

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/store"
	"croft/internal/study"
)

// person is a member with a node on the twin, a socket, and a client.
type person struct {
	croft.Member
	keys   *keys.Keys
	dir    string
	csv    string // this member's rows
	s      Services
	down   context.CancelFunc
	client *Client
}

// community starts nodes for so many members, all seats, and serves the API of
// each in a folder of its own.
func community(t *testing.T, members int) []*person {
	t.Helper()
	g := croft.Genesis{Version: 1, Name: "the commons", Time: time.Now().Unix()}
	var people []*person
	for i := range members {
		// Not t.TempDir: its name is too long for a socket on some systems.
		dir, err := os.MkdirTemp("", "croft")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		k, err := keys.Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		p := &person{Member: k.Member("clinic-"+string(rune('a'+i)), true), keys: k, dir: dir, csv: filepath.Join(dir, "visits.csv")}
		p.Ready = true
		g.Members = append(g.Members, p.Member)
		people = append(people, p)
		if err := os.WriteFile(p.csv, visits(uint64(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	twin, err := chain.NewTwin(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		docs := store.NewMemoryDocs(new(store.Memory))
		registry, err := data.NewRegistry(docs)
		if err != nil {
			t.Fatal(err)
		}
		events, view := NewEvents(), twin.Member()
		n := &study.Node{Self: p.ID, Sign: p.keys.Sign, Scope: g.Scope(), Ledger: view, Blobs: store.NewMemoryBlobs(new(store.Memory)),
			Docs: docs, Peers: neighbours{people, p.ID}, Data: registry, Log: slog.New(slog.DiscardHandler), Report: events.Add}
		ctx, stop := context.WithCancel(context.Background())
		p.down = stop
		p.s = Services{Self: p.ID, Dir: p.dir, Name: p.Name, Ledger: view, Study: n, Data: registry, Peers: func() []Peer { return nil },
			Stop: stop, Log: n.Log, Events: events}
		run(t, stop, func() error { return n.Run(ctx) })
		startServing(t, p, ctx)
	}
	return people
}

// serve serves p's API until ctx ends, and dials it.
func startServing(t *testing.T, p *person, ctx context.Context) {
	t.Helper()
	ready := make(chan error, 1)
	l, err := listen(p.dir) // as Serve will: shows that it can, before the race for it
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	run(t, p.down, func() error { return Serve(ctx, p.dir, p.s) })
	go func() {
		for ctx.Err() == nil {
			c, err := Dial(p.dir)
			if p.client = c; err == nil {
				break
			}
		}
		ready <- ctx.Err()
	}()
	if err := <-ready; err != nil {
		t.Fatal("the API ended before it began")
	}
}

// run runs f until the end of the test, which stop ends.
func run(t *testing.T, stop func(), f func() error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// neighbours is a network without wires.
type neighbours struct {
	people []*person
	self   croft.MemberID
}

func (n neighbours) of(id croft.MemberID) *person {
	return n.people[slices.IndexFunc(n.people, func(p *person) bool { return p.ID == id })]
}

func (n neighbours) Fetch(_ context.Context, hash croft.Hash, _ int, from ...croft.MemberID) ([]byte, error) {
	for _, id := range from {
		if data, err := n.of(id).s.Study.Blobs.Get(hash); err == nil {
			return data, nil
		}
	}
	return nil, croft.E(croft.ErrBlob, hash.Short())
}

func (n neighbours) Call(ctx context.Context, to croft.MemberID, protocol string, request []byte) ([]byte, error) {
	if protocol == study.AnswersProtocol {
		return n.of(to).s.Study.GiveAnswers(ctx, n.self, request)
	}
	if protocol != study.SeedsProtocol {
		return nil, croft.E(croft.ErrPeer, to.Short(), "it does not know "+protocol)
	}
	return n.of(to).s.Study.GiveSeeds(ctx, n.self, request)
}

// visits writes a clinic's file: age and sex explain ill, with noise.
func visits(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	b.WriteString("id,age,sex,ill\n")
	for i := range 160 {
		age, sex := 20+r.IntN(60), r.IntN(2)
		ill := "no"
		if float64(age-50)/15+float64(sex)+2*r.NormFloat64() > 0 {
			ill = "yes"
		}
		fmt.Fprintf(&b, "%d-%d,%d,%s,%s\n", seed, i, age, []string{"f", "m"}[sex], ill)
	}
	return []byte(b.String())
}

// anaemia is a study over the first three of them.
func anaemia(people []*person) croft.Study {
	const text = `
name = "anaemia"
purpose = "who falls ill"
legal_basis = "research"
contact = "a@example.org"
expires = 2099-12-31
[sites]
members = ["clinic-a", "clinic-b", "clinic-c"]
[people]
unit = "id"
[model]
goal = "inference"
label = "ill"
positive = "yes"
[evaluation]
groups = ["sex"]
threshold = 0.4
[may_leave]
readers = ["sites", "proposer", "seats"]
site_metrics = true
[[column]]
name = "age"
kind = "number"
low = 0
high = 120
[[column]]
name = "sex"
kind = "category"
levels = ["f", "m"]
[[column]]
name = "ill"
kind = "category"
levels = ["no", "yes"]
`
	f, err := study.Parse([]byte(text), "anaemia.toml")
	if err != nil {
		panic(err)
	}
	var seats []croft.MemberID
	for _, p := range people {
		seats = append(seats, p.ID)
	}
	plan, err := f.Study(people[0].ID, seats, func(name string) (croft.MemberID, bool) {
		at := slices.IndexFunc(people, func(p *person) bool { return p.Name == name })
		return people[max(at, 0)].ID, at >= 0
	})
	if err != nil {
		panic(err)
	}
	return plan
}

// register adds the member's file.
func (p *person) register(t *testing.T) Submitted {
	t.Helper()
	add := Add{Path: p.csv, Name: "visits", Options: data.Options{Unit: "id", Releases: 200}}
	prepared, err := p.client.Prepare(t.Context(), add)
	if err != nil {
		t.Fatal(err)
	}
	body := prepared.Register()
	add.Tx = p.seal(&body)
	out, err := p.client.Add(t.Context(), add)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *person) seal(body any) []byte {
	return ledger.Seal(p.s.Study.Scope, p.ID, 0, body, p.keys.Sign)
}

// approval is the member's yes to a study as the node shows it.
func (p *person) approval(t *testing.T, ref string, dataset croft.DatasetID) *croft.Approval {
	t.Helper()
	st, err := p.client.Study(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return st.Approval(dataset, st.Plan.Expires, study.RowsAllowed(1000))
}
