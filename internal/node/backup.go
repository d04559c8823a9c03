package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/keys"
	"croft/internal/p2p"
	"croft/internal/store"
)

// A backup is what nobody else has of a node: its keys, who it is, what its owner
// registered and approved, what was in its sums, whom it knows. It does not hold
// the ledger, which comes from the others, and nothing that must not come back: keys
// and reports of running studies (an old copy could read what was erased since),
// transactions on their way, CometBFT's record of votes (an old one would let the
// node vote twice).

// Backup is the content of a backup file.
type Backup struct {
	Version uint8           `cbor:"1,keyasint"`
	Time    int64           `cbor:"2,keyasint"` // Unix seconds
	Network croft.NetworkID `cbor:"3,keyasint"`
	Files   []BackupFile    `cbor:"4,keyasint"` // in order of their paths
}

// BackupFile is a file of the node's folder.
type BackupFile struct {
	Path    string `cbor:"1,keyasint"` // with slashes
	Content []byte `cbor:"2,keyasint"`
}

// maxBackup is the size in bytes of the largest backup.
const maxBackup = 1 << 28

// backupKinds are the documents that a backup holds.
var backupKinds = []string{"dataset", "people", "data-key", "approval", "spent", "used", "model", "ended", addressKind}

// backupFiles are its other files; true if a node cannot be without.
var backupFiles = map[string]bool{
	"keys/member.pem": true, "keys/node.pem": true, "keys/validator.pem": true, "keys/recovery.pub": false,
	genesisFile: true, joinFile: false,
}

// Pack reads a backup of the folder dir, whether its node runs or not. It fails with
// croft.ErrFolder, croft.ErrStoreCorrupt, croft.ErrTooLarge, or as Member does.
func Pack(dir string, now time.Time) (b Backup, err error) {
	b.Version, b.Time = 1, now.Unix()
	for _, path := range slices.Sorted(maps.Keys(backupFiles)) {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		if errors.Is(err, fs.ErrNotExist) && !backupFiles[path] {
			continue
		} else if err != nil {
			return b, croft.E(croft.ErrFolder, dir, err)
		}
		b.Files = append(b.Files, BackupFile{path, content})
		if path == genesisFile {
			var g croft.Genesis
			if err := croft.Decode(content, &g); err != nil {
				return b, croft.E(croft.ErrStoreCorrupt, filepath.Join(dir, path), err)
			}
			b.Network = g.Network()
		}
	}
	docs, err := store.DocFiles(filepath.Join(dir, docsFolder), backupKinds...)
	if err != nil {
		return b, err
	}
	for name, content := range docs {
		b.Files = append(b.Files, BackupFile{docsFolder + "/" + name, content})
	}
	slices.SortFunc(b.Files, func(a, b BackupFile) int { return strings.Compare(a.Path, b.Path) })
	size := 0
	for _, f := range b.Files {
		size += len(f.Content)
	}
	if size > maxBackup/2 {
		return b, croft.E(croft.ErrTooLarge, size, maxBackup/2)
	}
	_, _, err = b.Member()
	return b, err
}

// parseBackup reads an opened backup file. It fails with croft.ErrEncoding or
// croft.ErrTooLarge, and if it is not the backup of one whole node.
func parseBackup(raw []byte) (b Backup, err error) {
	if len(raw) > maxBackup {
		return b, croft.E(croft.ErrTooLarge, len(raw), maxBackup)
	}
	if err := croft.Decode(raw, &b); err != nil {
		return b, err
	}
	bad := func(why string, args ...any) (Backup, error) {
		return Backup{}, croft.E(croft.ErrEncoding, "backup", fmt.Sprintf(why, args...))
	}
	if b.Version != 1 {
		return bad("version %d is unknown", b.Version)
	}
	for i, f := range b.Files {
		_, listed := backupFiles[f.Path]
		name, isDoc := strings.CutPrefix(f.Path, docsFolder+"/")
		kind, _, _ := strings.Cut(name, "~")
		if i > 0 && b.Files[i-1].Path >= f.Path || !listed && (!isDoc || !slices.Contains(backupKinds, kind)) {
			return bad("it holds %.80q", f.Path)
		}
		if isDoc && !store.CheckDocFile(name, f.Content) {
			return bad("%.200q is damaged", f.Path)
		}
	}
	if _, _, err := b.Member(); err != nil {
		return bad("%v", err)
	}
	return b, nil
}

