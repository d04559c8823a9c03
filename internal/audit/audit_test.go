package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/study"
)

// world is a network's founders with everybody's keys, derived from their names:
// every run has the same.
type world struct {
	croft.Genesis
	keys map[croft.MemberID][]ed25519.PrivateKey
}

func newWorld(names ...string) *world {
	w := &world{croft.Genesis{Version: 1, Name: "the commons", Time: time.Now().Add(-time.Hour).Unix()}, map[croft.MemberID][]ed25519.PrivateKey{}}
	for i, name := range names {
		keys := make([]ed25519.PrivateKey, 3)
		public := make([]croft.PublicKey, 3)
		for role := range keys {
			seed := sha256.Sum256(fmt.Appendf(nil, "%s, key %d", name, role))
			keys[role] = ed25519.NewKeyFromSeed(seed[:])
			public[role] = croft.PublicKey(keys[role].Public().(ed25519.PublicKey))
		}
		m := croft.Member{ID: croft.IDOf(public[0]), Name: name, Key: public[0], Node: public[1], Validator: public[2], Seat: true, Ready: i == 0}
		w.keys[m.ID] = keys
		w.Members = append(w.Members, m)
	}
	return w
}

func (w *world) seal(i int, body any) []byte {
	id := w.Members[i].ID
	return ledger.Seal(w.Scope(), id, 0, body, func(role croft.Role, s croft.Scope, domain string, body []byte) croft.Signature {
		return croft.Signature(ed25519.Sign(w.keys[id][role-1], s.Preimage(domain, body)))
	})
}

type theLedger interface {
	chain.Ledger
	chain.Blocks
}

// claim is what a ledger says of itself.
func (w *world) claim(l theLedger) Checkpoint {
	s := l.Status()
	return Checkpoint{w.Network(), s.Height, s.AppHash}
}

// story is what a study leaves behind: its last state, and the first site's
// approval.
type story struct {
	id       croft.StudyID
	model    []byte
	approval []byte
}

// tell runs a whole study of the first three members, with four seats, over a
// ledger. Nothing is computed: the ledger holds hashes only.
func (w *world) tell(t testing.TB, l chain.Ledger) story {
	t.Helper()
	do := func(i int, body any) []byte {
		t.Helper()
		tx := w.seal(i, body)
		if err := l.Submit(t.Context(), tx); err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		return tx
	}
	ids := make([]croft.MemberID, 4)
	sets := make([]croft.DatasetID, 3)
	for i := range ids {
		ids[i] = w.Members[i].ID
	}
	for i := range sets {
		sets[i] = croft.DatasetID(croft.Sum(do(i, &ledger.Register{Name: "visits", Group: croft.Sum([]byte{byte(i)}), Releases: 9})))
	}
	plan := croft.Study{Version: 1, Name: "anaemia", Purpose: "p", LegalBasis: "l", Expires: time.Now().Add(time.Hour).Unix(),
		Sites: ids[:3], MinSites: 3, Readers: ids, Patience: 60, Engine: croft.EngineVersion, Use: croft.UseMembers,
		Model: croft.Model{Family: "logistic", Features: []string{"age"}, Label: "ill", Positive: "yes", MaxRounds: 20}}
	s := story{id: croft.StudyID(croft.Sum(do(0, &ledger.Propose{Plan: plan}))), model: []byte("the last state")}
	raw, err := l.Read(t.Context(), ledger.StudyKey(s.id))
	if err != nil {
		t.Fatal(err)
	}
	st, _, err := ledger.Decode[ledger.Study](raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		do(i, &ledger.Enrol{Study: s.id, Key: make([]byte, 1216), Anchor: ledger.Anchor(croft.HashOf(i))})
	}
	for i := range sets {
		approval := study.ApprovalOf(st, plan, sets[i], 5, 100)
		if tx := do(i, &approval); i == 0 {
			s.approval = tx
		}
	}
	for i := range sets {
		do(i, &ledger.Report{Study: s.id, Header: croft.Header{Head: croft.Sum([]byte{1, byte(i)}), Blob: croft.Sum([]byte{2, byte(i)}), Size: 1000}})
	}
	for i := range ids {
		do(i, &ledger.Ack{Study: s.id, Sites: plan.Sites, Link: ledger.ChainLink(croft.HashOf(i), 0)})
	}
	for i := range ids {
		do(i, &ledger.Share{Study: s.id, Blob: croft.Sum([]byte{3, byte(i)})})
	}
	for i := range 3 {
		do(i, &ledger.Result{Study: s.id, Sum: croft.Sum([]byte("sum")), Next: croft.Sum(s.model), Done: true})
	}
	return s
}

