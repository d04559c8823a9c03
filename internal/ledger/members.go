package ledger

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"croft"
)

// Members govern by vote: one organisation, one vote. Admission, revocation and
// the emergency stop need more than half of the members; with one or two members,
// all. A vote counts once, and its sequence number keeps an old one from being
// played again after the question was decided.
//
// Keys: network → Network · member/ID → croft.Member · name/NAME → MemberID ·
// ballot/HASH → Ballot · sequence/ID → last vote number

// Network is the record of the network itself.
type Network struct {
	ID       croft.NetworkID  `cbor:"1,keyasint"`
	Name     string           `cbor:"2,keyasint"`
	Members  []croft.MemberID `cbor:"3,keyasint"`           // in order of admission, revoked ones too
	Orderers []croft.MemberID `cbor:"4,keyasint"`           // whose nodes order blocks
	Stopped  bool             `cbor:"5,keyasint,omitempty"` // the emergency stop: every guard reads it
	Studies  uint32           `cbor:"6,keyasint,omitempty"` // how many were ever proposed
	Before   []string         `cbor:"7,keyasint,omitempty"` // chains that this one continues, oldest first
}

// Action is what a vote is about.
type Action uint8

// The actions.
const (
	Admit Action = iota + 1
	Revoke
	StopAll
	Resume
	Mint // credits come into being on an account
	Burn // and go again
	Seat // a member that lost its place among the seats gets it back
)

// Vote casts a member's vote.
type Vote struct {
	Action   Action         `cbor:"1,keyasint"`
	Subject  croft.MemberID `cbor:"2,keyasint,omitempty"` // Revoke, Seat
	Newcomer *croft.Member  `cbor:"3,keyasint,omitempty"` // Admit: the whole record, so that all vote on the same keys
	Sequence uint64         `cbor:"4,keyasint"`           // 1 more than this member's last vote
	Issue    *Issue         `cbor:"5,keyasint,omitempty"` // Mint, Burn
}

// Ready says that the member's node has caught up and may order blocks. What was said
// before it was dropped for its absence does not count any more.
type Ready struct {
	Dropped uint32 `cbor:"1,keyasint,omitempty"` // how often it was (DroppedKey)
}

// Ballot is an open question.
type Ballot struct {
	Yes []croft.MemberID `cbor:"1,keyasint"`
	// Of a question on the supply what it is: nothing else says so, and the others are to
	// find it.
	Supply *SupplyQuestion `cbor:"2,keyasint,omitempty"`
}

// SupplyQuestion asks to mint or burn. It is open until the supply has as many
// decisions as its number.
type SupplyQuestion struct {
	Action Action `cbor:"1,keyasint"`
	Issue  Issue  `cbor:"2,keyasint"`
}

// MemberKey and the like name the records; flows read them by these.
func MemberKey(id croft.MemberID) string { return "member/" + id.String() }

// nameKey holds the id of the member with that name.
func nameKey(name string) string { return "name/" + name }

// SequenceKey holds the number of a member's last vote.
func SequenceKey(id croft.MemberID) string { return "sequence/" + id.String() }

// BallotKey holds the Ballot of the question that a vote answers, whoever casts it.
func BallotKey(v Vote) string {
	return "ballot/" + croft.HashOf(Vote{Action: v.Action, Subject: v.Subject, Newcomer: v.Newcomer, Issue: v.Issue}).String()
}

// Majority returns how many of so many members have to say yes: more than half,
// which of one or two is all.
func Majority(members int) int { return members/2 + 1 }

// NetworkKey holds the network's record.
const NetworkKey = "network"

func (s *State) network() Network {
	n, _ := read[Network](s, NetworkKey)
	return n
}

func (s *State) member(id croft.MemberID) (croft.Member, bool) {
	return read[croft.Member](s, MemberKey(id))
}

// all returns every member that ever was, in order of admission.
func (s *State) all() (out []croft.Member) {
	for _, id := range s.network().Members {
		m, _ := s.member(id)
		out = append(out, m)
	}
	return out
}

// members returns the members that are not revoked, in order of admission.
func (s *State) members() []croft.Member {
	return slices.DeleteFunc(s.all(), func(m croft.Member) bool { return m.Revoked })
}

func (m *Machine) writeGenesis(s *State) {
	if m.inherited != nil {
		maps.Copy(s.writes, m.inherited)
		return
	}
	n := Network{ID: m.scope.Network, Name: m.genesis.Name}
	write(s, NetworkKey, n)
	for _, member := range m.genesis.Members {
		s.admit(member)
	}
}

