package fed

import (
	"fmt"
	"math"
	"slices"

	"croft"
)

// Step is the word for what a plan does next.
type Step uint8

// The steps of plans. Plan.Words has those of one plan in order; a regression's
// Newton repeats until the estimate stands.
const (
	Count    Step = iota + 1 // rows and positives, training and held out
	Centre                   // Σ x of each column
	Spread                   // Σ (x − mean)² of each column
	Newton                   // gradient, information and log-likelihood at Beta
	Evaluate                 // metrics on the held-out rows at Beta
	Done                     // nothing: the result stands
	Tabulate                 // counts by cell
)

// String returns the word.
func (s Step) String() string {
	if s < Count || s > Tabulate {
		return fmt.Sprintf("step %d", uint8(s))
	}
	return [...]string{"count", "centre", "spread", "newton", "evaluate", "done", "tabulate"}[s-1]
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

	// From Evaluate on; with firth as soon as there is one, at Base.
	Information []Fixed `cbor:"14,keyasint,omitempty"` // −∂²(Loglik − ridge term), upper triangle by rows, in the family's units

	// At Done.
	Intercept Fixed   `cbor:"15,keyasint,omitempty"` // site intercepts' mean, weighted by about the rows
	Scores    []Score `cbor:"16,keyasint,omitempty"` // of all sites together; each site's, if they may leave; each level's of each group

	// What only some families have; each says what stands in them.
	Totals []Fixed `cbor:"17,keyasint,omitempty"` // from Count on: real numbers
	Table  []int64 `cbor:"18,keyasint,omitempty"` // counts
	Extra  []Fixed `cbor:"19,keyasint,omitempty"` // at Done: real numbers of the last sum

	// GroupSites is known after Count: how many sites say of their held-out rows to
	// which level of each group they belong, and last how many have such rows. Empty
	// without groups.
	GroupSites []int64 `cbor:"20,keyasint,omitempty"`

	// At Done, of the held-out rows.
	Bins   []int64 `cbor:"21,keyasint,omitempty"` // by bin of predicted probability: the negatives, then the positives
	Chance []Fixed `cbor:"22,keyasint,omitempty"` // mean predicted probability in each bin, see Plan.histogram
	Slope  []Fixed `cbor:"23,keyasint,omitempty"` // gradient of their log-likelihood at Beta, a row, in the family's unit
}

// Start returns the state before the first sum.
func (p *Plan) Start() State { return State{Word: Count} }

// maxState bounds the encoding of a state: the information of maxColumns
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
	switch {
	case s.Word != Done && !slices.Contains(p.Words(), s.Word):
		return "no such step"
	case s.Positive < 0 || s.Rows < 0 || s.TestPositive < 0 || s.TestRows < 0,
		s.Rows > MaxRows || s.TestRows > MaxRows || s.Rows+s.TestRows > MaxRows:
		return "impossible counts"
	}
	for _, numbers := range [][]Fixed{s.Beta, s.Base, s.Move, s.Information, {s.Loglik}, s.Totals, s.Extra, s.Chance, s.Slope} {
		for _, v := range numbers {
			if v <= -maxFixed || v >= maxFixed {
				return "a number out of range"
			}
		}
	}
	for _, n := range slices.Concat(s.Table, s.GroupSites, s.Bins) {
		if n < 0 || n > MaxRows {
			return "impossible counts"
		}
	}
	if _, fits := p.family.(regression); !fits && len(s.GroupSites)+len(s.Bins)+len(s.Chance)+len(s.Slope) > 0 {
		return "an evaluation of what predicts nothing"
	}
	return p.family.flaw(p, s)
}
