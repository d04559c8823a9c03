package ledger

import (
	"slices"

	"croft"
)

// A study is proposed, answered by its sites, opened when enough of them agree,
// and then runs round by round until it is done or stopped. Nothing about time is
// decided in the block of a transaction, which does not know its own time: the
// study is put on the due list and decide looks at it at the head of the next.
//
// Keys: study/ID → Study · plan/ID → croft.Study · study-at/N → StudyID ·
// key/STUDY/MEMBER → study key · answered/TX → true · open/MEMBER → number ·
// due → list · model/STUDY → Model

// Status is where a study stands.
type Status uint8

// The statuses.
const (
	Proposed Status = iota + 1 // waits for answers
	Running                    // a round is open
	Paused                     // patience has passed; Missing names whom it waits for
	Done                       // the model is on the ledger
	Stopped                    // ended without a model; Reason says why
)

// String returns the word on screens.
func (s Status) String() string {
	words := [...]string{"unknown", "proposed", "running", "paused", "done", "stopped"}
	return words[min(int(s), len(words)-1)%len(words)]
}

// Ended says whether nothing of the study changes any more.
func (s Status) Ended() bool { return s == Done || s == Stopped }

// Study is a study's record. Its plan lies beside it, since it never changes.
type Study struct {
	ID        croft.StudyID     `cbor:"1,keyasint"`
	Proposer  croft.MemberID    `cbor:"2,keyasint"`
	Plan      croft.Hash        `cbor:"3,keyasint"`
	Status    Status            `cbor:"4,keyasint"`
	Reason    string            `cbor:"5,keyasint,omitempty"`  // of a closed list: see stop
	Seats     []croft.MemberID  `cbor:"6,keyasint"`            // the committee, in order
	Threshold uint8             `cbor:"7,keyasint"`            // t
	Quorum    uint8             `cbor:"8,keyasint"`            // q
	Enrolled  []croft.MemberID  `cbor:"9,keyasint,omitempty"`  // whose study key is here, sorted
	Answers   []Answer          `cbor:"10,keyasint,omitempty"` // one a site, sorted
	Cohort    []croft.MemberID  `cbor:"11,keyasint,omitempty"` // sorted; fixed when the first round freezes
	Round     uint32            `cbor:"12,keyasint,omitempty"` // the open one, or the last
	News      int64             `cbor:"13,keyasint,omitempty"` // ms: when something last arrived
	Missing   []croft.MemberID  `cbor:"14,keyasint,omitempty"` // for whom it is paused, sites or seats; on whose account it stopped
	Proposers []croft.PublicKey `cbor:"15,keyasint,omitempty"` // of blocks since patience passed
}

// Answer is what a site said.
type Answer struct {
	Site     croft.MemberID  `cbor:"1,keyasint"`
	Approved bool            `cbor:"2,keyasint,omitempty"`
	Pending  bool            `cbor:"3,keyasint,omitempty"` // approved, its time not yet known
	Refusal  croft.Refusal   `cbor:"4,keyasint,omitempty"`
	Dataset  croft.DatasetID `cbor:"5,keyasint,omitempty"`
	Releases uint32          `cbor:"6,keyasint,omitempty"`
	Expires  int64           `cbor:"7,keyasint,omitempty"`
	Tx       croft.Hash      `cbor:"8,keyasint,omitempty"` // the signed approval
	Rows     uint32          `cbor:"9,keyasint,omitempty"` // at most so many has the site
}

// Model is what a finished study leaves: hashes, never numbers.
type Model struct {
	Study     croft.StudyID    `cbor:"1,keyasint"`
	Plan      croft.Hash       `cbor:"2,keyasint"`
	State     croft.Hash       `cbor:"3,keyasint"` // the plan's last state; the model is read from it
	Rounds    uint32           `cbor:"4,keyasint"`
	Cohort    []croft.MemberID `cbor:"5,keyasint"`
	Use       croft.Use        `cbor:"6,keyasint"`
	Unchecked bool             `cbor:"7,keyasint,omitempty"` // t+1 shares were enough to open its sums
}

