package privagg

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"croft"
	"croft/internal/tensor"
	"croft/internal/vdaf"
)

// MaxLength is the largest number of elements in a vector: 128 MiB of them.
const MaxLength = 1 << 24

// MaxHead bounds the encoding of a head before it is read: 126 commitments and nine
// boxes with 251 nodes, each with an encapsulation, are 19 kB.
const MaxHead = 24 << 10

// Context is all that both sides know before a byte is sent. Every seed, mask,
// commitment and box of a report is bound to all of it, so nothing fits another
// network, study, round or site.
type Context struct {
	Scope   croft.Scope    `cbor:"1,keyasint"`
	Study   croft.StudyID  `cbor:"2,keyasint"`
	Round   uint32         `cbor:"3,keyasint"`
	Spec    croft.Hash     `cbor:"4,keyasint"` // of what is computed and by whom: plan, layout, the seats in order
	Profile Profile        `cbor:"5,keyasint"`
	Length  uint32         `cbor:"6,keyasint"` // elements of the vector, 1 to MaxLength
	Site    croft.MemberID `cbor:"7,keyasint"` // whose report it is; zero for a share of the sum
	Set     croft.Hash     `cbor:"8,keyasint"` // of the accepted set, for a share of the sum; zero for a report
	// Bound of the vector's Euclidean norm, which the report proves. Zero: no proof,
	// and the site's word that it is below 2^26.
	Bound uint64 `cbor:"9,keyasint,omitempty"`
	Gates *Gates `cbor:"10,keyasint,omitempty"` // bounds of products, proved too; nil: none. They need a Bound
}

// star returns the number of the part to which the blob belongs. The t seats of
// its T need not fetch it, so it moves on by one each round, from a start that
// differs between sites: the load goes round.
func (c Context) star() int {
	return int((binary.BigEndian.Uint64(c.Site[:8]) + uint64(c.Round)) % uint64(len(c.Profile.parts())))
}

// A binding is the additional data of a sealed message: what it is, of which
// context, between which seats, of which head.
type binding struct {
	_        struct{} `cbor:",toarray"`
	Label    string
	Context  croft.Hash
	From, To uint8
	Head     croft.Hash
}

// Report is what a site sends in a round: two byte strings, each stored and
// fetched by its hash. They hold no secret in the clear; a site keeps them until
// the round is committed, so that after a crash it sends the same bytes again.
type Report struct {
	Head []byte // commitments and one sealed box a seat
	Blob []byte // the masked vector: 8 bytes an element
}

// Header returns what goes on the ledger.
func (r *Report) Header() croft.Header {
	return croft.Header{Head: croft.Sum(r.Head), Blob: croft.Sum(r.Blob), Size: uint32(len(r.Head) + len(r.Blob))}
}

// wireHead is a head's encoding.
type wireHead struct {
	Version uint8        `cbor:"1,keyasint"` // 1
	Blob    croft.Hash   `cbor:"2,keyasint"`
	Commits []croft.Hash `cbor:"3,keyasint"`          // one a part
	Boxes   [][]byte     `cbor:"4,keyasint"`          // one a seat
	Vector  croft.Hash   `cbor:"5,keyasint,omitzero"` // of the blob's first and first two pieces: proof.go
	Tests   croft.Hash   `cbor:"6,keyasint,omitzero"`
}

// Deal splits a site's encoded vector among the seats, to each of which seats
// holds a pipe, in order. rand gives 16 bytes from which all seeds grow, and 32 for
// a proof.
//
// It refuses a vector that is not of c.Length elements (ErrShape), and one whose
// Euclidean norm is not below 2^26 (ErrOverflow): sums of such vectors cannot wrap
// around the field.
func Deal(c Context, vector []int64, seats []*Sender, rand io.Reader, run vdaf.Workers) (*Report, error) {
	n, err := c.norm()
	if err != nil {
		return nil, err
	}
	if len(vector) != int(c.Length) {
		return nil, croft.E(croft.ErrShape, "the vector", len(vector), c.Length)
	}
	if len(seats) != c.Profile.Seats {
		return nil, croft.E(croft.ErrShape, "the list of seats", len(seats), c.Profile.Seats)
	}
	return deal(c, n, vector, seats, rand, run)
}

