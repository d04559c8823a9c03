package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/p2p"
	"croft/internal/study"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func named(name string) Party { return Party{croft.MemberID(croft.Sum([]byte(name))), name} }

// well is a node of four that has nothing to mend.
func well() Health {
	status := Status{Member: named("a"), NetworkName: "valley", Dir: "/srv/croft", Height: 40, BlockTime: noon.Add(-time.Hour), Members: 4, Connected: 3,
		Orderers: []Party{named("a"), named("b"), named("c"), named("d")}, Needed: 3, Moves: true, Engine: "croft-plan/1"}
	h := Health{At: noon, Status: &status, Asked: noon, Listen: []string{"/ip4/198.51.100.7/tcp/7421/p2p/A", "/ip4/198.51.100.7/udp/7421/quic-v1/p2p/A"},
		Folder: Folder{Dir: "/srv/croft", Free: 20 << 30, Backup: noon.Add(-24 * time.Hour)}}
	for _, name := range []string{"b", "c", "d"} {
		h.Neighbours = append(h.Neighbours, Neighbour{Party: named(name), Answers: true, Height: 40, Engine: "croft-plan/1", RoundTrip: 30, Dialled: true, Reaches: h.Listen})
	}
	return h
}

// Each trouble is found by its check, says who and what, and comes with its cure.
func TestFindings(t *testing.T) {
	for _, f := range well().Findings() {
		if f.Level != Fine || f.Fix != "" {
			t.Errorf("of a node that is well: %+v", f)
		}
	}
	alone := func(h *Health) {
		h.Neighbours, h.Status.Members, h.Status.Connected, h.Status.Orderers, h.Status.Needed = nil, 1, 0, h.Status.Orderers[:1], 1
	}
	for name, c := range map[string]struct {
		change func(*Health)
		check  string
		level  Level
		says   string
	}{
		"it does not run":  {func(h *Health) { h.Status = nil }, "node", Problem, "no node is running in /srv/croft"},
		"behind the block": {func(h *Health) { h.At = noon.Add(-2 * time.Hour) }, "clock", Problem, "at least 1h0m0s behind"},
		"behind the members": {func(h *Health) {
			h.Neighbours[0].Ahead, h.Neighbours[1].Ahead, h.Neighbours[2].Ahead = 3.6e6, 3.6e6, 3.5e6
		}, "clock", Problem, "1h0m0s behind those"},
		"ahead of them":       {func(h *Health) { h.Neighbours[0].Ahead, h.Neighbours[1].Ahead, h.Neighbours[2].Ahead = -90e3, -90e3, 0 }, "clock", Problem, "1m30s ahead of those"},
		"another one's clock": {func(h *Health) { h.Neighbours[1].Ahead = 3.6e6 }, "clock", Note, "the clock of c is off by 1h0m0s"},
		"one against one":     {func(h *Health) { h.Neighbours = h.Neighbours[:1]; h.Neighbours[0].Ahead = -40e3 }, "clock", Problem, "that of b differ by 40s"},
		"a clock within":      {func(h *Health) { h.Neighbours[0].Ahead = -29e3 }, "clock", Fine, "within 30s of b, c, d"},
		"no clock to compare": {func(h *Health) { h.Neighbours = nil }, "clock", Fine, "nobody"},
		"stopped":             {func(h *Health) { h.Status.Stopped = true }, "ledger", Note, "stopped by vote"},
		"light":               {func(h *Health) { h.Status.Light = true }, "ledger", Fine, "it keeps headers, and has what it reads proved"},
		"light and alone":     {func(h *Health) { h.Status.Light, h.Status.Orderers, h.Status.Moves = true, nil, false }, "ledger", Problem, "it needs one full member's node that answers"},
		"no quorum":           {func(h *Health) { h.Status.Away = []Party{named("d"), named("c")}; h.Status.Moves = false }, "ledger", Problem, "3 of 4 orderers must be up, 2 are (away: c, d)"},
		"no margin":           {func(h *Health) { h.Status.Away = []Party{named("d")} }, "ledger", Note, "not one more may go away"},
		"a margin":            {func(*Health) {}, "ledger", Fine, "1 more may go away"},
		"one orders":          {func(h *Health) { h.Status.Orderers, h.Status.Needed = h.Status.Orderers[:1], 1 }, "ledger", Fine, "a orders blocks alone"},
		"old blocks":          {func(h *Health) { h.Status.CatchingUp = true }, "ledger", Note, "fetching old blocks"},
		"one is silent":       {func(h *Health) { h.Neighbours[2].Answers = false }, "members", Note, "2 of 3 other members' nodes answer; not d"},
		"all are silent":      {func(h *Health) { h.Neighbours = []Neighbour{{Party: named("b")}} }, "members", Problem, "no other member's node answers"},
		"not asked, away":     {func(h *Health) { h.Asked, h.Neighbours, h.Status.Connected = time.Time{}, nil, 0 }, "members", Problem, "no other member's node is connected"},
		"asked too early":     {func(h *Health) { h.Neighbours = nil }, "members", Fine, "3 of 3 other members' nodes are connected"},
		"asked long ago": {func(h *Health) {
			h.Asked = noon.Add(-time.Hour)
			for i := range h.Neighbours {
				h.Neighbours[i].Answers = false
			}
		}, "members", Fine, "3 of 3 other members' nodes are connected"},
		"not asked": {func(h *Health) { h.Asked, h.Neighbours = time.Time{}, nil }, "reach", Note, "nobody has tried yet"},
		"left":      {func(h *Health) { h.Status.Left, h.Status.Moves = true, false }, "members", Problem, "this member has left the network"},
		"no block yet": {func(h *Health) {
			h.Status.Members, h.Status.Orderers, h.Status.Needed, h.Status.Moves = 0, nil, 1, false
		}, "ledger", Note, "no block is here yet"},
		"no block, nobody":  {func(h *Health) { h.Status.Members, h.Status.Connected = 0, 0 }, "ledger", Problem, "no node is connected that could give them"},
		"alone":             {alone, "members", Fine, "nobody else is a member yet"},
		"alone on loopback": {func(h *Health) { alone(h); h.Listen = []string{"/ip4/127.0.0.1/tcp/7421/p2p/A"} }, "reach", Note, "this machine only"},
		"nobody tried": {func(h *Health) {
			h.Neighbours = h.Neighbours[:1]
			h.Neighbours[0].Dialled, h.Neighbours[0].Reaches = false, nil
		}, "reach", Note, "no other member's node tried"},
		"behind a router": {func(h *Health) {
			for i := range h.Neighbours {
				h.Neighbours[i].Reaches = nil
			}
		}, "reach", Note, "b, c, d cannot dial this node; it can only dial them, and no relay"},
		"behind a router, with a place": {func(h *Health) {
			h.Listen = []string{"/ip4/10.0.0.1/tcp/7421/p2p/A", "/ip4/192.0.2.1/tcp/7421/p2p/B/p2p-circuit/p2p/A"}
			for i := range h.Neighbours {
				h.Neighbours[i].Reaches = nil
			}
		}, "reach", Fine, "b, c, d cannot dial this node: it is reached through a member that relays"},
		"one cannot": {func(h *Health) { h.Neighbours[0].Reaches = nil }, "reach", Fine, "c, d can dial this node; 1 of 3 who tried cannot"},
		"TCP alone": {func(h *Health) {
			for i := range h.Neighbours {
				h.Neighbours[i].Reaches = h.Listen[:1]
			}
		}, "reach", Note, "by TCP, nobody by QUIC"},
		"a relay":       {func(h *Health) { h.Status.Relay = &p2p.Load{Circuits: 1, Most: 16, Left: 3e9, Anew: noon} }, "relay", Fine, "1 of at most 16 connections between others; 3000 MB are left until 2026-11-23 12:00"},
		"a spent relay": {func(h *Health) { h.Status.Relay = &p2p.Load{Circuits: 1, Most: 16, Anew: noon} }, "relay", Note, "until 2026-11-23 12:00 UTC nobody is reached"},
		"a full relay":  {func(h *Health) { h.Status.Relay = &p2p.Load{Circuits: 16, Most: 16, Left: 3e9, Anew: noon} }, "relay", Note, "it carries 16 connections"},
		"an old one":    {func(h *Health) { h.Neighbours[0].Engine = "croft-plan/0" }, "versions", Note, `b has plan engine "croft-plan/0"`},
		"an answer":     {func(h *Health) { h.Waits = []Wait{{Study: "anaemia", What: "answer", For: []Party{named("c")}}} }, "studies", Note, "anaemia waits for the answer of c"},
		"a pause":       {func(h *Health) { h.Waits = []Wait{{Study: "anaemia", What: "return", For: []Party{named("c")}}} }, "studies", Note, "anaemia is paused: it waits for c"},
		"by this one":   {func(h *Health) { h.Waits = []Wait{{Study: "anaemia", What: "return", For: []Party{named("a")}}} }, "studies", Problem, "anaemia is paused"},
		"a node":        {func(h *Health) { h.Waits = []Wait{{Study: "anaemia", What: "node", For: []Party{named("d")}}} }, "studies", Note, "waits for d, whose nodes are away"},
		"a lie":         {func(h *Health) { h.Waits = []Wait{{Study: "anaemia", What: "doubt"}} }, "studies", Note, "one of them lies or is broken"},
		"your answer":   {func(h *Health) { h.Status.Waiting = []Summary{{Name: "anaemia"}} }, "studies", Note, "anaemia waits for your answer"},
		"a vote":        {func(h *Health) { h.Status.Votes = []Question{{"e wants to become a member", "croft member ls"}} }, "votes", Note, "e wants to become a member; your vote is missing"},
		"a full disk":   {func(h *Health) { h.Folder.Free = 200 << 20 }, "disk", Problem, "200 MB are free"},
		"little disk":   {func(h *Health) { h.Folder.Free = 900 << 20 }, "disk", Note, "900 MB are free"},
		"no disk":       {func(h *Health) { h.Folder.Broken = "it is gone" }, "disk", Problem, "it is gone"},
		"open keys":     {func(h *Health) { h.Folder.Shown = []string{"keys/member.pem"} }, "folder", Problem, "can open keys/member.pem"},
		"no backup":     {func(h *Health) { h.Folder.Backup = time.Time{} }, "backup", Note, "none was made"},
		"an old backup": {func(h *Health) { h.Folder.Backup = noon.AddDate(0, 0, -31) }, "backup", Note, "31 days old"},
	} {
		t.Run(name, func(t *testing.T) {
			h := well()
			c.change(&h)
			found := h.Findings()
			at := slices.IndexFunc(found, func(f Finding) bool { return f.Check == c.check && f.Level == c.level })
			if name == "no clock to compare" {
				c.says = "no other member's node was asked"
			}
			if at < 0 || !strings.Contains(found[at].Says, c.says) {
				t.Fatalf("want %s: %s %q, have %+v", c.check, c.level, c.says, found)
			}
			for _, f := range found {
				if f.Level != Fine && f.Fix == "" || f.Level == Fine && f.Fix != "" {
					t.Errorf("a finding without its cure, or a cure for nothing: %+v", f)
				}
			}
			if err := Unwell(found); errors.Is(err, croft.ErrUnwell) != slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Problem }) {
				t.Error(err)
			}
		})
	}
}

