package croft

import (
	"math"
	"math/bits"
)

// Service is what a member or guest offers to others, as the ledger holds it.
type Service struct {
	Provider    MemberID    `cbor:"1,keyasint" json:"provider"`
	Name        string      `cbor:"2,keyasint" json:"name"`    // unique at the provider
	Version     uint32      `cbor:"3,keyasint" json:"version"` // counts publications from 1, so that an old one cannot be played again
	Withdrawn   bool        `cbor:"4,keyasint,omitempty" json:"withdrawn"`
	Description string      `cbor:"5,keyasint,omitempty" json:"description"`
	Task        string      `cbor:"6,keyasint" json:"task"` // one word: "predict", "chat", "embed" …
	Price       Price       `cbor:"7,keyasint" json:"price"`
	Limits      Limits      `cbor:"8,keyasint" json:"limits"`
	Model       StudyID     `cbor:"9,keyasint,omitempty" json:"model"` // whose result it serves; its study limits Use
	Use         Use         `cbor:"10,keyasint" json:"use"`            // who may call it
	Tills       []PublicKey `cbor:"11,keyasint" json:"-"`              // payment keys, one a replica
}

// ID returns the service's identifier: it stays the same when the service is
// published anew. In whichever network, since every signature over it names one.
func (s Service) ID() ServiceID {
	return ServiceID(HashOf(struct {
		_        struct{} `cbor:",toarray"`
		Tag      string
		Provider MemberID
		Name     string
	}{Tag: "croft/service", Provider: s.Provider, Name: s.Name}))
}

// Terms returns the hash that vouchers bind.
func (s Service) Terms() Hash { return HashOf(s.Price) }

// Price says what a call costs: the sum of its parts, and never more than Most; or,
// where the provider quotes, what it says of each request, within Most. All zero is
// free.
type Price struct {
	Call   Credits `cbor:"1,keyasint,omitempty" json:"call"`
	Input  Credits `cbor:"2,keyasint,omitempty" json:"input"`  // for each token read
	Output Credits `cbor:"3,keyasint,omitempty" json:"output"` // for each token written
	Second Credits `cbor:"4,keyasint,omitempty" json:"second"` // of work
	Most   Credits `cbor:"5,keyasint,omitempty" json:"most"`   // what a voucher promises before it is known what a call uses
	Free   uint32  `cbor:"6,keyasint,omitempty" json:"free"`   // calls a day for each member
	Quoted bool    `cbor:"7,keyasint,omitempty" json:"quoted"` // the provider names a price for each request: see Quote
}

// QuoteDomain tags what a till signs when it is asked for a price.
const QuoteDomain = "quote"

// Quote is a provider's price for one request, of a service whose price is by quote. A
// voucher binds its hash in place of that of the service's price, so that nobody can
// say later that another price was agreed on.
type Quote struct {
	Service ServiceID `cbor:"1,keyasint"`
	Terms   Hash      `cbor:"2,keyasint"` // of the service's price as it stood: see Service.Terms
	Request Hash      `cbor:"3,keyasint"` // see RequestHash
	Price   Credits   `cbor:"4,keyasint"` // the call costs as much; nothing if it fails
	Expires int64     `cbor:"5,keyasint"` // Unix seconds, by the till's own clock
}

// SignedQuote is the form in which a quote travels.
type SignedQuote struct {
	Quote     Quote     `cbor:"1,keyasint"`
	Signature Signature `cbor:"2,keyasint"` // by a till of the service
}

// Flat returns the quote as a price.
func (q Quote) Flat() Price { return Price{Call: q.Price, Most: q.Price} }

// Meter is what a call used.
type Meter struct {
	Input  uint64 `cbor:"1,keyasint,omitempty" json:"input"`  // tokens
	Output uint64 `cbor:"2,keyasint,omitempty" json:"output"` // tokens
	Micros uint64 `cbor:"3,keyasint,omitempty" json:"micros"` // of work, microseconds
}

// Of returns the price of what a call used. A part of a second costs its part, rounded up.
func (p Price) Of(u Meter) Credits {
	high, low := bits.Mul64(uint64(p.Second), u.Micros)
	low, carry := bits.Add64(low, 999_999, 0)
	work := uint64(math.MaxUint64)
	if high += carry; high < 1_000_000 {
		work, _ = bits.Div64(high, low, 1_000_000)
	}
	sum := uint64(p.Call)
	for _, part := range []uint64{times(p.Input, u.Input), times(p.Output, u.Output), work} {
		var carry uint64
		if sum, carry = bits.Add64(sum, part, 0); carry != 0 {
			sum = math.MaxUint64
		}
	}
	return min(Credits(sum), p.Most)
}

// times multiplies, and stops at the largest number.
func times(price Credits, n uint64) uint64 {
	high, low := bits.Mul64(uint64(price), n)
	if high != 0 {
		return math.MaxUint64
	}
	return low
}

// Limits is what a service takes on; 0 says nothing.
type Limits struct {
	Bytes    uint32 `cbor:"1,keyasint,omitempty" json:"bytes"`     // of one request
	Seconds  uint32 `cbor:"2,keyasint,omitempty" json:"seconds"`   // until a call is given up
	InFlight uint32 `cbor:"3,keyasint,omitempty" json:"in_flight"` // calls at a time
}

// Covers says whether a result that may be used so may be used by others too: each
// use includes the ones before it.
func (u Use) Covers(other Use) bool {
	width := map[Use]int{UseMembers: 1, UseNetwork: 2, UseMarket: 3, UsePublic: 4}
	return width[other] > 0 && width[u] >= width[other]
}
