package chain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/light/store"
	lightdb "github.com/cometbft/cometbft/light/store/db"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// A light node keeps headers. It verifies them from the network's genesis on, with
// CometBFT's light client, and has every record proved against the last one. What a
// full member's node says is believed only as far as it is proved; one that says
// something else is named in the log, and asked last for a while.
const (
	// untilAlways: no header grows too old to go on from, and none is too new for this
	// machine's clock, which may be wrong. A full node that fetches old blocks believes
	// each set of orderers in the same way, without a period. (CometBFT would wait for so
	// long for a witness that says provider.ErrHeightTooHigh; a source never does.)
	untilAlways = 100 * 365 * 24 * time.Hour
	witnesses   = 3                // members who must not know another block than the one who is asked
	handedTo    = 3                // members that a transaction is given to; one of them may drop it
	handedIn    = 4                // transactions at once: a member waits for a block before it answers, and has other questions to answer
	keptHeaders = 100              // to go on from, and for transactions of a moment ago
	interest    = 8                // states after which a record that nobody reads is forgotten
	doubtful    = time.Minute      // how long a member is asked last that said what is not so
	quiet       = 30 * time.Second // or did not answer
)

// trustLevel is the part of the orderers of a header that must have signed a later
// one, for the light client to skip what is between: more than two thirds, as many as
// make a block. CometBFT would take a third.
var trustLevel = cmtmath.Fraction{Numerator: 2, Denominator: 3}

// LightConfig is what a light node needs.
type LightConfig struct {
	Dir       string // its own folder, made with mode 0700; nothing else may be in it
	Genesis   croft.Genesis
	Inherited ledger.Pieces // see Config
	Fulls     Fulls
	Log       *slog.Logger // nothing is logged if nil
}

// Light is a light node. It implements Ledger and Blocks. As long as Follow has found
// no full member's node it has nothing to read: croft.ErrNoQuorum.
type Light struct {
	watchers
	heads watchers // of every new head, also one with the same state
	cfg   LightConfig
	root  cmtstate.State // what the first header must say; zero once there is one
	dbs   *databases

	handing   chan struct{} // transactions that are being handed in
	verifying sync.Mutex    // held while a header is verified
	headers   store.Store
	forked    int64 // the block of which two were signed, as far as it is known

	mu     sync.Mutex
	head   *types.LightBlock      // it proves the state that is read; nil: none yet
	kept   map[string]*remembered // records of that state that somebody reads
	lists  map[string][]listed    // of that state, by prefix
	states uint64                 // how many there were
	told   map[croft.PublicKey]word
	doubts map[croft.PublicKey]time.Time // of members, and until when
}

// remembered is a record that was proved; nil is absence.
type remembered struct {
	value []byte
	used  uint64 // the last state in which somebody read it
}

// listed is a record of a list.
type listed struct {
	key   string
	value []byte
}

// word is what a member tells: there is a block of this height.
type word struct {
	from   croft.Member
	height int64
}

