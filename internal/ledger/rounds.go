package ledger

import (
	"slices"
	"strconv"

	"croft"
)

// A round moves report → freeze → sum → commit. No transaction carries a phase:
// each brings one fact, and the phase moves in the same block when its guard
// holds. One (study, step) opens at most one sum: the accepted set is computed
// once, at freeze, and never again.
//
// How the proofs of reports come in is in proofs.go.
//
// Keys: round/STUDY/N → Round · evidence/STUDY/N/SEAT → Evidence

// Round is the record of one round.
type Round struct {
	Study    croft.StudyID    `cbor:"1,keyasint"`
	Number   uint32           `cbor:"2,keyasint"`
	Phase    croft.Phase      `cbor:"3,keyasint"`
	Length   uint32           `cbor:"15,keyasint,omitempty"` // elements of the vector, agreed with the parent; 0 in round 0
	Parent   croft.Hash       `cbor:"4,keyasint"`            // the plan's state that sites compute on; zero: its start
	Sites    []croft.MemberID `cbor:"5,keyasint"`            // expected: the approved sites, from round 1 on the cohort
	Reports  []Accepted       `cbor:"6,keyasint,omitempty"`  // sorted by site
	Accepted []croft.MemberID `cbor:"7,keyasint,omitempty"`  // fixed at freeze
	Shares   []SeatShare      `cbor:"8,keyasint,omitempty"`  // in order of arrival
	Results  []SeatResult     `cbor:"9,keyasint,omitempty"`
	Recovers []Recovered      `cbor:"10,keyasint,omitempty"`
	// Of the commit:
	Sum       croft.Hash       `cbor:"11,keyasint,omitempty"`
	Next      croft.Hash       `cbor:"12,keyasint,omitempty"`
	Liars     []croft.MemberID `cbor:"13,keyasint,omitempty"` // seats that t+1 seats named
	Unchecked bool             `cbor:"14,keyasint,omitempty"` // t+1 shares were enough to open it: a lying seat may not have been seen
	// Of the proofs:
	Bounds  []uint32         `cbor:"16,keyasint,omitempty"` // of the cohort's vectors, agreed with the parent; none in round 0
	Closed  []croft.MemberID `cbor:"17,keyasint,omitempty"` // in round 0: with whom it goes on, patience having passed
	Links   []Link           `cbor:"18,keyasint,omitempty"` // that seats showed, in the seats' order
	Key     croft.Hash       `cbor:"19,keyasint,omitzero"`  // made of q links at freeze: where proofs are asked
	Rejects []SeatReject     `cbor:"20,keyasint,omitempty"`
}

// Accepted is a report with the seats that hold it durably.
type Accepted struct {
	Site   croft.MemberID   `cbor:"1,keyasint"`
	Header croft.Header     `cbor:"2,keyasint"`
	Acks   []croft.MemberID `cbor:"3,keyasint,omitempty"` // sorted
	Cost   croft.Cost       `cbor:"4,keyasint,omitempty"`
	Nays   []croft.MemberID `cbor:"5,keyasint,omitempty"` // seats that have it and cannot use it, sorted
}

// SeatShare names the blob with a seat's share of the sum, sealed to each reader.
type SeatShare struct {
	Seat croft.MemberID `cbor:"1,keyasint"`
	Blob croft.Hash     `cbor:"2,keyasint"`
	Cost croft.Cost     `cbor:"3,keyasint,omitempty"`
	// Seats whose answers about the proofs were located as wrong, sorted.
	Bad []croft.MemberID `cbor:"4,keyasint,omitempty"`
}

// SeatResult is what a seat that reads the sum computed from it.
type SeatResult struct {
	Seat   croft.MemberID   `cbor:"1,keyasint"`
	Sum    croft.Hash       `cbor:"2,keyasint"`
	Next   croft.Hash       `cbor:"3,keyasint"` // the plan's next state
	Done   bool             `cbor:"4,keyasint,omitempty"`
	Bad    []croft.MemberID `cbor:"5,keyasint,omitempty"` // seats whose share was located as wrong, sorted
	Cost   croft.Cost       `cbor:"6,keyasint,omitempty"`
	Length uint32           `cbor:"8,keyasint,omitempty"` // elements of the next round's vector
	Fail   croft.Code       `cbor:"7,keyasint,omitempty"` // the plan cannot go on from this sum: the study ends
	Bounds []uint32         `cbor:"9,keyasint,omitempty"` // of the cohort's next vectors, in its order
}

