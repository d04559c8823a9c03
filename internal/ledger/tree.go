package ledger

import (
	"fmt"
	"strings"

	"github.com/cosmos/iavl"
	"github.com/cosmos/iavl/db"
	ics23 "github.com/cosmos/ics23/go"

	"croft"
)

// Tree is the Merkle tree that holds the state: one version a block. Only this
// file knows that it is an IAVL tree with ICS-23 proofs.
type Tree struct {
	tree *iavl.MutableTree
}

// OpenTree opens the tree in a database, at its last saved version. Writes of
// Save are synced to disk before it returns.
func OpenTree(store db.DB) (*Tree, error) {
	// No fast nodes: they double the writes for reads that this state never makes.
	tree := iavl.NewMutableTree(store, 4096, true, iavl.NewNopLogger(),
		iavl.SyncOption(true), iavl.FlushThresholdOption(64<<20), iavl.InitialVersionOption(1))
	if _, err := tree.Load(); err != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, "the ledger's state", err)
	}
	return &Tree{tree}, nil
}

// NewMemoryTree returns an empty tree that lives in memory: for the twin, for
// tests, and for the audit, which builds the state again.
func NewMemoryTree() *Tree {
	t, err := OpenTree(db.NewMemDB())
	if err != nil {
		panic(err) // an empty map cannot be corrupt
	}
	return t
}

// Height returns the last saved version.
func (t *Tree) Height() int64 { return t.tree.Version() }

// Hash returns the root of the last saved version.
func (t *Tree) Hash() croft.Hash { return toHash(t.tree.Hash()) }

// WorkingHash returns the root that Save would write.
func (t *Tree) WorkingHash() croft.Hash { return toHash(t.tree.WorkingHash()) }

// Rollback drops everything since the last Save.
func (t *Tree) Rollback() { t.tree.Rollback() }

// Save writes the working state as the next version.
func (t *Tree) Save() error {
	if _, _, err := t.tree.SaveVersion(); err != nil {
		return croft.E(croft.ErrStoreCorrupt, "the ledger's state", err)
	}
	return nil
}

// Prune forgets the versions before height; proofs are made from the last one.
func (t *Tree) Prune(height int64) error {
	if height <= 1 {
		return nil
	}
	return t.tree.DeleteVersionsTo(height - 1)
}

// Get reads a key of the last saved version.
func (t *Tree) Get(key string) []byte {
	if t.Height() == 0 {
		return nil
	}
	last, err := t.tree.GetImmutable(t.Height())
	if err != nil {
		panic(fmt.Sprintf("ledger: version %d: %v", t.Height(), err))
	}
	value, err := last.Get([]byte(key))
	if err != nil {
		panic(fmt.Sprintf("ledger: read %s: %v", key, err))
	}
	return value
}

// Range calls yield for every key with the prefix in the last saved version, in
// order of keys.
func (t *Tree) Range(prefix string, yield func(key string, value []byte)) {
	if t.Height() == 0 {
		return
	}
	last, err := t.tree.GetImmutable(t.Height())
	if err != nil {
		panic(fmt.Sprintf("ledger: version %d: %v", t.Height(), err))
	}
	last.IterateRange([]byte(prefix), []byte(prefix+"\xff"), true, func(k, v []byte) bool {
		yield(string(k), v)
		return false
	})
}

// working reads and writes the unsaved state.
func (t *Tree) working(key string) []byte {
	value, err := t.tree.Get([]byte(key))
	if err != nil {
		panic(fmt.Sprintf("ledger: read %s: %v", key, err))
	}
	return value
}

func (t *Tree) set(key string, value []byte) {
	if _, err := t.tree.Set([]byte(key), value); err != nil {
		panic(fmt.Sprintf("ledger: write %s: %v", key, err))
	}
}

// Proof is a value (nil: absent) with what convinces a stranger who trusts only
// the root.
type Proof struct {
	Height int64
	Root   croft.Hash
	Key    string
	Value  []byte
	Bytes  []byte // ics23.CommitmentProof
}

