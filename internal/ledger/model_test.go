package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"croft"
)

// A small exhaustive model of the rules: every state that is reachable by any
// order of the moves below, with the real Apply and head, and what must hold of
// each state and of each step from one to the next.
//
// Four members, each with a seat: ada, ben and cleo are sites (in some studies
// dina too). Cleo's person and site are Byzantine, dina's seat is: they send
// whatever the moves list at any moment, again and differently. Everybody else
// follows the round, at any speed. Time stands still but for sleeps of one
// patience, after which somebody ticks.
//
// Two states are one when no rule can tell them apart: the rules count seats, so
// the three honest ones are interchangeable; they never read shares, results and
// acknowledgements of a phase that is over; and of two contents that are only
// compared with each other, the first to come may be called the first.

const (
	ada = iota
	ben
	cleo // her site is Byzantine
	dina // her seat is Byzantine
)

var cast = []string{"ada", "ben", "cleo", "dina"}

// rules is what the model runs: the product's, or a mutant.
type rules struct {
	apply func(*State, Tx) error
	head  func(*State, Block)
}

var product = rules{Apply, head}

// model is one exploration: where it begins, what may happen, how far it goes.
type model struct {
	rules
	moves  func(*model, *spot) []move
	sleeps int  // at most so many patiences pass
	blocks bool // several transactions may share a block: making one is a move of its own
	depth  int  // at most so many moves; 0: until nothing new is found
	forged bool // cleo's reports break their bound: honest seats refuse them

	base    *State
	ids     []croft.MemberID
	data    []croft.DatasetID
	keys    []croft.PublicKey
	start   int64
	studies []modelStudy
}

// modelStudy is a study that may be proposed, with sets of members as bits.
type modelStudy struct {
	id     croft.StudyID
	plan   croft.Study
	sites  uint8
	rounds uint32 // the honest result of so many rounds says "done"
}

// spot is a state with the way that led to it.
type spot struct {
	writes map[string][]byte // over the base
	now    int64
	slept  int
	studyViews
	groups []Group

	from *spot
	by   string
	deep int
}

type studyViews []studyView

// studyView is a study as the state has it; known is false before it is proposed.
type studyView struct {
	known bool
	Study
	rounds []Round
}

func (v studyView) active() bool { return v.Status >= Proposed && v.Status <= Paused }

// open returns the round in progress.
func (v studyView) open() (Round, bool) {
	if v.Status != Running && v.Status != Paused || len(v.rounds) == 0 {
		return Round{}, false
	}
	return v.rounds[len(v.rounds)-1], true
}

// move is something that may happen: transactions in one block, each by a member,
// and then perhaps a long sleep.
type move struct {
	name  string
	txs   []sent
	sleep bool
	block bool // no transaction: the next block begins
	must  func(before, after *spot) error
}

type sent struct {
	by   int
	body any
}

// newModel registers everybody's data with the given number of releases.
func newModel(t testing.TB, releases uint32) *model {
	w := newWorld(t, cast...)
	data := w.register(releases, cast...)
	m := &model{rules: product, start: w.now}
	for _, name := range cast {
		m.ids = append(m.ids, w.id(name))
		m.data = append(m.data, data[name])
		m.keys = append(m.keys, w.members[name].Validator)
	}
	m.base = newState(NewMemoryTree())
	w.m.tree.Range("", func(k string, v []byte) { m.base.writes[k] = v })
	return m
}

// study adds a study that moves may propose.
func (m *model) study(sites uint8, rounds uint32, change func(*croft.Study)) {
	k := len(m.studies)
	plan := croft.Study{Version: 1, Name: fmt.Sprintf("study %d", k), Expires: m.start/1000 + 86400, Sites: m.some(sites), MinSites: 3,
		Readers: m.some(15), Patience: 60, Engine: croft.EngineVersion, Use: croft.UseMembers,
		Model: croft.Model{Family: "logistic", Features: []string{"age"}, Label: "ill"}}
	if change != nil {
		change(&plan)
	}
	m.studies = append(m.studies, modelStudy{id: croft.StudyID(croft.HashOf(k)), plan: plan, sites: sites, rounds: rounds})
}

// some returns the ids of a set of members.
func (m *model) some(set uint8) (out []croft.MemberID) {
	for i, id := range m.ids {
		if set>>i&1 == 1 {
			out = insert(out, id)
		}
	}
	return out
}

// set is some the other way round.
func (m *model) set(ids []croft.MemberID) (set uint8) {
	for i, id := range m.ids {
		if has(ids, id) {
			set |= 1 << i
		}
	}
	return set
}

func (m *model) begin() *spot {
	return m.look(&spot{writes: map[string][]byte{}, now: m.start})
}

// look reads the state into the spot; a record that is as it was is not decoded
// again.
func (m *model) look(at *spot) *spot {
	s := &State{parent: m.base, writes: at.writes}
	var was *spot
	if at.from != nil {
		was = at.from
	} else {
		was = &spot{studyViews: make([]studyView, len(m.studies)), groups: make([]Group, len(cast))}
	}
	same := func(key string) bool {
		return at.from != nil && bytes.Equal(s.raw(key), (&State{parent: m.base, writes: was.writes}).raw(key))
	}
	at.studyViews = make([]studyView, len(m.studies))
	for k := range m.studies {
		v, old := &at.studyViews[k], was.studyViews[k]
		id := m.studies[k].id
		if v.Study, v.known = old.Study, old.known; !same(StudyKey(id)) {
			v.Study, v.known = read[Study](s, StudyKey(id))
		}
		for n := uint32(0); v.known; n++ {
			key := RoundKey(id, n)
			if int(n) < len(old.rounds) && same(key) {
				v.rounds = append(v.rounds, old.rounds[n])
			} else if r, known := read[Round](s, key); known {
				v.rounds = append(v.rounds, r)
			} else {
				break
			}
		}
	}
	for i, name := range cast {
		key, g := GroupKey(croft.Sum([]byte(name))), was.groups[i]
		if !same(key) {
			g, _ = read[Group](s, key)
		}
		at.groups = append(at.groups, g)
	}
	return at
}

