package ledger

import (
	"croft"
)

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
	KindRefuse
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
	Body   any // one of the pointers that newBody makes
}

// newBody returns an empty body of the kind, and the role of the key that signs it.
func newBody(k Kind) (any, croft.Role) {
	switch k {
	case KindVote:
		return new(Vote), croft.RoleMember
	case KindRegister:
		return new(Register), croft.RoleMember
	case KindPropose:
		return new(Propose), croft.RoleMember
	case KindApprove:
		return new(croft.Approval), croft.RoleMember
	case KindRefuse:
		return new(Refuse), croft.RoleMember
	case KindWithdraw:
		return new(Withdraw), croft.RoleMember
	case KindInvite:
		return new(Invite), croft.RoleMember
	case KindTransfer:
		return new(Transfer), croft.RoleMember
	case KindHost:
		return new(Host), croft.RoleMember
	case KindPublish:
		return new(Publish), croft.RoleMember
	case KindOpen:
		return new(Open), croft.RoleMember
	case KindTopup:
		return new(Topup), croft.RoleMember
	case KindReady:
		return new(Ready), croft.RoleNode
	case KindEnrol:
		return new(Enrol), croft.RoleNode
	case KindReport:
		return new(Report), croft.RoleNode
	case KindAck:
		return new(Ack), croft.RoleNode
	case KindShare:
		return new(Share), croft.RoleNode
	case KindResult:
		return new(Outturn), croft.RoleNode
	case KindRecover:
		return new(Recover), croft.RoleNode
	case KindStop:
		return new(Stop), croft.RoleNode
	case KindTick:
		return new(Tick), croft.RoleNode
	case KindClaim:
		return new(Claim), croft.RoleNode
	case KindClose:
		return new(Close), croft.RoleNode
	case KindPost:
		return new(Post), croft.RoleNode
	case KindSettle:
		return new(Settle), croft.RoleNode
	case KindReject:
		return new(Reject), croft.RoleNode
	case KindJoin:
		return new(Join), croft.RoleInvite
	}
	return nil, 0
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
	case *Refuse:
		return s.refuse(tx, body.Study, body.Reason)
	case *Withdraw:
		return s.refuse(tx, body.Study, croft.RefusedConsent)
	case *Report:
		return s.report(tx.Member, body)
	case *Ack:
		return s.ack(tx.Member, body)
	case *Share:
		return s.share(tx.Member, body)
	case *Outturn:
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
	_, role := newBody(kind)
	payload := croft.Encode(Payload{Member: member, Kind: kind, Body: croft.Encode(body), Nonce: nonce})
	return croft.Encode(Signed{payload, sign(role, scope, domain, payload)})
}

func kindOf(body any) Kind {
	switch body.(type) {
	case *Vote:
		return KindVote
	case *Register:
		return KindRegister
	case *Propose:
		return KindPropose
	case *croft.Approval:
		return KindApprove
	case *Refuse:
		return KindRefuse
	case *Withdraw:
		return KindWithdraw
	case *Invite:
		return KindInvite
	case *Transfer:
		return KindTransfer
	case *Host:
		return KindHost
	case *Publish:
		return KindPublish
	case *Open:
		return KindOpen
	case *Topup:
		return KindTopup
	case *Ready:
		return KindReady
	case *Enrol:
		return KindEnrol
	case *Report:
		return KindReport
	case *Ack:
		return KindAck
	case *Share:
		return KindShare
	case *Outturn:
		return KindResult
	case *Recover:
		return KindRecover
	case *Stop:
		return KindStop
	case *Tick:
		return KindTick
	case *Claim:
		return KindClaim
	case *Close:
		return KindClose
	case *Post:
		return KindPost
	case *Settle:
		return KindSettle
	case *Reject:
		return KindReject
	case *Join:
		return KindJoin
	}
	panic("ledger: not a transaction body")
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
	body, _ := newBody(payload.Kind)
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
	guest, hosted := s.guest(tx.Member)
	if hosted = hosted && !joins; hosted {
		answers = guest.Host
	}
	member, ok := s.member(answers)
	if !ok || member.Revoked {
		return tx, answers, croft.E(croft.ErrTxRights, answers.Short(), "it is not a member of this network")
	}
	if hosted && !forGuests(tx.Body) {
		return tx, answers, croft.E(croft.ErrTxRights, guest.Name, "it is a guest, and this is for members")
	}
	key := member.Node
	switch _, role := newBody(payload.Kind); {
	case hosted && (role == croft.RoleMember || guest.Node == croft.PublicKey{}):
		key = guest.Key
	case hosted:
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