// Recovered says that a seat asked the others for its seeds of a site's report.
type Recovered struct {
	Seat croft.MemberID `cbor:"1,keyasint"`
	Site croft.MemberID `cbor:"2,keyasint"`
}

// Evidence says that t+1 seats located a wrong share, or wrong answers about proofs.
type Evidence struct {
	Study croft.StudyID  `cbor:"1,keyasint"`
	Round uint32         `cbor:"2,keyasint"`
	Seat  croft.MemberID `cbor:"3,keyasint"`
	Share croft.Hash     `cbor:"4,keyasint"` // the blob that it published, zero if none
}

// The transactions of this file, each of a node.
type (
	// Report announces a site's report: first one counts.
	Report struct {
		Study  croft.StudyID `cbor:"1,keyasint"`
		Round  uint32        `cbor:"2,keyasint"`
		Header croft.Header  `cbor:"3,keyasint"`
		Cost   croft.Cost    `cbor:"4,keyasint,omitempty"`
	}
	// Ack says that a seat holds these sites' reports durably: blob, opened box,
	// seeds that equal their commitments. If it then holds all that are expected, it
	// also shows the round's link of its chain.
	Ack struct {
		Study croft.StudyID    `cbor:"1,keyasint"`
		Round uint32           `cbor:"2,keyasint"`
		Sites []croft.MemberID `cbor:"3,keyasint"`
		Link  croft.Hash       `cbor:"4,keyasint,omitzero"`
		// Sites whose reports it has and cannot use: they do not fit the round, or one another.
		Nays []croft.MemberID `cbor:"5,keyasint,omitempty"`
	}
	// Share publishes a seat's share of the sum of the accepted reports.
	Share struct {
		Study croft.StudyID `cbor:"1,keyasint"`
		Round uint32        `cbor:"2,keyasint"`
		Blob  croft.Hash    `cbor:"3,keyasint"`
		Cost  croft.Cost    `cbor:"4,keyasint,omitempty"`
		// Seats whose answers about the proofs were located as wrong, sorted.
		Bad []croft.MemberID `cbor:"5,keyasint,omitempty"`
	}
	// Result is a seat's result of the round.
	Result struct {
		Study  croft.StudyID    `cbor:"1,keyasint"`
		Round  uint32           `cbor:"2,keyasint"`
		Sum    croft.Hash       `cbor:"3,keyasint"`
		Next   croft.Hash       `cbor:"4,keyasint"`
		Done   bool             `cbor:"5,keyasint,omitempty"`
		Bad    []croft.MemberID `cbor:"6,keyasint,omitempty"`
		Cost   croft.Cost       `cbor:"7,keyasint,omitempty"`
		Fail   croft.Code       `cbor:"8,keyasint,omitempty"`
		Length uint32           `cbor:"9,keyasint,omitempty"`
		Bounds []uint32         `cbor:"10,keyasint,omitempty"`
	}
	// Recover is the fact that lets other seats answer a request for seeds.
	Recover struct {
		Study croft.StudyID  `cbor:"1,keyasint"`
		Round uint32         `cbor:"2,keyasint"`
		Site  croft.MemberID `cbor:"3,keyasint"`
	}
)

// RoundKey names a round's record.
func RoundKey(id croft.StudyID, n uint32) string { return "round/" + id.String() + "/" + number(n) }

// EvidenceKey names the evidence against a seat.
func EvidenceKey(id croft.StudyID, n uint32, seat croft.MemberID) string {
	return "evidence/" + id.String() + "/" + number(n) + "/" + seat.String()
}

// number keeps keys in the order of their numbers.
func number(n uint32) string {
	digits := strconv.FormatUint(uint64(n), 10)
	return "0000000000"[len(digits):] + digits
}

// Report returns the site's report.
func (r Round) Report(site croft.MemberID) (Accepted, bool) {
	at, found := slices.BinarySearchFunc(r.Reports, site, func(a Accepted, s croft.MemberID) int { return a.Site.Compare(s) })
	if !found {
		return Accepted{}, false
	}
	return r.Reports[at], true
}

