package study

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
	"croft/internal/tensor"
	"croft/internal/vdaf"
)

func TestRowsAllowed(t *testing.T) {
	for rows, want := range map[int]uint32{0: 10, 1: 10, 10: 10, 11: 20, 57: 60, 99: 100, 100: 100, 101: 110, 994: 1000, 995: 1000, 1001: 1100, 123_456: 130_000, 1 << 21: 1 << 21} {
		if got := RowsAllowed(rows); got != want {
			t.Errorf("%d rows: %d, want %d", rows, got, want)
		}
	}
}

// Bounds are never below what a layout's vectors can be, and say of them no more than
// four binary digits.
func TestBounds(t *testing.T) {
	st := ledger.Study{Answers: []ledger.Answer{{Site: croft.MemberID{1}, Rows: 10}, {Site: croft.MemberID{2}, Rows: 400}, {Site: croft.MemberID{3}, Rows: 1 << 21}}}
	sites := []croft.MemberID{{1}, {2}, {3}}
	for _, l := range []tensor.Layout{
		{{Name: "counts", Len: 4, Exp: 12, Row: 2, Limbs: 1}},
		{{Name: "counts", Len: 4, Exp: 12, Row: 2, Limbs: 3}},
		{{Name: "a", Len: 40, Exp: 20, Row: 0.25, Limbs: 3}, {Name: "b", Len: 1000, Exp: -3, Limbs: 2}},
	} {
		got := boundsOf(l, st, sites)
		for i, b := range got {
			if norm := l.Norm(int(st.Answers[i].Rows)); float64(b) < norm && b < 1<<tensor.NormBits || bits.Len32(b)-bits.TrailingZeros32(b) > 4 {
				t.Errorf("bound %b of norm %g", b, norm)
			}
		}
		if got[0] > got[1] || got[1] > got[2] {
			t.Errorf("%v: more rows, a smaller bound", got)
		}
	}
	small := boundsOf(tensor.Layout{{Name: "counts", Len: 4, Exp: 12, Row: 2, Limbs: 1}}, st, sites)
	if small[0]*30 > small[1] {
		t.Errorf("%v: a site with a fortieth of the rows has more than a thirtieth of the bound", small)
	}
}

// TestProofsChangeNoResult: the proof is about the numbers, it does not touch them.
func TestProofsChangeNoResult(t *testing.T) {
	want := reference(t)
	for name, change := range map[string]func(w *world, s *croft.Study){
		"without proofs": func(_ *world, s *croft.Study) { s.Unproved = true },
		"a seat that does not read": func(w *world, s *croft.Study) {
			s.Readers = s.Sites // elif holds shares and learns no state: the bounds come from the ledger
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
			defer w.close()
			s := w.plan(4)
			change(w, &s)
			id := w.propose(s, 60)
			if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
				t.Fatal(st.Reason)
			}
			if got := w.people[0].model(id); got != want {
				t.Errorf("%s: model %s, with proofs %s", name, got.Short(), want.Short())
			}
			for n := range w.study(id).Round + 1 {
				if r := w.round(id, n); r.Key.IsZero() != s.Unproved || n > 0 && len(r.Bounds) != 4 && !s.Unproved {
					t.Errorf("%s: round %d has key %s and bounds %v", name, n, r.Key.Short(), r.Bounds)
				}
				if who := w.people[4].events("verify"); s.Unproved && len(who) > 0 || !s.Unproved && n == 0 && len(who) == 0 {
					t.Errorf("%s: %d rounds verified", name, len(who))
				}
			}
		})
	}
}

// cheat makes the person's site deal a report of the open round that deal returns, in
// place of its own; its node has died at the line "compute", and then starts again.
func (p *person) cheat(n *Node, id croft.StudyID, deal dealer) {
	p.w.t.Helper()
	must := func(err error) {
		p.w.t.Helper()
		if err != nil {
			p.w.t.Fatal(err)
		}
	}
	n.At = nil
	ctx, f := p.w.t.Context(), &follower{Node: n, id: id}
	st, plan, r, err := f.read(ctx)
	must(err)
	state, err := f.state(ctx, st, plan, r.Number)
	must(err)
	compiled, err := compile(plan)
	must(err)
	entry, err := n.Data.Get(answerOf(st, p.id).Dataset)
	must(err)
	rows, err := f.readRows(ctx, plan, entry)
	must(err)
	numbers, err := compiled.Compute(state, slices.Index(r.Sites, p.id), len(r.Sites), rows.train, rows.test)
	must(err)
	vector, err := encode(layoutOf(compiled, state, st, r.Sites), numbers)
	must(err)
	c, err := f.reportBinding(st, plan, r, p.id)
	must(err)
	seats := make([]*privagg.Sender, len(st.Seats))
	for i, seat := range st.Seats {
		seats[i], err = f.sender(ctx, r, seat)
		must(err)
	}
	report, err := deal(c, vector, seats)
	must(err)
	must(n.Docs.Put(reportKind, f.name(roundTag(r.Number)), croft.Encode([][]byte{report.Head, report.Blob})))
}

