package ledger

import (
	"bytes"
	"maps"
	"slices"

	"croft"
)

// State is what the rules read and write: records under text keys, over a parent
// (the block's state, and below it the tree). A branch is merged or forgotten as
// a whole, which is what makes a refused transaction leave no trace.
type State struct {
	tree   *Tree
	parent *State
	writes map[string][]byte
}

func newState(t *Tree) *State { return &State{tree: t, writes: map[string][]byte{}} }

func (s *State) branch() *State { return &State{parent: s, writes: map[string][]byte{}} }

func (s *State) merge() { maps.Copy(s.parent.writes, s.writes) }

// flush writes to the tree in order of keys: the tree's shape, and so its hash,
// depends on the order. A value that did not change is not written: it would
// change the hash too.
func (s *State) flush() {
	for _, key := range slices.Sorted(maps.Keys(s.writes)) {
		if value := s.writes[key]; !bytes.Equal(value, s.tree.working(key)) {
			s.tree.set(key, value)
		}
	}
}

func (s *State) raw(key string) []byte {
	if v, ok := s.writes[key]; ok {
		return v
	}
	if s.parent != nil {
		return s.parent.raw(key)
	}
	return s.tree.working(key)
}

// recordVersion leads every record; a later version of a record has another one.
const recordVersion = 1

// read returns the record under a key, and whether there is one.
func read[T any](s *State, key string) (T, bool) { return decodeRecord[T](s.raw(key)) }

func write(s *State, key string, record any) {
	s.writes[key] = append([]byte{recordVersion}, croft.Encode(record)...)
}

func decodeRecord[T any](raw []byte) (record T, ok bool) {
	if raw == nil {
		return record, false
	}
	if raw[0] != recordVersion {
		panic("ledger: a record of an unknown version")
	}
	if err := croft.Decode(raw[1:], &record); err != nil {
		panic(err) // written by this machine: broken invariant, not input
	}
	return record, true
}

// Decode reads a record that Get or Prove returned; false if it is absent.
// Records that come from another machine are checked.
func Decode[T any](raw []byte) (record T, found bool, err error) {
	if raw == nil {
		return record, false, nil
	}
	if len(raw) == 0 || raw[0] != recordVersion {
		return record, false, croft.E(croft.ErrEncoding, "ledger record", "unknown version")
	}
	err = croft.Decode(raw[1:], &record)
	return record, err == nil, err
}
