package chain

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proto/tendermint/types"

	"croft"
	"croft/internal/ledger"
)

const (
	// memberQuota bounds what waits for a block on one member's account, so that
	// nobody fills the others' mempools. Half of it is the member's own: guests and
	// newcomers, for whom it answers, cannot keep it from acting.
	memberQuota = 128
	// keepVersions old states are kept: a node that comes back after a crash runs
	// at most one block again, the rest is for readers in flight.
	keepVersions = 100
	pruneEvery   = 50
)

// app is the state machine as CometBFT calls it. The consensus, mempool and query
// connections call at the same time: mu makes them one.
type app struct {
	abci.BaseApplication
	genesis croft.Genesis
	admit   func() []croft.PublicKey // node keys of those who may be peers; nil: all
	watchers
	blocks watchers // of every block, also those without news

	mu      sync.Mutex
	closed  bool
	machine *ledger.Machine
	tree    *ledger.Tree
	store   dbm.DB     // under the tree; also holds tx/HASH → height, txs/HEIGHT → codes
	hash    croft.Hash // of the last committed state; Machine.AppHash may not be asked between Execute and Commit
	time    time.Time  // of the last committed block
	pending *pending   // executed, not yet committed
	quota   map[croft.MemberID]map[croft.Hash]bool
	waiting map[croft.Hash][]chan ledger.Effect
	keys    map[string]croft.PublicKey // CometBFT address → validator key
}

// pending is what a block did between FinalizeBlock and Commit.
type pending struct {
	height  int64
	time    time.Time
	results []ledger.Effect
	hash    croft.Hash
}

func newApp(g croft.Genesis, inherited ledger.Pieces, store dbm.DB, admit func() []croft.PublicKey) (*app, error) {
	tree, err := ledger.OpenTree(treeDB{store})
	if err != nil {
		return nil, err
	}
	machine, err := begin(g, inherited, tree)
	if err != nil {
		return nil, err
	}
	return &app{
		genesis: g, admit: admit, machine: machine, tree: tree, store: store, hash: machine.AppHash(),
		quota: map[croft.MemberID]map[croft.Hash]bool{}, waiting: map[croft.Hash][]chan ledger.Effect{},
		keys: map[string]croft.PublicKey{},
	}, nil
}

// begin returns the machine of a chain that goes on, or begins: then that of a
// successor needs the state that it inherits.
func begin(g croft.Genesis, inherited ledger.Pieces, tree *ledger.Tree) (*ledger.Machine, error) {
	if g.Rescue == nil || tree.Height() > 0 || inherited == nil {
		return ledger.New(g, tree)
	}
	return ledger.Continue(g, inherited, tree)
}

// Info tells CometBFT how far the state is; it runs the blocks after that again.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := &abci.ResponseInfo{AppVersion: appVersion, LastBlockHeight: a.machine.Height()}
	if info.LastBlockHeight > 0 {
		info.LastBlockAppHash = slices.Clone(a.hash[:])
	}
	return info, nil
}

// InitChain answers with the hash of the genesis state.
func (a *app) InitChain(context.Context, *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &abci.ResponseInitChain{AppHash: slices.Clone(a.hash[:])}, nil
}

// Query answers one thing only: may this peer connect? CometBFT asks by address
// (always ours: loopback) and by the node id that the peer has proved.
func (a *app) Query(_ context.Context, q *abci.RequestQuery) (*abci.ResponseQuery, error) {
	id, byID := strings.CutPrefix(q.Path, "/p2p/filter/id/")
	named := func(key croft.PublicKey) bool { return string(nodeID(key)) == id }
	if strings.HasPrefix(q.Path, "/p2p/filter/addr/") || byID && (a.admit == nil || slices.ContainsFunc(a.admit(), named)) {
		return &abci.ResponseQuery{}, nil
	}
	return &abci.ResponseQuery{Code: uint32(croft.ErrTxRights), Log: "not a member's node"}, nil
}

// CheckTx keeps out of the mempool what can never hold: it checks against the
// last committed state, once when the transaction comes and again after each block.
func (a *app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := croft.Sum(req.Tx)
	sender, answers, err := a.check(req.Tx)
	if held, fault := a.store.Has(txKey(id)); err == nil && (held || fault != nil) {
		err = croft.E(croft.ErrTxDuplicate, "this transaction") // a slow peer's copy
	}
	if err == nil {
		err = a.queue(id, sender, answers, req.Type == abci.CheckTxType_Recheck)
	}
	if err == nil {
		return &abci.ResponseCheckTx{}, nil
	}
	refused := ledger.Effect{Tx: id, Code: croft.CodeOf(err), Log: err.Error()}
	a.answer(refused) // a transaction that was good when it came may be dropped here
	return &abci.ResponseCheckTx{Code: uint32(refused.Code), Log: refused.Log}, nil
}

// queue counts a transaction that is to wait, once: each peer sends its copy. One that
// no block took stays, and counts for the next.
func (a *app) queue(tx croft.Hash, sender, answers croft.MemberID, waits bool) error {
	if a.quota[answers] == nil {
		a.quota[answers] = map[croft.Hash]bool{}
	}
	room := memberQuota
	if sender != answers {
		room /= 2
	}
	waiting := a.quota[answers]
	if !waits && !waiting[tx] && len(waiting) >= room {
		return croft.E(croft.ErrTxQuota, answers.Short(), room)
	}
	waiting[tx] = true
	return nil
}

