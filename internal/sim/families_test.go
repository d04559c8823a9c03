package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/study"
	"croft/internal/table"
)

// A Cox regression over real consensus and real sockets, with the private sums of
// three nodes, is the one that all rows give in one place, stratified by site. (Every
// family over three nodes is compared with R in package api.)
func TestCoxOnRealNodes(t *testing.T) {
	v := settle(t, "Ada", "Ben", "Cleo")
	p := plan(v.Network, 3)
	days := croft.Column{Name: "days", Kind: croft.Number, High: croft.Decimal{Mantissa: 1000}}
	p.Schema.Columns = append(p.Schema.Columns, days)
	p.Model.Family, p.Model.Time, p.HoldOut.Percent = "cox", "days", 0

	rng := rand.New(rand.NewPCG(7, 7))
	var sets []croft.DatasetID
	var sites []fed.Site
	for i, m := range v.Members {
		text := "patient,age,bmi,days,ill\n"
		for row := range 80 + 20*i {
			age, bmi := 20+60*rng.Float64(), 15+20*rng.Float64()
			event, end := math.Ceil(-400*math.Log(rng.Float64())*math.Exp((50-age)/20)), math.Ceil(900*rng.Float64())
			ill := "no"
			if event <= end {
				ill = "yes"
			}
			text += fmt.Sprintf("%d-%d,%.1f,%.1f,%.0f,%s\n", i, row, age, bmi, min(event, end), ill)
		}
		path := filepath.Join(v.dir, m.Name+".csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		rows, _, err := data.Open(path, p.Schema, data.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		site, err := study.Rows(rows, p)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site)
		id, err := m.Register(t.Context(), path, "visits", data.Options{Unit: "patient", Releases: 100, Policy: table.DefaultPolicy()})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, id)
	}
	id := v.agrees(v.Members[0], p, sets)
	if st := v.ends(id, v.Members...); st.Status != ledger.Done {
		t.Fatalf("stopped: %s", st.Reason)
	}
	var got fed.Result
	for _, m := range v.Members {
		compiled, state, err := m.Node.Study.Model(t.Context(), p, id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = compiled.Result(state); err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := fed.Compile(p.Model, table.ColumnsOf(p), false)
	if err != nil {
		t.Fatal(err)
	}
	state, err := compiled.Run(sites...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := compiled.Result(state)
	if err != nil {
		t.Fatal(err)
	}
	for i, term := range got.Terms {
		if math.Abs(term.Coef-want.Terms[i].Coef) > 1e-9*term.SE || math.Abs(term.SE-want.Terms[i].SE) > 1e-9*term.SE {
			t.Errorf("%+v, in one place %+v", term, want.Terms[i])
		}
	}
	if len(got.Terms) != 2 || got.Terms[0].P() > 1e-6 || got.Terms[0].OddsRatio().Low < 1 {
		t.Errorf("age shortens the time, but: %+v", got.Terms)
	}
}
