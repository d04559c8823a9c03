// Package node builds a member's node: everything below it, put together once, in
// one readable function, and run until its context ends.
//
//	node.go     a node, opened and run; stop.go, how it ends
//	peers.go    how nodes find and greet each other; way.go, through whom
//	roll.go     who is admitted
//	create.go   the folder of a new network's first member
//	join.go     from an invite to membership
//	reach.go    what others say of this node: can they dial it, is its clock right
//	light.go    a light member's ledger
//	market.go   its part in the market
//	backup.go   what nobody else has of a node, sealed; backups.go, those that were made
//	recover.go  keys with a past that their folder does not know; copies.go, two with one key
//	rescue.go   a successor for a chain that cannot go on
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/keys"
	"croft/internal/market"
	"croft/internal/p2p"
	"croft/internal/serve"
	"croft/internal/store"
	"croft/internal/study"
)

// Config is what a node needs to know. Everything else is in its folder.
type Config struct {
	// Dir is the node's own folder, made by Create or Join.
	Dir string
	// Listen is where other members reach this node: multiaddrs, or NoListen. Empty:
	// those it used last, at first a free port on loopback (TCP and QUIC).
	Listen []string
	// Timing is the pace of consensus: chain.WAN (default) or chain.LAN, for nodes
	// on one machine.
	Timing chain.Timing
	// Relay offers members whose nodes cannot be dialled to be reached through this
	// one, within these limits; zero: it does not. Rate counts what is carried, too.
	Relay p2p.Relaying
	// Rate bounds the bytes a second that the node exchanges with others, each way by
	// itself; at least p2p.MinRate, 0: any.
	Rate int
	// Page is where the read-only status page answers; nil: nowhere. Only loopback is
	// accepted. The node closes it.
	Page net.Listener
	// Quiet are the hours of the day in which the node takes no part in the rounds of
	// studies; zero: none.
	Quiet study.Hours
	// Socket says whether to serve the local API on a socket in Dir.
	Socket bool
	// Log receives one line a step; nil: nothing.
	Log *slog.Logger
	// Events is told of each step of each study; may be nil.
	Events func(study.Event)
	// Serve is where the API for programs on this machine (OpenAI's /v1, the Open
	// Inference Protocol's /v2) answers; nil: nowhere. Only loopback is accepted. The
	// node closes it.
	Serve net.Listener
	// At is for tests: it is called at each named line of a study's or a call's flow.
	At func(line string)

	observe bool // look on: without the validator key (see Recover)
}

// Chain is the network's ledger as a node has it, full or light.
type Chain interface {
	chain.Ledger
	chain.Blocks
}

// Node is a running node.
type Node struct {
	Self   croft.MemberID
	Member croft.Member
	Chain  Chain
	Host   *p2p.Host
	Study  *study.Node
	Data   *data.Registry
	Docs   *store.Docs
	Blobs  *store.Blobs
	Market *market.Desk

	cfg     Config
	full    *chain.Node  // one of these two is Chain
	light   *chain.Light // of a light member
	genesis croft.Genesis
	joined  joined // zero for a founder
	apiKeys *serve.Keys
	run     string // of this process: other members tell copies apart by it
	copies  copies
	around  around
	way     *way
	hearsay hearsay
	called  atomic.Pointer[roll]
	knocked chan p2p.PeerID // who greeted this node
	events  *api.Events
	life    life
	close   []closer // in order of opening; closed in reverse
}

// What lies in a node's folder, beside its keys.
const (
	genesisFile = "genesis.cbor"
	docsFolder  = "docs"
	chainFolder = "chain"
)

// Found writes the genesis of the network that the folder's member belongs to. It
// never touches a folder that holds one.
func Found(dir string, g croft.Genesis) error {
	if _, err := os.Lstat(filepath.Join(dir, genesisFile)); err == nil {
		return croft.E(croft.ErrFolderUsed, dir)
	}
	return replace(dir, genesisFile, croft.Encode(g))
}

