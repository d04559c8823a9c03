package study

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/energy"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
)

// open returns the plan's state that a round computes on.
func (f *follower) open(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) (fed.State, error) {
	if st.Status == ledger.Done {
		return fed.State{}, nil // publish asks for the last one itself
	}
	if !has(plan.Readers, f.Self) { // a seat that does not read needs no state
		return fed.State{}, f.forgetBefore(r.Number)
	}
	state, err := f.state(ctx, st, plan, r.Number)
	if err != nil {
		return state, err
	}
	f.say(Event{Round: r.Number, Word: "open", Text: state.Word.String()})
	// What the rounds before left behind has done its work once their sums are read.
	return state, f.forgetBefore(r.Number)
}

// forgetBefore erases what the rounds before this one left behind: seeds, reports, and
// the keys of the rounds.
//
//	Crash: erased at the next start, at the latest at the study's end.
func (f *follower) forgetBefore(round uint32) error {
	if f.forgotten >= round {
		return nil
	}
	end := f.name(roundTag(round))
	over := func(doc string) bool { return strings.HasPrefix(doc, f.name()) && doc < end }
	err := errors.Join(
		f.forget(over),
		f.drop(func(doc string) bool { return over(doc) && strings.HasSuffix(doc, ".report") }, true),
		f.forgetPipes(outKind, round-1, func(saved []byte) (pipe, error) { return privagg.UnmarshalSender(saved) }),
		f.forgetPipes(inKind, round-1, func(saved []byte) (pipe, error) { return privagg.UnmarshalReceiver(saved) }))
	if err == nil {
		f.forgotten = round
	}
	return err
}

// state returns the plan's state before round n: from its document, or by opening
// the sums of the rounds before once more. It is compared with the hash that t+1
// seats agreed on; a difference stops this node, never the comparison.
func (f *follower) state(ctx context.Context, st ledger.Study, plan croft.Study, n uint32) (fed.State, error) {
	compiled, err := compile(plan)
	if err != nil || n == 0 {
		return compiled.Start(), err
	}
	before, found, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(f.id, n-1))
	if err != nil {
		return fed.State{}, err
	}
	if !found || before.Phase != croft.PhaseCommit {
		return fed.State{}, croft.E(croft.ErrTxOrder, "the round before is not committed")
	}
	if kept, err := f.Docs.Get(stateKind, f.name(roundTag(n))); err == nil && croft.Sum(kept) == before.Next {
		return openState(compiled, kept)
	}
	if !has(plan.Readers, f.Self) {
		return fed.State{}, croft.E(croft.ErrPolicy, "this node may not read the sums that the next round computes on")
	}
	parent, err := f.state(ctx, st, plan, n-1)
	if err != nil {
		return fed.State{}, err
	}
	opened, err := f.openSum(ctx, st, plan, before, parent)
	if err != nil {
		return fed.State{}, err
	}
	if opened.fail != nil || croft.Sum(opened.doc) != before.Next {
		return fed.State{}, croft.E(croft.ErrDiffers, "the next state, computed here, from the one on the ledger")
	}
	return opened.next, f.Docs.Put(stateKind, f.name(roundTag(n)), opened.doc)
}

// opened is what a reader gets from a round's shares.
type opened struct {
	sum    croft.Hash
	next   fed.State
	doc    []byte   // next, as it is kept and hashed
	length int      // elements of the next round's vector
	bounds []uint32 // of each site's
	fail   error    // the plan cannot go on from this sum; the same at every reader
	bad    []croft.MemberID
}

// openSum fetches and opens the shares of a round in the ledger's order, the
// fewest that fit together, and takes the plan's step.
func (f *follower) openSum(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, state fed.State) (opened, error) {
	compiled, err := compile(plan)
	if err != nil {
		return opened{}, err
	}
	c, err := f.sumBinding(st, plan, r)
	if err != nil {
		return opened{}, err
	}
	shares := make([][]uint64, len(st.Seats))
	have := 0
	var bad []croft.MemberID
	trouble := error(croft.E(croft.ErrTooFewShares, 0, st.Quorum))
	for _, published := range r.Shares {
		seat := slices.Index(st.Seats, published.Seat)
		one, err := f.openShare(ctx, c, seat, published)
		if err != nil {
			if errors.Is(err, croft.ErrSealed) || errors.Is(err, croft.ErrEncoding) || errors.Is(err, croft.ErrShape) {
				bad = append(bad, published.Seat) // what it published is not a share
			}
			trouble = err
			continue
		}
		shares[seat] = one
		if have++; have < int(st.Quorum) {
			continue
		}
		opening, err := privagg.Open(c.Profile, len(r.Accepted), shares)
		if errors.Is(err, croft.ErrSumBound) && have >= int(st.Threshold)+2 {
			return opened{fail: err}, nil // the shares agree: a site broke its bound, the study ends
		}
		if err != nil {
			trouble = err
			continue // one more share may locate the liar
		}
		for _, liar := range opening.Liars {
			bad = append(bad, st.Seats[liar])
		}
		slices.SortFunc(bad, croft.MemberID.Compare)
		out := opened{sum: croft.HashOf(opening.Sum), bad: bad}
		numbers, salt, err := decode(layoutOf(compiled, state, st, r.Sites), opening.Sum)
		if err != nil {
			return opened{fail: err}, nil
		}
		if out.next, out.fail = compiled.Step(state, len(r.Accepted), numbers); out.fail == nil && out.next.Word != fed.Done {
			layout := layoutOf(compiled, out.next, st, r.Accepted)
			if out.length = Elems(layout); !plan.Unproved {
				out.bounds = boundsOf(layout, st, r.Accepted)
			}
		}
		out.doc = croft.Encode(salted{salt, croft.Encode(out.next)})
		return out, nil
	}
	return opened{}, trouble
}

