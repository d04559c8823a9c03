package market

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/serve"
)

// Which of several providers is asked, and what their answers are worth. A node knows
// a provider by its own calls alone: what others say of it, and it of itself, counts
// for nothing.

// Quality is what this node's calls of a service came to, since the node started.
type Quality struct {
	Calls    uint64        `json:"calls"` // that were the provider's to answer
	Answered uint64        `json:"answered"`
	Wrong    uint64        `json:"wrong,omitempty"` // answers that a check found to be so
	Took     time.Duration `json:"took_ns"`         // an answer, of late
	rests    time.Time     // not asked until then, if another can be
	pause    time.Duration // the last rest, which doubles
	doubted  time.Time     // the same, after a wrong answer
}

// until is when a service is asked like any other.
func (q Quality) until() time.Time {
	if q.doubted.After(q.rests) {
		return q.doubted
	}
	return q.rests
}

// How long a provider that failed is passed over: at first, at most, and after an
// answer that was wrong.
const (
	firstRest = 5 * time.Second
	longRest  = 5 * time.Minute
	wrongRest = time.Hour
)

// qualities of services, by their ids.
type qualities struct {
	mu sync.Mutex // guards of
	of map[croft.ServiceID]Quality
}

func (q *qualities) get(id croft.ServiceID) Quality {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[id]
}

func (q *qualities) change(id croft.ServiceID, how func(*Quality)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = map[croft.ServiceID]Quality{}
	}
	v := q.of[id]
	how(&v)
	q.of[id] = v
}

// note learns from a call that ended.
func (q *qualities) note(id croft.ServiceID, err error, took time.Duration, now time.Time) {
	switch {
	case err == nil:
		q.change(id, func(v *Quality) {
			v.Calls, v.Answered, v.pause, v.rests = v.Calls+1, v.Answered+1, 0, time.Time{}
			if v.Took += (took - v.Took) / 8; v.Answered == 1 {
				v.Took = took
			}
		})
	case errors.Is(err, croft.ErrBusy) || errors.Is(err, croft.ErrTillBusy): // it said so at once, and may have room soon
		q.change(id, func(v *Quality) { v.rests = now.Add(time.Second) })
	case failed(err):
		q.change(id, func(v *Quality) {
			v.Calls++
			v.pause = min(max(firstRest, 2*v.pause), longRest)
			v.rests = now.Add(v.pause)
		})
	}
}

// failed says whether an error is the provider's, or its node's.
func failed(err error) bool {
	switch croft.CodeOf(err) {
	case croft.ErrPeer, croft.ErrEngineFailed, croft.ErrNotServed, croft.ErrReceipt, croft.ErrVoucher, croft.ErrEncoding:
		return true
	}
	return false
}

// elsewhere says whether another provider may answer what this one did not.
func elsewhere(err error) bool {
	switch croft.CodeOf(err) {
	case croft.ErrBusy, croft.ErrTillBusy, croft.ErrNoChannel, croft.ErrChannelEmpty, croft.ErrChannelClosed, croft.ErrSpendCap, croft.ErrDear, croft.ErrQuote:
		return true
	}
	return failed(err)
}

// Tried is a provider that a call went to, or might have: in the order in which they
// are asked, the one that answered last.
type Tried struct {
	Provider string `json:"provider"`
	Why      string `json:"why"` // it has this place
	Failed   string `json:"failed,omitempty"`
}

