package p2p

import (
	"context"
	"time"

	"croft"
)

// blobProto asks for a blob: the request is its hash, the answer its bytes.
const blobProto = "blob/1"

// fetchTime bounds the attempt at one peer to get so many bytes, so that one that hangs
// does not keep Fetch from the others. A line can be as slow as MinRate, and shared.
func fetchTime(most int) time.Duration {
	return time.Minute + time.Duration(most)*4*time.Second/MinRate
}

// readsAtOnce bounds the blobs that are read at once, for all peers together: a
// blob is in memory from there on, and the host counts it only once it is sent.
const readsAtOnce = 2

// ServeBlobs answers other peers' Fetch with what get returns for them. They learn of
// an error of get only that this node does not have the blob.
func ServeBlobs(h *Host, get func(from PeerID, hash croft.Hash) ([]byte, error)) {
	reading := make(chan struct{}, readsAtOnce)
	h.Handle(blobProto, len(croft.Hash{}), func(ctx context.Context, from PeerID, request []byte) ([]byte, error) {
		if len(request) != len(croft.Hash{}) {
			return nil, croft.E(croft.ErrEncoding, "blob request", "it is not a hash")
		}
		hash := croft.Hash(request)
		select {
		case reading <- struct{}{}:
			defer func() { <-reading }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		data, err := get(from, hash)
		if err != nil {
			return nil, croft.E(croft.ErrBlob, hash)
		}
		return data, nil
	})
}

// Fetch gets a blob of at most so many bytes from the first of the peers, in order,
// that has it, and checks it against its hash: a peer that lies is passed over, and
// one that begins to send more is cut off. It fails with croft.ErrBlob, which wraps
// ctx's error if that was the reason.
func Fetch(ctx context.Context, h *Host, hash croft.Hash, most int, from ...PeerID) ([]byte, error) {
	for _, p := range from {
		attempt, cancel := context.WithTimeout(ctx, fetchTime(most))
		data, err := h.Call(attempt, p, blobProto, hash[:], most)
		cancel()
		if err == nil && croft.Sum(data) == hash {
			return data, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, croft.E(croft.ErrBlob, hash, err)
		}
	}
	return nil, croft.E(croft.ErrBlob, hash)
}
