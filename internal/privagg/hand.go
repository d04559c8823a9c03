package privagg

import (
	"encoding/binary"
	"fmt"
	"slices"

	"croft"
	"croft/internal/vdaf"
)

// Hand is what one seat holds of one report: seeds, each equal to its commitment.
// It is complete when Missing returns none; only then may the seat acknowledge
// the report, after it has stored Marshal's bytes and the blob durably.
type Hand struct {
	head  *Head
	seat  int
	seeds map[part]*seed
}

// Hand returns the empty hand of a seat.
func (h *Head) Hand(seat int) (*Hand, error) {
	if seat < 0 || seat >= h.context.Profile.Seats {
		return nil, croft.E(croft.ErrShape, "the seat's number", seat, fmt.Sprintf("0 to %d", h.context.Profile.Seats-1))
	}
	return &Hand{head: h, seat: seat, seeds: map[part]*seed{}}, nil
}

// OpenBox takes the seeds that grow from what the site sealed for this seat. Seeds
// that do not equal their commitment are left out and reported: ErrBox if the box
// does not open, ErrReport if it is not of the right size, ErrCommitment if a seed is
// wrong. The rest is kept; what is missing can come from other seats.
func (h *Hand) OpenBox(from *Receiver) error {
	plaintext, err := from.Open(h.head.context.Round, h.head.wire.boxBinding(h.head.hash, h.seat), h.head.wire.Boxes[h.seat])
	if err != nil {
		return croft.E(croft.ErrBox, h.seat+1, err)
	}
	tops := h.head.context.Profile.tops(h.seat)
	if len(plaintext) != nodeSize*len(tops) {
		return croft.E(croft.ErrReport, fmt.Sprintf("%d bytes of nodes are not as many as the seat is dealt", len(plaintext)))
	}
	return h.Load(dealtTo(h.seat, h.head.parts, func(T part) *seed {
		at, _ := slices.BinarySearch(tops, T.from(h.seat))
		return node(plaintext[nodeSize*at:][:nodeSize]).seed(h.seat, T, h.head.hash)
	}))
}

// dealtTo writes what a seat is entitled to: for each part that it may hold,
// ascending, the part's set in 2 bytes and its seed in 32. of returns nil for a
// seed that is to be left out.
func dealtTo(seat int, parts []part, of func(T part) *seed) (out []byte) {
	for _, T := range parts {
		if T.excludes(seat) {
			continue
		}
		if s := of(T); s != nil {
			out = append(binary.BigEndian.AppendUint16(out, uint16(T)), s[:]...)
		}
	}
	return out
}

// Missing returns the numbers of the parts that this seat is entitled to and does
// not have, ascending.
func (h *Hand) Missing() []int {
	var missing []int
	for i, T := range h.head.parts {
		if !T.excludes(h.seat) && h.seeds[T] == nil {
			missing = append(missing, i)
		}
	}
	return missing
}

// Give seals seeds for a seat that lacks them: those of the wanted parts that
// this seat has. Wanted parts that the other seat may not hold are refused with
// ErrEntitled, all of them: it asks for them only if it lies or is broken.
func (h *Hand) Give(to int, wanted []int, pipe *Sender) ([]byte, error) {
	if to < 0 || to >= h.head.context.Profile.Seats || len(wanted) > len(h.head.parts) {
		return nil, croft.E(croft.ErrEntitled, to+1, fmt.Sprint(wanted))
	}
	asked := map[part]bool{}
	for _, i := range wanted {
		if i < 0 || i >= len(h.head.parts) || h.head.parts[i].excludes(to) {
			return nil, croft.E(croft.ErrEntitled, to+1, i)
		}
		asked[h.head.parts[i]] = true
	}
	plaintext := dealtTo(to, h.head.parts, func(T part) *seed {
		if asked[T] {
			return h.seeds[T]
		}
		return nil
	})
	return pipe.Seal(h.head.context.Round, h.giveBinding(h.seat, to), plaintext)
}

// Take adds the seeds that another seat gave. Wrong ones are left out and
// reported with ErrCommitment.
func (h *Hand) Take(giver int, sealed []byte, from *Receiver) error {
	plaintext, err := from.Open(h.head.context.Round, h.giveBinding(giver, h.seat), sealed)
	if err != nil {
		return err
	}
	return h.Load(plaintext)
}

func (h *Hand) giveBinding(from, to int) []byte {
	return croft.Encode(binding{Label: "give", Context: h.head.hash, From: uint8(from), To: uint8(to), Head: h.head.wire.root()})
}

