package ledger

import (
	"slices"

	"croft"
	"croft/internal/privagg"
)

// maxSeats bounds a committee: replicated seeds grow as a binomial coefficient.
const maxSeats = 9

// committee returns the seats of a study: all members that declared seat, but for
// those that were found to lie in another, or, of
// more than nine, the nine whose hash with the study's id is lowest. The id is a
// proposer's to grind, so above nine members the draw is not yet safe against a
// malicious proposer; up to nine there is nothing to choose.
func (s *State) committee(id croft.StudyID) []croft.MemberID {
	var seats []croft.MemberID
	for _, m := range s.members() {
		if m.Seat && !m.Unseated {
			seats = append(seats, m.ID)
		}
	}
	slices.SortFunc(seats, func(a, b croft.MemberID) int { return draw(id, a).Compare(draw(id, b)) })
	seats = seats[:min(len(seats), maxSeats)]
	slices.SortFunc(seats, croft.MemberID.Compare)
	return seats
}

func draw(study croft.StudyID, seat croft.MemberID) croft.Hash {
	return croft.Sum(append(append([]byte("croft/seat"), study[:]...), seat[:]...))
}

// profile returns t and the wanted shares q of a study's committee.
func profile(plan croft.Study, seats int) (threshold, quorum int, err error) {
	p, err := privagg.Majority(seats)
	if plan.Strict {
		p, err = privagg.Strict(seats)
	}
	if err != nil {
		return 0, 0, err
	}
	return p.Threshold, p.Quorum(plan.Unchecked), nil
}
