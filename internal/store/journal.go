package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"croft"
)

// Journal is a log of entries in which everybody who waits shares one sync of the
// disk: entries that are appended while a sync runs become durable together with
// the next one. Its methods may be called concurrently; entries are kept in the
// order in which Append was called.
//
// It lies in files that are called journal~ and a number, ascending. A file is a
// sequence of batches, one a sync:
//
//	length (4 bytes, big-endian), CRC-32C of the entries (4 bytes), CRC-32C of these
//	8 bytes, entries, each as its length (4 bytes) and its bytes
//
// A batch is written only after the one before it is durable. So the last batch of
// the last file may be one that a crash cut off, of which nobody was told that it is
// durable: it is left out. Zeros may follow it, where the next ones were to be. Whatever
// else is not whole is damage.
type Journal struct {
	disk *disk

	mu       sync.Mutex // guards what follows
	woken    *sync.Cond // a sync ended
	syncing  bool       // somebody writes; file and size are that one's then
	buffer   []byte     // appended and not written: a batch without its head
	appended uint64     // entries so far
	durable  uint64     // of these
	rolling  bool       // the next batch begins a file
	files    []string   // ascending; the last is written to
	file     *os.File
	size     int64 // of the last file: what is written of it
	ahead    int64 // the length that it was given
	broken   error // what the disk said: after a failed sync nothing is known of it any more
}