// The transactions of this file.
type (
	// Propose puts a study on the ledger; its id is the hash of the transaction.
	Propose struct {
		Plan croft.Study `cbor:"1,keyasint"`
	}
	// Enrol gives the study key of a seat, a site or a reader: an HPKE public key
	// for this study only, to which boxes and sums are sealed. A seat also brings the
	// end of its hash chain.
	Enrol struct {
		Study  croft.StudyID `cbor:"1,keyasint"`
		Key    []byte        `cbor:"2,keyasint"`
		Anchor croft.Hash    `cbor:"3,keyasint,omitzero"`
	}
	// Decline is a person's no.
	Decline struct {
		Study  croft.StudyID `cbor:"1,keyasint"`
		Reason croft.Refusal `cbor:"2,keyasint"`
	}
	// Withdraw takes a site out of a study: no further round of it.
	Withdraw struct {
		Study croft.StudyID `cbor:"1,keyasint"`
	}
	// Stop is a node's no: what it was asked differs from what its owner approved.
	Stop struct {
		Study  croft.StudyID `cbor:"1,keyasint"`
		Reason croft.Refusal `cbor:"2,keyasint"`
	}
	// Tick asks the ledger to look at a study's deadlines. It has no content and
	// moves nothing by itself.
	Tick struct {
		Study croft.StudyID `cbor:"1,keyasint"`
	}
)

// StudyKey, PlanKey, StudyAtKey, EnrolKey, ModelKey name the records.
func StudyKey(id croft.StudyID) string { return "study/" + id.String() }

// PlanKey holds the croft.Study.
func PlanKey(id croft.StudyID) string { return "plan/" + id.String() }

// EnrolKey holds a member's study key.
func EnrolKey(id croft.StudyID, m croft.MemberID) string {
	return "key/" + id.String() + "/" + m.String()
}

// ModelKey holds a finished study's Model.
func ModelKey(id croft.StudyID) string { return "model/" + id.String() }

// StudyAtKey holds the id of the n-th study, counted from 0.
func StudyAtKey(n uint32) string { return "study-at/" + number(n) }

func (s *State) study(id croft.StudyID) (Study, croft.Study, error) {
	st, known := read[Study](s, StudyKey(id))
	if !known {
		return st, croft.Study{}, croft.E(croft.ErrTxUnknown, "study", id.Short())
	}
	plan, _ := read[croft.Study](s, PlanKey(id))
	return st, plan, nil
}

// OpenApproval decodes a signed approval and checks that owner signed it in the
// scope.
func OpenApproval(scope croft.Scope, owner croft.Member, raw []byte) (croft.Approval, error) {
	tx, _, signed, err := parse(raw)
	if err != nil {
		return croft.Approval{}, err
	}
	approval, ok := tx.Body.(*croft.Approval)
	if !ok || tx.Member != owner.ID || !scope.Verify(owner.Key, domain, signed.Payload, signed.Signature) {
		return croft.Approval{}, croft.E(croft.ErrTxSignature)
	}
	return *approval, nil
}

func (s *State) put(st Study) { write(s, StudyKey(st.ID), st) }

