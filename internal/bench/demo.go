package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/audit"
	"croft/internal/data"
	"croft/internal/energy"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/sim"
	"croft/internal/study"
	"croft/internal/table"
)

// DemoConfig says how to run the demo.
type DemoConfig struct {
	Dir      string // where the five nodes' folders are made; it must be empty or absent
	Seed     uint64 // of the split into clinics
	Unproved bool   // reports carry no proof, for comparison
	Log      *slog.Logger
	Progress func(DemoStep) // may be called from several goroutines at once
}

// DemoStep is one thing that happened, for progress on a screen.
type DemoStep struct {
	Stage string      // found, start, register, propose, approve, round, audit
	Who   string      // a member's name, if one did it
	Event study.Event // of stage round
	Text  string
}

// DemoReport is what `croft demo --json` prints.
type DemoReport struct {
	Seed        uint64  `json:"seed"`
	Data        string  `json:"data"`
	Split       string  `json:"split"`
	Seconds     float64 `json:"seconds"`
	Rounds      int     `json:"rounds"`
	Steps       int     `json:"sequential_steps_per_round"` // longest chain of transactions of which each needs the one before
	BlocksRound float64 `json:"blocks_per_round"`
	Study       string  `json:"study"`
	Profile     string  `json:"profile"`
	Unproved    bool    `json:"unproved"`

	Nodes []DemoNode `json:"nodes"`
	Comparison
	Deviance float64 `json:"deviance"`
	Rows     int     `json:"rows"`
	Test     int     `json:"test_rows"`

	Bytes      DemoBytes      `json:"bytes"`
	Numbers    int            `json:"numbers_per_site"` // that left each site, over all rounds
	CPUSeconds float64        `json:"cpu_seconds"`
	Energy     energy.Reading `json:"energy"`
	Ledger     DemoLedger     `json:"ledger"`
	Breach     DemoBreach     `json:"breach_radius"`
	Audit      audit.Report   `json:"audit"`
}

// DemoNode is one of the five.
type DemoNode struct {
	Name    string `json:"name"`
	Peer    string `json:"peer"`
	Port    string `json:"port"`
	AppHash string `json:"app_hash"`
	Dir     string `json:"dir"`
}

// DemoBytes counts what moved.
type DemoBytes struct {
	Report int64 `json:"report"` // the largest report of any site and round
	Wire   int64 `json:"wire"`   // all that the five hosts sent each other, consensus and greetings included
}

// DemoLedger is the chain at the end.
type DemoLedger struct {
	Height int64 `json:"height"`
	Bytes  int64 `json:"bytes"` // of one node's chain folder
}

// DemoBreach is how many people's rows can be read from one stolen disk.
type DemoBreach struct {
	Pooled    int `json:"pooled"`
	Largest   int `json:"largest"`
	Smallest  int `json:"smallest"`
	WithoutIt int `json:"seat_without_data"`
}

// cooperative is the fifth member: it holds no data and is a seat.
const cooperative = "cooperative"

// Demo runs a community's first study on this machine: five members, each with
// its own folder, keys, ports and CometBFT node. Four clinics register their
// files and approve; everything after that is the ordinary path of a study.
func Demo(ctx context.Context, c DemoConfig) (*DemoReport, error) {
	report, _, err := perform(ctx, c, cast{clinicsOf(c.Seed), "lesions", studyTOML})
	return report, err
}

// cast is who plays a study on this machine, and which.
type cast struct {
	clinics []Clinic
	dataset string // what each clinic calls its file
	study   func(names []string, until time.Time) []byte
}

func (k cast) names() (names []string) {
	for _, clinic := range k.clinics {
		names = append(names, clinic.Name)
	}
	return names
}

// played is a study that is over: what its nodes know of the result.
type played struct {
	plan     croft.Study
	compiled *fed.Plan
	final    fed.State
}

// perform is Demo for any cast.
func perform(ctx context.Context, c DemoConfig, k cast) (*DemoReport, *played, error) {
	begun, cpu := time.Now(), energy.Process()
	names := k.names()

	// found: five folders, keys, one genesis.
	c.Progress(DemoStep{Stage: "found", Text: strings.Join(append(slices.Clone(names), cooperative), ", ")})
	network, err := sim.Found(c.Dir, "demo", begun, append(slices.Clone(names), cooperative)...)
	if err != nil {
		return nil, nil, err
	}
	who := map[croft.MemberID]string{}
	for _, m := range network.Members {
		who[m.ID] = m.Name
	}

	// start: libp2p hosts on free ports, real consensus.
	if err := network.Start(ctx, c.Log, func(id croft.MemberID, e study.Event) {
		c.Progress(DemoStep{Stage: "round", Who: who[id], Event: e})
	}); err != nil {
		network.Stop()
		return nil, nil, err
	}
	report, over, err := play(ctx, c, network, k)
	if stopped := network.Stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return nil, nil, err
	}
	report.Seconds = time.Since(begun).Seconds()
	spent := energy.Process() - cpu
	report.CPUSeconds, report.Energy = spent.Seconds(), energy.Modelled(spent)
	report.Ledger.Bytes = folderSize(filepath.Join(network.Members[0].Dir, "chain"))
	return report, over, nil
}

