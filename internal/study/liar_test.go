package study

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/privagg"
)

// lie publishes a share of the round's sum that is off by one in one element,
// sealed as an honest one is. The node is down meanwhile.
func (p *person) lie(n *Node, id croft.StudyID) {
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
	total, err := f.add(ctx, st, plan, r)
	must(err)
	total[0]++
	c, err := f.sumBinding(st, plan, r)
	must(err)
	var sealed sumShare
	for _, reader := range plan.Readers {
		pipe, err := f.sender(ctx, r, reader)
		must(err)
		box, err := privagg.SealShare(c, slices.Index(st.Seats, p.id), total, pipe)
		must(err)
		sealed.Boxes = append(sealed.Boxes, readerBox{reader, box})
	}
	hash, err := n.Blobs.Put(croft.Encode(sealed))
	must(err)
	must(f.Submit(ctx, 0, &ledger.Share{Study: id, Round: r.Number, Blob: hash}))
}

// TestLyingSeat: of five seats two are the threshold. With four shares a lie is
// noticed and nothing is published; the fifth names the liar, the evidence stands
// on the ledger, and the study ends as if nobody had lied.
func TestLyingSeat(t *testing.T) {
	want := reference(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		defer w.close()
		away, liar := w.people[3], w.people[4]
		liarsNode := liar.running()
		away.slow, liar.slow = time.Second, time.Second // so that the others have their answers before they die
		id := w.propose(w.plan(4), 60)
		away.dieAt("share")
		liar.dieAt("share")
		<-away.died
		<-liar.died
		<-away.done
		<-liar.done
		n := w.study(id).Round
		w.until(id, time.Minute, func(ledger.Study) bool { return len(w.round(id, n).Shares) == 3 })
		liar.lie(liarsNode, id)
		liar.start()
		time.Sleep(5 * time.Minute) // a round waits for seats as long as it must
		if r := w.round(id, n); r.Phase != croft.PhaseSum || len(r.Shares) != 4 || len(r.Results) != 0 {
			t.Fatalf("with four shares, one a lie: phase %v, %d shares, %d results", r.Phase, len(r.Shares), len(r.Results))
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
		for _, p := range w.people {
			if got := p.model(id); got != want {
				t.Errorf("%s: model %s, undisturbed %s", p.name, got.Short(), want.Short())
			}
		}
		r := w.round(id, n)
		if !slices.Equal(r.Liars, []croft.MemberID{liar.id}) {
			t.Errorf("the ledger names %v", r.Liars)
		}
		raw, _ := w.twin.Member().Read(t.Context(), ledger.EvidenceKey(id, n, liar.id))
		evidence, found, err := ledger.Decode[ledger.Evidence](raw)
		published := slices.IndexFunc(r.Shares, func(s ledger.SeatShare) bool { return s.Seat == liar.id })
		if err != nil || !found || evidence.Share != r.Shares[published].Blob {
			t.Errorf("evidence %+v, %v, %v", evidence, found, err)
		}
		for number := range w.study(id).Round + 1 {
			if number != n && len(w.round(id, number).Liars) != 0 {
				t.Errorf("round %d names a liar", number)
			}
		}
	})
}