// play makes a move.
func (m *model) play(before *spot, mv move) *spot {
	after := &spot{writes: maps.Clone(before.writes), now: before.now, slept: before.slept, from: before, by: mv.name, deep: before.deep + 1}
	s := &State{parent: m.base, writes: after.writes}
	for i, tx := range mv.txs {
		sub := s.branch()
		id := croft.HashOf([]int{before.deep, i}) // signed anew: who changes its mind says so
		if _, proposes := tx.body.(*Propose); proposes {
			id = croft.Hash(m.studies[slices.IndexFunc(m.studies, func(st modelStudy) bool { return st.plan.Name == tx.body.(*Propose).Plan.Name })].id)
		}
		if m.apply(sub, Tx{ID: id, Member: m.ids[tx.by], Body: tx.body}) == nil {
			sub.merge()
		}
	}
	if mv.sleep {
		after.now, after.slept = after.now+60_000, after.slept+1
	}
	if mv.block || mv.sleep || !m.blocks {
		m.heads(s, after.now)
	}
	return m.look(after)
}

// heads begins blocks until none is asked for, with another proposer each.
func (m *model) heads(s *State, now int64) {
	for turn := range 2 * len(cast) {
		if list, _ := read[[]dueItem](s, dueKey); len(list) == 0 {
			return
		}
		m.head(s, Block{Height: 3, Time: now, Proposer: m.keys[turn%len(m.keys)]})
	}
}

func (m *model) due(at *spot) bool {
	list, _ := read[[]dueItem](&State{parent: m.base, writes: at.writes}, dueKey)
	return len(list) > 0
}

// explored says what an exploration saw.
type explored struct {
	states, steps, deepest int
	whole                  bool // nothing was left to explore
	failed                 error
}

func (e explored) String() string {
	reach := fmt.Sprintf("all of them, at most %d moves deep", e.deepest)
	if !e.whole {
		reach = fmt.Sprintf("all that %d moves reach", e.deepest)
	}
	return fmt.Sprintf("%d states, %d steps; %s", e.states, e.steps, reach)
}

// explore visits every state, nearest first, so that a failure is shown with the
// shortest way to it.
func (m *model) explore(from *spot) (e explored) {
	seen := map[[32]byte]bool{m.key(from): true}
	queue := []*spot{from}
	e.whole = true
	for len(queue) > 0 {
		at := queue[0]
		queue[0], queue = nil, queue[1:]
		e.states, e.deepest = e.states+1, at.deep
		if err := m.reachable(at); err != nil {
			e.failed = fmt.Errorf("%s: %w", at.way(), err)
			return e
		}
		if m.depth > 0 && at.deep >= m.depth {
			e.whole = false
			continue
		}
		for _, mv := range m.moves(m, at) {
			if mv.sleep && (at.slept >= m.sleeps || m.blocks && m.due(at)) || mv.block && !m.due(at) {
				continue // a block that is due follows at once
			}
			e.steps++
			next := m.play(at, mv)
			err := m.holds(at, next)
			if err == nil && mv.must != nil {
				err = mv.must(at, next)
			}
			if err != nil {
				e.failed = fmt.Errorf("%s: %w", next.way(), err)
				return e
			}
			if k := m.key(next); !seen[k] {
				seen[k] = true
				queue = append(queue, next)
			}
		}
	}
	return e
}

// way tells how a spot was reached.
func (at *spot) way() string {
	var names []string
	for ; at.from != nil; at = at.from {
		names = append(names, at.by)
	}
	slices.Reverse(names)
	return strings.Join(names, ", ")
}

// key is the state without what no rule can tell apart: ada and ben are honest
// alike, so the smaller of the two readings counts.
func (m *model) key(at *spot) [32]byte {
	k, swapped := m.reading(at, m.ids), m.reading(at, []croft.MemberID{m.ids[ben], m.ids[ada], m.ids[cleo], m.ids[dina]})
	if bytes.Compare(swapped, k) < 0 {
		k = swapped
	}
	return sha256.Sum256(k)
}

// reading writes a state down, calling the members by their places in names.
func (m *model) reading(at *spot, names []croft.MemberID) []byte {
	set := func(ids []croft.MemberID) (set byte) {
		for i, id := range names {
			set |= btoi(has(ids, id)) << i
		}
		return set
	}
	k := append(binary.AppendVarint(nil, at.now-m.start), byte(at.slept))
	if m.blocks {
		list, _ := read[[]dueItem](&State{parent: m.base, writes: at.writes}, dueKey)
		k = fmt.Appendf(k, "%v", list)
	}
	for _, name := range names {
		g := at.groups[slices.Index(m.ids, name)]
		k = append(k, byte(g.Used), byte(len(g.Cohorts)))
		for _, c := range g.Cohorts { // its groups are the cohort of the study, below
			k = append(k, c.Study[0])
		}
	}
	for i := range at.studyViews {
		v := &at.studyViews[i]
		k = append(k, 0xff, byte(v.Status), byte(len(v.rounds)), set(v.Cohort))
		k = append(k, v.Reason...)
		for _, r := range v.rounds {
			k = append(k, byte(r.Phase), set(r.Accepted), set(r.Sites), set(r.Closed))
		}
		if !v.active() {
			continue // over: the rules change nothing of it any more
		}
		k = append(binary.AppendVarint(k, v.News-m.start), byte(len(v.Proposers)), set(v.Missing), set(v.Enrolled))
		for _, name := range names {
			if at := slices.IndexFunc(v.Answers, func(a Answer) bool { return a.Site == name }); at >= 0 {
				a := v.Answers[at]
				k = append(k, 'a', byte(a.Refusal), btoi(a.Approved), btoi(a.Pending))
				k = binary.AppendVarint(k, a.Expires-m.start/1000)
			}
			k = append(k, '/')
		}
		if r, open := v.open(); open {
			k = m.roundReading(k, r, names, set)
		}
	}
	return k
}

