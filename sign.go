package croft

import "crypto/ed25519"

// Role says which of a member's keys signs (design: six keys, each for one use).
type Role uint8

// The roles of keys. Their numbers are stable.
const (
	RoleMember    Role = iota + 1 // approvals and votes: used by a person, not by the node
	RoleNode                      // identity towards peers (libp2p, CometBFT) and the node's own transactions
	RoleValidator                 // CometBFT votes; of ours only the proof, at joining, that it is at hand
	RoleInvite                    // of an invite, no member's: signs one newcomer's application
)

// JoinDomain tags a newcomer's proofs that it has the keys it names. It is the one
// domain in which a validator key signs: what is signed begins with a CBOR array and
// the text "croft/join", which no vote of CometBFT does (a length and a Protobuf
// field come first there), so that none can be taken for the other.
const JoinDomain = "join"

// PublicKey is an Ed25519 public key (RFC 8032).
type PublicKey [ed25519.PublicKeySize]byte

// Signature is an Ed25519 signature (RFC 8032).
type Signature [ed25519.SignatureSize]byte

// Scope names where a signature counts: one chain of one network. Every
// signature binds it, so that nothing can be replayed elsewhere.
type Scope struct {
	Network NetworkID `cbor:"1,keyasint"`
	Chain   string    `cbor:"2,keyasint"`
}

// Preimage returns the bytes that are signed: the canonical encoding of
// (domain tag, version, network, chain, body). Fields are length-prefixed by the
// encoding, so no two different inputs share a preimage.
func (s Scope) Preimage(domain string, body []byte) []byte {
	return Encode(struct {
		_       struct{} `cbor:",toarray"`
		Domain  string
		Version uint8
		Scope   Scope
		Body    []byte
	}{Domain: "croft/" + domain, Version: 1, Scope: s, Body: body})
}

// Verify checks a signature over body in this scope under a domain tag.
func (s Scope) Verify(key PublicKey, domain string, body []byte, sig Signature) bool {
	return ed25519.Verify(key[:], s.Preimage(domain, body), sig[:])
}
