package ledger

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"croft"
)

var update = flag.Bool("update", false, "write the golden file anew")

// sample is one value in its canonical encoding.
type sample struct {
	name string
	data []byte
}

// samples are a body of each transaction kind, a whole transaction, and a record
// under each key. A field that is added later and may be left out changes none.
func samples(t *testing.T) (out []sample, kinds map[Kind]bool) {
	m := func(b byte) (id croft.MemberID) { return croft.MemberID(bytes.Repeat([]byte{b}, 32)) }
	h := func(b byte) croft.Hash { return croft.Hash(m(b)) }
	key := func(b byte) croft.PublicKey { return croft.PublicKey(m(b)) }
	sig := func(b byte) croft.Signature { return croft.Signature(bytes.Repeat([]byte{b}, 64)) }
	study, set := croft.StudyID(h(0x51)), croft.DatasetID(h(0xda))
	head, cost := croft.Header{Head: h(1), Blob: h(2), Size: 3}, croft.Cost{CPU: 4, Bytes: 5}
	member := croft.Member{ID: m(1), Name: "Clinic A", Key: key(2), Node: key(3), Validator: key(4), Seat: true, Ready: true, Revoked: true}
	low, _ := croft.ParseDecimal("0.5")
	plan := croft.Study{Version: 1, Name: "anaemia", Purpose: "p", LegalBasis: "l", Contact: "c", Expires: 1_800_000_000,
		Sites: []croft.MemberID{m(1), m(2), m(3)}, Required: []croft.MemberID{m(1)}, MinSites: 3,
		Schema: croft.Schema{UnitColumn: "patient", Columns: []croft.Column{
			{Name: "hb", Kind: croft.Number, Low: low, High: croft.Decimal{Mantissa: 20}, Missing: croft.MissingValue, Codes: []string{"NA"}, Fill: low},
			{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}}}},
		HoldOut: croft.HoldOut{Percent: 20, Key: "k"},
		Model: croft.Model{Family: "logistic", Goal: croft.Prediction, Intercepts: croft.SiteIntercepts, Ridge: low,
			Label: "ill", Positive: "yes", Features: []string{"hb"}, MaxRounds: 20},
		PerSiteMetrics: true, Use: croft.UseMembers, Export: true, Readers: []croft.MemberID{m(1), m(2), m(3)},
		Strict: true, Unchecked: true, Patience: 60, Engine: "croft-plan/1"}
	newcomer := member
	newcomer.Ready, newcomer.Revoked = false, false

	service := croft.Service{Provider: m(1), Name: "anaemia", Version: 2, Withdrawn: true, Description: "d", Task: "predict",
		Price: croft.Price{Call: 1, Input: 2, Output: 3, Second: 4, Most: 5, Free: 6, Quoted: true}, Limits: croft.Limits{Bytes: 7, Seconds: 8, InFlight: 9},
		Model: study, Use: croft.UseMarket, Tills: []croft.PublicKey{key(4)}}
	channel := croft.ChannelID(h(0xc4))
	due := croft.Credits(8)
	positions := []Position{{Channel: channel,
		Voucher: &croft.SignedVoucher{Voucher: croft.Voucher{Channel: channel, Service: service.ID(), Terms: h(1), Number: 2, Request: h(3), Price: 4, Owed: 5}, Signature: sig(6)},
		Receipt: &croft.SignedReceipt{Receipt: croft.Receipt{Channel: channel, Number: 2, Request: h(3), Result: h(4), Outcome: 1,
			Meter: croft.Meter{Input: 5, Output: 6, Micros: 7}, Price: 8, Credited: 9}, Signature: sig(7)}, Due: &due}}

	kinds = map[Kind]bool{}
	for _, body := range []any{
		&Vote{Action: Admit, Subject: m(1), Newcomer: &newcomer, Sequence: 2, Issue: &Issue{1, m(2), 3}},
		&Register{Name: "visits", Commitment: h(1), Group: h(2), Releases: 3, Public: true},
		&Propose{plan},
		&croft.Approval{Study: study, Plan: h(1), Dataset: set, Seats: []croft.MemberID{m(1), m(2), m(3)}, Threshold: 1, Readers: []croft.MemberID{m(4)},
			Releases: 5, Expires: 6, Engine: "croft-plan/1", Purpose: "p", LegalBasis: "l"},
		&Decline{study, croft.RefusedConsent},
		&Withdraw{study},
		&Invite{Key: key(1), Expires: 2, Uses: 3, Auto: true},
		&Ready{},
		&Enrol{Study: study, Key: []byte("a study key has 1216 bytes")},
		&Report{Study: study, Round: 1, Header: head, Cost: cost},
		&Ack{Study: study, Round: 1, Sites: []croft.MemberID{m(1), m(2)}},
		&Share{Study: study, Round: 1, Blob: h(2), Cost: cost},
		&Result{Study: study, Round: 1, Sum: h(2), Next: h(3), Done: true, Bad: []croft.MemberID{m(4)}, Cost: cost, Fail: croft.ErrSumBound, Length: 6},
		&Recover{study, 1, m(2)},
		&Stop{study, croft.RefusedDiffers},
		&Tick{study},
		&Transfer{m(1), 2, 3},
		&Host{key(1), "guest", 2, true},
		&Publish{service},
		&Open{service.ID(), key(1), 60, []croft.Credits{0, 5}},
		&Topup{channel, 6},
		&Claim{positions},
		&Close{positions},
		&Post{positions},
		&Settle{[]croft.ChannelID{channel}},
		&Reject{study, 1, []croft.MemberID{m(1)}, h(2)},
		&Enrol{study, []byte("a study key has 1216 bytes"), h(4)},
		&croft.Approval{Study: study, Plan: h(1), Dataset: set, Seats: []croft.MemberID{m(1), m(2), m(3)}, Threshold: 1, Readers: []croft.MemberID{m(4)},
			Releases: 5, Expires: 6, Engine: "croft-plan/1", Purpose: "p", LegalBasis: "l", Rows: 120},
		&Ack{study, 1, []croft.MemberID{m(1), m(2)}, h(4), nil},
		&Share{study, 1, h(2), cost, []croft.MemberID{m(3)}},
		&Result{Study: study, Round: 1, Sum: h(2), Next: h(3), Length: 6, Bounds: []uint32{7, 8, 9}},
		&Join{key(1), newcomer, Proofs{sig(1), sig(2), sig(3)}},
	} {
		kinds[kindOf(body)] = true
		name := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", body), "*ledger."), "*croft."))
		out = append(out, sample{fmt.Sprintf("transaction %d %s", kindOf(body), name), croft.Encode(body)})
	}
	out = append(out, sample{"signed transaction", newWorld(t, "ada", "ben", "cleo").seal("ada", &Withdraw{study})})

	s := newState(NewMemoryTree())
	for _, r := range []struct {
		key    string
		record any
	}{
		{NetworkKey, Network{ID: croft.NetworkID(h(1)), Name: "clinics", Members: []croft.MemberID{m(1)}, Orderers: []croft.MemberID{m(2)}, Stopped: true, Studies: 3}},
		{MemberKey(m(1)), member},
		{nameKey("Clinic A"), m(1)},
		{SequenceKey(m(1)), uint64(2)},
		{BallotKey(Vote{Action: StopAll}), Ballot{Yes: []croft.MemberID{m(1)}}},
		{BallotKey(Vote{Action: Burn}), Ballot{[]croft.MemberID{m(1)}, &SupplyQuestion{Burn, Issue{1, m(2), 3}}}},
		{attendanceKey, Attendance{Day: 1, Present: []croft.MemberID{m(1)}, Proposers: []croft.PublicKey{key(2)}, Missed: []Missed{{m(3), 4}}}},
		{DroppedKey(m(1)), uint32(5)},
		{InviteKey(key(1)), Invitation{By: m(1), Expires: 2, Uses: 3, Used: 1, Auto: true}},
		{ApplicationKey(m(1)), Application{newcomer, key(2), Pending, false}},
		{arrivedKey, []croft.MemberID{m(1)}},
		{DatasetKey(set), croft.Dataset{ID: set, Owner: m(1), Name: "visits", Commitment: h(2), Group: h(3), Releases: 4, Public: true}},
		{GroupKey(h(1)), Group{Owner: m(1), Cap: 5, Used: 2, Cohorts: []Cohort{{study, []croft.Hash{h(1), h(2), h(3)}, []string{"hb", "ill"}, 3}}}},
		{StudyKey(study), Study{ID: study, Proposer: m(1), Plan: h(2), Status: Stopped, Reason: revoked, Seats: []croft.MemberID{m(1), m(2), m(3)}, Threshold: 1, Quorum: 3,
			Enrolled: []croft.MemberID{m(1)}, Answers: []Answer{{m(1), true, true, croft.RefusedPolicy, set, 6, 7, h(8), 0}}, Cohort: []croft.MemberID{m(1), m(2), m(3)},
			Round: 2, News: 9, Missing: []croft.MemberID{m(3)}, Proposers: []croft.PublicKey{key(4)}}},
		{PlanKey(study), plan},
		{StudyAtKey(7), study},
		{OpenKey(m(1)), 2},
		{answeredKey(h(1)), true},
		{EnrolKey(study, m(1)), []byte("a study key has 1216 bytes")},
		{RoundKey(study, 1), Round{Study: study, Number: 1, Phase: croft.PhaseCommit, Length: 6, Parent: h(1), Sites: []croft.MemberID{m(1)},
			Reports: []Accepted{{m(1), head, []croft.MemberID{m(2)}, cost, nil}}, Accepted: []croft.MemberID{m(1)}, Shares: []SeatShare{{m(2), h(3), cost, nil}},
			Results:  []SeatResult{{Seat: m(2), Sum: h(4), Next: h(5), Done: true, Bad: []croft.MemberID{m(3)}, Cost: cost, Length: 6, Fail: croft.ErrSumBound}},
			Recovers: []Recovered{{m(2), m(1)}}, Sum: h(4), Next: h(5), Liars: []croft.MemberID{m(3)}, Unchecked: true}},
		{EvidenceKey(study, 1, m(3)), Evidence{study, 1, m(3), h(4)}},
		{ModelKey(study), Model{study, h(1), h(2), 3, []croft.MemberID{m(1), m(2), m(3)}, croft.UseMembers, true}},
		{dueKey, []dueItem{{study, true}}},
		{SupplyKey, Supply{1, 2}},
		{AccountKey(m(1)), Account{1, 2, 3, 4, 5, 6}},
		{GuestKey(m(1)), Guest{m(1), "guest", key(2), m(3), 4, true, croft.PublicKey{}}},
		{ServicesKey, uint32(1)},
		{ServiceKey(service.ID()), service},
		{ServiceAtKey(0), service.ID()},
		{ChannelKey(channel), Channel{croft.Channel{ID: channel, Funder: m(1), Payee: m(2), Payer: key(3), Till: key(4), Window: 60, Deposit: 5},
			ChannelClosed, 6, 7, 8, 9, true, []croft.PublicKey{key(1)}}},
		{ChannelAtKey(m(1), 0), channel},
		{clearingKey, []croft.ChannelID{channel}},
		{resumedKey, int64(1)},
		{anchorKey(study, m(1)), h(4)},
		{StudyKey(croft.StudyID(h(0x52))), Study{ID: croft.StudyID(h(0x52)), Answers: []Answer{{Site: m(1), Approved: true, Rows: 120}}}},
		{RoundKey(study, 2), Round{Study: study, Number: 2, Phase: croft.PhaseSum, Bounds: []uint32{7}, Closed: []croft.MemberID{m(1)}, Links: []Link{{m(2), h(6)}},
			Key: h(7), Shares: []SeatShare{{m(2), h(3), cost, []croft.MemberID{m(3)}}}, Results: []SeatResult{{Seat: m(2), Bounds: []uint32{7}}},
			Rejects: []SeatReject{{m(2), []croft.MemberID{m(1)}, h(8)}}}},
	} {
		write(s, r.key, r.record)
		out = append(out, sample{"record " + r.key, s.raw(r.key)})
	}
	return out, kinds
}

