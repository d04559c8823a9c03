package api

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/p2p"
)

// Level says what a finding asks for.
type Level string

// The levels.
const (
	Fine    Level = "ok"
	Note    Level = "note"    // worth knowing; the node works
	Problem Level = "problem" // something has to be done
)

// Finding is what one check found, and what to do about it: the same words in the
// terminal, on the status page and in a report.
type Finding struct {
	Check string `json:"check"` // node, clock, ledger, members, reach, relay, versions, votes, studies, disk, folder, backup
	Level Level  `json:"level"`
	Says  string `json:"says"`
	Fix   string `json:"fix,omitempty"`
}

// What the checks allow. docs/ref/care.md names the same numbers.
const (
	clockTolerance = 30 * time.Second
	lately         = time.Minute             // since the neighbours were asked who answers; later, only who is connected is known
	lowDisk        = 4 * chain.MinFree << 20 // bytes: a note; below chain.MinFree the node stops
	oldBackup      = 30 * 24 * time.Hour
)

// Findings judges the facts, in the order in which a person should read them. It asks
// nobody and looks at nothing else.
func (h Health) Findings() []Finding {
	var out []Finding
	add := func(check string, level Level, says, fix string) { out = append(out, Finding{check, level, says, fix}) }
	if h.Status == nil {
		add("node", Problem, "no node is running in "+h.Folder.Dir, "croft up")
	} else if h.Status.Left { // whatever else is amiss follows from it
		add("members", Problem, "this member has left the network: the others' nodes answer it no more", "croft audit log says who voted for it; to come back, ask a member for an invite, and join under another name with another folder: croft join CODE --name NAME --dir FOLDER")
	} else {
		h.clock(add)
		h.ledger(add)
		if h.Status.Members > 0 { // else nobody is known yet
			h.members(add)
			h.reach(add)
			h.relay(add)
		}
		h.versions(add)
		for _, q := range h.Status.Votes {
			add("votes", Note, q.Says+"; your vote is missing", q.Next)
		}
		h.studies(add)
	}
	h.Folder.judge(h.At, add)
	return out
}

type adder = func(check string, level Level, says, fix string)

const setClock = "let the machine set its clock by the network (timedatectl set-ntp true; on Windows: Settings, Time), then croft doctor"

// clock compares this machine's clock with the last block's time and with the clocks
// of the members who answered. The one in the middle counts as right: a single wrong
// neighbour must not make everybody else look wrong.
func (h Health) clock(add adder) {
	if early := h.Status.BlockTime.Sub(h.At); early > clockTolerance {
		add("clock", Problem, fmt.Sprintf("this machine's clock is at least %s behind: the last block says %s, this machine %s", span(early), minute(h.Status.BlockTime), minute(h.At)), setClock)
		return
	}
	heard := h.answering()
	switch len(heard) {
	case 0:
		add("clock", Fine, "not behind the last block; no other member's node was asked", "")
		return
	case 1:
		if d := ahead(heard[0]); d.Abs() > clockTolerance {
			add("clock", Problem, fmt.Sprintf("this machine's clock and that of %s differ by %s: here it is %s", heard[0].Name, span(d), minute(h.At)), "look at a watch, then on the machine that is wrong: "+setClock)
			return
		}
	}
	slices.SortFunc(heard, func(a, b Neighbour) int { return int(a.Ahead - b.Ahead) })
	middle := ahead(heard[len(heard)/2])
	if len(heard) > 1 && middle.Abs() > clockTolerance {
		way := "behind"
		if middle < 0 {
			way = "ahead of"
		}
		add("clock", Problem, fmt.Sprintf("this machine's clock is %s %s those of the other members: here it is %s", span(middle), way, minute(h.At)), setClock)
		return
	}
	add("clock", Fine, fmt.Sprintf("within %s of %s", span(clockTolerance), called(heard)), "")
	for _, n := range heard {
		if d := ahead(n) - middle; d.Abs() > clockTolerance {
			add("clock", Note, fmt.Sprintf("the clock of %s is off by %s", n.Name, span(d)), "tell its keeper: croft doctor there says how")
		}
	}
}

