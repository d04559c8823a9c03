package ledger

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

// history is a network to which anything is sent: bodies of all kinds by anybody,
// sensible and not, again and late. It remembers its blocks.
type history struct {
	*world
	rt      *rapid.T
	blocks  []recorded
	studies []croft.StudyID
	invites []croft.Invite
	outside []string // newcomers that are no members yet
	data    map[string][]croft.DatasetID
	sent    [][]byte // for replays
	count   int
	refused int
	kinds   map[Kind]int // that were accepted
	harsh   bool         // in the middle of a study the latest member is revoked
	begun   bool         // a study is proposed in the block that is being made
	proof   bool         // the next block follows at once: the last one changed the state
}

type recorded struct {
	Block
	txs  [][]byte
	hash croft.Hash
}

// make makes a block. What was refused must have left no trace: the same block
// without it gives the same state.
func (h *history) make(dt int64, txs ...[]byte) Outcome {
	h.now += max(dt, 1)
	h.turn++
	b := Block{Height: h.m.Height() + 1, Time: h.now, Proposer: h.members[h.names[h.turn%len(h.names)]].Validator}
	before := h.m.AppHash()
	out := h.m.Execute(b, txs)
	var held [][]byte
	for i, r := range out.Effects {
		if r.Err() == nil {
			held = append(held, txs[i])
			if tx, kind, err := Parse(txs[i]); err == nil {
				h.took(tx, kind)
			}
		} else if r.Log == "" {
			h.rt.Fatalf("a refusal without a sentence: %d %s", r.Code, r.Log)
		}
	}
	h.count += len(txs)
	if refused := len(txs) - len(held); refused > 0 {
		h.refused += refused
		if again := h.m.Execute(b, held); again.AppHash != out.AppHash {
			h.rt.Fatalf("block %d: %d refused transactions left a trace", b.Height, refused)
		}
	}
	if err := h.m.Commit(); err != nil {
		h.rt.Fatal(err)
	}
	if err := CheckInvariants(h.m.tree); err != nil {
		h.rt.Fatalf("block %d: %v", b.Height, err)
	}
	if h.m.AppHash() != out.AppHash {
		h.rt.Fatal("commit wrote another state than execute announced")
	}
	h.outside = slices.DeleteFunc(h.outside, func(name string) bool {
		admitted := h.isMember(name)
		if admitted {
			h.names = append(slices.Clone(h.names), name)
		}
		return admitted
	})
	h.blocks = append(h.blocks, recorded{b, slices.Clone(txs), out.AppHash})
	h.begun, h.proof = false, out.AppHash != before
	return out
}

// took notes what was accepted: only that can be spoken of later.
func (h *history) took(tx Tx, kind Kind) {
	h.kinds[kind]++
	switch tx.Body.(type) {
	case *Propose:
		if id := croft.StudyID(tx.ID); !slices.Contains(h.studies, id) {
			h.studies = append(h.studies, id)
		}
	case *Register:
		for _, name := range h.names {
			if id := croft.DatasetID(tx.ID); h.id(name) == tx.Member && !slices.Contains(h.data[name], id) {
				h.data[name] = append(h.data[name], id)
			}
		}
	}
}

// pick draws one of the values.
func pick[T any](t *rapid.T, label string, of []T) T {
	return of[rapid.IntRange(0, len(of)-1).Draw(t, label)]
}

