package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
)

// An export is a network's whole chain in one file:
//
//	croft-export/1 and a newline
//	length, canonical encoding of the croft.Genesis
//	length, piece of the exported state, for each that it names, if it is a successor's
//	length, canonical encoding of chain.BlockData, for each block from 1 on
//	length 0
//	length, canonical encoding of Checkpoint: what the blocks give
//	SHA-256 of everything before
//
// A length is 4 bytes, big-endian. Nothing follows the hash. The hash finds
// accidents; against people there are the signatures in the blocks, and for the
// end of the chain a checkpoint from somebody else.
const exportMagic = "croft-export/1\n"

// The limits of a reader, checked before anything is kept.
const (
	maxFirst = 1 << 20 // genesis: a thousand members of about 200 bytes and signatures of 100, with room
	maxBlock = 4 << 20 // twice the largest block, with its commit
	maxPoint = 256
)

// Export writes a chain and verifies it as it goes: what does not hold is not
// handed on. It holds one block in memory beside the state. After an error the
// bytes written so far are of no use.
//
// The chain must end at a block that changed nothing, as it does at rest: then a
// header in the file names the state at its end. Otherwise the error is
// croft.ErrNoQuorum.
func Export(ctx context.Context, w io.Writer, g croft.Genesis, blocks iter.Seq2[chain.BlockData, error], o Options) (Report, error) {
	out := exporter{w: bufio.NewWriter(w), sum: sha256.New()}
	out.write([]byte(exportMagic))
	out.part(croft.Encode(g))
	for _, hash := range g.Pieces() {
		piece, err := o.Inherited(hash)
		if err != nil {
			return Report{}, err
		}
		out.part(piece)
	}
	report, err := Verify(ctx, g, func(yield func(chain.BlockData, error) bool) {
		for b, err := range blocks {
			if err == nil {
				out.part(croft.Encode(b))
				err = out.err
			}
			if !yield(b, err) {
				return
			}
		}
	}, o)
	switch {
	case out.err != nil:
		return report, out.err
	case err != nil:
		return report, err
	case !report.Proved:
		return report, croft.E(croft.ErrNoQuorum, fmt.Sprintf("no block has followed block %d yet", report.Blocks))
	}
	out.part(nil)
	out.part(croft.Encode(report.End))
	out.write(out.sum.Sum(nil))
	return report, errors.Join(out.err, out.w.Flush())
}

// exporter writes and hashes until the first error.
type exporter struct {
	w   *bufio.Writer
	sum hash.Hash
	err error
}

func (e *exporter) part(data []byte) {
	e.write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
	e.write(data)
}

func (e *exporter) write(data []byte) {
	e.sum.Write(data)
	if e.err == nil {
		_, e.err = e.w.Write(data)
	}
}

// VerifyExport verifies an export, of which nothing is trusted but the genesis in
// it; with a checkpoint in o not even that. Memory is bounded by the largest block
// and the state.
func VerifyExport(ctx context.Context, r io.Reader, o Options) (Report, error) {
	in := importer{r: bufio.NewReader(r), sum: sha256.New()}
	magic, err := in.read(int64(len(exportMagic)))
	if err != nil || string(magic) != exportMagic {
		return Report{}, fault("the file is not an export of version 1")
	}
	var g croft.Genesis
	if err := in.part(maxFirst, &g); err != nil {
		return Report{}, fault("genesis: %v", err)
	}
	pieces := map[croft.Hash][]byte{}
	for range g.Pieces() {
		piece, err := in.bytes(ledger.MaxPiece)
		if err != nil {
			return Report{}, fault("state that the chain begins with: %v", err)
		}
		pieces[croft.Sum(piece)] = piece
	}
	o.Inherited = func(hash croft.Hash) ([]byte, error) { return pieces[hash], nil }
	replay, err := newReplay(g, o)
	if err != nil {
		return Report{}, err
	}
	clear(pieces) // the replay has them
	if err := replay.run(ctx, in.blocks); err != nil {
		return replay.report, err
	}
	if err := replay.finish(); err != nil {
		return replay.report, err
	}
	return replay.report, in.end(replay.report)
}

// importer reads and hashes.
type importer struct {
	r   *bufio.Reader
	sum hash.Hash
}

// read returns exactly n bytes. The buffer grows with what is there, not with
// what a length promises.
func (i *importer) read(n int64) ([]byte, error) {
	var data bytes.Buffer
	if got, err := io.CopyN(&data, i.r, n); err == io.EOF {
		return nil, fmt.Errorf("the file ends %d bytes too early", n-got)
	} else if err != nil {
		return nil, err
	}
	i.sum.Write(data.Bytes())
	return data.Bytes(), nil
}

func (i *importer) blocks(yield func(chain.BlockData, error) bool) {
	for {
		var b chain.BlockData
		err := i.part(maxBlock, &b)
		if err == errEnd || !yield(b, err) || err != nil {
			return
		}
	}
}

var errEnd = errors.New("it is empty")

// part reads one length and value; errEnd if the length is 0.
func (i *importer) part(limit uint32, v any) error {
	data, err := i.bytes(limit)
	if err != nil {
		return err
	}
	return croft.Decode(data, v)
}

// bytes reads one length and so many bytes; errEnd if the length is 0.
func (i *importer) bytes(limit uint32) ([]byte, error) {
	length, err := i.read(4)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length)
	if size == 0 {
		return nil, errEnd
	}
	if size > limit {
		return nil, croft.E(croft.ErrTooLarge, size, limit)
	}
	return i.read(int64(size))
}

// end checks what follows the blocks.
func (i *importer) end(r Report) error {
	if !r.Proved {
		return fault("block %d: it is missing; no header names what block %d did", r.Blocks+1, r.Blocks)
	}
	var last Checkpoint
	if err := i.part(maxPoint, &last); err != nil {
		return fault("checkpoint at the end: %v", err)
	}
	if last != r.End {
		return fault("checkpoint at the end: it is %s; the blocks give %s", last, r.End)
	}
	want := i.sum.Sum(nil)
	if got, err := i.read(sha256.Size); err != nil || !bytes.Equal(got, want) {
		return fault("hash at the end: the file is not what was written")
	}
	if _, err := i.r.ReadByte(); err != io.EOF {
		return fault("hash at the end: something follows it")
	}
	return nil
}