// play is what the people do.
func play(ctx context.Context, c DemoConfig, network *sim.Network, k cast) (*DemoReport, *played, error) {
	sites := network.Members[:len(k.clinics)]

	// register: each clinic's file stays in its own folder.
	datasets := make([]croft.DatasetID, len(sites))
	for i, m := range sites {
		path := filepath.Join(m.Dir, k.dataset+".csv")
		if err := os.WriteFile(path, k.clinics[i].CSV, 0o600); err != nil {
			return nil, nil, croft.E(croft.ErrFolder, m.Dir, err)
		}
		policy := table.DefaultPolicy()
		policy.Public = true // published research data
		var err error
		if datasets[i], err = m.Register(ctx, path, k.dataset, data.Options{Unit: "patient", Releases: 100, Policy: policy}); err != nil {
			return nil, nil, err
		}
		c.Progress(DemoStep{Stage: "register", Who: m.Name, Text: fmt.Sprintf("%d rows", k.clinics[i].Rows)})
	}

	// propose: the first clinic asks a question of all four.
	proposer := sites[0]
	file, err := study.Parse(k.study(k.names(), time.Now().Add(24*time.Hour)), "demo.toml")
	if err != nil {
		return nil, nil, err
	}
	plan, err := file.Study(proposer.ID, nil, func(name string) (croft.MemberID, bool) {
		for _, m := range network.Members {
			if m.Name == name {
				return m.ID, true
			}
		}
		return croft.MemberID{}, false
	})
	if err != nil {
		return nil, nil, err
	}
	plan.Unproved = c.Unproved
	tx, err := proposer.Send(ctx, &ledger.Propose{Plan: plan})
	if err != nil {
		return nil, nil, err
	}
	id := croft.StudyID(tx)
	c.Progress(DemoStep{Stage: "propose", Who: proposer.Name, Text: plan.Name})

	// approve: each clinic signs, for its own dataset.
	for i, m := range sites {
		if err := m.Await(ctx, func(ctx context.Context) (bool, error) {
			_, _, err := m.Study(ctx, id)
			return err == nil, nil
		}); err != nil {
			return nil, nil, err
		}
		if err := m.Approve(ctx, id, datasets[i]); err != nil {
			return nil, nil, err
		}
		c.Progress(DemoStep{Stage: "approve", Who: m.Name})
	}

	// The nodes do the rest; all five see its end.
	var st ledger.Study
	for _, m := range network.Members {
		if err := m.Await(ctx, func(ctx context.Context) (bool, error) {
			if st, _, err = m.Study(ctx, id); err != nil {
				return false, err
			}
			if st.Status == ledger.Stopped {
				return false, croft.E(croft.ErrStopped, plan.Name, st.Reason)
			}
			return st.Status == ledger.Done, nil
		}); err != nil {
			return nil, nil, err
		}
	}
	if err := sites[0].Await(ctx, func(context.Context) (bool, error) {
		_, _, err := sites[0].Node.Study.Model(ctx, plan, id)
		return err == nil, nil
	}); err != nil {
		return nil, nil, err
	}
	return measure(ctx, c, network, k, id, plan)
}

