package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"croft"
)

// world is a network under test: members with their keys, and a machine whose
// blocks the test makes. After every block all invariants are checked.
type world struct {
	t       testing.TB
	m       *Machine
	names   []string
	keys    map[string][3]ed25519.PrivateKey
	members map[string]croft.Member
	now     int64 // ms
	turn    int
	nonce   uint64
}

func newWorld(t testing.TB, names ...string) *world {
	w := &world{t: t, names: names, keys: map[string][3]ed25519.PrivateKey{}, members: map[string]croft.Member{}, now: 1_800_000_000_000}
	g := croft.Genesis{Version: 1, Name: "test", Time: w.now / 1000}
	for _, name := range names {
		g.Members = append(g.Members, w.keep(name))
	}
	var err error
	if w.m, err = New(g, NewMemoryTree()); err != nil {
		t.Fatal(err)
	}
	return w
}

// keep makes keys for a member and remembers them. One whose name begins so is light.
func (w *world) keep(name string) croft.Member {
	var keys [3]ed25519.PrivateKey
	var pub [3]croft.PublicKey
	for i := range keys {
		seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		keys[i] = ed25519.NewKeyFromSeed(seed[:])
		copy(pub[i][:], keys[i].Public().(ed25519.PublicKey))
	}
	w.keys[name] = keys
	m := croft.Member{ID: croft.IDOf(pub[0]), Name: name, Key: pub[0], Node: pub[1], Validator: pub[2]}
	m.Light = strings.HasPrefix(name, "light")
	m.Seat, m.Ready = !m.Light, !m.Light
	w.members[name] = m
	return w.members[name]
}

func (w *world) id(name string) croft.MemberID { return w.members[name].ID }

func (w *world) ids(names ...string) (out []croft.MemberID) {
	for _, n := range names {
		out = insert(out, w.id(n))
	}
	return out
}

func (w *world) seal(name string, body any) []byte {
	return Seal(w.m.Scope(), w.id(name), w.nonce, body, func(role croft.Role, scope croft.Scope, domain string, body []byte) (sig croft.Signature) {
		copy(sig[:], ed25519.Sign(w.keys[name][role-1], scope.Preimage(domain, body)))
		return sig
	})
}

// block makes a block, dt milliseconds after the one before, and commits it.
func (w *world) block(dt int64, txs ...[]byte) Outcome {
	w.t.Helper()
	w.now += dt
	w.turn++
	proposer := w.members[w.names[w.turn%len(w.names)]].Validator
	out := w.m.Execute(Block{Height: w.m.Height() + 1, Time: w.now, Proposer: proposer}, txs)
	if err := w.m.Commit(); err != nil {
		w.t.Fatal(err)
	}
	if w.m.AppHash() != out.AppHash {
		w.t.Fatal("commit wrote another state than execute announced")
	}
	if err := CheckInvariants(w.m.tree); err != nil {
		w.t.Fatalf("block %d: %v", w.m.Height(), err)
	}
	return out
}

// do runs one transaction in a block of its own and the block that follows.
func (w *world) do(name string, body any) (croft.Hash, error) {
	w.t.Helper()
	raw := w.seal(name, body)
	r := w.block(100, raw).Effects[0]
	w.block(100)
	return r.Tx, r.Err()
}

func (w *world) must(name string, body any) croft.Hash {
	w.t.Helper()
	id, err := w.do(name, body)
	if err != nil {
		w.t.Fatalf("%s: %T: %v", name, body, err)
	}
	return id
}

func (w *world) refused(code croft.Code, name string, body any) {
	w.t.Helper()
	before := w.m.AppHash()
	if _, err := w.do(name, body); !errors.Is(err, code) {
		w.t.Errorf("%s: %T: got %v, want %v", name, body, err, code)
	}
	if w.m.AppHash() != before {
		w.t.Errorf("%s: %T: a refused transaction changed the state", name, body)
	}
}

func (w *world) study(id croft.StudyID) Study {
	st, _ := decodeRecord[Study](w.m.Get(StudyKey(id)))
	return st
}

func (w *world) round(id croft.StudyID, n uint32) Round {
	r, _ := decodeRecord[Round](w.m.Get(RoundKey(id, n)))
	return r
}