// records is a ledger that holds these, and nothing else.
type records struct {
	chain.Ledger
	chain.Blocks
	of map[string]any
}

func (r records) Read(_ context.Context, key string) ([]byte, error) {
	if r.of[key] == nil {
		return nil, nil
	}
	return append([]byte{1}, croft.Encode(r.of[key])...), nil
}

// A round that stands still because a seat lies names no honest seat: only one that is
// away, and could tell which it is.
func TestDoubt(t *testing.T) {
	id := croft.StudyID{7}
	var seats []croft.MemberID
	of := map[string]any{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		seats = append(seats, named(name).ID)
		of[ledger.MemberKey(named(name).ID)] = croft.Member{ID: named(name).ID, Name: name}
	}
	st := ledger.Study{ID: id, Status: ledger.Running, Seats: seats, Enrolled: seats, Threshold: 2, Quorum: 4}
	round := ledger.Round{Study: id, Phase: croft.PhaseSum}
	for _, seat := range seats[:4] {
		round.Shares = append(round.Shares, ledger.SeatShare{Seat: seat})
	}
	of[ledger.RoundKey(id, 0)] = round
	s := Services{Self: seats[0], Ledger: records{of: of}, Events: NewEvents(), Peers: func() []Peer {
		return []Peer{{Member: seats[1], Connected: true}, {Member: seats[2], Connected: true}, {Member: seats[3]}, {Member: seats[4]}}
	}}
	look := func() Summary { return s.summary(t.Context(), st, croft.Study{Name: "anaemia", Readers: seats}) }
	if out := look(); out.Doubt || len(out.Waits) != 5 {
		t.Errorf("before anybody has tried: %+v", out)
	}
	s.Events.Add(study.Event{Study: id, Word: "doubt"})
	s.Events.Add(study.Event{Study: id, Round: 1, Word: "open"})
	s.Events.Add(study.Event{Study: croft.StudyID{8}, Word: "step"})
	out := look()
	if !out.Doubt || !slices.Equal(out.Waits, []Party{named("e")}) {
		t.Errorf("four shares do not fit together, the fifth seat is away: %+v", out)
	}
	if w, err := s.waits(t.Context(), out, nil); err != nil || w.What != "doubt" || !slices.Equal(w.For, out.Waits) {
		t.Errorf("%+v %v", w, err)
	}
	s.Events.Add(study.Event{Study: id, Word: "step"})
	if out := look(); out.Doubt {
		t.Errorf("the sum was opened: %+v", out)
	}
}