func deal(c Context, n *vdaf.Norm, vector []int64, seats []*Sender, rand io.Reader, run vdaf.Workers) (*Report, error) {
	hash, m := croft.HashOf(c), c.Profile.Seats
	var root node
	if _, err := io.ReadFull(rand, root[:]); err != nil {
		return nil, fmt.Errorf("draw the root of the seeds: %w", err)
	}
	var commits []croft.Hash
	var streams []*vdaf.XOF
	for _, T := range c.Profile.parts() {
		s := root.seed(m, T, hash)
		commits = append(commits, commit(hash, T, s))
		streams = append(streams, maskOf(hash, T, s))
	}
	blob := make([]byte, 8*c.elements(n))
	head := wireHead{Version: headVersion, Commits: commits}
	if c.Bound == 0 {
		if err := checkNorm(vector); err != nil {
			return nil, err
		}
		mask(blob, residues(vector, nil), streams, run)
		head.Blob = croft.Sum(blob)
	} else if err := c.prove(n, vector, blob, streams, &head, rand, run); err != nil {
		return nil, err
	}

	for seat, pipe := range seats {
		var nodes []byte
		for _, T := range c.Profile.tops(seat) {
			n := root.down(m, seat, T, hash)
			nodes = append(nodes, n[:]...)
		}
		box, err := pipe.Seal(c.Round, head.boxBinding(hash, seat), nodes)
		if err != nil {
			return nil, err
		}
		head.Boxes = append(head.Boxes, box)
	}
	return &Report{Head: croft.Encode(head), Blob: blob}, nil
}

const headVersion = 1

// mask writes the next numbers of the blob into a piece of it: what numbers gives
// minus the next numbers of all streams.
func mask(piece []byte, numbers func(lo int, out []uint64), streams []*vdaf.XOF, run vdaf.Workers) {
	vdaf.Expand(streams, len(piece)/8, run, func(lo, hi int, streams []*vdaf.XOF) {
		var room, drawn [blockLen]uint64
		for ; lo < hi; lo += blockLen {
			block := room[:min(blockLen, hi-lo)]
			numbers(lo, block)
			for _, s := range streams {
				s.Next(drawn[:len(block)])
				for k, v := range drawn[:len(block)] {
					block[k] = vdaf.Sub(block[k], v)
				}
			}
			putNumbers(piece[8*lo:], block)
		}
	})
}

// residues gives the numbers of a vector and then those of the rest.
func residues(vector []int64, rest []uint64) func(lo int, out []uint64) {
	return func(lo int, out []uint64) {
		for k := range out {
			if at := lo + k; at < len(vector) {
				out[k] = vdaf.Residue(vector[at])
			} else {
				out[k] = rest[at-len(vector)]
			}
		}
	}
}

// checkNorm refuses a vector outside the bound of package tensor. No step of the
// addition overflows: both terms are at most 2^62.
func checkNorm(vector []int64) error {
	norm := uint64(0)
	for i, v := range vector {
		if v <= -1<<tensor.NormBits || v >= 1<<tensor.NormBits {
			return croft.E(croft.ErrOverflow, "vector", i, v, fmt.Sprintf("2^%d", tensor.NormBits))
		}
		if norm += uint64(v * v); norm >= 1<<(2*tensor.NormBits) {
			return croft.E(croft.ErrOverflow, "vector", i, "the norm", fmt.Sprintf("2^%d", tensor.NormBits))
		}
	}
	return nil
}