// plan returns a study of three sites that anybody may read.
func (w *world) plan(sites ...string) croft.Study {
	return croft.Study{Version: 1, Name: "anaemia", Purpose: "p", LegalBasis: "l", Expires: w.now/1000 + 86400,
		Sites: w.ids(sites...), MinSites: 3, Readers: w.ids(w.names...), Patience: 60, Engine: croft.EngineVersion, Use: croft.UseMembers,
		Model: croft.Model{Family: "logistic", Features: []string{"age"}, Label: "ill", Positive: "yes", MaxRounds: 20}}
}

// register gives each site a dataset in a record group of its own.
func (w *world) register(releases uint32, sites ...string) map[string]croft.DatasetID {
	out := map[string]croft.DatasetID{}
	for _, name := range sites {
		out[name] = croft.DatasetID(w.must(name, &Register{Name: "visits", Group: croft.Sum([]byte(name)), Releases: releases}))
	}
	return out
}

func (w *world) approval(id croft.StudyID, d croft.DatasetID) *croft.Approval {
	st := w.study(id)
	plan, _ := decodeRecord[croft.Study](w.m.Get(PlanKey(id)))
	return &croft.Approval{Study: id, Plan: st.Plan, Dataset: d, Seats: st.Seats, Threshold: st.Threshold, Readers: plan.Readers,
		Releases: 50, Expires: plan.Expires, Engine: plan.Engine, Purpose: plan.Purpose, LegalBasis: plan.LegalBasis, Rows: 100}
}

// enrol is a member's, with the anchor of its chain where that is wanted.
func (w *world) enrol(name string, id croft.StudyID) *Enrol {
	e := &Enrol{Study: id, Key: make([]byte, 1216)}
	copy(e.Key, name)
	if plan, _ := decodeRecord[croft.Study](w.m.Get(PlanKey(id))); !plan.Unproved && has(w.study(id).Seats, w.id(name)) {
		e.Anchor = Anchor(chainOf(name))
	}
	return e
}

// chainOf is the secret of a seat's chain.
func chainOf(name string) croft.Hash { return croft.Sum([]byte("chain of " + name)) }

// ack is a seat's acknowledgement; it shows its link as soon as it may.
func (w *world) ack(name string, id croft.StudyID, n uint32, sites []croft.MemberID) *Ack {
	a := &Ack{Study: id, Round: n, Sites: sites}
	r := w.round(id, n)
	for _, site := range r.Expected() {
		if report, here := r.Report(site); !here || !has(sites, site) && !has(report.Acks, w.id(name)) {
			return a
		}
	}
	if plan, _ := decodeRecord[croft.Study](w.m.Get(PlanKey(id))); !plan.Unproved {
		a.Link = ChainLink(chainOf(name), n)
	}
	return a
}

// outturn is the result of every honest seat.
func (w *world) outturn(id croft.StudyID, n uint32, done bool) *Result {
	out := &Result{Study: id, Round: n, Sum: croft.HashOf(n), Next: croft.HashOf(n + 1), Done: done}
	if plan, _ := decodeRecord[croft.Study](w.m.Get(PlanKey(id))); !plan.Unproved && !done {
		out.Bounds = slices.Repeat([]uint32{1000}, len(w.study(id).Cohort))
	}
	return out
}

// open brings a study to its first round.
func (w *world) open(plan croft.Study, data map[string]croft.DatasetID, sites ...string) croft.StudyID {
	w.t.Helper()
	w.nonce++
	id := croft.StudyID(w.must(w.names[0], &Propose{plan}))
	for _, name := range w.names {
		w.must(name, w.enrol(name, id))
	}
	for _, name := range sites {
		w.must(name, w.approval(id, data[name]))
	}
	return id
}

func header(site string, n uint32) croft.Header {
	return croft.Header{Head: croft.Sum([]byte(site)), Blob: croft.HashOf(n), Size: 100}
}

// play runs one round with everybody at their post.
func (w *world) play(id croft.StudyID, n uint32, done bool, sites ...string) {
	w.t.Helper()
	for _, name := range sites {
		w.must(name, &Report{Study: id, Round: n, Header: header(name, n)})
	}
	for _, name := range w.names {
		w.must(name, w.ack(name, id, n, w.ids(sites...)))
	}
	for _, name := range w.names {
		w.must(name, &Share{Study: id, Round: n, Blob: croft.Sum([]byte(name))})
	}
	for _, name := range w.names {
		w.must(name, w.outturn(id, n, done))
	}
}

