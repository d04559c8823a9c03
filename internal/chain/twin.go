package chain

import (
	"context"
	"sync"
	"time"

	cmtstate "github.com/cometbft/cometbft/state"

	"croft"
	"croft/internal/ledger"
)

// Twin is a network's ledger in memory: the same state machine, the same blocks
// and the same clock rules as under CometBFT, with one sequencer in place of
// consensus. All members of a simulated network share one.
//
// It reads time.Now, so testing/synctest gives it virtual time. Its blocks are
// unsigned (NewTwinVerifier): it shows what the rules do, and proves nothing to
// a stranger.
type Twin struct {
	watchers

	mu      sync.Mutex
	machine *ledger.Machine
	tree    *ledger.Tree
	head    cmtstate.State
	made    time.Time // when the last block was made: the next one's header says so
	blocks  []BlockData
	held    map[croft.Hash]bool // transactions in blocks, with result 0
}

// NewTwin founds the network and makes its first block.
func NewTwin(g croft.Genesis) (*Twin, error) {
	tree := ledger.NewMemoryTree()
	machine, err := ledger.New(g, tree)
	if err != nil {
		return nil, err
	}
	head, err := genesisHead(g, machine)
	if err != nil {
		return nil, err
	}
	t := &Twin{machine: machine, tree: tree, head: head, made: head.LastBlockTime, held: map[croft.Hash]bool{}}
	_, err = t.extend(nil)
	return t, err
}

// extend makes a block and then, like CometBFT with blocks on demand, one more
// for as long as the last one changed the state: the state's hash wants a header.
func (t *Twin) extend(txs [][]byte) (results []ledger.Effect, err error) {
	for first := true; ; first = false {
		before := t.machine.AppHash()
		out, err := t.block(txs)
		if err != nil {
			return nil, err
		}
		if first {
			results = out.Effects
		}
		if out.AppHash == before {
			break
		}
		txs = nil
	}
	t.wake()
	return results, nil
}

// block makes one block. Its header has the time at which the block before was
// made: CometBFT takes the orderers' votes for that block as the clock.
func (t *Twin) block(txs [][]byte) (ledger.Outcome, error) {
	at := t.made
	if t.head.LastBlockHeight > 0 && !at.After(t.head.LastBlockTime) {
		at = t.head.LastBlockTime.Add(time.Millisecond)
	}
	b := makeBlock(t.head, at, txs)
	id, err := blockID(b)
	if err != nil {
		return ledger.Outcome{}, err
	}
	data, err := newBlockData(b, nil)
	if err != nil {
		return ledger.Outcome{}, err
	}
	var proposer croft.PublicKey
	copy(proposer[:], t.head.Validators.GetProposer().PubKey.Bytes())
	out := t.machine.Execute(ledger.Block{Height: b.Height, Time: at.UnixMilli(), Proposer: proposer}, txs)
	next, err := advance(t.head, b, id, out)
	if err != nil {
		return out, err
	}
	if err := t.machine.Commit(); err != nil {
		return out, err
	}
	t.head, t.blocks, t.made = next, append(t.blocks, data), time.Now().UTC()
	for _, r := range out.Effects {
		if r.Code == 0 {
			t.held[r.Tx] = true
		}
	}
	return out, nil
}

// Member returns a handle for one more node of the network.
func (t *Twin) Member() *TwinMember { return &TwinMember{twin: t, healed: make(chan struct{})} }

// TwinMember is one node's view of a Twin. It implements Ledger and Blocks, and
// can be made to fail.
type TwinMember struct {
	twin *Twin

	mu     sync.Mutex
	cut    bool
	healed chan struct{} // closed and replaced when the cut ends
	delay  time.Duration
	drop   int
}

// Cut separates this node from the ledger, or joins it again: while it is cut,
// Submit waits and Get fails.
func (m *TwinMember) Cut(cut bool) {
	m.mu.Lock()
	healed := m.cut && !cut
	if m.cut = cut; healed {
		close(m.healed)
		m.healed = make(chan struct{})
	}
	m.mu.Unlock()
	if healed {
		m.twin.wake()
	}
}

// Delay makes each transaction of this node take so long to the sequencer.
func (m *TwinMember) Delay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

// Drop loses the next n transactions of this node: they reach nobody, and Submit
// waits until its context ends.
func (m *TwinMember) Drop(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop = n
}

// Submit implements Ledger.
func (m *TwinMember) Submit(ctx context.Context, tx []byte) error {
	if err := m.travel(ctx); err != nil {
		return croft.E(croft.ErrNoQuorum, err)
	}
	t := m.twin
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[croft.Sum(tx)] {
		return nil
	}
	if _, _, err := t.machine.Check(tx); err != nil {
		return err
	}
	results, err := t.extend([][]byte{tx})
	if err != nil {
		return err
	}
	return results[0].Err()
}

// travel is the way to the sequencer, with the faults that were asked for.
func (m *TwinMember) travel(ctx context.Context) error {
	m.mu.Lock()
	delay, drop := m.delay, m.drop > 0
	if drop {
		m.drop--
	}
	m.mu.Unlock()
	if drop {
		<-ctx.Done()
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		m.mu.Lock()
		cut, healed := m.cut, m.healed
		m.mu.Unlock()
		if !cut {
			return nil
		}
		select {
		case <-healed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// Get implements Ledger.
func (m *TwinMember) Get(_ context.Context, key string) (ledger.Proof, error) {
	if err := m.reach(); err != nil {
		return ledger.Proof{}, err
	}
	m.twin.mu.Lock()
	defer m.twin.mu.Unlock()
	return prove(m.twin.machine, key)
}

// Read implements Ledger.
func (m *TwinMember) Read(_ context.Context, key string) ([]byte, error) {
	if err := m.reach(); err != nil {
		return nil, err
	}
	m.twin.mu.Lock()
	defer m.twin.mu.Unlock()
	return m.twin.machine.Get(key), nil
}

func (m *TwinMember) reach() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return croft.E(croft.ErrNoQuorum, "this node is cut off")
	}
	return nil
}

// Watch implements Ledger.
func (m *TwinMember) Watch(ctx context.Context) <-chan struct{} { return m.twin.watch(ctx) }

// Status implements Ledger.
func (m *TwinMember) Status() Status {
	m.twin.mu.Lock()
	defer m.twin.mu.Unlock()
	return status(m.twin.machine, m.twin.machine.AppHash(), m.twin.head.LastBlockTime)
}

// Block implements Blocks.
func (m *TwinMember) Block(height int64) (BlockData, error) {
	m.twin.mu.Lock()
	defer m.twin.mu.Unlock()
	if height < 1 || height > int64(len(m.twin.blocks)) {
		return BlockData{}, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	return m.twin.blocks[height-1], nil
}

// Range implements Blocks.
func (m *TwinMember) Range(prefix string, yield func(key string, value []byte)) error {
	m.twin.mu.Lock()
	defer m.twin.mu.Unlock()
	m.twin.tree.Range(prefix, yield)
	return nil
}