// OpenLight opens the folder of a light node, or goes on where it was.
func OpenLight(cfg LightConfig) (l *Light, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, croft.E(croft.ErrFolder, cfg.Dir, err)
	}
	if err := CheckDisk(cfg.Dir); err != nil {
		return nil, err
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	l = &Light{cfg: cfg, dbs: &databases{cfg.Dir, false, map[string]*database{}}, kept: map[string]*remembered{}, lists: map[string][]listed{},
		handing: make(chan struct{}, handedIn), told: map[croft.PublicKey]word{}, doubts: map[croft.PublicKey]time.Time{}}
	db, err := l.dbs.get("headers")
	if err != nil {
		return nil, err
	}
	l.headers = lightdb.New(db, cfg.Genesis.Scope().Chain)
	height, err := l.headers.LastLightBlockHeight()
	if err == nil && height > 0 {
		l.head, err = l.headers.LightBlock(height)
	}
	if err != nil {
		err = croft.E(croft.ErrStoreCorrupt, cfg.Dir, err)
	} else if height <= 0 { // later starts need no state, which after a rescue is long
		l.root, err = firstHead(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func firstHead(cfg LightConfig) (cmtstate.State, error) {
	machine, err := begin(cfg.Genesis, cfg.Inherited, ledger.NewMemoryTree())
	if err != nil {
		return cmtstate.State{}, err
	}
	return genesisHead(cfg.Genesis, machine)
}

// Close lets go of the files; Follow has ended by then.
func (l *Light) Close() error { return l.dbs.close() }

// Read implements Ledger. What was read lately is here already, and proved anew with
// each new state; the rest is asked for.
func (l *Light) Read(ctx context.Context, key string) ([]byte, error) {
	if value, known := l.Known(key); known {
		return value, nil
	}
	at, err := l.current()
	if err != nil {
		return nil, err
	}
	proofs, err := l.prove(ctx, at, []string{key})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Equal(l.head.AppHash, at.AppHash) {
		l.kept[key] = &remembered{proofs[0].Value, l.states}
	}
	return proofs[0].Value, nil
}

// Known is Read for whoever cannot wait: it asks nobody. The network's record and its
// members are always known, once anything is.
func (l *Light) Known(key string) (value []byte, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.kept[key]
	if r == nil {
		return nil, false
	}
	r.used = l.states
	return r.value, true
}

// Get implements Ledger.
func (l *Light) Get(ctx context.Context, key string) (ledger.Proof, error) {
	at, err := l.current()
	if err != nil {
		return ledger.Proof{}, err
	}
	proofs, err := l.prove(ctx, at, []string{key})
	if err != nil {
		return ledger.Proof{}, err
	}
	return proofs[0], nil
}

// Range implements Blocks: each record is proved, and that there are no others. A list
// is asked for once in each state: it may be long, and whoever measures a node asks all the time.
func (l *Light) Range(prefix string, yield func(key string, value []byte)) error {
	at, err := l.current()
	if err != nil {
		return err
	}
	l.mu.Lock()
	list, known := l.lists[prefix]
	l.mu.Unlock()
	if !known {
		ctx := context.Background() // each question has an end of its own
		next := max(prefix, "\x00")
		if err := l.each(ctx, func(m croft.Member) (err error) {
			for next != "" && err == nil {
				next, err = l.span(ctx, m, stateOf(at), croft.Hash(at.AppHash), prefix, next, func(key string, value []byte) {
					list = append(list, listed{key, value})
				})
			}
			return err
		}); err != nil {
			return err
		}
		l.mu.Lock()
		if bytes.Equal(l.head.AppHash, at.AppHash) {
			l.lists[prefix] = list
		}
		l.mu.Unlock()
	}
	for _, r := range list {
		yield(r.key, r.value)
	}
	return nil
}

// Block implements Blocks. A block is for an auditor, who checks it: this node only
// hands on what a full member's node has.
func (l *Light) Block(height int64) (b BlockData, err error) {
	ctx := context.Background() // each question has an end of its own
	err = l.each(ctx, func(m croft.Member) error {
		b = BlockData{}
		if _, err := l.ask(ctx, m, question{Kind: askBlock, Height: height}, &b); err != nil {
			return err
		}
		if _, _, err := b.decode(); err != nil || b.Height != height {
			return l.doubt(m, fmt.Errorf("this is not block %d", height))
		}
		return nil
	})
	return b, err
}

// Watch implements Ledger.
func (l *Light) Watch(ctx context.Context) <-chan struct{} { return l.watch(ctx) }

// Status implements Ledger. The state is that after the last block but one, or after
// the last if that changed nothing: the last header proves it.
func (l *Light) Status() (s Status) {
	s.Peers = len(l.cfg.Fulls.Full())
	raw, _ := l.Known(ledger.NetworkKey)
	network, _, _ := ledger.Decode[ledger.Network](raw) // verified: always readable
	s.Orderers = network.Orderers
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.CatchingUp = len(l.kept) == 0; l.head != nil {
		s.Height, s.AppHash, s.Time = stateOf(l.head), croft.Hash(l.head.AppHash), l.head.Time
	}
	return s
}

// State is the hash of the state that is read; zero as long as there is none.
func (l *Light) State() croft.Hash {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == nil {
		return croft.Hash{}
	}
	return croft.Hash(l.head.AppHash)
}

// stateOf is the height of the block whose state a header proves: the one before. The
// first header has the hash of the genesis, which is also the state after the first
// block if that changed nothing.
func stateOf(head *types.LightBlock) int64 { return max(head.Height-1, 1) }

var errAlone = errors.New("no full member's node is connected")

func (l *Light) current() (*types.LightBlock, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == nil {
		return nil, croft.E(croft.ErrNoQuorum, errAlone)
	}
	return l.head, nil
}

// Follow keeps up with the chain until ctx ends: it hears of new blocks from all full
// members that are connected, since some may be silent, verifies the newest header, and
// has what is read proved against it.
func (l *Light) Follow(ctx context.Context) error {
	var listeners sync.WaitGroup
	defer listeners.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan struct{}, 1)
	ended := make(chan croft.PublicKey)
	hearing := map[croft.PublicKey]bool{}
	again := time.NewTicker(redial)
	defer again.Stop()
	for {
		for _, m := range l.fulls() {
			if hearing[m.Node] {
				continue
			}
			hearing[m.Node] = true
			listeners.Go(func() {
				err := l.cfg.Fulls.Hear(ctx, m, func(height int64) {
					l.hear(word{m, height})
					select {
					case news <- struct{}{}:
					default:
					}
				})
				l.cfg.Log.Debug("light", "member", m.Name, "why", err)
				select {
				case <-ctx.Done():
				case <-time.After(redial):
				}
				select {
				case <-ctx.Done():
				case ended <- m.Node:
				}
			})
		}
		if w, due := l.newest(); due {
			if err := l.advance(ctx, w); err != nil && ctx.Err() == nil {
				l.cfg.Log.Debug("light", "block", w.height, "why", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case key := <-ended:
			delete(hearing, key)
		case <-again.C:
		}
	}
}

// hear takes note of what a member tells.
func (l *Light) hear(w word) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[w.from.Node] = w
}

// newest returns the highest block that a member tells of, and whether it is due;
// those who are in doubt are believed last.
func (l *Light) newest() (w word, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for key, o := range l.told {
		trusted, best := now.After(l.doubts[key]), now.After(l.doubts[w.from.Node])
		if w.height == 0 || trusted && !best || trusted == best && o.height > w.height {
			w = o
		}
	}
	return w, w.height > 0 && (l.head == nil || w.height > l.head.Height || len(l.kept) == 0)
}

// advance verifies the header of a block that a member tells of, and goes on to its
// state.
func (l *Light) advance(ctx context.Context, w word) error {
	head, err := l.verified(ctx, w.height, w.from)
	if err != nil {
		return err
	}
	l.mu.Lock()
	news := l.head == nil || len(l.kept) == 0 || !bytes.Equal(l.head.AppHash, head.AppHash)
	keys := []string{ledger.NetworkKey}
	for key, r := range l.kept {
		if key != ledger.NetworkKey && l.states-r.used < interest {
			keys = append(keys, key)
		}
	}
	l.mu.Unlock()
	kept := map[string]*remembered{}
	if news {
		if err := l.remember(ctx, head, keys, kept); err != nil {
			return err
		}
		network, _, err := ledger.Decode[ledger.Network](kept[ledger.NetworkKey].value)
		if err != nil {
			return err
		}
		var members []string
		for _, id := range network.Members {
			if key := ledger.MemberKey(id); kept[key] == nil {
				members = append(members, key)
			}
		}
		if err := l.remember(ctx, head, members, kept); err != nil {
			return err
		}
	}
	l.mu.Lock()
	if l.head = head; news {
		l.states++
		l.kept, l.lists = kept, map[string][]listed{}
	}
	l.mu.Unlock()
	if news {
		l.wake()
	}
	l.heads.wake()
	return nil
}

// remember has records of a header's state proved.
func (l *Light) remember(ctx context.Context, at *types.LightBlock, keys []string, kept map[string]*remembered) error {
	slices.Sort(keys)
	proofs, err := l.prove(ctx, at, keys)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range proofs {
		kept[p.Key] = &remembered{p.Value, l.states}
		if old := l.kept[p.Key]; old != nil {
			kept[p.Key].used = old.used
		}
	}
	return nil
}

// prove asks full members in turn for records of a header's state.
func (l *Light) prove(ctx context.Context, at *types.LightBlock, keys []string) (proofs []ledger.Proof, err error) {
	err = l.each(ctx, func(m croft.Member) (err error) {
		proofs, err = l.records(ctx, m, stateOf(at), croft.Hash(at.AppHash), keys)
		return err
	})
	return proofs, err
}

// each asks full members in turn until one satisfies.
func (l *Light) each(ctx context.Context, ask func(croft.Member) error) error {
	err := error(croft.E(croft.ErrNoQuorum, errAlone))
	for _, m := range l.fulls() {
		if err = ask(m); err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, croft.ErrLied) {
			l.silent(m, err)
		}
	}
	return err
}

// fulls returns the full members that can be asked: those in doubt last.
func (l *Light) fulls() []croft.Member {
	out := l.cfg.Fulls.Full()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortStableFunc(out, func(a, b croft.Member) int { return l.doubts[a.Node].Compare(l.doubts[b.Node]) })
	return out
}

// doubt takes note that a member's node says what is not so, for people too.
func (l *Light) doubt(m croft.Member, why error) error {
	err := croft.E(croft.ErrLied, m.Name, why)
	l.mu.Lock()
	known := time.Now().Before(l.doubts[m.Node])
	l.doubts[m.Node] = time.Now().Add(doubtful)
	l.mu.Unlock()
	if !known {
		l.cfg.Log.Warn("light", "member", m.Name, "why", err)
	}
	return err
}

// silent takes note that a member's node does not answer, or is behind.
func (l *Light) silent(m croft.Member, why error) {
	l.mu.Lock()
	until := time.Now().Add(quiet)
	known := time.Now().Before(l.doubts[m.Node])
	l.doubts[m.Node] = slices.MaxFunc([]time.Time{until, l.doubts[m.Node]}, time.Time.Compare)
	l.mu.Unlock()
	if !known {
		l.cfg.Log.Info("light", "member", m.Name, "why", why)
	}
}

func (l *Light) doubted(m croft.Member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.doubts[m.Node])
}

// verified returns the header of a block once CometBFT's light client believes it: the
// orderers of one that was verified before have signed it, and no witness knows
// another. A member who tells of it is asked first.
func (l *Light) verified(ctx context.Context, height int64, from croft.Member) (*types.LightBlock, error) {
	l.verifying.Lock()
	defer l.verifying.Unlock()
	if lb, err := l.headers.LightBlock(height); err == nil {
		return lb, nil
	}
	primary := &source{l: l, member: from, told: true, gave: map[int64]croft.Hash{}}
	asked := []*source{primary}
	for _, m := range l.fulls() {
		if m.Node != from.Node && len(asked) <= witnesses && !l.doubted(m) {
			asked = append(asked, &source{l: l, member: m, gave: map[int64]croft.Hash{}})
		}
	}
	others := []provider.Provider{primary} // where nobody else is, it has nobody to contradict it
	if len(asked) > 1 {
		others = nil
		for _, s := range asked[1:] {
			others = append(others, s)
		}
	}
	if err := l.begin(ctx, primary); err != nil {
		return nil, err
	}
	client, err := light.NewClientFromTrustedStore(l.cfg.Genesis.Scope().Chain, untilAlways, primary, others, l.headers,
		light.SkippingVerification(trustLevel), light.PruningSize(keptHeaders), light.MaxClockDrift(untilAlways))
	if err != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, l.cfg.Dir, err)
	}
	lb, err := client.VerifyLightBlockAtHeight(ctx, height, time.Now())
	for _, s := range asked {
		hash, lacks := s.said(height)
		switch signed := err == nil || errors.Is(err, light.ErrFailedHeaderCrossReferencing); {
		case errors.Is(err, light.ErrLightClientAttack) && l.forked != height:
			// Nobody is doubted more than the others: all stay witnesses, and the node
			// where it is, until people have found out who signed twice.
			l.cfg.Log.Error("light", "member", s.member.Name, "why", fmt.Sprintf("two blocks %d are signed; it gave the one with hash %s", height, hash))
		case err == nil && !hash.IsZero() && hash != croft.Hash(lb.Hash()):
			l.doubt(s.member, fmt.Errorf("its block %d is not the one that was signed", height))
		case signed && lacks:
			l.silent(s.member, fmt.Errorf("it is behind: it does not have block %d", height))
		}
	}
	if err == nil {
		return lb, nil
	}
	if errors.Is(err, light.ErrLightClientAttack) {
		l.forked = height
	} else if _, failed := errors.AsType[light.ErrVerificationFailed](err); failed && ctx.Err() == nil && client.Primary() == provider.Provider(primary) {
		err = l.doubt(from, err)
	}
	return nil, err
}