func (f *follower) openShare(ctx context.Context, c privagg.Context, seat int, published ledger.SeatShare) ([]uint64, error) {
	most := maxMembers * (8*int(c.Length) + 2048) // a box for each reader
	data, err := f.fetch(ctx, published.Blob, most, f.anybody(ctx, published.Seat))
	if err != nil {
		return nil, err
	}
	var sealed sumShare
	if err := croft.Decode(data, &sealed); err != nil {
		return nil, err
	}
	for _, b := range sealed.Boxes {
		if b.Reader == f.Self {
			pipe, err := f.receiver(published.Seat, b.Box)
			if err != nil {
				return nil, err
			}
			return privagg.OpenShare(c, seat, b.Box, pipe)
		}
	}
	return nil, croft.E(croft.ErrEncoding, "share of a sum", "it has no box for this reader")
}

// step is a reader's line of a round: the sum, the plan's next state, and, if it
// is a seat, its word for the ledger.
func (f *follower) step(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, state fed.State) error {
	said := f.stepped > r.Number || slices.ContainsFunc(r.Results, func(x ledger.SeatResult) bool { return x.Seat == f.Self })
	if !has(plan.Readers, f.Self) || said || len(r.Shares) < int(st.Quorum) {
		return nil
	}
	var opened opened
	spent, err := energy.Of(func() (err error) { opened, err = f.openSum(ctx, st, plan, r, state); return err })
	if errors.Is(err, croft.ErrShareMismatch) {
		f.say(Event{Round: r.Number, Word: "doubt", Text: "the shares of the sum do not fit together: " + unlocated(st)})
		return nil
	} else if err != nil {
		return err
	}
	result := &ledger.Result{Study: f.id, Round: r.Number, Sum: opened.sum, Bad: opened.bad}
	if opened.fail != nil {
		result.Fail = croft.CodeOf(opened.fail)
		f.say(Event{Round: r.Number, Word: "fail", Text: opened.fail.Error()})
	} else {
		result.Next, result.Done = croft.Sum(opened.doc), opened.next.Word == fed.Done
		result.Length, result.Bounds = uint32(opened.length), opened.bounds
		if err := f.Docs.Put(stateKind, f.name(roundTag(r.Number+1)), opened.doc); err != nil {
			return err
		}
	}
	if len(opened.bad) > 0 {
		f.say(Event{Round: r.Number, Word: "liar", Text: f.names(ctx, opened.bad)})
	}
	f.at("step")
	if f.seated(st) {
		result.Cost = croft.Cost{CPU: uint64(spent.Microseconds())}
		if err := f.Submit(ctx, 0, result); err != nil {
			return err
		}
	}
	f.stepped = r.Number + 1
	if opened.fail == nil {
		f.say(Event{Round: r.Number, Word: "step", Text: state.Word.String(), Loss: loss(plan, opened.next)})
	}
	return nil
}

// loss is the mean log-loss over the training rows, for progress; 0 where the
// log-likelihood is of another kind.
func loss(plan croft.Study, s fed.State) float64 {
	if s.Rows == 0 || plan.Model.Family != "logistic" {
		return 0
	}
	return -s.Loglik.Float() / float64(s.Rows)
}

// forget erases the seeds and reports of rounds that are over.
func (f *follower) forget(over func(doc string) bool) error {
	names, errs := f.docs(heldKind)
	for _, name := range names {
		if over(name) {
			held, err := f.heldDoc(name)
			errs = errors.Join(errs, err, f.release(held, over))
		}
	}
	for _, kind := range []string{heldKind, handKind, answersKind, reportKind} {
		names, err := f.docs(kind)
		errs = errors.Join(errs, err)
		for _, name := range names {
			if over(name) {
				errs = errors.Join(errs, f.Docs.Delete(kind, name))
			}
		}
	}
	return errs
}

// heldDoc returns the blobs that were found to be of one report.
func (n *Node) heldDoc(name string) (held []croft.Hash, err error) {
	held, err = doc[[]croft.Hash](n, heldKind, name)
	if errors.Is(err, store.ErrAbsent) { // another study's, erased just now
		return nil, nil
	}
	return held, err
}