// Member returns whose backup it is, and the name of the network. It fails if a
// file of the node is missing or does not belong to the others.
func (b Backup) Member() (m croft.Member, network string, err error) {
	for path, needed := range backupFiles {
		if needed && b.file(path) == nil {
			return m, "", croft.E(croft.ErrNotFound, "file in it", path, "croft backup ls")
		}
	}
	var g croft.Genesis
	var j joined
	if err := croft.Decode(b.file(genesisFile), &g); err != nil {
		return m, "", err
	}
	if g.Network() != b.Network {
		return m, "", croft.E(croft.ErrGenesis)
	}
	if raw := b.file(joinFile); raw != nil {
		if err := croft.Decode(raw, &j); err != nil {
			return m, "", err
		}
	}
	var public [croft.RoleValidator + 1]croft.PublicKey
	locked := false
	for role, name := range map[croft.Role]string{croft.RoleMember: "member", croft.RoleNode: "node", croft.RoleValidator: "validator"} {
		key, sealed, err := keys.PublicOf(b.file("keys/" + name + ".pem"))
		if err == nil && sealed && role != croft.RoleMember {
			err = errors.New("it is locked")
		}
		if err != nil {
			return m, "", croft.E(croft.ErrKeyFile, name+".pem", err)
		}
		public[role], locked = key, locked || sealed
	}
	for _, m := range append(slices.Clip(g.Members), j.Newcomer) {
		if m.Node == public[croft.RoleNode] && m.Validator == public[croft.RoleValidator] && (locked || m.Key == public[croft.RoleMember]) {
			return m, g.Name, nil
		}
	}
	return m, "", croft.E(croft.ErrKeyFile, "node.pem", "the keys belong to no member of the network")
}

func (b Backup) file(path string) []byte {
	at, found := slices.BinarySearchFunc(b.Files, path, func(f BackupFile, path string) int { return strings.Compare(f.Path, path) })
	if !found {
		return nil
	}
	return b.Files[at].Content
}

// KnowsOthers says whether a restored node would know where to ask for the ledger.
func (b Backup) KnowsOthers() bool {
	return slices.ContainsFunc(b.Files, func(f BackupFile) bool {
		return f.Path == joinFile || strings.HasPrefix(f.Path, docsFolder+"/"+addressKind+"~") && !strings.HasSuffix(f.Path, "~"+listenName)
	})
}

// restored is what a folder keeps of its being restored, until it has caught up.
type restored struct {
	Time    int64    `cbor:"1,keyasint"`           // of the backup, Unix seconds; 0: unknown
	Alone   bool     `cbor:"2,keyasint,omitempty"` // no other node has this network's ledger
	Without []string `cbor:"3,keyasint,omitempty"` // members that are not waited for
}

const restoredFile = "restored.cbor"

