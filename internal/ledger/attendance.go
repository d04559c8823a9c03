package ledger

import (
	"slices"

	"croft"
)

// An orderer that stays away makes the ledger stand still once enough others do too. So
// who signed no block on seven days of work is dropped, as long as the others still
// make blocks, and comes back by its own word (Ready) when it has caught up.
//
// Every block carries the signatures under the one before; an orderer whose signature is
// in none of a day's was away that day. A proposer can leave signatures out: a day
// counts only once f+1 different ones have made blocks, and goes on until then. Days are
// of the ledger's time, and only blocks that change something anyway are looked at: an
// idle chain neither counts days nor makes a block for this. Who orders alone is not
// watched, since without it there is no block.
//
// Keys: attendance → Attendance · dropped/ID → how often a member was

// Attendance is who was seen at work.
type Attendance struct {
	Day       int64             `cbor:"1,keyasint"`           // since 1970, when it began
	Present   []croft.MemberID  `cbor:"2,keyasint,omitempty"` // orderers that signed since, sorted
	Proposers []croft.PublicKey `cbor:"3,keyasint,omitempty"` // of blocks since
	Missed    []Missed          `cbor:"4,keyasint,omitempty"` // who was away before, and for how long; in the orderers' order
}

// Missed counts the days in a row on which an orderer was away.
type Missed struct {
	Member croft.MemberID `cbor:"1,keyasint"`
	Days   uint8          `cbor:"2,keyasint"`
}

// attendanceKey holds the Attendance.
const attendanceKey = "attendance"

// DroppedKey holds how often a member was dropped as an orderer.
func DroppedKey(id croft.MemberID) string { return "dropped/" + id.String() }

const (
	absentAfter = 7 // days
	day         = 24 * 3600 * 1000
)

// attend notes who signed the block before, and drops who stayed away.
func (s *State) attend(b Block) {
	orderers := s.validators()
	if len(orderers) < 2 {
		if _, noted := read[Attendance](s, attendanceKey); noted {
			write(s, attendanceKey, Attendance{})
		}
		return
	}
	a, _ := read[Attendance](s, attendanceKey)
	today := b.Time / day
	if a.Day == 0 {
		a.Day = today
	}
	for _, m := range orderers {
		if !slices.Contains(b.Silent, m.Validator) {
			a.Present = insert(a.Present, m.ID)
		}
	}
	if !slices.Contains(a.Proposers, b.Proposer) {
		a.Proposers = append(a.Proposers, b.Proposer)
	}
	if today > a.Day && len(a.Proposers) > s.faulty() {
		a = s.closeDay(a, orderers, today)
	}
	write(s, attendanceKey, a)
}

// closeDay counts a day that is over, and returns the next one.
func (s *State) closeDay(a Attendance, orderers []croft.Member, today int64) Attendance {
	next := Attendance{Day: today}
	dropped := false
	for _, m := range orderers {
		if has(a.Present, m.ID) {
			continue
		}
		away := uint8(1)
		if at := slices.IndexFunc(a.Missed, func(x Missed) bool { return x.Member == m.ID }); at >= 0 {
			away += a.Missed[at].Days
		}
		if away < absentAfter {
			next.Missed = append(next.Missed, Missed{m.ID, away})
			continue
		}
		s.drop(m)
		dropped = true
	}
	if dropped {
		s.chooseOrderers()
	}
	return next
}

// drop takes a member off the orderers until it says again that it is ready.
func (s *State) drop(m croft.Member) {
	times, _ := read[uint32](s, DroppedKey(m.ID))
	write(s, DroppedKey(m.ID), times+1)
	m.Ready = false
	write(s, MemberKey(m.ID), m)
}

// dropAway drops who has been away since the day before or longer, where a vote leaves
// fewer than four orderers: one of them is to order alone, and the ledger would wait for
// it.
func (s *State) dropAway() {
	a, _ := read[Attendance](s, attendanceKey)
	var here, away []croft.Member
	for _, m := range s.members() {
		switch {
		case !m.Ready:
		case !has(a.Present, m.ID) && slices.ContainsFunc(a.Missed, func(x Missed) bool { return x.Member == m.ID }):
			away = append(away, m)
		default:
			here = append(here, m)
		}
	}
	if len(here) > 0 && len(here)+len(away) < 4 {
		for _, m := range away {
			s.drop(m)
		}
	}
}

// changed says whether anything is to be written that is not there yet.
func (s *State) changed() bool {
	for key, value := range s.writes {
		if !slices.Equal(value, s.tree.working(key)) {
			return true
		}
	}
	return false
}
