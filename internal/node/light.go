package node

import (
	"context"
	"encoding/binary"
	"slices"

	"croft"
	"croft/internal/chain"
	"croft/internal/p2p"
)

// A light member's node has no CometBFT. What it wants to know of the chain it asks full
// members' nodes, over the same host, and has it proved.

const (
	lightProtocol = "light/1"  // a question to a full member's node
	newsProtocol  = "blocks/1" // the height of each new block, until one hangs up
)

// answerLight lets light members ask this node.
func (n *Node) answerLight() {
	n.Host.Handle(lightProtocol, chain.MaxQuestion, func(ctx context.Context, from p2p.PeerID, question []byte) ([]byte, error) {
		m, known := n.memberOf(from)
		if !known {
			return nil, croft.E(croft.ErrTxRights, string(from), "it is not a member")
		}
		return n.full.Answer(ctx, m.ID, question)
	})
	n.Host.HandleParts(newsProtocol, 0, func(ctx context.Context, _ p2p.PeerID, _ []byte, part func([]byte) error) ([]byte, error) {
		return nil, n.full.Tell(ctx, func(height int64) error {
			return part(binary.BigEndian.AppendUint64(nil, uint64(height)))
		})
	})
}

// fulls reaches full members for a light node.
type fulls struct{ n *Node }

func (f fulls) Full() (out []croft.Member) {
	if f.n.Host == nil { // the ledger is opened before the host
		return nil
	}
	connected := f.n.Host.Connected()
	for _, m := range f.n.everybody() {
		if !m.Light && m.ID != f.n.Self && slices.Contains(connected, p2p.PeerOf(m.Node)) {
			out = append(out, m)
		}
	}
	return out
}

func (f fulls) Ask(ctx context.Context, to croft.Member, question []byte, most int) ([]byte, error) {
	return f.n.Host.Call(ctx, p2p.PeerOf(to.Node), lightProtocol, question, most)
}

func (f fulls) Hear(ctx context.Context, to croft.Member, told func(height int64)) error {
	_, err := f.n.Host.CallParts(ctx, p2p.PeerOf(to.Node), newsProtocol, nil, p2p.MaxAnswer, func(part []byte) error {
		if len(part) != 8 {
			return croft.E(croft.ErrEncoding, "height", "it has 8 bytes")
		}
		told(int64(binary.BigEndian.Uint64(part) &^ (1 << 63)))
		return nil
	})
	return err
}

// lightOnly is what a light node refuses to do.
func lightOnly(what string) error {
	return croft.E(croft.ErrLight, what, "ask a member whose node is full: croft member ls")
}
