// Package sim runs a whole network in one process: several members' nodes, each
// with its own folder, keys, ports and consensus. Nothing is simulated but the
// distance between the machines and the people who say yes.
package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
	"croft/internal/study"
)

// Network is a network of members on this machine.
type Network struct {
	Genesis croft.Genesis
	Members []*Member

	group *errgroup.Group
	stop  context.CancelFunc
}

// Member is one of them: its folder, its person's keys, and its running node.
type Member struct {
	croft.Member
	Dir  string
	Keys *keys.Keys
	Node *node.Node
}

// Found makes a folder for each member below dir, and one genesis for all.
func Found(dir, name string, now time.Time, members ...string) (*Network, error) {
	n := &Network{Genesis: croft.Genesis{Version: 1, Name: name, Time: now.Unix()}}
	for _, who := range members {
		m := &Member{Dir: filepath.Join(dir, strings.ReplaceAll(strings.ToLower(who), " ", "-"))}
		if err := os.MkdirAll(m.Dir, 0o700); err != nil {
			return nil, croft.E(croft.ErrFolder, m.Dir, err)
		}
		k, err := keys.Create(m.Dir)
		if err != nil {
			return nil, err
		}
		m.Keys, m.Member = k, k.Member(who, true)
		m.Ready = true
		n.Members = append(n.Members, m)
		n.Genesis.Members = append(n.Genesis.Members, m.Member)
	}
	for _, m := range n.Members {
		if err := node.Found(m.Dir, n.Genesis); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Start opens every node, tells each where the others are, and runs them until
// Stop. events is told what every node does, and may be called at the same time
// from several.
func (n *Network) Start(ctx context.Context, log *slog.Logger, events func(croft.MemberID, study.Event)) error {
	ctx, n.stop = context.WithCancel(ctx)
	for _, m := range n.Members {
		var err error
		m.Node, err = node.Open(node.Config{Dir: m.Dir, Timing: chain.LAN, Log: log.With("node", m.Name),
			Events: func(e study.Event) { events(m.ID, e) }})
		if err != nil {
			m.Node = nil
			return err
		}
	}
	for _, m := range n.Members {
		for _, other := range n.Members {
			if m != other {
				m.Node.Meet(other.Node.Host.Addrs())
			}
		}
	}
	n.group, ctx = errgroup.WithContext(ctx)
	for _, m := range n.Members {
		n.group.Go(func() error {
			if err := m.Node.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			return nil
		})
	}
	return nil
}

// Rest waits until the ledger is at rest: all nodes have the same last block, and
// no further block is due to prove its effect.
func (n *Network) Rest(ctx context.Context) error {
	first := n.Members[0]
	return first.Await(ctx, func(context.Context) (bool, error) {
		status := first.Node.Chain.Status()
		for _, m := range n.Members {
			if m.Node.Chain.Status().Height != status.Height {
				return false, nil
			}
		}
		block, err := first.Node.Chain.Block(status.Height)
		if err != nil {
			return false, err
		}
		base, err := block.Base()
		return base == status.AppHash, err
	})
}

// Stop stops every node and waits for it.
func (n *Network) Stop() error {
	if n.stop != nil {
		n.stop()
	}
	var err error
	if n.group != nil {
		err = n.group.Wait()
	}
	var group errgroup.Group
	for _, m := range n.Members {
		if m.Node != nil {
			group.Go(m.Node.Close)
		}
	}
	if closing := group.Wait(); err == nil {
		err = closing
	}
	return err
}

// Send signs a transaction with the member's keys and sends it through its node.
func (m *Member) Send(ctx context.Context, body any) (croft.Hash, error) {
	raw := ledger.Seal(m.Node.Study.Scope, m.ID, 0, body, m.Keys.Sign)
	return croft.Sum(raw), m.Node.Study.Send(ctx, raw)
}

// Register registers a file as a dataset, as `croft data add` does.
func (m *Member) Register(ctx context.Context, path, name string, o data.Options) (croft.DatasetID, error) {
	p, err := m.Node.Data.Prepare(path, name, o)
	if err != nil {
		return croft.DatasetID{}, err
	}
	raw := ledger.Seal(m.Node.Study.Scope, m.ID, 0, &ledger.Register{Name: p.Name, Commitment: p.Commitment,
		Group: p.Group, Releases: p.Releases, Public: p.Policy.Public}, m.Keys.Sign)
	id := croft.DatasetID(croft.Sum(raw))
	if err := m.Node.Data.Add(id, p); err != nil {
		return id, err
	}
	return id, m.Node.Study.Send(ctx, raw)
}

// Approve says yes to 60 sums of a study for a dataset, as `croft study approve` does.
func (m *Member) Approve(ctx context.Context, id croft.StudyID, dataset croft.DatasetID) error {
	st, plan, err := m.Study(ctx, id)
	if err != nil {
		return err
	}
	rows, err := m.rows(ctx, plan, dataset)
	if err != nil {
		return err
	}
	a := study.ApprovalOf(st, plan, dataset, 60, study.RowsAllowed(rows))
	return m.Node.Study.Approve(ctx, ledger.Seal(m.Node.Study.Scope, m.ID, 0, &a, m.Keys.Sign))
}

// rows counts the rows that a dataset gives to a study.
func (m *Member) rows(ctx context.Context, plan croft.Study, dataset croft.DatasetID) (int, error) {
	t, _, err := m.Node.Data.Open(ctx, dataset, plan.Schema)
	if err != nil {
		return 0, err
	}
	site, err := study.Rows(t, plan)
	return len(site.Train.X) + len(site.Test.X), err
}

// Study reads a study from the member's own ledger.
func (m *Member) Study(ctx context.Context, id croft.StudyID) (ledger.Study, croft.Study, error) {
	raw, err := m.Node.Chain.Read(ctx, ledger.StudyKey(id))
	if err != nil {
		return ledger.Study{}, croft.Study{}, err
	}
	st, found, err := ledger.Decode[ledger.Study](raw)
	if err == nil && !found {
		err = croft.E(croft.ErrNotFound, "study", id.Short(), "croft study ls")
	}
	if err != nil {
		return st, croft.Study{}, err
	}
	raw, err = m.Node.Chain.Read(ctx, ledger.PlanKey(id))
	if err != nil {
		return st, croft.Study{}, err
	}
	plan, _, err := ledger.Decode[croft.Study](raw)
	return st, plan, err
}

// Await waits until the member's ledger shows what want asks for.
func (m *Member) Await(ctx context.Context, want func(context.Context) (bool, error)) error {
	moved := m.Node.Chain.Watch(ctx)
	for {
		ok, err := want(ctx)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-time.After(time.Second):
		}
	}
}
