package ledger

import (
	"fmt"
	"slices"
	"strings"

	"croft"
)

// CheckInvariants reads the whole committed state and returns what does not hold.
// Tests call it after every block, the audit after its last one.
//
//   - every record stands under its own key, every name and id leads somewhere
//   - who is no founder applied, with an invite that was not used up, for exactly
//     the record that it has
//   - at most one sum for each (study, step); rounds follow without a gap, each on
//     the state that the one before agreed
//   - from the first freeze on a study's accepted set is its cohort
//   - no accepted report without q acknowledgements, no commit without t+1 seats
//   - where reports have proofs: no link before a round's reports were fixed, a key of
//     q links, and at the end of no round a site whose proof t+1 seats refused
//   - no study that runs with a site that was revoked
//   - no record group above its cap; its count is the number of its releases
//   - no two releases over a common column differ by 1 to min_sites − 1 members
//   - a model only of a finished study
//   - what is free and what is locked in channels adds up to what was issued
func CheckInvariants(t *Tree) error {
	s := newState(t)
	n := s.network()
	for _, id := range n.Members {
		m, ok := s.member(id)
		if named, _ := read[croft.MemberID](s, nameKey(m.Name)); !ok || m.ID != id || named != id {
			return fmt.Errorf("member %s: record, key or name do not agree", id)
		}
	}
	if want := orderers(s.members()); len(want) != len(n.Orderers) {
		return fmt.Errorf("%d orderers, the rule gives %d", len(n.Orderers), len(want))
	}
	if err := s.checkInvites(t); err != nil {
		return err
	}
	if err := s.checkMoney(t); err != nil {
		return err
	}
	released := map[croft.Hash]uint32{}
	for i := range n.Studies {
		id, ok := read[croft.StudyID](s, StudyAtKey(i))
		if !ok {
			return fmt.Errorf("study %d: no id", i)
		}
		if err := s.checkStudy(id, released); err != nil {
			return fmt.Errorf("study %s: %w", id.Short(), err)
		}
	}
	var err error
	owner := s.owners()
	t.Range("group/", func(key string, raw []byte) {
		g, _ := decodeRecord[Group](raw)
		hash, _ := croft.ParseID[byte](strings.TrimPrefix(key, "group/"))
		if g.Used != released[hash] {
			err = fmt.Errorf("group %s: %d releases charged, %d made", hash.Short(), g.Used, released[hash])
		}
		for i, a := range g.Cohorts {
			for _, b := range g.Cohorts[:i] {
				if d := difference(a.Groups, b.Groups, owner); common(a.Columns, b.Columns) && d > 0 && d < int(max(a.MinSites, b.MinSites)) {
					err = fmt.Errorf("group %s: two releases differ by %d sites", hash.Short(), d)
				}
			}
		}
	})
	return err
}

func (s *State) checkStudy(id croft.StudyID, released map[croft.Hash]uint32) error {
	st, plan, err := s.study(id)
	if err != nil {
		return err
	}
	if st.ID != id || plan.PlanHash() != st.Plan || st.Status < Proposed || st.Status > Stopped || (st.Reason != "") != (st.Status == Stopped) {
		return fmt.Errorf("record, plan or status do not agree")
	}
	if len(st.Cohort) > 0 && len(st.Cohort) < MinSites {
		return fmt.Errorf("a cohort of %d", len(st.Cohort))
	}
	for _, site := range plan.Sites {
		if m, _ := s.member(site); m.Revoked && (st.Status == Running || st.Status == Paused) && s.takesPart(st, site) {
			return fmt.Errorf("it runs with %s, who is no member any more", m.Name)
		}
	}
	var parent croft.Hash
	committed := uint32(0)
	for i := uint32(0); ; i++ {
		r, known := read[Round](s, RoundKey(id, i))
		if !known {
			break
		}
		if r.Number != i || r.Study != id || r.Parent != parent || committed != i {
			return fmt.Errorf("round %d: does not follow the one before", i)
		}
		parent = r.Next
		if err := s.checkProofs(st, plan, r); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if r.Phase == croft.PhaseReport {
			if len(r.Accepted)+len(r.Shares)+len(r.Results) > 0 {
				return fmt.Errorf("round %d: opened before it was frozen", i)
			}
			continue
		}
		if !slices.Equal(r.Accepted, st.Cohort) {
			return fmt.Errorf("round %d: its accepted set is not the cohort", i)
		}
		for _, site := range r.Accepted {
			if a, _ := r.Report(site); len(a.Acks) < int(st.Quorum) {
				return fmt.Errorf("round %d: a report with %d acknowledgements was accepted", i, len(a.Acks))
			}
		}
		for _, g := range s.groups(st, r.Accepted) {
			released[g]++
		}
		if r.Phase == croft.PhaseCommit {
			committed++
			same := 0
			for _, x := range r.Results {
				if x.Sum == r.Sum && x.Next == r.Next {
					same++
				}
			}
			if same <= int(st.Threshold) || len(r.Shares) < int(st.Quorum) {
				return fmt.Errorf("round %d: committed by %d seats over %d shares", i, same, len(r.Shares))
			}
		}
	}
	m, modelled := read[Model](s, ModelKey(id))
	if modelled != (st.Status == Done) || modelled && (m.State != parent || m.Rounds != committed) {
		return fmt.Errorf("model and status do not agree")
	}
	return nil
}

func (s *State) checkProofs(st Study, plan croft.Study, r Round) error {
	for _, l := range r.Links {
		anchor, _ := read[croft.Hash](s, anchorKey(st.ID, l.Seat))
		if plan.Unproved || chained(l.Value, r.Number+1) != anchor {
			return fmt.Errorf("a link that is not of %s's chain", l.Seat.Short())
		}
		for _, site := range r.Expected() {
			if a, _ := r.Report(site); !has(a.Acks, l.Seat) {
				return fmt.Errorf("%s showed its link before it held all reports", l.Seat.Short())
			}
		}
	}
	if plan.Unproved || r.Phase == croft.PhaseReport {
		if !r.Key.IsZero() || len(r.Rejects) > 0 {
			return fmt.Errorf("a key, or refusals, without proofs")
		}
		return nil
	}
	if r.Key != r.key() || len(r.Links) != int(st.Quorum) {
		return fmt.Errorf("its key is of %d links", len(r.Links))
	}
	for _, site := range r.Accepted {
		by := 0
		for _, x := range r.Rejects {
			by += count(x.Sites, site)
		}
		if by > int(st.Threshold) && (st.Reason != ReasonProof || !has(st.Missing, site)) {
			return fmt.Errorf("the proof of %s was refused and nothing followed", site.Short())
		}
	}
	return nil
}