// openRound opens round n on what the seats agreed in the one before.
func (s *State) openRound(st *Study, n uint32, agreed SeatResult) {
	r := Round{Study: st.ID, Number: n, Phase: croft.PhaseReport, Parent: agreed.Next, Length: agreed.Length, Bounds: agreed.Bounds, Sites: st.Cohort}
	if n == 0 {
		for _, a := range st.Answers {
			if a.Approved && has(st.Enrolled, a.Site) {
				r.Sites = append(r.Sites, a.Site)
			}
		}
	}
	switch {
	case n > maxRounds:
		s.stop(st, "rounds")
	case s.affordable(*st, r) != nil:
		s.stop(st, "budget")
	default:
		st.Round = n
		write(s, RoundKey(st.ID, n), r)
		s.put(*st)
		s.due(st.ID, true)
	}
}

// maxRounds bounds a study whatever its plan says.
const maxRounds = 200

// affordable says whether every expected site may release once more: by its
// group's budget, and by what it approved.
func (s *State) affordable(st Study, r Round) error {
	for _, a := range st.Answers {
		if has(r.Sites, a.Site) && r.Number >= a.Releases {
			return croft.E(croft.ErrTxBudget, a.Releases, r.Number)
		}
	}
	return s.chargeable(s.groups(st, r.Sites))
}

// groups returns the record groups that the sites brought, sorted, each once.
func (s *State) groups(st Study, sites []croft.MemberID) []croft.Hash {
	var out []croft.Hash
	for _, a := range st.Answers {
		if has(sites, a.Site) {
			d, _ := read[croft.Dataset](s, DatasetKey(a.Dataset))
			out = append(out, d.Group)
		}
	}
	slices.SortFunc(out, croft.Hash.Compare)
	return slices.Compact(out)
}

// round returns the study and the round that a transaction speaks of. moot is true
// when the round is over already: the transaction then holds and changes nothing.
func (s *State) round(id croft.StudyID, n uint32) (st Study, plan croft.Study, r Round, moot bool, err error) {
	if st, plan, err = s.study(id); err != nil {
		return
	}
	r, known := read[Round](s, RoundKey(id, n))
	if !known {
		err = croft.E(croft.ErrTxOrder, "the round has not begun")
	}
	moot = r.Phase == croft.PhaseCommit || st.Status.Ended()
	return
}

func (s *State) report(site croft.MemberID, p *Report) error {
	st, _, r, moot, err := s.round(p.Study, p.Round)
	if err != nil {
		return err
	}
	if !has(r.Sites, site) {
		return croft.E(croft.ErrTxRights, site.Short(), "it is not a site of this round")
	}
	if first, reported := r.Report(site); reported {
		if first.Header != p.Header {
			return croft.E(croft.ErrTxDuplicate, "a report of this site")
		}
		return nil
	}
	if moot || r.Phase != croft.PhaseReport || len(r.Closed) > 0 {
		return croft.E(croft.ErrTxOrder, "the round is frozen")
	}
	r.Reports = append(slices.Clone(r.Reports), Accepted{Site: site, Header: p.Header, Cost: p.Cost})
	slices.SortFunc(r.Reports, func(a, b Accepted) int { return a.Site.Compare(b.Site) })
	write(s, RoundKey(st.ID, r.Number), r)
	s.due(st.ID, true)
	return nil
}