// measure reads the result from one node, compares it with what each clinic and
// a pooled data set would have had, and audits the ledger.
func measure(ctx context.Context, c DemoConfig, network *sim.Network, k cast, id croft.StudyID, plan croft.Study) (*DemoReport, *played, error) {
	sites := network.Members[:len(k.clinics)]
	out := &DemoReport{Seed: c.Seed, Data: Attribution, Split: SplitLabel, Study: id.String(), Unproved: plan.Unproved}
	first := sites[0]
	compiled, final, err := first.Node.Study.Model(ctx, plan, id)
	if err != nil {
		return nil, nil, err
	}
	result, err := compiled.Result(final)
	if err != nil {
		return nil, nil, err
	}
	var rows []Site
	for _, m := range sites {
		t, _, err := data.Open(filepath.Join(m.Dir, k.dataset+".csv"), plan.Schema, data.Limits{})
		if err != nil {
			return nil, nil, err
		}
		site, err := study.Rows(t, plan)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, Site{m.Name, site})
	}
	comparison, err := compare(plan, final, rows)
	if err != nil {
		return nil, nil, err
	}
	out.Comparison, out.Deviance, out.Rounds = *comparison, result.Deviance(), result.Rounds
	out.Rows, out.Test = int(result.Rows+result.TestRows), int(result.TestRows)

	// What left: from the ledger's own record of every round.
	st, _, err := first.Study(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	out.Profile = privagg.Profile{Seats: len(st.Seats), Threshold: int(st.Threshold)}.String()
	for n := range st.Round + 1 {
		raw, err := first.Node.Chain.Read(ctx, ledger.RoundKey(id, n))
		if err != nil {
			return nil, nil, err
		}
		r, _, err := ledger.Decode[ledger.Round](raw)
		if err != nil {
			return nil, nil, err
		}
		for _, report := range r.Reports {
			out.Bytes.Report = max(out.Bytes.Report, int64(report.Header.Size))
			for i, m := range sites {
				if m.ID == report.Site {
					out.Sites[i].BytesOut += int64(report.Header.Size)
				}
			}
		}
	}
	state := compiled.Start()
	for n := uint32(0); state.Word != fed.Done; n++ {
		out.Numbers += compiled.Layout(state, len(sites)).Numbers()
		if state, err = first.Node.Study.State(plan, id, n+1); err != nil {
			return nil, nil, err
		}
	}
	out.Breach = DemoBreach{Pooled: out.Rows, Largest: out.Sites[0].Rows, Smallest: out.Sites[len(sites)-1].Rows}

	if err := network.Rest(ctx); err != nil { // what is reported is what the folders hold
		return nil, nil, err
	}
	status := first.Node.Chain.Status()
	out.Ledger.Height = status.Height
	if out.Steps, out.BlocksRound, err = steps(first, id, status.Height, out.Rounds); err != nil {
		return nil, nil, err
	}
	for _, m := range network.Members {
		addr := m.Node.Host.Addrs()[0]
		out.Nodes = append(out.Nodes, DemoNode{Name: m.Name, Peer: string(m.Node.Host.ID()), Port: strings.Split(addr, "/")[4],
			AppHash: m.Node.Chain.Status().AppHash.String(), Dir: m.Dir})
		out.Bytes.Wire += m.Node.Host.Sent()
	}

	c.Progress(DemoStep{Stage: "audit", Text: fmt.Sprintf("%d blocks", status.Height)})
	out.Audit, err = audit.Verify(ctx, network.Genesis, audit.Chain(first.Node.Chain, status.Height),
		audit.Options{Claim: audit.Checkpoint{Network: network.Genesis.Network(), Height: status.Height, AppHash: status.AppHash}})
	return out, &played{plan, compiled, final}, err
}

// steps reads the blocks and returns the longest chain of transactions of a round
// in which each needs the one before: report, acknowledge, share, result are
// different kinds, each kind waits for the one before, and equal kinds do not
// wait for each other. The second number is blocks a round, from the first report
// to the last result that counted.
func steps(m *sim.Member, id croft.StudyID, height int64, rounds int) (int, float64, error) {
	kinds := map[uint32]map[ledger.Kind]bool{}
	var from, to int64
	for h := int64(1); h <= height; h++ {
		block, err := m.Node.Chain.Block(h)
		if err != nil {
			return 0, 0, err
		}
		_, txs, err := block.Open()
		if err != nil {
			return 0, 0, err
		}
		for _, raw := range txs {
			tx, kind, err := ledger.Parse(raw)
			if err != nil {
				continue
			}
			var study croft.StudyID
			var round uint32
			switch body := tx.Body.(type) {
			case *ledger.Report:
				study, round = body.Study, body.Round
			case *ledger.Ack:
				study, round = body.Study, body.Round
			case *ledger.Share:
				study, round = body.Study, body.Round
			case *ledger.Result:
				study, round = body.Study, body.Round
			case *ledger.Recover:
				study, round = body.Study, body.Round
			}
			if study != id {
				continue
			}
			if kinds[round] == nil {
				kinds[round] = map[ledger.Kind]bool{}
			}
			kinds[round][kind] = true
			if from == 0 {
				from = h
			}
			to = h
		}
	}
	longest := 0
	for _, k := range kinds {
		longest = max(longest, len(k))
	}
	return longest, float64(to-from+1) / float64(rounds), nil
}

func folderSize(dir string) (size int64) {
	filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
