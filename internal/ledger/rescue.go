package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"croft"
)

// A chain stands still for good when too many of its orderers are lost: a fire, a
// disk without a backup. Its members then begin a successor chain from the last state
// that they have verified. More than half of all members of that state sign the
// successor's genesis, which names the state by its hash, who goes on and who is
// lost. Who is lost has left as by a vote. Members, datasets, budgets, credits and
// ended studies are as they were; a study that was running ends, for its approvals and
// keys were for the chain that ended. What was signed for that chain counts on this
// one no more, but for vouchers and receipts: they name a channel, and channels go on.
//
// From the same state and the same lost members everybody computes the same genesis:
// so members sign one thing without talking of it first.

// End is where a chain ended.
type End struct {
	Height  int64        // of its last block
	Time    int64        // of that block, Unix milliseconds
	AppHash croft.Hash   // of the state after it
	State   []croft.Hash // the pieces of the same, exported: see Export
}

// MaxPiece bounds a piece of an exported state: one blob.
const MaxPiece = 64 << 20

// Pieces finds a piece of an exported state by its hash, as store.Blobs.Get does.
type Pieces func(hash croft.Hash) ([]byte, error)

// Export writes a state down, hands each piece to keep, and returns the hashes that
// keep returns. all yields every record of the state in order of their keys, as
// Tree.Range does. A record is the lengths of key and value as varints, each before its
// bytes; a piece ends before the record with which it would be longer than MaxPiece. So
// one state has one export. piece is keep's for the time of the call.
func Export(all func(yield func(key string, value []byte)) error, keep func(piece []byte) (croft.Hash, error)) (hashes []croft.Hash, err error) {
	var piece []byte
	hand := func() {
		if err == nil {
			var hash croft.Hash
			hash, err = keep(piece)
			hashes, piece = append(hashes, hash), piece[:0]
		}
	}
	trouble := all(func(key string, value []byte) {
		whole := len(piece)
		if piece = appendRecord(piece, key, value); len(piece) > MaxPiece {
			next := slices.Clone(piece[whole:])
			piece = piece[:whole]
			hand()
			piece = append(piece, next...)
		}
	})
	hand()
	return hashes, errors.Join(trouble, err)
}

func appendRecord(piece []byte, key string, value []byte) []byte {
	piece = binary.AppendUvarint(piece, uint64(len(key)))
	piece = append(piece, key...)
	piece = binary.AppendUvarint(piece, uint64(len(value)))
	return append(piece, value...)
}

// Succeed returns the genesis, which nobody has signed yet, of the successor of the
// chain that g began, without the members that are lost. It fails with
// croft.ErrRescue if too few are left to sign, or if those who are left can order
// blocks without a rescue.
func Succeed(g croft.Genesis, end End, pieces Pieces, lost []croft.MemberID) (croft.Genesis, error) {
	records, err := openState(end.State, pieces)
	if err != nil {
		return g, err
	}
	s := &State{tree: NewMemoryTree(), writes: records}
	before := s.members()
	for i, id := range lost {
		if m, known := s.member(id); !known || m.Revoked || has(lost[:i], id) {
			return g, croft.E(croft.ErrTxUnknown, "member", id.Short())
		}
	}
	if len(lost) == 0 {
		return g, croft.E(croft.ErrRescue, "it names nobody who is lost", "name the members whose nodes are lost: croft network rescue --without NAME")
	}
	if needed := Majority(len(before)); len(before)-len(lost) < needed {
		return g, croft.E(croft.ErrRescue, fmt.Sprintf("%d of %d members have to sign, and %d are left", needed, len(before), len(before)-len(lost)),
			"restore a lost node from its backup, or found a new network")
	}
	ordering := s.network().Orderers
	left := slices.DeleteFunc(slices.Clone(ordering), func(id croft.MemberID) bool { return has(lost, id) })
	if 3*len(left) > 2*len(ordering) {
		return g, croft.E(croft.ErrRescue, "the ledger moves without them", "vote that they leave: croft member revoke NAME")
	}
	return croft.Genesis{
		Version: g.Version, Name: g.Name, Time: (end.Time + 999) / 1000, Previous: g.Network(), State: end.State[0],
		Members: slices.DeleteFunc(before, func(m croft.Member) bool { return has(lost, m.ID) }),
		Rescue:  &croft.Rescue{Chain: g.Scope().Chain, Height: end.Height, AppHash: end.AppHash, Of: uint16(len(before)), More: end.State[1:]},
	}, nil
}