// forge is a report whose vector is above its bound: the blob of an honest one with
// 2^40 added to its first number. Only the proof is wrong.
var forge = forging(func(blob []byte) {
	binary.LittleEndian.PutUint64(blob, vdaf.Add(binary.LittleEndian.Uint64(blob), 1<<40))
}, nil)

// dealt is a head as docs/formats/privagg.md has it.
type dealt struct {
	Version uint8        `cbor:"1,keyasint"`
	Blob    croft.Hash   `cbor:"2,keyasint"`
	Commits []croft.Hash `cbor:"3,keyasint,omitempty"`
	Boxes   [][]byte     `cbor:"4,keyasint"`
	Vector  croft.Hash   `cbor:"5,keyasint"`
	Tests   croft.Hash   `cbor:"6,keyasint"`
}

type dealer func(c privagg.Context, vector []int64, seats []*privagg.Sender) (*privagg.Report, error)

// forging deals an honest report of which the site then changes the blob, has hashes
// that fit it, changes the head, and seals boxes that open.
func forging(blobs func([]byte), heads func(*dealt)) dealer {
	return func(c privagg.Context, vector []int64, seats []*privagg.Sender) (*privagg.Report, error) {
		var secret [32]byte
		report, err := privagg.Deal(c, vector, seats, rand.NewChaCha8(secret), Parallel)
		if err != nil {
			return nil, err
		}
		var head dealt
		if err := croft.Decode(report.Head, &head); err != nil {
			return nil, err
		}
		params, err := vdaf.Fit(int(c.Length), c.Bound)
		if err != nil {
			return nil, err
		}
		norm, err := vdaf.NewNorm(params)
		if err != nil {
			return nil, err
		}
		blob := bytes.Clone(report.Blob)
		if blobs != nil {
			blobs(blob)
		}
		early, late := 8*(int(c.Length)+norm.EarlyDigits()), 8*(int(c.Length)+norm.Digits())
		head.Vector, head.Tests, head.Blob = sha256.Sum256(blob[:early]), sha256.Sum256(blob[:late]), croft.Sum(blob)
		if heads != nil {
			heads(&head)
		}

		boxes := head.Boxes
		head.Boxes = nil // as they are not in what the boxes are bound to
		root := croft.HashOf(head)
		for seat, nodes := range nodesOf(c, rand.NewChaCha8(secret)) {
			bound := croft.Encode([]any{"box", croft.HashOf(c), 0, seat, root})
			if boxes[seat], err = seats[seat].Seal(c.Round, bound, nodes); err != nil {
				return nil, err
			}
		}
		head.Boxes = boxes
		return &privagg.Report{Head: croft.Encode(head), Blob: blob}, nil
	}
}

// nodesOf returns what Deal puts into each seat's box, as docs/formats/privagg.md has it.
func nodesOf(c privagg.Context, from io.Reader) [][]byte {
	context, nodes := croft.HashOf(c), make([][]byte, c.Profile.Seats)
	var grow func(level int, T uint16, node []byte)
	grow = func(level int, T uint16, node []byte) {
		if free := c.Profile.Threshold - bits.OnesCount16(T); free < 0 || free > level {
			return // no set of so many seats is below
		}
		if level < len(nodes) && T>>level&1 == 0 {
			nodes[level] = append(nodes[level], node...)
		}
		if level == 0 {
			return
		}
		for _, T := range []uint16{T, T | 1<<(level-1)} {
			place := binary.BigEndian.AppendUint16([]byte{byte(level - 1)}, T)
			child := sha256.Sum256(slices.Concat([]byte("croft/privagg/node/1"), context[:], place, node))
			grow(level-1, T, child[:16])
		}
	}
	root := make([]byte, 16)
	if _, err := io.ReadFull(from, root); err != nil {
		panic(err)
	}
	grow(len(nodes), 0, root)
	return nodes
}

