package api

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
)

// Health is what is known of a node's condition: facts, which Findings judges.
type Health struct {
	At         time.Time   `json:"at"`               // by this machine's clock
	Status     *Status     `json:"status,omitempty"` // nil: no node runs
	Folder     Folder      `json:"folder"`
	Listen     []string    `json:"listen,omitempty"` // where others reach the node
	Asked      time.Time   `json:"asked,omitzero"`   // when the neighbours were; zero: not since the node started
	Neighbours []Neighbour `json:"neighbours,omitempty"`
	Waits      []Wait      `json:"waits,omitempty"`
}

// Folder is what a node's folder and its disk tell.
type Folder struct {
	Dir    string    `json:"dir"`
	Free   uint64    `json:"free_bytes"`
	Shown  []string  `json:"shown,omitempty"`  // keys, or folders of keys, that others on this machine can open
	Broken string    `json:"broken,omitempty"` // why it cannot be looked at
	Backup time.Time `json:"backup,omitzero"`  // the last one made; zero: none
}

// Neighbour is another member's node as it answered.
type Neighbour struct {
	Party
	Answers   bool     `json:"answers"` // else nothing below counts
	Height    int64    `json:"height"`
	Engine    string   `json:"engine"`
	Ahead     int64    `json:"ahead_ms"` // its clock before this one's, give or take half the round trip
	RoundTrip int64    `json:"round_trip_ms"`
	Dialled   bool     `json:"dialled"`           // it tried to dial this node
	Reaches   []string `json:"reaches,omitempty"` // where that worked
}

// Wait is a study and whom it waits for.
type Wait struct {
	Study string        `json:"study"`
	ID    croft.StudyID `json:"id"`
	What  string        `json:"what"` // answer, return (it is paused), node (of one that is away), doubt (a seat lies; for those who could tell which, if any)
	For   []Party       `json:"for"`
}

// Look looks at a node's folder, whether the node runs or not. backup is when its
// last backup was made.
func Look(dir string, backup time.Time) Folder {
	f := Folder{Dir: dir, Backup: backup}
	var err error
	if f.Free, err = chain.FreeBytes(dir); err != nil {
		f.Broken = err.Error()
	}
	if runtime.GOOS == "windows" { // modes say nothing there
		return f
	}
	paths := []string{".", "keys"}
	keys, _ := os.ReadDir(filepath.Join(dir, "keys")) // of a folder without keys nothing is shown
	for _, key := range keys {
		paths = append(paths, filepath.Join("keys", key.Name()))
	}
	for _, path := range paths {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err == nil && info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			f.Shown = append(f.Shown, path)
		}
	}
	return f
}

// health gathers the facts; ?ask=true asks the neighbours anew.
func (s Services) health(r *http.Request) (Health, error) {
	status, err := s.status(r)
	if err != nil {
		return Health{}, err
	}
	out := Health{At: time.Now().UTC(), Status: &status, Folder: Look(s.Dir, s.lastBackup())}
	if s.Addrs != nil {
		out.Listen = s.Addrs()
	}
	if s.Neighbours != nil {
		anew, _ := strconv.ParseBool(r.URL.Query().Get("ask"))
		out.Neighbours, out.Asked = s.Neighbours(r.Context(), anew)
	}
	away := map[croft.MemberID]bool{}
	for _, p := range s.Peers() {
		away[p.Member] = !p.Connected && !p.Unmet
	}
	for _, st := range status.Studies {
		w, err := s.waits(r.Context(), st, away)
		if err != nil {
			return Health{}, err
		}
		if len(w.For) > 0 || w.What == "doubt" {
			out.Waits = append(out.Waits, w)
		}
	}
	return out, nil
}

func (s Services) lastBackup() (last time.Time) {
	if s.LastBackup != nil {
		last = s.LastBackup()
	}
	return last
}