// Endorsers returns those of the members who signed a successor's genesis, in order
// of their ids, each once. Signatures of others do not count.
func Endorsers(g croft.Genesis, members []croft.Member) (signed []croft.MemberID) {
	scope, body := croft.Scope{Network: g.Previous, Chain: g.Rescue.Chain}, g.Hash()
	for _, e := range g.Rescue.Signed {
		for _, m := range members {
			if m.ID == e.Member && scope.Verify(m.Key, croft.RescueDomain, body[:], e.Signature) {
				signed = insert(signed, m.ID)
			}
		}
	}
	return signed
}

// Endorse adds a member's signature to a successor's genesis. sign signs with its
// member key.
func Endorse(g croft.Genesis, member croft.MemberID, sign Signer) croft.Genesis {
	scope, body := croft.Scope{Network: g.Previous, Chain: g.Rescue.Chain}, g.Hash()
	return merge(g, []croft.Endorsement{{Member: member, Signature: sign(croft.RoleMember, scope, croft.RescueDomain, body[:])}})
}

// Merge adds the signatures of one copy of a successor's genesis to another.
func Merge(g, other croft.Genesis) croft.Genesis { return merge(g, other.Rescue.Signed) }

func merge(g croft.Genesis, more []croft.Endorsement) croft.Genesis {
	rescue := *g.Rescue
	rescue.Signed = slices.Concat(g.Rescue.Signed, more)
	slices.SortStableFunc(rescue.Signed, func(a, b croft.Endorsement) int { return a.Member.Compare(b.Member) })
	rescue.Signed = slices.CompactFunc(rescue.Signed, func(a, b croft.Endorsement) bool { return a.Member == b.Member })
	g.Rescue = &rescue
	return g
}

// Continue returns the machine of a successor chain, on an empty tree. It fails with
// croft.ErrRescue or croft.ErrTxSignature unless more than half of the members of the
// state that the genesis names signed it, and it follows from it.
func Continue(g croft.Genesis, pieces Pieces, tree *Tree) (*Machine, error) {
	if err := CheckGenesis(g); err != nil {
		return nil, err
	}
	records, err := openState(g.Pieces(), pieces)
	if err != nil {
		return nil, err
	}
	s := &State{tree: NewMemoryTree(), writes: records}
	var lost []croft.MemberID
	var left []croft.Member
	before := s.members()
	for _, m := range before {
		if slices.Contains(g.Members, m) {
			left = append(left, m)
		} else {
			lost = append(lost, m.ID)
		}
	}
	if s.network().ID != g.Previous || !slices.Equal(left, g.Members) {
		return nil, croft.E(croft.ErrRescue, "its members are not those of the state", "get the code again, from a member who signed")
	}
	signed := len(Endorsers(g, left))
	if signed != len(g.Rescue.Signed) {
		return nil, croft.E(croft.ErrTxSignature)
	}
	if needed := Majority(len(before)); signed < needed || int(g.Rescue.Of) != len(before) {
		return nil, croft.E(croft.ErrRescue, fmt.Sprintf("%d of %d members have signed, %d have to", signed, len(before), needed), "have others confirm it: croft network rescue CODE")
	}
	s.succeed(g.Rescue.Chain, lost)
	m := &Machine{tree: tree, genesis: g, scope: g.Scope(), inherited: s.writes}
	m.found()
	return m, nil
}

// openState reads an exported state. A record of the rules in it that cannot be read
// is croft.ErrEncoding as well: whoever made the export chose its bytes.
func openState(hashes []croft.Hash, pieces Pieces) (map[string][]byte, error) {
	bad := func(why string) (map[string][]byte, error) {
		return nil, croft.E(croft.ErrEncoding, "exported state", why)
	}
	records := map[string][]byte{}
	last, room := "", 0 // the key before, and what the piece before had left
	for _, hash := range hashes {
		rest, err := pieces(hash)
		switch {
		case err != nil:
			return nil, err
		case croft.Sum(rest) != hash:
			return nil, croft.E(croft.ErrRescue, "its state is not the one that was signed", "get the code again, from a member who signed")
		case len(rest) > MaxPiece:
			return nil, croft.E(croft.ErrTooLarge, len(rest), MaxPiece)
		case len(rest) == 0:
			return bad("a piece of it is empty")
		}
		left := MaxPiece - len(rest)
		for len(rest) > 0 {
			size := len(rest)
			key, value := cut(&rest), cut(&rest)
			switch size -= len(rest); {
			case value == nil || string(key) <= last:
				return bad("it is cut off, its keys are not in order, or a length is not in its shortest form")
			case size <= room:
				return bad("it is in more pieces than it needs")
			}
			last, room = string(key), 0
			records[last] = value
		}
		room = left
	}
	return records, checkRecords(records)
}