// release erases blobs, but for those of reports that are not over: a header can name
// any blob, also that of another site's report in another study.
func (n *Node) release(blobs []croft.Hash, over func(doc string) bool) error {
	names, err := n.Docs.List(heldKind)
	for _, name := range names {
		if !over(name) {
			needed, wrong := n.heldDoc(name)
			err = errors.Join(err, wrong)
			blobs = slices.DeleteFunc(blobs, func(hash croft.Hash) bool { return slices.Contains(needed, hash) })
		}
	}
	if err != nil {
		return err
	}
	for _, hash := range blobs {
		err = errors.Join(err, n.Blobs.Delete(hash))
	}
	return err
}

// pipe is either end of one.
type pipe interface {
	Forget(round uint32) error
	Marshal() []byte
}

func (f *follower) forgetPipes(kind string, round uint32, open func(saved []byte) (pipe, error)) error {
	names, errs := f.docs(kind)
	for _, name := range names {
		saved, err := f.Docs.Get(kind, name)
		if err != nil {
			return err
		}
		pipe, err := open(saved)
		if err != nil {
			return err
		}
		errs = errors.Join(errs, pipe.Forget(round), f.Docs.Put(kind, name, pipe.Marshal()))
	}
	return errs
}

// docs lists this study's documents of a kind.
func (f *follower) docs(kind string) ([]string, error) {
	names, err := f.Docs.List(kind)
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, f.name()) }), err
}

// publish writes the finished model where `croft model` finds it.
func (f *follower) publish(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) error {
	if !has(plan.Readers, f.Self) {
		return nil
	}
	if _, err := f.state(ctx, st, plan, r.Number+1); err != nil {
		return err
	}
	last, err := f.Docs.Get(stateKind, f.name(roundTag(r.Number+1)))
	if err != nil {
		return err
	}
	if err := f.Docs.Put(modelKind, f.name(), last); err != nil {
		return err
	}
	f.say(Event{Round: r.Number, Word: "publish"})
	return nil
}

// erase ends this node's part in a study: keys, seeds and reports go; the states
// and the model stay.
//
//	Crash before the last document: erased again at the next start.
func (f *follower) erase(ctx context.Context, st ledger.Study) error {
	errs := f.forgetBefore(st.Round + 1)
	_, plan, err := f.study(ctx)
	errs = errors.Join(errs, err, f.drop(func(doc string) bool { return strings.HasPrefix(doc, f.name()) }, !has(plan.Readers, f.Self)))
	for _, kind := range []string{keyKind, outKind, inKind, handKind, heldKind, answersKind, reportKind} {
		names, err := f.docs(kind)
		errs = errors.Join(errs, err)
		for _, name := range names {
			errs = errors.Join(errs, f.Docs.Delete(kind, name))
		}
	}
	if errs != nil {
		return errs
	}
	return f.Docs.Put(endedKind, f.name(), nil)
}

// Model returns the last state of a finished study, as this node kept it and as
// the ledger names it. It fails with store.ErrAbsent while there is none here.
func (n *Node) Model(ctx context.Context, plan croft.Study, id croft.StudyID) (*fed.Plan, fed.State, error) {
	f := follower{Node: n, id: id}
	kept, err := n.Docs.Get(modelKind, f.name())
	if err != nil {
		return nil, fed.State{}, err
	}
	on, _, err := get[ledger.Model](ctx, n, ledger.ModelKey(id))
	if err == nil && on.State != croft.Sum(kept) {
		err = croft.E(croft.ErrDiffers, "the model kept here, from the one on the ledger")
	}
	if err != nil {
		return nil, fed.State{}, err
	}
	compiled, err := compile(plan)
	if err != nil {
		return nil, fed.State{}, err
	}
	state, err := openState(compiled, kept)
	return compiled, state, err
}

// ModelDocument returns the document of a finished study's model, for a node that may
// run it. It fails with store.ErrAbsent while there is none here.
func (n *Node) ModelDocument(id croft.StudyID) ([]byte, error) {
	return n.Docs.Get(modelKind, (&follower{Node: n, id: id}).name())
}

// KeepModel keeps a model's document that came from another node, if it is the one
// that the ledger names. It fails with croft.ErrDiffers.
func (n *Node) KeepModel(ctx context.Context, id croft.StudyID, document []byte) error {
	on, found, err := get[ledger.Model](ctx, n, ledger.ModelKey(id))
	if err != nil {
		return err
	}
	if !found || on.State != croft.Sum(document) {
		return croft.E(croft.ErrDiffers, "the model that arrived, from the one on the ledger")
	}
	return n.Docs.Put(modelKind, (&follower{Node: n, id: id}).name(), document)
}

// State returns the plan's state before round n of a study, as this node kept it.
func (n *Node) State(plan croft.Study, id croft.StudyID, round uint32) (fed.State, error) {
	f := follower{Node: n, id: id}
	kept, err := n.Docs.Get(stateKind, f.name(roundTag(round)))
	if err != nil {
		return fed.State{}, err
	}
	compiled, err := compile(plan)
	if err != nil {
		return fed.State{}, err
	}
	return openState(compiled, kept)
}

func day(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04 MST") }
