package study

import (
	"context"
	"errors"
	"slices"

	"croft"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
)

// SeedsProtocol is the request by which a seat asks another for seeds of a report
// whose box it could not open.
const SeedsProtocol = "seeds/1"

// seedsRequest asks for parts of one report.
type seedsRequest struct {
	Study croft.StudyID  `cbor:"1,keyasint"`
	Round uint32         `cbor:"2,keyasint"`
	Site  croft.MemberID `cbor:"3,keyasint"`
	Parts []uint8        `cbor:"4,keyasint"`
}

// recover asks the other seats for the seeds that this seat is entitled to and
// lacks. The ledger holds the fact first: that is what entitles the others to
// answer. Every seed is checked against its commitment, so a seat that answers
// with wrong ones achieves nothing.
func (f *follower) recover(ctx context.Context, st ledger.Study, r ledger.Round, report ledger.Accepted, hand *privagg.Hand, missing []int) error {
	if !slices.Contains(r.Recovers, ledger.Recovered{Seat: f.Self, Site: report.Site}) {
		if err := f.Submit(ctx, 0, &ledger.Recover{Study: f.id, Round: r.Number, Site: report.Site}); err != nil {
			return err
		}
	}
	trouble := error(croft.E(croft.ErrBox, slices.Index(st.Seats, f.Self)+1, "no other seat has its seeds yet"))
	for _, giver := range report.Acks {
		request := seedsRequest{Study: f.id, Round: r.Number, Site: report.Site}
		for _, part := range missing {
			request.Parts = append(request.Parts, uint8(part))
		}
		sealed, err := f.Peers.Call(ctx, giver, SeedsProtocol, croft.Encode(request))
		if err != nil {
			trouble = err
			continue
		}
		pipe, err := f.receiver(giver, sealed)
		if err != nil {
			trouble = err
			continue
		}
		if err := hand.Take(slices.Index(st.Seats, giver), sealed, pipe); err != nil {
			trouble = err
		}
		if missing = hand.Missing(); len(missing) == 0 {
			return nil
		}
	}
	return trouble
}

// GiveSeeds answers a seedsRequest of another member. It gives only what the
// ledger shows was asked for, while the round is open, to a seat of the study,
// sealed to its study key, and only parts that the asking seat is entitled to.
func (n *Node) GiveSeeds(ctx context.Context, from croft.MemberID, data []byte) ([]byte, error) {
	var q seedsRequest
	if err := croft.Decode(data, &q); err != nil {
		return nil, err
	}
	f := &follower{Node: n, id: q.Study}
	st, plan, err := f.study(ctx)
	if err != nil {
		return nil, err
	}
	r, _, err := get[ledger.Round](ctx, n, ledger.RoundKey(q.Study, q.Round))
	if err != nil {
		return nil, err
	}
	halted, err := n.halted(ctx)
	if err != nil {
		return nil, err
	}
	report, reported := r.Report(q.Site)
	open := !halted && (st.Status == ledger.Running || st.Status == ledger.Paused)
	if !reported || !open || r.Phase == croft.PhaseCommit || !slices.Contains(r.Recovers, ledger.Recovered{Seat: from, Site: q.Site}) {
		return nil, croft.E(croft.ErrTxOrder, "the ledger shows no open request of this seat")
	}
	if _, err := n.Docs.Get(handKind, f.name(roundTag(q.Round), tag(q.Site))); errors.Is(err, store.ErrAbsent) {
		return nil, croft.E(croft.ErrBlob, "of these seeds")
	}
	hand, _, err := f.hold(ctx, st, plan, r, report)
	if err != nil {
		return nil, err
	}
	pipe, err := f.sender(ctx, r, from)
	if err != nil {
		return nil, err
	}
	parts := make([]int, len(q.Parts))
	for i, p := range q.Parts {
		parts[i] = int(p)
	}
	return hand.Give(slices.Index(st.Seats, from), parts, pipe)
}
