package ledger

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"croft"
)

// blobs are pieces of exported states.
type blobs map[croft.Hash][]byte

func (b blobs) put(piece []byte) (croft.Hash, error) {
	hash := croft.Sum(piece)
	b[hash] = bytes.Clone(piece)
	return hash, nil
}

func (b blobs) get(hash croft.Hash) ([]byte, error) { return b[hash], nil }

// end is where the world's chain stands.
func (w *world) end() (e End, pieces Pieces) {
	kept := blobs{}
	e = End{Height: w.m.Height(), Time: w.now, AppHash: w.m.AppHash()}
	e.State, _ = Export(func(yield func(string, []byte)) error { w.m.tree.Range("", yield); return nil }, kept.put)
	return e, kept.get
}

// signs adds members' signatures to a successor's genesis.
func (w *world) signs(g croft.Genesis, names ...string) croft.Genesis {
	for _, name := range names {
		g = Endorse(g, w.id(name), func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
			return croft.Signature(ed25519.Sign(w.keys[name][role-1], scope.Preimage(domain, body)))
		})
	}
	return g
}

// burning is a network of three whose founder, who orders blocks alone, is about to
// be lost: with data, a study that has ended and one that runs, credits, a channel
// that is closing, an invite, an application, and a vote.
func burning(t testing.TB) (w *world, channel croft.ChannelID, running croft.StudyID) {
	w = newWorld(t, "ada", "ben", "cleo")
	sites := w.names
	data := w.register(9, sites...)
	id := w.open(w.plan(sites...), data, sites...)
	w.play(id, 0, false, sites...)
	w.play(id, 1, true, sites...)
	running = w.open(w.plan(sites...), data, sites...)
	w.mint("ben", 1000)
	channel = w.opens("ben", "cleo", 100)[0]
	w.must("ben", &Close{[]Position{{Channel: channel}}})
	w.must("ada", &Vote{Action: StopAll, Sequence: 1 + w.voted("ada")})
	w.applies("fay", w.invite("ben", false))
	w.block(0, w.seal("cleo", &Tick{running}))
	return w, channel, running
}

func (w *world) voted(name string) uint64 {
	last, _ := decodeRecord[uint64](w.m.Get(SequenceKey(w.id(name))))
	return last
}