// roundReading appends a round in progress, with the honest seats in no order and
// without recoveries, which decide nothing.
func (m *model) roundReading(k []byte, r Round, names []croft.MemberID, set func([]croft.MemberID) byte) []byte {
	var seats [4][]byte
	for i, seat := range m.ids {
		for _, name := range names {
			if a, reported := r.Report(name); reported && r.Phase == croft.PhaseReport {
				seats[i] = append(seats[i], '0'+btoi(has(a.Acks, seat)))
			} else {
				seats[i] = append(seats[i], '-')
			}
		}
		if slices.ContainsFunc(r.Links, func(l Link) bool { return l.Seat == seat }) && r.Phase == croft.PhaseReport {
			seats[i] = append(seats[i], 'l')
		}
		for _, sh := range r.Shares {
			if sh.Seat == seat {
				seats[i] = append(seats[i], 's')
			}
		}
		for _, x := range r.Rejects {
			if x.Seat == seat {
				seats[i] = append(seats[i], 'x', set(x.Sites))
			}
		}
		for _, x := range r.Results {
			if x.Seat == seat {
				seats[i] = append(append(seats[i], 'r', btoi(x.Done), byte(len(x.Bad)), byte(x.Fail)), x.Sum[:4]...)
			}
		}
	}
	slices.SortFunc(seats[:dina], bytes.Compare)
	return append(k, bytes.Join(seats[:], []byte("|"))...)
}

