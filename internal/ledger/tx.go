package ledger

import "croft"

// MaxTx bounds a transaction: only small things go on the ledger.
const MaxTx = 16 << 10

// Kind numbers a transaction's type; stable.
type Kind uint8

// The transactions. The first group is signed by a person with the member key,
// the second by the member's node, the last with an invite's key by somebody who
// is no member yet.
const (
	KindVote Kind = iota + 1
	KindRegister
	KindPropose
	KindApprove
	KindDecline
	KindWithdraw
	KindInvite
	KindTransfer
	KindHost
	KindPublish
	KindOpen
	KindTopup

	KindReady Kind = iota + 4 // 16
	KindEnrol
	KindReport
	KindAck
	KindShare
	KindResult
	KindRecover
	KindStop
	KindTick
	KindClaim
	KindClose
	KindPost
	KindSettle
	KindReject

	KindJoin Kind = iota + 6 // 32
)

// Tx is a transaction after its signature was checked.
type Tx struct {
	ID     croft.Hash // of the signed bytes
	Member croft.MemberID
	Body   any // a pointer to one of the bodies in kinds
}

// kinds says of each kind what its body is, and the role of the key that signs it.
var kinds = [...]form{
	KindVote:     body[Vote](croft.RoleMember),
	KindRegister: body[Register](croft.RoleMember),
	KindPropose:  body[Propose](croft.RoleMember),
	KindApprove:  body[croft.Approval](croft.RoleMember),
	KindDecline:  body[Decline](croft.RoleMember),
	KindWithdraw: body[Withdraw](croft.RoleMember),
	KindInvite:   body[Invite](croft.RoleMember),
	KindTransfer: body[Transfer](croft.RoleMember),
	KindHost:     body[Host](croft.RoleMember),
	KindPublish:  body[Publish](croft.RoleMember),
	KindOpen:     body[Open](croft.RoleMember),
	KindTopup:    body[Topup](croft.RoleMember),
	KindReady:    body[Ready](croft.RoleNode),
	KindEnrol:    body[Enrol](croft.RoleNode),
	KindReport:   body[Report](croft.RoleNode),
	KindAck:      body[Ack](croft.RoleNode),
	KindShare:    body[Share](croft.RoleNode),
	KindResult:   body[Result](croft.RoleNode),
	KindRecover:  body[Recover](croft.RoleNode),
	KindStop:     body[Stop](croft.RoleNode),
	KindTick:     body[Tick](croft.RoleNode),
	KindClaim:    body[Claim](croft.RoleNode),
	KindClose:    body[Close](croft.RoleNode),
	KindPost:     body[Post](croft.RoleNode),
	KindSettle:   body[Settle](croft.RoleNode),
	KindReject:   body[Reject](croft.RoleNode),
	KindJoin:     body[Join](croft.RoleInvite),
}

type form struct {
	role  croft.Role
	empty func() any     // a new body
	is    func(any) bool // a body of this kind
}

func body[T any](signer croft.Role) form {
	return form{signer, func() any { return new(T) }, func(body any) bool { _, is := body.(*T); return is }}
}

// newBody returns an empty body of the kind; nil if there is no such kind.
func newBody(k Kind) any {
	if int(k) >= len(kinds) || kinds[k].empty == nil {
		return nil
	}
	return kinds[k].empty()
}

func kindOf(body any) Kind {
	for k, f := range kinds {
		if f.is != nil && f.is(body) {
			return Kind(k)
		}
	}
	panic("ledger: not a transaction body")
}

// Apply is every rule of the ledger, one line a transaction.
func Apply(s *State, tx Tx) error {
	if _, vote := tx.Body.(*Vote); s.network().Stopped && !vote {
		return croft.E(croft.ErrTxStopped)
	}
	switch body := tx.Body.(type) {
	case *Vote:
		return s.vote(tx.Member, body)
	case *Ready:
		return s.ready(tx.Member, body)
	case *Register:
		return s.register(tx, body)
	case *Propose:
		return s.propose(tx, body)
	case *Enrol:
		return s.enrol(tx.Member, body)
	case *croft.Approval:
		return s.approve(tx, body)
	case *Decline:
		return s.refuse(tx, body.Study, body.Reason)
	case *Withdraw:
		return s.refuse(tx, body.Study, croft.RefusedConsent)
	case *Report:
		return s.report(tx.Member, body)
	case *Ack:
		return s.ack(tx.Member, body)
	case *Share:
		return s.share(tx.Member, body)
	case *Result:
		return s.result(tx.Member, body)
	case *Recover:
		return s.recover(tx.Member, body)
	case *Stop:
		return s.refuse(tx, body.Study, body.Reason)
	case *Tick:
		return s.tick(body)
	case *Invite:
		return s.invite(tx.Member, body)
	case *Join:
		return s.newcomer(tx.Member, body)
	case *Transfer:
		return s.transfer(tx.Member, body)
	case *Host:
		return s.host(tx.Member, body)
	case *Publish:
		return s.publish(tx.Member, body)
	case *Open:
		return s.open(tx, body)
	case *Topup:
		return s.topup(tx.Member, body)
	case *Claim:
		return s.claim(tx.Member, body)
	case *Close:
		return s.close(tx.Member, body)
	case *Post:
		return s.post(body)
	case *Settle:
		return s.settle(body)
	case *Reject:
		return s.reject(tx.Member, body)
	}
	return croft.E(croft.ErrTxUnknown, "transaction", "kind")
}

