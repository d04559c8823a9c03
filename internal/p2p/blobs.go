package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"croft"
)

// blobProto asks for a blob: the request is its hash, the answer its bytes.
const blobProto = "blob/1"

// A blob has to begin within fetchStart and then come at the pace of a line that is as
// slow as MinRate and shared by four, or the next peer is asked: one that hangs or drips
// must not keep Fetch from the others.
const (
	fetchStart = 10 * time.Second
	fetchByte  = 4 * time.Second / MinRate
)

// brisk is a stream that breaks off when what comes is late: each byte gives the rest
// its time.
type brisk struct {
	network.Stream
	due time.Time
}

// SetReadDeadline implements network.Stream: due is earlier than what others would set.
func (b *brisk) SetReadDeadline(time.Time) error { return nil }

func (b *brisk) Read(data []byte) (int, error) {
	if err := b.Stream.SetReadDeadline(b.due); err != nil {
		return 0, err
	}
	n, err := b.Stream.Read(data)
	b.due = b.due.Add(time.Duration(n) * fetchByte)
	return n, err
}

// readsAtOnce bounds the blobs that are read at once, for all peers together: a
// blob is in memory from there on, and the host counts it only once it is sent.
const readsAtOnce = 2

// ServeBlobs answers other peers' Fetch with what get returns for them. Of an error of
// get they learn that they may not ask (croft.ErrTxRights), or that this node does not
// have the blob.
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
		if errors.Is(err, croft.ErrTxRights) {
			return nil, err
		} else if err != nil {
			return nil, croft.E(croft.ErrBlob, hash)
		}
		return data, nil
	})
}

// Fetch gets a blob of at most so many bytes from the first of the peers, in order,
// that has it, and checks it against its hash: a peer that lies is passed over, and
// one that begins to send more, or is slow, is cut off. It fails with croft.ErrBlob, which wraps
// ctx's error if that was the reason.
func Fetch(ctx context.Context, h *Host, hash croft.Hash, most int, from ...PeerID) ([]byte, error) {
	for _, p := range from {
		data, err := h.fetch(ctx, p, hash, most)
		if err == nil && croft.Sum(data) == hash {
			return data, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, croft.E(croft.ErrBlob, hash, err)
		}
	}
	return nil, croft.E(croft.ErrBlob, hash)
}

// fetch asks one peer.
func (h *Host) fetch(ctx context.Context, from PeerID, hash croft.Hash, most int) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(fetchStart, cancel) // of connecting
	s, end, err := h.begin(ctx, h.out, from, blobProto, hash[:])
	late.Stop()
	if err != nil {
		return nil, err
	}
	defer end()
	data, code, err := exchange(&brisk{s, time.Now().Add(fetchStart)}, hash[:], min(most, MaxAnswer))
	if err != nil {
		return nil, err
	}
	return unpackAnswer(from, code, data)
}