func btoi(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// holds is what must be true of a step from one state to the next, and of the
// next. It looks at what was released, not at the ledger's own lists of it.
func (m *model) holds(before, after *spot) error {
	var released []uint8 // the sets over which a sum can be opened, of all studies
	spent := make([]uint32, len(cast))
	for i := range after.studyViews {
		was, is := before.studyViews[i], after.studyViews[i]
		if !is.known {
			continue
		}
		if was.known && !was.active() && (is.Status != was.Status || is.Reason != was.Reason) {
			return fmt.Errorf("study %d: %v after its end as %v", i, is.Status, was.Status)
		}
		if is.Reason == ReasonProof && !(m.forged && slices.Equal(is.Missing, m.ids[cleo:cleo+1])) {
			return fmt.Errorf("study %d: it ended over a proof that holds", i)
		}
		if len(was.Cohort) > 0 && !slices.Equal(was.Cohort, is.Cohort) {
			return fmt.Errorf("study %d: its cohort changed", i)
		}
		if len(is.rounds) < len(was.rounds) {
			return fmt.Errorf("study %d: a round vanished", i)
		}
		for n, r := range is.rounds {
			if n < len(was.rounds) {
				if err := m.roundStep(was.rounds[n], r); err != nil {
					return fmt.Errorf("study %d, round %d: %w", i, n, err)
				}
			}
			var err error
			if r.Phase > croft.PhaseReport {
				err = m.roundHolds(m.studies[i], is, r)
			}
			if err == nil {
				err = m.linksHold(m.studies[i].plan, r)
			}
			if err != nil {
				return fmt.Errorf("study %d, round %d: %w", i, n, err)
			}
			if r.Phase == croft.PhaseReport {
				continue
			}
			set := m.set(r.Accepted)
			released = append(released, set)
			for member := range cast {
				spent[member] += uint32(set >> member & 1)
			}
		}
	}
	for i, a := range released {
		for _, b := range released[:i] {
			if d := bits.OnesCount8(a ^ b); d > 0 && d < MinSites {
				return fmt.Errorf("two released sums differ by %d sites", d)
			}
		}
	}
	for i, g := range after.groups {
		if g.Used > g.Cap || g.Used != spent[i] {
			return fmt.Errorf("%s: %d releases charged, %d made, %d allowed", cast[i], g.Used, spent[i], g.Cap)
		}
	}
	return nil
}

// roundStep is what a round keeps from one state to the next.
func (m *model) roundStep(was, is Round) error {
	if is.Phase < was.Phase {
		return fmt.Errorf("back from %v to %v", was.Phase, is.Phase)
	}
	if was.Phase >= croft.PhaseSum && !slices.Equal(was.Accepted, is.Accepted) {
		return fmt.Errorf("a second set of sites could be opened")
	}
	if was.Phase == croft.PhaseCommit && (was.Sum != is.Sum || was.Next != is.Next) {
		return fmt.Errorf("a second sum was agreed")
	}
	if len(was.Closed) > 0 && (!slices.Equal(was.Closed, is.Closed) || len(was.Reports) != len(is.Reports)) {
		return fmt.Errorf("a report came after the round was closed")
	}
	if !was.Key.IsZero() && was.Key != is.Key {
		return fmt.Errorf("a second key was made")
	}
	for _, a := range was.Reports {
		if b, _ := is.Report(a.Site); a.Header != b.Header {
			return fmt.Errorf("the first report did not win")
		}
	}
	for _, a := range was.Shares {
		if at := slices.IndexFunc(is.Shares, func(b SeatShare) bool { return a.Seat == b.Seat }); at < 0 || is.Shares[at].Blob != a.Blob {
			return fmt.Errorf("the first share did not win")
		}
	}
	for _, a := range was.Results {
		if at := slices.IndexFunc(is.Results, func(b SeatResult) bool { return a.Seat == b.Seat }); at < 0 || !a.agrees(is.Results[at]) {
			return fmt.Errorf("the first result did not win")
		}
	}
	return nil
}

// linksHold is what makes the verification key a surprise: no link is shown while an
// expected report can still be made, and the key needs q of them.
func (m *model) linksHold(plan croft.Study, r Round) error {
	for _, l := range r.Links {
		for _, site := range r.Expected() {
			if a, reported := r.Report(site); !reported || !has(a.Acks, l.Seat) {
				return fmt.Errorf("a link was shown before the reports were fixed")
			}
		}
	}
	quorum := 4
	if plan.Unchecked {
		quorum = 3
	}
	if frozen := r.Phase > croft.PhaseReport && !plan.Unproved; frozen != !r.Key.IsZero() || frozen && len(r.Links) != quorum {
		return fmt.Errorf("a key of %d links", len(r.Links))
	}
	if m.forged && r.Phase == croft.PhaseCommit {
		return fmt.Errorf("a sum was agreed with a report whose proof fails")
	}
	return nil
}

// roundHolds is what is true of a round whose sum can be opened.
func (m *model) roundHolds(ms modelStudy, st studyView, r Round) error {
	if len(r.Accepted) < MinSites {
		return fmt.Errorf("a sum over %d sites", len(r.Accepted))
	}
	if !slices.Equal(r.Accepted, st.Cohort) {
		return fmt.Errorf("its sum is not over the cohort")
	}
	quorum := 4
	if ms.plan.Unchecked {
		quorum = 3
	}
	for _, site := range r.Accepted {
		if a, reported := r.Report(site); !reported || len(a.Acks) < quorum || !has(r.Sites, site) {
			return fmt.Errorf("a report was accepted with %d acknowledgements", len(a.Acks))
		}
	}
	if r.Phase == croft.PhaseCommit && (r.Sum != honest(ms, r).Sum || r.Next != honest(ms, r).Next) {
		return fmt.Errorf("a sum was agreed that no honest seat computed")
	}
	if has(r.Liars, m.ids[ada]) || has(r.Liars, m.ids[ben]) || has(r.Liars, m.ids[cleo]) {
		return fmt.Errorf("an honest seat stands as a liar")
	}
	return nil
}

// reachable is what must be possible in every state, whoever does nothing.
func (m *model) reachable(at *spot) error {
	if m.blocks && m.due(at) {
		at = m.play(at, move{name: "block", block: true})
	}
	tick := func(by int, millis int64) *spot {
		s := &State{parent: m.base, writes: maps.Clone(at.writes)}
		for _, st := range m.studies {
			sub := s.branch()
			if m.apply(sub, Tx{Member: m.ids[by], Body: &Tick{st.id}}) == nil {
				sub.merge()
			}
		}
		m.heads(s, at.now+millis)
		return m.look(&spot{writes: s.writes})
	}
	active := slices.ContainsFunc(at.studyViews, studyView.active)
	if !active {
		return nil
	}
	for i, v := range tick(ben, 60_000).studyViews {
		_, began := at.studyViews[i].open()
		r, _ := v.open()
		seats := len(r.Closed) > 0 || len(r.acknowledged(int(v.Quorum))) == len(r.Sites) // it waits for their links
		if began && v.Status == Running && r.Phase == croft.PhaseReport && !seats {
			return fmt.Errorf("study %d: patience has passed and it neither goes on nor pauses", i)
		}
	}
	for i, v := range tick(ben, 25*3600_000).studyViews {
		if v.active() {
			return fmt.Errorf("study %d: still %v after it expired", i, v.Status)
		}
	}
	for i, v := range at.studyViews {
		r, open := v.open()
		if in := has(v.Cohort, m.ids[ada]) || len(v.Cohort) == 0 && has(r.Sites, m.ids[ada]); open && in {
			out := m.play(at, move{name: "ada withdraws", txs: []sent{{ada, &Withdraw{v.ID}}}})
			if out.studyViews[i].Status != Stopped {
				return fmt.Errorf("study %d: a withdrawal did not stop it", i)
			}
		}
	}
	return nil
}

// honest is the result of a seat that opened the accepted reports.
func honest(st modelStudy, r Round) *Result {
	sum := croft.HashOf([]any{st.id, r.Number, r.Accepted})
	out := &Result{Study: st.id, Round: r.Number, Sum: sum, Next: croft.Sum(sum[:]), Done: r.Number+1 >= st.rounds}
	if !out.Done && !st.plan.Unproved {
		out.Bounds = slices.Repeat([]uint32{1000}, len(r.Accepted))
	}
	return out
}

// opening is everything from the proposal to the first round, by all who approve.
func (m *model) opening(k int, approve uint8) (txs []sent) {
	st := m.studies[k]
	txs = append(txs, sent{ada, &Propose{st.plan}})
	for i := range cast {
		e := &Enrol{Study: st.id, Key: make([]byte, 1216)}
		if e.Key[0] = byte(i); !st.plan.Unproved {
			e.Anchor = Anchor(chainOf(cast[i]))
		}
		txs = append(txs, sent{i, e})
	}
	for i := range cast {
		if st.sites&approve>>i&1 == 1 {
			txs = append(txs, sent{i, m.approval(k, i, st.plan.Expires)})
		}
	}
	return txs
}

func (m *model) approval(k, site int, expires int64) *croft.Approval {
	st := m.studies[k]
	return &croft.Approval{Study: st.id, Plan: st.plan.PlanHash(), Dataset: m.data[site], Seats: m.some(15), Threshold: 2,
		Readers: st.plan.Readers, Releases: 50, Expires: expires, Engine: st.plan.Engine, Rows: 100}
}

// one transaction of one member.
func one(name string, by int, body any) move { return move{name: name, txs: []sent{{by, body}}} }

// everyTransaction are the moves of a study that is open from the start: each
// member's every transaction by itself.
func everyTransaction(m *model, at *spot) (out []move) {
	v, st := at.studyViews[0], m.studies[0]
	r, open := v.open()
	if !open { // it is over; the Byzantine go on
		r = v.rounds[len(v.rounds)-1]
	}
	id, n := st.id, r.Number
	reported := func(site int) bool { _, ok := r.Report(m.ids[site]); return ok }

	out = append(out,
		move{name: "block", block: true},
		move{name: "sleep", sleep: true, txs: []sent{{dina, &Tick{id}}}},
		one("tick", dina, &Tick{id}),
		one("cleo withdraws", cleo, &Withdraw{id}),
		one("cleo's node stops", cleo, &Stop{id, croft.RefusedDiffers}),
		one("cleo approves late", cleo, m.approval(0, cleo, m.start/1000+30)),
		one("dina, no site, refuses", dina, &Decline{id, croft.RefusedConsent}),
		one("dina acknowledges what is not there", dina, &Ack{Study: id, Round: n + 1, Sites: m.ids[:1]}))
	if n > 0 {
		old := v.rounds[n-1]
		out = append(out,
			one("cleo reports to an old round", cleo, &Report{Study: id, Round: n - 1, Header: header("cleo", 9)}),
			one("dina shares in an old round", dina, &Share{Study: id, Round: n - 1, Blob: croft.HashOf(9)}),
			one("dina's result of an old round", dina, &Result{Study: id, Round: n - 1, Sum: croft.HashOf(9), Next: old.Next}))
	}
	for site := range dina {
		if site == cleo || open && !reported(site) {
			h := header(cast[site], n)
			if reported(site) {
				h.Size++ // a second, other report
			}
			out = append(out, one(cast[site]+" reports", site, &Report{Study: id, Round: n, Header: h}))
		}
	}

	var tried []string // honest seats that did the same are the same
	for seat := range dina {
		if !open {
			break
		}
		did := ""
		var missing []croft.MemberID
		for _, a := range r.Reports {
			if acked := has(a.Acks, m.ids[seat]); !acked {
				missing = append(missing, a.Site)
				did += "-"
			} else {
				did += "a"
			}
		}
		shared := slices.ContainsFunc(r.Shares, func(s SeatShare) bool { return s.Seat == m.ids[seat] })
		resulted := slices.ContainsFunc(r.Results, func(s SeatResult) bool { return s.Seat == m.ids[seat] })
		shown := slices.ContainsFunc(r.Links, func(l Link) bool { return l.Seat == m.ids[seat] })
		if did = fmt.Sprint(did, shared, resulted, shown); r.Phase == croft.PhaseSum {
			did = fmt.Sprint(shared, resulted)
		}
		if slices.Contains(tried, did) {
			continue
		}
		tried = append(tried, did)
		if ack := m.ack(v, r, seat, missing); r.Phase == croft.PhaseReport && (len(missing) > 0 || !ack.Link.IsZero()) {
			out = append(out, one(cast[seat]+" acknowledges", seat, ack))
		}
		if rejected := slices.ContainsFunc(r.Rejects, func(x SeatReject) bool { return x.Seat == m.ids[seat] }); m.forged && r.Phase == croft.PhaseSum && !rejected {
			out = append(out, one(cast[seat]+" refuses cleo's proof", seat, &Reject{Study: id, Round: n, Sites: m.ids[cleo : cleo+1], Answers: croft.HashOf(seat)}))
		}
		if r.Phase == croft.PhaseSum && !shared && !m.forged {
			out = append(out, one(cast[seat]+" shares", seat, &Share{Study: id, Round: n, Blob: croft.HashOf(seat)}))
		}
		if r.Phase == croft.PhaseSum && !resulted && len(r.Shares) >= int(v.Quorum) {
			out = append(out, one(cast[seat]+" has a result", seat, honest(st, r)))
		}
	}

	other := uint32(10)
	if slices.ContainsFunc(r.Shares, func(s SeatShare) bool { return s.Seat == m.ids[dina] }) {
		other++ // a second, other share
	}
	out = append(out, one("dina shares", dina, &Share{Study: id, Round: n, Blob: croft.HashOf(other)}))
	for site := range dina {
		out = append(out, one("dina acknowledges "+cast[site], dina, &Ack{Study: id, Round: n, Sites: m.ids[site : site+1]}))
	}
	right, wrong, fails := honest(st, r), honest(st, r), honest(st, r)
	wrong.Sum, wrong.Done, wrong.Bad = croft.HashOf(99), true, m.ids[:1]
	fails.Fail = croft.ErrTxStudy
	out = append(out,
		one("dina's right result", dina, right),
		one("dina's wrong result", dina, wrong),
		one("dina's failure", dina, fails),
		one("dina recovers", dina, &Recover{id, n, m.ids[ada]}))
	if !st.plan.Unproved {
		early := &Ack{Study: id, Round: n, Sites: m.ids[ada : ada+1], Link: ChainLink(chainOf(cast[dina]), n)}
		other := *early
		other.Link = ChainLink(chainOf(cast[dina]), n+1)
		out = append(out,
			one("dina shows her link", dina, early),
			one("dina shows another link", dina, &other),
			one("dina refuses ada's proof", dina, &Reject{Study: id, Round: n, Sites: m.ids[ada : ada+1], Answers: croft.HashOf(1)}))
	}
	return out
}

// answers are the moves of a study that waits for its sites' answers. All four
// members may be sites; two of them are honest.
func answers(m *model, at *spot) (out []move) {
	v := at.studyViews[0]
	if !v.active() {
		return nil
	}
	id, plan := v.ID, m.studies[0].plan
	out = append(out, move{name: "sleep", sleep: true, txs: []sent{{dina, &Tick{id}}}})
	never := func(before, after *spot) error {
		r, open := after.studyViews[0].open()
		if !open || before.studyViews[0].Status != Proposed {
			return nil
		}
		for _, site := range r.Sites {
			i := slices.IndexFunc(after.studyViews[0].Answers, func(a Answer) bool { return a.Site == site })
			if a := after.studyViews[0].Answers[i]; !a.Approved || a.Expires*1000 <= after.now {
				return fmt.Errorf("it opened with a site that did not agree")
			}
		}
		if len(r.Sites) < MinSites {
			return fmt.Errorf("it opened with %d sites", len(r.Sites))
		}
		return nil
	}
	for _, site := range []int{ada, ben, dina} {
		if !slices.ContainsFunc(v.Answers, func(a Answer) bool { return a.Site == m.ids[site] && a.Approved }) {
			out = append(out, one(cast[site]+" approves", site, m.approval(0, site, plan.Expires)))
		}
	}
	other := m.approval(0, cleo, plan.Expires)
	other.Threshold--
	out = append(out,
		one("cleo approves", cleo, m.approval(0, cleo, plan.Expires)),
		one("cleo approves for half a patience", cleo, m.approval(0, cleo, m.start/1000+30)),
		one("cleo approves for a patience and a half", cleo, m.approval(0, cleo, m.start/1000+90)),
		one("cleo approves something else", cleo, other),
		one("cleo declines", cleo, &Decline{id, croft.RefusedPolicy}),
		one("cleo withdraws", cleo, &Withdraw{id}),
		one("cleo reports", cleo, &Report{Study: id, Header: header("cleo", 0)}),
		one("dina shares", dina, &Share{Study: id, Blob: croft.HashOf(1)}))
	for i := range out {
		out[i].must = never
	}
	return out
}

// retries are the moves of several studies over the same data, each with the same
// sites, one less or one more, in steps that are coarser: the rules join studies
// only where a round freezes and where it is charged.
func retries(m *model, at *spot) (out []move) {
	proposed := uint8(0)
	for k, v := range at.studyViews {
		if v.known {
			proposed++
			continue
		}
		if k == 0 || at.studyViews[k-1].known {
			out = append(out, move{name: fmt.Sprintf("propose %d", k), txs: m.opening(k, 15)})
			if m.studies[k].sites == 15 {
				out = append(out, move{name: fmt.Sprintf("propose %d, cleo does not answer", k), txs: m.opening(k, 15&^(1<<cleo))})
			}
		}
		break
	}
	var ticks []sent
	for k, v := range at.studyViews {
		if !v.known || !v.active() {
			continue
		}
		ticks = append(ticks, sent{dina, &Tick{v.ID}})
		out = append(out, one(fmt.Sprintf("cleo withdraws from %d", k), cleo, &Withdraw{v.ID}))
		r, open := v.open()
		if !open {
			continue
		}
		if r.Phase == croft.PhaseSum {
			var txs []sent
			for seat := range cast {
				txs = append(txs, sent{seat, &Share{Study: v.ID, Round: r.Number, Blob: croft.HashOf(seat)}})
			}
			for seat := range dina {
				txs = append(txs, sent{seat, honest(m.studies[k], r)})
			}
			out = append(out, move{name: fmt.Sprintf("%d sums", k), txs: txs})
			continue
		}
		missing := m.set(r.Sites)
		for _, a := range r.Reports {
			missing &^= m.set([]croft.MemberID{a.Site})
		}
		if len(r.Closed) > 0 {
			out = append(out, m.reporting(k, r, 0), m.reporting(k, r, missing))
			continue
		}
		out = append(out, m.reporting(k, r, missing))
		for site := range cast {
			if missing == m.set(r.Sites) && missing>>site&1 == 1 {
				out = append(out, m.reporting(k, r, missing&^(1<<site)))
			}
		}
	}
	if len(ticks) > 0 {
		out = append(out, move{name: "sleep", sleep: true, txs: ticks})
	}
	return out
}

// reporting is the reports of some sites, held by all seats.
func (m *model) reporting(k int, r Round, sites uint8) move {
	mv := move{name: fmt.Sprintf("%d: %04b report", k, sites)}
	for i := range cast {
		if sites>>i&1 == 1 {
			mv.txs = append(mv.txs, sent{i, &Report{Study: r.Study, Round: r.Number, Header: header(cast[i], r.Number)}})
		}
	}
	here := sites
	for _, a := range r.Reports {
		here |= m.set([]croft.MemberID{a.Site})
	}
	for seat := range cast {
		ack := &Ack{Study: r.Study, Round: r.Number, Sites: m.some(sites)}
		if m.set(r.Expected())&^here == 0 && !m.studies[k].plan.Unproved {
			ack.Link = ChainLink(chainOf(cast[seat]), r.Number)
		}
		mv.txs = append(mv.txs, sent{seat, ack})
	}
	return mv
}

// ack is an honest seat's acknowledgement of what it has not acknowledged yet: if
// then it holds all that are expected, it shows its link.
func (m *model) ack(v studyView, r Round, seat int, missing []croft.MemberID) *Ack {
	a := &Ack{Study: r.Study, Round: r.Number, Sites: missing}
	shown := slices.ContainsFunc(r.Links, func(l Link) bool { return l.Seat == m.ids[seat] })
	if all := !slices.ContainsFunc(r.Expected(), func(site croft.MemberID) bool { _, here := r.Report(site); return !here }); all && !shown && !m.unproved(v) {
		a.Link = ChainLink(chainOf(cast[seat]), r.Number)
	}
	return a
}

func (m *model) unproved(v studyView) bool {
	return m.studies[slices.IndexFunc(m.studies, func(st modelStudy) bool { return st.id == v.ID })].plan.Unproved
}

// The sets of sites of a study and its two retries.
const (
	abc  = 1<<ada | 1<<ben | 1<<cleo
	abd  = 1<<ada | 1<<ben | 1<<dina
	abcd = abc | 1<<dina
)

func unchecked(p *croft.Study) { p.Unchecked, p.Unproved = true, true }

func proved(p *croft.Study) { p.Unchecked = true }

// openModel is a model of one study that is open, of two rounds; of one if its
// reports have proofs, which have their own orders.
func openModel(t testing.TB, change func(*croft.Study)) (*model, *spot) {
	m := newModel(t, 20)
	m.study(abc, 2, change)
	if !m.studies[0].plan.Unproved {
		m.studies[0].rounds = 1
	}
	m.moves = everyTransaction
	at := m.play(m.begin(), move{name: "open", txs: m.opening(0, 15)})
	at.from, at.deep = nil, 0
	return m, at
}

func retryModel(t testing.TB, releases uint32, sites ...uint8) *model {
	m := newModel(t, releases)
	for k, set := range sites {
		m.study(set, uint32(max(1, 2-k)), nil)
	}
	m.moves = retries
	return m
}

func answerModel(t testing.TB) (*model, *spot) {
	m := newModel(t, 20)
	m.study(abcd, 1, nil)
	m.moves = answers
	at := m.play(m.begin(), move{name: "propose", txs: m.opening(0, 0)})
	at.from, at.deep = nil, 0
	return m, at
}

// The normal run is a few seconds of it; the run with the tag long goes further.
func TestModel(t *testing.T) {
	t.Run("every transaction", func(t *testing.T) {
		t.Parallel()
		m, at := openModel(t, unchecked)
		m.sleeps = 1
		m.report(t, at)
	})
	for _, forged := range []bool{false, true} {
		t.Run(fmt.Sprintf("every transaction with proofs, cleo forges: %v", forged), func(t *testing.T) {
			t.Parallel()
			m, at := openModel(t, proved)
			m.sleeps, m.forged = 1, forged
			m.report(t, at)
		})
	}
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		m, at := answerModel(t)
		m.sleeps = 2
		m.report(t, at)
	})
	for name, sites := range retried {
		t.Run("two retries: "+name, func(t *testing.T) {
			t.Parallel()
			m := retryModel(t, 20, sites...)
			m.sleeps, m.depth = 1, 5
			m.report(t, m.begin())
		})
	}
	t.Run("one retry", func(t *testing.T) {
		t.Parallel()
		m := retryModel(t, 20, abcd, abc)
		m.sleeps = 1
		m.report(t, m.begin())
	})
	t.Run("one retry on a budget", func(t *testing.T) {
		t.Parallel()
		m := retryModel(t, 2, abc, abc)
		m.sleeps = 1
		m.report(t, m.begin())
	})
}

