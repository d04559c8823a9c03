package ledger

import (
	"slices"

	"croft"
)

// Reports carry proofs that their vectors keep to a bound. The seats ask all proofs
// of a round at the same random points, which come from the round's key, and no site
// may know the key before its report is fixed. So each seat brings, with its study
// key, the end of a hash chain, its anchor; and with the acknowledgement after which
// it holds every expected report it shows the round's link of the chain. By then no
// report of the round can change. The key is made of the first q links: more than t,
// so at least one is of an honest seat and was secret until then.
//
// A report that does not even fit the round is refused before, by the seats that were
// to acknowledge it (Ack.Nays): more than t of them end the study with the site's name.
//
// What the seats then find does not come here unless a proof fails: t+1 seats that
// reject a site's report end the study with its name, and no sum was opened.
//
// Keys: anchor/STUDY/SEAT → Hash

// Link is what a seat shows of its chain.
type Link struct {
	Seat  croft.MemberID `cbor:"1,keyasint"`
	Value croft.Hash     `cbor:"2,keyasint"`
}

// SeatReject is a seat's word that proofs fail.
type SeatReject struct {
	Seat    croft.MemberID   `cbor:"1,keyasint"`
	Sites   []croft.MemberID `cbor:"2,keyasint"`
	Answers croft.Hash       `cbor:"3,keyasint"`
}

// Reject says that the proofs of these sites' reports fail, by at least t+2 seats'
// answers that agree.
type Reject struct {
	Study   croft.StudyID    `cbor:"1,keyasint"`
	Round   uint32           `cbor:"2,keyasint"`
	Sites   []croft.MemberID `cbor:"3,keyasint"` // sorted
	Answers croft.Hash       `cbor:"4,keyasint"` // blob with the answers that it judged by
}

// anchorKey holds the end of a seat's chain.
func anchorKey(id croft.StudyID, seat croft.MemberID) string {
	return "anchor/" + id.String() + "/" + seat.String()
}

// Anchor returns the end of the chain that begins with a secret.
func Anchor(secret croft.Hash) croft.Hash { return chained(secret, maxRounds+1) }

// ChainLink returns what the holder of the secret shows in a round: it leads to those
// of earlier rounds and to the anchor, and says nothing of later ones.
func ChainLink(secret croft.Hash, round uint32) croft.Hash {
	return chained(secret, maxRounds-min(round, maxRounds))
}

func chained(value croft.Hash, times uint32) croft.Hash {
	const label = "croft/link/1"
	buf := append([]byte(label), value[:]...)
	for range times {
		value = croft.Sum(buf)
		copy(buf[len(label):], value[:])
	}
	return value
}

// show takes a seat's link: only from one that holds all reports that are expected,
// so that none of them can still be made.
func (s *State) show(st Study, plan croft.Study, r *Round, seat croft.MemberID, link croft.Hash) (news bool, err error) {
	if plan.Unproved {
		return false, croft.E(croft.ErrTxStudy, "its reports have no proofs")
	}
	for _, site := range r.Expected() {
		if report, _ := r.Report(site); !has(report.Acks, seat) {
			return false, croft.E(croft.ErrTxOrder, "a seat shows a link when it holds all reports")
		}
	}
	if anchor, _ := read[croft.Hash](s, anchorKey(st.ID, seat)); chained(link, r.Number+1) != anchor {
		return false, croft.E(croft.ErrTxStudy, "the link is not of the seat's chain")
	}
	at, shown := slices.BinarySearchFunc(r.Links, seat, func(l Link, m croft.MemberID) int { return l.Seat.Compare(m) })
	if !shown {
		r.Links = slices.Insert(slices.Clone(r.Links), at, Link{seat, link})
	}
	return !shown, nil
}

// key makes the round's verification key.
func (r Round) key() croft.Hash {
	return croft.HashOf(struct {
		_     struct{} `cbor:",toarray"`
		Label string
		Study croft.StudyID
		Round uint32
		Links []Link
	}{Label: "croft/verification key/1", Study: r.Study, Round: r.Number, Links: r.Links})
}

// maxBound is that of every vector (tensor.NormBits), maxRows that of a network's rows.
const (
	maxBound = 1 << 26
	maxRows  = 1 << 21
)

// boundless says whether a result that leads to another round lacks the bounds that
// the proofs of that round are of, or has bounds for nothing.
func boundless(st Study, plan croft.Study, p *Result) bool {
	wanted := len(st.Cohort)
	if plan.Unproved || p.Done || p.Fail != 0 {
		wanted = 0
	}
	return len(p.Bounds) != wanted || slices.ContainsFunc(p.Bounds, func(b uint32) bool { return b < 1 || b > maxBound })
}

// reject counts the seats that refuse a site's report: more than t of them, so one is
// honest, end the study with the site's name.
func (s *State) reject(seat croft.MemberID, p *Reject) error {
	st, plan, r, moot, err := s.round(p.Study, p.Round)
	if err != nil {
		return err
	}
	if !s.seated(st, seat) {
		return croft.E(croft.ErrTxRights, seat.Short(), "it is not a seat of the study")
	}
	for _, old := range r.Rejects {
		if old.Seat == seat {
			if !slices.Equal(old.Sites, p.Sites) || old.Answers != p.Answers {
				return croft.E(croft.ErrTxDuplicate, "a refusal of this seat")
			}
			return nil
		}
	}
	if moot {
		return nil
	}
	if plan.Unproved || r.Phase != croft.PhaseSum {
		return croft.E(croft.ErrTxOrder, "there are no proofs to refuse")
	}
	for i, m := range p.Sites {
		if !has(r.Accepted, m) || i > 0 && p.Sites[i-1].Compare(m) >= 0 {
			return croft.E(croft.ErrTxStudy, "it names a site that is not in the sum, or one twice, or out of order")
		}
	}
	if len(p.Sites) == 0 {
		return croft.E(croft.ErrTxStudy, "it names no site")
	}
	r.Rejects = append(slices.Clone(r.Rejects), SeatReject{seat, p.Sites, p.Answers})
	write(s, RoundKey(st.ID, r.Number), r)
	var refused []croft.MemberID
	for _, site := range r.Accepted {
		by := 0
		for _, x := range r.Rejects {
			by += count(x.Sites, site)
		}
		if by > int(st.Threshold) {
			refused = append(refused, site)
		}
	}
	if len(refused) > 0 {
		s.stop(&st, ReasonProof, refused...)
		return nil
	}
	s.due(st.ID, true) // an approval may have expired before this block
	return nil
}

// ReasonProof is the reason of a study that ended because the proof of a site's
// report failed; Missing names the site.
const ReasonProof = "proof"

// ReasonReport is the reason of a study that ended because more than t seats could not
// use a site's report; Missing names the site.
const ReasonReport = "report"
