package ledger

import (
	"fmt"
	"slices"
	"testing"

	"croft"
)

// roll is a world of which a test says who signs and who proposes.
type roll struct {
	*world
	n int
}

// work makes so many blocks that change something, by the proposers in turn, while
// some orderers are silent. It returns the changes of the set of orderers.
func (r *roll) work(blocks int, proposers []string, silent ...string) (changes []Validator) {
	r.t.Helper()
	b := Block{}
	for _, name := range silent {
		b.Silent = append(b.Silent, r.members[name].Validator)
	}
	for range blocks {
		r.n++
		r.now += 60_000
		b.Height, b.Time, b.Proposer = r.m.Height()+1, r.now, r.members[proposers[r.n%len(proposers)]].Validator
		group := croft.Sum(fmt.Append(nil, r.n))
		out := r.m.Execute(b, [][]byte{r.seal("ada", &Register{Name: fmt.Sprint("set ", r.n), Group: group, Releases: 1})})
		if err := out.Effects[0].Err(); err != nil {
			r.t.Fatal(err)
		}
		changes = append(changes, out.Validators...)
		if err := r.m.Commit(); err != nil {
			r.t.Fatal(err)
		}
		if err := CheckInvariants(r.m.tree); err != nil {
			r.t.Fatal(err)
		}
		hash := r.m.AppHash()
		b.Height++
		if r.m.Execute(b, nil); r.m.Commit() != nil || r.m.AppHash() != hash {
			r.t.Fatal("a block in which nothing happens changed the state")
		}
	}
	return changes
}

func (r *roll) orderers() (names []string) {
	for _, id := range r.m.view().Orderers {
		m, _ := decodeRecord[croft.Member](r.m.Get(MemberKey(id)))
		names = append(names, m.Name)
	}
	return names
}

// TestAbsentOrderers: who signs nothing on seven days of work is dropped, and nobody
// else.
func TestAbsentOrderers(t *testing.T) {
	five := []string{"ada", "ben", "cleo", "dina", "elif"}
	const away = "elif"
	weekly := func(r *roll, day int) {
		if r.work(2, five[:4], away); day%6 == 5 {
			r.work(1, five[:4])
		}
	}
	for name, c := range map[string]struct {
		days func(r *roll, day int)
		want []string // who orders after ten days
	}{
		"one stays away":         {func(r *roll, _ int) { r.work(3, five[:4], away) }, five[:4]},
		"all are there":          {func(r *roll, _ int) { r.work(3, five) }, five},
		"one signs once a week":  {weekly, five},
		"by one proposer's word": {func(r *roll, _ int) { r.work(5, five[:1], away) }, five},
		"an idle month":          {func(r *roll, day int) { r.now += 30 * day24; r.work(1, five[day%4:day%4+1], away) }, five},
		"two in turn":            {func(r *roll, day int) { r.work(3, five[:3], five[3+day%2]) }, five},
	} {
		t.Run(name, func(t *testing.T) {
			r := &roll{world: newWorld(t, five...)}
			for i := range 10 {
				r.now += day24
				c.days(r, i)
			}
			if got := r.orderers(); !slices.Equal(got, c.want) {
				t.Errorf("%v order, want %v", got, c.want)
			}
		})
	}
}

const day24 = 24 * 3600 * 1000

// A dropped one comes back by its own new word only.
func TestDroppedOrdererComesBack(t *testing.T) {
	names := []string{"ada", "ben", "cleo", "dina"}
	r := &roll{world: newWorld(t, names...)}
	old := r.seal("dina", &Ready{})
	var changes []Validator
	for range 8 {
		r.now += day24
		changes = append(changes, r.work(3, names[:3], "dina")...)
	}
	// Three are left ready, so the first orders alone, as the rule has it.
	if got := r.orderers(); !slices.Equal(got, names[:1]) {
		t.Fatalf("%v order", got)
	}
	if len(changes) != 3 || slices.ContainsFunc(changes, func(v Validator) bool { return v.Power != 0 }) {
		t.Errorf("changes of the set of orderers: %v", changes)
	}
	if res := r.block(100, old).Effects[0]; res.Code != croft.ErrTxOrder {
		t.Errorf("its word of before it was dropped: %v", res.Err())
	}
	r.refused(croft.ErrTxOrder, "dina", &Ready{Dropped: 2})
	r.must("dina", &Ready{Dropped: 1})
	if got := r.orderers(); !slices.Equal(got, names) {
		t.Fatalf("%v order", got)
	}
	r.must("dina", &Ready{Dropped: 1}) // again: it holds
	for range 6 {
		r.now += day24
		r.work(3, names[:3], "dina")
	}
	if got := r.orderers(); !slices.Equal(got, names) {
		t.Errorf("its days of before count again: %v order", got)
	}
}

// A vote that leaves three orderers does not leave the ledger to one who is away.
func TestRevocationWhileTheFirstIsAway(t *testing.T) {
	names := []string{"ada", "ben", "cleo", "dina"}
	for name, c := range map[string]struct {
		away int // days
		back bool
		want string
	}{"for days": {3, false, "ben"}, "for hours": {0, false, "ada"}, "and back today": {3, true, "ada"}} {
		t.Run(name, func(t *testing.T) {
			r := &roll{world: newWorld(t, names...)}
			r.work(3, names[1:])
			for range c.away {
				r.now += day24
				r.work(3, names[1:], "ada")
			}
			if c.back {
				r.work(3, names)
			}
			for _, voter := range names[1:] {
				vote := r.seal(voter, &Vote{Action: Revoke, Subject: r.id("dina"), Sequence: 1})
				b := Block{Height: r.m.Height() + 1, Time: r.now, Proposer: r.members["ben"].Validator, Silent: []croft.PublicKey{r.members["ada"].Validator}}
				if err := r.m.Execute(b, [][]byte{vote}).Effects[0].Err(); err != nil || r.m.Commit() != nil {
					t.Fatal(err)
				}
			}
			if got := r.orderers(); !slices.Equal(got, []string{c.want}) {
				t.Fatalf("%v order, want %s", got, c.want)
			}
			if c.want == "ben" {
				r.must("ada", &Ready{Dropped: 1})
			}
			if got := r.orderers(); !slices.Equal(got, names[:1]) {
				t.Errorf("with all there, %v order", got)
			}
		})
	}
}
