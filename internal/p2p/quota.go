package p2p

import (
	"context"
	"sync"
	"time"
)

// Calls with one peer in one direction. A caller keeps well below what the other
// side allows, so that honest nodes are never refused: an answer may arrive a
// moment before the other side counts the call as done.
var (
	outgoing = rates{atOnce: 8, perSecond: 500}
	incoming = rates{atOnce: 16, perSecond: 1000}
)

type rates struct {
	atOnce    int // calls under way
	perSecond int // also the burst
}

// quota counts the calls with each peer. It remembers a peer for good; hosts ask
// it about admitted peers only, so there are as many as the network has members.
type quota struct {
	rates
	mu    sync.Mutex // guards lanes
	lanes map[PeerID]*lane
}

type lane struct {
	slots chan struct{} // one element a call under way

	mu     sync.Mutex // guards the token bucket below
	tokens float64    // may be negative: calls that wait have taken theirs
	filled time.Time
}

func newQuota(r rates) *quota { return &quota{rates: r, lanes: map[PeerID]*lane{}} }

// try admits a call with p now or not at all. After a yes the caller releases.
func (q *quota) try(p PeerID) (release func(), ok bool) {
	l := q.lane(p)
	select {
	case l.slots <- struct{}{}:
	default:
		return nil, false
	}
	if l.take(q.rates, time.Now(), false) > 0 {
		<-l.slots
		return nil, false
	}
	return func() { <-l.slots }, true
}

// wait admits a call with p as soon as there is room, or fails with ctx's error.
func (q *quota) wait(ctx context.Context, p PeerID) (release func(), err error) {
	l := q.lane(p)
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d := l.take(q.rates, time.Now(), true); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			<-l.slots
			return nil, ctx.Err()
		}
	}
	return func() { <-l.slots }, nil
}

func (q *quota) lane(p PeerID) *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[p]
	if l == nil {
		l = &lane{slots: make(chan struct{}, q.atOnce), tokens: float64(q.perSecond)}
		q.lanes[p] = l
	}
	return l
}

// take takes a token and returns how long to wait for it; a caller that will not
// wait (borrow is false) leaves it if it is not there yet.
func (l *lane) take(r rates, now time.Time, borrow bool) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.filled.IsZero() {
		l.tokens = min(float64(r.perSecond), l.tokens+now.Sub(l.filled).Seconds()*float64(r.perSecond))
	}
	l.filled = now
	left := l.tokens - 1
	if left >= 0 || borrow {
		l.tokens = left
	}
	if left >= 0 {
		return 0
	}
	return time.Duration(-left/float64(r.perSecond)*float64(time.Second)) + 1 // rounded up: 0 means now
}