// TestGolden: bytes that are signed, hashed or kept do not change by accident.
func TestGolden(t *testing.T) {
	const file = "testdata/samples.txt"
	all, kinds := samples(t)
	for k := range 256 {
		if body := newBody(Kind(k)); body != nil && !kinds[Kind(k)] {
			t.Errorf("kind %d, %T, has no sample", k, body)
		}
	}
	var text strings.Builder
	text.WriteString("A body of each transaction kind, a signed transaction, and a record (with its\nversion byte) under each key: names as in docs/formats, bytes in hexadecimal.\n")
	for _, s := range all {
		fmt.Fprintf(&text, "\n%s\n", s.name)
		for line := range slices.Chunk(s.data, 48) {
			fmt.Fprintf(&text, "%s\n", hex.EncodeToString(line))
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Split(string(want), "\n\n")
	for i, now := range strings.Split(text.String(), "\n\n") {
		if i >= len(was) || strings.TrimSpace(was[i]) != strings.TrimSpace(now) {
			name, _, _ := strings.Cut(now, "\n")
			t.Fatalf("%s: not as in %s. Nodes would no longer agree, nor read what they kept; if it is a new kind or key, -update adds it", name, file)
		}
	}
	if len(was) != len(all)+1 {
		t.Errorf("%s has samples of what is no more", file)
	}
}

// TestEachRecordHasASample looks at what networks really write.
func TestEachRecordHasASample(t *testing.T) {
	prefix := func(key string) string { p, _, _ := strings.Cut(key, "/"); return p }
	known := map[string]bool{}
	all, _ := samples(t)
	for _, s := range all {
		if key, record := strings.CutPrefix(s.name, "record "); record {
			known[prefix(key)] = true
		}
	}
	w := newWorld(t, "ada", "ben", "cleo", "dina", "elif")
	sites := w.names[:3]
	id := w.open(w.plan(sites...), w.register(9, sites...), sites...)
	w.play(id, 0, false, sites...)
	w.play(id, 1, true, sites...)
	w.applies("fay", w.invite("ada", true))
	w.m.tree.Range("", func(key string, _ []byte) {
		if !known[prefix(key)] {
			t.Errorf("%s… has no sample", prefix(key))
		}
	})
}