// onTwin tells the story to an in-memory ledger, whose clock is virtual.
func onTwin(t *testing.T, f func(t *testing.T, w *world, l *chain.TwinMember, s story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("Ada", "Ben", "Cleo", "Dina")
		twin, err := chain.NewTwin(w.Genesis)
		if err != nil {
			t.Fatal(err)
		}
		l := twin.Member()
		f(t, w, l, w.tell(t, l))
	})
}

func TestVerify(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		claim := w.claim(l)
		var steps []int64
		o := Options{Unsigned: true, Claim: claim, Progress: func(done, total int64) {
			if total != claim.Height {
				t.Fatalf("%d of %d", done, total)
			}
			steps = append(steps, done)
		}}
		r, err := Verify(t.Context(), w.Genesis, Chain(l, claim.Height), o)
		if err != nil {
			t.Fatal(err)
		}
		want := Report{End: claim, Network: "the commons", Founders: []string{"Ada", "Ben", "Cleo", "Dina"}, First: r.First, Last: r.Last,
			Blocks: claim.Height, Entries: 25, Studies: 1, Rounds: 1, Models: 1, Records: r.Records, Proved: true}
		if fmt.Sprint(r) != fmt.Sprint(want) || r.Records < 20 {
			t.Errorf("%+v\nwant %+v", r, want)
		}
		if len(steps) != int(claim.Height) || !slices.IsSorted(steps) {
			t.Error("progress", steps)
		}
		if words := strings.Join(r.Words(), "\n"); !strings.Contains(words, "25 entries") || !strings.Contains(words, "1 study,") || !strings.Contains(words, claim.String()) || !strings.Contains(words, "Trusted: the genesis") {
			t.Error(words)
		}
	})
}

