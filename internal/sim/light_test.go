package sim

import (
	"bytes"
	"context"
	"math"
	"testing"

	"croft"
	"croft/internal/audit"
	"croft/internal/chain"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/store"
	"croft/internal/study"
)

// A light member joins three full ones, is a site of a study with them, has the same result, and verifies the whole chain.
func TestALightSite(t *testing.T) {
	t.Parallel() // it waits more than it works
	v := settle(t, "Ada", "Ben", "Cleo")
	ada, ben := v.Members[0], v.Members[1]
	v.light = true
	dina := v.joins("Dina", v.invites(ada, false), func(m croft.Member) {
		if !m.Light || m.Seat {
			t.Errorf("the members vote on %+v", m)
		}
		v.votes(ada, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
		v.votes(ben, 1, ledger.Vote{Action: ledger.Admit, Newcomer: &m})
	})
	if err := dina.Await(t.Context(), func(ctx context.Context) (bool, error) { // it has no state before it has met somebody
		raw, err := dina.Node.Chain.Read(ctx, ledger.MemberKey(dina.ID))
		return raw != nil && err == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, light := dina.Node.Chain.(*chain.Light); !light {
		t.Fatalf("its ledger is a %T", dina.Node.Chain)
	}

	// Its own transactions, by the same path as the others'.
	p := plan(v.Network, 4)
	p.MinSites = 4
	sets := v.registers(v.Members...)
	id := v.agrees(dina, p, sets)
	var all fed.Rows
	var groups []int
	for i, m := range v.Members {
		rows, _, err := m.Node.Data.Open(t.Context(), sets[i], p.Schema)
		if err != nil {
			t.Fatal(err)
		}
		site, err := study.Rows(rows, p)
		if err != nil {
			t.Fatal(err)
		}
		all.X, all.Y = append(all.X, site.Train.X...), append(all.Y, site.Train.Y...)
		for range site.Train.Y {
			groups = append(groups, i)
		}
	}
	done := v.ends(id, v.Members...)
	if done.Status != ledger.Done {
		t.Fatalf("stopped: %s", done.Reason)
	}

	// The same result as the full sites', and as that of all rows in one place.
	if !bytes.Equal(must(ada.Node.Study.ModelDocument(id)), must(dina.Node.Study.ModelDocument(id))) {
		t.Error("the light site has another model")
	}
	if len(done.Seats) != 3 || len(done.Cohort) != 4 {
		t.Errorf("%d seats and %d sites, want 3 and 4", len(done.Seats), len(done.Cohort))
	}
	compiled, state, err := dina.Node.Study.Model(t.Context(), p, id)
	if err != nil {
		t.Fatal(err)
	}
	result := must(compiled.Result(state))
	want := must(fed.Pooled(all.X, all.Y, groups, 0))
	for j := range want.Coef {
		if d := math.Abs(result.Terms[1+j].Coef-want.Coef[j]) / want.SE[j]; !(d < 1e-6) {
			t.Errorf("column %d is %g standard errors from the pooled fit", j, d)
		}
	}

	// An audit of all that it has: every block comes from the others, and must give
	// the state that it has proved.
	report, err := audit.VerifyNode(t.Context(), audit.Node{Dir: dina.Dir, Genesis: v.Genesis, Self: dina.ID, Ledger: dina.Node.Chain,
		Blobs: dina.Node.Study.Blobs.(*store.Blobs), Docs: dina.Node.Docs}, audit.Options{})
	if err != nil || report.Stored == nil || report.Stored.Values == 0 || report.Stored.States == 0 {
		t.Errorf("its audit: %+v, %v", report.Stored, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
