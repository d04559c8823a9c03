package chain

import (
	"os"
	"path/filepath"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"

	"croft"
	"croft/internal/store"
)

// HasRecord says whether the folder dir of a node knows what its validator key
// signed last.
func HasRecord(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, recordFile))
	return err == nil
}

// SetRecord makes a validator key that begins anew in the folder dir, of a closed
// node, sign nothing up to a height: whoever calls it knows that the key signed
// nothing above, or that nobody has it. With height 0 it knows nothing; the key
// then signs once enough blocks were made without it.
func SetRecord(dir string, height int64) error {
	record := privval.FilePVLastSignState{}
	if height > 0 {
		record.Height = height + 1 // in which nothing was signed so far
	}
	raw, err := cmtjson.Marshal(record)
	if err == nil {
		err = store.Replace(filepath.Join(dir, recordFile), raw, 0o600)
	}
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	return nil
}
