// Package chain runs the ledger's state machine under consensus. It is the only
// package that knows CometBFT.
//
//	chain.go   what the flows see of a ledger
//	full.go    a member's node: CometBFT in this process
//	light.go   a member's node that keeps headers, and has the rest proved to it
//	source.go  a full member's node as a light one sees it
//	answer.go  what a full node answers light ones
//	stored.go  what a node has on its disk, for it and for readers without it
//	app.go     the state machine as CometBFT calls it
//	twin.go    the same ledger in memory, one sequencer, for tests and simulation
//	block.go   blocks as they are handed to an auditor, and their check
//	comet.go   genesis, parameters and settings in CometBFT's words
//	storage.go databases and the signing record
//	record.go  the signing record of a folder that was restored
//	disk.go    is there room to go on
//
// A transaction counts when it is in a committed block with result 0; nothing
// before that (a mempool, a gossip) is an acknowledgement. CometBFT's own peers
// are reached over loopback only: whoever runs a Node carries the connections.
package chain

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"croft"
	"croft/internal/ledger"
)

// Ledger is what the flows see of a network's ledger. A full node, a light node and
// the in-memory twin implement it, and one suite of tests holds them to it.
type Ledger interface {
	// Submit hands in a signed transaction and returns when it is in a committed
	// block: nil if it holds, else the refusal (errors.Is with a croft.Code). The
	// end of ctx ends the wait, not the transaction: the error is then
	// croft.ErrNoQuorum and wraps ctx's. The same bytes are the same transaction:
	// whoever keeps them durably may submit them again until this returns.
	Submit(ctx context.Context, tx []byte) error
	// Get reads one key of the last committed state with its proof, of presence or
	// of absence. The proof is against the root that the next block's header signs.
	Get(ctx context.Context, key string) (ledger.Proof, error)
	// Read is Get for whoever believes this ledger's own check; nil is absence.
	Read(ctx context.Context, key string) ([]byte, error)
	// Watch returns a channel that receives after a block with news was committed.
	// Several blocks may be one wake-up; the news is in the state. It is never
	// closed; it falls silent when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
	// Status says where the ledger stands.
	Status() Status
}

// Blocks is what an auditor reads.
type Blocks interface {
	// Block returns a committed block; croft.ErrNotFound if there is none of this
	// height.
	Block(height int64) (BlockData, error)
	// Range calls yield for every key of the last committed state with the prefix,
	// in order. The ledger stands still meanwhile.
	Range(prefix string, yield func(key string, value []byte)) error
}

// Status says where a ledger stands.
type Status struct {
	Height     int64
	AppHash    croft.Hash // after the block of this height
	Time       time.Time  // of the block of this height: the past, on an idle ledger
	Orderers   []croft.MemberID
	Peers      int  // members' nodes that are connected
	CatchingUp bool // old blocks are being fetched
}

// status adds to a state's hash and time what the state itself says.
func status(m *ledger.Machine, hash croft.Hash, blockTime time.Time) Status {
	network, _, _ := ledger.Decode[ledger.Network](m.Get(ledger.NetworkKey)) // our own record: always readable
	return Status{Height: m.Height(), AppHash: hash, Time: blockTime, Orderers: network.Orderers}
}

// watchers wakes everybody who watches a ledger.
type watchers struct {
	mu  sync.Mutex
	set map[chan struct{}]context.Context // until when each is interested
}

func (w *watchers) watch(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1) // room for one: a wake-up that was not read yet stands for all later ones
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget()
	if w.set == nil {
		w.set = map[chan struct{}]context.Context{}
	}
	w.set[ch] = ctx
	return ch
}

func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget()
	for ch := range w.set {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// forget drops those whose context ended; w.mu is held.
func (w *watchers) forget() {
	maps.DeleteFunc(w.set, func(_ chan struct{}, ctx context.Context) bool { return ctx.Err() != nil })
}

var errNoBlock = errors.New("there is no block yet")

// prove is Machine.Prove, which has nothing to prove from before the first block.
func prove(m *ledger.Machine, key string) (ledger.Proof, error) {
	if m.Height() == 0 {
		return ledger.Proof{}, croft.E(croft.ErrNoQuorum, errNoBlock)
	}
	return m.Prove(key)
}
