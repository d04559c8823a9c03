package chain

import (
	"crypto/ed25519"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"

	"croft"
	"croft/internal/ledger"
)

// TestQuota: what waits on one member's account is bounded, in memory too, and what
// others send on it leaves half of it to the member.
func TestQuota(t *testing.T) {
	w := newWorld(3)
	guest := w.member("guest") // only its first key counts
	a := must(newApp(w.genesis, nil, dbm.NewMemDB(), nil))
	height := int64(0)
	block := func(txs ...[]byte) {
		t.Helper()
		height++
		done, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: height, Txs: txs,
			Time: time.Unix(w.genesis.Time+height, 0), ProposerAddress: cometKey(w.genesis.Members[0].Validator).Address()})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range done.TxResults {
			if r.Code != 0 {
				t.Fatal(r.Log)
			}
		}
		if _, err := a.Commit(t.Context(), &abci.RequestCommit{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(tx []byte, kind abci.CheckTxType) croft.Code {
		t.Helper()
		got, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: tx, Type: kind})
		if err != nil {
			t.Fatal(err)
		}
		return croft.Code(got.Code)
	}
	by := func(m croft.Member, nonce uint64, body any) []byte {
		return ledger.Seal(w.genesis.Scope(), m.ID, nonce, body, func(role croft.Role, s croft.Scope, domain string, body []byte) croft.Signature {
			return croft.Signature(ed25519.Sign(w.keys[m.ID][role-1], s.Preimage(domain, body)))
		})
	}
	flood := func(m croft.Member, room int) (txs [][]byte) {
		t.Helper()
		for n := range uint64(2 * memberQuota) {
			tx := by(m, 1000+n, &ledger.Transfer{To: m.ID, Sequence: 1})
			switch code := check(tx, abci.CheckTxType_New); {
			case code == 0:
				txs = append(txs, tx)
			case code != croft.ErrTxQuota:
				t.Fatal(code)
			}
		}
		if len(txs) != room {
			t.Fatalf("%d transactions of %s wait, want %d", len(txs), m.Name, room)
		}
		return txs
	}
	host, other := w.genesis.Members[0], w.genesis.Members[1]
	block(by(host, 0, &ledger.Host{Key: guest.Key, Name: guest.Name, Version: 1}))

	theirs := flood(guest, memberQuota/2)
	ours := flood(host, memberQuota/2)
	if got := len(a.quota[host.ID]); got != memberQuota {
		t.Errorf("%d transactions are remembered, want %d", got, memberQuota)
	}
	result, done := a.await(croft.Sum(ours[0]))
	defer done()
	if code := check(ours[0], abci.CheckTxType_New); code != 0 { // a peer's copy
		t.Errorf("a transaction that waits was refused: %v", code)
	}
	if len(result) > 0 {
		t.Error("whoever waits for it was told that it was refused")
	}
	flood(other, memberQuota)

	block(theirs[0]) // the rest stays in the mempool, and is checked again
	for _, tx := range append(theirs[1:], ours...) {
		if code := check(tx, abci.CheckTxType_Recheck); code != 0 {
			t.Fatal(code)
		}
	}
	if code := check(by(guest, 0, &ledger.Transfer{To: guest.ID, Sequence: 2}), abci.CheckTxType_New); code != croft.ErrTxQuota {
		t.Errorf("with %d that no block took a guest's next one is met with %v", memberQuota-1, code)
	}
	if code := check(by(host, 0, &ledger.Transfer{To: host.ID, Sequence: 2}), abci.CheckTxType_New); code != 0 {
		t.Errorf("the host's own: %v", code)
	}
}