// of deals a report that is right in another context.
func of(change func(*privagg.Context)) dealer {
	return func(c privagg.Context, vector []int64, seats []*privagg.Sender) (*privagg.Report, error) {
		change(&c)
		vector = append(vector, 0)[:c.Length]
		return privagg.Deal(c, vector, seats, rand.NewChaCha8([32]byte{1}), Parallel)
	}
}

// TestHostileReportsAtTheSeats: a site sends a report that is none. Every honest seat
// that has to do with what is wrong refuses it with the same name; the study ends by the
// name of the site, and nothing was accepted.
func TestHostileReportsAtTheSeats(t *testing.T) {
	for name, bad := range map[string]struct {
		deal dealer
		want croft.Code
	}{
		"of another round":                       {of(func(c *privagg.Context) { c.Round++ }), croft.ErrBox},
		"of another study":                       {of(func(c *privagg.Context) { c.Study[0]++ }), croft.ErrBox},
		"in another site's name":                 {of(func(c *privagg.Context) { c.Site[0]++ }), croft.ErrBox},
		"of another length":                      {of(func(c *privagg.Context) { c.Length++ }), croft.ErrReport},
		"of a bound wider by one":                {of(func(c *privagg.Context) { c.Bound++ }), croft.ErrBox},
		"without a proof":                        {of(func(c *privagg.Context) { c.Bound = 0 }), croft.ErrReport},
		"with seeds that were not committed to":  {forging(nil, func(h *dealt) { h.Commits[3][0]++ }), croft.ErrCommitment},
		"with coins of the site's choice":        {forging(nil, func(h *dealt) { h.Vector[0]++ }), croft.ErrProof},
		"with a number that is not in the field": {forging(func(blob []byte) { binary.LittleEndian.PutUint64(blob, vdaf.Modulus) }, nil), croft.ErrEncoding},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
			defer w.close()
			id := w.propose(w.plan(4), 60)
			ben := w.people[1]
			n := ben.running()
			ben.dieAt("compute")
			<-ben.died
			<-ben.done
			round := w.study(id).Round
			ben.cheat(n, id, bad.deal)
			ben.start()
			st := w.until(id, time.Hour, ended)
			r := w.round(id, round)
			if st.Reason != ledger.ReasonReport || !slices.Equal(st.Missing, []croft.MemberID{ben.id}) || len(r.Accepted) != 0 {
				t.Errorf("%s: %v %q, names %d, %d accepted", name, st.Status, st.Reason, len(st.Missing), len(r.Accepted))
			}
			refused := 0
			for _, seat := range w.people {
				for _, e := range seat.events("reject") {
					if refused++; e.Text != "ben: "+bad.want.Error() {
						t.Errorf("%s: %s says %s", name, seat.name, e.Text)
					}
				}
			}
			if report, _ := r.Report(ben.id); refused < len(st.Seats)-int(st.Threshold) || len(report.Acks) > int(st.Threshold) {
				t.Errorf("%s: %d seats refuse it, %d acknowledge it", name, refused, len(report.Acks))
			}
		})
	}
}