func (s *State) ack(seat croft.MemberID, a *Ack) error {
	st, plan, r, moot, err := s.round(a.Study, a.Round)
	if err != nil {
		return err
	}
	if !s.seated(st, seat) {
		return croft.E(croft.ErrTxRights, seat.Short(), "it is not a seat of the study")
	}
	if moot || r.Phase != croft.PhaseReport {
		return nil // late: the set is frozen, the seat may still publish its share
	}
	r.Reports = slices.Clone(r.Reports)
	news := false
	for _, site := range a.Sites {
		at, found := slices.BinarySearchFunc(r.Reports, site, func(x Accepted, s croft.MemberID) int { return x.Site.Compare(s) })
		if !found {
			return croft.E(croft.ErrTxOrder, "no report of that site is here")
		}
		news = news || !has(r.Reports[at].Acks, seat)
		r.Reports[at].Acks = insert(r.Reports[at].Acks, seat)
		// It may have got from others what it lacked when it said that it cannot use it.
		r.Reports[at].Nays = slices.DeleteFunc(slices.Clone(r.Reports[at].Nays), func(m croft.MemberID) bool { return m == seat })
	}
	var useless []croft.MemberID
	for _, site := range a.Nays {
		at, found := slices.BinarySearchFunc(r.Reports, site, func(x Accepted, s croft.MemberID) int { return x.Site.Compare(s) })
		if !found {
			return croft.E(croft.ErrTxOrder, "no report of that site is here")
		}
		if has(r.Reports[at].Acks, seat) {
			continue // an older word of a seat that holds it by now
		}
		news = news || !has(r.Reports[at].Nays, seat)
		r.Reports[at].Nays = insert(r.Reports[at].Nays, seat)
		if len(r.Reports[at].Nays) > int(st.Threshold) {
			useless = append(useless, site)
		}
	}
	if len(useless) > 0 { // one of the seats is honest, and no other report can come in its place
		write(s, RoundKey(st.ID, r.Number), r)
		s.stop(&st, ReasonReport, useless...)
		return nil
	}
	if !a.Link.IsZero() {
		shown, err := s.show(st, plan, &r, seat, a.Link)
		if err != nil {
			return err
		}
		news = news || shown
	}
	if !news {
		return nil // repeating oneself does not begin a new window
	}
	// report → freeze: every expected report is acknowledged, and where reports have
	// proofs q seats have shown that each of them holds them all.
	ready := len(r.acknowledged(int(st.Quorum))) == len(r.Sites)
	if !plan.Unproved {
		ready = len(r.Links) == int(st.Quorum)
	}
	if ready {
		s.freeze(&st, plan, &r, r.Expected())
	}
	write(s, RoundKey(st.ID, r.Number), r)
	s.put(st)
	if st.Status != Stopped {
		s.due(st.ID, true) // also when it froze: an approval may have expired before this block
	}
	return nil
}

// seated reports whether the member is a seat that can receive boxes.
func (s *State) seated(st Study, seat croft.MemberID) bool {
	return has(st.Seats, seat) && has(st.Enrolled, seat)
}

// Expected returns the sites without whose reports the round does not freeze.
func (r Round) Expected() []croft.MemberID {
	if len(r.Closed) > 0 {
		return r.Closed
	}
	return r.Sites
}

// acknowledged returns the sites whose reports at least q seats hold.
func (r Round) acknowledged(q int) (sites []croft.MemberID) {
	for _, a := range r.Reports {
		if len(a.Acks) >= q {
			sites = append(sites, a.Site)
		}
	}
	return sites
}

// freeze fixes the accepted set, charges the budgets, and lets the sum be opened.
// From here on this step has this set or the study ends.
func (s *State) freeze(st *Study, plan croft.Study, r *Round, accepted []croft.MemberID) {
	groups := s.groups(*st, accepted)
	if r.Number == 0 {
		columns := slices.Sorted(slices.Values(plan.Model.Columns()))
		cohort := Cohort{Study: st.ID, Groups: groups, Columns: columns, MinSites: plan.MinSites}
		if len(groups) < int(plan.MinSites) || s.joinable(cohort) != nil {
			s.stop(st, "cohort")
			return
		}
		s.join(cohort)
		st.Cohort = accepted
	}
	if s.chargeable(groups) != nil {
		s.stop(st, "budget")
		return
	}
	s.charge(groups)
	r.Accepted, r.Phase = accepted, croft.PhaseSum
	if !plan.Unproved {
		r.Key = r.key()
	}
	st.Status, st.Missing = Running, nil
}

// late is what patience does to a round that waits for reports. In the first one
// it goes on with those who came, if they are enough. Afterwards the missing
// pause the study by name. Sites that stay away a second patience end it: leaving
// them out would show their numbers. Seats never do: a round that waits for seats
// waits until the study expires.
func (s *State) late(st *Study, plan croft.Study, b Block, patient bool) {
	r, _ := read[Round](s, RoundKey(st.ID, st.Round))
	if patient || r.Phase != croft.PhaseReport {
		return
	}
	accepted := r.acknowledged(int(st.Quorum))
	enough := r.Number == 0 && len(r.Closed) == 0 && len(accepted) >= int(plan.MinSites) && len(accepted) < len(r.Sites)
	for _, m := range plan.Required {
		enough = enough && has(accepted, m)
	}
	sites, seats := r.Awaits(*st, plan)
	seats = slices.DeleteFunc(seats, func(id croft.MemberID) bool { m, _ := s.member(id); return m.Revoked })
	unwarned := func(site croft.MemberID) bool { return !has(st.Missing, site) }
	switch {
	case enough && plan.Unproved:
		s.freeze(st, plan, &r, accepted)
		write(s, RoundKey(st.ID, r.Number), r)
	case enough: // no report can come any more; the seats show that they hold these
		r.Closed = accepted
		write(s, RoundKey(st.ID, r.Number), r)
	case len(sites) > 0 && st.Status == Paused && !slices.ContainsFunc(sites, unwarned):
		s.stop(st, croft.RefusedUnavailable.String(), sites...)
	case len(sites) == 0 && st.Status == Paused && slices.Equal(st.Missing, seats):
		// said before; asking again does not make a new block
	default:
		// The pause is a window of its own: after a night in which all were off, the
		// missing get as long to come back as anybody.
		st.Status, st.Missing, st.News, st.Proposers = Paused, append(sites, seats...), b.Time, nil
	}
}