// Marshal returns the hand to keep on disk until the round is committed: 34 bytes
// a seed. It is a secret.
func (h *Hand) Marshal() []byte {
	return dealtTo(h.seat, h.head.parts, func(T part) *seed { return h.seeds[T] })
}

// Load adds the seeds of an encoded hand, checking each against its commitment.
func (h *Hand) Load(data []byte) error {
	const entry = 2 + seedSize
	if len(data)%entry != 0 || len(data) > entry*len(h.head.parts) {
		return croft.E(croft.ErrReport, fmt.Sprintf("%d bytes of seeds are not whole", len(data)))
	}
	var wrong error
	for i, T := range h.head.parts {
		if len(data) == 0 {
			break
		}
		if part(binary.BigEndian.Uint16(data)) != T {
			continue
		}
		s := seed(data[2:entry])
		data = data[entry:]
		switch {
		case T.excludes(h.seat):
			wrong = croft.E(croft.ErrEntitled, h.seat+1, T)
		case commit(h.head.hash, T, &s) != h.head.wire.Commits[i]:
			wrong = croft.E(croft.ErrCommitment, T)
		default:
			h.seeds[T] = &s
		}
	}
	if len(data) > 0 {
		return croft.E(croft.ErrReport, "its seeds are not in order")
	}
	return wrong
}

// NeedsBlob reports whether this seat must fetch the blob to compute its share:
// the t seats of the blob's part need not.
func (h *Hand) NeedsBlob() bool { return !h.head.parts[h.head.context.star()].excludes(h.seat) }

// Share returns the seat's Shamir share of the site's vector. The hand must be
// complete. blob is ignored where NeedsBlob is false. Where the context has a
// bound, Verify takes its place.
func (h *Hand) Share(blob []byte) ([]uint64, error) {
	all, err := h.convert(blob, vdaf.Serial)
	if err != nil {
		return nil, err
	}
	return all[:h.head.context.Length], nil
}

// Check says whether this seat can do its part once the reports are fixed: as Share
// and Verify do it refuses a hand that is not complete and a blob that is not the
// named one (ErrReport), is not of numbers below p (ErrEncoding), or whose
// randomness was not drawn from it (ErrProof).
func (h *Hand) Check(blob []byte) error {
	if err := h.whole(blob); err != nil || !h.NeedsBlob() {
		return err
	}
	return h.head.checkBlob(blob)
}

// whole refuses a hand or a blob of which something is missing.
func (h *Hand) whole(blob []byte) error {
	if missing := h.Missing(); len(missing) > 0 {
		return croft.E(croft.ErrReport, fmt.Sprintf("%d seeds are missing", len(missing)))
	}
	if h.NeedsBlob() && len(blob) != h.head.BlobSize() {
		return croft.E(croft.ErrReport, "the masked vector is not as long as its head says")
	}
	return nil
}

// convert turns the seat's parts into its Shamir share of all that the report
// shares, and checks them meanwhile.
func (h *Hand) convert(blob []byte, run vdaf.Workers) (share []uint64, err error) {
	if err := h.whole(blob); err != nil {
		return nil, err
	}
	run(2, func(task int) {
		if task == 0 {
			err = h.Check(blob)
		} else {
			share = h.add(blob, run)
		}
	})
	if err != nil {
		return nil, err
	}
	return share, nil
}

// add adds up the seat's parts, each with its weight. Part T is the stream of its
// seed; to the star's belongs the blob, too.
func (h *Hand) add(blob []byte, run vdaf.Workers) []uint64 {
	var streams []*vdaf.XOF
	var weights []uint64
	for _, T := range h.head.parts {
		if !T.excludes(h.seat) {
			streams = append(streams, maskOf(h.head.hash, T, h.seeds[T]))
			weights = append(weights, weight(field64{}, T, h.seat))
		}
	}
	share := make([]uint64, h.head.elements())
	own := weight(field64{}, h.head.parts[h.head.context.star()], h.seat) // 0 for a seat without the blob
	vdaf.Expand(streams, len(share), run, func(lo, hi int, streams []*vdaf.XOF) {
		sum := vdaf.NewWide(blockLen)
		var room [blockLen]uint64
		for ; lo < hi; lo += blockLen {
			out := share[lo:min(lo+blockLen, hi)]
			block := room[:len(out)]
			for i, s := range streams {
				s.Next(block)
				sum.MulAdd(weights[i], block)
			}
			if own != 0 {
				getNumbers(block, blob[8*lo:])
				sum.MulAdd(own, block)
			}
			sum.Reduce(out)
		}
	})
	return share
}
