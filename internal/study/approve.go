package study

import (
	"context"
	"errors"
	"reflect"
	"time"

	"croft"
	"croft/internal/ledger"
)

// Approve keeps the owner's signed approval and puts it on the ledger. What the
// site obeys from then on is the kept copy of the one that the ledger took: each
// has a document of its own, so that one that was refused changes nothing.
//
//	Crash between the two: the approval is sent when it is given again; until
//	then the study does not count this site.
func (n *Node) Approve(ctx context.Context, raw []byte) error {
	tx, _, err := ledger.Parse(raw)
	if err != nil {
		return err
	}
	owner, _, err := get[croft.Member](ctx, n, ledger.MemberKey(n.Self))
	if err != nil {
		return err
	}
	if tx.Member != n.Self {
		return croft.E(croft.ErrTxRights, tx.Member.Short(), "a node keeps its own member's approvals only")
	}
	approval, err := ledger.OpenApproval(n.Scope, owner, raw)
	if err != nil {
		return err
	}
	f := &follower{Node: n, id: approval.Study}
	st, plan, err := f.study(ctx)
	if err != nil {
		return err
	}
	if err := consent(approval, st, plan, time.Now().Unix()); err != nil {
		return err
	}
	entry, err := n.Data.Get(approval.Dataset)
	if err != nil {
		return err
	}
	rows, err := f.readRows(ctx, plan, entry)
	if err == nil {
		err = covers(approval, rows)
	}
	if err != nil {
		return err // what would be refused later is said now
	}
	name := f.approvalName(tx.ID)
	if err := n.Docs.Put(ApprovalKind, name, raw); err != nil {
		return err
	}
	n.at("approve")
	err = n.Send(ctx, raw)
	if !refused(err) {
		return err
	}
	st, _, readErr := f.study(ctx)
	if readErr != nil || answerOf(st, n.Self).Tx == tx.ID {
		return err // or the ledger took it before, and refuses to take it twice
	}
	if kept, keptErr := f.approval(ctx, st, plan); keptErr == nil && reflect.DeepEqual(kept, approval) {
		err = nil // a yes that a killed node found in its outbox was first, and says the same
	}
	return errors.Join(err, n.Docs.Delete(ApprovalKind, name))
}

// Refuse sends the owner's refusal of a study or withdrawal from it. What was
// approved is forgotten first: nothing more is computed here, whatever becomes of
// the no.
func (n *Node) Refuse(ctx context.Context, study croft.StudyID, raw []byte) error {
	f := &follower{Node: n, id: study}
	st, _, err := f.study(ctx)
	if err != nil {
		return err
	}
	if st.Status < ledger.Done { // what is over was approved, and the copies prove it
		names, err := f.docs(ApprovalKind)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := n.Docs.Delete(ApprovalKind, name); err != nil {
				return err
			}
		}
	}
	return n.Send(ctx, raw)
}

func (f *follower) approvalName(tx croft.Hash) string { return f.name(tx.String()[:32]) }

// answerOf returns what a site said of the study; zero if nothing.
func answerOf(st ledger.Study, site croft.MemberID) ledger.Answer {
	for _, a := range st.Answers {
		if a.Site == site {
			return a
		}
	}
	return ledger.Answer{}
}

// ApprovalOf returns the approval that covers a study as it stands, for a person
// to read and sign; rows is RowsAllowed of what the site brings.
func ApprovalOf(st ledger.Study, plan croft.Study, dataset croft.DatasetID, releases, rows uint32) croft.Approval {
	return croft.Approval{Study: st.ID, Plan: st.Plan, Dataset: dataset, Seats: st.Seats, Threshold: st.Threshold,
		Readers: plan.Readers, Releases: releases, Expires: plan.Expires, Engine: plan.Engine,
		Purpose: plan.Purpose, LegalBasis: plan.LegalBasis, Rows: rows}
}
