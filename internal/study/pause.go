package study

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"croft"
	"croft/internal/store"
)

// A person can keep their node out of rounds for a while: because the line is
// needed, or the machine. To a study such a node is one that is off: it waits for
// it by name, and no step of a round has to know. The node itself goes on checking
// blocks and giving others what it holds, enrols in what is proposed, and asks about
// deadlines; and what has ended it still publishes and erases.

// pauseKind is the kind of the document that a person's pause is, until it is over.
// A restart does not end a pause.
const pauseKind, pauseName = "pause", "node"

// pause is that document.
type pause struct {
	Until int64 `cbor:"1,keyasint"` // Unix seconds; 0: until Resume
}

// Rest is a time in which a node takes no part in rounds.
type Rest struct {
	Until time.Time `json:"until,omitzero"` // zero: until a person says otherwise
	Hours bool      `json:"quiet_hours"`    // because of the quiet hours, and of no person's word
}

// Pause keeps the node out of rounds until a time, or, if that is zero, until
// Resume. A step that it is in the middle of it still ends.
func (n *Node) Pause(until time.Time) error {
	var p pause
	if !until.IsZero() {
		p.Until = until.Unix()
	}
	return n.Docs.Put(pauseKind, pauseName, croft.Encode(p))
}

// Resume ends a pause. Quiet hours go on.
func (n *Node) Resume() error {
	if err := n.Docs.Delete(pauseKind, pauseName); !errors.Is(err, store.ErrAbsent) {
		return err
	}
	return nil
}

// Resting says whether the node takes no part in rounds now.
func (n *Node) Resting() (r Rest, resting bool, err error) {
	now := time.Now()
	p, err := doc[pause](n, pauseKind, pauseName)
	if err == nil {
		if p.Until == 0 {
			return r, true, nil
		}
		if r.Until = time.Unix(p.Until, 0); now.Before(r.Until) {
			return r, true, nil
		}
	} else if !errors.Is(err, store.ErrAbsent) {
		return r, false, err
	}
	until, quiet := n.Quiet.end(now)
	return Rest{until, quiet}, quiet, nil
}

// Hours are hours of each day, by the clock on the machine's wall. The zero value
// is none.
type Hours struct {
	from, to int // minutes after midnight
}

// ParseHours reads hours of the day as people write them: 22-06, or 08:30-17:00.
// It fails with croft.ErrUsage.
func ParseHours(text string) (h Hours, err error) {
	from, to, found := strings.Cut(text, "-")
	if found {
		if h.from, err = minuteOfDay(from); err == nil {
			h.to, err = minuteOfDay(to)
		}
	}
	if !found || err != nil || h.from == h.to {
		return Hours{}, croft.E(croft.ErrUsage, fmt.Sprintf("%.40q are no hours of the day", text), "such as 22-06, or 08:30-17:00")
	}
	return h, nil
}

// minuteOfDay reads 6, 06 or 06:30.
func minuteOfDay(text string) (int, error) {
	hour, minute, exact := strings.Cut(text, ":")
	h, err := strconv.ParseUint(hour, 10, 8)
	m := uint64(0)
	if err == nil && exact {
		m, err = strconv.ParseUint(minute, 10, 8)
	}
	if err == nil && (h > 23 || m > 59 || exact && len(minute) != 2) {
		err = strconv.ErrRange
	}
	return int(h*60 + m), err
}

// String writes the hours as ParseHours reads them.
func (h Hours) String() string {
	if h == (Hours{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
}

// end says whether a time is within the hours, and when they end then.
func (h Hours) end(now time.Time) (time.Time, bool) {
	at := now.Hour()*60 + now.Minute()
	within := h.from <= at && at < h.to
	if h.from > h.to { // over midnight
		within = at >= h.from || at < h.to
	}
	if !within {
		return time.Time{}, false
	}
	day := now.Day()
	if at >= h.to {
		day++
	}
	return time.Date(now.Year(), now.Month(), day, h.to/60, h.to%60, 0, 0, now.Location()), true
}