// check is Machine.Check. Before the first block there is no state to check
// against, and what is refused here is not offered again by the peers: form alone
// counts then, and the check after the first block does the rest.
func (a *app) check(raw []byte) (sender, answers croft.MemberID, err error) {
	if a.machine.Height() > 0 {
		return a.machine.Check(raw)
	}
	tx, _, err := ledger.Parse(raw)
	return tx.Member, tx.Member, err
}

// ProcessProposal refuses a proposal with bytes that are no transaction: the form
// depends on nothing but the bytes, so all honest nodes agree. What well-formed
// transactions may do is for the rules.
func (a *app) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	malformed := func(tx []byte) bool { _, _, err := ledger.Parse(tx); return err != nil }
	if slices.ContainsFunc(req.Txs, malformed) {
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock runs a decided block. Nothing is durable before Commit.
func (a *app) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	proposer, err := a.validatorKey(req.ProposerAddress)
	if err != nil {
		return nil, err
	}
	var silent []croft.PublicKey
	for _, vote := range req.DecidedLastCommit.Votes {
		if vote.BlockIdFlag == types.BlockIDFlagAbsent {
			key, err := a.validatorKey(vote.Validator.Address)
			if err != nil {
				return nil, err
			}
			silent = append(silent, key)
		}
	}
	out := a.machine.Execute(ledger.Block{Height: req.Height, Time: req.Time.UnixMilli(), Proposer: proposer, Silent: silent}, req.Txs)
	a.pending = &pending{req.Height, req.Time, out.Effects, out.AppHash}
	return &abci.ResponseFinalizeBlock{
		TxResults: execResults(out.Effects), ValidatorUpdates: validatorUpdates(out.Validators), AppHash: out.AppHash[:],
	}, nil
}

// Commit makes the block durable and then tells who waits. If the process dies in
// here, CometBFT has the block and runs it again at the next start.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.pending
	// Before the state, and in the same log file: the tree's sync makes both durable.
	codes := make([]croft.Code, len(p.results))
	for i, r := range p.results {
		if codes[i] = r.Code; r.Code == 0 {
			if err := a.store.Set(txKey(r.Tx), binary.BigEndian.AppendUint64(nil, uint64(p.height))); err != nil {
				return nil, err
			}
		}
	}
	if slices.Max(append(codes, 0)) > 0 {
		if err := a.store.Set(codesKey(p.height), croft.Encode(codes)); err != nil {
			return nil, err
		}
	}
	if err := a.machine.Commit(); err != nil {
		return nil, err
	}
	if hash := a.machine.AppHash(); hash != p.hash {
		return nil, fmt.Errorf("block %d: state %s was written, %s was announced", p.height, hash, p.hash)
	}
	if p.height%pruneEvery == 0 {
		if err := a.tree.Prune(p.height - keepVersions); err != nil {
			return nil, err
		}
	}
	news := len(p.results) > 0 || p.hash != a.hash
	a.hash, a.time, a.pending = p.hash, p.time, nil
	clear(a.quota)
	for _, r := range p.results {
		a.answer(r)
	}
	if news {
		a.wake()
	}
	a.blocks.wake()
	return &abci.ResponseCommit{}, nil
}

// await returns a channel that receives the result of a transaction, and what to
// call when nobody waits any more.
func (a *app) await(tx croft.Hash) (<-chan ledger.Effect, func()) {
	ch := make(chan ledger.Effect, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[tx] = append(a.waiting[tx], ch)
	return ch, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		left := slices.DeleteFunc(a.waiting[tx], func(c chan ledger.Effect) bool { return c == ch })
		if a.waiting[tx] = left; len(left) == 0 {
			delete(a.waiting, tx)
		}
	}
}

// answer tells those who wait for a transaction; a.mu is held.
func (a *app) answer(r ledger.Effect) {
	for _, ch := range a.waiting[r.Tx] {
		ch <- r
	}
	delete(a.waiting, r.Tx)
}

// holds reports whether the transaction is in a committed block with result 0.
// A refused one had no effect: it may be tried again.
func (a *app) holds(tx croft.Hash) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.store.Has(txKey(tx))
}

func txKey(tx croft.Hash) []byte { return append([]byte("tx/"), tx[:]...) }

// codesKey holds the codes of a block's transactions, unless all are 0.
func codesKey(height int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("txs/"), uint64(height))
}

// validatorKey finds a member's validator key by CometBFT's address of it.
// Members that were revoked count too: they order blocks for two heights more.
func (a *app) validatorKey(address []byte) (croft.PublicKey, error) {
	if key, ok := a.keys[string(address)]; ok {
		return key, nil
	}
	for _, m := range a.genesis.Members {
		a.keys[string(cometKey(m.Validator).Address())] = m.Validator
	}
	network, _, err := ledger.Decode[ledger.Network](a.machine.Get(ledger.NetworkKey))
	if err != nil {
		return croft.PublicKey{}, err
	}
	for _, id := range network.Members {
		m, _, err := ledger.Decode[croft.Member](a.machine.Get(ledger.MemberKey(id)))
		if err != nil {
			return croft.PublicKey{}, err
		}
		a.keys[string(cometKey(m.Validator).Address())] = m.Validator
	}
	key, ok := a.keys[string(address)]
	if !ok {
		return key, fmt.Errorf("block proposed by %X, no member's validator key", address)
	}
	return key, nil
}

// read gives f the machine, which it may only read, unless the node is closed: a
// tree without its database cannot answer.
func (a *app) read(f func(*ledger.Machine)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		f(a.machine)
	}
	return !a.closed
}

func (a *app) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

func (a *app) setTime(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.time = t
}
