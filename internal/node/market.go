package node

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"

	"croft"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/p2p"
	"croft/internal/serve"
	"croft/internal/store"
)

// The market's part of a node: its payment key, the journal of its tills, and the
// models of the network that it may run.

// tillFolder holds the journal of a node's tills.
const tillFolder = "till"

// openMarket opens the tills as a crash may have left them and serves what the owner
// offers.
func (n *Node) openMarket() error {
	key, err := keys.OpenPayment(n.cfg.Dir)
	if err != nil {
		return err
	}
	open := func(replay func([]byte) error) (market.Journal, error) {
		j, err := store.OpenJournal(filepath.Join(n.cfg.Dir, tillFolder), replay)
		if err != nil {
			return nil, err
		}
		n.close = append(n.close, closer{"the tills", j.Close})
		return j, nil
	}
	m, err := market.New(market.Config{Self: n.Self, Scope: n.genesis.Scope(), Key: key.Public(), Sign: key.Sign, Ledger: n.Chain, Docs: n.Docs,
		Peers: callers{n}, Submit: n.Study.Submit, Log: n.cfg.Log, At: n.cfg.At}, open)
	if err != nil {
		return err
	}
	if n.apiKeys, err = serve.OpenKeys(n.Docs); err != nil {
		return err
	}
	n.Market = &market.Desk{Market: m, Models: &models{n: n}, Calls: n.calls, Registered: n.registered}
	n.Host.HandleParts(market.Protocol, market.MaxAsk, func(ctx context.Context, from p2p.PeerID, request []byte, part func([]byte) error) ([]byte, error) {
		caller, known := n.memberOf(from)
		if !known {
			return nil, croft.E(croft.ErrTxRights, string(from), "it is not a member")
		}
		return m.Serve(ctx, caller.ID, request, part)
	})
	err = n.Market.Open(context.Background()) // the node's own state and disk: no waiting
	if n.light != nil && errors.Is(err, croft.ErrNoQuorum) {
		err = nil // it has no state yet, and looks again once it has
	}
	return err
}

// callers reaches providers for the market.
type callers struct{ n *Node }

var errParts = errors.New("parts of an answer that has none")

func (c callers) Ask(ctx context.Context, to croft.MemberID, request []byte, part func([]byte) error) ([]byte, error) {
	if part == nil {
		part = func([]byte) error { return errParts }
	}
	members := c.n.everybody()
	at := slices.IndexFunc(members, func(m croft.Member) bool { return m.ID == to })
	if at < 0 {
		return nil, croft.E(croft.ErrPeer, to.Short(), "it is not a member")
	}
	answer, err := c.n.Host.CallParts(ctx, p2p.PeerOf(members[at].Node), market.Protocol, request, market.MaxAnswer, part)
	if e, ok := errors.AsType[*croft.Error](err); ok && e.Code == croft.ErrPeer && len(e.Args) == 2 {
		return nil, croft.E(croft.ErrPeer, members[at].Name, e.Args[1]) // people know it by name
	}
	return answer, err
}

// models are the network's models for the market. An engine is made once.
type models struct {
	n  *Node
	mu sync.Mutex // guards made
	// made holds what was opened so far: a model never changes.
	made map[croft.StudyID]model
}

type model struct {
	engine   serve.Engine
	document []byte
}

func (m *models) Engine(ctx context.Context, id croft.StudyID) (serve.Engine, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if made, ok := m.made[id]; ok {
		return made.engine, made.document, nil
	}
	plan, found, err := read[croft.Study](ctx, m.n, ledger.PlanKey(id))
	if err == nil && !found {
		err = croft.E(croft.ErrNotFound, "study", id.Short(), "croft study ls")
	}
	if err != nil {
		return nil, nil, err
	}
	if !m.n.entitled(ctx, id, m.n.Self) {
		return nil, nil, croft.E(croft.ErrUse, "its sites and its proposer", m.n.Member.Name, "a new study with use = \"network\"")
	}
	document, err := m.n.Study.ModelDocument(id)
	if err != nil {
		return nil, nil, err
	}
	compiled, state, err := m.n.Study.Model(ctx, plan, id)
	if err != nil {
		return nil, nil, err
	}
	result, err := compiled.Result(state)
	if err != nil {
		return nil, nil, err
	}
	engine, err := serve.NewModel(plan, result)
	if err != nil {
		return nil, nil, err
	}
	if m.made == nil {
		m.made = map[croft.StudyID]model{}
	}
	m.made[id] = model{engine, document}
	return engine, document, nil
}

func (m *models) Keep(ctx context.Context, id croft.StudyID, document []byte) error {
	return m.n.Study.KeepModel(ctx, id, document)
}

// calls is the ledger's rule for who may call a service, by who takes part now.
func (n *Node) calls(who croft.MemberID, s croft.Service) bool {
	switch s.Use {
	case croft.UseMembers:
		return n.entitled(context.Background(), s.Model, who)
	case croft.UseNetwork:
		return n.isMember(who)
	}
	return true
}

// entitled is the ledger's rule for who may have a study's model.
func (n *Node) entitled(ctx context.Context, id croft.StudyID, who croft.MemberID) bool {
	on, found, err := read[ledger.Model](ctx, n, ledger.ModelKey(id))
	switch {
	case err != nil || !found:
		return false
	case on.Use == croft.UseMembers:
		st, found, err := read[ledger.Study](ctx, n, ledger.StudyKey(id))
		return err == nil && found && (slices.Contains(on.Cohort, who) || st.Proposer == who)
	case on.Use == croft.UseNetwork:
		return n.isMember(who)
	}
	return true
}

// isMember says whether somebody is a member, and no guest.
func (n *Node) isMember(who croft.MemberID) bool {
	r := n.roll()
	return !r.guests[who] && slices.ContainsFunc(r.all, func(m croft.Member) bool { return m.ID == who })
}

// registered says whether columns are those of a dataset of the owner: then what is
// in them is likely to be its rows.
func (n *Node) registered(columns []string) (string, bool) {
	entries, err := n.Data.List()
	if err != nil {
		return "that cannot be read now", true
	}
	for _, e := range entries {
		if len(columns) > 0 && !e.Policy.Public && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(e.Columns, c) }) {
			return e.Name, true
		}
	}
	return "", false
}

// trade does the market's duties, and follows what is offered.
func (n *Node) trade(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { _ = n.Market.Follow(ctx) }) // it only ends with ctx
	err := n.Market.Run(ctx)
	both.Wait()
	return err
}
