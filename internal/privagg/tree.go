package privagg

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"croft"
)

// All seeds of a report grow from one root (Goldreich, Goldwasser and Micali, 1986).
// On the way to the seed of part T the tree asks of one seat after the other, the last
// first, whether it is in T. A node of level i stands for the parts that agree about
// the seats from i on: whoever has it has their seeds. So a seat is dealt the nodes of
// its own level at which it is not in the set, in place of every seed below them: with
// nine seats 28 for 70, on average. On the way to the seed of T = C each seat of C is in
// the set, and no other node of a level leads there, so C lacks that seed as before.
//
// A node is as long as a key of AES-128, of which the streams are made.
type node [nodeSize]byte

const nodeSize = 16

// down returns the node of level `to` on the way to part T, from one of level `from`
// on that way. The root's level is the number of seats.
func (n node) down(from, to int, T part, context croft.Hash) node {
	for level := from - 1; level >= to; level-- {
		hash := grow("node", context, level, T.from(level), n)
		n = node(hash[:nodeSize])
	}
	return n
}

// seed returns the seed of part T from a node of this level on the way to it.
func (n node) seed(level int, T part, context croft.Hash) *seed {
	s := seed(grow("seed", context, 0, T, n.down(level, 0, T, context)))
	return &s
}

// grow is bound to the context and to the place in the tree: who guesses a node guesses
// that of one place in one report.
func grow(label string, context croft.Hash, level int, T part, n node) [32]byte {
	data := append([]byte("croft/privagg/"+label+"/1"), context[:]...)
	data = binary.BigEndian.AppendUint16(append(data, byte(level)), uint16(T))
	return sha256.Sum256(append(data, n[:]...))
}

// from is what a node of this level knows of a part.
func (T part) from(level int) part { return T >> level << level }

// tops returns what the nodes that a seat is dealt know of their parts, ascending.
func (p Profile) tops(seat int) (tops []part) {
	for _, T := range p.parts() {
		if !T.excludes(seat) {
			tops = append(tops, T.from(seat))
		}
	}
	return slices.Compact(tops)
}