func (s *State) propose(tx Tx, p *Propose) error {
	id, plan := croft.StudyID(tx.ID), p.Plan
	if _, known := read[Study](s, StudyKey(id)); known {
		return nil
	}
	for _, list := range [][]croft.MemberID{plan.Sites, plan.Required, plan.Readers} {
		for i, m := range list {
			if member, known := s.member(m); !known || member.Revoked || has(list[:i], m) {
				return croft.E(croft.ErrTxStudy, "a site or reader is not a member, or stands twice")
			}
		}
	}
	for _, m := range plan.Required {
		if !has(plan.Sites, m) {
			return croft.E(croft.ErrTxStudy, "a required site is not among the sites")
		}
	}
	for _, m := range plan.Sites {
		if !has(plan.Readers, m) {
			return croft.E(croft.ErrTxStudy, "every site reads the sums, since its next report is computed from them: add \"sites\" to readers")
		}
	}
	switch {
	case plan.Version != 1:
		return croft.E(croft.ErrTxStudy, "its version is unknown")
	case plan.MinSites < MinSites || int(plan.MinSites) > len(plan.Sites) || len(plan.Sites) > 32:
		return croft.E(croft.ErrTxStudy, "min_sites must be at least 3 and at most the number of sites, which is at most 32")
	case plan.Patience == 0 || plan.Patience > maxPatience || plan.Expires <= 0 || plan.Expires > maxTime:
		return croft.E(croft.ErrTxStudy, "patience and expiry must be set, patience to at most 30 days")
	case len(plan.Readers) > 64:
		return croft.E(croft.ErrTxStudy, "it has more than 64 readers")
	case s.openStudies(tx.Member) >= maxOpen:
		return croft.E(croft.ErrTxStudy, "its proposer has 8 studies that have not ended; one of them must end first")
	case plan.Name == "" || len(plan.Name) > 64 || len(plan.Model.Features) == 0:
		return croft.E(croft.ErrTxStudy, "it needs a name of at most 64 bytes and features")
	}
	seats := s.committee(id)
	t, q, err := profile(plan, len(seats))
	if err != nil {
		return croft.E(croft.ErrTxStudy, "it needs 3 to 9 members that are seats; light members and guests are none")
	}
	// The ledger moves on when t+1 seats agree on a sum, so t+1 seats must read it.
	readers := 0
	for _, m := range seats {
		if has(plan.Readers, m) {
			readers++
		}
	}
	if readers <= t {
		return croft.E(croft.ErrTxStudy, "too few of the seats may read the sums: add \"seats\" to readers")
	}

	write(s, PlanKey(id), plan)
	s.put(Study{ID: id, Proposer: tx.Member, Plan: plan.PlanHash(), Status: Proposed,
		Seats: seats, Threshold: uint8(t), Quorum: uint8(q)})
	write(s, OpenKey(tx.Member), s.openStudies(tx.Member)+1)
	n := s.network()
	write(s, StudyAtKey(n.Studies), id)
	n.Studies++
	write(s, NetworkKey, n)
	s.due(id, true)
	return nil
}

// What one member may make everybody do: each study that has not ended is a key, a
// record and some work at every node with a part in it.
const (
	maxOpen     = 8
	maxPatience = 30 * 24 * 3600 // seconds
	maxTime     = 1 << 40        // Unix seconds
)

// openStudies counts a proposer's studies that have not ended.
func (s *State) openStudies(proposer croft.MemberID) int {
	n, _ := read[int](s, OpenKey(proposer))
	return n
}

// OpenKey holds how many of a proposer's studies have not ended.
func OpenKey(m croft.MemberID) string { return "open/" + m.String() }

// MinSites is the protocol's floor: a sum over fewer sites is never opened.
const MinSites = 3

func (s *State) enrol(member croft.MemberID, e *Enrol) error {
	st, plan, err := s.study(e.Study)
	if err != nil {
		return err
	}
	if !has(st.Seats, member) && !has(plan.Sites, member) && !has(plan.Readers, member) {
		return croft.E(croft.ErrTxRights, member.Short(), "it is neither seat nor site nor reader of the study")
	}
	if len(e.Key) != 1216 { // MLKEM768-X25519
		return croft.E(croft.ErrTxStudy, "a study key has 1216 bytes")
	}
	if proves := !plan.Unproved && has(st.Seats, member); proves == e.Anchor.IsZero() {
		return croft.E(croft.ErrTxStudy, "the end of a hash chain is what a seat brings, and only where reports have proofs")
	}
	if has(st.Enrolled, member) {
		anchor, _ := read[croft.Hash](s, anchorKey(e.Study, member))
		if old, _ := read[[]byte](s, EnrolKey(e.Study, member)); slices.Equal(old, e.Key) && anchor == e.Anchor {
			return nil
		}
		return croft.E(croft.ErrTxDuplicate, "a study key of this member")
	}
	if st.Status != Proposed {
		return croft.E(croft.ErrTxOrder, "the study has opened or ended")
	}
	write(s, EnrolKey(e.Study, member), e.Key)
	if !e.Anchor.IsZero() {
		write(s, anchorKey(e.Study, member), e.Anchor)
	}
	st.Enrolled = insert(st.Enrolled, member)
	s.put(st)
	s.due(st.ID, true)
	return nil
}