func TestStudyRunsToItsModel(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	data := w.register(10, "ada", "ben", "cleo")
	id := w.open(w.plan("ada", "ben", "cleo"), data, "ada", "ben", "cleo")
	if st := w.study(id); st.Status != Running || st.Threshold != 2 || st.Quorum != 4 {
		t.Fatalf("%+v", st)
	}
	w.play(id, 0, false, "ada", "ben", "cleo")
	w.play(id, 1, false, "ada", "ben", "cleo")
	w.play(id, 2, true, "ada", "ben", "cleo")
	st := w.study(id)
	m, ok := decodeRecord[Model](w.m.Get(ModelKey(id)))
	if st.Status != Done || !ok || m.Rounds != 3 || m.State != croft.HashOf(uint32(3)) {
		t.Fatalf("%v %+v", st.Status, m)
	}
	hash := w.m.AppHash()
	for range 3 {
		w.block(1000)
	}
	if w.m.AppHash() != hash {
		t.Error("an idle chain changes its state")
	}
}

// Readers open a sum with the first t+1 shares where a study lets them: what came later
// has checked nothing.
func TestSumsThatNobodyHadToCheck(t *testing.T) {
	for _, unchecked := range []bool{false, true} {
		w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
		data := w.register(10, "ada", "ben", "cleo")
		plan := w.plan("ada", "ben", "cleo")
		plan.Unchecked = unchecked
		id := w.open(plan, data, "ada", "ben", "cleo")
		w.play(id, 0, true, "ada", "ben", "cleo")
		r := w.round(id, 0)
		m, ok := decodeRecord[Model](w.m.Get(ModelKey(id)))
		if !ok || len(r.Shares) != 5 || r.Unchecked != unchecked || m.Unchecked != unchecked {
			t.Errorf("with %d of 5 shares wanted, %d there: round %v, model %v", w.study(id).Quorum, len(r.Shares), r.Unchecked, m.Unchecked)
		}
	}
}

func TestLastResultLeavesNothingDue(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	data := w.register(10, "ada", "ben", "cleo")
	id := w.open(w.plan("ada", "ben", "cleo"), data, "ada", "ben", "cleo")
	for _, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Report{Study: id, Header: header(name, 0)})
	}
	for _, name := range w.names {
		w.must(name, w.ack(name, id, 0, w.ids("ada", "ben", "cleo")))
	}
	for _, name := range w.names {
		w.must(name, &Share{Study: id, Blob: croft.Sum([]byte(name))})
	}
	txs := [][]byte{w.seal("ada", &Tick{id})} // what it puts on the due list goes with the study
	for _, name := range w.names {
		txs = append(txs, w.seal(name, &Result{Study: id, Done: true}))
	}
	last := w.block(100, txs...)
	if proof := w.block(100); proof.AppHash != last.AppHash {
		t.Error("the block after the last transaction changed the state: CometBFT would make another")
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	data := w.register(10, "ada", "ben", "cleo", "dina")
	plan := w.plan("ada", "ben", "cleo")

	bad := plan
	bad.MinSites = 2
	w.refused(croft.ErrTxStudy, "ada", &Propose{bad})
	bad = plan
	bad.Sites = append(bad.Sites, croft.MemberID{9})
	w.refused(croft.ErrTxStudy, "ada", &Propose{bad})
	bad = plan
	bad.Readers = w.ids("ada", "ben")
	w.refused(croft.ErrTxStudy, "ada", &Propose{bad})

	id := croft.StudyID(w.must("ada", &Propose{plan}))
	for name, change := range map[string]func(*croft.Approval){
		"plan":      func(a *croft.Approval) { a.Plan[0]++ },
		"seats":     func(a *croft.Approval) { a.Seats = a.Seats[1:] },
		"threshold": func(a *croft.Approval) { a.Threshold-- },
		"readers":   func(a *croft.Approval) { a.Readers = a.Readers[1:] },
		"engine":    func(a *croft.Approval) { a.Engine = "x" },
		"purpose":   func(a *croft.Approval) { a.Purpose = "x" },
		"basis":     func(a *croft.Approval) { a.LegalBasis = "x" },
	} {
		a := w.approval(id, data["ada"])
		change(a)
		before := w.m.AppHash()
		if _, err := w.do("ada", a); !errors.Is(err, croft.ErrTxStudy) || w.m.AppHash() != before {
			t.Errorf("an approval that differs in %s: %v", name, err)
		}
	}
	w.refused(croft.ErrTxUnknown, "ada", w.approval(id, data["ben"]))
	w.refused(croft.ErrTxRights, "dina", w.approval(id, data["dina"]))
	w.refused(croft.ErrTxStudy, "ada", &Enrol{Study: id, Key: []byte("short")})
	w.refused(croft.ErrTxOrder, "ada", &Report{Study: id})
	w.refused(croft.ErrTxOrder, "ada", &Vote{Action: StopAll, Sequence: 2})
	w.refused(croft.ErrTxRights, "ada", &Register{Name: "x", Group: croft.Sum([]byte("ben"))})

	forged := w.seal("ada", &Propose{plan})
	forged[len(forged)-1] ^= 1
	if r := w.block(1, forged).Effects[0]; r.Code != croft.ErrTxSignature {
		t.Error(r)
	}
	if r := w.block(1, []byte("junk")).Effects[0]; r.Code != croft.ErrEncoding {
		t.Error(r)
	}
	if r := w.block(1, make([]byte, MaxTx+1)).Effects[0]; r.Code != croft.ErrTxTooLarge {
		t.Error(r)
	}
	w.keep("mallory")
	w.refused(croft.ErrTxRights, "mallory", &Propose{plan})
}

