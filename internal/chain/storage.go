package chain

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/libs/tempfile"
	"github.com/cometbft/cometbft/privval"
	iavl "github.com/cosmos/iavl/db"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"croft"
)

// databases opens a node's databases, each once, and closes what it opened.
// CometBFT closes some of its own and forgets others; a restart in the same
// process needs all of them closed.
type databases struct {
	dir  string
	open map[string]*database
}

// get opens dir/NAME.db.
func (d *databases) get(name string) (*database, error) {
	if db := d.open[name]; db != nil {
		return db, nil
	}
	// Small buffers: a node has four databases of a few megabytes, and a demo has
	// five nodes in one process.
	level, err := dbm.NewGoLevelDBWithOpts(name, d.dir, &opt.Options{
		WriteBuffer: 1 << 20, BlockCacheCapacity: 2 << 20, OpenFilesCacheCapacity: 64,
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

// openSigner returns CometBFT's signer over the member's validator key. It keeps
// a record, dir/signed.json, of the last thing it signed, synced before a
// signature leaves: two votes for one height would break consensus for all. The
// key itself is never written here.
//
// The record is made before anything else in the folder. If it is gone while the
// rest is there, somebody lost it, and this node must not guess.
func openSigner(dir string, key ed25519.PrivKey, fresh bool) (*privval.FilePV, error) {
	path := filepath.Join(dir, "signed.json")
	signer := privval.NewFilePV(key, "", path)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && fresh:
		empty, err := cmtjson.Marshal(signer.LastSignState)
		if err != nil {
			return nil, err
		}
		if err := tempfile.WriteFileAtomic(path, empty, 0o600); err != nil {
			return nil, croft.E(croft.ErrFolder, dir, err)
		}
	case err != nil:
		return nil, croft.E(croft.ErrStoreCorrupt, path, err)
	default:
		if err := cmtjson.Unmarshal(raw, &signer.LastSignState); err != nil {
			return nil, croft.E(croft.ErrStoreCorrupt, path, err)
		}
	}
	return signer, nil
}
