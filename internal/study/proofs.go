package study

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	"croft"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
	"croft/internal/tensor"
)

// Each report proves that its vector keeps to the site's bound. No seat can check a
// proof alone: each answers a question about its shares, at a point that the round's
// key gives, and the answers of q seats decide. A seat publishes its share of the sum
// only when they say that all reports keep to their bounds.

// AnswersProtocol is the request by which a seat asks another for its answers about
// the proofs of a round; MaxAnswers bounds what comes back.
const (
	AnswersProtocol = "proof/1"
	MaxAnswers      = 2 << 20
)

// answersRequest asks for the answers about all accepted reports of a round.
type answersRequest struct {
	Study croft.StudyID `cbor:"1,keyasint"`
	Round uint32        `cbor:"2,keyasint"`
}

// RowsAllowed is what an approval says of so many rows: the number goes on the ledger,
// so it is rounded up to two significant digits, and to tens at least.
func RowsAllowed(rows int) uint32 {
	for unit := 10; ; unit *= 10 {
		if up := (max(rows, 1) + unit - 1) / unit * unit; up < 100*unit {
			return uint32(min(up, fed.MaxRows))
		}
	}
}

// covers refuses rows beyond those that an approval allows: its bound on the site's
// vectors rests on them.
func covers(a croft.Approval, r *rows) error {
	if n := r.len(); n > int(a.Rows) && a.Rows > 0 {
		return croft.E(croft.ErrPolicy, "the approval allows fewer rows than the study would use")
	}
	return nil
}

// layoutOf returns the layout of a round's vectors. Before the first sum nobody knows
// how many rows there are: then those count that the sites' owners allowed.
func layoutOf(compiled *fed.Plan, state fed.State, st ledger.Study, sites []croft.MemberID) tensor.Layout {
	if state.Word == fed.Count {
		for _, site := range sites {
			rows := answerOf(st, site).Rows
			if rows == 0 {
				rows = fed.MaxRows
			}
			state.Rows = min(state.Rows+int64(rows), fed.MaxRows)
		}
	}
	return compiled.Layout(state, len(sites))
}

// boundsOf returns for each site what the norm of its vector is at most, salt
// included. They stand on the ledger: rounded up to four binary digits they say little
// more of the layout than the sites' rows do.
func boundsOf(layout tensor.Layout, st ledger.Study, sites []croft.MemberID) []uint32 {
	out := make([]uint32, len(sites))
	for i, site := range sites {
		norm := layout.Norm(int(answerOf(st, site).Rows))
		salted := math.Sqrt(float64(norm*norm) + saltLen*(1<<(2*saltBits)))
		n := uint64(math.Ceil(salted))
		n += n >> 20 // for the rounding of the site's own sums
		low := max(0, bits.Len64(n)-4)
		out[i] = uint32(min((n+1<<low-1)>>low<<low, 1<<tensor.NormBits))
	}
	return out
}

// Bound returns what the norm of each site's first vector is at most, if every owner
// allows so many rows: for screens, before anybody has answered. 0: nothing is proved.
func Bound(plan croft.Study, rows uint32) (uint32, error) {
	if plan.Unproved {
		return 0, nil
	}
	compiled, err := compile(plan)
	if err != nil {
		return 0, err
	}
	var st ledger.Study
	for _, site := range plan.Sites {
		st.Answers = append(st.Answers, ledger.Answer{Site: site, Rows: rows})
	}
	return boundsOf(layoutOf(compiled, compiled.Start(), st, plan.Sites), st, plan.Sites)[0], nil
}

// reportBinding is what a site's report of a round is bound to, with the bound that
// it proves.
func (f *follower) reportBinding(st ledger.Study, plan croft.Study, r ledger.Round, site croft.MemberID) (privagg.Context, error) {
	c, err := f.binding(st, plan, r)
	if c.Site = site; err != nil || plan.Unproved {
		return c, err
	}
	bounds := r.Bounds
	if r.Number == 0 {
		compiled, err := compile(plan)
		if err != nil {
			return c, err
		}
		bounds = boundsOf(layoutOf(compiled, compiled.Start(), st, r.Sites), st, r.Sites)
	}
	at := slices.Index(r.Sites, site)
	if at < 0 || len(bounds) != len(r.Sites) {
		return c, croft.E(croft.ErrTxRights, site.Short(), "it has no bound in this round")
	}
	c.Bound = uint64(bounds[at])
	return c, nil
}

// chain returns the secret of this seat's hash chain. It comes from the study key and
// goes with it.
func (f *follower) chain() (croft.Hash, error) {
	secret, err := f.Docs.Get(keyKind, f.name())
	return croft.Sum(append([]byte("croft/chain/1"), secret...)), err
}

