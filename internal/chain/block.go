package chain

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/proto/tendermint/types"
	cmtstate "github.com/cometbft/cometbft/state"
	comet "github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// BlockData is a committed block as it is exported: CometBFT's own bytes, so that
// an auditor with other software can check them too. What a block did is not in
// it: the auditor runs it again, and the next header says whether the result is
// the same.
type BlockData struct {
	Height int64  `cbor:"1,keyasint"`
	Block  []byte `cbor:"2,keyasint"` // protobuf tendermint.types.Block: header, transactions, evidence, commit of the block before
	Commit []byte `cbor:"3,keyasint"` // protobuf tendermint.types.Commit: the orderers' signatures of this block; empty from a twin
}

// maxCommit bounds a commit: a thousand orderers of about 110 bytes.
const maxCommit = 128 << 10

func newBlockData(block *comet.Block, commit *comet.Commit) (BlockData, error) {
	data := BlockData{Height: block.Height}
	pb, err := block.ToProto()
	if err != nil {
		return data, err
	}
	if data.Block, err = pb.Marshal(); err != nil || commit == nil {
		return data, err
	}
	data.Commit, err = commit.ToProto().Marshal()
	return data, err
}

// Open decodes a block without judging it: for screens and for export.
func (b BlockData) Open() (ledger.Block, [][]byte, error) {
	block, _, err := b.decode()
	if err != nil {
		return ledger.Block{}, nil, err
	}
	return ledger.Block{Height: block.Height, Time: block.Time.UnixMilli()}, block.Txs.ToSliceOfBytes(), nil
}

// Base returns the hash of the state that the block was built on, which its header
// proves: if that is the state after the block too, no further block is due.
func (b BlockData) Base() (hash croft.Hash, err error) {
	block, _, err := b.decode()
	if err == nil {
		copy(hash[:], block.AppHash)
	}
	return hash, err
}

// decode refuses bytes that do not encode to themselves again: protobuf has many
// ways to write one thing, and no byte of an export may be changed unnoticed.
func (b BlockData) decode() (*comet.Block, *comet.Commit, error) {
	if len(b.Block) > 2*maxBlock || len(b.Commit) > maxCommit {
		return nil, nil, croft.E(croft.ErrEncoding, "block", "too large")
	}
	var pb types.Block
	if err := pb.Unmarshal(b.Block); err != nil {
		return nil, nil, croft.E(croft.ErrEncoding, "block", err)
	}
	block, err := comet.BlockFromProto(&pb) // header, transactions, evidence and last commit belong together
	if err != nil {
		return nil, nil, croft.E(croft.ErrEncoding, "block", err)
	}
	var commit *comet.Commit
	if len(b.Commit) > 0 {
		var pb types.Commit
		if err := pb.Unmarshal(b.Commit); err != nil {
			return nil, nil, croft.E(croft.ErrEncoding, "commit", err)
		}
		if commit, err = comet.CommitFromProto(&pb); err != nil {
			return nil, nil, croft.E(croft.ErrEncoding, "commit", err)
		}
	}
	if again, err := newBlockData(block, commit); err != nil || !bytes.Equal(again.Block, b.Block) || !bytes.Equal(again.Commit, b.Commit) {
		return nil, nil, croft.E(croft.ErrEncoding, "block", "the bytes are not in canonical form")
	}
	if block.Height != b.Height {
		return nil, nil, croft.E(croft.ErrEncoding, "block", fmt.Sprintf("height %d inside, %d outside", block.Height, b.Height))
	}
	return block, commit, nil
}

// Verifier checks a chain block by block from its genesis: what the orderers
// signed, and that the rules give what the headers say. It trusts the genesis
// alone; who may sign follows from the blocks before.
//
// The state after the last block is in no header yet: compare AppHash of the
// machine with what several members report.
type Verifier struct {
	machine  *ledger.Machine
	head     cmtstate.State // what the next header must say
	unsigned bool
}

// NewVerifier returns a verifier of the network's chain, which runs the blocks on
// machine (new, at height 0).
func NewVerifier(g croft.Genesis, machine *ledger.Machine) (*Verifier, error) {
	head, err := genesisHead(g, machine)
	return &Verifier{machine: machine, head: head}, err
}

// NewTwinVerifier is NewVerifier for blocks of a Twin, which nobody signs: every
// effect is checked and no signature is. It proves nothing about who made them.
func NewTwinVerifier(g croft.Genesis, machine *ledger.Machine) (*Verifier, error) {
	v, err := NewVerifier(g, machine)
	if err == nil {
		v.unsigned = true
	}
	return v, err
}

// Next checks the next block, runs it and commits it. An error (croft.ErrAudit)
// names the height and what is wrong there; the machine then stands before it.
func (v *Verifier) Next(b BlockData) (ledger.Outcome, error) {
	height := v.head.LastBlockHeight + 1
	fault := func(what any) (ledger.Outcome, error) {
		return ledger.Outcome{}, croft.E(croft.ErrAudit, fmt.Sprintf("block %d: %v", height, what))
	}
	block, commit, err := b.decode()
	if err != nil {
		return fault(err)
	}
	if err := checkHeader(v.head, &block.Header); err != nil {
		return fault(err)
	}
	id, err := blockID(block)
	if err != nil {
		return fault(err)
	}
	_, proposer := v.head.Validators.GetByAddress(block.ProposerAddress)
	if proposer == nil {
		return fault("the proposer is not an orderer")
	}
	if !v.unsigned {
		if err := v.checkSignatures(id, block, commit); err != nil {
			return fault(err)
		}
	} else if commit != nil {
		return fault("a twin's block has no signatures")
	}

	var key croft.PublicKey
	copy(key[:], proposer.PubKey.Bytes())
	var silent []croft.PublicKey
	for i, vote := range block.LastCommit.Signatures {
		if !v.unsigned && vote.BlockIDFlag == comet.BlockIDFlagAbsent { // one for each orderer of that block: checkSignatures
			var absent croft.PublicKey
			copy(absent[:], v.head.LastValidators.Validators[i].PubKey.Bytes())
			silent = append(silent, absent)
		}
	}
	out := v.machine.Execute(ledger.Block{Height: height, Time: block.Time.UnixMilli(), Proposer: key, Silent: silent}, block.Txs.ToSliceOfBytes())
	next, err := advance(v.head, block, id, out)
	if err != nil {
		return fault(err)
	}
	if err := v.machine.Commit(); err != nil {
		return fault(err)
	}
	v.head = next
	return out, nil
}

