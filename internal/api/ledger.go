package api

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"time"

	"croft"
	"croft/internal/ledger"
)

// record reads one record of the ledger.
func record[T any](ctx context.Context, s Services, key string) (value T, found bool, err error) {
	raw, err := s.Ledger.Read(ctx, key)
	if err != nil {
		return value, false, err
	}
	return ledger.Decode[T](raw)
}

// party names a member or guest.
func (s Services) party(ctx context.Context, id croft.MemberID) Party {
	m, found, _ := record[croft.Member](ctx, s, ledger.MemberKey(id))
	if found {
		return Party{id, m.Name}
	}
	if g, found, _ := record[ledger.Guest](ctx, s, ledger.GuestKey(id)); found {
		return Party{id, g.Name}
	}
	return Party{id, id.Short()}
}

func (s Services) parties(ctx context.Context, ids []croft.MemberID) []Party {
	out := make([]Party, len(ids))
	for i, id := range ids {
		out[i] = s.party(ctx, id)
	}
	return out
}

func (s Services) status(r *http.Request) (Status, error) {
	ctx := r.Context()
	at, scope := s.Ledger.Status(), s.Study.Scope
	network, _, err := record[ledger.Network](ctx, s, ledger.NetworkKey)
	if s.Light && errors.Is(err, croft.ErrNoQuorum) { // no more is known before a full member's node answers
		return Status{Member: Party{s.Self, s.Name}, Dir: s.Dir, Light: true, Scope: Scope{scope.Network, scope.Chain}, Height: at.Height, AppHash: at.AppHash,
			BlockTime: at.Time, CatchingUp: true, Orderers: []Party{}, Studies: []Summary{}, Waiting: []Summary{}, Votes: []Question{}, Engine: croft.EngineVersion}, nil
	} else if err != nil {
		return Status{}, err
	}
	members, err := s.members(r)
	if err != nil {
		return Status{}, err
	}
	studies, err := s.open(ctx, network)
	if err != nil && !(s.Light && errors.Is(err, croft.ErrNoQuorum)) { // a light node that is alone knows what it has read
		return Status{}, err
	}
	out := Status{
		Member: Party{s.Self, s.Name}, Dir: s.Dir, Light: s.Light, NetworkName: network.Name, Scope: Scope{scope.Network, scope.Chain},
		Height: at.Height, AppHash: at.AppHash, BlockTime: at.Time, CatchingUp: at.CatchingUp, Stopped: network.Stopped,
		Orderers: s.parties(ctx, at.Orderers), Studies: studies, Waiting: []Summary{}, Engine: croft.EngineVersion,
	}
	if s.Carries != nil {
		if load, relays := s.Carries(); relays {
			out.Relay = &load
		}
	}
	if out.Rest, err = s.resting(); err != nil {
		return Status{}, err
	}
	member := false
	for _, m := range members {
		if member = member || m.Self; !m.Revoked {
			out.Members++
		} else if m.Self {
			out.Left = true
		}
	}
	if !member { // a guest, who may have been sent away
		g, _, err := record[ledger.Guest](ctx, s, ledger.GuestKey(s.Self))
		if err != nil {
			return Status{}, err
		}
		out.Left = g.Gone
	}
	for _, p := range s.Peers() {
		if p.Connected {
			out.Connected++
		} else if i := slices.IndexFunc(out.Orderers, func(o Party) bool { return o.ID == p.Member }); i >= 0 {
			out.Away = append(out.Away, out.Orderers[i])
		}
	}
	out.Needed = len(out.Orderers)*2/3 + 1 // a block needs more than two thirds of them
	out.Moves = len(out.Orderers)-len(out.Away) >= out.Needed
	council, err := s.council(r)
	if err != nil && !(s.Light && errors.Is(err, croft.ErrNoQuorum)) {
		return Status{}, err
	}
	out.Votes = council.questions(out.Member, out.Stopped)
	for _, st := range studies {
		if st.waitsFor(s.Self) {
			out.Waiting = append(out.Waiting, st)
		}
	}
	return out, nil
}

// Current is the round that is open, or was last, as people count: from 1; 0
// before the first.
func (s Summary) Current() uint32 {
	if s.Status == ledger.Proposed.String() {
		return 0
	}
	return s.Round + 1
}

