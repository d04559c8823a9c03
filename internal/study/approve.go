package study

import (
	"context"
	"time"

	"croft"
	"croft/internal/ledger"
)

// Approve keeps the owner's signed approval and puts it on the ledger. What the
// site obeys from then on is the kept copy.
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
	if err := Consent(approval, st, plan, time.Now().Unix()); err != nil {
		return err
	}
	entry, err := n.Data.Get(approval.Dataset)
	if err != nil {
		return err
	}
	if _, err := f.readRows(ctx, plan, entry); err != nil {
		return err // what would be refused later is said now
	}
	if err := n.Docs.Put(approvalKind, f.name(), raw); err != nil {
		return err
	}
	n.at("approve")
	return n.Send(ctx, raw)
}

// ApprovalOf returns the approval that covers a study as it stands, for a person
// to read and sign.
func ApprovalOf(st ledger.Study, plan croft.Study, dataset croft.DatasetID, releases uint32) croft.Approval {
	return croft.Approval{Study: st.ID, Plan: st.Plan, Dataset: dataset, Seats: st.Seats, Threshold: st.Threshold,
		Readers: plan.Readers, Releases: releases, Expires: plan.Expires, Engine: plan.Engine,
		Purpose: plan.Purpose, LegalBasis: plan.LegalBasis}
}
