package chain

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	comet25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	cmtstate "github.com/cometbft/cometbft/proto/tendermint/state"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// Config is what a node needs. Zero values are good where it says so.
type Config struct {
	Dir          string             // its own folder, made with mode 0700; nothing else may be in it
	Genesis      croft.Genesis      // of the network
	ValidatorKey ed25519.PrivateKey // the member's; used whether or not it orders blocks yet
	Timing       Timing             // WAN if zero
	Listen       string             // loopback host:port for peers; a free port if empty
	// Admit says whether the CometBFT node of this id belongs to a member; nil
	// admits all. It is called from other goroutines and must not call the Node.
	Admit func(nodeID string) bool
	Log   *slog.Logger // nothing is logged if nil
}

// Node is a full node: it checks every block, and orders them when the ledger
// names its member an orderer. It implements Ledger and Blocks.
type Node struct {
	dir   string
	id    string
	addr  string
	app   *app
	comet *node.Node
	dbs   *databases

	closing atomic.Bool // CometBFT's logger is quiet from here on
	failed  chan error
	ctx     context.Context // ends at Close: for the goroutines below, not for calls
	stop    context.CancelFunc
	close   func() error

	dialers sync.WaitGroup
	mu      sync.Mutex
	links   map[string]*link
}

// Open starts the node in cfg.Dir, or goes on where it was. Whatever a crash left
// half done is done again from CometBFT's own record of blocks and votes.
func Open(cfg Config) (*Node, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, croft.E(croft.ErrFolder, cfg.Dir, err)
	}
	if err := CheckDisk(cfg.Dir); err != nil {
		return nil, err
	}
	if cfg.Listen != "" {
		return open(cfg, cfg.Listen)
	}
	// CometBFT listens where it is told and does not say where that was, so a free
	// port is found first; somebody else may take it in between.
	for attempt := 0; ; attempt++ {
		addr, err := freePort()
		if err != nil {
			return nil, err
		}
		n, err := open(cfg, addr)
		if err == nil || attempt == 3 || !errors.Is(err, croft.ErrPortUsed) {
			return n, err
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", croft.E(croft.ErrPortUsed, "on loopback", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func open(cfg Config, addr string) (n *Node, err error) {
	n = &Node{dir: cfg.Dir, addr: addr, failed: make(chan error, 1), links: map[string]*link{}}
	n.dbs = &databases{cfg.Dir, map[string]*database{}}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.close = sync.OnceValue(n.shutdown)
	defer func() {
		if damage := recover(); damage != nil { // CometBFT's answer to files that it cannot read
			err = croft.E(croft.ErrStoreCorrupt, cfg.Dir, damage)
		}
		if err != nil {
			n.close()
			n = nil
		}
	}()

	signer, err := openSigner(cfg.Dir, comet25519.PrivKey(cfg.ValidatorKey))
	if err != nil {
		return n, err
	}
	key, err := p2p.LoadOrGenNodeKey(filepath.Join(cfg.Dir, "node.json"))
	if err != nil {
		return n, croft.E(croft.ErrStoreCorrupt, filepath.Join(cfg.Dir, "node.json"), err)
	}
	n.id = string(key.ID())

	store, err := n.dbs.get("ledger")
	if err != nil {
		return n, err
	}
	if n.app, err = newApp(cfg.Genesis, store, cfg.Admit); err != nil {
		return n, err
	}
	doc, err := n.genesis(cfg.Genesis)
	if err != nil {
		return n, err
	}
	settings := cometConfig(cfg.Dir, addr, cfg.Timing)
	log := cometLog{cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), n.fail, &n.closing}
	n.comet, err = node.NewNode(settings, signer, key, proxy.NewConnSyncLocalClientCreator(n.app),
		func() (*types.GenesisDoc, error) { return doc, nil }, n.dbs.provide,
		node.DefaultMetricsProvider(settings.Instrumentation), log)
	if err != nil {
		return n, croft.E(croft.ErrStoreCorrupt, cfg.Dir, err)
	}
	signer.blocks = n.comet.BlockStore()
	if meta := n.comet.BlockStore().LoadBlockMeta(n.app.machine.Height()); meta != nil {
		n.app.setTime(meta.Header.Time)
	}
	if err := n.comet.Start(); err != nil {
		if _, busy := errors.AsType[*net.OpError](err); busy {
			return n, croft.E(croft.ErrPortUsed, addr, err)
		}
		return n, fmt.Errorf("start consensus: %w", err)
	}
	return n, nil
}