// replace writes a file of the folder: a reader sees the old content or the new, and
// the new one is durable when it returns.
func replace(dir, name string, content []byte) error {
	if err := store.Replace(filepath.Join(dir, name), content, 0o600); err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	return nil
}

// Genesis reads the genesis of the folder's network. It fails with croft.ErrNoNode
// where there is none, or with croft.ErrNotAdmitted where a Join has not got so far.
func Genesis(dir string) (g croft.Genesis, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, genesisFile))
	if errors.Is(err, fs.ErrNotExist) {
		if j, found, _ := readJoined(dir); found {
			return g, croft.E(croft.ErrNotAdmitted, j.Newcomer.Name, "its application has not reached the node of who invited it")
		}
		return g, croft.E(croft.ErrNoNode, dir)
	} else if err != nil {
		return g, croft.E(croft.ErrFolder, dir, cause(err))
	}
	err = croft.Decode(raw, &g)
	return g, err
}

// Open starts everything in the order in which one needs the other. Run then
// plays the node's part; Close stops it all in reverse.
func Open(cfg Config) (n *Node, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n = &Node{cfg: cfg, run: rand.Text(), events: api.NewEvents(), way: newWay(), hearsay: hearsay{of: map[p2p.PeerID][]string{}}, knocked: make(chan p2p.PeerID, 16)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()

	// 1. The folder is ours alone. 2. Who we are, and of which network.
	k, err := n.openFolder()
	if err != nil {
		return n, err
	}
	validator := k.ValidatorSecret()
	if _, lost, err := readRestored(cfg.Dir); err != nil {
		return n, err
	} else if cfg.observe {
		validator = nobody()
	} else if lost && !n.Member.Light {
		return n, croft.E(croft.ErrRestored, cfg.Dir)
	}

	// 3. The ledger, from where it stood. Its own connections arrive over loopback,
	// carried by the host below, which admits members only; but whoever is on this
	// machine can knock there too.
	up := make(chan struct{})
	admit := func() (members []croft.PublicKey) {
		select {
		case <-up:
		default:
			return nil // before that there is no host either
		}
		for _, m := range n.everybody() {
			members = append(members, m.Node)
		}
		return members
	}
	folder := filepath.Join(cfg.Dir, chainFolder)
	if n.Member.Light {
		n.light, err = chain.OpenLight(chain.LightConfig{Dir: folder, Genesis: n.genesis, Inherited: n.Blobs.Get, Fulls: fulls{n}, Log: cfg.Log})
		n.Chain = n.light
	} else {
		n.full, err = chain.Open(chain.Config{Dir: folder, Genesis: n.genesis, Inherited: n.Blobs.Get,
			NodeKey: k.NodeSecret(), ValidatorKey: validator, MaySign: n.clock, Admit: admit, Timing: cfg.Timing, Log: cfg.Log})
		n.Chain = n.full
	}
	if err != nil {
		return n, err
	}
	close(up)
	if n.light != nil {
		n.close = append(n.close, closer{"the ledger's headers", n.light.Close})
	} else {
		n.close = append(n.close, closer{"the ledger's node", n.full.Close})
		if !cfg.observe {
			if err = keys.Use(cfg.Dir); err != nil {
				return n, err
			}
		}
	}

	// 4. The network: one port for everything, members only; and a door for whom this
	// node's member has invited.
	listen := cfg.Listen
	if len(listen) == 0 {
		listen = n.lastListen()
	} else if slices.Equal(listen, []string{NoListen}) {
		listen = nil
	}
	n.Host, err = p2p.Listen(p2p.Config{Key: k.NodeSecret(), Listen: listen, Allow: n.admits, Guest: n.expects, Relay: cfg.Relay, Rate: cfg.Rate})
	if err != nil {
		return n, err
	}
	n.close = append(n.close, closer{"connections", n.Host.Close})
	if err = n.rememberListen(); err != nil {
		return n, err
	}
	n.hear(n.joined.Addrs) // for the first start after joining; later ones know better

	// 5. The owner's data and the part that this node plays in studies.
	if n.Data, err = data.NewRegistry(n.Docs); err != nil {
		return n, err
	}
	n.Study = &study.Node{
		Self: n.Self, Sign: k.Sign, Scope: n.genesis.Scope(), Ledger: n.submitter(), Blobs: n.Blobs, Docs: n.Docs,
		Peers: peers{n}, Data: n.Data, Quiet: cfg.Quiet, Log: cfg.Log, At: cfg.At,
		Report: func(e study.Event) {
			n.events.Add(e)
			if cfg.Events != nil {
				cfg.Events(e)
			}
		},
	}

	// 6. The market: what this node is owed, and what it offers.
	if err = n.openMarket(); err != nil {
		return n, err
	}

	// 7. What other members may ask of us.
	n.serve()
	return n, nil
}

// claim makes the folder this process' alone.
func (n *Node) claim() error {
	release, err := store.Lock(n.cfg.Dir)
	if err == nil {
		n.close = append(n.close, closer{"the folder's lock", release})
	}
	return err
}

// openFolder claims the folder and opens what in it needs no network, on the chain
// that the folder is to be on from now.
func (n *Node) openFolder() (*keys.Keys, error) {
	if err := n.claim(); err != nil {
		return nil, err
	}
	if err := changeOver(n.cfg.Dir); err != nil {
		return nil, err
	}
	return n.readFolder()
}

// readFolder opens what in the claimed folder needs no network.
func (n *Node) readFolder() (k *keys.Keys, err error) {
	dir := n.cfg.Dir
	if k, err = keys.LoadNode(dir); err != nil {
		return nil, err
	}
	if n.genesis, err = Genesis(dir); err != nil {
		return nil, err
	}
	if n.joined, _, err = readJoined(dir); err != nil {
		return nil, err
	}
	if n.Member, err = n.find(k.Public(croft.RoleNode)); err != nil {
		return nil, err
	}
	n.Self = n.Member.ID
	if n.Docs, err = store.OpenDocs(filepath.Join(dir, docsFolder)); err != nil {
		return nil, err
	}
	n.close = append(n.close, closer{"documents", n.Docs.Close})
	if n.Blobs, err = store.OpenBlobs(filepath.Join(dir, "blobs")); err != nil {
		return nil, err
	}
	n.close = append(n.close, closer{"blobs", n.Blobs.Close})
	return k, nil
}

// Stopped opens the folder of a node that does not run, for an audit: nothing is
// started, and the ledger's files are read only. Until release nobody can start the
// node. It fails with croft.ErrRunning if the node runs, and with croft.ErrNoQuorum
// if it never did.
func Stopped(dir string) (stored audit.Node, release func() error, err error) {
	n := &Node{cfg: Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.claim(); err != nil {
		return stored, nil, err
	}
	if _, err := n.readFolder(); err != nil {
		return stored, nil, err
	}
	if n.Member.Light {
		return stored, nil, croft.E(croft.ErrLight, "it keeps no blocks, and verifies those of others while it runs", "croft up, then croft audit verify")
	}
	disk, err := chain.OpenStopped(filepath.Join(dir, chainFolder), n.genesis, n.Blobs.Get)
	if err != nil {
		return stored, nil, err
	}
	n.close = append(n.close, closer{"the ledger's files", disk.Close})
	return audit.Node{Dir: dir, Genesis: n.genesis, Self: n.Self, Ledger: disk, Blobs: n.Blobs, Docs: n.Docs}, n.Close, nil
}

// Run plays the node's part until ctx ends or the node must stop: its disk fills
// or fails, CometBFT stops. It returns nil when it was asked to stop, and
// croft.ErrStuck if it then could not. After Stop or Close it does nothing.
func (n *Node) Run(ctx context.Context) error {
	parts := []part{
		{"meeting peers", n.meet},
		{"the way in", n.keepWay},
		{"studies", n.Study.Run},
		{"the market", n.trade},
		{"the guard of the disk", n.guard},
	}
	if n.light != nil {
		parts = append(parts, part{"following the chain", n.light.Follow})
	} else {
		parts = append(parts, part{"offering to order blocks", n.volunteer})
	}
	if n.cfg.Socket {
		parts = append(parts, part{"the local API", func(ctx context.Context) error { return api.Serve(ctx, n.cfg.Dir, n.Services()) }})
	}
	if n.cfg.Page != nil {
		parts = append(parts, part{"the status page", func(ctx context.Context) error {
			return serveHTTP(ctx, n.cfg.Page, api.StatusPage(n.Services()))
		}})
	}
	if n.cfg.Serve != nil {
		dialects := serve.Dialects{Backend: n.Market.Backend(), Keys: n.apiKeys, Log: n.cfg.Log}
		parts = append(parts, part{"the API for programs", func(ctx context.Context) error {
			return serveHTTP(ctx, n.cfg.Serve, dialects.Handler())
		}})
	}
	return n.together(ctx, parts)
}

// Services is what the local API and the status page show of this node.
func (n *Node) Services() api.Services {
	return api.Services{Self: n.Self, Dir: n.cfg.Dir, Name: n.Member.Name, Light: n.Member.Light, Ledger: n.Chain, Study: n.Study,
		Successor: n.successor, Believe: func(g croft.Genesis) error { return CheckRescue(n.cfg.Dir, g, n.members()) },
		Data: n.Data, Peers: n.Peers, Neighbours: n.neighbours, LastBackup: func() time.Time { return LastBackup(n.cfg.Dir) },
		Market: n.Market, APIKeys: n.apiKeys, Serve: address(n.cfg.Serve), Carries: n.Host.Carries, Sent: n.Host.Sent, Node: n.Member.Node, Addrs: n.Host.Addrs, Stop: n.Stop, Log: n.cfg.Log, Events: n.events}
}

// guard stops the node cleanly before its disk is full, and when CometBFT gave up.
func (n *Node) guard(ctx context.Context) error {
	var failed <-chan error
	if n.full != nil {
		failed = n.full.Failed()
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-tick.C:
			if err := chain.CheckDisk(n.cfg.Dir); err != nil {
				return err
			}
		}
	}
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// serveHTTP serves a handler on a loopback listener, by HTTP/1.1 and HTTP/2.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	if on, ok := l.Addr().(*net.TCPAddr); !ok || !on.IP.IsLoopback() {
		return errors.Join(croft.E(croft.ErrUsage, fmt.Sprintf("a page cannot be at %s", l.Addr()), "give a loopback address such as 127.0.0.1:7420"), l.Close())
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for gRPC
	done := make(chan error, 1)
	var once sync.WaitGroup
	once.Go(func() { done <- server.Serve(l) })
	<-ctx.Done()
	err := server.Close()
	once.Wait()
	<-done
	return err
}

// find returns the member that the folder's node key belongs to: a founder, or one
// that has joined.
func (n *Node) find(key croft.PublicKey) (croft.Member, error) {
	if n.joined.Newcomer.Node == key && len(n.joined.Members) == 0 {
		return croft.Member{}, croft.E(croft.ErrNotAdmitted, n.joined.Newcomer.Name, "its members vote")
	}
	for _, m := range append(slices.Clip(n.genesis.Members), n.joined.Newcomer) {
		if m.Node == key {
			return m, nil
		}
	}
	return croft.Member{}, croft.E(croft.ErrFolder, n.cfg.Dir, "its keys belong to no member of this network")
}

// known reads a record without asking anybody: of a light node what it has proved
// lately, which the members always are.
func (n *Node) known(key string) (value []byte, known bool) {
	if n.light != nil {
		return n.light.Known(key)
	}
	value, err := n.Chain.Read(context.Background(), key) // the node's own state: no waiting
	return value, err == nil
}
