package sim

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"croft"
	"croft/internal/audit"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/node"
	"croft/internal/table"
)

// The founder, who alone orders blocks, is lost for good. Those who are left go on
// with a successor chain: its members, datasets and budgets are those of the chain
// that ended, and nothing that was signed for that chain counts on it.
func TestRescue(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada", "Ben", "Cleo")
	ada, ben, cleo := v.Members[0], v.Members[1], v.Members[2]
	sets := v.registers(v.Members...)
	if st := v.studies("before", sets); st.Status != ledger.Done {
		t.Fatalf("%s", st.Reason)
	}
	entry, err := ben.Node.Data.Get(sets[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := []croft.MemberID{ada.ID}
	if _, err := ben.Node.Services().Successor(lost); !errors.Is(err, croft.ErrRescue) {
		t.Errorf("without a member whose node is connected: %v", err)
	}

	backup := v.backup(cleo)

	// Cleo misses the last block. Then Ada burns.
	v.halts(cleo)
	stale := ledger.Seal(v.Genesis.Scope(), ben.ID, 0, &ledger.Register{Name: "last", Group: croft.Sum([]byte("last")), Releases: 1}, ben.Keys.Sign)
	if err := ben.Node.Study.Send(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	v.wipes(ada)
	group := func(m *Member) []byte {
		raw, err := m.Node.Chain.Read(t.Context(), ledger.GroupKey(entry.Group))
		if g, _, fault := ledger.Decode[ledger.Group](raw); err != nil || fault != nil || g.Used == 0 {
			t.Fatalf("%+v %v %v", g, err, fault)
		}
		return raw
	}
	budget := group(ben)
	if err := ben.Await(t.Context(), func(context.Context) (bool, error) { return len(ben.Node.Host.Connected()) == 0, nil }); err != nil {
		t.Fatal(err)
	}
	g, err := ben.Node.Services().Successor(lost)
	if err != nil {
		t.Fatal(err)
	}
	one := ledger.Endorse(g, ben.ID, ben.Keys.Sign)
	both := ledger.Endorse(one, cleo.ID, cleo.Keys.Sign)
	for name, c := range map[string]struct {
		g    croft.Genesis
		want croft.Code
	}{"one of three signed": {one, croft.ErrRescue}, "two of three": {both, 0}} {
		for where, err := range map[string]error{"at a node": ben.Node.Services().Believe(c.g), "in a folder": node.CheckRescue(cleo.Dir, c.g, nil)} {
			if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", name, where, err)
			}
		}
	}

	// With one signature nothing changes; with both Ben goes on alone.
	keep := func(m *Member, g croft.Genesis) {
		if err := node.KeepRescue(m.Dir, g); err != nil {
			t.Fatal(err)
		}
	}
	v.halts(ben)
	keep(ben, one)
	v.returns(ben, nil)
	if now, err := node.Genesis(ben.Dir); err != nil || now.Hash() != v.Genesis.Hash() {
		t.Fatalf("changed over with one signature: %v", err)
	}
	v.halts(ben)
	keep(ben, both)
	v.returns(ben, nil)
	if _, err := ben.Send(t.Context(), &ledger.Register{Name: "first", Group: croft.Sum([]byte("first")), Releases: 1}); err != nil {
		t.Fatalf("the successor does not move: %v", err)
	}
	if again := group(ben); !bytes.Equal(again, budget) {
		t.Error("the budget is not what it was")
	}
	if err := ben.Node.Study.Send(t.Context(), stale); !errors.Is(err, croft.ErrTxSignature) {
		t.Errorf("a transaction of the chain that ended: %v", err)
	}

	// Cleo's node is still on the old chain, and is told so; then it gets the state.
	v.returns(cleo, nil)
	cleo.Node.Meet(ben.Node.Host.Addrs())
	if _, err := cleo.Node.Host.Call(t.Context(), ben.Node.Host.ID(), "hello/1", croft.Encode(nil), 1<<10); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("junk: %v", err)
	}
	old := []byte(`{"chain":"` + v.Genesis.Scope().Chain + `"}`)
	if _, err := cleo.Node.Host.Call(t.Context(), ben.Node.Host.ID(), "hello/1", old, 1<<10); !errors.Is(err, croft.ErrChain) {
		t.Errorf("a greeting from the chain that ended: %v", err)
	}
	v.halts(cleo)
	keep(cleo, both)
	asked := false
	v.returns(cleo, func(node.Recovery) { asked = true })
	if !asked || !cleo.Node.Blobs.Has(g.State) {
		t.Error("who missed a block did not ask for the state")
	}
	v.Genesis, v.Members = both, v.Members[1:]
	v.sees(cleo, "the successor", func(n ledger.Network) bool { return len(n.Members) == 3 && len(n.Before) == 1 })
	if _, err := cleo.Send(t.Context(), &ledger.Register{Name: "hers", Group: croft.Sum([]byte("hers")), Releases: 1}); err != nil {
		t.Error(err)
	}

	// Somebody new joins; a study runs; all of it can be audited.
	dina := v.joins("Dina", v.invites(ben, false), func(m croft.Member) {
		for _, voter := range []*Member{ben, cleo} {
			v.votes(voter, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
		}
	})
	v.sees(dina, "itself", func(n ledger.Network) bool { return len(n.Members) == 4 && readies(t, dina) == 4 })
	path := filepath.Join(v.dir, "Dina.csv")
	visits(t, path, 160, 4)
	id, err := dina.Register(t.Context(), path, "visits", data.Options{Unit: "patient", Releases: 100, Policy: table.DefaultPolicy()})
	if err != nil {
		t.Fatal(err)
	}
	if st := v.studies("after", []croft.DatasetID{sets[1], sets[2], id}); st.Status != ledger.Stopped || st.Reason != "cohort" {
		t.Errorf("what was in sums before is forgotten: %v %s", st.Status, st.Reason) // Ada or Dina: two sums that differ by two sites
	}
	if err := v.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range v.Members {
		r, err := audit.VerifyNode(t.Context(), audit.Node{Dir: m.Dir, Genesis: both, Self: m.ID, Ledger: m.Node.Chain, Blobs: m.Node.Blobs, Docs: m.Node.Docs}, audit.Options{})
		if err != nil || r.Signers != 2 || r.Rescued == "" || r.Studies != 2 {
			t.Errorf("%s: %v %+v", m.Name, err, r)
		}
	}
	blocks := audit.Chain(ben.Node.Chain, ben.Node.Chain.Status().Height)
	var file bytes.Buffer
	if _, err := audit.Export(t.Context(), &file, both, blocks, audit.Options{Inherited: ben.Node.Blobs.Get}); err != nil {
		t.Fatal(err)
	}
	if r, err := audit.VerifyExport(t.Context(), &file, audit.Options{}); err != nil || r.Rescued != g.Rescue.Chain {
		t.Errorf("%v %+v", err, r)
	}
	// A backup of before the rescue is of use after it.
	v.wipes(cleo)
	cleo.Dir = filepath.Join(v.dir, "new")
	if err := backup.Restore(cleo.Dir, nil, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := node.CheckRescue(cleo.Dir, both, nil); err != nil {
		t.Error(err)
	}
	keep(cleo, both)
	v.returns(cleo, func(node.Recovery) {})
	if now, at := cleo.Node.Chain.Status(), ben.Node.Chain.Status(); now.AppHash != at.AppHash {
		t.Errorf("restored to height %d, the others are at %d", now.Height, at.Height)
	}
	if found, _ := filepath.Glob(filepath.Join(ben.Dir, "chain.old-1", "blockstore.db")); len(found) != 1 {
		t.Error("the chain that ended is gone")
	}
}