// ledger says whether blocks are made, and how many orderers may go.
func (h Health) ledger(add adder) {
	s := h.Status
	up, spare := len(s.Orderers)-len(s.Away), len(s.Orderers)-len(s.Away)-s.Needed
	switch {
	case s.Stopped:
		add("ledger", Note, "the network is stopped by vote", "members vote to go on: croft network resume")
	case s.Light && len(s.Orderers) == 0:
		add("ledger", Problem, "this node is light and keeps no blocks: it needs one full member's node that answers, and none does", "check this machine's network and firewall; or have a full member start its node")
	case s.Members == 0 && s.Connected == 0:
		add("ledger", Problem, "no block is here yet, and no node is connected that could give them", "ask whoever invited this member to start their node; check this machine's network and firewall")
	case s.Members == 0:
		add("ledger", Note, "no block is here yet: it is fetching them from the other members' nodes", "wait; if it stays so, check this machine's network and firewall")
	case !s.Moves:
		add("ledger", Problem, fmt.Sprintf("it does not move: %d of %d orderers must be up, %d are (away: %s)", s.Needed, len(s.Orderers), up, parties(s.Away)), "start the nodes of "+parties(s.Away))
	case s.CatchingUp:
		add("ledger", Note, "it is fetching old blocks", "wait: croft status shows the height")
	case s.Light:
		add("ledger", Fine, fmt.Sprintf("it moves; this node is light: it keeps headers, and has what it reads proved by the nodes of full members (ordered by %s)", parties(s.Orderers)), "")
	case len(s.Orderers) == 1:
		add("ledger", Fine, fmt.Sprintf("it moves; %s orders blocks alone, and while its node is away nothing moves. From four ready members on one may be away", parties(s.Orderers)), "")
	case spare == 0:
		fix := "start the nodes of " + parties(s.Away)
		if len(s.Away) == 0 {
			fix = "none is away; more ready members give more room"
		}
		add("ledger", Note, fmt.Sprintf("it moves; of %d orderers %d must be up, and %d are: not one more may go away", len(s.Orderers), s.Needed, up), fix)
	default:
		add("ledger", Fine, fmt.Sprintf("it moves; of %d orderers %d must be up, and %d are: %d more may go away", len(s.Orderers), s.Needed, up, spare), "")
	}
}

func (h Health) members(add adder) {
	others := h.Status.Members - 1
	heard := h.answering()
	var silent []Party
	for _, n := range h.Neighbours {
		if !n.Answers {
			silent = append(silent, n.Party)
		}
	}
	const check = "check this machine's network and firewall, then croft doctor"
	switch asked := h.At.Sub(h.Asked) < lately && len(h.Neighbours) > 0; {
	case others <= 0:
		add("members", Fine, "nobody else is a member yet", "")
	case !asked && h.Status.Connected == 0:
		add("members", Problem, "no other member's node is connected", check)
	case !asked:
		add("members", Fine, fmt.Sprintf("%d of %d other members' nodes are connected", h.Status.Connected, others), "")
	case len(heard) == 0:
		add("members", Problem, "no other member's node answers", check)
	case len(silent) > 0:
		add("members", Note, fmt.Sprintf("%d of %d other members' nodes answer; not %s", len(heard), len(h.Neighbours), parties(silent)), "ask their keepers whether they are up")
	default:
		add("members", Fine, fmt.Sprintf("%d of %d other members' nodes answer", len(heard), len(h.Neighbours)), "")
	}
}

