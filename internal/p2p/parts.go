package p2p

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"croft"
)

// Calls with parts are those of the market: an answer may come in pieces as it is
// made, and may take minutes. They have quotas of their own.
var (
	outgoingTalks = rates{atOnce: 48, perSecond: 2000}
	incomingTalks = rates{atOnce: 64, perSecond: 4000}
)

// PartsHandler is a Handler that may hand out parts of its answer before it
// returns the rest. part fails when the caller has gone.
type PartsHandler func(ctx context.Context, from PeerID, request []byte, part func([]byte) error) ([]byte, error)

// HandleParts answers calls of a protocol in parts: see [Host.Handle].
func (h *Host) HandleParts(proto string, limit int, f PartsHandler) {
	in := newQuota(incomingTalks)
	h.acceptFrom(h.allow, proto, func(from PeerID, s network.Stream) {
		code, answer := busy, []byte(nil)
		if release, ok := in.try(from); ok {
			defer release()
			code, answer = h.serveAs(from, s, limit, func(ctx context.Context, from PeerID, request []byte) ([]byte, error) {
				return f(ctx, from, request, func(data []byte) error {
					if len(data) > chunk {
						return croft.E(croft.ErrTooLarge, len(data), chunk)
					}
					return cmp.Or(ctx.Err(), writeFrame(s, []byte{byte(more)}, data))
				})
			})
		}
		if reserve(s)(len(answer)) != nil {
			code, answer = busy, nil
		}
		if writeFrame(s, []byte{byte(code)}, answer) != nil {
			s.Reset()
			return
		}
		s.Close()
	})
}

// CallParts is [Host.Call] for such a protocol: part is told each part, in order,
// while the answer is on its way. All parts and the answer together have at most so
// many bytes. An error of part ends the call and is returned.
func (h *Host) CallParts(ctx context.Context, to PeerID, proto string, request []byte, most int, part func([]byte) error) ([]byte, error) {
	s, end, err := h.begin(ctx, h.talks, to, proto, request)
	if err != nil {
		return nil, err
	}
	defer end()
	s.SetReadDeadline(time.Time{})
	if err := writeFrame(s, nil, request); err != nil {
		s.Reset()
		return nil, croft.E(croft.ErrPeer, to, why(cmp.Or(ctx.Err(), err)))
	}
	for left := min(most, MaxAnswer); ; {
		var code [1]byte
		_, err := io.ReadFull(s, code[:])
		limit := left
		switch {
		case err != nil:
		case status(code[0]) == more:
			limit = min(left, chunk)
		case status(code[0]) != answered:
			limit = maxFailure
		}
		var body []byte
		if err == nil {
			body, err = readFrame(s, limit, reserve(s))
			s.SetReadDeadline(time.Time{})
		}
		if err != nil {
			s.Reset()
			return nil, croft.E(croft.ErrPeer, to, why(cmp.Or(ctx.Err(), err)))
		}
		if status(code[0]) != more {
			s.Close()
			return unpackAnswer(to, status(code[0]), body)
		}
		left -= len(body)
		s.Scope().ReleaseMemory(len(body)) // it is handed on
		if err := part(body); err != nil {
			s.Reset()
			return nil, errors.Join(err, context.Cause(ctx))
		}
	}
}
