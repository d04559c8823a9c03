package sim

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/serve"
	"croft/internal/study"
	"croft/internal/table"
)

// A model of a study is published by one member and used by another, who was no site:
// at its own node, and, if it says so, at the provider's; both are paid. Then the
// channel ends.
func TestModelIsSold(t *testing.T) {
	dir := t.TempDir()
	n, err := Found(dir, "test", time.Now(), "Ada", "Ben", "Cleo", "Dina", "Elif")
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
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
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := plan(n, 4)
	open.Use = croft.UseNetwork
	var sets []croft.DatasetID
	for i, m := range n.Members[:4] {
		path := filepath.Join(dir, m.Name+".csv")
		visits(t, path, 100+20*i, uint64(i+1))
		id, err := m.Register(ctx, path, "visits", data.Options{Unit: "patient", Releases: 100, Policy: table.DefaultPolicy()})
		must(err)
		sets = append(sets, id)
	}
	proposal, err := n.Members[0].Send(ctx, &ledger.Propose{Plan: open})
	must(err)
	id := croft.StudyID(proposal)
	for i, m := range n.Members[:4] {
		must(m.Await(ctx, func(ctx context.Context) (bool, error) { _, _, err := m.Study(ctx, id); return err == nil, nil }))
		must(m.Approve(ctx, id, sets[i]))
	}
	must(n.Members[0].Await(ctx, func(ctx context.Context) (bool, error) {
		st, _, err := n.Members[0].Study(ctx, id)
		if err == nil && st.Status == ledger.Stopped {
			t.Fatalf("stopped: %s", st.Reason)
		}
		_, gone := n.Members[0].Node.Study.ModelDocument(id)
		return st.Status == ledger.Done && gone == nil, err
	}))

	ada, elif := n.Members[0], n.Members[4]
	for _, m := range n.Members[:3] {
		_, err := m.Send(ctx, &ledger.Vote{Action: ledger.Mint, Sequence: 1, Issue: &ledger.Issue{Number: 1, Account: elif.ID, Amount: 100 * croft.Credit}})
		must(err)
	}
	service := croft.Service{Provider: ada.ID, Name: "heart", Version: 1, Task: serve.Predict, Model: id, Use: croft.UseNetwork,
		Price: croft.Price{Call: croft.Credit, Most: croft.Credit}, Tills: []croft.PublicKey{ada.Node.Market.Key}}
	wide := service
	wide.Use = croft.UseMarket
	if _, err := ada.Send(ctx, &ledger.Publish{Service: wide}); !errors.Is(err, croft.ErrUse) {
		t.Fatal("a model for the network was published for the market: ", err)
	}
	must(ada.Node.Market.Begin(ctx, market.Spec{Name: "heart", Task: serve.Predict, Model: id}))
	_, err = ada.Send(ctx, &ledger.Publish{Service: service})
	must(err)
	must(elif.Await(ctx, func(ctx context.Context) (bool, error) {
		must(elif.Node.Market.Look(ctx))
		must(ada.Node.Market.Look(ctx))
		_, err := elif.Node.Market.Find("heart")
		return err == nil, nil
	}))
	tx, err := elif.Send(ctx, &ledger.Open{Service: service.ID(), Payer: elif.Node.Market.Key, Window: 3600, Deposits: []croft.Credits{10 * croft.Credit}})
	must(err)
	channel := ledger.ChannelIDOf(tx, 0)
	must(elif.Await(ctx, func(context.Context) (bool, error) { return len(elif.Node.Market.Balances()) > 0, nil }))

	schema, err := elif.Node.Market.SchemaOf(ctx, "heart") // fetched from Ada, and checked against the ledger
	must(err)
	body, err := serve.Rows(schema, []string{"patient", "age", "bmi"}, [][]string{{"x", "30", "20"}, {"y", "70", "30"}})
	must(err)
	var answers []string
	for _, remote := range []bool{false, true} {
		got, err := elif.Node.Market.Call(ctx, market.Wish{Ref: "Ada/heart", Request: serve.Request{Task: serve.Predict, Body: body}, Columns: []string{"age", "bmi"}, Remote: remote})
		must(err)
		if got.Remote != remote || got.Receipt.Price != croft.Credit {
			t.Fatalf("%+v", got)
		}
		_, p, err := serve.Outputs(got.Body)
		must(err)
		if len(p) != 2 || p[0] > p[1] || p[0] < 0 || p[1] > 1 {
			t.Fatal(p)
		}
		text, _ := json.Marshal(p)
		answers = append(answers, string(text))
	}
	if answers[0] != answers[1] {
		t.Fatal("here and there differ: ", answers)
	}
	if _, err := n.Members[1].Node.Market.Call(ctx, market.Wish{Ref: "heart", Request: serve.Request{Task: serve.Predict, Body: body}, Columns: []string{"age", "bmi"}, Remote: true}); !errors.Is(err, croft.ErrRemote) {
		t.Fatal("columns of a registered dataset left: ", err)
	}

	must(elif.Node.Market.Close(ctx, channel))
	must(ada.Await(ctx, func(ctx context.Context) (bool, error) {
		raw, err := ada.Node.Chain.Read(ctx, ledger.AccountKey(ada.ID))
		a, _, _ := ledger.Decode[ledger.Account](raw)
		return a.Free == 2*croft.Credit, err
	}))
}