// reach says whether others can dial this node. Who cannot be dialled is no lesser
// member while the others can.
func (h Health) reach(add adder) {
	var tried, reached []Neighbour
	var at []string
	for _, n := range h.answering() {
		if n.Dialled {
			tried = append(tried, n)
		}
		if len(n.Reaches) > 0 {
			reached = append(reached, n)
			at = append(at, n.Reaches...)
		}
	}
	local := len(h.Listen) > 0 && !slices.ContainsFunc(places(h.Listen), func(p string) bool { return !strings.HasSuffix(p, onMachine) })
	quicToo := slices.ContainsFunc(places(at), func(p string) bool { return strings.HasPrefix(p, "QUIC") })
	switch {
	case h.Status.Members <= 1 && local:
		add("reach", Note, "it listens on this machine only", "before you invite others: croft down, then croft up --listen lan --detach")
	case h.Status.Members <= 1:
		add("reach", Fine, "nobody else is there to try", "")
	case len(h.Neighbours) == 0:
		add("reach", Note, "nobody has tried yet", "croft doctor has the other members' nodes try")
	case len(tried) == 0:
		add("reach", Note, "no other member's node tried to dial this one", "croft doctor again in ten seconds, while another member's node is up")
	case len(reached) == 0 && local:
		add("reach", Note, "it listens on this machine only: others cannot dial it, it can only dial them", "croft down, then croft up --listen lan --detach")
	case len(reached) == 0 && slices.Contains(places(h.Listen), relayed):
		add("reach", Fine, fmt.Sprintf("%s cannot dial this node: it is reached through a member that relays", called(tried)), "")
	case len(reached) == 0:
		add("reach", Note, fmt.Sprintf("%s cannot dial this node; it can only dial them, and no relay has a place for it", called(tried)), "have one more member relay: croft up --relay there; or let the router forward the node's port (TCP and UDP) to this machine, and open it in the firewall; croft down, then croft up --listen 0.0.0.0:PORT --detach sets the port")
	case !quicToo:
		add("reach", Note, fmt.Sprintf("%s can dial this node by TCP, nobody by QUIC", called(reached)), "open the same port for UDP in router and firewall; TCP alone works, more slowly")
	default:
		says := fmt.Sprintf("%s can dial this node", called(reached))
		if left := len(tried) - len(reached); left > 0 {
			says += fmt.Sprintf("; %d of %d who tried cannot", left, len(tried))
		}
		add("reach", Fine, says, "")
	}
}

// relay says whether who cannot be dialled is still reached through this node.
func (h Health) relay(add adder) {
	load := h.Status.Relay
	const more = "have one more member relay: croft up --relay there; or let this node carry more: croft down, then croft up with more "
	switch {
	case load == nil:
	case load.Left <= 0:
		add("relay", Note, "it has carried all bytes that it may in 24 hours: until "+minute(load.Anew)+" nobody is reached through this node", "wait until then; "+more+"--relay-daily")
	case load.Circuits >= load.Most:
		add("relay", Note, fmt.Sprintf("it carries %d connections between others, and may carry no more: whoever comes is turned away", load.Circuits), fmt.Sprintf("%s--relay-circuits (%d at most)", more, p2p.UsualRelaying.Circuits))
	default:
		add("relay", Fine, fmt.Sprintf("it carries %d of at most %d connections between others; %d MB are left until %s", load.Circuits, load.Most, load.Left/1e6, minute(load.Anew)), "")
	}
}

func (h Health) versions(add adder) {
	var other []Neighbour
	for _, n := range h.answering() {
		if n.Engine != h.Status.Engine {
			other = append(other, n)
		}
	}
	if len(other) == 0 {
		add("versions", Fine, "plan engine "+h.Status.Engine+", and nobody who answered has another", "")
	}
	for _, n := range other {
		add("versions", Note, fmt.Sprintf("%s has plan engine %s, this node %s: they cannot compute together", n.Name, clean(n.Engine), h.Status.Engine), "run the same version of croft on both: croft version")
	}
}

func (h Health) studies(add adder) {
	for _, st := range h.Status.Waiting {
		add("studies", Note, st.Name+" waits for your answer", "croft study show "+st.ID.Short())
	}
	if rest := h.Status.Rest; rest != nil {
		fix := "croft resume"
		if rest.Hours {
			fix = "wait; or croft down, then croft up --quiet-hours with others"
		}
		add("studies", Note, "this node takes no part in rounds "+rest.Span()+"; studies wait for it", fix)
	}
	for _, w := range h.Waits {
		whom := parties(w.For)
		level := Note
		if slices.ContainsFunc(w.For, func(p Party) bool { return p == h.Status.Member }) {
			level = Problem
		}
		switch w.What {
		case "answer":
			add("studies", level, fmt.Sprintf("%s waits for the answer of %s", w.Study, whom), "a person decides there: croft study show "+w.ID.Short())
		case "doubt":
			fix := "wait for a seat that is slow; if all have answered, nobody can tell which, and the study stands until its last day: croft study withdraw " + w.ID.Short() + " ends it"
			if len(w.For) > 0 {
				fix = "start the nodes of " + whom + ": one more seat can tell which"
			}
			add("studies", level, fmt.Sprintf("%s stands still: what its seats say of the sum does not fit together, so one of them lies or is broken; no sum is believed", w.Study), fix)
		case "return":
			add("studies", level, fmt.Sprintf("%s is paused: it waits for %s", w.Study, whom), "start their nodes; leaving a site out would show its numbers")
		default:
			add("studies", level, fmt.Sprintf("%s waits for %s, whose nodes are away", w.Study, whom), "start their nodes")
		}
	}
	if len(h.Status.Waiting)+len(h.Waits) == 0 && h.Status.Rest == nil {
		add("studies", Fine, "none waits for anybody", "")
	}
}

