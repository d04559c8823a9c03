package study

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/ledger"
	"croft/internal/store"
)

// The outbox: a signed transaction is a document before it is sent, and stays one
// until the ledger took or refused it. The mempool is memory only; without the
// outbox a power cut between "sent" and "in a block" would lose a person's yes.

// outboxKind is the kind of the outbox's documents.
const outboxKind = "outbox"

// Submit signs a transaction of this member's node and sends it: see Send. The ledger
// takes the same body with the same nonce once.
func (n *Node) Submit(ctx context.Context, nonce uint64, body any) error {
	return n.Send(ctx, ledger.Seal(n.Scope, n.Self, nonce, body, n.Sign))
}

// Send puts a signed transaction into the outbox, hands it to the ledger and
// waits until it is in a block. The error is the ledger's refusal, or that the
// wait ended; in that case it is sent again at the next start.
func (n *Node) Send(ctx context.Context, tx []byte) error {
	name := croft.Sum(tx).String()
	defer n.sending.begin(name)()
	if err := n.Docs.Put(outboxKind, name, tx); err != nil {
		return err
	}
	n.at("outbox")
	err := n.Ledger.Submit(ctx, tx)
	if err == nil || refused(err) {
		return errors.Join(err, n.Docs.Delete(outboxKind, name))
	}
	return err
}

// resend hands in again what nobody is sending any more: at the start what a crash
// left, later what a person sent and did not wait for.
func (n *Node) resend(ctx context.Context, group *errgroup.Group) error {
	for {
		names, err := n.Docs.List(outboxKind)
		if err != nil {
			return err
		}
		for _, name := range names {
			if n.sending.has(name) {
				continue
			}
			tx, err := n.Docs.Get(outboxKind, name)
			if errors.Is(err, store.ErrAbsent) {
				continue // it arrived just now
			} else if err != nil {
				return err
			}
			group.Go(func() error {
				if err := n.Send(ctx, tx); fatal(err) {
					return err
				}
				return nil // refused: the ledger has moved on without it; else it is tried again
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(resendPause):
		}
	}
}

// resendPause is how often the outbox is looked at.
const resendPause = 10 * time.Second

// inFlight is the set of transactions that are being sent, by document name.
type inFlight struct {
	mu  sync.Mutex
	set map[string]int
}

func (f *inFlight) begin(name string) (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.set == nil {
		f.set = map[string]int{}
	}
	f.set[name]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.set[name]--; f.set[name] == 0 {
			delete(f.set, name)
		}
	}
}

func (f *inFlight) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set[name] > 0
}

// refused says whether the ledger's rules turned a transaction down: sending it
// again is of no use.
func refused(err error) bool {
	code := croft.CodeOf(err)
	later := code == croft.ErrTxQuota || code == croft.ErrTxStopped
	return code >= 4000 && code < 5000 && !later
}