// changed yields the blocks with one of them changed; nil leaves it out, and what
// follows with it.
func changed(blocks iter.Seq2[chain.BlockData, error], at int64, change func(chain.BlockData) *chain.BlockData) iter.Seq2[chain.BlockData, error] {
	return func(yield func(chain.BlockData, error) bool) {
		for b, err := range blocks {
			if b.Height == at {
				c := change(b)
				if c == nil {
					return
				}
				b = *c
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// forge replaces a block's only transaction by another of the same length, and
// the hash of the transactions in the header with it: RFC 6962 over SHA-256 of
// each transaction, which for one of them is two hashes.
func forge(t *testing.T, b chain.BlockData, tx []byte) *chain.BlockData {
	t.Helper()
	_, txs, err := b.Open()
	if err != nil || len(txs) != 1 || len(txs[0]) != len(tx) {
		t.Fatalf("%d transactions, %v", len(txs), err)
	}
	root := func(tx []byte) []byte {
		leaf := croft.Sum(tx)
		hash := sha256.Sum256(append([]byte{0}, leaf[:]...))
		return hash[:]
	}
	if n := bytes.Count(b.Block, root(txs[0])); n != 1 {
		t.Fatalf("the header names its transactions %d times", n)
	}
	b.Block = bytes.Replace(b.Block, root(txs[0]), root(tx), 1)
	b.Block = bytes.Replace(b.Block, txs[0], tx, 1)
	if _, again, err := b.Open(); err != nil || !bytes.Equal(again[0], tx) {
		t.Fatalf("the forged block is not well-formed: %v", err)
	}
	return &b
}

// withTx returns the heights of the blocks that hold transactions.
func withTx(t *testing.T, blocks iter.Seq2[chain.BlockData, error]) (heights []int64) {
	for b, err := range blocks {
		if err != nil {
			t.Fatal(err)
		}
		if _, txs, _ := b.Open(); len(txs) > 0 {
			heights = append(heights, b.Height)
		}
	}
	return heights
}

func TestWhatDoesNotHoldIsNamed(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		claim := w.claim(l)
		last := claim.Height
		blocks := Chain(l, last)
		busy := withTx(t, blocks)
		drop := func(chain.BlockData) *chain.BlockData { return nil }
		other := w.seal(0, &ledger.Register{Name: "forged", Group: croft.Sum([]byte{0}), Releases: 9})
		unsigned := func(b chain.BlockData) *chain.BlockData { // its signature is another one
			_, txs, _ := b.Open()
			tx := bytes.Clone(txs[0])
			tx[len(tx)-1] ^= 1
			return forge(t, b, tx)
		}
		stranger := newWorld("Eve")
		for name, c := range map[string]struct {
			blocks iter.Seq2[chain.BlockData, error]
			claim  Checkpoint
			says   string
		}{
			"a forged transaction":       {changed(blocks, busy[0], func(b chain.BlockData) *chain.BlockData { return forge(t, b, other) }), claim, fmt.Sprintf("block %d: ", busy[0]+1)},
			"an unsigned transaction":    {changed(blocks, busy[0], unsigned), claim, fmt.Sprintf("block %d: ", busy[0]+1)},
			"a forged last transaction":  {changed(changed(blocks, busy[len(busy)-1], unsigned), busy[len(busy)-1]+1, drop), Checkpoint{w.Network(), busy[len(busy)-1], claim.AppHash}, "state after block"},
			"the last block is missing":  {changed(blocks, last, drop), claim, fmt.Sprintf("block %d: it is missing", last)},
			"a middle block is missing":  {Chain(holed{l, 7}, last), claim, "block 7: it cannot be read"},
			"no block at all":            {Chain(l, 0), Checkpoint{}, "block 1: it is missing"},
			"another state is claimed":   {blocks, Checkpoint{w.Network(), last, croft.Hash{1}}, fmt.Sprintf("state after block %d", last)},
			"another network is claimed": {blocks, Checkpoint{stranger.Network(), last, claim.AppHash}, fmt.Sprintf("state after block %d", last)},
			"a block flips":              {changed(blocks, 9, func(b chain.BlockData) *chain.BlockData { b.Block = flip(b.Block, 50); return &b }), claim, "block 9: "},
			"a block is there twice":     {changed(blocks, 9, func(chain.BlockData) *chain.BlockData { b, _ := l.Block(8); return &b }), claim, "block 9: "},
		} {
			_, err := Verify(t.Context(), w.Genesis, c.blocks, Options{Unsigned: true, Claim: c.claim})
			if !errors.Is(err, croft.ErrAudit) || !strings.HasPrefix(err.Error(), "audit: "+c.says) {
				t.Errorf("%s: got %v, want %s", name, err, c.says)
			}
		}
		if _, err := Verify(t.Context(), w.Genesis, blocks, Options{}); !errors.Is(err, croft.ErrAudit) || !strings.Contains(err.Error(), "block 1: ") {
			t.Errorf("unsigned blocks: %v", err)
		}
		if _, err := Verify(t.Context(), stranger.Genesis, blocks, Options{Unsigned: true}); !errors.Is(err, croft.ErrAudit) {
			t.Errorf("another genesis: %v", err)
		}
		if _, err := Verify(t.Context(), croft.Genesis{}, blocks, Options{Unsigned: true}); !errors.Is(err, croft.ErrAudit) {
			t.Errorf("no genesis: %v", err)
		}
	})
}

// A network whose blocks nobody signs can be written anew as a whole, correctly
// hashed. Only what others remember of it shows that.
func TestCheckpointsOfOthers(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		remade, err := chain.NewTwin(w.Genesis)
		if err != nil {
			t.Fatal(err)
		}
		fake := remade.Member()
		if err := fake.Submit(t.Context(), w.seal(0, &ledger.Register{Name: "other", Group: croft.Sum([]byte{0}), Releases: 9})); err != nil {
			t.Fatal(err)
		}
		early, err := Verify(t.Context(), w.Genesis, Chain(l, 5), Options{Unsigned: true})
		if err != nil {
			t.Fatal(err)
		}
		claim := w.claim(l)
		for name, c := range map[string]struct {
			of     *chain.TwinMember
			others []Checkpoint
			says   string // "" holds
		}{
			"both of the same chain": {l, []Checkpoint{early.End, claim}, ""},
			"the remade chain":       {fake, nil, ""},
			"a remade chain shows":   {fake, []Checkpoint{{w.Network(), 2, early.End.AppHash}}, "block 2: the state"},
			"a short chain shows":    {fake, []Checkpoint{claim}, "it is missing"},
			"of another network":     {l, []Checkpoint{{newWorld("Eve").Network(), 2, early.End.AppHash}}, "genesis: "},
		} {
			r, err := Verify(t.Context(), w.Genesis, Chain(c.of, c.of.Status().Height), Options{Unsigned: true, Checkpoints: c.others})
			if c.says == "" && (err != nil || r.Matched != len(c.others)) || c.says != "" && (!errors.Is(err, croft.ErrAudit) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s: %v, %d matched", name, err, r.Matched)
			}
			if err == nil && len(c.others) > 0 && strings.Contains(strings.Join(r.Words(), ""), "Trusted") {
				t.Error("a compared checkpoint leaves nothing to trust")
			}
		}
	})
}