// A missing site pauses the study by name; it can come back; without it the study
// ends, and nothing was opened.
func TestMissingSitePauses(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	sites := []string{"ada", "ben", "cleo", "dina"}
	data := w.register(10, sites...)
	id := w.open(w.plan(sites...), data, sites...)
	w.play(id, 0, false, sites...)

	present := sites[:3]
	for _, name := range present {
		w.must(name, &Report{Study: id, Round: 1, Header: header(name, 1)})
	}
	for _, name := range w.names {
		w.must(name, w.ack(name, id, 1, w.ids(present...)))
	}
	w.must("ada", &Tick{id})
	if st := w.study(id); st.Status != Running {
		t.Fatalf("within patience: %v", st.Status)
	}
	w.block(60_000)
	w.must("ben", &Tick{id})
	w.block(10)
	w.block(10)
	st := w.study(id)
	if st.Status != Paused || len(st.Missing) != 1 || st.Missing[0] != w.id("dina") {
		t.Fatalf("%v, waits for %v", st.Status, st.Missing)
	}
	if r := w.round(id, 1); r.Phase != croft.PhaseReport || len(r.Accepted) != 0 {
		t.Fatal("a round was frozen without its cohort")
	}
	w.refused(croft.ErrTxOrder, "ada", &Share{Study: id, Round: 1})

	t.Run("back", func(t *testing.T) {
		w.must("dina", &Report{Study: id, Round: 1, Header: header("dina", 1)})
		for _, name := range w.names {
			w.must(name, w.ack(name, id, 1, w.ids("dina")))
		}
		if st := w.study(id); st.Status != Running || w.round(id, 1).Phase != croft.PhaseSum {
			t.Fatalf("%v", st.Status)
		}
	})
	t.Run("gone", func(t *testing.T) {
		for _, name := range w.names {
			w.must(name, &Share{Study: id, Round: 1, Blob: croft.Sum([]byte(name))})
		}
		for _, name := range w.names {
			w.must(name, w.outturn(id, 1, false))
		}
		for range 4 {
			w.block(60_001)
			w.nonce++
			w.must("ada", &Tick{id})
			w.block(10)
		}
		if st := w.study(id); st.Status != Stopped || st.Reason != "unavailable" {
			t.Fatalf("%v %q", st.Status, st.Reason)
		}
	})
}

