package chain

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
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
	cmtstates "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// Config is what a node needs. Zero values are good where it says so.
type Config struct {
	Dir     string        // its own folder, made with mode 0700; nothing else may be in it
	Genesis croft.Genesis // of the chain
	// Inherited finds the state that a successor chain begins with, which its genesis
	// names. It is asked until that chain has a block; nil if it is none.
	Inherited    ledger.Pieces
	NodeKey      ed25519.PrivateKey // the member's: peers know each other by it
	ValidatorKey ed25519.PrivateKey // the member's; used whether or not it orders blocks yet
	Timing       Timing             // WAN if zero
	// MaySign is asked before each signature with the validator key, from other
	// goroutines: an error keeps it back. Nil: nothing does.
	MaySign func() error
	// Admit returns the node keys of those who may be peers; nil admits all. It is
	// called from other goroutines, also before Open has returned.
	Admit func() []croft.PublicKey
	Log   *slog.Logger // nothing is logged if nil
}

// Node is a full node: it checks every block, and orders them when the ledger
// names its member an orderer. It implements Ledger and Blocks.
type Node struct {
	stored
	addr     string
	comet    *node.Node
	orderers orderersAt

	closing atomic.Bool // CometBFT's logger is quiet from here on
	failed  chan error
	ctx     context.Context // ends at Close: for the goroutines below, not for calls
	stop    context.CancelFunc
	close   func() error

	dialers sync.WaitGroup
	mu      sync.Mutex
	links   map[croft.PublicKey]*link // by the peer's node key
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
	if founded := time.Unix(cfg.Genesis.Time, 0); time.Until(founded) > clockSlack { // CometBFT would sleep until then, deaf
		return nil, croft.E(croft.ErrClock, founded.UTC().Format(time.DateTime), time.Now().UTC().Format(time.DateTime))
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

// clockSlack is how far a founder's clock may be ahead of this machine's.
const clockSlack = 5 * time.Second

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", croft.E(croft.ErrPortUsed, "on loopback", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func open(cfg Config, addr string) (n *Node, err error) {
	n = &Node{stored: newStored(cfg.Dir, false), addr: addr, failed: make(chan error, 1), links: map[croft.PublicKey]*link{}}
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
	if err := n.openApp(cfg.Genesis, cfg.Inherited, cfg.Admit); err != nil {
		return n, err
	}
	doc, err := n.genesis(cfg.Genesis)
	if err != nil {
		return n, err
	}
	settings := cometConfig(cfg.Dir, addr, cfg.Timing)
	log := cometLog{cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), n.fail, &n.closing}
	n.comet, err = node.NewNode(settings, signer, &p2p.NodeKey{PrivKey: comet25519.PrivKey(cfg.NodeKey)}, proxy.NewConnSyncLocalClientCreator(n.app),
		func() (*types.GenesisDoc, error) { return doc, nil }, n.dbs.provide,
		node.DefaultMetricsProvider(settings.Instrumentation), log)
	if err != nil {
		return n, croft.E(croft.ErrStoreCorrupt, cfg.Dir, err)
	}
	n.openBlocks(n.comet.BlockStore())
	n.orderers = cmtstates.NewStore(n.dbs.open["state"], cmtstates.StoreOptions{}).(orderersAt)
	signer.blocks, signer.may = n.blocks, cfg.MaySign
	if err := n.comet.Start(); err != nil {
		if _, busy := errors.AsType[*net.OpError](err); busy {
			return n, croft.E(croft.ErrPortUsed, addr, err)
		}
		return n, croft.E(croft.ErrStoreCorrupt, cfg.Dir, err)
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
			refused = ledger.Effect{Tx: croft.Sum(tx), Code: croft.Code(res.Code), Log: res.Log}.Err()
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

// Orders says whether the owner of a validator key may sign the next block. Who was
// voted out does for one block more: where it ordered alone, nobody else can make it.
func (n *Node) Orders(validator croft.PublicKey) bool {
	set, err := n.orderers.LoadValidatorsFast(n.Status().Height + 1)
	return err == nil && set.HasAddress(cometKey(validator).Address())
}

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
		n.halt()
	}
	return n.stored.Close()
}

// halt stops CometBFT.
func (n *Node) halt() {
	peers := n.comet.Switch()
	if n.comet.IsRunning() {
		// First the fetching of old blocks: if it finishes while the rest stops it
		// starts consensus again, and panics because that is stopped.
		if r, ok := peers.Reactor("BLOCKSYNC"); ok {
			_ = r.Stop()
		}
		_ = n.comet.Stop()
		n.comet.Wait()
	} else { // its start failed, and it forgets what had started by then
		for _, name := range []string{"MEMPOOL", "BLOCKSYNC", "CONSENSUS", "EVIDENCE", "STATESYNC"} {
			if r, ok := peers.Reactor(name); ok {
				_ = r.Stop()
			}
		}
		_ = n.comet.EventBus().Stop()
	}
	_ = n.comet.ProxyApp().Stop() // CometBFT leaves it running
}

// redial is the pause between two attempts to reach a peer. CometBFT's own
// redialling gives up after a day.
const redial = 500 * time.Millisecond

// link is a peer that this node dials.
type link struct {
	addr chan *p2p.NetAddress // a new address, to be tried at once
	stop context.CancelFunc
}

// nodeID is CometBFT's name for the owner of a node key. CometBFT signs nothing
// with that key but the 32 unforeseeable bytes of a handshake; whatever else is
// signed with it is longer and begins with its purpose.
func nodeID(key croft.PublicKey) p2p.ID { return p2p.PubKeyToID(cometKey(key)) }

// Connect keeps this node connected to the owner of a node key through a loopback
// address, until Disconnect. Called again it takes the new address and dials at
// once. Whoever answers there must prove the key: nobody can stand in another's
// place. Of two nodes only one should dial.
func (n *Node) Connect(peer croft.PublicKey, addr string) error {
	target, err := p2p.NewNetAddressString(p2p.IDAddressString(nodeID(peer), addr))
	if err != nil {
		return croft.E(croft.ErrPeer, addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return croft.E(croft.ErrNodeDown, n.dir)
	}
	l := n.links[peer]
	if l == nil {
		ctx, stop := context.WithCancel(n.ctx)
		l = &link{make(chan *p2p.NetAddress, 1), stop}
		n.links[peer] = l
		n.dialers.Go(func() { n.dial(ctx, peer, l.addr) })
	}
	select { // the latest address counts; n.mu makes this the only sender
	case <-l.addr:
	default:
	}
	l.addr <- target
	return nil
}

// Disconnect stops dialling the peer and drops its connection.
func (n *Node) Disconnect(peer croft.PublicKey) {
	n.mu.Lock()
	if l := n.links[peer]; l != nil {
		l.stop()
		delete(n.links, peer)
	}
	n.mu.Unlock()
	n.drop(peer)
}

func (n *Node) drop(peer croft.PublicKey) {
	if p := n.comet.Switch().Peers().Get(nodeID(peer)); p != nil {
		n.comet.Switch().StopPeerGracefully(p)
	}
}

func (n *Node) dial(ctx context.Context, peer croft.PublicKey, addrs <-chan *p2p.NetAddress) {
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
			if ctx.Err() != nil {
				n.drop(peer) // Disconnect came meanwhile
			}
		}
	}
}
