package study

import (
	"context"
	"errors"
	"slices"

	"croft"
	"croft/internal/energy"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
)

// A seat holds seeds, one message a site and round, and adds. It never sees a
// vector: any t seats together hold nothing but uniform numbers.

// binding is what every message of a round is bound to; reportBinding adds whose
// report it is.
func (f *follower) binding(st ledger.Study, plan croft.Study, r ledger.Round) (privagg.Context, error) {
	length := r.Length
	if r.Number == 0 {
		compiled, err := compile(plan)
		if err != nil {
			return privagg.Context{}, err
		}
		length = uint32(Elems(layoutOf(compiled, compiled.Start(), st, r.Sites)))
	}
	// As the owners approved it: their sites deal by no other.
	profile := privagg.Profile{Seats: len(st.Seats), Threshold: int(st.Threshold)}
	spec := croft.HashOf(struct {
		_     struct{} `cbor:",toarray"`
		Plan  croft.Hash
		State croft.Hash // zero in the first round
		Seats []croft.MemberID
		Sites []croft.MemberID
	}{Plan: st.Plan, State: r.Parent, Seats: st.Seats, Sites: r.Sites})
	return privagg.Context{Scope: f.Scope, Study: f.id, Round: r.Number, Spec: spec, Profile: profile,
		Length: length}, nil
}

// acknowledge is a seat's first line of a round: it fetches the reports, opens its
// boxes, checks the seeds, keeps them, and says so.
func (f *follower) acknowledge(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) error {
	if !f.seated(st) {
		return nil
	}
	var held, nays []croft.MemberID
	var trouble error
	for _, report := range r.Reports {
		if has(report.Acks, f.Self) {
			continue
		}
		if _, _, err := f.hold(ctx, st, plan, r, report); err != nil {
			trouble = errors.Join(trouble, err)
			if code := useless(err); code != 0 && !has(report.Nays, f.Self) {
				nays = append(nays, report.Site)
				f.say(Event{Round: r.Number, Word: "reject", Text: f.names(ctx, nays[len(nays)-1:]) + ": " + code.Error()})
			}
			continue // the other reports do not wait for this one
		}
		held = append(held, report.Site)
	}
	link, err := f.link(plan, r, held)
	if err != nil {
		return err
	}
	if len(held) == 0 && len(nays) == 0 && link.IsZero() {
		return trouble
	}
	f.at("acknowledge")
	if err := f.Submit(ctx, 0, &ledger.Ack{Study: f.id, Round: r.Number, Sites: held, Link: link, Nays: nays}); err != nil {
		return err
	}
	f.say(Event{Round: r.Number, Word: "acknowledge", Text: f.names(ctx, held)})
	return trouble
}

// useless returns what is wrong with a report that cannot be used here; 0 if it, or
// seeds of it, only could not be fetched. A seat that gets what it lacks later
// acknowledges it after all.
func useless(err error) croft.Code {
	for _, code := range []croft.Code{croft.ErrReport, croft.ErrCommitment, croft.ErrProof, croft.ErrEncoding, croft.ErrBox} {
		if errors.Is(err, code) {
			return code
		}
	}
	return 0
}

func (f *follower) seated(st ledger.Study) bool {
	return has(st.Seats, f.Self) && has(st.Enrolled, f.Self)
}

