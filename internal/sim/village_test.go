package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/table"
)

// village is a network that grows: its nodes run until the end of the test.
type village struct {
	*testing.T
	*Network
	dir    string
	log    *slog.Logger
	light  bool     // who joins from now on
	guest  bool     // what who is invited from now on becomes
	listen []string // where who returns from now on can be reached; nil: where it was
}

// settle founds a network on real sockets.
func settle(t *testing.T, founders ...string) *village {
	t.Helper()
	v := &village{T: t, dir: t.TempDir(), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))}
	var err error
	if v.Network, err = Found(v.dir, "village", time.Now(), founders...); err != nil {
		t.Fatal(err)
	}
	if err := v.Start(t.Context(), v.log, func(croft.MemberID, study.Event) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Stop(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// registers adds a file of visits at each of these members.
func (v *village) registers(at ...*Member) (sets []croft.DatasetID) {
	v.Helper()
	for i, m := range at {
		path := filepath.Join(v.dir, m.Name+".csv")
		visits(v, path, 100+20*i, uint64(i+1))
		id, err := m.Register(v.Context(), path, "visits", data.Options{Unit: "patient", Releases: 100, Policy: table.DefaultPolicy()})
		if err != nil {
			v.Fatal(err)
		}
		sets = append(sets, id)
	}
	return sets
}

// agrees has a member propose a study, and the first members approve it, each for its
// dataset.
func (v *village) agrees(by *Member, p croft.Study, sets []croft.DatasetID) croft.StudyID {
	v.Helper()
	tx, err := by.Send(v.Context(), &ledger.Propose{Plan: p})
	if err != nil {
		v.Fatal(err)
	}
	id := croft.StudyID(tx)
	for i, m := range v.Members[:len(sets)] {
		if err := m.Await(v.Context(), func(ctx context.Context) (bool, error) { _, _, err := m.Study(ctx, id); return err == nil, nil }); err != nil {
			v.Fatal(err)
		}
		if err := m.Approve(v.Context(), id, sets[i]); err != nil {
			v.Fatalf("%s: %v", m.Name, err)
		}
	}
	return id
}

// ends waits until a study has ended at each of these members; who reads its sums then
// has its model.
func (v *village) ends(id croft.StudyID, at ...*Member) (st ledger.Study) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), 5*time.Minute)
	defer cancel()
	for _, m := range at {
		if err := m.Await(ctx, func(ctx context.Context) (bool, error) {
			var p croft.Study
			var err error
			if st, p, err = m.Study(ctx, id); st.Status != ledger.Done || !slices.Contains(p.Readers, m.ID) {
				return st.Status == ledger.Done || st.Status == ledger.Stopped, err
			}
			_, none := m.Node.Study.ModelDocument(id)
			return none == nil, err
		}); err != nil {
			v.Fatalf("%v: %+v", err, st)
		}
	}
	return st
}

// studies runs a study of this name over the first members, and returns how it ended.
func (v *village) studies(name string, sets []croft.DatasetID) ledger.Study {
	v.Helper()
	p := plan(v.Network, len(sets))
	p.Name = name
	return v.ends(v.agrees(v.Members[1], p, sets), v.Members[:len(sets)]...)
}

// visits writes a clinic's file: two numbers that bear on a label.
func visits(t testing.TB, path string, rows int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	text := "patient,age,bmi,ill\n"
	for i := range rows {
		age, bmi := 20+60*rng.Float64(), 15+20*rng.Float64()
		ill := "no"
		if rng.Float64() < 1/(1+math.Exp(-(age-50)/15-(bmi-25)/6)) {
			ill = "yes"
		}
		text += fmt.Sprintf("%d-%d,%.1f,%.1f,%s\n", seed, i, age, bmi, ill)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func plan(n *Network, sites int) croft.Study {
	number := func(s string) croft.Decimal { d, _ := croft.ParseDecimal(s); return d }
	p := croft.Study{Version: 1, Name: "illness", Purpose: "test", LegalBasis: "none needed", Contact: "test", Expires: time.Now().Add(time.Hour).Unix(),
		MinSites: 3, Use: croft.UseMembers, Patience: 60, Engine: croft.EngineVersion,
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "age", Kind: croft.Number, Low: number("20"), High: number("80")},
			{Name: "bmi", Kind: croft.Number, Low: number("15"), High: number("35")},
			{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}}}},
		HoldOut: croft.HoldOut{Percent: 25, Key: "k"},
		Model:   croft.Model{Family: "logistic", Goal: croft.Inference, Intercepts: croft.SiteIntercepts, Label: "ill", Positive: "yes", Features: []string{"age", "bmi"}, MaxRounds: 25}}
	for i, m := range n.Members {
		if i < sites {
			p.Sites = append(p.Sites, m.ID)
		}
	}
	p.Readers = p.Sites
	return p
}