// link returns what this seat shows with an acknowledgement: nothing, unless with it
// all reports that the round expects are on the ledger and held here.
func (f *follower) link(plan croft.Study, r ledger.Round, held []croft.MemberID) (croft.Hash, error) {
	shown := slices.ContainsFunc(r.Links, func(l ledger.Link) bool { return l.Seat == f.Self })
	if plan.Unproved || shown {
		return croft.Hash{}, nil
	}
	for _, site := range r.Expected() {
		if report, _ := r.Report(site); !has(held, site) && !has(report.Acks, f.Self) {
			return croft.Hash{}, nil
		}
	}
	secret, err := f.chain()
	return ledger.ChainLink(secret, r.Number), err
}

// verify is a seat's line after the freeze. It says whether this seat may publish its
// share, and which seats gave wrong answers. If a proof fails it tells the ledger.
//
//	Crash: the answers are a document, or are computed again, the same; those of
//	the others are asked for again.
func (f *follower) verify(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) (liars []croft.MemberID, valid bool, err error) {
	shared := slices.ContainsFunc(r.Shares, func(s ledger.SeatShare) bool { return s.Seat == f.Self })
	refused := slices.ContainsFunc(r.Rejects, func(x ledger.SeatReject) bool { return x.Seat == f.Self })
	switch {
	case !f.seated(st) || shared || refused:
		return nil, false, nil
	case plan.Unproved:
		return nil, true, nil
	}
	own, err := f.answers(ctx, st, plan, r)
	// A round waits for its seats as long as its study lasts.
	if err != nil || !f.judges.due(int64(r.Number), glance/2, time.Minute) {
		return nil, false, err
	}
	f.at("verify")
	judged, err := f.judge(ctx, st, plan, r, own)
	if errors.Is(err, croft.ErrShareMismatch) {
		f.say(Event{Round: r.Number, Word: "doubt", Text: "the seats' answers about proofs do not fit together: " + unlocated(st)})
	}
	if err != nil {
		return nil, false, err
	}
	if len(judged.liars) > 0 {
		f.say(Event{Round: r.Number, Word: "liar", Text: f.names(ctx, judged.liars)})
	}
	if len(judged.refused) == 0 {
		f.say(Event{Round: r.Number, Word: "verify"})
		return judged.liars, true, nil
	}
	// What it was judged by stays, for whoever wants to judge again.
	hash, err := f.Blobs.Put(croft.Encode(judged.evidence))
	if err != nil {
		return nil, false, err
	}
	f.at("reject")
	f.say(Event{Round: r.Number, Word: "reject", Text: f.names(ctx, judged.refused)})
	return nil, false, f.Submit(ctx, 0, &ledger.Reject{Study: f.id, Round: r.Number, Sites: judged.refused, Answers: hash})
}

// unlocated says what becomes of a lie that is noticed while no more than t+2 seats have
// spoken.
func unlocated(st ledger.Study) string {
	up := 0
	for _, seat := range st.Seats {
		if has(st.Enrolled, seat) {
			up++
		}
	}
	if up > int(st.Threshold)+2 {
		return "a seat lies, and one more seat could tell which"
	}
	return "a seat lies, and no further seat could tell which"
}

// answers returns this seat's answers about the accepted reports, in their order. Only
// this node's own line computes them: whoever asks gets what is kept.
func (f *follower) answers(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round) (out [][]byte, err error) {
	name := f.name(roundTag(r.Number))
	out, err = doc[[][]byte](f.Node, answersKind, name)
	if err == nil && len(out) != len(r.Accepted) {
		err = croft.E(croft.ErrStoreCorrupt, "the kept answers about proofs", len(out))
	}
	if !errors.Is(err, store.ErrAbsent) {
		return out, err
	}
	for _, site := range r.Accepted {
		report, _ := r.Report(site)
		hand, blob, err := f.hold(ctx, st, plan, r, report)
		if err != nil {
			return nil, err
		}
		_, answer, err := hand.Verify(blob, r.Key, Parallel)
		if err != nil {
			return nil, err
		}
		out = append(out, privagg.EncodeShare(answer))
	}
	if err := f.Docs.Put(answersKind, name, croft.Encode(out)); err != nil {
		return nil, err
	}
	f.answered.send()
	f.at("answers-kept")
	return out, nil
}

// judgement is what the answers of enough seats say.
type judgement struct {
	refused  []croft.MemberID // sites whose proof fails, sorted
	liars    []croft.MemberID // seats whose answers do not belong, sorted
	evidence [][][]byte       // the answers, by seat and site
}

// askTime is how long a seat waits for the others' answers before it looks at the
// ledger again; giveTime how long a seat that is asked waits for its own.
const (
	askTime  = 10 * time.Second
	giveTime = 3 * time.Second
)