// TestForgedProof: a site sends a vector above its bound. All seats hold the report,
// for its shares are in order; none publishes a share of the sum; the study ends and
// names the site. One seat dies as it is about to say so.
func TestForgedProof(t *testing.T) {
	for _, unchecked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
			defer w.close()
			s := w.plan(4)
			s.Unchecked = unchecked
			id := w.propose(s, 60)
			w.until(id, time.Hour, func(st ledger.Study) bool { return st.Round == 2 })
			ben, elif := w.people[1], w.people[4]
			n := ben.running()
			ben.dieAt("compute")
			elif.dieAt("reject")
			<-ben.died
			<-ben.done
			round := w.study(id).Round
			ben.cheat(n, id, forge)
			ben.start()
			select {
			case <-elif.died:
			case <-time.After(time.Hour):
				t.Fatal("no seat refused the proof")
			}
			<-elif.done
			elif.start()
			st := w.until(id, time.Hour, ended)
			if st.Status != ledger.Stopped || st.Reason != ledger.ReasonProof || !slices.Equal(st.Missing, []croft.MemberID{ben.id}) {
				t.Fatalf("%v %q, names %d", st.Status, st.Reason, len(st.Missing))
			}
			r := w.round(id, round)
			if r.Phase != croft.PhaseSum || len(r.Shares) != 0 || len(r.Accepted) != 4 || len(r.Rejects) < 3 {
				t.Errorf("%v, %d shares, %d refusals", r.Phase, len(r.Shares), len(r.Rejects))
			}
			time.Sleep(time.Minute)
			for _, p := range w.people {
				if stop := p.events("stop"); len(stop) != 1 || stop[0].Text != "proof: ben" {
					t.Errorf("%s heard %v", p.name, stop)
				}
			}
			// What a seat judged by is there to be judged again.
			for _, x := range r.Rejects {
				seat := w.people[slices.IndexFunc(w.people, func(p *person) bool { return p.id == x.Seat })]
				kept, err := seat.blob.Get(x.Answers)
				var all [][][]byte
				if err != nil || croft.Decode(kept, &all) != nil {
					t.Fatal(err)
				}
				for i, a := range all { // before it accused, it heard all who answered
					if len(a) == 0 && st.Seats[i] != elif.id {
						t.Errorf("%s did not hear seat %d", seat.name, i)
					}
				}
				f := &follower{Node: seat.running(), id: id}
				plan, _, _ := get[croft.Study](t.Context(), seat.running(), ledger.PlanKey(id))
				judged, err := f.decide(st, plan, r, all)
				if err != nil || !slices.Equal(judged.refused, []croft.MemberID{ben.id}) {
					t.Errorf("%s: judged again: %v, %v", seat.name, judged.refused, err)
				}
			}
		})
	}
}

// wrong adds one to the first number of the first answer.
func wrong(answers []byte) []byte {
	var all [][]byte
	if err := croft.Decode(answers, &all); err != nil {
		panic(err)
	}
	binary.LittleEndian.PutUint64(all[0], vdaf.Add(binary.LittleEndian.Uint64(all[0]), 1))
	return croft.Encode(all)
}

// TestLyingAnswers: of five seats two are the threshold. While one is away the lie of
// another is noticed and no share is published; the fifth seat's answers locate it,
// the liar stands on the ledger, and the study ends as if nobody had lied.
func TestLyingAnswers(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		away, liar := w.people[3], w.people[4]
		liar.twists = wrong
		id := w.propose(w.plan(4), 60)
		away.dieAt("answers-kept")
		<-away.died
		<-away.done
		n := w.study(id).Round
		time.Sleep(5 * time.Minute)
		if r := w.round(id, n); r.Phase != croft.PhaseSum || len(r.Rejects) != 0 || len(r.Shares) > 1 { // the liar itself hears no lie
			t.Fatalf("with four seats, one that lies: %v, %d shares, %d refusals", r.Phase, len(r.Shares), len(r.Rejects))
		}
		for _, p := range w.people[:3] {
			if len(p.events("doubt")) != 1 {
				t.Errorf("%s did not notice: %v", p.name, p.events("doubt"))
			}
		}
		away.start()
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatal(st.Reason)
		}
		if got := w.people[0].model(id); got != want {
			t.Errorf("model %s, undisturbed %s", got.Short(), want.Short())
		}
		if r := w.round(id, n); !slices.Equal(r.Liars, []croft.MemberID{liar.id}) {
			t.Errorf("the ledger names %d", len(r.Liars))
		}
		raw, _ := w.twin.Member().Read(t.Context(), ledger.EvidenceKey(id, n, liar.id))
		if _, found, err := ledger.Decode[ledger.Evidence](raw); err != nil || !found {
			t.Errorf("no evidence: %v", err)
		}
		raw, _ = w.twin.Member().Read(t.Context(), ledger.MemberKey(liar.id))
		if m, _, err := ledger.Decode[croft.Member](raw); err != nil || !m.Unseated {
			t.Errorf("it keeps its seat: %v", err)
		}
	})
}

// TestUnlocatedLie: who hears of a lie that nobody can place is told whether another seat
// could.
func TestUnlocatedLie(t *testing.T) {
	seats := []croft.MemberID{{1}, {2}, {3}, {4}}
	for _, c := range []struct {
		threshold uint8
		enrolled  int
		waits     bool
	}{{1, 4, true}, {1, 3, false}, {2, 4, false}} {
		st := ledger.Study{Seats: seats, Enrolled: seats[:c.enrolled], Threshold: c.threshold}
		if got := unlocated(st); strings.Contains(got, "one more seat") != c.waits {
			t.Errorf("%d of 4 seats, threshold %d: %s", c.enrolled, c.threshold, got)
		}
	}
}

