package study

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/energy"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
	"croft/internal/table"
)

// A site computes only what its owner approved. It reads its owner's signed copy
// of the approval, never the ledger's; its own policy can only tighten; and what
// it refuses leaves as one of five words.

// The kinds of this node's durable documents about a study.
const (
	keyKind      = "study-key" // private study key
	ApprovalKind = "approval"  // the owner's signed approval
	reportKind   = "report"    // a whole report, kept so that a crash sends the same bytes
	handKind     = "hand"      // a seat's seeds of one report
	heldKind     = "held"      // which blobs are of a round's report, as this node found or made it
	answersKind  = "answers"   // a seat's answers about the proofs of a round
	outKind      = "pipe-out"  // sending ends of pipes
	inKind       = "pipe-in"   // receiving ends
	stateKind    = "state"     // the plan's states, by round
	spentKind    = "spent"     // releases of a record group
	modelKind    = "model"     // the last state of a finished study
	endedKind    = "ended"     // empty: this node's part in the study is over and erased
)

// name makes a document's name from a study and what tells it apart there.
func (f *follower) name(parts ...string) string {
	name := f.id.String()[:32]
	for _, p := range parts {
		name += "." + p
	}
	return name
}

// A Doc names a document, for audits.
type Doc struct{ Kind, Name string }

// StateDoc names the plan's state before a round, whose hash the ledger has.
func StateDoc(id croft.StudyID, round uint32) Doc {
	return Doc{stateKind, (&follower{id: id}).name(roundTag(round))}
}

// ModelDoc names a finished study's last state, whose hash the ledger has.
func ModelDoc(id croft.StudyID) Doc { return Doc{modelKind, (&follower{id: id}).name()} }

func tag(id croft.MemberID) string { return id.String()[:32] }

func roundTag(n uint32) string { return fmt.Sprintf("%04d", n) }

