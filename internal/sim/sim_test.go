package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/table"
)

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

// TestStudyOnRealNodes runs a whole study over real consensus and real sockets.
func TestStudyOnRealNodes(t *testing.T) {
	dir := t.TempDir()
	n, err := Found(dir, "test", time.Now(), "Ada", "Ben", "Cleo", "Dina", "Elif")
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := n.Start(ctx, log, func(croft.MemberID, study.Event) {}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var sets []croft.DatasetID
	for i, m := range n.Members[:4] {
		path := filepath.Join(dir, m.Name+".csv")
		visits(t, path, 100+20*i, uint64(i+1))
		id, err := m.Register(ctx, path, "visits", data.Options{Unit: "patient", Releases: 100, Policy: table.DefaultPolicy()})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, id)
	}
	tx, err := n.Members[0].Send(ctx, &ledger.Propose{Plan: plan(n, 4)})
	if err != nil {
		t.Fatal(err)
	}
	id := croft.StudyID(tx)
	for i, m := range n.Members[:4] {
		if err := m.Await(ctx, func(ctx context.Context) (bool, error) { _, _, err := m.Study(ctx, id); return err == nil, nil }); err != nil {
			t.Fatal(err)
		}
		if err := m.Approve(ctx, id, sets[i]); err != nil {
			t.Fatal(err)
		}
	}
	last := n.Members[4]
	if err := last.Await(ctx, func(ctx context.Context) (bool, error) {
		st, _, err := last.Study(ctx, id)
		if st.Status == ledger.Stopped {
			t.Fatalf("stopped: %s", st.Reason)
		}
		return st.Status == ledger.Done, err
	}); err != nil {
		st, _, _ := last.Study(t.Context(), id)
		t.Fatalf("%v: %+v", err, st)
	}
}
