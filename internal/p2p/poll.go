package p2p

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multistream"
)

// Poll sends an empty request to a peer over each connection that there is, at the
// same time, and returns the answers that came before ctx ended. Connections of one
// peer id may lead to several processes, if somebody runs two nodes with one key;
// Call asks any of them. Poll dials nobody.
func (h *Host) Poll(ctx context.Context, to PeerID, proto string, most int) (answers [][]byte) {
	id, err := peer.Decode(string(to))
	if err != nil || !h.allow(to) {
		return nil
	}
	var mu sync.Mutex // guards answers
	var all sync.WaitGroup
	for _, c := range h.host.Network().ConnsToPeer(id) {
		all.Go(func() {
			answer, err := h.callOver(ctx, c, proto, most)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answers = append(answers, answer)
			}
		})
	}
	all.Wait()
	return answers
}

func (h *Host) callOver(ctx context.Context, c network.Conn, proto string, most int) ([]byte, error) {
	s, err := c.NewStream(network.WithAllowLimitedConn(ctx, limited))
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { s.Reset() })()
	if err := s.SetProtocol(protocolID(proto)); err != nil {
		s.Reset()
		return nil, err
	}
	if err := multistream.SelectProtoOrFail(protocolID(proto), s); err != nil {
		s.Reset()
		return nil, err
	}
	body, code, err := exchange(s, nil, most)
	if err != nil {
		return nil, err
	}
	return unpackAnswer(PeerID(c.RemotePeer().String()), code, body)
}
