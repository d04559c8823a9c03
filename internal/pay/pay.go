// Package pay is what happens on a payment channel between its opening and its
// end: the payer promises, the provider's till admits calls and gives back what
// they did not cost, and each side keeps what it would show the ledger if the other
// one vanished.
//
// Two numbers settle a channel, and both only ever grow: owed, which the payer
// signs in vouchers, and credited, which the till signs in receipts. What is due is
// the difference. So vouchers and receipts may be lost, repeated and arrive in any
// order, any number of calls is in flight at once, and there is no lock and no
// shared state that a crash could leave behind.
//
//	pay.go    a call, what is due, what is checked of what the other side sent
//	till.go   the provider's side
//	purse.go  the payer's side
//
// The package reads no clock, disk, network or ledger and starts nothing: whoever
// uses it serialises the calls of one Till or Purse, keeps its entries, and signs.
// Everything that costs time (a signature) is outside of what must be serialised.
package pay

import (
	"slices"

	"croft"
)

// Due returns how much of a channel's deposit the provider gets, given the highest
// owed and credited that anybody has shown, and what it got already: owed −
// credited, within the deposit. What was paid out once is not taken back.
func Due(deposit, owed, credited, paid croft.Credits) croft.Credits {
	return max(paid, min(owed-min(credited, owed), deposit))
}

// Call is a call as its two ends understand it, each for itself: the payer promises
// for this one, the till admits no other.
type Call struct {
	Service croft.ServiceID
	Terms   croft.Hash    // croft.Service.Terms, or the hash of a croft.Quote
	Request croft.Hash    // croft.RequestHash
	Price   croft.Credits // at most
}

// Sign signs body under a domain tag in a scope, with the payment key of whoever
// runs this side.
type Sign func(scope croft.Scope, domain string, body []byte) croft.Signature

// MaxSigned bounds the encoding of a voucher or receipt.
const MaxSigned = 512

// Voucher is a voucher of a channel's payer: only CheckVoucher makes one.
type Voucher struct{ signed croft.SignedVoucher }

// Receipt is a receipt of a channel's till: only CheckReceipt makes one.
type Receipt struct{ signed croft.SignedReceipt }

// Body returns what the payer signed.
func (v Voucher) Body() croft.Voucher { return v.signed.Voucher }

// Body returns what the till signed.
func (r Receipt) Body() croft.Receipt { return r.signed.Receipt }

// SealVoucher signs a voucher: the form in which it travels.
func SealVoucher(scope croft.Scope, v croft.Voucher, sign Sign) []byte {
	return croft.Encode(croft.SignedVoucher{Voucher: v, Signature: sign(scope, croft.VoucherDomain, croft.Encode(v))})
}

// SealReceipt signs a receipt. The same receipt gives the same bytes.
func SealReceipt(scope croft.Scope, r croft.Receipt, sign Sign) []byte {
	return croft.Encode(croft.SignedReceipt{Receipt: r, Signature: sign(scope, croft.ReceiptDomain, croft.Encode(r))})
}

// CheckVoucher decodes a voucher from somebody else and checks that the payer of
// this channel signed it, for this channel and this chain. It is the one signature
// check of a call. It fails with croft.ErrVoucher or croft.ErrEncoding.
func CheckVoucher(scope croft.Scope, c croft.Channel, raw []byte) (Voucher, error) {
	var v croft.SignedVoucher
	if err := decode(raw, &v); err != nil {
		return Voucher{}, err
	}
	if !VerifyVoucher(scope, c, v) {
		return Voucher{}, croft.E(croft.ErrVoucher, "the channel's payer did not sign it for this channel and network")
	}
	return Voucher{v}, nil
}

// CheckReceipt does the same for a receipt of the channel's till. It fails with
// croft.ErrReceipt or croft.ErrEncoding.
func CheckReceipt(scope croft.Scope, c croft.Channel, raw []byte) (Receipt, error) {
	var r croft.SignedReceipt
	if err := decode(raw, &r); err != nil {
		return Receipt{}, err
	}
	if !VerifyReceipt(scope, c, r) {
		return Receipt{}, croft.E(croft.ErrReceipt, "the channel's till did not sign it for this channel and network")
	}
	return Receipt{r}, nil
}

// ReadReceipt decodes a receipt from somebody else, whose signature nobody has checked.
// It fails with croft.ErrEncoding.
func ReadReceipt(raw []byte) (croft.Receipt, error) {
	var r croft.SignedReceipt
	err := decode(raw, &r)
	return r.Receipt, err
}

// VerifyVoucher says whether the channel's payer signed v in the scope.
func VerifyVoucher(scope croft.Scope, c croft.Channel, v croft.SignedVoucher) bool {
	return v.Voucher.Channel == c.ID && scope.Verify(c.Payer, croft.VoucherDomain, croft.Encode(v.Voucher), v.Signature)
}

// VerifyReceipt says whether the channel's till signed r in the scope.
func VerifyReceipt(scope croft.Scope, c croft.Channel, r croft.SignedReceipt) bool {
	return r.Receipt.Channel == c.ID && scope.Verify(c.Till, croft.ReceiptDomain, croft.Encode(r.Receipt), r.Signature)
}

// SealQuote signs a quote.
func SealQuote(scope croft.Scope, q croft.Quote, sign Sign) []byte {
	return croft.Encode(croft.SignedQuote{Quote: q, Signature: sign(scope, croft.QuoteDomain, croft.Encode(q))})
}

// CheckQuote decodes a quote and checks that one of a service's tills signed it, for
// this service as it is offered now, and this request. Whether it has expired is for
// the till to say. It fails with croft.ErrQuote or croft.ErrEncoding.
func CheckQuote(scope croft.Scope, s croft.Service, request croft.Hash, raw []byte) (croft.Quote, error) {
	var q croft.SignedQuote
	if err := decode(raw, &q); err != nil {
		return q.Quote, err
	}
	signed := slices.ContainsFunc(s.Tills, func(till croft.PublicKey) bool {
		return scope.Verify(till, croft.QuoteDomain, croft.Encode(q.Quote), q.Signature)
	})
	switch {
	case !signed:
		return q.Quote, croft.E(croft.ErrQuote, "the service's till did not sign it for this network")
	case q.Quote.Service != s.ID() || q.Quote.Terms != s.Terms() || q.Quote.Request != request:
		return q.Quote, croft.E(croft.ErrQuote, "it is for another service, price or request")
	case q.Quote.Price > s.Price.Most:
		return q.Quote, croft.E(croft.ErrQuote, "it is above the most that a call of the service costs")
	}
	return q.Quote, nil
}

// Countersign adds the payer's word that the result arrived.
func Countersign(scope croft.Scope, r Receipt, sign Sign) croft.Countersigned {
	return croft.Countersigned{Receipt: r.signed.Receipt, Till: r.signed.Signature,
		Payer: sign(scope, croft.CountersignDomain, croft.Encode(r.signed))}
}

// VerifyCountersigned says whether both ends of the channel signed.
func VerifyCountersigned(scope croft.Scope, c croft.Channel, r croft.Countersigned) bool {
	signed := croft.SignedReceipt{Receipt: r.Receipt, Signature: r.Till}
	return VerifyReceipt(scope, c, signed) && scope.Verify(c.Payer, croft.CountersignDomain, croft.Encode(signed), r.Payer)
}

func decode(raw []byte, v any) error {
	if len(raw) > MaxSigned {
		return croft.E(croft.ErrTooLarge, len(raw), MaxSigned)
	}
	return croft.Decode(raw, v)
}