// begin keeps the first header, if there is none: the genesis says all of it but who
// signed.
func (l *Light) begin(ctx context.Context, from *source) error {
	if height, err := l.headers.LastLightBlockHeight(); err != nil || height > 0 {
		return err
	}
	first, err := from.LightBlock(ctx, l.root.InitialHeight)
	if err != nil {
		return err
	}
	if err := checkHeader(l.root, first.Header); err != nil {
		return l.doubt(from.member, err)
	}
	if err := l.root.Validators.VerifyCommitLight(l.root.ChainID, first.Commit.BlockID, first.Height, first.Commit); err != nil {
		return l.doubt(from.member, err)
	}
	return l.headers.SaveLightBlock(first)
}

// Submit implements Ledger. That a transaction holds is proved; that it is refused is
// what full members say, and all who were asked must.
func (l *Light) Submit(ctx context.Context, tx []byte) error {
	if len(tx) > ledger.MaxTx {
		return croft.E(croft.ErrTxTooLarge, len(tx), ledger.MaxTx)
	}
	if _, _, err := ledger.Parse(tx); err != nil {
		return err
	}
	for {
		select {
		case l.handing <- struct{}{}:
		case <-ctx.Done():
			return croft.E(croft.ErrNoQuorum, ctx.Err())
		}
		done, err := l.hand(ctx, tx)
		if <-l.handing; done {
			return err
		}
		select {
		case <-ctx.Done():
			return croft.E(croft.ErrNoQuorum, ctx.Err())
		case <-time.After(redial):
		}
	}
}

