package sim

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/serve"
)

// A whole study over real consensus and real sockets. Its model is published by one
// member and used by another, who was no site: at its own node, and, if it says so, at
// the provider's; both are paid. Then the channel ends.
func TestModelIsSold(t *testing.T) {
	v := settle(t, "Ada", "Ben", "Cleo", "Dina", "Elif")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := plan(v.Network, 4)
	open.Use = croft.UseNetwork
	id := v.agrees(v.Members[0], open, v.registers(v.Members[:4]...))
	if st := v.ends(id, v.Members...); st.Status != ledger.Done {
		t.Fatalf("stopped: %s", st.Reason)
	}

	ada, elif := v.Members[0], v.Members[4]
	for _, m := range v.Members[:3] {
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
	_, err := ada.Send(ctx, &ledger.Publish{Service: service})
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
	if _, err := v.Members[1].Node.Market.Call(ctx, market.Wish{Ref: "heart", Request: serve.Request{Task: serve.Predict, Body: body}, Columns: []string{"age", "bmi"}, Remote: true}); !errors.Is(err, croft.ErrRemote) {
		t.Fatal("columns of a registered dataset left: ", err)
	}

	must(elif.Node.Market.Close(ctx, channel))
	must(ada.Await(ctx, func(ctx context.Context) (bool, error) {
		raw, err := ada.Node.Chain.Read(ctx, ledger.AccountKey(ada.ID))
		a, _, _ := ledger.Decode[ledger.Account](raw)
		return a.Free == 2*croft.Credit, err
	}))
}