// once says whether a person's or a node's answer is here for the first time: an old
// yes that somebody sends again after a no, or the reverse, changes nothing.
func (s *State) once(tx Tx) bool {
	key := answeredKey(tx.ID)
	if _, seen := read[bool](s, key); seen {
		return false
	}
	write(s, key, true)
	return true
}

func answeredKey(tx croft.Hash) string { return "answered/" + tx.String() }

func (s *State) approve(tx Tx, a *croft.Approval) error {
	site := tx.Member
	st, plan, err := s.study(a.Study)
	if err != nil {
		return err
	}
	dataset, known := read[croft.Dataset](s, DatasetKey(a.Dataset))
	switch {
	case !has(plan.Sites, site):
		return croft.E(croft.ErrTxRights, site.Short(), "it is not a site of the study")
	case st.Status != Proposed:
		return croft.E(croft.ErrTxOrder, "the study has opened or ended")
	case !known || dataset.Owner != site:
		return croft.E(croft.ErrTxUnknown, "dataset of this member", a.Dataset.Short())
	case a.Plan != st.Plan || !slices.Equal(a.Seats, st.Seats) || a.Threshold != st.Threshold ||
		!slices.Equal(a.Readers, plan.Readers) || a.Engine != plan.Engine ||
		a.Purpose != plan.Purpose || a.LegalBasis != plan.LegalBasis:
		return croft.E(croft.ErrTxStudy, "the approval is for something else than was proposed")
	case a.Rows > maxRows || a.Rows == 0 && !plan.Unproved:
		return croft.E(croft.ErrTxStudy, "the approval must bound the site's rows, on which the proofs of its reports rest")
	}
	if s.once(tx) {
		s.answer(&st, Answer{Site: site, Pending: true, Dataset: a.Dataset, Releases: a.Releases, Expires: a.Expires, Tx: tx.ID, Rows: a.Rows})
	}
	return nil
}

// refuse records a site's no. Before the study opens it is an answer; after, it
// stops the study if the site is in it, since a cohort never shrinks. What the
// site brought stays in its answer: sums that it was in stay on its account.
func (s *State) refuse(tx Tx, id croft.StudyID, reason croft.Refusal) error {
	site := tx.Member
	st, plan, err := s.study(id)
	if err != nil {
		return err
	}
	if reason < croft.RefusedPolicy || reason > croft.RefusedUnavailable {
		return croft.E(croft.ErrTxStudy, "a refusal is one of five words")
	}
	if !has(plan.Sites, site) {
		return croft.E(croft.ErrTxRights, site.Short(), "it is not a site of the study")
	}
	if st.Status.Ended() || st.Status != Proposed && !s.takesPart(st, site) || !s.once(tx) {
		return nil
	}
	no := Answer{Site: site}
	for _, a := range st.Answers {
		if a.Site == site {
			no = a
		}
	}
	no.Approved, no.Pending, no.Refusal, no.Tx = false, false, reason, tx.ID
	if st.Status == Proposed {
		s.answer(&st, no)
		return nil
	}
	s.note(&st, no)
	s.stop(&st, reason.String())
	return nil
}

