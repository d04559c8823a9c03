package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/p2p"
)

// A rescue, at one node: it exports the state that it has verified and computes the
// successor's genesis from it; its person signs; and once enough members have, the
// folder changes over at the next start. The chain that ended stays in the folder,
// for whoever wants to audit it.
//
// A node that was away meanwhile may lack the last blocks, and nobody has them any
// more for it: it believes the signatures of more than half of the members that it
// knows, and gets the state from one of them.

const (
	rescueFile = "rescue.cbor" // a successor's genesis that this member has signed or taken over
	oldChain   = "chain.old-"  // and a number: chains that have ended
)

// successor returns the genesis, which nobody has signed yet, of the chain that
// succeeds this node's if these members are lost. It keeps the state for the others.
// It fails as ledger.Succeed does, and with croft.ErrRescue if one of them is here.
func (n *Node) successor(lost []croft.MemberID) (g croft.Genesis, err error) {
	if n.light != nil {
		return g, lightOnly("it does not have the state that a successor goes on from")
	}
	connected := n.Host.Connected()
	for _, m := range n.members() {
		if slices.Contains(lost, m.ID) && slices.Contains(connected, p2p.PeerOf(m.Node)) {
			return g, croft.E(croft.ErrRescue, fmt.Sprintf("the node of %s is connected, so it is not lost", m.Name), "to have it leave, vote: croft member revoke NAME")
		}
	}
	end, err := n.lastState()
	if err != nil {
		return g, err
	}
	return ledger.Succeed(n.genesis, end, n.Blobs.Get, lost)
}

// lastState exports the state after the last block, again if one came in between, and
// keeps it.
func (n *Node) lastState() (end ledger.End, err error) {
	for {
		at := n.Chain.Status()
		end = ledger.End{Height: at.Height, Time: at.Time.UnixMilli(), AppHash: at.AppHash}
		if end.Height == 0 {
			return end, croft.E(croft.ErrNoQuorum, "there is no block yet")
		}
		end.State, err = ledger.Export(func(yield func(string, []byte)) error { return n.Chain.Range("", yield) }, n.Blobs.Put)
		if err != nil || n.Chain.Status().Height == end.Height {
			return end, err
		}
	}
}

// CheckRescue says whether a node can believe a successor's genesis without having
// come to the same by itself: enough members have signed, and among them more than
// half of those that it knows. known are its ledger's members; nil: those that the
// files in the folder dir name. It fails with croft.ErrRescue.
func CheckRescue(dir string, g croft.Genesis, known []croft.Member) error {
	now, err := Genesis(dir)
	if err != nil {
		return err
	}
	if known == nil {
		j, _, err := readJoined(dir)
		if err != nil {
			return err
		}
		for _, m := range slices.Concat(now.Members, j.Members) {
			if !slices.ContainsFunc(known, func(o croft.Member) bool { return o.ID == m.ID }) {
				known = append(known, m)
			}
		}
	}
	if err := ledger.CheckGenesis(g); err != nil {
		return err
	}
	signed := ledger.Endorsers(g, known)
	if g.Rescue.Missing() > 0 || len(signed) < ledger.Majority(len(known)) {
		return croft.E(croft.ErrRescue, fmt.Sprintf("%d of the %d members that this node knows have signed it", len(signed), len(known)),
			"have others confirm it first; a node that was away for very long may have to join anew")
	}
	return nil
}

// Rescue is a successor's genesis that the member of the folder has signed, or
// croft.ErrNotFound.
func Rescue(dir string) (g croft.Genesis, err error) {
	path := filepath.Join(dir, rescueFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, croft.E(croft.ErrNotFound, "rescue", "of this network", "croft network show")
	} else if err != nil {
		return g, croft.E(croft.ErrFolder, dir, cause(err))
	}
	if err := croft.Decode(raw, &g); err != nil || g.Rescue == nil {
		return g, croft.E(croft.ErrStoreCorrupt, path, "it is no successor's genesis")
	}
	return g, nil
}

// KeepRescue keeps a successor's genesis in the folder. Once it has all signatures
// that it needs, the next start of the node changes over.
func KeepRescue(dir string, g croft.Genesis) error { return replace(dir, rescueFile, croft.Encode(g)) }

// changeOver puts the folder on the successor chain that is kept in it, if enough
// members have signed it. The caller has the folder's lock.
//
//	Crash: the same again. The mark goes last.
func changeOver(dir string) error {
	g, err := Rescue(dir)
	if errors.Is(err, croft.ErrNotFound) || err == nil && g.Rescue.Missing() > 0 {
		return nil
	} else if err != nil {
		return err
	}
	now, err := Genesis(dir)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, chainFolder)
	if now.Hash() != g.Hash() {
		if err := retire(dir, folder); err != nil {
			return croft.E(croft.ErrFolder, dir, cause(err))
		}
		if err := replace(dir, genesisFile, croft.Encode(g)); err != nil {
			return err
		}
	}
	if !chain.HasRecord(folder) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return croft.E(croft.ErrFolder, dir, cause(err))
		}
		// The validator key has a past, but on another chain: nothing that it signs
		// on this one can contradict it.
		if err := chain.SetRecord(folder, 0); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(dir, rescueFile)); err != nil {
		return croft.E(croft.ErrFolder, dir, cause(err))
	}
	return nil
}

// retire gives the folder of a chain that has ended a name of its own.
func retire(dir, folder string) error {
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for i := 1; ; i++ {
		old := filepath.Join(dir, fmt.Sprint(oldChain, i))
		if _, err := os.Lstat(old); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(folder, old)
		}
	}
}

// inherit gets the state that a successor chain begins with from the others, if the
// folder has neither the state nor a block. tell hears that it asks.
func inherit(ctx context.Context, cfg Config, tell func(Recovery)) (err error) {
	n := &Node{cfg: cfg}
	defer func() { err = errors.Join(err, n.Close()) }()
	k, err := n.openFolder()
	lacks := slices.DeleteFunc(n.genesis.Pieces(), n.Blobs.Has)
	if err != nil || len(lacks) == 0 {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, chainFolder, "blockstore.db")); err == nil {
		return nil
	}
	var peers []p2p.PeerID
	addrs := n.joined.Addrs
	for _, m := range n.introduced() {
		if peer := p2p.PeerOf(m.Node); m.ID != n.Self {
			peers = append(peers, peer)
			addrs = append(addrs, n.book(peer)...)
		}
	}
	host, err := p2p.Listen(p2p.Config{Key: k.NodeSecret(), Allow: func(p p2p.PeerID) bool { return slices.Contains(peers, p) }})
	if err != nil {
		return err
	}
	n.close = append(n.close, closer{"connections", host.Close})
	for tell(Recovery{}); ; {
		_ = host.Learn(addrs...) // also ends its waiting for those who did not answer
		piece, err := p2p.Fetch(ctx, host, lacks[0], ledger.MaxPiece, peers...)
		if err == nil {
			_, err = n.Blobs.Put(piece)
			if lacks = lacks[1:]; err != nil || len(lacks) == 0 {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(askAgain):
		}
	}
}
