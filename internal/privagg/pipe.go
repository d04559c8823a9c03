package privagg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"

	"croft"
)

// A pipe is a one-way encrypted channel of one study, from a site to a seat, from
// a seat to a reader, or between seats. One HPKE encapsulation starts it; after
// that each round has a key of its own:
//
//	chain 0     = HPKE export secret (RFC 9180 §5.3) under the pipe's Link
//	chain r+1   = HKDF-Expand(chain r, "chain")
//	keys of r   = HKDF-Expand(chain r, "seal"), HKDF-Expand(chain r, "nonce")
//
// Forget replaces the chain by a later one, so what was sealed before cannot be
// opened with what a thief finds after. That holds once the receiver's private
// key is gone too: erase it when every expected sender's pipe stands, at the
// latest at the end of the study.
//
// The nonce of a message is a MAC of it: sealing the same message again gives
// the same bytes (what a crash makes necessary), and two messages of a round do
// not share a nonce.

// Link names a pipe. Both ends must agree on every field.
type Link struct {
	Scope croft.Scope    `cbor:"1,keyasint"`
	Study croft.StudyID  `cbor:"2,keyasint"`
	From  croft.MemberID `cbor:"3,keyasint"`
	To    croft.MemberID `cbor:"4,keyasint"`
}

func (l Link) info() []byte {
	return croft.Encode(struct {
		_     struct{} `cbor:",toarray"`
		Label string
		Link  Link
	}{Label: "croft/privagg/pipe/1", Link: l})
}

// Sender is the end of a pipe that seals. Save it (Marshal) before anything that
// it sealed leaves the machine. Only Confirm and Forget change it.
type Sender struct {
	ratchet
	enc []byte // sent along until Confirm
}

// Receiver is the end of a pipe that opens. Only Forget changes it.
type Receiver struct{ ratchet }

// message is what a sealed message looks like on the wire.
type message struct {
	Enc []byte `cbor:"1,keyasint,omitempty"` // HPKE encapsulation, until the sender knows that it arrived
	Box []byte `cbor:"2,keyasint"`           // nonce ‖ AES-256-GCM
}

const (
	encSize    = 1120
	nonceSize  = 12
	tagSize    = 16
	maxMessage = 8*MaxLength + encSize + 64
	maxSkip    = 1 << 16 // rounds a receiver may have missed
)

// NewSender starts a pipe to the holder of a key.
func NewSender(to PublicKey, link Link) (*Sender, error) {
	key, err := kem().NewPublicKey(to[:])
	if err != nil {
		return nil, croft.E(croft.ErrSealed, fmt.Errorf("the receiver's key is not valid: %w", err))
	}
	enc, ctx, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.ExportOnly(), link.info())
	if err != nil {
		return nil, croft.E(croft.ErrSealed, fmt.Errorf("the receiver's key cannot be used: %w", err))
	}
	s := &Sender{enc: enc}
	return s, s.start(ctx)
}

// NewReceiver sets up the other end from any message that carries the sender's
// encapsulation: the first one always does. It does not open the message.
func NewReceiver(key *PrivateKey, link Link, first []byte) (*Receiver, error) {
	m, err := decodeMessage(first)
	if err != nil {
		return nil, err
	}
	if m.Enc == nil {
		return nil, croft.E(croft.ErrSealed, "it does not start a channel, and none to its sender is open here")
	}
	ctx, err := hpke.NewRecipient(m.Enc, key.key, hpke.HKDFSHA256(), hpke.ExportOnly(), link.info())
	if err != nil {
		return nil, croft.E(croft.ErrSealed, err)
	}
	r := new(Receiver)
	return r, r.start(ctx)
}

// Seal encrypts a message of a round. aad says what it is: the receiver must name
// the same.
func (s *Sender) Seal(round uint32, aad, plaintext []byte) ([]byte, error) {
	aead, nonceKey, err := s.keys(round)
	if err != nil {
		return nil, err
	}
	aad = associate(s.enc, aad)
	mac := hmac.New(sha256.New, nonceKey)
	mac.Write(aad) // its encoding says where it ends
	mac.Write(plaintext)
	box := make([]byte, 0, nonceSize+len(plaintext)+tagSize)
	box = append(box, mac.Sum(nil)[:nonceSize]...)
	box = aead.Seal(box, box, plaintext, aad)
	return croft.Encode(message{Enc: s.enc, Box: box}), nil
}

// Open decrypts a message of a round.
func (r *Receiver) Open(round uint32, aad, sealed []byte) ([]byte, error) {
	m, err := decodeMessage(sealed)
	if err != nil {
		return nil, err
	}
	aead, _, err := r.keys(round)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, m.Box[:nonceSize], m.Box[nonceSize:], associate(m.Enc, aad))
	if err != nil {
		return nil, croft.E(croft.ErrSealed, "it was changed, or is meant for another receiver, round or purpose")
	}
	return plaintext, nil
}