// checkSignatures checks both commits around a block and its time, which is the
// orderers' median in the commit before.
func (v *Verifier) checkSignatures(id comet.BlockID, block *comet.Block, commit *comet.Commit) error {
	h := v.head
	if commit == nil {
		return croft.E(croft.ErrEncoding, "commit", "it is missing")
	}
	if err := h.Validators.VerifyCommit(h.ChainID, id, block.Height, commit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if block.Height == h.InitialHeight {
		if block.LastCommit.Size() != 0 {
			return fmt.Errorf("the first block has a commit of a block before it")
		}
		return nil
	}
	if err := h.LastValidators.VerifyCommit(h.ChainID, h.LastBlockID, block.Height-1, block.LastCommit); err != nil {
		return fmt.Errorf("commit of the block before: %w", err)
	}
	median, err := cmtstate.MedianTime(block.LastCommit, h.LastValidators)
	if err != nil || !median.Equal(block.Time) {
		return fmt.Errorf("time %v is not the orderers' median %v", block.Time, median)
	}
	return nil
}

// genesisHead is the state of consensus before the first block.
func genesisHead(g croft.Genesis, m *ledger.Machine) (cmtstate.State, error) {
	if m.Height() != 0 {
		return cmtstate.State{}, fmt.Errorf("the machine is at height %d, not new", m.Height())
	}
	head, err := cmtstate.MakeGenesisState(genesisDoc(g, m.Founders()))
	app := m.AppHash()
	head.AppHash = app[:]
	head.Version.Consensus.App = appVersion
	head.LastResultsHash = cmtstate.TxResultsHash(nil)
	return head, err
}

// checkHeader compares a block's header with what the blocks before determine.
func checkHeader(h cmtstate.State, b *comet.Header) error {
	if b.Height != h.LastBlockHeight+1 || b.ChainID != h.ChainID || b.Version != h.Version.Consensus {
		return fmt.Errorf("header: height %d, chain %s, version %v; expected %d, %s, %v",
			b.Height, b.ChainID, b.Version, h.LastBlockHeight+1, h.ChainID, h.Version.Consensus)
	}
	if !b.LastBlockID.Equals(h.LastBlockID) {
		return fmt.Errorf("header: it does not follow the block before")
	}
	for _, field := range []struct {
		name      string
		got, want []byte
	}{
		{"state after the block before", b.AppHash, h.AppHash},
		{"results of the block before", b.LastResultsHash, h.LastResultsHash},
		{"orderers", b.ValidatorsHash, h.Validators.Hash()},
		{"next orderers", b.NextValidatorsHash, h.NextValidators.Hash()},
		{"parameters", b.ConsensusHash, h.ConsensusParams.Hash()},
	} {
		if !bytes.Equal(field.got, field.want) {
			return fmt.Errorf("header: %s: hash %X, expected %X", field.name, field.got, field.want)
		}
	}
	if first := b.Height == h.InitialHeight; first && !b.Time.Equal(h.LastBlockTime) || !first && !b.Time.After(h.LastBlockTime) {
		return fmt.Errorf("header: time %v does not follow %v", b.Time, h.LastBlockTime)
	}
	return nil
}

// advance returns the head after a block. Changes of the orderers take effect two
// heights later, as CometBFT has it.
func advance(h cmtstate.State, b *comet.Block, id comet.BlockID, out ledger.Outcome) (cmtstate.State, error) {
	next := h.NextValidators.Copy()
	if len(out.Validators) > 0 {
		changes, err := comet.PB2TM.ValidatorUpdates(validatorUpdates(out.Validators))
		if err != nil {
			return h, err
		}
		if err := next.UpdateWithChangeSet(changes); err != nil {
			return h, err
		}
	}
	next.IncrementProposerPriority(1)
	h.LastBlockHeight, h.LastBlockID, h.LastBlockTime = b.Height, id, b.Time
	h.LastValidators, h.Validators, h.NextValidators = h.Validators.Copy(), h.NextValidators.Copy(), next
	h.AppHash, h.LastResultsHash = out.AppHash[:], cmtstate.TxResultsHash(execResults(out.Effects))
	return h, nil
}

func blockID(b *comet.Block) (comet.BlockID, error) {
	parts, err := b.MakePartSet(comet.BlockPartSizeBytes)
	if err != nil {
		return comet.BlockID{}, err
	}
	return comet.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}, nil
}

// makeBlock builds the block that follows head: what CometBFT's proposer does,
// with the commit and the evidence left empty.
func makeBlock(h cmtstate.State, at time.Time, txs [][]byte) *comet.Block {
	b := comet.MakeBlock(h.LastBlockHeight+1, comet.ToTxs(txs), &comet.Commit{}, nil)
	b.Header.Populate(h.Version.Consensus, h.ChainID, at, h.LastBlockID, h.Validators.Hash(), h.NextValidators.Hash(),
		h.ConsensusParams.Hash(), h.AppHash, h.LastResultsHash, h.Validators.GetProposer().Address)
	return b
}
