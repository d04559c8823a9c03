package api

import (
	"context"
	"encoding/json"
	"net/http"

	"croft"
	"croft/internal/audit"
	"croft/internal/store"
)

// Audit asks the node to verify all that it has stored, from a genesis on.
type Audit struct {
	Genesis     []byte   `json:"genesis"`               // canonical encoding of a croft.Genesis
	Checkpoints []string `json:"checkpoints,omitempty"` // what others say: audit.ParseCheckpoint
}

// Audited is what held: the audit's report, and the same in words.
type Audited struct {
	Report json.RawMessage `json:"report"` // an audit.Report
	Words  []string        `json:"words"`
}

// verify runs while the node runs: blocks that arrive meanwhile are checked too.
func (s Services) verify(r *http.Request, body Audit) (Audited, error) {
	var o audit.Options
	for _, text := range body.Checkpoints {
		point, err := audit.ParseCheckpoint(text)
		if err != nil {
			return Audited{}, err
		}
		o.Checkpoints = append(o.Checkpoints, point)
	}
	var g croft.Genesis
	if err := croft.Decode(body.Genesis, &g); err != nil {
		return Audited{}, err
	}
	blobs, onDisk := s.Study.Blobs.(*store.Blobs)
	docs, both := s.Study.Docs.(*store.Docs)
	if !onDisk || !both {
		return Audited{}, croft.E(croft.ErrUsage, "this node stores nothing that could be verified", "croft audit export")
	}
	report, err := audit.VerifyNode(r.Context(), audit.Node{Dir: s.Dir, Genesis: g, Self: s.Self, Ledger: s.Ledger, Blobs: blobs, Docs: docs}, o)
	if err != nil {
		return Audited{}, err
	}
	return NewAudited(report)
}

// NewAudited puts a report into the form in which it crosses the socket.
func NewAudited(report audit.Report) (Audited, error) {
	raw, err := json.Marshal(report)
	return Audited{raw, report.Words()}, err
}

// Verify has the node verify what it has stored. It fails with croft.ErrAudit.
func (c *Client) Verify(ctx context.Context, a Audit) (Audited, error) {
	return tell[Audited](ctx, c, "audit", a)
}
