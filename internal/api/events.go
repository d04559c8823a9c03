package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"croft"
	"croft/internal/study"
)

// Event is something that happened at this node.
type Event struct {
	Seq uint64    `json:"seq"` // from 1, without gaps, since the node started
	At  time.Time `json:"at"`
	study.Event
}

// Feed is a piece of a node's events.
type Feed struct {
	Since  int64   `json:"since"` // when the node started, Unix nanoseconds: sequence numbers count from there
	Events []Event `json:"events"`
}

// keptEvents is how many events a node remembers: a study has a few hundred.
const keptEvents = 4096

// Events remembers the last events of a node, so that a screen that was cut off
// goes on where it was. Its methods may be called concurrently.
type Events struct {
	since int64

	mu    sync.Mutex
	last  uint64        // sequence number of the newest
	ring  []Event       // at most keptEvents, oldest first
	added chan struct{} // closed and replaced at each new one
}

// NewEvents returns an empty memory of events.
func NewEvents() *Events {
	return &Events{since: time.Now().UnixNano(), added: make(chan struct{})}
}

// Add appends an event and wakes whoever waits for one.
func (e *Events) Add(event study.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if len(e.ring) == keptEvents {
		e.ring = append(e.ring[:0:0], e.ring[keptEvents/4:]...)
	}
	e.ring = append(e.ring, Event{Seq: e.last, At: time.Now().UTC(), Event: event})
	close(e.added)
	e.added = make(chan struct{})
}

// newest returns the word of the newest event of a round.
func (e *Events) newest(id croft.StudyID, round uint32) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range slices.Backward(e.ring) {
		if event.Study == id && event.Round == round {
			return event.Word
		}
	}
	return ""
}

// after returns the events that are newer than seq; none when ctx ends first.
func (e *Events) after(ctx context.Context, seq uint64) []Event {
	for {
		e.mu.Lock()
		added, last, first := e.added, e.last, e.last-uint64(len(e.ring))
		if seq > last {
			seq = 0 // of an earlier life of the node
		}
		var news []Event
		if seq < last {
			news = append(news, e.ring[max(seq, first)-first:]...)
		}
		e.mu.Unlock()
		if news != nil {
			return news
		}
		select {
		case <-ctx.Done():
			return nil
		case <-added:
		}
	}
}

// longPoll is how long a request for events waits for one.
const longPoll = 20 * time.Second

// feed answers when there is something new, or with nothing after a while.
func (s Services) feed(r *http.Request) (Feed, error) {
	query := r.URL.Query()
	after, _ := strconv.ParseUint(query.Get("after"), 10, 64)
	if since, _ := strconv.ParseInt(query.Get("since"), 10, 64); since != s.Events.since {
		after = 0
	}
	ctx, cancel := context.WithTimeout(r.Context(), longPoll)
	defer cancel()
	return Feed{Since: s.Events.since, Events: s.Events.after(ctx, after)}, nil
}
