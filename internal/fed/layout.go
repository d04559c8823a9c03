package fed

import (
	"math"

	"croft/internal/tensor"
)

// Layout returns the blocks of the report that moves s, for a study of so many
// sites. The bounds follow from what the state says in public, never from a
// site's own rows, and hold for every site whose rows are among the Rows counted
// and whose columns lie in [−1, 1]. With n = Rows and d coefficients:
//
//   - centre: ‖Σx‖ ≤ n·√k, as |x| ≤ 1.
//   - spread: Σ(x−mean)² ≤ n·(1−mean²) over the whole network, so ≤ n·√k.
//   - newton: Σz² = n in each column over the whole network. The information is
//     positive semidefinite, so its norm is at most its trace ≤ ¼·Σ‖z‖² ≤ ¼·n·d;
//     profiling out an intercept only takes from it. The gradient is at most
//     Σ‖z‖ ≤ n·√d and −loglik at most Σ(log 2 + |η|) ≤ n·(0.7 + ‖β‖·√d).
//     A site's best intercept does no worse than 0, so this covers it too.
//   - evaluate: a row's log-loss counts as at most maxLoss; pairs are at most
//     n²/4 and twice that is sent.
//
// Σz² is n but for the rounding of SD: minSD and two limbs keep this far within
// a factor 2, which the newton bounds carry.
//
// The arithmetic obeys the rules of step.go: all nodes must agree on a layout.
func (p *Plan) Layout(s State, sites int) tensor.Layout {
	rows := float64(max(s.Rows, 1))
	test := float64(max(s.TestRows, 1))
	k, d := float64(len(p.columns)), float64(p.params())
	exact := func(name string, length int, bound float64) tensor.Block {
		return tensor.Block{Name: name, Len: length, Exp: exponent(bound), Limbs: 2}
	}
	switch s.Word {
	case Count:
		return tensor.Layout{exact("count", 4, 2*MaxRows)}
	case Centre:
		return tensor.Layout{exact("sum", len(p.columns), float64(rows*math.Sqrt(k)))}
	case Spread:
		return tensor.Layout{exact("squares", len(p.columns), float64(rows*math.Sqrt(k)))}
	case Newton:
		n := p.params()
		norm := 0.0
		for _, b := range s.Beta {
			norm += float64(b.Float() * b.Float())
		}
		return tensor.Layout{
			exact("gradient", n, float64(float64(2*rows)*math.Sqrt(d))),
			exact("information", n*(n+1)/2, float64(rows*d)/2),
			exact("loglik", 1, float64(float64(2*rows)*(0.7+math.Sqrt(float64(norm*d))))),
		}
	case Evaluate:
		// A site's own slot repeats its numbers: twice the squared norm.
		slots, twice := p.slots(sites), math.Sqrt2
		l := tensor.Layout{
			exact("right", 3*slots, float64(float64(2*twice)*test)), // √3 < 2
			exact("pairs", 2*slots, float64(float64(twice*test)*test)),
			exact("pair rows", slots, float64(float64(float64(twice*test)*test)*test)/4),
			exact("losses", 3*slots, float64(float64(float64(2*twice)*test)*float64(maxLoss*maxLoss))),
		}
		if !p.common {
			// |α| ≤ log n + max|η| at a site with both classes (see intercept).
			reach := 16.0 // > log MaxRows
			for j, b := range s.Beta {
				furthest := min((1+math.Abs(s.Mean[j].Float()))/s.SD[j].Float(), math.Sqrt(float64(2*rows)))
				reach += float64(math.Abs(b.Float()) * furthest)
			}
			l = append(l, exact("intercept", 1, float64(rows*reach)), exact("intercept rows", 1, rows))
		}
		return l
	default:
		return nil
	}
}

// slots returns how many times the metrics stand in a report: once for the
// network and, if they may leave, once for each site.
func (p *Plan) slots(sites int) int {
	if p.perSite {
		return 1 + sites
	}
	return 1
}

// exponent returns the least e with bound ≤ 2^e.
func exponent(bound float64) int {
	frac, e := math.Frexp(bound)
	if frac == 0.5 {
		return e - 1
	}
	return e
}