// counted counts what is read of a ledger.
type counted struct {
	records
	n *int
}

func (c counted) Read(ctx context.Context, key string) ([]byte, error) {
	*c.n++
	return c.records.Read(ctx, key)
}

// What a page asks for every few seconds does not grow with the years.
func TestStatusReadsNoStudyThatEnded(t *testing.T) {
	members := []croft.MemberID{named("a").ID, named("b").ID}
	reads := map[int]int{}
	for _, ended := range []int{0, 5000} {
		of := map[string]any{ledger.OpenKey(members[0]): 1, ledger.OpenKey(members[1]): 2}
		network := ledger.Network{Members: members}
		propose := func(status ledger.Status) {
			id := croft.StudyID(croft.HashOf(network.Studies))
			of[ledger.StudyAtKey(network.Studies)] = id
			of[ledger.StudyKey(id)] = ledger.Study{ID: id, Status: status}
			of[ledger.PlanKey(id)] = croft.Study{Name: fmt.Sprint(network.Studies)}
			network.Studies++
		}
		for range ended {
			propose(ledger.Done)
		}
		for _, status := range []ledger.Status{ledger.Paused, ledger.Stopped, ledger.Running, ledger.Proposed} {
			propose(status)
		}
		n := 0
		s := Services{Ledger: counted{records{of: of}, &n}, Events: NewEvents(), Peers: func() []Peer { return nil }}
		out, err := s.open(t.Context(), network)
		if err != nil || len(out) != 3 || out[0].Status != "paused" || out[1].Status != "running" || out[2].Status != "proposed" {
			t.Fatalf("%d studies ended: %+v %v", ended, out, err)
		}
		reads[ended] = n
	}
	if reads[5000] != reads[0] {
		t.Errorf("%v records were read", reads)
	}
}

