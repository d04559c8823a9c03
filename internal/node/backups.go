package node

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"croft"
)

// backupsFile is where a folder keeps which backups were made of it, newest last.
const (
	backupsFile = "backups.json"
	mostBackups = 100
)

// MadeBackup is a backup as the folder remembers it.
type MadeBackup struct {
	Time  time.Time `json:"time"`
	File  string    `json:"file"`
	Size  int64     `json:"size"`
	Opens string    `json:"opens"` // with what, for people
}

// Backups lists the backups that were made of a folder, oldest first. It fails with
// croft.ErrFolder or croft.ErrStoreCorrupt.
func Backups(dir string) (list []MadeBackup, err error) {
	path := filepath.Join(dir, backupsFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, croft.E(croft.ErrStoreCorrupt, path, err)
	}
	return list, nil
}

// LastBackup returns when the last backup of a folder was made; zero if none was, or
// nobody can tell.
func LastBackup(dir string) (last time.Time) {
	if list, err := Backups(dir); err == nil && len(list) > 0 {
		last = list[len(list)-1].Time
	}
	return last
}

// NoteBackup makes a folder remember a backup. It fails as Backups does.
func NoteBackup(dir string, made MadeBackup) error {
	list, err := Backups(dir)
	if err != nil {
		return err
	}
	list = append(list, made)
	raw, err := json.MarshalIndent(list[max(0, len(list)-mostBackups):], "", "  ")
	if err != nil {
		return err
	}
	return replace(dir, backupsFile, append(raw, '\n'))
}