// enrol makes a key for this study and tells the ledger its public half: seats
// get their boxes sealed to it, readers the sums.
func (f *follower) enrol(ctx context.Context, st ledger.Study, plan croft.Study) error {
	part := has(st.Seats, f.Self) || has(plan.Sites, f.Self) || has(plan.Readers, f.Self)
	if !part || has(st.Enrolled, f.Self) {
		return nil
	}
	key, err := f.key()
	if errors.Is(err, store.ErrAbsent) {
		if key, err = privagg.GenerateKey(); err != nil {
			return err
		}
		secret, err := key.Bytes()
		if err != nil {
			return err
		}
		// Crash after this line: the same key is announced again.
		if err := f.Docs.Put(keyKind, f.name(), secret); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	f.at("enrol")
	public := key.Public()
	enrol := &ledger.Enrol{Study: f.id, Key: public[:]}
	if has(st.Seats, f.Self) && !plan.Unproved {
		secret, err := f.chain()
		if err != nil {
			return err
		}
		enrol.Anchor = ledger.Anchor(secret)
	}
	return f.Submit(ctx, 0, enrol)
}

func (f *follower) key() (*privagg.PrivateKey, error) {
	secret, err := f.Docs.Get(keyKind, f.name())
	if err != nil {
		return nil, err
	}
	return privagg.ParsePrivateKey(secret)
}

// report is a site's line of a round: compute, deal, persist, announce.
func (f *follower) report(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, state fed.State) error {
	if _, reported := r.Report(f.Self); reported {
		return nil
	}
	approval, err := f.approval(ctx, st, plan) // what is kept, too, leaves only while the owner's yes stands
	if err != nil {
		return f.refuse(ctx, r, err)
	}
	var spent time.Duration
	report, err := f.reportDoc(r.Number)
	if errors.Is(err, store.ErrAbsent) {
		spent, err = energy.Of(func() (err error) { report, err = f.compute(ctx, st, plan, r, state, approval); return err })
		if err != nil {
			return f.refuse(ctx, r, err)
		}
		// Crash before this line: nothing has left. After it: the same bytes leave.
		if err := f.Docs.Put(reportKind, f.name(roundTag(r.Number)), croft.Encode([2][]byte{report.Head, report.Blob})); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	f.at("report-kept")
	header := report.Header()
	if err := f.Docs.Put(heldKind, f.name(roundTag(r.Number), "own"), croft.Encode([]croft.Hash{header.Head, header.Blob})); err != nil {
		return err
	}
	for _, part := range [][]byte{report.Head, report.Blob} {
		if _, err := f.Blobs.Put(part); err != nil {
			return err
		}
	}
	f.at("report")
	if err := f.Submit(ctx, 0, &ledger.Report{Study: f.id, Round: r.Number, Header: header,
		Cost: croft.Cost{CPU: uint64(spent.Microseconds()), Bytes: uint64(header.Size)}}); err != nil {
		return err
	}
	f.say(Event{Round: r.Number, Word: "report", Text: state.Word.String(), Bytes: int(header.Size)})
	return nil
}

func (f *follower) reportDoc(round uint32) (report *privagg.Report, err error) {
	both, err := doc[[2][]byte](f.Node, reportKind, f.name(roundTag(round)))
	return &privagg.Report{Head: both[0], Blob: both[1]}, err
}

// refuse tells the ledger in one word that this site does not take part; the
// detail stays here. A failure that may pass is returned instead.
func (f *follower) refuse(ctx context.Context, r ledger.Round, err error) error {
	reason, final := refusal(err)
	if !final {
		return err
	}
	f.say(Event{Round: r.Number, Word: "refuse", Text: err.Error()})
	f.at("refuse")
	return f.Submit(ctx, 0, &ledger.Stop{Study: f.id, Reason: reason})
}

// refusal gives the word under which a failure of this site stands on the ledger;
// false if the failure may pass.
func refusal(err error) (croft.Refusal, bool) {
	switch code := croft.CodeOf(err); {
	case code == croft.ErrNotApproved:
		return croft.RefusedConsent, true
	case code == croft.ErrExpired:
		return croft.RefusedExpired, true
	case code == croft.ErrDiffers, code == croft.ErrDataChanged, code == croft.ErrEngine:
		return croft.RefusedDiffers, true
	case code == croft.ErrPolicy, code == croft.ErrWithheld, code == croft.ErrNoRows, code == croft.ErrOverflow, code == croft.ErrProof:
		return croft.RefusedPolicy, true
	case code == croft.ErrKeyLost, code >= 2000 && code < 3000: // or the file cannot be read under the schema
		return croft.RefusedUnavailable, true
	}
	return 0, false
}

// compute checks everything else that the owner's consent rests on and makes the
// report of a round.
func (f *follower) compute(ctx context.Context, st ledger.Study, plan croft.Study, r ledger.Round, state fed.State, approval croft.Approval) (*privagg.Report, error) {
	entry, err := f.Data.Get(approval.Dataset)
	if err != nil {
		return nil, err
	}
	rows, err := f.readRows(ctx, plan, entry)
	if err != nil {
		return nil, err
	}
	if err := covers(approval, rows); err != nil {
		return nil, err
	}
	compiled, err := compile(plan)
	if err != nil {
		return nil, err
	}
	if err := cohortRules(compiled, plan, state, len(r.Sites), len(rows.test.Y), entry.Policy); err != nil {
		return nil, err
	}
	me := slices.Index(r.Sites, f.Self)
	vector, err := compiled.Compute(state, me, len(r.Sites), rows.train, rows.test)
	if err != nil {
		return nil, err
	}
	encoded, err := encode(layoutOf(compiled, state, st, r.Sites), vector)
	if err != nil {
		return nil, err
	}
	c, err := f.reportBinding(st, plan, r, f.Self)
	if err != nil {
		return nil, err
	}
	seats := make([]*privagg.Sender, len(st.Seats))
	for i, seat := range st.Seats {
		if seats[i], err = f.sender(ctx, r, seat); err != nil {
			return nil, err
		}
	}
	// Crash after this line: the release is counted, though nothing left. The
	// budget errs on the side of the people in the rows.
	if err := f.account(ctx, entry, rows, r.Number); err != nil {
		return nil, err
	}
	f.at("compute")
	return privagg.Deal(c, encoded, seats, rand.Reader, Parallel)
}

// approval reads the owner's signed copy of what the ledger counts as approved, and
// holds the study against it.
func (f *follower) approval(ctx context.Context, st ledger.Study, plan croft.Study) (croft.Approval, error) {
	raw, err := f.Docs.Get(ApprovalKind, f.approvalName(answerOf(st, f.Self).Tx))
	if errors.Is(err, store.ErrAbsent) {
		return croft.Approval{}, croft.E(croft.ErrNotApproved, "the owner", plan.Name)
	} else if err != nil {
		return croft.Approval{}, err
	}
	owner, _, err := get[croft.Member](ctx, f.Node, ledger.MemberKey(f.Self))
	if err != nil {
		return croft.Approval{}, err
	}
	a, err := ledger.OpenApproval(f.Scope, owner, raw)
	if err != nil {
		return a, croft.E(croft.ErrNotApproved, "the owner", plan.Name)
	}
	return a, consent(a, st, plan, time.Now().Unix())
}

// consent says whether an approval covers a study as it stands on the ledger, at
// a time in Unix seconds. Every field is compared: one that differs refuses.
func consent(a croft.Approval, st ledger.Study, plan croft.Study, now int64) error {
	differs := func(what string) error { return croft.E(croft.ErrDiffers, what) }
	switch {
	case a.Study != st.ID:
		return differs("the study")
	case a.Plan != plan.PlanHash():
		return differs("the plan")
	case !slices.Equal(a.Seats, st.Seats):
		return differs("the seats")
	case a.Threshold != st.Threshold:
		return differs("the number of seats that must collude to learn anything")
	case !slices.Equal(a.Readers, plan.Readers):
		return differs("the readers")
	case a.Purpose != plan.Purpose:
		return differs("the purpose")
	case a.LegalBasis != plan.LegalBasis:
		return differs("the legal basis")
	case a.Engine != croft.EngineVersion:
		return croft.E(croft.ErrEngine, a.Engine, croft.EngineVersion)
	case a.Engine != plan.Engine:
		return differs("the plan engine")
	case now >= a.Expires || now >= plan.Expires:
		return croft.E(croft.ErrExpired, plan.Name, day(min(a.Expires, plan.Expires)))
	case st.Round >= a.Releases:
		return croft.E(croft.ErrPolicy, fmt.Sprintf("the approval covers %d rounds", a.Releases))
	}
	return nil
}

// rows is a site's data under a study's schema.
type rows struct {
	dataset     croft.DatasetID
	train, test fed.Rows
	people      []counted // and values: what the sums are over
}

// len counts the rows, held-out ones included.
func (r *rows) len() int { return len(r.train.X) + len(r.test.X) }

// readRows reads the dataset once a run, checks that it is the registered version
// and that the site's disclosure rules allow it.
func (f *follower) readRows(ctx context.Context, plan croft.Study, entry data.Entry) (*rows, error) {
	if f.rows != nil && f.rows.dataset == entry.ID {
		return f.rows, nil
	}
	registered, known, err := get[croft.Dataset](ctx, f.Node, ledger.DatasetKey(entry.ID))
	if err != nil {
		return nil, err
	}
	if !known || registered.Group != entry.Group {
		return nil, croft.E(croft.ErrDiffers, "the dataset on the ledger")
	}
	t, commitment, err := f.Data.Open(ctx, entry.ID, plan.Schema)
	if err != nil {
		return nil, err
	}
	if commitment != registered.Commitment {
		return nil, croft.E(croft.ErrDataChanged, registered.Name)
	}
	site, err := Rows(t, plan)
	if err != nil {
		return nil, err
	}
	warnings, err := Disclose(t, plan, site, entry.Policy)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		f.say(Event{Word: "warn", Text: w})
	}
	if site, _, err = withhold(t, plan, site, entry.Policy); err != nil {
		return nil, err
	}
	people, err := f.countedIn(t, plan, entry.Policy)
	if err != nil {
		return nil, err
	}
	if err := f.relearn(ctx, entry); err != nil {
		return nil, err
	}
	if err := f.distinct(entry, people); err != nil {
		return nil, err
	}
	site.Train.Tally = entry.Policy.Coarse(site.Train.Tally)
	f.rows = &rows{entry.ID, site.Train, site.Test, people}
	if fed.OneClass(site.Train.Y) && plan.Model.Family == "logistic" && plan.Model.Intercepts == croft.SiteIntercepts {
		f.say(Event{Word: "warn", Text: "all rows here have the same label: they add nothing to the coefficients"})
	}
	return f.rows, nil
}

// account counts a release and the people in it, after one more look at both:
// another study may have come in between.
func (f *follower) account(ctx context.Context, entry data.Entry, rows *rows, round uint32) error {
	f.accounts.Lock()
	defer f.accounts.Unlock()
	if err := f.distinct(entry, rows.people); err != nil {
		return err
	}
	if err := f.spend(ctx, entry, round); err != nil {
		return err
	}
	return f.remember(entry, rows.people)
}

// release is one sum that a record group was in.
type release struct {
	Study croft.StudyID `cbor:"1,keyasint"`
	Round uint32        `cbor:"2,keyasint"`
}

// spend counts a release of the record group in this site's own file, and obeys
// that or the ledger's count, whichever is higher: neither a restored folder nor a
// forked ledger brings a budget back.
func (f *follower) spend(ctx context.Context, entry data.Entry, round uint32) error {
	spent, err := f.spent(entry)
	if err != nil {
		return err
	}
	this := release{f.id, round}
	if slices.Contains(spent, this) {
		return nil
	}
	group, _, err := get[ledger.Group](ctx, f.Node, ledger.GroupKey(entry.Group))
	if err != nil {
		return err
	}
	if max(uint32(len(spent)), group.Used) >= entry.Releases {
		return croft.E(croft.ErrPolicy, fmt.Sprintf("the owner allowed %d sums over these people, all are used", entry.Releases))
	}
	return f.Docs.Put(spentKind, entry.Group.String(), croft.Encode(append(spent, this)))
}

// spent returns the releases that this site's file has of a record group.
func (f *follower) spent(entry data.Entry) (spent []release, err error) {
	spent, err = doc[[]release](f.Node, spentKind, entry.Group.String())
	if errors.Is(err, store.ErrAbsent) {
		return nil, nil
	}
	return spent, err
}

// compile makes the plan that a study runs.
func compile(plan croft.Study) (*fed.Plan, error) {
	if err := Validate(plan); err != nil { // the ledger checks less: what concerns all, not what a plan means
		return nil, err
	}
	return fed.Compile(plan.Model, table.ColumnsOf(plan), plan.PerSiteMetrics)
}