// Two studies over a common column whose cohorts differ by one or two sites would
// show those sites' numbers by subtraction.
func TestCohortRuleAcrossStudies(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif", "femi", "gus")
	all := w.names
	data := w.register(50, all...)
	first := w.open(w.plan(all[:4]...), data, all[:4]...)
	w.play(first, 0, true, all[:4]...)

	for name, c := range map[string]struct {
		sites  []string
		column string
		want   Status
	}{
		"the same sites":                    {all[:4], "age", Done},
		"one less":                          {all[:3], "age", Stopped},
		"one more":                          {all[:5], "age", Stopped},
		"one exchanged":                     {[]string{"ada", "ben", "cleo", "elif"}, "age", Stopped},
		"three more":                        {all[:7], "age", Done},
		"one less, the label common":        {all[:3], "height", Stopped},
		"three others and one of the first": {[]string{"dina", "elif", "femi", "gus"}, "age", Done},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.copy(t)
			plan := w.plan(c.sites...)
			plan.Model.Features = []string{c.column}
			id := w.open(plan, data, c.sites...)
			for _, name := range c.sites {
				w.must(name, &Report{Study: id, Header: header(name, 0)})
			}
			for _, name := range w.names {
				w.must(name, w.ack(name, id, 0, w.ids(c.sites...)))
			}
			if c.want == Stopped {
				if st := w.study(id); st.Status != Stopped || st.Reason != "cohort" || w.round(id, 0).Phase != croft.PhaseReport {
					t.Fatalf("%v %q", st.Status, st.Reason)
				}
				return
			}
			if w.round(id, 0).Phase != croft.PhaseSum {
				t.Fatal(w.study(id).Reason)
			}
		})
	}
}

// Whatever a model reads a column for, its sums are over that column.
func TestCohortRuleForEveryColumn(t *testing.T) {
	four := []string{"ada", "ben", "cleo", "dina"}
	for name, reads := range map[string]func(*croft.Model){
		"a time":        func(m *croft.Model) { m.Time = "days" },
		"an exposure":   func(m *croft.Model) { m.Exposure = "days" },
		"a weight":      func(m *croft.Model) { m.Weight = "days" },
		"what it is by": func(m *croft.Model) { m.Groups = []croft.Group{{Column: "days", Levels: 2}} },
	} {
		for _, first := range []bool{true, false} {
			w := newWorld(t, four...)
			data := w.register(50, four...)
			before, after := w.plan(four...), w.plan(four[:3]...)
			after.Model.Features, after.Model.Label = []string{"height"}, "sex"
			one, other := &before.Model, &after.Model
			if !first {
				one, other = other, one
			}
			reads(one)
			other.Features = append(other.Features, "days")
			if got := w.carry(w.open(before, data, four...), 1, four...); got != "done with 4" {
				t.Fatal(got)
			}
			if got := w.carry(w.open(after, data, four[:3]...), 1, four[:3]...); got != "stopped: cohort" {
				t.Errorf("days is %s in the first study: %v; without one site: %s", name, first, got)
			}
		}
	}
}

// copy replays the world's blocks into a new one, which also shows that the same
// blocks give the same state.
func (w *world) copy(t testing.TB) *world {
	c := *w
	c.t, c.keys, c.members = t, maps.Clone(w.keys), maps.Clone(w.members)
	tree := NewMemoryTree()
	s := newState(tree)
	w.m.tree.Range("", func(k string, v []byte) { s.writes[k] = v })
	s.flush()
	if err := tree.Save(); err != nil {
		t.Fatal(err)
	}
	c.m = &Machine{tree: tree, genesis: w.m.genesis, scope: w.m.scope}
	return &c
}

func TestBudgetEndsAStudy(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(2, sites...)
	id := w.open(w.plan(sites...), data, sites...)
	w.play(id, 0, false, sites...)
	w.play(id, 1, false, sites...)
	if st := w.study(id); st.Status != Stopped || st.Reason != "budget" {
		t.Fatalf("%v %q", st.Status, st.Reason)
	}
	g, _ := decodeRecord[Group](w.m.Get(GroupKey(croft.Sum([]byte("ada")))))
	if g.Used != 2 {
		t.Errorf("%d of %d used", g.Used, g.Cap)
	}
}

// A transaction in a block happened at the time of the next one.
func TestTimeIsTheNextBlocks(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina")
	sites := w.names[:3]
	data := w.register(9, sites...)
	id := w.open(w.plan(sites...), data, sites[:2]...)
	a := w.approval(id, data["cleo"])
	a.Expires = w.now/1000 + 3600
	// The chain sleeps for two hours; the approval's own block still bears the old
	// time, at which it had not expired.
	w.block(1, w.seal("cleo", a))
	w.block(2 * 3600_000)
	if st := w.study(id); st.Status != Proposed || st.Answers[2].Refusal == 0 && st.Answers[1].Refusal == 0 && st.Answers[0].Refusal == 0 {
		t.Fatalf("an expired approval counted: %+v", st.Answers)
	}
	if st := w.study(id); st.News != w.now {
		t.Errorf("the window began at %d, it is %d", st.News, w.now)
	}
}