// leave is what a revocation means for the studies that have not ended: who is no
// member sends nothing more. A proposal goes on without it as without a site that
// said no. A study that runs ends if it is one of its sites, since a cohort never
// shrinks; any study ends that cannot reach a quorum of seats any more.
func (s *State) leave(gone croft.MemberID) {
	for i := range s.network().Studies {
		id, _ := read[croft.StudyID](s, StudyAtKey(i))
		st, plan, err := s.study(id)
		if err != nil || st.Status.Ended() {
			continue
		}
		switch {
		case !s.possible(st, plan), has(plan.Required, gone), st.Status != Proposed && s.takesPart(st, gone):
			s.stop(&st, revoked, gone)
		case st.Status == Proposed && has(plan.Sites, gone):
			s.answer(&st, Answer{Site: gone, Refusal: croft.RefusedUnavailable})
		}
	}
}

// revoked is the reason of a study that ended because the network revoked a member
// without whom it cannot go on.
const revoked = "revoked"

// possible says whether those who are members still are enough for a round of the
// study: sites; and seats that have, or before it opens may yet have, a key for it:
// q that hold shares, of whom more than t read.
func (s *State) possible(st Study, plan croft.Study) bool {
	sites, seats, readers := 0, 0, 0
	for _, id := range plan.Sites {
		if m, _ := s.member(id); !m.Revoked {
			sites++
		}
	}
	for _, id := range st.Seats {
		if m, _ := s.member(id); m.Revoked || st.Status != Proposed && !has(st.Enrolled, id) {
			continue
		}
		if seats++; has(plan.Readers, id) {
			readers++
		}
	}
	return sites >= int(plan.MinSites) && seats >= int(st.Quorum) && readers > int(st.Threshold)
}

// takesPart says whether a site is in an opened study: in its cohort or, before
// that is fixed, among the sites of the first round.
func (s *State) takesPart(st Study, site croft.MemberID) bool {
	if len(st.Cohort) > 0 {
		return has(st.Cohort, site)
	}
	r, _ := read[Round](s, RoundKey(st.ID, 0))
	return has(r.Sites, site)
}

// answer notes what a site says of a proposal. Its first word is news; a changed
// mind is not, or one site could keep the others waiting.
func (s *State) answer(st *Study, a Answer) {
	spoken := slices.ContainsFunc(st.Answers, func(old Answer) bool { return old.Site == a.Site })
	s.note(st, a)
	s.put(*st)
	s.due(st.ID, !spoken)
}

// note replaces the site's answer, keeping the list sorted.
func (s *State) note(st *Study, a Answer) {
	at, found := slices.BinarySearchFunc(st.Answers, a, func(x, y Answer) int { return x.Site.Compare(y.Site) })
	st.Answers = slices.Clone(st.Answers)
	if found {
		st.Answers[at] = a
	} else {
		st.Answers = slices.Insert(st.Answers, at, a)
	}
}

// stop ends a study without a model. The reasons are a closed list: the five
// refusals, "budget", "cohort", "rounds", "revoked", "rescued", or the code of a plan
// that cannot go on.
func (s *State) stop(st *Study, reason string, missing ...croft.MemberID) {
	st.Status, st.Reason, st.Missing = Stopped, reason, missing
	s.put(*st)
	s.settled(st)
}

func (s *State) tick(t *Tick) error {
	st, _, err := s.study(t.Study)
	if err != nil {
		return err
	}
	if st.Status.Ended() {
		return nil
	}
	s.due(st.ID, false)
	return nil
}

// dueItem is a study to look at when the next block's time is known.
type dueItem struct {
	Study croft.StudyID `cbor:"1,keyasint"`
	News  bool          `cbor:"2,keyasint,omitempty"` // something arrived: its time becomes the study's
}

// dueKey holds the list. It is usually empty: an idle chain stays idle.
const dueKey = "due"

func (s *State) due(id croft.StudyID, news bool) {
	list, _ := read[[]dueItem](s, dueKey)
	for i := range list {
		if list[i].Study == id {
			list[i].News = list[i].News || news
			write(s, dueKey, list)
			return
		}
	}
	write(s, dueKey, append(list, dueItem{id, news}))
}