func (f Folder) judge(now time.Time, add adder) {
	switch {
	case f.Broken != "":
		add("disk", Problem, "the folder cannot be looked at: "+f.Broken, "check that "+f.Dir+" is there and that its disk answers")
	case f.Free < chain.MinFree<<20:
		add("disk", Problem, fmt.Sprintf("%d MB are free; below %d MB a node stops", f.Free>>20, chain.MinFree), "free some space; croft up goes on from where it was")
	case f.Free < lowDisk:
		add("disk", Note, fmt.Sprintf("%d MB are free; below %d MB a node stops", f.Free>>20, chain.MinFree), "free some space")
	default:
		add("disk", Fine, fmt.Sprintf("%d GB are free", f.Free>>30), "")
	}
	if len(f.Shown) > 0 {
		add("folder", Problem, "others on this machine can open "+strings.Join(f.Shown, ", "), "chmod -R go= "+Quote(f.Dir)+"; if somebody may have copied the keys, tell the other members")
	} else {
		add("folder", Fine, "only its owner can open the keys", "")
	}
	switch age := now.Sub(f.Backup); {
	case f.Backup.IsZero():
		add("backup", Note, "none was made", "croft key recovery page.html, then croft backup now --to FOLDER on another disk")
	case age > oldBackup:
		add("backup", Note, fmt.Sprintf("the last one is %d days old", int(age.Hours()/24)), "croft backup now --to FOLDER on another disk")
	default:
		add("backup", Fine, "the last one was made "+minute(f.Backup), "")
	}
}

func (h Health) answering() (heard []Neighbour) {
	for _, n := range h.Neighbours {
		if n.Answers {
			heard = append(heard, n)
		}
	}
	return heard
}

func ahead(n Neighbour) time.Duration { return time.Duration(n.Ahead) * time.Millisecond }

// span writes a duration without its sign, to the second.
func span(d time.Duration) string { return d.Abs().Round(time.Second).String() }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func called(list []Neighbour) string {
	var names []Party
	for _, n := range list {
		names = append(names, n.Party)
	}
	return parties(names)
}

// parties joins names, sorted.
func parties(list []Party) string {
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

const (
	onMachine = "on this machine"
	relayed   = "through a relay"
)

// places says what kind of places addresses are, without saying where.
func places(addrs []string) (kinds []string) {
	for _, a := range addrs {
		parts := strings.Split(a, "/")
		if len(parts) < 4 {
			kinds = append(kinds, a) // a kind already
			continue
		}
		kind := "TCP"
		if slices.Contains(parts, "p2p-circuit") {
			if !slices.Contains(kinds, relayed) {
				kinds = append(kinds, relayed)
			}
			continue
		}
		if parts[3] == "udp" {
			kind = "QUIC"
		}
		ip, err := netip.ParseAddr(parts[2])
		switch {
		case err != nil:
			kind += " at a name"
		case ip.IsLoopback():
			kind += " " + onMachine
		case ip.IsPrivate() || ip.IsLinkLocalUnicast():
			kind += " in a local network"
		default:
			kind += " at a public address"
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// clean keeps a text that another machine chose within its line.
func clean(text string) string { return fmt.Sprintf("%.40q", text) }

// Unwell fails with croft.ErrUnwell if a finding is a problem.
func Unwell(findings []Finding) error {
	n := 0
	for _, f := range findings {
		if f.Level == Problem {
			n++
		}
	}
	if n > 0 {
		return croft.E(croft.ErrUnwell, n)
	}
	return nil
}