// commit binds a seed to its part and context. A seed is uniform, so its hash
// hides it.
func commit(context croft.Hash, T part, s *seed) croft.Hash {
	data := append([]byte("croft/privagg/commit/1"), context[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(T))
	return sha256.Sum256(append(data, s[:]...))
}

// binder is what the streams of a part are bound to.
func binder(context croft.Hash, T part) []byte {
	return binary.BigEndian.AppendUint16(context[:len(context):len(context)], uint16(T))
}

func maskOf(context croft.Hash, T part, s *seed) *vdaf.XOF {
	return vdaf.NewXOF(s, domain(usageMask), binder(context, T))
}

func (w *wireHead) root() croft.Hash {
	return croft.HashOf(wireHead{Version: w.Version, Blob: w.Blob, Commits: w.Commits, Vector: w.Vector, Tests: w.Tests})
}

func (w *wireHead) boxBinding(context croft.Hash, seat int) []byte {
	return croft.Encode(binding{Label: "box", Context: context, To: uint8(seat), Head: w.root()})
}

// Head is the head of a report that fits its context and its header.
type Head struct {
	context Context
	hash    croft.Hash // of the context
	parts   []part
	norm    *vdaf.Norm // nil without a bound
	wire    wireHead
}

// OpenHead reads a head that was fetched by the hash in a header of the ledger.
// It refuses one that is not what the header names, or not of this context.
func OpenHead(c Context, header croft.Header, data []byte) (*Head, error) {
	norm, err := c.norm()
	if err != nil {
		return nil, err
	}
	if len(data) > MaxHead {
		return nil, croft.E(croft.ErrReport, fmt.Sprintf("a head of %d bytes is too long", len(data)))
	}
	if croft.Sum(data) != header.Head {
		return nil, croft.E(croft.ErrReport, "the head is not the one that the ledger names")
	}
	h := &Head{context: c, hash: croft.HashOf(c), parts: c.Profile.parts(), norm: norm}
	if err := croft.Decode(data, &h.wire); err != nil {
		return nil, croft.E(croft.ErrReport, err)
	}
	switch {
	case h.wire.Version != headVersion:
		return nil, croft.E(croft.ErrReport, fmt.Sprintf("it has version %d; this node knows %d", h.wire.Version, headVersion))
	case (norm == nil) != h.wire.Vector.IsZero() || (norm == nil) != h.wire.Tests.IsZero():
		return nil, croft.E(croft.ErrReport, "it has a proof where the study has none, or none where the study has proofs")
	case len(h.wire.Commits) != len(h.parts) || len(h.wire.Boxes) != c.Profile.Seats:
		return nil, croft.E(croft.ErrReport, "it was made for another number of seats")
	case h.wire.Blob != header.Blob || int(header.Size) != len(data)+h.BlobSize():
		return nil, croft.E(croft.ErrReport, "its masked vector is not the one that the ledger names")
	}
	return h, nil
}

// BlobSize returns the exact length in bytes of the report's blob.
func (h *Head) BlobSize() int { return 8 * h.elements() }

func (h *Head) elements() int { return h.context.elements(h.norm) }

// Box returns the sealed message for a seat, from which a seat that has no pipe
// from the site yet makes one.
func (h *Head) Box(seat int) []byte { return h.wire.Boxes[seat] }

// checkBlob refuses a blob that is not the head's, or holds a number not below p.
func (h *Head) checkBlob(blob []byte) error {
	hash, vector, tests := sha256.New(), h.wire.Vector, h.wire.Tests
	rest := blob
	if n := h.norm; n != nil {
		early, late := h.context.pieces(n)
		vector, tests = further(hash, blob[:early]), further(hash, blob[early:late])
		rest = blob[late:]
	}
	switch {
	case further(hash, rest) != h.wire.Blob:
		return croft.E(croft.ErrReport, "the masked vector is not the one that the ledger names")
	case vector != h.wire.Vector || tests != h.wire.Tests:
		return croft.E(croft.ErrProof, "its randomness was not drawn from its shares")
	}
	return checkNumbers(blob)
}

// further returns the hash of all that was written and of data.
func further(hash hash.Hash, data []byte) croft.Hash {
	hash.Write(data)
	return croft.Hash(hash.Sum(nil))
}