// waitsFor says whether a person of this member still has to answer.
func (s Summary) waitsFor(self croft.MemberID) bool {
	return s.Status == ledger.Proposed.String() && slices.ContainsFunc(s.Sites, func(site Site) bool { return site.ID == self && site.Answer == waiting })
}

func (s Services) members(r *http.Request) ([]Member, error) {
	ctx := r.Context()
	network, _, err := record[ledger.Network](ctx, s, ledger.NetworkKey)
	if err != nil {
		return nil, err
	}
	out := make([]Member, len(network.Members))
	for i, id := range network.Members {
		m, _, err := record[croft.Member](ctx, s, ledger.MemberKey(id))
		if err != nil {
			return nil, err
		}
		out[i] = Member{Party: Party{id, m.Name}, Seat: m.Seat && !m.Unseated, Unseated: m.Unseated, Ready: m.Ready, Revoked: m.Revoked, Self: id == s.Self, Light: m.Light, Orders: slices.Contains(network.Orderers, id)}
	}
	return out, nil
}

func (s Services) peers(*http.Request) ([]Peer, error) { return append([]Peer{}, s.Peers()...), nil }

// Tx is a signed transaction.
type Tx struct {
	Tx []byte `json:"tx"`
}

// Submitted is a transaction that holds.
type Submitted struct {
	ID croft.Hash `json:"id"`
}

// sendTime is how long a call waits for a block. After that the transaction stays
// in the outbox, and the node goes on by itself.
const sendTime = 2 * time.Minute

// submit sends a transaction that this node's member signed. Approvals and
// registrations have calls of their own: the node has to keep something first.
func (s Services) submit(r *http.Request, body Tx) (Submitted, error) {
	tx, kind, err := ledger.Parse(body.Tx)
	if err != nil {
		return Submitted{}, err
	}
	send := func(ctx context.Context) error { return s.Study.Send(ctx, body.Tx) }
	if _, invites := tx.Body.(*ledger.Invite); invites && s.Light {
		return Submitted{}, croft.E(croft.ErrLight, "newcomers cannot come in through it", "have a member whose node is full invite: croft invite create there")
	}
	switch no := tx.Body.(type) {
	case *ledger.Vote, *ledger.Invite, *ledger.Propose, *ledger.Publish, *ledger.Transfer, *ledger.Host:
	case *ledger.Open, *ledger.Topup:
		send = func(ctx context.Context) error {
			return errors.Join(s.Study.Send(ctx, body.Tx), s.Market.Catch(ctx)) // a call may follow at once
		}
	case *ledger.Decline:
		send = func(ctx context.Context) error { return s.Study.Refuse(ctx, no.Study, body.Tx) }
	case *ledger.Withdraw:
		send = func(ctx context.Context) error { return s.Study.Refuse(ctx, no.Study, body.Tx) }
	default:
		return Submitted{}, croft.E(croft.ErrTxUnknown, "transaction for this call, kind", kind)
	}
	return s.send(r.Context(), tx, send)
}

// approve keeps the owner's signed approval and sends it.
func (s Services) approve(r *http.Request, body Tx) (Submitted, error) {
	tx, _, err := ledger.Parse(body.Tx)
	if err != nil {
		return Submitted{}, err
	}
	return s.send(r.Context(), tx, func(ctx context.Context) error { return s.Study.Approve(ctx, body.Tx) })
}

func (s Services) send(ctx context.Context, tx ledger.Tx, send func(context.Context) error) (Submitted, error) {
	if tx.Member != s.Self {
		return Submitted{}, croft.E(croft.ErrTxRights, tx.Member.Short(), "this node takes its own member's transactions only")
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := send(ctx); err != nil {
		return Submitted{}, err
	}
	return Submitted{tx.ID}, nil
}

// blocks streams all blocks, for an auditor: each as its length in four bytes,
// big-endian, and its canonical encoding.
func (s Services) blocks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	for height, last := int64(1), s.Ledger.Status().Height; height <= last; height++ {
		block, err := s.Ledger.Block(height)
		if err != nil {
			s.Log.Error("export", "height", height, "why", err)
		}
		if err != nil || r.Context().Err() != nil { // the node stops, say
			panic(http.ErrAbortHandler) // the reader sees that the stream is cut
		}
		data := croft.Encode(block)
		if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)); err != nil {
			return
		}
	}
}