// next is what a member's node and person would do now about a newcomer or in the
// latest study; nil if nothing.
func (h *history) next(name string) any {
	for _, newcomer := range h.outside {
		v := h.admission(name, newcomer)
		ballot, _ := decodeRecord[Ballot](h.m.Get(BallotKey(*v)))
		if h.standing(newcomer) == Pending && h.isMember(name) && !has(ballot.Yes, h.id(name)) {
			return v
		}
	}
	id := h.studies[len(h.studies)-1]
	st, self := h.study(id), h.id(name)
	if v := h.revocation(name); h.harsh && st.Status == Running && h.isMember(name) && h.isMember(h.names[len(h.names)-1]) {
		if ballot, _ := decodeRecord[Ballot](h.m.Get(BallotKey(*v))); !has(ballot.Yes, self) {
			return v
		}
	}
	r := h.round(id, st.Round)
	plan, _ := decodeRecord[croft.Study](h.m.Get(PlanKey(id)))
	seated := has(st.Seats, self) && has(st.Enrolled, self)
	answered := slices.ContainsFunc(st.Answers, func(a Answer) bool { return a.Site == self })
	_, reported := r.Report(self)
	switch {
	case st.Status == Proposed && !has(st.Enrolled, self):
		return h.enrol(name, id)
	case st.Status == Proposed && has(plan.Sites, self) && !answered && len(h.data[name]) > 0:
		return h.approval(id, h.data[name][0])
	case st.Status != Running && st.Status != Paused:
		return nil
	case r.Phase == croft.PhaseReport && has(r.Sites, self) && !reported:
		return &Report{Study: id, Round: r.Number, Header: header(name, r.Number)}
	case r.Phase == croft.PhaseReport && seated:
		var missing []croft.MemberID
		for _, a := range r.Reports {
			if !has(a.Acks, self) {
				missing = append(missing, a.Site)
			}
		}
		shown := slices.ContainsFunc(r.Links, func(l Link) bool { return l.Seat == self })
		if a := h.ack(name, id, r.Number, missing); len(missing) > 0 || !a.Link.IsZero() && !shown {
			return a
		}
	case r.Phase == croft.PhaseSum && seated:
		if !slices.ContainsFunc(r.Shares, func(s SeatShare) bool { return s.Seat == self }) {
			return &Share{Study: id, Round: r.Number, Blob: croft.Sum([]byte(name))}
		}
		if !slices.ContainsFunc(r.Results, func(s SeatResult) bool { return s.Seat == self }) && len(r.Shares) >= int(st.Quorum) {
			return h.outturn(id, r.Number, r.Number >= 1)
		}
	}
	return nil
}

// body draws a transaction of any kind. Most of them fit the state; a tenth of
// the numbers and names in them do not.
func (h *history) body(t *rapid.T, name string) any {
	odd := func() bool { return rapid.IntRange(0, 9).Draw(t, "odd") == 0 }
	if len(h.studies) == 0 || rapid.IntRange(0, 29).Draw(t, "rare") == 0 || h.study(h.studies[len(h.studies)-1]).Status > Paused {
		return h.rare(t, name)
	}
	id := h.studies[len(h.studies)-1]
	if odd() {
		id = pick(t, "study", h.studies)
	}
	st := h.study(id)
	n := st.Round
	if odd() {
		n = uint32(rapid.IntRange(0, 3).Draw(t, "round"))
	}
	r := h.round(id, n)
	reason := pick(t, "reason", []croft.Refusal{croft.RefusedPolicy, croft.RefusedConsent, croft.RefusedUnavailable, 6})

	what := rapid.IntRange(0, 15).Draw(t, "what")
	switch {
	case rapid.IntRange(0, 44).Draw(t, "no") == 0:
		return pick(t, "no", []any{&Decline{id, reason}, &Withdraw{id}, &Stop{id, reason}})
	case odd() || what > 14:
		return &Tick{id}
	case st.Status == Proposed && what < 7:
		e := h.enrol(name, id)
		if odd() {
			e.Key[0]++
		}
		if odd() {
			e.Anchor = croft.HashOf(name)
		}
		return e
	case st.Status == Proposed && len(h.data[name]) > 0:
		a := h.approval(id, pick(t, "dataset", h.data[name]))
		if odd() {
			a.Expires = h.now/1000 + int64(pick(t, "expires", []int{-10, 60, 1000, 50_000, 50_000, 50_000, 50_000, 50_000}))
		}
		if odd() && odd() {
			a.Releases = uint32(rapid.IntRange(0, 3).Draw(t, "releases"))
		}
		return a
	case st.Status == Proposed:
		return &Register{Name: "visits", Group: croft.Sum([]byte(name)), Releases: 5}
	case r.Phase == croft.PhaseReport && what < 6 || odd():
		head := header(name, n)
		if odd() {
			head.Size++
		}
		return &Report{Study: id, Round: n, Header: head}
	case r.Phase == croft.PhaseReport || odd():
		var sites []croft.MemberID
		for _, report := range r.Reports {
			if !odd() {
				sites = append(sites, report.Site)
			}
		}
		if odd() {
			sites = append(sites, h.id(pick(t, "site", h.names)))
		}
		a := h.ack(name, id, n, sites)
		if odd() {
			a.Link = ChainLink(chainOf(name), n+1)
		}
		return a
	case what < 3 || odd():
		blob := name
		if odd() {
			blob = "other"
		}
		share := &Share{Study: id, Round: n, Blob: croft.Sum([]byte(blob))}
		if odd() {
			share.Bad = h.ids(pick(t, "liar", h.names))
		}
		return share
	case what < 7 && len(r.Accepted) > 0:
		return &Reject{Study: id, Round: n, Sites: []croft.MemberID{pick(t, "refused", r.Accepted)}, Answers: croft.HashOf(rapid.IntRange(0, 1).Draw(t, "answers"))}
	case what < 11:
		return &Recover{id, n, h.id(pick(t, "site", h.names))}
	}
	out := h.outturn(id, n, n >= 1)
	if odd() {
		out.Sum, out.Bad = croft.HashOf(99), h.ids(pick(t, "liar", h.names))
	}
	if odd() {
		out.Bounds = append(out.Bounds, 1)
	}
	if odd() && odd() {
		out.Fail = croft.ErrTxStudy
	}
	return out
}

