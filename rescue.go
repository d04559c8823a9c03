package croft

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Rescue says by what right a chain succeeds another: more than half of the members
// of the last state signed the successor's genesis.
type Rescue struct {
	Chain   string        `cbor:"1,keyasint"`           // that it takes over from
	Height  int64         `cbor:"2,keyasint"`           // of that chain's last block
	AppHash Hash          `cbor:"3,keyasint"`           // of the state after it
	Of      uint16        `cbor:"4,keyasint"`           // members in that state; more than half of them sign
	Signed  []Endorsement `cbor:"5,keyasint,omitempty"` // in order of the members' ids, each once
	More    []Hash        `cbor:"6,keyasint,omitempty"` // pieces of the state that follow Genesis.State, if it is too long for one
}

// Endorsement is a member's signature of Genesis.Hash with its member key, in the
// scope of the chain that ends, under RescueDomain.
type Endorsement struct {
	Member    MemberID  `cbor:"1,keyasint"`
	Signature Signature `cbor:"2,keyasint"`
}

// RescueDomain tags the signatures of a successor's genesis.
const RescueDomain = "rescue"

// Missing says how many signatures the rescue still needs.
func (r Rescue) Missing() int { return max(0, int(r.Of)/2+1-len(r.Signed)) }

// Pieces returns the hashes of the pieces of the exported state that a successor chain
// begins with, in order; none for a network's first chain.
func (g Genesis) Pieces() []Hash {
	if g.Rescue == nil {
		return nil
	}
	return append([]Hash{g.State}, g.Rescue.More...)
}

// unsigned is what members sign: the genesis without signatures.
func (g Genesis) unsigned() Genesis {
	if g.Rescue != nil {
		rescue := *g.Rescue
		rescue.Signed = nil
		g.Rescue = &rescue
	}
	return g
}

// rescueMark is what every code of a rescue begins with, and checkSize the bytes of
// its checksum: the first ones of the SHA-256 of what is before it.
const (
	rescueMark = "rescue1."
	checkSize  = 4
	maxRescue  = 1 << 20 // characters: a thousand members, and room
)

// RescueCode returns a successor's genesis with the signatures so far as one line of
// text, which members send each other: base64url over canonical CBOR and checksum.
func (g Genesis) RescueCode() string {
	data := Encode(g)
	sum := Sum(data)
	return rescueMark + base64.RawURLEncoding.EncodeToString(append(data, sum[:checkSize]...))
}

// ParseRescue finds the one code in a text and reads it. White space does not count.
// It checks no signature. It fails with ErrEncoding.
func ParseRescue(text string) (g Genesis, err error) {
	bad := func(why string) (Genesis, error) { return Genesis{}, E(ErrEncoding, "code of a rescue", why) }
	if len(text) > maxRescue {
		return bad("it is too long")
	}
	_, code, found := strings.Cut(text, rescueMark)
	if !found {
		return bad("there is no " + rescueMark + " in it")
	}
	code, _, _ = strings.Cut(strings.ReplaceAll(code, "\r", ""), "\n\n") // what follows it in a mail
	data, err := base64.RawURLEncoding.Strict().DecodeString(strings.Join(strings.Fields(code), ""))
	if err != nil || len(data) < checkSize {
		return bad("a character is wrong or missing")
	}
	data, check := data[:len(data)-checkSize], data[len(data)-checkSize:]
	if sum := Sum(data); !bytes.Equal(check, sum[:checkSize]) {
		return bad("a character is wrong or missing")
	}
	if err := Decode(data, &g); err != nil {
		return Genesis{}, err
	}
	if g.Rescue == nil {
		return bad("it is of no rescue")
	}
	return g, nil
}