func TestLog(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		// A transaction that waits long: it happened when its block was made, which
		// the next block says.
		time.Sleep(8 * time.Second)
		said := time.Now()
		if err := l.Submit(t.Context(), w.seal(3, &ledger.Report{Study: s.id})); !errors.Is(err, croft.ErrTxRights) {
			t.Fatal(err)
		}
		if err := l.Submit(t.Context(), w.seal(3, &ledger.Vote{Action: ledger.Revoke, Subject: w.Members[2].ID, Sequence: 1})); err != nil {
			t.Fatal(err)
		}
		var log []Entry
		claim := w.claim(l)
		r, err := Verify(t.Context(), w.Genesis, Chain(l, claim.Height), Options{Unsigned: true, Claim: claim, Log: func(e Entry) { log = append(log, e) }})
		if err != nil || len(log) != r.Entries || r.Refused != 1 {
			t.Fatal(len(log), r, err)
		}
		var words []string
		for _, e := range log {
			words = append(words, e.Word)
			if e.Time.IsZero() || e.Name == "" {
				t.Errorf("%+v", e)
			}
		}
		want := "register register register propose enrol enrol enrol enrol approve approve approve report report report" +
			" acknowledge acknowledge acknowledge acknowledge sum sum sum sum step step step report vote"
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		for at, want := range map[int]string{
			3:  "Ada               propose      anaemia  tx ",
			10: "Cleo              approve      anaemia  5 rounds  tx ",
			11: "Ada               report       anaemia  round 1  1000 bytes  tx ",
			24: "Cleo              step         anaemia  round 1  done  tx ",
			25: "Dina              report       anaemia  round 1  0 bytes  no effect: ",
			26: "Dina              vote         revoke Cleo  tx ",
		} {
			if line := log[at].Line(); !strings.Contains(line, want) {
				t.Errorf("%q\nwant %q", line, want)
			}
		}
		if refused := log[25]; refused.Code != croft.ErrTxRights.Error() || refused.Time.Before(said) || refused.Time.After(time.Now()) {
			t.Errorf("%+v, said at %v", refused, said)
		}
		if _, err := json.Marshal(log); err != nil {
			t.Error(err)
		}
	})
}

