package chain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// What a full node answers light ones. Each answer proves itself, but for a refusal
// of a transaction and for blocks, which are for an auditor: see Light.

// MaxQuestion bounds what a light node asks, maxReply what it is answered: a block
// and a little.
const (
	MaxQuestion = ledger.MaxTx + 16<<10
	maxReply    = 4 << 20
)

// question is what a light node asks.
type question struct {
	Kind   uint8    `cbor:"1,keyasint"`
	Height int64    `cbor:"2,keyasint,omitempty"` // of a header, a state or a block
	Keys   []string `cbor:"3,keyasint,omitempty"` // askState: of these records; askRange: of the records from this key on
	Prefix string   `cbor:"4,keyasint,omitempty"` // askRange: with this prefix
	Tx     []byte   `cbor:"5,keyasint,omitempty"`
	// askState: by key, the hash of the value that the asker holds, as most records do not
	// change from state to state; zero if it holds none.
	Held []croft.Hash `cbor:"6,keyasint,omitempty"`
}

const (
	askHeader uint8 = iota + 1 // a signed header, with who may sign it
	askState                   // records of a state, each with its proof
	askRange                   // the same, for all keys of a prefix
	askTx                      // take a transaction, and say in which block it is
	askBlock                   // a block
)

// proved is a record with its proof, which lacks the value: that stands beside it, or
// the asker holds it. No value is absence. Key and root are the caller's.
type proved struct {
	Value []byte `cbor:"1,keyasint,omitempty"`
	Proof []byte `cbor:"2,keyasint"`
	Held  bool   `cbor:"3,keyasint,omitempty"`
}

// placed says in which block a transaction is.
type placed struct {
	Height int64        `cbor:"1,keyasint"`
	Proof  []byte       `cbor:"2,keyasint"` // protobuf tendermint.types.TxProof, against the header's hash of the data
	Codes  []croft.Code `cbor:"3,keyasint"` // of all transactions of the block: the next header has their hash
	Newest int64        `cbor:"4,keyasint"` // the last block
}

const (
	maxKeys   = 128             // in one question
	replyBig  = 1 << 20         // bytes of proofs after which an answer ends; the caller asks for the rest
	blocksDue = 8               // so far behind the others this node may be
	blockWait = 2 * time.Second // for a block that is due
	placeWait = 10 * time.Second
)

// Answer answers a light node's question; from is its member. It fails with
// croft.ErrNotFound for what this node does not have, with croft.ErrNoQuorum for a
// transaction that is in no block in time, and with the ledger's refusal of it.
func (n *Node) Answer(ctx context.Context, from croft.MemberID, raw []byte) (answer []byte, err error) {
	defer func() {
		if damage := recover(); damage != nil { // CometBFT's answer to what it cannot read
			err = croft.E(croft.ErrStoreCorrupt, n.dir, damage)
		}
	}()
	var q question
	if err := croft.Decode(raw, &q); err != nil {
		return nil, err
	}
	switch q.Kind {
	case askHeader:
		return n.signedHeader(ctx, q.Height)
	case askState:
		return n.prove(q)
	case askRange:
		return n.proveRange(q)
	case askTx:
		return n.place(ctx, from, q.Tx)
	case askBlock:
		b, err := n.Block(q.Height)
		return croft.Encode(b), err
	}
	return nil, croft.E(croft.ErrEncoding, "question", fmt.Sprintf("kind %d", q.Kind))
}

// orderersAt is CometBFT's record of who may sign the block of a height.
type orderersAt interface {
	LoadValidatorsFast(height int64) (*types.ValidatorSet, error)
}