// hold makes sure that this seat has a site's report durably: blob, and all seeds
// that it is entitled to, each equal to its commitment.
//
//	Crash before the hand's document: fetched and opened again.
func (f *follower) hold(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, report ledger.Accepted) (*privagg.Hand, []byte, error) {
	c, err := f.reportBinding(st, plan, r, report.Site)
	if err != nil {
		return nil, nil, err
	}
	from := f.anybody(ctx, append([]croft.MemberID{report.Site}, report.Acks...)...)
	headBytes, err := f.fetch(ctx, report.Header.Head, privagg.MaxHead, from)
	if err != nil {
		return nil, nil, err
	}
	head, err := privagg.OpenHead(c, report.Header, headBytes)
	if err != nil {
		return nil, nil, err
	}
	seat := slices.Index(st.Seats, f.Self)
	hand, err := head.Hand(seat)
	if err != nil {
		return nil, nil, err
	}
	var blob []byte
	if hand.NeedsBlob() {
		if blob, err = f.fetch(ctx, report.Header.Blob, head.BlobSize(), from); err != nil {
			return nil, nil, err
		}
	}
	name := f.name(roundTag(r.Number), tag(report.Site))
	kept, err := f.Docs.Get(handKind, name)
	if err == nil {
		return hand, blob, hand.Load(kept)
	} else if !errors.Is(err, store.ErrAbsent) {
		return nil, nil, err
	}

	pipe, err := f.receiver(report.Site, head.Box(seat))
	if err == nil {
		err = hand.OpenBox(pipe)
	}
	if missing := hand.Missing(); len(missing) > 0 {
		f.say(Event{Round: r.Number, Word: "recover", Text: f.names(ctx, []croft.MemberID{report.Site})})
		if still := f.recover(ctx, st, r, report, hand, missing); still != nil {
			return nil, nil, errors.Join(err, still)
		}
	} else if err != nil {
		return nil, nil, err
	}
	// A masked vector that does not open, or a proof that is of another one, would be
	// noticed too late, when the report is accepted: a seat acknowledges what it can add.
	if err := hand.Check(blob); err != nil {
		return nil, nil, err
	}
	held := []croft.Hash{report.Header.Head} // what was checked to be of this round, and is erased with it
	if hand.NeedsBlob() {
		held = append(held, report.Header.Blob)
	}
	if err := f.Docs.Put(heldKind, name, croft.Encode(held)); err != nil {
		return nil, nil, err
	}
	if err := f.Docs.Put(handKind, name, hand.Marshal()); err != nil {
		return nil, nil, err
	}
	f.at("hand-kept")
	return hand, blob, nil
}

// fetch gets a blob of at most so many bytes and keeps it, so that others can fetch
// it from here once the site has switched off.
func (f *follower) fetch(ctx context.Context, hash croft.Hash, most int, from []croft.MemberID) ([]byte, error) {
	if data, err := f.Blobs.Get(hash); err == nil {
		return data, nil
	}
	others := slices.DeleteFunc(slices.Clone(from), func(m croft.MemberID) bool { return m == f.Self })
	data, err := f.Peers.Fetch(ctx, hash, most, others...)
	if err != nil {
		return nil, err
	}
	_, err = f.Blobs.Put(data)
	return data, err
}

// share is a seat's last line: its share of the sum of the accepted reports, sealed
// to each reader, in one blob. liars are the seats whose answers about proofs are wrong.
func (f *follower) share(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, liars []croft.MemberID) error {
	var total []uint64
	spent, err := energy.Of(func() (err error) {
		total, err = f.add(ctx, st, plan, r)
		return err
	})
	if err != nil {
		return err
	}
	c, err := f.sumBinding(st, plan, r)
	if err != nil {
		return err
	}
	seat := slices.Index(st.Seats, f.Self)
	var sealed sumShare
	for _, reader := range plan.Readers {
		m, _, err := get[croft.Member](ctx, f.Node, ledger.MemberKey(reader))
		if err != nil {
			return err
		}
		if !has(st.Enrolled, reader) || m.Revoked {
			continue // it has no key, or no right any more
		}
		pipe, err := f.sender(ctx, r, reader)
		if err != nil {
			return err
		}
		box, err := privagg.SealShare(c, seat, total, pipe)
		if err != nil {
			return err
		}
		sealed.Boxes = append(sealed.Boxes, readerBox{reader, box})
	}
	data := croft.Encode(sealed)
	hash, err := f.Blobs.Put(data)
	if err != nil {
		return err
	}
	f.at("share")
	if err := f.Submit(ctx, 0, &ledger.Share{Study: f.id, Round: r.Number, Blob: hash, Bad: liars,
		Cost: croft.Cost{CPU: uint64(spent.Microseconds()), Bytes: uint64(len(data))}}); err != nil {
		return err
	}
	f.say(Event{Round: r.Number, Word: "sum", Bytes: len(data)})
	return nil
}

