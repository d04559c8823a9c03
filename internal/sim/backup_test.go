package sim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
	"croft/internal/table"
)

// backs up a member's folder, as `croft backup now` does, and opens the file again.
func (v *village) backup(m *Member) node.Backup {
	v.Helper()
	key, err := keys.NewRecovery()
	if err != nil {
		v.Fatal(err)
	}
	if err := keys.SetRecovery(m.Dir, key); err != nil {
		v.Fatal(err)
	}
	lock, _, err := keys.RecoveryOf(m.Dir)
	if err != nil {
		v.Fatal(err)
	}
	b, err := node.Pack(m.Dir, time.Now())
	if err != nil {
		v.Fatal(err)
	}
	path := filepath.Join(v.TempDir(), "backup")
	if err := b.Write(path, lock.Seal); err != nil {
		v.Fatal(err)
	}
	if b, err = node.ReadBackup(path, key.Open); err != nil {
		v.Fatal(err)
	}
	return b
}

// halts a member's node.
func (v *village) halts(m *Member) {
	v.Helper()
	if err := m.Node.Close(); err != nil {
		v.Fatal(err)
	}
	m.Node = nil
}

// wipes a member's disk.
func (v *village) wipes(m *Member) {
	v.Helper()
	v.halts(m)
	if err := os.RemoveAll(m.Dir); err != nil {
		v.Fatal(err)
	}
}

// returns starts a member's node again, in a folder that may come from a backup.
func (v *village) returns(m *Member, tell func(node.Recovery)) {
	v.Helper()
	cfg := node.Config{Dir: m.Dir, Listen: v.listen, Timing: chain.LAN, Log: v.log.With("node", m.Name)}
	within, cancel := context.WithTimeout(v.Context(), 5*time.Minute)
	defer cancel()
	if err := node.Recover(within, cfg, tell); err != nil {
		v.Fatalf("%s: %v", m.Name, err)
	}
	var err error
	if m.Node, err = node.Open(cfg); err != nil {
		v.Fatalf("%s: %v", m.Name, err)
	}
	ctx := v.Context()
	v.group.Go(func() error { return m.Node.Run(ctx) })
}

// releases are what a member's own file says of a record group.
func releases(t *testing.T, m *Member, group croft.Hash) (spent []struct {
	Study croft.StudyID `cbor:"1,keyasint"`
	Round uint32        `cbor:"2,keyasint"`
}) {
	raw, err := m.Node.Docs.Get("spent", group.String())
	if err == nil {
		err = croft.Decode(raw, &spent)
	}
	if err != nil {
		t.Fatal(err)
	}
	return spent
}

