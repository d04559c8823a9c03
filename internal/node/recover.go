package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/chain"
	"croft/internal/keys"
	"croft/internal/p2p"
	"croft/internal/store"
)

// Keys that came from a backup, or by hand, have a past that their folder does not
// know: votes that were cast, budgets that were spent, approvals that were taken
// back. The ledger knows, and the others have it. So such a node first fetches the
// ledger as one who looks on, without its validator key, and takes part once it is
// where the others are. And of two nodes with one key the others keep the first.

// Recovery is how far such a node is, for people.
type Recovery struct {
	Height int64    // of its ledger
	Others int64    // of the highest ledger among the others that were heard
	Heard  int      // nodes that answered
	Waits  []string // members who must answer, since blocks may be with them alone
}

// Recover brings the node in cfg.Dir to where its network is, if its keys have a past
// that the folder does not know, and returns at once otherwise; Open can follow.
// tell hears of each change. It fails with croft.ErrCopyRuns if the node runs
// elsewhere.
//
//	Crash: the same again. The mark goes last.
func Recover(ctx context.Context, cfg Config, tell func(Recovery)) error {
	if err := inherit(ctx, cfg, tell); err != nil {
		return err
	}
	mark, lost, err := readRestored(cfg.Dir)
	if err != nil || !lost {
		return err
	}
	if light, err := IsLight(cfg.Dir); err != nil {
		return err
	} else if light { // it casts no votes that orderers count, and reads the ledger from the others anyway
		if err := os.Remove(filepath.Join(cfg.Dir, restoredFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return croft.E(croft.ErrFolder, cfg.Dir, cause(err))
		}
		return nil
	}
	if err := replace(cfg.Dir, restoredFile, croft.Encode(mark)); err != nil {
		return err
	}
	cfg.observe = true
	n, err := Open(cfg)
	if err != nil {
		return err
	}
	height, alone, err := n.catchUp(ctx, mark, tell)
	if err = errors.Join(err, n.Close()); err != nil {
		return err
	}
	release, err := store.Lock(cfg.Dir)
	if err != nil {
		return err
	}
	defer release()
	if !alone {
		height = 0 // the others make blocks without it: it signs once they have made enough
	}
	if err := chain.SetRecord(filepath.Join(cfg.Dir, chainFolder), height); err != nil {
		return err
	}
	if err := keys.Use(cfg.Dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(cfg.Dir, restoredFile)); err != nil {
		return croft.E(croft.ErrFolder, cfg.Dir, cause(err))
	}
	return nil
}

// IsLight says whether the folder is that of a light member, which no founder is.
func IsLight(dir string) (bool, error) {
	j, _, err := readJoined(dir)
	return j.Newcomer.Light, err
}

// readRestored says whether the keys of a folder have a past that it does not know.
func readRestored(dir string) (mark restored, lost bool, err error) {
	path := filepath.Join(dir, restoredFile)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return mark, !keys.Unused(dir) && !chain.HasRecord(filepath.Join(dir, chainFolder)), nil
	case err != nil:
		return mark, false, croft.E(croft.ErrFolder, dir, cause(err))
	}
	if err := croft.Decode(raw, &mark); err != nil {
		return mark, false, croft.E(croft.ErrStoreCorrupt, path, err)
	}
	return mark, true, nil
}

// nobody returns the validator key of one who looks on: it is no member's.
func nobody() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails
	return ed25519.NewKeyFromSeed(seed)
}

// catchUp runs what of a node only listens, until its ledger is where the others
// are. It returns the ledger's height, and whether this member alone orders blocks.
func (n *Node) catchUp(ctx context.Context, mark restored, tell func(Recovery)) (height int64, alone bool, err error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.meet(ctx) })
	group.Go(func() error { return n.guard(ctx) })
	group.Go(func() error {
		defer done()
		moved := n.Chain.Watch(ctx)
		for said := (Recovery{Height: -100}); ; {
			r, ready := n.recovery(mark)
			if r.Height >= said.Height+100 || (r.Height >= r.Others) != (said.Height >= said.Others) || r.Others != said.Others || r.Heard != said.Heard || !slices.Equal(r.Waits, said.Waits) {
				tell(r)
				said = r
			}
			if ready {
				s := n.Chain.Status()
				height, alone = s.Height, len(s.Orderers) == 1 && s.Orderers[0] == n.Self
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-moved:
			case <-time.After(200 * time.Millisecond): // a greeting is no block
			}
		}
	})
	return height, alone, group.Wait()
}

// recovery says how far this node is, and whether it may take part. Where others
// order blocks too, one that answers and is not ahead is enough: its votes wait for
// blocks that were made without them (see chain). Where this member alone orders,
// nobody but the others know its last block, and any of them may have it.
func (n *Node) recovery(mark restored) (r Recovery, ready bool) {
	s := n.Chain.Status()
	r.Height = s.Height
	n.copies.mu.Lock()
	for _, height := range n.copies.heights {
		r.Others, r.Heard = max(r.Others, height), r.Heard+1
	}
	for _, m := range n.members() {
		_, heard := n.copies.heights[p2p.PeerOf(m.Node)]
		if m.ID != n.Self && !heard && !slices.Contains(mark.Without, m.Name) {
			r.Waits = append(r.Waits, m.Name)
		}
	}
	n.copies.mu.Unlock()
	if len(s.Orderers) != 1 || s.Orderers[0] != n.Self || mark.Alone {
		r.Waits = nil
	}
	return r, r.Height >= r.Others && len(r.Waits) == 0 && (mark.Alone || r.Heard > 0 && !s.CatchingUp)
}

// acquaintances returns the nodes in the book of addresses as members of whom no
// more than the key is known: whom a restored node may ask before its ledger says
// who the members are. What they give it is checked against the genesis.
func (n *Node) acquaintances() (out []croft.Member) {
	names, _ := n.Docs.List(addressKind) // a damaged book is no book
	for _, name := range names {
		var addrs []string
		raw, err := n.Docs.Get(addressKind, name)
		if err != nil || json.Unmarshal(raw, &addrs) != nil || len(addrs) == 0 {
			continue
		}
		peer := peerIn(addrs[0])
		if key, ok := p2p.KeyOf(peer); ok && peer != p2p.PeerOf(n.Member.Node) {
			out = append(out, croft.Member{Name: string(peer), Node: key})
		}
	}
	return out
}