// Restore makes dir, which is not there or empty, the folder of the backup's node.
// Before that node takes part in anything, Recover brings it to where the network
// is.
//
//	via      where other members' nodes are reached, beside what the backup knows:
//	         multiaddrs that end in /p2p/ID
//	alone    nobody else has the ledger: the network begins anew
//	without  names of members whose nodes are lost: they are not waited for
//
// It fails with croft.ErrFolder, croft.ErrFolderUsed, or croft.ErrUsage if via is
// no such address.
//
//	Crash: dir is not there, or whole.
func (b Backup) Restore(dir string, via []string, alone bool, without []string) (err error) {
	for _, addr := range via {
		if _, ok := p2p.KeyOf(peerIn(addr)); !ok {
			return croft.E(croft.ErrUsage, fmt.Sprintf("%.100q is not the address of a node", addr), "take one that croft up prints at another member: /ip4/192.0.2.7/tcp/7421/p2p/12D3…")
		}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return croft.E(croft.ErrFolderUsed, dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return croft.E(croft.ErrFolder, dir, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	stage, err := os.MkdirTemp(filepath.Dir(dir), ".croft-restore-") // mode 0700
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	defer os.RemoveAll(stage) // gone by then if all went well
	for _, sub := range []string{"keys", docsFolder} {
		if err := os.Mkdir(filepath.Join(stage, sub), 0o700); err != nil {
			return croft.E(croft.ErrFolder, dir, err)
		}
	}
	for _, f := range b.Files {
		at, name := filepath.Split(filepath.FromSlash(f.Path))
		if err := replace(filepath.Join(stage, at), name, f.Content); err != nil {
			return err
		}
	}
	if err := replace(stage, restoredFile, croft.Encode(restored{b.Time, alone, without})); err != nil {
		return err
	}
	if err := introduce(stage, via); err != nil {
		return err
	}
	_ = os.Remove(dir) // an empty folder, which some systems do not rename onto
	if err := os.Rename(stage, dir); err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	_ = store.SyncDir(filepath.Dir(dir)) // which may be closed to reading
	return nil
}

// introduce puts nodes into a folder's book of addresses.
func introduce(dir string, via []string) error {
	docs, err := store.OpenDocs(filepath.Join(dir, docsFolder))
	if err != nil {
		return err
	}
	defer docs.Close()
	addrs := map[p2p.PeerID][]string{}
	for _, addr := range via {
		peer := peerIn(addr)
		addrs[peer] = append(addrs[peer], addr)
	}
	for peer, addrs := range addrs {
		book, _ := json.Marshal(addrs)
		if err := docs.Put(addressKind, croft.Sum([]byte(peer)).String(), book); err != nil {
			return err
		}
	}
	return nil
}

// peerIn returns the peer id at the end of an address.
func peerIn(addr string) p2p.PeerID { return p2p.PeerID(addr[strings.LastIndexByte(addr, '/')+1:]) }

// Write seals a backup into the file path, which must not be there, with mode 0600,
// and reads it back: it returns once what is on the disk was opened and is the same.
// seal is keys.Passphrase's or keys.RecoveryLock's. It fails with croft.ErrFileWrite
// or croft.ErrBackup; then there is no file.
func (b Backup) Write(path string, seal func([]byte) ([]byte, func([]byte) ([]byte, error), error)) (err error) {
	plain := croft.Encode(b)
	sealed, open, err := seal(plain)
	if err != nil {
		return croft.E(croft.ErrFileWrite, path, err)
	}
	// Under another name first: whoever sees the file sees all of it.
	temp, err := os.CreateTemp(filepath.Dir(path), ".croft-backup-") // mode 0600
	if err != nil {
		return croft.E(croft.ErrFileWrite, path, cause(err))
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(sealed)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return croft.E(croft.ErrFileWrite, path, cause(err))
	}
	back, err := os.ReadFile(temp.Name())
	if err == nil {
		back, err = open(back)
	}
	if err == nil && !bytes.Equal(back, plain) {
		err = errors.New("what was read back is not what was written")
	}
	if err != nil {
		return croft.E(croft.ErrBackup, path, err)
	}
	if err := publish(temp.Name(), path); err != nil {
		return croft.E(croft.ErrFileWrite, path, cause(err))
	}
	_ = store.SyncDir(filepath.Dir(path)) // not every file system of a memory stick can
	return nil
}

// publish gives a file its name unless there is one of that name. Memory sticks
// often have no links: there the look and the rename are two steps.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	return os.Rename(temp, path)
}

// ReadBackup reads a backup file and opens it with a function of whoever has its
// key. It fails with croft.ErrFileMissing, croft.ErrBackup, or with what open says of a wrong
// key (croft.ErrPassphrase, croft.ErrRecoveryKey).
func ReadBackup(path string, open func(sealed []byte) ([]byte, error)) (b Backup, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, croft.E(croft.ErrFileMissing, path)
	} else if err != nil {
		return b, croft.E(croft.ErrFileOpen, path, cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxBackup {
		return b, croft.E(croft.ErrBackup, path, "it is not a file of a backup's size")
	}
	sealed := make([]byte, info.Size())
	if _, err := f.ReadAt(sealed, 0); err != nil && len(sealed) > 0 {
		return b, croft.E(croft.ErrFileOpen, path, cause(err))
	}
	plain, err := open(sealed)
	if code := croft.CodeOf(err); err != nil && code != croft.ErrInternal {
		return b, err
	} else if err != nil {
		return b, croft.E(croft.ErrBackup, path, "it is cut off or damaged")
	}
	if b, err = parseBackup(plain); err != nil {
		return b, croft.E(croft.ErrBackup, path, err)
	}
	return b, nil
}

// cause drops the path from an error of the file system: the sentence has it.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