func TestRescue(t *testing.T) {
	w, channel, running := burning(t)
	old := w.m
	end, pieces := w.end()
	plan, err := Succeed(old.genesis, end, pieces, w.ids("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Succeed(old.genesis, end, pieces, w.ids("ada")); err != nil || again.Hash() != plan.Hash() {
		t.Errorf("another member computes another genesis: %v", err)
	}
	stale := w.seal("ben", &Register{Name: "more", Group: croft.Sum([]byte("ben")), Releases: 1000})
	voucher := w.owes(channel, "ben", 60) // signed before the fire
	group := w.m.Get(GroupKey(croft.Sum([]byte("ben"))))

	g := Merge(w.signs(plan, "ben"), w.signs(plan, "cleo"))
	if g.Hash() != plan.Hash() || g.Network() != old.genesis.Network() || g.Scope().Chain == old.scope.Chain {
		t.Errorf("%s %s %s", g.Hash(), g.Network(), g.Scope().Chain)
	}
	if w.m, err = Continue(g, pieces, NewMemoryTree()); err != nil {
		t.Fatal(err)
	}
	if f := w.m.Founders(); len(f) != 1 || f[0].Key != w.members["ben"].Validator {
		t.Errorf("%v begin to order", f)
	}
	if s := w.m.Scopes(); len(s) != 2 || s[0] != old.scope || s[1] != g.Scope() {
		t.Errorf("scopes %v", s)
	}
	w.names = w.names[1:]
	month := int64(30 * 24 * 3600_000)
	w.block(0)
	if n := w.m.view(); !slices.Equal(n.Orderers, w.ids("ben")) || n.ID != old.scope.Network {
		t.Errorf("%+v", n)
	}
	w.block(month) // as long as it took them
	w.block(10)
	w.block(10)
	if !bytes.Equal(w.m.Get(GroupKey(croft.Sum([]byte("ben")))), group) || group == nil {
		t.Error("a budget changed")
	}
	if st := w.study(running); st.Status != Stopped || st.Reason != "rescued" || !slices.Equal(st.Missing, w.ids("ada")) {
		t.Errorf("the study that ran: %+v", st)
	}
	w.has("ben's free credits", w.free("ben"), 900)
	if r := w.block(10, stale).Effects[0]; r.Code != croft.ErrTxSignature {
		t.Errorf("a transaction of the chain that ended: %+v", r)
	}
	w.refused(croft.ErrTxRights, "ada", &Ready{})

	// The window of the channel begins anew, and its old voucher counts.
	w.must("ben", &Settle{[]croft.ChannelID{channel}})
	if c := w.channel(channel); c.Status != ChannelClosing {
		t.Errorf("the window passed while nobody could show anything: %v", c.Status)
	}
	forged := w.owesIn(croft.Scope{Network: g.Network(), Chain: "croft-0000000000000000-1"}, channel, "ben", 70)
	w.refused(croft.ErrTxChannel, "cleo", &Post{[]Position{forged}})
	w.must("cleo", &Post{[]Position{voucher}})
	w.settles("ben", channel)
	w.has("cleo was paid", w.free("cleo"), 60)

	// The next newcomer, vote and study come as ever.
	fay := w.members["fay"]
	fay.Ready = false
	for _, name := range w.names {
		w.must(name, &Vote{Action: Admit, Newcomer: &fay, Sequence: 1 + w.voted(name)})
	}
	w.names = append(w.names, "fay")
	sites := w.names
	data := w.register(9, sites...)
	w.play(w.open(w.plan(sites...), data, sites...), 0, false, sites...)

	// And a successor may have one.
	w.must("fay", &Ready{})
	end, pieces = w.end()
	second, err := Succeed(g, end, pieces, w.ids("ben"))
	if err != nil {
		t.Fatal(err)
	}
	second = w.signs(second, "cleo", "fay")
	if w.m, err = Continue(second, pieces, NewMemoryTree()); err != nil {
		t.Fatal(err)
	}
	w.names = w.names[1:]
	w.block(0)
	if s := w.m.Scopes(); len(s) != 3 || s[2] == s[1] || second.Network() != old.genesis.Network() {
		t.Errorf("scopes %v", s)
	}
}

// What does not make a successor, and why.
func TestRescueIsRefused(t *testing.T) {
	w, _, _ := burning(t)
	end, pieces := w.end()
	for name, c := range map[string]struct {
		lost []croft.MemberID
		want croft.Code
	}{
		"nobody lost":           {nil, croft.ErrRescue},
		"more than half lost":   {w.ids("ada", "ben"), croft.ErrRescue},
		"who does not order":    {w.ids("cleo"), croft.ErrRescue},
		"a stranger":            {[]croft.MemberID{{1}}, croft.ErrTxUnknown},
		"one twice":             {[]croft.MemberID{w.id("ada"), w.id("ada")}, croft.ErrTxUnknown},
		"an applicant":          {w.ids("fay"), croft.ErrTxUnknown},
		"who orders blocks now": {w.ids("ada"), 0},
	} {
		if _, err := Succeed(w.m.genesis, end, pieces, c.lost); c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	plan, err := Succeed(w.m.genesis, end, pieces, w.ids("ada"))
	if err != nil {
		t.Fatal(err)
	}
	good := w.signs(plan, "ben", "cleo")
	other, err := Succeed(w.m.genesis, End{end.Height + 1, end.Time, end.AppHash, end.State}, pieces, w.ids("ada"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(g *croft.Genesis)
		want   croft.Code
	}{
		"nothing changed":       {func(*croft.Genesis) {}, 0},
		"one signature of two":  {func(g *croft.Genesis) { *g = w.signs(plan, "ben") }, croft.ErrRescue},
		"nobody's":              {func(g *croft.Genesis) { *g = plan }, croft.ErrRescue},
		"of one who is lost":    {func(g *croft.Genesis) { *g = w.signs(plan, "ada", "ben") }, croft.ErrTxSignature},
		"one twice":             {func(g *croft.Genesis) { g.Rescue.Signed[1] = g.Rescue.Signed[0] }, croft.ErrTxSignature},
		"for another height":    {func(g *croft.Genesis) { g.Rescue.Signed = w.signs(other, "ben", "cleo").Rescue.Signed }, croft.ErrTxSignature},
		"another chain":         {func(g *croft.Genesis) { g.Rescue.Chain += "2" }, croft.ErrTxSignature},
		"of more members":       {func(g *croft.Genesis) { g.Rescue.Of++; g.Rescue.Signed = nil; *g = w.signs(*g, "ben", "cleo") }, croft.ErrRescue},
		"another time":          {func(g *croft.Genesis) { g.Time++ }, croft.ErrTxSignature},
		"another network":       {func(g *croft.Genesis) { g.Previous[0] ^= 1 }, croft.ErrRescue},
		"another state":         {func(g *croft.Genesis) { g.State[0] ^= 1 }, croft.ErrRescue},
		"a member more":         {func(g *croft.Genesis) { g.Members = append(slices.Clip(g.Members), w.members["fay"]) }, croft.ErrRescue},
		"members in new order":  {func(g *croft.Genesis) { g.Members[0], g.Members[1] = g.Members[1], g.Members[0] }, croft.ErrRescue},
		"without a rescue":      {func(g *croft.Genesis) { g.Rescue = nil }, croft.ErrEncoding},
		"a founder with a past": {func(g *croft.Genesis) { *g = w.m.genesis; g.Previous[0] = 1 }, croft.ErrEncoding},
	} {
		g := good
		rescue := *good.Rescue
		rescue.Signed, g.Rescue, g.Members = slices.Clone(rescue.Signed), &rescue, slices.Clone(g.Members)
		c.change(&g)
		if _, err := Continue(g, pieces, NewMemoryTree()); c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good, NewMemoryTree()); !errors.Is(err, croft.ErrBlob) {
		t.Errorf("a successor without its state: %v", err)
	}
}

// From four orderers on a network that has lost one still moves.
func TestRescueOfMany(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	w.block(0)
	end, pieces := w.end()
	if _, err := Succeed(w.m.genesis, end, pieces, w.ids("ada")); !errors.Is(err, croft.ErrRescue) || !strings.Contains(croft.Next(err), "revoke") {
		t.Errorf("one of five lost: %v", err)
	}
	g, err := Succeed(w.m.genesis, end, pieces, w.ids("ada", "elif"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Continue(w.signs(g, "ben", "cleo"), pieces, NewMemoryTree()); !errors.Is(err, croft.ErrRescue) {
		t.Errorf("two of five signed: %v", err)
	}
	if w.m, err = Continue(w.signs(g, "ben", "cleo", "dina"), pieces, NewMemoryTree()); err != nil {
		t.Fatal(err)
	}
	if f := w.m.Founders(); len(f) != 1 || f[0].Key != w.members["ben"].Validator {
		t.Errorf("%v begin to order", f)
	}
}

// Every kind of record can be inherited.
func TestEachRecordCanBeRead(t *testing.T) {
	all, _ := samples(t)
	for _, s := range all {
		if key, is := strings.CutPrefix(s.name, "record "); is {
			kind, _, _ := strings.Cut(key, "/")
			if readable := readers[kind]; readable == nil || !readable(s.data) {
				t.Errorf("%s cannot be read from an exported state", kind)
			}
		}
	}
}

// FuzzContinue: no state, however strange, takes the machine down, even if all who
// are named in it signed it; and it has one form.
func FuzzContinue(f *testing.F) {
	w, _, _ := burning(f)
	end, pieces := w.end()
	state, _ := pieces(end.State[0])
	f.Add(state)
	f.Add(state[:len(state)/2])
	f.Add([]byte{})
	f.Add([]byte{1, 'a', 0x80, 0})
	f.Add(appendRecord(nil, NetworkKey, append([]byte{recordVersion}, croft.Encode(Network{Members: w.ids("ada")})...)))
	f.Fuzz(func(t *testing.T, state []byte) {
		kept := blobs{}
		hash, _ := kept.put(state)
		records, err := openState([]croft.Hash{hash}, kept.get)
		if err != nil {
			return
		}
		var again []byte
		for _, key := range slices.Sorted(maps.Keys(records)) {
			again = appendRecord(again, key, records[key])
		}
		if !bytes.Equal(again, state) {
			t.Error("a state with two forms was taken")
		}
		g, err := Succeed(w.m.genesis, End{State: []croft.Hash{hash}}, kept.get, w.ids("ada"))
		if err != nil {
			return
		}
		m, err := Continue(w.signs(g, "ben", "cleo"), kept.get, NewMemoryTree())
		if err != nil {
			return
		}
		m.Execute(Block{Height: 1}, nil)
	})
}

// A network of ten years has more state than fits in one piece: 64 MiB are some 750
// studies of nine members.
func TestRescueOfALongLife(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.block(0)
	w.m.Execute(Block{Height: w.m.Height() + 1, Time: w.now}, nil)
	long := append([]byte{recordVersion}, croft.Encode(make([]byte, MaxPiece/60))...)
	for n := range 62 { // a piece and a bit
		w.m.tree.set(EnrolKey(croft.StudyID{byte(n)}, w.id("ada")), long)
	}
	if err := w.m.Commit(); err != nil {
		t.Fatal(err)
	}
	end, pieces := w.end()
	if len(end.State) != 2 {
		t.Fatalf("%d pieces", len(end.State))
	}
	plan, err := Succeed(w.m.genesis, end, pieces, w.ids("ada"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := croft.ParseRescue(w.signs(plan, "ben", "cleo").RescueCode())
	if err != nil || !slices.Equal(g.Pieces(), end.State) {
		t.Fatalf("%v: %d pieces", err, len(g.Pieces()))
	}
	m, err := Continue(g, pieces, NewMemoryTree())
	if err != nil {
		t.Fatal(err)
	}
	m.Execute(Block{Height: 1, Time: w.now}, nil)
	if err := m.Commit(); err != nil {
		t.Fatal(err)
	}
	for n := range 62 {
		if key := EnrolKey(croft.StudyID{byte(n)}, w.id("ada")); !bytes.Equal(m.Get(key), long) {
			t.Fatalf("%s did not come along", key)
		}
	}

	// What was signed is these pieces, all of them and in this order.
	for name, hashes := range map[string][]croft.Hash{
		"one is missing":     end.State[:1],
		"they are exchanged": {end.State[1], end.State[0]},
		"one is there twice": {end.State[0], end.State[1], end.State[1]},
	} {
		wrong := g
		rescue := *g.Rescue
		wrong.State, rescue.More, wrong.Rescue = hashes[0], hashes[1:], &rescue
		if _, err := Continue(wrong, pieces, NewMemoryTree()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	other := func(croft.Hash) ([]byte, error) { return pieces(end.State[1]) }
	if _, err := Continue(g, other, NewMemoryTree()); !errors.Is(err, croft.ErrRescue) {
		t.Errorf("another piece under a name: %v", err)
	}
}

// One state has one export: no other cut of it is taken.
func TestPiecesAreAsLongAsTheyCanBe(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.block(0)
	end, pieces := w.end()
	whole, err := pieces(end.State[0])
	if err != nil || len(end.State) != 1 {
		t.Fatal(len(end.State), err)
	}
	kept := blobs{}
	for at := 0; at <= len(whole); at++ {
		front, _ := kept.put(whole[:at])
		back, _ := kept.put(whole[at:])
		if _, err := openState([]croft.Hash{front, back}, kept.get); !errors.Is(err, croft.ErrEncoding) {
			t.Fatalf("cut at byte %d: %v", at, err)
		}
	}
}