// genesis returns CometBFT's genesis, which it keeps in the folder: a folder of
// another network is refused before anything of it is run.
func (n *Node) genesis(g croft.Genesis) (*types.GenesisDoc, error) {
	db, err := n.dbs.get("state")
	if err != nil {
		return nil, err
	}
	// CometBFT ends the process when it cannot decode this record.
	if raw, err := db.Get([]byte("stateKey")); err != nil || new(cmtstate.State).Unmarshal(raw) != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, filepath.Join(n.dir, "state.db"), "consensus state")
	}
	doc := genesisDoc(g, n.app.machine.Founders())
	_, kept, err := node.LoadStateFromDBOrGenesisDocProvider(db, func() (*types.GenesisDoc, error) { return doc, nil })
	if err != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, filepath.Join(n.dir, "state.db"), err)
	}
	if kept.ChainID != doc.ChainID {
		return nil, croft.E(croft.ErrFolder, n.dir, "it holds a node of another network")
	}
	return doc, nil
}

// Submit implements Ledger.
func (n *Node) Submit(ctx context.Context, tx []byte) error {
	id := croft.Sum(tx)
	result, done := n.app.await(id) // before looking, or a block in between would be missed
	defer done()
	if held, err := n.app.holds(id); err != nil || held {
		return err
	}
	for pause := reoffer; ; pause *= 2 {
		refused := n.offer(tx)
		again := time.NewTimer(pause)
		if refused != nil {
			again.Stop()
		}
		select {
		case r := <-result: // before a refusal: it may have been for being in a block since
			return r.Err()
		default:
		}
		if refused != nil {
			return refused
		}
		select {
		case r := <-result:
			return r.Err()
		case <-again.C:
		case <-ctx.Done():
			return croft.E(croft.ErrNoQuorum, ctx.Err())
		case <-n.ctx.Done():
			return croft.E(croft.ErrNodeDown, n.dir)
		}
		n.withdraw(tx)
	}
}

// reoffer is how long a transaction waits for a block before it is offered to the
// peers again; the time doubles.
const reoffer = time.Second

// withdraw takes a transaction out of this node's mempool, so that it can be
// offered anew. The mempool sends each peer a transaction once: one that was a
// block behind and refused it (a member that it did not know yet) never sees it
// again, and a proposer without transactions makes no block.
func (n *Node) withdraw(tx []byte) {
	pool := n.comet.Mempool()
	pool.Lock() // against the block that takes it out at this moment
	defer pool.Unlock()
	_ = pool.RemoveTxByKey(types.Tx(tx).Key())
}

// offer gives a transaction to the mempool.
func (n *Node) offer(tx []byte) error {
	var refused error
	err := n.comet.Mempool().CheckTx(tx, func(res *abci.ResponseCheckTx) {
		if res.Code != 0 {
			refused = ledger.Result{Tx: croft.Sum(tx), Code: croft.Code(res.Code), Log: res.Log}.Err()
		}
	}, mempool.TxInfo{})
	switch {
	case errors.As(err, new(mempool.ErrTxTooLarge)):
		return croft.E(croft.ErrTxTooLarge, len(tx), ledger.MaxTx)
	case err != nil:
		return croft.E(croft.ErrNoQuorum, err)
	case refused != nil && n.comet.ConsensusReactor().WaitSync():
		return croft.E(croft.ErrNoQuorum, "this node is still fetching old blocks") // it judged by an old state
	}
	return refused
}

// Get implements Ledger.
func (n *Node) Get(_ context.Context, key string) (p ledger.Proof, err error) {
	if !n.app.read(func(m *ledger.Machine) { p, err = prove(m, key) }) {
		err = croft.E(croft.ErrNodeDown, n.dir)
	}
	return p, err
}

// Read implements Ledger.
func (n *Node) Read(_ context.Context, key string) (value []byte, err error) {
	if !n.app.read(func(m *ledger.Machine) { value = m.Get(key) }) {
		err = croft.E(croft.ErrNodeDown, n.dir)
	}
	return value, err
}

// Watch implements Ledger.
func (n *Node) Watch(ctx context.Context) <-chan struct{} { return n.app.watch(ctx) }

// Status implements Ledger. A closed node's is empty.
func (n *Node) Status() (s Status) {
	if n.app.read(func(m *ledger.Machine) { s = status(m, n.app.hash, n.app.time) }) {
		s.Peers = n.comet.Switch().Peers().Size()
		s.CatchingUp = n.comet.ConsensusReactor().WaitSync()
	}
	return s
}

