package chain

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	cometstore "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// Stopped is what a node that does not run has on its disk, opened to be read:
// nothing is started, and not a byte is written. It implements Blocks, and what of
// Ledger needs nobody else.
type Stopped struct{ stored }

// OpenStopped opens the folder of a node that does not run: the owner of the folder
// sees to that. It fails with croft.ErrNoQuorum if no node ran there yet, and with
// croft.ErrStoreCorrupt.
func OpenStopped(dir string, g croft.Genesis, inherited ledger.Pieces) (s *Stopped, err error) {
	if _, err := os.Stat(filepath.Join(dir, "blockstore.db")); err != nil {
		return nil, croft.E(croft.ErrNoQuorum, errNoBlock)
	}
	s = &Stopped{newStored(dir, true)}
	defer func() {
		if damage := recover(); damage != nil { // CometBFT's answer to files that it cannot read
			err = croft.E(croft.ErrStoreCorrupt, dir, damage)
		}
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	if err := s.openApp(g, inherited, nil); err != nil {
		return s, err
	}
	blocks, err := s.dbs.get("blockstore")
	if err != nil {
		return s, err
	}
	s.openBlocks(cometstore.NewBlockStore(blocks))
	return s, nil
}

// Status implements Ledger. Nobody is connected.
func (s *Stopped) Status() (out Status) {
	s.app.read(func(m *ledger.Machine) { out = status(m, s.app.hash, s.app.time) })
	return out
}

// stored is what a node has on its disk: the state and the blocks.
type stored struct {
	dir    string
	dbs    *databases
	app    *app
	blocks *cometstore.BlockStore
}

func newStored(dir string, readOnly bool) stored {
	return stored{dir: dir, dbs: &databases{dir, readOnly, map[string]*database{}}}
}

func (s *stored) openApp(g croft.Genesis, inherited ledger.Pieces, admit func() []croft.PublicKey) error {
	db, err := s.dbs.get("ledger")
	if err == nil {
		s.app, err = newApp(g, inherited, db, admit)
	}
	return err
}

func (s *stored) openBlocks(blocks *cometstore.BlockStore) {
	s.blocks = blocks
	if meta := blocks.LoadBlockMeta(s.app.machine.Height()); meta != nil {
		s.app.setTime(meta.Header.Time)
	}
}

// Close lets go of the files.
func (s *stored) Close() error {
	if s.app != nil {
		s.app.close()
	}
	return s.dbs.close()
}

// Get implements Ledger.
func (s *stored) Get(_ context.Context, key string) (p ledger.Proof, err error) {
	if !s.app.read(func(m *ledger.Machine) { p, err = prove(m, key) }) {
		err = croft.E(croft.ErrNodeDown, s.dir)
	}
	return p, err
}

// Read implements Ledger.
func (s *stored) Read(_ context.Context, key string) (value []byte, err error) {
	if !s.app.read(func(m *ledger.Machine) { value = m.Get(key) }) {
		err = croft.E(croft.ErrNodeDown, s.dir)
	}
	return value, err
}

// Block implements Blocks. The commit of the last block is the one this node saw;
// of all others it is the one in the next block.
func (s *stored) Block(height int64) (b BlockData, err error) {
	defer func() {
		if damage := recover(); damage != nil { // CometBFT's answer to a block that it cannot read
			err = croft.E(croft.ErrStoreCorrupt, fmt.Sprintf("block %d", height), damage)
		}
	}()
	block, commit, commitKey := s.blocks.LoadBlock(height), s.blocks.LoadBlockCommit(height), "C"
	if commit == nil {
		commit, commitKey = s.blocks.LoadSeenCommit(height), "SC"
	}
	if block == nil || commit == nil {
		return b, croft.E(croft.ErrNotFound, "block", height, "croft status")
	}
	if err := s.checkStored(block, commit, commitKey); err != nil {
		return b, err
	}
	return newBlockData(block, commit)
}

// checkStored compares what CometBFT stored of a block with what the block itself
// would store, byte for byte: its reader does not look at everything (the proofs
// of the parts, the copy of the header), and an audit of this disk should.
func (s *stored) checkStored(block *types.Block, commit *types.Commit, commitKey string) error {
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
		raw, err := s.dbs.open["blockstore"].Get([]byte(key))
		if again, fault := record.Marshal(); err != nil || fault != nil || !bytes.Equal(raw, again) {
			return croft.E(croft.ErrStoreCorrupt, fmt.Sprintf("block %d", block.Height), "record "+key)
		}
	}
	return nil
}

// Range implements Blocks.
func (s *stored) Range(prefix string, yield func(key string, value []byte)) error {
	if !s.app.read(func(*ledger.Machine) { s.app.tree.Range(prefix, yield) }) {
		return croft.E(croft.ErrNodeDown, s.dir)
	}
	return nil
}
