package croft

import (
	"fmt"
	"math"
	"math/bits"
)

// Credits is an amount of the community's own unit of account, in millionths of a
// credit: fine enough for the price of one token, and always a whole number. It is
// never negative.
type Credits uint64

// Credit is one credit. MaxCredits bounds everything that a network may ever
// issue: below it sums of two amounts fit a Credits, and an amount is exact as a
// float64, which is what most JSON readers make of a number.
const (
	Credit     Credits = 1_000_000
	MaxCredits Credits = 1 << 53
)

// ParseCredits reads a plain decimal number of credits with at most six digits
// after the point.
func ParseCredits(text string) (Credits, error) {
	d, err := ParseDecimal(text)
	if err != nil {
		return 0, err
	}
	if d.Mantissa < 0 || d.Scale > 6 {
		return 0, fmt.Errorf("%.40q is not an amount: it is negative, or finer than a millionth", text)
	}
	amount := uint64(d.Mantissa)
	for range 6 - d.Scale {
		high, low := bits.Mul64(amount, 10)
		if high != 0 {
			low = math.MaxUint64
		}
		amount = low
	}
	if Credits(amount) > MaxCredits {
		return 0, fmt.Errorf("%.40q is more than the %s credits that a network can have", text, MaxCredits)
	}
	return Credits(amount), nil
}

// String returns the form that ParseCredits reads, in credits.
func (c Credits) String() string {
	whole, part := uint64(c/Credit), uint64(c%Credit)
	if part == 0 {
		return fmt.Sprint(whole)
	}
	scale := 6
	for ; part%10 == 0; scale-- {
		part /= 10
	}
	return fmt.Sprintf("%d.%0*d", whole, scale, part)
}

// MarshalText gives the form of JSON and of files.
func (c Credits) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads that form.
func (c *Credits) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCredits(string(text))
	return err
}

// Channel is a deposit from which one payer pays one till of a provider. Of its
// terms only the deposit ever changes, and only upwards.
//
// A member may fund a channel for somebody else, who need not be a member: the
// payer is a key. A provider with several replicas has one till a replica, each
// with a deposit of its own, so that they need not agree with each other before
// they serve.
type Channel struct {
	ID      ChannelID `cbor:"1,keyasint" json:"id"`
	Funder  MemberID  `cbor:"2,keyasint" json:"funder"`  // whose credits are locked; what is left returns there
	Payee   MemberID  `cbor:"3,keyasint" json:"payee"`   // who is paid
	Payer   PublicKey `cbor:"4,keyasint" json:"-"`       // signs vouchers
	Till    PublicKey `cbor:"5,keyasint" json:"-"`       // signs receipts
	Window  uint32    `cbor:"6,keyasint" json:"window"`  // seconds in which a settlement can be contested
	Deposit Credits   `cbor:"7,keyasint" json:"deposit"` // all that was ever put in
}

// VoucherDomain, ReceiptDomain and CountersignDomain tag what payers and tills
// sign.
const (
	VoucherDomain     = "voucher"
	ReceiptDomain     = "receipt"
	CountersignDomain = "countersign"
)

// Voucher is a payer's promise for one call. Owed counts everything that the payer
// ever promised over the channel, so the highest one says it all and a lost one is
// no loss.
type Voucher struct {
	Channel ChannelID `cbor:"1,keyasint" json:"channel"`
	Service ServiceID `cbor:"2,keyasint" json:"service"`
	Terms   Hash      `cbor:"3,keyasint" json:"terms"`   // of the price that was agreed on
	Number  uint64    `cbor:"4,keyasint" json:"number"`  // the payer counts its calls from 1
	Request Hash      `cbor:"5,keyasint" json:"request"` // of a random id and the request: see RequestHash
	Price   Credits   `cbor:"6,keyasint" json:"price"`   // the call costs no more
	Owed    Credits   `cbor:"7,keyasint" json:"owed"`    // with this call
}

// RequestHash returns what a voucher says of a request: nothing to whoever does
// not know the random id, which is new for each call.
func RequestHash(id [16]byte, request []byte) Hash {
	return HashOf(struct {
		_       struct{} `cbor:",toarray"`
		Tag     string
		ID      [16]byte
		Request Hash
	}{Tag: "croft/request", ID: id, Request: Sum(request)})
}

// Outcome says how a call ended.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota + 1 // completely
	Partial                     // a stream that broke off: paid as far as it came
	Failed                      // no answer, nothing to pay
)

// String returns the word on screens.
func (o Outcome) String() string {
	words := [...]string{"unknown", "answered", "partial", "failed"}
	return words[min(int(o), len(words)-1)%len(words)]
}

// Receipt is a till's word on one call. Credited counts everything that the till
// ever gave back over the channel. Number 0 is of no call: it states the credit.
type Receipt struct {
	Channel  ChannelID `cbor:"1,keyasint" json:"channel"`
	Number   uint64    `cbor:"2,keyasint,omitempty" json:"number"`
	Request  Hash      `cbor:"3,keyasint,omitempty" json:"request"`
	Result   Hash      `cbor:"4,keyasint,omitempty" json:"result"` // RequestHash of the same id and the answer
	Outcome  Outcome   `cbor:"5,keyasint,omitempty" json:"outcome"`
	Meter    Meter     `cbor:"6,keyasint,omitempty" json:"meter"`
	Price    Credits   `cbor:"7,keyasint,omitempty" json:"price"` // what the call costs in the end
	Credited Credits   `cbor:"8,keyasint,omitempty" json:"credited"`
}

// SignedVoucher and SignedReceipt are what travels, and what the ledger is shown.
type (
	SignedVoucher struct {
		Voucher   Voucher   `cbor:"1,keyasint"`
		Signature Signature `cbor:"2,keyasint"`
	}
	SignedReceipt struct {
		Receipt   Receipt   `cbor:"1,keyasint"`
		Signature Signature `cbor:"2,keyasint"`
	}
)

// Countersigned is a receipt that both ends signed: the payer says that it has the
// result. Only these count for a service's quality.
type Countersigned struct {
	Receipt Receipt   `cbor:"1,keyasint"`
	Till    Signature `cbor:"2,keyasint"`
	Payer   Signature `cbor:"3,keyasint"` // over the signed receipt, in CountersignDomain
}