// admission is a member's vote on a newcomer.
func (h *history) admission(name, newcomer string) *Vote {
	m := h.members[newcomer]
	m.Ready = false
	last, _ := decodeRecord[uint64](h.m.Get(SequenceKey(h.id(name))))
	return &Vote{Action: Admit, Newcomer: &m, Sequence: last + 1}
}

// revocation is a member's vote against the latest one.
func (h *history) revocation(name string) *Vote {
	last, _ := decodeRecord[uint64](h.m.Get(SequenceKey(h.id(name))))
	return &Vote{Action: Revoke, Subject: h.id(h.names[len(h.names)-1]), Sequence: last + 1}
}

// joins draws an application, which is sealed already.
func (h *history) joins(t *rapid.T) any {
	everybody := slices.Concat(h.names, h.outside) // who is a member applies in vain
	if len(h.outside) > 0 && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		everybody = h.outside
	}
	name, v := pick(t, "newcomer", everybody), pick(t, "invite", h.invites)
	m := h.members[name]
	m.Ready = rapid.IntRange(0, 9).Draw(t, "ready") == 0
	if rapid.IntRange(0, 9).Draw(t, "namesake") == 0 {
		m.Name = h.names[0]
	}
	return SealJoin(h.m.Scope(), v.Public(), m, h.signer(name, v))
}

// rare draws the transactions that begin things, and the votes.
func (h *history) rare(t *rapid.T, name string) any {
	switch rapid.IntRange(0, 13).Draw(t, "begin") {
	case 0, 1, 2:
		return &Register{Name: "visits", Group: croft.Sum([]byte(pick(t, "group", h.names))), Releases: uint32(pick(t, "cap", []int{0, 5, 50, 50, 50, 50, 50, 50, 50, 50})),
			Commitment: croft.HashOf(rapid.IntRange(0, 3).Draw(t, "version"))}
	case 3, 4, 5, 6:
		if h.begun {
			return &Tick{}
		}
		h.begun = true
		sites := slices.Clone(h.names[:rapid.IntRange(2, len(h.names)).Draw(t, "sites")])
		plan := h.plan(sites...)
		plan.Name = fmt.Sprint("study ", rapid.IntRange(0, 1000).Draw(t, "name"))
		plan.Patience = uint32(pick(t, "patience", []int{0, 5, 60, 3600, 3600}))
		plan.Expires = h.now/1000 + pick(t, "expiry", slices.Concat([]int64{-1, 300, 1 << 40}, slices.Repeat([]int64{86400}, 17)))
		plan.Unproved = rapid.IntRange(0, 5).Draw(t, "unproved") == 0
		plan.Unchecked, plan.Strict = rapid.Bool().Draw(t, "unchecked"), rapid.IntRange(0, 4).Draw(t, "strict") == 0
		if rapid.IntRange(0, 3).Draw(t, "required") == 0 {
			plan.Required = h.ids(pick(t, "who", h.names))
		}
		plan.Model.Features = []string{pick(t, "column", []string{"age", "age", "height"})}
		return &Propose{plan}
	case 7:
		return &Ready{}
	case 8, 9:
		v := croft.Invite{Network: h.m.Scope().Network, Expires: h.now/1000 + pick(t, "invited for", []int64{-10, 60, 86400, 86400})}
		v.Secret[0] = byte(rapid.IntRange(0, 3).Draw(t, "secret"))
		h.invites = append(h.invites, v)
		return &Invite{Key: v.Public(), Expires: v.Expires, Uses: uint8(pick(t, "uses", []int{0, 1, 1, 2, MaxUses})), Auto: rapid.Bool().Draw(t, "auto")}
	case 10, 11:
		if len(h.invites) > 0 {
			return h.joins(t)
		}
	}
	last, _ := decodeRecord[uint64](h.m.Get(SequenceKey(h.id(name))))
	v := &Vote{Action: pick(t, "action", []Action{Admit, Revoke, StopAll, Resume, Resume, Seat, 9}), Sequence: last + 1}
	switch v.Action {
	case Admit:
		return h.admission(name, pick(t, "for", []string{"zoe", "yan"}))
	case Revoke:
		return h.revocation(name)
	}
	return v
}

