package chain

import (
	"testing"

	comet25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// A key that begins anew signs nothing that it may have signed before.
func TestSetRecord(t *testing.T) {
	key := comet25519.GenPrivKey()
	dir := t.TempDir()
	if HasRecord(dir) {
		t.Error("an empty folder has a record")
	}
	sign := func(height int64, blocks commits) error {
		s := must(openSigner(dir, key))
		s.blocks = blocks
		return s.SignVote("chain", &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: height})
	}
	own := &types.Commit{Signatures: []types.CommitSig{{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: key.PubKey().Address()}}}
	for _, c := range []struct {
		record, height int64
		signs          bool
	}{
		{7, 6, false}, {7, 7, false}, {7, 8, true}, {7, 9, true}, // it alone orders, and everybody has seen block 7 at most
		{0, 8, false}, // others order too, and its own signature is in the last blocks
	} {
		if err := SetRecord(dir, c.record); err != nil {
			t.Fatal(err)
		}
		if !HasRecord(dir) {
			t.Error("no record was made")
		}
		if err := sign(c.height, commits{own, own}); (err == nil) != c.signs {
			t.Errorf("record %d, height %d: %v", c.record, c.height, err)
		}
	}
}
