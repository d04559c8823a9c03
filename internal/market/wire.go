package market

import (
	"errors"
	"slices"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
	"croft/internal/serve"
)

// Protocol is the name under which nodes call each other; MaxAsk and MaxAnswer bound
// the two messages.
const (
	Protocol  = "infer/1"
	MaxAsk    = serve.MaxBody + 64<<10
	MaxAnswer = serve.MaxBody + 64<<10
)

// kind says what is asked.
type kind uint8

const (
	askCall   kind = iota + 1 // an answer of an engine
	askUse                    // a receipt for a use at the caller's own node: what is asked stays there
	askModel                  // the document of a model, to run it there
	askState                  // where a channel stands
	askQuote                  // what an answer would cost: as askCall, without a voucher
	askWatch                  // to hold what speaks for an end of channels: see watch.go
	askSchema                 // what goes into a service and comes out
)

// ask is what a caller's node sends.
type ask struct {
	Kind    kind            `cbor:"1,keyasint"`
	Service croft.ServiceID `cbor:"2,keyasint,omitempty"`
	ID      [16]byte        `cbor:"3,keyasint,omitempty"`  // random: of the request's hash
	Request []byte          `cbor:"4,keyasint,omitempty"`  // askCall: a serve.Request
	Hash    croft.Hash      `cbor:"5,keyasint,omitempty"`  // askUse: of what it asks of itself
	Voucher []byte          `cbor:"6,keyasint,omitempty"`  // none: a free call
	Thanks  [][]byte        `cbor:"7,keyasint,omitempty"`  // countersigned receipts of calls before
	Channel croft.ChannelID `cbor:"8,keyasint,omitempty"`  // askState
	Proof   croft.Signature `cbor:"9,keyasint,omitempty"`  // askState: by the channel's payer, over it and the caller
	Quote   []byte          `cbor:"10,keyasint,omitempty"` // askCall: the till's price of this request

	Shown []ledger.Position `cbor:"11,keyasint,omitempty"` // askWatch
}

// answer is what a provider's node sends. A failure of the engine comes with a
// receipt, which gives the price back.
type answer struct {
	Result  []byte     `cbor:"1,keyasint,omitempty"`
	Receipt []byte     `cbor:"2,keyasint,omitempty"` // a signed receipt
	Code    croft.Code `cbor:"3,keyasint,omitempty"` // why there is no result, or not all of it
	Args    []string   `cbor:"4,keyasint,omitempty"`
	Best    []byte     `cbor:"5,keyasint,omitempty"` // askState: the highest voucher
	Quote   []byte     `cbor:"6,keyasint,omitempty"` // askQuote: a signed quote
}

// The bounds of what the other side may send.
const (
	maxThanks = 16
	maxShown  = 16
	maxSchema = 64 << 10
	maxArgs   = 8
	maxArg    = 400
)

// stateDomain tags a payer's question about its channel.
const stateDomain = "channel-state"

func stateBody(channel croft.ChannelID, caller croft.MemberID) []byte {
	return croft.Encode(struct {
		_       struct{} `cbor:",toarray"`
		Channel croft.ChannelID
		Caller  croft.MemberID
	}{Channel: channel, Caller: caller})
}

// readAsk decodes what somebody sent, within bounds.
func readAsk(raw []byte) (a ask, err error) {
	if len(raw) > MaxAsk {
		return a, croft.E(croft.ErrTooLarge, len(raw), MaxAsk)
	}
	if err := croft.Decode(raw, &a); err != nil {
		return a, err
	}
	tooLong := func(b []byte) bool { return len(b) > pay.MaxSigned }
	if a.Kind < askCall || a.Kind > askSchema || len(a.Thanks) > maxThanks || len(a.Shown) > maxShown || tooLong(a.Voucher) || tooLong(a.Quote) || slices.ContainsFunc(a.Thanks, tooLong) {
		return a, croft.E(croft.ErrEncoding, "call", "a part of it is out of bounds")
	}
	return a, nil
}

// readAnswer decodes what a provider sent, within bounds.
func readAnswer(raw []byte) (a answer, err error) {
	if len(raw) > MaxAnswer {
		return a, croft.E(croft.ErrTooLarge, len(raw), MaxAnswer)
	}
	if err := croft.Decode(raw, &a); err != nil {
		return a, err
	}
	if len(a.Receipt) > pay.MaxSigned || len(a.Best) > pay.MaxSigned || len(a.Quote) > pay.MaxSigned || len(a.Args) > maxArgs || a.Code != 0 && a.Code.Kind() == 0 {
		return a, croft.E(croft.ErrEncoding, "answer to a call", "a part of it is out of bounds")
	}
	for i, arg := range a.Args {
		a.Args[i] = arg[:min(len(arg), maxArg)]
	}
	return a, nil
}

// fail puts into an answer why there is no result. What is wrong inside this node is
// not for others.
func (a *answer) fail(err error) {
	a.Code = croft.ErrEngineFailed
	if e, ok := errors.AsType[*croft.Error](err); ok && e.Code.Kind() != croft.Internal {
		a.Code = e.Code
		for _, arg := range e.Args[:min(len(e.Args), maxArgs)] {
			a.Args = append(a.Args, arg[:min(len(arg), maxArg)])
		}
		return
	}
	a.Args = []string{"this service", "it could not answer"}
}

// trouble is the failure that an answer carries, nil if there is none.
func (a answer) trouble() error {
	if a.Code == 0 {
		return nil
	}
	e := &croft.Error{Code: a.Code}
	e.Args = a.Args
	return e
}
