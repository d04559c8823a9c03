package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"croft"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/store"
)

// staging begins the names of folders that Create has not finished.
const staging = ".init-"

// Create makes dir, which is not there or empty, the folder of a member with new keys,
// the only one of a new network so far, and returns the network's genesis. finish puts
// in what else is to be there before anybody finds a node; it gets the place where the
// folder's content lies until then.
//
// It fails with croft.ErrFolderUsed if dir holds a node, with croft.ErrFolder,
// croft.ErrRunning if another Create is at it, as ledger.CheckGenesis does, or with
// finish's error. Then dir holds nothing but its lock, and is gone if it was not there.
//
//	Crash: what is not finished lies under another name; the next Create takes it
//	away and begins again.
func Create(dir, member, network string, finish func(stage string) error) (g croft.Genesis, err error) {
	if _, err := unfinished(dir); err != nil { // before anything is put into somebody's folder
		return g, err
	}
	_, missing := os.Lstat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return g, croft.E(croft.ErrFolder, dir, cause(err))
	}
	release, err := store.Lock(dir)
	if err != nil {
		return g, err
	}
	defer func() {
		err = errors.Join(err, release())
		if err != nil && missing != nil {
			os.Remove(filepath.Join(dir, "lock"))
			os.Remove(dir) // unless there is something in it
		}
	}()
	leftovers, err := unfinished(dir) // again: from here on nobody else changes it
	if err != nil {
		return g, err
	}
	for _, name := range leftovers {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return g, croft.E(croft.ErrFolder, dir, cause(err))
		}
	}

	stage, err := os.MkdirTemp(dir, staging) // mode 0700
	if err != nil {
		return g, croft.E(croft.ErrFolder, dir, cause(err))
	}
	defer os.RemoveAll(stage)
	k, err := keys.Create(stage)
	if err != nil {
		return g, err
	}
	founder := k.Member(member, true)
	founder.Ready = true
	g = croft.Genesis{Version: 1, Name: network, Time: time.Now().Unix(), Members: []croft.Member{founder}}
	if err := ledger.CheckGenesis(g); err != nil {
		return g, err
	}
	if err := Found(stage, g); err != nil {
		return g, err
	}
	if err := finish(stage); err != nil {
		return g, err
	}
	for _, name := range []string{genesisFile, "keys"} { // the keys last: a folder with keys is a node
		if err := os.Rename(filepath.Join(stage, name), filepath.Join(dir, name)); err != nil {
			return g, croft.E(croft.ErrFolder, dir, cause(err))
		}
	}
	return g, store.SyncDir(dir)
}

// unfinished refuses a folder that holds a node, or anything else but what a Create
// that was cut off left there, which it lists.
func unfinished(dir string) (leftovers []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, cause(err))
	}
	if _, err := os.Lstat(filepath.Join(dir, "keys")); err == nil {
		return nil, croft.E(croft.ErrFolderUsed, dir)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, staging), name == genesisFile:
			leftovers = append(leftovers, name)
		case name != "lock":
			return nil, notEmpty(dir, name)
		}
	}
	return leftovers, nil
}

func notEmpty(dir, holds string) error {
	return croft.E(croft.ErrFolder, dir, fmt.Sprintf("it holds %s, and a node wants an empty folder", holds))
}