const (
	journalPrefix = "journal~"
	batchHead     = 12
	sector        = 512 // a disk writes one wholly or not at all

	// A file is made longer by so much at once: a sync that need not make a new length
	// durable as well takes about two thirds of the time.
	stretch = 1 << 20
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// OpenJournal opens the journal in the folder dir, which it makes if need be, and
// hands every entry to replay, oldest first. It fails with croft.ErrFolder,
// croft.ErrStoreCorrupt or replay's error.
func OpenJournal(dir string, replay func(entry []byte) error) (*Journal, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{disk: d}
	j.woken = sync.NewCond(&j.mu)
	if err := j.open(replay); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Journal) open(replay func([]byte) error) error {
	names, err := j.disk.list()
	if err != nil {
		return err
	}
	for _, name := range names { // sorted, and numbers have one width
		if strings.HasPrefix(name, journalPrefix) {
			j.files = append(j.files, name)
		}
	}
	for i, name := range j.files {
		whole, err := j.read(name, i == len(j.files)-1, replay)
		if err != nil {
			return err
		}
		j.size = whole
	}
	if len(j.files) == 0 {
		return j.disk.fault(j.begin())
	}
	// What a crash cut off goes, durably, before anything is written behind it.
	if j.file, err = j.disk.root.OpenFile(j.files[len(j.files)-1], os.O_WRONLY, 0); err == nil {
		err = j.file.Truncate(j.size)
	}
	if err == nil {
		_, err = j.file.Seek(j.size, io.SeekStart)
	}
	if err == nil {
		err = j.file.Sync()
	}
	return j.disk.fault(err)
}

// read replays a file and returns how many bytes of it are whole batches.
func (j *Journal) read(name string, last bool, replay func([]byte) error) (int64, error) {
	f, err := j.disk.root.Open(name)
	if err != nil {
		return 0, j.disk.fault(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, j.disk.fault(err)
	}
	corrupt := func(at int64) error {
		return croft.E(croft.ErrStoreCorrupt, j.disk.path(name), fmt.Sprintf("the batch at byte %d is not what was written", at))
	}
	head := make([]byte, batchHead)
	for at := int64(0); ; {
		rest := info.Size() - at
		if rest == 0 {
			return at, nil
		}
		if rest < batchHead && last {
			return at, nil // cut off
		}
		if _, err := io.ReadFull(f, head); err != nil {
			return at, corrupt(at)
		}
		n := int64(binary.BigEndian.Uint32(head))
		if crc32.Checksum(head[:8], crcTable) != binary.BigEndian.Uint32(head[8:]) {
			if last && unwritten(head, at) {
				return at, nil
			}
			return at, corrupt(at)
		}
		if n > rest-batchHead {
			if last {
				return at, nil
			}
			return at, corrupt(at)
		}
		batch := make([]byte, n)
		if _, err := io.ReadFull(f, batch); err != nil {
			return at, j.disk.fault(err)
		}
		if crc32.Checksum(batch, crcTable) != binary.BigEndian.Uint32(head[4:]) {
			if last && blank(f) {
				return at, nil
			}
			return at, corrupt(at)
		}
		for len(batch) > 0 {
			entry, more, ok := cutEntry(batch)
			if !ok {
				return at, corrupt(at)
			}
			if err := replay(entry); err != nil {
				return at, err
			}
			batch = more
		}
		at += batchHead + n
	}
}

// unwritten says whether a head at this place is what a cut write leaves: of each
// sector all or zeros.
func unwritten(head []byte, at int64) bool {
	cut := min(sector-int(at%sector), len(head))
	zero := func(part []byte) bool { return !slices.ContainsFunc(part, func(b byte) bool { return b != 0 }) }
	return zero(head[:cut]) || cut < len(head) && zero(head[cut:])
}

// blank says whether nothing but zeros follows.
func blank(r io.Reader) bool {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		if slices.ContainsFunc(buffer[:n], func(b byte) bool { return b != 0 }) {
			return false
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

// cutEntry parts a batch after its first entry.
func cutEntry(batch []byte) (entry, rest []byte, ok bool) {
	if len(batch) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(batch))
	if n > uint64(len(batch)-4) {
		return nil, nil, false
	}
	return batch[4 : 4+n : 4+n], batch[4+n:], true
}

// Append puts an entry after all others, in memory, and returns its mark. It is
// durable once Sync of the mark returns nil; a crash before that may keep it all
// the same. It never waits for the disk.
func (j *Journal) Append(entry []byte) (mark uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buffer = binary.BigEndian.AppendUint32(j.buffer, uint32(len(entry)))
	j.buffer = append(j.buffer, entry...)
	j.appended++
	return j.appended
}

// Last returns the mark of the last entry.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appended
}

// Sync returns when the entry of this mark, and with it all before, is durable. It
// fails with croft.ErrDiskFull or croft.ErrFolder, and from then on always: a disk
// that failed once to write may say later that all is well.
//
// Whoever comes first writes for all who came meanwhile; there is no goroutine.
func (j *Journal) Sync(mark uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < mark && j.broken == nil {
		if j.syncing {
			j.woken.Wait()
			continue
		}
		batch, upto, roll := j.buffer, j.appended, j.rolling
		j.syncing, j.buffer, j.rolling = true, nil, false
		j.mu.Unlock()
		err := j.write(batch, roll)
		j.mu.Lock()
		j.syncing = false
		if err != nil {
			j.broken = j.disk.fault(err)
		} else {
			j.durable = upto
		}
		j.woken.Broadcast()
	}
	if j.durable >= mark {
		return nil
	}
	return j.broken
}

// write writes one batch; only who set syncing calls it.
func (j *Journal) write(batch []byte, roll bool) error {
	if roll {
		if err := j.begin(); err != nil {
			return err
		}
	}
	out := binary.BigEndian.AppendUint32(make([]byte, 0, batchHead+len(batch)), uint32(len(batch)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(batch, crcTable))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(out, crcTable))
	out = append(out, batch...)
	size := j.size + int64(len(out)) // nobody else changes it
	if size > j.ahead {
		j.ahead = size + stretch
		_ = allocate(j.file, j.size, j.ahead) // where it cannot be, the file grows with each batch
	}
	if _, err := j.file.Write(out); err != nil {
		return err
	}
	j.mu.Lock()
	j.size = size
	j.mu.Unlock()
	return syncData(j.file)
}

// begin begins a new file, which is durable, empty, when it returns.
func (j *Journal) begin() error {
	j.mu.Lock()
	last := ""
	if n := len(j.files); n > 0 {
		last = j.files[n-1]
	}
	j.mu.Unlock()
	number := 0
	if last != "" {
		if _, err := fmt.Sscanf(last, journalPrefix+"%d", &number); err != nil {
			return err
		}
	}
	number++
	if j.file != nil { // only the last file may end in zeros
		if err := errors.Join(j.file.Truncate(j.size), j.file.Sync(), j.file.Close()); err != nil {
			return err
		}
	}
	name := fmt.Sprintf(journalPrefix+"%012d", number)
	f, err := j.disk.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), syncDir(j.disk.root)); err != nil {
		return errors.Join(err, f.Close())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file, j.files, j.size, j.ahead = f, append(j.files, name), 0, 0
	return nil
}

// Size returns the size in bytes of the file that is written to.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Roll makes a file of its own for what is appended from now on and returns how to
// forget the files before it. Whoever rolls appends what stands for everything that
// matters in them, syncs, and only then forgets them. A crash in between leaves
// both.
func (j *Journal) Roll() (forget func() error, err error) {
	if err := j.Sync(j.Last()); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rolling = true
	old := slices.Clone(j.files)
	return func() error {
		j.mu.Lock()
		defer j.mu.Unlock()
		if !slices.Contains(old, j.files[len(j.files)-1]) {
			for _, name := range old {
				if err := j.disk.root.Remove(name); err != nil {
					return j.disk.fault(err)
				}
			}
			j.files = slices.DeleteFunc(j.files, func(name string) bool { return slices.Contains(old, name) })
		}
		return nil
	}, nil
}

// Close lets go of the files. What was appended and not synced is lost.
func (j *Journal) Close() error {
	var err error
	if j.file != nil {
		err = errors.Join(j.file.Truncate(j.size), j.file.Close())
	}
	return errors.Join(err, j.disk.close())
}