// judge asks all other seats at once and goes on as soon as the answers of q seats,
// this one's among them, agree that every report keeps to its bound. Before it accuses
// a site it hears all who answer in time: the more answers must fit together, the more
// seats it takes that lie together to make an honest proof seem to fail.
func (f *follower) judge(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, own [][]byte) (judgement, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	type arrival struct {
		seat    int
		answers [][]byte
		err     error
	}
	arrived := make(chan arrival, len(st.Seats))
	asked := 0
	for seat, id := range st.Seats {
		if id == f.Self || !has(st.Enrolled, id) {
			continue
		}
		asked++
		go func() {
			a := arrival{seat: seat, err: croft.E(croft.ErrPeer, id.Short(), "it did not answer")}
			defer func() { arrived <- a }()
			a.answers, a.err = f.ask(ctx, id, r, own)
		}()
	}
	all := make([][][]byte, len(st.Seats))
	all[slices.Index(st.Seats, f.Self)] = own
	var judged judgement
	err := error(croft.E(croft.ErrTooFewShares, 1, st.Quorum))
	have := 1
	for range asked {
		a := <-arrived
		if a.err == nil {
			all[a.seat] = a.answers
			have++
		}
		switch {
		case have < int(st.Quorum):
			if a.err != nil {
				err = a.err
			}
		case a.err == nil:
			judged, err = f.decide(st, plan, r, all)
			if err == nil && len(judged.refused) == 0 {
				return judged, nil
			} // else one more seat may locate a liar
		}
	}
	return judged, err
}

// ask gets another seat's answers, which have the form of this seat's own.
func (f *follower) ask(ctx context.Context, seat croft.MemberID, r ledger.Round, own [][]byte) (answers [][]byte, err error) {
	data, err := f.Peers.Call(ctx, seat, AnswersProtocol, croft.Encode(answersRequest{f.id, r.Number}))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxAnswers {
		return nil, croft.E(croft.ErrTooLarge, len(data), MaxAnswers)
	}
	if err := croft.Decode(data, &answers); err != nil {
		return nil, err
	}
	if len(answers) != len(own) {
		return nil, croft.E(croft.ErrShape, "the list of answers", len(answers), len(own))
	}
	for i, a := range answers {
		if _, err := privagg.DecodeShare(a, len(own[i])/8); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// decide joins the answers about each report. A proof counts as failed only if one
// more seat than is needed says so: t+1 answers can be made to say anything by one.
func (f *follower) decide(st ledger.Study, plan croft.Study, r ledger.Round, all [][][]byte) (judgement, error) {
	judged := judgement{evidence: all}
	liars := map[int]bool{}
	for i, site := range r.Accepted {
		c, err := f.reportBinding(st, plan, r, site)
		if err != nil {
			return judged, err
		}
		about := make([][]uint64, len(all))
		for seat, answers := range all {
			if len(answers) > 0 { // else it gave none
				if about[seat], err = privagg.DecodeShare(answers[i], len(answers[i])/8); err != nil {
					return judged, err
				}
			}
		}
		verdict, err := privagg.Decide(c, about)
		if err != nil {
			return judged, err
		}
		if !verdict.Valid && !verdict.Checked {
			return judged, croft.E(croft.ErrTooFewShares, st.Threshold+1, st.Threshold+2)
		}
		if !verdict.Valid {
			judged.refused = append(judged.refused, site)
		}
		for _, seat := range verdict.Liars {
			liars[seat] = true
		}
	}
	for seat, id := range st.Seats {
		if liars[seat] {
			judged.liars = append(judged.liars, id)
		}
	}
	if has(judged.liars, f.Self) { // the others lie together, or this machine is broken
		return judged, croft.E(croft.ErrShareMismatch)
	}
	return judged, nil
}

// GiveAnswers answers an answersRequest of another member: to a seat of the study,
// while the round's sum is open. It gives what this node's own line has kept, so that
// nobody makes it compute, fetch or write, and waits a moment for that.
func (n *Node) GiveAnswers(ctx context.Context, from croft.MemberID, data []byte) ([]byte, error) {
	var q answersRequest
	if err := croft.Decode(data, &q); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, giveTime)
	defer cancel()
	f := &follower{Node: n, id: q.Study}
	moved := n.Ledger.Watch(ctx)
	for {
		kept := n.answered.wait()
		st, plan, r, err := f.read(ctx)
		if err != nil {
			return nil, err
		}
		halted, err := n.halted(ctx)
		if err != nil {
			return nil, err
		}
		open := !halted && (st.Status == ledger.Running || st.Status == ledger.Paused)
		if !open || plan.Unproved || !f.seated(st) || !has(st.Seats, from) || r.Number > q.Round || r.Phase == croft.PhaseCommit {
			return nil, croft.E(croft.ErrTxOrder, "this seat has no answers for that one now")
		}
		if r.Number == q.Round && r.Phase == croft.PhaseSum {
			answers, err := n.Docs.Get(answersKind, f.name(roundTag(r.Number)))
			if err == nil || !errors.Is(err, store.ErrAbsent) {
				return answers, err
			}
		}
		select {
		case <-moved:
		case <-kept:
		case <-ctx.Done():
			return nil, croft.E(croft.ErrTxOrder, "this seat has not got so far")
		}
	}
}