// Prove makes a proof from the last saved version.
func (t *Tree) Prove(key string) (Proof, error) { return t.ProveAt(t.Height(), key) }

// ProveAt makes a proof from the version of a height. It fails with
// croft.ErrNotFound if that was pruned, or is not there yet.
func (t *Tree) ProveAt(height int64, key string) (Proof, error) {
	if !t.tree.VersionExists(height) {
		return Proof{}, croft.E(croft.ErrNotFound, "state after block", height, "croft status")
	}
	version, err := t.tree.GetImmutable(height)
	if err != nil {
		return Proof{}, croft.E(croft.ErrStoreCorrupt, "the ledger's state", err)
	}
	value, err := version.Get([]byte(key))
	if err != nil {
		return Proof{}, croft.E(croft.ErrStoreCorrupt, "the ledger's state", err)
	}
	p := Proof{Height: height, Root: toHash(version.Hash()), Key: key, Value: value}
	proof, err := version.GetProof([]byte(key))
	if err != nil {
		return Proof{}, fmt.Errorf("prove %s: %w", key, err)
	}
	p.Bytes, err = proof.Marshal()
	return p, err
}

// Verify checks the proof against its own root; the caller compares the root
// with the one that consensus signed.
func (p Proof) Verify() error {
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(p.Bytes); err != nil {
		return croft.E(croft.ErrEncoding, "state proof", err)
	}
	ok := false
	if p.Value == nil {
		ok = ics23.VerifyNonMembership(ics23.IavlSpec, p.Root[:], &proof, []byte(p.Key))
	} else {
		ok = ics23.VerifyMembership(ics23.IavlSpec, p.Root[:], &proof, []byte(p.Key), p.Value)
	}
	if !ok {
		return croft.E(croft.ErrEncoding, "state proof", "it does not prove "+p.Key)
	}
	return nil
}

// Refit returns the bytes of a proof with another value in them: none, where the value
// stands beside them, or the right one again. A proof of absence stays as it is.
func Refit(proof, value []byte) ([]byte, error) {
	var p ics23.CommitmentProof
	if err := p.Unmarshal(proof); err != nil {
		return nil, croft.E(croft.ErrEncoding, "state proof", err)
	}
	leaf := p.GetExist()
	if leaf == nil {
		return proof, nil
	}
	leaf.Value = value
	return p.Marshal()
}

// Next returns what a verified proof shows of the keys from p.Key on: the first key
// that is there, with its value; "" if there is none. An absent key is proved by its
// two neighbours, so that a walk from proof to proof misses none.
func (p Proof) Next() (key string, value []byte) {
	if p.Value != nil {
		return p.Key, p.Value
	}
	var proof ics23.CommitmentProof
	if proof.Unmarshal(p.Bytes) != nil {
		return "", nil
	}
	right := proof.GetNonexist().GetRight()
	return string(right.GetKey()), right.GetValue()
}

// Walk calls yield for every key with the prefix, from one of them on ("": all), in
// order, as the proofs that prove returns show: whoever trusts them knows that none is
// missing. The last call has the proof that there are no more, and no key. It ends at
// the first error, of prove or yield.
func Walk(prefix, from string, prove func(key string) (Proof, error), yield func(p Proof, key string, value []byte) error) error {
	for at := max(prefix, from, "\x00"); ; { // no key is empty
		p, err := prove(at)
		if err != nil {
			return err
		}
		key, value := p.Next()
		if key == "" || !strings.HasPrefix(key, prefix) {
			return yield(p, "", nil)
		}
		if err := yield(p, key, value); err != nil {
			return err
		}
		at = After(key)
	}
}

// After is the first key that may follow another.
func After(key string) string { return key + "\x00" }

func toHash(b []byte) (h croft.Hash) { copy(h[:], b); return h }