// waits says whom a study waits for. In a round that runs everybody is waited for
// at times; only who is away is worth a word.
func (s Services) waits(ctx context.Context, st Summary, away map[croft.MemberID]bool) (Wait, error) {
	out := Wait{Study: st.Name, ID: st.ID}
	switch {
	case st.Doubt:
		out.What, out.For = "doubt", st.Waits
	case st.Status == ledger.Proposed.String():
		out.What = "answer"
		for _, site := range st.Sites {
			if site.Answer == waiting && site.ID != s.Self {
				out.For = append(out.For, site.Party)
			}
		}
	case st.Status == ledger.Paused.String():
		out.What, out.For = "return", st.Waits
	case st.Status == ledger.Running.String():
		out.What = "node"
		round, _, err := record[ledger.Round](ctx, s, ledger.RoundKey(st.ID, st.Round))
		if err != nil {
			return out, err
		}
		on, _, err := record[ledger.Study](ctx, s, ledger.StudyKey(st.ID))
		if err != nil {
			return out, err
		}
		late := func(id croft.MemberID, there bool) {
			if away[id] && !there && !slices.ContainsFunc(out.For, func(p Party) bool { return p.ID == id }) {
				out.For = append(out.For, s.party(ctx, id))
			}
		}
		if round.Phase == croft.PhaseReport {
			for _, id := range round.Sites {
				late(id, slices.ContainsFunc(round.Reports, func(a ledger.Accepted) bool { return a.Site == id }))
			}
		}
		up := 0
		for _, id := range on.Seats {
			if !away[id] {
				up++
			}
		}
		if up < int(on.Quorum) { // else the seats that are up are enough
			for _, id := range on.Seats {
				late(id, slices.ContainsFunc(round.Shares, func(share ledger.SeatShare) bool { return share.Seat == id }))
			}
		}
	}
	return out, nil
}

// Anonymous returns the facts without names, ids, paths and addresses. The same
// member has the same number everywhere.
func (h Health) Anonymous() Health {
	numbers := map[string]int{}
	name := func(kind, name string) string {
		key := kind + " " + name
		if numbers[key] == 0 {
			numbers[kind]++
			numbers[key] = numbers[kind]
		}
		return fmt.Sprintf("%s %d", kind, numbers[key])
	}
	self := ""
	member := func(p Party) Party {
		if p.Name == self {
			return Party{Name: "this member"}
		}
		return Party{Name: name("member", p.Name)}
	}
	parties := func(list []Party) (out []Party) {
		for _, p := range list {
			out = append(out, member(p))
		}
		return out
	}
	study := func(st Summary) Summary {
		out := Summary{Name: name("study", st.ID.String()), Status: st.Status, Reason: st.Reason, Proposer: member(st.Proposer), Expires: st.Expires, Round: st.Round, Mine: st.Mine, Doubt: st.Doubt}
		for _, site := range st.Sites {
			out.Sites = append(out.Sites, Site{member(site.Party), site.Answer, site.Missing})
		}
		return out
	}
	out := Health{At: h.At, Asked: h.Asked, Folder: h.Folder}
	out.Folder.Dir, out.Folder.Broken = "the node's folder", ""
	if h.Folder.Broken != "" {
		out.Folder.Broken = "its disk does not answer"
	}
	out.Folder.Shown = nil
	for range h.Folder.Shown {
		out.Folder.Shown = append(out.Folder.Shown, "a file of the folder")
	}
	if s := h.Status; s != nil {
		self = s.Member.Name
		out.Status = &Status{Member: member(s.Member), Dir: out.Folder.Dir, NetworkName: "the network", Light: s.Light, Height: s.Height, AppHash: s.AppHash, BlockTime: s.BlockTime, CatchingUp: s.CatchingUp,
			Stopped: s.Stopped, Members: s.Members, Left: s.Left, Connected: s.Connected, Orderers: parties(s.Orderers), Needed: s.Needed, Away: parties(s.Away), Moves: s.Moves, Rest: s.Rest, Relay: s.Relay, Engine: s.Engine}
		for _, st := range s.Studies {
			out.Status.Studies = append(out.Status.Studies, study(st))
		}
		for _, st := range s.Waiting {
			out.Status.Waiting = append(out.Status.Waiting, study(st))
		}
		for range s.Votes { // whose words name members
			out.Status.Votes = append(out.Status.Votes, Question{"a vote is under way", "croft status"})
		}
	}
	for _, n := range h.Neighbours {
		n.Party = member(n.Party)
		n.Reaches = places(n.Reaches)
		out.Neighbours = append(out.Neighbours, n)
	}
	for _, w := range h.Waits {
		out.Waits = append(out.Waits, Wait{Study: name("study", w.ID.String()), What: w.What, For: parties(w.For)})
	}
	out.Listen = places(h.Listen)
	return out
}

// Health returns the facts of the node's condition. Ask lets the node ask the other
// members' nodes, which takes some seconds; else it says what it heard last.
func (c *Client) Health(ctx context.Context, anew bool) (Health, error) {
	return ask[Health](ctx, c, "health?"+url.Values{"ask": {strconv.FormatBool(anew)}}.Encode())
}
