package fed

import (
	"fmt"
	"math"

	"croft"
)

// Step is the word for what a plan does next.
type Step uint8

// The steps of a plan, in order. Newton repeats until the estimate stands.
const (
	Count    Step = iota + 1 // rows and positives, training and held out
	Centre                   // Σ x of each column
	Spread                   // Σ (x − mean)² of each column
	Newton                   // gradient, information and log-likelihood at Beta
	Evaluate                 // metrics on the held-out rows at Beta
	Done                     // nothing: the estimate stands
)

// String returns the word.
func (s Step) String() string {
	if s < Count || s > Done {
		return fmt.Sprintf("step %d", uint8(s))
	}
	return [...]string{"count", "centre", "spread", "newton", "evaluate", "done"}[s-1]
}

// Fixed is a real number in units of 2⁻⁴⁰: how reals stand in a State, so that
// equal states have equal hashes.
type Fixed int64

// fixedBits is the number of fraction bits of a Fixed.
const fixedBits = 40

// Float returns the number; exact for |f| < 2⁵³ units, else the nearest float64.
func (f Fixed) Float() float64 { return math.Ldexp(float64(f), -fixedBits) }

// State is what a round starts from. Every node computes the same one, bit by
// bit, and the ledger holds its hash, croft.HashOf(state). Columns and
// coefficients are in the plan's order; Beta, Base, Move and Information speak
// of standardised columns z = (x − Mean)/SD, and start with the common intercept
// if the plan has one.
type State struct {
	Round uint32 `cbor:"1,keyasint"` // sums taken in so far
	Word  Step   `cbor:"2,keyasint"` // what the next sum is of

	// Known after Count.
	Rows         int64 `cbor:"3,keyasint,omitempty"`
	Positive     int64 `cbor:"4,keyasint,omitempty"`
	TestRows     int64 `cbor:"5,keyasint,omitempty"`
	TestPositive int64 `cbor:"6,keyasint,omitempty"`

	Mean []Fixed `cbor:"7,keyasint,omitempty"` // after Centre
	SD   []Fixed `cbor:"8,keyasint,omitempty"` // after Spread; √(Σ(x−mean)²/Rows)

	// From Newton on.
	Beta     []Fixed `cbor:"9,keyasint,omitempty"`  // where the sites compute; in the end the estimate
	Base     []Fixed `cbor:"10,keyasint,omitempty"` // the last accepted point
	Move     []Fixed `cbor:"11,keyasint,omitempty"` // the full Newton step from Base; Beta = Base + Move·2^−Halvings
	Halvings uint8   `cbor:"12,keyasint,omitempty"`
	Loglik   Fixed   `cbor:"13,keyasint,omitempty"` // at Base, in the end at Beta; without the ridge term

	// From Evaluate on.
	Information []Fixed `cbor:"14,keyasint,omitempty"` // −∂²(Loglik − ridge term), upper triangle by rows

	// At Done.
	Intercept Fixed   `cbor:"15,keyasint,omitempty"` // site intercepts' mean, weighted by rows
	Scores    []Score `cbor:"16,keyasint,omitempty"` // of all sites together; then each site's, if they may leave
}

// Start returns the state before the first sum.
func (p *Plan) Start() State { return State{Word: Count} }

// maxState bounds the encoding of a state: the information of MaxColumns
// columns, and some.
const maxState = 1 << 20

// Decode reads a state of this plan from bytes that somebody sent. It refuses
// what is not canonical and what no run of the plan could have reached in form
// (lengths, signs, ranges); whether the state is the right one its hash says.
func (p *Plan) Decode(data []byte) (State, error) {
	if len(data) > maxState {
		return State{}, croft.E(croft.ErrEncoding, "plan state", "it is too long")
	}
	var s State
	if err := croft.Decode(data, &s); err != nil {
		return State{}, err
	}
	if why := p.flaw(s); why != "" {
		return State{}, croft.E(croft.ErrEncoding, "plan state", why)
	}
	return s, nil
}

// flaw says what keeps s from being a state of this plan, or "".
func (p *Plan) flaw(s State) string {
	k, d := len(p.columns), p.params()
	length := func(from, to Step, n int) int { // n while from ≤ word ≤ to, else 0
		if s.Word < from || s.Word > to {
			return 0
		}
		return n
	}
	accepted := 0
	if s.Word == Newton && len(s.Base) > 0 {
		accepted = d
	}
	switch {
	case s.Word < Count || s.Word > Done:
		return "no such step"
	case len(s.Mean) != length(Spread, Done, k), len(s.SD) != length(Newton, Done, k),
		len(s.Beta) != length(Newton, Done, d), len(s.Base) != accepted, len(s.Move) != accepted,
		len(s.Information) != length(Evaluate, Done, d*(d+1)/2):
		return "wrong number of columns"
	case s.Word < Done && len(s.Scores) > 0, s.Word == Done && len(s.Scores) == 0, len(s.Scores) > 1+MaxSites:
		return "wrong number of scores"
	case s.Positive < 0 || s.Rows < s.Positive || s.TestPositive < 0 || s.TestRows < s.TestPositive,
		s.Rows > MaxRows || s.TestRows > MaxRows || s.Rows+s.TestRows > MaxRows,
		s.Word > Count && (s.Positive == 0 || s.Positive == s.Rows):
		return "impossible counts"
	}
	for j := range s.SD {
		if s.SD[j] < minSD || s.SD[j] > 2<<fixedBits || s.Mean[j] < -2<<fixedBits || s.Mean[j] > 2<<fixedBits {
			return "impossible mean or spread"
		}
	}
	for _, numbers := range [][]Fixed{s.Beta, s.Base, s.Move, s.Information, {s.Loglik}} {
		for _, v := range numbers {
			if v <= -maxFixed || v >= maxFixed {
				return "a number out of range"
			}
		}
	}
	return ""
}