// The disk of the member who alone orders blocks is lost. Restored from a backup
// that is older than a study, it goes on where the network is: its last block is
// not made twice, what was spent since is spent, and a second copy stays out.
func TestWipedAndRestored(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada", "Ben", "Cleo")
	ada, ben, cleo := v.Members[0], v.Members[1], v.Members[2]
	var sets []croft.DatasetID
	add := func(m *Member, releases uint32) croft.DatasetID {
		id, err := m.Register(t.Context(), filepath.Join(v.dir, m.Name+".csv"), "visits", data.Options{Unit: "patient", Releases: releases, Policy: table.DefaultPolicy()})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for i, m := range v.Members {
		visits(t, filepath.Join(v.dir, m.Name+".csv"), 100+20*i, uint64(i+1))
		sets = append(sets, add(m, 100))
	}
	backup := v.backup(ada)
	if st := v.studies("before", sets); st.Status != ledger.Done {
		t.Fatalf("%s", st.Reason)
	}
	entry, err := ada.Node.Data.Get(sets[0])
	if err != nil {
		t.Fatal(err)
	}
	budget := func(m *Member) ledger.Group {
		raw, err := m.Node.Chain.Read(t.Context(), ledger.GroupKey(entry.Group))
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := ledger.Decode[ledger.Group](raw)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	used := budget(ada).Used
	spent := releases(t, ada, entry.Group)
	if err := v.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := ada.Node.Chain.Status()

	v.wipes(ada)
	v.halts(cleo)
	ada.Dir = filepath.Join(v.dir, "new")
	if err := backup.Restore(ada.Dir, nil, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := backup.Restore(ada.Dir, nil, false, nil); !errors.Is(err, croft.ErrFolderUsed) {
		t.Errorf("onto a node: %v", err)
	}
	if _, err := node.Open(node.Config{Dir: ada.Dir, Timing: chain.LAN}); !errors.Is(err, croft.ErrRestored) {
		t.Fatalf("opened as if nothing had happened: %v", err)
	}
	waited := false
	v.returns(ada, func(r node.Recovery) {
		if !waited && r.Heard == 1 && r.Height == r.Others { // all of Ben's blocks: but Cleo may have one more
			if !slices.Equal(r.Waits, []string{"Cleo"}) {
				t.Errorf("waits for %v", r.Waits)
			}
			waited = true
			v.returns(cleo, nil)
		}
	})
	if !waited {
		t.Error("a lone orderer came back without having heard everybody")
	}
	if now := ada.Node.Chain.Status(); now.Height != before.Height || now.AppHash != before.AppHash {
		t.Errorf("came back to height %d, state %s; it was at %d, %s", now.Height, now.AppHash.Short(), before.Height, before.AppHash.Short())
	}

	// It orders blocks, the others take them, and the budget is what it was.
	sets[0] = add(ada, used+2)
	if g := budget(ada); g.Used != used || g.Cap != used+2 {
		t.Fatalf("the group has %+v, %d were used", g, used)
	}
	if st := v.studies("after", sets); st.Status != ledger.Stopped || st.Reason != "budget" {
		t.Errorf("two releases were left, and the study ended as %v, %s", st.Status, st.Reason)
	}
	now := releases(t, ada, entry.Group)
	for _, r := range spent {
		if !slices.Contains(now, r) {
			t.Errorf("release %v was forgotten", r)
		}
	}
	if len(now) != len(spent)+2 {
		t.Errorf("%d releases became %d", len(spent), len(now))
	}
	for _, m := range []*Member{ben, cleo} {
		if g := budget(m); g.Used != used+2 {
			t.Errorf("%s: %+v", m.Name, g)
		}
	}

	// Two at once: the second is told so by whoever knows the first.
	twin := filepath.Join(v.dir, "twin")
	if err := backup.Restore(twin, nil, false, nil); err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	err = node.Recover(within, node.Config{Dir: twin, Timing: chain.LAN, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: v.log}, func(node.Recovery) {})
	if !errors.Is(err, croft.ErrCopyRuns) {
		t.Errorf("a second copy: %v", err)
	}
	if _, err := ada.Send(t.Context(), &ledger.Register{Name: "later", Group: croft.Sum([]byte("later")), Releases: 1}); err != nil {
		t.Errorf("the first, after the second was turned away: %v", err)
	}
}

// A founder's backup of the first day knows nobody who joined since: one address of
// a member is enough. And keys that were copied by hand are no less careful.
func TestRestoredFromTheFirstDay(t *testing.T) {
	t.Parallel()
	v := settle(t, "Ada")
	ada := v.Members[0]
	backup := v.backup(ada)
	if backup.KnowsOthers() {
		t.Error("it knows others")
	}
	ben := v.joins("Ben", v.invites(ada, true), func(croft.Member) {})
	v.sees(ben, "itself", func(n ledger.Network) bool { return len(n.Members) == 2 && readies(t, ben) == 2 })
	if err := v.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := ben.Node.Chain.Status()

	v.wipes(ada)
	ada.Dir = filepath.Join(v.dir, "new")
	if err := backup.Restore(ada.Dir, ben.Node.Host.Addrs(), false, nil); err != nil {
		t.Fatal(err)
	}
	v.returns(ada, func(node.Recovery) {})
	if now := ada.Node.Chain.Status(); now.Height != before.Height || now.AppHash != before.AppHash {
		t.Errorf("came back to height %d, state %s; it was at %d, %s", now.Height, now.AppHash.Short(), before.Height, before.AppHash.Short())
	}
	if _, err := ben.Send(t.Context(), &ledger.Register{Name: "later", Group: croft.Sum([]byte("later")), Releases: 1}); err != nil {
		t.Errorf("the ledger does not move: %v", err)
	}

	// Ben's disk, with his keys on a stick.
	copied := filepath.Join(v.dir, "copied")
	if err := os.MkdirAll(filepath.Join(copied, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"genesis.cbor", "join.cbor", "keys/member.pem", "keys/node.pem", "keys/validator.pem"} {
		text, err := os.ReadFile(filepath.Join(ben.Dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	v.wipes(ben)
	ben.Dir = copied
	heard := false
	v.returns(ben, func(r node.Recovery) { heard = heard || r.Heard == 1 })
	if !heard {
		t.Error("copied keys were used at once")
	}
	if _, err := ben.Send(t.Context(), &ledger.Register{Name: "last", Group: croft.Sum([]byte("last")), Releases: 1}); err != nil {
		t.Errorf("Ben, with copied keys: %v", err)
	}
}