// Each kind of transaction has its word, and says what it is about.
func TestEveryKindIsDescribed(t *testing.T) {
	w := newWorld("Ada", "Ben", "Cleo")
	machine, err := ledger.New(w.Genesis, ledger.NewMemoryTree())
	if err != nil {
		t.Fatal(err)
	}
	machine.Execute(ledger.Block{Height: 1, Time: 1}, nil)
	if err := machine.Commit(); err != nil {
		t.Fatal(err)
	}
	ada, study, channel, five := w.Members[0].ID, croft.StudyID{1}, croft.ChannelID{0xab}, 5*croft.Credit
	shown := []ledger.Position{{Channel: channel}, {Channel: croft.ChannelID{0xcd}}}
	issue := &ledger.Issue{Number: 1, Account: ada, Amount: five}
	kinds := map[ledger.Kind]bool{}
	for _, c := range []struct {
		body any
		want string
	}{
		{&ledger.Vote{Action: ledger.Mint, Issue: issue}, "vote mint 5 credits for Ada"},
		{&ledger.Vote{Action: ledger.Burn, Issue: issue}, "vote burn 5 credits of Ada"},
		{&ledger.Vote{Action: ledger.Mint}, "vote question 5"}, // refused, and on the ledger all the same
		{&ledger.Vote{Action: ledger.StopAll}, "vote stop the network"},
		{&ledger.Register{Name: "visits"}, "register visits"},
		{&ledger.Propose{}, "propose"},
		{&croft.Approval{Study: study, Releases: 2}, "approve 2 rounds"},
		{&ledger.Decline{Study: study, Reason: croft.RefusedPolicy}, "decline policy"},
		{&ledger.Withdraw{Study: study}, "withdraw"},
		{&ledger.Invite{Uses: 1}, "invite 1 use"},
		{&ledger.Transfer{To: ada, Amount: five}, "transfer 5 credits to Ada"},
		{&ledger.Host{Name: "Guy"}, "host Guy"},
		{&ledger.Host{Name: "Guy", Gone: true}, "host Guy no longer"},
		{&ledger.Publish{Service: croft.Service{Name: "heart", Withdrawn: true}}, "publish heart, withdrawn"},
		{&ledger.Open{Service: croft.ServiceID{0xef}, Deposits: []croft.Credits{five}}, "open ef000000, 5 credits"},
		{&ledger.Topup{Channel: channel, Deposit: five}, "topup channel ab000000, 5 credits"},
		{&ledger.Ready{}, "ready"},
		{&ledger.Enrol{Study: study}, "enrol"},
		{&ledger.Report{Study: study, Header: croft.Header{Size: 7}}, "report 7 bytes"},
		{&ledger.Ack{Study: study, Sites: []croft.MemberID{ada}}, "acknowledge Ada"},
		{&ledger.Share{Study: study}, "sum"},
		{&ledger.Result{Study: study, Done: true}, "step done"},
		{&ledger.Reject{Study: study, Sites: []croft.MemberID{ada}}, "reject the proof of Ada does not hold"},
		{&ledger.Recover{Study: study, Site: ada}, "recover Ada"},
		{&ledger.Stop{Study: study, Reason: croft.RefusedDiffers}, "stop differs"},
		{&ledger.Tick{Study: study}, "tick"},
		{&ledger.Claim{Positions: shown}, "claim channel ab000000, channel cd000000"},
		{&ledger.Close{Positions: shown[:1]}, "close channel ab000000"},
		{&ledger.Post{Positions: shown[:1]}, "post channel ab000000"},
		{&ledger.Settle{Channels: []croft.ChannelID{channel}}, "settle 1 channel"},
		{&ledger.Join{Newcomer: croft.Member{Name: "Dina"}}, "join asks to join as Dina"},
	} {
		unsigned := func(croft.Role, croft.Scope, string, []byte) (none croft.Signature) { return none }
		raw := ledger.Seal(w.Scope(), ada, 0, c.body, unsigned)
		_, kind, err := ledger.Parse(raw)
		if err != nil {
			t.Fatalf("%T: %v", c.body, err)
		}
		kinds[kind] = true
		e, j := Entry{}, journal{machine: machine}
		if j.describe(&e, raw); strings.TrimSpace(e.Word+" "+e.Text) != c.want {
			t.Errorf("%T: %s %s, want %s", c.body, e.Word, e.Text, c.want)
		}
	}
	for k := range 256 {
		payload := croft.Encode(ledger.Payload{Kind: ledger.Kind(k), Body: []byte{0xff}})
		if _, _, err := ledger.Parse(croft.Encode(ledger.Signed{Payload: payload})); !errors.Is(err, croft.ErrTxUnknown) && !kinds[ledger.Kind(k)] {
			t.Errorf("kind %d is not in this table: %v", k, err)
		}
	}
}

