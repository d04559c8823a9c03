package study

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/ledger"
)

// The outbox: a signed transaction is a document before it is sent, and stays one
// until the ledger took or refused it. The mempool is memory only; without the
// outbox a power cut between "sent" and "in a block" would lose a person's yes.

// outboxKind is the kind of the outbox's documents.
const outboxKind = "outbox"

// submit signs a transaction of this member's node and sends it.
func (n *Node) submit(ctx context.Context, nonce uint64, body any) error {
	return n.Send(ctx, ledger.Seal(n.Scope, n.Self, nonce, body, n.Sign))
}

// Send puts a signed transaction into the outbox, hands it to the ledger and
// waits until it is in a block. The error is the ledger's refusal, or that the
// wait ended; in that case it is sent again at the next start.
func (n *Node) Send(ctx context.Context, tx []byte) error {
	name := croft.Sum(tx).String()
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

// resend hands in again what a crash left in the outbox.
func (n *Node) resend(ctx context.Context, group *errgroup.Group) error {
	names, err := n.Docs.List(outboxKind)
	if err != nil {
		return err
	}
	for _, name := range names {
		tx, err := n.Docs.Get(outboxKind, name)
		if err != nil {
			return err
		}
		group.Go(func() error {
			for ctx.Err() == nil {
				err := n.Send(ctx, tx)
				if err == nil || refused(err) {
					return nil // refused: the ledger has moved on without it
				}
				if fatal(err) {
					return err
				}
				select {
				case <-ctx.Done():
				case <-time.After(retry):
				}
			}
			return nil
		})
	}
	return nil
}

// refused says whether the ledger's rules turned a transaction down: sending it
// again is of no use.
func refused(err error) bool {
	code := croft.CodeOf(err)
	return code >= 4000 && code < 5000
}