// Awaits says for whom the round waits now. Sites are those of whose report no seat
// has anything, though seats may have others'. Seats are named once no site is: those that
// do not hold all reports yet; later those that have not added their share, and then
// those that read the sum and have not said what it is. Members that were revoked are
// among them.
func (r Round) Awaits(st Study, plan croft.Study) (sites, seats []croft.MemberID) {
	held := slices.ContainsFunc(r.Reports, func(a Accepted) bool { return len(a.Acks) > 0 })
	if r.Phase == croft.PhaseReport {
		for _, site := range r.Expected() {
			if a, reported := r.Report(site); !reported || held && len(a.Acks) == 0 {
				sites = append(sites, site)
			}
		}
	}
	if len(sites) > 0 {
		return sites, nil
	}
	done := func(seat croft.MemberID) bool {
		switch {
		case r.Phase == croft.PhaseReport && !plan.Unproved:
			return slices.ContainsFunc(r.Links, func(l Link) bool { return l.Seat == seat })
		case r.Phase == croft.PhaseReport:
			return !slices.ContainsFunc(r.Reports, func(a Accepted) bool { return !has(a.Acks, seat) })
		case r.Phase == croft.PhaseSum && len(r.Shares) < int(st.Quorum):
			return slices.ContainsFunc(r.Shares, func(x SeatShare) bool { return x.Seat == seat })
		case r.Phase == croft.PhaseSum:
			return !has(plan.Readers, seat) || slices.ContainsFunc(r.Results, func(x SeatResult) bool { return x.Seat == seat })
		}
		return true
	}
	for _, seat := range st.Seats {
		if has(st.Enrolled, seat) && !done(seat) {
			seats = append(seats, seat)
		}
	}
	return nil, seats
}

func (s *State) share(seat croft.MemberID, p *Share) error {
	st, _, r, moot, err := s.round(p.Study, p.Round)
	if err != nil {
		return err
	}
	if !s.seated(st, seat) {
		return croft.E(croft.ErrTxRights, seat.Short(), "it is not a seat of the study")
	}
	for _, old := range r.Shares {
		if old.Seat == seat {
			if old.Blob != p.Blob {
				return croft.E(croft.ErrTxDuplicate, "a share of this seat")
			}
			return nil
		}
	}
	if moot {
		return nil
	}
	if r.Phase != croft.PhaseSum {
		return croft.E(croft.ErrTxOrder, "the round is not frozen")
	}
	if err := distinct(st, p.Bad); err != nil {
		return err
	}
	r.Shares = append(slices.Clone(r.Shares), SeatShare{seat, p.Blob, p.Cost, p.Bad})
	write(s, RoundKey(st.ID, r.Number), r)
	s.due(st.ID, true) // an approval may have expired before this block
	return nil
}

// result counts the seats that computed the same. sum → commit: t+1 of them, so
// at least one honest seat stands behind every committed round.
func (s *State) result(seat croft.MemberID, p *Result) error {
	st, plan, r, moot, err := s.round(p.Study, p.Round)
	if err != nil {
		return err
	}
	if !s.seated(st, seat) || !has(plan.Readers, seat) {
		return croft.E(croft.ErrTxRights, seat.Short(), "it is not a seat that reads the sum")
	}
	if moot {
		return nil
	}
	if r.Phase != croft.PhaseSum || len(r.Shares) < int(st.Quorum) {
		return croft.E(croft.ErrTxOrder, "the sum cannot be opened yet")
	}
	if err := distinct(st, p.Bad); err != nil {
		return err
	}
	if wrong := boundless(st, plan, p); wrong {
		return croft.E(croft.ErrTxStudy, "it has not one bound for each site's next vector")
	}
	mine := SeatResult{Seat: seat, Sum: p.Sum, Next: p.Next, Done: p.Done, Bad: p.Bad, Cost: p.Cost, Fail: p.Fail, Length: p.Length, Bounds: p.Bounds}
	same := 1
	for _, old := range r.Results {
		if old.Seat == seat {
			if !old.agrees(mine) {
				return croft.E(croft.ErrTxDuplicate, "a result of this seat")
			}
			return nil
		}
		if old.agrees(mine) {
			same++
		}
	}
	r.Results = append(slices.Clone(r.Results), mine)
	if same <= int(st.Threshold) {
		write(s, RoundKey(st.ID, r.Number), r)
		return nil
	}
	s.commit(&st, plan, r, mine)
	return nil
}

