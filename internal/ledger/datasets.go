package ledger

import "croft"

// Datasets are commitments. A budget belongs to the records, so it is kept for a
// record group: all versions and datasets of an owner that share rows.
//
// Keys: dataset/ID → croft.Dataset · group/HASH → Group

// Register puts a dataset version on the ledger. The dataset's id is the hash of
// the transaction.
type Register struct {
	Name       string     `cbor:"1,keyasint"`
	Commitment croft.Hash `cbor:"2,keyasint"`
	Group      croft.Hash `cbor:"3,keyasint"`
	Releases   uint32     `cbor:"4,keyasint"`
	Public     bool       `cbor:"5,keyasint,omitempty"`
}

// Group is the budget of a record group, and which sums its records were in.
type Group struct {
	Owner   croft.MemberID `cbor:"1,keyasint"`
	Cap     uint32         `cbor:"2,keyasint"`           // releases allowed, as last declared
	Used    uint32         `cbor:"3,keyasint"`           // releases charged; never goes down
	Cohorts []Cohort       `cbor:"4,keyasint,omitempty"` // of each study that released a sum over the group
}

// Cohort is a set of record groups whose sums over some columns were released.
type Cohort struct {
	Study   croft.StudyID `cbor:"1,keyasint"`
	Groups  []croft.Hash  `cbor:"2,keyasint"` // sorted
	Columns []string      `cbor:"3,keyasint"` // sorted: all that the model reads
	// MinSites is how many sites the study promised to hide each one among.
	MinSites uint8 `cbor:"4,keyasint"`
}

// DatasetKey names a dataset's record.
func DatasetKey(id croft.DatasetID) string { return "dataset/" + id.String() }

// GroupKey names a record group's budget.
func GroupKey(g croft.Hash) string { return "group/" + g.String() }

// maxCohorts bounds a group's list of cohorts: a group that took part in so many
// studies takes no further one.
const maxCohorts = 256

func (s *State) register(tx Tx, r *Register) error {
	if r.Name == "" || len(r.Name) > 64 || r.Group.IsZero() {
		return croft.E(croft.ErrTxRights, "a dataset", "it needs a name of 1 to 64 bytes and a record group")
	}
	id := croft.DatasetID(tx.ID)
	if _, known := read[croft.Dataset](s, DatasetKey(id)); known {
		return nil
	}
	g, known := read[Group](s, GroupKey(r.Group))
	if known && g.Owner != tx.Member {
		return croft.E(croft.ErrTxRights, tx.Member.Short(), "the record group belongs to another member")
	}
	g.Owner, g.Cap = tx.Member, r.Releases
	write(s, GroupKey(r.Group), g)
	write(s, DatasetKey(id), croft.Dataset{ID: id, Owner: tx.Member, Name: r.Name,
		Commitment: r.Commitment, Group: r.Group, Releases: r.Releases, Public: r.Public})
	return nil
}

// chargeable says whether each group may release once more.
func (s *State) chargeable(groups []croft.Hash) error {
	for _, hash := range groups {
		if g, _ := read[Group](s, GroupKey(hash)); g.Used >= g.Cap {
			return croft.E(croft.ErrTxBudget, g.Cap, g.Used)
		}
	}
	return nil
}

// charge spends one release of each group. It is never given back.
func (s *State) charge(groups []croft.Hash) {
	for _, hash := range groups {
		g, _ := read[Group](s, GroupKey(hash))
		g.Used++
		write(s, GroupKey(hash), g)
	}
}

// joinable keeps the cohort rule (protocol §1): two un-noised releases over a
// common column have equal cohorts, or cohorts that differ by at least min_sites,
// the larger one of the two studies. Otherwise the difference of two sums would
// show fewer sites than was promised to one of them.
func (s *State) joinable(c Cohort) error {
	owner := s.owners()
	compared := map[croft.StudyID]bool{} // a study stands in the list of each of its groups
	for _, hash := range c.Groups {
		g, _ := read[Group](s, GroupKey(hash))
		if len(g.Cohorts) >= maxCohorts {
			return croft.E(croft.ErrTxBudget, maxCohorts, len(g.Cohorts))
		}
		for _, old := range g.Cohorts {
			if compared[old.Study] || !common(old.Columns, c.Columns) {
				continue
			}
			compared[old.Study] = true
			least := int(max(old.MinSites, c.MinSites))
			if d := difference(old.Groups, c.Groups, owner); d != 0 && d < least {
				return croft.E(croft.ErrTxCohort, d, least)
			}
		}
	}
	return nil
}

func (s *State) join(c Cohort) {
	for _, hash := range c.Groups {
		g, _ := read[Group](s, GroupKey(hash))
		g.Cohorts = append(g.Cohorts, c)
		write(s, GroupKey(hash), g)
	}
}

// difference counts the members whose groups are in one of the sets only. Members
// count, not groups: one that brings other records of its own to the second sum is
// in the difference once.
func difference(a, b []croft.Hash, owner func(group croft.Hash) croft.MemberID) int {
	var owners []croft.MemberID
	count := func(from, in []croft.Hash) {
		for _, hash := range from {
			if !has(in, hash) {
				owners = insert(owners, owner(hash))
			}
		}
	}
	count(a, b)
	count(b, a)
	return len(owners)
}

// owners returns a function that says whose a group is. It reads each record once: one
// of many studies is long.
func (s *State) owners() func(group croft.Hash) croft.MemberID {
	owners := map[croft.Hash]croft.MemberID{}
	return func(group croft.Hash) croft.MemberID {
		if _, known := owners[group]; !known {
			g, _ := read[Group](s, GroupKey(group))
			owners[group] = g.Owner
		}
		return owners[group]
	}
}

func common(a, b []string) bool {
	for _, x := range a {
		if has(b, x) {
			return true
		}
	}
	return false
}

func has[T comparable](set []T, x T) bool {
	for _, y := range set {
		if x == y {
			return true
		}
	}
	return false
}