func TestVotes(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	fay := w.applies("fay", w.invite("ben", false))
	w.must("ada", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	w.refused(croft.ErrTxOrder, "ada", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	if _, _, err := w.m.Check(w.seal("fay", &Ready{})); !errors.Is(err, croft.ErrTxRights) {
		t.Fatal("one of three votes admitted a member")
	}
	w.must("ben", &Vote{Action: Admit, Newcomer: &fay, Sequence: 1})
	w.names = append(w.names, "fay")
	if got := len(w.m.view().Orderers); got != 1 {
		t.Fatalf("%d orderers: three are ready, the founder orders alone", got)
	}
	out := w.block(1, w.seal("fay", &Ready{}))
	if len(out.Validators) != 3 || len(w.m.view().Orderers) != 4 {
		t.Fatalf("four are ready: %v", out.Validators)
	}
	for i, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Vote{Action: StopAll, Sequence: 2 - uint64(i/2)})
	}
	w.refused(croft.ErrTxStopped, "fay", &Ready{})
	for i, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Vote{Action: Resume, Sequence: 3 - uint64(i/2)})
	}
	for i, name := range []string{"ada", "ben", "cleo"} {
		w.must(name, &Vote{Action: Revoke, Subject: w.id("fay"), Sequence: 4 - uint64(i/2)})
	}
	w.names = w.names[:3]
	if _, _, err := w.m.Check(w.seal("fay", &Ready{})); !errors.Is(err, croft.ErrTxRights) {
		t.Fatal("a revoked member may act")
	}
}

func (m *Machine) view() Network {
	n, _ := decodeRecord[Network](m.Get(NetworkKey))
	return n
}

func TestProofs(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo")
	w.register(1, "ada", "ben")
	for _, key := range []string{NetworkKey, MemberKey(w.id("ada")), "absent", "zzz"} {
		p, err := w.m.Prove(key)
		if err != nil || p.Verify() != nil {
			t.Fatalf("%s: %v %v", key, err, p.Verify())
		}
		for name, change := range map[string]func(*Proof){
			"root": func(p *Proof) { p.Root[0] ^= 1 },
			"key": func(p *Proof) { // absence between two neighbours covers other keys too
				if p.Key += "x"; p.Value == nil {
					p.Key = NetworkKey
				}
			},
			"value": func(p *Proof) {
				if p.Value == nil {
					p.Value = []byte{1}
				} else {
					p.Value = nil
				}
			},
		} {
			bad := p
			change(&bad)
			if bad.Verify() == nil {
				t.Errorf("%s: a proof with another %s verifies", key, name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	w := newWorld(f, "ada", "ben", "cleo")
	f.Add(w.seal("ada", &Propose{w.plan("ada", "ben", "cleo")}))
	f.Add(w.seal("ada", &Tick{}))
	w.keep("fay")
	f.Add(w.application("fay", w.invite("ada", true)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := w.m.Execute(Block{Height: 1, Time: 1}, [][]byte{raw}).Effects[0]
		if _, _, err := Parse(raw); err != nil && r.Code == 0 {
			t.Fatal("a transaction that does not parse had an effect")
		}
	})
}

// A result names each lying seat once and in order: who repeats itself says no more.
func TestResultNamesEachSeatOnce(t *testing.T) {
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	sites := w.names[:3]
	id := w.open(w.plan(sites...), w.register(9, sites...), sites...)
	w.report(id, 0, sites...)
	for _, name := range w.names {
		w.must(name, &Share{Study: id, Round: 0, Blob: croft.Sum([]byte(name))})
	}
	two := w.ids("dina", "elif")
	out := func(bad ...croft.MemberID) *Result {
		o := w.outturn(id, 0, false)
		o.Bad = bad
		return o
	}
	w.refused(croft.ErrTxStudy, "ada", out(two[0], two[0]))
	w.refused(croft.ErrTxStudy, "ada", out(two[1], two[0]))
	w.refused(croft.ErrTxStudy, "ada", out(croft.MemberID{1}))
	for _, name := range sites { // t+1 seats
		w.must(name, out(two...))
	}
	if r := w.round(id, 0); r.Phase != croft.PhaseCommit || len(r.Liars) != 2 {
		t.Errorf("%v, %d liars", r.Phase, len(r.Liars))
	}
}