// Signed is a transaction as it travels: the canonical payload and a signature
// over it in the chain's scope, domain "tx".
type Signed struct {
	Payload   []byte          `cbor:"1,keyasint"`
	Signature croft.Signature `cbor:"2,keyasint"`
}

// Payload is what is signed.
type Payload struct {
	Member croft.MemberID `cbor:"1,keyasint"`
	Kind   Kind           `cbor:"2,keyasint"`
	Body   []byte         `cbor:"3,keyasint"` // canonical encoding of the kind's body
	// Nonce tells two transactions apart that would otherwise be the same bytes,
	// and so the same transaction. Most kinds are idempotent and leave it 0.
	Nonce uint64 `cbor:"4,keyasint,omitempty"`
}

// domain tags transaction signatures.
const domain = "tx"

// Signer signs body with one of a member's keys, in a scope, under a domain tag.
type Signer func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature

// Seal signs and encodes a transaction of member: body is a pointer to one of the
// bodies above.
func Seal(scope croft.Scope, member croft.MemberID, nonce uint64, body any, sign Signer) []byte {
	kind := kindOf(body)
	payload := croft.Encode(Payload{Member: member, Kind: kind, Body: croft.Encode(body), Nonce: nonce})
	return croft.Encode(Signed{payload, sign(kinds[kind].role, scope, domain, payload)})
}

// Parse decodes a transaction without checking who signed it: for screens and
// logs, never for rules.
func Parse(raw []byte) (Tx, Kind, error) {
	tx, payload, _, err := parse(raw)
	return tx, payload.Kind, err
}

func parse(raw []byte) (tx Tx, payload Payload, signed Signed, err error) {
	if len(raw) > MaxTx {
		return tx, payload, signed, croft.E(croft.ErrTxTooLarge, len(raw), MaxTx)
	}
	if err = croft.Decode(raw, &signed); err != nil {
		return
	}
	if err = croft.Decode(signed.Payload, &payload); err != nil {
		return
	}
	body := newBody(payload.Kind)
	if body == nil {
		return tx, payload, signed, croft.E(croft.ErrTxUnknown, "transaction kind", payload.Kind)
	}
	if err = croft.Decode(payload.Body, body); err != nil {
		return
	}
	return Tx{ID: croft.Sum(raw), Member: payload.Member, Body: body}, payload, signed, nil
}

// open decodes a transaction and checks that a member signed it for this chain
// with the key that its kind wants. Two sorts come from others: an application,
// which the invite's key signs, and what guests may do. It also returns the member
// who answers for the transaction: its sender, who made the invite, or the host.
func (m *Machine) open(s *State, raw []byte) (tx Tx, answers croft.MemberID, err error) {
	tx, payload, signed, err := parse(raw)
	if err != nil {
		return tx, answers, err
	}
	answers = tx.Member
	join, joins := tx.Body.(*Join)
	if joins {
		v, err := s.invitation(join.Invite)
		if err != nil {
			return tx, answers, err
		}
		answers = v.By
	}
	guest, isGuest := s.guest(tx.Member)
	if isGuest = isGuest && !joins; isGuest {
		answers = guest.Host
	}
	member, ok := s.member(answers)
	if !ok || member.Revoked {
		return tx, answers, croft.E(croft.ErrTxRights, answers.Short(), "it is not a member of this network")
	}
	if isGuest && !forGuests(tx.Body) {
		return tx, answers, croft.E(croft.ErrTxRights, guest.Name, "it is a guest, and this is for members")
	}
	key := member.Node
	switch role := kinds[payload.Kind].role; {
	case isGuest && (role == croft.RoleMember || guest.Node == croft.PublicKey{}):
		key = guest.Key
	case isGuest:
		key = guest.Node
	case role == croft.RoleMember:
		key = member.Key
	case joins:
		key = join.Invite
	}
	if !m.scope.Verify(key, domain, signed.Payload, signed.Signature) || joins && !join.proven(m.scope) {
		return tx, answers, croft.E(croft.ErrTxSignature)
	}
	if p, ok := tx.Body.(shown); ok {
		err = s.genuine(m.scope, p)
	}
	return tx, answers, err
}