// What is anonymous names nobody and no place, and keeps who is who.
func TestAnonymous(t *testing.T) {
	h := well()
	h.Status.Away = []Party{named("d")}
	h.Status.Studies = []Summary{{ID: croft.StudyID{1}, Name: "anaemia", Status: "paused", Proposer: named("b"), Sites: []Site{{Party: named("c"), Missing: true}}}}
	h.Status.Waiting = h.Status.Studies
	h.Status.Votes = []Question{{"Clinic E wants to become a member", "croft member approve 'Clinic E'"}}
	h.Status.Scope = Scope{croft.NetworkID{7}, "croft-x-1"}
	h.Waits = []Wait{{"anaemia", croft.StudyID{1}, "return", []Party{named("c")}}}
	h.Folder.Shown, h.Folder.Broken = []string{"keys/member.pem"}, "statfs /srv/croft: gone"
	h.Neighbours[2].Answers = false
	for name, p := range map[string]*Party{"harbour": &h.Neighbours[0].Party, "glen": &h.Neighbours[1].Party, "moor": &h.Neighbours[2].Party} {
		old := *p
		text, _ := json.Marshal(h)
		renamed := strings.ReplaceAll(string(text), `"name":"`+old.Name+`"`, `"name":"`+name+`"`)
		h = Health{}
		if err := json.Unmarshal([]byte(renamed), &h); err != nil {
			t.Fatal(err)
		}
	}
	secret := regexp.MustCompile(`harbour|glen|moor|anaemia|Clinic E|valley|/srv|198\.51|keys/|` + named("b").ID.Short() + `|croft-x-1|/p2p/`)
	show := func(h Health) string {
		text, _ := json.Marshal(h)
		found, _ := json.Marshal(h.Findings())
		return string(text) + string(found)
	}
	if n := len(secret.FindAllString(show(h), -1)); n < 20 {
		t.Fatalf("the search finds only %d in what is not anonymous: %s", n, show(h))
	}
	text := show(h.Anonymous())
	if found := secret.FindAllString(text, -1); found != nil {
		t.Errorf("%v in %s", found, text)
	}
	for _, want := range []string{"this member", "study 1 is paused: it waits for member ", "a vote is under way; your vote is missing", "TCP at a public address", "not member "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if len(h.Anonymous().Findings()) != len(h.Findings()) {
		t.Error("findings were lost")
	}
	if again, _ := json.Marshal(h.Anonymous()); !strings.HasPrefix(text, string(again)) {
		t.Error("twice is not the same")
	}
}

func TestLook(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	dir := filepath.Join(t.TempDir(), "clinic [1") // half of a pattern
	for _, path := range []string{"keys/member.pem", "keys/node.pem"} {
		if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f := Look(dir, noon); f.Free == 0 || f.Shown != nil || f.Broken != "" || f.Backup != noon {
		t.Errorf("%+v", f)
	}
	for path, mode := range map[string]os.FileMode{"keys/member.pem": 0o640, ".": 0o755} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if f := Look(dir, noon); !slices.Equal(f.Shown, []string{".", "keys/member.pem"}) {
		t.Errorf("%+v", f)
	}
	if f := Look(filepath.Join(dir, "none"), noon); f.Broken == "" {
		t.Errorf("%+v", f)
	}
}

// Over the socket: what the node knows, what it asks, and whom studies wait for.
func TestHealth(t *testing.T) {
	people := community(t, 4)
	a, b := people[0], people[1]
	asked := 0
	a.s.Neighbours = func(_ context.Context, anew bool) ([]Neighbour, time.Time) {
		if anew {
			asked++
		}
		return []Neighbour{{Party: Party{b.ID, b.Name}, Answers: true, Engine: croft.EngineVersion}}, noon
	}
	a.s.Peers = func() []Peer { return []Peer{{Name: b.Name, Member: b.ID, Connected: false}} }
	a.s.Sent = func() int64 { return 12345 }
	if _, err := a.client.Submit(t.Context(), a.seal(&ledger.Propose{Plan: anaemia(people)})); err != nil {
		t.Fatal(err)
	}
	handler := a.s.handler()
	get := func(path string) (h Health) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != 200 {
			t.Fatalf("%d %s %v", w.Code, w.Body, err)
		}
		return h
	}
	if h := get("/v1/health?ask=true"); asked != 1 || len(h.Neighbours) != 1 || h.Asked != noon || h.Status.Member.Name != "clinic-a" || h.Folder.Free == 0 {
		t.Errorf("%d %+v", asked, h)
	}
	h := get("/v1/health")
	if asked != 1 {
		t.Error("nobody wanted the neighbours to be asked")
	}
	want := []Wait{{"anaemia", h.Status.Studies[0].ID, "answer", []Party{{b.ID, b.Name}, {people[2].ID, people[2].Name}}}}
	if len(h.Waits) != 1 || !slices.Equal(h.Waits[0].For, want[0].For) || h.Waits[0].What != "answer" {
		t.Errorf("%+v, want %+v", h.Waits, want)
	}
	if over, err := b.client.Health(t.Context(), true); err != nil || over.Status == nil || !over.Asked.IsZero() || len(over.Findings()) < 8 {
		t.Errorf("%+v %v", over, err)
	}

	// The page says the same, and the numbers are in the form of Prometheus.
	open := func(host, path string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		StatusPage(a.s).ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	_, page := open("localhost", "/")
	for _, f := range get("/v1/health").Findings() {
		if text := strings.NewReplacer("'", "&#39;", `"`, "&#34;").Replace(f.Says); !strings.Contains(page, text) {
			t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
	code, numbers := open("127.0.0.1:7420", "/metrics")
	if code != 200 {
		t.Fatal(code, numbers)
	}
	sample := regexp.MustCompile(`^croft_[a-z_]+(\{status="[a-z]+"\})? -?\d+(\.\d+)?$`)
	seen := map[string]bool{}
	for line := range strings.Lines(numbers) {
		line = strings.TrimSuffix(line, "\n")
		if name, help, isHelp := strings.Cut(strings.TrimPrefix(line, "# HELP "), " "); isHelp && strings.HasPrefix(line, "# HELP ") {
			if seen[name] || help == "" {
				t.Errorf("twice or without help: %s", line)
			}
			seen[name] = true
		} else if !strings.HasPrefix(line, "# TYPE ") && !sample.MatchString(line) {
			t.Errorf("not the format: %q", line)
		}
	}
	for _, want := range []string{"\ncroft_studies{status=\"proposed\"} 1\n", "\ncroft_sent_bytes_total 12345\n", "\ncroft_members 4\n", "\ncroft_peers 0\n", "\n# TYPE croft_cpu_seconds_total counter\n"} {
		if !strings.Contains(numbers, want) {
			t.Errorf("no %q in\n%s", want, numbers)
		}
	}
	if strings.Contains(numbers, "clinic") || strings.Contains(numbers, "anaemia") {
		t.Errorf("the numbers name somebody:\n%s", numbers)
	}
	if code, _ := open("evil.example", "/metrics"); code == 200 {
		t.Error("a name pointed here reads the numbers")
	}
}
