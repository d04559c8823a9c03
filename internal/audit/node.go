package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
	"croft/internal/store"
	"croft/internal/study"
)

// Node is what lies in a node's folder, opened by whoever has the right to.
type Node struct {
	Dir     string // the folder; its documents lie in docs
	Genesis croft.Genesis
	Self    croft.MemberID
	Ledger  interface {
		chain.Blocks
		Get(ctx context.Context, key string) (ledger.Proof, error)
		Status() chain.Status
	}
	Blobs *store.Blobs
	Docs  *store.Docs
}

// Stored is what was compared on a node's disk.
type Stored struct {
	Values    int `json:"values"`    // of the state, each with its proof
	Blobs     int `json:"blobs"`     // each with its hash
	Documents int `json:"documents"` // each with its checksum
	States    int `json:"states"`    // plan states and models whose hash is on the ledger
	Approvals int `json:"approvals"` // kept ones, signed by the owner
}

// VerifyNode verifies all that a node has stored: its chain as Verify does; every
// value of its state against the one that was built again, with the hashes on the
// way to the root; every blob and document; every kept plan state and model
// against the hash that the seats agreed on; and that the owner signed what this
// site obeys. Damaged files and values are all named, in one croft.ErrAudit.
//
// The node may be running: blocks that arrive meanwhile are checked too, and each
// value of the state is compared once, after whichever block was the last then.
func VerifyNode(ctx context.Context, n Node, o Options) (Report, error) {
	if o.Inherited == nil {
		o.Inherited = n.Blobs.Get
	}
	r, err := newReplay(n.Genesis, o)
	if err != nil {
		return Report{}, err
	}
	stored, compared := new(Stored), map[string]bool{}
	for moved := true; moved; {
		at := n.Ledger.Status()
		r.total = max(r.total, at.Height)
		if err := r.run(ctx, span(n.Ledger, r.machine.Height()+1, at.Height)); err != nil {
			return r.report, err
		}
		if at.Height == 0 || at.AppHash != r.machine.AppHash() {
			return r.report, fault("state after block %d: the node says %s, the blocks give %s", r.machine.Height(), at.AppHash, r.machine.AppHash())
		}
		if moved, err = r.compareState(ctx, n, stored, compared); err != nil {
			return r.report, err
		}
	}
	if err := r.finish(); err != nil {
		return r.report, err
	}
	blobs, err := checkBlobs(ctx, n, stored)
	if err != nil {
		return r.report, err
	}
	docs, err := r.checkDocs(ctx, n, stored)
	if err != nil {
		return r.report, err
	}
	if damage := slices.Concat(blobs, docs); len(damage) > 0 {
		return r.report, faults(damage)
	}
	r.report.Stored = stored
	return r.report, nil
}

// faults names what is damaged; of very many, the first.
func faults(damage []string) error {
	const shown = 10
	if more := len(damage) - shown; more > 0 {
		damage = append(damage[:shown:shown], fmt.Sprintf("and %d more", more))
	}
	return fault("%s", strings.Join(damage, "; "))
}

// compareState compares each value of the node's state that was not compared yet
// with the rebuilt one. moved says that the node has committed a further block
// meanwhile; those compared are not compared again, or a ledger that moves faster
// than all of them are read would never be done.
func (r *replay) compareState(ctx context.Context, n Node, stored *Stored, compared map[string]bool) (moved bool, err error) {
	var damage []string
	root, height := r.machine.AppHash(), r.machine.Height()
	var keys []string
	r.tree.Range("", func(key string, _ []byte) { keys = append(keys, key) })
	for _, key := range keys {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if compared[key] {
			continue
		}
		p, err := get(ctx, n, key)
		if moved = err == nil && p.Height != height; moved {
			break
		}
		compared[key] = true
		switch {
		case err != nil:
			damage = append(damage, fmt.Sprintf("state value %s: %v", key, err))
		case !bytes.Equal(p.Value, r.machine.Get(key)):
			damage = append(damage, fmt.Sprintf("state value %s: it is not what the blocks give", key))
		case p.Root != root || p.Verify() != nil:
			damage = append(damage, fmt.Sprintf("state value %s: a hash between it and the root is wrong", key))
		}
	}
	if len(damage) > 0 {
		return false, faults(damage)
	}
	stored.Values = len(keys)
	return moved, nil
}

// get reads a state value with its proof; the tree panics on a node of it that
// cannot be read.
func get(ctx context.Context, n Node, key string) (p ledger.Proof, err error) {
	defer func() {
		if damage := recover(); damage != nil {
			err = croft.E(croft.ErrStoreCorrupt, "the ledger's state", damage)
		}
	}()
	return n.Ledger.Get(ctx, key)
}

func checkBlobs(ctx context.Context, n Node, stored *Stored) (damage []string, err error) {
	hashes, err := n.Blobs.List()
	if err != nil {
		return nil, err
	}
	for _, hash := range hashes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		switch _, err := n.Blobs.Get(hash); {
		case errors.Is(err, store.ErrAbsent): // erased since, by a running node
		case err != nil:
			damage = append(damage, fmt.Sprintf("blob %s: %v", hash, err))
		default:
			stored.Blobs++
		}
	}
	return damage, nil
}

// checkDocs reads every document, of whatever kind. The folder is listed here,
// not by kind: a kind that this package has never heard of is checked too.
func (r *replay) checkDocs(ctx context.Context, n Node, stored *Stored) (damage []string, err error) {
	dir := filepath.Join(n.Dir, "docs")
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	owner, _, err := ledger.Decode[croft.Member](r.machine.Get(ledger.MemberKey(n.Self)))
	if err != nil {
		return nil, err
	}
	hashes, scopes := r.stateHashes(), r.machine.Scopes()
	slices.Reverse(scopes)
	for _, file := range files {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		kind, name, ok := strings.Cut(file.Name(), "~")
		if !ok || kind == "" {
			continue // not a document, or one that was not finished
		}
		data, err := n.Docs.Get(kind, name)
		if errors.Is(err, store.ErrAbsent) {
			continue // erased since, by a running node
		}
		if err == nil {
			if want, known := hashes[study.Doc{Kind: kind, Name: name}]; known {
				if got := croft.Sum(data); got != want {
					err = fmt.Errorf("its hash is %s; the ledger has %s", got, want)
				}
				stored.States++
			}
			if kind == study.ApprovalKind {
				for _, scope := range scopes { // one for a study of a chain that ended was signed for that
					if _, err = ledger.OpenApproval(scope, owner, data); err == nil {
						break
					}
				}
				stored.Approvals++
			}
		}
		if err != nil {
			damage = append(damage, fmt.Sprintf("document %s: %v", filepath.Join(dir, file.Name()), err))
			continue
		}
		stored.Documents++
	}
	return damage, nil
}

// stateHashes returns what the seats agreed on: the hash of each plan state and
// of each model, by its document.
func (r *replay) stateHashes() map[study.Doc]croft.Hash {
	hashes := map[study.Doc]croft.Hash{}
	r.tree.Range("round/", func(_ string, raw []byte) {
		round, _, err := ledger.Decode[ledger.Round](raw)
		if err == nil && round.Phase == croft.PhaseCommit && !round.Next.IsZero() {
			hashes[study.StateDoc(round.Study, round.Number+1)] = round.Next
		}
	})
	r.tree.Range("model/", func(_ string, raw []byte) {
		if m, _, err := ledger.Decode[ledger.Model](raw); err == nil {
			hashes[study.ModelDoc(m.Study)] = m.State
		}
	})
	return hashes
}