// TestTooFewAnswers: t+1 seats could open a sum, and do not while their verdict is
// unchecked; one more, and the study goes on.
func TestTooFewAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		id := w.propose(w.plan(4), 60)
		for _, p := range w.people[3:] {
			p.dieAt("answers-kept")
		}
		for _, p := range w.people[3:] {
			<-p.died
			<-p.done
		}
		n := w.study(id).Round
		time.Sleep(5 * time.Minute)
		if r := w.round(id, n); r.Phase != croft.PhaseSum || len(r.Shares) != 0 {
			t.Errorf("three of five seats: %v, %d shares", r.Phase, len(r.Shares))
		}
		w.people[4].start()
		w.until(id, 5*time.Minute, func(st ledger.Study) bool { return st.Round > n || ended(st) })
	})
}

// TestOneLiarCannotRefuse: where t+1 answers are enough to go on, one that lies could
// make any proof seem to fail; so that takes one more.
func TestOneLiarCannotRefuse(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		w.people[4].twists = wrong
		s := w.plan(4)
		s.Unchecked = true
		id := w.propose(s, 60)
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Fatalf("%v %q, names %d", st.Status, st.Reason, len(st.Missing))
		}
		if got := w.people[0].model(id); got != want {
			t.Errorf("model %s, undisturbed %s", got.Short(), want.Short())
		}
	})
}

// TestAnswersAreForSeats: who is no seat of the study, or asks about a round whose sum
// is not open, gets none; nor does junk.
func TestAnswersAreForSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		stranger := croft.MemberID{7}
		id := w.propose(w.plan(4), 60)
		ben, away := w.people[1], w.people[3:]
		for _, p := range slices.Concat(away, w.people[1:2]) { // with three of five the round stands still
			p.dieAt("verify")
		}
		for _, p := range slices.Concat(away, w.people[1:2]) {
			<-p.died
			<-p.done
		}
		ben.start()
		n := w.study(id).Round
		ask := func(from croft.MemberID, round uint32) error {
			_, err := ben.running().GiveAnswers(t.Context(), from, croft.Encode(answersRequest{id, round}))
			return err
		}
		if err := ask(w.people[0].id, n); err != nil {
			t.Errorf("a seat: %v", err)
		}
		for name, err := range map[string]error{"a stranger": ask(stranger, n), "a round to come": ask(w.people[0].id, n+100)} {
			if !errors.Is(err, croft.ErrTxOrder) {
				t.Errorf("%s: %v", name, err)
			}
		}
		vote := func(a ledger.Action, sequence uint64) {
			for _, p := range w.people[:3] {
				p.must(&ledger.Vote{Action: a, Sequence: sequence})
			}
		}
		vote(ledger.StopAll, 1)
		if err := ask(w.people[0].id, n); !errors.Is(err, croft.ErrTxOrder) {
			t.Errorf("under an emergency stop: %v", err)
		}
		vote(ledger.Resume, 2)
		if err := ask(w.people[0].id, n); err != nil {
			t.Errorf("after it: %v", err)
		}
		for _, p := range away {
			p.start()
		}
		w.until(id, time.Hour, ended)
		if err := ask(w.people[0].id, n); !errors.Is(err, croft.ErrTxOrder) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := ben.running().GiveAnswers(t.Context(), w.people[0].id, []byte{0xff}); err == nil {
			t.Error("junk was answered")
		}
	})
}

// A seat whose own answers are those that do not fit goes no further: its machine is
// broken, or others lie together. All others name it.
func TestOwnAnswersThatDoNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		for _, p := range w.people {
			p.dieAt("verify")
		}
		id := w.propose(w.plan(4), 60)
		for _, p := range w.people {
			<-p.died
			<-p.done
		}
		f := &follower{Node: &Node{Docs: w.people[1].docs, Ledger: w.people[1].rules, Scope: w.genesis.Scope()}, id: id}
		st, plan, r, err := f.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all := make([][][]byte, len(st.Seats))
		for i, seat := range st.Seats {
			p := w.people[slices.IndexFunc(w.people, func(p *person) bool { return p.id == seat })]
			kept, err := p.docs.Get(answersKind, f.name(roundTag(r.Number)))
			if p == w.people[1] {
				kept = wrong(kept)
			}
			if err != nil || croft.Decode(kept, &all[i]) != nil {
				t.Fatal(err)
			}
		}
		for i, p := range w.people {
			f.Self = p.id
			judged, err := f.decide(st, plan, r, all)
			if own := i == 1; own != errors.Is(err, croft.ErrShareMismatch) || !own && !slices.Equal(judged.liars, []croft.MemberID{w.people[1].id}) {
				t.Errorf("%s: names %d, %v", p.name, len(judged.liars), err)
			}
		}
		for _, p := range w.people {
			p.start()
		}
		if st := w.until(id, time.Hour, ended); st.Status != ledger.Done {
			t.Error(st.Reason)
		}
	})
}