// act draws one transaction: a body by somebody, an old one again, or junk.
func (h *history) act(t *rapid.T) []byte {
	if i := rapid.IntRange(0, 39).Draw(t, "again"); i < 3 && len(h.sent) > 0 {
		raw := slices.Clone(pick(t, "old", h.sent))
		if i == 0 {
			raw[rapid.IntRange(0, len(raw)-1).Draw(t, "flip")] ^= 1
		}
		return raw
	}
	if h.m.Height() > 0 && h.m.view().Stopped { // or nothing else would ever happen
		for _, name := range h.names {
			last, _ := decodeRecord[uint64](h.m.Get(SequenceKey(h.id(name))))
			h.sent = append(h.sent, h.seal(name, &Vote{Action: Resume, Sequence: last + 1}))
		}
	}
	at := rapid.IntRange(0, len(h.names)-1).Draw(t, "member")
	if rapid.IntRange(0, 3).Draw(t, "honest") > 0 && len(h.studies) > 0 {
		for i := range h.names {
			name := h.names[(at+i)%len(h.names)]
			if body := h.next(name); body != nil {
				h.nonce = 0
				raw := h.seal(name, body)
				h.sent = append(h.sent, raw)
				return raw
			}
		}
	}
	name := h.names[at]
	h.nonce = uint64(rapid.IntRange(0, 3).Draw(t, "nonce")) * uint64(rapid.IntRange(0, 1000).Draw(t, "salt"))
	body := h.body(t, name)
	raw, sealed := body.([]byte)
	if !sealed {
		raw = h.seal(name, body)
	}
	h.sent = append(h.sent, raw)
	return raw
}

// finish lets time pass until every study is over.
func (h *history) finish(t *rapid.T) {
	for range 3 { // resume, whatever was voted before
		var txs [][]byte
		for _, name := range h.names {
			last, _ := decodeRecord[uint64](h.m.Get(SequenceKey(h.id(name))))
			txs = append(txs, h.seal(name, &Vote{Action: Resume, Sequence: last + 1}))
		}
		if h.m.view().Stopped {
			h.make(1000, txs...)
		}
	}
	for _, id := range h.studies {
		if plan, _ := decodeRecord[croft.Study](h.m.Get(PlanKey(id))); plan.Expires >= 1<<40 {
			for _, name := range h.names {
				h.nonce++
				h.make(1000, h.seal(name, &Stop{id, croft.RefusedUnavailable}))
			}
		}
	}
	h.make(2 * 86400_000)
	for _, id := range h.studies {
		h.nonce++
		for _, name := range h.names { // the first may have been revoked
			h.make(1000, h.seal(name, &Tick{id}))
		}
	}
	h.make(1)
	for _, id := range h.studies {
		plan, _ := decodeRecord[croft.Study](h.m.Get(PlanKey(id)))
		if st := h.study(id); st.Status <= Paused && plan.Expires < 1<<40 {
			t.Fatalf("study %s: %v after it expired", id.Short(), st.Status)
		}
	}
}