// CheckGenesis says whether a chain can begin with it, as far as it alone can say.
// It fails with croft.ErrEncoding, croft.ErrTxRights or croft.ErrTxDuplicate.
func CheckGenesis(g croft.Genesis) error {
	if g.Rescue == nil && !(g.Previous.IsZero() && g.State.IsZero()) {
		return croft.E(croft.ErrEncoding, "genesis", "it continues a chain and does not say by what right")
	}
	if g.Version != 1 || len(g.Members) == 0 || len(g.Members) > 1000 {
		return croft.E(croft.ErrEncoding, "genesis", "version or number of members")
	}
	names, full := map[string]bool{}, false
	for i, m := range g.Members {
		if err := checkMember(m); err != nil {
			return err
		}
		if names[m.Name] {
			return croft.E(croft.ErrTxDuplicate, "the name "+m.Name)
		}
		names[m.Name] = true
		full = full || !m.Light
		if sharesKey(m, g.Members[:i]) {
			return croft.E(croft.ErrTxDuplicate, "a key of "+m.Name)
		}
	}
	if !full {
		return croft.E(croft.ErrTxRights, g.Name, "all its members are light, and nobody orders blocks")
	}
	return nil
}

// sharesKey says whether a member has a key that one of the others has, in any
// role: one validator key twice would halt consensus, one node key twice would
// let two members speak with one voice.
func sharesKey(m croft.Member, others []croft.Member) bool {
	mine := []croft.PublicKey{m.Key, m.Node, m.Validator}
	return slices.ContainsFunc(others, func(o croft.Member) bool {
		return slices.Contains(mine, o.Key) || slices.Contains(mine, o.Node) || slices.Contains(mine, o.Validator)
	})
}

// CheckName says whether a member may have this name: 1 to 40 bytes of printable
// characters without space at the ends. It fails with croft.ErrTxRights.
func CheckName(name string) error {
	if name == "" || !printable(name, 40) {
		return croft.E(croft.ErrTxRights, "a member", "its name must have 1 to 40 printable characters (ä counts as 2, 院 as 3)")
	}
	return nil
}

// printable says whether a text of at most so many bytes can be shown as it is.
func printable(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && strings.TrimSpace(text) == text &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unseen, r) })
}

// unseen are the characters that show nothing, or turn their neighbours around:
// controls, formats, private use, and every space but the plain one. They stand here
// because the tables of the compiler grow with Unicode, and nodes that were built years
// apart must agree on a block. What Unicode has not assigned yet passes.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0000, 0x001f, 1}, {0x007f, 0x00a0, 1}, {0x00ad, 0x00ad, 1}, {0x0600, 0x0605, 1}, {0x061c, 0x061c, 1},
		{0x06dd, 0x06dd, 1}, {0x070f, 0x070f, 1}, {0x0890, 0x0891, 1}, {0x08e2, 0x08e2, 1}, {0x1680, 0x1680, 1},
		{0x180e, 0x180e, 1}, {0x2000, 0x200f, 1}, {0x2028, 0x202f, 1}, {0x205f, 0x2064, 1}, {0x2066, 0x206f, 1},
		{0x3000, 0x3000, 1}, {0xd800, 0xf8ff, 1}, {0xfeff, 0xfeff, 1}, {0xfff9, 0xfffb, 1},
	},
	R32: []unicode.Range32{
		{0x110bd, 0x110bd, 1}, {0x110cd, 0x110cd, 1}, {0x13430, 0x1343f, 1}, {0x1bca0, 0x1bca3, 1}, {0x1d173, 0x1d17a, 1},
		{0xe0001, 0xe0001, 1}, {0xe0020, 0xe007f, 1}, {0xf0000, 0xffffd, 1}, {0x100000, 0x10fffd, 1},
	},
	LatinOffset: 3,
}

func checkMember(m croft.Member) error {
	if err := CheckName(m.Name); err != nil {
		return err
	}
	if m.ID != croft.IDOf(m.Key) || m.Key == m.Node || m.Node == m.Validator || m.Key == m.Validator {
		return croft.E(croft.ErrTxRights, m.Name, "its id or keys do not belong together")
	}
	if m.Light && (m.Seat || m.Ready) {
		return croft.E(croft.ErrTxRights, m.Name, "a light member is no seat and orders no blocks")
	}
	return nil
}

func (s *State) vote(voter croft.MemberID, v *Vote) error {
	last, _ := read[uint64](s, SequenceKey(voter))
	if v.Sequence != last+1 {
		return croft.E(croft.ErrTxOrder, "this vote's number does not follow the member's last vote")
	}
	write(s, SequenceKey(voter), v.Sequence)
	return s.ballot(voter, v)
}