// hand gives a transaction to full members, and says whether they have settled it.
func (l *Light) hand(ctx context.Context, tx []byte) (done bool, err error) {
	fulls := l.fulls()
	fulls = fulls[:min(len(fulls), handedTo)]
	type answer struct {
		from croft.Member
		at   placed
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(fulls))
	for _, m := range fulls {
		go func() {
			a := answer{from: m}
			_, a.err = l.ask(ctx, m, question{Kind: askTx, Tx: tx}, &a.at)
			answers <- a
		}()
	}
	var refused error
	open := false
	for range fulls {
		a := <-answers
		if a.err == nil {
			if a.err = l.holds(ctx, a.from, tx, a.at); a.err == nil {
				return true, nil
			}
		}
		switch code := croft.CodeOf(a.err); {
		case code >= croft.ErrTxSignature && code < croft.ErrFolder: // the ledger's
			refused = cmp.Or(refused, a.err)
		case code == croft.ErrNoQuorum:
			open = true // it waits for a block there
		case code != croft.ErrLied:
			l.silent(a.from, a.err)
		}
	}
	return refused != nil && !open, refused
}

// holds verifies that a transaction is in a block with result 0, and waits until the
// state that is read has it. Where no block follows, nobody signed the results: the
// block changed nothing, and there the member's word has to do.
func (l *Light) holds(ctx context.Context, from croft.Member, tx []byte, p placed) error {
	if p.Height < 1 || p.Height == math.MaxInt64 {
		return l.doubt(from, errors.New("a block that cannot be"))
	}
	head, err := l.verified(ctx, p.Height, from)
	if err != nil {
		return err
	}
	proof, err := openProof(p.Proof)
	if err == nil {
		err = proof.Validate(head.DataHash)
	}
	if err != nil || !bytes.Equal(proof.Data, tx) || proof.Proof.Total != int64(len(p.Codes)) || proof.Proof.Index >= proof.Proof.Total {
		return l.doubt(from, fmt.Errorf("a transaction is not in block %d", p.Height))
	}
	shown := p.Height
	later := word{from, p.Newest}
	if p.Newest <= p.Height {
		later, _ = l.newest()
	}
	if later.height > p.Height {
		shown++
		next, err := l.verified(ctx, shown, later.from)
		if err != nil && later.from.Node != from.Node {
			return croft.E(croft.ErrNoQuorum, err) // not this member's fault: it told of no later block
		} else if err != nil {
			return err
		}
		results := make([]ledger.Effect, len(p.Codes))
		for i, code := range p.Codes {
			results[i].Code = code
		}
		if !bytes.Equal(next.LastResultsHash, cmtstate.TxResultsHash(execResults(results))) {
			return l.doubt(from, fmt.Errorf("other results of block %d than were signed", p.Height))
		}
	}
	if code := p.Codes[proof.Proof.Index]; code != 0 {
		return croft.Refused(code, "")
	}
	higher := l.heads.watch(ctx)
	for {
		if at, err := l.current(); err == nil && at.Height >= shown {
			return nil
		}
		select {
		case <-higher:
		case <-ctx.Done():
			return croft.E(croft.ErrNoQuorum, ctx.Err())
		}
	}
}