// Twenty histories take a few seconds; -rapid.checks asks for more.
func init() { must(0, flag.Set("rapid.checks", "20") == nil) }

// Any sequence of transactions in any blocks: the invariants hold after each, what
// is refused leaves no trace, whoever runs the blocks again gets the same hashes,
// and once nothing is sent any more the chain comes to rest.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]int{}
	ends := map[string]int{}
	total, refused, admitted := 0, 0, 0
	oneHistory := func(rt *rapid.T) {
		names := []string{"ada", "ben", "cleo", "dina", "elif", "femi", "gus"}[:rapid.IntRange(5, 7).Draw(rt, "members")]
		h := &history{world: newWorld(t, names...), rt: rt, harsh: rapid.IntRange(0, 3).Draw(rt, "harsh") == 0, data: map[string][]croft.DatasetID{}, kinds: kinds}
		for _, newcomer := range []string{"zoe", "yan"} {
			h.keep(newcomer)
			h.outside = append(h.outside, newcomer)
		}
		for _, name := range names {
			h.make(100, h.seal(name, &Register{Name: "visits", Group: croft.Sum([]byte(name)), Releases: 50}))
		}
		for h.count < 300 {
			var txs [][]byte
			for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
				txs = append(txs, h.act(rt))
			}
			dt := int64(100)
			if !h.proof { // the chain may sleep only when nothing waits for a block
				dt = pick(rt, "sleep", []int64{100, 100, 100, 100, 100, 3_000, 3_000, 3_000, 61_000, 61_000, 3600_000})
			}
			h.make(dt, txs...)
			for range rapid.IntRange(0, 2).Draw(rt, "empty") {
				h.make(100)
			}
		}
		// With studies still open, a passed patience is heard of by f+1 proposers.
		h.idle(2 + (len(h.names)-1)/3)
		h.finish(rt)
		h.idle(2)
		for _, id := range h.studies {
			st := h.study(id)
			ends[strings.TrimSpace(st.Status.String()+" "+st.Reason)]++
		}
		total, refused, admitted = total+h.count, refused+h.refused, admitted+2-len(h.outside)
		h.replay(rt)
	}
	every := []Kind{KindVote, KindRegister, KindPropose, KindApprove, KindDecline, KindWithdraw, KindReady, KindEnrol,
		KindReport, KindAck, KindShare, KindResult, KindRecover, KindReject, KindStop, KindTick, KindInvite, KindJoin}
	missing := func() []Kind {
		return slices.DeleteFunc(slices.Clone(every), func(k Kind) bool { return kinds[k] > 0 })
	}
	for range 5 { // a rare kind may be missing in twenty histories
		rapid.Check(t, oneHistory)
		if t.Failed() || len(missing()) == 0 && admitted > 0 {
			break
		}
	}
	t.Logf("%d transactions, %d refused; accepted by kind: %v; %d newcomers admitted; studies by their end: %v", total, refused, kinds, admitted, ends)
	if !t.Failed() {
		for _, k := range missing() {
			t.Errorf("no transaction of kind %d was ever accepted: the test does not test it", k)
		}
		if admitted == 0 {
			t.Error("no newcomer was ever admitted")
		}
	}
}

// idle makes blocks without transactions: the state may change in so many of them.
func (h *history) idle(blocks int) {
	for i := range blocks + 3 {
		if h.make(100); h.proof && i >= blocks {
			h.rt.Fatalf("block %d after the last transaction changed the state", i+1)
		}
	}
}

// replay runs the blocks on a fresh machine.
func (h *history) replay(t *rapid.T) {
	m, err := New(h.m.genesis, NewMemoryTree())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range h.blocks {
		if got := m.Execute(b.Block, b.txs).AppHash; got != b.hash {
			t.Fatalf("block %d: replay gives %s, it was %s", b.Height, got.Short(), b.hash.Short())
		}
		if err := m.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}