var retried = map[string][]uint8{
	"the same, one more":   {abc, abc, abcd},
	"one less, exchanged":  {abcd, abc, abd},
	"one more, or as many": {abc, abcd, abcd},
}

// report explores and says how much there was.
func (m *model) report(t *testing.T, from *spot) {
	t.Helper()
	e := m.explore(from)
	t.Log(e)
	if e.failed != nil {
		t.Error(e.failed)
	}
}

// edit is Apply with the study's and the open round's records changed before it.
func edit(change func(*Study, *Round, Tx)) func(*State, Tx) error {
	return func(s *State, tx Tx) error {
		var id croft.StudyID
		switch body := tx.Body.(type) {
		case *Report:
			id = body.Study
		case *Ack:
			id = body.Study
		case *Reject:
			id = body.Study
		case *Share:
			id = body.Study
		case *Result:
			id = body.Study
		case *Withdraw:
			id = body.Study
		}
		st, known := read[Study](s, StudyKey(id))
		if r, open := read[Round](s, RoundKey(id, st.Round)); known && open {
			change(&st, &r, tx)
			s.put(st)
			write(s, RoundKey(id, r.Number), r)
		}
		return Apply(s, tx)
	}
}

// whileLying runs f on a state in which a study's record says something else, and
// puts right afterwards what f did not touch.
func whileLying(s *State, id croft.StudyID, lie, truth func(*Study), f func() error) error {
	st, known := read[Study](s, StudyKey(id))
	if !known {
		return f()
	}
	lie(&st)
	s.put(st)
	err := f()
	st, _ = read[Study](s, StudyKey(id))
	truth(&st)
	s.put(st)
	return err
}

