package node

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"

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
		answer, err := n.full.Answer(ctx, m.ID, question)
		return deflate(answer), err
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
	answer, err := f.n.Host.Call(ctx, p2p.PeerOf(to.Node), lightProtocol, question, most)
	if err != nil {
		return nil, err
	}
	return inflate(answer, most)
}

// packers keeps flate's writers, each of which has most of a megabyte.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.DefaultCompression) // a level that there is
	return w
}}

// deflate compresses an answer: proofs of neighbours have most hashes in common.
func deflate(answer []byte) []byte {
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(answer) // into memory
	_ = w.Close()
	return out.Bytes()
}

func inflate(answer []byte, most int) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(answer)), int64(most)+1))
	switch {
	case err != nil:
		return nil, croft.E(croft.ErrEncoding, "answer", err)
	case len(out) > most:
		return nil, croft.E(croft.ErrTooLarge, len(out), most)
	}
	return out, nil
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
