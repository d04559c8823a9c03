package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/study"
)

// One study from files to probabilities, over sockets only, as the commands do it.
func TestAStudyOverTheSocket(t *testing.T) {
	people := community(t, 4)
	a := people[0]

	datasets := map[croft.MemberID]croft.DatasetID{}
	for _, p := range people[:3] {
		datasets[p.ID] = croft.DatasetID(p.register(t).ID)
	}
	list, err := a.client.Datasets(t.Context())
	if err != nil || len(list) != 1 || !list[0].Registered || list[0].Used != 0 || list[0].Rows != 160 {
		t.Fatalf("%+v %v", list, err)
	}
	if again := a.register(t); croft.DatasetID(again.ID) != datasets[a.ID] {
		t.Error("the same file has two registrations")
	}

	plan := anaemia(people)
	draft, err := a.client.CheckDraft(t.Context(), plan, "")
	if err != nil || draft.Local == nil || draft.Local.AUC.Value < 0.6 || draft.Withheld != "" || draft.Train+draft.Test != 160 {
		t.Fatalf("%+v %v", draft, err)
	}
	proposed, err := a.client.Submit(t.Context(), a.seal(&ledger.Propose{Plan: plan}))
	if err != nil {
		t.Fatal(err)
	}
	status, err := a.client.Status(t.Context())
	if err != nil || len(status.Waiting) != 1 || len(status.Studies) != 1 || status.Members != 4 || status.Scope.Chain == "" {
		t.Fatalf("%+v %v", status, err)
	}
	if _, err := a.client.Result(t.Context(), "anaemia"); !errors.Is(err, croft.ErrTxOrder) {
		t.Error(err)
	}

	for _, p := range people[:3] {
		st, err := p.client.Study(t.Context(), "anaemia")
		if err != nil || st.ID != croft.StudyID(proposed.ID) || len(st.Seats) != 4 {
			t.Fatalf("%+v %v", st, err)
		}
		check, err := p.client.Check(t.Context(), st.ID.Short(), "visits")
		if err != nil || check.Leaves != st.Leaves || check.Cap != 200 {
			t.Fatalf("%+v %v", check, err)
		}
		if _, err := p.client.Approve(t.Context(), p.seal(p.approval(t, "anaemia", datasets[p.ID]))); err != nil {
			t.Fatal(err)
		}
	}
	published := false
	for e, err := range a.client.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Word == "refuse" || e.Word == "stop" || e.Word == "fail" {
			t.Fatalf("%+v", e)
		}
		if published = e.Word == "publish"; published {
			break
		}
	}
	st, err := a.client.Study(t.Context(), "anaemia")
	if err != nil || st.Status != "done" || st.Model == nil || len(st.Cohort) != 3 || len(st.Rounds) < 6 || len(st.Rounds) > st.Leaves.Rounds {
		t.Fatalf("%+v %v", st, err)
	}
	for _, r := range st.Rounds {
		for _, report := range r.Reports {
			if int(report.Bytes) > st.Leaves.Bytes {
				t.Errorf("round %d: %d bytes left, %d were announced", r.Number, report.Bytes, st.Leaves.Bytes)
			}
		}
	}
	result, err := a.client.Result(t.Context(), "anaemia")
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Terms) != 3 || result.Terms[0].SE != nil || result.Terms[0].P != nil || result.Terms[1].Name != "age" || len(result.Sites) != 3 || result.Rows+result.TestRows != 480 {
		t.Errorf("%+v", result)
	}
	age := result.Terms[1]
	if age.Odds == nil || math.Abs(math.Log(age.Odds.Value)-age.Estimate) > 1e-9 || *age.P > 1e-6 || age.Odds.Low < 1 {
		t.Errorf("age %+v, odds %+v", age, age.Odds)
	}

	// What the model is worth, over all sites and to this one.
	if len(result.Calibration) == 0 || result.PooledAUC.Low > result.PooledAUC.High || result.Threshold != 0.4 || result.Score.Confusion == nil {
		t.Errorf("%+v, %+v", result.Evaluation, result.Score)
	}
	if g := result.Groups; len(g) != 1 || g[0].Column != "sex" || g[0].Withheld != "" || len(g[0].Levels) != 2 || g[0].Levels[1].Level != "m" ||
		g[0].Levels[0].Rows+g[0].Levels[1].Rows != result.TestRows || g[0].Fairness == nil || g[0].Fairness.Parity.Most == g[0].Fairness.Parity.Least {
		t.Errorf("%+v", g)
	}
	here := result.Sites[slices.IndexFunc(result.Sites, func(s SiteScore) bool { return s.ID == a.ID })]
	worth, err := a.client.Worth(t.Context(), "anaemia")
	if err != nil || worth.Alone == nil || worth.Given == nil || worth.Network.Rows != here.Rows || worth.Network.AUC != here.AUC || worth.Verdict == "" {
		t.Errorf("%+v %v", worth, err)
	}
	if _, err := people[3].client.Worth(t.Context(), "anaemia"); !errors.Is(err, croft.ErrUsage) {
		t.Error(err)
	}

	patients := filepath.Join(a.dir, "patients.csv")
	if err := os.WriteFile(patients, []byte("age,sex\n25,f\n75,m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	risk, err := a.client.Predict(t.Context(), "anaemia", Predict{Path: patients})
	if err != nil || len(risk.Probability) != 2 || risk.Probability[0] > 0.4 || risk.Probability[1] < 0.6 {
		t.Errorf("%+v %v", risk, err)
	}
	// The mean intercept and the raw coefficients say the same.
	eta := result.Terms[0].Estimate + 25*age.Estimate
	if want := 1 / (1 + math.Exp(-eta)); math.Abs(risk.Probability[0]-want) > 1e-9 {
		t.Errorf("%v, by hand %v", risk.Probability[0], want)
	}
	own, err := a.client.Predict(t.Context(), "anaemia", Predict{Path: patients, Own: true})
	if err != nil || own.Probability[0] == risk.Probability[0] || math.Abs(own.Probability[0]-risk.Probability[0]) > 0.2 {
		t.Errorf("%+v %v", own, err)
	}
	// The fourth member reads the sums as a seat, but its use is not allowed.
	if _, err := people[3].client.Predict(t.Context(), "anaemia", Predict{Path: patients}); !errors.Is(err, croft.ErrUse) {
		t.Error(err)
	}

	// An auditor gets every block, in order, from any height.
	machine, err := ledger.New(genesisOf(people), ledger.NewMemoryTree())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := chain.NewTwinVerifier(genesisOf(people), machine)
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for block, err := range a.client.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Next(block); err != nil {
			t.Fatal(err)
		}
		last = block.Height
	}
	if last < status.Height {
		t.Errorf("%d blocks of %d", last, status.Height)
	}
}

