package chain

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

const (
	// appVersion is in every header; the rules switch on it when they change.
	appVersion = 1
	// maxBlock bounds a block: 64 of the largest transactions.
	maxBlock = 1 << 20
	// votingPower is every orderer's weight. Not 1: CometBFT divides the total by
	// three in integers to see whether the chain can move without this node, and
	// with four orderers of power 1 each would skip the fetching of old blocks.
	votingPower = 100
)

// Timing is the pace of consensus. The waits that matter when all is well are the
// pause after a commit and the sleeps between gossips; the others are how long a
// dead proposer is waited for.
type Timing uint8

// The timings.
const (
	WAN Timing = iota // members at different places
	LAN               // one room, one machine
)

func (t Timing) apply(c *config.Config) {
	c.Consensus.TimeoutPropose, c.Consensus.TimeoutProposeDelta = 3*time.Second, time.Second
	c.Consensus.TimeoutPrevote, c.Consensus.TimeoutPrevoteDelta = time.Second, 500*time.Millisecond
	c.Consensus.TimeoutPrecommit, c.Consensus.TimeoutPrecommitDelta = time.Second, 500*time.Millisecond
	c.Consensus.TimeoutCommit = 200 * time.Millisecond
	c.Consensus.PeerGossipSleepDuration = 50 * time.Millisecond
	c.P2P.FlushThrottleTimeout = 10 * time.Millisecond
	if t == LAN {
		c.Consensus.TimeoutPropose, c.Consensus.TimeoutProposeDelta = time.Second, 500*time.Millisecond
		c.Consensus.TimeoutPrevote, c.Consensus.TimeoutPrevoteDelta = 500*time.Millisecond, 250*time.Millisecond
		c.Consensus.TimeoutPrecommit, c.Consensus.TimeoutPrecommitDelta = 500*time.Millisecond, 250*time.Millisecond
		c.Consensus.TimeoutCommit = 20 * time.Millisecond
		c.Consensus.PeerGossipSleepDuration = 10 * time.Millisecond
		c.P2P.FlushThrottleTimeout = 2 * time.Millisecond
	}
}

// cometConfig returns CometBFT's settings for a node whose files are in dir and
// which listens at addr.
func cometConfig(dir, addr string, timing Timing) *config.Config {
	c := config.DefaultConfig()
	c.SetRoot(dir)
	c.Moniker = "croft"
	c.FilterPeers = true // Query decides
	c.RPC.ListenAddress = ""
	c.Instrumentation.Prometheus = false // it registers global names: a second node in the process would panic
	c.TxIndex.Indexer = "null"           // its database is never closed; app.holds is what we need of it
	c.Storage.DiscardABCIResponses = true
	c.Consensus.CreateEmptyBlocks = false
	c.Consensus.WalPath = filepath.Join("wal", "wal")
	c.Mempool.MaxTxBytes = ledger.MaxTx
	c.Mempool.Size = 4096
	c.Mempool.CacheSize = 0 // app.holds is the memory of what was seen; this one would refuse what is offered again
	c.Mempool.MaxTxsBytes = 32 << 20
	c.P2P.ListenAddress = "tcp://" + addr
	c.P2P.AddrBook = "addrbook.json"
	c.P2P.AddrBookStrict = false   // loopback addresses
	c.P2P.AllowDuplicateIP = true  // all of them
	c.P2P.PexReactor = false       // peers come from the ledger
	c.P2P.MaxNumInboundPeers = 200 // members only; see Query
	timing.apply(c)
	return c
}

// genesisDoc derives CometBFT's genesis from the network's.
func genesisDoc(g croft.Genesis, founders []ledger.Validator) *types.GenesisDoc {
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlock
	params.Evidence.MaxBytes = maxBlock / 16
	params.Version.App = appVersion
	doc := &types.GenesisDoc{
		ChainID: g.Scope().Chain, GenesisTime: time.Unix(g.Time, 0).UTC(), InitialHeight: 1, ConsensusParams: params,
	}
	for _, v := range founders {
		key := cometKey(v.Key)
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: key.Address(), PubKey: key, Power: votingPower})
	}
	return doc
}

func cometKey(k croft.PublicKey) ed25519.PubKey { return ed25519.PubKey(k[:]) }

func validatorUpdates(changes []ledger.Validator) []abci.ValidatorUpdate {
	out := make([]abci.ValidatorUpdate, len(changes))
	for i, v := range changes {
		out[i] = abci.Ed25519ValidatorUpdate(v.Key[:], min(v.Power, 1)*votingPower)
	}
	return out
}

// execResults are the results as headers hash them: the code alone counts, so
// that a changed sentence cannot split the chain.
func execResults(results []ledger.Effect) []*abci.ExecTxResult {
	out := make([]*abci.ExecTxResult, len(results))
	for i, r := range results {
		out[i] = &abci.ExecTxResult{Code: uint32(r.Code), Log: r.Log}
	}
	return out
}

// cometLog gives CometBFT's errors to slog as warnings and drops the rest. When
// consensus dies of a panic (a full disk, a damaged file) CometBFT goes on
// without it and says so here only: fail makes it heard.
type cometLog struct {
	log    *slog.Logger
	fail   func(error)
	closed *atomic.Bool // CometBFT grumbles about each thing it stops
}

func (l cometLog) Debug(string, ...any) {}
func (l cometLog) Info(string, ...any)  {}

func (l cometLog) Warn(msg string, facts ...any) { l.write(slog.LevelDebug, msg, facts) }

func (l cometLog) Error(msg string, facts ...any) {
	l.write(slog.LevelWarn, msg, facts)
	if msg == "CONSENSUS FAILURE!!!" {
		l.fail(fmt.Errorf("consensus stopped: %v", facts[1])) // facts: "err", reason, "stack", …
	}
}

func (l cometLog) With(facts ...any) log.Logger {
	l.log = l.log.With(facts...)
	return l
}

func (l cometLog) write(level slog.Level, msg string, facts []any) {
	if !l.closed.Load() && l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, msg, facts...)
	}
}
