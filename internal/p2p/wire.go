package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"croft"
)

// A stream carries one call:
//
//	request  length (4 bytes, big-endian), bytes
//	answer   status (1 byte), length (4 bytes), bytes
//
// Before an answer there may be parts of it, each with a status of its own, where
// the protocol has them (see [Host.CallParts]).
//
// The caller closes the stream when it has the answer; closing it earlier, or
// sending more, tells the other side that nobody waits any more.
type status byte

const (
	answered status = iota // the bytes are the handler's answer
	failed                 // the bytes are a failure in canonical form
	mute                   // it failed and does not say why
	busy                   // the caller makes too many calls
	tooLarge               // the request is above the protocol's limit
	more                   // the bytes are a part; another frame follows
)

// failure is a croft.Error on its way to a peer.
type failure struct {
	Code croft.Code `cbor:"1,keyasint"`
	Args []string   `cbor:"2,keyasint,omitempty"`
}

// The bounds of a failure: it ends in a sentence on somebody's screen.
const (
	maxFailure = 4096
	maxArgs    = 8
	maxArg     = 200
)

// packError returns what of err a peer may know.
func packError(err error) (status, []byte) {
	e, ok := errors.AsType[*croft.Error](err)
	if !ok || e.Code.Kind() == croft.Internal {
		return mute, nil
	}
	f := failure{Code: e.Code}
	for _, arg := range e.Args[:min(len(e.Args), maxArgs)] {
		f.Args = append(f.Args, printable(arg))
	}
	return failed, croft.Encode(f)
}

// unpackAnswer returns what a peer answered: bytes, or the error that stands for
// its status. The peer may send anything; no text of its reaches a screen unless
// it is printable and short.
func unpackAnswer(from PeerID, s status, body []byte) ([]byte, error) {
	switch s {
	case answered:
		return body, nil
	case failed:
		var f failure
		if len(body) > maxFailure || croft.Decode(body, &f) != nil || len(f.Args) > maxArgs ||
			f.Code.Kind() == 0 || f.Code.Kind() == croft.Internal {
			return nil, croft.E(croft.ErrPeer, from, "its answer cannot be understood")
		}
		e := &croft.Error{Code: f.Code}
		for _, arg := range f.Args {
			e.Args = append(e.Args, printable(arg))
		}
		return nil, e
	case mute:
		return nil, croft.E(croft.ErrPeer, from, "it could not answer")
	case busy:
		return nil, croft.E(croft.ErrPeer, from, "it is busy")
	case tooLarge:
		return nil, croft.E(croft.ErrPeer, from, "the request is too large for it")
	default:
		return nil, croft.E(croft.ErrPeer, from, "its answer cannot be understood")
	}
}

// printable returns text as one short line without control characters.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), maxArg)], "?"))
	return text[:min(len(text), maxArg)]
}

// errTooLarge says that a frame announces more than its limit.
var errTooLarge = errors.New("too large")

// stall is how long one chunk may take: a peer that sends or reads slower than
// chunk bytes in this time is taken for dead.
const (
	stall = 30 * time.Second
	chunk = 256 << 10
)

// frames is what a stream has to do: bytes, and an end to waiting for them.
type frames interface {
	io.Reader
	io.Writer
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// writeFrame writes head, the length of data, and data, chunk by chunk.
func writeFrame(w frames, head, data []byte) error {
	out := binary.BigEndian.AppendUint32(head, uint32(len(data)))
	out = append(out, data[:min(len(data), chunk)]...) // small calls are one packet
	data = data[min(len(data), chunk):]
	for {
		w.SetWriteDeadline(time.Now().Add(stall))
		if _, err := w.Write(out); err != nil || len(data) == 0 {
			return err
		}
		out, data = data[:min(len(data), chunk)], data[min(len(data), chunk):]
	}
}

// readFrame reads a length and that many bytes. It refuses a length above limit
// (errTooLarge), and asks reserve before it allocates.
func readFrame(r frames, limit int, reserve func(n int) error) ([]byte, error) {
	var head [4]byte
	r.SetReadDeadline(time.Now().Add(stall))
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if uint64(n) > uint64(limit) {
		return nil, errTooLarge
	}
	if err := reserve(int(n)); err != nil {
		return nil, fmt.Errorf("no memory for %d bytes: %w", n, err)
	}
	data := make([]byte, n)
	for rest := data; len(rest) > 0; {
		r.SetReadDeadline(time.Now().Add(stall))
		got, err := io.ReadFull(r, rest[:min(len(rest), chunk)])
		if err != nil {
			return nil, err
		}
		rest = rest[got:]
	}
	return data, nil
}