// genesisOf is the genesis from which community founded its twin, read back from
// the scope: equal members and time give an equal id.
func genesisOf(people []*person) croft.Genesis {
	g := croft.Genesis{Version: 1, Name: "the commons"}
	for _, p := range people {
		g.Members = append(g.Members, p.Member)
	}
	want := people[0].s.Study.Scope.Network
	for g.Time = time.Now().Unix(); g.Network() != want; g.Time-- {
	}
	return g
}

func TestRefusalsCrossTheSocket(t *testing.T) {
	people := community(t, 3)
	a, b := people[0], people[1]
	mine := croft.DatasetID(a.register(t).ID)
	plan := anaemia(people)
	if _, err := a.client.Submit(t.Context(), a.seal(&ledger.Propose{Plan: plan})); err != nil {
		t.Fatal(err)
	}
	approval := a.approval(t, "anaemia", mine)
	late := *approval
	late.Expires = 1
	other := *approval
	other.Purpose = "something else"
	noFile := Add{Path: filepath.Join(a.dir, "none.csv"), Name: "x", Options: data.Options{Unit: "id", Releases: 1}}
	tooMuch := Add{Path: a.csv, Name: strings.Repeat("x", maxBody), Options: data.Options{Unit: "id"}}
	for name, c := range map[string]struct {
		call func() error
		code croft.Code
		exit int
		says string
	}{
		"its file was moved": {func() error {
			if err := os.Rename(a.csv, a.csv+".moved"); err != nil {
				return err
			}
			defer os.Rename(a.csv+".moved", a.csv)
			_, err := a.client.Check(t.Context(), "anaemia", "")
			return err
		}, croft.ErrDataGone, 3, "is not there any more"},
		"no such study":     {func() error { _, err := a.client.Study(t.Context(), "gout"); return err }, croft.ErrNotFound, 3, `study called "gout"`},
		"a study like ..":   {func() error { _, err := a.client.Study(t.Context(), "../peers"); return err }, croft.ErrNotFound, 3, "../peers"},
		"not a transaction": {func() error { _, err := a.client.Submit(t.Context(), []byte{1, 2}); return err }, croft.ErrEncoding, 4, ""},
		"a node's transaction": {func() error { _, err := a.client.Submit(t.Context(), a.seal(&ledger.Ready{})); return err },
			croft.ErrTxUnknown, 3, "transaction for this call"},
		"another member's": {func() error {
			_, err := b.client.Submit(t.Context(), a.seal(&ledger.Withdraw{}))
			return err
		}, croft.ErrTxRights, 6, "its own member's"},
		"refused by the ledger": {func() error {
			_, err := a.client.Submit(t.Context(), a.seal(&ledger.Withdraw{Study: croft.StudyID{1}}))
			return err
		}, croft.ErrTxUnknown, 3, "the ledger has no study 01000000"},
		"an expired approval": {func() error { _, err := a.client.Approve(t.Context(), a.seal(&late)); return err }, croft.ErrExpired, 6, "1970"},
		"another purpose":     {func() error { _, err := a.client.Approve(t.Context(), a.seal(&other)); return err }, croft.ErrDiffers, 6, "the purpose"},
		"no such file":        {func() error { _, err := a.client.Prepare(t.Context(), noFile); return err }, croft.ErrFileOpen, 4, "none.csv"},
		"a relative path": {func() error { _, err := a.client.Prepare(t.Context(), Add{Path: "a.csv", Name: "x"}); return err },
			croft.ErrFileOpen, 4, "absolute"},
		"an endless body":     {func() error { _, err := a.client.Prepare(t.Context(), tooMuch); return err }, croft.ErrTooLarge, 4, "1048576"},
		"a site without data": {func() error { _, err := b.client.Check(t.Context(), "anaemia", ""); return err }, croft.ErrNoDataset, 3, "no dataset with all columns"},
		"another registration": {func() error {
			_, err := a.client.Add(t.Context(), Add{Path: a.csv, Name: "visits", Options: data.Options{Unit: "id", Releases: 200},
				Tx: a.seal(&ledger.Register{Name: "visits", Group: croft.Hash{1}, Releases: 200})})
			return err
		}, croft.ErrDataChanged, 6, "visits.csv"},
		"no such call": {func() error { _, err := ask[struct{}](t.Context(), a.client, "unheard"); return err }, croft.ErrNotFound, 3, "GET /v1/unheard"},
	} {
		err := c.call()
		f := FailureOf(err)
		if !errors.Is(err, c.code) || croft.CodeOf(err) != c.code || f.Exit() != c.exit || !strings.Contains(err.Error(), c.says) || f.Next == "" || strings.Contains(f.Message, "{0}") {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	list, err := a.client.Datasets(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("refused registrations left something: %+v %v", list, err)
	}
}

func TestFailureSurvivesTheSocket(t *testing.T) {
	for _, err := range []error{
		croft.E(croft.ErrValueRange, "a.csv", 3, "age", "130", "0", "120"),
		croft.E(croft.ErrPeer, "clinic-b", "no answer"),
		errors.New("a bug"),
		context.Canceled,
	} {
		before := FailureOf(err)
		wire, _ := json.Marshal(before)
		after := new(Failure)
		if err := json.Unmarshal(wire, after); err != nil {
			t.Fatal(err)
		}
		back := after.restore()
		if croft.CodeOf(back) != croft.CodeOf(before) || back.Error() != before.Error() || croft.Next(back) != before.Next || FailureOf(back).Exit() != before.Exit() {
			t.Errorf("%v became %+v", err, back)
		}
	}
	strange := &Failure{Code: "CROFT-0000", Message: "hello"}
	if err := strange.restore(); !errors.Is(err, croft.ErrInternal) || !strings.Contains(err.Error(), "hello") {
		t.Error(err)
	}
}

func TestTheSocketIsThisUsersAlone(t *testing.T) {
	people := community(t, 1)
	p := people[0]
	if err := Serve(t.Context(), p.dir, p.s); !errors.Is(err, croft.ErrRunning) {
		t.Errorf("a second node: %v", err)
	}
	if _, err := p.client.Status(t.Context()); err != nil { // it answers: the socket is as it will be
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(p.dir, socketName))
	if err != nil || runtime.GOOS != "windows" && info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := p.client.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error)
	go func() {
		for {
			if _, err := Dial(p.dir); err != nil {
				gone <- err
				return
			}
		}
	}()
	if err := <-gone; !errors.Is(err, croft.ErrNodeDown) || !strings.Contains(err.Error(), p.dir) {
		t.Error(err)
	}
	if _, err := p.client.Status(t.Context()); !errors.Is(err, croft.ErrNodeDown) {
		t.Errorf("a client of a node that went: %v", err)
	}
}

func TestASocketLeftByACrashIsReplaced(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	l, err := net.Listen("unix", socketName)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err = listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is open to others: %v %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, socketName), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(dir); !errors.Is(err, croft.ErrFolder) {
		t.Errorf("a file was taken for a socket: %v", err)
	}
	deep := filepath.Join(dir, strings.Repeat("d", 120))
	t.Chdir("/")
	if _, err := listen(deep); !errors.Is(err, croft.ErrFolder) || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	people := community(t, 1)
	why := croft.E(croft.ErrInterrupted)
	ctx, cancel := context.WithCancelCause(t.Context())
	asked := make(chan error)
	go func() {
		for _, err := range people[0].client.Events(ctx) { // nothing happens: it waits
			asked <- err
			return
		}
	}()
	cancel(why)
	if err := <-asked; !errors.Is(err, croft.ErrInterrupted) {
		t.Error(err)
	}
}

func TestEventsGoOnWhereTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEvents()
		if news := e.after(canceled(t), 0); news != nil {
			t.Fatal(news)
		}
		got := make(chan []Event)
		go func() { got <- e.after(t.Context(), 0) }()
		synctest.Wait() // it waits
		e.Add(study.Event{Word: "open"})
		if news := <-got; len(news) != 1 || news[0].Seq != 1 || news[0].Word != "open" {
			t.Fatal(news)
		}
		for range 3 * keptEvents {
			e.Add(study.Event{Word: "report"})
		}
		last := uint64(3*keptEvents + 1)
		if news := e.after(t.Context(), last-5); len(news) != 5 || news[4].Seq != last {
			t.Fatal(len(news))
		}
		all := e.after(t.Context(), 0)
		if len(all) > keptEvents || len(all) < keptEvents/2 || !slices.IsSortedFunc(all, func(a, b Event) int { return int(a.Seq) - int(b.Seq) }) || all[len(all)-1].Seq != last {
			t.Errorf("%d events from %d", len(all), all[0].Seq)
		}
	})
}

// A node that starts again counts from 1 again: whoever followed its earlier life
// begins anew.
func TestEventsOfAnotherLife(t *testing.T) {
	s := Services{Events: NewEvents()}
	for range 9 {
		s.Events.Add(study.Event{Word: "open"})
	}
	for query, want := range map[string]int{
		"": 9, "after=7": 9, fmt.Sprintf("after=7&since=%d", s.Events.since): 2, fmt.Sprintf("after=7&since=%d", s.Events.since-1): 9, "after=x": 9,
	} {
		feed, err := s.feed(httptest.NewRequest("GET", "/v1/events?"+query, nil))
		if err != nil || len(feed.Events) != want || feed.Since != s.Events.since {
			t.Errorf("%q: %d events, %v", query, len(feed.Events), err)
		}
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestStatusPage(t *testing.T) {
	people := community(t, 3)
	people[0].register(t)
	plan := anaemia(people)
	plan.Name = `<script>alert("x")</script>`
	if _, err := people[0].client.Submit(t.Context(), people[0].seal(&ledger.Propose{Plan: plan})); err != nil {
		t.Fatal(err)
	}
	page := StatusPage(people[0].s)
	open := func(method, host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}
	for _, host := range []string{"127.0.0.1:7420", "localhost", "[::1]:7420", "[::1]"} {
		w := open("GET", host, "/")
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, "clinic-a") || !strings.Contains(body, "&lt;script&gt;") || strings.Contains(body, "<script") || strings.Contains(body, "visits") {
			t.Errorf("%s: %d %s", host, w.Code, body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Error(csp)
		}
	}
	for name, c := range map[string]struct {
		method, host, path string
		code               int
	}{
		"a name pointed here": {"GET", "evil.example:7420", "/", http.StatusMisdirectedRequest},
		"another machine":     {"GET", "10.0.0.1", "/", http.StatusMisdirectedRequest},
		"loopback's look":     {"GET", "127.0.0.1.evil.example", "/", http.StatusMisdirectedRequest},
		"no host":             {"GET", "", "/", http.StatusMisdirectedRequest},
		"a write":             {"POST", "localhost", "/", http.StatusMethodNotAllowed},
		"the API":             {"GET", "localhost", "/v1/status", http.StatusNotFound},
		"the style":           {"GET", "localhost", "/style.css", http.StatusOK},
	} {
		if w := open(c.method, c.host, c.path); w.Code != c.code {
			t.Errorf("%s: %d", name, w.Code)
		}
	}

	// A vote that waits for this member, until it is one no more.
	for _, v := range []struct {
		by   *person
		cast ledger.Vote
		says string
	}{
		{people[1], ledger.Vote{Sequence: 1, Action: ledger.StopAll}, "a vote to stop everything, by clinic-b, 1 of 2; your vote is missing. <code>croft network stop</code>"},
		{people[1], ledger.Vote{Sequence: 2, Action: ledger.Revoke, Subject: people[0].ID}, "a vote that clinic-a leaves, by clinic-b, 1 of 2"},
		{people[2], ledger.Vote{Sequence: 1, Action: ledger.Revoke, Subject: people[0].ID}, "This member has left the network"},
	} {
		if _, err := v.by.client.Submit(t.Context(), v.by.seal(&v.cast)); err != nil {
			t.Fatal(err)
		}
		body := open("GET", "localhost", "/").Body.String()
		if left := strings.Contains(body, "has left"); !strings.Contains(body, v.says) || strings.Contains(body, "Nothing. Requests") != left || strings.Contains(body, "up to date") == left {
			t.Errorf("no %q in %s", v.says, body)
		}
	}
}

// Who has a vote is told of each question on which it has not voted; nobody else is.
func TestQuestions(t *testing.T) {
	self, other := named("a"), named("b")
	c := Council{Voter: true, Needed: 2, Stop: []Party{other}, Resume: []Party{other},
		Applications: []Application{{Newcomer: croft.Member{Name: "c"}, Standing: "pending"}, {Newcomer: croft.Member{Name: "d"}, Standing: "pending", Guest: true},
			{Newcomer: croft.Member{Name: "e"}, Standing: "late"}, {Newcomer: croft.Member{Name: "f"}, Standing: "pending", Yes: []Party{self}}},
		Revocations: []Revocation{{named("Clinic B"), []Party{other}}, {named("c"), []Party{self, other}}},
		Unseated:    []Revocation{{named("c"), []Party{other}}, {named("d"), nil}},
		Supply:      []Supply{{false, named("Lab"), croft.Credit, []Party{other}}, {true, named("Lab"), 40 * croft.Credit, []Party{other}}}}
	want := []Question{
		{"a vote to stop everything, by b, 1 of 2", "croft network stop"},
		{"c wants to become a member", "croft member ls"},
		{"d wants to become a guest", "croft member ls"},
		{"a vote that Clinic B leaves, by b, 1 of 2", "croft member revoke 'Clinic B'"},
		{"a vote that c, which lied as a seat, may be one again, by b, 1 of 2", "croft member approve c"},
		{"a vote on new credits for Lab (1), by b, 1 of 2", "croft wallet mint Lab --amount 1"},
		{"a vote to take credits of Lab back (40), by b, 1 of 2", "croft wallet burn Lab --amount 40"},
	}
	if got := c.questions(self, false); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := c.questions(self, true); got[0] != (Question{"a vote to go on after the stop, by b, 1 of 2", "croft network resume"}) {
		t.Errorf("%q", got)
	}
	if c.Stop = nil; len(c.questions(self, false)) != len(want)-1 {
		t.Error("nobody wants a stop")
	}
	if c.Voter = false; len(c.questions(self, true)) > 0 {
		t.Error("a guest has no vote")
	}
}

// Whatever a client sends, the node answers in its own words or not at all.
func FuzzRequests(f *testing.F) {
	handler := Services{}.handler()
	f.Add("/v1/tx", []byte(`{"tx":"AA=="}`))
	f.Add("/v1/approvals", []byte(`{"tx":"oA=="}`))
	f.Add("/v1/data/prepare", []byte(`{"path":"a","name":"b"}`))
	f.Add("/v1/check", []byte(`{"plan":"oA=="}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		if !slices.Contains([]string{"/v1/tx", "/v1/approvals", "/v1/data", "/v1/check"}, path) {
			path = "/v1/tx"
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(string(body))))
		var failure Failure
		if err := json.Unmarshal(w.Body.Bytes(), &failure); err != nil || failure.restore() == nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

// What an export holds comes from another machine.
func FuzzReadBlock(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0xa0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = readBlock(strings.NewReader(string(data)))
	})
}