// Block implements Blocks. The commit of the last block is the one this node saw;
// of all others it is the one in the next block.
func (n *Node) Block(height int64) (b BlockData, err error) {
	defer func() {
		if damage := recover(); damage != nil { // CometBFT's answer to a block that it cannot read
			err = croft.E(croft.ErrStoreCorrupt, fmt.Sprintf("block %d", height), damage)
		}
	}()
	store := n.comet.BlockStore()
	block, commit, commitKey := store.LoadBlock(height), store.LoadBlockCommit(height), "C"
	if commit == nil {
		commit, commitKey = store.LoadSeenCommit(height), "SC"
	}
	if block == nil || commit == nil {
		return b, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	if err := n.checkStored(block, commit, commitKey); err != nil {
		return b, err
	}
	return newBlockData(block, commit)
}

// checkStored compares what CometBFT stored of a block with what the block itself
// would store, byte for byte: its reader does not look at everything (the proofs
// of the parts, the copy of the header), and an audit of this disk should.
func (n *Node) checkStored(block *types.Block, commit *types.Commit, commitKey string) error {
	parts, err := block.MakePartSet(types.BlockPartSizeBytes)
	if err != nil {
		return err
	}
	want := map[string]interface{ Marshal() ([]byte, error) }{
		fmt.Sprintf("H:%d", block.Height):             types.NewBlockMeta(block, parts).ToProto(),
		fmt.Sprintf("%s:%d", commitKey, block.Height): commit.ToProto(),
	}
	for i := range int(parts.Total()) {
		if want[fmt.Sprintf("P:%d:%d", block.Height, i)], err = parts.GetPart(i).ToProto(); err != nil {
			return err
		}
	}
	for key, record := range want {
		raw, err := n.dbs.open["blockstore"].Get([]byte(key))
		if again, fault := record.Marshal(); err != nil || fault != nil || !bytes.Equal(raw, again) {
			return croft.E(croft.ErrStoreCorrupt, fmt.Sprintf("block %d", block.Height), "record "+key)
		}
	}
	return nil
}

// Range implements Blocks.
func (n *Node) Range(prefix string, yield func(key string, value []byte)) error {
	if !n.app.read(func(*ledger.Machine) { n.app.tree.Range(prefix, yield) }) {
		return croft.E(croft.ErrNodeDown, n.dir)
	}
	return nil
}

// NodeID returns the CometBFT node id: what peers dial, and what Admit is asked.
func (n *Node) NodeID() string { return n.id }

// P2PAddr returns the loopback host:port where CometBFT listens for peers.
func (n *Node) P2PAddr() string { return n.addr }

// Failed receives once if consensus died in this process: a full disk, a damaged
// file, a bug. Nothing but Close and a new Open helps.
func (n *Node) Failed() <-chan error { return n.failed }

func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
		n.stop() // nobody waits for a block that will not come
	default:
	}
}

// Close stops the node and waits until its goroutines and files are let go; two
// small goroutines of CometBFT's write-ahead log stay (its file group closes the
// file and forgets the watcher of SIGHUP). It may be called again.
func (n *Node) Close() error { return n.close() }

func (n *Node) shutdown() error {
	n.closing.Store(true)
	n.stop()
	n.dialers.Wait()
	if n.comet != nil {
		if n.comet.IsRunning() {
			// First the fetching of old blocks: if it finishes while the rest stops it
			// starts consensus again, and panics because that is stopped.
			if r, ok := n.comet.Switch().Reactor("BLOCKSYNC"); ok {
				_ = r.Stop()
			}
			_ = n.comet.Stop()
			n.comet.Wait()
		}
		_ = n.comet.ProxyApp().Stop() // CometBFT leaves it running
	}
	if n.app != nil {
		n.app.close()
	}
	return n.dbs.close()
}

// redial is the pause between two attempts to reach a peer. CometBFT's own
// redialling gives up after a day.
const redial = 500 * time.Millisecond

// link is a peer that this node dials.
type link struct {
	addr chan *p2p.NetAddress // a new address, to be tried at once
	stop context.CancelFunc
}

// Connect keeps this node connected to the peer of that id at a loopback address,
// until Disconnect. Called again it takes the new address and dials at once. Of
// two nodes only one should dial: the one with the smaller id.
func (n *Node) Connect(id, addr string) error {
	target, err := p2p.NewNetAddressString(p2p.IDAddressString(p2p.ID(id), addr))
	if err != nil {
		return croft.E(croft.ErrPeer, id, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return croft.E(croft.ErrNodeDown, n.dir)
	}
	l := n.links[id]
	if l == nil {
		ctx, stop := context.WithCancel(n.ctx)
		l = &link{make(chan *p2p.NetAddress, 1), stop}
		n.links[id] = l
		n.dialers.Go(func() { n.dial(ctx, l.addr) })
	}
	select { // the latest address counts; n.mu makes this the only sender
	case <-l.addr:
	default:
	}
	l.addr <- target
	return nil
}

// Disconnect stops dialling the peer and drops its connection.
func (n *Node) Disconnect(id string) {
	n.mu.Lock()
	if l := n.links[id]; l != nil {
		l.stop()
		delete(n.links, id)
	}
	n.mu.Unlock()
	if peer := n.comet.Switch().Peers().Get(p2p.ID(id)); peer != nil {
		n.comet.Switch().StopPeerGracefully(peer)
	}
}

func (n *Node) dial(ctx context.Context, addrs <-chan *p2p.NetAddress) {
	again := time.NewTicker(redial)
	defer again.Stop()
	var addr *p2p.NetAddress
	for {
		select {
		case addr = <-addrs:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		if addr != nil && !n.comet.Switch().IsDialingOrExistingAddress(addr) {
			_ = n.comet.Switch().DialPeerWithAddress(addr) // an unreachable peer is what the next tick is for
		}
	}
}