// add returns this seat's share of the sum of the accepted reports.
func (f *follower) add(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) ([]uint64, error) {
	var shares [][]uint64
	for _, report := range r.Reports {
		if !has(r.Accepted, report.Site) {
			continue
		}
		hand, blob, err := f.hold(ctx, st, plan, r, report)
		if err != nil {
			return nil, err
		}
		one, err := hand.Share(blob)
		if err != nil {
			return nil, err
		}
		shares = append(shares, one)
	}
	return privagg.Aggregate(shares...)
}

// sumShare is the blob in which a seat publishes its share of a sum.
type sumShare struct {
	Boxes []readerBox `cbor:"1,keyasint"`
}

// readerBox is the share, sealed for one reader.
type readerBox struct {
	Reader croft.MemberID `cbor:"1,keyasint"`
	Box    []byte         `cbor:"2,keyasint"`
}

func (f *follower) sumBinding(st ledger.Study, plan croft.Study, r ledger.Round) (privagg.Context, error) {
	c, err := f.binding(st, plan, r)
	c.Set = croft.HashOf(r.Accepted)
	return c, err
}

// sender returns the sending end of this node's pipe to a member. It is a
// document before it seals anything. Once a seat has acknowledged a report of
// ours, messages to it leave out the key that starts the pipe.
func (f *follower) sender(ctx context.Context, r ledger.Round, to croft.MemberID) (*privagg.Sender, error) {
	f.pipes.Lock()
	defer f.pipes.Unlock()
	name := f.name(tag(to))
	saved, err := f.Docs.Get(outKind, name)
	if err == nil {
		pipe, err := privagg.UnmarshalSender(saved)
		if err == nil && r.Number > 0 && f.acknowledged(ctx, r.Number-1, to) {
			pipe.Confirm()
		}
		return pipe, err
	} else if !errors.Is(err, store.ErrAbsent) {
		return nil, err
	}
	public, found, err := get[[]byte](ctx, f.Node, ledger.EnrolKey(f.id, to))
	if err != nil {
		return nil, err
	}
	var pipe *privagg.Sender
	if found && len(public) == privagg.PublicKeySize {
		pipe, err = privagg.NewSender(privagg.PublicKey(public), f.linkTo(f.Self, to))
	}
	if pipe == nil || err != nil {
		// Who did not enrol before the study opened, or gave a key that is none, is
		// dead from the start: a fresh key that nobody holds keeps the report's form.
		lost, err := privagg.GenerateKey()
		if err != nil {
			return nil, err
		}
		if pipe, err = privagg.NewSender(lost.Public(), f.linkTo(f.Self, to)); err != nil {
			return nil, err
		}
	}
	return pipe, f.Docs.Put(outKind, name, pipe.Marshal())
}

// acknowledged says whether a seat holds our report of a round.
func (f *follower) acknowledged(ctx context.Context, round uint32, seat croft.MemberID) bool {
	r, _, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(f.id, round))
	report, _ := r.Report(f.Self)
	return err == nil && has(report.Acks, seat)
}

// receiver returns the receiving end of a member's pipe to this node; message is
// any that it sent, for the first time.
func (f *follower) receiver(from croft.MemberID, message []byte) (*privagg.Receiver, error) {
	name := f.name(tag(from))
	saved, err := f.Docs.Get(inKind, name)
	if err == nil {
		return privagg.UnmarshalReceiver(saved)
	} else if !errors.Is(err, store.ErrAbsent) {
		return nil, err
	}
	key, err := f.key()
	if err != nil {
		return nil, err
	}
	pipe, err := privagg.NewReceiver(key, f.linkTo(from, f.Self), message)
	if err != nil {
		return nil, err
	}
	return pipe, f.Docs.Put(inKind, name, pipe.Marshal())
}

func (f *follower) linkTo(from, to croft.MemberID) privagg.Link {
	return privagg.Link{Scope: f.Scope, Study: f.id, From: from, To: to}
}