// rank puts services into the order in which to ask for one: those that rest last,
// then by what an answer costs if failures are counted in, then the quickest.
func (d *Desk) rank(all []Listing, now time.Time) []Listing {
	all = slices.Clone(all)
	type place struct {
		rests bool
		price float64
		took  time.Duration
	}
	places := map[croft.ServiceID]place{}
	for _, l := range all {
		v := d.quality.get(l.ID)
		good := float64(v.Answered-min(v.Wrong, v.Answered)+1) / float64(v.Calls+1) // a new one is given the chance
		p := place{v.until().After(now), float64(l.Price.Most) / good, v.Took}
		if d.serving(l.ID) { // here, for nothing
			p = place{price: -1}
		}
		places[l.ID] = p
	}
	slices.SortStableFunc(all, func(a, b Listing) int {
		p, q := places[a.ID], places[b.ID]
		if p.rests != q.rests {
			if q.rests {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(p.price, q.price), cmp.Compare(p.took, q.took), a.ID.Compare(b.ID))
	})
	return all
}

// why says in words why a service has its place.
func (d *Desk) why(l Listing, now time.Time) string {
	v := d.quality.get(l.ID)
	text := croft.Fill("at most {0} {0|credit|credits}", []string{l.Price.Most.String()})
	switch {
	case d.serving(l.ID):
		return "this node serves it"
	case v.Calls == 0:
		text += ", not called before"
	default:
		text += fmt.Sprintf(", answered %d of %d calls in %s", v.Answered, v.Calls, v.Took.Round(time.Millisecond))
	}
	if v.Wrong > 0 {
		text += fmt.Sprintf(", %d of them wrong", v.Wrong)
	}
	if v.until().After(now) {
		text += fmt.Sprintf(", passed over for %s", v.until().Sub(now).Round(time.Second))
	}
	return text
}

// among returns the services that a wish is about: one, or, if any provider will do,
// all of that name and task.
func (d *Desk) among(w Wish) ([]Listing, error) {
	if !w.Any {
		l, err := d.Find(w.Ref)
		return []Listing{l}, err
	}
	var all []Listing
	for _, l := range d.Listings() {
		if l.called(w.Ref) && (len(all) == 0 || l.Task == all[0].Task) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return nil, croft.E(croft.ErrNotFound, "service", w.Ref, "croft service ls")
	}
	return d.rank(all, time.Now()), nil
}

// route asks one provider after the other, as long as the next may answer what the last
// did not, and nothing of an answer was handed out.
func (d *Desk) route(ctx context.Context, w Wish) (g Got, err error) {
	all, err := d.among(w)
	if err != nil {
		return g, err
	}
	begun, most, cost := false, w.Most, croft.Credits(0)
	if part := w.Part; part != nil {
		w.Part = func(data []byte) error { begun = true; return part(data) }
	}
	var tried []Tried
	for i, l := range all {
		why := d.why(l, time.Now())
		g, err = d.from(ctx, l, w)
		cost += g.Cost
		tried = append(tried, Tried{Provider: l.ProviderName, Why: why})
		g.Tried, g.Cost = tried, cost
		if err == nil {
			return g, nil
		}
		tried[i].Failed = err.Error()
		if begun || !elsewhere(err) || ctx.Err() != nil {
			return g, err
		}
		w.Most = less(most, cost) // what may be lost to one is not spent on the next
	}
	return g, err
}

// less returns what is left of a limit, if there is one.
func less(most *croft.Credits, cost croft.Credits) *croft.Credits {
	if most == nil {
		return nil
	}
	return new(*most - min(cost, *most))
}

// Verdict is what a check says of a provider's answer.
type Verdict struct {
	Provider string        `json:"provider"`
	Says     string        `json:"says"` // Agrees, Differs or Abstains
	Why      string        `json:"why,omitempty"`
	Cost     croft.Credits `json:"cost"`
}

// What a verdict says. Who gives no answer abstains: that is not a wrong one.
const (
	Agrees   = "agrees"
	Differs  = "differs"
	Abstains = "abstains"
)

// Check asks every provider that a wish is about, and compares: with the answer that is
// known (a canary, which looks like any request), or, if want is nil, the answers with
// each other, of which more than half must be alike. Numbers may differ by tolerance,
// relative to the larger. An answer that differs is paid for, because it was answered,
// but not countersigned, and its provider is passed over for an hour. All together cost
// no more than the wish allows; who would be too dear is not asked. It fails with
// croft.ErrUnproven if no answer holds.
func (d *Desk) Check(ctx context.Context, w Wish, want []byte, tolerance float64) (g Got, verdicts []Verdict, err error) {
	all, err := d.among(w)
	if err != nil {
		return g, nil, err
	}
	got := make([]Got, len(all))
	answers := 0
	var refused error
	spent := croft.Credits(0)
	for i, l := range all { // in turn: a small machine's own channel is what they share
		one := w
		one.hold, one.Most = true, less(w.Most, spent)
		made, failure := d.from(ctx, l, one)
		got[i] = made
		spent += made.Cost
		v := Verdict{Provider: l.ProviderName, Says: Abstains, Cost: made.Cost}
		if failure != nil {
			refused = failure
			v.Why = failure.Error()
			got[i].Body = nil
		} else {
			answers++
		}
		verdicts = append(verdicts, v)
	}
	alike := func(a, b []byte) bool { return serve.Alike(all[0].Task, a, b, tolerance) }
	if want == nil {
		if answers < 2 {
			return g, verdicts, errors.Join(croft.E(croft.ErrUnproven, w.Ref, fmt.Sprintf("%d answered, and it takes two", answers)), refused)
		}
		for i := range got {
			same := 0
			for k := range got {
				if got[i].Body != nil && got[k].Body != nil && alike(got[i].Body, got[k].Body) {
					same++
				}
			}
			if 2*same > answers {
				want = got[i].Body
				break
			}
		}
	}
	for i, l := range all {
		switch {
		case got[i].Body == nil:
		case want != nil && alike(got[i].Body, want):
			verdicts[i].Says = Agrees
			d.quality.change(l.ID, func(v *Quality) { v.doubted = time.Time{} })
			if got[i].thank != nil {
				got[i].thank()
			}
			if g.Body == nil {
				g = got[i]
			}
		case want != nil:
			verdicts[i].Says = Differs
			d.quality.change(l.ID, func(v *Quality) { v.Wrong, v.doubted = v.Wrong+1, time.Now().Add(wrongRest) })
		}
	}
	if g.Body == nil {
		return g, verdicts, croft.E(croft.ErrUnproven, w.Ref, "no answer is the one that it must be, or that most gave")
	}
	g.Body = bytes.Clone(g.Body)
	return g, verdicts, nil
}