// cut takes a length and so many bytes off the front; nil if they are not there.
func cut(rest *[]byte) []byte {
	n, used := binary.Uvarint(*rest)
	if used <= 0 || used > 1 && (*rest)[used-1] == 0 || n > uint64(len(*rest)-used) {
		return nil
	}
	part := (*rest)[used : used+int(n) : used+int(n)]
	*rest = (*rest)[used+int(n):]
	return part
}

// checkRecords makes sure that the rules can read every record.
func checkRecords(records map[string][]byte) error {
	for _, key := range slices.Sorted(maps.Keys(records)) {
		kind, _, _ := strings.Cut(key, "/")
		if readable := readers[kind]; readable == nil || !readable(records[key]) {
			return croft.E(croft.ErrEncoding, "exported state", fmt.Sprintf("its record %.100q cannot be read", key))
		}
	}
	network, found, _ := Decode[Network](records[NetworkKey])
	if missing := func(id croft.MemberID) bool { return records[MemberKey(id)] == nil }; !found || slices.ContainsFunc(network.Members, missing) {
		return croft.E(croft.ErrEncoding, "exported state", "its network or a member is missing")
	}
	if int(network.Studies) > len(records) {
		return croft.E(croft.ErrEncoding, "exported state", "it counts more studies than it has records")
	}
	return nil
}

// readers say of each kind of record whether it can be read.
var readers = map[string]func(raw []byte) bool{
	NetworkKey: reads[Network], "member": reads[croft.Member], "name": reads[croft.MemberID], "sequence": reads[uint64], "ballot": reads[Ballot],
	attendanceKey: reads[Attendance], "dropped": reads[uint32],
	"invite": reads[Invitation], "application": reads[Application], arrivedKey: reads[[]croft.MemberID],
	"dataset": reads[croft.Dataset], "group": reads[Group],
	"study": reads[Study], "plan": reads[croft.Study], "study-at": reads[croft.StudyID], "open": reads[int], "answered": reads[bool],
	"key": reads[[]byte], "anchor": reads[croft.Hash], "model": reads[Model], dueKey: reads[[]dueItem], "round": reads[Round], "evidence": reads[Evidence],
	SupplyKey: reads[Supply], "account": reads[Account], "guest": reads[Guest],
	"service": reads[croft.Service], ServicesKey: reads[uint32], "service-at": reads[croft.ServiceID],
	"channel": reads[Channel], "channel-at": reads[croft.ChannelID], clearingKey: reads[[]croft.ChannelID], resumedKey: reads[int64],
}

func reads[T any](raw []byte) bool {
	_, found, err := Decode[T](raw)
	return found && err == nil
}

// succeed turns the last state of a chain into the first of its successor.
func (s *State) succeed(chain string, lost []croft.MemberID) {
	for _, id := range lost {
		m, _ := s.member(id)
		m.Revoked = true
		write(s, MemberKey(id), m)
	}
	n := s.network()
	n.Before = append(slices.Clone(n.Before), chain)
	write(s, NetworkKey, n)
	s.chooseOrderers()
	for i := range n.Studies {
		id, _ := read[croft.StudyID](s, StudyAtKey(i))
		if st, _, err := s.study(id); err == nil && !st.Status.Ended() {
			s.stop(&st, rescued, lost...)
		}
	}
}

// rescued is the reason of a study that ended because its chain did.
const rescued = "rescued"

// scopes returns the scope of the chain, and before it those of the chains that it
// continues.
func (s *State) scopes(scope croft.Scope) []croft.Scope { return s.network().Scopes(scope) }

// Scopes returns the scope of the network's chain, and before it those of the chains
// that it continues.
func (n Network) Scopes(scope croft.Scope) (all []croft.Scope) {
	for _, chain := range append(slices.Clone(n.Before), scope.Chain) {
		all = append(all, croft.Scope{Network: scope.Network, Chain: chain})
	}
	return all
}
