package chain

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	iavl "github.com/cosmos/iavl/db"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"croft"
	"croft/internal/store"
)

// databases opens a node's databases, each once, and closes what it opened.
// CometBFT closes some of its own and forgets others; a restart in the same
// process needs all of them closed.
type databases struct {
	dir      string
	readOnly bool
	open     map[string]*database
}

// get opens dir/NAME.db.
func (d *databases) get(name string) (*database, error) {
	if db := d.open[name]; db != nil {
		return db, nil
	}
	// Small buffers: a node has four databases of a few megabytes, and a demo has
	// five nodes in one process.
	level, err := dbm.NewGoLevelDBWithOpts(name, d.dir, &opt.Options{
		WriteBuffer: 1 << 20, BlockCacheCapacity: 2 << 20, OpenFilesCacheCapacity: 64, ReadOnly: d.readOnly,
	})
	if err != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, filepath.Join(d.dir, name+".db"), err)
	}
	d.open[name] = &database{DB: level}
	return d.open[name], nil
}

// provide is CometBFT's DBProvider.
func (d *databases) provide(c *config.DBContext) (dbm.DB, error) { return d.get(c.ID) }

func (d *databases) close() (err error) {
	for _, db := range d.open {
		err = errors.Join(err, db.Close())
	}
	return err
}

var errClosed = errors.New("the database is closed")

// database is a database that may be closed under its readers. CometBFT does not
// wait for the goroutines that read old blocks for its peers, and panics when a
// read fails: after Close reads find nothing, and writes fail.
type database struct {
	dbm.DB
	mu     sync.RWMutex // held for reading by each operation
	closed bool
}

func (d *database) Get(key []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, nil
	}
	return d.DB.Get(key)
}

func (d *database) Has(key []byte) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return false, nil
	}
	return d.DB.Has(key)
}

func (d *database) write(do func() error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return errClosed
	}
	return do()
}

func (d *database) Set(k, v []byte) error { return d.write(func() error { return d.DB.Set(k, v) }) }
func (d *database) SetSync(k, v []byte) error {
	return d.write(func() error { return d.DB.SetSync(k, v) })
}
func (d *database) Delete(k []byte) error { return d.write(func() error { return d.DB.Delete(k) }) }
func (d *database) DeleteSync(k []byte) error {
	return d.write(func() error { return d.DB.DeleteSync(k) })
}

func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.DB.Close()
}

// treeDB lets the Merkle tree live in the same kind of database as CometBFT's
// own data: one engine to back up, to tune and to trust.
type treeDB struct{ dbm.DB }

func (t treeDB) Iterator(start, end []byte) (iavl.Iterator, error) { return t.DB.Iterator(start, end) }

func (t treeDB) ReverseIterator(start, end []byte) (iavl.Iterator, error) {
	return t.DB.ReverseIterator(start, end)
}

func (t treeDB) NewBatch() iavl.Batch              { return &treeBatch{Batch: t.DB.NewBatch()} }
func (t treeDB) NewBatchWithSize(_ int) iavl.Batch { return t.NewBatch() }

// treeBatch counts its bytes: the tree flushes by size.
type treeBatch struct {
	dbm.Batch
	bytes int
}

func (b *treeBatch) Set(key, value []byte) error {
	b.bytes += len(key) + len(value)
	return b.Batch.Set(key, value)
}

func (b *treeBatch) Delete(key []byte) error {
	b.bytes += len(key)
	return b.Batch.Delete(key)
}

func (b *treeBatch) GetByteSize() (int, error) { return b.bytes, nil }

// signer signs with the member's validator key. It keeps a record, signed.json,
// of the last thing it signed, synced before a signature leaves: two different
// votes in one place would break consensus for all. The key is not written here.
type signer struct {
	*privval.FilePV
	may    func() error // see Config.MaySign
	blocks interface {  // set before consensus starts
		Height() int64
		LoadSeenCommit(height int64) *types.Commit
		LoadBlockCommit(height int64) *types.Commit
	}
}

// recordFile holds what the validator key signed last.
const recordFile = "signed.json"

// openSigner opens the record in dir, or makes it before anything else is in the
// folder. If it is gone while the rest is there, somebody lost it, and this node
// must not guess.
func openSigner(dir string, key ed25519.PrivKey) (*signer, error) {
	path := filepath.Join(dir, recordFile)
	s := &signer{FilePV: privval.NewFilePV(key, "", path)}
	_, used := os.Stat(filepath.Join(dir, "blockstore.db"))
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && used != nil:
		empty, err := cmtjson.Marshal(s.LastSignState)
		if err != nil {
			return nil, err
		}
		if err := store.Replace(path, empty, 0o600); err != nil {
			return nil, croft.E(croft.ErrFolder, dir, err)
		}
	case err != nil:
		return nil, croft.E(croft.ErrStoreCorrupt, path, err)
	default:
		if err := cmtjson.Unmarshal(raw, &s.LastSignState); err != nil {
			return nil, croft.E(croft.ErrStoreCorrupt, path, err)
		}
	}
	return s, nil
}

// doubtBlocks is how many of the last blocks must be without this key's
// signature before an empty record is believed.
const doubtBlocks = 10

// believe refuses to sign with an empty record a short while after this key
// signed blocks: the folder is new but the key is not, and what was signed at the
// height that the network is at now is unknown. The others go on meanwhile. (Not
// CometBFT's double_sign_check_height, which also refuses every quick restart.)
func (s *signer) believe() error {
	if s.LastSignState.Height > 0 {
		return nil
	}
	top := s.blocks.Height()
	for h := top; h > max(0, top-doubtBlocks); h-- {
		commit := s.blocks.LoadBlockCommit(h)
		if commit == nil {
			commit = s.blocks.LoadSeenCommit(h)
		}
		if commit == nil {
			continue
		}
		for _, vote := range commit.Signatures {
			if vote.BlockIDFlag != types.BlockIDFlagAbsent && bytes.Equal(vote.ValidatorAddress, s.GetAddress()) {
				return fmt.Errorf("this key signed block %d from a folder that is lost: it signs again when %d blocks were made without it", h, doubtBlocks)
			}
		}
	}
	return nil
}

// willing refuses to sign what the owner does not want, or what may contradict an
// earlier signature.
func (s *signer) willing() error {
	if s.may != nil {
		if err := s.may(); err != nil {
			return err
		}
	}
	return s.believe()
}

// SignVote implements CometBFT's PrivValidator.
func (s *signer) SignVote(chain string, vote *cmtproto.Vote) error {
	if err := s.willing(); err != nil {
		return err
	}
	return s.FilePV.SignVote(chain, vote)
}

// SignProposal implements CometBFT's PrivValidator.
func (s *signer) SignProposal(chain string, proposal *cmtproto.Proposal) error {
	if err := s.willing(); err != nil {
		return err
	}
	return s.FilePV.SignProposal(chain, proposal)
}
