package privagg

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"croft"
)

// A seat is dealt one node above the seed of each part that it may hold, and none above
// that of another. So the seats of a set together lack exactly the seed that none of
// them may hold.
func TestTreeGivesEachSeatItsSeeds(t *testing.T) {
	root, hash := node{1}, croft.Hash{2}
	for m := MinSeats; m <= MaxSeats; m++ {
		for threshold := 1; threshold <= m-2; threshold++ {
			p := Profile{m, threshold}
			above, seeds := map[part]map[node]bool{}, map[part]seed{}
			for _, T := range p.parts() {
				above[T], seeds[T] = map[node]bool{}, *root.seed(m, T, hash)
				for level := range m + 1 {
					above[T][root.down(m, level, T, hash)] = true
				}
			}
			for seat := range m {
				tops := p.tops(seat)
				if !slices.IsSorted(tops) {
					t.Errorf("%v: the nodes of seat %d are not ascending", p, seat)
				}
				has := map[part]int{}
				for _, top := range tops {
					n := root.down(m, seat, top, hash)
					for _, T := range p.parts() {
						if !above[T][n] {
							continue
						}
						if has[T]++; *n.seed(seat, T, hash) != seeds[T] {
							t.Errorf("%v: seat %d grows another seed of part %v", p, seat, T)
						}
					}
				}
				for _, T := range p.parts() {
					if want := map[bool]int{false: 1, true: 0}[T.excludes(seat)]; has[T] != want {
						t.Errorf("%v: seat %d has %d nodes above part %v", p, seat, has[T], T)
					}
				}
			}
		}
	}
}

// The tree as docs/formats/privagg.md says it, drawn as a tree.
func TestTreeIsTheFormat(t *testing.T) {
	p, context := Profile{5, 2}, croft.Hash{7}
	root := node{9}
	seeds := map[part]seed{}
	var grow func(level int, T part, n []byte)
	grow = func(level int, T part, n []byte) {
		place := []byte{byte(level), 0, byte(T)}
		if level == 0 {
			seeds[T] = sha256.Sum256(fmt.Append(nil, "croft/privagg/seed/1", string(context[:]), string(place), string(n)))
			return
		}
		for _, in := range []part{0, 1} {
			T := T | in<<(level-1)
			child := sha256.Sum256(fmt.Append(nil, "croft/privagg/node/1", string(context[:]), string([]byte{byte(level - 1), 0, byte(T)}), string(n)))
			grow(level-1, T, child[:16])
		}
	}
	grow(5, 0, root[:])
	for _, T := range p.parts() {
		if *root.seed(5, T, context) != seeds[T] {
			t.Errorf("part %v has another seed", T)
		}
	}
}