// ballot counts a member's yes, and does what was asked once it is the last that
// was needed.
func (s *State) ballot(voter croft.MemberID, v *Vote) error {
	newcomer, issue, subject := v.Action == Admit, v.Action == Mint || v.Action == Burn, v.Action == Revoke || v.Action == Seat
	if v.Newcomer != nil && !newcomer || v.Issue != nil && !issue || !v.Subject.IsZero() && !subject {
		return croft.E(croft.ErrTxRights, "a vote", "it names what it is not about") // one question would have several ballots
	}
	var application Application
	if v.Action == Admit {
		var err error
		if application, err = s.votable(v.Newcomer); err != nil {
			return err
		}
	}
	if v.Action == Mint || v.Action == Burn {
		if err := s.issuable(v.Action, v.Issue); err != nil {
			return err
		}
	}
	key := BallotKey(*v)
	ballot, _ := read[Ballot](s, key)
	ballot.Yes = insert(ballot.Yes, voter)
	voters, yes := s.members(), 0
	for _, m := range voters {
		if slices.Contains(ballot.Yes, m.ID) {
			yes++
		}
	}
	needed := Majority(len(voters))
	if application.Guest {
		needed = 1
	}
	if yes < needed {
		if v.Issue != nil {
			ballot.Supply = &SupplyQuestion{v.Action, *v.Issue}
		}
		write(s, key, ballot)
		return nil
	}
	write(s, key, Ballot{}) // answered; the same question may be asked again

	n := s.network()
	switch v.Action {
	case Admit:
		if application.Guest {
			if err := s.welcome(voter, application.Newcomer); err != nil {
				return err
			}
			application.Standing = AsGuest
		} else {
			s.admit(application.Newcomer)
			application.Standing = Admitted
		}
		write(s, ApplicationKey(application.Newcomer.ID), application)
	case Revoke:
		m, known := s.member(v.Subject)
		if !known || m.Revoked {
			return croft.E(croft.ErrTxUnknown, "member", v.Subject.Short())
		}
		if !slices.ContainsFunc(voters, func(o croft.Member) bool { return o.ID != m.ID && !o.Light }) {
			return croft.E(croft.ErrTxRights, m.Name, "without it nobody could order blocks")
		}
		m.Revoked = true
		write(s, MemberKey(m.ID), m)
		s.dropAway()
		s.chooseOrderers()
		s.leave(m.ID)
	case StopAll, Resume:
		if n.Stopped && v.Action == Resume {
			s.restart()
		}
		n.Stopped = v.Action == StopAll
		write(s, NetworkKey, n)
	case Mint, Burn:
		return s.issue(v.Action, v.Issue)
	case Seat:
		m, known := s.member(v.Subject)
		if !known || m.Revoked || !m.Unseated {
			return croft.E(croft.ErrTxUnknown, "member without its seat", v.Subject.Short())
		}
		m.Unseated = false
		write(s, MemberKey(m.ID), m)
	default:
		return croft.E(croft.ErrTxUnknown, "vote", v.Action)
	}
	return nil
}

func (s *State) admit(m croft.Member) {
	n := s.network()
	n.Members = append(n.Members, m.ID)
	write(s, NetworkKey, n)
	write(s, MemberKey(m.ID), m)
	write(s, nameKey(m.Name), m.ID)
	s.chooseOrderers()
}

func (s *State) ready(id croft.MemberID, r *Ready) error {
	m, _ := s.member(id)
	if m.Ready {
		return nil
	}
	if dropped, _ := read[uint32](s, DroppedKey(id)); r.Dropped != dropped {
		return croft.E(croft.ErrTxOrder, "it is from before the member was dropped as an orderer")
	}
	if m.Light {
		return croft.E(croft.ErrTxRights, m.Name, "a light member orders no blocks")
	}
	m.Ready = true
	write(s, MemberKey(id), m)
	s.chooseOrderers()
	return nil
}

// chooseOrderers keeps the rule: with fewer than four ready members the first of
// them orders blocks alone and all check; from four on, all ready ones together.
func (s *State) chooseOrderers() {
	n := s.network()
	n.Orderers = nil
	for _, v := range orderers(s.members()) {
		n.Orderers = append(n.Orderers, v.ID)
	}
	write(s, NetworkKey, n)
}

func orderers(members []croft.Member) []croft.Member {
	var ready []croft.Member
	for _, m := range members {
		if m.Ready {
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		ready = slices.DeleteFunc(slices.Clone(members), func(m croft.Member) bool { return m.Light })
	}
	if len(ready) < 4 {
		return ready[:min(1, len(ready))]
	}
	return ready
}

func (s *State) validators() []croft.Member {
	var out []croft.Member
	for _, id := range s.network().Orderers {
		m, _ := s.member(id)
		out = append(out, m)
	}
	return out
}

// validatorDiff lists the changes from one set of validators to another, removals
// first, each in order of admission.
func validatorDiff(from, to []croft.Member) []Validator {
	var out []Validator
	member := func(set []croft.Member, k croft.PublicKey) bool {
		return slices.ContainsFunc(set, func(m croft.Member) bool { return m.Validator == k })
	}
	for _, m := range from {
		if !member(to, m.Validator) {
			out = append(out, Validator{m.Validator, 0})
		}
	}
	for _, m := range to {
		if !member(from, m.Validator) {
			out = append(out, Validator{m.Validator, 1})
		}
	}
	return out
}

// faulty returns f: so many of the orderers may be malicious.
func (s *State) faulty() int { return (len(s.network().Orderers) - 1) / 3 }

// insert adds id to a sorted set.
func insert(set []croft.MemberID, id croft.MemberID) []croft.MemberID {
	at, found := slices.BinarySearchFunc(set, id, croft.MemberID.Compare)
	if found {
		return set
	}
	return slices.Insert(slices.Clone(set), at, id)
}