// distinct refuses a list of seats that is not sorted, or names others.
func distinct(st Study, seats []croft.MemberID) error {
	for i, m := range seats {
		if !has(st.Seats, m) || i > 0 && seats[i-1].Compare(m) >= 0 {
			return croft.E(croft.ErrTxStudy, "it names a seat that the study does not have, or one twice, or out of order")
		}
	}
	return nil
}

// agrees compares what the round goes on with. Whom a seat names as a liar is left
// out: a liar can show each reader another share.
func (a SeatResult) agrees(b SeatResult) bool {
	return a.Sum == b.Sum && a.Next == b.Next && a.Done == b.Done && a.Fail == b.Fail && a.Length == b.Length && slices.Equal(a.Bounds, b.Bounds)
}

// commit is the point of no return of a round: its sum and the next state are
// agreed. It ends the study or opens the next round in the same block.
func (s *State) commit(st *Study, plan croft.Study, r Round, agreed SeatResult) {
	r.Phase, r.Sum, r.Next = croft.PhaseCommit, agreed.Sum, agreed.Next
	r.Unchecked = int(st.Quorum) < int(st.Threshold)+2 // more shares may be here, but readers did not wait for them
	for _, seat := range st.Seats {
		shares, answers, lie := 0, 0, croft.Hash{} // how many say that these were wrong
		for _, x := range r.Results {
			shares += count(x.Bad, seat)
		}
		for _, x := range r.Shares {
			answers += count(x.Bad, seat)
			if x.Seat == seat {
				lie = x.Blob
			}
		}
		if max(shares, answers) > int(st.Threshold) {
			r.Liars = append(r.Liars, seat)
			write(s, EvidenceKey(st.ID, r.Number, seat), Evidence{st.ID, r.Number, seat, lie})
			s.unseat(seat)
		}
	}
	write(s, RoundKey(st.ID, r.Number), r)
	if agreed.Fail != 0 {
		s.stop(st, agreed.Fail.Error())
		return
	}
	if !agreed.Done {
		s.openRound(st, r.Number+1, agreed)
		return
	}
	st.Status = Done
	s.put(*st)
	s.settled(st)
	write(s, ModelKey(st.ID), Model{Study: st.ID, Plan: st.Plan, State: agreed.Next,
		Rounds: r.Number + 1, Cohort: st.Cohort, Use: plan.Use, Unchecked: r.Unchecked})
}

// unseat keeps a seat that lied out of studies to come. In this one it stays: who
// holds shares cannot change, and what it says is checked.
func (s *State) unseat(seat croft.MemberID) {
	m, _ := s.member(seat)
	m.Unseated = true
	write(s, MemberKey(seat), m)
}

func count(set []croft.MemberID, m croft.MemberID) int {
	if has(set, m) {
		return 1
	}
	return 0
}

// recover records that a seat needs seeds of a report that others hold. The fact
// is what entitles the others to answer, once for each report.
func (s *State) recover(seat croft.MemberID, p *Recover) error {
	st, _, r, moot, err := s.round(p.Study, p.Round)
	if err != nil {
		return err
	}
	if !s.seated(st, seat) {
		return croft.E(croft.ErrTxRights, seat.Short(), "it is not a seat of the study")
	}
	if _, reported := r.Report(p.Site); !reported || moot {
		return croft.E(croft.ErrTxOrder, "no open report of that site is here")
	}
	if fact := (Recovered{seat, p.Site}); !has(r.Recovers, fact) {
		r.Recovers = append(slices.Clone(r.Recovers), fact)
		write(s, RoundKey(st.ID, r.Number), r)
	}
	return nil
}