// An answer that has not the form of one's own is none.
func TestAnswersMustFit(t *testing.T) {
	own := [][]byte{make([]byte, 16), make([]byte, 16)}
	for name, c := range map[string]struct {
		answer any
		ok     bool
	}{
		"as it must be": {own, true}, "one too few": {own[:1], false}, "one too short": {[][]byte{own[0], own[0][:8]}, false},
		"beyond the field": {[][]byte{own[0], bytes.Repeat([]byte{0xff}, 16)}, false}, "too large": {make([]byte, MaxAnswers+1), false},
	} {
		f := &follower{Node: &Node{Peers: told(croft.Encode(c.answer))}}
		if _, err := f.ask(t.Context(), croft.MemberID{1}, ledger.Round{}, own); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// told is a peer that says the same to everything.
type told []byte

func (p told) Fetch(context.Context, croft.Hash, int, ...croft.MemberID) ([]byte, error) {
	return nil, store.ErrAbsent
}
func (p told) Call(context.Context, croft.MemberID, string, []byte) ([]byte, error) { return p, nil }

// TestMoreRowsThanApproved: the bound rests on what the owner approved.
func TestMoreRowsThanApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		defer w.close()
		set := w.people[0].register(90, 1, 60)
		for i, p := range w.people[1:3] {
			p.register(90, uint64(i+2), 60)
		}
		id := croft.StudyID(w.people[0].must(&ledger.Propose{Plan: w.plan(3)}))
		for rows, want := range map[uint32]error{89: croft.ErrPolicy, 90: nil} {
			if err := w.people[0].tryApprove(id, set, func(a *croft.Approval) { a.Rows = rows }); !errors.Is(err, want) {
				t.Errorf("90 rows, %d approved: %v", rows, err)
			}
		}
	})
}

// TestReportSize: with up to 2,000 numbers a report has at most 45 kB, whatever the
// bound and the seats; the first of a study too, but with nine seats, whose pipes begin
// with 10 kB.
func TestReportSize(t *testing.T) {
	for _, p := range []privagg.Profile{{Seats: 3, Threshold: 1}, {Seats: 4, Threshold: 1}, {Seats: 4, Threshold: 2}, {Seats: 5, Threshold: 2},
		{Seats: 7, Threshold: 3}, {Seats: 7, Threshold: 4}, {Seats: 8, Threshold: 4}, {Seats: 9, Threshold: 4}, {Seats: 9, Threshold: 6}} {
		var first, later []*privagg.Sender
		for range p.Seats {
			for _, seats := range []*[]*privagg.Sender{&first, &later} {
				key, err := privagg.GenerateKey()
				if err != nil {
					t.Fatal(err)
				}
				pipe, err := privagg.NewSender(key.Public(), privagg.Link{})
				if err != nil {
					t.Fatal(err)
				}
				*seats = append(*seats, pipe)
			}
			later[len(later)-1].Confirm()
		}
		size := func(length uint32, bound uint64, seats []*privagg.Sender) int {
			c := privagg.Context{Profile: p, Length: length, Bound: bound}
			report, err := privagg.Deal(c, make([]int64, length), seats, rand.NewChaCha8([32]byte{}), Parallel)
			if err != nil {
				t.Fatal(err)
			}
			return int(report.Header().Size)
		}
		for _, length := range []uint32{250, 2*496 + saltLen, 2000} {
			a, b := size(length, 1<<20, later), size(length, 1<<tensor.NormBits, later)
			most := size(length, 1<<tensor.NormBits, first)
			t.Logf("%d seats, threshold %d, %d elements: %d bytes with a bound of 2^20, %d with 2^26, %d the first time, %d without a proof", p.Seats, p.Threshold, length, a, b, most, size(length, 0, later))
			if b > 45_000 || most > 45_000 && p.Seats < 9 {
				t.Errorf("%d seats, threshold %d: %d bytes, %d the first time", p.Seats, p.Threshold, b, most)
			}
		}
	}
}
