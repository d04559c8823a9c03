package api

import (
	"context"
	"io"
	"net/http"

	"croft"
	"croft/internal/ledger"
)

// Rescue asks for the genesis of the chain that would succeed the node's without
// these members, or whether one that others signed can be believed.
type Rescue struct {
	Without []croft.MemberID `json:"without,omitempty"`
	Genesis []byte           `json:"genesis,omitempty"` // canonical encoding of a croft.Genesis
}

// rescue answers with a successor's genesis, which nobody has signed yet.
func (s Services) rescue(_ *http.Request, body Rescue) (Rescue, error) {
	g, err := s.Successor(body.Without)
	return Rescue{Genesis: croft.Encode(g)}, err
}

// believe answers without an error if the node believes a successor's genesis.
func (s Services) believe(_ *http.Request, body Rescue) (struct{}, error) {
	var g croft.Genesis
	if err := croft.Decode(body.Genesis, &g); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.Believe(g)
}

// blob answers with a blob of this node: for an auditor, a piece of the state that a
// successor chain begins with.
func (s Services) blob(w http.ResponseWriter, r *http.Request) {
	hash, err := croft.ParseID[byte](r.PathValue("hash"))
	var data []byte
	if err == nil {
		data, err = s.Study.Blobs.Get(hash)
	}
	if err != nil {
		fail(w, croft.E(croft.ErrBlob, r.PathValue("hash")))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(data) // an error is the caller's going away
}

// Successor returns the genesis, which nobody has signed yet, of the chain that would
// succeed the node's without these members. It fails with croft.ErrRescue.
func (c *Client) Successor(ctx context.Context, without []croft.MemberID) (g croft.Genesis, err error) {
	answer, err := tell[Rescue](ctx, c, "rescue", Rescue{Without: without})
	if err == nil {
		err = croft.Decode(answer.Genesis, &g)
	}
	return g, err
}

// Believe fails with croft.ErrRescue unless more than half of the members that the
// node knows signed the genesis.
func (c *Client) Believe(ctx context.Context, g croft.Genesis) error {
	return c.order(ctx, "rescue/believe", Rescue{Genesis: croft.Encode(g)})
}

// Inherited returns what finds the pieces of the state that a successor chain begins
// with. It fails with croft.ErrBlob.
func (c *Client) Inherited(ctx context.Context) ledger.Pieces {
	return func(hash croft.Hash) ([]byte, error) {
		answer, err := c.do(ctx, http.MethodGet, "blobs/"+hash.String(), nil)
		if err != nil {
			return nil, err
		}
		defer answer.Close()
		piece, err := io.ReadAll(io.LimitReader(answer, ledger.MaxPiece))
		if err != nil {
			return nil, c.trouble(ctx, err)
		}
		if croft.Sum(piece) != hash {
			return nil, croft.E(croft.ErrBlob, hash.Short())
		}
		return piece, nil
	}
}
