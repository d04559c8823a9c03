package fed

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"croft"
)

// rare deals patients with age, sex and a trait that every so manieth has, and
// whoever has it is dead.
func rare(patients []patient, every, sites int, site func(i int, p patient) int) []Site {
	out := deal(patients, sites, site, func(p patient) float64 {
		if p.row%every == 0 {
			return 1
		}
		return p.dead
	})
	at := make([]int, sites)
	for i, p := range patients {
		g := site(i, p)
		out[g].Train.X[at[g]][2] = -1
		if p.row%every == 0 {
			out[g].Train.X[at[g]][2] = 1
		}
		at[g]++
	}
	return out
}

var rareScales = []Scale{{50, 50}, {1.5, 0.5}, {0.5, 0.5}}

func TestFirthEqualsR(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	for _, c := range []struct {
		fit        string
		patients   []patient
		every      int
		intercepts croft.Intercepts
	}{
		{"firth common", patients, 23, croft.CommonIntercept}, {"firth site", patients, 23, croft.SiteIntercepts},
		{"firth hard common", patients[:80], 11, croft.CommonIntercept}, {"firth hard site", patients[:80], 11, croft.SiteIntercepts},
	} {
		t.Run(c.fit, func(t *testing.T) {
			m := lungModel("firth", c.intercepts)
			p := compile(t, m, []string{"age", "sex", "rare"}, false)
			states, err := trace(p, only(m, rare(c.patients, c.every, 3, byInstitution))...)
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Result(states[len(states)-1])
			if err != nil {
				t.Fatal(err)
			}
			likeR(t, r.In(rareScales), ref[c.fit])
		})
	}
}

func TestAnyDealGivesTheSameFirthFit(t *testing.T) {
	ref, patients := rLung(t), lung(t)
	m := lungModel("firth", croft.CommonIntercept)
	p := compile(t, m, []string{"age", "sex", "rare"}, false)
	for seed := range uint64(100) {
		sites, site := dealt(seed, len(patients))
		states, err := trace(p, only(m, rare(patients, 23, sites, site))...)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		r, err := p.Result(states[len(states)-1])
		if err != nil {
			t.Fatal(err)
		}
		likeR(t, r.In(rareScales), ref["firth common"])
		if t.Failed() {
			t.Fatalf("seed %d, %d sites", seed, sites)
		}
	}
}

// pooledFirth maximises the penalised likelihood of rows in one place as its own
// gradient says, with an indicator a site: Newton's method with the information,
// the exact leverages at each point.
func pooledFirth(sites []Site, intercepts croft.Intercepts) (coef []float64) {
	var x [][]float64
	var y []float64
	for g, site := range sites {
		for i, row := range site.Train.X {
			indicators := []float64{1}
			if intercepts == croft.SiteIntercepts {
				indicators = make([]float64, len(sites))
				indicators[g] = 1
			}
			x, y = append(x, append(indicators, row...)), append(y, site.Train.Y[i])
		}
	}
	beta := make([]float64, len(x[0]))
	for range 200 {
		information := make([][]float64, len(beta))
		for a := range information {
			information[a] = make([]float64, len(beta))
		}
		pi := make([]float64, len(x))
		for i, row := range x {
			pi[i] = 1 / (1 + math.Exp(-dot(row, beta)))
			for a, v := range row {
				for b, u := range row {
					information[a][b] += pi[i] * (1 - pi[i]) * v * u
				}
			}
		}
		l, _ := cholesky(information)
		score := make([]float64, len(beta))
		for i, row := range x {
			h := pi[i] * (1 - pi[i]) * dot(row, l.solve(row))
			for a, v := range row {
				score[a] += (y[i] - pi[i] + h*(0.5-pi[i])) * v
			}
		}
		for a, m := range l.solve(score) {
			beta[a] += m
		}
	}
	return beta[len(beta)-len(sites[0].Train.X[0]):]
}

func TestFirthOverFourSitesEqualsThePooledFit(t *testing.T) {
	patients := lung(t)
	for _, intercepts := range []croft.Intercepts{croft.CommonIntercept, croft.SiteIntercepts} {
		worst, most := 0.0, 0
		for seed := range uint64(12) {
			rng := rand.New(rand.NewPCG(seed, 22))
			m := lungModel("firth", intercepts)
			p := compile(t, m, []string{"age", "sex", "rare"}, false)
			site := make([]int, len(patients))
			for i := range site {
				site[i] = rng.IntN(4)
			}
			sites := only(m, rare(patients, 23, 4, func(i int, _ patient) int { return site[i] }))
			states, err := trace(p, sites...)
			if err != nil {
				t.Fatal(err)
			}
			s := states[len(states)-1]
			want := pooledFirth(sites, intercepts)
			for j := range want { // in standard deviations
				off := math.Abs(s.Beta[p.first()+j].Float() - want[j]*s.SD[j].Float())
				if worst = max(worst, off); off > 1e-12 {
					t.Errorf("%s, seed %d: coefficient %d is %g off", intercepts, seed, j, off)
				}
			}
			most = max(most, int(s.Round))
		}
		t.Logf("%s: largest difference %.1e, at most %d sums", intercepts, worst, most)
	}
}

// Without the penalty the same data have no finite estimate, and the failure names
// the column and offers firth.
func TestSeparatedDataOffersFirth(t *testing.T) {
	m := lungModel("logistic", croft.CommonIntercept)
	p := compile(t, m, []string{"age", "sex", "rare"}, false)
	_, err := trace(p, only(m, rare(lung(t), 23, 3, byInstitution))...)
	if croft.CodeOf(err) != croft.ErrSeparation || err.(*croft.Error).Args[0] != "rare" {
		t.Fatal(err)
	}
	if next := croft.Next(err); !strings.Contains(next, "firth") {
		t.Error(next)
	}
}

// A site where all have the same label counts: its intercept is finite.
func TestFirthWithOneClassAtASite(t *testing.T) {
	m := lungModel("firth", croft.SiteIntercepts)
	patients := lung(t)
	sites := only(m, rare(patients, 23, 3, func(_ int, p patient) int {
		if p.dead == 1 && p.row < 40 {
			return 0
		}
		return 1 + p.row%2
	}))
	p := compile(t, m, []string{"age", "sex", "rare"}, false)
	states, err := trace(p, sites...)
	if err != nil {
		t.Fatal(err)
	}
	s := states[len(states)-1]
	for j, want := range pooledFirth(sites, croft.SiteIntercepts) {
		near(t, p.columns[j], s.Beta[j].Float(), want*s.SD[j].Float(), 1e-11, 1)
	}
	if alpha := p.Intercept(s, sites[0].Train); !(alpha > 0 && alpha < 20) {
		t.Errorf("intercept %g", alpha)
	}
}