// The model must catch each of these: rules with one guard weakened.
func TestModelCatches(t *testing.T) {
	open := func(t testing.TB) (*model, *spot) {
		return openModel(t, unchecked)
	}
	provedOpen := func(t testing.TB) (*model, *spot) {
		return openModel(t, proved)
	}
	frozen := func(t testing.TB) (*model, *spot) {
		m, at := openModel(t, unchecked)
		r, _ := at.studyViews[0].open()
		return m, m.play(at, m.reporting(0, r, abc))
	}
	retry := func(t testing.TB) (*model, *spot) {
		m := retryModel(t, 20, abcd, abc)
		m.sleeps = 1
		return m, m.begin()
	}
	// without runs the rules on groups that show something else than they hold.
	without := func(change func(*Group), restore func(was, is *Group)) rules {
		around := func(s *State, f func()) {
			was := map[string]Group{}
			for _, name := range cast {
				key := GroupKey(croft.Sum([]byte(name)))
				g, _ := read[Group](s, key)
				was[key] = g
				change(&g)
				write(s, key, g)
			}
			f()
			for _, key := range slices.Sorted(maps.Keys(was)) {
				g, old := must(read[Group](s, key)), was[key]
				restore(&old, &g)
				write(s, key, g)
			}
		}
		return rules{
			func(s *State, tx Tx) (err error) { around(s, func() { err = Apply(s, tx) }); return err },
			func(s *State, b Block) { around(s, func() { head(s, b) }) },
		}
	}
	// afterwards changes a study that the head of a block looked at.
	afterwards := func(change func(*State, *Study, croft.Study, *Round)) rules {
		return rules{Apply, func(s *State, b Block) {
			list, _ := read[[]dueItem](s, dueKey)
			head(s, b)
			for _, item := range list {
				st, plan, _ := s.study(item.Study)
				if r, open := read[Round](s, RoundKey(st.ID, st.Round)); open {
					change(s, &st, plan, &r)
					write(s, RoundKey(st.ID, r.Number), r)
					s.put(st)
				}
			}
		}}
	}
	applying := func(apply func(*State, Tx) error) rules { return rules{apply, head} }

	for name, c := range map[string]struct {
		begin  func(testing.TB) (*model, *spot)
		mutant rules
		want   string
	}{
		"a second report replaces the first": {open, applying(edit(func(_ *Study, r *Round, tx Tx) {
			if p, ok := tx.Body.(*Report); ok && r.Phase == croft.PhaseReport {
				for i := range r.Reports {
					if r.Reports[i].Site == tx.Member {
						r.Reports[i].Header = p.Header
					}
				}
			}
		})), "the first report did not win"},
		"a second share replaces the first": {frozen, applying(edit(func(_ *Study, r *Round, tx Tx) {
			if _, ok := tx.Body.(*Share); ok {
				r.Shares = slices.DeleteFunc(r.Shares, func(s SeatShare) bool { return s.Seat == tx.Member })
			}
		})), "the first share did not win"},
		"a second result replaces the first": {frozen, applying(edit(func(_ *Study, r *Round, tx Tx) {
			if _, ok := tx.Body.(*Result); ok {
				r.Results = slices.DeleteFunc(r.Results, func(s SeatResult) bool { return s.Seat == tx.Member })
			}
		})), "the first result did not win"},
		"one result is enough": {frozen, applying(func(s *State, tx Tx) error {
			p, ok := tx.Body.(*Result)
			if !ok {
				return Apply(s, tx)
			}
			return whileLying(s, p.Study, func(st *Study) { st.Threshold = 0 }, func(st *Study) { st.Threshold = 2 }, func() error { return Apply(s, tx) })
		}), "a sum was agreed that no honest seat computed"},
		"one acknowledgement less is enough": {open, applying(func(s *State, tx Tx) error {
			p, ok := tx.Body.(*Ack)
			if !ok {
				return Apply(s, tx)
			}
			return whileLying(s, p.Study, func(st *Study) { st.Quorum-- }, func(st *Study) { st.Quorum++ }, func() error { return Apply(s, tx) })
		}), "accepted with 2 acknowledgements"},
		"a report whose seeds are asked for again is left out": {frozen, applying(func(s *State, tx Tx) error {
			p, ok := tx.Body.(*Recover)
			if !ok {
				return Apply(s, tx)
			}
			r, _ := read[Round](s, RoundKey(p.Study, p.Round))
			r.Accepted = slices.DeleteFunc(r.Accepted, func(id croft.MemberID) bool { return id == p.Site })
			write(s, RoundKey(p.Study, p.Round), r)
			return nil
		}), "a second set of sites could be opened"},
		"a cohort shrinks to those who are here": {retry, afterwards(func(s *State, st *Study, _ croft.Study, r *Round) {
			if here := r.acknowledged(int(st.Quorum)); st.Status == Paused && len(st.Cohort) > 0 && len(here) > 0 {
				st.Cohort = here
			}
		}), "its cohort changed"},
		"a round goes on without its missing site": {retry, afterwards(func(s *State, st *Study, plan croft.Study, r *Round) {
			if here := r.acknowledged(int(st.Quorum)); st.Status == Paused && r.Number > 0 && len(here) >= MinSites {
				s.freeze(st, plan, r, here)
			}
		}), "its sum is not over the cohort"},
		"a withdrawal is forgotten": {open, applying(func(s *State, tx Tx) error {
			if _, ok := tx.Body.(*Withdraw); ok {
				return nil
			}
			return Apply(s, tx)
		}), "a withdrawal did not stop it"},
		"nobody looks at deadlines": {open, applying(func(s *State, tx Tx) error {
			if _, ok := tx.Body.(*Tick); ok {
				return nil
			}
			return Apply(s, tx)
		}), "neither goes on nor pauses"},
		"a stopped study goes on": {open, applying(edit(func(st *Study, _ *Round, tx Tx) {
			if _, ok := tx.Body.(*Report); ok && st.Status == Stopped {
				st.Status, st.Reason = Running, ""
			}
		})), "after its end"},
		"earlier cohorts are not looked at": {retry, without(
			func(g *Group) { g.Cohorts = nil },
			func(was, is *Group) { is.Cohorts = append(was.Cohorts, is.Cohorts...) },
		), "two released sums differ by 1 sites"},
		"common columns are not seen": {retry, without(
			func(g *Group) {
				for i := range g.Cohorts {
					g.Cohorts[i].Columns = nil
				}
			},
			func(was, is *Group) { is.Cohorts = append(was.Cohorts, is.Cohorts[len(was.Cohorts):]...) },
		), "two released sums differ by 1 sites"},
		"a cap is not looked at": {func(t testing.TB) (*model, *spot) {
			m := retryModel(t, 2, abc, abc)
			return m, m.begin()
		}, without(func(g *Group) { g.Cap++ }, func(_, is *Group) { is.Cap-- }), "2 allowed"},
		"a release is not charged": {open, without(func(*Group) {}, func(was, is *Group) { is.Used = was.Used }), "0 releases charged, 1 made"},
		"a link is taken from who does not hold all reports": {provedOpen, applying(edit(func(_ *Study, r *Round, tx Tx) {
			if p, ok := tx.Body.(*Ack); ok && !p.Link.IsZero() && r.Phase == croft.PhaseReport && len(r.Links) == 0 {
				r.Links = []Link{{tx.Member, p.Link}}
			}
		})), "before the reports were fixed"},
		"two links are enough": {provedOpen, applying(func(s *State, tx Tx) error {
			p, ok := tx.Body.(*Ack)
			if !ok {
				return Apply(s, tx)
			}
			return whileLying(s, p.Study, func(st *Study) { st.Quorum-- }, func(st *Study) { st.Quorum++ }, func() error { return Apply(s, tx) })
		}), "accepted with 2 acknowledgements"},
		"one seat may refuse a proof": {provedOpen, applying(func(s *State, tx Tx) error {
			p, ok := tx.Body.(*Reject)
			if !ok {
				return Apply(s, tx)
			}
			return whileLying(s, p.Study, func(st *Study) { st.Threshold = 0 }, func(st *Study) { st.Threshold = 2 }, func() error { return Apply(s, tx) })
		}), "over a proof that holds"},
		"a report is taken after patience has closed the round": {retry, applying(edit(func(_ *Study, r *Round, tx Tx) {
			if _, ok := tx.Body.(*Report); ok {
				r.Closed = nil
			}
		})), "after the round was closed"},
		"a block's own time counts": {func(t testing.TB) (*model, *spot) {
			m, at := answerModel(t)
			m.sleeps = 2
			return m, at
		}, rules{Apply, func(s *State, b Block) { b.Time -= 60_000; head(s, b) }}, "a site that did not agree"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, at := c.begin(t)
			m.rules = c.mutant
			e := m.explore(at)
			if e.failed == nil || !strings.Contains(e.failed.Error(), c.want) {
				t.Fatalf("%v\n%v", e, e.failed)
			}
			t.Log(e.failed)
		})
	}
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("no such record")
	}
	return v
}