// associate returns what a message authenticates beside its text.
func associate(enc, aad []byte) []byte {
	return croft.Encode(struct {
		_        struct{} `cbor:",toarray"`
		Enc, AAD []byte
	}{Enc: enc, AAD: aad})
}

// Confirm notes that the receiver has opened a message, known from its
// acknowledgement: later messages leave out the encapsulation.
func (s *Sender) Confirm() { s.enc = nil }

func decodeMessage(data []byte) (m message, err error) {
	if len(data) > maxMessage {
		return m, croft.E(croft.ErrSealed, fmt.Sprintf("%d bytes are too many", len(data)))
	}
	if err := croft.Decode(data, &m); err != nil {
		return m, croft.E(croft.ErrSealed, err)
	}
	if len(m.Box) < nonceSize+tagSize || len(m.Enc) != encSize && m.Enc != nil {
		return m, croft.E(croft.ErrSealed, "its fields have the wrong lengths")
	}
	return m, nil
}

// ratchet makes the keys of rounds: those of round `next` and later.
type ratchet struct {
	next  uint32
	chain [32]byte
}

func (r *ratchet) start(ctx interface {
	Export(exporterContext string, length int) ([]byte, error)
}) error {
	secret, err := ctx.Export("chain", len(r.chain))
	copy(r.chain[:], secret)
	return err
}

// at returns the chain of a round.
func (r *ratchet) at(round uint32) (chain [32]byte, err error) {
	if round < r.next {
		return chain, croft.E(croft.ErrSealed, fmt.Sprintf("the keys of round %d are erased", round))
	}
	if round-r.next > maxSkip {
		return chain, croft.E(croft.ErrSealed, fmt.Sprintf("round %d is too far ahead of round %d", round, r.next))
	}
	chain = r.chain
	for range round - r.next {
		copy(chain[:], expand(chain, "chain"))
	}
	return chain, nil
}

func (r *ratchet) keys(round uint32) (aead cipher.AEAD, nonceKey []byte, err error) {
	chain, err := r.at(round)
	if err != nil {
		return nil, nil, err
	}
	return newGCM(expand(chain, "seal")), expand(chain, "nonce"), nil
}

// Forget erases the keys of all rounds up to and including this one.
func (r *ratchet) Forget(round uint32) error {
	if round < r.next {
		return nil
	}
	chain, err := r.at(round)
	if err != nil {
		return err
	}
	copy(r.chain[:], expand(chain, "chain"))
	r.next = round + 1
	return nil
}

func expand(chain [32]byte, label string) []byte {
	out, err := hkdf.Expand(sha256.New, chain[:], "croft/privagg/"+label, 32)
	if err != nil {
		panic(err) // 32 bytes are within what HKDF gives
	}
	return out
}

func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // every caller gives 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return aead
}

// saved is a pipe's end as it lies on disk: a secret.
type saved struct {
	Version uint8    `cbor:"1,keyasint"` // 1
	Next    uint32   `cbor:"2,keyasint"`
	Chain   [32]byte `cbor:"3,keyasint"`
	Enc     []byte   `cbor:"4,keyasint,omitempty"`
}

// Marshal returns the state to keep on disk. It is a secret.
func (s *Sender) Marshal() []byte {
	return croft.Encode(saved{Version: 1, Next: s.next, Chain: s.chain, Enc: s.enc})
}

// Marshal returns the state to keep on disk. It is a secret.
func (r *Receiver) Marshal() []byte {
	return croft.Encode(saved{Version: 1, Next: r.next, Chain: r.chain})
}

// UnmarshalSender reads what Sender.Marshal wrote.
func UnmarshalSender(data []byte) (*Sender, error) {
	s, err := unmarshal(data)
	if err != nil {
		return nil, err
	}
	return &Sender{ratchet{s.Next, s.Chain}, s.Enc}, nil
}

// UnmarshalReceiver reads what Receiver.Marshal wrote.
func UnmarshalReceiver(data []byte) (*Receiver, error) {
	s, err := unmarshal(data)
	if err != nil {
		return nil, err
	}
	if s.Enc != nil {
		return nil, croft.E(croft.ErrEncoding, "receiver", "it is a sender")
	}
	return &Receiver{ratchet{s.Next, s.Chain}}, nil
}

func unmarshal(data []byte) (s saved, err error) {
	if len(data) > 2*encSize {
		return s, croft.E(croft.ErrEncoding, "pipe", "it is too long")
	}
	if err := croft.Decode(data, &s); err != nil {
		return s, err
	}
	if s.Version != 1 || len(s.Enc) != encSize && s.Enc != nil {
		return s, croft.E(croft.ErrEncoding, "pipe", "its version or a length is not known")
	}
	return s, nil
}