// settled takes an ended study off its proposer's count and off the list: after its
// last transaction the chain makes one block that proves it, and then none.
func (s *State) settled(st *Study) {
	id := st.ID
	write(s, OpenKey(st.Proposer), s.openStudies(st.Proposer)-1)
	list, _ := read[[]dueItem](s, dueKey)
	if kept := slices.DeleteFunc(slices.Clone(list), func(d dueItem) bool { return d.Study == id }); len(kept) < len(list) {
		write(s, dueKey, kept)
	}
}

// head answers, at the head of a block, what the block before could not know.
func head(s *State, b Block) {
	if s.network().Stopped {
		return // the lists wait
	}
	s.receive(b)
	s.clear(b)
	if b.Height == 1 && len(s.network().Before) > 0 {
		s.restart() // its time is that of the last block before; the next one's is of now
	}
	list, _ := read[[]dueItem](s, dueKey)
	if len(list) == 0 {
		return
	}
	write(s, dueKey, []dueItem{})
	for _, item := range list {
		s.decide(item, b)
	}
}

// decide is every rule about time, in one place.
func (s *State) decide(item dueItem, b Block) {
	st, plan, err := s.study(item.Study)
	if err != nil || st.Status.Ended() {
		return
	}
	if plan.Expires*1000 <= b.Time {
		s.stop(&st, croft.RefusedExpired.String())
		return
	}
	if item.News {
		st.News, st.Proposers = b.Time, nil
	}
	for i, a := range st.Answers {
		if (a.Approved || a.Pending) && a.Expires*1000 <= b.Time {
			st.Answers[i].Approved, st.Answers[i].Pending, st.Answers[i].Refusal = false, false, croft.RefusedExpired
			if st.Status != Proposed && s.takesPart(st, a.Site) {
				s.stop(&st, croft.RefusedExpired.String())
				return
			}
		} else if a.Pending {
			st.Answers[i].Pending, st.Answers[i].Approved = false, true
		}
	}
	patient := b.Time-st.News < int64(plan.Patience)*1000 // still within patience
	if !patient && st.Status != Proposed && !s.heard(&st, b) {
		s.put(st)
		s.due(st.ID, false) // the next block, by another proposer, looks again
		return
	}
	switch st.Status {
	case Proposed:
		s.tryOpen(&st, plan, patient)
	case Running, Paused:
		s.late(&st, plan, b, patient)
	}
	s.put(st)
}

// heard says whether f+1 different proposers have made a block since patience
// passed: no single one can starve a report by leaving it out of its own blocks. The
// block at whose head it is asked is not one of them yet: what it brings counts still.
func (s *State) heard(st *Study, b Block) bool {
	if len(st.Proposers) > s.faulty() {
		return true
	}
	if !has(st.Proposers, b.Proposer) {
		st.Proposers = append(slices.Clone(st.Proposers), b.Proposer)
	}
	return false
}

// tryOpen is the guard proposed → running: the required sites and at least
// min_sites agreed, q seats can receive boxes, and either everybody has answered
// or patience has passed.
func (s *State) tryOpen(st *Study, plan croft.Study, patient bool) {
	var sites []croft.MemberID
	for _, a := range st.Answers {
		if a.Approved && has(st.Enrolled, a.Site) {
			sites = append(sites, a.Site)
		}
	}
	all := len(st.Answers) == len(plan.Sites)
	for _, a := range st.Answers {
		all = all && (!a.Approved || has(sites, a.Site))
	}
	seats, readers := 0, 0 // that can receive boxes; of them that can agree on a sum
	for _, m := range st.Seats {
		if member, _ := s.member(m); has(st.Enrolled, m) && !member.Revoked {
			if seats++; has(plan.Readers, m) {
				readers++
			}
		}
	}
	for _, m := range plan.Readers {
		all = all && has(st.Enrolled, m)
	}
	for _, m := range plan.Required {
		if !has(sites, m) {
			return
		}
	}
	if len(sites) < int(plan.MinSites) || seats < int(st.Quorum) || readers <= int(st.Threshold) || patient && !(all && seats == len(st.Seats)) {
		return
	}
	st.Status = Running
	s.openRound(st, 0, SeatResult{})
}
