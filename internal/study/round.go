// Package study plays a node's part in studies: it enrols, reports, keeps the
// seat's shares, opens sums and takes the next step.
//
// Nothing here is in charge. The ledger holds the phase; every node runs the same
// lines of round.go whenever the ledger has moved, and each line first looks at
// the ledger and at the node's own durable documents to see whether it is done.
// So a restart needs no code of its own: it runs the ordinary path.
//
//	round.go      a round, a line a step
//	site.go       what a site does, and what it refuses
//	seat.go       what a seat does; recover.go, how it gets seeds that its box did not give
//	proofs.go     how seats check together that reports keep to their bounds
//	reader.go     how a sum is opened and the next state taken; salt.go, what salts both
//	node.go       what the flows need of the node; following studies
//	approve.go    the owner's yes and no
//	outbox.go     signed transactions, until the ledger has them
//	forward.go    what is carried for members who are off
//	pause.go      when a node takes no part in rounds
//	rows.go       a site's rows, and the rules that must hold before anything is sent
//	people.go     who was in a sum, so that no difference shows a few
//	past.go       what a restored site learns again of that from the ledger
//	file.go       the study file that people write; draft.go and text.go write one
//	validate.go   what a study may say
//	preflight.go  a study of how the sites' columns differ
//	worth.go      what a finished study was worth to one site
package study

import (
	"context"
	"errors"

	"croft"
	"croft/internal/ledger"
)

// round runs this node's lines of the study's open round. It returns when nothing
// more is to be done until the ledger moves. Each line is idempotent; the crash
// note at a line says what is left if the process dies right after it.
func (f *follower) round(ctx context.Context) error {
	st, plan, r, err := f.read(ctx)
	if err != nil || r.Number == 0 && r.Phase == 0 {
		return err
	}
	if err := f.lost(ctx, st, r); err != nil {
		return err
	}

	// open: the plan's state that this round computes on; recomputed here from the
	// shares of the rounds before, never taken from anybody.
	//   Crash: the state is a document; without it, it is computed again.
	state, err := f.open(ctx, st, plan, r)
	if err != nil {
		return err
	}

	if r.Phase == croft.PhaseReport {
		// compute and report: a site's vector, dealt into shares, sealed to the seats.
		//   Crash before the document: nothing has left, randomness is drawn again.
		//   Crash after it: the same bytes are announced again.
		if has(r.Sites, f.Self) {
			if err := f.report(ctx, st, plan, r, state); err != nil {
				return err
			}
		}
		// acknowledge: a seat holds the reports, its boxes opened, seeds checked.
		//   Crash before the document: not acknowledged, done again.
		if err := f.acknowledge(ctx, st, plan, r); err != nil {
			return err
		}
		// freeze: happens inside the ledger's block, when all are acknowledged.
	}

	if r.Phase == croft.PhaseSum {
		// verify: a seat answers about the proofs of the reports, collects the others'
		// answers and goes on only if every vector is within its bound.
		//   Crash: the answers are a document, or come out the same again.
		liars, valid, err := f.verify(ctx, st, plan, r)
		// noise: exact plans add none.
		// sum: a seat adds its shares of the accepted reports and seals the total to
		// the readers.
		//   Crash: the share is computed again from the seeds, the same bytes.
		if valid {
			err = f.share(ctx, st, plan, r, liars)
		}
		// step and evaluate: a reader opens the sum and takes the plan's next state;
		// a seat that reads tells the ledger what it got.
		//   Crash: computed again; the step is deterministic.
		// It does not wait for this node's own share.
		if err := errors.Join(err, f.step(ctx, st, plan, r, state)); err != nil {
			return err
		}
		// commit: happens inside the ledger's block, when t+1 seats agree. The point
		// of no return: before it the study may still end without this sum.
	}

	if st.Status == ledger.Done {
		// publish: the model, from the last state.
		//   Crash: written again.
		return f.publish(ctx, st, plan, r)
	}
	return nil
}