// Tell calls tell with the height of the last block, now and after each block, until
// ctx ends or tell fails.
func (n *Node) Tell(ctx context.Context, tell func(height int64) error) error {
	made := n.app.blocks.watch(ctx)
	for {
		if height := n.Status().Height; height > 0 {
			if err := tell(height); err != nil {
				return err
			}
		}
		select {
		case <-made:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits a moment for a block that may be due.
func (n *Node) await(ctx context.Context, height int64) {
	if height > n.Status().Height+blocksDue {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, blockWait)
	defer cancel()
	made := n.app.blocks.watch(ctx)
	for n.Status().Height < height {
		select {
		case <-made:
		case <-ctx.Done():
			return
		}
	}
}

// signedHeader returns a header with its signatures and who may sign, as protobuf
// tendermint.types.LightBlock.
func (n *Node) signedHeader(ctx context.Context, height int64) ([]byte, error) {
	n.await(ctx, height)
	meta, commit := n.blocks.LoadBlockMeta(height), n.blocks.LoadBlockCommit(height)
	if commit == nil {
		commit = n.blocks.LoadSeenCommit(height)
	}
	validators, err := n.orderers.LoadValidatorsFast(height) // without whose turn it is, which no header has
	if meta == nil || commit == nil || err != nil {
		return nil, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	pb, err := (&types.LightBlock{SignedHeader: &types.SignedHeader{Header: &meta.Header, Commit: commit}, ValidatorSet: validators}).ToProto()
	if err != nil {
		return nil, err
	}
	return pb.Marshal()
}

func (n *Node) proveAt(height int64, key string) (p ledger.Proof, err error) {
	if !n.app.read(func(*ledger.Machine) { p, err = n.app.tree.ProveAt(height, key) }) {
		err = croft.E(croft.ErrNodeDown, n.dir)
	}
	return p, err
}

func (n *Node) prove(q question) ([]byte, error) {
	if len(q.Keys) > maxKeys {
		return nil, croft.E(croft.ErrTooLarge, len(q.Keys), maxKeys)
	}
	var out []proved
	for size := 0; len(out) < len(q.Keys) && size < replyBig; {
		p, err := n.proveAt(q.Height, q.Keys[len(out)])
		if err != nil {
			return nil, err
		}
		r, err := brief(p)
		if err != nil {
			return nil, err
		}
		if i := len(out); i < len(q.Held) && p.Value != nil && croft.Sum(p.Value) == q.Held[i] {
			r.Value, r.Held = nil, true
		}
		out = append(out, r)
		size += len(r.Value) + len(r.Proof)
	}
	return croft.Encode(out), nil
}

func (n *Node) proveRange(q question) ([]byte, error) {
	if len(q.Keys) != 1 {
		return nil, croft.E(croft.ErrEncoding, "question", "a range begins with one key")
	}
	var out []proved
	size := 0
	err := ledger.Walk(q.Prefix, q.Keys[0], func(key string) (ledger.Proof, error) { return n.proveAt(q.Height, key) },
		func(p ledger.Proof, _ string, _ []byte) error {
			r, err := brief(p)
			out = append(out, r)
			if size += len(r.Value) + len(r.Proof); err == nil && (size >= replyBig || len(out) == maxKeys) {
				return errEnough
			}
			return err
		})
	if err != nil && err != errEnough {
		return nil, err
	}
	return croft.Encode(out), nil
}

func brief(p ledger.Proof) (r proved, err error) {
	r.Value = p.Value
	r.Proof, err = ledger.Refit(p.Bytes, nil)
	return r, err
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// place hands in a transaction of a light member and says where it is, once it is in
// a block, and what came of the whole block.
func (n *Node) place(ctx context.Context, from croft.MemberID, raw []byte) ([]byte, error) {
	tx, _, err := ledger.Parse(raw)
	if err != nil {
		return nil, err
	}
	if tx.Member != from {
		return nil, croft.E(croft.ErrTxRights, from.Short(), "a light member hands in its own transactions")
	}
	ctx, cancel := context.WithTimeout(ctx, placeWait)
	defer cancel()
	if err := n.Submit(ctx, raw); err != nil {
		return nil, err
	}
	at, err := n.app.store.Get(txKey(tx.ID))
	if err != nil || len(at) != 8 {
		return nil, croft.E(croft.ErrNoQuorum, ctx.Err()) // this node is being closed
	}
	height := int64(binary.BigEndian.Uint64(at))
	block := n.blocks.LoadBlock(height)
	if block == nil {
		return nil, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	n.await(ctx, height+1) // which there is unless this one changed nothing
	proof := block.Txs.Proof(slices.IndexFunc(block.Txs, func(tx types.Tx) bool { return slices.Equal(tx, raw) })).ToProto()
	p := placed{Height: height, Codes: make([]croft.Code, len(block.Txs)), Newest: n.Status().Height}
	if p.Proof, err = proof.Marshal(); err != nil {
		return nil, err
	}
	if codes, err := n.app.store.Get(codesKey(height)); err != nil {
		return nil, err
	} else if codes != nil {
		if err := croft.Decode(codes, &p.Codes); err != nil {
			return nil, croft.E(croft.ErrStoreCorrupt, "the ledger's state", err)
		}
	}
	return croft.Encode(p), nil
}

// openProof reads a proof of a transaction.
func openProof(raw []byte) (types.TxProof, error) {
	var pb cmtproto.TxProof
	if err := pb.Unmarshal(raw); err != nil {
		return types.TxProof{}, err
	}
	return types.TxProofFromProto(pb)
}