func TestALineStaysALine(t *testing.T) {
	e := Entry{Name: "Ada\x1b[2J", Word: "propose", Study: croft.StudyID{1}, Title: "a\nb", Text: "\u202eabc", Code: "CROFT-4003", Reason: "x\ry"}
	if line := e.Line(); strings.ContainsAny(line, "\x1b\n\r\u202e") || !strings.Contains(line, "Ada?[2J") {
		t.Errorf("%q", line)
	}
}

func TestCheckpointText(t *testing.T) {
	c := Checkpoint{croft.NetworkID{1}, 118, croft.Hash{2}}
	if got, err := ParseCheckpoint(c.String()); err != nil || got != c {
		t.Error(got, err)
	}
	var read Checkpoint
	if text, err := json.Marshal(c); err != nil || json.Unmarshal(text, &read) != nil || read != c {
		t.Errorf("%s became %v, %v", text, read, err)
	}
	for _, text := range []string{"", "/", "//", c.String() + "/", strings.Replace(c.String(), "118", "0118", 1), strings.Replace(c.String(), "118", "0", 1),
		strings.Replace(c.String(), "118", "-1", 1), strings.ToUpper(c.String()) + "A", c.String()[1:]} {
		if got, err := ParseCheckpoint(text); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%q became %v, %v", text, got, err)
		}
	}
}

func TestAnAuditCanBeStopped(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		why := croft.E(croft.ErrInterrupted)
		ctx, stop := context.WithCancelCause(t.Context())
		o := Options{Unsigned: true, Progress: func(done, _ int64) {
			if done == 5 {
				stop(why)
			}
		}}
		if r, err := Verify(ctx, w.Genesis, Chain(l, 20), o); !errors.Is(err, croft.ErrInterrupted) || r.Blocks != 5 {
			t.Error(r.Blocks, err)
		}
	})
}

// holed has no block of one height.
type holed struct {
	chain.Blocks
	at int64
}

func (h holed) Block(height int64) (chain.BlockData, error) {
	if height == h.at {
		return chain.BlockData{}, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	return h.Blocks.Block(height)
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1 << (at % 8)
	return data
}

// onChain starts a real node of a network in which one member orders the blocks
// and signs them, and stops it at the end.
func onChain(t *testing.T, w *world, dir string) *chain.Node {
	t.Helper()
	n, err := chain.Open(chain.Config{Dir: filepath.Join(dir, "chain"), Genesis: w.Genesis,
		NodeKey: w.keys[w.Members[0].ID][croft.RoleNode-1], ValidatorKey: w.keys[w.Members[0].ID][croft.RoleValidator-1], Timing: chain.LAN})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// rest waits until the last block changed nothing: then a header names the state.
func (w *world) rest(t *testing.T, l theLedger) Report {
	t.Helper()
	for {
		r, err := Verify(t.Context(), w.Genesis, Chain(l, l.Status().Height), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Proved {
			return r
		}
	}
}
